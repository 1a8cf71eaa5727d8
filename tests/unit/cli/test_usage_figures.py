"""Figures of usage: who comes first, what the rest comes to, and numbers as people read them."""

from decimal import Decimal

import pytest
from unit.cli.usage_answers import DAYS, EVIL, row

from lambent.cli.usage_figures import (
    MEASURES,
    amounts_of,
    bytes_text,
    measured_text,
    money_text,
    name_of,
    places_of,
    plain_text,
    quantity_text,
    seconds_text,
    stretch_labels,
)


def test_the_most_expensive_comes_first() -> None:
    """Those beyond what is shown are one row, at the end; one alone keeps its name."""
    rows = [row("b", "1", requests=1, memory_peak_mib=9), row("a", "3", requests=2), row("c", "2", requests=4)]
    rows += [row("d", "0.5", requests=8, memory_peak_mib=7)]
    found = amounts_of(rows, by="function", by_stretch=False, most=2)
    assert [(one.group, one.figures["requests"], one.is_rest) for one in found] == [
        ("a", 2, False),
        ("c", 4, False),
        ("(2 others)", 9, True),
    ]
    assert (found[2].figures["aws_cost"], found[2].figures["memory_peak_mib"]) == (Decimal("1.5"), 9)
    assert [one.group for one in amounts_of(rows, by="function", by_stretch=False, most=3)] == ["a", "c", "b", "d"]


def test_stretches_are_told_apart_or_not() -> None:
    """Who is shown is decided by all of the time."""
    rows = [row("a", "1", at=DAYS[0]), row("b", "2", at=DAYS[0]), row("a", "5", at=DAYS[1]), row("c", "1", at=DAYS[1])]
    found = amounts_of(rows, by="function", by_stretch=True, most=1)
    assert [(one.at, one.group) for one in found] == [
        (DAYS[0], "a"),
        (DAYS[0], "(2 others)"),
        (DAYS[1], "a"),
        (DAYS[1], "(2 others)"),
    ]
    (first, *_) = amounts_of(rows, by="function", by_stretch=False, most=9)
    assert (first.at, first.group, first.figures["aws_cost"]) == ("", "a", Decimal(6))


def test_accounts_are_not_mixed() -> None:
    """Functions of one name, of two accounts."""
    rows = [row("f", "1"), row("f", "2", account="111122223333")]
    found = amounts_of(rows, by="function", by_stretch=False, most=9)
    assert [(one.group, one.account) for one in found] == [("f", "111122223333"), ("f", "000000000000")]


def test_what_it_cost_here_may_be_unknown() -> None:
    rows = [row("a", here_cost=None), row("a", here_cost=None), row("b", here_cost="0.5"), row("b", here_cost="0.25")]
    found = {one.group: one.figures["here_cost"] for one in amounts_of(rows, by="function", by_stretch=False, most=9)}
    assert found == {"a": None, "b": Decimal("0.75")}


def test_names() -> None:
    """What has none is said so; what a terminal would obey is left out."""
    assert name_of("", "tag:team") == "(none)"
    assert name_of("*", "tenant") == "(others)"
    assert name_of("*", "tag:team") == "*"
    shown = name_of(EVIL, "tag:team")
    assert shown.isprintable()
    assert shown.startswith("<b>&\"' [31m")
    assert len(name_of("x" * 5_000, "tenant")) == 120


@pytest.mark.parametrize(
    ("amounts", "value", "expected"),
    [
        (["1234.5"], "1234.5", "1,234.50"),
        (["2"], "0.00001", "<0.0001"),
        (["0.0000002"], "0.0000002", "0.00000020"),
        ([], "0", "0.00"),
    ],
)
def test_money(amounts: list[str], value: str, expected: str) -> None:
    """With as many places as the largest amount needs; nothing looks like nothing that is not."""
    places = places_of(map(Decimal, amounts))
    assert money_text(Decimal(value), places) == expected
    assert money_text(None, places) == "-"


def test_quantities() -> None:
    assert [quantity_text(value) for value in (0, 0.004, 0.5, 12.34, 1234.5)] == ["0", "<0.01", "0.5", "12.3", "1,234"]
    assert [seconds_text(value) for value in (0, 1.5, 300, 86_400)] == ["0 s", "1.5 s", "5 min", "24 h"]
    assert [bytes_text(value) for value in (0, 999, 2_500, 7.2e9, 3e12)] == [
        "0 B", "999 B", "2.5 kB", "7.2 GB", "3.0 TB",
    ]  # fmt: skip
    assert [plain_text(value) for value in (0.0, 2e-6, 0.30000000000000004, 2_500_000.0)] == [
        "0", "0.000002", "0.3", "2,500,000",
    ]  # fmt: skip


def test_measures_have_units() -> None:
    written = {name: measured_text(one, "EUR", 2)(1_500) for name, one in MEASURES.items()}
    assert written["cost"] == written["here"] == "1,500.00 EUR"
    assert written["requests"] == written["errors"] == written["cold-starts"] == "1,500"
    assert (written["gb-seconds"], written["cpu"], written["streamed"]) == ("1,500 GB-s", "1,500 s", "1.5 kB")


def test_labels_say_no_more_than_is_needed() -> None:
    """Local time, as the server wrote it."""
    hours = ["2026-11-29T22:00:00+05:30", "2026-11-29T23:00:00+05:30"]
    assert stretch_labels(hours, "hour") == ["22:00", "23:00"]
    assert stretch_labels([*hours, "2026-11-30T00:00:00+05:30"], "hour")[-1] == "11-30 00:00"
    assert stretch_labels(DAYS, "day") == ["11-29 Sun", "11-30 Mon"]
    assert stretch_labels(["2026-12-31T00:00:00+00:00", "2027-01-01T00:00:00+00:00"], "day")[1] == "2027-01-01 Fri"
    assert stretch_labels(DAYS, "month") == ["2026-11", "2026-11"]
