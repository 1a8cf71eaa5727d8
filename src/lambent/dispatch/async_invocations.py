"""
Asynchronous invocations: accepted into the queue, run through the dispatcher when there is room, and settled.

An event that was accepted ends in one of three ways: its function succeeded, it was given up (both told to the
destinations that are configured), or its function was deleted.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.dispatch.async_event import (
    AsyncEvent,
    AsyncTrace,
    decode_event,
    encode,
    function_of,
    queue_of,
)
from lambent.dispatch.async_room import AsyncRoom, share, shared
from lambent.dispatch.claiming import Claimer
from lambent.dispatch.dispatcher import Dispatcher
from lambent.dispatch.outcomes import Outcomes
from lambent.dispatch.recent import Recent
from lambent.dispatch.settle import Condition, GiveUp, Patience, TryAgain
from lambent.dispatch.telling import told
from lambent.domain.arn import function_arn
from lambent.domain.caller import Scope
from lambent.domain.event_invoke import EventInvokeConfig
from lambent.domain.function import LATEST, FunctionName, FunctionVersion, State
from lambent.domain.invocation import Invocation, InvocationOutcome
from lambent.domain.trace import PASSES_MAX, next_trace_header, sampled_under
from lambent.domain.traced import Accepted, Attempt, Tracing
from lambent.errors.families import DependencyError
from lambent.fleet.contract import Throttled
from lambent.store.contract import (
    Claim,
    Done,
    EventQueue,
    FunctionChange,
    FunctionStore,
    NewEvent,
    QueueKind,
    QueueName,
    Retry,
)
from lambent.telemetry.lambda_metrics import LambdaMetrics

_log = logging.getLogger("lambent.dispatch")

_CLOSED_AT_ONCE = 64
"""Events of a function that may not run, given up at once."""

_LOOK_AGAIN_S = 0.05
"""Where synchronous invocations may hold what a function may have: nobody tells when they end. Assumed."""

_SHARED_LIMIT = "ConcurrentInvocationLimitExceeded"
"""The reason of a refusal where what all functions share is taken: the account's executions, or the machine."""

_RECOVERY_S = 30.0
"""How long it takes until as many run at once again as before synchronous callers were refused. Assumed."""

_FUNCTIONS_MIN = 1024
"""Functions that are remembered before those without events are forgotten."""


class _Function:
    """One function's events that this server holds."""

    __slots__ = ("function_id", "is_claiming", "name", "queue", "room", "starting", "waiting")

    def __init__(self, queue: QueueName, processors: int) -> None:
        self.queue = queue
        self.name, self.function_id = function_of(queue)
        self.room = AsyncRoom(processors)
        self.is_claiming = False
        """Whether an event is being claimed in the commit that puts it."""
        self.starting = 0
        """Begun, and not counted in the function's slots yet."""
        self.waiting: deque[tuple[Claim, float]] = deque()
        """Claimed, and not begun; with the moment of the claim."""


