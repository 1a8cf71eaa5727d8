"""
The fields of a log event: its own, those of Lambda's lines, those of JSON messages.

Documented: CloudWatch Logs user guide, Supported logs and discovered fields.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from lambent.domain.insights.values import Moment, ReadFloat, Value, finite


class Line(NamedTuple):
    """A log event as queries read it."""

    timestamp_ms: int
    ingestion_ms: int
    stream: str
    log: str
    """`<account>:<group>`."""
    message: str
    sequence: int
    """Tells events of one moment apart."""


class Row:
    """What goes through a query: an event, and what commands have made of it."""

    __slots__ = ("_found", "_json", "line", "made")

    def __init__(self, line: Line) -> None:
        self.line = line
        self.made: dict[str, Value] = {}
        self._json: Any = _UNREAD
        self._found: Mapping[str, Value] | None = None

    @property
    def json(self) -> Any:
        """What the message holds of JSON; None: nothing."""
        if self._json is _UNREAD:
            self._json = read_json(self.line)
        return self._json

    @property
    def found(self) -> Mapping[str, Value]:
        """The fields of a line that Lambda writes."""
        if self._found is None:
            self._found = lambda_fields(self.line.message)
        return self._found

    def forget(self) -> None:
        """Let go of what can be read again."""
        self._json = _UNREAD
        self._found = None


_UNREAD: Final = object()


def place_of(row: Row) -> tuple[int, int, int]:
    """Return where an event stands in the order of time."""
    line = row.line
    return line.timestamp_ms, line.ingestion_ms, line.sequence


SYSTEM: Final[Mapping[str, Callable[[Row], Value]]] = {
    "@timestamp": lambda row: Moment(row.line.timestamp_ms),
    "@ingestionTime": lambda row: Moment(row.line.ingestion_ms),
    "@message": lambda row: row.line.message,
    "@logStream": lambda row: row.line.stream,
    "@log": lambda row: row.line.log,
    "@ptr": lambda row: pointer_to(row.line),
}

OF_LAMBDA: Final = frozenset(
    [
        "@requestId",
        "@type",
        "@duration",
        "@billedDuration",
        "@initDuration",
        "@maxMemoryUsed",
        "@memorySize",
        "@xrayTraceId",
        "@xraySegmentId",
    ]
)

NAMES_MAX: Final = 1_000
"""Documented: of a log group. Here of an event as well."""
_PARTS_MAX: Final = 50
_DEPTH_MAX: Final = 50
"""Of JSON. Assumed: fields are not named that deep down (test_fields)."""
_EXACT_DIGITS_MAX: Final = 18

_REQUEST_ID: Final = re.compile(r"(?:^|\s)([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(?=\s|$)", re.ASCII)
_LOOKED_AT: Final = 160
"""Characters of a line in which its request's id stands, if it does."""
_AMOUNT: Final = re.compile(
    r"(Duration|Billed Duration|Init Duration|Memory Size|Max Memory Used): (\d+(?:\.\d+)?) (ms|MB)"
)
_AMOUNTS: Final = {
    "Duration": "@duration",
    "Billed Duration": "@billedDuration",
    "Init Duration": "@initDuration",
    "Memory Size": "@memorySize",
    "Max Memory Used": "@maxMemoryUsed",
}
_BYTES_IN_MB: Final = 1_000_000
"""Observed: sample queries of the user guide, where 128 MB divided by 1,048,576 are shown as 122.0703."""


