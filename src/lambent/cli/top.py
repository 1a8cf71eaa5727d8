"""`lambent top`: what functions do now."""

import json as json_
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from lambent.cli.client import DEFAULT_ENDPOINT, Endpoint, open_own_path
from lambent.cli.failure import CommandFailed
from lambent.cli.terminal import AsJson, print_json

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from lambent.clock import Clock

Look = tuple[float, Mapping[str, Any]]
"""When the server was asked, in monotonic seconds, and what it answered."""

SORTS = {
    "rate": "inv/s",
    "errors": "err/s",
    "throttles": "thr/s",
    "concurrency": "busy",
    "latency": "p95",
    "memory": "memory",
    "cold": "cold/s",
    "name": "function",
}
"""What can be sorted by, and the column's heading."""

_NAME_COLUMNS = 16
_COLUMNS = 120
"""Of the name at least, and of a table that goes into a file."""

_SHOWN_MAX = 200
"""Functions in one answer of --once and in a window that is high enough. Assumed: who has more sorts."""


class Row(NamedTuple):
    """One function in one interval."""

    name: str
    account: str
    region: str
    invocations_per_s: float
    errors_per_s: float
    throttles_per_s: float
    cold_starts_per_s: float
    concurrency: float
    """How many ran at once: what took its time in the interval, on average, and at least what runs at its end."""
    environments: int
    p50_ms: float | None
    p95_ms: float | None
    memory_mib: int
    memory_max_mib: int


def top(
    once: Annotated[bool, typer.Option("--once", metavar="", help="Show one interval and end: for scripts.")] = False,
    interval: Annotated[
        float, typer.Option(help="Seconds from one look to the next.", min=0.1, max=3600, metavar="S")
    ] = 2.0,
    sort: Annotated[str, typer.Option(help=f"By what: {', '.join(SORTS)}.", metavar="COLUMN")] = "rate",
    json: AsJson = False,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
) -> None:
    """
    Show what functions do now: how often they run, how long, how many at once, what fails, what they use.

    Figures are of the last interval. Ctrl-C ends it.
    """
    if sort not in SORTS:
        raise CommandFailed(f"--sort: {sort} is none of {', '.join(SORTS)}", exit_code=2)
    from lambent.clock import SystemClock

    clock = SystemClock()

    def look() -> Look:
        return clock.monotonic(), _ask(endpoint)

    before = look()
    if once or json:
        _wait(interval, clock)
        now = look()
        rows = sorted_rows(rows_of(before, now), sort)
        if json:
            print_json([row._asdict() for row in rows])
        else:
            from rich.console import Console

            console = Console()
            if not console.is_terminal:
                console.width = _COLUMNS
            console.print(table_of(rows[:_SHOWN_MAX], sort))
        return
    _follow(look, before, interval, sort, clock)


