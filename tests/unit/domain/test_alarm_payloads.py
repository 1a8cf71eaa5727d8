"""What alarms send, and what they leave in their history."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from lambent.domain.alarm import (
    ALARM,
    CREATED,
    INSUFFICIENT_DATA,
    OK,
    Alarm,
    AlarmQuery,
    AlarmStatus,
    Combination,
    Comparison,
    HistoryKind,
    Watch,
    WatchedMetric,
)
from lambent.domain.alarm_payloads import (
    DATA_MAX,
    SUMMARY_MAX,
    action_item,
    composite_reason,
    created_item,
    deleted_item,
    function_payload,
    state_item,
    updated_item,
)
from lambent.domain.caller import Scope

HERE = Scope("111122223333", "eu-west-1")
AT = 1_764_036_660.0
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:mend"
METRIC = WatchedMetric("Shop", "Latency", (("Region", "north"),), 60, "Average", "Seconds")
BEFORE = AlarmStatus(INSUFFICIENT_DATA, CREATED, AT - 60, AT - 60)
ALARMED = AlarmStatus(ALARM, "too slow", AT, AT, '{"version":"1.0"}')


def alarm(watches: Watch | Combination | None = None, **changes: Any) -> Alarm:
    made = Alarm(
        HERE,
        "slow",
        watches or Watch(60, 1, 21.0, Comparison.ABOVE, METRIC),
        None,
        True,
        {ALARM: (FUNCTION,)},
        AT - 60,
        ALARMED,
    )
    return msgspec.structs.replace(made, **changes)


def payload(of: Alarm) -> Mapping[str, Any]:
    decoded: Mapping[str, Any] = json.loads(function_payload(of, BEFORE, "e8f0a1f2-0000-4000-8000-000000000000"))
    return decoded


def test_what_a_function_gets() -> None:
    """The state with the one before, and what is watched."""
    assert payload(alarm(description="mend it")) == {
        "source": "aws.cloudwatch",
        "alarmArn": "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:slow",
        "accountId": "111122223333",
        "time": "2025-11-25T02:11:00.000+0000",
        "region": "eu-west-1",
        "alarmData": {
            "alarmName": "slow",
            "state": {
                "value": "ALARM",
                "reason": "too slow",
                "reasonData": '{"version":"1.0"}',
                "timestamp": "2025-11-25T02:11:00.000+0000",
            },
            "previousState": {
                "value": "INSUFFICIENT_DATA",
                "reason": "Unchecked: Initial alarm creation",
                "timestamp": "2025-11-25T02:10:00.000+0000",
            },
            "configuration": {
                "description": "mend it",
                "metrics": [
                    {
                        "id": "e8f0a1f2-0000-4000-8000-000000000000",
                        "metricStat": {
                            "metric": {"namespace": "Shop", "name": "Latency", "dimensions": {"Region": "north"}},
                            "period": 60,
                            "stat": "Average",
                            "unit": "Seconds",
                        },
                        "returnData": True,
                    }
                ],
            },
        },
    }


def test_what_a_function_gets_of_an_alarm_that_computes() -> None:
    """Its queries, by their own ids."""
    rows = (
        AlarmQuery("e1", expression="m1 * 2", label="twice", is_returned=True),
        AlarmQuery("m1", METRIC, is_returned=False),
    )
    shown = payload(alarm(Watch(60, 1, 21.0, Comparison.ABOVE, queries=rows)))["alarmData"]["configuration"]

    assert [(row["id"], row["returnData"]) for row in shown["metrics"]] == [("e1", True), ("m1", False)]
    assert shown["metrics"][0] == {"id": "e1", "expression": "m1 * 2", "label": "twice", "returnData": True}


def test_what_a_function_gets_of_a_composite_alarm() -> None:
    """Its rule."""
    assert payload(alarm(Combination("ALARM(a)")))["alarmData"]["configuration"] == {"alarmRule": "ALARM(a)"}


def test_the_history_of_a_state() -> None:
    """From which to which, with reasons."""
    item = state_item(alarm(), BEFORE)

    assert (item.kind, item.summary, item.at) == (
        HistoryKind.STATE,
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
        AT,
    )
    assert json.loads(item.data) == {
        "version": "1.0",
        "oldState": {"stateValue": "INSUFFICIENT_DATA", "stateReason": "Unchecked: Initial alarm creation"},
        "newState": {"stateValue": "ALARM", "stateReason": "too slow", "stateReasonData": {"version": "1.0"}},
    }


@pytest.mark.parametrize("filling", ["x", "\u20ac", "\U0001f600", '"'])
def test_the_history_of_states_with_long_reasons_is_bounded(filling: str) -> None:
    """What does not fit is left out: data first, the older state's before the newer one's."""
    data = json.dumps({"a": "x" * 3_000})
    before = AlarmStatus(OK, filling * 1_023, AT, AT, data)
    item = state_item(alarm(status=AlarmStatus(ALARM, filling * 1_023, AT, AT, data)), before)

    assert len(item.data) <= DATA_MAX
    assert json.loads(item.data)["oldState"].keys() == {"stateValue", "stateReason"}


def test_the_history_of_a_configuration() -> None:
    """Made, changed, gone."""
    items = [created_item(alarm()), updated_item(alarm()), deleted_item(alarm(), AT)]

    assert [item.summary for item in items] == [
        'Alarm "slow" created',
        'Alarm "slow" updated',
        'Alarm "slow" deleted',
    ]
    assert [json.loads(item.data)["type"] for item in items] == ["Create", "Update", "Delete"]


def test_the_history_of_an_action() -> None:
    """Done, or why it was not."""
    done, failed = (
        action_item(HERE, "slow", "MetricAlarm", FUNCTION, AT + 1, AT, failure) for failure in (None, "not let in")
    )

    assert done.summary == f"Successfully executed action {FUNCTION}"
    assert failed.summary == f'Failed to execute action {FUNCTION}. Received error: "not let in"'
    assert json.loads(failed.data)["error"] == "not let in"


def test_summaries_are_bounded() -> None:
    """Names and ARNs may be longer than they are."""
    long = alarm(name="n" * 255)

    assert len(created_item(long).summary) == SUMMARY_MAX
    item = action_item(HERE, "n" * 255, "MetricAlarm", "a" * 1_024, AT, AT, "b" * 1_024)
    assert len(item.summary) == SUMMARY_MAX
    assert len(item.data) <= DATA_MAX


def test_the_reason_of_a_composite_alarm() -> None:
    """Names the alarm that brought it about."""
    reason, data = composite_reason(alarm())

    assert reason == (
        "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:slow transitioned to ALARM at Tuesday 25 November, 2025 "
        "02:11:00 UTC"
    )
    assert json.loads(data) == {
        "triggeringAlarms": [
            {
                "arn": "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:slow",
                "state": {"value": "ALARM", "timestamp": "2025-11-25T02:11:00.000+0000"},
            }
        ]
    }
