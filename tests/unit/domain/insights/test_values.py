"""How values compare, order and show."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.insights.values import Moment, ReadFloat, computed, equal, is_true, less, number, order, text


def test_the_documented_order() -> None:
    """User guide, sort: its own example, from top to bottom."""
    expected = [
        "!:",
        "#",
        "*%04",
        "0#",
        "5A",
        "111A",
        "2345_",
        "@",
        "@_",
        "A",
        "A9876fghj",
        "a12345hfh",
        "0",
        "1",
        "2",
        "3",
    ]
    assert sorted(set(expected), key=order) == expected


@given(st.lists(st.one_of(st.none(), st.text(), st.integers(), st.floats(allow_nan=False), st.booleans())))
def test_whatever_there_is_can_be_ordered(values: list[Any]) -> None:
    kinds = [order(value)[0] for value in sorted(values, key=order)]
    assert kinds == sorted(kinds)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("a", "a"),
        (True, "1"),
        (False, "0"),
        (3, "3"),
        (2.0, "2"),
        (122.0703125, "122.0703"),
        (-0.00001, "0"),
        (1e300, "1e+300"),
        (ReadFloat(0.123456789), "0.123456789"),
        (Moment(1_764_072_000_007), "2025-11-25 12:00:00.007"),
        (Moment(1 << 62), "9999-12-31 23:59:59.999"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
    ],
)
def test_what_shows(value: Any, expected: str | None) -> None:
    assert text(value) == expected


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("5", 5),
        (" -2.5e1\n", -25.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("", None),
        ("5ms", None),
        ("nan", None),
        ("1_000", None),
        ("1e999", None),
        ("٣", None),
        ("1" * 41, None),
    ],
)
def test_what_looks_like_a_number(shown: str, expected: float | None) -> None:
    assert number(shown) == expected


@pytest.mark.parametrize(
    ("left", "right", "is_less", "is_equal"),
    [
        ("10", 9, False, False),
        ("9", "10", True, False),
        ("9a", "10", False, False),
        ("5.0", 5, False, True),
        ("a", "a", False, True),
        (True, "true", False, True),
        (True, 1, False, True),
        (False, "false", False, True),
        (None, None, False, False),
        (None, "a", False, False),
    ],
)
def test_values_compare_as_numbers_where_both_look_like_some(
    left: Any, right: Any, is_less: bool, is_equal: bool
) -> None:
    assert (less(left, right), equal(left, right), equal(right, left)) == (is_less, is_equal, is_equal)


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), ("1", True), ("0", False), ("no", False), (0.0, False), (None, False)]
)
def test_what_holds(value: Any, expected: bool) -> None:
    assert is_true(value) is expected


def test_arithmetic_neither_fails_nor_grows() -> None:
    """Division by zero, complex roots and endless digits are no numbers; great whole numbers become floats."""
    assert computed(lambda: 1 // 0) is None
    assert computed(lambda: (-1.0) ** 0.5) is None
    assert computed(lambda: 1e308 * 10) is None
    assert computed(lambda: 3**40) == float(3**40)
    assert isinstance(computed(lambda: Moment(5) + 1), int)
