"""
Functions in Ruby, with whichever version this machine has: answers, errors, logs, limits, gems.

Debian 12 has Ruby 3.1, which is no runtime: it stands in for one on a server that says `--runtime-fallback nearest`.
"""

import base64
import json
import os
import re
import shutil
import subprocess

import pytest
from wire.support import (
    ACCOUNT,
    LAMBENT,
    REGION,
    ROLE,
    ROOT,
    RUNTIMES_DIR,
    FunctionMaker,
    Server,
    invoke,
    tail_of,
    wait_for,
    zip_of,
)

EXAMPLE = ROOT / "examples" / "ruby"
RUNTIME = "ruby3.3"
FALLBACK = ("--runtime-fallback", "nearest")


def listed(runtime, **settings):
    """Return what `lambent runtimes` says of a runtime."""
    environ = {**os.environ, "LAMBENT_RUNTIMES_DIR": str(RUNTIMES_DIR), **settings}
    listing = subprocess.run([LAMBENT, "runtimes", "--json"], capture_output=True, check=True, env=environ)
    return next(row for row in json.loads(listing.stdout) if row["runtime"] == runtime)


@pytest.fixture(scope="module")
def lenient():
    """A server on which the nearest version stands in."""
    if not listed(RUNTIME, LAMBENT_RUNTIME_FALLBACK="nearest")["available"]:
        pytest.skip("needs:ruby:apt install ruby")
    server = Server(None, *FALLBACK).start()
    yield server
    server.discard()


@pytest.fixture
def client(lenient):
    return lenient.client("lambda")


@pytest.fixture
def make_ruby(client, unique_name):
    """Make a function from the body of its handler, and what stands before it."""
    maker = FunctionMaker(client, RUNTIME, unique_name)

    def make(body=None, before="", *, entries=None, **settings):
        source = f"{before}\ndef handler(event:, context:)\n{body}\nend\n"
        return maker(entries=entries or {"app.rb": source}, **{"Timeout": 10, **settings})

    yield make
    for _, name in maker.made:
        client.delete_function(FunctionName=name)


def test_rt01_an_error_is_told_as_on_aws(client, make_ruby):
    """RT-01: errorMessage, errorType and stackTrace; the log has the same; the process serves on."""
    name = make_ruby("puts 'before'\nraise ArgumentError, 'x' if event['fail']\n$$")
    first = invoke(client, name, {}, LogType="Tail")[1]
    answer, payload = invoke(client, name, {"fail": True}, LogType="Tail")
    assert answer["FunctionError"] == "Unhandled"
    assert list(payload) == ["errorMessage", "errorType", "stackTrace"]
    assert (payload["errorMessage"], payload["errorType"]) == ("x", "Function<ArgumentError>")
    assert re.fullmatch(r"/.*/app\.rb:4:in [`'](Object#)?handler'", payload["stackTrace"][0])
    lines = tail_of(answer).split("\n")
    assert lines[1:3] == ["before", "Error raised from handler method"]
    assert '  "errorType": "Function<ArgumentError>",' in lines
    assert invoke(client, name, {})[1] == first


def test_rt03_context(client, make_ruby):
    """RT-03: the fields have their types, the ARN is what was addressed, the client's context arrives."""
    body = (
        "c = context\n{ arn: c.invoked_function_arn, id: c.aws_request_id, version: c.function_version,\n"
        "  name: c.function_name, mb: c.memory_limit_in_mb, stream: c.log_stream_name, group: c.log_group_name,\n"
        "  left: c.get_remaining_time_in_millis, client: c.client_context, trace: ENV['_X_AMZN_TRACE_ID'],\n"
        "  execution: ENV['AWS_EXECUTION_ENV'] }"
    )
    name = make_ruby(body, Publish=True, MemorySize=256)
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    for addressed, expected in (({}, arn), ({"Qualifier": "1"}, f"{arn}:1")):
        answer, seen = invoke(client, name, {}, **addressed)
        assert (seen["arn"], seen["id"]) == (expected, answer["ResponseMetadata"]["RequestId"])
    assert (seen["name"], seen["version"], seen["mb"]) == (name, "1", "256")
    assert seen["group"] == f"/aws/lambda/{name}"
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[1\][0-9a-f]{32}", seen["stream"])
    assert 5_000 < seen["left"] <= 10_000
    assert (seen["client"], seen["execution"]) == (None, f"AWS_Lambda_{RUNTIME}")
    assert seen["trace"].startswith("Root=1-")
    given = base64.b64encode(b'{"custom": {"foo": "bar"}}').decode()
    assert invoke(client, name, {}, ClientContext=given)[1]["client"] == {"custom": {"foo": "bar"}}


