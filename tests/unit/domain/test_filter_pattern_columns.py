"""Filter patterns for columns: how a message is divided, conditions, and what is taken out."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.filter_pattern import InvalidPattern, parse
from lambent.domain.filter_pattern_columns import split_columns

ACCESS = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'
ORDERED = "ERROR 09/25/2014 12:00:02 Failed to process request"
RESOURCE = "INFO 09/25/2014 12:00:00 GET /service/resource/67 1200"
PART = "INFO 09/25/2014 12:00:01 POST /service/resource/67/part/111 1310"


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        # Documented.
        (
            r"[ip=%127\.0\.0\.[1-9]%, user, username, timestamp, request =*.html*, status_code = 4*, bytes]",
            ACCESS,
            True,
        ),
        ("[..., request =*.html*, status_code = 4*, bytes]", ACCESS, True),
        ("[ip, user, username, ts, request =*.html*, code = 404 || code = 410, bytes]", ACCESS, True),
        ("[ip, user, username, ts, request =*.html*, code = 403 || code = 410, bytes]", ACCESS, False),
        ("[w1=ERROR, w2]", "ERROR x", True),
        ("[w1=ERROR, ...]", ORDERED, True),
        ("[w1=ERROR || w1=WARNING, ...]", ORDERED, True),
        ("[w1!=ERROR && w1!=WARNING, ...]", ORDERED, False),
        ("[w1!=ERROR && w1!=WARNING, ...]", RESOURCE, True),
        ("[logLevel, date, time, method, url=%/service/resource/[0-9]+$%, response_time]", RESOURCE, True),
        ("[logLevel, date, time, method, url=%/service/resource/[0-9]+$%, response_time]", PART, False),
        ("[logLevel, date, time, method, url=%/service/resource/[0-9]+/part/[0-9]+$%, response_time]", PART, True),
        # As many columns as there are, unless there are dots.
        ("[a, b]", "x y", True),
        ("[a, b]", "x y z", False),
        ("[a, b]", "x", False),
        ("[a, ..., b]", "x y", True),
        ("[a, ..., b]", "x", False),
        ("[...]", "", True),
        ("[..., b=z]", "x y z", True),
        ("[a=x, ..., b=z]", "x y z q", False),
        ("[]", "anything at all", True),
        ("[]", "", True),
        # Conditions.
        ("[ip, user, ts, request=*.html*, status=4*, bytes>1000]", "i u t /a.html 404 1001", True),
        ("[ip, user, ts, request=*.html*, status=4*, bytes>1000]", "i u t /a.html 404 1000", False),
        ("[a >= 1.5 && <= 2]", "1.75", True),
        ("[a >= 1.5 && a <= 2]", "2.5", False),
        ("[a < 5]", "x", False),
        ("[a = 404]", "404.0", True),
        ('[a = "404"]', "404.0", False),
        ("[a != 404]", "404.0", False),
        ("[a != 404]", "x", True),
        ('[a = "GET /x HTTP/1.0", b]', '"GET /x HTTP/1.0" 200', True),
        ('[timestamp=*Z, request_id="*-*", event]', "2015-09-02T03:04:05.678Z\t6bf-1\thello\n", True),
        ("[Mon, day, msg1= Invalid, msg2 = user, ...]", "Oct 3 Invalid user bob", True),
        ("[a=1 || a=2 && a=3]", "1", True),
        ("[, , c=3]", "1 2 3", True),
    ],
)
def test_matches(pattern: str, message: str, expected: bool) -> None:
    """Each column has to be what is asked of it, and their number has to fit."""
    assert parse(pattern).matches(message) is expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            ACCESS,
            ["127.0.0.1", "Prod", "frank", "10/Oct/2000:13:25:15 -0700", "GET /index.html HTTP/1.0", "404", "1534"],
        ),
        ('a "" b', ["a", "", "b"]),
        ('a "b c', ["a", '"b', "c"]),
        ("a [b c", ["a", "[b", "c"]),
        ('"a"b', ["a", "b"]),
        ('a"b c"', ['a"b', 'c"']),
        (" a\tb\n", ["a", "b"]),
        ("[a [b] c", ["a [b", "c"]),
    ],
)
def test_how_a_message_is_divided(message: str, expected: list[str]) -> None:
    """At blanks; what is between quotation marks or brackets is one column without them."""
    assert list(split_columns(message)) == expected


@given(st.text('ab "[]\t\n', max_size=30))
def test_columns_hold_all_but_blanks_and_signs(message: str) -> None:
    """Nothing else of a message is lost."""
    kept = "".join("".join(split_columns(message)).split())
    assert [one for one in kept if one in "ab"] == [one for one in message if one in "ab"]


def test_values_are_taken_out() -> None:
    """By name, and by number where there is none."""
    pattern = parse("[ip, , ..., code=4*, bytes]")
    expected = {
        "$ip": "127.0.0.1",
        "$2": "Prod",
        "$3": "frank",
        "$4": "10/Oct/2000:13:25:15 -0700",
        "$5": "GET /index.html HTTP/1.0",
        "$code": "404",
        "$bytes": "1534",
    }
    assert pattern.extract(ACCESS) == expected
    assert pattern.reader(["$bytes", "$2"])(ACCESS) == expected
    assert pattern.extract("x") is None


@pytest.mark.parametrize("reference", ["$other", "bytes", "$.bytes", "$", ""])
def test_a_reference_to_what_no_message_has_is_refused(reference: str) -> None:
    """A value that never comes would be a mistake."""
    with pytest.raises(InvalidPattern):
        parse("[ip, bytes]").reader([reference])


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("[a, ..., b, ...]", "Invalid filter pattern"),
        ("[status = 4* && bytes > 1000]", "Invalid filter pattern"),
        ("[a, a]", "Invalid filter pattern"),
        ("[a = ]", "Invalid filter pattern"),
        ("[a = 1 &&]", "Invalid filter pattern"),
        ("[a = 1 || a]", "Invalid filter pattern"),
        ("[a = %x]", "Invalid filter pattern"),
        ("[a = %x%, b = %y%, c = %z%]", "Invalid filter pattern"),
        ("[a b]", "Invalid character(s) in term 'b'"),
        ("[a = (x)]", "Invalid character(s) in term '('"),
        ('["a"]', "Invalid character(s) in term '\"'"),
        ("[a > x]", "Invalid character(s) in term '\"x\"'"),
    ],
)
def test_what_is_no_pattern(pattern: str, message: str) -> None:
    """It is refused in AWS's words."""
    with pytest.raises(InvalidPattern) as refused:
        parse(pattern)
    assert str(refused.value) == message


@pytest.mark.parametrize("message", ["[ " * 200_000, '" ' * 200_001, "[" * 400_000, '"[' * 200_000])
def test_long_messages_are_passed_once(message: str) -> None:
    """Beginnings without an end: looking for it anew each time would take minutes."""
    start = time.process_time()
    split_columns(message)
    assert time.process_time() - start < 5
