"""A plot of usage: what is drawn, and how a terminal draws it."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from lambent.cli.usage_figures import (
    MEASURES,
    amounts_of,
    bytes_text,
    measured_text,
    money,
    places_of,
    plain_text,
    stretch_labels,
)

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

SERIES_MAX = 7
"""Groups that have a colour of their own; the others share one more."""

_COLOURS = ("blue", "yellow", "green", "magenta", "cyan", "red", "white", "bright_blue")
_REST_COLOUR = "bright_black"
_FILLS = "█▓▒░▞▚▤▥"
_ASCII_FILLS = "#=+*o:-."
"""Told apart without colours."""

_BAR_MIN = 10


class Series(NamedTuple):
    """One group over time."""

    name: str
    values: Sequence[float]
    """One of each stretch."""
    is_rest: bool

    @property
    def total(self) -> float:
        return sum(self.values)


class Chart(NamedTuple):
    """Stacked bars."""

    title: str
    labels: Sequence[str]
    """One of each bar."""
    series: Sequence[Series]
    """The largest first."""
    text: Callable[[float], str]
    """Writes a value with its unit."""
    axis: Callable[[float], str]
    """Writes a value at an axis."""

    @property
    def sums(self) -> list[float]:
        """How high each bar is."""
        return [sum(one.values[at] for one in self.series) for at in range(len(self.labels))]


def chart_of(answer: Mapping[str, Any], measure: str, *, most: int = SERIES_MAX) -> Chart:
    """
    Return what is drawn of an answer.

    Args:
        measure: one of `MEASURES`.
        most: how many groups are told apart.
    """
    wanted = MEASURES[measure]
    unit = "" if wanted.unit == "B" else wanted.unit.format(answer["currency"])
    places = {at: number for number, at in enumerate(answer["stretches"])}
    amounts = amounts_of(answer["rows"], by=answer["by"], by_stretch=True, most=most, ranked_by=wanted.figure)
    has_accounts = answer["by"] != "account" and len({one.account for one in amounts if one.account}) > 1
    values: dict[tuple[str, bool], list[float]] = {}
    for one in amounts:
        name = f"{one.group} ({one.account})" if has_accounts and one.account else one.group
        bars = values.setdefault((name, one.is_rest), [0.0] * len(places))
        bars[places[one.at]] += float(one.figures[wanted.figure] or 0)
    series = [Series(name, bars, is_rest) for (name, is_rest), bars in values.items()]
    series.sort(key=lambda one: (one.is_rest, -one.total, one.name))
    largest = max((sum(bars) for bars in zip(*values.values(), strict=True)), default=0.0)
    return Chart(
        f"{wanted.title}{unit and f' ({unit})'} by {answer['by']}",
        stretch_labels(answer["stretches"], answer["step"]),
        [one for one in series if one.total or len(series) == 1],
        measured_text(wanted, answer["currency"], places_of([money(largest)])),
        bytes_text if wanted.unit == "B" else plain_text,
    )


def lengths_of(values: Sequence[float], most: float, cells: int) -> list[int]:
    """
    Return of how many cells each part of a bar is: together as many as its sum needs, one at least for anything.

    Args:
        most: what all cells stand for.
    """
    total = sum(values)
    if total <= 0 or most <= 0:
        return [0] * len(values)
    whole = max(1, round(total / most * cells))
    lengths, done, before = [], 0.0, 0
    for value in values:
        done += value
        end = round(done / total * whole)
        lengths.append(end - before)
        before = end
    return lengths


def terminal_chart(chart: Chart, console: "Console") -> "RenderableType":
    """Return a bar for each stretch, from left to right, and who has which colour."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    ascii_only = console.options.ascii_only
    has_colours = console.color_system is not None
    block = "#" if ascii_only else "█"
    fills = _ASCII_FILLS if ascii_only else _FILLS

    def painted(at: int, length: int) -> Text:
        if has_colours:
            rest = chart.series[at].is_rest
            return Text(block * length, style=_REST_COLOUR if rest else _COLOURS[at % len(_COLOURS)])
        return Text(fills[at % len(fills)] * length)

    sums = chart.sums
    texts = [chart.text(value) for value in sums]
    labels = max(map(len, chart.labels), default=0)
    cells = max(_BAR_MIN, min(console.width, 120) - labels - max(map(len, texts), default=0) - 4)
    bars = Table.grid(padding=(0, 2))
    bars.add_column(no_wrap=True)
    bars.add_column(no_wrap=True)
    for number, label in enumerate(chart.labels):
        bar = Text()
        for at, length in enumerate(lengths_of([one.values[number] for one in chart.series], max(sums), cells)):
            bar += painted(at, length)
        # The figure stands at the end of its bar, where the eye is.
        bars.add_row(Text(label), bar + Text(f" {texts[number]}" if sums[number] else " -", style="dim"))
    legend = Table.grid(padding=(0, 2))
    legend.add_column(no_wrap=True)
    legend.add_column(overflow="fold")
    legend.add_column(justify="right", no_wrap=True)
    legend.add_column(justify="right", no_wrap=True)
    whole = sum(sums)
    for at, one in enumerate(chart.series):
        share = f"{one.total / whole * 100:.0f} %" if whole else "-"
        legend.add_row(painted(at, 2), Text(one.name), Text(chart.text(one.total)), Text(share))
    return Group(Text(chart.title, style="bold"), Text(""), bars, Text(""), legend)
