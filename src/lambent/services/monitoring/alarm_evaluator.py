"""
Looks at metric alarms: those of periods below a minute each ten seconds, the others each minute.

Nothing is kept between two looks: a server that starts goes on with what is stored.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from lambent.clock import Clock
from lambent.domain.alarm import INSUFFICIENT_DATA, Alarm, Watch
from lambent.domain.alarm_evaluation import Verdict, evaluate
from lambent.errors.families import DependencyError
from lambent.services.monitoring.alarm_queries import AlarmReader, Silence, Unreadable
from lambent.services.monitoring.alarm_transitions import Transitions
from lambent.services.monitoring.settling import Settle
from lambent.store.alarms_contract import AlarmStore

_log = logging.getLogger("lambent.services.monitoring")

FAST_S, SLOW_S = 10, 60
"""Documented: CloudWatch user guide, how often alarms are evaluated."""

_LAG_S = 2.0
"""
How long after the end of a period it is looked at: figures of it may be on their way. Assumed (test_alarm_evaluator).
"""

_AT_ONCE = 2
"""Alarms that are read at once, of either speed: half of the connections that read are for everybody else."""

_PAGE = 200
"""Alarms that are in memory at once."""

_READ_MAX_S = 20.0
"""Longer than that an alarm does not hold the place of others. It is looked at again with the next look. Assumed."""

_SWEEP_EVERY_S = 3_600.0


class AlarmEvaluator:
    """
    Evaluates alarms as time passes.

    Args:
        settle: brings what was measured so far into the store of metrics.
    """

    def __init__(
        self, store: AlarmStore, reader: AlarmReader, transitions: Transitions, settle: Settle, clock: Clock
    ) -> None:
        self._store = store
        self._reader = reader
        self._transitions = transitions
        self._settle = settle
        self._clock = clock
        self._changed = {is_fast: asyncio.Event() for is_fast in (False, True)}
        store.on_change(self._note_change)

    def work(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """Return by name all that goes on for as long as the server does."""
        return {
            "alarms": partial(self._watch, is_fast=False),
            "alarms of high resolution": partial(self._watch, is_fast=True),
            "sweeping alarms": self._sweep,
        }

    async def look(self, *, is_fast: bool) -> bool:
        """Evaluate all alarms of one speed once; say whether there are any."""
        after = None
        room = asyncio.Semaphore(_AT_ONCE)
        silence: Silence | None = None
        while some := await self._store.watching(is_fast=is_fast, after=after, limit=_PAGE):
            if silence is None:
                await self._settle()
                silence = self._reader.listen(self._clock.now())
            after = (some[-1].scope, some[-1].name)
            await self._look_at(some, silence, room)
        return silence is not None

    async def _watch(self, *, is_fast: bool) -> None:
        every_s = FAST_S if is_fast else SLOW_S
        changed = self._changed[is_fast]
        while True:
            await self._clock.sleep(_until_next(self._clock.now(), every_s))
            changed.clear()
            if not await self.look(is_fast=is_fast):
                # A server without alarms does not wake up for them.
                await changed.wait()

    async def _look_at(self, alarms: Sequence[Alarm], silence: Silence, room: asyncio.Semaphore) -> None:
        async with asyncio.TaskGroup() as tasks:
            for alarm in alarms:
                await room.acquire()
                task = tasks.create_task(self._evaluate_or_log(alarm, silence))
                task.add_done_callback(lambda _: room.release())

    async def _evaluate_or_log(self, alarm: Alarm, silence: Silence) -> None:
        try:
            async with asyncio.timeout(_READ_MAX_S):
                await self._evaluate(alarm, silence)
        except (DependencyError, TimeoutError) as error:
            _log.warning("alarm.not_evaluated alarm=%s reason=%s", alarm.arn, str(error) or "it takes too long")
        except Exception:
            # One that cannot be evaluated keeps no other from being it.
            _log.exception("alarm.not_evaluated alarm=%s", alarm.arn)

    async def _evaluate(self, alarm: Alarm, silence: Silence) -> None:
        assert isinstance(alarm.watches, Watch)
        now = self._clock.now()
        verdict = await self._verdict(alarm, alarm.watches, now, silence)
        if verdict is None or verdict.value == alarm.status.value:
            return
        status = alarm.status.becoming(verdict.value, verdict.reason, verdict.reason_data, now)
        async with self._store.transaction(alarm.scope) as rows:
            # What was configured or set meanwhile is evaluated with the next look.
            if await rows.get(alarm.name) == alarm:
                await self._transitions.move(rows, alarm, status)

    async def _verdict(self, alarm: Alarm, watch: Watch, now: float, silence: Silence) -> Verdict | None:
        try:
            reading = await self._reader.read(alarm.scope, watch, now, silence)
        except Unreadable as error:
            # Assumed: what cannot be computed is not known, whatever missing points count as (test_alarm_evaluator).
            return Verdict(INSUFFICIENT_DATA, f"Insufficient Data: the expression cannot be computed: {error}", None)
        return evaluate(watch, reading.slots, now, has_few_samples=reading.has_few_samples)

    def _note_change(self) -> None:
        for changed in self._changed.values():
            changed.set()

    async def _sweep(self) -> None:
        while True:
            await self._store.sweep(self._clock.now())
            await self._clock.sleep(_SWEEP_EVERY_S)


def _until_next(now: float, every_s: int) -> float:
    """Return the seconds until the next look: some after each full period of so many."""
    return (math.floor((now - _LAG_S) / every_s) + 1) * every_s + _LAG_S - now