@pytest.mark.parametrize(
    ("entries", "handler", "told"),
    [
        ({"app.rb": ""}, "nothing.handler", "Init<LoadError>"),
        ({"app.rb": "def handler("}, "app.handler", "Init<SyntaxError>"),
        ({"app.rb": "raise KeyError, 'at once'"}, "app.handler", "Init<KeyError>"),
        ({"app.rb": ""}, "app.nothing", "Function<NoMethodError>"),
    ],
)
def test_er04_what_cannot_be_loaded(client, make_ruby, entries, handler, told):
    """ER-04: it is the answer, each time, by its own name."""
    name = make_ruby(entries=entries, Handler=handler)
    for _ in range(2):
        answer, payload = invoke(client, name, {})
        assert (answer["FunctionError"], payload["errorType"]) == ("Unhandled", told), payload


def test_er01_er04_how_it_may_end(client, make_ruby):
    """ER-01, ER-04: time that is up, an exit, a signal and `exit` are told apart; each next call has a new process."""
    body = (
        "$n += 1\ncase event['do']\nwhen 'sleep' then sleep\nwhen 'exit!' then exit!(3)\nwhen 'exit' then exit\n"
        "when 'kill' then Process.kill(:KILL, $$)\nend\n$n"
    )
    name = make_ruby(body, "$n = 0", Timeout=2)
    for what, told, message in (
        ("sleep", "Sandbox.Timedout", "Task timed out after 2.00 seconds"),
        ("exit!", "Runtime.ExitError", "exit status 3"),
        ("kill", "Runtime.ExitError", "signal: killed"),
        ("exit", "Function<SystemExit>", "exit"),
    ):
        assert invoke(client, name, {}, LogType="Tail")[1] == 1
        answer, payload = invoke(client, name, {"do": what}, LogType="Tail")
        assert (answer["FunctionError"], payload["errorType"]) == ("Unhandled", told), what
        assert payload["errorMessage"].endswith(message)
    assert invoke(client, name, {})[1] == 1


def test_pl01_pl02_payloads(client, make_ruby):
    """PL-01, PL-02: 6 MB and every character pass both ways; what is too long fails, and the next call works."""
    name = make_ruby("event['n'] ? 'x' * event['n'] : event['text'] || event", Timeout=20)
    text = "x" * 6_000_000
    assert invoke(client, name, {"text": text})[1] == text
    payload = invoke(client, name, {"n": 7_000_000})[1]
    assert payload["errorType"] == "Function.ResponseSizeTooLarge"
    event = {"t": "愛 😀 é ’ \u0000"}
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
    assert answer["Payload"].read() == json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def test_pl03_pl04_logs(lenient, client, make_ruby):
    """PL-03, PL-04: records are objects with level and request id, filtered by level; many lines are one event."""
    body = 'l = Logger.new($stdout)\nl.debug(\'low\')\nl.error("a\\nb")\nputs "c\\nd"\nnil'
    name = make_ruby(body, LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "INFO"})
    answer, _ = invoke(client, name, {}, LogType="Tail")
    logs = lenient.client("logs")

    def read():
        events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        found = [event["message"] for event in events]
        return found if any("platform.report" in message for message in found) else None

    messages = wait_for(read)
    (record,) = [json.loads(message) for message in messages if '"level":"ERROR"' in message]
    assert (record["message"], record["requestId"]) == ("a\nb", answer["ResponseMetadata"]["RequestId"])
    assert "c\nd\n" in messages
    assert not [message for message in messages if "low" in message]


