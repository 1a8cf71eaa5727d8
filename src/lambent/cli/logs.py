"""`lambent logs`: a function's log, from the CloudWatch Logs API."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lambent.cli.client import DEFAULT_ENDPOINT, Endpoint, answers, connect
from lambent.cli.failure import CommandFailed
from lambent.cli.log_lines import coloured, kind_of, parse_level, plain, time_of
from lambent.cli.terminal import print_json_line

if TYPE_CHECKING:
    from lambent.clock import Clock

POLL_INTERVAL_S = 0.5
"""How soon `--follow` shows what was written: a call sees everything that was written before it."""

LOOK_BACK_MS = 5_000
"""How far behind the newest event `--follow` looks again: environments write side by side, so lines arrive late."""

LATE_MS = 60_000
"""
How late a line may be that `--follow` still shows, behind the server's clock: where a pattern matches little, it need
not search through everything again and again.
"""

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def logs(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Function name, or a log group's, with its slash.")],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", metavar="", help="Go on printing what arrives, until Ctrl-C.")
    ] = False,
    since: Annotated[
        str,
        typer.Option(help="Where to begin: a number and s, m, h, d or w; or a time in ISO 8601.", metavar="AGE|TIME"),
    ] = "10m",
    pattern: Annotated[
        str, typer.Option("--filter", help="Only what matches a filter pattern of CloudWatch Logs.", metavar="PATTERN")
    ] = "",
    level: Annotated[
        str, typer.Option(help="Only lines of this level and above: trace, debug, info, warn, error, fatal.")
    ] = "trace",
    colour: Annotated[str, typer.Option("--color", help="auto, always or never.", metavar="WHEN")] = "auto",
    json: Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object per event.")] = False,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
) -> None:
    """Print a function's log."""
    from lambent.clock import SystemClock

    clock = SystemClock()
    since_ms = parse_since(since, clock.now())
    least = parse_level(level)
    if least is None:
        raise CommandFailed(f"--level: {level!r} is none of trace, debug, info, warn, error, fatal", exit_code=2)
    has_colours = _has_colours(colour)
    with answers(endpoint):
        place = Place(name) if name.startswith("/") else _place_of(name, connect("lambda", endpoint))
        client = connect("logs", endpoint)
        reader = Reader(client, place.group, since_ms, pattern, place.owner)
        missing = f"there is no log group {place.group}" + (f": {place.missing}" if place.missing else "")
        is_told = False
        waits = _Patience(endpoint)
        try:
            while True:
                with waits if follow else nullcontext():
                    for event in reader.read_new(is_missing_fine=follow):
                        if kind_of(event["message"]).level >= least:
                            _print_event(event, json, has_colours)
                if not follow:
                    return
                if reader.is_missing and not is_told:
                    # A name that was mistyped would be waited for in silence.
                    print(f"lambent: {missing}; waiting for it", file=sys.stderr, flush=True)
                    is_told = True
                _pause(clock)
        except client.exceptions.ResourceNotFoundException as error:
            raise CommandFailed(missing, exit_code=2) from error


