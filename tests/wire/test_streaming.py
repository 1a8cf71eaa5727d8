"""InvokeWithResponseStream: functions in Node.js and in shell, through boto3 and through a bare socket."""

import base64
import json
import re
import socket
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from wire.support import invoke, tail_of, wait_for, zip_of
from wire.test_nodejs import newest_with_callbacks

MIB = 1024 * 1024

# What a handler has in hand: it waits for what the test does, and tells the test where it is, by tags of its function.
NODE = """
const { pipeline } = require('stream/promises');
const { Readable } = require('stream');
const { setTimeout: sleep } = require('timers/promises');
const tagsOf = (context) =>
  `${process.env.AWS_ENDPOINT_URL}/2017-03-31/tags/${encodeURIComponent(context.invokedFunctionArn)}`;
const tags = async (context) => (await (await fetch(tagsOf(context))).json()).Tags;
const told = async (context, key) => {
  while (!(await tags(context))?.[key]) {
    await sleep(10);
  }
};
const tell = (context, key, value) =>
  fetch(tagsOf(context), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ Tags: { [key]: String(value) } }),
  });
let calls = 0;
exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
  calls += 1;
  // Connections that `fetch` keeps are no reason to wait.
  context.callbackWaitsForEmptyEventLoop = false;
  %s
});
"""

SHELL = """#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
  headers=$(mktemp)
  curl -sS -D "$headers" "$api/next" -o /dev/null
  id=$(grep -i lambda-runtime-aws-request-id "$headers" | tr -d '[:space:]' | cut -d: -f2)
  arn=$(grep -i lambda-runtime-invoked-function-arn "$headers" | tr -d '[:space:]' | cut -d: -f2-)
  {
    printf first
    until curl -sS "$AWS_ENDPOINT_URL/2017-03-31/tags/$arn" | grep -q '"go"'; do :; done
    printf second
  } | curl -sS -X POST -T . -H 'Lambda-Runtime-Function-Response-Mode: streaming' \\
    -H 'Transfer-Encoding: chunked' -H 'Expect:' "$api/$id/response" -o /dev/null
  rm -f "$headers"
done
"""


BREAKS_OFF = """#!/bin/bash
while true; do
  id=$(curl -sS -D - "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next" -o /dev/null |
    grep -i lambda-runtime-aws-request-id | tr -d '[:space:]' | cut -d: -f2)
  exec 9<>"/dev/tcp/${AWS_LAMBDA_RUNTIME_API%:*}/${AWS_LAMBDA_RUNTIME_API#*:}"
  printf 'POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\\r\\nHost: h\\r\\n' "$id" >&9
  printf 'Transfer-Encoding: chunked\\r\\n\\r\\n5\\r\\nfirst\\r\\n' >&9
  exec 9>&-
done
"""


@pytest.fixture(scope="module")
def node():
    return newest_with_callbacks()


@pytest.fixture
def make_streaming(make_function, node):
    """Make a function from the body of a streaming handler."""

    def make(body, **settings):
        wanted = {"Runtime": node, "Handler": "index.handler", "Timeout": 120, "MemorySize": 256, **settings}
        return make_function(entries={"index.js": NODE % body}, **wanted)

    return make


@pytest.fixture
def tag(lambda_client):
    """Tell a function something by a tag."""

    def tell(name, key):
        arn = lambda_client.get_function_configuration(FunctionName=name)["FunctionArn"]
        lambda_client.tag_resource(Resource=arn, Tags={key: "now"})

    return tell


def stream(client, name, event=None, **options):
    payload = b"" if event is None else json.dumps(event).encode()
    return client.invoke_with_response_stream(FunctionName=name, Payload=payload, **options)


def whole(answer):
    """Read a stream to its end: the pieces together, and what InvokeComplete says."""
    body, complete = b"", []
    for event in answer["EventStream"]:
        if "PayloadChunk" in event:
            assert not complete, "a piece behind the end"
            body += event["PayloadChunk"]["Payload"]
        else:
            complete.append(event["InvokeComplete"])
    (end,) = complete
    return body, end


def failure(end):
    """Return type and text of the error that a stream ended with."""
    assert end["ErrorCode"] == "Unhandled"
    details = json.loads(end["ErrorDetails"])
    return details["errorType"], details["errorMessage"]


