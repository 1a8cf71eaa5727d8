"""Tags of alarms."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.domain.alarm import Alarm, parse_alarm_arn
from lambent.domain.caller import Caller
from lambent.errors.api.monitoring import InvalidParameterValueException, ResourceNotFoundException
from lambent.protocol.shapes.monitoring import ListTagsForResourceInput, TagResourceInput, UntagResourceInput
from lambent.services.monitoring.alarm_configuration import tags_of
from lambent.services.operation import operation
from lambent.store.alarms_contract import AlarmRows, AlarmStore


class AlarmTags:
    """Tags of metric and composite alarms, by ARN."""

    def __init__(self, store: AlarmStore) -> None:
        self._store = store

    @operation("ListTagsForResource")
    async def list(self, caller: Caller, request: ListTagsForResourceInput) -> Mapping[str, Any]:
        name = _named(caller, request["ResourceARN"])
        async with self._store.snapshot(caller.scope) as rows:
            alarm = await rows.get(name)
        # Observed: recordings of the service: of an alarm that was deleted there are none.
        tags = {} if alarm is None else alarm.tags
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    @operation("TagResource")
    async def tag(self, caller: Caller, request: TagResourceInput) -> Mapping[str, Any]:
        name = _named(caller, request["ResourceARN"])
        async with self._store.transaction(caller.scope) as rows:
            alarm = await _existing(rows, name)
            await rows.save(msgspec.structs.replace(alarm, tags=tags_of(request["Tags"], alarm.tags)))
        return {}

    @operation("UntagResource")
    async def untag(self, caller: Caller, request: UntagResourceInput) -> Mapping[str, Any]:
        name, gone = _named(caller, request["ResourceARN"]), set(request["TagKeys"])
        async with self._store.transaction(caller.scope) as rows:
            alarm = await _existing(rows, name)
            left = {key: value for key, value in alarm.tags.items() if key not in gone}
            await rows.save(msgspec.structs.replace(alarm, tags=left))
        return {}


def _named(caller: Caller, arn: str) -> str:
    """
    Return the name of the alarm that an ARN is of.

    Raises:
        InvalidParameterValueException: it is none, or of another account or region. Assumed: the text.
    """
    named = parse_alarm_arn(arn)
    if named is None or named[0] != caller.scope:
        raise InvalidParameterValueException(f"The value {arn} for parameter ResourceARN is invalid.")
    return named[1]


async def _existing(rows: AlarmRows, name: str) -> Alarm:
    alarm = await rows.get(name)
    if alarm is None:
        # Assumed: no text, as SetAlarmState has none (test_alarm_tags).
        raise ResourceNotFoundException()
    return alarm
