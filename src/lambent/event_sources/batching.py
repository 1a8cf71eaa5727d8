"""When records are a batch: by number, by bytes, by time. Pure."""

from collections.abc import Sequence
from typing import Any

import msgspec

_HEAD, _TAIL = b'{"Records":[', b"]}"
FRAME_BYTES = len(_HEAD) + len(_TAIL)
"""Of an event, beside its records and the commas between them."""


_WINDOW_SLACK_S = 5.0
"""
What is to be left of the time that messages are hidden, once their window is over and beside the function's own time:
the window begins after they were read, and its batch may have to wait for room. Assumed.
"""

_SLACK_MIN_S = 1.0
"""Where a queue hides messages for just as long as the function may take. Assumed."""


class Lease(msgspec.Struct, frozen=True):
    """For how long messages that were read together are hidden from others."""

    begin_by: float
    """When the function is to have begun at the latest: it may then take its whole time before others read them."""
    expires_at: float

    @classmethod
    def of(cls, now: float, visibility_s: float, window_s: int, timeout_s: int) -> "Lease":
        """
        Return the lease of messages that are read now.

        Documented: Lambda developer guide, SQS: the queue's own visibility timeout, unless a batching window and the
        function's timeout are longer, or leave next to nothing of it; then these and half a minute.
        """
        if window_s and window_s + timeout_s + _WINDOW_SLACK_S > visibility_s:
            visibility_s = window_s + timeout_s + 30
        # Assumed: a queue that hides nothing, which no mapping is created for but a queue may become, would be read in
        # a circle.
        hidden_s = max(visibility_s, 1)
        return cls(now + max(hidden_s - timeout_s, _SLACK_MIN_S), now + hidden_s)


class Record(msgspec.Struct, frozen=True):
    """One message, ready for the function."""

    id: str
    receipt: Any
    """What its queue ends it by."""
    encoded: bytes
    """As the function gets it, JSON."""
    lease: Lease
    group: str | None
    """Of a FIFO queue's message."""
    trace_header: str
    """What the message came with; empty without one."""
    passes: int
    """How often its chain of invocations passes the function, with the one that it waits for."""


class Batch:
    """
    Records that are invoked together.

    Args:
        records_max: how many it holds at most.
        bytes_max: how long its payload may be.
    """

    __slots__ = ("_bytes_max", "_records_max", "is_tried", "not_before", "payload_bytes", "records")

    def __init__(self, records_max: int, bytes_max: int) -> None:
        self._records_max = records_max
        self._bytes_max = bytes_max
        self.records: list[Record] = []
        self.payload_bytes = FRAME_BYTES
        self.is_tried = False
        """Whether the function was asked to run with it, and did not."""
        self.not_before = 0.0
        """When it may be tried again."""

    def takes(self, record: Record) -> bool:
        """Say whether a record fits. The first one always does: who should it wait for?"""
        if not self.records:
            return True
        return len(self.records) < self._records_max and self.payload_bytes + len(record.encoded) + 1 <= self._bytes_max

    def add(self, record: Record) -> None:
        """Add a record that fits."""
        # With the comma before it.
        self.payload_bytes += len(record.encoded) + bool(self.records)
        self.records.append(record)

    @property
    def is_full(self) -> bool:
        """Whether no more records fit, by number."""
        return len(self.records) >= self._records_max

    @property
    def lease(self) -> Lease:
        """That of the record which was read first."""
        return self.records[0].lease


def payload_of(records: Sequence[Record]) -> bytes:
    """Return the event that the function gets."""
    return payload_of_encoded([record.encoded for record in records])


def payload_of_encoded(records: Sequence[bytes]) -> bytes:
    """Return the same of records in JSON."""
    return _HEAD + b",".join(records) + _TAIL
