"""
Tumbling windows: which one a record is in, what the function gets beside records, what it has to answer. Pure.

Documented: Lambda developer guide, tumbling windows; observed: aws-powertools/powertools-lambda-python
tests/events/kinesisStreamTumblingWindowEvent.json, for the members.
"""

from datetime import UTC, datetime

import msgspec

from lambent.domain.stream_position import Window
from lambent.event_sources.batching import payload_of_encoded

STATE_MAX_BYTES = 1_000_000
"""Documented: 1 MB of state a shard, beyond which a window ends early."""

LATE_S = 0.5
"""How long after its end a window waits for records that were on their way into the stream. Assumed."""

_encode = msgspec.json.Encoder().encode


class _Answer(msgspec.Struct):
    state: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode = msgspec.json.Decoder(_Answer).decode


def window_of(arrived_at: float, size_s: int) -> Window:
    """Return the window of a record, without a state. Assumed: windows begin at multiples of their size."""
    start_s = arrived_at // size_s * size_s
    return Window(start_s, start_s + size_s)


def payload_in(
    window: Window,
    records: list[bytes],
    shard_id: str,
    source_arn: str,
    *,
    is_final: bool = False,
    is_early: bool = False,
) -> bytes:
    """Return the event of a batch in a window, or of its last call."""
    about = {
        "window": {"start": _iso(window.start_s), "end": _iso(window.end_s)},
        "state": window.state,
        "shardId": shard_id,
        "eventSourceARN": source_arn,
        "isFinalInvokeForWindow": is_final,
        "isWindowTerminatedEarly": is_early,
    }
    return payload_of_encoded(records)[:-1] + b"," + _encode(about)[1:]


def state_of(payload: bytes) -> msgspec.Raw | None:
    """Return the state in a function's answer; None where there is none, which fails the batch."""
    try:
        state = _decode(payload).state
        # What is raw was not looked at, and is kept as text.
        payload.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    # Assumed: null is as good as none (test_tumbling).
    if isinstance(state, msgspec.UnsetType) or not bytes(state).lstrip().startswith(b"{"):
        return None
    return msgspec.Raw(bytes(state))


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
