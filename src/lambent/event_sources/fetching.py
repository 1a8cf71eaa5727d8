"""Records of a batch that waited for long: read again before it is tried, since nobody held them."""

from collections.abc import Sequence

import msgspec

from lambent.domain.stream_position import order_of
from lambent.event_sources.shard_progress import Item, ShardProgress
from lambent.event_sources.stream_reader import Position, PositionExpired, ShardGone, Start, StreamUnavailable
from lambent.event_sources.stream_shared import Reading

LIMIT_FIRST = 16
"""Records of one read at least: few, since nobody knows how long they are."""

PAGE_MAX_BYTES = 10 << 20
"""What a page is expected to take at most. Documented: Kinesis API reference, GetRecords: 10 MB."""

AWAY_MIN_S = 0.5
"""Between attempts at a stream that cannot be read, at first. Assumed."""

_EMPTY_MAX = 50
"""Pages without records, one after another, where some have to be. Assumed: a server may give a few."""

_encode = msgspec.json.Encoder().encode


async def fetch_again(
    reading: Reading, progress: ShardProgress, shard_id: str, items: Sequence[Item], record_bytes: int
) -> int:
    """
    Read records again of which only the places are kept, however long that takes.

    Return how many from the front the stream has no more.

    Args:
        record_bytes: how long each is expected to be.

    Raises:
        Stopped: the poller was told to stop.
        StreamNotFound: there is no such stream any more.
    """
    start = Position(Start.AT, items[0].record.sequence)
    while True:
        try:
            return await _find(reading, progress, shard_id, items, start, record_bytes)
        except ShardGone:
            return len(items)
        except PositionExpired:
            # Some servers tell that something is trimmed when they give an iterator, others when it is read.
            if start.start is Start.AT:
                start = Position(Start.OLDEST)
                continue
        except StreamUnavailable as error:
            await reading.note_trouble(shard_id, str(error))
        await reading.pause(AWAY_MIN_S)


async def _find(
    reading: Reading,
    progress: ShardProgress,
    shard_id: str,
    items: Sequence[Item],
    start: Position,
    record_bytes: int,
) -> int:
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
