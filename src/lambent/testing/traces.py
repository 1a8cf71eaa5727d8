"""A store of traces in memory, and traces that keep what was left in them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Scope
from lambent.domain.traced import Linked, Traced
from lambent.errors.families import DependencyError
from lambent.store.traces_contract import StoredTrace, TraceDocument
from lambent.telemetry.traces import Traces


class MemoryTraces:
    """Implements what `Traces` asks of `TraceStore`: the last document of an id wins, unless it is in progress."""

    def __init__(self) -> None:
        self.stored: dict[tuple[Scope, str], dict[str, TraceDocument]] = {}
        self.puts = 0
        self.refuses = False
        """Whether each call fails as that of a store does that does not answer."""

    async def put(self, scope: Scope, documents: Sequence[TraceDocument]) -> Sequence[TraceDocument]:
        self._answer()
        self.puts += 1
        for one in documents:
            kept = self.stored.setdefault((scope, one.trace_id), {})
            there = kept.get(one.segment_id)
            if there is None or there.end_s is None or one.end_s is not None:
                kept[one.segment_id] = one
        return []

    async def documents(self, scope: Scope, trace_ids: Sequence[str]) -> Mapping[str, Sequence[bytes]]:
        self._answer()
        return {
            trace_id: [one.document for one in kept.values()]
            for trace_id in trace_ids
            if (kept := self.stored.get((scope, trace_id)))
        }

    async def find(self, scope: Scope, trace_ids: Sequence[str]) -> Mapping[str, StoredTrace]:
        raise NotImplementedError

    async def between(
        self,
        scope: Scope,
        from_s: float,
        before_s: float,
        *,
        by: str = "start_s",
        after: StoredTrace | None = None,
        limit: int,
    ) -> Sequence[StoredTrace]:
        raise NotImplementedError

    async def drop_expired(self, now_s: float) -> int:
        return 0

    def segments(self, scope: Scope, trace_id: str) -> list[dict[str, Any]]:
        """Return a trace's documents, decoded, in the order in which they were put first."""
        return [msgspec.json.decode(one.document) for one in self.stored.get((scope, trace_id), {}).values()]

    def _answer(self) -> None:
        if self.refuses:
            raise DependencyError("the store does not answer", retryable=True)


class LeftTraces(Traces):
    """Keeps what is left, for a test to look at."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(None, clock)
        self.left: list[Traced | Linked] = []
        self.datagrams: list[tuple[Scope, str, bytes]] = []

    def add(self, traced: Traced | Linked) -> None:
        self.left.append(traced)

    def received(self, scope: Scope, function: str, datagram: bytes) -> None:
        self.datagrams.append((scope, function, datagram))
