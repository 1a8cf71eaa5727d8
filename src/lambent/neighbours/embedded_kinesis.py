"""
Kinesis in the embedded server: what moto has of it, put right.

Moto counts the records of a shard from 1, so that numbers come again after a kill, for which its memory is some seconds
behind, and in a stream that is made anew: a reader that stands at number 100 never sees the next hundred. It writes
into shards that were split or merged, which therefore never end, writes their records once more where it can, and
keeps all for ever.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from itertools import takewhile
from typing import Any

_FIRST = 49 * 10**54
"""The sequence number of a record is this and its moment in nanoseconds, with as many digits as on AWS."""

_guard = threading.RLock()
"""Held while records or shards are changed: moto's threads have none of their own."""


def put_right() -> None:
    """Have moto's streams behave. To be called once."""
    from moto.kinesis.models import KinesisBackend, Shard, Stream

    replaced: tuple[tuple[Any, str, Callable[[Any], Any]], ...] = (
        (Shard, "put_record", lambda _: _put_into_shard),
        (Shard, "get_records", _get_newer),
        (Stream, "get_shard_for_key", lambda _: _get_shard_for_key),
        (Stream, "put_record", _put_record),
        (Stream, "split_shard", _keeping_records),
        (Stream, "merge_shards", _keeping_records),
        (KinesisBackend, "get_records", _get_records),
    )
    for owner, name, better in replaced:
        # Another version of moto may have no such method: better no server than one that is wrong.
        before = getattr(owner, name)
        assert callable(before), name
        setattr(owner, name, better(before))


def _put_into_shard(shard: Any, partition_key: str, data: str, explicit_hash_key: str) -> str:
    from moto.kinesis.models import Record

    with _guard:
        sequence = max(_newest(shard) + 1, _FIRST + time.time_ns())
        shard.records[sequence] = Record(partition_key, data, sequence, explicit_hash_key)
        return str(sequence)


def _newest(shard: Any) -> int:
    return next(reversed(shard.records), 0)


def _get_newer(before: Callable[..., Any]) -> Callable[..., Any]:
    """Spare readers that have all of a shard the walk through it."""

    def get_records(shard: Any, last_sequence_id: str, limit: int | None) -> tuple[Any, int, int]:
        with _guard:
            if int(last_sequence_id) >= _newest(shard):
                return [], int(last_sequence_id), 0
            found: tuple[Any, int, int] = before(shard, last_sequence_id, limit)
            return found

    return get_records


def _get_shard_for_key(stream: Any, partition_key: str, explicit_hash_key: str) -> Any:
    from moto.kinesis.exceptions import InvalidArgumentError
    from moto.utilities.utils import md5_hash

    if len(partition_key) > 256:
        raise InvalidArgumentError("partition_key")
    place = int(explicit_hash_key or md5_hash(partition_key.encode()).hexdigest(), 10 if explicit_hash_key else 16)
    if not 0 <= place < 2**128:
        raise InvalidArgumentError("explicit_hash_key")
    return next(
        shard for shard in stream.shards.values() if shard.is_open and shard.starting_hash <= place <= shard.ending_hash
    )


def _put_record(before: Callable[..., Any]) -> Callable[..., Any]:
    def put_record(stream: Any, partition_key: str, explicit_hash_key: str, data: str) -> Any:
        with _guard:
            put = before(stream, partition_key, explicit_hash_key, data)
            oldest = time.time() - stream.retention_period_hours * 3600
            for shard in stream.shards.values():
                _trim(shard, oldest)
            return put

    return put_record


def _trim(shard: Any, oldest: float) -> None:
    for sequence in list(takewhile(lambda one: shard.records[one].created_at < oldest, shard.records)):
        del shard.records[sequence]


def _keeping_records(before: Callable[..., Any]) -> Callable[..., Any]:
    """Close shards with what is in them: moto would put it into others once more."""

    def change(stream: Any, *arguments: Any) -> None:
        with _guard:
            shards = [(stream.shards[one], stream.shards[one].records) for one in arguments if one in stream.shards]
            for shard, _ in shards:
                shard.records = OrderedDict()
            try:
                before(stream, *arguments)
            finally:
                for shard, records in shards:
                    shard.records = records

    return change


def _get_records(before: Callable[..., Any]) -> Callable[..., Any]:
    def get_records(backend: Any, stream_arn: str | None, shard_iterator: str, limit: int | None) -> Any:
        from moto.kinesis.utils import decompose_shard_iterator

        with _guard:
            following, records, behind_ms = before(backend, stream_arn, shard_iterator, limit)
            name, shard_id, last = decompose_shard_iterator(following)
            shard = backend.describe_stream(stream_arn=stream_arn, stream_name=name).get_shard(shard_id)
            # Documented: Kinesis API reference, GetRecords: null at the end of a shard that is closed.
            is_end = not shard.is_open and int(last) >= _newest(shard)
            return None if is_end else following, records, behind_ms

    return get_records
