"""Functions in Node.js, with whichever version this machine has: handlers, errors, logs, layers, limits."""

import base64
import json
import os
import re
import shlex
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from wire.support import (
    ACCOUNT,
    LAMBENT,
    REGION,
    ROLE,
    FunctionMaker,
    invoke,
    listed_runtimes,
    tail_of,
    wait_for,
    wait_updated,
    zip_of,
)

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "nodejs" / "index.mjs"


def listed_versions(sandbox="auto"):
    """Return what `lambent runtimes` says of Node.js, by identifier."""
    rows = listed_runtimes(sandbox).items()
    return {name: row for name, row in rows if name.startswith("nodejs") and row["provider"] == "host"}


def newest_with_callbacks(sandbox="auto"):
    """Return the newest runtime here whose handlers may take a callback."""
    versions = [name for name, row in listed_versions(sandbox).items() if row["available"] and name != "nodejs24.x"]
    if not versions:
        pytest.skip("needs:nodejs:apt install nodejs")
    return max(versions)


@pytest.fixture(scope="module")
def node():
    return newest_with_callbacks()


@pytest.fixture
def make_node(make_function, node):
    """Make a function from the text of index.js, or from `entries`."""

    def make(source=None, *, entries=None, **settings):
        wanted = {"Runtime": node, "Handler": "index.handler", "Timeout": 10, **settings}
        return make_function(entries=entries or {"index.js": source}, **wanted)

    return make


def invoke_warm(client, name, event):
    """Invoke so that the answer waits for the runtime's next Next: the call after this one finds it idle."""
    return invoke(client, name, event, LogType="Tail")


def messages_of(logs_client, name, done):
    """Return the log's messages once one of them satisfies `done`."""

    def read():
        found = [one["message"] for one in logs_client.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]]
        return found if any(done(message) for message in found) else None

    return wait_for(read)


@pytest.mark.parametrize(
    ("entries", "settings", "expected"),
    [
        ({"index.mjs": "const t = await Promise.resolve(41); export const handler = async () => t + 1;"}, {}, 42),
        ({"package.json": '{"type": "module"}', "index.js": "export const handler = async () => 'm';"}, {}, "m"),
        ({"index.cjs": "exports.handler = async () => 'c';"}, {}, "c"),
        ({"index.mjs": "throw 1;", "index.js": "exports.handler = async () => 'js';"}, {}, "js"),
        ({"index.js": "exports.handler = (e, c, cb) => cb(null, 'ok');"}, {}, "ok"),
        ({"src/fn.js": "exports.handler = async () => 'f';"}, {"Handler": "src/fn.handler"}, "f"),
        ({"index.js": "exports.handler = async () => {};"}, {}, None),
        ({"index.js": "exports.handler = () => {};"}, {}, None),
    ],
    ids=["a-mjs", "b-type-module", "c-cjs", "d-both", "e-callback", "f-nested", "g-undefined", "g-silence"],
)
def test_rt01_handlers(lambda_client, make_node, entries, settings, expected):
    """RT-01 a to g: ES modules and CommonJS, promises and callbacks; undefined is null."""
    answer, payload = invoke(lambda_client, make_node(entries=entries, **settings), {})
    assert "FunctionError" not in answer, payload
    assert payload == expected


def test_rt01_errors_and_lines(lambda_client, make_node):
    """RT-01 h: the error's body; console.log and the error are lines with time, request id and level."""
    source = "export const handler = async () => { console.log('text', { n: 1 }); throw new TypeError('x'); };"
    answer, payload = invoke(lambda_client, make_node(entries={"index.mjs": source}), {}, LogType="Tail")
    assert answer["FunctionError"] == "Unhandled"
    assert list(payload) == ["errorType", "errorMessage", "trace"]
    assert (payload["errorType"], payload["errorMessage"], payload["trace"][0]) == ("TypeError", "x", "TypeError: x")
    assert payload["trace"][1].startswith("    at Runtime.handler (file:///")
    tail, request_id = tail_of(answer), answer["ResponseMetadata"]["RequestId"]
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.search(rf"^{time}\t{request_id}\tINFO\ttext \{{ n: 1 \}}$", tail, re.MULTILINE), tail
    assert re.search(rf'^{time}\t{request_id}\tERROR\tInvoke Error \t\{{"errorType":"TypeError",', tail, re.MULTILINE)


