"""
What each operation of CloudWatch Logs asks leave for.

Observed: field reports of denials: a group is written as an empty stream of it, which is why policies say `:*` behind
its name, and those that do not allow nothing of most actions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.access.authorize import Demand
from lambent.domain.arn import log_stream_arn
from lambent.domain.caller import Caller, Scope
from lambent.errors.families import ApiError
from lambent.services.logs.naming import parse_identifier
from lambent.services.operation import Demands

_GROUP = (
    "AssociateKmsKey CreateLogStream DeleteLogGroup DeleteMetricFilter DeleteRetentionPolicy DeleteSubscriptionFilter "
    "DescribeLogStreams DescribeSubscriptionFilters DisassociateKmsKey FilterLogEvents GetLogGroupFields "
    "ListTagsForResource ListTagsLogGroup PutLogGroupDeletionProtection PutMetricFilter PutRetentionPolicy "
    "PutSubscriptionFilter TagLogGroup TagResource UntagLogGroup UntagResource"
)
_STREAM = "DeleteLogStream GetLogEvents PutLogEvents"
_EVERYTHING = (
    "DeleteQueryDefinition DeleteResourcePolicy DescribeQueries DescribeQueryDefinitions DescribeResourcePolicies "
    "GetLogRecord GetQueryResults PutQueryDefinition PutResourcePolicy StopQuery TestMetricFilter"
)
_IDENTIFIERS = ("logGroupIdentifier", "resourceArn", "resourceIdentifier")


def _group(caller: Caller, request: Mapping[str, Any]) -> tuple[Scope, str]:
    """Return the group that a request names, in the scope that it names; the operation refuses that of another one."""
    named = request.get("logGroupName")
    if named is not None:
        return caller.scope, named
    try:
        return parse_identifier(caller.scope, next((request[name] for name in _IDENTIFIERS if request.get(name)), ""))
    except ApiError:
        # The operation says what it thinks of it.
        return caller.scope, ""


def _on_group(action: str) -> Demands:
    return lambda caller, request: (Demand(action, log_stream_arn(*_group(caller, request), "")),)


def _on_stream(action: str) -> Demands:
    return lambda caller, request: (Demand(action, log_stream_arn(*_group(caller, request), request["logStreamName"])),)


def _on_groups(action: str) -> Demands:
    """Each of the groups that a request names, by whichever member."""

    def demands(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
        named = [{"logGroupName": request["logGroupName"]}] if request.get("logGroupName") else []
        for member in ("logGroupNames", "logGroupIdentifiers"):
            named += [{"logGroupIdentifier": each} for each in request.get(member) or ()]
        # One that names none is refused by the operation.
        return [Demand(action, log_stream_arn(*_group(caller, each), "")) for each in named or [{}]]

    return demands


def _of_all_groups(action: str) -> Demands:
    return lambda caller, _: (Demand(action, log_stream_arn(caller.scope, "", "")),)


def _on_everything(action: str) -> Demands:
    return lambda _caller, _request: (Demand(action),)


def _create_group(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    arn = log_stream_arn(caller.scope, request["logGroupName"], "")
    # Documented: CreateLogGroup, tags need leave for logs:TagResource as well.
    return [Demand("logs:CreateLogGroup", arn), *([Demand("logs:TagResource", arn)] if request.get("tags") else [])]


def _describe_metric_filters(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    return (Demand("logs:DescribeMetricFilters", log_stream_arn(caller.scope, request.get("logGroupName", ""), "")),)


DEMANDS: Mapping[str, Demands] = {
    **{operation: _on_group(f"logs:{operation}") for operation in _GROUP.split()},
    **{operation: _on_stream(f"logs:{operation}") for operation in _STREAM.split()},
    **{operation: _on_everything(f"logs:{operation}") for operation in _EVERYTHING.split()},
    **{operation: _on_groups(f"logs:{operation}") for operation in ("StartLiveTail", "StartQuery")},
    "CreateLogGroup": _create_group,
    "DescribeLogGroups": _of_all_groups("logs:DescribeLogGroups"),
    "ListLogGroups": _of_all_groups("logs:ListLogGroups"),
    "DescribeMetricFilters": _describe_metric_filters,
}
"""What each operation that is offered asks leave for."""
