"""HTTP servers behind HTTP APIs: real ones, on ports that are open to functions, and on others."""

import socket
from urllib.parse import urlsplit

import pytest
from wire.http_api_stage import Api, upstream
from wire.support import wait_for
from wire.urls import begin

MIB = 1024 * 1024
INTERNAL = (500, b'{"message":"Internal Server Error"}')


@pytest.fixture(scope="module")
def behind():
    with upstream() as made:
        yield made


@pytest.fixture(scope="module")
def server_behind(behind):
    """A server whose functions may reach the one behind, and no other port."""
    from wire.support import Server

    made = Server(None, "--allow-host", str(behind.port), "--sandbox", "process").start()
    yield made
    made.discard()


@pytest.fixture
def api(server_behind):
    made = Api(server_behind.client("apigatewayv2"))
    yield made
    made.delete()


@pytest.fixture(autouse=True)
def _forget(behind):
    behind.asked.clear()
    behind.answers.clear()


def said(reply):
    return reply.status, reply.body


def test_a_request_goes_on_and_its_answer_comes_back(api, behind):
    """Method, query, headers and body; nothing of either connection. The server is told who asked."""
    behind.answer(
        "/base",
        201,
        [("X-A", "1"), ("X-A", "2"), ("Server", "s"), ("Connection", "close, X-Hop"), ("X-Hop", "1")],
        b"made",
    )
    api.route("POST /x", api.server(f"{behind.url}/base?own=1"))
    reply = api.ask(
        "/x?q=a%20b",
        "POST",
        b"body",
        [("Cookie", "s=1; t=2"), ("X-Two", "a"), ("X-Two", "b"), ("Te", "trailers"), ("Authorization", "mine")],
    )
    assert (reply.status, reply.body, reply.all("x-a")) == (201, b"made", ["1", "2"])
    assert reply.one("x-amzn-remapped-server") == "s" and not reply.all("x-hop") and not reply.all("server")
    ((method, path, headers, body),) = behind.asked
    headers = {name.lower(): value for name, value in headers}
    assert (method, path, body) == ("POST", "/base?own=1&q=a%20b", b"body")
    assert (headers["cookie"], headers["x-two"], headers["authorization"]) == ("s=1; t=2", "a,b", "mine")
    assert headers["host"] == f"127.0.0.1:{behind.port}"
    host = api.endpoint.removeprefix("http://")
    assert headers["forwarded"] == f'for=127.0.0.1;host="{host}";proto=http'
    assert headers["x-forwarded-for"] == "127.0.0.1" and "te" not in headers
    assert headers["x-amzn-trace-id"].startswith("Root=1-")


def test_what_a_client_says_is_of_its_connection_stays_there(api, behind):
    """Cookies too; but it takes nothing away that the gateway says, or a mapping."""
    api.route("GET /x", api.server(behind.url, RequestParameters={"overwrite:header.x-set": "ours"}))
    named = "X-Hop, cookie, X-Set, x-forwarded-for, Forwarded, Host"
    hops = [("Connection", named), ("Connection", "close"), ("X-Hop", "1"), ("Cookie", "s=1"), ("X-Other", "2")]
    assert api.ask("/x", headers=hops).status == 200
    headers = {name.lower(): value for name, value in behind.asked[0][2]}
    assert "x-hop" not in headers and "cookie" not in headers
    assert (headers["x-other"], headers["x-set"], headers["x-forwarded-for"]) == ("2", "ours", "127.0.0.1")
    assert f'host="{api.endpoint.removeprefix("http://")}"' in headers["forwarded"]


@pytest.mark.parametrize(
    ("key", "uri", "target", "path"),
    [
        ("GET /a/{id}", "/item/{id}", "/a/7", "/item/7"),
        ("GET /a/{id}", "/item/{id}", "/a/x%20y%3Fz", "/item/x%20y"),
        ("ANY /b/{proxy+}", "/{proxy}", "/b/c/d%26e", "/c/d&e"),
        ("$default", "", "/any/where", "/any/where"),
        ("$default", "/base/", "/any/where%20else", "/base/any/where%20else"),
        ("GET /c", "/plain", "/c", "/plain"),
        ("GET /v", "/${stageVariables.v}/x", "/v", "/one/x"),
    ],
)
def test_where_requests_go(api, behind, key, uri, target, path):
    """Variables of the route, and of the stage, stand for what they are; `$default` passes the whole path on."""
    api.stage(StageVariables={"v": "one"})
    api.route(key, api.server(behind.url + uri))
    assert api.ask(target).status == 200
    assert [asked[1] for asked in behind.asked] == [path]


def test_methods_and_mapping(api, behind):
    """An integration's own method, a path that is overwritten, and an answer whose body a mapping looks into."""
    behind.answer("/new/7", 404, [("Content-Type", "application/json")], b'{"why": "gone"}')
    api.route(
        "GET /{id}",
        api.server(
            behind.url,
            IntegrationMethod="PUT",
            RequestParameters={"overwrite:path": "/new/${request.path.id}", "append:header.x-a": "$context.stage"},
            ResponseParameters={"404": {"overwrite:statuscode": "410", "append:header.x-why": "$response.body.why"}},
        ),
    )
    reply = api.ask("/7")
    assert (reply.status, reply.body, reply.one("x-why")) == (410, b'{"why": "gone"}', "gone")
    ((method, path, headers, _),) = behind.asked
    assert (method, path, dict(headers)["x-a"]) == ("PUT", "/new/7", "$default")


