"""`lambent trace`: where the time of one request went, from the X-Ray API."""

import json as json_
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import typer

from lambent.cli.client import DEFAULT_ENDPOINT, Endpoint, answers, connect
from lambent.cli.failure import CommandFailed
from lambent.cli.terminal import AsJson, print_json

LOOK_BACK_S = 6 * 3600
"""Documented: X-Ray quotas: what GetTraceSummaries looks through at once."""

_TRACE_ID = re.compile(r"(?:.*?Root=)?1-([0-9a-fA-F]{8})-([0-9a-fA-F]{24})(?:;.*)?|([0-9a-fA-F]{8})([0-9a-fA-F]{24})")
_FUNCTION = re.compile(r"[a-zA-Z0-9-_]{1,64}")

_BAR_MIN, _BAR_MAX = 20, 60
_NAME_MAX = 60
_REMARK_MAX = 160
_FIGURES = 16
"""Characters that the figures and what lies between the columns take."""

_STATES = {"fault": "red", "throttle": "magenta", "error": "yellow", "running": "blue", "": "green"}
"""What can be the matter with a segment, the worst first, and its colour."""


class Row(NamedTuple):
    """One segment or subsegment on its line."""

    branches: str
    """What leads to it from above: `│  ├─ `."""
    name: str
    began: float
    ended: float
    """Of one that has not ended: the end of the last that has."""
    state: str
    remark: str


def trace(
    trace_id: Annotated[
        str | None,
        typer.Argument(
            metavar="ID", help="A trace's id, a header with one, or 32 hexadecimal digits.", show_default=False
        ),
    ] = None,
    function: Annotated[
        str | None, typer.Option(help="Show the newest trace of a function instead.", metavar="NAME")
    ] = None,
    json: AsJson = False,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
) -> None:
    """
    Show where the time of one request went: its segments, and what they consist of.

    Sampled requests alone have a trace: see REPORT in a function's log.
    """
    if (trace_id is None) is (function is None):
        raise CommandFailed("give a trace's ID, or --function NAME", exit_code=2)
    with answers(endpoint):
        client = connect("xray", endpoint)
        wanted = _newest_of(client, function) if trace_id is None and function is not None else parse_id(trace_id or "")
        found = client.batch_get_traces(TraceIds=[wanted])["Traces"]
    if not found:
        raise CommandFailed(f"there is no trace {wanted}: only sampled requests have one", exit_code=2)
    documents = [json_.loads(segment["Document"]) for segment in found[0]["Segments"]]
    if json:
        print_json({"Id": wanted, "Segments": documents})
    else:
        _print(wanted, rows_of(documents))


def parse_id(text: str) -> str:
    """
    Return a trace's id as X-Ray spells it.

    Raises:
        CommandFailed: the text is none.
    """
    match = _TRACE_ID.fullmatch(text.strip())
    if match is None:
        raise CommandFailed(f"{text!r} is no trace's id, such as 1-5759e988-bd862e3fe1be46a994272793", exit_code=2)
    return f"1-{match[1] or match[3]}-{match[2] or match[4]}".lower()


def _newest_of(client: Any, function: str) -> str:
    from lambent.clock import SystemClock

    if not _FUNCTION.fullmatch(function):
        raise CommandFailed(f"--function: {function!r} is no function's name", exit_code=2)
    now = SystemClock().now()
    pages = client.get_paginator("get_trace_summaries").paginate(
        StartTime=now - LOOK_BACK_S,
        EndTime=now,
        FilterExpression=f'service(id(name: "{function}", type: "AWS::Lambda"))',
    )
    summaries = [summary for page in pages for summary in page["TraceSummaries"]]
    if not summaries:
        why = f"there is no trace of the last {LOOK_BACK_S // 3600} hours"
        remedy = "only sampled requests have one: see TracingConfig in docs/traces.md"
        raise CommandFailed(f"{function}: {why}; {remedy}", exit_code=2)
    newest: str = max(summaries, key=lambda summary: summary["StartTime"])["Id"]
    return newest


