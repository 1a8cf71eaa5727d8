"""Log groups: describe, delete, and how long their events are kept."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from lambent.domain.arn import log_group_arn
from lambent.domain.caller import Caller
from lambent.domain.log_retention import RETENTION_DAYS
from lambent.errors.api.logs import InvalidParameterException
from lambent.protocol.shapes.logs import DeleteLogGroupRequest, DescribeLogGroupsRequest, PutRetentionPolicyRequest
from lambent.services.logs.naming import group_missing, parse_identifier
from lambent.services.logs.tokens import name_token, parse_name_token
from lambent.services.operation import operation
from lambent.store.contract import LogGroup, LogStore

GROUP_CLASS = "STANDARD"
"""The class of every group here. Documented: DescribeLogGroups, the default of CreateLogGroup."""


class LogGroups:
    """Groups come to be when a function first writes; here they are shown, given a retention, and deleted."""

    def __init__(self, store: LogStore, fold: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._fold = fold

    @operation("DescribeLogGroups")
    async def describe(self, caller: Caller, request: DescribeLogGroupsRequest) -> Mapping[str, Any]:
        prefix = request.get("logGroupNamePrefix") or ""
        pattern = request.get("logGroupNamePattern") or ""
        identifiers = request.get("logGroupIdentifiers")
        if prefix and pattern:
            # Observed: recordings of the service.
            raise InvalidParameterException(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
            )
        # Documented: DescribeLogGroups, logGroupIdentifiers excludes the other filters.
        # Assumed: the text. Revisit: test_groups.
        if identifiers and (prefix or pattern):
            raise InvalidParameterException(
                "logGroupIdentifiers cannot be combined with a name prefix or name pattern."
            )
        await self._fold()
        if self._names_others_only(caller, request):
            return {"logGroups": []}
        if identifiers:
            groups: Sequence[LogGroup] = await self._identified(caller, identifiers)
            return {"logGroups": [_described(group, is_thin=False) for group in groups]}
        limit = request.get("limit", 50)
        after = parse_name_token(request["nextToken"]) if "nextToken" in request else None
        groups = await self._store.list_groups(
            caller.scope, prefix=prefix, pattern=pattern, after=after, limit=limit + 1
        )
        answer: dict[str, Any] = {"logGroups": [_described(group, is_thin=bool(pattern)) for group in groups[:limit]]}
        if len(groups) > limit:
            answer["nextToken"] = name_token(groups[limit - 1].name)
        return answer

    @operation("DeleteLogGroup")
    async def delete(self, caller: Caller, request: DeleteLogGroupRequest) -> Mapping[str, Any]:
        # What was written before belongs to the group that goes; folded later it would bring the group back.
        await self._fold()
        if not await self._store.delete_group(caller.scope, request["logGroupName"]):
            raise group_missing()
        return {}

    @operation("PutRetentionPolicy")
    async def put_retention(self, caller: Caller, request: PutRetentionPolicyRequest) -> Mapping[str, Any]:
        days = request["retentionInDays"]
        if days not in RETENTION_DAYS:
            # Assumed: the text; the code is documented. Revisit: test_groups.
            known = ", ".join(str(known) for known in sorted(RETENTION_DAYS))
            raise InvalidParameterException(f"Invalid retention value. Retention must be one of: [{known}]")
        await self._fold()
        if not await self._store.set_retention(caller.scope, request["logGroupName"], days):
            raise group_missing()
        return {}

    async def _identified(self, caller: Caller, identifiers: Sequence[str]) -> list[LogGroup]:
        """Return those of the named groups that exist, by name."""
        found: dict[str, LogGroup] = {}
        for identifier in identifiers:
            scope, name = parse_identifier(caller.scope, identifier)
            group = await self._store.group(scope, name) if scope == caller.scope else None
            if group is not None:
                found[name] = group
        return [found[name] for name in sorted(found)]

    @staticmethod
    def _names_others_only(caller: Caller, request: DescribeLogGroupsRequest) -> bool:
        """Whether the request asks for nothing but what cannot be here: other accounts' groups, other classes."""
        accounts = request.get("accountIdentifiers", [])
        other_account = bool(accounts) and caller.scope.account not in accounts
        return other_account or request.get("logGroupClass", GROUP_CLASS) != GROUP_CLASS


def _described(group: LogGroup, *, is_thin: bool) -> dict[str, Any]:
    """
    Return a group as DescribeLogGroups shows it.

    Args:
        is_thin: leave out what a search by pattern leaves out. Observed: recordings of the service.
    """
    arn = log_group_arn(group.scope, group.name)
    shown: dict[str, Any] = {
        "logGroupName": group.name,
        "creationTime": group.created_ms,
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "logGroupClass": GROUP_CLASS,
        "logGroupArn": arn,
    }
    if group.retention_days is not None:
        shown["retentionInDays"] = group.retention_days
    if not is_thin:
        shown["storedBytes"] = group.stored_bytes
        shown["deletionProtectionEnabled"] = False
    return shown
