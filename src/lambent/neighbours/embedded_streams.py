"""
DynamoDB's streams in the embedded server: what moto has of them, put right.

Moto keeps each iterator that it ever gave, without a limit, and after a transaction that fails they read a stream that
is no more; it knows one stream for each table, whichever is asked for, and switches it on once; it records writes that
change nothing; nothing expires. Here an iterator says itself where it stands, so that reading leaves nothing behind.
"""

import threading
import time
from bisect import bisect_left
from itertools import chain, islice
from typing import Any

_FIRST = 1_100_000_000_000_000_000_000
"""The sequence number of a change is this and the moment of it in nanoseconds: it grows over restarts, and over changes
that were lost with a process that was killed."""

_KEPT_NS = 24 * 3600 * 1_000_000_000
"""Documented: Amazon DynamoDB developer guide, Change data capture for DynamoDB Streams: a day."""

_PAGE_MAX_BYTES = 1 << 20
_PAGE_MAX = 1_000
"""Documented: DynamoDB Streams API reference, GetRecords: 1 MB, or a thousand records."""

_EXPIRED_AT_ONCE = 1_000
"""Items that one look deletes of a table."""
_EXPIRED_SINCE_MAX_S = 5 * 365 * 86_400
"""Documented: Amazon DynamoDB developer guide, time to live: what expired five years ago is no moment but an error."""

_EXPIRER = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
"""Who deletes what has expired. Documented: Amazon DynamoDB developer guide, DynamoDB Streams and time to live."""

_guard = threading.Lock()
"""Held while changes are recorded or read: moto's threads have none of their own."""


def put_right() -> None:
    """Have moto's streams behave. To be called once."""
    from moto.dynamodb.models import DynamoDBBackend
    from moto.dynamodb.models.table import StreamShard
    from moto.dynamodbstreams.models import DynamoDBStreamsBackend

    replaced: tuple[tuple[Any, str, Any], ...] = (
        (StreamShard, "add", _add),
        (DynamoDBBackend, "update_table_streams", _update_table_streams),
        (DynamoDBStreamsBackend, "describe_stream", _describe_stream),
        (DynamoDBStreamsBackend, "get_shard_iterator", _get_shard_iterator),
        (DynamoDBStreamsBackend, "get_records", _get_records),
    )
    for owner, name, better in replaced:
        # Another version of moto may have no such method: better no server than one that is wrong.
        assert callable(getattr(owner, name)), name
        setattr(owner, name, better)


def expire(backends: Any, now: float) -> int:
    """
    Delete items whose time to live has passed; return how many.

    Args:
        backends: moto's for DynamoDB, by account and region.
        now: seconds since the epoch.
    """
    return sum(
        _expire(table, now)
        for regions in list(dict.values(backends))
        for backend in list(dict.values(regions))
        for table in list(backend.tables.values())
        if table.ttl.get("TimeToLiveStatus") == "ENABLED"
    )


def _expire(table: Any, now: float) -> int:
    attribute = table.ttl["AttributeName"]
    groups = table.items.values()
    items = chain.from_iterable(group.values() for group in groups) if table.has_range_key else groups
    due = list(islice((item for item in items if _has_expired(item.attrs.get(attribute), now)), _EXPIRED_AT_ONCE))
    for item in due:
        before = _newest(table.stream_shard)
        table.delete_item(item.hash_key, item.range_key)
        record = _newest(table.stream_shard)
        if record is not before:
            record.record["userIdentity"] = _EXPIRER
    return len(due)


def _has_expired(value: Any, now: float) -> bool:
    if value is None or value.type != "N":
        return False
    try:
        return now - _EXPIRED_SINCE_MAX_S < float(value.value) <= now
    except ValueError:
        return False


def _newest(shard: Any) -> Any:
    return shard.items[-1] if shard is not None and shard.items else None


def _add(shard: Any, old: Any, new: Any) -> None:
    """Record a change of an item, unless it changes nothing."""
    from moto.dynamodb.models.table import StreamRecord

    table = shard.table
    view_type = (table.stream_specification or {}).get("StreamViewType")
    if view_type is None or (old is not None and new is not None and _contents(old) == _contents(new)):
        return
    event = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
    with _guard:
        sequence = max(_sequence(shard.items[-1]) + 1 if shard.items else 0, _FIRST + time.time_ns())
        made = StreamRecord(table, view_type, event, old, new, sequence)
        made.record |= {"awsRegion": table.region_name, "eventVersion": "1.1"}
        if old_ones := _index(shard, sequence - _KEPT_NS):
            shard.trimmed = _sequence(shard.items[old_ones - 1])
            del shard.items[:old_ones]
        shard.items.append(made)


def _contents(item: Any) -> Any:
    return _unordered(item.to_json()["Attributes"])


def _unordered(value: Any) -> Any:
    """Return attributes so that sets are equal in whichever order they were written."""
    if isinstance(value, dict):
        return {
            key: sorted(inner, key=str) if key in {"SS", "NS", "BS"} and isinstance(inner, list) else _unordered(inner)
            for key, inner in value.items()
        }
    return [_unordered(inner) for inner in value] if isinstance(value, list) else value