@pytest.mark.parametrize(
    ("entries", "handler", "told"),
    [
        ({"index.js": "exports.other = 1;"}, "index.handler", "Runtime.HandlerNotFound"),
        ({"index.js": ""}, "nothing.handler", "Runtime.ImportModuleError"),
        ({"index.js": "require('nowhere');"}, "index.handler", "Runtime.ImportModuleError"),
        ({"index.js": "const = 1;"}, "index.handler", "Runtime.UserCodeSyntaxError"),
        ({"index.js": ""}, "index", "Runtime.MalformedHandlerName"),
        ({"index.js": "throw new RangeError('at once');"}, "index.handler", "RangeError"),
    ],
)
def test_rt01_er04_init_errors(lambda_client, make_node, entries, handler, told):
    """RT-01, ER-04: what fails while the function is loaded is the answer, each time, by its own name."""
    name = make_node(entries=entries, Handler=handler)
    for _ in range(2):
        answer, payload = invoke(lambda_client, name, {})
        assert (answer["FunctionError"], payload["errorType"]) == ("Unhandled", told), payload


def test_rt03_context(lambda_client, make_node, node):
    """RT-03: the fields have their types, the ARN is what was addressed, the client's context arrives."""
    source = """exports.handler = async (event, c) => ({ ...c, first: c.getRemainingTimeInMillis(),
        execution: process.env.AWS_EXECUTION_ENV, trace: process.env._X_AMZN_TRACE_ID });"""
    name = make_node(source, Publish=True, MemorySize=256)
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    for qualifier, expected in (("", arn), ("$LATEST", f"{arn}:$LATEST"), ("1", f"{arn}:1")):
        addressed = {"Qualifier": qualifier} if qualifier else {}
        answer, seen = invoke(lambda_client, name, {}, **addressed)
        assert seen["invokedFunctionArn"] == expected
        assert seen["functionVersion"] == ("1" if qualifier == "1" else "$LATEST")
        assert seen["awsRequestId"] == answer["ResponseMetadata"]["RequestId"]
    assert (seen["functionName"], seen["memoryLimitInMB"]) == (name, "256")
    assert seen["logGroupName"] == f"/aws/lambda/{name}"
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[1\][0-9a-f]{32}", seen["logStreamName"])
    assert 5_000 < seen["first"] <= 10_000
    assert seen["callbackWaitsForEmptyEventLoop"] is True
    assert seen["execution"] == f"AWS_Lambda_{node}"
    assert seen["trace"].startswith("Root=1-")
    assert "clientContext" not in seen
    context = base64.b64encode(b'{"custom": {"foo": "bar"}, "client": {"app_title": "t"}}').decode()
    seen = invoke(lambda_client, name, {}, ClientContext=context)[1]
    assert seen["clientContext"] == {"custom": {"foo": "bar"}, "client": {"app_title": "t"}}


def test_rt05_one_process_serves_many_calls(lambda_client, make_node):
    """RT-05: call after call, errors among them, in one process."""
    source = "let n = 0; exports.handler = async (e) => { n += 1; if (e.fail) throw new Error(String(n)); return n; };"
    name = make_node(source)
    seen = [invoke_warm(lambda_client, name, {"fail": number == 3})[1] for number in range(1, 7)]
    assert seen[2]["errorMessage"] == "3"
    assert [one for number, one in enumerate(seen) if number != 2] == [1, 2, 4, 5, 6]


