"""
What follows when an alarm comes into another state: its history, its actions, and the composite alarms that go by it.

All of it is one commit with the state itself.
"""

import logging
from collections.abc import Mapping, Sequence

import msgspec

from lambent.clock import Clock
from lambent.domain.alarm import ALARM, OK, Alarm, AlarmStatus, Combination
from lambent.domain.alarm_payloads import action_item, composite_reason, function_payload, state_item
from lambent.domain.alarm_rule import AlarmRule, InvalidRule, parse_rule, upwards
from lambent.store.alarms_contract import AlarmRows, NewAction

_log = logging.getLogger("lambent.services.monitoring")

PENDING_MAX = 10_000
"""Actions that wait to be done; beyond them one is given up at once, which its alarm's history tells. Assumed."""

_ABOVE_MAX = 300
"""
Composite alarms that one change is followed through: twice as many as may go by one alarm. Nobody else writes
meanwhile. Assumed: far beyond what people combine (test_alarm_transitions).
"""

_STEPS_MAX = 2_000
"""Ways from one of them to the next: each has to be read. Assumed, likewise."""


class Transitions:
    """
    Moves alarms into states.

    Args:
        clock: makes ids of what is sent.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.pending = 0
        """Actions that wait, as far as this server knows: `alarm_actions` counts them."""

    async def move(self, rows: AlarmRows, alarm: Alarm, status: AlarmStatus) -> Alarm:
        """
        Store an alarm's new state and all that follows from it.

        Args:
            rows: of the alarm's scope, in a transaction.
            alarm: as it is stored.
        """
        moved = await self._save(rows, alarm, status)
        if status.value != alarm.status.value:
            await self._follow(rows, moved)
        return moved

    async def settle(self, rows: AlarmRows, alarm: Alarm) -> Alarm:
        """Give a composite alarm that was configured the state that its rule has."""
        assert isinstance(alarm.watches, Combination)
        if await _depends_on_itself(rows, alarm.name):
            return alarm
        rule = parse_rule(alarm.watches.rule, alarm.scope)
        value = await _value(rows, rule, {})
        if value == alarm.status.value:
            return alarm
        # Assumed: the text; nothing but the rule has changed (test_alarm_transitions).
        reason = f"{alarm.arn} was evaluated as its rule was configured"
        return await self.move(rows, alarm, alarm.status.becoming(value, reason, None, self._clock.now()))

    async def _save(self, rows: AlarmRows, alarm: Alarm, status: AlarmStatus) -> Alarm:
        moved = msgspec.structs.replace(alarm, status=status)
        await rows.save(moved)
        if status.value == alarm.status.value:
            return moved
        items = [state_item(moved, alarm.status)]
        targets = moved.due_actions(alarm.status)
        if targets:
            payload = function_payload(moved, alarm.status, self._clock.new_id())
            room = max(PENDING_MAX - self.pending, 0)
            await rows.order(
                [
                    NewAction(alarm.scope, alarm.name, alarm.type, target, payload, status.updated_at)
                    for target in targets[:room]
                ]
            )
            for target in targets[room:]:
                _log.error("alarm.action_given_up alarm=%s action=%s reason=too many wait", alarm.arn, target)
                items.append(
                    action_item(
                        alarm.scope,
                        alarm.name,
                        alarm.type,
                        target,
                        status.updated_at,
                        status.updated_at,
                        "too many actions wait",
                    )
                )
        await rows.note(items)
        return moved

    async def _follow(self, rows: AlarmRows, changed: Alarm) -> None:
        """Give composite alarms above an alarm the states that their rules have, each once, the lower ones first."""
        above: dict[str, Alarm] = {}
        parents_of: dict[str, Sequence[str]] = {}
        ahead = [changed.name]
        steps = 0
        while ahead:
            name = ahead.pop()
            if name in parents_of:
                continue
            parents = await rows.parents(name)
            steps += len(parents)
            parents_of[name] = [parent.name for parent in parents]
            above.update((parent.name, parent) for parent in parents)
            ahead.extend(parents_of[name])
            if len(above) > _ABOVE_MAX or steps > _STEPS_MAX:
                _log.error("alarm.not_followed alarm=%s reason=too many alarms go by it", changed.arn)
                return
        latest = {changed.name: changed}
        states: dict[str, str | None] = {changed.name: changed.status.value}
        for name in upwards(changed.name, parents_of):
            parent = above[name]
            assert isinstance(parent.watches, Combination)
            try:
                rule = parse_rule(parent.watches.rule, parent.scope)
            except InvalidRule:
                # Of a later version.
                _log.exception("alarm.rule_not_read alarm=%s", parent.arn)
                continue
            causes = [latest[child] for child in rule.children if child in latest]
            if not causes:
                continue
            value = await _value(rows, rule, states)
            if value != parent.status.value:
                reason, data = composite_reason(causes[-1])
                status = parent.status.becoming(value, reason, data, changed.status.updated_at)
                latest[name] = await self._save(rows, parent, status)
            states[name] = value


async def _value(rows: AlarmRows, rule: AlarmRule, states: dict[str, str | None]) -> str:
    """
    Return the state that a rule has.

    Args:
        states: by name, those that are known already; what is read is added. None: there is no such alarm.
    """
    for child in rule.children:
        if child not in states:
            found = await rows.get(child)
            states[child] = None if found is None else found.status.value
    return ALARM if rule.holds({name: state for name in rule.children if (state := states[name])}) else OK


async def _depends_on_itself(rows: AlarmRows, name: str) -> bool:
    """Documented: CloudWatch user guide, composite alarms: evaluation stops where there is a cycle."""
    return name in await descendants(rows, name)


async def descendants(rows: AlarmRows, name: str) -> Mapping[str, None]:
    """Return the names of all alarms that one goes by, in the end; at most some thousands."""
    found: dict[str, None] = {}
    ahead = list(await rows.children(name))
    while ahead and len(found) <= _ABOVE_MAX:
        one = ahead.pop()
        if one not in found:
            found[one] = None
            ahead.extend(await rows.children(one))
    return found