def test_head_and_statuses_without_a_body(api, behind):
    """The connection goes on afterwards."""
    behind.answer("/nothing", 204, body=b"")
    api.route("ANY /{proxy+}", api.server(behind.url + "/{proxy}"))
    for target, method, status in (("/x", "HEAD", 200), ("/nothing", "GET", 204), ("/x", "GET", 200)):
        reply = api.ask(target, method)
        assert reply.status == status
    assert reply.body == b"ok"


def test_how_long_it_is(api, behind):
    """Said of what comes, and of what would come."""
    behind.answer("/x", body=b"12345")
    api.route("ANY /{proxy+}", api.server(behind.url + "/{proxy}"))
    for method, body in (("HEAD", b""), ("GET", b"12345")):
        reply = api.ask("/x", method)
        assert (reply.all("content-length"), reply.all("transfer-encoding"), reply.body) == (["5"], [], body)


def test_a_path_that_leads_out(api, behind):
    """Nothing is asked above what the integration names, however the dots are written."""
    api.route("$default", api.server(behind.url + "/public"))
    for target in ("/../secret", "/%2e%2e/secret", "/a/..%2f../secret"):
        assert said(api.ask(target)) == (400, b'{"message":"Bad Request"}')
    assert not behind.asked
    assert api.ask("/..a").status == 200


def test_what_is_no_path(api, behind):
    """`*` and what follows would be the end of the server's name: of one that somebody else has."""
    api.route("$default", api.server(behind.url))
    host, port = urlsplit(api.endpoint).hostname, urlsplit(api.endpoint).port
    for target in ("*", "*.evil.test/x"):
        with socket.create_connection(("127.0.0.1", port), 10) as client:
            client.sendall(f"OPTIONS {target} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            assert client.makefile("rb").readline().startswith(b"HTTP/1.1 400 ")
    assert not behind.asked


def test_a_server_that_offers_another_protocol(api, behind):
    """Nobody asked for it: 101 is no answer, and no way past us."""
    behind.answer("/up", 101, [("Upgrade", "x"), ("Connection", "upgrade")], b"")
    api.route("GET /up", api.server(behind.url + "/up"))
    assert said(api.ask("/up")) == INTERNAL


def test_a_redirect_is_the_clients(api, behind):
    """It is passed on, and not followed: it may lead where nobody may go."""
    behind.answer("/r", 302, [("Location", "http://169.254.169.254/")])
    api.route("GET /r", api.server(behind.url + "/r"))
    reply = api.ask("/r")
    assert (reply.status, reply.one("location")) == (302, "http://169.254.169.254/")
    assert len(behind.asked) == 1


def test_bodies_come_as_they_are_sent(api, behind):
    """The first piece is here before the server has sent the last one; beyond 10 MB it breaks off."""
    import threading

    go = threading.Event()

    def stream(handler):
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"5\r\nfirst\r\n")
        go.wait(20)
        handler.wfile.write(b"4\r\nlast\r\n0\r\n\r\n")

    def endless(handler):
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        try:
            for _ in range(11):
                handler.wfile.write(b"100000\r\n" + bytes(MIB) + b"\r\n")
        except OSError:
            pass
        handler.close_connection = True

    behind.answer("/stream", 200, (), stream)
    behind.answer("/endless", 200, (), endless)
    behind.answer("/long", 200, (), bytes(10 * MIB + 1))
    api.route("ANY /{proxy+}", api.server(behind.url + "/{proxy}"))
    response = begin(api.endpoint, "/stream")
    assert response.read(5) == b"first"
    go.set()
    assert response.read() == b"last"
    import http.client

    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        begin(api.endpoint, "/endless").read()
    assert said(api.ask("/long")) == INTERNAL


def test_servers_that_do_not_answer(api, behind, server_behind):
    """In time: 503. Not at all, with nonsense, or not open: 500, and the log says what would open it."""
    import threading

    leave = threading.Event()
    behind.answer("/slow", 200, (), lambda handler: leave.wait(20))
    api.route("GET /slow", api.server(behind.url + "/slow", TimeoutInMillis=200))
    assert said(api.ask("/slow")) == (503, b'{"message":"Service Unavailable"}')
    leave.set()

    def nonsense(handler):
        handler.wfile.write(b"\r\nnonsense")
        handler.close_connection = True

    behind.answer("/bad", 200, [("a", "b")], nonsense)
    api.route("GET /bad", api.server(behind.url + "/bad"))
    begin(api.endpoint, "/bad").read(0)
    with upstream() as other:
        for number, url in enumerate(
            (
                other.url,
                f"http://localhost:{other.port}",
                f"http://[::1]:{other.port}",
                "http://169.254.169.254/",
                "http://10.0.0.1/",
            )
        ):
            api.route(f"GET /closed/{number}", api.server(url))
            assert said(api.ask(f"/closed/{number}")) == INTERNAL
        assert not other.asked
        wait_for(lambda: f"--allow-host {other.port} opens it" in "".join(server_behind.log))


def test_by_the_name_that_functions_use(api, behind):
    """host.lambent.internal is this machine."""
    api.route("GET /x", api.server(f"http://host.lambent.internal:{behind.port}/y"))
    assert api.ask("/x").body == b"ok"
    assert behind.asked[0][1] == "/y"


def test_quick_create(server_behind, behind):
    """CreateApi with a URL as its target: whatever comes goes there."""
    made = Api(server_behind.client("apigatewayv2"), Target=behind.url)
    assert made.ask("/a/b?c=d", "DELETE").status == 200
    assert behind.asked[0][:2] == ("DELETE", "/a/b?c=d")
    made.delete()
