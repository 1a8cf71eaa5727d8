"""
The event queue: many callers, few commits. The `EventQueue` of the contract, on any `QueueDatabase`.

A commit with full sync costs as much for one call as for hundreds, so calls that come while one is under way share the
next. What they do to the tables is in `queue_batch`; here they are gathered, told apart again and told.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

import msgspec
from sqlalchemy import Connection

from lambent.clock import Clock
from lambent.domain.caller import Scope
from lambent.errors.families import DependencyError
from lambent.store import queue_sweep, queue_views
from lambent.store.blobs import FileBlobs
from lambent.store.contract import (
    ATTRIBUTES_MAX_BYTES,
    BODY_INLINE_MAX_BYTES,
    DELAY_MAX_S,
    DOCUMENT_MAX_BYTES,
    LEASE_MAX_S,
    Claimed,
    Depth,
    Extend,
    NewEvent,
    Outcome,
    Put,
    QueueDefinition,
    QueueKind,
    QueueName,
    QueueRules,
    Retry,
    Step,
    WaitingEvent,
)
from lambent.store.engine_time import SECOND_US, EngineTime
from lambent.store.queue_batch import Batch
from lambent.store.queue_calls import (
    Addition,
    Applied,
    BlobVanished,
    Call,
    ClaimCall,
    ClaimedRows,
    DefineCall,
    DropCall,
    PutCall,
    SettleCall,
)

_log = logging.getLogger("lambent.store.queue")

EVENTS_MAX = 20_000_000
"""Events in all queues together. Assumed: some tens of gigabytes with small bodies; a full disk says so itself."""

CALLS_WAITING_MAX = 20_000
"""Calls that wait for a commit. Assumed: seconds of work; the gateway admits far fewer requests."""

BATCH_ROWS_MAX = 500
"""Events that one commit touches. Assumed: some ten milliseconds, which whoever else writes has to wait."""

BATCH_BYTES_MAX = 4 << 20
"""Bytes of bodies that one commit writes. Assumed likewise; one call with more gets a commit of its own."""

_BLOB_TRIES = 5
"""How often a body is stored again that was swept before its row was written. Assumed: twice is bad luck."""

_BLOBS_AT_ONCE = 100
"""Blobs that are looked at in one commit of a sweep."""

_T = TypeVar("_T")


class QueueDatabase(Protocol):
    """A database as the event queue uses it. Failures arrive as `DependencyError`."""

    async def apply(self, work: Callable[[Connection], _T]) -> _T:
        """Run `work` on a thread in a transaction that is on disk on return; to its end even when cancelled."""
        ...

    async def look(self, work: Callable[[Connection], _T]) -> _T:
        """Run `work`, which only reads, on a thread and on one state."""
        ...


class _Waiting:
    """A call that waits for its commit."""

    __slots__ = ("body_bytes", "call", "result", "rows")

    def __init__(self, call: Call, result: "asyncio.Future[Any]") -> None:
        self.call = call
        self.result = result
        self.rows, self.body_bytes = _weight(call)


class DurableEventQueue:
    """
    Args:
        database: migrated; whoever opened it closes it, after this.
        payloads: bodies that are too long for a row; of this queue alone.
        events_max: in all queues together.
    """

    def __init__(
        self, database: QueueDatabase, payloads: FileBlobs, clock: Clock, *, events_max: int = EVENTS_MAX
    ) -> None:
        self._database = database
        self._payloads = payloads
        self._clock = clock
        self._events_max = events_max
        self._events = 0
        self._time = EngineTime(clock, 0)
        self._waiting: deque[_Waiting] = deque()
        self._committing: asyncio.Task[None] | None = None
        self._callbacks: list[Callable[[QueueName, float], None]] = []
        # Blobs that may have lost their last reference; None: not looked yet at what an earlier server left.
        self._unreferred: set[str] = set()
        self._has_looked = False
        self._holds = 0
        """How many want that no blob goes. Changed on the event loop, read by the thread that deletes."""
        self._is_closed = False

    async def __aenter__(self) -> "DurableEventQueue":
        latest_us, self._events = await self._database.look(queue_views.beginning)
        self._time = EngineTime(self._clock, latest_us)
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Take no more calls, and wait until those that were taken are on disk. Repeating it is fine."""
        self._is_closed = True
        while self._committing is not None:
            await asyncio.wait([self._committing])

    async def define(
        self, queue: QueueName, rules: QueueRules, document: bytes = b"", *, revision: int | None = None
    ) -> int:
        """Insert or replace a queue's definition; see the contract."""
        _check_queue(queue)
        if len(document) > DOCUMENT_MAX_BYTES:
            raise ValueError(f"a document of {len(document)} bytes: at most {DOCUMENT_MAX_BYTES}")
        found: int = await self._submit(DefineCall(queue, rules, document, revision))
        return found

    async def definition(self, queue: QueueName) -> QueueDefinition | None:
        """Return one queue's definition."""
        return await self._database.look(lambda connection: queue_views.definition(connection, queue))

    async def definitions(
        self,
        kind: QueueKind,
        *,
        scope: Scope | None = None,
        prefix: str = "",
        after: QueueName | None = None,
        limit: int,
    ) -> Sequence[QueueDefinition]:
        """Return queues by scope and name."""
        return await self._database.look(
            lambda connection: queue_views.definitions(connection, kind, scope, prefix, after, limit)
        )

    async def remove(self, queue: QueueName) -> bool:
        """Drop a queue with all it holds."""
        found: bool = await self._submit(DropCall(queue, keeps_definition=False))
        return found

    async def purge(self, queue: QueueName) -> bool:
        """Drop all that a queue holds."""
        found: bool = await self._submit(DropCall(queue, keeps_definition=True))
        return found

    async def put(self, events: Sequence[NewEvent]) -> Sequence[Put]:
        """Store events, all or none; see the contract."""
        for event in events:
            _check_event(event)
        return await self._with_bodies(events, PutCall)  # type: ignore[no-any-return]

    async def claim(self, room: Mapping[QueueName, int], lease_s: float, *, bytes_max: int | None = None) -> Claimed:
        """Lease events that are due; see the contract."""
        if not 0 <= lease_s <= LEASE_MAX_S:
            raise ValueError(f"a lease of {lease_s} s: 0 to {LEASE_MAX_S}")
        rows: ClaimedRows = await self._submit(ClaimCall(room, int(lease_s * SECOND_US), bytes_max))
        claims = []
        for claim, sha256 in rows.claims:
            if sha256 is None:
                claims.append(claim)
                continue
            try:
                body = await self._body(sha256)
            except DependencyError as error:
                # One that cannot be read must not keep the others from those who claimed them.
                _log.error("queue.body_unreadable sha256=%s reason=%s", sha256, error)
                body = None
            if body is None:
                # It is there again when its lease ends; others of its queue may be claimed in its stead at once.
                rows.next_due_s[claim.receipt.queue] = 0.0
            else:
                claims.append(msgspec.structs.replace(claim, body=body))
        return Claimed(tuple(claims), rows.next_due_s)

    async def settle(self, steps: Sequence[Step]) -> Sequence[Outcome]:
        """Finish, give back or extend claimed events; see the contract."""
        following: list[NewEvent] = []
        for step in steps:
            _check_step(step)
            if not isinstance(step, Extend):
                following.extend(step.then)

        def call(additions: tuple[Addition, ...]) -> SettleCall:
            rest = iter(additions)
            return SettleCall(
                tuple(
                    (step, () if isinstance(step, Extend) else tuple(next(rest) for _ in step.then)) for step in steps
                )
            )

        return await self._with_bodies(following, call)  # type: ignore[no-any-return]

    async def peek(self, queue: QueueName, *, limit: int) -> Sequence[WaitingEvent]:
        """Return some events without claiming them; see the contract."""
        found = await self._database.look(
            lambda connection: queue_views.peek(connection, queue, limit, self._time.now())
        )
        shown = []
        for event, sha256 in found:
            body = event.body if sha256 is None else await self._body(sha256)
            # A body that is gone belongs to an event that was finished meanwhile.
            if body is not None:
                shown.append(msgspec.structs.replace(event, body=body))
        return shown

    async def depth(self, queues: Sequence[QueueName]) -> Mapping[QueueName, Depth]:
        """Count what queues hold."""
        return await self._database.look(lambda connection: queue_views.depth(connection, queues, self._time.now()))

    async def filled(self, kind: QueueKind) -> Mapping[QueueName, float]:
        """Name every queue of a kind that holds events; see the contract."""
        return await self._database.look(lambda connection: queue_views.filled(connection, kind, self._time.now()))

    async def give_back(self, kind: QueueKind) -> int:
        """End the leases of all events in standard queues of a kind; see the contract."""
        found, is_more = 0, True
        while is_more:
            given = await self._database.apply(
                lambda connection: queue_sweep.give_back_some(connection, kind, self._time.tick())
            )
            found += given
            is_more = given >= queue_sweep.ROWS_AT_ONCE
        return found

    def on_due(self, callback: Callable[[QueueName, float], None]) -> None:
        """Call back when events may be claimable; see the contract."""
        self._callbacks.append(callback)

    async def sweep(self) -> None:
        """Delete, in small commits, what is no longer needed."""
        await self._sweep_dropped()
        await self._sweep_retention()
        await self._sweep_blobs()

    @contextmanager
    def hold_bodies(self) -> Iterator[None]:
        """
        Delete no body that lies in a file until the block ends, so that whoever looks at the database in it finds the
        bodies of all events that it shows. Other than deleting, everything goes on.
        """
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1

    # Group commit

    async def _with_bodies(self, events: Sequence[NewEvent], call: Callable[[tuple[Addition, ...]], Call]) -> Any:
        """Store long bodies, then submit the call; once more when one of them was swept in between."""
        if all(len(event.body) <= BODY_INLINE_MAX_BYTES for event in events):
            return await self._submit(call(tuple([Addition(event, None) for event in events])))
        for _ in range(_BLOB_TRIES):
            additions = tuple([await self._addition(event) for event in events])
            try:
                return await self._submit(call(additions))
            except BlobVanished:
                continue
            except BaseException:
                self._unreferred.update(addition.sha256 for addition in additions if addition.sha256 is not None)
                raise
        raise DependencyError("bodies of events vanish as soon as they are stored", retryable=True)

    async def _addition(self, event: NewEvent) -> Addition:
        if len(event.body) <= BODY_INLINE_MAX_BYTES:
            return Addition(event, None)
        return Addition(event, (await self._payloads.put(event.body)).sha256)

    async def _body(self, sha256: str) -> bytes | None:
        try:
            return await self._payloads.read(sha256)
        except KeyError:
            _log.error("queue.body_lost sha256=%s", sha256)
            return None

    async def _submit(self, call: Call) -> Any:
        if self._is_closed:
            raise DependencyError("the event queue is closed", retryable=False)
        if len(self._waiting) >= CALLS_WAITING_MAX:
            raise DependencyError(f"{CALLS_WAITING_MAX} calls wait for the event queue's disk already", retryable=True)
        waiting = _Waiting(call, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_waiting(), name="event queue")
        return await waiting.result

    async def _commit_waiting(self) -> None:
        """Commit what waits, until nothing does. Lives in `_committing`; `close` waits for it."""
        try:
            while self._waiting:
                await self._commit(self._take())
        finally:
            self._committing = None

    def _take(self) -> list[_Waiting]:
        """Take what goes into the next commit: at least one call. One whose caller left meanwhile never happens."""
        taken: list[_Waiting] = []
        rows = body_bytes = 0
        while self._waiting:
            following = self._waiting[0]
            rows += following.rows
            body_bytes += following.body_bytes
            if taken and (rows > BATCH_ROWS_MAX or body_bytes > BATCH_BYTES_MAX):
                break
            self._waiting.popleft()
            if not following.result.done():
                taken.append(following)
        return taken

    async def _commit(self, taken: list[_Waiting]) -> None:
        if not taken:
            return
        try:
            applied = await self._apply([waiting.call for waiting in taken])
        except Exception as failure:
            if len(taken) > 1 and not (isinstance(failure, DependencyError) and failure.retryable):
                # It may be the fault of one of them: each for itself, so that the others happen.
                for waiting in taken:
                    await self._commit([waiting])
                return
            for waiting in taken:
                if not waiting.result.done():
                    waiting.result.set_exception(failure)
            return
        for waiting, result in zip(taken, applied.results, strict=True):
            if waiting.result.done():
                continue
            if isinstance(result, Exception):
                waiting.result.set_exception(result)
            else:
                waiting.result.set_result(result)

    async def _apply(self, calls: list[Call]) -> Applied:
        now_ms = int(self._clock.now() * 1000)
        return self._tell(await self._database.apply(lambda connection: self._batch(connection, now_ms).apply(calls)))

    def _batch(self, connection: Connection, now_ms: int) -> Batch:
        return Batch(
            connection,
            tick=self._time.tick,
            now_ms=now_ms,
            room=self._events_max - self._events,
            holds_blob=self._payloads.holds,
        )

    def _tell(self, applied: Applied) -> Applied:
        self._events += applied.more
        self._unreferred |= applied.freed
        for queue, due_s in applied.due_s.items():
            for callback in self._callbacks:
                try:
                    callback(queue, due_s)
                except Exception:
                    # The commit has happened: its callers are to hear of that.
                    _log.exception("queue.callback_failed")
        return applied

    # Sweeping

    async def _sweep_dropped(self) -> None:
        now_us = self._time.now()
        if not await self._database.look(lambda connection: queue_sweep.has_dropped(connection, now_us)):
            return
        is_more = True
        while is_more:
            freed, is_more = await self._database.apply(queue_sweep.drop_some)
            self._unreferred |= freed
        while await self._database.apply(lambda connection: queue_sweep.forget_some(connection, now_us)):
            pass

    async def _sweep_retention(self) -> None:
        for queue in await self._database.look(
            lambda connection: queue_sweep.beyond_retention(connection, self._time.now())
        ):
            while self._tell(await self._database.apply(partial(self._expire, queue))).more:
                pass

    def _expire(self, queue: QueueName, connection: Connection) -> Applied:
        return self._batch(connection, 0).expire(queue, queue_sweep.ROWS_AT_ONCE)

    async def _sweep_blobs(self) -> None:
        if self._holds:
            # They would pile up here, so they are forgotten, and found on the disk when they may go.
            self._unreferred.clear()
            self._has_looked = False
            return
        if not self._has_looked:
            # What was stored when an earlier server died, and never referred to.
            self._unreferred.update(await asyncio.to_thread(self._payloads.names))
            self._has_looked = True
        while self._unreferred:
            names = [self._unreferred.pop() for _ in range(min(_BLOBS_AT_ONCE, len(self._unreferred)))]
            try:
                await self._database.apply(
                    partial(queue_sweep.unlink_unreferred, names=names, unlink=self._remove_unless_held)
                )
            except BaseException:
                self._unreferred.update(names)
                raise

    def _remove_unless_held(self, sha256: str) -> None:
        """
        Delete a blob that no event refers to. Called inside the transaction that found so.

        A hold that begins before this look keeps the blob. One that begins after it sees no state in which an event
        has it: the transaction alone may write, and its own state is the newest that there is.
        """
        if self._holds:
            # Looked for again by a later sweep.
            self._has_looked = False
        else:
            self._payloads.remove(sha256)


