"""
One mapping's reading of a stream: which shards it has, and which of them are read when.

Parents come before their children: a child begins when all of its parents that the stream still knows, or the mapping
ever read, are dealt with.
"""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Mapping, Sequence

import msgspec

from lambent.domain.event_source_mapping import EventSourceMapping
from lambent.domain.stream_position import ShardPosition
from lambent.errors.families import DependencyError
from lambent.event_sources.contract import Counts
from lambent.event_sources.shard_poller import ShardPoller
from lambent.event_sources.stream_reader import (
    Position,
    PositionExpired,
    Shard,
    ShardGone,
    Start,
    StreamNotFound,
    StreamReader,
    StreamUnavailable,
)
from lambent.event_sources.stream_shared import Reading, Stopped, StreamShared

_log = logging.getLogger("lambent.event_sources")

_LOOK_AGAIN_S = 60.0
"""
Between looks at the shards, beside those that follow the end of one: a new shard mostly follows an old one. Assumed.
"""

_FAILED_AGAIN_S = 30.0
"""After a mistake of our own. Assumed."""

_AWAY_MIN_S, _AWAY_MAX_S = 0.5, 10.0
"""Between attempts at a stream that cannot be read, doubled from one to the next. Assumed."""


class StreamPoller:
    """
    One mapping's reading, from one `begin` to the next.

    Args:
        after: what read for the mapping before: nothing is begun before that has ended.
    """

    def __init__(
        self,
        shared: StreamShared,
        reader: StreamReader,
        mapping: EventSourceMapping,
        after: "StreamPoller | None",
    ) -> None:
        self.mapping = mapping
        self.counts: Counts = Counts() if after is None else after.counts
        self._shared = shared
        self._reader = reader
        self._reading = Reading(shared, reader, mapping, self.counts)
        self._positions: dict[str, ShardPosition] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        """Set when a shard has come to its end."""
        self._is_lost = False
        """Whether the stream is gone."""
        self._is_new = False
        """Whether it was made anew meanwhile: all of it is to be read."""
        self._is_stopped = False
        self.task: asyncio.Task[None] = shared.spawn(self._run(None if after is None else after.task))

    @property
    def in_flight(self) -> int:
        """How many batches are with the function."""
        return self._reading.in_flight

    def stop(self) -> None:
        """Begin nothing more. What the function works on ends, and is written down."""
        self._is_stopped = True
        self._reading.stop()

    def poke(self) -> None:
        """Look whether the function can run now."""
        self._reading.poke()

    async def _run(self, before: "asyncio.Task[None] | None") -> None:
        if before is not None:
            await asyncio.wait([before])
        while not self._is_stopped:
            try:
                await self._begin()
                await self._follow_shards()
            except Stopped:
                pass
            except Exception:
                _log.exception("mapping.failed uuid=%s", self.mapping.uuid)
            await self._end_all()
            if self._is_stopped or self._reading.is_replaced:
                return
            self._reading = self._reading.anew()
            if self._is_lost:
                # What was read of it is nothing that comes again.
                self._is_lost, self._is_new = False, True
                with contextlib.suppress(Stopped):
                    await self._reading.save((), list(self._positions))
                if self._reading.is_replaced:
                    # To begin once more would take it from whoever has, or bring back one that is deleted.
                    return
            else:
                # Our own mistake, which was logged: it may pass.
                await self._shared.clock.sleep(_FAILED_AGAIN_S)

    async def _begin(self) -> None:
        while True:
            if self._is_stopped:
                raise Stopped
            try:
                begun = await self._shared.positions.begin(self.mapping.scope, self.mapping.uuid)
            except DependencyError as error:
                _log.error("mapping.not_begun uuid=%s reason=%s", self.mapping.uuid, error)
                await self._reading.pause(_AWAY_MIN_S)
                continue
            self._reading.epoch = begun.epoch
            self._positions = {position.shard_id: position for position in begun.positions}
            return

    async def _follow_shards(self) -> None:
        """Read all shards, each in its turn; return when the stream is gone."""
        away_s = _AWAY_MIN_S
        while not self._is_lost:
            try:
                shards = await self._reader.shards(self.mapping)
                iterators = await self._fix_start(shards)
            except (StreamUnavailable, StreamNotFound, PositionExpired, ShardGone) as error:
                if isinstance(error, StreamNotFound):
                    if self._positions:
                        self._is_lost = True
                        return
                    reason = f"Stream not found: {self.mapping.source_arn}"
                else:
                    reason = str(error) or type(error).__name__
                await self._reading.note_trouble("", reason)
                await self._reading.pause(away_s)
                away_s = min(2 * away_s, _AWAY_MAX_S)
                continue
            away_s = _AWAY_MIN_S
            await self._reading.note_trouble("", None)
            await self._follow_resharding(shards)
            known = {shard.shard_id for shard in shards}
            for shard in shards:
                if self._may_begin(shard, known):
                    self._start(shard, iterators.get(shard.shard_id))
            await self._reading.wait(self._changed, _LOOK_AGAIN_S)

    async def _fix_start(self, shards: Sequence[Shard]) -> Mapping[str, str]:
        """
        Write down where reading begins in each shard, the first time that they are seen; return iterators for them.

        What LATEST means is fixed here: a server that ends before the first record goes on from now all the same.
        """
        if self._positions or not shards:
            return {}
        settings = self._reading.settings
        start, at = settings.starting_position, settings.starting_at or 0.0
        iterators: dict[str, str] = {}
        if self._is_new:
            start, at = Start.OLDEST.value, 0.0
        elif start == Start.NEWEST.value:
            at = self._shared.clock.now()
            for shard in shards:
                iterators[shard.shard_id] = await self._reader.iterator(
                    self.mapping, shard.shard_id, Position(Start.NEWEST)
                )
        positions = {shard.shard_id: ShardPosition(shard.shard_id, start, at) for shard in shards}
        await self._reading.save(list(positions.values()))
        self._positions = positions
        return iterators

    async def _follow_resharding(self, shards: Sequence[Shard]) -> None:
        """
        Write down shards that came later, and drop those that the stream does not know any more and nobody reads.

        In one commit: a mapping of which nothing is written down begins anew, where LATEST would be now.
        """
        known = {shard.shard_id for shard in shards}
        new = {shard_id: self._position_of_new(shard_id) for shard_id in known if shard_id not in self._positions}
        old = [shard_id for shard_id in self._positions if shard_id not in known and shard_id not in self._running]
        # A stream has shards: where none is told of, nothing is known.
        if known and (new or old):
            await self._reading.save(list(new.values()), old)
            self._positions |= new
            for shard_id in old:
                del self._positions[shard_id]

    def _position_of_new(self, shard_id: str) -> ShardPosition:
        """Return where a shard begins that came later: all in it is new, unless a moment is yet to come."""
        settings = self._reading.settings
        if settings.starting_position == Start.AT_TIME.value and not self._is_new:
            return ShardPosition(shard_id, settings.starting_position, settings.starting_at or 0.0)
        return ShardPosition(shard_id)

    def _may_begin(self, shard: Shard, known: Collection[str]) -> bool:
        """Say whether a shard is to be read now, of those that the stream knows."""
        if shard.shard_id in self._running or self._is_done(shard.shard_id):
            return False
        return all(
            self._is_done(parent) or (parent not in known and parent not in self._running) for parent in shard.parents
        )

    def _is_done(self, shard_id: str) -> bool:
        position = self._positions.get(shard_id)
        return position is not None and position.is_done

    def _start(self, shard: Shard, iterator: str | None) -> None:
        poller = ShardPoller(self._reading, self._positions[shard.shard_id], iterator)
        self._running[shard.shard_id] = self._shared.spawn(self._read(poller))

    async def _read(self, poller: ShardPoller) -> None:
        shard_id = poller.shard_id
        try:
            await poller.run()
            self._positions[shard_id] = msgspec.structs.replace(self._positions[shard_id], is_done=True)
        except StreamNotFound:
            self._is_lost = True
        except Stopped:
            pass
        except Exception:
            _log.exception("mapping.failed uuid=%s shard=%s", self.mapping.uuid, shard_id)
            self._reading.stop()
        finally:
            self._running.pop(shard_id, None)
            self._changed.set()

    async def _end_all(self) -> None:
        """Return when nothing of the mapping is at work any more."""
        self._reading.stop()
        while self._running:
            await asyncio.wait(list(self._running.values()))
            await asyncio.sleep(0)
