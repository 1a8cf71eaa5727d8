"""Tables of usage for a terminal: as many columns as fit, the less important ones left out first."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from lambent.cli.usage_figures import (
    Amount,
    bytes_text,
    money,
    money_text,
    name_of,
    places_of,
    printable,
    quantity_text,
    seconds_text,
    stretch_labels,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_NAME_MIN = 16
"""Of a terminal's columns, for a group's name."""

_WIDE = 200
"""Of a table that goes into a file: nothing is left out."""


class _Column(NamedTuple):
    heading: str
    weight: int
    """Those that weigh least are left out first."""
    text: Callable[[Mapping[str, Any]], str]
    is_wanted: Callable[[Mapping[str, Any]], Any] = lambda total: True
    """Whether there is something to see, by the total."""


def console_of() -> "Console":
    """Return a console that is wide enough where nobody looks at it."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = _WIDE
    return console


def table_of(answer: Mapping[str, Any], amounts: Sequence[Amount], width: int) -> "Table":
    """
    Return the table of an answer.

    Args:
        amounts: its rows.
        width: columns of the terminal.
    """
    total = answer["total"]
    named = _Cells(printable(answer["by"], 40), [one.group for one in amounts], "total", is_name=True)
    lead = [named]
    if answer["by"] != "account" and len({one.account for one in amounts if one.account}) > 1:
        lead.append(_Cells("account", [one.account for one in amounts]))
    if any(one.at for one in amounts):
        lead.insert(0, _Cells(answer["step"], stretch_labels([one.at for one in amounts], answer["step"])))
    columns = [column for column in _columns(amounts, total, answer["currency"]) if column.is_wanted(total)]
    cells = [
        _Cells(
            column.heading,
            [column.text(one.figures) for one in amounts],
            column.text(total),
            is_number=True,
            weight=column.weight,
        )
        for column in columns
    ]
    return drawn([*lead, *cells], width)


def _columns(amounts: Sequence[Amount], total: Mapping[str, Any], currency: str) -> list[_Column]:
    def cost(name: str) -> Callable[[Mapping[str, Any]], str]:
        values = [money(one.figures[name]) for one in amounts if one.figures.get(name) is not None]
        places = places_of([*values, money(total[name] or 0)])
        return lambda figures: money_text(None if figures.get(name) is None else money(figures[name]), places)

    def count(name: str) -> Callable[[Mapping[str, Any]], str]:
        return lambda figures: f"{figures[name]:,}"

    def quantity(name: str) -> Callable[[Mapping[str, Any]], str]:
        return lambda figures: quantity_text(figures[name])

    return [
        _Column("requests", 10, count("requests")),
        _Column("errors", 6, count("errors")),
        _Column("cold", 3, count("cold_starts")),
        _Column("billed", 4, lambda one: seconds_text(one["billed_ms"] / 1000)),
        _Column("GB-s", 7, quantity("gb_seconds")),
        _Column("kept GB-s", 5, quantity("provisioned_gb_seconds"), lambda total: total["provisioned_gb_seconds"]),
        _Column("/tmp GB-s", 2, quantity("tmp_gb_seconds"), lambda total: total["tmp_gb_seconds"]),
        _Column("streamed", 2, lambda one: bytes_text(one["streamed_bytes"]), lambda total: total["streamed_bytes"]),
        _Column("CPU s", 1, quantity("cpu_seconds")),
        _Column("peak MiB", 1, count("memory_peak_mib")),
        _Column(f"AWS {currency}", 10, cost("aws_cost")),
        _Column(f"here {currency}", 8, cost("here_cost"), lambda total: total["here_cost"] is not None),
    ]  # fmt: skip


class _Cells(NamedTuple):
    """A column of a table, written."""

    heading: str
    texts: Sequence[str]
    total: str = ""
    is_name: bool = False
    """Whether it may be broken into lines."""
    is_number: bool = False
    weight: int = 10
    """Those that weigh least are left out first, where there is no room; those of 10 never."""

    @property
    def width(self) -> int:
        """The least that it needs, and what is between it and the next one."""
        whole = max(map(len, (self.heading, self.total, *self.texts)))
        return (min(whole, _NAME_MIN) if self.is_name else whole) + 2


def _fitting(columns: Sequence[_Cells], width: int) -> list[_Cells]:
    """Return those columns that there is room for, in their order."""
    kept = sorted(range(len(columns)), key=lambda at: -columns[at].weight)
    while columns[kept[-1]].weight < 10 and sum(columns[at].width for at in kept) > width:
        kept.pop()
    return [columns[at] for at in sorted(kept)]