def _sequence(record: Any) -> int:
    return int(record.record["dynamodb"]["SequenceNumber"])


def _index(shard: Any, sequence: int) -> int:
    """Return where in a shard the first record stands whose number is not below this."""
    return bisect_left(shard.items, sequence, key=_sequence)


def _table(backend: Any, arn: str) -> Any:
    """
    Return the table of a stream.

    Raises:
        ResourceNotFoundException: moto's; there is none, or it has another stream by now.
    """
    from moto.dynamodb.exceptions import ResourceNotFoundException

    _, _, rest = arn.partition(":table/")
    name, _, label = rest.partition("/stream/")
    table = backend.dynamodb.tables.get(name)
    if table is None or table.stream_shard is None or table.latest_stream_label != label:
        raise ResourceNotFoundException(f"Requested resource not found: Stream: {arn} not found")
    return table


def _check_kept(shard: Any, start: int) -> None:
    """
    Refuse to begin with what has been trimmed; 0 is the oldest that there is.

    Raises:
        JsonRESTError: moto's, as DynamoDB Streams say it.
    """
    from moto.core.exceptions import JsonRESTError

    if 0 < start <= getattr(shard, "trimmed", 0):
        code = "com.amazonaws.dynamodb.v20120810#TrimmedDataAccessException"
        raise JsonRESTError(code, "The operation tried to read past the oldest stream record in a shard.")


def _is_open(table: Any) -> bool:
    return bool(table.stream_specification and table.stream_specification.get("StreamEnabled"))


def _update_table_streams(backend: Any, table: Any, wanted: dict[str, Any]) -> None:
    from moto.dynamodb.exceptions import StreamAlreadyEnabledException

    if _is_open(table) and (wanted.get("StreamEnabled") or wanted.get("StreamViewType")):
        raise StreamAlreadyEnabledException
    table.set_stream_specification(wanted)


def _describe_stream(backend: Any, arn: str) -> dict[str, Any]:
    table = _table(backend, arn)
    shard = table.stream_shard.to_json()
    if not _is_open(table):
        newest = _newest(table.stream_shard)
        last = _sequence(newest) if newest is not None else table.stream_shard.starting_sequence_number
        shard["SequenceNumberRange"]["EndingSequenceNumber"] = str(last)
    return {
        "StreamArn": arn,
        "StreamLabel": table.latest_stream_label,
        "StreamStatus": "ENABLED" if _is_open(table) else "DISABLED",
        "StreamViewType": (table.stream_specification or {}).get("StreamViewType"),
        "CreationRequestDateTime": table.stream_shard.created_on,
        "TableName": table.name,
        "KeySchema": table.schema,
        "Shards": [shard],
    }


class _Iterator:
    """What moto asks an iterator for."""

    def __init__(self, arn: str) -> None:
        self.arn = arn


def _get_shard_iterator(
    backend: Any, arn: str, shard_id: str, shard_iterator_type: str, sequence_number: int | None = None
) -> _Iterator:
    from moto.dynamodb.exceptions import MockValidationException, ResourceNotFoundException

    shard = _table(backend, arn).stream_shard
    if shard.id != shard_id:
        raise ResourceNotFoundException(f"Requested resource not found: Shard does not exist: {shard_id}")
    if shard_iterator_type == "TRIM_HORIZON":
        start = 0
    elif shard_iterator_type == "LATEST":
        start = _sequence(shard.items[-1]) + 1 if shard.items else 0
    elif sequence_number is None:
        raise MockValidationException(f"SequenceNumber is required for {shard_iterator_type}")
    else:
        start = sequence_number + (shard_iterator_type == "AFTER_SEQUENCE_NUMBER")
    _check_kept(shard, start)
    return _Iterator(f"{arn}|1|{start}")


def _get_records(backend: Any, iterator: str, limit: int) -> dict[str, Any]:
    from moto.dynamodb.exceptions import MockValidationException

    arn, _, start = str(iterator).rpartition("|1|")
    if not (start.isascii() and start.isdigit()):
        raise MockValidationException("Invalid ShardIterator")
    table = _table(backend, arn)
    with _guard:
        _check_kept(table.stream_shard, int(start))
        items = table.stream_shard.items
        first = _index(table.stream_shard, int(start))
        page: list[dict[str, Any]] = []
        left = _PAGE_MAX_BYTES
        for item in items[first : first + min(limit, _PAGE_MAX)]:
            left -= item.record["dynamodb"]["SizeBytes"]
            if page and left < 0:
                break
            page.append(item.to_json())
        answer: dict[str, Any] = {"Records": page}
        if _is_open(table) or first + len(page) < len(items):
            following = _sequence(items[first + len(page) - 1]) + 1 if page else int(start)
            answer["NextShardIterator"] = f"{arn}|1|{following}"
        return answer
