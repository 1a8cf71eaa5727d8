"""PutMetricData: what is stored, and everything that is refused, in the service's words."""

from pathlib import Path
from typing import Any

import pytest
from unit.services.monitoring.stage import NOW_S, SCOPE, Stage, at, play

from lambent.store.metrics_contract import TooManySeries

NAN = float("nan")


async def stored(stage: Stage, name: str = "m", dimensions: tuple[tuple[str, str], ...] = ()) -> list[Any]:
    points = await stage.store.read(SCOPE, "N", name, dimensions, from_s=0, before_s=1 << 40, period_s=1)
    return [
        (one.at_s - NOW_S, one.period_s, one.metric.unit, one.values.count, one.values.total, one.values.maximum)
        for one in sorted(points, key=lambda one: (one.at_s, one.metric.unit))
    ]


def test_values_of_each_kind_are_stored(tmp_path: Path) -> None:
    """One, several with counts, and a set; the time is now where none is said. What is put twice counts twice."""

    async def story(stage: Stage) -> None:
        await stage.put({"MetricName": "m", "Value": 21})
        await stage.put({"MetricName": "m", "Values": [1.0, 6.0, 10.0], "Counts": [2.0, 3.0, 1.0], "Unit": "Count"})
        await stage.put({"MetricName": "m", "Values": [5.0], "Timestamp": at(-3.2)})
        values = {"SampleCount": 4.0, "Sum": 10.0, "Minimum": 1.0, "Maximum": 5.0}
        await stage.put({"MetricName": "m", "StatisticValues": values, "Timestamp": at(-3.2)})
        await stage.put({"MetricName": "m", "Values": [7.0], "Counts": [0.0]})
        assert await stored(stage) == [
            (-240, 60, "None", 5, 15, 5),
            (0, 60, "Count", 6, 30, 10),
            (0, 60, "None", 1, 21, 21),
        ]
        assert stage.settled == 0

    play(tmp_path, story)


