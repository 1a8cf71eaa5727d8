"""
Delivers what is on its way out: records of asynchronous invocations, and dead letters.

Each target has a queue of its own, and so many deliveries at once: one that hangs or is gone delays no other.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import msgspec

from lambent.clock import Clock
from lambent.destinations.contract import Attribute, Destinations, Message, NoSuchTarget
from lambent.dispatch.async_event import decode_message, encode
from lambent.dispatch.claiming import Claimer
from lambent.dispatch.settle import BACKOFF_MAX_S, BACKOFF_MIN_S
from lambent.domain.destination import Target, parse_target
from lambent.domain.event_invoke import AGE_MAX_S
from lambent.errors.families import DependencyError
from lambent.store.contract import Claim, Done, EventQueue, QueueKind, QueueName, Retry
from lambent.telemetry.deliveries import Delivery, DeliveryCounts
from lambent.telemetry.lambda_metrics import LambdaMetrics

_log = logging.getLogger("lambent.dispatch")

_AT_ONCE = 64
_AT_ONCE_TO_ONE = 8
"""Deliveries at once, to all targets and to one. Assumed."""

_AT_ONCE_TO_BUCKETS = 8
_AT_ONCE_TO_ONE_BUCKET = 2
"""Of these: what goes there holds payloads of some megabytes, which lie in memory meanwhile. Assumed."""

DELIVERY_MAX_S = 30.0
"""A delivery that takes longer has failed. Assumed."""


class Rights(Protocol):
    """What functions' roles may send: `app.py` hands over what the Lambda service knows of them."""

    async def lacking(self, function_arn: str, target: Target, object_key: str) -> str | None:
        """
        Return which permission the role of a function lacks to send to a target; None: it has it.

        Args:
            function_arn: empty where nobody knows whose a message is.

        Raises:
            DependencyError: the store failed.
        """
        ...


