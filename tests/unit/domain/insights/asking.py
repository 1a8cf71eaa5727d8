"""Events that stand in a log, and queries asked of them."""

from collections.abc import Sequence
from random import Random

from lambent.domain.insights.fields import Line
from lambent.domain.insights.run import Query

NOON_MS = 1_764_072_000_000
"""2025-11-25 12:00:00, UTC."""
REQUEST = "8a2c91cf-1f5d-4f3a-a1d4-0a1b2c3d4e5f"
REPORT = (
    f"REPORT RequestId: {REQUEST}\tDuration: 3.05 ms\tBilled Duration: 103 ms\tMemory Size: 128 MB\t"
    "Max Memory Used: 40 MB\tInit Duration: 99.10 ms\t\n"
    "XRAY TraceId: 1-5f84c7a6-1234567890abcdef12345678\tSegmentId: 4aca30b315ce9d51\tSampled: true\t\n"
)


def line_of(message: str, number: int = 0, log: str = "111122223333:/aws/lambda/f", stream: str = "s") -> Line:
    """Return an event that is `number` seconds older than noon."""
    at_ms = NOON_MS - 1_000 * number
    return Line(at_ms, at_ms + 500, stream, log, message, number)


def ask(query: str, messages: Sequence[str], limit: int | None = None) -> list[dict[str, str]]:
    """Ask of a function's log, the newest message first; return rows without `@ptr`."""
    run = Query(query).run(NOON_MS // 1_000, limit)
    lines = [line_of(message, number) for number, message in enumerate(messages)]
    # In any order, as the store gives them.
    Random(len(lines)).shuffle(lines)
    run.take(lines)
    return [{name: value for name, value in row if name != "@ptr"} for row in run.finish()]


def value_of(expression: str, message: str = "{}") -> str | None:
    """Return what an expression gives for one event."""
    (row,) = ask(f"fields {expression} as it", [message])
    return row.get("it")
