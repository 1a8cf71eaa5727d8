"""What an alarm goes by is read: one metric, or what is computed of several."""

from pathlib import Path
from typing import Any

import pytest
from unit.services.monitoring.alarm_bench import BEGIN, SCOPE, Bench, opened, story

from lambent.domain.alarm import AlarmQuery, Comparison, Watch, WatchedMetric
from lambent.domain.caller import Scope
from lambent.errors.api.monitoring import ValidationException
from lambent.services.monitoring import alarm_queries as module
from lambent.services.monitoring.alarm_queries import AlarmReader, Reading, Unreadable, check_references


def rows(*expressions: str) -> list[AlarmQuery]:
    return [AlarmQuery(f"e{number}", expression=text) for number, text in enumerate(expressions, 1)]


def metric(period_s: int = 60, statistic: str = "Sum") -> WatchedMetric:
    return WatchedMetric("Shop", "Latency", (), period_s, statistic)


def watch(of: WatchedMetric, periods: int = 1) -> Watch:
    return Watch(of.period_s, periods, 1.0, Comparison.ABOVE, of)


async def read(bench: Bench, of: Watch) -> Reading:
    return await AlarmReader(bench.metrics).read(SCOPE, of, bench.clock.now())


def values(reading: Reading) -> list[float | None]:
    return [None if slot.point is None else slot.point.value for slot in reading.slots]


@pytest.mark.parametrize("good", [["m1"], ["e2 + e3", "e3", "1 * m1"], ["SUM(METRICS())"]])
def test_expressions_may_ask_for_others(good: list[str]) -> None:
    """In any order."""
    check_references(rows(*good))


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (["e1"], "Error in expression 'e1': it refers to itself"),
        (["e2", "e3 + m1", "e2"], "Error in expression 'e1': it refers to itself"),
        (["SUM(SEARCH('{Shop}', 'Sum', 60))"], "Error in expression 'e1': SEARCH is not for alarms"),
        (["m1", "ANOMALY_DETECTION_BAND(m1)"], "Error in expression 'e2': ANOMALY_DETECTION_BAND is not for alarms"),
    ],
)
def test_expressions_may_not_go_in_circles(bad: list[str], text: str) -> None:
    """Nor search, or predict."""
    with pytest.raises(ValidationException) as refused:
        check_references(rows(*bad))
    assert refused.value.message == text


@story
async def test_periods_are_whole_ones(tmp_path: Path) -> None:
    """Those that are over, two more than are evaluated, oldest first, with how many values each is of."""
    async with opened(tmp_path, now=BEGIN + 59) as bench:
        await bench.measure(1.0, [2.0, 3.0], 4.0, at=BEGIN + 60)
        reading = await read(bench, watch(metric(), 2))
        assert values(reading) == [None, None, 1.0, 5.0]
        assert [slot.at - BEGIN for slot in reading.slots] == [-240, -180, -120, -60]
        assert reading.slots[-1].point is not None
        assert reading.slots[-1].point.sample_count == 2


@story
async def test_the_last_hour_moves_on(tmp_path: Path) -> None:
    """By some minutes at a time where one hour alone is watched, and from hour to hour otherwise."""
    async with opened(tmp_path, now=BEGIN - 60) as bench:
        # 02:10: the last hour began at 01:10.
        await bench.measure(*[1.0] * 70)
        assert values(await read(bench, watch(metric(3_600)))) == [None, 10.0, 60.0]
        assert values(await read(bench, watch(metric(3_600), 2))) == [None, None, None, 60.0]
        bench.clock.advance(5 * 60)
        assert values(await read(bench, watch(metric(3_600)))) == [None, 15.0, 55.0]


@story
async def test_few_samples_of_a_percentile(tmp_path: Path) -> None:
    """Ten by the share that lies beyond it; of other statistics any number is enough."""
    async with opened(tmp_path) as bench:
        await bench.measure([1.0] * 99)
        assert (await read(bench, watch(metric(statistic="p90")))).has_few_samples
        assert (await read(bench, watch(metric(statistic="p10")))).has_few_samples
        assert not (await read(bench, watch(metric(statistic="Average")))).has_few_samples
        await bench.measure(1.0)
        assert not (await read(bench, watch(metric(statistic="p90")))).has_few_samples
        assert not (await read(bench, watch(metric(statistic="p10")))).has_few_samples
        assert (await read(bench, watch(metric(statistic="p99")))).has_few_samples


@story
async def test_metrics_that_nobody_measures_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where many alarms are looked at; a metric that was measured within the range is, and one that might have been."""
    monkeypatch.setattr(module, "_FEW", 2)
    monkeypatch.setattr(module, "_HEARD_MAX", 3)
    silent = WatchedMetric("Shop", "Silent", (), 60, "Sum")
    dimensions = (("b", "1"), ("a", "2"))
    other = WatchedMetric("Shop", "Latency", dimensions, 60, "Sum")
    async with opened(tmp_path) as bench:
        await bench.measure(1.0)
        await bench.measure(1.0, dimensions=tuple(sorted(dimensions)))
        silence = AlarmReader(bench.metrics).listen(bench.clock.now())
        from_s = int(BEGIN) - 600
        asked = [(silent, from_s), (silent, from_s), (silent, from_s), (metric(), from_s), (other, from_s)]
        asked.append((silent, from_s - 86_400))
        found = [await silence.is_over(SCOPE, one, since) for one, since in asked]
        assert found == [False, False, True, False, False, False]
        assert not await silence.is_over(Scope(SCOPE.account, "us-east-1"), silent, from_s)

        await bench.measure(1.0, name="more")
        silence = AlarmReader(bench.metrics).listen(bench.clock.now())
        assert [await silence.is_over(SCOPE, silent, from_s) for _ in range(3)] == [False] * 3


@story
async def test_what_is_computed(tmp_path: Path) -> None:
    """In the periods of its metrics; what is missing is what the expression makes of it."""

    def computing(expression: str, **row: Any) -> Watch:
        returned = AlarmQuery("e", expression=expression, **row)
        queries = (returned, AlarmQuery("m", metric(), is_returned=False))
        return Watch(60, 2, 1.0, Comparison.ABOVE, queries=queries)

    async with opened(tmp_path) as bench:
        await bench.measure(1.0)
        await bench.measure(3.0, at=BEGIN - 120)
        assert values(await read(bench, computing("m * 2"))) == [None, 6.0, None, 2.0]
        assert values(await read(bench, computing("FILL(m, 0)"))) == [0.0, 3.0, 0.0, 1.0]
        assert values(await read(bench, computing("TIME_SERIES(7)", period_s=60))) == [7.0, 7.0, 7.0, 7.0]
        for bad in ("[m, m]", "AVG(m)", "NO_FUNCTION(m)"):
            with pytest.raises(Unreadable):
                await read(bench, computing(bad))
