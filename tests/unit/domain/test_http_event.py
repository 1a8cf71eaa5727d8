"""HTTP requests as functions get them. tests/wire/test_function_urls.py has the events of real ones."""

import base64
import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.http_event import Addressed, HttpRequest, encode_event, encode_event_1, joined_headers

REQUEST = HttpRequest("GET", "/", "", "HTTP/1.1", {}, [], b"", "127.0.0.1")
ADDRESSED = Addressed("anonymous", "id", "id.lambda-url.us-east-1.localhost", "id", "request", 1_795_000_000.1239)


def event_of(**changes: Any) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(encode_event(msgspec.structs.replace(REQUEST, **changes), ADDRESSED))
    return event


def test_the_time() -> None:
    """As servers log it, and in whole milliseconds."""
    context = event_of()["requestContext"]
    assert (context["time"], context["timeEpoch"]) == ("18/Nov/2026:11:06:40 +0000", 1_795_000_000_123)


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=1&a=2&a=", {"a": "1,2,"}),
        ("a", {"a": ""}),
        ("a=%2F+b", {"a": "/ b"}),
        ("=v", {"": "v"}),
        ("a=%ff%zz", {"a": "\ufffd%zz"}),
        ("&", {}),
    ],
)
def test_parameters(query: str, parameters: dict[str, str]) -> None:
    """Decoded, repeated ones joined; the query itself as it was sent."""
    event = event_of(query=query)
    assert (event["queryStringParameters"], event["rawQueryString"]) == (parameters, query)


def test_headers() -> None:
    """Joined by name; cookies by themselves; nothing of how the request travelled."""
    headers, cookies = joined_headers(
        [
            (b"x-two", b"a"),
            (b"cookie", b"a=1; b=2;"),
            (b"connection", b"keep-alive, x-hop"),
            (b"transfer-encoding", b"chunked"),
            (b"te", b"trailers"),
            (b"upgrade", b"h2c"),
            (b"x-two", b"\xfc"),
            (b"cookie", b" c=3 "),
        ]
    )
    assert headers == {"x-two": "a,ü"}
    assert cookies == ["a=1", "b=2", "c=3"]


def test_a_head_full_of_one_header_is_quick() -> None:
    """A hundred thousand of one are joined in a moment, not one by one."""
    began = time.process_time()
    headers, cookies = joined_headers([(b"a", b"b"), (b"cookie", b"c=d")] * 100_000)
    assert time.process_time() - began < 2
    assert (len(headers["a"]), len(cookies)) == (199_999, 100_000)


@given(st.text(), st.binary(max_size=50), st.sampled_from([None, "text/plain", "image/png", "APPLICATION/JSON;x"]))
def test_any_request_has_an_event(path: str, body: bytes, content_type: str | None) -> None:
    """Whatever the bytes, it is JSON, and the body comes back out of it."""
    path = path.encode("utf-8", "replace").decode("latin-1")
    event = event_of(path=path, body=body, headers={} if content_type is None else {"content-type": content_type})
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == path
    got = event.get("body", "")
    assert (base64.b64decode(got) if event["isBase64Encoded"] else got.encode()) == body


def event_1_of(pairs: list[tuple[bytes, bytes]] | None = None, path: str = "/x", **changes: Any) -> dict[str, Any]:
    request = msgspec.structs.replace(REQUEST, **changes)
    event: dict[str, Any] = json.loads(encode_event_1(request, ADDRESSED, path, request.path, pairs or []))
    return event


def test_payload_1_says_null_where_there_is_nothing() -> None:
    """Documented: every member is there."""
    event = event_1_of(path="/p")
    nothing = {
        name
        for name in ("queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables")
        if event[name] is None
    }
    assert len(nothing) == 4
    assert (event["version"], event["path"], event["httpMethod"], event["body"]) == ("1.0", "/p", "GET", None)
    assert event["requestContext"]["authorizer"] == {"claims": None, "scopes": None}
    assert event["requestContext"]["resourceId"] is None
    assert event["isBase64Encoded"] is False


def test_payload_1_has_what_comes_again() -> None:
    """The last value, and a list of all, of headers and of a query's names; cookies are one header."""
    pairs = [(b"x", b"1"), (b"y", b"1"), (b"x", b"2"), (b"cookie", b"a=1; b=2")]
    headers, cookies = joined_headers(pairs)
    event = event_1_of(pairs, headers=headers, cookies=cookies, query="q=1&q=2&r=")
    assert event["headers"] == {"x": "2", "y": "1", "cookie": "a=1; b=2"}
    assert event["multiValueHeaders"] == {"x": ["1", "2"], "y": ["1"], "cookie": ["a=1; b=2"]}
    assert event["queryStringParameters"] == {"q": "2", "r": ""}
    assert event["multiValueQueryStringParameters"] == {"q": ["1", "2"], "r": [""]}


def test_payload_1_shows_a_mapped_header() -> None:
    """What a mapping has put in the place of a repeated header is what both maps have."""
    event = event_1_of([(b"x", b"1"), (b"x", b"2")], headers={"x": "other"})
    assert (event["headers"], event["multiValueHeaders"]) == ({"x": "other"}, {"x": ["other"]})


def test_what_an_api_adds() -> None:
    """Route, stage, variables and what an authorizer said, in either format."""
    addressed = msgspec.structs.replace(
        ADDRESSED,
        account_id="111122223333",
        route_key="GET /a/{b}",
        stage="prod",
        path_parameters={"b": "1"},
        stage_variables={"v": "x"},
        authorizer={"jwt": {"claims": {"sub": "u"}, "scopes": None}},
    )
    newest = json.loads(encode_event(REQUEST, addressed))
    assert (newest["routeKey"], newest["pathParameters"], newest["stageVariables"]) == (
        "GET /a/{b}",
        {"b": "1"},
        {"v": "x"},
    )
    assert newest["requestContext"]["authorizer"] == {"jwt": {"claims": {"sub": "u"}, "scopes": None}}
    older = json.loads(encode_event_1(REQUEST, addressed, "/a/1", "/a/1"))
    assert (older["resource"], older["requestContext"]["resourcePath"]) == ("/a/{b}", "/a/{b}")
    assert older["requestContext"]["authorizer"] == {"claims": {"sub": "u"}, "scopes": None}
    said = msgspec.structs.replace(addressed, authorizer={"lambda": {"k": 1}})
    assert json.loads(encode_event_1(REQUEST, said, "/", "/"))["requestContext"]["authorizer"] == {"k": 1}
