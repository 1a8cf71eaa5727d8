"""What alarms may be configured with."""

from collections.abc import Mapping
from typing import Any

import pytest
from unit.services.monitoring.alarm_bench import FUNCTION, PLAIN, SCOPE

from lambent.domain.alarm import ALARM, OK, AlarmQuery, Comparison, Missing, WatchedMetric
from lambent.errors.families import ApiError
from lambent.services.monitoring.alarm_configuration import (
    actions_of,
    is_function,
    refuse_not_offered,
    tags_of,
    watch_of,
)

STAT: Mapping[str, Any] = {
    "Metric": {"Namespace": "Shop", "MetricName": "Latency"},
    "Period": 60,
    "Stat": "Maximum",
}
COMPUTED = {name: PLAIN[name] for name in ("EvaluationPeriods", "Threshold", "ComparisonOperator")}


def request(**changes: Any) -> Mapping[str, Any]:
    return {name: value for name, value in {**PLAIN, **changes}.items() if value is not None}


def computing(*rows: Mapping[str, Any], **changes: Any) -> Mapping[str, Any]:
    return {**COMPUTED, "Metrics": rows, **changes}


def refusal(asked: Mapping[str, Any]) -> tuple[str, str]:
    with pytest.raises(ApiError) as refused:
        watch_of(SCOPE, asked)
    return type(refused.value).__name__, refused.value.message


def test_what_is_watched() -> None:
    """One metric, with all that may be said of it."""
    watch = watch_of(
        SCOPE,
        request(
            Statistic=None,
            ExtendedStatistic="TM(10%:90%)",
            Dimensions=[{"Name": "b", "Value": "1"}, {"Name": "a", "Value": "2"}],
            Unit="Seconds",
            EvaluationPeriods=3,
            DatapointsToAlarm=2,
            TreatMissingData="breaching",
            EvaluateLowSampleCountPercentile="ignore",
        ),
    )
    assert watch.metric == WatchedMetric("Shop", "Latency", (("b", "1"), ("a", "2")), 60, "TM(10%:90%)", "Seconds")
    assert (watch.evaluation_periods, watch.breaches_needed, watch.threshold) == (3, 2, 21.0)
    assert (watch.comparison, watch.missing, watch.low_samples) == (Comparison.ABOVE, Missing.BREACHING, "ignore")
    assert watch.is_extended
    assert watch_of(SCOPE, request()).breaches_needed == 1


