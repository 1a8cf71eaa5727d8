"""Groups: filter expressions with a name, which searches and graphs refer to."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.xray.group import DEFAULT, GROUPS_MAX, TraceGroup, show_group, with_default
from lambent.errors.api.xray import InvalidRequestException
from lambent.protocol.shapes.xray import (
    CreateGroupRequest,
    DeleteGroupRequest,
    GetGroupRequest,
    GetGroupsRequest,
    UpdateGroupRequest,
)
from lambent.services.operation import operation
from lambent.services.xray.filters import compiled, named_group
from lambent.services.xray.tags import checked_tags
from lambent.services.xray.tokens import refuse_token
from lambent.store.traces_contract import TraceSettings


class Groups:
    """The groups of a scope."""

    def __init__(self, settings: TraceSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    @operation("CreateGroup")
    async def create(self, caller: Caller, request: CreateGroupRequest) -> Mapping[str, Any]:
        group = TraceGroup(
            request["GroupName"],
            # Observed: ARNs in published answers end with as much, in capitals.
            self._clock.token_hex(26).upper()[:52],
            tags=checked_tags(request.get("Tags")),
        )
        group = _changed(group, request)
        async with self._settings.change(caller.scope) as rows:
            stored = await rows.list(TraceGroup)
            if any(one.name == group.name for one in with_default(stored)):
                # Assumed: the text (test_xray).
                raise InvalidRequestException("A group with this name exists already.")
            if sum(one.name != DEFAULT for one in stored) >= GROUPS_MAX:
                raise InvalidRequestException(f"There can be {GROUPS_MAX} groups.")
            await rows.save(group)
        return {"Group": show_group(caller.scope, group)}

    @operation("GetGroup")
    async def get(self, caller: Caller, request: GetGroupRequest) -> Mapping[str, Any]:
        groups = with_default(await self._settings.list(caller.scope, TraceGroup))
        return {"Group": show_group(caller.scope, named_group(caller.scope, groups, request))}

    @operation("GetGroups")
    async def list(self, caller: Caller, request: GetGroupsRequest) -> Mapping[str, Any]:
        refuse_token(request)
        groups = with_default(await self._settings.list(caller.scope, TraceGroup))
        return {"Groups": [show_group(caller.scope, group) for group in groups]}

    @operation("UpdateGroup")
    async def update(self, caller: Caller, request: UpdateGroupRequest) -> Mapping[str, Any]:
        async with self._settings.change(caller.scope) as rows:
            group = named_group(caller.scope, with_default(await rows.list(TraceGroup)), request)
            if group.name == DEFAULT and request.get("FilterExpression"):
                # Documented: X-Ray developer guide, groups: the default group is of every trace.
                raise InvalidRequestException("The filter expression of the group Default cannot be changed.")
            group = _changed(group, request)
            await rows.save(group)
        return {"Group": show_group(caller.scope, group)}

    @operation("DeleteGroup")
    async def delete(self, caller: Caller, request: DeleteGroupRequest) -> Mapping[str, Any]:
        async with self._settings.change(caller.scope) as rows:
            group = named_group(caller.scope, with_default(await rows.list(TraceGroup)), request)
            if group.name == DEFAULT:
                raise InvalidRequestException("The group Default cannot be deleted.")
            await rows.delete(TraceGroup, group.name)
        return {}


def _changed(group: TraceGroup, request: Mapping[str, Any]) -> TraceGroup:
    """
    Return a group with what a request gives.

    Raises:
        InvalidRequestException: its expression is none, or names groups, which would have no end.
    """
    text = request.get("FilterExpression", group.filter_expression)
    if compiled(text).has_groups:
        raise InvalidRequestException("The filter expression of a group cannot name groups.")
    insights = request.get("InsightsConfiguration") or {}
    return msgspec.structs.replace(
        group,
        filter_expression=text,
        insights_enabled=insights.get("InsightsEnabled", group.insights_enabled),
        notifications_enabled=insights.get("NotificationsEnabled", group.notifications_enabled),
    )
