"""Records of a batch that waited for long: read again before it is tried, since nobody held them."""

from collections.abc import Sequence

import msgspec

from lambent.domain.stream_position import order_of
from lambent.event_sources.shard_progress import Item, ShardProgress
from lambent.event_sources.stream_reader import Position, StreamUnavailable
from lambent.event_sources.stream_shared import Reading

LIMIT_FIRST = 16
"""Records of one read at least: few, since nobody knows how long they are."""

PAGE_MAX_BYTES = 10 << 20
"""What a page is expected to take at most. Documented: Kinesis API reference, GetRecords: 10 MB."""

_EMPTY_MAX = 50
"""Pages without records, one after another, where some have to be. Assumed: a server may give a few."""

_encode = msgspec.json.Encoder().encode


async def fetch_again(
    reading: Reading,
    progress: ShardProgress,
    shard_id: str,
    items: Sequence[Item],
    start: Position,
    record_bytes: int,
) -> int:
    """
    Read records again of which only the places are kept; return how many from the front the stream has no more.

    Args:
        start: where to look for them.
        record_bytes: how long each is expected to be.

    Raises:
        PositionExpired: there is nothing to be read from there on.
        ShardGone: the stream has forgotten the shard.
        StreamNotFound: there is no such stream any more.
        StreamUnavailable: it cannot be read now.
    """
    last = items[-1].order
    wanted = {item.order: item for item in items if not item.encoded}
    reader, mapping, held = reading.reader, reading.mapping, reading.shared.held
    role_arn = await reading.role_arn()
    expected = min(len(wanted) * record_bytes, PAGE_MAX_BYTES)
    empty = 0
    at: str | None = await reader.iterator(mapping, shard_id, start)
    await held.take(expected)
    try:
        while at is not None and empty < _EMPTY_MAX:
            page = await reader.read(mapping, at, max(len(wanted), LIMIT_FIRST))
            for record in page.records:
                item = wanted.get(order_of(record.sequence))
                if item is not None:
                    encoded = _encode(reader.record(mapping, shard_id, record, role_arn))
                    held.add(len(encoded) - len(item.encoded))
                    progress.take_again(item, encoded)
            if page.records and order_of(page.records[-1].sequence) >= last:
                break
            empty = 0 if page.records else empty + 1
            at = page.next_iterator
    except ValueError as error:
        raise StreamUnavailable(f"The stream is not understood: {error}") from error
    finally:
        held.add(-expected)
    if empty == _EMPTY_MAX:
        raise StreamUnavailable("The stream does not give the records again that it gave before")
    await reading.note_trouble(shard_id, None)
    return next((number for number, item in enumerate(items) if item.encoded), len(items))
