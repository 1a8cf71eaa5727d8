"""Plots of usage: bars that are as long as what they stand for, told apart with and without colours."""

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from unit.cli.usage_answers import DAYS, answer, row

from lambent.cli.usage_chart import chart_of, lengths_of, terminal_chart

TWO_DAYS = [
    row("a", "3", at=DAYS[0]),
    row("b", "1", at=DAYS[0]),
    row("a", "1", at=DAYS[1]),
    row("c", "0.5", at=DAYS[1], requests=9),
]


def test_what_is_drawn() -> None:
    """A bar for each stretch, also where nothing was used; groups by what they come to, the rest last."""
    chart = chart_of(answer(TWO_DAYS, step="day"), "cost")
    assert chart.labels == ["11-29 Sun", "11-30 Mon"]
    assert [(one.name, one.values) for one in chart.series] == [("a", [3, 1]), ("b", [1, 0]), ("c", [0, 0.5])]
    assert chart.sums == [4, 1.5]
    assert chart.title == "What AWS would have charged (USD) by function"
    rest = chart_of(answer(TWO_DAYS, step="day"), "cost", most=1)
    assert [(one.name, one.is_rest) for one in rest.series] == [("a", False), ("(2 others)", True)]
    empty = chart_of(answer([], step="day"), "cost")
    assert (empty.series, empty.sums) == ([], [0, 0])


def test_what_a_plot_is_of_says_who_is_shown() -> None:
    chart = chart_of(answer(TWO_DAYS, step="day"), "requests", most=1)
    assert chart.series[0].name == "c"
    assert chart.title == "Requests by function"
    assert chart.text(9) == "9"


def test_functions_of_several_accounts() -> None:
    rows = [row("f", "2"), row("f", "1", account="111122223333")]
    chart = chart_of(answer(rows), "cost")
    assert [one.name for one in chart.series] == ["f (000000000000)", "f (111122223333)"]


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=9), st.floats(0.1, 1e9), st.integers(1, 200))
def test_lengths(values: list[float], more: float, cells: int) -> None:
    """Together they are as long as their sum says, and never longer than there is room."""
    most = sum(values) + more
    lengths = lengths_of(values, most, cells)
    assert all(length >= 0 for length in lengths)
    expected = max(1, round(sum(values) / most * cells)) if sum(values) > 0 else 0
    assert sum(lengths) == expected <= cells


def drawn(width: int, **console_settings: object) -> str:
    console = Console(width=width, file=io.StringIO(), highlight=False, **console_settings)  # type: ignore[arg-type]
    with console.capture() as captured:
        console.print(terminal_chart(chart_of(answer(TWO_DAYS, step="day"), "cost"), console))
    text = captured.get()
    assert all(len(line) <= width for line in text.splitlines() if "\x1b" not in line)
    return text


def test_in_a_terminal() -> None:
    """The longest fills the line; without colours, groups are told apart by how they are filled."""
    plain = drawn(80, color_system=None)
    first, second = plain.splitlines()[2:4]
    assert first.startswith("11-29 Sun  █")
    assert first.rstrip().endswith("4.0000 USD")
    assert abs(first.count("█") - 3 * first.count("▓")) <= 2
    assert first.count("█") > second.count("█") > 0
    assert "▒" in second
    assert "a  4.0000 USD  73 %" in plain
    coloured = drawn(80, color_system="standard", force_terminal=True)
    assert "\x1b[34m█" in coloured
    assert "▓" not in coloured
    assert "█" in drawn(30, color_system=None)


def test_in_a_terminal_that_knows_no_blocks() -> None:
    class Ascii(io.StringIO):
        encoding = "ascii"  # type: ignore[assignment]

    console = Console(width=80, file=Ascii(), color_system=None)
    with console.capture() as captured:
        console.print(terminal_chart(chart_of(answer(TWO_DAYS, step="day"), "cost"), console))
    assert captured.get().isascii()
    assert "###" in captured.get()
