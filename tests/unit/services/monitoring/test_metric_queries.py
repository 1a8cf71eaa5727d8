"""Queries of one request: what they refer to, in which period, under which label."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from unit.services.monitoring.stage import SCOPE, Stage, at, play, stat

from lambent.domain.metric_periods import source_of
from lambent.errors.families import ApiError
from lambent.services.monitoring import metric_queries
from lambent.store.metric_blocks import SPANS_S


def math(text: str, id: str = "e", **other: Any) -> dict[str, Any]:
    return {"Id": id, "Expression": text, **other}


def shown(answer: Any) -> list[tuple[str, list[float]]]:
    return [(one["Label"], one["Values"]) for one in answer["MetricDataResults"]]


async def set_up(stage: Stage) -> None:
    for minute, errors in ((-4, 1.0), (-3, 2.0), (-1, 4.0)):
        await stage.put({"MetricName": "errors", "Value": errors, "Timestamp": at(minute)})
    for minute in range(-4, 0):
        await stage.put({"MetricName": "calls", "Values": [1.0], "Counts": [8.0], "Timestamp": at(minute)})


def test_expressions_refer_to_queries_and_to_each_other(tmp_path: Path) -> None:
    """Also to those behind them; what is not to be returned is not."""

    async def story(stage: Stage) -> None:
        await set_up(stage)
        hidden = {"ReturnData": False}
        answer = await stage.data(
            math("rate * 100", id="percent", Label="error rate"),
            math("errors / calls", id="rate"),
            stat("errors", id="errors", **hidden),
            stat("calls", id="calls", **hidden),
        )
        assert shown(answer) == [("error rate", [12.5, 25, 0, 50]), ("rate", [0.125, 0.25, 0, 0.5])]

    play(tmp_path, story)


def test_an_expression_has_the_longest_period_of_its_metrics(tmp_path: Path) -> None:
    """The shorter ones are read anew, not added up: an average stays one."""

    async def story(stage: Stage) -> None:
        await set_up(stage)
        answer = await stage.data(
            stat("errors", "Average", 60, id="a"),
            stat("calls", "Sum", 300, id="b"),
            math("a + 0 * b"),
            math("PERIOD(a) * b / b", id="p"),
        )
        found = shown(answer)
        assert found[0] == ("errors Average 60", [1, 2, 4])
        assert found[1][0] == "calls Sum 300"
        assert sum(found[1][1]) == 32
        assert found[2][1] == [1.5, 4]
        assert set(found[3][1]) == {300}

    play(tmp_path, story)


def test_filling_ends_with_now(tmp_path: Path) -> None:
    """What has not come yet is not missing."""

    async def story(stage: Stage) -> None:
        await set_up(stage)
        answer = await stage.data(stat("errors", id="m"), math("FILL(m, 0)"), EndTime=at(60), minutes=4)
        assert shown(answer)[1][1] == [1, 2, 0, 4, 0]

    play(tmp_path, story)


def test_searches_find_metrics(tmp_path: Path) -> None:
    """With labels of what differs, under the query's id, in its own period; a metric silent for two weeks is gone."""

    async def story(stage: Stage) -> None:
        for name in ("a", "b"):
            dimensions = [{"Name": "Fn", "Value": name}]
            await stage.put({"MetricName": "calls", "Value": 5.0, "Dimensions": dimensions, "Timestamp": at(-1)})
        await stage.put({"MetricName": "calls", "Value": 9.0, "Timestamp": at(-1)})
        search = "SEARCH('{N,Fn} MetricName=\"calls\"', 'Sum', 60)"
        assert shown(await stage.data(math(search))) == [("a", [5]), ("b", [5])]
        assert shown(await stage.data(math(f"SUM({search})"))) == [("e", [10])]
        assert shown(await stage.data(math(search, Label="calls"))) == [("calls a", [5]), ("calls b", [5])]
        assert shown(await stage.data(math(f"SORT({search}, SUM, DESC, 1)"))) == [("a", [5])]
        stage.clock.set_wall(15 * 86_400)
        assert shown(await stage.data(math(search))) == []

    play(tmp_path, story)


