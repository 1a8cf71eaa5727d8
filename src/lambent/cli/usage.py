"""`lambent usage`: what functions used, what AWS would have charged for it, and what it cost here."""

import csv as csv_
import json as json_
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from lambent.cli.client import DEFAULT_ENDPOINT, Endpoint, open_own_path
from lambent.cli.failure import CommandFailed
from lambent.cli.terminal import AsJson, print_json
from lambent.cli.usage_figures import MEASURES, money

if TYPE_CHECKING:
    from http.client import HTTPResponse

COLUMNS = (
    "at", "group", "account", "requests", "errors", "cold_starts", "duration_ms", "billed_ms", "gb_seconds",
    "tmp_gb_seconds", "provisioned_gb_seconds", "streamed_bytes", "billable_streamed_bytes", "cpu_seconds",
    "memory_peak_mib", "aws_cost", "here_cost", "currency",
)  # fmt: skip
"""Of --csv. They stay as they are; new ones come at the end."""

RECORD_COLUMNS = (
    "number", "request_id", "at", "account", "region", "function", "version", "qualifier", "tenant", "memory_mib",
    "tmp_mib", "architecture", "kind", "runtime", "duration_ms", "init_ms", "billed_ms", "cpu_ms", "memory_peak_mib",
    "streamed_bytes", "status", "is_restored",
)  # fmt: skip
"""Of --records --csv, likewise."""

_GROUPS, _RECORDS = 25, 100
"""That a table shows, where nothing else is said."""

_PAGE = 1_000
_CHUNK_BYTES = 65_536
_TIMEOUT_S = 300.0
"""For a piece of an export. Assumed: a day of 50,000 groups is added up within."""

_MONTH = re.compile(r"20\d\d-(?:0[1-9]|1[0-2])", re.ASCII)
_MONTHS = {"this": "this-month", "last": "last-month"}
_PARAMETERS = ("from", "to", "by", "step", "timezone", "function", "account", "region", "tag")
_BAD = re.compile(rf"({'|'.join(_PARAMETERS)}): ")

_SHAPES = ("csv", "json", "focus", "plot", "svg", "html", "records", "advice", "prices")
_TOGETHER = ({"svg", "html", "plot"}, {"records", "csv"}, {"records", "json"}, {"advice", "json"})
"""Of --csv and the like, those that go together."""

_STEPS = ((3 * 3600, "minute"), (3 * 86_400, "hour"), (100 * 86_400, "day"))
"""What a plot is by, for a time that is no longer."""


class _Asked(NamedTuple):
    """What is asked for, as the server is asked."""

    endpoint: str
    query: Sequence[tuple[str, str]]

    def having(self, **more: str) -> "_Asked":
        kept = [(name, value) for name, value in self.query if name not in more]
        return self._replace(query=[*kept, *more.items()])

    def only(self, *names: str) -> "_Asked":
        return self._replace(query=[(name, value) for name, value in self.query if name in names])


