"""Streams through function URLs: functions in Node.js and in shell, a plain HTTP client and bare sockets."""

import re
import socket
from urllib.parse import urlsplit

import pytest
from wire.support import wait_for, zip_of
from wire.test_nodejs import newest_with_callbacks
from wire.test_streaming import NODE, tags_of
from wire.urls import Reply, ask, begin, make_url

MIB = 1024 * 1024

HEAD = (
    "stream = awslambda.HttpResponseStream.from(stream, {statusCode: 201,"
    " headers: {'Content-Type': 'text/html', 'X-Own': 'ü'}, cookies: ['a=1', 'b=2; HttpOnly']});"
)

SHELL = """#!/bin/bash
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
  headers=$(mktemp)
  path=$(curl -sS -D "$headers" "$api/next" | sed 's/.*"rawPath":"\\([^"]*\\)".*/\\1/')
  id=$(grep -i lambda-runtime-aws-request-id "$headers" | tr -d '[:space:]' | cut -d: -f2)
  arn=$(grep -i lambda-runtime-invoked-function-arn "$headers" | tr -d '[:space:]' | cut -d: -f2-)
  type='Content-Type: application/vnd.awslambda.http-integration-response'
  [ "$path" = / ] && type=''
  {
    case $path in
      /prelude)
        # In pieces that end where nothing does.
        printf '{"statusCode": 418, "headers": {"x-own": "1"}, "cook'; sleep 0.05
        printf 'ies": ["a=1"]}\\0\\0\\0\\0\\0'; sleep 0.05
        printf '\\0\\0\\0first'
        until curl -sS "$AWS_ENDPOINT_URL/2017-03-31/tags/$arn" | grep -q '"go"'; do :; done
        printf second ;;
      /unfinished) printf '{"statusCode": 200}' ;;
      /no-json) printf 'status\\0\\0\\0\\0\\0\\0\\0\\0body' ;;
      /injected) printf '{"headers": {"a": "b\\\\r\\\\nx: y"}}\\0\\0\\0\\0\\0\\0\\0\\0body' ;;
      /endless) head -c 1200000 /dev/zero | tr '\\0' ' ' ;;
      /no-body) printf '{"statusCode": 204}\\0\\0\\0\\0\\0\\0\\0\\0body' ;;
      *) printf plain ;;
    esac
  } | curl -sS -X POST -T - -H 'Lambda-Runtime-Function-Response-Mode: streaming' ${type:+-H "$type"} \\
    -H 'Transfer-Encoding: chunked' -H 'Expect:' "$api/$id/response" -o /dev/null
  rm -f "$headers"
done
"""


@pytest.fixture(scope="module")
def node():
    return newest_with_callbacks()


@pytest.fixture
def make_streaming(lambda_client, make_function, node):
    """Make a function from the body of a streaming handler, with a URL; return both."""

    def make(body, mode="RESPONSE_STREAM", **settings):
        wanted = {"Runtime": node, "Handler": "index.handler", "Timeout": 120, "MemorySize": 256, **settings}
        name = make_function(entries={"index.js": NODE % body}, **wanted)
        return name, make_url(lambda_client, name, InvokeMode=mode)

    return make


@pytest.fixture
def tag(lambda_client):
    """Tell a function something by a tag."""

    def tell(name, key):
        arn = lambda_client.get_function_configuration(FunctionName=name)["FunctionArn"]
        lambda_client.tag_resource(Resource=arn, Tags={key: "now"})

    return tell


def test_the_first_byte_comes_before_the_handler_ends(make_streaming, tag):
    """Status, headers and cookies of the prelude, then what the handler writes, when it writes it."""
    name, url = make_streaming(f"{HEAD} stream.write('first'); await told(context, 'go'); stream.end('second');")
    response = begin(url)
    reply = Reply(response.status, response.getheaders(), b"")
    assert (reply.status, reply.one("content-type")) == (201, "text/html")
    assert reply.one("x-own").encode("latin-1") == "ü".encode()
    assert reply.all("set-cookie") == ["a=1", "b=2; HttpOnly"]
    assert (reply.one("transfer-encoding"), reply.all("content-length")) == ("chunked", [])
    assert re.fullmatch(r"[0-9a-f-]{36}", reply.one("x-amzn-requestid"))
    assert response.read(5) == b"first"
    tag(name, "go")
    assert response.read() == b"second"


