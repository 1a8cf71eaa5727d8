"""GetMetricStatistics and GetMetricData: points, units, labels, pages, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from unit.services.monitoring.stage import Stage, at, play, stat


def values(answer: Any) -> list[tuple[str, str, list[float], str]]:
    return [(one["Id"], one["Label"], one["Values"], one["StatusCode"]) for one in answer["MetricDataResults"]]


async def statistics(stage: Stage, *names: str, **request: Any) -> list[dict[str, Any]]:
    asked: dict[str, Any] = {
        "Namespace": "N", "MetricName": "m", "StartTime": at(-10), "EndTime": at(1), "Period": 60,
        "Statistics": list(names),
    }  # fmt: skip
    answer = await stage.call("GetMetricStatistics", **(asked | request))
    assert answer["Label"] == "m"
    return sorted(answer["Datapoints"], key=lambda one: (one["Timestamp"], one["Unit"]))


def test_datapoints_are_stamped_with_the_begin_of_their_period(tmp_path: Path) -> None:
    """One for each unit in a period; empty periods have none, and 0 is a value. What happened before is seen."""

    async def story(stage: Stage) -> None:
        assert await statistics(stage, "Sum") == []
        await stage.put({"MetricName": "m", "Value": 0.0, "Timestamp": at(-5.5)})
        await stage.put({"MetricName": "m", "Values": [1.0, 3.0], "Unit": "Count"})
        await stage.put({"MetricName": "m", "Value": 10.0})
        assert await statistics(stage, "Sum", "Average", "SampleCount", "Minimum", "Maximum") == [
            {"Timestamp": at(-6), "Unit": "None", "Sum": 0, "Average": 0, "SampleCount": 1, "Minimum": 0, "Maximum": 0},
            {"Timestamp": at(0), "Unit": "Count", "Sum": 4, "Average": 2, "SampleCount": 2, "Minimum": 1, "Maximum": 3},
            {"Timestamp": at(0), "Unit": "None", "Sum": 10, "Average": 10, "SampleCount": 1, "Minimum": 10,
             "Maximum": 10},
        ]  # fmt: skip
        assert [one["Sum"] for one in await statistics(stage, "Sum", Unit="Count")] == [4]
        assert await statistics(stage, "Sum", Unit="Seconds") == []
        assert await statistics(stage, "Sum", Dimensions=[{"Name": "a", "Value": "b"}]) == []
        assert stage.settled == 5

    play(tmp_path, story)


def test_extended_statistics_stand_by_themselves(tmp_path: Path) -> None:
    """Of a statistic set there are none, and so no datapoint."""

    async def story(stage: Stage) -> None:
        await stage.put({"MetricName": "m", "Values": [4.0], "Counts": [9.0]})
        request = {"Statistics": None, "ExtendedStatistics": ["p50", "tc50"]}
        assert await statistics(stage, **request) == [
            {"Timestamp": at(0), "Unit": "None", "ExtendedStatistics": {"p50": 4, "tc50": 5}}
        ]
        of_set = {"SampleCount": 4.0, "Sum": 10.0, "Minimum": 1.0, "Maximum": 5.0}
        await stage.put({"MetricName": "m", "StatisticValues": of_set})
        assert await statistics(stage, **request) == []

    play(tmp_path, story)


TOO_MANY = (
    "You have requested up to 86400 datapoints, which exceeds the limit of 1440. You may reduce the datapoints "
    "requested by increasing Period, or decreasing the time range."
)


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        ({"EndTime": at(-10)}, "InvalidParameterValueException",
         "The parameter StartTime must be less than the parameter EndTime."),
        ({"StartTime": at(-86_399), "EndTime": at(1)}, "InvalidParameterCombinationException", TOO_MANY),
        ({"Statistics": None}, "InvalidParameterCombinationException",
         "Must specify either Statistics or ExtendedStatistics"),
        ({"ExtendedStatistics": ["p50"]}, "InvalidParameterCombinationException", None),
        ({"Statistics": None, "ExtendedStatistics": ["x"]}, "InvalidParameterValueException",
         "The value x for parameter ExtendedStatistic is not supported."),
        ({"Statistics": None, "ExtendedStatistics": ["Sum"]}, "InvalidParameterValueException", None),
        ({"Period": 45}, "InvalidParameterValueException", None),
    ],
)  # fmt: skip
def test_statistics_are_refused(tmp_path: Path, request_: dict[str, Any], code: str, text: str | None) -> None:
    """Observed: the texts that are given; the number of points counts whether there are any or not."""

    async def story(stage: Stage) -> None:
        asked = {
            "Namespace": "N", "MetricName": "m", "StartTime": at(-10), "EndTime": at(1), "Period": 60,
            "Statistics": ["Sum"],
        }  # fmt: skip
        refused = await stage.refusal("GetMetricStatistics", **(asked | request_))
        assert refused == (code, refused[1] if text is None else text)

    play(tmp_path, story)


def test_data_are_the_newest_first(tmp_path: Path) -> None:
    """Unless the other order is asked for. A metric without data has an empty result."""

    async def story(stage: Stage) -> None:
        for minute in (-3, -2, 0):
            await stage.put({"MetricName": "m", "Value": float(10 + minute), "Timestamp": at(minute)})
        answer = await stage.data(stat(), stat("none", id="n"), ScanBy=None)
        first, second = answer["MetricDataResults"]
        assert (first["Timestamps"], first["Values"]) == ([at(0), at(-2), at(-3)], [10, 8, 7])
        assert (second["Timestamps"], second["Values"], second["StatusCode"]) == ([], [], "Complete")
        assert answer["Messages"] == [] and "NextToken" not in answer
        ascending = await stage.data(stat(), ScanBy="TimestampAscending")
        assert values(ascending) == [("q", "m", [7, 8, 10], "Complete")]

    play(tmp_path, story)


def test_of_several_units_the_first_is_shown(tmp_path: Path) -> None:
    """Observed: with a message; a unit that was never used gives nothing."""

    async def story(stage: Stage) -> None:
        await stage.put({"MetricName": "m", "Value": 1.0, "Unit": "Seconds"})
        await stage.put({"MetricName": "m", "Value": 2.0, "Unit": "Milliseconds"})
        (result,) = (await stage.data(stat()))["MetricDataResults"]
        assert result["Values"] == [2]
        assert result["Messages"] == [
            {"Code": "MultipleUnits", "Value": "Multiple units returned: '[Milliseconds, Seconds]'"}
        ]
        answer = await stage.data(stat(Unit="Seconds", id="s"), stat(Unit="Bytes", id="b"))
        assert [(one["Values"], one["Messages"]) for one in answer["MetricDataResults"]] == [([1], None), ([], None)]

    play(tmp_path, story)


def test_a_page_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    """Under the same id, in the middle of a result where need be; the parts make the whole."""

    async def story(stage: Stage) -> None:
        for minute in range(-6, 0):
            await stage.put({"MetricName": "m", "Value": float(minute), "Timestamp": at(minute)})
            await stage.put({"MetricName": "n", "Value": float(minute), "Timestamp": at(minute)})
        queries = [stat(id="a"), stat("n", id="hidden", ReturnData=False), {"Id": "e", "Expression": "METRICS() * 2"}]
        whole = values(await stage.data(*queries))
        assert [(id, len(found)) for id, _, found, _ in whole] == [("a", 6), ("e", 6), ("e", 6)]
        token, pages, parts = None, 0, []
        while pages == 0 or token:
            page = await stage.data(*queries, MaxDatapoints=4, NextToken=token)
            token, pages = page.get("NextToken"), pages + 1
            assert sum(len(one["Values"]) for one in page["MetricDataResults"]) <= 4
            parts += [(id, found, code) for id, _, found, code in values(page)]
        assert pages == 5
        assert [one for _, found, _ in parts for one in found] == [one for _, _, found, _ in whole for one in found]
        assert [code for _, _, code in parts] == [
            "PartialData", "Complete", "PartialData", "Complete", "PartialData", "Complete",
        ]  # fmt: skip
        page = await stage.data(*queries, MaxDatapoints=4)
        refused = await stage.refusal(
            "GetMetricData",
            MetricDataQueries=[stat()],
            StartTime=at(-10),
            EndTime=at(1),
            NextToken=page["NextToken"],
        )
        assert refused[0] == "InvalidNextToken"

    play(tmp_path, story)


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        ({"EndTime": at(-10)}, "ValidationException", "The parameter StartTime must not equal parameter EndTime."),
        ({"EndTime": at(-11)}, "ValidationException", "The parameter EndTime must be greater than StartTime."),
        ({"MaxDatapoints": 0}, "InvalidParameterValueException", None),
        ({"MaxDatapoints": 100_801}, "InvalidParameterValueException", None),
        ({"NextToken": "x"}, "InvalidNextToken", None),
        ({"NextToken": "W10="}, "InvalidNextToken", None),
        ({"LabelOptions": {"Timezone": "CET"}}, "ValidationException", None),
        ({"MetricDataQueries": [stat()] * 2}, "ValidationException", None),
        ({"MetricDataQueries": [stat(id=f"q{number}") for number in range(501)]}, "ValidationException", None),
    ],
)
def test_data_are_refused(tmp_path: Path, request_: dict[str, Any], code: str, text: str | None) -> None:
    """Observed: the texts that are given."""

    async def story(stage: Stage) -> None:
        asked = {"MetricDataQueries": [stat()], "StartTime": at(-10), "EndTime": at(1)}
        refused = await stage.refusal("GetMetricData", **(asked | request_))
        assert refused == (code, refused[1] if text is None else text)

    play(tmp_path, story)
