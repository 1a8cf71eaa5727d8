"""
FilterCriteria: which records of an event source reach the function.

A pattern for a record's payload is either for JSON or for plain text, and a payload of the other kind never matches it.
Documented: Lambda developer guide, event filtering.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lambent.domain.event_pattern import InvalidPattern, Pattern, compile_pattern, parse_pattern

# In place of the payload's own key: no key of a record or a pattern looks like these.
_JSON, _TEXT, _FORMAT = "\0json", "\0text", "\0format"


class RecordFilter:
    """
    The compiled filters of a mapping. A record is let through by any of them; without filters every record is.

    Args:
        payload_key: of the record.
    """

    __slots__ = ("_patterns", "_payload_key")

    def __init__(self, patterns: Sequence[Pattern], payload_key: str) -> None:
        self._patterns = patterns
        self._payload_key = payload_key

    def lets_through(self, record: Mapping[str, Any], payload: str) -> bool:
        """
        Say whether a record reaches the function.

        Args:
            record: as the function would get it; what stands under the payload's key is not looked at.
            payload: decoded, as text.
        """
        if not self._patterns:
            return True
        seen = {key: value for key, value in record.items() if key != self._payload_key}
        value = decoded(payload)
        seen.update({_TEXT: payload, _FORMAT: "text"} if value is None else {_JSON: value, _FORMAT: "json"})
        return any(pattern.matches(seen) for pattern in self._patterns)

    def lets_through_decoded(self, record: Mapping[str, Any]) -> bool:
        """Say the same of a record whose payload stands under its key: text, or what JSON it held."""
        if not self._patterns:
            return True
        seen = {key: value for key, value in record.items() if key != self._payload_key}
        value = record.get(self._payload_key)
        seen.update({_TEXT: value, _FORMAT: "text"} if isinstance(value, str) else {_JSON: value, _FORMAT: "json"})
        return any(pattern.matches(seen) for pattern in self._patterns)


def compile_filters(patterns: Sequence[str], payload_key: str, *, is_json: bool = False) -> RecordFilter:
    """
    Make the patterns of a FilterCriteria ready to match.

    Args:
        is_json: whether what they say of the payload has to be for JSON. Documented: Lambda developer guide, event
            filtering with Kinesis.

    Raises:
        InvalidPattern: one is none.
    """
    compiled = []
    for text in patterns:
        pattern = parse_pattern(text)
        # Before the payload's key is replaced: reasons name fields as they were written.
        compile_pattern(pattern)
        compiled.append(compile_pattern(_by_format(pattern, payload_key, is_json=is_json)))
    return RecordFilter(compiled, payload_key)


def _by_format(pattern: Mapping[str, Any], key: str, *, is_json: bool) -> dict[str, Any]:
    """Return a pattern with what it says of the payload under the key of the format that it is for."""
    if any(not isinstance(one, str) or one.startswith("\0") for one in pattern):
        raise InvalidPattern("a name begins with NUL")
    made: dict[str, Any] = {}
    for name, wanted in pattern.items():
        if name == "$or" and isinstance(wanted, list) and all(isinstance(one, dict) for one in wanted):
            made[name] = [_by_format(one, key, is_json=is_json) for one in wanted]
        elif name == key:
            for_json = isinstance(wanted, dict)
            if is_json and not for_json:
                raise InvalidPattern(f"{key} is JSON here")
            made[_JSON if for_json else _TEXT] = wanted
            made[_FORMAT] = ["json" if for_json else "text"]
        elif name.startswith(f"{key}."):
            made[f"{_JSON}{name[len(key) :]}"] = wanted
            made[_FORMAT] = ["json"]
        else:
            made[name] = wanted
    return made


def decoded(payload: str) -> Any:
    """Return what a payload of JSON holds, None for plain text. Assumed: a mere number or string is text."""
    if payload.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        return msgspec.json.decode(payload.encode(errors="replace"))
    except (msgspec.DecodeError, RecursionError):
        return None