@pytest.mark.parametrize(
    "waiting", ["await new Promise((go) => setTimeout(go, 60000));", "for (;;);"], ids=["waits", "runs"]
)
def test_er01_timeout(lambda_client, make_node, waiting):
    """ER-01: a handler that waits, and one that never gives the loop a turn, end in time; the next call is fresh."""
    source = f"let n = 0; exports.handler = async (event) => {{ n += 1; if (event.long) {{ {waiting} }} return n; }};"
    name = make_node(source, Timeout=1)
    assert invoke_warm(lambda_client, name, {})[1] == 1
    answer, payload = invoke(lambda_client, name, {"long": True})
    request_id = answer["ResponseMetadata"]["RequestId"]
    message = f"RequestId: {request_id} Error: Task timed out after 1.00 seconds"
    assert payload == {"errorType": "Sandbox.Timedout", "errorMessage": message}
    assert invoke_warm(lambda_client, name, {})[1] == 1


def test_er02_memory(lambda_client, make_node):
    """ER-02: a function that takes more than it has fails, and the next call is served."""
    source = "exports.handler = async (e) => Buffer.alloc(e.mb << 20, 1).length;"
    name = make_node(source, MemorySize=128, Timeout=20)
    assert invoke_warm(lambda_client, name, {"mb": 8})[1] == 8 << 20
    answer, payload = invoke(lambda_client, name, {"mb": 600})
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] in {"Runtime.ExitError", "Runtime.OutOfMemory", "RangeError"}
    assert invoke_warm(lambda_client, name, {"mb": 8})[1] == 8 << 20


@pytest.mark.parametrize(
    ("body", "told", "status"),
    [
        ("process.exit(3);", "Runtime.ExitError", "exit status 3"),
        ("process.exit(0);", "Runtime.ExitError", "Runtime exited without providing a reason"),
        ("process.kill(process.pid, 'SIGKILL'); await never;", "Runtime.ExitError", "signal: killed"),
        ("setTimeout(() => { throw new RangeError('boom'); }, 1); await never;", "RangeError", "boom"),
        ("Promise.reject(new Error('boom')); await never;", "Runtime.UnhandledPromiseRejection", "Error: boom"),
    ],
    ids=["exit-3", "exit-0", "killed", "uncaught", "unhandled"],
)
def test_er04_a_process_that_ends(lambda_client, make_node, body, told, status):
    """ER-04: exits, signals and errors that nobody caught are told apart; each next call has a process of its own."""
    before = "let n = 0; const never = new Promise((go) => setTimeout(go, 9000));"
    name = make_node(
        f"{before} exports.handler = async (event) => {{ n += 1; if (event.end) {{ {body} }} return n; }};"
    )
    assert invoke_warm(lambda_client, name, {})[1] == 1
    answer, payload = invoke(lambda_client, name, {"end": True})
    assert (answer["FunctionError"], payload["errorType"]) == ("Unhandled", told)
    assert payload["errorMessage"].endswith(status)
    assert invoke_warm(lambda_client, name, {})[1] == 1


def test_er04_text_keeps_its_quotes(lambda_client, make_node):
    """ER-04: a string is JSON text, seven bytes."""
    name = make_node("exports.handler = async () => 'hello';")
    assert lambda_client.invoke(FunctionName=name)["Payload"].read() == b'"hello"'


def test_pl01_large_payloads(lambda_client, make_node):
    """PL-01: 6 MB pass both ways; an answer that is too long fails, and the call right after works at once."""
    name = make_node("exports.handler = async (e) => (e.n ? 'x'.repeat(e.n) : e.text.length);", Timeout=20)
    assert invoke(lambda_client, name, {"text": "x" * 6_000_000})[1] == 6_000_000
    assert len(invoke(lambda_client, name, {"n": 6_000_000})[1]) == 6_000_000
    payload = invoke(lambda_client, name, {"n": 7_000_000})[1]
    message = "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
    assert payload == {"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"}
    assert invoke(lambda_client, name, {"n": 10})[1] == "x" * 10