@pytest.mark.parametrize("language", ["node", "shell"])
def test_the_first_byte_comes_before_the_handler_ends(lambda_client, make_function, make_streaming, tag, language):
    """The handler waits for what the test does once it has the first piece."""
    if language == "node":
        name = make_streaming("stream.write('first'); await told(context, 'go'); stream.end('second');")
    else:
        archive = zip_of({"bootstrap": SHELL}, modes={"bootstrap": 0o755})
        name = make_function(archive=archive, Runtime="provided.al2023", Handler="any", Timeout=60)
    answer = stream(lambda_client, name)
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert answer["ResponseStreamContentType"] == "application/vnd.amazon.eventstream"
    events = iter(answer["EventStream"])
    assert next(events) == {"PayloadChunk": {"Payload": b"first"}}
    tag(name, "go")
    assert list(events) == [{"PayloadChunk": {"Payload": b"second"}}, {"InvokeComplete": {}}]
    # Whoever does not take it piece by piece gets it whole.
    assert lambda_client.invoke(FunctionName=name)["Payload"].read() == b"firstsecond"


def test_members_of_the_request_act(lambda_client, make_function, make_streaming):
    """Qualifier, ClientContext, Payload, LogType and DryRun, as for Invoke."""
    body = "stream.end(JSON.stringify([event, context.functionVersion, context.clientContext, context.awsRequestId]));"
    name = make_streaming(body)
    version = lambda_client.publish_version(FunctionName=name)["Version"]
    lambda_client.get_waiter("published_version_active").wait(
        FunctionName=name, Qualifier=version, WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )
    context = base64.b64encode(b'{"custom": {"k": "v"}}').decode()
    answer = stream(
        lambda_client, name, {"n": 1}, Qualifier=version, ClientContext=context, LogType="Tail",
        InvocationType="RequestResponse",
    )  # fmt: skip
    assert answer["ExecutedVersion"] == version
    told, end = whole(answer)
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert json.loads(told) == [{"n": 1}, version, {"custom": {"k": "v"}}, request_id]
    assert list(end) == ["LogResult"]
    assert re.search(rf"^REPORT RequestId: {request_id}\tDuration: ", tail_of(end), re.MULTILINE)
    dry = lambda_client.invoke_with_response_stream(FunctionName=name, InvocationType="DryRun")
    assert (dry["StatusCode"], list(dry["EventStream"])) == (204, [])
    tenants = make_function(
        "def handler(e, c): return c.tenant_id", TenancyConfig={"TenantIsolationMode": "PER_TENANT"}
    )
    assert whole(stream(lambda_client, tenants, TenantId="blue")) == (b'"blue"', {})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"FunctionName": "no-such-function"}, (404, "ResourceNotFoundException")),
        ({"Qualifier": "7"}, (404, "ResourceNotFoundException")),
        ({"Payload": b"{"}, (400, "InvalidRequestContentException")),
        ({"Payload": b'"' + b"x" * 6_291_456 + b'"'}, (413, "RequestTooLargeException")),
        ({"ClientContext": "e30"}, (400, "InvalidRequestContentException")),
        ({"TenantId": "blue"}, (400, "InvalidParameterValueException")),
    ],
)
def test_what_is_wrong_with_a_request_is_told_as_for_invoke(lambda_client, make_function, options, told):
    """An error that comes before the function runs is an ordinary one, and no stream."""
    name = make_function("def handler(e, c): return 1")
    with pytest.raises(ClientError) as excinfo:
        lambda_client.invoke_with_response_stream(**{"FunctionName": name, **options})
    response = excinfo.value.response
    assert (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]) == told


def test_a_buffered_response_is_one_piece(lambda_client, make_function):
    """PL-01: 6 MB of a function that does not stream; one that fails, and one whose answer is too large."""
    name = make_function("def handler(e, c): return 'x' * e['n'] if e['n'] else 1 / 0", MemorySize=256)
    answer = stream(lambda_client, name, {"n": 6_000_000}, LogType="Tail")
    piece, end = list(answer["EventStream"])
    assert len(piece["PayloadChunk"]["Payload"]) == 6_000_002
    assert "REPORT RequestId: " in tail_of(end["InvokeComplete"])
    body, end = whole(stream(lambda_client, name, {"n": 0}))
    assert (body, failure(end)) == (b"", ("ZeroDivisionError", "division by zero"))
    body, end = whole(stream(lambda_client, name, {"n": 7_000_000}))
    text = "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
    assert (body, failure(end)) == (b"", ("Function.ResponseSizeTooLarge", text))


