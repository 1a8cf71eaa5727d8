"""Alarms as they are shown: DescribeAlarms and DescribeAlarmsForMetric."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lambent.domain.alarm import COMPOSITE_ALARM, METRIC_ALARM, Alarm, AlarmQuery, Combination, Watch, WatchedMetric
from lambent.domain.caller import Caller
from lambent.errors.api.monitoring import InvalidNextToken, ValidationException
from lambent.protocol.shapes.monitoring import DescribeAlarmsForMetricInput, DescribeAlarmsInput
from lambent.services.monitoring.alarm_configuration import ACTIONS
from lambent.services.operation import operation
from lambent.store.alarms_contract import AlarmRows, AlarmStore

_PAGE = 50
"""Assumed: the default of MaxRecords, which is not published (test_alarm_listing)."""

_READ = 200
"""Alarms that are read at once while a page is filled."""

_ALONE = ("AlarmNames", "AlarmNamePrefix", "AlarmTypes", "StateValue", "ActionPrefix")
"""Documented: CloudWatch API reference, DescribeAlarms: not with ChildrenOfAlarmName or ParentsOfAlarmName."""


class AlarmListing:
    """Which alarms there are, in which state."""

    def __init__(self, store: AlarmStore) -> None:
        self._store = store

    @operation("DescribeAlarms")
    async def describe(self, caller: Caller, request: DescribeAlarmsInput) -> Mapping[str, Any]:
        limit = request.get("MaxRecords") or _PAGE
        after = parse_token(request.get("NextToken"))
        async with self._store.snapshot(caller.scope) as rows:
            if "ChildrenOfAlarmName" in request or "ParentsOfAlarmName" in request:
                found = await _related(rows, request)
                found = [alarm for alarm in found if alarm.name > after][: limit + 1]
                shown = [_thin(alarm) for alarm in found[:limit]]
            else:
                found = await _wanted(rows, request, after, limit + 1)
                shown = [shown_alarm(alarm) for alarm in found[:limit]]
        answer: dict[str, Any] = {
            "MetricAlarms": [one for one, of in zip(shown, found, strict=False) if of.type == METRIC_ALARM],
            "CompositeAlarms": [one for one, of in zip(shown, found, strict=False) if of.type == COMPOSITE_ALARM],
            # Observed: recordings of the service since October 2025.
            "LogAlarms": [],
        }
        if len(found) > limit:
            answer["NextToken"] = token_behind(found[limit - 1].name)
        return answer

    @operation("DescribeAlarmsForMetric")
    async def of_metric(self, caller: Caller, request: DescribeAlarmsForMetricInput) -> Mapping[str, Any]:
        async with self._store.snapshot(caller.scope) as rows:
            found = await rows.of_metric(request["Namespace"], request["MetricName"])
        return {"MetricAlarms": [shown_alarm(alarm) for alarm in found if _is_on(alarm, request)]}


async def _wanted(rows: AlarmRows, request: DescribeAlarmsInput, after: str, limit: int) -> list[Alarm]:
    """Return the alarms that a request is about, by name, those behind `after`."""
    # Documented: metric alarms alone where no type is named.
    types = request.get("AlarmTypes") or [METRIC_ALARM]
    state, prefix = request.get("StateValue"), request.get("ActionPrefix")

    def is_wanted(alarm: Alarm) -> bool:
        return (
            alarm.type in types
            and (state is None or alarm.status.value == state)
            and (
                prefix is None
                or any(action.startswith(prefix) for actions in alarm.actions.values() for action in actions)
            )
        )

    names = request.get("AlarmNames")
    if names:
        if "AlarmNamePrefix" in request:
            raise ValidationException("The parameters AlarmNames and AlarmNamePrefix are mutually exclusive.")
        named = [await rows.get(name) for name in sorted(set(names)) if name > after]
        return [alarm for alarm in named if alarm is not None and is_wanted(alarm)][:limit]
    found: list[Alarm] = []
    while some := await rows.list(prefix=request.get("AlarmNamePrefix", ""), after=after, limit=_READ):
        found.extend(filter(is_wanted, some))
        after = some[-1].name
        if len(found) >= limit or len(some) < _READ:
            break
    return found[:limit]


async def _related(rows: AlarmRows, request: DescribeAlarmsInput) -> Sequence[Alarm]:
    """Return what a composite alarm goes by, or what goes by an alarm."""
    children_of, parents_of = request.get("ChildrenOfAlarmName"), request.get("ParentsOfAlarmName")
    if children_of is not None and parents_of is not None:
        raise ValidationException("ChildrenOfAlarmName and ParentsOfAlarmName are mutually exclusive.")
    if others := [member for member in _ALONE if member in request]:
        raise ValidationException(f"{others[0]} cannot be combined with ChildrenOfAlarmName or ParentsOfAlarmName.")
    if parents_of is not None:
        return await rows.parents(parents_of)
    assert children_of is not None
    found = [await rows.get(name) for name in await rows.children(children_of)]
    return [alarm for alarm in found if alarm is not None]


def _is_on(alarm: Alarm, request: DescribeAlarmsForMetricInput) -> bool:
    """Say whether an alarm is on exactly what a request names. Documented: CloudWatch API reference."""
    assert isinstance(alarm.watches, Watch)
    metric = alarm.watches.metric
    assert metric is not None
    statistic = request.get("Statistic") or request.get("ExtendedStatistic")
    wanted = sorted((one["Name"], one["Value"]) for one in request.get("Dimensions") or ())
    return (
        sorted(metric.dimensions) == wanted
        and statistic in (None, metric.statistic)
        and request.get("Period") in (None, metric.period_s)
        and request.get("Unit") in (None, metric.unit)
    )


def shown_alarm(alarm: Alarm) -> dict[str, Any]:
    """Return an alarm as answers have it. Observed: recordings of the service. What is None is left out."""
    status, watches = alarm.status, alarm.watches
    shown: dict[str, Any] = {
        **_thin(alarm),
        "AlarmDescription": alarm.description,
        "AlarmConfigurationUpdatedTimestamp": _time(alarm.configured_at),
        "ActionsEnabled": alarm.actions_enabled,
        **{member: list(alarm.actions.get(state, ())) for state, member in ACTIONS.items()},
        "StateReason": status.reason,
        "StateReasonData": status.reason_data,
        "StateUpdatedTimestamp": _time(status.updated_at),
        "StateTransitionedTimestamp": _time(status.transitioned_at),
    }
    if isinstance(watches, Combination):
        return shown | {"AlarmRule": watches.rule}
    shown |= {
        "EvaluationPeriods": watches.evaluation_periods,
        "DatapointsToAlarm": watches.datapoints_to_alarm,
        "Threshold": watches.threshold,
        "ComparisonOperator": watches.comparison.value,
        "TreatMissingData": None if watches.treat_missing is None else watches.treat_missing.value,
        "EvaluateLowSampleCountPercentile": watches.low_samples,
    }
    if watches.metric is None:
        return shown | {"Metrics": [_query(query) for query in watches.queries]}
    statistic = "ExtendedStatistic" if watches.is_extended else "Statistic"
    return shown | {
        **_metric(watches.metric),
        "Period": watches.metric.period_s,
        statistic: watches.metric.statistic,
        "Unit": watches.metric.unit,
    }


def _thin(alarm: Alarm) -> dict[str, Any]:
    """Return what lists of related alarms have of each."""
    return {"AlarmName": alarm.name, "AlarmArn": alarm.arn, "StateValue": alarm.status.value}


def _query(query: AlarmQuery) -> Mapping[str, Any]:
    metric = query.metric
    stat = None
    if metric is not None:
        stat = {
            "Metric": _metric(metric),
            "Period": metric.period_s,
            "Stat": metric.statistic,
            "Unit": metric.unit,
        }
    return {
        "Id": query.id,
        "MetricStat": stat,
        "Expression": query.expression,
        "Label": query.label,
        "ReturnData": query.is_returned is not False,
        "Period": query.period_s,
        "AccountId": query.account,
    }


def _metric(metric: WatchedMetric) -> dict[str, Any]:
    return {
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
    }


def _time(at: float) -> datetime:
    # As AWS has them: whole milliseconds.
    return datetime.fromtimestamp(round(at * 1000) / 1000, UTC)


def token_behind(name: str) -> str:
    """Return the token that goes on behind a name."""
    return base64.urlsafe_b64encode(name.encode()).decode()


def parse_token(token: str | None) -> str:
    """
    Return the name that a listing goes on behind; empty for the first page.

    Raises:
        InvalidNextToken: it is no token.
    """
    if token is None:
        return ""
    try:
        name = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        raise InvalidNextToken("The value for parameter NextToken is invalid.") from None
    if not name or len(name) > 255:
        raise InvalidNextToken("The value for parameter NextToken is invalid.")
    return name
