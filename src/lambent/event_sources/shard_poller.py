"""
Reads one shard for one mapping: at a pace, as far as there is room, into lanes of which each has one batch at work.

A shard at rest is a task that sleeps, and one request a second.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence

import msgspec

from lambent.domain.stream_mapping import AT_TIME
from lambent.domain.stream_position import ShardPosition, Window
from lambent.event_sources.fetching import AWAY_MIN_S, LIMIT_FIRST, PAGE_MAX_BYTES, fetch_again
from lambent.event_sources.shard_progress import Item, ShardProgress
from lambent.event_sources.stream_batch import BatchWork, Done, Frame, InWindow, Plain
from lambent.event_sources.stream_reader import (
    Position,
    PositionExpired,
    ShardGone,
    Start,
    StreamNotFound,
    StreamRecord,
    StreamUnavailable,
)
from lambent.event_sources.stream_shared import Reading, Stopped
from lambent.event_sources.tumbling import LATE_S, STATE_MAX_BYTES, window_of

_log = logging.getLogger("lambent.event_sources")

_READS_A_SECOND = 5
"""What a shard allows. Documented: Kinesis API reference, GetRecords. So many at once after a full page."""

_READ_AGAIN_S = 1.0 / _READS_A_SECOND
"""
From one read of a shard to the next while records come. After an empty one it takes twice as long, up to a second,
which is AWS's pace. Documented: Lambda developer guide, Kinesis.
"""
_AT_REST_S = 1.0

_AWAY_MAX_S = 10.0
"""Between attempts at a stream that cannot be read at most: doubled from one to the next. Assumed."""

_LIMIT_USUAL, _LIMIT_MAX = 1000, 10_000
"""
Records of one read, once it is known how long they are: so many, or a batch of each lane. The last is what a shard
gives. Documented: Kinesis API reference, GetRecords.
"""

_AHEAD_MAX_BYTES = 6 << 20
"""What of a shard may have been read and not dealt with when more is read: one full batch."""

_LONG_S = 3600.0
"""For what is told: nobody waits until it is over."""

_SAVE_S = 5.0
"""Between writes of a position that only filters move, in a shard that always has more. Assumed."""

_REFUSED_MAX = 3
"""Iterators refused at once, one after another, until the position counts as trimmed. Assumed."""

_BEHIND_MAX = 20_000
"""Records of other lanes that are dealt with while one lane is not. Assumed."""

_PAGE_MIN_BYTES = 64 << 10
"""What a page is expected to take at least."""

_encode = msgspec.json.Encoder().encode


class _Lane:
    """Some keys of the shard: their records one batch after another."""

    __slots__ = ("is_at_work", "items", "more")

    def __init__(self) -> None:
        self.items: deque[Item] = deque()
        self.more = asyncio.Event()
        self.is_at_work = False


class ShardPoller:
    """
    One shard.

    Args:
        iterator: to begin with; None: the position says where.
    """

    def __init__(self, reading: Reading, position: ShardPosition, iterator: str | None = None) -> None:
        self._reading = reading
        self._shared = reading.shared
        self._position = position
        self._iterator = iterator
        self._progress = ShardProgress(position, reading.settings.lanes)
        self._saved = position
        self._saved_at = reading.shared.clock.monotonic()
        self._window = position.window
        self._work = BatchWork(reading, position.shard_id, self)
        self._lanes = [_Lane() for _ in range(reading.settings.lanes)]
        self._at_work = 0
        self._moved = asyncio.Event()
        """Set when a batch is dealt with, or a lane has nothing more."""
        self._is_at_end = False
        """Whether the shard is closed, and read to its end."""
        self._is_blocked = False
        self._is_lost = False
        """Whether a lane has found that the stream is gone."""
        self._letting_go = 0
        """How often what was read ahead was let go: a page that was asked for before is not what follows now."""
        self._drops_older = False
        self._refused = 0
        """How often in a row an iterator was too old as soon as it was given."""
        self._pace_s = _READ_AGAIN_S
        self._reads: deque[float] = deque(maxlen=_READS_A_SECOND)
        """When the last reads began."""
        self._limit = LIMIT_FIRST
        self._record_bytes = 1024
        self._read_through = 0.0
        """Until when, by the wall clock, the shard was seen to have nothing more."""

    @property
    def shard_id(self) -> str:
        return self._position.shard_id

    async def run(self) -> None:
        """
        Return when all of a closed shard is dealt with, and that is written down.

        Raises:
            Stopped: the poller was told to stop, and what was at work has ended.
            StreamNotFound: there is no such stream any more.
        """
        away_s = AWAY_MIN_S
        try:
            while True:
                try:
                    await self._read_on()
                    away_s = AWAY_MIN_S
                    if self._is_at_end:
                        break
                except PositionExpired:
                    # What followed has been trimmed, or the stream is another one.
                    await self._begin_anew()
                except ShardGone:
                    _log.error("mapping.shard_gone uuid=%s shard=%s", self._reading.mapping.uuid, self.shard_id)
                    await self._reading.note_trouble(self.shard_id, None)
                    self._is_at_end = True
                    break
                except StreamUnavailable as error:
                    self._iterator = None
                    await self._reading.note_trouble(self.shard_id, str(error))
                    await self._reading.pause(away_s)
                    away_s = min(2 * away_s, _AWAY_MAX_S)
            await self._drained()
            await self._save(is_done=True)
        except BaseException:
            # Also our own mistake: what waits to be tried again would keep the shard from being read anew.
            self._reading.stop()
            raise
        finally:
            # What functions work on ends; it is nobody else's until it has.
            while self._at_work:
                await self._moved.wait()
                self._moved.clear()
            self._shared.held.add(-self._progress.held_bytes)

    # Reading ------------------------------------------------------------------------------------------------------

    async def _read_on(self) -> None:
        """Read once there is room and it is time, and hand over what there was."""
        reading, clock = self._reading, self._shared.clock
        await self._wait_room()
        if is_fresh := self._iterator is None:
            self._iterator = await reading.reader.iterator(reading.mapping, self.shard_id, self._where())
        letting_go = self._letting_go
        expected = min(max(self._limit * self._record_bytes, _PAGE_MIN_BYTES), PAGE_MAX_BYTES)
        await self._shared.held.take(expected)
        began, began_wall = clock.monotonic(), clock.now()
        self._reads.append(began)
        limit = self._limit
        try:
            if reading.is_stopped:
                raise Stopped
            if letting_go != self._letting_go:
                # While this waited for its turn.
                return
            try:
                page = await reading.reader.read(reading.mapping, self._iterator, self._limit)
            except PositionExpired:
                self._iterator = None
                if is_fresh and letting_go == self._letting_go:
                    self._refused_anew()
                return
            self._refused = 0
            role_arn = await reading.role_arn() if page.records else ""
            if letting_go != self._letting_go:
                return
            try:
                self._take(page.records, role_arn)
            finally:
                # Also what stands before a record that nobody understands.
                self._begin_lanes()
        finally:
            self._shared.held.add(-expected)
        # Before anything else happens: what is let go from now on is not read again where there is nothing more.
        self._iterator, self._is_at_end = page.next_iterator, page.next_iterator is None
        await reading.note_trouble(self.shard_id, None)
        if page.records:
            self._pace_s = _READ_AGAIN_S
        else:
            self._pace_s = min(2 * self._pace_s, _AT_REST_S)
            if not page.is_behind:
                self._read_through = began_wall
        if not page.records or began >= self._saved_at + _SAVE_S:
            # What filters dropped moves the position as well; nobody waits for that to be on disk.
            await self._save()
            # A window may be over by now.
            self._begin_lanes()
        if self._is_at_end:
            return
        next_read = began + self._pace_s
        if len(page.records) >= limit:
            # There is more.
            next_read = self._reads[0] + 1.0 if len(self._reads) == _READS_A_SECOND else began
        if (rest_s := next_read - clock.monotonic()) > 0:
            await reading.pause(rest_s)

    def _where(self) -> Position:
        if self._progress.last_read:
            return Position(Start.AFTER, self._progress.last_read)
        position = self._position
        if position.start == Start.OLDEST.value:
            return Position(Start.OLDEST)
        if position.start == Start.NEWEST.value and self._reading.mapping.service not in AT_TIME:
            # Nor from one on: `_take` drops what is older.
            self._drops_older = True
            return Position(Start.OLDEST)
        at = position.at
        if position.start == Start.NEWEST.value:
            # It has been, whatever the clock says since: what is yet to come would be newer than all there is.
            at = min(at, self._shared.clock.now())
        return Position(Start.AT_TIME, at=at)

    async def _wait_room(self) -> None:
        """Return when so little waits that more is to be read."""
        most = max(self._reading.mapping.batch_size * self._reading.settings.lanes, LIMIT_FIRST)
        while (
            self._is_blocked
            or self._progress.waiting >= most
            or self._progress.behind >= _BEHIND_MAX
            or self._progress.held_bytes >= _AHEAD_MAX_BYTES
        ):
            await self._wait_moved()

    async def _wait_moved(self) -> None:
        await self._reading.wait(self._moved, _LONG_S)
        if self._is_lost:
            raise StreamNotFound

    def _take(self, records: Sequence[StreamRecord], role_arn: str) -> None:
        """Filter records and put them into their lanes."""
        reading, now = self._reading, self._shared.clock.monotonic()
        if not records:
            return
        # Some services tell when a record arrived in whole seconds, by a clock that may be a little behind.
        since = float(int(self._position.at) - 1) if self._drops_older else 0.0
        taken_bytes = 0
        for record in records:
            encoded = b""
            if record.arrived_at >= since and self._is_let_through(record):
                encoded = _encode(reading.reader.record(reading.mapping, self.shard_id, record, role_arn))
            try:
                item = self._progress.enter(record, encoded, now)
            except ValueError as error:
                raise StreamUnavailable(f"The stream is not understood: {error}") from error
            if item is not None:
                taken_bytes += len(encoded)
                self._shared.held.add(len(encoded))
                lane = self._lanes[item.lane]
                lane.items.append(item)
                lane.more.set()
        reading.counts.polled += len(records)
        average = taken_bytes // len(records)
        self._record_bytes = min(max(2 * average, self._record_bytes // 4, 256), PAGE_MAX_BYTES)
        if len(records) >= self._limit:
            wanted = max(reading.mapping.batch_size * reading.settings.lanes, _LIMIT_USUAL)
            self._limit = min(4 * self._limit, wanted, _LIMIT_MAX)

    def _is_let_through(self, record: StreamRecord) -> bool:
        if not self._reading.mapping.filters:
            return True
        seen = self._reading.reader.filtered(record)
        if seen is not None and self._reading.filter.lets_through_decoded(seen):
            return True
        self._reading.counts.filtered_out += 1
        return False

    def _refused_anew(self) -> None:
        """
        Do what follows where an iterator that has only just been given is too old.

        Raises:
            StreamUnavailable: it may be otherwise the next time.
            PositionExpired: it was so too often. Assumed: some servers tell of what is trimmed only whoever reads.
        """
        self._refused += 1
        if self._refused >= _REFUSED_MAX and self._progress.last_read:
            self._refused = 0
            raise PositionExpired
        raise StreamUnavailable("The stream takes none of the iterators that it gives")

    async def _begin_anew(self) -> None:
        """Go on where the stream begins now."""
        _log.error("mapping.position_expired uuid=%s shard=%s", self._reading.mapping.uuid, self.shard_id)
        await self._settled()
        self._position = ShardPosition(self.shard_id)
        self._progress = ShardProgress(self._position, self._reading.settings.lanes)
        self._drops_older = False

    # Lanes --------------------------------------------------------------------------------------------------------

    def _begin_lanes(self) -> None:
        # A window has one lane. One that former settings left behind ends before there are others.
        for lane in self._lanes if self._window is None else self._lanes[:1]:
            if not lane.is_at_work and (lane.items or self._is_window_over()):
                lane.is_at_work = True
                self._at_work += 1
                self._shared.spawn(self._serve(lane))

    async def _serve(self, lane: _Lane) -> None:
        """Work off a lane until it has nothing more."""
        try:
            while True:
                if self._reading.settings.tumbling_s or self._window is not None:
                    if not await self._serve_window(lane):
                        break
                elif lane.items:
                    await self._deal(await self._gather(lane), Plain(), self._done)
                else:
                    break
        except Stopped:
            pass
        except Exception:
            # Our own mistake: the shard is read anew where it stands, with the next start of the mapping.
            _log.exception("mapping.failed uuid=%s shard=%s", self._reading.mapping.uuid, self.shard_id)
            self._reading.stop()
        finally:
            lane.is_at_work = False
            self._at_work -= 1
            self._moved.set()

    async def _deal(self, items: Sequence[Item], frame: Frame, done: Done) -> None:
        try:
            await self._work.deal(items, frame, done)
        finally:
            self._is_blocked = False
            self._moved.set()

    async def _gather(self, lane: _Lane, before_s: float | None = None, taken_bytes: int = 64) -> list[Item]:
        """
        Take a batch out of a lane, once it is full or its window is over.

        Args:
            before_s: records that arrived later are another batch's; None: there are no such.
            taken_bytes: what of the payload is taken by more than records.
        """
        mapping, clock = self._reading.mapping, self._shared.clock
        while True:
            count, size = 0, taken_bytes
            for item in lane.items:
                size += item.size_bytes + 1
                is_other = before_s is not None and item.record.arrived_at >= before_s
                # The first one always fits: who should it wait for?
                if count and (is_other or count >= mapping.batch_size or size > self._shared.payload_max_bytes):
                    break
                count += 1
            left_s = lane.items[0].entered_at + mapping.window_s - clock.monotonic()
            if count < len(lane.items) or count >= mapping.batch_size or self._is_at_end or left_s <= 0:
                return [lane.items.popleft() for _ in range(count)]
            await self._reading.wait(lane.more, left_s)

    async def _done(self, items: Sequence[Item]) -> None:
        before = self._progress.held_bytes
        self._progress.done(items)
        self._shared.held.add(self._progress.held_bytes - before)
        await self._save()
        self._moved.set()

    # What waits for long -------------------------------------------------------------------------------------------

    def let_go(self, items: Sequence[Item]) -> None:
        """Hold no more of a batch that is going to wait for long than its places, and nothing behind it."""
        before = self._progress.held_bytes
        self._progress.let_go(items)
        if len(self._lanes) > 1 or self._is_at_end:
            # Others have read on, or nobody will: of what is behind it the places are kept, too.
            for item in items[:1]:
                self._progress.let_go(self._lanes[item.lane].items)
        else:
            self._is_blocked = True
            self._letting_go += 1
            self._progress.forget(self._lanes[0].items)
            self._lanes[0].items.clear()
            self._iterator = None
        self._shared.held.add(self._progress.held_bytes - before)

    async def fetch(self, items: Sequence[Item]) -> int:
        """Read records again that were let go; return how many from the front the stream has no more."""
        try:
            return await fetch_again(self._reading, self._progress, self.shard_id, items, self._record_bytes)
        except StreamNotFound:
            self._is_lost = True
            self._moved.set()
            raise Stopped from None

    async def _drained(self) -> None:
        """Return when all that was read is dealt with, and the last window has ended."""
        while self._progress.waiting or self._at_work or self._window is not None:
            await self._settled()

    async def _settled(self) -> None:
        """Return when what is in the lanes is dealt with, as far as it can be now."""
        self._begin_lanes()
        while self._progress.waiting or self._at_work:
            for lane in self._lanes:
                lane.more.set()
            await self._wait_moved()

    async def _save(self, *, is_done: bool = False) -> None:
        position = self._progress.position(is_done=is_done, window=self._window)
        self._saved_at = self._shared.clock.monotonic()
        if position != self._saved:
            await self._reading.save([position])
            self._saved = position

    # Tumbling windows ---------------------------------------------------------------------------------------------

    def _is_window_over(self) -> bool:
        window = self._window
        if window is None:
            return False
        return self._is_at_end or not self._reading.settings.tumbling_s or self._read_through >= window.end_s + LATE_S

    async def _serve_window(self, lane: _Lane) -> bool:
        """Deal with a batch of a window, or end one; False where there is nothing to do."""
        window = self._window
        if window is not None and not self._reading.settings.tumbling_s:
            await self._end_window(window)
            self._begin_lanes()
            return True
        if lane.items:
            arrived_at = lane.items[0].record.arrived_at
            if window is None:
                self._window = window_of(arrived_at, self._reading.settings.tumbling_s)
            elif arrived_at >= window.end_s:
                await self._end_window(window)
            else:
                # Also one that is earlier: the order of the shard counts for more than its clock.
                await self._deal_in(window, lane)
            return True
        if window is None or not self._is_window_over():
            return False
        await self._end_window(window)
        return True

    async def _deal_in(self, window: Window, lane: _Lane) -> None:
        frame = self._frame(window)
        items = await self._gather(lane, window.end_s, 1024 + len(bytes(window.state)))

        async def done(part: Sequence[Item]) -> None:
            if frame.is_overfull:
                await self._end_window(frame.window, is_early=True)
                frame.window = Window(window.start_s, window.end_s)
            self._window = frame.window
            await self._done(part)

        await self._deal(items, frame, done)

    async def _end_window(self, window: Window, *, is_early: bool = False) -> None:
        """Make the last call of a window, after which its state is gone."""
        if len(bytes(window.state)) > self._shared.payload_max_bytes - STATE_MAX_BYTES:
            # More than a call takes: nobody can get it. Assumed: AWS has no such state either.
            window = msgspec.structs.replace(window, state=msgspec.Raw(b"{}"))
        frame: Frame = self._frame(window, is_final=True, is_early=is_early)
        await self._deal([], frame, self._nothing)
        self._window = None
        if not is_early:
            await self._save()

    def _frame(self, window: Window, *, is_final: bool = False, is_early: bool = False) -> InWindow:
        arn = self._reading.mapping.source_arn
        return InWindow(window, self.shard_id, arn, is_final=is_final, is_early=is_early)

    async def _nothing(self, items: Sequence[Item]) -> None:
        pass