def test_a_streamed_response_beyond_6_mb(lambda_client, make_streaming):
    """PL-01: the limit is that of answers that are gathered; the environment goes on with the next."""
    name = make_streaming(
        "const pieces = function* () { for (let n = 0; n < event.mib; n++) yield Buffer.alloc(2 ** 20); };"
        "await pipeline(Readable.from(pieces()), stream);"
    )
    body, end = whole(stream(lambda_client, name, {"mib": 20}))
    assert (len(body), end) == (20 * MIB, {})
    answer, told = invoke(lambda_client, name, {"mib": 7})
    assert (answer["FunctionError"], told["errorType"]) == ("Unhandled", "Function.ResponseSizeTooLarge")
    assert lambda_client.invoke(FunctionName=name, Payload=b'{"mib": 1}')["Payload"].read() == bytes(MIB)


@pytest.mark.parametrize(
    ("body", "sent", "told"),
    [
        ("throw new TypeError('at once');", b"", ("TypeError", "at once")),
        ("stream.write('half'); throw new RangeError('midway');", b"half", ("RangeError", "midway")),
        (
            "stream.write('half'); await told(context, 'go'); process.exit(3);",
            b"half",
            ("Runtime.ExitError", "RequestId: {id} Error: Runtime exited with error: exit status 3"),
        ),
        (
            "stream.write('half'); await told(context, 'go'); stream.destroy(); await sleep(5);",
            b"half",
            ("Error", "socket hang up"),
        ),
        (
            "stream.write('half'); setTimeout(() => { throw new Error('nobody catches it'); }, 1); await sleep(9000);",
            b"half",
            ("Error", "nobody catches it"),
        ),
    ],
    ids=["before", "midway", "exit", "broken-off", "uncaught"],
)
def test_an_error_ends_the_stream(lambda_client, make_streaming, tag, body, sent, told):
    """Status and pieces stand; the error is in InvokeComplete. The next call is not touched by it."""
    name = make_streaming(f"if (event.well) {{ stream.write('well'); stream.end(); return; }} {body}")
    answer = stream(lambda_client, name)
    events = iter(answer["EventStream"])
    if "'go'" in body:
        assert next(events) == {"PayloadChunk": {"Payload": b"half"}}
        tag(name, "go")
        sent = b""
    found, end = whole({"EventStream": events})
    assert found == sent
    error_type, text = told
    assert failure(end) == (error_type, text.format(id=answer["ResponseMetadata"]["RequestId"]))
    assert whole(stream(lambda_client, name, {"well": True})) == (b"well", {})


def test_a_response_that_is_broken_off_runs_nothing_twice(lambda_client, make_streaming, make_function):
    """Its handler has had the event. A runtime that says no more than that is told so; the next call is not touched."""
    name = make_streaming(
        "if (calls > 1) { stream.end(String(calls)); return; } stream.write('half'); stream.destroy();"
    )
    # With the log's end, the answer comes when the environment is free.
    answer, told = invoke(lambda_client, name, LogType="Tail")
    assert (answer["FunctionError"], told["errorType"], told["errorMessage"]) == (
        "Unhandled",
        "Error",
        "socket hang up",
    )
    assert lambda_client.invoke(FunctionName=name)["Payload"].read() == b"2"
    archive = zip_of({"bootstrap": BREAKS_OFF}, modes={"bootstrap": 0o755})
    name = make_function(archive=archive, Runtime="provided.al2023", Handler="any", Timeout=9)
    answer, told = invoke(lambda_client, name)
    assert (answer["FunctionError"], told["errorType"]) == ("Unhandled", "Runtime.TruncatedResponse")
    body, end = whole(stream(lambda_client, name))
    assert (body, failure(end)[0]) == (b"first", "Runtime.TruncatedResponse")


def test_a_timeout_in_the_middle(lambda_client, make_streaming):
    """The stream ends with Sandbox.Timedout, and REPORT shows the timeout."""
    # Time enough for the piece to leave before the first `fetch` of a process has loaded what it needs.
    name = make_streaming("stream.write('half'); await told(context, 'never');", Timeout=3)
    answer = stream(lambda_client, name, LogType="Tail")
    body, end = whole(answer)
    text = f"RequestId: {answer['ResponseMetadata']['RequestId']} Error: Task timed out after 3.00 seconds"
    assert (body, failure(end)) == (b"half", ("Sandbox.Timedout", text))
    assert re.search(r"Duration: 3000\.00 ms\tBilled Duration: \d+ ms\t.*Status: timeout", tail_of(end))


