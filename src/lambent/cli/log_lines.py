"""What a line of a log is, as far as it can be told by looking: whose, of which level, and in which colour."""

import json
import re
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final, NamedTuple


class Level(IntEnum):
    """How grave a line is."""

    TRACE = 0
    DEBUG = 1
    INFO = 2
    WARN = 3
    ERROR = 4
    FATAL = 5


class Kind(NamedTuple):
    """What is known of a line."""

    level: Level
    """INFO where the line says nothing: most do not."""
    is_platform: bool
    """Whether Lambda wrote it, and not the function."""


_WORDS: Final = {
    **{level.name: level for level in Level},
    "WARNING": Level.WARN,
    "SEVERE": Level.ERROR,
    "CRITICAL": Level.FATAL,
}

_PLATFORM: Final = re.compile(
    r"(?:(?:START|END|REPORT) RequestId: |INIT_(?:START|REPORT) |RESTORE_(?:START|REPORT) |EXTENSION\tName: )"
)
_FAILED: Final = re.compile(r"\tStatus: (?:error|timeout|failure)")
_BROKEN: Final = re.compile(r"\S+ [0-9a-f-]{36} Task timed out after |RequestId: [0-9a-f-]{36} Error: ")
_SAID: Final = re.compile(rf"(?:\S+\s+){{0,4}}?[\[(<]?({'|'.join(_WORDS)})[\])>]?(?=[:\s]|$)")
"""A level among the first words, as logging libraries of all languages write it: `[ERROR]`, `ERROR:`, between tabs."""
_LOOKED_AT: Final = 300
"""Characters of a line in which that is looked for."""

_LEVEL_MEMBERS: Final = ("level", "log_level", "logLevel", "severity", "levelname", "lvl")
_JSON_MAX: Final = 65_536
"""Longer objects are not read for the sake of a colour."""


def kind_of(message: str) -> Kind:
    """Tell what a line is."""
    if message.startswith("{") and len(message) <= _JSON_MAX and (kind := _kind_of_json(message)) is not None:
        return kind
    head = message[:_LOOKED_AT]
    if _PLATFORM.match(head):
        return Kind(Level.ERROR if _FAILED.search(message[:2_000]) else Level.INFO, True)
    if _BROKEN.match(head):
        return Kind(Level.ERROR, True)
    if head.startswith("Traceback "):
        return Kind(Level.ERROR, False)
    said = _SAID.match(head)
    return Kind(Level.INFO if said is None else _WORDS[said[1]], False)


def _kind_of_json(message: str) -> Kind | None:
    try:
        record = json.loads(message)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    kind, inner = record.get("type"), record.get("record")
    if isinstance(kind, str) and kind.startswith("platform."):
        status = inner.get("status", "success") if isinstance(inner, dict) else "success"
        return Kind(Level.INFO if status == "success" and kind != "platform.fault" else Level.ERROR, True)
    for name in _LEVEL_MEMBERS:
        said = record.get(name)
        if isinstance(said, str) and said.upper() in _WORDS:
            return Kind(_WORDS[said.upper()], False)
    return Kind(Level.INFO, False)


def parse_level(text: str) -> Level | None:
    """Return the level of a name; None: there is none of it."""
    return _WORDS.get(text.upper())


_RED: Final = "\x1b[31m"
_YELLOW: Final = "\x1b[33m"
_DIM: Final = "\x1b[2m"
_RESET: Final = "\x1b[0m"

_HARMFUL: Final = re.compile(r"\x1b\[[0-9;]*m|[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")


def coloured(time: str, message: str) -> str:
    """
    Return a line for a terminal: errors red, warnings yellow, what is of the platform or for debugging dim.

    What a function prints may hold colours of its own, and nothing else that a terminal obeys.
    """
    level, is_platform = kind_of(message)
    colour = ""
    if level >= Level.ERROR:
        colour = _RED
    elif level is Level.WARN:
        colour = _YELLOW
    elif is_platform or level <= Level.DEBUG:
        colour = _DIM
    shown = _HARMFUL.sub(lambda found: found[0] if len(found[0]) > 1 else "�", message)
    return f"{_DIM}{time}{_RESET} {colour}{shown}{_RESET}"


def plain(message: str) -> str:
    """Return a message for a terminal that is to show no colours: nothing in it is a sign that a terminal obeys."""
    return _HARMFUL.sub(lambda found: "" if len(found[0]) > 1 else "\N{REPLACEMENT CHARACTER}", message)


def time_of(timestamp_ms: int) -> str:
    """Return a moment as this machine's clocks show it, to the millisecond."""
    time = datetime.fromtimestamp(timestamp_ms / 1000, UTC).astimezone()
    return f"{time:%Y-%m-%d %H:%M:%S}.{timestamp_ms % 1000:03d}"
