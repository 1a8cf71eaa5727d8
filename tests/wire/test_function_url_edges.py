"""Requests to function URLs that are none, or try to be two, and answers that would break a connection."""

import base64
import json
import random
import re
import socket
from urllib.parse import urlsplit

import pytest
from wire.support import FunctionMaker, wait_for
from wire.urls import ANSWERS, ECHO, ask, connect, functions, id_of, make_url, raw


@pytest.fixture(scope="module")
def shared(server, runtime):
    """Functions that tests of this module share, by what they do: their URLs."""
    with functions(server, runtime, "url-edges", echo=ECHO, answers=ANSWERS) as urls:
        yield urls


PROBE = b"GET /smuggled HTTP/1.1\r\nHost: {host}\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + PROBE,
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + PROBE,
        b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n" + PROBE,
        b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: +5\r\n\r\nhello" + PROBE,
        b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5, 5\r\n\r\nhello" + PROBE,
        b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length : 0\r\n\r\n" + PROBE,
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + PROBE,
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + PROBE,
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + PROBE,
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + PROBE,
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n2;a\nb\r\nxx\r\n0\r\n\r\n" + PROBE,
        b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nxx\r\n0\r\n\r\n" + PROBE,
        b"GET / HTTP/1.1\r\nHost: {host}\r\nHost: other.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: other.example\r\nHost: {host}\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nX-A: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: {host}\r\n X-Folded: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: {host}\r\nNo Colon\r\n\r\n",
        b"GET / HTTP/1.1\nHost: {host}\n\n",
        b"GET /a b HTTP/1.1\r\nHost: {host}\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: {host}\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: {host}\r\n\r\n",
        b"G\xffT / HTTP/1.1\r\nHost: {host}\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: {host}\r\n\r\n",
        b"CONNECT other.example:443 HTTP/1.1\r\nHost: {host}\r\n\r\n",
        b"GET http://other.example/ HTTP/1.1\r\nHost: {host}\r\n\r\n",
        b"GET http://{host}/ HTTP/1.1\r\nHost: other.example\r\n\r\n",
        b"GET http://{host}@other.example/ HTTP/1.1\r\nHost: {host}\r\n\r\n",
        b"GET http://{host}/ HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
)
def test_malformed_requests_reach_no_function(counting, request_):
    """One that two servers could read in two ways is refused, and what comes behind it is not a request."""
    url, runs = counting
    before = runs()
    got = raw(url, request_)
    assert got.startswith(b"HTTP/1.1 4") or got == b""
    assert b"smuggled" not in got and got.count(b"HTTP/1.1 ") <= 1
    assert runs() == before + 1


@pytest.fixture(scope="module")
def counting(server, runtime):
    """A URL whose function counts its runs, and what asks it for their number, which is one more run."""
    client = server.client("lambda")
    maker = FunctionMaker(client, runtime, "url-counting")
    name = maker("runs = 0\ndef handler(e, c):\n  global runs; runs += 1\n  return [runs, e['rawPath']]")
    url = make_url(client, name)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    # Until an invocation that a test left behind is over, one more is too much.
    yield url, lambda: wait_for(lambda: (reply := ask(url)).status == 200 and reply.json[0])
    client.delete_function(FunctionName=name)


def test_requests_in_a_row_on_one_connection(shared):
    """Sent without waiting, each is answered in its turn, with a body of its own that no other begins in."""
    got = raw(
        shared["echo"],
        b"POST /1 HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n0\r\n\r\n"
        b"POST /2 HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\nhello"
        b"GET /3 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
    )
    assert re.findall(rb'"rawPath":"(/\d)"', got) == [b"/1", b"/2", b"/3"]