def test_high_resolution_is_kept_by_the_second(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.put({"MetricName": "m", "Value": 1.0, "StorageResolution": 1})
        await stage.put({"MetricName": "m", "Value": 2.0, "StorageResolution": 1, "Timestamp": at(0.05)})
        assert await stored(stage) == [(3, 1, "None", 1, 2, 2), (30, 1, "None", 1, 1, 1)]

    play(tmp_path, story)


def test_dimensions_have_no_order(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        pairs = [{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}]
        await stage.put({"MetricName": "m", "Value": 1.0, "Dimensions": pairs})
        await stage.put({"MetricName": "m", "Value": 1.0, "Dimensions": pairs[::-1]})
        assert [one[3] for one in await stored(stage, dimensions=(("a", "1"), ("b", "2")))] == [2]
        assert await stored(stage) == []

    play(tmp_path, story)


def test_data_of_entities_are_stored_like_others(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        entity = {"KeyAttributes": {"Type": "Service", "Name": "x"}}
        group = {"Entity": entity, "MetricData": [{"MetricName": "m", "Value": 1.0}]}
        await stage.call("PutMetricData", Namespace="N", EntityMetricData=[group, group])
        assert [one[3] for one in await stored(stage)] == [2]

    play(tmp_path, story)


REFUSED = [
    ({"Value": 1.0, "Values": [1.0]}, "InvalidParameterCombinationException",
     "The parameters MetricData.member.1.Value and MetricData.member.1.Values are mutually exclusive and you have "
     "specified both."),
    ({"Value": 1.0, "StatisticValues": {}}, "InvalidParameterCombinationException",
     "The parameters MetricData.member.1.Value and MetricData.member.1.StatisticValues are mutually exclusive and you "
     "have specified both."),
    ({"Values": [1.0], "Counts": [1.0, 2.0]}, "InvalidParameterValueException",
     "The parameters MetricData.member.1.Values and MetricData.member.1.Counts must be of the same size."),
    ({"Value": NAN}, "InvalidParameterValueException",
     "The value NaN for parameter MetricData.member.1.Value is invalid."),
    ({"Value": float("inf")}, "InvalidParameterValueException",
     "The value inf for parameter MetricData.member.1.Value is invalid."),
    ({"Value": 2.0**361}, "InvalidParameterValueException", None),
    ({"Values": [1.0, NAN]}, "InvalidParameterValueException",
     "The value NaN for parameter MetricData.member.1.Values.member.2 is invalid."),
    ({"Values": [1.0], "Counts": [-1.0]}, "InvalidParameterValueException", None),
    ({"Values": [1.0] * 151}, "InvalidParameterValueException", None),
    ({"Values": []}, "MissingRequiredParameterException", None),
    ({}, "InvalidParameterCombinationException",
     "At least one of the parameters MetricData.member.1.Value, MetricData.member.1.Values and "
     "MetricData.member.1.StatisticValues must be specified."),
    ({"Value": 1.0, "StorageResolution": 5}, "InvalidParameterValueException", None),
    ({"Value": 1.0, "Timestamp": at(-15 * 1_440)}, "InvalidParameterValueException",
     "The parameter MetricData.member.1.Timestamp must specify a time no more than two weeks in the past."),
    ({"Value": 1.0, "Timestamp": at(125)}, "InvalidParameterValueException",
     "The parameter MetricData.member.1.Timestamp must specify a time no more than two hours in the future."),
    ({"Value": 1.0, "MetricName": "\N{SNOWMAN}"}, "InvalidParameterValueException", None),
    ({"Value": 1.0, "Dimensions": [{"Name": ":a", "Value": "b"}]}, "InvalidParameterValueException", None),
    ({"Value": 1.0, "Dimensions": [{"Name": "a", "Value": " "}]}, "InvalidParameterValueException", None),
    ({"Value": 1.0, "Dimensions": [{"Name": "a", "Value": "\N{SNOWMAN}"}]}, "InvalidParameterValueException", None),
    ({"Value": 1.0, "Dimensions": [{"Name": "a", "Value": "b"}] * 2}, "InvalidParameterValueException", None),
    ({"StatisticValues": {"SampleCount": -1.0, "Sum": 1.0, "Minimum": 1.0, "Maximum": 1.0}},
     "InvalidParameterValueException", None),
    ({"StatisticValues": {"SampleCount": 1.0, "Sum": 1.0, "Minimum": 2.0, "Maximum": 1.0}},
     "InvalidParameterCombinationException", None),
]  # fmt: skip


@pytest.mark.parametrize(("datum", "code", "text"), REFUSED)
def test_one_bad_datum_refuses_them_all(tmp_path: Path, datum: dict[str, Any], code: str, text: str | None) -> None:
    """Observed: the texts that are given."""

    async def story(stage: Stage) -> None:
        good = {"MetricName": "m", "Value": 1.0}
        refused = await stage.refusal("PutMetricData", Namespace="N", MetricData=[{"MetricName": "m"} | datum, good])
        assert refused == (code, refused[1] if text is None else text)
        assert await stored(stage) == []

    play(tmp_path, story)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (
            {"Namespace": "AWS/Lambda", "MetricData": [{"MetricName": "m", "Value": 1.0}]},
            "InvalidParameterValueException",
        ),
        ({"Namespace": "a b$", "MetricData": [{"MetricName": "m", "Value": 1.0}]}, "InvalidParameterValueException"),
        ({"Namespace": "N"}, "MissingRequiredParameterException"),
        ({"Namespace": "N", "MetricData": []}, "MissingRequiredParameterException"),
        (
            {"Namespace": "N", "MetricData": [{"MetricName": "m", "Value": 1.0}] * 1_001},
            "InvalidParameterValueException",
        ),
        ({"Namespace": "N", "EntityMetricData": [{}, {}, {}]}, "InvalidParameterValueException"),
    ],
)
def test_requests_are_refused(tmp_path: Path, request_: dict[str, Any], code: str) -> None:
    """Names of services are theirs."""

    async def story(stage: Stage) -> None:
        assert (await stage.refusal("PutMetricData", **request_))[0] == code

    play(tmp_path, story)


def test_a_thousand_data_are_stored(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.put(*({"MetricName": f"m{number % 10}", "Value": 1.0} for number in range(1_000)))
        assert [one[3] for one in await stored(stage, "m3")] == [100]

    play(tmp_path, story)


def test_too_many_metrics_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By LimitExceededFault, which no client can cause on a server at rest."""

    async def story(stage: Stage) -> None:
        async def full(*_: object, **__: object) -> None:
            raise TooManySeries("full")

        monkeypatch.setattr(stage.store, "add", full)
        data = [{"MetricName": "m", "Value": 1.0}]
        assert await stage.refusal("PutMetricData", Namespace="N", MetricData=data) == ("LimitExceededFault", "full")

    play(tmp_path, story)