def usage(
    by: Annotated[
        str,
        typer.Option(
            help="What it is told apart by: function, version, alias, tag:KEY, tenant, account or region.",
            metavar="WHAT",
        ),
    ] = "function",
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="A day (2026-11-30), a month (2026-11), a time (2026-11-30T12:00), today, yesterday, or so long ago: "
            "24h, 7d. By default the first of this month.",
            metavar="TIME",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            help="Likewise; a day or a month is included. By default now.", metavar="TIME", show_default=False
        ),
    ] = None,
    month: Annotated[
        str | None, typer.Option(help="A whole month: 2026-11, this or last.", metavar="MONTH", show_default=False)
    ] = None,
    step: Annotated[
        str | None,
        typer.Option(
            help="Tell stretches apart: minute, hour, day or month. By default one total; plots choose for themselves.",
            metavar="STEP",
            show_default=False,
        ),
    ] = None,
    timezone: Annotated[
        str, typer.Option(help="Whose days and months they are, such as Europe/Berlin.", metavar="ZONE")
    ] = "UTC",
    function: Annotated[str | None, typer.Option(help="Of this function alone.", metavar="NAME")] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="Of functions with this tag alone; repeatable.", metavar="KEY=VALUE")
    ] = None,
    region: Annotated[str | None, typer.Option(help="Of this region alone.", metavar="NAME")] = None,
    account: Annotated[
        str | None,
        typer.Option(help="Of another account, or of `all`, for the operator. By default one's own.", metavar="ID"),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            help=f"Show so many groups, of --records so many records. \\[default: {_GROUPS}, {_RECORDS}]",
            min=1,
            max=100_000,
            metavar="N",
            show_default=False,
        ),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", metavar="", help="Print CSV with a line of headings.")] = False,
    json: AsJson = False,
    plot: Annotated[bool, typer.Option("--plot", metavar="", help="Draw bars in the terminal.")] = False,
    svg: Annotated[Path | None, typer.Option(help="Write a plot as a picture.", metavar="FILE")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with a plot and a table, to be sent or printed.", metavar="FILE")
    ] = None,
    of: Annotated[
        str | None,
        typer.Option(
            help=f"What a plot is of: {', '.join(MEASURES)}. By default the cost, GB-seconds where all was free.",
            metavar="FIGURE",
            show_default=False,
        ),
    ] = None,
    focus: Annotated[
        Path | None,
        typer.Option(
            help="Write cost and usage by the day in the columns of FOCUS, as CSV; - prints it.", metavar="FILE"
        ),
    ] = None,
    records: Annotated[
        bool, typer.Option("--records", metavar="", help="Show each invocation instead of sums.")
    ] = False,
    advice: Annotated[
        bool, typer.Option("--advice", metavar="", help="Show which memory size would be the cheapest.")
    ] = False,
    prices: Annotated[
        bool, typer.Option("--prices", metavar="", help="Print the prices in force, as --price-file takes them.")
    ] = False,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
) -> None:
    """
    Show what functions used, what AWS would have charged for it, and what it cost here.

    What a function costs here is known where the server has --machine-cost-per-hour.

    Examples: `lambent usage --month last --by tag:team`, `lambent usage --from 7d --plot`, `lambent usage --function
    resize --from today --records`, `lambent usage --by account --month 2026-11 --csv`.
    """
    given = {
        "csv": csv, "json": json, "plot": plot, "svg": svg, "html": html, "focus": focus, "records": records,
        "advice": advice, "prices": prices,
    }  # fmt: skip
    shapes = {name for name, value in given.items() if value}
    _check_shapes(shapes)
    if of is not None and not shapes & {"plot", "svg", "html"}:
        raise CommandFailed("--of says what a plot is of: give --plot, --svg or --html as well", exit_code=2)
    if top is not None:
        _check_top(shapes)
    if of is not None and of not in MEASURES:
        raise CommandFailed(f"--of: {of} is none of {', '.join(MEASURES)}", exit_code=2)
    from_, to = _month_of(month, from_, to)
    named = (
        ("by", None if by == "function" else by), ("from", from_), ("to", to), ("step", step),
        ("timezone", None if timezone == "UTC" else timezone), ("function", function), ("account", account),
        ("region", region), *(("tag", one) for one in tag or ()),
    )  # fmt: skip
    asked = _Asked(endpoint, [(name, value) for name, value in named if value is not None])
    if prices:
        _check_used(asked, (), "--prices")
        print(_text(asked, "usage/prices"), end="")
    elif focus is not None:
        _check_used(asked, ("from", "to", "function", "account", "region", "tag"), "--focus")
        _write_focus(asked, focus)
    elif records:
        _check_used(asked, ("from", "to", "timezone", "function", "account", "region", "tag"), "--records")
        _show_records(asked, top, csv=csv, json=json)
    elif advice:
        _check_used(asked, ("from", "to", "by", "timezone", "function", "account", "region", "tag"), "--advice")
        _show_advice(asked, json=json)
    elif csv or json:
        answer = _ask(asked, "usage")
        if json:
            print_json(answer)
        else:
            _print_csv(COLUMNS, ({**row, "currency": answer["currency"]} for row in answer["rows"]))
    elif plot or svg is not None or html is not None:
        _draw(asked, of, top, plot=plot, svg=svg, html=html)
    else:
        _show(_ask(asked, "usage"), top or _GROUPS)


