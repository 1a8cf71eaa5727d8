"""What clients report of their sampling, and how much of it they may do from now on."""

from collections.abc import Mapping
from typing import Any

from lambent.clock import Clock
from lambent.domain.caller import Caller, Scope
from lambent.domain.xray.document import moment_of
from lambent.domain.xray.sampling import INTERVAL_S, QUOTA_S, Reports, SamplingChange, SamplingRule, with_default
from lambent.protocol.shapes.xray import GetSamplingStatisticSummariesRequest, GetSamplingTargetsRequest
from lambent.services.operation import operation
from lambent.services.xray.tokens import refuse_token
from lambent.store.traces_contract import TraceSettings

_SCOPES_MAX = 100
"""Whose reports are kept; beyond that those of the scope longest not heard of go, and it gets new quotas."""


class SamplingTargets:
    """Reports of the clients of all scopes. In memory: what a restart loses comes again within ten seconds."""

    def __init__(self, settings: TraceSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._reports: dict[Scope, Reports] = {}

    @operation("GetSamplingTargets")
    async def targets(self, caller: Caller, request: GetSamplingTargetsRequest) -> Mapping[str, Any]:
        rules = {rule.name: rule for rule in with_default(await self._settings.list(caller.scope, SamplingRule))}
        changes = await self._settings.list(caller.scope, SamplingChange)
        reports = self._of(caller.scope)
        reports.forget(rules)
        now = self._clock.now()
        targets, unprocessed = [], []
        for document in request["SamplingStatisticsDocuments"]:
            rule = rules.get(document["RuleName"])
            if rule is None:
                # Assumed: the code and the text (test_xray).
                unprocessed.append(_unprocessed(document["RuleName"]))
                continue
            client = document["ClientID"]
            counts = (document["RequestCount"], document["SampledCount"], document.get("BorrowCount", 0))
            reports.note(rule, client, *counts, now)
            targets.append(
                {
                    "RuleName": rule.name,
                    "FixedRate": rule.fixed_rate,
                    "ReservoirQuota": reports.quota(rule, client, now),
                    "ReservoirQuotaTTL": moment_of(now + QUOTA_S),
                    "Interval": INTERVAL_S,
                }
            )
        boosts = request.get("SamplingBoostStatisticsDocuments") or []
        return {
            "SamplingTargetDocuments": targets,
            "LastRuleModification": moment_of(changes[0].at_s if changes else 0.0),
            "UnprocessedStatistics": unprocessed,
            "UnprocessedBoostStatistics": [
                _unprocessed(document["RuleName"]) for document in boosts if document["RuleName"] not in rules
            ],
        }

    @operation("GetSamplingStatisticSummaries")
    async def summaries(self, caller: Caller, request: GetSamplingStatisticSummariesRequest) -> Mapping[str, Any]:
        refuse_token(request)
        found = self._of(caller.scope).summaries(self._clock.now())
        return {
            "SamplingStatisticSummaries": [
                {
                    "RuleName": name,
                    "Timestamp": moment_of(one.at_s),
                    "RequestCount": one.requests,
                    "BorrowCount": one.borrowed,
                    "SampledCount": one.sampled,
                }
                for name, one in found
            ]
        }

    def _of(self, scope: Scope) -> Reports:
        reports = self._reports.pop(scope, None) or Reports()
        self._reports[scope] = reports
        while len(self._reports) > _SCOPES_MAX:
            del self._reports[next(iter(self._reports))]
        return reports


def _unprocessed(name: str) -> dict[str, str]:
    return {"RuleName": name, "ErrorCode": "InvalidRuleName", "Message": "There is no such sampling rule."}