def test_pl02_unicode(lambda_client, logs_client, make_node):
    """PL-02: the answer's bytes hold the characters themselves, and so does the log."""
    name = make_node("exports.handler = async (e) => { console.log(e.t); return e; };")
    event = {"t": "愛 😀 é ’ \u0000"}
    answer = lambda_client.invoke(FunctionName=name, Payload=json.dumps(event).encode(), LogType="Tail")
    body = answer["Payload"].read()
    assert json.loads(body) == event
    assert "愛 😀 é ’".encode() in body
    assert messages_of(logs_client, name, lambda message: message.endswith("\tINFO\t愛 😀 é ’ \u0000\n"))


def test_pl03_json_records(lambda_client, logs_client, make_node):
    """PL-03: with LogFormat JSON, console's records are objects with level and request id, filtered by level."""
    source = (
        "exports.handler = async () => { console.debug('low'); console.info({ a: 1 });"
        "console.error('bad', new RangeError('x')); };"
    )
    name = make_node(source, LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "INFO"})
    answer, _ = invoke(lambda_client, name, {}, LogType="Tail")
    messages = messages_of(logs_client, name, lambda message: "platform.report" in message)
    records = [record for record in map(json.loads, messages) if "level" in record and "message" in record]
    assert [(record["level"], record["message"]) for record in records][:1] == [("INFO", {"a": 1})]
    assert records[1]["level"] == "ERROR"
    assert (records[1]["errorType"], records[1]["errorMessage"]) == ("RangeError", "x")
    assert {record["requestId"] for record in records} == {answer["ResponseMetadata"]["RequestId"]}
    assert not [message for message in messages if "low" in message]


def test_pl04_a_message_of_many_lines_is_one_event(lambda_client, logs_client, make_node):
    """PL-04: one console.log is one event, however long and of however many lines."""
    name = make_node("exports.handler = async () => { console.log('begin\\n' + 'é'.repeat(50000) + '\\nend'); };")
    invoke(lambda_client, name, {}, LogType="Tail")
    messages = messages_of(logs_client, name, lambda message: message.startswith("REPORT"))
    (found,) = [message for message in messages if "begin" in message]
    assert found.endswith("\tINFO\tbegin\n" + "é" * 50_000 + "\nend\n")


def test_ev01_node_options(lambda_client, make_node):
    """EV-01: NODE_OPTIONS is a variable that the user may set, and it acts."""
    entries = {"index.js": "exports.handler = async () => globalThis.early;", "early.js": "globalThis.early = 'ran';"}
    variables = {"NODE_OPTIONS": "--require ./early.js"}
    assert invoke(lambda_client, make_node(entries=entries, Environment={"Variables": variables}), {})[1] == "ran"


def test_ly02_modules_of_a_layer(lambda_client, make_node, unique_name):
    """LY-02: nodejs/node_modules of a layer is found by require, and the package's own comes first."""
    content = zip_of(
        {"nodejs/node_modules/a.js": "exports.of = 'layer';", "nodejs/node_modules/b.js": "exports.of = 'layer';"}
    )
    layer = lambda_client.publish_layer_version(LayerName=unique_name, Content={"ZipFile": content})
    try:
        entries = {
            "index.js": "exports.handler = async () => [require('a').of, require('b').of];",
            "node_modules/a.js": "exports.of = 'package';",
        }
        name = make_node(entries=entries, Layers=[layer["LayerVersionArn"]])
        assert invoke(lambda_client, name, {})[1] == ["package", "layer"]
    finally:
        lambda_client.delete_layer_version(LayerName=unique_name, VersionNumber=layer["Version"])


