"""
The pollers of streams of one service: what reads its shards is a `StreamReader`, everything else is the same for all.
"""

from collections.abc import Iterable, Mapping

from lambent.domain.event_source_mapping import EventSourceMapping
from lambent.event_sources.contract import Counts, PollerView
from lambent.event_sources.stream_poller import StreamPoller
from lambent.event_sources.stream_reader import StreamDenied, StreamNotFound, StreamReader, StreamUnavailable
from lambent.event_sources.stream_shared import StreamShared
from lambent.store.contract import FunctionChange, FunctionStore


class StreamSource:
    """
    Implements `EventSource` for streams, and tells the API which ones are there.

    Args:
        shared: with the sources of other services.
    """

    def __init__(self, reader: StreamReader, shared: StreamShared, store: FunctionStore) -> None:
        self._reader = reader
        self._shared = shared
        self._pollers: dict[str, StreamPoller] = {}
        self._ended: dict[str, StreamPoller] = {}
        """Those of which batches are still at work: should the mapping begin again, it waits for them."""
        store.on_change(self._on_function_change)

    async def why_not(self, mapping: EventSourceMapping) -> str | None:
        """Say why a stream cannot be read; None where it can."""
        try:
            await self._reader.shards(mapping)
        except StreamNotFound:
            # Observed: localstack/localstack tests/aws/services/lambda_/event_source_mapping (recorded).
            return f"Stream not found: {mapping.source_arn}"
        except StreamDenied as error:
            return str(error)
        except StreamUnavailable as error:
            # Assumed: the text (test_stream_source).
            return f"Cannot access stream {mapping.source_arn}: {error}"
        return None

    def begin(self, mapping: EventSourceMapping) -> None:
        """Read for a mapping from now on, or go on under its new settings; see the contract."""
        before = self._pollers.pop(mapping.uuid, None)
        if before is not None:
            before.stop()
        else:
            before = self._ended.pop(mapping.uuid, None)
        self._pollers[mapping.uuid] = StreamPoller(self._shared, self._reader, mapping, before)

    def end(self, uuid: str) -> None:
        """Read no more for a mapping; see the contract."""
        poller = self._pollers.pop(uuid, None)
        if poller is None:
            return
        poller.stop()
        self._ended[uuid] = poller
        self._ended = {ended: one for ended, one in self._ended.items() if not one.task.done()}

    def counts(self) -> Mapping[str, Counts]:
        """Return, by UUID, the counts of mappings that ask for them."""
        return {uuid: poller.counts for uuid, poller in self._pollers.items() if poller.mapping.metrics}

    def pollers(self) -> Iterable[PollerView]:
        """Return what is read for now."""
        return [PollerView(poller.mapping, poller.counts, poller.in_flight) for poller in self._pollers.values()]

    async def stop(self) -> None:
        """End all. What was only read is still in its stream."""
        for uuid in list(self._pollers):
            self.end(uuid)

    async def close(self) -> None:
        """Leave what functions still work on to the next start: it is read again from where the positions are."""
        await self._shared.close()

    def _on_function_change(self, change: FunctionChange) -> None:
        for poller in self._pollers.values():
            if (poller.mapping.scope, poller.mapping.function_name) == (change.scope, change.name):
                poller.poke()