def test_only_the_fallback_lets_another_version_stand_in(server, lambda_client, unique_name):
    """A version that is not here is Failed with the command that adds it; on AWS's terms 3.1 is not 3.2."""
    archive = zip_of({"app.rb": "def handler(event:, context:) = RUBY_VERSION"})
    row = listed(RUNTIME, LAMBENT_SANDBOX=server.sandbox["driver"])
    settings = {"Runtime": RUNTIME, "Handler": "app.handler", "Role": ROLE, "Code": {"ZipFile": archive}}
    lambda_client.create_function(FunctionName=unique_name, **settings)
    try:

        def settled():
            found = lambda_client.get_function_configuration(FunctionName=unique_name)
            return found["State"] != "Pending" and found

        found = wait_for(settled)
        if row["available"]:
            assert invoke(lambda_client, unique_name, {})[1].startswith("3.3.")
        else:
            assert found["State"] == "Failed", found
            assert "there is no Ruby 3.3 (there is " in found["StateReason"]
            assert "`lambent runtimes install ruby3.3 " in found["StateReason"]
    finally:
        lambda_client.delete_function(FunctionName=unique_name)


def deploy(server, folder, name, *options):
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("LAMBENT_", "AWS_"))}
    command = [LAMBENT, "deploy", str(folder), "--name", name, "--runtime", RUNTIME, *options]
    environ["LAMBENT_ENDPOINT"] = server.endpoint
    return subprocess.run(command, capture_output=True, text=True, env=environ, timeout=120, check=False)


def test_the_example_is_deployed(lenient, client, unique_name):
    """Nothing is built; the handler is found."""
    done = deploy(lenient, EXAMPLE, unique_name)
    assert done.returncode == 0, done.stderr
    try:
        answer, seen = invoke(client, unique_name, {"name": "Ada"}, LogType="Tail")
        assert (seen["greeting"], seen["runtime"]) == ("Hello, Ada!", f"AWS_Lambda_{RUNTIME}"), seen
        assert re.search(rf"  INFO {seen['request_id']} -- : about to greet Ada\n", tail_of(answer))
    finally:
        client.delete_function(FunctionName=unique_name)


def test_a_gemfile_is_installed(lenient, client, unique_name, tmp_path):
    """`bundle install` puts gems below vendor/bundle, where the runtime finds them."""
    if shutil.which("bundle") is None:
        pytest.skip("needs:bundler:apt install ruby-bundler")
    gem = tmp_path / "gem"
    (gem / "lib").mkdir(parents=True)
    (gem / "lib" / "own_dependency.rb").write_text("OWN_DEPENDENCY = 'of the gem'\n")
    (gem / "own.gemspec").write_text(
        "Gem::Specification.new { |s| s.name = 'own_dependency'; s.version = '1.0'; s.summary = 's'; s.authors = ['a'];"
        " s.files = ['lib/own_dependency.rb'] }\n"
    )
    project = tmp_path / "project"
    (project / "vendor" / "cache").mkdir(parents=True)
    built = project / "vendor" / "cache" / "own_dependency-1.0.gem"
    subprocess.run(["gem", "build", "--force", "own.gemspec", "-o", built], cwd=gem, check=True, capture_output=True)
    # What is locked and lies in vendor/cache is not looked for anywhere else.
    (project / "Gemfile").write_text('source "http://127.0.0.1:9/"\ngem "own_dependency"\n')
    (project / "Gemfile.lock").write_text(
        "GEM\n  remote: http://127.0.0.1:9/\n  specs:\n    own_dependency (1.0)\n\nPLATFORMS\n  ruby\n\n"
        "DEPENDENCIES\n  own_dependency\n"
    )
    (project / "app.rb").write_text("require 'own_dependency'\ndef handler(event:, context:) = OWN_DEPENDENCY\n")
    done = deploy(lenient, project, unique_name)
    assert done.returncode == 0, done.stderr
    assert "running `bundle install`" in done.stderr
    try:
        assert invoke(client, unique_name, {})[1] == "of the gem"
    finally:
        client.delete_function(FunctionName=unique_name)
