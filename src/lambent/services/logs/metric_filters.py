"""Metric filters: what becomes a figure of the events of a group; and patterns tried on messages."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.domain.caller import Caller
from lambent.domain.filter_pattern import FilterPattern, InvalidPattern
from lambent.domain.log_filter import DIMENSIONS_MAX, METRIC_FILTERS_MAX, MetricFilter
from lambent.errors.api.logs import InvalidParameterException, ResourceNotFoundException
from lambent.protocol.shapes.logs import (
    DeleteMetricFilterRequest,
    DescribeMetricFiltersRequest,
    PutMetricFilterRequest,
    TestMetricFilterRequest,
)
from lambent.services.logs.filters import FilterAccess, parsed, refuse_what_is_not_offered
from lambent.services.logs.naming import group_missing
from lambent.services.operation import operation
from lambent.telemetry.log_filters import number

_INVALID = "Invalid metric filter pattern"
"""Observed: field reports of the text."""


class MetricFilters:
    """The metric filters of groups."""

    def __init__(self, access: FilterAccess) -> None:
        self._access = access

    @operation("PutMetricFilter")
    async def put(self, caller: Caller, request: PutMetricFilterRequest) -> Mapping[str, Any]:
        pattern = parsed(request["filterPattern"], _INVALID)
        refuse_what_is_not_offered(
            request, ("applyOnTransformedLogs", "fieldSelectionCriteria", "emitSystemFieldDimensions")
        )
        (transformation,) = request["metricTransformations"]
        _check_transformation(transformation, pattern)
        made = MetricFilter(
            scope=caller.scope,
            group=request["logGroupName"],
            name=request["filterName"],
            created_ms=int(self._access.now() * 1000),
            pattern=request["filterPattern"],
            metric=transformation["metricName"],
            namespace=transformation["metricNamespace"],
            value=transformation["metricValue"],
            default=transformation.get("defaultValue"),
            dimensions=tuple(sorted(transformation.get("dimensions", {}).items())),
            unit=transformation.get("unit", "None"),
        )
        await self._access.put(made, METRIC_FILTERS_MAX)
        return {}

    @operation("DeleteMetricFilter")
    async def delete(self, caller: Caller, request: DeleteMetricFilterRequest) -> Mapping[str, Any]:
        await self._access.fold()
        deleted = await self._access.filters.delete(
            MetricFilter, caller.scope, request["logGroupName"], request["filterName"]
        )
        if deleted is None:
            raise group_missing()
        if not deleted:
            # Assumed: the text, after that of subscription filters (test_metric_filters).
            raise ResourceNotFoundException("The specified metric filter does not exist.")
        self._access.changed()
        return {}

    @operation("DescribeMetricFilters")
    async def describe(self, caller: Caller, request: DescribeMetricFiltersRequest) -> Mapping[str, Any]:
        metric, namespace = request.get("metricName"), request.get("metricNamespace")
        if (metric is None) != (namespace is None):
            # Documented: each needs the other. Assumed: the text (test_metric_filters).
            raise InvalidParameterException("metricName and metricNamespace must be specified together.")

        def is_wanted(one: MetricFilter) -> bool:
            return metric is None or (one.metric == metric and one.namespace == namespace)

        found, token = await self._access.page(MetricFilter, caller, request, is_wanted)
        answer: dict[str, Any] = {"metricFilters": [_described(one) for one in found]}
        if token is not None:
            answer["nextToken"] = token
        return answer

    @operation("TestMetricFilter")
    async def test(self, caller: Caller, request: TestMetricFilterRequest) -> Mapping[str, Any]:
        pattern = parsed(request["filterPattern"], _INVALID)
        # In a thread: a regular expression may take its time.
        return {"matches": await asyncio.to_thread(_matches, pattern, request["logEventMessages"])}


def _matches(pattern: FilterPattern, messages: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    return [
        {"eventNumber": place, "eventMessage": message, "extractedValues": dict(values)}
        for place, message in enumerate(messages, 1)
        if (values := pattern.extract(message)) is not None
    ]


def _check_transformation(transformation: Mapping[str, Any], pattern: FilterPattern) -> None:
    """
    Refuse what would give no figures, or others than it says.

    Raises:
        InvalidParameterException: Observed: field reports of the texts, unless a line says otherwise.
    """
    dimensions: Mapping[str, str] = transformation.get("dimensions", {})
    if dimensions and "defaultValue" in transformation:
        raise _invalid("dimensions and default value are mutually exclusive properties")
    # Documented: PutMetricFilter. Assumed: the text (test_metric_filters).
    if len(dimensions) > DIMENSIONS_MAX:
        raise _invalid(f"at most {DIMENSIONS_MAX} dimensions are allowed")
    if not transformation["metricName"] or not transformation["metricNamespace"]:
        # Assumed: names are not empty in PutMetricData either; so the text (test_metric_filters).
        raise _invalid("metric name and metric namespace must not be empty")
    if transformation["metricNamespace"].startswith("AWS/"):
        # Assumed: as in PutMetricData, which keeps these for AWS's own figures (test_metric_filters).
        raise _invalid("metric namespaces that begin with AWS/ are reserved")
    for name, reference in dimensions.items():
        if not name or not _is_reference(reference, pattern):
            raise _invalid("dimension value must be valid selector")
    value = transformation["metricValue"]
    if number(value) is None and not _is_reference(value, pattern):
        raise _invalid(f"metric value {value} must be a valid number")


def _is_reference(text: str, pattern: FilterPattern) -> bool:
    try:
        pattern.reader([text])
    except InvalidPattern:
        return False
    return True


def _invalid(reason: str) -> InvalidParameterException:
    return InvalidParameterException(f"Invalid metric transformation: {reason}")


def _described(one: MetricFilter) -> dict[str, Any]:
    transformation: dict[str, Any] = {
        "metricName": one.metric,
        "metricNamespace": one.namespace,
        "metricValue": one.value,
        "unit": one.unit,
    }
    if one.default is not None:
        transformation["defaultValue"] = one.default
    if one.dimensions:
        transformation["dimensions"] = dict(one.dimensions)
    return {
        "filterName": one.name,
        "filterPattern": one.pattern,
        "metricTransformations": [transformation],
        "creationTime": one.created_ms,
        "logGroupName": one.group,
        "applyOnTransformedLogs": False,
    }
