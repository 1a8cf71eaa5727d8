"""ListMetrics: which metrics have had data lately. Documented: CloudWatch API reference, ListMetrics."""

from collections.abc import Mapping
from typing import Any

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.protocol.shapes.monitoring import ListMetricsInput
from lambent.services.monitoring.metrics_named import place_of, shown, token_behind
from lambent.services.monitoring.settling import Settle
from lambent.services.operation import operation
from lambent.store.metrics_contract import MetricStore

PAGE = 500
LISTED_S = 14 * 86_400
"""Documented: what has had no data for two weeks is not listed."""
_RECENT_S = 3 * 3_600


class MetricLists:
    """The metrics of an account in a region."""

    def __init__(self, store: MetricStore, settle: Settle, clock: Clock) -> None:
        self._store = store
        self._settle = settle
        self._clock = clock

    @operation("ListMetrics")
    async def list(self, caller: Caller, request: ListMetricsInput) -> Mapping[str, Any]:
        scope = caller.scope
        after = place_of(scope, request.get("NextToken"))
        owner = request.get("OwningAccount")
        if owner is not None and owner != scope.account:
            # Documented: metrics of other accounts are listed where those share them, which nobody does here.
            return {"Metrics": []}
        await self._settle()
        wanted = [(one["Name"], one.get("Value")) for one in request.get("Dimensions") or ()]
        since_s = int(self._clock.now()) - (_RECENT_S if request.get("RecentlyActive") else LISTED_S)
        found: dict[tuple[object, ...], dict[str, Any]] = {}
        while True:
            metrics = await self._store.list(
                scope,
                namespace=request.get("Namespace"),
                name=request.get("MetricName"),
                since_s=since_s,
                after=after,
                limit=PAGE,
            )
            for metric in metrics:
                key = metric[1:4]
                # Units are not told apart here; those of one metric follow each other.
                if key not in found and len(found) == PAGE:
                    assert after is not None
                    return _answer(found, token_behind(after), request, scope.account)
                after = metric
                have = dict(metric.dimensions)
                if all(name in have and value in (None, have[name]) for name, value in wanted):
                    found[key] = shown(metric)
            if len(metrics) < PAGE:
                return _answer(found, None, request, scope.account)


def _answer(
    found: Mapping[tuple[object, ...], dict[str, Any]], token: str | None, request: ListMetricsInput, account: str
) -> dict[str, Any]:
    answer: dict[str, Any] = {"Metrics": list(found.values()), "NextToken": token}
    if request.get("IncludeLinkedAccounts"):
        answer["OwningAccounts"] = [account] * len(found)
    return answer
