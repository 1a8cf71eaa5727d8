"""What each operation of X-Ray asks leave for. Documented: service authorization reference, AWS X-Ray."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.access.authorize import Demand
from lambent.domain.arn import sampling_rule_arn, trace_group_arn
from lambent.domain.caller import Caller
from lambent.services.operation import Demands

_ANYWHERE = (
    "BatchGetTraces GetEncryptionConfig GetGroups GetInsightSummaries GetSamplingRules GetSamplingStatisticSummaries "
    "GetSamplingTargets GetServiceGraph GetTimeSeriesServiceStatistics GetTraceGraph GetTraceSegmentDestination "
    "GetTraceSummaries PutEncryptionConfig PutTelemetryRecords PutTraceSegments"
)


def _anywhere(operation: str) -> Demands:
    return lambda _caller, _request: (Demand(f"xray:{operation}"),)


def _on_group(operation: str) -> Demands:
    def demand(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
        # What an ARN ends with is not known from a name: a policy that names it ends with a star.
        arn = trace_group_arn(caller.scope, request.get("GroupName", ""), "*")
        return (Demand(f"xray:{operation}", request.get("GroupARN", arn), account=caller.scope.account),)

    return demand


def _on_rule(operation: str, member: str | None) -> Demands:
    def demand(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
        named = request if member is None else request[member]
        arn = sampling_rule_arn(caller.scope, named.get("RuleName", ""))
        return (Demand(f"xray:{operation}", named.get("RuleARN", arn), account=caller.scope.account),)

    return demand


def _on_resource(operation: str) -> Demands:
    return lambda caller, request: (Demand(f"xray:{operation}", request["ResourceARN"], account=caller.scope.account),)


DEMANDS: Mapping[str, Demands] = {
    **{operation: _anywhere(operation) for operation in _ANYWHERE.split()},
    **{operation: _on_group(operation) for operation in ("CreateGroup", "DeleteGroup", "GetGroup", "UpdateGroup")},
    "CreateSamplingRule": _on_rule("CreateSamplingRule", "SamplingRule"),
    "DeleteSamplingRule": _on_rule("DeleteSamplingRule", None),
    "UpdateSamplingRule": _on_rule("UpdateSamplingRule", "SamplingRuleUpdate"),
    **{name: _on_resource(name) for name in ("ListTagsForResource", "TagResource", "UntagResource")},
}
"""What each operation that is offered asks leave for."""
