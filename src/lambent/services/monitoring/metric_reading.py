"""
GetMetricData and GetMetricStatistics: what was measured.

Documented: CloudWatch API reference, both operations; what recordings of the service show is marked.
"""

import base64
import binascii
import hashlib
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller, Scope
from lambent.domain.metric import Metric
from lambent.domain.metric_labels import parse_zone
from lambent.domain.metric_periods import is_period
from lambent.domain.metric_statistics import BASIC, InvalidStatistic, Statistic, parse_statistic
from lambent.errors.api.monitoring import InvalidNextToken, InvalidParameterValueException, ValidationException
from lambent.protocol.shapes.monitoring import GetMetricDataInput, GetMetricStatisticsInput
from lambent.services.monitoring.metric_queries import Asked, MetricQueries
from lambent.services.monitoring.metric_query import MetricStat, invalid_period, parsed_queries
from lambent.services.monitoring.metrics_named import dimensions_in
from lambent.services.monitoring.refusals import combination
from lambent.services.monitoring.settling import Settle
from lambent.services.operation import operation

POINTS_MAX = 100_800
"""Of one answer of GetMetricData."""
_STATISTICS_POINTS_MAX = 1_440


class _Token(msgspec.Struct, array_like=True):
    digest: str
    result: int
    """Which result of the request the page begins with."""
    point: int
    """Which of its points."""


class MetricReading:
    """What was measured."""

    def __init__(self, queries: MetricQueries, settle: Settle, clock: Clock) -> None:
        self._queries = queries
        self._settle = settle
        self._clock = clock

    @operation("GetMetricData")
    async def data(self, caller: Caller, request: GetMetricDataInput) -> Mapping[str, Any]:
        queries = await parsed_queries(caller.scope, request["MetricDataQueries"])
        start_s, end_s = request["StartTime"].timestamp(), request["EndTime"].timestamp()
        # Observed: emulators whose authors looked at the service.
        if start_s == end_s:
            raise ValidationException("The parameter StartTime must not equal parameter EndTime.")
        if end_s < start_s:
            raise ValidationException("The parameter EndTime must be greater than StartTime.")
        room = request.get("MaxDatapoints", POINTS_MAX)
        if not 0 < room <= POINTS_MAX:
            raise InvalidParameterValueException(
                f"The value {room} for parameter MaxDatapoints is not from 1 to {POINTS_MAX}."
            )
        zone = UTC
        if (named := (request.get("LabelOptions") or {}).get("Timezone")) is not None:
            known = parse_zone(named)
            if known is None:
                raise ValidationException(
                    f"The value {named} for parameter LabelOptions.Timezone is not of the form +0130."
                )
            zone = known
        is_ascending = request.get("ScanBy") == "TimestampAscending"
        digest = _digest(caller.scope, request)
        place = _place(request.get("NextToken"), digest)
        await self._settle()
        asked = Asked(caller.scope, start_s, end_s, self._clock.now(), zone)
        results: list[dict[str, Any]] = []
        number, skip = place.result, place.point
        token = None
        async for result in self._queries.results(queries, asked, first=place.result):
            points = list(result.series.points.items())
            if not is_ascending:
                points.reverse()
            taken = points[skip : skip + room]
            is_whole = skip + len(taken) == len(points)
            if not taken and not is_whole:
                token = _Token(digest, number, skip)
                break
            results.append(
                {
                    "Id": result.id,
                    "Label": result.label,
                    "Timestamps": [datetime.fromtimestamp(time_s, UTC) for time_s, _ in taken],
                    "Values": [value for _, value in taken],
                    "StatusCode": "Complete" if is_whole else "PartialData",
                    # Observed: only where there is something to say.
                    "Messages": list(result.messages) or None,
                }
            )
            room -= len(taken)
            if not is_whole:
                token = _Token(digest, number, skip + len(taken))
                break
            number, skip = number + 1, 0
        answer: dict[str, Any] = {"MetricDataResults": results, "Messages": []}
        if token is not None:
            answer["NextToken"] = base64.urlsafe_b64encode(msgspec.json.encode(token)).decode()
        return answer

    @operation("GetMetricStatistics")
    async def statistics(self, caller: Caller, request: GetMetricStatisticsInput) -> Mapping[str, Any]:
        period_s = request["Period"]
        if not is_period(period_s):
            raise invalid_period(period_s, "Period")
        start_s, end_s = request["StartTime"].timestamp(), request["EndTime"].timestamp()
        if start_s >= end_s:
            raise InvalidParameterValueException("The parameter StartTime must be less than the parameter EndTime.")
        basic, extended = request.get("Statistics") or [], request.get("ExtendedStatistics") or []
        if not basic and not extended:
            raise combination("Must specify either Statistics or ExtendedStatistics")
        if basic and extended:
            raise combination(
                "The parameters Statistics and ExtendedStatistics are mutually exclusive and you have specified both."
            )
        # Observed: whether there are data or not.
        points = math.ceil((end_s - start_s) / period_s)
        if points > _STATISTICS_POINTS_MAX:
            raise combination(
                f"You have requested up to {points} datapoints, which exceeds the limit of {_STATISTICS_POINTS_MAX}. "
                "You may reduce the datapoints requested by increasing Period, or decreasing the time range."
            )
        statistics = [_statistic(name, is_extended=bool(extended)) for name in (*basic, *extended)]
        metric = Metric(
            caller.scope, request["Namespace"], request["MetricName"], dimensions_in(request.get("Dimensions"))
        )
        await self._settle()
        asked = Asked(caller.scope, start_s, end_s, self._clock.now())
        stat = MetricStat(metric, period_s, statistics[0], request.get("Unit"))
        datapoints = []
        for unit, periods in (await self._queries.told(stat, statistics, asked)).items():
            for begin_s, told in periods.items():
                found = {one.name: value for one, value in zip(statistics, told, strict=True) if value is not None}
                if found:
                    datapoint = {"Timestamp": datetime.fromtimestamp(begin_s, UTC), "Unit": unit}
                    datapoints.append(datapoint | ({"ExtendedStatistics": found} if extended else found))
        return {"Label": metric.name, "Datapoints": datapoints}


def _statistic(name: str, *, is_extended: bool) -> Statistic:
    try:
        statistic = parse_statistic(name)
    except InvalidStatistic:
        statistic = None
    if statistic is None or (is_extended and name in BASIC):
        # Observed: emulators whose authors looked at the service.
        raise InvalidParameterValueException(f"The value {name} for parameter ExtendedStatistic is not supported.")
    return statistic


def _digest(scope: Scope, request: GetMetricDataInput) -> str:
    """Return what tells one request from another: a token is good for its own."""
    asked = {name: value for name, value in request.items() if name not in ("NextToken", "MaxDatapoints")}
    return hashlib.sha256(msgspec.json.encode([scope, asked], order="deterministic")).hexdigest()[:16]


def _place(token: str | None, digest: str) -> _Token:
    if token is None:
        return _Token(digest, 0, 0)
    try:
        place = msgspec.json.decode(base64.b64decode(token, altchars=b"-_", validate=True), type=_Token)
    except (binascii.Error, msgspec.DecodeError, UnicodeError, ValueError, RecursionError):
        raise InvalidNextToken("The token is invalid.") from None
    if place.digest != digest or min(place.result, place.point) < 0:
        raise InvalidNextToken("The token is invalid.")
    return place