class _Patience:
    """Around each look at a server: one that was there and is away is told of once, and waited for."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._was_there = False
        self._is_away = False

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> bool:
        from botocore.exceptions import ConnectionError, HTTPClientError

        if not isinstance(error, ConnectionError | HTTPClientError) or not self._was_there:
            self._was_there, self._is_away = self._was_there or error is None, False
            return False
        if not self._is_away:
            print(f"lambent: {self._endpoint} does not answer; waiting for it", file=sys.stderr, flush=True)
            self._is_away = True
        return True


def parse_since(text: str, now: float) -> int:
    """
    Return the millisecond that an age such as `10m`, or a time such as `2026-11-25T14:30`, stands for.

    Args:
        text: a time without a zone is this machine's.

    Raises:
        CommandFailed: it is neither.
    """
    match = re.fullmatch(r"(\d{1,9})([smhdw])", text)
    if match is not None:
        return max(0, int((now - int(match[1]) * UNITS_S[match[2]]) * 1000))
    try:
        # One without a zone counts as local here.
        return max(0, int(datetime.fromisoformat(text).timestamp() * 1000))
    except (ValueError, OverflowError, OSError):
        said = "neither a number followed by s, m, h, d or w nor a time such as 2026-11-25T14:30:00Z"
        raise CommandFailed(f"--since: {text!r} is {said}", exit_code=2) from None


@dataclass(frozen=True)
class Place:
    """
    Where a log is.

    Attributes:
        group: the log group's name.
        owner: the function whose streams alone are meant, in a group that several may share; empty: all streams.
        missing: why there may be no such group; empty: nobody knows.
    """

    group: str
    owner: str = ""
    missing: str = ""


class Reader:
    """
    Reads a log group from one moment on, each event once.

    Args:
        client: botocore's client of CloudWatch Logs.
        group: the log group's name.
        from_ms: the first millisecond of interest.
        pattern: what events have to match; empty: nothing.
        owner: the function whose streams alone are of interest; empty: all are.
    """

    def __init__(self, client: Any, group: str, from_ms: int, pattern: str = "", owner: str = "") -> None:
        self._client = client
        self._group = group
        # Observed: so streams are named in a group of the user's choice: <day>/<function>[<version>]<environment>.
        self._mark = f"/{owner}[" if owner else ""
        self._from_ms = from_ms
        self._filter = {"filterPattern": pattern} if pattern else {}
        self._seen: dict[str, int] = {}
        self.is_missing = False
        """Whether there was no such group when it was last read."""

    def read_new(self, *, is_missing_fine: bool) -> Iterator[dict[str, Any]]:
        """
        Yield the events that no earlier call yielded, page by page as they arrive.

        Args:
            is_missing_fine: whether a group that does not exist counts as an empty one: it appears with the
                first invocation.
        """
        newest_ms = self._from_ms
        asked_at_ms: int | None = None
        self.is_missing = False
        try:
            pages = self._client.get_paginator("filter_log_events").paginate(
                logGroupName=self._group, startTime=self._from_ms, **self._filter
            )
            for page in pages:
                if asked_at_ms is None:
                    asked_at_ms = _answered_at_ms(page)
                for event in page["events"]:
                    newest_ms = max(newest_ms, event["timestamp"])
                    if event["eventId"] not in self._seen and self._mark in event["logStreamName"]:
                        self._seen[event["eventId"]] = event["timestamp"]
                        yield event
        except self._client.exceptions.ResourceNotFoundException:
            if not is_missing_fine:
                raise
            self.is_missing = True
        self._from_ms = max(self._from_ms, newest_ms - LOOK_BACK_MS, (asked_at_ms or 0) - LATE_MS)
        # Ids are kept for as long as the next request can return their events again, and no longer.
        self._seen = {event: time_ms for event, time_ms in self._seen.items() if time_ms >= self._from_ms}


def _answered_at_ms(page: dict[str, Any]) -> int | None:
    """Return when a page was answered, by the server's clock; None: it does not say."""
    date = page.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return int(parsedate_to_datetime(date).timestamp() * 1000) if date else None
    except ValueError:
        return None


def _place_of(name: str, client: Any) -> Place:
    """Return where a function's log is; that of a function that was deleted is still there."""
    try:
        configuration = client.get_function_configuration(FunctionName=name)
    except client.exceptions.ResourceNotFoundException:
        return Place(f"/aws/lambda/{name}", missing=f"nor is there a function {name}")
    function = configuration["FunctionName"]
    default = f"/aws/lambda/{function}"
    group = str(configuration.get("LoggingConfig", {}).get("LogGroup") or default)
    return Place(group, function if group != default else "", f"{function} has logged nothing yet")


def _has_colours(when: str) -> bool:
    if when not in {"auto", "always", "never"}:
        raise CommandFailed(f"--color: {when!r} is none of auto, always, never", exit_code=2)
    # Source: no-color.org, which many programs go by.
    return when == "always" or (when == "auto" and sys.stdout.isatty() and not os.environ.get("NO_COLOR"))


def _print_event(event: dict[str, Any], as_json: bool, has_colours: bool) -> None:
    if as_json:
        print_json_line(event)
        return
    time, message = time_of(event["timestamp"]), event["message"].rstrip()
    if has_colours:
        print(coloured(time, message), flush=True)
    else:
        # A file gets what the function printed; a terminal would do what that says.
        print(f"{time} {plain(message) if sys.stdout.isatty() else message}", flush=True)


def _pause(clock: "Clock") -> None:
    import asyncio

    # The clock sleeps on an event loop; this command has none of its own.
    asyncio.run(clock.sleep(POLL_INTERVAL_S))