def test_what_is_computed() -> None:
    """Rows as they were given; the period is that of the metrics."""
    watch = watch_of(
        SCOPE,
        computing(
            {"Id": "e", "Expression": "m / 2", "Label": "half", "ReturnData": True},
            {"Id": "m", "MetricStat": {**STAT, "Unit": "Bytes"}, "ReturnData": False, "AccountId": SCOPE.account},
        ),
    )
    assert watch.queries == (
        AlarmQuery("e", expression="m / 2", label="half", is_returned=True),
        AlarmQuery(
            "m",
            WatchedMetric("Shop", "Latency", (), 60, "Maximum", "Bytes"),
            is_returned=False,
            account=SCOPE.account,
        ),
    )
    assert (watch.period_s, watch.metric) == (60, None)
    assert watch_of(SCOPE, computing({"Id": "e", "Expression": "TIME_SERIES(1)", "Period": 300})).period_s == 300


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"MetricName": None}, "MissingRequiredParameterException", "The parameter MetricName is required."),
        ({"Namespace": None}, "MissingRequiredParameterException", "The parameter Namespace is required."),
        ({"Period": None}, "MissingRequiredParameterException", "The parameter Period is required."),
        ({"Threshold": None}, "MissingRequiredParameterException", "The parameter Threshold is required."),
        ({"ComparisonOperator": None}, "MissingRequiredParameterException", "The parameter ComparisonOperator is"),
        ({"EvaluationPeriods": None}, "MissingRequiredParameterException", "The parameter EvaluationPeriods is"),
        ({"Statistic": None}, "InvalidParameterCombinationException", "Must specify either Statistic or"),
        ({"ExtendedStatistic": "p9"}, "InvalidParameterCombinationException", "The parameters Statistic and Extended"),
        (
            {"Statistic": None, "ExtendedStatistic": "p101"},
            "InvalidParameterValueException",
            "The value p101 for parameter ExtendedStatistic is not supported.",
        ),
        ({"Period": 15}, "ValidationException", "The period must be 10, 20, 30, or a multiple of 60"),
        ({"Period": 1}, "ValidationException", "The period must be 10, 20, 30, or a multiple of 60"),
        (
            {"DatapointsToAlarm": 2},
            "ValidationException",
            "DatapointsToAlarm must be less than or equal to EvaluationPeriods",
        ),
        ({"EvaluationPeriods": 1_441}, "ValidationException", "Metrics cannot be checked across more than a day"),
        (
            {"Period": 3_600, "EvaluationPeriods": 169},
            "ValidationException",
            "Metrics cannot be checked across more than seven days",
        ),
        ({"Threshold": float("nan")}, "InvalidParameterValueException", "The value nan for parameter Threshold"),
        (
            {"TreatMissingData": "x"},
            "ValidationException",
            "Option x is not supported. Supported options for parameter",
        ),
        (
            {"EvaluateLowSampleCountPercentile": "x"},
            "ValidationException",
            "Option x is not supported. Supported options for parameter EvaluateLowSampleCountPercentile are evaluate "
            "and ignore.",
        ),
        (
            {"ComparisonOperator": "GreaterThanUpperThreshold"},
            "InvalidParameterValueException",
            "ComparisonOperator GreaterThanUpperThreshold is not offered by this version of Lambent",
        ),
        (
            {"Dimensions": [{"Name": "a", "Value": "1"}, {"Name": "a", "Value": "2"}]},
            "InvalidParameterValueException",
            "A dimension has one value.",
        ),
        ({"Metrics": []}, "ValidationException", "The parameter Metrics must not be empty."),
        ({"Metrics": [{"Id": "m"}]}, "InvalidParameterCombinationException", "The parameters Metrics and MetricName"),
    ],
)
def test_what_is_refused(changes: Mapping[str, Any], error: str, text: str) -> None:
    """Each with its own error."""
    found = refusal(request(**changes))
    assert (found[0], found[1][: len(text)]) == (error, text)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([{"Id": "m", "MetricStat": STAT}, {"Id": "n", "MetricStat": STAT}], "Exactly one element of the metrics"),
        ([{"Id": "m", "MetricStat": STAT, "ReturnData": False}], "At least one query of the request must have"),
        ([{"Id": "e", "Expression": "1 + 1"}], "Period must not be null"),
        (
            [{"Id": "e", "Expression": "m", "Period": 300}, {"Id": "m", "MetricStat": STAT, "ReturnData": False}],
            "All metrics of an alarm need one Period.",
        ),
        ([{"Id": "m", "MetricStat": {**STAT, "Period": 5}}], "The period must be 10, 20, 30, or a multiple of 60"),
        ([{"Id": "e", "Expression": "e"}], "Error in expression 'e': it refers to itself"),
        (
            [
                {"Id": "e", "Expression": "SUM(METRICS())"},
                *({"Id": f"m{number}", "MetricStat": STAT, "ReturnData": False} for number in range(11)),
            ],
            "An alarm computes with at most 10 metrics and 20 rows in all.",
        ),
    ],
)
def test_what_is_refused_of_alarms_that_compute(rows: list[Mapping[str, Any]], text: str) -> None:
    """Beyond what GetMetricData refuses as well."""
    assert refusal(computing(*rows))[1].startswith(text)


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        (FUNCTION, True),
        (f"{FUNCTION}:1", True),
        (f"{FUNCTION}:live", True),
        ("arn:aws:lambda:eu-west-1:111122223333:layer:x", False),
        ("arn:aws:lambda:eu-west-1:111122223333:function:a:b:c", False),
        ("arn:aws:sns:eu-west-1:111122223333:topic", False),
        ("mend", False),
    ],
)
def test_functions(arn: str, expected: bool) -> None:
    """Unqualified, a version, or an alias."""
    assert is_function(arn) is expected


def test_actions() -> None:
    """Functions act; what does not is refused, or stored where that is asked for."""
    topic = "arn:aws:sns:eu-west-1:111122223333:topic"
    asked = {"AlarmActions": [FUNCTION, topic], "OKActions": [FUNCTION], "InsufficientDataActions": []}
    with pytest.raises(ApiError, match="alarms invoke functions"):
        actions_of(asked, accept_inert=False)
    assert actions_of(asked, accept_inert=True) == ({OK: (FUNCTION,), ALARM: (FUNCTION, topic)}, [topic])
    with pytest.raises(ApiError, match="Invalid arn syntax: mend"):
        actions_of({"OKActions": ["mend"]}, accept_inert=True)


def test_tags() -> None:
    """Fifty at most, none of AWS's own."""
    fifty = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
    assert len(tags_of(fifty)) == 50
    assert tags_of([{"Key": "a", "Value": "2"}], {"a": "1", "b": "1"}) == {"a": "2", "b": "1"}
    with pytest.raises(ApiError, match="at most 50 tags"):
        tags_of(fifty, {"one": "more"})
    with pytest.raises(ApiError, match="aws: prefixed"):
        tags_of([{"Key": "AWS:x", "Value": ""}])


@pytest.mark.parametrize("member", ["ThresholdMetricId", "EvaluationCriteria", "ActionsSuppressor"])
def test_members_that_would_not_act(member: str) -> None:
    """Are refused by name."""
    with pytest.raises(ApiError, match=f"{member} is not offered by this version of Lambent"):
        refuse_not_offered({member: "x"})
    refuse_not_offered({"AlarmName": "x"})