def rows_of(documents: Sequence[Mapping[str, Any]]) -> list[Row]:
    """
    Return segments and what is below them, as a tree from top to bottom, each level in the order of its beginnings.

    Segments that X-Ray makes up for what was called and wrote none are left out: the call itself is there.
    """
    children: dict[str, list[Mapping[str, Any]]] = {}
    known: set[str] = set()
    waiting: list[tuple[Mapping[str, Any], str]] = [
        (document, document.get("parent_id", "")) for document in documents if not document.get("inferred")
    ]
    parents: list[tuple[Mapping[str, Any], str]] = []
    while waiting:
        one, parent = waiting.pop()
        known.add(one["id"])
        parents.append((one, parent))
        waiting += [(inner, one["id"]) for inner in one.get("subsegments") or ()]
    for one, parent in parents:
        # What the caller wrote may be elsewhere, or not there yet.
        children.setdefault(parent if parent in known else "", []).append(one)
    for those in children.values():
        those.sort(key=lambda one: (one["start_time"], one["id"]))
    last = max((one.get("end_time", one["start_time"]) for one, _ in parents), default=0.0)
    rows: list[Row] = []
    # The next one last: a list of what is still to be shown, and not a call for each level, of which there may be many.
    shown: set[str] = set()
    stack = [(one, "", "") for one in reversed(children.get("", ()))]
    while stack:
        one, lead, branch = stack.pop()
        if one["id"] in shown:
            continue
        shown.add(one["id"])
        rows.append(_row(one, lead + branch, last))
        below = children.get(one["id"], [])
        inner = lead + {"": "", "├─ ": "│  ", "└─ ": "   "}[branch]
        for number, child in enumerate(reversed(below)):
            stack.append((child, inner, "└─ " if number == 0 else "├─ "))
    return rows


def _row(one: Mapping[str, Any], branches: str, last: float) -> Row:
    is_running = one.get("in_progress") is True or "end_time" not in one
    state = next((state for state in ("fault", "throttle", "error") if one.get(state)), "running" if is_running else "")
    name = one["name"]
    if kind := one.get("origin"):
        name = f"{name} ({kind})"
    ended = last if is_running else max(one["end_time"], one["start_time"])
    return Row(branches, _printable(name, _NAME_MAX), one["start_time"], ended, state, _remark(one, state))


def _remark(one: Mapping[str, Any], state: str) -> str:
    said = [state] if state else []
    http = one.get("http")
    if isinstance(http, dict):
        request, response = http.get("request"), http.get("response")
        if isinstance(request, dict):
            said.append(f"{request.get('method', '')} {request.get('url', '')}".strip())
        if isinstance(response, dict) and "status" in response:
            said.append(str(response["status"]))
    cause = one.get("cause")
    exceptions = cause.get("exceptions") if isinstance(cause, dict) else None
    for exception in exceptions[:1] if isinstance(exceptions, list) else ():
        if isinstance(exception, dict):
            said.append(": ".join(str(exception[name]) for name in ("type", "message") if exception.get(name)))
    annotations = one.get("annotations")
    if isinstance(annotations, dict):
        said += [f"{name}={value}" for name, value in annotations.items()]
    if links := one.get("links"):
        said += [f"linked to {link.get('trace_id')}" for link in links if isinstance(link, dict)]
    return _printable("  ".join(said), _REMARK_MAX)


def _printable(text: str, most: int) -> str:
    """Return user data as a terminal may see it: on one line, and without orders to it."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def bar_of(row: Row, began: float, took: float, width: int) -> tuple[int, int]:
    """Return where the bar of a row begins, and how long it is: one character at least."""
    if took <= 0:
        return 0, width
    start = min(int((row.began - began) / took * width), width - 1)
    length = round((row.ended - row.began) / took * width)
    return start, max(1, min(length, width - start))


def _print(trace_id: str, rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    names = max(len(row.branches) + len(row.name) for row in rows)
    console = Console(highlight=False)
    if not console.is_terminal:
        # Whoever reads it has no width: nothing is left out.
        console = Console(highlight=False, width=names + _BAR_MAX + _REMARK_MAX + _FIGURES)
    began, ended = min(row.began for row in rows), max(row.ended for row in rows)
    at = datetime.fromtimestamp(began, UTC).astimezone()
    console.print(
        Text(f"{trace_id}  {at:%Y-%m-%d %H:%M:%S}.{int(began % 1 * 1000):03d}  {_milliseconds(ended - began)} ms")
    )
    names = min(names, max(_BAR_MIN, console.width - 2 * _BAR_MIN - _FIGURES))
    width = max(_BAR_MIN, min(_BAR_MAX, console.width - names - _BAR_MIN - _FIGURES))
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, width=names)
    table.add_column(no_wrap=True, width=width)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    block = "#" if console.options.ascii_only else "█"
    for row in rows:
        start, length = bar_of(row, began, ended - began, width)
        colour = _STATES[row.state]
        branches = row.branches.translate({0x2502: "|", 0x251C: "|", 0x2514: "`", 0x2500: "-"})
        table.add_row(
            Text(branches if console.options.ascii_only else row.branches, style="dim")
            + Text(row.name, style="not dim"),
            Text(" " * start + block * length, style=colour),
            Text(_milliseconds(row.ended - row.began)),
            Text(row.remark, style=colour if row.state else ""),
        )
    console.print(table)


def _milliseconds(seconds: float) -> str:
    return f"{max(0.0, seconds) * 1000:.1f}"
