"""
What all mappings together may have at work, and whose turn it is where that is reached.

Plain objects on the event loop: no method awaits, so each is atomic.
"""

from typing import Protocol

HELD_MAX_BYTES = 128 << 20
"""What batches of all mappings take at once, read and not ended; beyond it nothing more is read until some have."""


class Reader(Protocol):
    """Whoever reads for a mapping."""

    @property
    def has_ready(self) -> bool:
        """Whether it holds batches that wait to be begun: these need no more bytes."""
        ...

    def look(self) -> bool:
        """
        Read if there may be something, and begin what was read: there may be room where there was none.

        Return whether nothing was begun by that, and something may be once it is read.
        """
        ...


class Budget:
    """
    Counts batches and bytes; readers that find none left stand in line.

    Args:
        batches_max: how many run at once.
        record_max_bytes: of one record: who has nothing yet gets a turn only where one can be read.
    """

    def __init__(self, batches_max: int, record_max_bytes: int) -> None:
        self._batches_max = batches_max
        self._record_max_bytes = record_max_bytes
        self._running = 0
        self._held_bytes = 0
        self._line: dict[Reader, None] = {}
        self._promised: set[Reader] = set()
        """Those of which the turn has come, and which read for it: nobody else is to have their place meanwhile."""

    @property
    def batches_max(self) -> int:
        return self._batches_max

    @property
    def left_bytes(self) -> int:
        return HELD_MAX_BYTES - self._held_bytes

    @property
    def has_line(self) -> bool:
        """Whether anybody waits."""
        return bool(self._line)

    def left_by_others(self, own_running: int) -> int:
        """Return how many batches one mapping could have at work beside the others'."""
        return self._batches_max - self._running + own_running

    def is_full_for(self, reader: Reader) -> bool:
        """Say whether a reader is to wait for others' batches to end, or for those whose turn it is."""
        return self._running + len(self._promised - {reader}) >= self._batches_max

    def stand_in_line(self, reader: Reader) -> None:
        """Have a reader look when its turn has come. Whoever stands there already keeps its place."""
        self._line.setdefault(reader)

    def leave(self, reader: Reader) -> None:
        """Forget a reader that reads no more. What it has at work still counts."""
        self._line.pop(reader, None)

    def begin(self, reader: Reader) -> None:
        """Count one more batch at work."""
        self._running += 1
        self._promised.discard(reader)

    def end(self) -> None:
        """Count one less. `release` is to follow."""
        self._running -= 1

    def hold(self, more_bytes: int) -> None:
        """Count bytes that are read, or about to be."""
        self._held_bytes += more_bytes

    def release(self, released_bytes: int) -> None:
        """Count bytes no more, and give as many turns to those that wait as there is room."""
        self._held_bytes -= released_bytes
        self._give_turns()

    def end_turn(self, reader: Reader) -> None:
        """Say that a reader has read. A turn that found nothing is the next one's."""
        self._promised.discard(reader)
        self._give_turns()

    def _give_turns(self) -> None:
        for reader in list(self._line):
            if self.is_full_for(reader):
                break
            if self.left_bytes < self._record_max_bytes and not reader.has_ready:
                continue
            # Whoever takes what there is, and wants more, waits behind the others.
            self._line.pop(reader, None)
            if reader.look():
                self._promised.add(reader)
