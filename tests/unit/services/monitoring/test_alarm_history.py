"""What became of alarms."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from unit.services.monitoring.alarm_bench import BEGIN, Bench, opened, story

from lambent.errors.api.monitoring import InvalidNextToken


async def turn(bench: Bench, *states: str, name: str = "slow") -> None:
    for state in states:
        bench.clock.advance(1)
        await bench.call("SetAlarmState", AlarmName=name, StateValue=state, StateReason="to see")


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


@story
async def test_items(tmp_path: Path) -> None:
    """Newest first unless asked otherwise, by type, time and alarm, page by page."""
    async with opened(tmp_path) as bench:
        await bench.put()
        await turn(bench, "OK", "ALARM", "OK")
        await bench.call("PutCompositeAlarm", AlarmName="x", AlarmRule="FALSE")
        answer = await bench.call("DescribeAlarmHistory", MaxRecords=2, AlarmName="slow")
        newest, second = answer["AlarmHistoryItems"]
        assert newest["Timestamp"] == moment(BEGIN + 3)
        assert newest["HistorySummary"] == second["HistorySummary"].replace("OK to ALARM", "ALARM to OK")
        answer = await bench.call("DescribeAlarmHistory", MaxRecords=2, AlarmName="slow", NextToken=answer["NextToken"])
        assert [item["HistoryItemType"] for item in answer["AlarmHistoryItems"]] == [
            "StateUpdate",
            "ConfigurationUpdate",
        ]
        assert "NextToken" not in answer
        first, *_ = (await bench.call("DescribeAlarmHistory", ScanBy="TimestampAscending"))["AlarmHistoryItems"]
        assert (first["HistorySummary"], first["AlarmType"]) == ('Alarm "slow" created', "MetricAlarm")
        assert len(await bench.history(AlarmTypes=["CompositeAlarm"])) == 2
        assert len(await bench.history(StartDate=moment(BEGIN + 2), EndDate=moment(BEGIN + 2))) == 1
        assert await bench.history(HistoryItemType="AlarmContributorAction") == []


@pytest.mark.parametrize("token", ["", "?", "1", "1-", "1-x", "9" * 20 + "-1"])
@story
async def test_tokens_that_are_none(tmp_path: Path, token: str) -> None:
    """Are refused."""
    async with opened(tmp_path) as bench:
        with pytest.raises(InvalidNextToken):
            await bench.call("DescribeAlarmHistory", NextToken=token)
