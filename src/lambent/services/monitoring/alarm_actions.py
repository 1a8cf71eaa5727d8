"""
Does what is to be done because alarms have come into other states: starts functions.

What is to be done is stored with the state. It is done once at least, and leaves a line in the alarm's history.
"""

import asyncio
import logging
from collections.abc import Sequence

from lambent.clock import Clock
from lambent.destinations.contract import Destinations, Message, NoSuchTarget
from lambent.dispatch.resource_policies import is_let_in
from lambent.domain.alarm import alarm_arn
from lambent.domain.alarm_payloads import action_item
from lambent.domain.destination import parse_target
from lambent.domain.resource_policy import service_for
from lambent.errors.families import DependencyError
from lambent.services.monitoring.alarm_transitions import Transitions
from lambent.store.alarms_contract import AlarmStore, NewAction, PendingAction
from lambent.store.contract import FunctionStore
from lambent.telemetry.deliveries import Delivery, DeliveryCounts

_log = logging.getLogger("lambent.services.monitoring")

SERVICE = "lambda.alarms.cloudwatch.amazonaws.com"
"""Documented: CloudWatch user guide, using a Lambda function as an alarm's target."""

_AT_ONCE = 32
"""Actions that are read at once; those of one alarm for one target are done one after the other. Assumed."""

_AGAIN_S = 5.0
"""How long one waits that cannot be done now. Assumed: the queue of a function that is full drains in minutes."""

_AGE_MAX_S = 3_600.0
"""
How old it becomes before it is given up. Documented: CloudWatch user guide: actions that fail are not tried for ever.
Assumed: how long (test_alarm_actions).
"""


class _NotNow(Exception):
    """It can be done later; `args[0]` says what is in the way."""


class AlarmActions:
    """
    Does actions, the oldest first.

    Args:
        functions: whose policies say who may start them.
        destinations: functions among them.
        counts: what comes of each is counted there.
    """

    def __init__(
        self,
        store: AlarmStore,
        functions: FunctionStore,
        destinations: Destinations,
        transitions: Transitions,
        counts: DeliveryCounts,
        clock: Clock,
    ) -> None:
        self._store = store
        self._functions = functions
        self._destinations = destinations
        self._transitions = transitions
        self._counts = counts
        self._clock = clock
        self._changed = asyncio.Event()
        store.on_change(self._changed.set)

    async def run(self) -> None:
        """Do what there is to do, for ever."""
        while True:
            self._changed.clear()
            self._transitions.pending = await self._store.pending_count()
            if not self._transitions.pending:
                await self._changed.wait()
            elif await self._do_all():
                await self._clock.sleep(_AGAIN_S)

    async def _do_all(self) -> bool:
        """Do once what waits; say whether some of it has to be tried again."""
        after = 0
        stuck: set[tuple[str, str]] = set()
        while some := await self._store.pending(after=after, limit=_AT_ONCE):
            after = some[-1].number
            lanes: dict[tuple[str, str], list[PendingAction]] = {}
            for one in some:
                lane = (alarm_arn(one.action.scope, one.action.alarm), one.action.target)
                if lane not in stuck:
                    lanes.setdefault(lane, []).append(one)
            results = await asyncio.gather(*map(self._do_some, lanes.values()), return_exceptions=True)
            for lane, result in zip(lanes, results, strict=True):
                if isinstance(result, BaseException):
                    raise result
                if not result:
                    stuck.add(lane)
        return bool(stuck)

    async def _do_some(self, actions: Sequence[PendingAction]) -> bool:
        """
        Do what one alarm wants of one target, in its order; say whether all is done, or given up.

        What comes behind one that cannot be done now waits with it: nobody is to be told first that all is well again.
        """
        for one in actions:
            if not await self._do(one):
                return False
        return True

    async def _do(self, pending: PendingAction) -> bool:
        action, now = pending.action, self._clock.now()
        failure: str | None = None
        try:
            failure = await self._failure_of(action)
        except _NotNow as reason:
            # The wall clock may have jumped either way: what seems to come from the future is as old as it gets.
            if 0 <= now - action.state_at < _AGE_MAX_S:
                self._counts.count(action.scope, action.target, Delivery.FAILED)
                return False
            failure = str(reason)
        arn = alarm_arn(action.scope, action.alarm)
        if failure is None:
            _log.info("alarm.action_done alarm=%s action=%s", arn, action.target)
        else:
            _log.warning("alarm.action_given_up alarm=%s action=%s reason=%s", arn, action.target, failure)
        self._counts.count(action.scope, action.target, Delivery.DELIVERED if failure is None else Delivery.GIVEN_UP)
        item = action_item(action.scope, action.alarm, action.alarm_type, action.target, now, action.state_at, failure)
        async with self._store.transaction(action.scope) as rows:
            if await rows.finish(pending.number):
                await rows.note([item])
        return True

    async def _failure_of(self, action: NewAction) -> str | None:
        """
        Do an action; return why it cannot be done, None: it is.

        Raises:
            _NotNow: it may be done later.
        """
        target = parse_target(action.target)
        destination = None if target is None else self._destinations.get(target.service)
        if target is None or destination is None or target.service != "lambda":
            return "nothing is done there by this version of Lambent"
        try:
            # On behalf of this alarm, and at this moment.
            alarms = service_for(SERVICE, alarm_arn(action.scope, action.alarm), action.scope.account)
            if not await is_let_in(self._functions, target.arn, alarms):
                # Observed: field reports of the text.
                what = f"lambda:InvokeFunction on the resource {target.arn}"
                return f"CloudWatch Alarms is not authorized to perform: {what}"
            await destination.deliver(target, Message(action.payload))
        except NoSuchTarget:
            return "there is no such function"
        except DependencyError as error:
            raise _NotNow(str(error)) from error
        except Exception as error:
            # What is ours to mend: it is kept, and holds up no other.
            _log.exception("alarm.action_failed action=%s", target.arn)
            raise _NotNow(str(error)) from error
        return None
