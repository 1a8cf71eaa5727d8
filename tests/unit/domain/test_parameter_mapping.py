"""What mappings make of requests and responses, and which mappings are refused."""

import pytest
from unit.domain.api_requests import request_of

from lambent.domain.cors import HttpHeaders
from lambent.domain.parameter_mapping import (
    MalformedMapping,
    check_request_parameters,
    check_response_parameters,
    mapped_request,
    mapped_response,
    needs_body,
)


def test_headers() -> None:
    """Added behind what there is, put in its place, taken away; a value may be put together of several."""
    mapping = {
        "append:header.x": "$context.requestId",
        "append:header.New": "static",
        "overwrite:header.user-agent": "${stageVariables.v}/${request.path.id}-${context.none}",
        "remove:header.HOST": "''",
    }
    check_request_parameters(mapping)
    mapped = mapped_request(mapping, request_of())
    assert mapped.headers == {"x": "y,Kf2LcqRTjoEEPqw=", "new": "static", "user-agent": "1/7-"}


@pytest.mark.parametrize(
    ("mapping", "cookies"),
    [
        ({"overwrite:header.Cookie": "a=1; b=2"}, ["a=1", "b=2"]),
        ({"append:header.cookie": "v=${stageVariables.v}"}, ["s=1", "t=2", "v=1"]),
        ({"remove:header.COOKIE": ""}, []),
        ({"overwrite:header.cookie": "$request.header.none"}, []),
        ({"overwrite:header.y": "$request.header.cookie"}, ["s=1", "t=2"]),
    ],
)
def test_cookies(mapping: dict[str, str], cookies: list[str]) -> None:
    """They are no header among the others, for functions and servers alike; a mapping changes them all the same."""
    check_request_parameters(mapping)
    mapped = mapped_request(mapping, request_of())
    assert mapped.cookies == cookies
    assert "cookie" not in mapped.headers


def test_query_and_path() -> None:
    """The query is written anew only where it changes; a path that lacks its slash gets one."""
    request = request_of()
    assert mapped_request({"overwrite:header.a": "b"}, request).query == "q=a&q=b&r=%20"
    mapping = {
        "append:querystring.q": "c",
        "overwrite:querystring.r": "ä&=",
        "remove:querystring.none": "",
        "overwrite:path": "new/$x/${request.path.id}",
    }
    check_request_parameters(mapping)
    mapped = mapped_request(mapping, request)
    assert mapped.query == "q=a&q=b&q=c&r=%C3%A4%26%3D"
    assert mapped.path == "/new/$x/7"
    assert mapped_request({"remove:querystring.q": ""}, request).query == "r=%20"


def test_values_are_those_of_the_request_as_it_came() -> None:
    mapped = mapped_request({"overwrite:header.x": "1", "overwrite:header.z": "$request.header.x"}, request_of())
    assert (mapped.headers["x"], mapped.headers["z"]) == ("1", "y")


def test_a_line_end_begins_no_header() -> None:
    """What a client sent, percent-encoded, is in a value no more than a blank."""
    request = request_of(query="q=a%0d%0aevil:%201")
    mapped = mapped_request({"overwrite:header.x": "$request.querystring.q"}, request)
    assert mapped.headers["x"] == "a  evil: 1"
    headers = mapped_response({"overwrite:header.x": "$request.querystring.q"}, request, 200, [], b"")[1]
    assert headers == [(b"x", b"a  evil: 1")]


def test_responses() -> None:
    """Status and headers, from the response, its body and the request."""
    mapping = {
        "overwrite:statuscode": "$response.body.code",
        "append:header.a": "$response.header.b",
        "overwrite:header.b": "${response.body.text} ${context.stage}",
        "remove:header.c": "",
    }
    check_response_parameters({"200": mapping})
    assert needs_body({"404": {}, "200": mapping})
    assert not needs_body({"200": {"overwrite:header.x": "$response.header.y"}})
    assert not needs_body(None)
    given: HttpHeaders = [(b"a", b"1"), (b"b", b"2"), (b"b", b"3"), (b"c", b"4")]
    status, headers = mapped_response(mapping, request_of(), 200, given, b'{"code": 404, "text": "t"}')
    assert status == 404
    assert headers == [(b"a", b"1"), (b"a", b"2,3"), (b"b", b"t prod")]


@pytest.mark.parametrize(
    "path", ["..b", "a..b", "a[?(@.b)]", "a[?(@.b > 1)].c"], ids=["begins", "within", "filter", "filter-within"]
)
def test_what_paths_into_a_body_cannot_do(path: str) -> None:
    """Documented: neither `..` nor filters; such a value would be empty for ever."""
    for value in (f"$request.body.{path}", f"a-${{request.body.{path}}}"):
        with pytest.raises(MalformedMapping):
            check_request_parameters({"overwrite:header.x": value})
    check_request_parameters({"overwrite:header.x": "$request.body.a[0].b"})


@pytest.mark.parametrize("status", ["", "x", "1", "101", "600", "20000", "-200", "٢٠٠"])
def test_what_is_no_status_changes_none(status: str) -> None:
    assert mapped_response({"overwrite:statuscode": status}, request_of(), 202, [], b"")[0] == 202


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("header.x", "1"),
        ("append:x", "1"),
        ("append:header.", "1"),
        ("append:path", "1"),
        ("remove:path", ""),
        ("overwrite:statuscode", "200"),
        ("append:header.a b", "1"),
        ("append:header.a:b", "1"),
        ("append:header.Authorization", "1"),
        ("overwrite:header.X-Amz-Date", "1"),
        ("remove:header.access-control-allow-origin", ""),
        ("overwrite:header.transfer-encoding", "chunked"),
        ("overwrite:header.x", "a\nb"),
        ("overwrite:header.x", "$response.header.x"),
        ("overwrite:header.x", "$request.none"),
        ("overwrite:header.x", "${request.header}"),
        ("overwrite:header.x", "$"),
    ],
)
def test_what_is_refused_of_requests(key: str, value: str) -> None:
    with pytest.raises(MalformedMapping):
        check_request_parameters({key: value})


@pytest.mark.parametrize(
    "mapping",
    [
        {"2xx": {}},
        {"99": {}},
        {"200": {"append:querystring.x": "1"}},
        {"200": {"append:statuscode": "1"}},
        {"200": {"overwrite:statuscode": "999"}},
        {"200": {"overwrite:statuscode": "100"}},
        {"200": {"overwrite:statuscode": ""}},
        {"200": {"overwrite:header.x": "${response.body.a..b}"}},
        {"200": {"overwrite:header.x": "$request.header.x"}},
        {"200": {"overwrite:header.content-length": "1"}},
    ],
)
def test_what_is_refused_of_responses(mapping: dict[str, dict[str, str]]) -> None:
    with pytest.raises(MalformedMapping):
        check_response_parameters(mapping)


def test_a_mapping_has_an_end() -> None:
    with pytest.raises(MalformedMapping):
        check_request_parameters({f"append:header.h{number}": "x" for number in range(201)})


@pytest.mark.parametrize("text", ["0200999", "0200", "2000", "199", "600", "200 ", "+200", "²00", "2e2", ""])
def test_what_is_no_status(text: str) -> None:
    """It leaves the response its own: a server may say anything in a header."""
    mapping = {"overwrite:statuscode": "$response.header.x"}
    assert mapped_response(mapping, request_of(), 201, [(b"x", text.encode("latin-1"))], b"")[0] == 201
    assert mapped_response(mapping, request_of(), 201, [(b"x", b"404")], b"")[0] == 404
