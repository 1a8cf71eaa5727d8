"""
Follows the store: each event source mapping gets its poller, and its state settles once the poller has followed.

News come as data. A mapping that was changed while no server ran is found at the next start.
"""

import asyncio
import logging

import msgspec

from lambent.clock import Clock, TimerHandle
from lambent.domain.event_source_mapping import EventSourceMapping, MappingState, settled
from lambent.event_sources.contract import EventSources
from lambent.store.contract import FunctionStore, MappingChange

_log = logging.getLogger("lambent.event_sources")

_PAGE = 500
"""Mappings that are named at once at the start."""

_SERVE_AGAIN_S = 30.0
"""After a source failed to begin or to end for a mapping. Assumed: it is our own fault, and may pass."""


class Supervisor:
    """
    Args:
        sources: by the service in the ARN of a source. The API lets no mapping of another one in.
    """

    def __init__(self, store: FunctionStore, sources: EventSources, clock: Clock) -> None:
        self._store = store
        self._sources = sources
        self._clock = clock
        # Names, not settings: however many changes come, what waits here is bounded by the number of mappings.
        self._changed: dict[MappingChange, None] = {}
        self._serving: dict[MappingChange, tuple[str, EventSourceMapping]] = {}
        """Service and mapping, of those whose poller reads."""
        self._again: dict[MappingChange, TimerHandle] = {}
        """Those that are to be served again, after a failure."""
        self._wake = asyncio.Event()
        store.on_mapping_change(self._note)

    async def run(self) -> None:
        """Follow all mappings for ever. Again after a failure, it begins with what there is."""
        last: MappingChange | None = None
        while True:
            page = await self._store.mappings(after=last, limit=_PAGE)
            for change in page:
                self._note(change)
            if len(page) < _PAGE:
                break
            last = page[-1]
        while True:
            while self._changed:
                change = next(iter(self._changed))
                # Before reading: a change that comes meanwhile is another one.
                del self._changed[change]
                try:
                    await self._follow(change)
                except BaseException:
                    self._changed[change] = None
                    raise
            self._wake.clear()
            await self._wake.wait()

    def _note(self, change: MappingChange) -> None:
        self._changed[change] = None
        self._wake.set()

    async def _follow(self, change: MappingChange) -> None:
        async with self._store.snapshot(change.scope) as reading:
            mapping = await reading.event_source_mappings.get(change.uuid)
        after = None if mapping is None else settled(mapping)
        try:
            self._serve(change, after)
        except Exception:
            # One that cannot be read for keeps neither the others from it nor its owner from changing or deleting it.
            _log.exception("mapping.not_served uuid=%s", change.uuid)
            self._serve_again(change)
        if mapping is None or after == mapping:
            return
        async with self._store.transaction(change.scope) as tx:
            now = await tx.event_source_mappings.get(change.uuid)
            if now is None or now.state is not mapping.state:
                # The commit that changed it told of it.
                return
            if after is None:
                await tx.event_source_mappings.delete(change.uuid)
            else:
                # Tags may have been changed meanwhile: they are no part of what is followed.
                await tx.event_source_mappings.save(msgspec.structs.replace(now, state=after.state))
        _log.info("mapping.settled uuid=%s state=%s", change.uuid, "deleted" if after is None else after.state.value)

    def _serve_again(self, change: MappingChange) -> None:
        """Follow a mapping once more after a while."""
        if (waiting := self._again.pop(change, None)) is not None:
            waiting.cancel()

        def follow() -> None:
            del self._again[change]
            self._note(change)

        self._again[change] = self._clock.call_later(_SERVE_AGAIN_S, follow)

    def _serve(self, change: MappingChange, mapping: EventSourceMapping | None) -> None:
        """Have a mapping's poller be as the mapping is."""
        before = self._serving.get(change)
        if mapping is None or mapping.state is not MappingState.ENABLED:
            if before is not None:
                self._sources[before[0]].end(change.uuid)
                del self._serving[change]
            return
        # What a poller has nothing to do with does not concern it.
        followed = msgspec.structs.replace(mapping, tags={}, last_modified=0.0)
        if before is None or before[1] != followed:
            service = mapping.source_arn.split(":")[2]
            self._sources[service].begin(followed)
            self._serving[change] = (service, followed)
