"""`lambent logs`: a function's log, from the CloudWatch Logs API."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lambent.cli.client import DEFAULT_ENDPOINT, Endpoint, answers, connect
from lambent.cli.failure import CommandFailed
from lambent.cli.terminal import print_json_line

if TYPE_CHECKING:
    from lambent.clock import Clock

POLL_INTERVAL_S = 1.0

LOOK_BACK_MS = 5_000
"""How far behind the newest event `--follow` looks again: environments write side by side, so lines arrive late."""

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def logs(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Function name.")],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", metavar="", help="Go on printing what arrives, until Ctrl-C.")
    ] = False,
    since: Annotated[
        str, typer.Option(help="How far back to begin: a number and s, m, h, d or w.", metavar="AGE")
    ] = "10m",
    json: Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON object per event.")] = False,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
) -> None:
    """Print a function's log."""
    from lambent.clock import SystemClock

    clock = SystemClock()
    since_ms = max(0, int((clock.now() - parse_age(since)) * 1000))
    with answers(endpoint):
        group = _group_of(name, connect("lambda", endpoint))
        reader = Reader(connect("logs", endpoint), group, since_ms)
        while True:
            for event in reader.read_new(is_missing_fine=follow):
                _print_event(event, json)
            if not follow:
                return
            _pause(clock)


def parse_age(text: str) -> int:
    """
    Return the seconds that an age such as `10m` stands for.

    Raises:
        CommandFailed: it is none.
    """
    match = re.fullmatch(r"(\d{1,9})([smhdw])", text)
    if match is None:
        raise CommandFailed(f"--since: {text!r} is not a number followed by s, m, h, d or w", exit_code=2)
    return int(match[1]) * UNITS_S[match[2]]


class Reader:
    """
    Reads a log group from one moment on, each event once.

    Args:
        client: botocore's client of CloudWatch Logs.
        group: the log group's name.
        from_ms: the first millisecond of interest.
    """

    def __init__(self, client: Any, group: str, from_ms: int) -> None:
        self._client = client
        self._group = group
        self._from_ms = from_ms
        self._seen: dict[str, int] = {}

    def read_new(self, *, is_missing_fine: bool) -> Iterator[dict[str, Any]]:
        """
        Yield the events that no earlier call yielded, page by page as they arrive.

        Args:
            is_missing_fine: whether a group that does not exist counts as an empty one: it appears with the
                first invocation.
        """
        newest_ms = self._from_ms
        try:
            pages = self._client.get_paginator("filter_log_events").paginate(
                logGroupName=self._group, startTime=self._from_ms
            )
            for page in pages:
                for event in page["events"]:
                    newest_ms = max(newest_ms, event["timestamp"])
                    if event["eventId"] not in self._seen:
                        self._seen[event["eventId"]] = event["timestamp"]
                        yield event
        except self._client.exceptions.ResourceNotFoundException:
            if not is_missing_fine:
                raise
        self._from_ms = max(self._from_ms, newest_ms - LOOK_BACK_MS)
        # Ids are kept for as long as the next request can return their events again, and no longer.
        self._seen = {event: time_ms for event, time_ms in self._seen.items() if time_ms >= self._from_ms}


def _group_of(name: str, client: Any) -> str:
    """Return the log group that a function writes to; that of a function that was deleted is still there."""
    try:
        configuration = client.get_function_configuration(FunctionName=name)
    except client.exceptions.ResourceNotFoundException:
        return f"/aws/lambda/{name}"
    default = f"/aws/lambda/{configuration['FunctionName']}"
    return str(configuration.get("LoggingConfig", {}).get("LogGroup") or default)


def _print_event(event: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json_line(event)
        return
    time = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).astimezone()
    print(f"{time:%Y-%m-%d %H:%M:%S}.{event['timestamp'] % 1000:03d} {event['message'].rstrip()}", flush=True)


def _pause(clock: "Clock") -> None:
    import asyncio

    # The clock sleeps on an event loop; this command has none of its own.
    asyncio.run(clock.sleep(POLL_INTERVAL_S))