# --- what is asked ---------------------------------------------------------------------------------------------------


def _check_shapes(given: set[str]) -> None:
    if len(given) > 1 and not any(given <= together for together in _TOGETHER):
        names = " and ".join(f"--{name}" for name in _SHAPES if name in given)
        raise CommandFailed(f"{names} do not go together", exit_code=2)


def _check_top(shapes: set[str]) -> None:
    without = {"focus", "advice", "prices"} if "records" in shapes else {"focus", "advice", "prices", "csv", "json"}
    for name in sorted(shapes & without):
        raise CommandFailed(f"--top has no meaning with --{name}, which has all", exit_code=2)


def _check_used(asked: _Asked, names: Sequence[str], option: str) -> None:
    for name, _ in asked.query:
        if name not in names:
            raise CommandFailed(f"--{name} has no meaning with {option}", exit_code=2)


def _month_of(month: str | None, from_: str | None, to: str | None) -> tuple[str | None, str | None]:
    if month is None:
        return from_, to
    if from_ is not None or to is not None:
        raise CommandFailed("--month is a --from and a --to in one: give either", exit_code=2)
    named = _MONTHS.get(month, month)
    if named == month and not _MONTH.fullmatch(month):
        raise CommandFailed(f"--month: {month!r} is no month such as 2026-11, nor `this` or `last`", exit_code=2)
    return named, named


def _open(asked: _Asked, path: str, timeout_s: float = _TIMEOUT_S) -> "HTTPResponse":
    """Ask; what the server says of a parameter is said of the option."""
    try:
        return open_own_path(asked.endpoint, path, asked.query, timeout_s=timeout_s)
    except CommandFailed as error:
        text = str(error)
        if not _BAD.match(text):
            raise
        raise CommandFailed(f"--{text}", exit_code=error.exit_code) from error


def _text(asked: _Asked, path: str) -> str:
    from http.client import HTTPException

    try:
        with _open(asked, path) as answer:
            return answer.read().decode()
    except (OSError, HTTPException, ValueError) as error:
        raise CommandFailed(f"{asked.endpoint}: this is no Lambent server") from error


def _ask(asked: _Asked, path: str) -> Mapping[str, Any]:
    """
    Return an answer of the server.

    Raises:
        CommandFailed: nobody answers, or the answer is a refusal.
    """
    try:
        answer: Mapping[str, Any] = json_.loads(_text(asked, path))
    except ValueError as error:
        raise CommandFailed(f"{asked.endpoint}: this is no Lambent server") from error
    return answer


# --- what is shown ---------------------------------------------------------------------------------------------------


def _show(answer: Mapping[str, Any], most: int) -> None:
    from rich.text import Text

    from lambent.cli.usage_figures import amounts_of
    from lambent.cli.usage_summary import summary_of, title_of
    from lambent.cli.usage_table import console_of, table_of

    console = console_of()
    console.print(Text(title_of(answer), style="bold"))
    if answer["rows"]:
        amounts = amounts_of(answer["rows"], by=answer["by"], by_stretch=answer["step"] != "total", most=most)
        console.print(table_of(answer, amounts, console.width))
    else:
        console.print(Text("nothing was used"))
    for line in summary_of(answer):
        console.print(Text(line))


