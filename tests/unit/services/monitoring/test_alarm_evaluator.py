"""Alarms are looked at as time passes, and come into the states that their metrics ask for."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from unit.services.monitoring.alarm_bench import BEGIN, FUNCTION, SCOPE, Bench, opened, story

from lambent.domain.metric import MetricPoint
from lambent.errors.families import DependencyError
from lambent.services.monitoring.alarm_evaluator import FAST_S, SLOW_S


@story
async def test_an_alarm_goes_off_and_comes_back(tmp_path: Path) -> None:
    """With reasons, times and history; nothing is written while nothing changes."""
    async with opened(tmp_path) as bench:
        await bench.put(TreatMissingData="notBreaching")
        first = await bench.shown()
        assert (first["StateValue"], first["StateReason"]) == (
            "INSUFFICIENT_DATA",
            "Unchecked: Initial alarm creation",
        )
        assert first["StateReasonData"] is None

        await bench.measure(30.0)
        await bench.look()
        alarmed = await bench.shown()
        assert alarmed["StateValue"] == "ALARM"
        assert alarmed["StateReason"] == (
            "Threshold Crossed: 1 datapoint [30.0 (25/11/25 02:10:00)] was greater than the threshold (21.0)."
        )
        assert json.loads(alarmed["StateReasonData"])["evaluatedDatapoints"] == [
            {"timestamp": "2025-11-25T02:10:00.000+0000", "sampleCount": 1.0, "value": 30.0}
        ]
        bench.clock.advance(60)
        await bench.measure(40.0)
        await bench.look()
        assert await bench.shown() == alarmed

        bench.clock.advance(60)
        await bench.measure(1.0)
        await bench.look()
        fine = await bench.shown()
        assert fine["StateValue"] == "OK"
        assert fine["StateTransitionedTimestamp"].timestamp() == BEGIN + 120
        assert await bench.history() == [
            'Alarm "slow" created',
            "Alarm updated from INSUFFICIENT_DATA to ALARM",
            "Alarm updated from ALARM to OK",
        ]


@story
async def test_only_periods_that_are_over_count(tmp_path: Path) -> None:
    """What is measured in the minute that goes on is looked at when it is over."""
    async with opened(tmp_path, now=BEGIN + 30) as bench:
        await bench.put()
        await bench.measure(30.0, at=BEGIN + 60)
        await bench.look()
        assert await bench.state() == "INSUFFICIENT_DATA"
        bench.clock.advance(30)
        await bench.look()
        assert await bench.state() == "ALARM"


@story
async def test_statistics_dimensions_and_units(tmp_path: Path) -> None:
    """An alarm is on one exact metric; with a unit that nobody measures in it has no data for ever."""
    north = {"Dimensions": [{"Name": "Region", "Value": "north"}]}
    async with opened(tmp_path) as bench:
        await bench.put("sum", Statistic="Sum", Threshold=29.0)
        await bench.put("p50", Statistic=None, ExtendedStatistic="p50", Threshold=9.0)
        await bench.put("count", Statistic="SampleCount", ComparisonOperator="LessThanThreshold", Threshold=4.0)
        await bench.put("north", **north)
        await bench.put("seconds", Unit="Seconds")
        await bench.put("none", Unit="None", Statistic="Average", Threshold=9.9)
        await bench.measure([5.0, 10.0, 15.0])
        await bench.look()
        assert {name: await bench.state(name) for name in ("sum", "p50", "count", "north", "seconds", "none")} == {
            "sum": "ALARM",
            "p50": "ALARM",
            "count": "ALARM",
            "north": "INSUFFICIENT_DATA",
            "seconds": "INSUFFICIENT_DATA",
            "none": "ALARM",
        }
        await bench.measure(30.0, dimensions=(("Region", "north"),))
        await bench.look()
        assert await bench.state("north") == "ALARM"


@story
async def test_of_several_units_the_first_one_is_watched(tmp_path: Path) -> None:
    """As GetMetricData answers it."""
    async with opened(tmp_path) as bench:
        await bench.put()
        await bench.measure(1.0, unit="Milliseconds")
        await bench.measure(50.0, unit="Seconds")
        await bench.look()
        assert await bench.state() == "OK"


@story
async def test_longer_periods_are_made_of_minutes(tmp_path: Path) -> None:
    """Five minutes, looked at each minute, over the last one that is complete."""
    async with opened(tmp_path, now=BEGIN + 180) as bench:
        await bench.put(Period=300, Statistic="Sum", Threshold=9.0)
        await bench.measure(3.0, 3.0, 3.0, 3.0, 3.0)
        await bench.look()
        assert "[3.0 (25/11/25 02:05:00)] was not greater" in (await bench.shown())["StateReason"]
        bench.clock.advance(60)
        await bench.look()
        assert "[12.0 (25/11/25 02:10:00)] was greater" in (await bench.shown())["StateReason"]


@story
async def test_alarms_of_high_resolution(tmp_path: Path) -> None:
    """Ten seconds of seconds; they are none of those that are looked at each minute."""
    async with opened(tmp_path) as bench:
        await bench.put(Period=10, EvaluationPeriods=2, DatapointsToAlarm=2)
        await bench.measure(30.0, 30.0, every_s=10)
        assert not await bench.look(is_fast=False)
        assert await bench.state() == "INSUFFICIENT_DATA"
        assert await bench.look(is_fast=True)
        assert await bench.state() == "ALARM"


@story
async def test_an_alarm_that_computes(tmp_path: Path) -> None:
    """A share of errors, with what is missing filled."""
    metrics = [
        {"Id": "share", "Expression": "100 * FILL(errors, 0) / calls", "Label": "share", "ReturnData": True},
        *(
            {
                "Id": name,
                "MetricStat": {"Metric": {"Namespace": "Shop", "MetricName": name}, "Period": 60, "Stat": "Sum"},
                "ReturnData": False,
            }
            for name in ("errors", "calls")
        ),
    ]
    none = dict.fromkeys(("MetricName", "Namespace", "Statistic", "Period"))
    async with opened(tmp_path) as bench:
        await bench.put(**none, Metrics=metrics, Threshold=9.0)
        await bench.measure(50.0, 50.0, 50.0, name="calls")
        await bench.look()
        assert await bench.state() == "OK"
        await bench.measure(5.0, name="errors")
        await bench.look()
        assert await bench.state() == "ALARM"
        assert "[10.0 (25/11/25 02:10:00)]" in (await bench.shown())["StateReason"]
        assert [row["Id"] for row in (await bench.shown())["Metrics"]] == ["share", "errors", "calls"]


@story
async def test_an_expression_that_cannot_be_computed(tmp_path: Path) -> None:
    """Leaves the alarm without data, and says why."""
    none = dict.fromkeys(("MetricName", "Namespace", "Statistic", "Period"))
    stat = {"Metric": {"Namespace": "Shop", "MetricName": "Latency"}, "Period": 60, "Stat": "Sum"}
    rows = [{"Id": "e", "Expression": "METRICS()"}, *({"Id": i, "MetricStat": stat, "ReturnData": False} for i in "mn")]
    async with opened(tmp_path) as bench:
        await bench.put(**none, Metrics=rows, TreatMissingData="notBreaching")
        await bench.call("SetAlarmState", AlarmName="slow", StateValue="OK", StateReason="to see")
        await bench.look()
        found = await bench.shown()
        assert (found["StateValue"], found["StateReasonData"]) == ("INSUFFICIENT_DATA", None)
        assert found["StateReason"] == "Insufficient Data: the expression cannot be computed: it gives 2 series"


@story
async def test_percentiles_of_few_values(tmp_path: Path) -> None:
    """Are evaluated, or leave the alarm as it is where that is asked for."""
    p99: dict[str, Any] = {"Statistic": None, "ExtendedStatistic": "p99"}
    async with opened(tmp_path) as bench:
        await bench.put("evaluates", **p99)
        await bench.put("ignores", **p99, EvaluateLowSampleCountPercentile="ignore")
        await bench.measure([30.0] * 999)
        await bench.look()
        assert [await bench.state(name) for name in ("evaluates", "ignores")] == ["ALARM", "INSUFFICIENT_DATA"]
        await bench.measure([30.0] * 2)
        await bench.look()
        assert await bench.state("ignores") == "ALARM"


@story
async def test_what_is_configured_while_it_is_looked_at_is_looked_at_again(tmp_path: Path) -> None:
    """A verdict on what an alarm was is none on what it is."""
    async with opened(tmp_path) as bench:
        await bench.put()
        await bench.measure(30.0)
        read = bench.metrics.read

        async def slow(*arguments: Any, **named: Any) -> Any:
            points = await read(*arguments, **named)
            await bench.put(Threshold=99.0)
            return points

        bench.metrics.read = slow  # type: ignore[method-assign]
        await bench.look()
        assert await bench.state() == "INSUFFICIENT_DATA"
        bench.metrics.read = read  # type: ignore[method-assign]
        await bench.look()
        assert await bench.state() == "OK"


@story
async def test_an_alarm_that_cannot_be_read_keeps_no_other_from_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It keeps its state, and is logged."""
    async with opened(tmp_path) as bench:
        for number in range(5):
            await bench.put(f"a{number}", MetricName=f"m{number}")
            await bench.measure(30.0, name=f"m{number}")
        read = bench.metrics.read

        async def failing(scope: Any, namespace: str, name: str, *rest: Any, **named: Any) -> list[MetricPoint]:
            if name == "m1":
                raise DependencyError("the disk is ill", retryable=True)
            if name == "m2":
                raise ValueError("a defect")
            return list(await read(scope, namespace, name, *rest, **named))

        bench.metrics.read = failing  # type: ignore[method-assign]
        await bench.look()
        states = [await bench.state(f"a{number}") for number in range(5)]
    assert states == ["ALARM", "INSUFFICIENT_DATA", "INSUFFICIENT_DATA", "ALARM", "ALARM"]
    assert sorted(record.getMessage().split(" reason=")[-1] for record in caplog.records) == [
        "alarm.not_evaluated alarm=arn:aws:cloudwatch:eu-west-1:111122223333:alarm:a2",
        "the disk is ill",
    ]


