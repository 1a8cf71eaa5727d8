"""Documents for tests of X-Ray."""

from collections.abc import Mapping
from typing import Any

from lambent.domain.xray.merge import merge
from lambent.domain.xray.trace import Trace

TRACE_ID = "1-654c0557-5611b044040fc7224c4790b6"


def segment(number: int, **fields: Any) -> dict[str, Any]:
    """Return a complete segment whose id ends with `number`; a field that is None is left out."""
    made: Mapping[str, Any] = {
        "trace_id": TRACE_ID,
        "id": f"{number:016x}",
        "name": f"s{number}",
        "start_time": 100.0 + number,
        "end_time": 110.0 + number,
        **fields,
    }
    return {name: value for name, value in made.items() if value is not None}


def alone(number: int, parent: int, **fields: Any) -> dict[str, Any]:
    """Return a subsegment that is sent alone."""
    return segment(number, type="subsegment", parent_id=f"{parent:016x}", **fields)


def nested(number: int, **fields: Any) -> dict[str, Any]:
    """Return a subsegment as it stands inside its parent."""
    return segment(number, trace_id=None, **fields)


def trace(*documents: Mapping[str, Any], **more: Any) -> Trace:
    """Return a trace as readers have it."""
    return Trace(TRACE_ID, merge(documents), "111122223333", **more)
