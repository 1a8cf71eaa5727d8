"""Log groups: which there are."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from lambent.domain.arn import log_group_arn
from lambent.domain.caller import Caller
from lambent.errors.api.logs import InvalidParameterException
from lambent.protocol.shapes.logs import DescribeLogGroupsRequest, ListLogGroupsRequest
from lambent.services.logs.naming import parse_identifier
from lambent.services.logs.tokens import name_token, parse_name_token
from lambent.services.operation import operation
from lambent.store.contract import LogGroup, LogStore
from lambent.store.log_filters_contract import LogFilterStore

_LOOK_AT_ONCE = 500

_LOOK_AT_MAX = 10_000
"""Groups that one call of ListLogGroups looks at; then it answers what it has found, and a token."""


class LogGroups:
    """Groups are shown, by themselves or narrowed by name, class and tags."""

    def __init__(self, store: LogStore, fold: Callable[[], Awaitable[None]], filters: LogFilterStore) -> None:
        self._store = store
        self._fold = fold
        self._filters = filters

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
        accounts = request.get("accountIdentifiers", [])
        if accounts and caller.scope.account not in accounts:
            return {"logGroups": []}
        if identifiers:
            groups: Sequence[LogGroup] = await self._identified(caller, identifiers)
            wanted = request.get("logGroupClass")
            groups = [group for group in groups if wanted in {None, group.log_class}]
            return {"logGroups": await self._described(caller, groups, is_thin=False)}
        limit = request.get("limit", 50)
        after = parse_name_token(request["nextToken"]) if "nextToken" in request else None
        groups = await self._store.list_groups(
            caller.scope,
            prefix=prefix,
            pattern=pattern,
            log_class=request.get("logGroupClass"),
            after=after,
            limit=limit + 1,
        )
        shown = await self._described(caller, groups[:limit], is_thin=bool(pattern))
        answer: dict[str, Any] = {"logGroups": shown}
        if len(groups) > limit:
            answer["nextToken"] = name_token(groups[limit - 1].name)
        return answer

    @operation("ListLogGroups")
    async def list_all(self, caller: Caller, request: ListLogGroupsRequest) -> Mapping[str, Any]:
        for member in ("dataSources", "fieldIndexNames"):
            if request.get(member):
                raise InvalidParameterException(f"{member} is not offered: groups have no data sources and no indexes")
        await self._fold()
        answer: dict[str, Any] = {"logGroups": []}
        accounts = request.get("accountIdentifiers", [])
        if accounts and caller.scope.account not in accounts:
            return answer
        limit = request.get("limit", 50)
        names = NamePattern(request.get("logGroupNamePattern", ""))
        after = parse_name_token(request["nextToken"]) if "nextToken" in request else None
        looked_at = 0
        while True:
            groups = await self._store.list_groups(
                caller.scope, log_class=request.get("logGroupClass"), after=after, limit=_LOOK_AT_ONCE
            )
            for group in groups:
                if not (names.matches(group.name) and _has_tags(group, request.get("logGroupTags", []))):
                    after = group.name
                    continue
                if len(answer["logGroups"]) == limit:
                    answer["nextToken"] = name_token(after or "")
                    return answer
                after = group.name
                answer["logGroups"].append(
                    {
                        "logGroupName": group.name,
                        "logGroupArn": log_group_arn(group.scope, group.name),
                        "logGroupClass": group.log_class,
                    }
                )
            looked_at += len(groups)
            if len(groups) < _LOOK_AT_ONCE:
                return answer
            if looked_at >= _LOOK_AT_MAX:
                answer["nextToken"] = name_token(after or "")
                return answer

    async def _identified(self, caller: Caller, identifiers: Sequence[str]) -> list[LogGroup]:
        """Return those of the named groups that exist, by name."""
        found: dict[str, LogGroup] = {}
        for identifier in identifiers:
            scope, name = parse_identifier(caller.scope, identifier)
            group = await self._store.group(scope, name) if scope == caller.scope else None
            if group is not None:
                found[name] = group
        return [found[name] for name in sorted(found)]

    async def _described(
        self, caller: Caller, groups: Sequence[LogGroup], *, is_thin: bool
    ) -> Sequence[Mapping[str, Any]]:
        counts = await self._filters.metric_filter_counts(caller.scope, [group.name for group in groups])
        return [_described(group, counts.get(group.name, 0), is_thin=is_thin) for group in groups]


def _described(group: LogGroup, metric_filters: int, *, is_thin: bool) -> dict[str, Any]:
    """
    Return a group as DescribeLogGroups shows it.

    Args:
        metric_filters: how many it has.
        is_thin: leave out what a search by pattern leaves out. Observed: recordings of the service.
    """
    arn = log_group_arn(group.scope, group.name)
    shown: dict[str, Any] = {
        "logGroupName": group.name,
        "creationTime": group.created_ms,
        "metricFilterCount": metric_filters,
        "arn": f"{arn}:*",
        "logGroupClass": group.log_class,
        "logGroupArn": arn,
    }
    if group.retention_days is not None:
        shown["retentionInDays"] = group.retention_days
    if group.kms_key:
        shown["kmsKeyId"] = group.kms_key
    if not is_thin:
        shown["storedBytes"] = group.stored_bytes
        shown["deletionProtectionEnabled"] = group.is_protected
    return shown


class NamePattern:
    """
    The small pattern of ListLogGroups: texts that a name holds, or begins with after `^`, any of them.

    Documented: ListLogGroups, logGroupNamePattern; the model has its grammar.
    """

    def __init__(self, text: str) -> None:
        parts = text.split("|") if text else []
        self._beginnings = tuple(part[1:] for part in parts if part.startswith("^"))
        self._texts = [part for part in parts if not part.startswith("^")]
        self._is_any = not parts

    def matches(self, name: str) -> bool:
        return self._is_any or name.startswith(self._beginnings) or any(text in name for text in self._texts)


def _has_tags(group: LogGroup, filters: Sequence[Mapping[str, Any]]) -> bool:
    """Documented: ListLogGroups, logGroupTags: all the keys, each with one of the values where it names some."""
    return all(
        one["key"] in group.tags and (not one.get("values") or group.tags[one["key"]] in one["values"])
        for one in filters
    )
