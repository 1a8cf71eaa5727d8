"""Alarms as they are shown."""

from pathlib import Path
from typing import Any

import pytest
from unit.services.monitoring.alarm_bench import FUNCTION, Bench, opened, story

from lambent.errors.api.monitoring import InvalidNextToken, ValidationException
from lambent.services.monitoring import alarm_listing as module


async def found(bench: Bench, **wanted: Any) -> list[str]:
    """Return the names on all pages."""
    names: list[str] = []
    while True:
        answer = await bench.call("DescribeAlarms", **wanted)
        assert answer["LogAlarms"] == []
        names += [one["AlarmName"] for one in [*answer["MetricAlarms"], *answer["CompositeAlarms"]]]
        if "NextToken" not in answer:
            return names
        wanted["NextToken"] = answer["NextToken"]


@story
async def test_pages_with_filters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is full, whatever is left out; metric alarms alone unless others are asked for."""
    monkeypatch.setattr(module, "_READ", 2)
    async with opened(tmp_path) as bench:
        for number in range(7):
            await bench.put(f"a{number}", OKActions=[FUNCTION] if number % 3 == 0 else [])
        await bench.call("PutCompositeAlarm", AlarmName="a3x", AlarmRule="TRUE")
        some = [f"a{number}" for number in range(7)]
        for size in (1, 2, 3, 7, 100):
            assert await found(bench, MaxRecords=size) == some
            assert await found(bench, MaxRecords=size, ActionPrefix=FUNCTION[:30]) == ["a0", "a3", "a6"]
        both = await found(bench, MaxRecords=2, AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        assert sorted(both) == sorted([*some, "a3x"])
        assert await found(bench, AlarmTypes=["CompositeAlarm"]) == ["a3x"]
        assert await found(bench, AlarmTypes=["LogAlarm"]) == []
        assert await found(bench, StateValue="ALARM") == []
        assert await found(bench, AlarmNames=["a6", "a3x", "a1"], MaxRecords=1) == ["a1", "a6"]
        assert await found(bench, ActionPrefix="arn:aws:sns") == []


@story
async def test_what_goes_by_what(tmp_path: Path) -> None:
    """Thin items, and no other filter with them."""
    async with opened(tmp_path) as bench:
        for name in ("a", "b"):
            await bench.put(name)
        await bench.call("PutCompositeAlarm", AlarmName="x", AlarmRule="ALARM(b) AND ALARM(a)")
        answer = await bench.call("DescribeAlarms", ChildrenOfAlarmName="x")
        assert answer["MetricAlarms"][0].keys() == {"AlarmName", "AlarmArn", "StateValue"}
        assert await found(bench, ChildrenOfAlarmName="x", MaxRecords=1) == ["a", "b"]
        assert await found(bench, ParentsOfAlarmName="a") == ["x"]
        assert await found(bench, ParentsOfAlarmName="x") == []
        for wrong in ({"ParentsOfAlarmName": "a"}, {"AlarmNamePrefix": "a"}, {"StateValue": "OK"}):
            with pytest.raises(ValidationException):
                await bench.call("DescribeAlarms", ChildrenOfAlarmName="x", **wrong)
        with pytest.raises(ValidationException):
            await bench.call("DescribeAlarms", AlarmNames=["a"], AlarmNamePrefix="a")


@pytest.mark.parametrize("token", ["", "?", "=", "/w==", "YQ", "A" * 400])
@story
async def test_tokens_that_are_none(tmp_path: Path, token: str) -> None:
    """Are refused."""
    async with opened(tmp_path) as bench:
        with pytest.raises(InvalidNextToken):
            await bench.call("DescribeAlarms", NextToken=token)


@story
async def test_alarms_on_a_metric(tmp_path: Path) -> None:
    """Exactly what is named: no other dimensions, none that compute, no composite ones."""
    north = [{"Name": "Region", "Value": "north"}, {"Name": "A", "Value": "b"}]
    async with opened(tmp_path) as bench:
        await bench.put("plain")
        await bench.put("north", Dimensions=north)
        await bench.put("bytes", Unit="Bytes", Period=300)
        await bench.put("p", Statistic=None, ExtendedStatistic="p99")

        async def on(**wanted: Any) -> list[str]:
            answer = await bench.call("DescribeAlarmsForMetric", Namespace="Shop", MetricName="Latency", **wanted)
            return [one["AlarmName"] for one in answer["MetricAlarms"]]

        assert await on() == ["bytes", "p", "plain"]
        assert await on(Dimensions=north[::-1]) == ["north"]
        assert await on(Dimensions=north[:1]) == []
        assert await on(Statistic="Maximum") == ["bytes", "plain"]
        assert await on(ExtendedStatistic="p99") == ["p"]
        assert await on(Unit="Bytes") == await on(Period=300) == ["bytes"]