@story
async def test_reads_that_hang_hold_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each takes one of the places for a while, and is given up for this look."""
    monkeypatch.setattr("lambent.services.monitoring.alarm_evaluator._READ_MAX_S", 1.0)
    async with opened(tmp_path) as bench:
        for number in range(6):
            await bench.put(f"a{number}", MetricName=f"m{number}")
            await bench.measure(30.0, name=f"m{number}")
        read = bench.metrics.read

        async def hanging(scope: Any, namespace: str, name: str, *rest: Any, **named: Any) -> list[MetricPoint]:
            if name in ("m0", "m1", "m3"):
                await asyncio.Event().wait()
            return list(await read(scope, namespace, name, *rest, **named))

        bench.metrics.read = hanging  # type: ignore[method-assign]
        await bench.look()
        alarmed = [number for number in range(6) if await bench.state(f"a{number}") == "ALARM"]
        assert alarmed == [2, 4, 5]
        assert sorted(record.getMessage().rpartition(":")[2] for record in caplog.records) == [
            f"a{number} reason=it takes too long" for number in (0, 1, 3)
        ]
        bench.metrics.read = read  # type: ignore[method-assign]
        await bench.look()
        assert await bench.state("a0") == "ALARM"


@story
async def test_more_alarms_than_are_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page after page, of all scopes; figures are brought into the store once for them all."""
    monkeypatch.setattr("lambent.services.monitoring.alarm_evaluator._PAGE", 3)
    async with opened(tmp_path) as bench:
        for number in range(8):
            await bench.put(f"a{number}")
        await bench.measure(30.0)
        await bench.look()
        assert [await bench.state(f"a{number}") for number in range(8)] == ["ALARM"] * 8
        assert bench.settled == 1


