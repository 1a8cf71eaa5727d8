"""Metric points in the database: the `MetricStore` of the contract."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import bindparam, delete, insert, select, update

from lambent.domain.caller import Scope
from lambent.domain.metric import Distribution, Metric, MetricPoint
from lambent.store.database import AnyRow, Database, Statements
from lambent.store.tables import metric_points, metric_series

_s = metric_series.c
_p = metric_points.c

_SERIES = (_s.account, _s.region, _s.namespace, _s.name, _s.dimensions, _s.unit)
_VALUES = (_p.samples, _p.total, _p.minimum, _p.maximum, _p.bins)
_IS_POINT = (
    _p.series_id == bindparam("of_series"),
    _p.period_s == bindparam("of_period"),
    _p.at_s == bindparam("of_at"),
)
_SELECT_POINT = select(*_VALUES).where(*_IS_POINT)
_DELETE_POINT = delete(metric_points).where(*_IS_POINT)
_INSERT_POINT = insert(metric_points)
_UPDATE_LAST = (
    update(metric_series)
    .where(_s.id == bindparam("of_id"), _s.last_s < bindparam("new_last"))
    .values(last_s=bindparam("new_last"))
)

_decode_bins = msgspec.msgpack.Decoder(dict[int, float]).decode
_decode_dimensions = msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode


class MetricRepository:
    """Metric points of all scopes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, points: Sequence[MetricPoint], *, refuses_series: bool = False) -> None:
        """Store points in one commit; see the contract."""
        if points:
            async with self._database.write() as statements:
                await store_points(statements, points)

    async def read(
        self,
        scope: Scope,
        namespace: str,
        name: str,
        dimensions: tuple[tuple[str, str], ...],
        *,
        from_s: int,
        before_s: int,
        period_s: int = 60,
        with_bins: bool = True,
    ) -> Sequence[MetricPoint]:
        """Return the points of a name and an exact set of dimensions; see the contract."""
        query = (
            select(_s.unit, _p.at_s, _p.period_s, *_VALUES)
            .join_from(metric_points, metric_series, _s.id == _p.series_id)
            .where(_s.account == scope.account, _s.region == scope.region, _s.namespace == namespace, _s.name == name)
            .where(_s.dimensions == _encoded(dimensions), _p.at_s >= from_s, _p.at_s < before_s)
            .order_by(_p.at_s)
        )
        return [
            MetricPoint(Metric(scope, namespace, name, dimensions, row[0]), row[1], row[2], _distribution(row[3:]))
            for row in await self._database.rows(query)
        ]

    async def list(
        self,
        scope: Scope,
        *,
        namespace: str | None = None,
        name: str | None = None,
        since_s: int,
        after: Metric | None = None,
        limit: int,
    ) -> Sequence[Metric]:
        """Return metrics that have points since then; see the contract."""
        query = select(*_SERIES).where(_s.account == scope.account, _s.region == scope.region, _s.last_s >= since_s)
        if namespace is not None:
            query = query.where(_s.namespace == namespace)
        if name is not None:
            query = query.where(_s.name == name)
        rows = await self._database.rows(query.order_by(_s.namespace, _s.name, _s.dimensions, _s.unit))
        found = [_metric(row) for row in rows]
        start = 0 if after is None else next((place for place, one in enumerate(found, 1) if one == after), len(found))
        return found[start : start + limit]

    async def tidy(self, now_s: int) -> None:
        """See the contract."""
        async with self._database.write() as statements:
            await statements.change(delete(metric_points).where(_p.at_s < now_s - 15 * 86_400))


async def store_points(statements: Statements, points: Sequence[MetricPoint]) -> None:
    """Add points inside a transaction; see `MetricStore.add`."""
    merged: dict[tuple[Metric, int, int], Distribution] = {}
    for metric, at_s, period_s, values in points:
        if (known := merged.get((metric, at_s, period_s))) is None:
            known = merged[metric, at_s, period_s] = Distribution()
        known.merge(values)
    ids: dict[Metric, int] = {}
    for (metric, at_s, period_s), values in merged.items():
        if metric not in ids:
            ids[metric] = await _series(statements, metric)
        place = {"of_series": ids[metric], "of_period": period_s, "of_at": at_s}
        if rows := await statements.rows(_SELECT_POINT, place):
            values.merge(_distribution(rows[0]))
            await statements.change(_DELETE_POINT, place)
        row = {
            "series_id": ids[metric],
            "period_s": period_s,
            "at_s": at_s,
            "samples": values.count,
            "total": values.total,
            "minimum": values.minimum,
            "maximum": values.maximum,
            "bins": None if values.bins is None else msgspec.msgpack.encode(values.bins),
        }
        await statements.change(_INSERT_POINT, row)
        await statements.change(_UPDATE_LAST, {"of_id": ids[metric], "new_last": at_s})


async def _series(statements: Statements, metric: Metric) -> int:
    values = {
        "account": metric.scope.account,
        "region": metric.scope.region,
        "namespace": metric.namespace,
        "name": metric.name,
        "dimensions": _encoded(metric.dimensions),
        "unit": metric.unit,
    }
    rows = await statements.rows(select(_s.id).where(*(_s[name] == value for name, value in values.items())))
    return int(rows[0][0]) if rows else await statements.insert(insert(metric_series).values(**values, last_s=0))


def _encoded(dimensions: tuple[tuple[str, str], ...]) -> str:
    return msgspec.json.encode(dimensions).decode()


def _metric(row: AnyRow) -> Metric:
    return Metric(Scope(row[0], row[1]), row[2], row[3], _decode_dimensions(row[4]), row[5])


def _distribution(row: "AnyRow | tuple[object, ...]") -> Distribution:
    samples, total, minimum, maximum, bins = row
    return Distribution(samples, total, minimum, maximum, None if bins is None else _decode_bins(bins))  # type: ignore[arg-type]
