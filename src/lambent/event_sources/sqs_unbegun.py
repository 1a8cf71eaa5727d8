"""What one mapping has read and not begun: the batch that a window gathers, and those that wait for room."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lambent.clock import TimerHandle
from lambent.domain.event_source_mapping import EventSourceMapping
from lambent.event_sources.batching import Batch, Record
from lambent.event_sources.sqs_shared import Shared


class Unbegun:
    """
    Makes batches of records, in order. What they take is counted in the budget until they have ended.

    Args:
        is_fifo: what of a group came in one read is kept in order.
        on_window: called when a window has ended, and its batch is ready.
    """

    __slots__ = ("_is_fifo", "_on_window", "_open", "_ready", "_shared", "_window_timer")

    def __init__(self, shared: Shared, *, is_fifo: bool, on_window: Callable[[], object]) -> None:
        self._shared = shared
        self._is_fifo = is_fifo
        self._on_window = on_window
        self._ready: deque[list[Batch]] = deque()
        """Read, and not begun, or refused. Batches of one item follow each other."""
        self._open: Batch | None = None
        """What a window gathers."""
        self._window_timer: TimerHandle | None = None

    def __len__(self) -> int:
        """Return how many items are ready to be begun."""
        return len(self._ready)

    @property
    def gathered(self) -> int:
        """How many records a window has gathered."""
        return 0 if self._open is None else len(self._open.records)

    def gather(self, records: Iterable[Record], mapping: EventSourceMapping) -> None:
        """Make batches of records, as the mapping wants them."""
        closed: list[Batch] = []
        for record in records:
            if self._open is not None and not self._open.takes(record):
                closed.append(self._close())
            if self._open is None:
                self._open = Batch(mapping.batch_size, self._shared.payload_max_bytes)
                self._shared.budget.hold(self._open.payload_bytes)
                if mapping.window_s:
                    self._window_timer = self._shared.clock.call_later(mapping.window_s, self._end_window)
            before = self._open.payload_bytes
            self._open.add(record)
            self._shared.budget.hold(self._open.payload_bytes - before)
            if self._open.is_full:
                closed.append(self._close())
        if self._open is not None and not mapping.window_s:
            closed.append(self._close())
        # What is too long for one payload may hold a group of a FIFO queue in two: the second is to follow the first.
        self._ready.extend([closed] if self._is_fifo and closed else [[batch] for batch in closed])

    def close(self) -> None:
        """End what a window gathers: it is ready."""
        if self._open is not None:
            self._ready.append([self._close()])

    def next(self, now: float) -> list[Batch] | None:
        """Return what is to be begun next: what was read first, unless it was refused just now."""
        return next((batches for batches in self._ready if batches[0].not_before <= now), None)

    def remove(self, batches: list[Batch]) -> None:
        """Give up an item that is begun."""
        self._ready.remove(batches)

    def put_back(self, batches: list[Batch]) -> None:
        """Have an item again that was refused."""
        self._ready.appendleft(batches)

    def next_look_at(self, now: float) -> float:
        """Return when the pause after a refusal is over, or it is too late for one of them: nobody tells of that."""
        heads = [batches[0] for batches in self._ready]
        return min(at for one in heads for at in (one.not_before, one.lease.begin_by) if at > now)

    def drop_all(self) -> list[Any]:
        """Forget everything; return the receipts of what is to be given back."""
        self.close()
        unbegun = [batch for batches in self._ready for batch in batches]
        self._ready.clear()
        self._release(unbegun)
        return [record.receipt for batch in unbegun for record in batch.records]

    def drop_late(self, now: float) -> tuple[int, list[Any]]:
        """
        Forget what could not end any more before others may read it.

        Return how many records that were, and the receipts of what is to be given back.
        """
        late = [batches for batches in self._ready if batches[0].lease.begin_by <= now]
        if not late:
            return 0, []
        self._ready = deque(batches for batches in self._ready if batches[0].lease.begin_by > now)
        dropped = [batch for batches in late for batch in batches]
        self._release(dropped)
        # As on AWS the messages of a batch that was refused stay hidden until their time is over.
        untried = [record.receipt for batch in dropped if not batch.is_tried for record in batch.records]
        return sum(len(batch.records) for batch in dropped), untried

    def _release(self, batches: Sequence[Batch]) -> None:
        if batches:
            self._shared.budget.release(sum(batch.payload_bytes for batch in batches))

    def _close(self) -> Batch:
        batch, self._open = self._open, None
        assert batch is not None
        if self._window_timer is not None:
            self._window_timer.cancel()
            self._window_timer = None
        return batch

    def _end_window(self) -> None:
        self._window_timer = None
        if self._open is not None:
            self._ready.append([self._close()])
            self._on_window()
