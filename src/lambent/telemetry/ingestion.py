"""
What follows from log events on their way into the store.

In: the events and the ended invocations of one batch, decoded in a thread. Out: metric points, which are stored in the
batch's own commit; payloads for subscribers, handed over before it; events for live tails, after it. Never: the store.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.metric import MetricPoint
from lambent.store.contract import NewLogEvent


class EndedInvocation(msgspec.Struct, frozen=True):
    """An invocation that is over, as its record tells."""

    scope: Scope
    function: str
    qualifier: str
    """As the caller addressed it; empty without one."""
    version: str
    """That ran."""
    started_ms: int
    duration_ms: float
    init_ms: float
    """0 without a cold start."""
    status: str
    """Empty when all went well, else `error` or `timeout`."""
    is_weighted: bool = False
    """Whether an alias's weights chose the version."""


class Derived(NamedTuple):
    """What follows from one batch."""

    points: Sequence[MetricPoint] = ()
    deliveries: Sequence[object] = ()
    """For `Ingestion.deliver`."""


LiveTail = Callable[[Sequence[NewLogEvent]], None]
"""Is told of events that are in the store now, on the event loop; must not raise and not take long."""


class Ingestion:
    """
    Sees every batch of log events.

    Args:
        of_invocations: makes metric points of ended invocations (`lambda_metrics`); pure, called in a thread.
    """

    def __init__(
        self, of_invocations: Callable[[Sequence[EndedInvocation]], Sequence[MetricPoint]] = lambda _: ()
    ) -> None:
        self._of_invocations = of_invocations
        self._live_tails: list[LiveTail] = []
        self.reload: Callable[[], Awaitable[None]] | None = None

    @property
    def is_followed(self) -> bool:
        """Whether somebody wants to hear of events within about a second of their being written."""
        return bool(self._live_tails)

    def follow(self, tail: LiveTail) -> Callable[[], None]:
        """Have a live tail told of what comes from now on; return what ends that."""
        self._live_tails.append(tail)
        return lambda: self._live_tails.remove(tail)

    async def prepare(self) -> None:
        """Have what `derive` needs at hand. Called on the event loop before each batch."""

    def derive(self, events: Sequence[NewLogEvent], ended: Sequence[EndedInvocation]) -> Derived:
        """Return what follows from a batch. Pure, called in a thread."""
        return Derived(points=self._of_invocations(ended))

    async def deliver(self, derived: Derived) -> None:
        """
        Hand payloads to those who subscribe, durably: the batch's commit comes next. A batch that is repeated after a
        crash is delivered again.
        """

    def committed(self, events: Sequence[NewLogEvent]) -> None:
        """Tell live tails of a batch that is in the store now."""
        for tail in list(self._live_tails):
            tail(events)
