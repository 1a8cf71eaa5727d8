"""The functions, one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.domain.insights.asking import value_of

from lambent.domain.insights.commands import Period
from lambent.domain.insights.functions import TEXT_MAX, ceil_to, floor_to

MESSAGE = '{"n": -2.5, "text": " Hello ", "empty": "", "blank": " \\t", "ms": 1764072123456, "ip": "10.1.2.3"}'


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("abs(n)", "2.5"),
        ("ceil(n)", "-2"),
        ("floor(n)", "-3"),
        ("greatest(n, 3, missing)", "3"),
        ("least(n, 3)", "-2.5"),
        ("log(1)", "0"),
        ("log(0)", None),
        ("sqrt(16)", "4"),
        ("sqrt(-1)", None),
        ("abs(text)", None),
        ("ispresent(n)", "1"),
        ("isPresent(missing)", "0"),
        ("coalesce(missing, n, text)", "-2.5"),
        ("isempty(empty)", "1"),
        ("isempty(missing)", "1"),
        ("isempty(blank)", "0"),
        ("isblank(blank)", "1"),
        ("isblank(text)", "0"),
        ('concat(trim(text), "-", n, missing)', "Hello--2.5"),
        ("ltrim(text)", "Hello "),
        ("rtrim(text)", " Hello"),
        ('trim(text, " Ho")', "ell"),
        ("strlen(text)", "7"),
        ('strlen("é€")', "2"),
        ("toupper(text)", " HELLO "),
        ("tolower(text)", " hello "),
        ("substr(text, 1)", "Hello "),
        ("substr(text, 1, 2)", "He"),
        ("substr(text, 99)", ""),
        ("substr(text, text)", None),
        ('replace(text, "l", "LL")', " HeLLLLo "),
        ('replace(text, "", "x")', " Hello "),
        ('strcontains(text, "ell")', "1"),
        ('strcontains(text, "z")', "0"),
        ("strlen(missing)", None),
        ("fromMillis(ms)", "2025-11-25 12:02:03.456"),
        ("toMillis(@timestamp)", "1764072000000"),
        ("toMillis(text)", None),
        ("datefloor(fromMillis(ms), 1h)", "2025-11-25 12:00:00.000"),
        ("dateceil(fromMillis(ms), 1h)", "2025-11-25 13:00:00.000"),
        ("dateceil(@timestamp, 1h)", "2025-11-25 12:00:00.000"),
        ("datefloor(text, 1h)", None),
        ("bin(1d)", "2025-11-25 00:00:00.000"),
        ("bin(1w)", "2025-11-24 00:00:00.000"),
        ("bin(1mo)", "2025-11-01 00:00:00.000"),
        ("bin(2qtrs)", "2025-07-01 00:00:00.000"),
        ("bin(1y)", "2025-01-01 00:00:00.000"),
        ("dateceil(@timestamp, 1mon)", "2025-12-01 00:00:00.000"),
        ("isValidIp(ip)", "1"),
        ("isValidIpV4(ip)", "1"),
        ("isValidIpV6(ip)", "0"),
        ('isValidIpV6("2001:db8::1")', "1"),
        ("isValidIp(text)", "0"),
        ('isIpInSubnet(ip, "10.1.0.0/16")', "1"),
        ('isIpv4InSubnet(ip, "10.2.0.0/16")', "0"),
        ('isIpv6InSubnet("2001:db8::1", "2001:db8::/32")', "1"),
        ('isIpv6InSubnet(ip, "10.1.0.0/16")', "0"),
        ('isIpInSubnet(ip, "nonsense")', "0"),
        ("jsonStringify(jsonParse('[1, 2.50, {\"a\": null}]'))", '[1,2.5,{"a":null}]'),
        ("jsonParse('nonsense')", None),
        ("jsonParse('1 2')", None),
        ("""jsonParse('"\\ud83d"')""", "?"),
    ],
)
def test_what_a_function_gives(expression: str, expected: str | None) -> None:
    assert value_of(expression, MESSAGE) == expected


def test_text_does_not_grow_without_end() -> None:
    long = "a" * 2_000
    grown = "concat(" + ", ".join(["@message"] * 90) + ")"
    for _ in range(3):
        grown = f"replace({grown}, 'a', '{'b' * 100}')"
    assert value_of(f"strlen({grown})", long) is None
    doubled = "concat(@message, @message)"
    for _ in range(12):
        doubled = f"concat({doubled}, @message, @message)"
    assert int(value_of(f"strlen({doubled})", "b" * 100_000) or 0) == TEXT_MAX


@given(
    st.integers(0, 4_000_000_000_000),
    st.builds(Period, st.integers(1, 40), st.sampled_from(["ms", "s", "m", "h", "d", "w", "mo", "q", "y"])),
)
def test_a_moment_lies_in_its_period(moment: int, period: Period) -> None:
    """Rounding is idempotent, down and up, and the next beginning is the next one."""
    start, end = floor_to(period)(moment), ceil_to(period)(moment)
    assert start <= moment <= end
    assert floor_to(period)(start) == start or start < 0
    assert ceil_to(period)(end) == end
    assert floor_to(period)(end) == end