def _weight(call: Call) -> tuple[int, int]:
    """Return how many events a call touches, and how many bytes it writes."""
    if isinstance(call, PutCall):
        return len(call.additions), _bytes_of(call.additions)
    if isinstance(call, SettleCall):
        additions = [addition for _, then in call.steps for addition in then]
        return len(call.steps) + len(additions), _bytes_of(additions)
    if isinstance(call, ClaimCall):
        return sum(call.room.values()), 0
    return 1, 0


def _bytes_of(additions: Sequence[Addition]) -> int:
    return sum([len(event.attributes) + (len(event.body) if sha256 is None else 0) for event, sha256 in additions])


def _check_queue(queue: QueueName) -> None:
    name = queue.name
    if not 1 <= len(name) <= 512 or "\0" in name:
        raise ValueError("a queue's name has 1 to 512 characters, none of them NUL")
    if not name.isascii():
        # Raises a ValueError for what is no text.
        name.encode()


def _check_event(event: NewEvent) -> None:
    """Refuse what no row can hold before it comes among other callers' events."""
    _check_queue(event.queue)
    for text in (event.id, event.group, event.deduplication_id):
        if text is None:
            continue
        if not 1 <= len(text) <= 128 or "\0" in text:
            raise ValueError("an event's id, group and deduplication id have 1 to 128 characters, none of them NUL")
        if not text.isascii():
            # As above.
            text.encode()
    if len(event.attributes) > ATTRIBUTES_MAX_BYTES:
        raise ValueError(f"attributes of {len(event.attributes)} bytes: at most {ATTRIBUTES_MAX_BYTES}")
    if not 0 <= event.delay_s <= DELAY_MAX_S:
        raise ValueError(f"a delay of {event.delay_s} s: 0 to {DELAY_MAX_S}")


def _check_step(step: Step) -> None:
    if isinstance(step, Extend):
        if not 0 <= step.lease_s <= LEASE_MAX_S:
            raise ValueError(f"a lease of {step.lease_s} s: 0 to {LEASE_MAX_S}")
        return
    if isinstance(step, Retry) and not 0 <= step.delay_s <= DELAY_MAX_S:
        raise ValueError(f"a delay of {step.delay_s} s: 0 to {DELAY_MAX_S}")
    for event in step.then:
        _check_event(event)