def test_lf03_snap_start_is_taken_for_every_runtime(lambda_client, make_node):
    """LF-03-snapstart-version: as the API takes it. Node.js has no hooks; init has run when the version is Active."""
    source = (
        "const loaded = Date.now();"
        "exports.handler = async () => [loaded, process.env.AWS_LAMBDA_INITIALIZATION_TYPE, Date.now()];"
    )
    name = make_node(source, SnapStart={"ApplyOn": "PublishedVersions"}, Publish=True)
    active = wait_for(
        lambda: (
            (found := lambda_client.get_function_configuration(FunctionName=name, Qualifier="1"))["State"] == "Active"
            and found
        ),
    )
    assert active["SnapStart"]["OptimizationStatus"] == "On"
    loaded, initialization, called = invoke(lambda_client, f"{name}:1", {})[1]
    assert initialization == "snap-start"
    assert loaded < called


def settled(client, name):
    """Return a function's configuration once it is not Pending any more."""
    found = client.get_function_configuration(FunctionName=name)
    return found["State"] != "Pending" and found


def test_a_version_that_is_not_here_says_what_adds_it(server, lambda_client, unique_name):
    """Each version that is offered becomes Active here, or Failed with the command; others are refused."""
    archive = zip_of({"index.js": "exports.handler = async () => process.version;"})
    driver = server.sandbox["driver"]
    for runtime, row in listed_versions(driver).items():
        name = f"{unique_name}-{runtime.replace('.', '-')}"
        settings = {"Runtime": runtime, "Handler": "index.handler", "Role": ROLE, "Code": {"ZipFile": archive}}
        lambda_client.create_function(FunctionName=name, **settings)
        try:
            found = wait_for(partial(settled, lambda_client, name))
            assert found["State"] == ("Active" if row["available"] else "Failed"), found
            if row["available"]:
                major = runtime.removeprefix("nodejs").partition(".")[0]
                assert invoke(lambda_client, name, {})[1].startswith(f"v{major}.")
            else:
                assert f"`lambent runtimes install {runtime} --runtimes-dir" in found["StateReason"]
        finally:
            lambda_client.delete_function(FunctionName=name)
    with pytest.raises(ClientError, match=r"Runtime nodejs16\.x is not offered by this version of Lambent"):
        lambda_client.create_function(FunctionName=unique_name, **{**settings, "Runtime": "nodejs16.x"})


