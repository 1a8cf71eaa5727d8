"""
What a stream is to its poller: shards, positions in them, and pages of records. One implementation for each service.

A reader keeps nothing: where a poller stands is the poller's, see `contract.py`.
"""

import enum
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from lambent.domain.event_source_mapping import EventSourceMapping


class StreamNotFound(Exception):
    """There is no such stream, or no more."""


class ShardGone(Exception):
    """The stream has forgotten a shard: nothing of it can be read any more."""


class PositionExpired(Exception):
    """An iterator is too old, or what followed a position has been trimmed; another has to be asked for."""


class StreamUnavailable(Exception):
    """The stream cannot be read now; `args[0]` says why: its server is away, refuses, or is not understood."""


class StreamDenied(StreamUnavailable):
    """The function's role may not read the stream; `args[0]` says it all."""


class Start(enum.Enum):
    """Where in a shard reading begins."""

    OLDEST = "TRIM_HORIZON"
    NEWEST = "LATEST"
    AT_TIME = "AT_TIMESTAMP"
    AT = "AT_SEQUENCE_NUMBER"
    AFTER = "AFTER_SEQUENCE_NUMBER"


class Position(msgspec.Struct, frozen=True):
    """A place in a shard."""

    start: Start
    sequence: str = ""
    """For AT and AFTER."""
    at: float = 0.0
    """For AT_TIME: seconds since the epoch."""


class Shard(msgspec.Struct, frozen=True):
    """One shard of a stream, open or closed."""

    shard_id: str
    parents: tuple[str, ...] = ()
    """Whose records come before its own: none, one, or the two that were merged. Some may be forgotten already."""


class StreamRecord(msgspec.Struct, frozen=True):
    """One record as it was read."""

    sequence: str
    key: str
    """Records with the same key stay in order, whatever runs beside."""
    arrived_at: float
    """Seconds since the epoch."""
    content: Mapping[str, Any]
    """What of the function's record differs from record to record: the member `kinesis`, or all but the source's."""


class Page(msgspec.Struct, frozen=True):
    """What one read found."""

    records: Sequence[StreamRecord]
    next_iterator: str | None
    """None: the shard is closed, and read to its end."""
    is_behind: bool = False
    """Whether there may be more records now although there are none here."""


class StreamReader(Protocol):
    """
    Reads the streams of one service.

    Every method may raise StreamUnavailable, and StreamNotFound where it names a stream. The mapping gives scope and
    ARN. Nothing waits without a bound.
    """

    async def shards(self, mapping: EventSourceMapping) -> Sequence[Shard]:
        """Return all shards that the stream still knows, in an order in which parents come first."""
        ...

    async def iterator(self, mapping: EventSourceMapping, shard_id: str, position: Position) -> str:
        """
        Return where reading can begin.

        Raises:
            ShardGone: the stream has forgotten the shard.
            PositionExpired: what the position names has been trimmed.
        """
        ...

    async def read(self, mapping: EventSourceMapping, iterator: str, limit: int) -> Page:
        """
        Return the next records, none at all where there are none now.

        Raises:
            PositionExpired: the iterator is too old.
            ShardGone: the stream has forgotten its shard.
        """
        ...

    def record(self, mapping: EventSourceMapping, shard_id: str, record: StreamRecord, role_arn: str) -> dict[str, Any]:
        """
        Return a record as the function gets it in `Records`.

        Args:
            role_arn: the function's.
        """
        ...

    def filtered(self, record: StreamRecord) -> Mapping[str, Any] | None:
        """Return what filters are matched against; None for a record that no filter lets through."""
        ...

    def batch_info(
        self, mapping: EventSourceMapping, shard_id: str, first: StreamRecord, last: StreamRecord, count: int
    ) -> tuple[str, dict[str, Any]]:
        """Return the name and the content of the member that tells of a failed batch, `KinesisBatchInfo` for one."""
        ...