def test_reserved_concurrency_counts_until_the_stream_is_over(lambda_client, make_streaming, tag):
    """A call while the handler streams is throttled; one after it runs in the same environment."""
    name = make_streaming("stream.write(String(calls)); await told(context, 'go'); stream.end();")
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    # With the log's end, the last event comes when the environment is free.
    events = iter(stream(lambda_client, name, LogType="Tail")["EventStream"])
    assert next(events) == {"PayloadChunk": {"Payload": b"1"}}
    with pytest.raises(lambda_client.exceptions.TooManyRequestsException):
        stream(lambda_client, name)
    tag(name, "go")
    (end,) = events
    assert "ErrorCode" not in end["InvokeComplete"]
    assert whole(stream(lambda_client, name)) == (b"2", {})


def bare_stream(server, name, receive_bytes=None):
    """Ask for a stream on a socket of the test's own and return it."""
    place = urlsplit(server.endpoint)
    connection = socket.socket()
    connection.settimeout(30)
    if receive_bytes is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.connect((place.hostname, place.port))
    path = f"/2021-11-15/functions/{name}/response-streaming-invocations"
    connection.sendall(
        f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    )
    return connection


def tags_of(client, name):
    arn = client.get_function_configuration(FunctionName=name)["FunctionArn"]
    return client.list_tags(Resource=arn)["Tags"]


def test_a_client_that_leaves_changes_nothing(server, lambda_client, make_streaming, tag):
    """The handler writes all it has, though nobody takes it, and the environment serves the next call."""
    name = make_streaming(
        "stream.write('first'); if (calls > 1) { stream.end(); return; } await told(context, 'go');"
        "for (let n = 0; n < 20; n++) {"
        "  if (!stream.write(Buffer.alloc(2 ** 20))) await new Promise((go) => stream.once('drain', go));"
        "}"
        "await tell(context, 'calls', calls); stream.end();"
    )
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    with bare_stream(server, name) as connection:
        answer = b""
        while b"first" not in answer:
            answer += connection.recv(4096)
    tag(name, "go")
    assert wait_for(lambda: tags_of(lambda_client, name).get("calls")) == "1"

    def again():
        try:
            return whole(stream(lambda_client, name))
        except lambda_client.exceptions.TooManyRequestsException:
            return None

    assert wait_for(again) == (b"first", {})


def test_a_slow_reader_slows_the_function_down(server, lambda_client, make_streaming, tag):
    """Of 160 MiB a fraction is taken while the client does not read; then all of it arrives."""
    # What two sockets take, in the kernel, is most of what goes ahead of the reader: far from a half.
    name = make_streaming(
        "let sent = 0; while (sent < 2560) { sent += 1;"
        "  if (sent === 1280 && !(await tags(context))?.reads) throw new Error('half of it, and nobody reads');"
        "  if (!stream.write(Buffer.alloc(2 ** 16, 'x'))) {"
        "    const drained = new Promise((go) => stream.once('drain', go));"
        # Again and again: of one request that fails nobody would hear, and there is no second stall.
        "    const timer = setInterval(() => tell(context, 'stalled', sent).catch(() => {}), 300);"
        "    await drained; clearInterval(timer);"
        "  }"
        "} stream.end();",
        Timeout=120,
    )
    with bare_stream(server, name, receive_bytes=65_536) as connection:
        # A busy machine may be slow and not stalled: no number of what was sent is right, but the half of it is wrong.
        wait_for(lambda: tags_of(lambda_client, name).get("stalled"))
        tag(name, "reads")
        received = 0
        while some := connection.recv(MIB):
            received += some.count(b"x")
    assert received >= 2560 * 65_536


def test_http_integration_and_content_types(lambda_client, make_streaming):
    """The prelude and its eight zeros stand before the first write, and pass through; too late is an error."""
    name = make_streaming(
        "const http = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { a: 'b' } });"
        "http.write({ json: true }); http.write('.'); http.end();"
        "if (event.late) http.setContentType('text/plain');"
    )
    expected = b'{"statusCode":201,"headers":{"a":"b"}}' + bytes(8) + b'{"json":true}.'
    assert whole(stream(lambda_client, name, {})) == (expected, {})
    assert lambda_client.invoke(FunctionName=name)["Payload"].read() == expected


def test_many_small_writes_are_joined(lambda_client, make_streaming):
    """What was written is there in order, in fewer pieces."""
    name = make_streaming("for (let n = 0; n < 5000; n++) stream.write(`${n},`); stream.end();")
    events = list(stream(lambda_client, name)["EventStream"])
    pieces = [event["PayloadChunk"]["Payload"] for event in events[:-1]]
    assert b"".join(pieces).decode() == "".join(f"{n}," for n in range(5000))
    assert len(pieces) < 2500