def _draw(asked: _Asked, of: str | None, most: int | None, *, plot: bool, svg: Path | None, html: Path | None) -> None:
    from rich.text import Text

    from lambent.cli.usage_chart import SERIES_MAX, chart_of, terminal_chart
    from lambent.cli.usage_picture import html_of, svg_of
    from lambent.cli.usage_summary import page_of, summary_of, title_of
    from lambent.cli.usage_table import console_of

    whole = _ask(asked.having(step="total"), "usage")
    if of == "here" and whole["total"]["here_cost"] is None:
        raise CommandFailed("--of here: the server knows no --machine-cost-per-hour", exit_code=2)
    if of is None:
        of = "cost" if money(whole["total"]["aws_cost"]) or not whole["total"]["requests"] else "gb-seconds"
    steps = [value for name, value in asked.query if name == "step"]
    answer = _ask(asked.having(step=steps[0] if steps else _step_for(whole)), "usage")
    chart = chart_of(answer, of, most=min(most or SERIES_MAX, SERIES_MAX))
    if svg is not None:
        _write(svg, svg_of(chart, title_of(answer)).encode())
    if html is not None:
        _write(html, html_of(chart, page_of(whole, most or _GROUPS)).encode())
    if plot:
        console = console_of()
        console.print(Text(title_of(answer), style="bold"))
        console.print(terminal_chart(chart, console))
        console.print()
        for line in summary_of(whole):
            console.print(Text(line))
    else:
        for path in (svg, html):
            if path is not None:
                print(path)


def _step_for(answer: Mapping[str, Any]) -> str:
    """Return what a plot is by: some dozens of bars."""
    begin, end = (datetime.fromisoformat(answer[name]) for name in ("from", "to"))
    seconds = (end - begin).total_seconds()
    return next((step for most, step in _STEPS if seconds <= most), "month")


def _show_records(asked: _Asked, most: int | None, *, csv: bool, json: bool) -> None:
    if csv:
        _print_csv(RECORD_COLUMNS, _records(asked, most))
        return
    if json:
        print_json(list(_records(asked, most)))
        return
    from lambent.cli.usage_table import console_of, records_table

    most = most or _RECORDS
    # One more, to know whether there is one.
    found = list(_records(asked, most + 1))
    if not found:
        print("no invocations in that time, or their records are kept no longer")
        return
    console = console_of()
    console.print(records_table(found[:most], console.width))
    if len(found) > most:
        print("there are more: --top N shows so many, --csv all; --from and --function narrow it")


def _records(asked: _Asked, most: int | None) -> Iterator[Mapping[str, Any]]:
    """Yield records, page by page."""
    left, after = most, 0
    while left is None or left > 0:
        limit = _PAGE if left is None else min(left, _PAGE)
        answer = _ask(asked.having(after=str(after), limit=str(limit)), "usage/records")
        yield from answer["records"]
        if answer["after"] is None:
            return
        after = answer["after"]
        left = None if left is None else left - len(answer["records"])


def _show_advice(asked: _Asked, *, json: bool) -> None:
    answer = _ask(asked, "usage/advice")
    if json:
        print_json(answer)
    elif answer["rows"]:
        from lambent.cli.usage_table import advice_table, console_of

        console = console_of()
        console.print(advice_table(answer, console.width))
    else:
        print("no advice: nothing ran in that time")


def _print_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    # As it is: the signs that tags, tenants and names may consist of make no formula that a sheet would run.
    writer = csv_.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if row[name] is None else row[name] for name in columns])


def _write_focus(asked: _Asked, file: Path) -> None:
    with _open(asked, "usage/focus") as answer:
        if answer.headers.get_content_type() != "text/csv":
            raise CommandFailed(f"{asked.endpoint}: this is no Lambent server")
        if str(file) == "-":
            sys.stdout.flush()
            _copy(answer, sys.stdout.buffer.write, asked.endpoint)
            sys.stdout.buffer.flush()
            return
        partial = file.with_name(file.name + ".partial")
        try:
            with partial.open("wb") as out:
                _copy(answer, out.write, asked.endpoint)
            partial.replace(file)
        except BaseException as error:
            partial.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise _unwritten(file, error) from error
            raise
    print(file)


def _copy(answer: "HTTPResponse", write: Callable[[bytes], Any], endpoint: str) -> None:
    from http.client import HTTPException

    while True:
        try:
            piece = answer.read(_CHUNK_BYTES)
        except (OSError, HTTPException) as error:
            raise CommandFailed(f"{endpoint}: the connection broke: what came is not all of it") from error
        if not piece:
            return
        write(piece)


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise _unwritten(file, error) from error


def _unwritten(file: Path, error: OSError) -> CommandFailed:
    return CommandFailed(f"{file}: {error.strerror or error}", exit_code=2)