class Outbox:
    """
    Delivers messages until their targets have them or they are too old.

    Args:
        destinations: by the service in a target's ARN.
        rights: of the functions whose messages these are.
        counts: what comes of each attempt is counted there.
        time_scale: factor on the times between attempts and on the age that a message may reach.
        spawn: runs a task that somebody looks after.
        metrics: told of attempts that failed; None: nobody is.
    """

    def __init__(
        self,
        queue: EventQueue,
        destinations: Destinations,
        rights: Rights,
        counts: DeliveryCounts,
        clock: Clock,
        *,
        time_scale: float,
        spawn: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"],
        metrics: LambdaMetrics | None = None,
    ) -> None:
        self._destinations = destinations
        self._rights = rights
        self._counts = counts
        self._metrics = metrics
        self._clock = clock
        self._time_scale = time_scale
        self._spawn = spawn
        self._claimer = Claimer(queue, QueueKind.DESTINATION, clock)
        self._running: dict[QueueName, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Deliver for ever. What is being delivered goes on when this is cancelled."""
        await self._claimer.begin()
        while True:
            room = self._room()
            if not room:
                await self._claimer.wait()
                continue
            for claim in await self._claimer.claim(room):
                self._running[claim.queue] = self._running.get(claim.queue, 0) + 1
                task = self._spawn(self._deliver_and_settle(claim))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def keep_leases(self) -> None:
        """Extend the leases of what is held, for ever."""
        await self._claimer.keep_leases()

    async def close(self) -> None:
        """Leave what is being delivered to the next start."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _room(self) -> dict[QueueName, int]:
        left = _AT_ONCE - sum(self._running.values())
        for_buckets = _AT_ONCE_TO_BUCKETS - sum(count for queue, count in self._running.items() if _is_bucket(queue))
        room = {}
        for queue in self._claimer.due():
            running = self._running.get(queue, 0)
            if _is_bucket(queue):
                want = min(_AT_ONCE_TO_ONE_BUCKET - running, left, for_buckets)
                for_buckets -= max(want, 0)
            else:
                want = min(_AT_ONCE_TO_ONE - running, left)
            if want > 0:
                room[queue] = want
                left -= want
        return room

    async def _deliver_and_settle(self, claim: Claim) -> None:
        try:
            failure = await self._failure_of(claim)
            await self._claimer.settle([(claim, self._step(claim, failure))])
        finally:
            self._running[claim.queue] -= 1
            if not self._running[claim.queue]:
                del self._running[claim.queue]
            self._claimer.wake()

    async def _failure_of(self, claim: Claim) -> "_Failure | None":
        """Deliver one message; return why it was not, if it was not."""
        sent = decode_message(claim.attributes)
        target = parse_target(claim.queue.name)
        destination = None if target is None else self._destinations.get(target.service)
        if target is None or destination is None:
            return _Failure("nothing is delivered there by this version", is_final=True)
        attributes = {name: Attribute(*attribute) for name, attribute in sent.attributes.items()}
        message = Message(
            claim.body,
            sent.trace_header,
            attributes,
            sent.function_arn,
            sent.is_success,
            sent.object_key,
            sent.ends_chain,
        )
        target = target.seen_from(claim.queue.scope)
        try:
            if lacking := await self._rights.lacking(sent.function_arn, target, sent.object_key):
                # It may be given again, as a target may be made again.
                return _Failure(f"the function's execution role does not have permissions to call {lacking}")
            await self._within(DELIVERY_MAX_S, destination.deliver(target, message))
        except NoSuchTarget:
            return _Failure("there is no such target")
        except TimeoutError:
            return _Failure(f"it took more than {DELIVERY_MAX_S:.0f} s")
        except DependencyError as error:
            return _Failure(str(error))
        except Exception as error:
            _log.exception("destination.failed arn=%s request_id=%s", target.arn, claim.id)
            return _Failure(str(error))
        return None

    async def _within(self, most_s: float, work: Coroutine[Any, Any, None]) -> None:
        """
        Await work for so long by the clock, and end it then.

        Raises:
            TimeoutError: it was ended.
        """
        task = asyncio.current_task()
        assert task is not None
        is_over = False

        def end() -> None:
            nonlocal is_over
            is_over = True
            task.cancel()

        timer = self._clock.call_later(most_s, end)
        try:
            await work
        except asyncio.CancelledError:
            if is_over and task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()

    def _step(self, claim: Claim, failure: "_Failure | None") -> Done | Retry:
        sent = decode_message(claim.attributes)
        if failure is None:
            self._count(claim, Delivery.DELIVERED)
            if self._metrics is not None and sent.mapping:
                name = "OnFailureDestinationDeliveredEventCount"
                self._metrics.mapping_events(claim.queue.scope, sent.mapping, name, sent.records)
            return Done(claim.receipt)
        if self._metrics is not None:
            # A record of a function goes without attributes of its own; a dead letter has three. Documented: counted is
            # each attempt that failed.
            self._metrics.delivery_failed(sent.function_arn, is_dead_letter=bool(sent.attributes))
        # Assumed: what is tried as long as events are at most can be given up (test_outbox).
        left_s = AGE_MAX_S * self._time_scale - claim.age_s
        if failure.is_final or left_s <= 0:
            self._count(claim, Delivery.GIVEN_UP)
            _log.error(
                "destination.given_up arn=%s function=%s request_id=%s failures=%d reason=%s",
                claim.queue.name,
                sent.function_arn,
                claim.id,
                sent.failures + 1,
                failure.reason,
            )
            return Done(claim.receipt)
        self._count(claim, Delivery.FAILED)
        delay_s = min(BACKOFF_MIN_S * 2 ** min(sent.failures, 10), BACKOFF_MAX_S) * self._time_scale
        _log.warning(
            "destination.failed arn=%s request_id=%s again_in_s=%.1f reason=%s",
            claim.queue.name,
            claim.id,
            delay_s,
            failure.reason,
        )
        again = msgspec.structs.replace(sent, failures=sent.failures + 1)
        return Retry(claim.receipt, min(delay_s, left_s), encode(again))

    def _count(self, claim: Claim, outcome: Delivery) -> None:
        self._counts.count(claim.queue.scope, claim.queue.name, outcome)


def _is_bucket(queue: QueueName) -> bool:
    target = parse_target(queue.name)
    return target is not None and target.is_bucket


class _Failure(msgspec.Struct, frozen=True):
    """Why a message was not delivered."""

    reason: str
    is_final: bool = False
