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

_GROUP = "DeleteLogGroup DescribeLogStreams FilterLogEvents PutRetentionPolicy"


def _group(caller: Caller, request: Mapping[str, Any]) -> tuple[Scope, str]:
    """Return the group that a request names, in the scope that it names; the operation refuses that of another one."""
    named = request.get("logGroupName")
    if named is not None:
        return caller.scope, named
    try:
        return parse_identifier(caller.scope, request.get("logGroupIdentifier") or "")
    except ApiError:
        # The operation says what it thinks of it.
        return caller.scope, ""


def _on_group(action: str) -> Demands:
    return lambda caller, request: (Demand(action, log_stream_arn(*_group(caller, request), "")),)


def _on_stream(action: str) -> Demands:
    return lambda caller, request: (Demand(action, log_stream_arn(*_group(caller, request), request["logStreamName"])),)


def _describe_groups(caller: Caller, _: Mapping[str, Any]) -> Sequence[Demand]:
    return (Demand("logs:DescribeLogGroups", log_stream_arn(caller.scope, "", "")),)


DEMANDS: Mapping[str, Demands] = {
    **{operation: _on_group(f"logs:{operation}") for operation in _GROUP.split()},
    "DescribeLogGroups": _describe_groups,
    "GetLogEvents": _on_stream("logs:GetLogEvents"),
}
"""What each operation that is offered asks leave for."""