def _follow(look: Callable[[], Look], before: Look, interval: float, sort: str, clock: "Clock") -> None:
    """Draw anew after each interval until somebody interrupts."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console()
    try:
        # What is shown stands when it ends, on a screen as in a file.
        with Live(Text("looking ..."), console=console, auto_refresh=False) as live:
            while True:
                _wait(interval, clock)
                now = look()
                rows = sorted_rows(rows_of(before, now), sort)
                # Headings, rules and the line below.
                fit = max(1, console.height - 6) if console.is_terminal else _SHOWN_MAX
                live.update(table_of(rows[:fit], sort, left_out=len(rows) - fit), refresh=True)
                before = now
    except KeyboardInterrupt:
        raise typer.Abort from None


def rows_of(before: Look, now: Look) -> list[Row]:
    """
    Return what came to be between two looks, by function.

    A server that was started anew meanwhile has counted less than before: then all it has counted is new.
    """
    seconds = max(now[0] - before[0], 1e-3)
    edges: Sequence[float] = now[1]["edges_ms"]
    earlier = {_key(one): one for one in before[1]["functions"]}
    rows = []
    for one in now[1]["functions"]:
        old = earlier.get(_key(one))
        if old is not None and any(new < was for new, was in zip(_counts(one), _counts(old), strict=True)):
            old = None

        def rate(name: str, one: Any = one, old: Any = old) -> float:
            return float(one[name] - (0 if old is None else old[name])) / seconds

        bins = list(one["durations"])
        if old is not None:
            bins = [new - was for new, was in zip(bins, old["durations"], strict=True)]
        rows.append(
            Row(
                one["name"] or "(others)",
                one["account"],
                one["region"],
                rate("invocations"),
                rate("errors"),
                rate("throttles"),
                rate("cold_starts"),
                max(rate("duration_ms") / 1000, float(one["busy"] + one["starting"])),
                one["busy"] + one["starting"] + one["idle"],
                percentile_ms(edges, bins, 50),
                percentile_ms(edges, bins, 95),
                one["memory_mib"],
                one["memory_max_mib"],
            )
        )
    return rows


def sorted_rows(rows: Sequence[Row], sort: str) -> list[Row]:
    """Return rows, the greatest first, by name where they are alike."""
    columns: Mapping[str, Callable[[Row], float]] = {
        "rate": lambda row: row.invocations_per_s,
        "errors": lambda row: row.errors_per_s,
        "throttles": lambda row: row.throttles_per_s,
        "concurrency": lambda row: row.concurrency,
        "latency": lambda row: row.p95_ms or 0.0,
        "memory": lambda row: row.memory_mib,
        "cold": lambda row: row.cold_starts_per_s,
        "name": lambda row: 0,
    }
    column = columns[sort]
    return sorted(rows, key=lambda row: (-column(row), row.name, row.account, row.region))


def percentile_ms(edges_ms: Sequence[float], bins: Sequence[int], percent: float) -> float | None:
    """
    Return below what a part of the durations lay, None without any: exact to the width of a bin.

    Args:
        edges_ms: upper ends of all bins but the last.
    """
    wanted = sum(bins) * percent / 100
    if not wanted:
        return None
    below, low = 0, 0.0
    for high, count in zip(edges_ms, bins, strict=False):
        if below + count >= wanted:
            return low + (high - low) * (wanted - below) / count
        below, low = below + count, high
    return low


def _key(one: Mapping[str, Any]) -> tuple[str, str, str]:
    return one["account"], one["region"], one["name"]


def _counts(one: Mapping[str, Any]) -> tuple[int, ...]:
    return one["invocations"], one["errors"], one["throttles"], one["cold_starts"]


def _wait(seconds: float, clock: "Clock") -> None:
    import asyncio

    asyncio.run(clock.sleep(seconds))


def table_of(rows: Sequence[Row], sort: str, left_out: int = 0) -> "Table":
    """
    Return what is shown.

    Args:
        left_out: how many functions have no row, for want of room.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    # Where all are of one account and region, nobody need be told.
    places = {(row.account, row.region) for row in rows}
    caption = f"{left_out} more" if left_out > 0 else None
    # So narrow that all of it fits on a screen of 80 columns: the box has a blank between columns already.
    table = Table(box=SIMPLE_HEAD, padding=0, pad_edge=False, caption=caption, caption_justify="left")
    table.add_column(_heading("function", sort), min_width=_NAME_COLUMNS, overflow="fold")
    for heading in ("account", "region") if len(places) > 1 else ():
        table.add_column(heading, overflow="fold")
    for heading in ("inv/s", "busy", "p50", "p95", "err/s", "thr/s", "cold/s", "memory"):
        table.add_column(_heading(heading, sort), justify="right", no_wrap=True)
    for row in rows:
        cells = [Text(row.name), *((Text(row.account), Text(row.region)) if len(places) > 1 else ())]
        table.add_row(
            *cells,
            _rate(row.invocations_per_s),
            f"{_busy(row.concurrency)}/{row.environments}",
            _duration(row.p50_ms),
            _duration(row.p95_ms),
            Text(_rate(row.errors_per_s), style="red" if row.errors_per_s else ""),
            Text(_rate(row.throttles_per_s), style="yellow" if row.throttles_per_s else ""),
            _rate(row.cold_starts_per_s),
            f"{row.memory_mib}/{row.memory_max_mib}M" if row.environments else "-",
        )
    return table


def _heading(heading: str, sort: str) -> "Text":
    from rich.text import Text

    return Text(heading, style="reverse" if heading == SORTS[sort] else "")


def _rate(value: float) -> str:
    return "-" if not value else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _busy(concurrency: float) -> str:
    """Return two figures of it: `0.02`, `1.5`, `12`; what hardly runs is 0, as what runs not at all."""
    return f"{round(concurrency, 2 if concurrency < 1 else 1 if concurrency < 10 else 0):g}"


def _duration(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "-"
    if milliseconds < 1000:
        return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.1f} s"


def _ask(endpoint: str) -> Mapping[str, Any]:
    """
    Ask what functions have done.

    Raises:
        CommandFailed: nobody answers, or the answer is a refusal.
    """
    from http.client import HTTPException

    try:
        with open_own_path(endpoint, "functions") as answer:
            found: Mapping[str, Any] = json_.load(answer)
            return found
    except (OSError, HTTPException, ValueError) as error:
        raise CommandFailed(f"{endpoint}: this is no Lambent server") from error