def test_the_head_comes_before_any_piece(make_streaming, tag):
    """A handler that knows its status and has no word yet is answered for."""
    name, url = make_streaming(f"{HEAD} stream.write(''); await told(context, 'go'); stream.end('late');")
    response = begin(url)
    assert response.status == 201
    tag(name, "go")
    assert response.read() == b"late"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("stream.write('plain'); stream.end();", "application/octet-stream"),
        ("stream.setContentType('text/plain'); stream.write('plain'); stream.end();", "text/plain"),
    ],
)
def test_without_a_prelude(make_streaming, body, content_type):
    """200, and bytes unless the handler says what they are."""
    reply = ask(make_streaming(body)[1])
    assert (reply.status, reply.one("content-type"), reply.body) == (200, content_type, b"plain")


def test_a_custom_runtime(lambda_client, make_function, tag):
    """The prelude comes in whatever pieces; what is no prelude is 502, and no more of it is told."""
    archive = zip_of({"bootstrap": SHELL}, modes={"bootstrap": 0o755})
    name = make_function(archive=archive, Runtime="provided.al2023", Handler="any", Timeout=60)
    url = make_url(lambda_client, name, InvokeMode="RESPONSE_STREAM")
    response = begin(url, "/prelude")
    assert (response.status, response.getheader("x-own"), response.getheader("set-cookie")) == (418, "1", "a=1")
    assert response.getheader("content-type") == "application/octet-stream"
    assert response.read(5) == b"first"
    tag(name, "go")
    assert response.read() == b"second"
    for target in ("/unfinished", "/no-json", "/injected", "/endless"):
        reply = ask(url, target=target)
        assert (reply.status, reply.body) == (502, b"Internal Server Error"), target
        assert reply.all("a") == reply.all("x") == []
    reply = ask(url, target="/no-body")
    assert (reply.status, reply.body, reply.all("transfer-encoding")) == (204, b"", [])
    reply = ask(url, target="/")
    assert (reply.status, reply.one("content-type"), reply.body) == (200, "application/octet-stream", b"plain")


def test_a_function_that_does_not_stream(lambda_client, make_function):
    """What it returns is answered as in the other mode; a failing one is 502."""
    name = make_function(
        "def handler(e, c):\n"
        "  if e['rawPath'] == '/raise': raise ValueError\n"
        "  return {'statusCode': 202, 'body': 'b', 'cookies': ['a=1']} if e['rawPath'] == '/' else {'a': [1, 2]}"
    )
    url = make_url(lambda_client, name, InvokeMode="RESPONSE_STREAM")
    reply = ask(url)
    assert (reply.status, reply.body, reply.one("set-cookie"), reply.one("content-length")) == (202, b"b", "a=1", "1")
    assert ask(url, target="/value").body == b'{"a":[1,2]}'
    assert ask(url, target="/raise").status == 502


def test_a_function_that_streams_to_a_url_that_gathers(lambda_client, make_streaming):
    """Once it is whole it is answered by its prelude; changing the mode acts on the next request."""
    name, url = make_streaming(f"{HEAD} stream.write('a'); stream.write('b'); stream.end();", mode="BUFFERED")
    reply = ask(url)
    assert (reply.status, reply.body, reply.one("content-length")) == (201, b"ab", "2")
    lambda_client.update_function_url_config(FunctionName=name, InvokeMode="RESPONSE_STREAM")
    assert ask(url).one("transfer-encoding") == "chunked"


def test_head_of_a_stream(make_streaming):
    """The function runs; its client gets what stands before the pieces."""
    _, url = make_streaming(f"{HEAD} stream.write('text'); stream.end();")
    reply = ask(url, "HEAD")
    assert (reply.status, reply.body, reply.one("x-own").encode("latin-1")) == (201, b"", "ü".encode())