def drawn(all_columns: Sequence[_Cells], width: int) -> "Table":
    """Return a table of what fits, whose cells are shown as they are: no markup in them is obeyed."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    columns = _fitting(all_columns, width)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_footer=any(one.total for one in columns))
    for one in columns:
        table.add_column(
            Text(one.heading),
            Text(one.total, style="bold"),
            justify="right" if one.is_number else "left",
            no_wrap=not one.is_name,
            overflow="fold" if one.is_name else "ellipsis",
        )
    for number in range(len(columns[0].texts)):
        table.add_row(*(Text(one.texts[number]) for one in columns))
    return table


def records_table(records: Sequence[Mapping[str, Any]], width: int) -> "Table":
    """Return the table of records."""

    def cells(heading: str, weight: int, text: Callable[[Mapping[str, Any]], str], *, is_number: bool = True) -> _Cells:
        return _Cells(heading, [text(one) for one in records], is_number=is_number, weight=weight)

    columns = [
        cells("at", 9, lambda one: one["at"][:23].replace("T", " "), is_number=False),
        cells("function", 10, _ran, is_number=False)._replace(is_name=True),
        cells("request id", 5, lambda one: printable(one["request_id"], 36), is_number=False),
        cells("ms", 8, lambda one: f"{one['duration_ms']:,.1f}"),
        cells("init ms", 4, lambda one: f"{one['init_ms']:,.1f}" if one["init_ms"] else "-"),
        cells("billed ms", 10, lambda one: f"{one['billed_ms']:,}"),
        cells("CPU ms", 3, lambda one: f"{one['cpu_ms']:,.1f}"),
        cells("memory", 6, lambda one: f"{one['memory_peak_mib']}/{one['memory_mib']}M"),
    ]
    if any(one["tenant"] for one in records):
        columns.insert(2, cells("tenant", 7, lambda one: name_of(one["tenant"], "tenant"), is_number=False))
    if any(one["streamed_bytes"] for one in records):
        columns.append(cells("streamed", 2, lambda one: bytes_text(one["streamed_bytes"])))
    if any(one["status"] for one in records):
        columns.append(cells("status", 7, lambda one: one["status"] or "-", is_number=False))
    return drawn(columns, width)


def _ran(record: Mapping[str, Any]) -> str:
    """Return what ran: `f:live (7)` where an alias led to it."""
    function, version, qualifier = record["function"], record["version"], record["qualifier"]
    if qualifier and qualifier != version:
        return printable(f"{function}:{qualifier} ({version})")
    return printable(function if version == "$LATEST" else f"{function}:{version}")


def advice_table(answer: Mapping[str, Any], width: int) -> "Table":
    """Return the table of advice, what saves most first."""
    rows = sorted(answer["rows"], key=lambda row: (-saving_of(row), row["group"], row["account"], row["region"]))
    places = places_of(money(row["current"]["cost_per_million"]) for row in rows)

    def cells(heading: str, weight: int, text: Callable[[Mapping[str, Any]], str], *, is_number: bool = True) -> _Cells:
        return _Cells(heading, [text(row) for row in rows], is_number=is_number, weight=weight)

    def size(row: Mapping[str, Any], which: str) -> str:
        at = row[which]
        return "-" if at is None else f"{at['memory_mib']} MiB"

    def cost(row: Mapping[str, Any], which: str) -> str:
        at = row[which]
        return "-" if at is None else money_text(money(at["cost_per_million"]), min(places, 4))

    def took(row: Mapping[str, Any], which: str) -> str:
        at = row[which]
        return "-" if at is None else f"{at['billed_ms']:,.1f}"

    by, currency = answer["by"], answer["currency"]
    columns = [
        cells(printable(by, 40), 10, lambda row: name_of(row["group"], by), is_number=False)._replace(is_name=True),
        cells("calls", 2, lambda row: f"{row['count']:,}"),
        cells("has", 9, lambda row: size(row, "current")),
        cells("used", 4, lambda row: f"{row['memory_peak_mib']} MiB"),
        cells("ms", 3, lambda row: took(row, "current")),
        cells(f"{currency}/million", 7, lambda row: cost(row, "current")),
        cells("better", 10, lambda row: size(row, "suggested")),
        cells("ms", 3, lambda row: took(row, "suggested")),
        cells(f"{currency}/million", 7, lambda row: cost(row, "suggested")),
        cells("saves", 9, lambda row: f"{saving_of(row) * 100:.0f} %" if row["suggested"] else "-"),
        cells("why", 5, lambda row: printable(row["reason"]), is_number=False)._replace(is_name=True),
    ]
    if len({row["account"] for row in rows}) > 1:
        columns.insert(1, cells("account", 8, lambda row: row["account"], is_number=False))
    if len({row["region"] for row in rows}) > 1:
        columns.insert(1, cells("region", 6, lambda row: printable(row["region"]), is_number=False))
    return drawn(columns, width)


def saving_of(row: Mapping[str, Any]) -> float:
    """Return which part of its cost a piece of advice saves."""
    if row["suggested"] is None:
        return 0.0
    now, then = (money(row[which]["cost_per_million"]) for which in ("current", "suggested"))
    return float(1 - then / now) if now else 0.0
