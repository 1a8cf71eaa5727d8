"""DescribeAlarmHistory: what became of alarms, those included that are gone."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lambent.domain.alarm import COMPOSITE_ALARM, METRIC_ALARM, HistoryItem, HistoryKind
from lambent.domain.caller import Caller
from lambent.errors.api.monitoring import InvalidNextToken
from lambent.protocol.shapes.monitoring import DescribeAlarmHistoryInput
from lambent.services.operation import operation
from lambent.store.alarms_contract import AlarmStore, HistoryPlace

_PAGE = 100
"""Documented: DescribeAlarmHistory: the most. Assumed: the default, too (test_alarm_history)."""

_TOKEN = re.compile(r"(\d{1,15})-(\d{1,15})")

_KINDS = {kind.value: kind for kind in HistoryKind}


class AlarmHistory:
    """The histories of alarms."""

    def __init__(self, store: AlarmStore) -> None:
        self._store = store

    @operation("DescribeAlarmHistory")
    async def describe(self, caller: Caller, request: DescribeAlarmHistoryInput) -> Mapping[str, Any]:
        limit = request.get("MaxRecords") or _PAGE
        kind = request.get("HistoryItemType")
        place = _place(request.get("NextToken"))
        if "AlarmContributorId" in request or (kind is not None and kind not in _KINDS):
            # Alarms over several series, which have contributors, cannot be made here.
            return {"AlarmHistoryItems": []}
        async with self._store.snapshot(caller.scope) as rows:
            found = await rows.history(
                name=request.get("AlarmName"),
                kind=None if kind is None else _KINDS[kind],
                # Assumed: all types where none is named (test_alarm_history).
                types=request.get("AlarmTypes") or [METRIC_ALARM, COMPOSITE_ALARM],
                from_s=_seconds(request.get("StartDate")),
                until_s=_seconds(request.get("EndDate")),
                after=place,
                newest_first=request.get("ScanBy", "TimestampDescending") == "TimestampDescending",
                limit=limit + 1,
            )
        answer: dict[str, Any] = {"AlarmHistoryItems": [_shown(item) for _, item in found[:limit]]}
        if len(found) > limit:
            last = found[limit - 1][0]
            answer["NextToken"] = f"{last.at_ms}-{last.number}"
        return answer


def _shown(item: HistoryItem) -> Mapping[str, Any]:
    return {
        "AlarmName": item.alarm,
        "AlarmType": item.alarm_type,
        "Timestamp": datetime.fromtimestamp(round(item.at * 1000) / 1000, UTC),
        "HistoryItemType": item.kind.value,
        "HistorySummary": item.summary,
        "HistoryData": item.data,
    }


def _place(token: str | None) -> HistoryPlace | None:
    if token is None:
        return None
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise InvalidNextToken("The value for parameter NextToken is invalid.")
    return HistoryPlace(int(match[1]), int(match[2]))


def _seconds(moment: datetime | None) -> float | None:
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
