"""PutMetricFilter, DescribeMetricFilters, DeleteMetricFilter and TestMetricFilter."""

from typing import Any

import pytest

NO_GROUP = ("ResourceNotFoundException", "The specified log group does not exist.")
TRANSFORMATION = {"metricName": "Errors", "metricNamespace": "app", "metricValue": "1"}


def put(logs: Any, name: str = "f", group: str = "g", pattern: str = "ERROR", **transformation: Any) -> Any:
    return logs.call("PutMetricFilter", **request(name, group, pattern, **transformation))


def request(name: str = "f", group: str = "g", pattern: str = "ERROR", **transformation: Any) -> dict[str, Any]:
    return {
        "logGroupName": group,
        "filterName": name,
        "filterPattern": pattern,
        "metricTransformations": [{**TRANSFORMATION, **transformation}],
    }


def names(answer: Any) -> list[tuple[str, str]]:
    return [(one["filterName"], one["logGroupName"]) for one in answer["metricFilters"]]


def test_a_filter_is_described_as_it_was_put(logs: Any) -> None:
    """With what is so when nothing is said of it. A group that only segment files know is there."""
    logs.write("x")
    assert put(logs) == {}
    put(logs, "g2", pattern="{ $.a = 1 }", metricValue="$.b", dimensions={"D": "$.d", "C": "$.c"}, unit="Seconds")
    put(logs, "g3", defaultValue=0.0)
    assert logs.call("DescribeLogGroups")["logGroups"][0]["metricFilterCount"] == 3
    described = logs.call("DescribeMetricFilters", logGroupName="g")["metricFilters"]
    assert described[0] == {
        "filterName": "f",
        "filterPattern": "ERROR",
        "metricTransformations": [{**TRANSFORMATION, "unit": "None"}],
        "creationTime": 1_795_000_000_000,
        "logGroupName": "g",
        "applyOnTransformedLogs": False,
    }
    assert [one["metricTransformations"][0] for one in described[1:]] == [
        {**TRANSFORMATION, "metricValue": "$.b", "dimensions": {"C": "$.c", "D": "$.d"}, "unit": "Seconds"},
        {**TRANSFORMATION, "defaultValue": 0.0, "unit": "None"},
    ]


def test_the_same_name_replaces_and_keeps_its_time(logs: Any) -> None:
    """There is one of the name, which now says what was put last."""
    logs.write("x")
    put(logs)
    logs.created_ms += 5_000
    put(logs, pattern="[]", metricValue="2.5")
    (described,) = logs.call("DescribeMetricFilters")["metricFilters"]
    assert described["filterPattern"] == "[]"
    assert described["metricTransformations"][0]["metricValue"] == "2.5"
    assert described["creationTime"] == 1_795_000_000_000


def test_filters_come_in_pages_by_name(logs: Any) -> None:
    """Over all groups, those of one, with a prefix, or of one metric."""
    for group in ("b", "a"):
        logs.write("x", group=group)
        for name in ("y", "x1", "x2"):
            put(logs, name, group, metricName="Y" if name == "y" else "X")
    everything = [("x1", "a"), ("x1", "b"), ("x2", "a"), ("x2", "b"), ("y", "a"), ("y", "b")]
    found, token = [], {}
    while True:
        page = logs.call("DescribeMetricFilters", limit=2, **token)
        found += names(page)
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert found == everything
    assert names(logs.call("DescribeMetricFilters", logGroupName="a", filterNamePrefix="x")) == everything[0:4:2]
    assert names(logs.call("DescribeMetricFilters", metricName="Y", metricNamespace="app", limit=1)) == [("y", "a")]
    assert names(logs.call("DescribeMetricFilters", metricName="Y", metricNamespace="other")) == []