def run_lambent(arguments, path=os.environ["PATH"]):
    done = subprocess.run(
        [LAMBENT, *arguments], capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return done.stderr


def start_over(client, name):
    client.update_function_configuration(FunctionName=name, Description="once more")

    def has_started():
        found = client.get_function_configuration(FunctionName=name)
        assert found.get("LastUpdateStatus") != "Failed", found
        return (found["State"], found.get("LastUpdateStatus")) == ("Active", "Successful")

    wait_for(has_started)


FINDS_SDK = """export const handler = async () => [process.version, await import('@aws-sdk/client-s3').then(
    ({ default: found }) => found.of, (error) => error.code)];"""

NPM_OF_ONE_MODULE = """#!/bin/sh
mkdir -p node_modules/@aws-sdk/client-s3
echo "exports.of = 'the SDK';" > node_modules/@aws-sdk/client-s3/index.js
"""


def test_what_a_failed_function_says_adds_its_version(own_server, unique_name):
    """The command in its reason installs the version; the server finds it, and so the SDK, with the next update."""
    if shutil.which("npm") is None:
        pytest.skip("needs:npm:apt install npm")
    server = own_server()
    where = ("--runtimes-dir", str(server.data_dir / "own-runtimes"))
    server.options = where
    client = server.start().client("lambda")
    for runtime in ("nodejs22.x", "nodejs24.x", "nodejs20.x"):
        name = FunctionMaker(client, runtime, f"{unique_name}-{runtime[6:8]}")(
            entries={"index.mjs": FINDS_SDK}, Handler="index.handler", wait=False
        )
        found = wait_for(partial(settled, client, name))
        if found["State"] == "Failed":
            break
    else:
        pytest.skip("needs:a-version-less:a machine without one of the versions of Node.js")
    command = re.search(r"`lambent (runtimes install [^`]+)`", found["StateReason"])[1]
    assert f"runtimes: {runtime}: installed, Node.js " in run_lambent(shlex.split(command))
    start_over(client, name)
    version, sdk = invoke(client, name, {})[1]
    assert version.startswith(f"v{runtime[6:8]}.")
    assert sdk == "ERR_MODULE_NOT_FOUND"

    programs = server.data_dir / "programs"
    programs.mkdir()
    (programs / "npm").write_text(NPM_OF_ONE_MODULE)
    (programs / "npm").chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    assert "runtimes: aws-sdk-js: installed, in " in run_lambent(("runtimes", "install", "aws-sdk-js", *where), path)
    start_over(client, name)
    assert invoke(client, name, {})[1] == [version, "the SDK"]


def test_the_example_runs(lambda_client, make_node, node):
    """examples/nodejs answers."""
    name = make_node(entries={"index.mjs": EXAMPLE.read_text()})
    seen = invoke(lambda_client, name, {"name": "Ada"})[1]
    assert (seen["greeting"], seen["function"], seen["runtime"]) == ("Hello, Ada!", name, f"AWS_Lambda_{node}")


@pytest.fixture(params=["process", "rootless"])
def other_server(request, own_server):
    """A server with another driver."""
    server = own_server(None, "--sandbox", request.param)
    try:
        return server.start()
    except AssertionError:
        if request.param == "rootless" and any("rootless" in line for line in server.log):
            pytest.skip("needs:rootless:allow user namespaces: sysctl kernel.unprivileged_userns_clone=1")
        raise


def test_on_the_other_drivers(other_server, unique_name):
    """A call, an error and a layer on each driver, whose paths differ."""
    client = other_server.client("lambda")
    node = newest_with_callbacks(other_server.sandbox["driver"])
    content = zip_of({"nodejs/node_modules/a.js": "exports.of = 'layer';"})
    layer = client.publish_layer_version(LayerName=unique_name, Content={"ZipFile": content})["LayerVersionArn"]
    source = "exports.handler = async (e) => { if (e.fail) throw new TypeError('x'); return require('a').of; };"
    name = FunctionMaker(client, node, unique_name)(
        entries={"index.js": source}, Handler="index.handler", Layers=[layer]
    )
    assert invoke(client, name, {})[1] == "layer"
    assert invoke(client, name, {"fail": True})[1]["errorType"] == "TypeError"


GOODBYE = """
process.on('SIGTERM', async () => {
  await new Promise((go) => setTimeout(go, 50));
  console.log('goodbye of', process.env.AWS_LAMBDA_FUNCTION_NAME);
  process.exit();
});
exports.handler = async () => 1;
"""


def test_an_idle_environment_may_say_goodbye(lambda_client, logs_client, make_node):
    """Ended by an update, then by the end of the function: SIGTERM each time, and the log has what is said then."""
    name = make_node(GOODBYE)
    said = f"goodbye of {name}"

    def count():
        events = logs_client.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        return sum(said in event["message"] for event in events)

    invoke_warm(lambda_client, name, {})
    lambda_client.update_function_configuration(FunctionName=name, Description="again")
    wait_updated(lambda_client, name)
    wait_for(lambda: count() == 1)
    invoke_warm(lambda_client, name, {})
    lambda_client.delete_function(FunctionName=name)
    wait_for(lambda: count() == 2)


def test_a_server_that_stops_lets_functions_say_goodbye(lone_server, node):
    """It waits for them, but not for one that does not go, and the next server has what they said."""
    client = lone_server.client("lambda")
    maker = FunctionMaker(client, node, "leaving")
    polite = maker(entries={"index.js": GOODBYE}, Handler="index.handler")
    stubborn = "process.on('SIGTERM', () => {}); exports.handler = async () => 1;"
    for name in (polite, maker(entries={"index.js": stubborn}, Handler="index.handler")):
        invoke_warm(client, name, {})
    assert lone_server.stop() == 0
    lone_server.restart()
    found = messages_of(lone_server.client("logs"), polite, lambda message: "goodbye" in message)
    assert found[-1].endswith(f"goodbye of {polite}\n")
