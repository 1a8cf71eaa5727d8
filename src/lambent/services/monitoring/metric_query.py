"""
Queries as requests have them: read from the store, or an expression of other queries; what breaks a rule is refused.

What comes of them is `metric_queries`.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.metric import Metric
from lambent.domain.metric_expression import InvalidExpression, Node, Reference, parse_expression, walk
from lambent.domain.metric_periods import is_period
from lambent.domain.metric_statistics import InvalidStatistic, Statistic, parse_statistic
from lambent.errors.api.monitoring import InvalidParameterValueException, ValidationException
from lambent.services.monitoring.metrics_named import dimensions_in

QUERIES_MAX = 500
"""Documented: CloudWatch API reference, GetMetricData."""

EXPRESSIONS_CHARS_MAX = 131_072
"""Of all expressions of one request. Assumed: a second of reading them (test_metric_query)."""

_INLINE_CHARS_MAX = 2_048
"""Of expressions that are read on the event loop: some milliseconds. Assumed."""

_ID = re.compile(r"[a-z][A-Za-z0-9_]*")
_SQL = re.compile(r"\s*SELECT\s", re.IGNORECASE)


class MetricQuery(msgspec.Struct, frozen=True):
    """One query."""

    id: str
    label: str | None
    is_returned: bool
    period_s: int | None
    """Of an expression that has none by its metrics."""
    stat: "MetricStat | None" = None
    expression: Node | None = None


class MetricStat(msgspec.Struct, frozen=True):
    """What is read from the store."""

    metric: Metric
    """Its unit says nothing."""
    period_s: int
    statistic: Statistic
    unit: str | None = None


async def parsed_queries(
    scope: Scope, given: Sequence[Mapping[str, Any]], name: str = "MetricDataQueries"
) -> list[MetricQuery]:
    """Read the queries of a request as `parse_queries` does, in a thread where that takes a while."""
    if sum(len(one.get("Expression") or "") for one in given) > _INLINE_CHARS_MAX:
        return await asyncio.to_thread(parse_queries, scope, given, name)
    return parse_queries(scope, given, name)


def parse_queries(
    scope: Scope, given: Sequence[Mapping[str, Any]], name: str = "MetricDataQueries"
) -> list[MetricQuery]:
    """
    Read the queries of a request.

    Args:
        name: of the parameter, for texts.

    Raises:
        ValidationException: they break a rule.
    """
    if len(given) > QUERIES_MAX:
        raise ValidationException(f"The collection {name} must not have a size greater than {QUERIES_MAX}.")
    if sum(len(one.get("Expression") or "") for one in given) > EXPRESSIONS_CHARS_MAX:
        raise ValidationException(f"The expressions of {name} have more than {EXPRESSIONS_CHARS_MAX} characters.")
    queries = [_query(scope, one, f"{name}.member.{number}") for number, one in enumerate(given, 1)]
    ids = [query.id for query in queries]
    if len(set(ids)) < len(ids):
        raise ValidationException(f"The values for parameter id in {name} are not unique.")
    known = set(ids)
    for query in queries:
        if query.expression is not None:
            for node in walk(query.expression):
                if isinstance(node, Reference) and node.id not in known:
                    raise refused(query, f"Unknown id: {node.id}")
    if queries and not any(query.is_returned for query in queries):
        raise ValidationException("At least one query of the request must have ReturnData set to true.")
    return queries


def _query(scope: Scope, given: Mapping[str, Any], path: str) -> MetricQuery:
    if _ID.fullmatch(given["Id"]) is None:
        raise ValidationException(
            f"The value {given['Id']} for parameter {path}.Id is not matching the expected pattern."
        )
    owner = given.get("AccountId")
    if owner is not None and owner != scope.account:
        raise ValidationException(
            f"The parameter {path}.AccountId names an account that shares no metrics with this one."
        )
    period_s = given.get("Period")
    if period_s is not None and not is_period(period_s):
        raise invalid_period(period_s, f"{path}.Period")
    written, stat = given.get("Expression"), given.get("MetricStat")
    if (written is None) == (stat is None):
        if written is None:
            # Observed: field reports, with the line's end.
            raise ValidationException(f"The parameter {path}.MetricStat is required.\n")
        raise ValidationException(f"The parameters {path}.Expression and {path}.MetricStat are mutually exclusive.")
    query = MetricQuery(given["Id"], given.get("Label"), given.get("ReturnData", True), period_s)
    if stat is not None:
        return msgspec.structs.replace(query, stat=_stat(scope, stat, f"{path}.MetricStat"))
    assert written is not None
    if _SQL.match(written):
        raise refused(query, "Metrics Insights queries (SELECT ...) are not offered by this version of Lambent")
    try:
        return msgspec.structs.replace(query, expression=parse_expression(written))
    except InvalidExpression as invalid:
        raise refused(query, str(invalid)) from None


def _stat(scope: Scope, given: Mapping[str, Any], path: str) -> MetricStat:
    metric, period_s = given["Metric"], given["Period"]
    for member in ("Namespace", "MetricName"):
        if metric.get(member) is None:
            raise ValidationException(f"The parameter {path}.Metric.{member} is required.\n")
    if not is_period(period_s):
        raise invalid_period(period_s, f"{path}.Period")
    try:
        statistic = parse_statistic(given["Stat"])
    except InvalidStatistic:
        raise ValidationException(f"The value {given['Stat']} for parameter {path}.Stat is not supported.") from None
    named = Metric(scope, metric["Namespace"], metric["MetricName"], dimensions_in(metric.get("Dimensions")))
    return MetricStat(named, period_s, statistic, given.get("Unit"))


def invalid_period(period_s: int, path: str) -> InvalidParameterValueException:
    """Assumed: the text (test_metric_query)."""
    return InvalidParameterValueException(
        f"The value {period_s} for parameter {path} must be 1, 5, 10, 20, 30 or a multiple of 60."
    )


def refused(query: MetricQuery, reason: str) -> ValidationException:
    """Assumed: the words before the reason (test_metric_query)."""
    return ValidationException(f"Error in expression '{query.id}': {reason}")
