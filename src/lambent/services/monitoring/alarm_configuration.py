"""
What a request configures an alarm with: judged, and taken apart.

Assumed: the texts that have no source beside them (test_alarm_configuration).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.domain.alarm import (
    ALARM,
    INSUFFICIENT_DATA,
    OK,
    AlarmQuery,
    Comparison,
    Missing,
    Watch,
    WatchedMetric,
)
from lambent.domain.arn import parse_function_reference
from lambent.domain.caller import Scope
from lambent.domain.destination import parse_target
from lambent.domain.metric_statistics import InvalidStatistic, parse_statistic
from lambent.errors.api.monitoring import (
    InvalidParameterCombinationException,
    InvalidParameterValueException,
    MissingRequiredParameterException,
    ValidationException,
)
from lambent.services.monitoring.alarm_queries import check_references
from lambent.services.monitoring.metric_query import parse_queries

ACTIONS = {OK: "OKActions", ALARM: "AlarmActions", INSUFFICIENT_DATA: "InsufficientDataActions"}
"""By the value of the state that they go with."""

_DAY_S = 86_400
_HOUR_S = 3_600

_QUERIES_MAX = 20
"""Rows of an alarm that computes. Assumed: the ten metrics that AWS documents, and as many expressions."""
_QUERY_METRICS_MAX = 10
"""Documented: CloudWatch user guide, metric math alarms."""

_NOT_OFFERED = {
    "ThresholdMetricId": "anomaly detection",
    "EvaluationCriteria": "PromQL",
    "EvaluationInterval": "PromQL",
    "EvaluationWindow": "windows of evaluation",
    "WarmUpConfiguration": "warm-up periods",
    "ActionConfiguration": "tags in actions",
    "ActionsSuppressor": "suppressing actions",
    "ActionsSuppressorWaitPeriod": "suppressing actions",
    "ActionsSuppressorExtensionPeriod": "suppressing actions",
}
"""Members that would have to act, and do not in this version, with what they belong to."""

_LOW_SAMPLES = ("evaluate", "ignore")
_MISSING = ("missing", "breaching", "notBreaching", "ignore")

_TAGS_MAX = 50
"""Documented: CloudWatch API reference, PutMetricAlarm."""


def refuse_not_offered(request: Mapping[str, Any]) -> None:
    """
    Refuse members that would not act.

    Raises:
        InvalidParameterValueException: naming the first.
    """
    for member, what in _NOT_OFFERED.items():
        if request.get(member) is not None:
            raise InvalidParameterValueException(
                f"{member} is not offered by this version of Lambent: {what} may come with a later version"
            )


def actions_of(request: Mapping[str, Any], *, accept_inert: bool) -> tuple[Mapping[str, tuple[str, ...]], list[str]]:
    """
    Return the actions of a request by state, and those of them that nothing here does.

    Raises:
        ValidationException: one is no ARN.
        InvalidParameterValueException: one is no function, and not to be stored all the same.
    """
    actions: dict[str, tuple[str, ...]] = {}
    inert: list[str] = []
    for state, member in ACTIONS.items():
        given = tuple(request.get(member) or ())
        for arn in given:
            if is_function(arn):
                continue
            if not arn.startswith("arn:"):
                # Observed: field reports of the text.
                raise ValidationException(f"Invalid arn syntax: {arn}")
            if not accept_inert:
                raise InvalidParameterValueException(
                    f"{member} {arn} is not offered by this version of Lambent: alarms invoke functions"
                )
            inert.append(arn)
        if given:
            actions[state] = given
    return actions, inert


def is_function(arn: str) -> bool:
    """Say whether an action is a function, qualified or not."""
    target = parse_target(arn)
    if target is None or target.service != "lambda" or not target.resource.startswith("function:"):
        return False
    try:
        parse_function_reference(arn)
    except ValueError:
        return False
    return True


def tags_of(given: Sequence[Mapping[str, Any]], before: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """
    Return what tags an alarm has with those of a request.

    Raises:
        ValidationException: too many, or reserved.
    """
    tags = {**(before or {}), **{tag["Key"]: tag["Value"] for tag in given}}
    if any(tag["Key"].lower().startswith("aws:") for tag in given):
        raise ValidationException("aws: prefixed tag key names are not allowed for external use.")
    if len(tags) > _TAGS_MAX:
        raise ValidationException(f"An alarm has at most {_TAGS_MAX} tags.")
    return tags


def watch_of(scope: Scope, request: Mapping[str, Any]) -> Watch:
    """
    Return what a request of PutMetricAlarm watches.

    Raises:
        ApiError: members that contradict each other, are missing, or are none that CloudWatch knows.
    """
    comparison = _comparison(request)
    periods = _required(request, "EvaluationPeriods")
    needed = request.get("DatapointsToAlarm")
    if needed is not None and needed > periods:
        # Observed: field reports of the text.
        raise ValidationException("DatapointsToAlarm must be less than or equal to EvaluationPeriods")
    threshold = _required(request, "Threshold")
    if not math.isfinite(threshold):
        raise InvalidParameterValueException(f"The value {threshold} for parameter Threshold is invalid.")
    if request.get("Metrics"):
        metric, queries = None, _queries(scope, request)
        period_s = _period_of(queries)
    elif request.get("Metrics") is not None:
        raise ValidationException("The parameter Metrics must not be empty.")
    else:
        metric, queries = _metric(request), ()
        period_s = metric.period_s
    _check_span(period_s, periods)
    missing, low_samples = request.get("TreatMissingData"), request.get("EvaluateLowSampleCountPercentile")
    if missing is not None and missing not in _MISSING:
        raise ValidationException(
            f"Option {missing} is not supported. Supported options for parameter TreatMissingData are missing, "
            "breaching, notBreaching and ignore."
        )
    if low_samples is not None and low_samples not in _LOW_SAMPLES:
        # Observed: field reports of the text.
        raise ValidationException(
            f"Option {low_samples} is not supported. Supported options for parameter EvaluateLowSampleCountPercentile "
            "are evaluate and ignore."
        )
    return Watch(
        period_s,
        periods,
        threshold,
        comparison,
        metric,
        queries,
        is_extended=request.get("ExtendedStatistic") is not None,
        datapoints_to_alarm=needed,
        treat_missing=None if missing is None else Missing(missing),
        low_samples=low_samples,
    )


def _comparison(request: Mapping[str, Any]) -> Comparison:
    given = _required(request, "ComparisonOperator")
    try:
        return Comparison(given)
    except ValueError:
        raise InvalidParameterValueException(
            f"ComparisonOperator {given} is not offered by this version of Lambent: anomaly detection may come with a "
            "later version"
        ) from None


def _required(request: Mapping[str, Any], member: str) -> Any:
    value = request.get(member)
    if value is None:
        # Observed: the same of other members of the service.
        raise MissingRequiredParameterException(f"The parameter {member} is required.")
    return value


def _metric(request: Mapping[str, Any]) -> WatchedMetric:
    """Return the one metric that a request names. Source: CloudWatch API reference, PutMetricAlarm."""
    name, namespace, period_s = (_required(request, member) for member in ("MetricName", "Namespace", "Period"))
    basic, extended = request.get("Statistic"), request.get("ExtendedStatistic")
    if (basic is None) is (extended is None):
        raise InvalidParameterCombinationException(
            "Must specify either Statistic or ExtendedStatistic"
            if basic is None
            else "The parameters Statistic and ExtendedStatistic are mutually exclusive and you have specified both."
        )
    if extended is not None:
        _check_statistic(extended, "ExtendedStatistic")
    _check_period(period_s)
    return WatchedMetric(
        namespace, name, _dimensions(request.get("Dimensions")), period_s, basic or extended or "", request.get("Unit")
    )


def _queries(scope: Scope, request: Mapping[str, Any]) -> tuple[AlarmQuery, ...]:
    """Return the rows of an alarm that computes. Source: CloudWatch API reference, PutMetricAlarm, Metrics."""
    for member in ("MetricName", "Namespace", "Dimensions", "Period", "Unit", "Statistic", "ExtendedStatistic"):
        if request.get(member):
            raise InvalidParameterCombinationException(
                f"The parameters Metrics and {member} are mutually exclusive and you have specified both."
            )
    given = request["Metrics"]
    # Before they are read, which is work.
    if len(given) > _QUERIES_MAX or sum(one.get("MetricStat") is not None for one in given) > _QUERY_METRICS_MAX:
        raise ValidationException(
            f"An alarm computes with at most {_QUERY_METRICS_MAX} metrics and {_QUERIES_MAX} rows in all."
        )
    parse_queries(scope, given, "Metrics")
    queries = tuple(map(_query, given))
    if sum(query.is_returned is not False for query in queries) != 1:
        raise ValidationException("Exactly one element of the metrics list should return data.")
    check_references(queries)
    return queries


def _query(given: Mapping[str, Any]) -> AlarmQuery:
    """Return a row that `parse_queries` has found right."""
    metric, stat = None, given.get("MetricStat")
    if stat is not None:
        named = stat["Metric"]
        metric = WatchedMetric(
            named["Namespace"],
            named["MetricName"],
            _dimensions(named.get("Dimensions")),
            stat["Period"],
            stat["Stat"],
            stat.get("Unit"),
        )
    return AlarmQuery(
        given["Id"],
        metric,
        given.get("Expression"),
        given.get("Period"),
        given.get("Label"),
        given.get("ReturnData"),
        given.get("AccountId"),
    )


def _period_of(queries: Sequence[AlarmQuery]) -> int:
    """
    Return the period that all metrics of an alarm have.

    Documented: CloudWatch user guide, metric math: of an alarm they need the same.
    """
    periods = {query.metric.period_s for query in queries if query.metric is not None}
    periods |= {query.period_s for query in queries if query.period_s is not None}
    if len(periods) != 1:
        raise ValidationException(
            "Period must not be null" if not periods else "All metrics of an alarm need one Period."
        )
    _check_period(period_s := periods.pop())
    return period_s


def _check_period(period_s: int) -> None:
    if period_s not in (10, 20, 30) and period_s % 60:
        # Observed: field reports of the text.
        raise ValidationException("The period must be 10, 20, 30, or a multiple of 60")


def _check_span(period_s: int, periods: int) -> None:
    most_s, words = (7 * _DAY_S, "seven days") if period_s >= _HOUR_S else (_DAY_S, "a day")
    if period_s * periods > most_s:
        # Observed: field reports of the text for a day.
        raise ValidationException(
            f"Metrics cannot be checked across more than {words} (EvaluationPeriods * Period must be <= {most_s})."
        )


def _check_statistic(text: str, member: str) -> None:
    try:
        parse_statistic(text)
    except InvalidStatistic:
        # Observed: field reports of the text.
        raise InvalidParameterValueException(f"The value {text} for parameter {member} is not supported.") from None


def _dimensions(given: Sequence[Mapping[str, str]] | None) -> tuple[tuple[str, str], ...]:
    dimensions = tuple((one["Name"], one["Value"]) for one in given or ())
    if len({name for name, _ in dimensions}) != len(dimensions):
        raise InvalidParameterValueException("A dimension has one value.")
    return dimensions
