"""Alarms: put, deleted, set into a state, and whether they act."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.alarm import CREATED, INSUFFICIENT_DATA, Alarm, AlarmStatus, Combination, Watch
from lambent.domain.alarm_payloads import created_item, deleted_item, updated_item
from lambent.domain.alarm_rule import PARENTS_MAX, InvalidRule, parse_rule
from lambent.domain.caller import Caller
from lambent.errors.api.monitoring import (
    InvalidFormatFault,
    LimitExceededFault,
    ResourceConflict,
    ResourceNotFound,
    ValidationException,
)
from lambent.protocol.shapes.monitoring import (
    DeleteAlarmsInput,
    DisableAlarmActionsInput,
    EnableAlarmActionsInput,
    PutCompositeAlarmInput,
    PutMetricAlarmInput,
    SetAlarmStateInput,
)
from lambent.services.monitoring.alarm_configuration import actions_of, refuse_not_offered, tags_of, watch_of
from lambent.services.monitoring.alarm_transitions import Transitions
from lambent.services.operation import operation
from lambent.store.alarms_contract import AlarmRows, AlarmStore

_log = logging.getLogger("lambent.services")

ALARMS_MAX = 5_000
"""Documented: CloudWatch service quotas: alarms in an account and region."""

TOTAL_MAX = 50_000
"""Alarms of all accounts and regions: each is read once a minute. Assumed."""


class Alarms:
    """
    Metric and composite alarms, which share their names.

    Args:
        accept_inert: whether to keep actions that nothing here does.
    """

    def __init__(self, store: AlarmStore, transitions: Transitions, clock: Clock, *, accept_inert: bool) -> None:
        self._store = store
        self._transitions = transitions
        self._clock = clock
        self._accept_inert = accept_inert

    @operation("PutMetricAlarm")
    async def put_metric(self, caller: Caller, request: PutMetricAlarmInput) -> Mapping[str, Any]:
        # Expressions take a while to be read.
        watch = (
            await asyncio.to_thread(watch_of, caller.scope, request)
            if request.get("Metrics")
            else watch_of(caller.scope, request)
        )
        wanted = self._wanted(caller, request, watch)
        total = await self._store.total()
        async with self._store.transaction(caller.scope) as rows:
            await self._put(rows, wanted, total, children=())
        return {}

    @operation("PutCompositeAlarm")
    async def put_composite(self, caller: Caller, request: PutCompositeAlarmInput) -> Mapping[str, Any]:
        try:
            rule = parse_rule(request["AlarmRule"], caller.scope)
        except InvalidRule as error:
            raise ValidationException(f"Could not parse AlarmRule: {error}") from None
        wanted = self._wanted(caller, request, Combination(request["AlarmRule"]))
        total = await self._store.total()
        async with self._store.transaction(caller.scope) as rows:
            await _check_children(rows, wanted.name, rule.children)
            saved = await self._put(rows, wanted, total, children=rule.children)
            await self._transitions.settle(rows, saved)
        return {}

    @operation("DeleteAlarms")
    async def delete(self, caller: Caller, request: DeleteAlarmsInput) -> Mapping[str, Any]:
        names = list(dict.fromkeys(request["AlarmNames"]))
        async with self._store.transaction(caller.scope) as rows:
            found = [alarm for name in names if (alarm := await rows.get(name)) is not None]
            if names and not found:
                # Documented: those that are there are deleted. Assumed: where none is, that is said (test_alarms).
                raise ResourceNotFound()
            if sum(isinstance(alarm.watches, Combination) for alarm in found) > 1:
                # Documented: CloudWatch API reference, DeleteAlarms.
                raise ValidationException("At most one composite alarm can be deleted at a time.")
            going = {alarm.name for alarm in found}
            for alarm in found:
                # Documented: the same: not while a composite alarm goes by it, as those in a circle do of each other.
                staying = [parent.name for parent in await rows.parents(alarm.name) if parent.name not in going]
                in_circle = alarm.name in await rows.children(alarm.name)
                if staying or in_circle:
                    raise ResourceConflict(
                        f"Alarm {alarm.name} cannot be deleted: the composite alarm {(staying or [alarm.name])[0]} "
                        "goes by it"
                    )
            for alarm in found:
                await rows.delete(alarm.name)
            now = self._clock.now()
            await rows.note([deleted_item(alarm, now) for alarm in found])
        return {}

    @operation("EnableAlarmActions")
    async def enable(self, caller: Caller, request: EnableAlarmActionsInput) -> Mapping[str, Any]:
        return await self._switch(caller, request["AlarmNames"], is_on=True)

    @operation("DisableAlarmActions")
    async def disable(self, caller: Caller, request: DisableAlarmActionsInput) -> Mapping[str, Any]:
        return await self._switch(caller, request["AlarmNames"], is_on=False)

    @operation("SetAlarmState")
    async def set_state(self, caller: Caller, request: SetAlarmStateInput) -> Mapping[str, Any]:
        data = request.get("StateReasonData")
        if data is not None:
            try:
                msgspec.json.decode(data)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                # Observed: emulators whose authors looked at the service.
                raise InvalidFormatFault("Unknown") from None
        async with self._store.transaction(caller.scope) as rows:
            alarm = await rows.get(request["AlarmName"])
            if alarm is None:
                # Observed: recordings of the service: no message at all.
                raise ResourceNotFound()
            status = alarm.status.becoming(request["StateValue"], request["StateReason"], data, self._clock.now())
            await self._transitions.move(rows, alarm, status)
        return {}

    def _wanted(self, caller: Caller, request: Mapping[str, Any], watches: Watch | Combination) -> Alarm:
        """Return the alarm that a request asks for, as a new one."""
        refuse_not_offered(request)
        actions, inert = actions_of(request, accept_inert=self._accept_inert)
        if inert:
            _log.warning("setting.inert alarm=%s members=%s", request["AlarmName"], ",".join(inert))
        now = self._clock.now()
        return Alarm(
            caller.scope,
            request["AlarmName"],
            watches,
            request.get("AlarmDescription"),
            request.get("ActionsEnabled", True),
            actions,
            now,
            AlarmStatus(INSUFFICIENT_DATA, CREATED, now, now),
            tags_of(request.get("Tags") or ()),
        )

    async def _put(self, rows: AlarmRows, wanted: Alarm, total: int, *, children: Sequence[str]) -> Alarm:
        before = await rows.get(wanted.name)
        if before is None:
            if await rows.count() >= ALARMS_MAX or total >= TOTAL_MAX:
                raise LimitExceededFault("The quota of alarms is used up.")
            await rows.save(wanted, children=children)
            await rows.note([created_item(wanted)])
            return wanted
        if before.type != wanted.type:
            # Documented: names are shared. Assumed: the text (test_alarms).
            raise ValidationException(f"Alarm {wanted.name} exists already, and is a {before.type}.")
        # Documented: CloudWatch API reference, PutMetricAlarm: the state is left alone, and tags are not looked at.
        wanted = msgspec.structs.replace(wanted, status=before.status, tags=before.tags)
        await rows.save(wanted, children=children)
        await rows.note([updated_item(wanted)])
        return wanted

    async def _switch(self, caller: Caller, names: Sequence[str], *, is_on: bool) -> Mapping[str, Any]:
        now = self._clock.now()
        async with self._store.transaction(caller.scope) as rows:
            for name in dict.fromkeys(names):
                alarm = await rows.get(name)
                # Assumed: names that there are none of are passed over (test_alarms).
                if alarm is not None and alarm.actions_enabled is not is_on:
                    changed = msgspec.structs.replace(alarm, actions_enabled=is_on, configured_at=now)
                    await rows.save(changed)
                    await rows.note([updated_item(changed)])
        return {}


async def _check_children(rows: AlarmRows, name: str, children: Sequence[str]) -> None:
    """
    Refuse rules over alarms that are not there, or that have too many that go by them.

    Raises:
        ValidationException: naming them. Observed: field reports of Terraform's users, of the text.
    """
    unknown = [child for child in children if child != name and await rows.get(child) is None]
    if name in children and await rows.get(name) is None:
        unknown.append(name)
    if unknown:
        raise ValidationException(
            f"Could not save the composite alarm as alarms [{', '.join(unknown)}] in the alarm rule do not exist"
        )
    for child in children:
        parents = await rows.parents(child)
        if len(parents) >= PARENTS_MAX and name not in {parent.name for parent in parents}:
            raise LimitExceededFault(f"{PARENTS_MAX} composite alarms go by {child} already.")
