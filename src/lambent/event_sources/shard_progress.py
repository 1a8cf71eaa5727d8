"""How far a poller has come in one shard, while batches of several lanes end in whatever order. Pure."""

from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from lambent.domain.stream_position import ShardPosition, Window, is_dealt_with, lane_of, order_of
from lambent.event_sources.stream_reader import StreamRecord


class Item:
    """One record on its way through a lane."""

    __slots__ = ("encoded", "entered_at", "is_done", "lane", "order", "record", "size_bytes")

    def __init__(self, record: StreamRecord, order: int, lane: int, encoded: bytes, entered_at: float) -> None:
        # Filtered out, it may stay behind a lane that is blocked: what the function gets is in `encoded`, and counted.
        self.record = msgspec.structs.replace(record, content={})
        """Without its content."""
        self.order = order
        self.lane = lane
        self.encoded = encoded
        """As the function gets it, JSON; empty for one that filters dropped, or of which only the place is kept."""
        self.size_bytes = len(encoded)
        """Of `encoded`, also while only the place is kept."""
        self.entered_at = entered_at
        """By the monotonic clock."""
        self.is_done = False


class ShardProgress:
    """
    Keeps the records that were read in order, and moves the position past those in front that are dealt with.

    Args:
        position: where reading begins.
        lanes: how many there are from now on; the position may know of another number.
    """

    def __init__(self, position: ShardPosition, lanes: int) -> None:
        self._before = position
        self._open: deque[Item] = deque()
        self._sequence = position.sequence
        self._order = order_of(position.sequence) if position.sequence else -1
        known = position.lanes if len(position.lanes) == lanes else ("",) * lanes
        self._lanes = [order_of(sequence) if sequence else -1 for sequence in known]
        self.last_read = position.sequence
        """Sequence of the newest record that was read; empty before one."""
        self._last_order = self._order
        self.waiting = 0
        """How many records were read and are not dealt with."""
        self.held_bytes = 0

    @property
    def behind(self) -> int:
        """How many records were read since the one at which the position stands."""
        return len(self._open)

    def enter(self, record: StreamRecord, encoded: bytes, now: float) -> Item | None:
        """
        Note a record that was read; None for one that was dealt with before.

        Args:
            encoded: empty for one that no filter let through: it is dealt with.

        Raises:
            ValueError: its sequence number is none.
        """
        order = order_of(record.sequence)
        if order <= self._last_order:
            return None
        self.last_read, self._last_order = record.sequence, order
        item = Item(record, order, lane_of(record.key, len(self._lanes)), encoded, now)
        item.is_done = not encoded or is_dealt_with(self._before, record.sequence, record.key)
        self._open.append(item)
        if item.is_done:
            self._move()
            return None
        self.waiting += 1
        self.held_bytes += len(encoded)
        return item

    def done(self, items: Sequence[Item]) -> None:
        """Note that records of one lane, the next ones of it, are dealt with."""
        for item in items:
            item.is_done = True
            self.waiting -= 1
            self._lanes[item.lane] = item.order
        # Where they stay until those before them are dealt with, only their places are kept.
        self.let_go(items)
        self._move()

    def let_go(self, items: Iterable[Item]) -> None:
        """Keep nothing of some records but their places: they are read again before they are tried again."""
        for item in items:
            self.held_bytes -= len(item.encoded)
            item.encoded = b""

    def take_again(self, item: Item, encoded: bytes) -> None:
        """Take one of these that was read again."""
        self.held_bytes += len(encoded) - len(item.encoded)
        item.encoded = encoded

    def forget(self, items: Iterable[Item]) -> None:
        """Forget records at the end of all that was read, as if they had not been."""
        forgotten = set(map(id, items))
        while self._open and (id(self._open[-1]) in forgotten or self._open[-1].is_done):
            item = self._open.pop()
            if not item.is_done:
                self.waiting -= 1
                self.held_bytes -= len(item.encoded)
        if self._open:
            self.last_read, self._last_order = self._open[-1].record.sequence, self._open[-1].order
        else:
            self.last_read, self._last_order = self._sequence, self._order

    def position(self, *, is_done: bool = False, window: Window | None = None) -> ShardPosition:
        """Return where another poller is to go on."""
        lanes: tuple[str, ...] = ()
        if len(self._lanes) > 1 and any(order > self._order for order in self._lanes):
            lanes = tuple(str(order) if order > self._order else "" for order in self._lanes)
        return msgspec.structs.replace(
            self._before, sequence=self._sequence, lanes=lanes, is_done=is_done, window=window
        )

    def _move(self) -> None:
        while self._open and self._open[0].is_done:
            item = self._open.popleft()
            self._sequence, self._order = item.record.sequence, item.order