def pointer_to(line: Line) -> str:
    """Return the text by which an event is found again."""
    place = f"{line.log}/{line.timestamp_ms}/{line.ingestion_ms}/{line.sequence}"
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def parse_pointer(pointer: str) -> tuple[str, int, int, int] | None:
    """Return log, time, time of ingestion and sequence of an event; None: the text is no pointer."""
    try:
        place = base64.b64decode(pointer + "=" * (-len(pointer) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        return None
    found = _POINTER.fullmatch(place)
    return None if found is None else (found[1], int(found[2]), int(found[3]), int(found[4]))


_POINTER: Final = re.compile(r"(\d{12}:[\w./#-]{1,512})/(\d{1,18})/(\d{1,18})/(\d{1,18})", re.ASCII)


def reader(name: str) -> Callable[[Row], Value]:
    """Return what reads the field `name` of an event."""
    if name in SYSTEM:
        return SYSTEM[name]
    if name in OF_LAMBDA:
        return lambda row: row.found.get(name)
    if name.startswith("@@"):
        name = name[1:]
    elif name.startswith("@"):
        return lambda row: None
    parts = name.split(".")
    if len(parts) == 1:
        return lambda row: _leaf(row.json.get(name)) if row.json is not None else None
    return lambda row: _leaf(at(row.json, parts)) if row.json is not None else None


def at(value: Any, parts: list[str]) -> Value:
    """
    Return what lies at a path; None: nothing.

    Names may hold full stops themselves, so each split of the path is tried, the longest name first: each way down at
    most once.
    """
    if not parts:
        return value
    if isinstance(value, dict):
        for length in range(min(len(parts), _PARTS_MAX), 0, -1):
            below = value.get(".".join(parts[:length]))
            if below is not None and (found := at(below, parts[length:])) is not None:
                return found
    elif isinstance(value, list) and parts[0].isascii() and parts[0].isdigit() and len(parts[0]) < 10:
        index = int(parts[0])
        return at(value[index], parts[1:]) if index < len(value) else None
    return None


def _leaf(value: Value) -> Value:
    # Documented: JSON is flattened: an object is no field, its members are.
    return None if isinstance(value, dict | list) else value


def read_json(line: Line) -> dict[str, Any] | None:
    """
    Return the object that a message is; in a function's log, the first one in it.

    Documented: the first embedded fragment is found in Lambda's logs only.
    """
    message = line.message
    start = message.find("{")
    if start < 0:
        return None
    is_whole = not message[:start].strip()
    if not is_whole and not _is_of_lambda(line):
        return None
    try:
        value, end = _decoder.raw_decode(message, start)
        if "\\ud" in message or "\\uD" in message:
            value = _without_halves(value)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or (is_whole and not _is_of_lambda(line) and message[end:].strip()):
        return None
    return value


def parse_json(text: str) -> Value:
    """Return what a text holds as JSON; None: it is none."""
    try:
        value, end = _decoder.raw_decode(text.strip())
        return None if text.strip()[end:] else _without_halves(value)
    except (ValueError, RecursionError):
        return None


def _without_halves(value: Value) -> Value:
    """Return a value without halves of surrogate pairs, which no answer could hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_without_halves(key): _without_halves(member) for key, member in value.items()}
    return [_without_halves(member) for member in value] if isinstance(value, list) else value


def _is_of_lambda(line: Line) -> bool:
    # Streams of environments have the version in brackets, whatever the group is called.
    return ":/aws/lambda/" in line.log or "[" in line.stream


def _integer(digits: str) -> int | str:
    # Longer ones are identifiers, which floats would garble.
    return int(digits) if len(digits) <= _EXACT_DIGITS_MAX else digits


def _float(digits: str) -> ReadFloat | str:
    value = finite(float(digits))
    return digits if value is None else ReadFloat(value)


_decoder: Final = json.JSONDecoder(parse_int=_integer, parse_float=_float, parse_constant=lambda _: None)


def lambda_fields(message: str) -> dict[str, Value]:
    """
    Return the fields of a line of a function's log, in the text format.

    Assumed: lines of the function's own have a request's id where the runtime put one (test_fields).
    """
    found: dict[str, Value] = {}
    kind, _, rest = message.partition(" ")
    if kind in {"START", "END", "REPORT"} and rest.startswith("RequestId: "):
        found["@type"] = kind
        found["@requestId"] = rest[11:47].strip()
        if kind == "REPORT":
            for amount in _AMOUNT.finditer(message, 0, 1_000):
                value = ReadFloat(amount[2])
                found[_AMOUNTS[amount[1]]] = ReadFloat(value * _BYTES_IN_MB) if amount[3] == "MB" else value
            for part in message[:1_000].replace("\n", "\t").split("\t"):
                if part.startswith("XRAY TraceId: "):
                    found["@xrayTraceId"] = part[14:].strip()
                elif part.startswith("SegmentId: "):
                    found["@xraySegmentId"] = part[11:].strip()
    elif request_id := _REQUEST_ID.search(message, 0, _LOOKED_AT):
        found["@requestId"] = request_id[1]
    return found


def discover(line: Line) -> dict[str, Value]:
    """Return every field of an event by its name, `NAMES_MAX` of them at most."""
    row = Row(line)
    fields: dict[str, Value] = {name: read(row) for name, read in SYSTEM.items() if name != "@ptr"}
    fields.update(row.found)
    if row.json is not None:
        for name, value in _flattened(row.json, "", 0):
            if len(fields) >= NAMES_MAX:
                break
            # Documented: a name that begins with @ itself gets a second one.
            fields[f"@{name}" if name.startswith("@") else name] = value
    return fields


def _flattened(value: Any, name: str, depth: int) -> Iterator[tuple[str, Value]]:
    if isinstance(value, dict | list) and depth < _DEPTH_MAX:
        members = value.items() if isinstance(value, dict) else enumerate(value)
        for key, member in members:
            yield from _flattened(member, f"{name}.{key}" if name else str(key), depth + 1)
    elif value is not None:
        yield name, value
