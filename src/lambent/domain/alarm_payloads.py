"""What alarms send, and what they leave in their history: JSON, as AWS words it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lambent.domain.alarm import Alarm, AlarmQuery, AlarmStatus, Combination, HistoryItem, HistoryKind, WatchedMetric
from lambent.domain.alarm_evaluation import stamp
from lambent.domain.caller import Scope

SUMMARY_MAX = 255
DATA_MAX = 4_095
"""Characters of an item's summary and data. Documented: CloudWatch API reference, AlarmHistoryItem."""


def function_payload(alarm: Alarm, before: AlarmStatus, identifier: str) -> bytes:
    """
    Return what a function gets as its event.

    Args:
        alarm: with the state that it has come into.
        before: the state that it was in.
        identifier: of the one metric, for an alarm that computes nothing: a UUID.

    Observed: recordings of the service.
    """
    payload = {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.arn,
        "accountId": alarm.scope.account,
        "time": stamp(alarm.status.updated_at),
        "region": alarm.scope.region,
        "alarmData": {
            "alarmName": alarm.name,
            "state": _state(alarm.status),
            "previousState": _state(before),
            "configuration": _configuration(alarm, identifier),
        },
    }
    return json.dumps(payload, separators=(",", ":")).encode()


def state_item(alarm: Alarm, before: AlarmStatus) -> HistoryItem:
    """Return what tells of a state that is another one. Observed: recordings of the service."""
    summary = f"Alarm updated from {before.value} to {alarm.status.value}"
    old, new = _told(before), _told(alarm.status)
    data = {"version": "1.0", "oldState": old, "newState": new}
    # Both reasons with their data may be longer than an item is: the older one's goes first.
    for state in (old, new):
        if len(_dump(data)) > DATA_MAX:
            state.pop("stateReasonData", None)
    if len(_dump(data)) > DATA_MAX:
        # Reasons of a thousand characters become longer where each is escaped.
        old["stateReason"], new["stateReason"] = (state["stateReason"][:255] for state in (old, new))
    return _item(alarm, alarm.status.updated_at, HistoryKind.STATE, summary, _dump(data))


def created_item(alarm: Alarm) -> HistoryItem:
    """Return what tells of an alarm that is new. Observed: field reports of the summary. Assumed: the data."""
    data = {"version": "1.0", "type": "Create", "createdAlarm": _told_configuration(alarm)}
    return _item(alarm, alarm.configured_at, HistoryKind.CONFIGURATION, f'Alarm "{alarm.name}" created', _dump(data))


def updated_item(alarm: Alarm) -> HistoryItem:
    """Return what tells of an alarm that is configured anew."""
    data = {"version": "1.0", "type": "Update", "updatedAlarm": _told_configuration(alarm)}
    return _item(alarm, alarm.configured_at, HistoryKind.CONFIGURATION, f'Alarm "{alarm.name}" updated', _dump(data))


def deleted_item(alarm: Alarm, now: float) -> HistoryItem:
    """Return what tells of an alarm that is gone."""
    data = {"version": "1.0", "type": "Delete", "deletedAlarm": _told_configuration(alarm)}
    return _item(alarm, now, HistoryKind.CONFIGURATION, f'Alarm "{alarm.name}" deleted', _dump(data))


def action_item(
    scope: Scope, alarm: str, alarm_type: str, action: str, now: float, state_at: float, failure: str | None
) -> HistoryItem:
    """
    Return what tells how an action went. Observed: field reports of the summary. Assumed: the data.

    Args:
        alarm: its name: it may be gone.
        state_at: when the state came about that it belongs to.
        failure: why it was not done; None: it was.
    """
    summary = f"Successfully executed action {action}"
    data: dict[str, Any] = {
        "actionState": "Succeeded",
        "notificationResource": action,
        "stateUpdateTimestamp": round(state_at * 1000),
    }
    if failure is not None:
        summary = f'Failed to execute action {action}. Received error: "{failure}"'
        data |= {"actionState": "Failed", "error": failure[:255]}
    return HistoryItem(scope, alarm, alarm_type, now, HistoryKind.ACTION, summary[:SUMMARY_MAX], _dump(data))


def composite_reason(child: Alarm) -> tuple[str, str]:
    """
    Return the reason, and its data, of a composite alarm whose state follows from one of its alarms.

    Observed: recordings of the service of the data, and field reports of the text.
    """
    state = child.status
    moment = datetime.fromtimestamp(state.updated_at, UTC)
    reason = f"{child.arn} transitioned to {state.value} at {moment:%A %d %B, %Y %H:%M:%S} UTC"
    triggering = {"arn": child.arn, "state": {"value": state.value, "timestamp": stamp(state.updated_at)}}
    return reason, _dump({"triggeringAlarms": [triggering]})


def _item(alarm: Alarm, at: float, kind: HistoryKind, summary: str, data: str) -> HistoryItem:
    return HistoryItem(alarm.scope, alarm.name, alarm.type, at, kind, summary[:SUMMARY_MAX], data)


def _state(status: AlarmStatus) -> dict[str, str]:
    state = {"value": status.value, "reason": status.reason, "timestamp": stamp(status.updated_at)}
    if status.reason_data is not None:
        state["reasonData"] = status.reason_data
    return state


def _told(status: AlarmStatus) -> dict[str, Any]:
    told: dict[str, Any] = {"stateValue": status.value, "stateReason": status.reason}
    if status.reason_data is not None:
        told["stateReasonData"] = json.loads(status.reason_data)
    return told


def _told_configuration(alarm: Alarm) -> dict[str, Any]:
    told: dict[str, Any] = {
        "alarmName": alarm.name,
        "alarmArn": alarm.arn,
        "stateValue": alarm.status.value,
        "actionsEnabled": alarm.actions_enabled,
    }
    return told


def _configuration(alarm: Alarm, identifier: str) -> dict[str, Any]:
    configuration: dict[str, Any] = {}
    if alarm.description is not None:
        configuration["description"] = alarm.description
    watches = alarm.watches
    if isinstance(watches, Combination):
        return configuration | {"alarmRule": watches.rule}
    queries = watches.queries or (AlarmQuery(identifier, watches.metric),)
    return configuration | {"metrics": [_query(query) for query in queries]}


def _query(query: AlarmQuery) -> Mapping[str, Any]:
    shown: dict[str, Any] = {"id": query.id}
    if query.metric is not None:
        shown["metricStat"] = _metric_stat(query.metric)
    if query.expression is not None:
        shown["expression"] = query.expression
    if query.label is not None:
        shown["label"] = query.label
    if query.period_s is not None:
        shown["period"] = query.period_s
    return shown | {"returnData": query.is_returned is not False}


def _metric_stat(metric: WatchedMetric) -> Mapping[str, Any]:
    shown: dict[str, Any] = {
        "metric": {"namespace": metric.namespace, "name": metric.name, "dimensions": dict(metric.dimensions)},
        "period": metric.period_s,
        "stat": metric.statistic,
    }
    if metric.unit is not None:
        shown["unit"] = metric.unit
    return shown


def _dump(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