@story
async def test_many_alarms_that_nobody_feeds(tmp_path: Path) -> None:
    """Cost a list and no reading each; what comes is seen all the same."""
    async with opened(tmp_path) as bench:
        for number in range(40):
            await bench.put(f"a{number:02}", MetricName=f"m{number:02}", TreatMissingData="notBreaching")
        reads: list[str] = []
        read = bench.metrics.read

        async def counted(scope: Any, namespace: str, name: str, *rest: Any, **named: Any) -> Any:
            reads.append(name)
            return await read(scope, namespace, name, *rest, **named)

        bench.metrics.read = counted  # type: ignore[method-assign]
        await bench.measure(30.0, name="m39")
        await bench.look()
        assert reads == [*(f"m{number:02}" for number in range(20)), "m39"]
        assert [await bench.state(name) for name in ("a00", "a38", "a39")] == ["OK", "OK", "ALARM"]


@story
async def test_time_passes(tmp_path: Path) -> None:
    """Each minute and each ten seconds, some after the period; a server without alarms sets no timer for them."""
    async with opened(tmp_path) as bench:
        looks: list[tuple[bool, float]] = []
        looking: set[bool] = set()
        look = bench.evaluator.look

        async def noted(*, is_fast: bool) -> bool:
            looks.append((is_fast, bench.clock.now() - BEGIN))
            looking.add(is_fast)
            try:
                return await look(is_fast=is_fast)
            finally:
                looking.remove(is_fast)

        bench.evaluator.look = noted  # type: ignore[method-assign]
        names = ("alarms", "alarms of high resolution")
        tasks = [asyncio.create_task(_done(bench, name)) for name in names]
        try:
            await bench.until(lambda: len(looks) == 2, step_s=1.0)
            await bench.until(lambda: not bench.clock.timer_count)
            bench.clock.advance(1_000)
            await asyncio.sleep(0.01)
            assert len(looks) == 2

            await bench.put(Period=10)
            begin = bench.clock.now()
            while bench.clock.now() - begin < 130:
                # Time stands still meanwhile: a look that takes longer than a period leaves one out.
                if not looking:
                    bench.clock.advance(0.5)
                await asyncio.sleep(0.001)
            fast = [at for is_fast, at in looks[2:] if is_fast]
            assert {at % FAST_S for at in fast} == {2.0}
            # One look of each kind finds out which alarms there are; those that there are none of rest.
            assert {at % SLOW_S for is_fast, at in looks[2:] if not is_fast} == {2.0}
            assert len(fast) >= 12
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def _done(bench: Bench, name: str) -> None:
    await bench.evaluator.work()[name]()


@story
async def test_a_server_that_starts_goes_on(tmp_path: Path) -> None:
    """With the states that there were: what has not changed fires nothing again, what was to be done is done."""
    async with opened(tmp_path) as bench:
        await bench.let_in()
        await bench.put(AlarmActions=[FUNCTION])
        await bench.measure(30.0)
        await bench.look()
        assert bench.target.got == []
    async with opened(tmp_path, now=BEGIN + 60) as bench:
        await bench.measure(30.0)
        await bench.look()
        await bench.act()
        ((resource, payload),) = bench.target.got
        assert resource == "function:mend"
        assert payload["alarmData"]["state"]["value"] == "ALARM"
        assert payload["time"] == "2025-11-25T02:11:00.000+0000"
    async with opened(tmp_path, now=BEGIN + 120) as bench:
        await bench.look()
        await bench.act()
        assert bench.target.got == []
        assert await bench.history(HistoryItemType="Action") == [f"Successfully executed action {FUNCTION}"]
        async with bench.store.snapshot(SCOPE) as rows:
            assert await rows.count() == 1
