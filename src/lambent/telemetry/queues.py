"""
What all queues hold: for the operator's command, and for metrics.

In: the event queue. Out: figures, messages as they wait. Never: a message claimed.
"""

from collections.abc import Sequence

import msgspec

from lambent.domain.queue_message import unpack
from lambent.store.contract import Depth, EventQueue, QueueKind, QueueName, WaitingEvent

SHOWN_MAX = 1_000
"""Queues in one answer; beyond it the emptiest are left out, and metrics add them up under no name."""

PEEK_MAX = 100

_OTHERS = ""
"""The name under which metrics hold what is beyond `SHOWN_MAX`."""


class QueueFigures(msgspec.Struct, frozen=True):
    """One queue."""

    kind: str
    account: str
    region: str
    name: str
    waiting: int
    delayed: int
    in_flight: int
    oldest_age_s: float | None


class Peeked(msgspec.Struct, frozen=True):
    """One event or message as it waits."""

    id: str
    body: str
    group: str
    receive_count: int
    sent_ms: int
    due_s: float
    """In how many seconds it can be received; 0 or less: now."""
    is_in_flight: bool


class QueueView:
    """
    Looks at the queues of all accounts.
    """

    def __init__(self, events: EventQueue) -> None:
        self._events = events

    async def figures(self) -> list[QueueFigures]:
        """
        Return the queues that hold events, and those of SQS that hold none; the fullest first where there are too many.

        Costs what there are queues. At most `SHOWN_MAX`.
        """
        names: dict[QueueName, None] = {}
        for kind in QueueKind:
            names.update(dict.fromkeys(await self._events.filled(kind)))
        for definition in await self._events.definitions(QueueKind.SQS, limit=SHOWN_MAX):
            names.setdefault(definition.queue)
        depths = await self._events.depth(list(names))
        found = [_figures(name, depths[name]) for name in names if name in depths]
        found.sort(key=lambda queue: -_size(queue))
        return sorted(found[:SHOWN_MAX], key=lambda queue: (queue.kind, queue.account, queue.region, queue.name))

    async def peek(self, queue: QueueName, limit: int) -> list[Peeked]:
        """Return some events of a queue, those that can be received soonest first, without receiving them."""
        found = await self._events.peek(queue, limit=min(limit, PEEK_MAX))
        return [_peeked(queue, event) for event in found]

    async def purge(self, queue: QueueName) -> bool:
        """Drop all that a queue holds; False when there is none."""
        return await self._events.purge(queue)

    async def summed(self) -> list[QueueFigures]:
        """Return the figures of the fullest queues, and those of all others as one without a name."""
        shown = await self.figures()
        names = {(queue.kind, queue.account, queue.region, queue.name) for queue in shown}
        if len(shown) < SHOWN_MAX:
            return shown
        others: dict[str, list[Depth]] = {}
        for kind in QueueKind:
            filled = [
                name
                for name in await self._events.filled(kind)
                if (kind.value, name.scope.account, name.scope.region, name.name) not in names
            ]
            others[kind.value] = list((await self._events.depth(filled)).values())
        return [*shown, *(_sum(kind, depths) for kind, depths in others.items() if depths)]


def _figures(name: QueueName, depth: Depth) -> QueueFigures:
    return QueueFigures(
        name.kind.value,
        name.scope.account,
        name.scope.region,
        name.name,
        depth.waiting,
        depth.delayed,
        depth.in_flight,
        None if depth.oldest_age_s is None else round(depth.oldest_age_s, 3),
    )


def _size(queue: QueueFigures) -> int:
    return queue.waiting + queue.delayed + queue.in_flight


def _sum(kind: str, depths: Sequence[Depth]) -> QueueFigures:
    ages = [depth.oldest_age_s for depth in depths if depth.oldest_age_s is not None]
    return QueueFigures(
        kind,
        "",
        "",
        _OTHERS,
        sum(depth.waiting for depth in depths),
        sum(depth.delayed for depth in depths),
        sum(depth.in_flight for depth in depths),
        max(ages, default=None),
    )


def _peeked(queue: QueueName, event: WaitingEvent) -> Peeked:
    body = event.body.decode(errors="replace")
    group = event.group or ""
    if queue.kind is QueueKind.SQS:
        message = unpack(event.body, event.attributes)
        body, group = message.body, group or message.group
    return Peeked(event.id, body, group, event.receive_count, event.sent_ms, round(event.due_s, 3), event.is_in_flight)
