"""The embedded metric format: what a log event carries, and what is none."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.embedded_metrics import (
    COMBINATIONS_MAX,
    FUTURE_MAX_MS,
    NOTHING,
    PAST_MAX_MS,
    Embedded,
    EmbeddedMetric,
    embedded_metrics,
    may_embed,
)

NOW = 1_795_000_000_123
SETS = [["service", "function"], []]
METRICS = [{"Name": "latency", "Unit": "Milliseconds", "StorageResolution": 60}, {"Name": "items"}]


def document(
    *, directives: Any = None, dimensions: Any = SETS, metrics: Any = METRICS, at: Any = NOW, **members: Any
) -> str:
    directive = {"Namespace": "orders", "Dimensions": dimensions, "Metrics": metrics}
    return json.dumps(
        {
            "_aws": {"Timestamp": at, "CloudWatchMetrics": [directive] if directives is None else directives},
            "service": "checkout",
            "function": "take-order",
            "latency": [12.5, 9],
            "items": 3,
            "requestId": "r",
            **members,
        }
    )


def found(message: str) -> Embedded:
    return embedded_metrics(message, NOW)


def test_each_metric_of_each_set() -> None:
    """The reference's example: arrays are several values of one period."""
    both = (("function", "take-order"), ("service", "checkout"))
    expected = [
        EmbeddedMetric("orders", "latency", both, "Milliseconds", [12.5, 9.0], NOW, 60),
        EmbeddedMetric("orders", "latency", (), "Milliseconds", [12.5, 9.0], NOW, 60),
        EmbeddedMetric("orders", "items", both, "None", [3.0], NOW, 60),
        EmbeddedMetric("orders", "items", (), "None", [3.0], NOW, 60),
    ]
    message = document()
    assert may_embed(message)
    assert found(message) == Embedded(tuple(expected))
    # What a runtime puts before it, and a line's end, do not matter.
    assert found(f"2026-11-25T02:10:19.123Z\t6bf\tINFO\t{message}\n") == Embedded(tuple(expected))
    assert found(document(Version="0", LogGroupName="x", Unknown={})) == Embedded(tuple(expected))


@pytest.mark.parametrize(
    "message",
    [
        "",
        "text",
        '{"a": 1}',
        '"_aws"',
        '["_aws"]',
        '{"_aws": 1}',
        '{"_aws": {}}',
        'he said "_aws" {',
        '{"_aws": {"Timestamp": 1}}',
    ],
)
def test_what_carries_nothing(message: str) -> None:
    """An event that is no such document is no failure."""
    assert found(message) == NOTHING


def test_what_is_no_json() -> None:
    """It counts as a failure of its own."""
    for message in (document()[:-1], document() + " and more", "[" + document() * 2):
        assert found(message) == Embedded(is_malformed=True)


@pytest.mark.parametrize(
    "message",
    [
        document(directives={}),
        document(directives=[1]),
        document(at=None),
        document(at="now"),
        document(at=True),
        document(at=NOW - PAST_MAX_MS - 1),
        document(at=NOW + FUTURE_MAX_MS + 1),
        document(dimensions=[]),
        document(dimensions=None),
        document(dimensions=["service"]),
        document(dimensions=[["missing"]]),
        document(dimensions=[["items"]]),
        document(dimensions=[[f"d{number}" for number in range(31)]], **{f"d{number}": "x" for number in range(31)}),
        document(service=""),
        document(service="x" * 1025),
        document(metrics=[{"Name": "missing"}]),
        document(metrics=[{"Name": "requestId"}]),
        document(metrics=[{}]),
        document(metrics=[1]),
        document(metrics={}),
        document(metrics=[{"Name": "items"}] * 101),
        document(metrics=[{"Name": "items", "Unit": "Parsecs"}]),
        document(metrics=[{"Name": "items", "Unit": ["Count"]}]),
        document(metrics=[{"Name": "items", "StorageResolution": 5}]),
        document(metrics=[{"Name": "items", "StorageResolution": True}]),
        document(items=True),
        document(items="3"),
        document(items=[]),
        document(items=[1] * 101),
        document(items=[1, None]),
        document(items=10**400),
        document(items=-1e109),
        document(directives=[{"Namespace": "", "Dimensions": SETS, "Metrics": METRICS}]),
        document(directives=[{"Namespace": "n" * 256, "Dimensions": SETS, "Metrics": METRICS}]),
        document(directives=[{"Namespace": "AWS/Lambda", "Dimensions": SETS, "Metrics": METRICS}]),
        document(dimensions=[["service"]] * (COMBINATIONS_MAX // 2 + 1)),
    ],
)
def test_a_broken_rule_leaves_the_directive_out(message: str) -> None:
    """None of its metrics comes to be, and the failure counts."""
    assert found(message) == Embedded(invalid=1)


def test_a_broken_directive_leaves_others_alone() -> None:
    """Each is seen by itself."""
    good = {"Namespace": "orders", "Dimensions": [[]], "Metrics": [{"Name": "items", "Unit": "Count"}]}
    message = document(directives=[good, {**good, "Dimensions": [["missing"]]}, 5])
    assert found(message) == Embedded((EmbeddedMetric("orders", "items", (), "Count", [3.0], NOW, 60),), invalid=2)


def test_fine_resolution_names_and_what_is_named_twice() -> None:
    """A name is a root member's, dots and all; the same set or metric twice is one."""
    message = document(
        dimensions=[["service", "service"], ["service"]],
        metrics=[{"Name": "A.a", "StorageResolution": 1}, {"Name": "A.a", "StorageResolution": 1}],
        **{"A.a": -1, "A": {"a": 2}},
    )
    assert found(message) == Embedded(
        (EmbeddedMetric("orders", "A.a", (("service", "checkout"),), "None", [-1.0], NOW, 1),)
    )


def test_one_event_makes_so_many_metrics_at_most() -> None:
    """Over all its directives; what would be beyond is left out as a failure."""
    names = [f"m{number}" for number in range(100)]
    directive = {
        "Namespace": "n",
        "Dimensions": [[f"d{number}"] for number in range(49)],
        "Metrics": [{"Name": name} for name in names],
    }
    members = dict.fromkeys(names, 1) | {f"d{number}": "x" for number in range(49)}
    carried = found(document(directives=[directive, directive], **members))
    assert len(carried.metrics) == 4_900
    assert carried.invalid == 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["a", "b", "Count", ""]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["Namespace", "Dimensions", "Metrics", "Name", "Unit", "StorageResolution", "a"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=15,
    ),
    st.integers(0, 5),
)
def test_nothing_that_is_sent_does_harm(given: Any, a: Any) -> None:
    """Whatever stands in a directive."""
    carried = found(json.dumps({"_aws": {"Timestamp": NOW, "CloudWatchMetrics": given}, "a": a, "b": "b"}))
    assert all(metric.name == "a" for metric in carried.metrics)
