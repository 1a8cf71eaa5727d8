"""From what a function returns to a response. tests/wire/test_function_urls.py has what clients see."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.http_answer import (
    TEXT_TYPE,
    HttpAnswer,
    MalformedAnswer,
    answer_of,
    answer_of_1,
    answer_of_prelude,
    streamed_answer,
)

JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        (b' {"a":  [1, 1.50, 12345678901234567890]} ', HttpAnswer(200, [JSON], b'{"a":[1,1.50,12345678901234567890]}')),
        (b'"\\u00fc"', HttpAnswer(200, [JSON], "ü".encode())),
        (b'""', HttpAnswer(200, [JSON], b"")),
        (b"null", HttpAnswer(200, [JSON], b"null")),
        (b'{"statusCode": 200, "body": null}', HttpAnswer(200, [JSON], b"")),
        (b'{"statusCode": 200, "headers": null, "cookies": null}', HttpAnswer(200, [JSON], b"")),
        (b'{"statusCode": 200, "body": [1, 2]}', HttpAnswer(200, [JSON], b"[1, 2]")),
        (
            b'{"statusCode": 200, "headers": {"X-A": true, "X-B": 1.5, "Server": "own"}}',
            HttpAnswer(200, [(b"x-a", b"true"), (b"x-b", b"1.5"), (b"x-amzn-remapped-server", b"own"), JSON]),
        ),
        (
            b'{"statusCode": 200, "headers": {"CONTENT-type": "a/b", "x": "\\u20ac\\t"}}',
            HttpAnswer(200, [(b"content-type", b"a/b"), (b"x", "€\t".encode())]),
        ),
        (b'{"statusCode": 200, "body": "AA==", "isBase64Encoded": false}', HttpAnswer(200, [JSON], b"AA==")),
    ],
)  # fmt: skip
def test_what_follows(payload: bytes, answer: HttpAnswer) -> None:
    """A response as it was asked for, or the value itself, without blanks."""
    assert answer_of(payload) == answer


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"text",
        b"{",
        b'{"a": NaN}',
        b'"\\ud800"',
        b'{"statusCode": 200, "body": "\\ud800"}',
        b'{"statusCode": 200, "headers": {"x": "\\ud800"}}',
        b'{"statusCode": 1e999}',
        b'{"statusCode": "12345678901234567890"}',
        b"[" * 100_000,
        b'{"statusCode": 200, "headers": {"x": null}}',
        b'{"statusCode": 200, "headers": {"x y": "a"}}',
        b'{"statusCode": 200, "cookies": [1, null]}',
    ],
)
def test_what_is_no_response(payload: bytes) -> None:
    """It is told apart, whatever is wrong with it."""
    with pytest.raises(MalformedAnswer):
        answer_of(payload)


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()), st.text())
def test_no_header_becomes_two(headers: dict[str, object], cookie: str) -> None:
    """Whatever a function returns, what is sent is one line for each header, with a name that is one."""
    payload = json.dumps({"statusCode": 200, "headers": headers, "cookies": [cookie]}).encode()
    try:
        answer = answer_of(payload)
    except MalformedAnswer:
        return
    for name, value in answer.headers:
        assert not set(b"\r\n\0") & set(name + value)
        assert name and not set(b" \t:") & set(name) and name == name.lower()
        assert name not in {b"content-length", b"transfer-encoding", b"connection"}


def test_preludes() -> None:
    """200 and bytes where it says nothing else."""
    octets = (b"content-type", b"application/octet-stream")
    assert answer_of_prelude(b"{}") == HttpAnswer(200, [octets])
    prelude = b'{"statusCode": 201, "headers": {"Content-Type": "text/html"}, "cookies": ["a=1"]}'
    assert answer_of_prelude(prelude, b"rest") == HttpAnswer(
        201, [(b"content-type", b"text/html"), (b"set-cookie", b"a=1")], b"rest"
    )
    for malformed in (b"", b"[]", b"text", b'{"statusCode": "no"}', b'{"headers": {"a": "\\n"}}'):
        with pytest.raises(MalformedAnswer):
            answer_of_prelude(malformed)


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ("text/html; charset=utf-8", b"text/html; charset=utf-8"),
        ("application/x-www-form-urlencoded", b"application/octet-stream"),
        ("", b"application/octet-stream"),
        ("text/html\r\nx: y", b"application/octet-stream"),
    ],
)
def test_streams_without_a_prelude(said: str, sent: bytes) -> None:
    """What the runtime says is passed on where somebody meant it."""
    assert streamed_answer(said) == HttpAnswer(200, [(b"content-type", sent)])


def test_statuses_without_a_body() -> None:
    """204 and 304, as HTTP has it."""
    assert [status for status in (200, 204, 205, 304, 404) if not HttpAnswer(status, []).has_body] == [204, 304]


def test_an_http_api_takes_an_answer_without_a_type_for_text() -> None:
    """Unlike a function URL; a value that is no response is JSON all the same."""
    assert answer_of(b'{"statusCode": 200, "body": "{}"}', TEXT_TYPE) == HttpAnswer(200, [TEXT], b"{}")
    assert answer_of(b'{"statusCode": 200, "headers": {"Content-Type": "a/b"}}', TEXT_TYPE).headers == [
        (b"content-type", b"a/b")
    ]
    assert answer_of(b'{"a": 1}', TEXT_TYPE) == HttpAnswer(200, [JSON], b'{"a":1}')


@pytest.mark.parametrize("answered", [answer_of, answer_of_1])
def test_a_type_is_sent_once(answered: Callable[[bytes], HttpAnswer]) -> None:
    """Frameworks set it in one way and handlers in another; cookies are told apart by how their names are written."""
    head = b'{"Content-Type": "a/b", "set-cookie": "a", "content-type": "c/d", "Set-Cookie": "b"}'
    assert answered(b'{"statusCode": 200, "headers": ' + head + b"}").headers == [
        (b"set-cookie", b"a"),
        (b"set-cookie", b"b"),
        (b"content-type", b"c/d"),
    ]


@pytest.mark.parametrize(
    ("payload", "status", "headers", "body"),
    [
        (b'{"statusCode": 200}', 200, [TEXT], b""),
        (b'{"statusCode": "201", "body": "x"}', 201, [TEXT], b"x"),
        (b'{"statusCode": 200, "headers": null, "body": null}', 200, [TEXT], b""),
        (b'{"statusCode": 200, "cookies": ["a=1"]}', 200, [TEXT], b""),
        (
            b'{"statusCode": 200, "headers": {"M": "solo"}, "multiValueHeaders": {"m": ["multi", 2]}}',
            200,
            [(b"m", b"multi"), (b"m", b"2"), (b"m", b"solo"), TEXT],
            b"",
        ),
        (
            b'{"statusCode": 200, "multiValueHeaders": {"Content-Type": ["text/plain"], "Set-Cookie": ["a", "b"]}}',
            200,
            [(b"content-type", b"text/plain"), (b"set-cookie", b"a"), (b"set-cookie", b"b")],
            b"",
        ),
        (b'{"statusCode": 200, "body": "aGk=", "isBase64Encoded": true}', 200, [TEXT], b"hi"),
    ],
)
def test_format_1(payload: bytes, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """With a list of values for a name, and without cookies by themselves."""
    answer = answer_of_1(payload)
    assert (answer.status, sorted(answer.headers), answer.body) == (status, sorted(headers), body)
    assert [value for name, value in answer.headers if name == b"m"] == [v for n, v in headers if n == b"m"]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b'"text"',
        b"[]",
        b"{}",
        b'{"body": "x"}',
        b'{"statusCode": 99}',
        b'{"statusCode": 200, "headers": []}',
        b'{"statusCode": 200, "multiValueHeaders": {"m": "no list"}}',
        b'{"statusCode": 200, "multiValueHeaders": []}',
        b'{"statusCode": 200, "multiValueHeaders": {"m": ["a\\nb: c"]}}',
        b'{"statusCode": 200, "body": "?", "isBase64Encoded": true}',
    ],
)
def test_what_is_no_answer_of_format_1(payload: bytes) -> None:
    """Nothing is inferred."""
    with pytest.raises(MalformedAnswer):
        answer_of_1(payload)