def test_labels_may_be_dynamic(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await set_up(stage)
        answer = await stage.data(
            stat("errors", Label="${LABEL} ${PROP('Stat')} of ${PROP('MetricName')}, at most ${MAX}"),
            math("q * 2", Label="twice: ${LAST}"),
        )
        assert [label for label, _ in shown(answer)] == ["errors Sum of errors, at most 4", "twice: 8"]

    play(tmp_path, story)


@pytest.mark.parametrize(
    "queries",
    [
        [{"Id": "q"}],
        [{"Id": "Q", "Expression": "1"}],
        [{"Id": "1", "Expression": "1"}],
        [stat() | {"Expression": "q"}],
        [stat(stat="x")],
        [stat(period_s=45)],
        [stat(ReturnData=False)],
        [stat(AccountId="999999999999")],
        [stat() | {"MetricStat": {"Metric": {"Namespace": "N"}, "Period": 60, "Stat": "Sum"}}],
        [math("e")],
        [math("a", id="b"), math("b", id="a")],
        [math("unknown + 1")],
        [math("1 +")],
        [math("1 + 1")],
        [math('SELECT AVG(x) FROM SCHEMA("N")')],
        [math("SEARCH('')")],
        [math("SEARCH('a', 'x', 60)")],
        [math("SEARCH('(', 'Sum', 60)")],
        [math("SEARCH('a', 'Sum', 61)")],
        [math("SEARCH(1, 'Sum', 60)")],
        [math("m", Period=61)],
    ],
)
def test_what_cannot_be_evaluated_is_refused(tmp_path: Path, queries: list[dict[str, Any]]) -> None:
    """By the caller's fault, with a text."""

    async def story(stage: Stage) -> None:
        code, text = await stage.refusal("GetMetricData", MetricDataQueries=queries, StartTime=at(-10), EndTime=at(1))
        assert code in ("ValidationException", "InvalidParameterValueException") and text

    play(tmp_path, story)


def test_references_that_fan_out_are_followed_once(tmp_path: Path) -> None:
    """Forty expressions that name the one before twice would be a million million; deeper ones are refused."""

    async def story(stage: Stage) -> None:
        await set_up(stage)
        chain = [
            math(f"e{number - 1} - e{number - 1} / 2", id=f"e{number}", ReturnData=False) for number in range(1, 41)
        ]
        first = stat("errors", id="e0", ReturnData=False)
        answer = await stage.data(first, *chain, math("e40 * 2", id="last"))
        assert len(shown(answer)[0][1]) == 3
        deep = [math(f"e{number - 1}", id=f"e{number}", ReturnData=False) for number in range(1, 200)]
        refused = await stage.refusal(
            "GetMetricData", MetricDataQueries=[first, *deep, math("e199")], StartTime=at(-10), EndTime=at(1)
        )
        assert refused[0] == "ValidationException"

    play(tmp_path, story)


def test_a_request_reads_so_much_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_queries, "POINTS_MAX", 6)

    async def story(stage: Stage) -> None:
        await set_up(stage)
        refused = await stage.refusal(
            "GetMetricData",
            MetricDataQueries=[stat("errors", id="a"), stat("calls", id="b")],
            StartTime=at(-10),
            EndTime=at(1),
        )
        assert refused[0] == "ValidationException"

    play(tmp_path, story)