class AsyncInvocations:
    """
    Accepts events and runs them.

    Args:
        store: which events a function's qualifiers want told where.
        most: how many run at once, over all functions.
        processors: of the machine: no use in running more of what keeps them busy.
        time_scale: factor on the times between attempts and on the age that an event may reach.
        spawn: runs a task that somebody looks after.
        metrics: told of what comes in, how long it waited and what is given up; None: nobody is.
    """

    def __init__(
        self,
        queue: EventQueue,
        store: FunctionStore,
        dispatcher: Dispatcher,
        clock: Clock,
        *,
        most: int,
        processors: int,
        time_scale: float,
        spawn: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"],
        metrics: LambdaMetrics | None = None,
    ) -> None:
        self._queue = queue
        self._metrics = metrics
        self._store = store
        self._dispatcher = dispatcher
        self._clock = clock
        self._most = most
        self._processors = processors
        self._time_scale = time_scale
        self._spawn = spawn
        self._claimer = Claimer(queue, QueueKind.ASYNC, clock)
        self._outcomes = Outcomes(self._claimer, clock, spawn, self._claimer.wake)
        self._configs: Recent[EventInvokeConfig] = Recent(store, self._read_config)
        self._functions: OrderedDict[QueueName, _Function] = OrderedDict()
        self._running: set[asyncio.Task[None]] = set()
        self._at_work = 0
        """How many of them run their function, or are about to."""
        self._limit, self._limit_at = float(most), float("-inf")
        self._is_stopping = False
        store.on_change(self._note_change)

    async def accept(
        self,
        version: FunctionVersion,
        *,
        request_id: str,
        qualifier: str | None,
        payload: bytes,
        trace_header: str,
        tenant: str | None = None,
    ) -> str:
        """
        Take an event; on return it is on disk and will be run. Return the trace header that it goes on with.

        Args:
            version: what the qualifier names now; what it names when the event runs is run.
            qualifier: as it was invoked.
            payload: JSON.
            trace_header: what the request came with; empty without one.

        Raises:
            QueueFull: too many wait already.
            DependencyError: the store failed.
        """
        event = self._event(version, qualifier, trace_header, tenant)
        queue = queue_of(version.scope, version.name, version.function_id)
        function = self._functions.get(queue)
        if function is not None and self._is_idle(function):
            # In the same commit: an event that need not wait starts one sync to disk sooner. A task of its own: what
            # was claimed would be nobody's if it ended with a caller that hangs up.
            self._spawn(self._claim_one(function))
            function.is_claiming = True
        await self._queue.put([NewEvent(queue, request_id, payload, encode(event))])
        if event.trace is not None:
            self._leave(version.scope, version.name, request_id, event, event.trace, is_open=True)
        if self._metrics is not None:
            self._metrics.event_received(version.scope, version.name, qualifier)
        return event.trace_header

    def _event(self, version: FunctionVersion, qualifier: str | None, given: str, tenant: str | None) -> AsyncEvent:
        """Return an event as the queue keeps it. Whether it is sampled is decided now, for all its attempts."""
        traces, clock = self._dispatcher.traces, self._clock
        random_hex, now = clock.token_hex(20), clock.now()
        arn = function_arn(version.scope, version.name)
        header = next_trace_header(
            given or None, now, random_hex[:24], random_hex[24:], arn, traces.sampler_of(version)
        )
        sampled = sampled_under(header, given)
        if sampled is None:
            return AsyncEvent(header, qualifier, tenant)
        return AsyncEvent(header, qualifier, tenant, trace=AsyncTrace(sampled.parent_id, now))

    async def exists(self, scope: Scope, name: FunctionName, qualifier: str | None) -> bool:
        """Say whether there is such a function, with such a qualifier."""
        return await self._dispatcher.resolve(scope, name, qualifier) is not None

    async def submit(
        self,
        scope: Scope,
        name: FunctionName,
        qualifier: str | None,
        *,
        request_id: str,
        payload: bytes,
        trace_header: str,
    ) -> bool:
        """
        Accept an event from this server's own parts; False where there is no such function.

        Raises:
            QueueFull: too many wait already.
            DependencyError: the store failed.
        """
        version = await self._dispatcher.resolve(scope, name, qualifier)
        if version is None:
            return False
        await self.accept(
            version, request_id=request_id, qualifier=qualifier, payload=payload, trace_header=trace_header
        )
        return True

    async def run(self) -> None:
        """Claim and run events for ever. What runs goes on when this is cancelled."""
        await self._claimer.begin()
        while True:
            room, look_again_s = await self._share_out()
            if room:
                # In the same commit.
                self._outcomes.write()
                for claim in await self._claimer.claim(room):
                    self._function(claim.queue).waiting.append((claim, self._clock.monotonic()))
            began = self._begin_waiting()
            if not room and not began:
                await self._claimer.wait(look_again_s)

    def _is_idle(self, function: _Function) -> bool:
        """Say whether an event of a function could begin now, with none before it."""
        now = self._clock.monotonic()
        slots = self._dispatcher.slots_nowait(function.queue.scope)
        return (
            not (self._is_stopping or function.is_claiming or function.waiting)
            and self._claimer.is_empty(function.queue)
            and not slots.is_closed(function.name)
            and slots.room(function.name, now) > function.starting
            and self._most_of(function, now) > function.room.running
            and int(self._limit_now(now)) > self._at_work
        )

    async def _claim_one(self, function: _Function) -> None:
        """Claim and begin one event. What fails here is left to the loop that claims for all."""
        try:
            self._outcomes.write()
            for claim in await self._claimer.claim({function.queue: 1}):
                function.waiting.append((claim, self._clock.monotonic()))
        except DependencyError as error:
            _log.warning("event.not_claimed function=%s reason=%s", function.name, error)
        finally:
            function.is_claiming = False
        if not self._is_stopping:
            self._begin_some(function, self._clock.monotonic())

    async def keep_leases(self) -> None:
        """Extend the leases of what is held, for ever."""
        await self._claimer.keep_leases()

    def yield_to_callers(self, scope: Scope, name: FunctionName, reason: str) -> None:
        """
        Let fewer events run for a while: a synchronous caller of this function was refused.

        Args:
            reason: the refusal's. What is the function's own limit is nothing that other functions can make room for.
        """
        if not self._at_work:
            return
        now = self._clock.monotonic()
        if reason == _SHARED_LIMIT:
            self._limit, self._limit_at = max(min(self._limit_now(now), self._at_work) / 2, 1.0), now
        for function in self._functions.values():
            if function.name == name and function.queue.scope == scope and function.room.running:
                function.room.throttle(now)

    async def stop(self) -> None:
        """Begin nothing more, and give back what was not begun. `run` has been cancelled."""
        self._is_stopping = True
        waiting = [claim for function in self._functions.values() for claim, _ in function.waiting]
        for function in self._functions.values():
            function.waiting.clear()
        try:
            await self._claimer.give_back(waiting)
        except DependencyError as error:
            # The next start does it; what else has to end is to end.
            _log.error("event.not_given_back count=%d reason=%s", len(waiting), error)

    async def close(self) -> None:
        """Leave what still runs to the next start: nothing that was not written down has happened."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)
        await self._outcomes.close()

    # Which events may be claimed ---------------------------------------------------------------------------------

    async def _share_out(self) -> tuple[dict[QueueName, int], float | None]:
        """Return how many events may be claimed of each queue, and when to look again if nothing happens."""
        now = self._clock.monotonic()
        limit = int(self._limit_now(now))
        # As many again may wait here, or be on their way to disk.
        left = 2 * limit - self._claimer.held_count
        wants: dict[QueueName, int] = {}
        look_again_s = None if limit >= self._most else 1.0
        if any(function.waiting for function in self._functions.values()):
            look_again_s = _LOOK_AGAIN_S
        for queue in self._claimer.due():
            function = self._function(queue)
            slots = await self._dispatcher.slots(queue.scope)
            if slots.is_closed(function.name):
                want = _CLOSED_AT_ONCE
            else:
                room = function.room
                free = max(slots.room(function.name, now) - function.starting, 0)
                if not free:
                    look_again_s = _LOOK_AGAIN_S
                most = self._most_of(function, now)
                if free and most <= room.running and look_again_s is None:
                    look_again_s = 1.0
                ahead = room.ahead(now) if free or room.running else 0
                want = min(most - room.running, free) + ahead
                if len(function.waiting) > ahead // 2:
                    # Enough for now: a claim is a commit, and few large ones cost less than many small ones.
                    continue
            want -= len(function.waiting)
            if want > 0:
                wants[queue] = want
        return shared(wants, max(left, 0)), look_again_s

    def _most_of(self, function: _Function, now: float) -> int:
        """Return how many events of one function may run at once, apart from its slots."""
        others = self._at_work - function.room.running
        return min(function.room.most(now), share(int(self._limit_now(now)) - others))

    def _limit_now(self, now: float) -> float:
        if self._limit >= self._most:
            return float(self._most)
        return min(self._limit + (now - self._limit_at) * self._most / _RECOVERY_S, float(self._most))

    def _begin_waiting(self) -> bool:
        """Begin what was claimed, as far as there is room; say whether anything was begun."""
        now = self._clock.monotonic()
        began = False
        for function in self._functions.values():
            if function.waiting:
                began |= self._begin_some(function, now)
        return began

    def _begin_some(self, function: _Function, now: float) -> bool:
        """Begin what was claimed of one function, as far as there is room; say whether anything was begun."""
        count = self._may_begin(function, now)
        for _ in range(count):
            task = self._spawn(self._work(function, *self._take(function, now)))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return count > 0

    def _may_begin(self, function: _Function, now: float) -> int:
        """Return how many events that were claimed of a function may begin now."""
        count = len(function.waiting)
        slots = self._dispatcher.slots_nowait(function.queue.scope)
        if not count or slots.is_closed(function.name):
            return count
        return max(
            min(
                count,
                int(self._limit_now(now)) - self._at_work,
                self._most_of(function, now) - function.room.running,
                slots.room(function.name, now) - function.starting,
            ),
            0,
        )

    def _take(self, function: _Function, now: float) -> tuple[Claim, float]:
        """Take one of those to begin it: it counts from now on."""
        function.room.begin(now)
        function.starting += 1
        self._at_work += 1
        return function.waiting.popleft()

    def _function(self, queue: QueueName) -> _Function:
        function = self._functions.get(queue)
        if function is None:
            if len(self._functions) >= _FUNCTIONS_MIN:
                self._forget_idle()
            function = self._functions[queue] = _Function(queue, self._processors)
        return function

    def _forget_idle(self) -> None:
        idle = [
            one for one in self._functions.values() if not one.room.running and not one.waiting and not one.is_claiming
        ]
        for function in idle[: len(idle) // 2 + 1]:
            del self._functions[function.queue]

    def _note_change(self, change: FunctionChange) -> None:
        # It may have become free to run.
        self._claimer.wake()

    # One event ---------------------------------------------------------------------------------------------------

    async def _work(self, function: _Function, claim: Claim, claimed_at: float) -> None:
        """Run an event that counts, and after it the next one, as long as the function may have it."""
        while True:
            try:
                await self._run(function, claim, claimed_at)
            except BaseException:
                self._claimer.wake()
                raise
            now = self._clock.monotonic()
            more = 0 if self._is_stopping else self._may_begin(function, now)
            if more:
                # Now, and not when the loop gets there: an environment that falls idle is frozen.
                claim, claimed_at = self._take(function, now)
                if more > 1:
                    self._begin_some(function, now)
            if not more or len(function.waiting) <= function.room.ahead(now) // 2:
                # Others may have what this one had, or more is to be claimed.
                self._claimer.wake()
            if not more:
                return

    async def _run(self, function: _Function, claim: Claim, claimed_at: float) -> None:
        """Make one attempt at an event, and have written down what came of it."""
        began, took_s, is_cold = self._clock.monotonic(), None, False
        event = decode_event(claim.attributes)
        starting = _Starting(function)
        try:
            attempt = await self._attempt(function, claim, event, claimed_at, starting)
            if attempt is not None and isinstance(attempt.result, InvocationOutcome):
                took_s, is_cold = self._clock.monotonic() - began, attempt.result.is_cold
        finally:
            starting.end()
            function.room.end(took_s, self._clock.monotonic(), is_cold=is_cold)
            self._at_work -= 1
        if attempt is None:
            return
        if attempt.trace is not None:
            event = msgspec.structs.replace(event, trace=attempt.trace)
        step = self._step(claim, event, attempt, claim.age_s + self._clock.monotonic() - claimed_at)
        is_given_back = self._is_stopping and not attempt.is_success
        if event.trace is not None:
            self._leave(
                function.queue.scope,
                function.name,
                claim.id,
                event,
                event.trace,
                is_open=is_given_back or isinstance(step, Retry),
                has_failed=not attempt.is_success,
            )
        if is_given_back:
            # What ends with the server has not failed.
            await self._claimer.give_back([claim])
        else:
            # Nobody waits for it, unless it keeps others from being claimed.
            is_scarce = self._claimer.held_count >= 2 * int(self._limit_now(self._clock.monotonic()))
            self._outcomes.add(claim, step, is_urgent=is_scarce)

    async def _attempt(
        self, function: _Function, claim: Claim, event: AsyncEvent, claimed_at: float, starting: "_Starting"
    ) -> "_Attempt | None":
        """Run an event if it may be; return what came of it, or None where there is no such function any more."""
        scope, name = function.queue.scope, function.name
        try:
            version = await self._dispatcher.resolve(scope, name, event.qualifier)
            if version is None or version.function_id != function.function_id:
                return await self._without_version(function, claim, event)
            config = await self._configs.get(scope, name, event.qualifier or LATEST)
            assert config is not None, "one that is not stored is made up"
            patience = Patience.of(config, self._time_scale)
            if (await self._dispatcher.slots(scope)).is_closed(name):
                return _Attempt(version, config, GiveUp(Condition.ZERO_RESERVED_CONCURRENCY))
            if claim.age_s + self._clock.monotonic() - claimed_at > patience.age_max_s:
                return _Attempt(version, config, GiveUp(Condition.EVENT_AGE_EXCEEDED))
            trace, tracing = self._dispatcher.traces.begin(version, event.trace_header)
            if event.trace is None:
                # Of a version of Lambent that traced nothing.
                tracing = None
            if trace.passes > PASSES_MAX and not await self._dispatcher.may_recurse(scope, name):
                return _Attempt(version, config, GiveUp(Condition.RECURSION_DETECTED))
            if version.state is not State.ACTIVE:
                return _Attempt(version, config, _Refused(f"the function is {version.state.value}"))
            if self._metrics is not None:
                # Assumed: each attempt is one that the function is invoked at (test_async_invocations).
                age_s = claim.age_s + self._clock.monotonic() - claimed_at
                self._metrics.event_begins(scope, name, event.qualifier, age_s)
            # From here to where it is counted nothing waits, while the account's claims are known.
            starting.end()
            if tracing is None:
                result = await self._invoke(function, version, claim, event, trace.header)
                return _Attempt(version, config, result, trace.header)
            # What would be the service's segment is an attempt in the one that was begun when the event was accepted.
            result = await self._invoke(function, version, claim, event, trace.header, tracing)
            return _Attempt(version, config, result, trace.header, self._attempted(event, tracing, result))
        except Exception as error:
            # Also what is ours to mend: the event is kept, and tried again.
            _log.exception("event.failed request_id=%s function=%s", claim.id, name)
            return _Attempt(None, EventInvokeConfig(scope, name, event.qualifier or LATEST, 0.0), _Refused(str(error)))

    async def _invoke(
        self,
        function: _Function,
        version: FunctionVersion,
        claim: Claim,
        event: AsyncEvent,
        trace_header: str,
        tracing: Tracing | None = None,
    ) -> "InvocationOutcome | _Refused":
        invocation = Invocation(
            request_id=claim.id,
            invoked_arn=function_arn(version.scope, version.name, event.qualifier),
            payload=claim.body,
            trace_header=trace_header,
            tenant=event.tenant,
            tracing=tracing,
        )
        try:
            outcome = await self._dispatcher.run(version, invocation)
        except Throttled as throttled:
            self._claimer.wait_until(function.queue, function.room.throttle(self._clock.monotonic()))
            return _Refused(throttled.reason)
        except DependencyError as error:
            return _Refused(str(error))
        if outcome.restore_failure is not None:
            # The handler did not run.
            return _Refused(f"the environment could not be restored: {outcome.restore_failure.name}")
        return outcome

    def _attempted(
        self, event: AsyncEvent, tracing: Tracing, result: "InvocationOutcome | _Refused"
    ) -> AsyncTrace | None:
        """Return what is known of a sampled event with one attempt more, if it was one."""
        if event.trace is None or not isinstance(result, InvocationOutcome):
            return event.trace
        attempt = Attempt(tracing.service_id, tracing.began, self._clock.now(), result.error is not None)
        return msgspec.structs.replace(event.trace, attempts=(*event.trace.attempts, attempt))

    def _leave(
        self,
        scope: Scope,
        name: FunctionName,
        request_id: str,
        event: AsyncEvent,
        trace: AsyncTrace,
        *,
        is_open: bool,
        has_failed: bool = False,
    ) -> None:
        """Leave how the service sees a sampled event now."""
        under = sampled_under(event.trace_header, event.trace_header)
        assert under is not None, "it is sampled"
        self._dispatcher.traces.add(
            Accepted(
                scope,
                name,
                under.trace_id,
                under.parent_id,
                trace.caller_id,
                request_id,
                trace.accepted,
                self._clock.now(),
                202,
                has_failed,
                is_open,
                trace.attempts,
            )
        )

    async def _without_version(self, function: _Function, claim: Claim, event: AsyncEvent) -> "_Attempt | None":
        """
        Decide about an event that nothing answers for: of a deleted function all of them end, of a deleted version this
        one does, since no other will have its number. An alias may be made again: its events wait for it.
        """
        scope, name, qualifier = function.queue.scope, function.name, event.qualifier or LATEST
        async with self._store.snapshot(scope) as reading:
            there = await reading.function(name)
        if there is None or there.function_id != function.function_id:
            _log.warning("event.queue_dropped function=%s reason=it was deleted", name)
            if self._metrics is not None:
                depth = (await self._queue.depth([function.queue])).get(function.queue)
                # In flight are those that are held here, this one among them.
                dropped = 0 if depth is None else depth.waiting + depth.delayed + depth.in_flight
                self._metrics.events_dropped(scope, name, None, dropped)
            function.waiting.clear()
            await self._claimer.drop(function.queue)
            return None
        if qualifier.isdigit():
            _log.warning("event.dropped request_id=%s function=%s reason=no such version", claim.id, name)
            self._note_dropped(scope, name, qualifier)
            await self._claimer.settle([(claim, Done(claim.receipt))])
            return None
        return _Attempt(None, EventInvokeConfig(scope, name, qualifier, 0.0), _Refused("there is no such alias"))

    def _step(self, claim: Claim, event: AsyncEvent, attempt: "_Attempt", age_s: float) -> Done | Retry:
        """Decide what becomes of an event after an attempt."""
        patience = Patience.of(attempt.config, self._time_scale)
        result = attempt.result
        attempts = event.attempts
        if isinstance(result, InvocationOutcome):
            attempts += 1
            if result.error is None:
                return Done(claim.receipt, self._told(claim, event, attempt, Condition.SUCCESS, attempts))
            decision = patience.after_function_error(attempts, age_s)
            event = msgspec.structs.replace(event, attempts=attempts, refusals=0)
        elif isinstance(result, _Refused):
            event = msgspec.structs.replace(event, refusals=event.refusals + 1)
            decision = patience.after_refusal(event.refusals, age_s)
        else:
            decision = result
        if isinstance(decision, TryAgain):
            return Retry(claim.receipt, decision.delay_s, encode(event))
        _log.info("event.given_up request_id=%s condition=%s attempts=%d", claim.id, decision.condition.value, attempts)
        config = attempt.config
        self._note_dropped(config.scope, config.name, event.qualifier)
        if decision.condition is Condition.RECURSION_DETECTED and self._metrics is not None:
            self._metrics.chain_ended(config.scope, config.name, event.qualifier)
        return Done(claim.receipt, self._told(claim, event, attempt, decision.condition, attempts))

    def _note_dropped(self, scope: Scope, name: FunctionName, qualifier: str | None) -> None:
        if self._metrics is not None:
            self._metrics.events_dropped(scope, name, qualifier)

    def _told(
        self, claim: Claim, event: AsyncEvent, attempt: "_Attempt", condition: Condition, attempts: int
    ) -> tuple[NewEvent, ...]:
        """Return what is to be told of an event that ended, on its way to where it is to be told."""
        version = attempt.version
        return told(
            claim,
            attempt.config,
            condition,
            attempts=attempts,
            outcome=attempt.result if isinstance(attempt.result, InvocationOutcome) else None,
            dead_letters="" if version is None else version.configuration.dead_letter_arn,
            trace_header=attempt.trace_header or event.trace_header,
            now=self._clock.now(),
        )

    async def _read_config(self, scope: Scope, name: FunctionName, qualifier: str) -> EventInvokeConfig:
        async with self._store.snapshot(scope) as reading:
            found = await reading.event_invoke_configs.get(name, qualifier)
        return found or EventInvokeConfig(scope, name, qualifier, 0.0)


class _Starting:
    """One of those that count as starting, until `end`, which may be called again."""

    __slots__ = ("_function",)

    def __init__(self, function: _Function) -> None:
        self._function: _Function | None = function

    def end(self) -> None:
        if self._function is not None:
            self._function.starting -= 1
            self._function = None


class _Refused(msgspec.Struct, frozen=True):
    """The event was not run, and that is not the function's fault."""

    reason: str


class _Attempt(msgspec.Struct, frozen=True):
    """What came of one attempt at an event."""

    version: FunctionVersion | None
    """None where even that could not be told."""
    config: EventInvokeConfig
    result: InvocationOutcome | _Refused | GiveUp
    trace_header: str | None = None
    """What the function got, where it ran: what is told goes on with it."""
    trace: AsyncTrace | None = None
    """Of a sampled event, with this attempt."""

    @property
    def is_success(self) -> bool:
        return isinstance(self.result, InvocationOutcome) and self.result.error is None
