"""
PutMetricData: values that clients have measured. They are on disk before the answer.

Documented: CloudWatch API reference, PutMetricData and MetricDatum.
"""

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.metric import Distribution, Metric, MetricPoint
from lambent.errors.api.monitoring import InvalidParameterValueException, LimitExceededFault
from lambent.protocol.shapes.monitoring import PutMetricDataInput
from lambent.services.monitoring.metrics_named import dimensions_in
from lambent.services.monitoring.refusals import combination, invalid_value, missing
from lambent.services.operation import operation
from lambent.store.metrics_contract import MetricStore, TooManySeries

_DATA_MAX = 1_000
_VALUES_MAX = 150
_DIMENSIONS_MAX = 30
_ENTITIES_MAX = 2
_LARGEST = 2.0**360
_OLDEST_S = 14 * 86_400
_NEWEST_S = 2 * 3_600
_INLINE_MAX = 50
"""Data of one request that are looked at on the event loop. Assumed: some tenths of a millisecond."""

_NAMESPACE = re.compile(r"[A-Za-z0-9._\-/#: ]{1,255}")
_ASCII = re.compile(r"[\x20-\x7e]+")


class MetricData:
    """What clients measure."""

    def __init__(self, store: MetricStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("PutMetricData")
    async def put(self, caller: Caller, request: PutMetricDataInput) -> Mapping[str, Any]:
        namespace = request["Namespace"]
        # Documented: names that begin with AWS/ are those of services.
        if _NAMESPACE.fullmatch(namespace) is None or namespace.startswith("AWS/"):
            raise invalid_value(namespace, "Namespace")
        data = list(_numbered(request))
        if not data:
            raise missing("MetricData")
        now = self._clock.now()
        if len(data) > _INLINE_MAX:
            points = await asyncio.to_thread(_points, caller, namespace, data, now)
        else:
            points = _points(caller, namespace, data, now)
        try:
            await self._store.add(points, refuses_series=True)
        except TooManySeries as full:
            raise LimitExceededFault(str(full)) from None
        return {}


def _numbered(request: PutMetricDataInput) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """Return the data of a request with what errors call each. Entities say whose they are, and are not kept."""
    groups: list[tuple[str, Sequence[Mapping[str, Any]]]] = [("MetricData", request.get("MetricData") or [])]
    entities = request.get("EntityMetricData") or []
    if len(entities) > _ENTITIES_MAX:
        raise _too_many("EntityMetricData", _ENTITIES_MAX)
    for number, entity in enumerate(entities, 1):
        groups.append((f"EntityMetricData.member.{number}.MetricData", entity.get("MetricData") or []))
    if sum(len(data) for _, data in groups) > _DATA_MAX:
        raise _too_many("MetricData", _DATA_MAX)
    # Observed: this spelling in all three protocols.
    return [(f"{name}.member.{number}", datum) for name, data in groups for number, datum in enumerate(data, 1)]


def _too_many(name: str, most: int) -> InvalidParameterValueException:
    """Observed: field reports, when the limit was 20."""
    return InvalidParameterValueException(f"The collection {name} must not have a size greater than {most}.")


def _points(
    caller: Caller, namespace: str, data: Sequence[tuple[str, Mapping[str, Any]]], now: float
) -> list[MetricPoint]:
    """Return what is to be stored. One bad entry refuses them all."""
    points = []
    for path, datum in data:
        name = datum["MetricName"]
        if _ASCII.fullmatch(name) is None:
            raise invalid_value(name, f"{path}.MetricName")
        dimensions = _dimensions(datum, path)
        resolution_s = datum.get("StorageResolution", 60)
        if resolution_s not in (1, 60):
            raise invalid_value(resolution_s, f"{path}.StorageResolution")
        time_s = _time(datum.get("Timestamp"), path, now)
        values = _distribution(datum, path)
        if values is not None:
            metric = Metric(caller.scope, namespace, name, dimensions, datum.get("Unit", "None"))
            points.append(MetricPoint(metric, int(time_s // resolution_s) * resolution_s, resolution_s, values))
    return points


def _dimensions(datum: Mapping[str, Any], path: str) -> tuple[tuple[str, str], ...]:
    dimensions = dimensions_in(datum.get("Dimensions"))
    if len({name for name, _ in dimensions}) < len(dimensions):
        # Assumed: a set of dimensions has each name once (test_metric_data).
        raise InvalidParameterValueException(f"The parameter {path}.Dimensions has a name twice.")
    for name, value in dimensions:
        if _ASCII.fullmatch(name) is None or name.startswith(":"):
            raise invalid_value(name, f"{path}.Dimensions.member.Name")
        if _ASCII.fullmatch(value) is None or not value.strip():
            raise invalid_value(value, f"{path}.Dimensions.member.Value")
    return dimensions


def _time(moment: datetime | None, path: str, now: float) -> float:
    if moment is None:
        return now
    time_s = moment.timestamp()
    # Observed: field reports of both texts.
    if time_s < now - _OLDEST_S:
        raise InvalidParameterValueException(
            f"The parameter {path}.Timestamp must specify a time no more than two weeks in the past."
        )
    if time_s > now + _NEWEST_S:
        raise InvalidParameterValueException(
            f"The parameter {path}.Timestamp must specify a time no more than two hours in the future."
        )
    return time_s


def _distribution(datum: Mapping[str, Any], path: str) -> Distribution | None:
    """Return what was measured; None where all counts are 0."""
    given = [name for name in ("Value", "Values", "StatisticValues") if datum.get(name) is not None]
    if not given:
        raise combination(
            f"At least one of the parameters {path}.Value, {path}.Values and {path}.StatisticValues must be specified."
        )
    if len(given) > 1:
        # Observed: recordings of the service.
        first, second = (f"{path}.{name}" for name in given[:2])
        raise combination(f"The parameters {first} and {second} are mutually exclusive and you have specified both.")
    values = Distribution()
    if given == ["Value"]:
        values.add(_checked(datum["Value"], f"{path}.Value"))
        return values
    if given == ["StatisticValues"]:
        return _statistic_set(datum["StatisticValues"], f"{path}.StatisticValues")
    numbers = datum["Values"]
    counts = datum.get("Counts")
    if not 0 < len(numbers) <= _VALUES_MAX:
        raise _too_many(f"{path}.Values", _VALUES_MAX) if numbers else missing(f"{path}.Values")
    if counts is None:
        counts = [1.0] * len(numbers)
    if len(counts) != len(numbers):
        raise InvalidParameterValueException(
            f"The parameters {path}.Values and {path}.Counts must be of the same size."
        )
    for number, (value, count) in enumerate(zip(numbers, counts, strict=True), 1):
        _checked(value, f"{path}.Values.member.{number}")
        if _checked(count, f"{path}.Counts.member.{number}") < 0:
            raise invalid_value(count, f"{path}.Counts.member.{number}")
        if count:
            values.add(value, count)
    return values if values.count else None


def _statistic_set(given: Mapping[str, float], path: str) -> Distribution | None:
    count, total, least, most = (
        _checked(given[name], f"{path}.{name}") for name in ("SampleCount", "Sum", "Minimum", "Maximum")
    )
    if count < 0:
        raise invalid_value(count, f"{path}.SampleCount")
    if least > most:
        raise combination(f"The parameter {path}.Minimum must not be greater than {path}.Maximum.")
    return Distribution.of_set(count, total, least, most) if count else None


def _checked(value: float, path: str) -> float:
    """Refuse what is no number, and what is too large. Documented: CloudWatch API reference, MetricDatum."""
    if not math.isfinite(value) or abs(value) > _LARGEST:
        shown = "NaN" if math.isnan(value) else value
        raise invalid_value(shown, path)
    return value
