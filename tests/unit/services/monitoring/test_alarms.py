"""Alarms: put, deleted, set into a state, and whether they act."""

from pathlib import Path
from typing import Any

import pytest
from unit.services.monitoring.alarm_bench import BEGIN, SCOPE, Bench, opened, story

from lambent.domain.alarm_rule import PARENTS_MAX
from lambent.domain.caller import Scope
from lambent.errors.api.monitoring import (
    InvalidFormatFault,
    LimitExceededFault,
    ResourceConflict,
    ResourceNotFound,
    ValidationException,
)
from lambent.services.monitoring import alarms as module

TOPIC = "arn:aws:sns:eu-west-1:111122223333:topic"


async def combine(bench: Bench, name: str, rule: str, **more: Any) -> None:
    await bench.call("PutCompositeAlarm", AlarmName=name, AlarmRule=rule, **more)


async def names(bench: Bench) -> list[str]:
    answer = await bench.call("DescribeAlarms", AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    return [one["AlarmName"] for one in [*answer["MetricAlarms"], *answer["CompositeAlarms"]]]


@story
async def test_an_update_replaces_settings_and_leaves_the_state(tmp_path: Path) -> None:
    """And the tags; the history tells of it."""
    async with opened(tmp_path) as bench:
        await bench.put(AlarmDescription="one", Unit="Seconds", Tags=[{"Key": "a", "Value": "1"}])
        await bench.call("SetAlarmState", AlarmName="slow", StateValue="ALARM", StateReason="to see")
        bench.clock.advance(10)
        await bench.put(Threshold=5.0, Tags=[{"Key": "b", "Value": "1"}])
        found = await bench.shown()
        assert (found["StateValue"], found["StateReason"], found["Threshold"]) == ("ALARM", "to see", 5.0)
        assert (found["AlarmDescription"], found["Unit"]) == (None, None)
        assert found["AlarmConfigurationUpdatedTimestamp"].timestamp() == BEGIN + 10
        assert found["StateUpdatedTimestamp"].timestamp() == BEGIN
        tags = await bench.call("ListTagsForResource", ResourceARN=found["AlarmArn"])
        assert tags["Tags"] == [{"Key": "a", "Value": "1"}]
        assert (await bench.history())[-1] == 'Alarm "slow" updated'


@story
async def test_names_are_shared(tmp_path: Path) -> None:
    """By metric and composite alarms; other regions have their own."""
    async with opened(tmp_path) as bench:
        await bench.put("a")
        await combine(bench, "b", "TRUE")
        with pytest.raises(ValidationException, match="a exists already, and is a MetricAlarm"):
            await combine(bench, "a", "TRUE")
        with pytest.raises(ValidationException, match="b exists already, and is a CompositeAlarm"):
            await bench.put("b")
        there = Scope(SCOPE.account, "us-east-1")
        await bench.call("PutCompositeAlarm", scope=there, AlarmName="a", AlarmRule="FALSE")
        assert await names(bench) == ["a", "b"]


@story
async def test_so_many_alarms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an account and region, and in all; those that are there may be put again."""
    monkeypatch.setattr(module, "ALARMS_MAX", 2)
    monkeypatch.setattr(module, "TOTAL_MAX", 3)
    there = Scope(SCOPE.account, "us-east-1")
    async with opened(tmp_path) as bench:
        await bench.put("a")
        await combine(bench, "b", "TRUE")
        for put in (bench.put("c"), combine(bench, "c", "TRUE")):
            with pytest.raises(LimitExceededFault):
                await put
        await bench.put("a")
        await bench.call("PutCompositeAlarm", scope=there, AlarmName="a", AlarmRule="TRUE")
        with pytest.raises(LimitExceededFault):
            await bench.call("PutCompositeAlarm", scope=there, AlarmName="b", AlarmRule="TRUE")


@story
async def test_rules_are_checked(tmp_path: Path) -> None:
    """They can be read, name alarms that are there, and these are not named too often."""
    async with opened(tmp_path) as bench:
        await bench.put("a")
        with pytest.raises(ValidationException, match="Could not parse AlarmRule: it ends too early"):
            await combine(bench, "x", "ALARM(a) AND")
        with pytest.raises(ValidationException, match=r"as alarms \[b, x\] in the alarm rule do not exist"):
            await combine(bench, "x", "ALARM(a) AND ALARM(b) AND ALARM(x)")
        for number in range(PARENTS_MAX):
            await combine(bench, f"p{number}", "ALARM(a)")
        await combine(bench, "p0", "OK(a)")
        with pytest.raises(LimitExceededFault, match="150 composite alarms go by a already"):
            await combine(bench, "x", "ALARM(a)")


@story
async def test_deleting(tmp_path: Path) -> None:
    """Those that are there; none that another goes by; one composite alarm at a time."""
    async with opened(tmp_path) as bench:
        for name in ("a", "b", "c"):
            await bench.put(name)
        await combine(bench, "x", "ALARM(a)")
        await combine(bench, "y", "ALARM(x)")
        with pytest.raises(ResourceNotFound) as unknown:
            await bench.call("DeleteAlarms", AlarmNames=["nobody"])
        assert unknown.value.message == ""
        await bench.call("DeleteAlarms", AlarmNames=[])
        await bench.call("DeleteAlarms", AlarmNames=["nobody", "b", "b"])
        with pytest.raises(ResourceConflict, match="the composite alarm x goes by it"):
            await bench.call("DeleteAlarms", AlarmNames=["c", "a"])
        with pytest.raises(ResourceConflict, match="the composite alarm y goes by it"):
            await bench.call("DeleteAlarms", AlarmNames=["x"])
        with pytest.raises(ValidationException, match="At most one composite alarm"):
            await bench.call("DeleteAlarms", AlarmNames=["x", "y"])
        assert await names(bench) == ["a", "c", "x", "y"]
        await bench.call("DeleteAlarms", AlarmNames=["y"])
        await bench.call("DeleteAlarms", AlarmNames=["x", "a"])
        assert await names(bench) == ["c"]
        assert (await bench.history("a"))[-1] == 'Alarm "a" deleted'


@story
async def test_members_of_a_circle_cannot_be_deleted(tmp_path: Path) -> None:
    """Until it is broken."""
    async with opened(tmp_path) as bench:
        await combine(bench, "a", "TRUE")
        await combine(bench, "b", "ALARM(a)")
        await combine(bench, "a", "ALARM(b)")
        await combine(bench, "own", "TRUE")
        await combine(bench, "own", "NOT ALARM(own)")
        for name in ("a", "b", "own"):
            with pytest.raises(ResourceConflict):
                await bench.call("DeleteAlarms", AlarmNames=[name])
        await combine(bench, "a", "FALSE")
        await bench.call("DeleteAlarms", AlarmNames=["b"])
        await bench.call("DeleteAlarms", AlarmNames=["a"])


@story
async def test_setting_a_state(tmp_path: Path) -> None:
    """Its reason's data is JSON; a state that is set again has a new reason and no new history."""
    async with opened(tmp_path) as bench:
        await bench.put()
        for bad in ("{", "", "[" * 3_000, "\ud800"):
            with pytest.raises(InvalidFormatFault) as refused:
                await bench.call(
                    "SetAlarmState", AlarmName="slow", StateValue="OK", StateReason="x", StateReasonData=bad
                )
            assert refused.value.message == "Unknown"
        with pytest.raises(ResourceNotFound):
            await bench.call("SetAlarmState", AlarmName="nobody", StateValue="OK", StateReason="x")
        for reason in ("one", "two"):
            await bench.call(
                "SetAlarmState", AlarmName="slow", StateValue="OK", StateReason=reason, StateReasonData='{"a": 1}'
            )
            bench.clock.advance(1)
        found = await bench.shown()
        assert (found["StateReason"], found["StateReasonData"]) == ("two", '{"a": 1}')
        assert found["StateUpdatedTimestamp"].timestamp() == BEGIN + 1
        assert found["StateTransitionedTimestamp"].timestamp() == BEGIN
        assert len(await bench.history(HistoryItemType="StateUpdate")) == 1
        # The next look finds its real state.
        await bench.look()
        assert await bench.state() == "INSUFFICIENT_DATA"


@story
async def test_actions_that_nothing_does_are_stored_where_that_is_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning, and a line of the history when one was due."""
    async with opened(tmp_path, accept_inert=True) as bench:
        await bench.put(AlarmActions=[TOPIC])
        assert f"setting.inert alarm=slow members={TOPIC}" in caplog.text
        assert (await bench.shown())["AlarmActions"] == [TOPIC]
        await bench.call("SetAlarmState", AlarmName="slow", StateValue="ALARM", StateReason="to see")
        await bench.act()
        (told,) = await bench.history(HistoryItemType="Action")
        assert told == (
            f'Failed to execute action {TOPIC}. Received error: "nothing is done there by this version of Lambent"'
        )