def test_expressions_compute_so_much_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of one request: a text of two thousand characters may ask for a hundred passes over all that was read."""
    monkeypatch.setattr(metric_queries, "COMPUTED_MAX", 20)

    async def story(stage: Stage) -> None:
        await set_up(stage)
        queries = [stat("errors", id="m"), math("m + m"), math("m + m + m + m", id="f")]
        assert len(shown(await stage.data(*queries[:2]))) == 2
        refused = await stage.refusal("GetMetricData", MetricDataQueries=queries, StartTime=at(-10), EndTime=at(1))
        assert refused == (
            "ValidationException",
            "Error in expression 'f': The expressions compute more than 20 datapoints",
        )

    play(tmp_path, story)


def test_a_long_time_is_read_in_stretches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them cuts a period, whatever it is; what they give is one."""
    monkeypatch.setattr(metric_queries, "_STRETCH", 7)

    async def story(stage: Stage) -> None:
        for begin in range(-600, 0, 100):
            data = [
                {"MetricName": "m", "Values": [1.0, 3.0], "Timestamp": at(minute)}
                for minute in range(begin, begin + 100)
            ]
            await stage.put(*data)
        for period_s in (60, 120, 300, 3_600, 86_400):
            for statistic, expected in (("Sum", 2_400), ("tc100", 1_200)):
                (result,) = (await stage.data(stat(stat=statistic, period_s=period_s), minutes=600))[
                    "MetricDataResults"
                ]
                assert sum(result["Values"]) == expected, period_s
                assert result["Timestamps"] == sorted(set(result["Timestamps"]))
                assert all(one.timestamp() % period_s == 0 for one in result["Timestamps"])

    play(tmp_path, story)


@pytest.mark.parametrize("period_s", [60, 120, 300, 3_600, 86_400])
def test_no_block_of_the_store_is_in_two_stretches(period_s: int) -> None:
    """To open one takes most of a query's time: a stretch of so many days reads what lies in them, and no more."""
    now_s = 1_800_000_123.0
    asked = metric_queries.Asked(SCOPE, now_s - 100 * 86_400, now_s, now_s)
    stretches = list(metric_queries._stretches(asked, period_s))
    ends = [to_s for _, to_s in stretches]
    assert [from_s for from_s, _ in stretches[1:]] == ends[:-1]
    assert len(ends) > 1
    span_s = SPANS_S[max(source_of(period_s), 60)]
    assert [end_s % span_s for end_s in ends[:-1]] == [0] * (len(ends) - 1)


def test_all_time_is_no_longer_than_what_is_kept(tmp_path: Path) -> None:
    """From the epoch to far ahead: some hundred reads, and not millions; what would be drawn is too much."""

    async def story(stage: Stage) -> None:
        await set_up(stage)
        ever = {"StartTime": datetime.fromtimestamp(0, UTC), "EndTime": datetime.fromtimestamp(2**36, UTC)}
        answer = await stage.data(stat("errors"), **ever)
        assert shown(answer) == [("errors", [1, 2, 4])]
        for text in ("FILL(q, 0)", "TIME_SERIES(1)"):
            refused = await stage.refusal("GetMetricData", MetricDataQueries=[stat("errors"), math(text)], **ever)
            assert refused[0] == "ValidationException"

    play(tmp_path, story)


def test_what_many_expressions_refer_to_is_computed_once(tmp_path: Path) -> None:
    """Else a request of some kilobytes would be worth minutes of work."""

    async def story(stage: Stage) -> None:
        await set_up(stage)
        chain = [math("+".join(["errors"] + ["0"] * 500), id="e0", ReturnData=False)]
        chain += [math(f"e{number - 1} + " + "+".join(["0"] * 500), id=f"e{number}") for number in range(1, 40)]
        asked = [math("e39", id=f"f{number}") for number in range(400)]
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(metric_queries, "COMPUTED_MAX", 200_000)
            answer = await stage.data(stat("errors", id="errors", ReturnData=False), *chain, *asked)
        assert shown(answer)[-1] == ("f399", [1, 2, 4])

    play(tmp_path, story)


@pytest.mark.parametrize("period", ["1e999", "60.5", "0"])
def test_the_period_of_a_search_is_one(tmp_path: Path, period: str) -> None:
    """Whatever number is written there."""

    async def story(stage: Stage) -> None:
        with pytest.raises(ApiError, match="period of a SEARCH"):
            await stage.data(math(f"SEARCH('errors', 'Sum', {period})"))

    play(tmp_path, story)


def test_the_work_of_searches_is_bounded(tmp_path: Path) -> None:
    """Terms times metrics that they are compared with."""

    async def story(stage: Stage) -> None:
        await set_up(stage)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(metric_queries, "COMPUTED_MAX", 300)
            with pytest.raises(ApiError, match="compute more than"):
                await stage.data(math(f"SEARCH('{' OR '.join(['z'] * 150)}', 'Sum', 60)"))

    play(tmp_path, story)