@pytest.mark.parametrize("packets", [1, 2])
def test_trailers_are_no_headers(shared, packets):
    """What comes behind a body was not there when whoever stands before the server looked: it says nothing."""
    url = shared["echo"]
    head = f"POST / HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nX-User: guest\r\nConnection: close\r\n"
    sent = [head.encode() + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"]
    sent.append(b"0\r\nX-User: admin\r\nX-More: 1\r\nCookie: a=1\r\nHost: other.example\r\n\r\n")
    with socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for packet in sent if packets == 2 else [b"".join(sent)]:
            connection.sendall(packet)
        got = b"".join(iter(lambda: connection.recv(65_536), b""))
    event = json.loads(got.partition(b"\r\n\r\n")[2])
    assert (event["body"], event["headers"]["x-user"], event.get("cookies")) == ("hello", "guest", None)
    assert "x-more" not in event["headers"]


def test_a_target_that_names_its_host(shared):
    """As clients of a proxy write it: where both say the same it is the request that it would be without."""
    got = raw(shared["echo"], b"GET http://{host}/a?b HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200 ") and b'"rawPath":"/a","rawQueryString":"b"' in got


def test_http_1_0_by_path(shared):
    """A client of old names no host: the path does."""
    url = shared["echo"]
    got = raw(url, f"GET /_lambent/url/{id_of(url)}/old HTTP/1.0\r\n\r\n".encode())
    assert got.startswith(b"HTTP/1.1 200 ") and b'"/old"' in got


def test_a_function_cannot_break_the_connection(shared):
    """An answer whose headers lie about its end is followed by the next one, whole."""
    connection = connect(shared["answers"])
    lies = {"Content-Length": "1000", "Transfer-Encoding": "chunked", "Connection": "close", "Upgrade": "h2c"}
    for body in ("first", "second"):
        value = json.dumps({"statusCode": 200, "headers": lies, "body": body}).encode()
        headers = {"Host": urlsplit(shared["answers"]).netloc, "X-Return": base64.b64encode(value).decode()}
        connection.request("GET", "/", headers=headers)
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, body.encode())
    connection.close()


def test_no_request_gets_a_5xx_of_ours(shared):
    """Some hundreds of requests that no client should send, the same in every run: refused, or answered for."""
    url = shared["echo"]
    client = random.Random(8)
    parts = [
        [b"GET", b"POST", b"HEAD", b"OPTIONS", b"PUT", b"get", b"BREW", b"TRACE"],
        [b"/", b"//", b"/%", b"/%00", b"/..", b"/a?b?c", b"/?%ff=%zz", b"/?a=&&=&a", b"/\xff", b"/;x", b"?", b"http://x/y"],
        [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"http/1.1", b""],
    ]  # fmt: skip
    lines = [
        b"Cookie: ;;=; a", b"Cookie:", b"Content-Type: \xff", b"Content-Type: ;", b"Content-Length: 3",
        b"Content-Length: 0", b"Content-Length: -1", b"Transfer-Encoding: chunked", b"X-Amzn-Trace-Id: Root=;;=",
        b"X-Amzn-Trace-Id: Root=" + b"1" * 2000, b"Origin: \xff", b"Access-Control-Request-Method: GET", b"X:\t",
        b"Expect: 100-continue", b"Expect: x", b"Upgrade: websocket", b"Connection: Upgrade", b": x", b"X" * 70_000,
        b"X-Forwarded-For: 1, 2", b"Host: {host}", b"Authorization: AWS4-HMAC-SHA256 Credential=/////",
    ]  # fmt: skip
    for _ in range(300):
        line = b" ".join(client.choice(choices) for choices in parts)
        chosen = client.sample(lines, client.randrange(5))
        if client.random() < 0.9:
            chosen.append(b"Host: {host}")
        body = client.choice([b"", b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"\xff" * 100])
        sent = b"\r\n".join([line, *chosen, b"Connection: close", b"", body])
        status = status_of(url, sent)
        assert status is None or status < 500 or status == 501, sent
    assert ask(url).status in (200, 429)


def status_of(url, request):
    """Send bytes and the end of them; return the status of the first answer, None where there is none."""
    with socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=30) as connection:
        connection.sendall(request.replace(b"{host}", urlsplit(url).netloc.encode()))
        connection.settimeout(0.3)
        try:
            head = connection.recv(65_536)
        except (TimeoutError, ConnectionError):
            # It waits for a body that does not come.
            return None
        if head.startswith(b"HTTP/1.1 100 "):
            return None
    return int(head.split(b" ", 2)[1]) if head else None


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("packets", [1, 2])
@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: %d\r\n\r\n%b" % (len(SMUGGLED), SMUGGLED),
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_an_offer_of_another_protocol_is_not_taken(shared, packets, body):
    """`Upgrade: h2c`, as curl sends it: the request is the request, and its body is no request, whenever it comes."""
    url = shared["echo"]
    netloc = urlsplit(url).netloc.encode()
    first = b"POST /1 HTTP/1.1\r\nHost: " + netloc + b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nX-Own: 1\r\n" + body
    second = b"GET /2 HTTP/1.1\r\nHost: " + netloc + b"\r\nConnection: close\r\n\r\n"
    split = first.index(b"\r\n\r\n") + 4 if packets == 2 else len(first)
    with socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(first[:split])
        if packets == 2:
            # Nothing tells that the server has read the head but that it does not answer.
            connection.settimeout(0.3)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            connection.settimeout(30)
        connection.sendall(first[split:] + second)
        got = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert re.findall(rb'"rawPath":"(/\w+)"', got) == [b"/1", b"/2"]
    assert b'"x-own":"1"' in got and b'"body":' in got and b'"upgrade"' not in got
