"""
The tokens by which a caller goes on reading: pure text, no state behind them.

Tokens of events hold a place between events as the 56 digits of an event id; see `LogEvent.event_id`.
"""

import base64
import binascii
import re

from lambent.errors.api.logs import InvalidParameterException
from lambent.store.contract import EventCursor, LogEvent

FORWARD = "f"
"""Direction letter of GetLogEvents' nextForwardToken."""
BACKWARD = "b"
"""Direction letter of GetLogEvents' nextBackwardToken."""

OLDEST_FIRST = "o"
"""Direction letter of a FilterLogEvents token."""
NEWEST_FIRST = "n"
"""Direction letter of a FilterLogEvents token, after startFromHead=false."""

START = EventCursor(timestamp_ms=0, ingestion_ms=0, sequence=0)
"""The place before all events."""

_PAGE = re.compile(r"(?P<direction>[fb])/(?P<digits>[0-9]{56})/s")
_SEARCH = re.compile(r"(?P<direction>[on])/(?P<digits>[0-9]{56})")
_OFFSET = re.compile(r"s/([0-9]{1,9})")
_64_BITS = (1 << 64) - 1


def at(event: LogEvent) -> EventCursor:
    """Return the place of an event."""
    return EventCursor(timestamp_ms=event.timestamp_ms, ingestion_ms=event.ingestion_ms, sequence=event.sequence)


def just_before(place: EventCursor) -> EventCursor:
    """Return the place from which reading forward begins with the event at `place`."""
    return EventCursor(place.timestamp_ms, place.ingestion_ms, max(place.sequence - 1, 0))


def just_after(place: EventCursor) -> EventCursor:
    """Return the place from which reading backward begins with the event at `place`."""
    return EventCursor(place.timestamp_ms, place.ingestion_ms, place.sequence + 1)


def page_token(direction: str, place: EventCursor) -> str:
    """Return a token of GetLogEvents. Observed: the form `f/<56 digits>/s` in published samples."""
    return f"{direction}/{_digits(place)}/s"


def parse_page_token(token: str) -> tuple[str, EventCursor]:
    """Return direction and place of a token of GetLogEvents. Raises InvalidParameterException."""
    return _parse_place(_PAGE, token)


def search_token(direction: str, place: EventCursor) -> str:
    """Return a token of FilterLogEvents."""
    return f"{direction}/{_digits(place)}"


def parse_search_token(token: str) -> tuple[str, EventCursor]:
    """Return direction and place of a token of FilterLogEvents. Raises InvalidParameterException."""
    return _parse_place(_SEARCH, token)


def upload_token(last_event_ms: int, ingestion_ms: int) -> str:
    """
    Return what a writer is given for its next call.

    Documented: PutLogEvents, the token is ignored. Old writers want to see one of 56 digits all the same.
    """
    return _digits(EventCursor(timestamp_ms=last_event_ms, ingestion_ms=ingestion_ms, sequence=0))


def name_token(name: str) -> str:
    """Return the token that goes on after the group `name`."""
    return base64.urlsafe_b64encode(name.encode()).decode()


def parse_name_token(token: str) -> str:
    """Return the name that a listing goes on after. Raises InvalidParameterException."""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        raise _invalid() from None


def offset_token(offset: int) -> str:
    """Return the token that goes on after `offset` streams."""
    return f"s/{offset}"


def parse_offset_token(token: str) -> int:
    """Return how many streams a listing has shown. Raises InvalidParameterException."""
    match = _OFFSET.fullmatch(token)
    if match is None:
        raise _invalid()
    return int(match[1])


def _digits(place: EventCursor) -> str:
    return f"{place.timestamp_ms << 144 | place.ingestion_ms << 80 | place.sequence << 16:056d}"


def _parse_place(pattern: re.Pattern[str], token: str) -> tuple[str, EventCursor]:
    match = pattern.fullmatch(token)
    if match is None:
        raise _invalid()
    number = int(match["digits"])
    place = EventCursor(
        timestamp_ms=number >> 144, ingestion_ms=number >> 80 & _64_BITS, sequence=number >> 16 & _64_BITS
    )
    # Beyond what the store can hold, so never one of ours.
    if max(place.ingestion_ms, place.sequence, place.timestamp_ms) >= 1 << 63:
        raise _invalid()
    return match["direction"], place


def _invalid() -> InvalidParameterException:
    # Observed: recordings of the service.
    return InvalidParameterException("The specified nextToken is invalid.")
