"""
Requests that no client should send, and clients that come slowly, in crowds or with an old HTTP.

Each is sent by every way to a function: it is refused by name or answered in its turn, nothing reaches a function in
part or twice, and none gets a 5xx of ours.
"""

import contextlib
import json
import re
import socket
import time

import pytest
from wire.edges import BEHIND, DOORS, MALFORMED, answers_of, doors, read_all
from wire.support import Server, wait_for
from wire.urls import ANSWERS, functions, returning


@pytest.fixture(scope="module")
def all_doors(server, runtime):
    yield from doors(server, runtime, "http-edge")


@pytest.fixture(params=DOORS)
def door(all_doors, request):
    return all_doors[request.param]


# What two servers could read in two ways -----------------------------------------------------------------------------


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_malformed_is_refused_and_ends_the_connection(door, what):
    """One answer of 4xx, no other behind it, and nothing for the function, not even of what stands behind."""
    before = door.now()
    answers = answers_of(door.raw(MALFORMED[what] + BEHIND))
    assert [status // 100 for status, _, _ in answers] in ([4], []), answers
    assert all(headers["connection"] == "close" for _, headers, _ in answers)
    assert door.seen_since(before) == []


@pytest.mark.parametrize("what", MALFORMED)
def test_a_refusal_waits_for_the_answers_before_it(door, what):
    """Else a client would take it for the answer to a request that it sent before."""
    before = door.now()
    answers = answers_of(door.raw(door.request("first") + door.request("second") + MALFORMED[what] + BEHIND))
    assert [status for status, _, _ in answers[:2]] == [200, 200]
    assert [json.loads(body)["got"] for _, _, body in answers[:2]] == ["first", "second"]
    assert [status // 100 for status, _, _ in answers[2:]] in ([4], [])
    assert door.seen_since(before) == ["first", "second"]


@pytest.mark.parametrize("packets", [1, 2])
def test_a_body_that_breaks_off_is_nobodys_event(door, packets):
    """The head was sound, and what came of the body; then it is no body any more."""
    before = door.now()
    head = b"POST {target} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n"
    parts = [door.filled(head + b'3\r\n"a"\r\n'), b"nonsense\r\n" + door.filled(BEHIND)]
    with door.connect() as connection:
        for part in parts if packets == 2 else [b"".join(parts)]:
            connection.sendall(part)
        ((status, headers, _),) = answers_of(read_all(connection))
    assert (status, headers["connection"]) == (400, "close")
    assert door.seen_since(before) == []


def test_extensions_of_chunks_say_nothing(door):
    """They are allowed, and nobody uses them."""
    sent = b'3;a=b;c="d"\r\n"ex\r\n4;e\r\nten"\r\n0;f\r\n\r\n'
    head = b"POST {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    ((status, _, body),) = answers_of(door.raw(head + sent))
    assert (status, json.loads(body)["got"]) == (200, "exten")


def test_a_target_that_names_its_host_is_that_target(door):
    """As clients of a proxy write it."""
    sent = b'POST http://{host}{target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 5\r\n\r\n"abs"'
    ((status, _, body),) = answers_of(door.raw(sent))
    assert (status, json.loads(body)["got"]) == (200, "abs")


@pytest.mark.parametrize("offer", [b"h2c", b"websocket", b"TLS/1.0, h2c"])
def test_an_offer_of_another_protocol_is_not_taken(door, offer):
    """The request is what it would be without, and what comes next is the next request."""
    offered = door.request(
        "offered", b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAMAAABk", b"Upgrade: " + offer
    )
    answers = answers_of(door.raw(offered + door.request("next", b"Connection: close")))
    assert [(status, json.loads(body)["got"]) for status, _, body in answers] == [(200, "offered"), (200, "next")]


# Requests in a row ---------------------------------------------------------------------------------------------------


def test_requests_in_a_row_are_answered_in_their_order(door):
    """Also those that are refused, with a body that nobody reads, and one that breaks off the rest."""
    before = door.now()
    lost = b"POST /_lambent/nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n" + b"a" * 100_000
    refused = (
        b"POST /_lambent/health HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n0\r\n\r\n"
    )
    sent = (
        door.request("one") + lost + door.request("two") + refused + door.request("three", b"Connection: close")
        + door.request("never")
    )  # fmt: skip
    answers = answers_of(door.raw(sent))
    assert [status for status, _, _ in answers] == [200, 405, 200, 405, 200]
    assert [json.loads(answers[at][2])["got"] for at in (0, 2, 4)] == ["one", "two", "three"]
    assert door.seen_since(before) == ["one", "three", "two"]


def test_more_requests_in_a_row_than_anybody_sends(door):
    """So many wait; the last of them is answered with the end of the connection, and what is behind is not run."""
    before = door.now()
    got = door.raw(b"".join(door.request(number) for number in range(300)))
    answers = answers_of(got)
    payloads = [json.loads(body)["got"] for _, _, body in answers]
    assert 1 < len(answers) < 100 and payloads == list(range(len(answers)))
    assert [headers.get("connection") for _, headers, _ in answers] == [None] * (len(answers) - 1) + ["close"]
    assert door.seen_since(before) == payloads


# Expect --------------------------------------------------------------------------------------------------------------


def test_leave_to_send_a_body(door):
    """A client that waits for it gets it, and then its answer, on a connection that goes on."""
    sent = door.request("expected", b"Expect: 100-continue")
    head, body = sent[: sent.index(b"\r\n\r\n") + 4], sent[sent.index(b"\r\n\r\n") + 4 :]
    with door.connect() as connection:
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body + door.request("next", b"Connection: close"))
        answers = answers_of(read_all(connection))
    assert [json.loads(body)["got"] for _, _, body in answers] == ["expected", "next"]


def test_no_leave_is_the_end_of_the_connection(server):
    """What a client sends after a refusal, its body or its next request, nobody can tell: it is not read."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(
            b"POST /_lambent/health HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 400\r\n\r\n"
            b"GET /_lambent/health HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        ((status, headers, _),) = answers_of(read_all(connection))
    assert (status, headers["connection"]) == (405, "close")


# An old HTTP ---------------------------------------------------------------------------------------------------------


def test_http_1_0_gets_no_chunks_and_no_leave(server, door, lambda_client):
    """The end of the connection is that of the answer, be it a stream or not."""
    sent = door.request("old", b"Connection: keep-alive", b"Expect: 100-continue").replace(b"HTTP/1.1", b"HTTP/1.0")
    ((status, headers, body),) = answers_of(door.raw(sent))
    assert (status, json.loads(body)["got"], headers["connection"]) == (200, "old", "close")
    link = lambda_client.get_function(FunctionName="http-edge")["Code"]["Location"]
    path = "/" + link.split("/", 3)[3]
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        head, _, archive = read_all(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ") and b"transfer-encoding" not in head
    assert archive.startswith(b"PK\x03\x04") and archive[-22:-18] == b"PK\x05\x06"


# Sizes and times -----------------------------------------------------------------------------------------------------


def test_a_head_beyond_the_limit_is_refused(door):
    """Below it any is read, in one header or in many; an HTTP API has a limit of its own, as AWS's."""
    before = door.now()
    below = 200 if door.takes_long_heads else 431
    for headers, expected in (
        ([b"X-Long: " + b"a" * 120_000], below),
        ([b"X-%d: %b" % (number, b"a" * 100) for number in range(1_000)], below),
        ([b"X-Long: " + b"a" * 140_000], 431),
        ([b"X-%d: %b" % (number, b"a" * 100) for number in range(1_400)], 431),
        ([b"X-Long: " + b"a" * 4_000_000], 431),
    ):
        with door.connect() as connection:
            with contextlib.suppress(ConnectionError, TimeoutError):
                connection.sendall(door.request(len(headers), b"Connection: close", *headers))
            answers = answers_of(read_all(connection))
        # Of four megabytes the server reads a part: the answer may be lost with what it did not read.
        assert [status for status, _, _ in answers] == [expected] or (expected == 431 and answers == [])
    assert door.seen_since(before) == ([1, 1_000] if door.takes_long_heads else [])


@pytest.fixture(scope="module")
def impatient(runtime):
    """The doors of a server that waits for a second."""
    server = Server(None, "--client-head-s", "1", "--client-silence-s", "1").start()
    yield from doors(server, runtime, "impatient")
    assert server.stop() == 0, "".join(server.log)
    assert not [line for line in server.log if "Traceback" in line]
    server.discard()


@pytest.mark.parametrize(
    ("name", "part"),
    [
        *(("url", part) for part in ("nothing", "line", "headers", "body", "chunks", "answered")),
        *((name, "body") for name in DOORS if name != "url"),
    ],
)
def test_a_client_that_trickles_is_ended(impatient, name, part):
    """A byte now and then keeps no connection: head and body have their time, and a silence has an end."""
    door = impatient[name]
    before = door.now()
    starts = {
        "nothing": b"",
        "line": b"POST {target}?",
        "headers": b"POST {target} HTTP/1.1\r\nHost: {host}\r\nX-A: ",
        "body": b"POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000000\r\n\r\n",
        "chunks": b"POST {target} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n",
        "answered": door.request("one"),
    }
    trickle = {"nothing": b"", "answered": b"", "chunks": b"1\r\n1\r\n"}.get(part, b"1")
    began = time.monotonic()
    with door.connect() as connection:
        connection.sendall(door.filled(starts[part]))
        connection.settimeout(0.2)
        got = b""
        while time.monotonic() - began < 60:
            try:
                if trickle:
                    connection.sendall(trickle)
                piece = connection.recv(65_536)
            except TimeoutError:
                continue
            except ConnectionError:
                # It was closed between two bytes of ours: what came before that is there still.
                got += read_all(connection)
                break
            if not piece:
                break
            got += piece
    assert 0.5 < time.monotonic() - began < 55
    expected = {"nothing": [], "answered": [200]}.get(part, [408])
    assert [status for status, _, _ in answers_of(got)] == expected
    assert door.seen_since(before) == (["one"] if part == "answered" else [])


def test_a_slow_body_is_waited_for(impatient):
    """Some kilobytes a second are a slow line and no attack, however long it takes."""
    door = impatient["url"]
    sent = door.request("a" * 8_000, b"Connection: close")
    with door.connect() as connection:
        # What the time between two pieces is made of: far from a silence, and together longer than one may be.
        connection.settimeout(0.2)
        for at in range(0, len(sent), 1_000):
            connection.sendall(sent[at : at + 1_000])
            if at + 1_000 < len(sent):
                with pytest.raises(TimeoutError):
                    connection.recv(1)
        connection.settimeout(30)
        assert [status for status, _, _ in answers_of(read_all(connection))] == [200]


@pytest.fixture(scope="module")
def small(runtime):
    """The doors of a server of eight connections, which may be silent as long as a test takes."""
    server = Server(None, "--connections-max", "8").start()
    yield from doors(server, runtime, "small")
    assert server.stop() == 0, "".join(server.log)
    assert not [line for line in server.log if "Traceback" in line]
    server.discard()


def is_served(door):
    """Whether a connection of its own is answered; one too many is told so, or dropped."""
    with contextlib.suppress(ConnectionError):
        return [status for status, _, _ in answers_of(door.raw(door.request("there", b"Connection: close")))] == [200]
    return False


def test_more_connections_than_allowed(small):
    """One more is told 503; far more are dropped, and none of it costs those that are there."""
    door = small["api"]
    wait_for(lambda: is_served(door))
    kept = [door.connect() for _ in range(8)]
    first = kept[0]
    first.sendall(door.request("kept"))
    assert first.recv(12) == b"HTTP/1.1 200"
    with door.connect() as one_more:
        one_more.sendall(door.request("refused"))
        ((status, headers, _),) = answers_of(read_all(one_more))
        assert (status, headers["connection"]) == (503, "close")
    crowd = [door.connect() for _ in range(300)]
    crowd[-1].settimeout(60)
    assert read_all(crowd[-1]) == b""
    for connection in (*kept, *crowd):
        connection.close()
    wait_for(lambda: is_served(door))


def test_a_function_cannot_write_heads(server, runtime, all_doors):
    """A line end in a header that a function returns refuses the whole answer: no client sees a second one."""
    with functions(server, runtime, "edge-heads", answers=ANSWERS) as urls:
        for headers in (
            {"X-A": "a\r\nSet-Cookie: b"},
            {"X-A\r\nX-B": "a"},
            {"X-A": "a\nb"},
            {"X-A": "a\x00"},
            {"X:": "a"},
        ):
            reply = returning(urls["answers"], {"statusCode": 200, "headers": headers})
            assert reply.status == 502 and reply.all("set-cookie") == []
        reply = returning(urls["answers"], {"statusCode": 200, "cookies": ["a=b\r\nX-C: d"]})
        assert reply.status == 502 and reply.all("x-c") == []
    assert not [line for line in server.log if re.search("Traceback|Exception in ASGI", line)]