def test_a_filter_is_deleted_alone_or_with_its_group(logs: Any, refusal: Any) -> None:
    """And then it is not there to be deleted again."""
    logs.write("x")
    put(logs)
    put(logs, "other")
    assert logs.call("DeleteMetricFilter", logGroupName="g", filterName="f") == {}
    no_filter = ("ResourceNotFoundException", "The specified metric filter does not exist.")
    assert refusal("DeleteMetricFilter", logGroupName="g", filterName="f") == no_filter
    assert names(logs.call("DescribeMetricFilters")) == [("other", "g")]
    logs.call("DeleteLogGroup", logGroupName="g")
    assert names(logs.call("DescribeMetricFilters")) == []


def test_groups_that_are_not_there(refusal: Any) -> None:
    """Each operation on one says so."""
    assert refusal("PutMetricFilter", **request()) == NO_GROUP
    assert refusal("DeleteMetricFilter", logGroupName="g", filterName="f") == NO_GROUP
    assert refusal("DescribeMetricFilters", logGroupName="g") == NO_GROUP


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (request(pattern='"open'), "Invalid metric filter pattern"),
        (request(pattern="{ $.a = 1"), "If a filter pattern starts with '{' it must end with '}'"),
        (
            request(pattern="{ $.a = 1 }", dimensions={"A": "$.a"}, defaultValue=0.0),
            "Invalid metric transformation: dimensions and default value are mutually exclusive properties",
        ),
        (
            request(pattern="{ $.a = 1 }", dimensions=dict.fromkeys("ABCD", "$.a")),
            "Invalid metric transformation: at most 3 dimensions are allowed",
        ),
        (
            request(pattern="{ $.a = 1 }", dimensions={"A": "a"}),
            "Invalid metric transformation: dimension value must be valid selector",
        ),
        (
            request(pattern="[a, b]", dimensions={"A": "$c"}),
            "Invalid metric transformation: dimension value must be valid selector",
        ),
        (request(metricValue="$.a"), "Invalid metric transformation: metric value $.a must be a valid number"),
        (request(metricValue="nan"), "Invalid metric transformation: metric value nan must be a valid number"),
        (request(metricValue=""), "Invalid metric transformation: metric value  must be a valid number"),
        (
            request(metricNamespace="AWS/Lambda"),
            "Invalid metric transformation: metric namespaces that begin with AWS/ are reserved",
        ),
        (request(metricName=""), "Invalid metric transformation: metric name and metric namespace must not be empty"),
        (
            {**request(), "applyOnTransformedLogs": True},
            "applyOnTransformedLogs is not offered by this version of Lambent",
        ),
    ],
)
def test_what_makes_no_figures_is_refused(logs: Any, refusal: Any, asked: dict[str, Any], text: str) -> None:
    """Before anything is stored."""
    logs.write("x")
    assert refusal("PutMetricFilter", **asked) == ("InvalidParameterException", text)
    assert logs.call("DescribeMetricFilters") == {"metricFilters": []}


def test_a_metric_is_searched_for_by_both_of_its_names(refusal: Any) -> None:
    """One of them is no metric."""
    text = "metricName and metricNamespace must be specified together."
    assert refusal("DescribeMetricFilters", metricName="M") == ("InvalidParameterException", text)


def test_a_pattern_is_tried(logs: Any, refusal: Any) -> None:
    """Numbers count from 1; what is taken out goes with each message."""
    messages = ["127.0.0.1 - 200", "x", "127.0.0.2 - 500"]
    assert logs.call("TestMetricFilter", filterPattern="[ip, user, code=5*]", logEventMessages=messages) == {
        "matches": [
            {
                "eventNumber": 3,
                "eventMessage": messages[2],
                "extractedValues": {"$ip": "127.0.0.2", "$user": "-", "$code": "500"},
            }
        ]
    }
    answer = logs.call("TestMetricFilter", filterPattern="{ $.latency > 10 }", logEventMessages=['{"latency": 50}'])
    assert answer["matches"][0]["extractedValues"] == {"$.latency": "50"}
    answer = logs.call("TestMetricFilter", filterPattern="", logEventMessages=["x", "y"])
    assert [(one["eventNumber"], one["extractedValues"]) for one in answer["matches"]] == [(1, {}), (2, {})]
    assert refusal("TestMetricFilter", filterPattern="{", logEventMessages=["x"])[0] == "InvalidParameterException"