@pytest.mark.parametrize("body", ["throw new Error('at once');", "process.exit(3);"])
def test_a_failure_before_anything_was_sent(make_streaming, body):
    """It still has a status of its own."""
    reply = ask(make_streaming(body)[1])
    assert (reply.status, reply.body) == (502, b"Internal Server Error")


def read_cut(url):
    """Return what comes of a stream that breaks off: bytes of its body, without the end of the coding."""
    place = urlsplit(url)
    with socket.create_connection(("127.0.0.1", place.port), timeout=30) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode())
        got = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = got.partition(b"\r\n\r\n")
    assert b" 201 " in head.partition(b"\r\n")[0]
    return body


def test_an_error_in_the_middle_cuts_the_connection(make_streaming):
    """The status has left; that the end of the coding never comes is how a client knows. The next call is untouched."""
    _, url = make_streaming(
        f"{HEAD} stream.write('half');"
        "if (event.rawPath === '/well') { stream.end(); return; } throw new RangeError('midway');"
    )
    assert read_cut(url) == b"4\r\nhalf\r\n"
    assert ask(url, target="/well").body == b"half"


def test_a_timeout_in_the_middle_cuts_the_connection(make_streaming):
    """As an error does."""
    _, url = make_streaming(f"{HEAD} stream.write('half'); await told(context, 'never');", Timeout=3)
    assert read_cut(url) == b"4\r\nhalf\r\n"


def test_beyond_6_mb_up_to_200(make_streaming):
    """20 MB pass; at 200 MB the stream is cut."""
    _, url = make_streaming(
        f"{HEAD} const mib = Number(event.rawPath.slice(1));"
        "const pieces = function* () { for (let n = 0; n < mib; n++) yield Buffer.alloc(2 ** 20); };"
        "await pipeline(Readable.from(pieces()), stream);"
    )
    assert len(ask(url, target="/20").body) == 20 * MIB
    response = begin(url, "/201")
    seen = 0
    with pytest.raises(Exception, match="IncompleteRead"):
        while piece := response.read(MIB):
            seen += len(piece)
    assert seen <= 200 * MIB


def test_a_slow_client_slows_the_function(make_streaming, lambda_client):
    """
    Who takes nothing holds the handler at its first writes, whatever it has; who reads on gets it all.

    The first writes are what the kernel's buffers of two connections take.
    """
    name, url = make_streaming(
        f"{HEAD} for (let n = 1; n <= 160; n++) {{"
        "  if (!stream.write(Buffer.alloc(2 ** 20))) await new Promise((go) => stream.once('drain', go));"
        "  if (n % 80 === 0) await tell(context, 'at', n);"
        "} stream.end();"
    )
    place = urlsplit(url)
    with socket.socket() as connection:
        connection.settimeout(30)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        connection.connect(("127.0.0.1", place.port))
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n\r\n".encode())
        got = len(connection.recv(1024))
        # Nothing tells that it waits but that it comes no further.
        with pytest.raises(AssertionError, match="did not come true"):
            wait_for(lambda: "at" in tags_of(lambda_client, name), within_s=1.0)
        while piece := connection.recv(MIB):
            got += len(piece)
    assert got > 160 * MIB
    assert tags_of(lambda_client, name)["at"] == "160"


def test_a_client_that_leaves_changes_nothing(make_streaming, lambda_client, tag):
    """The handler writes all it has, though nobody takes it, and the environment serves the next request."""
    name, url = make_streaming(
        f"{HEAD} stream.write('first'); if (calls > 1) {{ stream.end(String(calls)); return; }}"
        "await told(context, 'go'); for (let n = 0; n < 20; n++) {"
        "  if (!stream.write(Buffer.alloc(2 ** 20))) await new Promise((go) => stream.once('drain', go));"
        "} stream.end(); await tell(context, 'done', calls);"
    )
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    response = begin(url)
    assert response.read(5) == b"first"
    response.close()
    tag(name, "go")
    wait_for(lambda: tags_of(lambda_client, name).get("done") == "1")
    assert wait_for(lambda: (reply := ask(url)).status != 429 and reply).body == b"first2"
