"""
Metric points in the database: the `MetricStore` of the contract.

What comes in is a row for each series and minute. `tidy` packs rows of some hours into blocks, one for each resolution
(`metric_blocks`), and drops what is too old. Whoever reads takes blocks and rows together.
"""

import asyncio
import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Exists, Select, bindparam, delete, func, insert, or_, select, tuple_, update

from lambent.domain.caller import Scope
from lambent.domain.metric import Distribution, Metric, MetricPoint
from lambent.domain.metric_periods import KEPT_S, MINUTE_S, begin_of, source_of
from lambent.store.database import AnyRow, Database, Statements
from lambent.store.metric_blocks import SPANS_S, Point, pack, pack_bins, unpack, unpack_bins
from lambent.store.metrics_contract import SERIES_MAX, SERIES_OF_ACCOUNT_MAX, SERIES_OF_SERVICES, TooManySeries
from lambent.store.prepared import Prepared, padded
from lambent.store.tables import metric_blocks, metric_points, metric_series

PACKED_EVERY_S: Final = 4 * 3_600
"""How much time a series' rows span before they are packed: each block is written anew for them."""

_SETTLED_S: Final = 600
"""How old points are before they are packed, so that stragglers of a minute ago find their rows."""

_SILENT_S: Final = 14 * 86_400
"""Metrics without data for so long are not listed any more, and are the first to go when there are too many."""

_DROPPED_AT_ONCE: Final = 200
"""Blocks or series that are dropped in one commit: a few milliseconds."""

_AT_ONCE: Final = 256
"""Items in one list of a statement."""

_s = metric_series.c
_p = metric_points.c
_b = metric_blocks.c

_SERIES = (_s.account, _s.region, _s.namespace, _s.name, _s.dimensions, _s.unit)
_ORDER = (_s.namespace, _s.name, _s.dimensions, _s.unit)
_VALUES = (_p.samples, _p.total, _p.minimum, _p.maximum, _p.bins)


@cache
def _find_series(length: int) -> Select[bytes, int, int]:
    """Return the query for as many series by their keys. Lengths are few, see `padded`."""
    keys: list[Any] = [bindparam(f"key_{number}") for number in range(length)]
    return select(_s.key, _s.id, _s.last_s).where(_s.key.in_(keys))


@cache
def _find_points(length: int) -> Select[*tuple[Any, ...]]:
    """Return the query for the points of as many series at one time."""
    ids: list[Any] = [bindparam(f"id_{number}") for number in range(length)]
    return select(_p.series_id, *_VALUES).where(
        _p.period_s == bindparam("of_period"), _p.at_s == bindparam("of_at"), _p.series_id.in_(ids)
    )


_INSERT_SERIES = insert(metric_series)
_INSERT_POINT = insert(metric_points)
_UPDATE_POINT = (
    update(metric_points)
    .where(_p.series_id == bindparam("of_series"), _p.period_s == bindparam("of_period"), _p.at_s == bindparam("of_at"))
    .values(
        samples=bindparam("new_samples"),
        total=bindparam("new_total"),
        minimum=bindparam("new_minimum"),
        maximum=bindparam("new_maximum"),
        bins=bindparam("new_bins"),
    )
)
_UPDATE_LAST = (
    update(metric_series)
    .where(_s.id == bindparam("of_id"), _s.last_s < bindparam("new_last"))
    .values(last_s=bindparam("new_last"))
)

_decode_dimensions = msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode

_log = logging.getLogger("lambent.store")


class _Add(NamedTuple):
    """A call of `add`."""

    points: Sequence[MetricPoint]
    refuses_series: bool
    stored: "asyncio.Future[None]"


class MetricRepository:
    """Metric points of all scopes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Add] = []
        """Calls that the next commit will be of."""
        self._adding: asyncio.Task[None] | None = None
        self._packed_id = 0
        """The series that `tidy` has looked at last."""

    async def add(self, points: Sequence[MetricPoint], *, refuses_series: bool = False) -> None:
        """Store points in one commit, which calls that come meanwhile share; see the contract."""
        if not points:
            return
        call = _Add(points, refuses_series, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if self._adding is None or self._adding.done():
            self._adding = asyncio.get_running_loop().create_task(self._add_waiting(), name="metrics.add")
        await call.stored

    async def _add_waiting(self) -> None:
        """Store what waits, and what has come to wait when that is done."""
        while self._waiting:
            calls, self._waiting = self._waiting, []
            try:
                refusals = await self._database.apply(partial(_store_calls, calls))
            except BaseException as error:
                for call in calls:
                    if not call.stored.done():
                        if isinstance(error, Exception):
                            call.stored.set_exception(error)
                        else:
                            call.stored.cancel()
                if not isinstance(error, Exception):
                    raise
            else:
                for call, refusal in zip(calls, refusals, strict=True):
                    # Done already: whoever called does not wait any more.
                    if not call.stored.done():
                        if refusal is None:
                            call.stored.set_result(None)
                        else:
                            call.stored.set_exception(refusal)

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
        find = select(_s.id, _s.unit).where(
            _s.account == scope.account,
            _s.region == scope.region,
            _s.namespace == namespace,
            _s.name == name,
            _s.dimensions == _encoded(dimensions),
        )

        def work(connection: Connection) -> list[MetricPoint]:
            found: list[MetricPoint] = []
            for series_id, unit in connection.execute(find).all():
                metric = Metric(scope, namespace, name, dimensions, unit)
                reader = _Reader(connection, series_id, from_s, before_s, with_bins=with_bins)
                found += [MetricPoint(metric, *one) for one in reader.points(period_s)]
            found.sort(key=attrgetter("at_s"))
            return found

        return await self._database.look(work)

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
        if after is not None:
            place = (after.namespace, after.name, _encoded(after.dimensions), after.unit)
            query = query.where(tuple_(*_ORDER) > tuple_(*place))
        query = query.order_by(*_ORDER).limit(limit)
        # On the reader's thread: there may be a hundred thousand.
        return await self._database.look(lambda connection: [_metric(row) for row in connection.execute(query)])

    async def tidy(self, now_s: int) -> bool:
        """See the contract."""
        before_s = begin_of(now_s - _SETTLED_S, PACKED_EVERY_S)
        packed = await self._database.look(lambda connection: _next_packed(connection, self._packed_id, before_s))
        if packed is None:
            self._packed_id = 0
            return await self._database.apply(lambda connection: _drop(connection, now_s))
        self._packed_id = packed.series_id
        # The heavy part is over: what was packed is written if it is still what there is.
        await self._database.apply(packed.write)
        return True


async def store_points(statements: Statements, points: Sequence[MetricPoint]) -> None:
    """Add points inside a transaction; see `MetricStore.add`."""
    if points:
        await statements.run(lambda connection: _store(Prepared(connection), points, refuses_series=False))


# --- adding ----------------------------------------------------------------------------------------------------------


def _store_calls(calls: Sequence[_Add], connection: Connection) -> list[TooManySeries | None]:
    """Store the points of several calls; return of each why it was refused, if it was."""
    refusals: list[TooManySeries | None] = []
    for call in calls:
        try:
            _store(Prepared(connection), call.points, refuses_series=call.refuses_series)
        except TooManySeries as refusal:
            # Nothing of it has been written: it is the first step that refuses.
            refusals.append(refusal)
        else:
            refusals.append(None)
    return refusals


def _store(prepared: Prepared, points: Sequence[MetricPoint], *, refuses_series: bool) -> None:
    merged = _merged(points)
    ids = _series_ids(prepared, merged, refuses_series=refuses_series)
    places: dict[tuple[int, int], dict[int, Distribution]] = {}
    for (metric, period_s, at_s), values in merged.items():
        series_id = ids.get(metric)
        if series_id is not None:
            places.setdefault((period_s, at_s), {})[series_id] = values
    for (period_s, at_s), of_series in places.items():
        known: set[int] = set()
        for chunk in _chunks(list(of_series)):
            asked = padded(chunk, _AT_ONCE)
            place = {"of_period": period_s, "of_at": at_s} | _named("id", asked)
            for series_id, *row in prepared.execute(_find_points(len(asked)), place):
                known.add(series_id)
                of_series[series_id].merge(_distribution(row))
        updates, inserts = [], []
        for series_id, values in of_series.items():
            if series_id in known:
                where = {"of_series": series_id, "of_period": period_s, "of_at": at_s}
                updates.append(where | _row(values, "new_"))
            else:
                inserts.append({"series_id": series_id, "period_s": period_s, "at_s": at_s} | _row(values, ""))
        if updates:
            prepared.execute(_UPDATE_POINT, updates)
        if inserts:
            prepared.execute(_INSERT_POINT, inserts)


def _merged(points: Sequence[MetricPoint]) -> dict[tuple[Metric, int, int], Distribution]:
    """Return what is to be stored for each row. What is measured by the second counts in its minute as well."""
    merged: dict[tuple[Metric, int, int], Distribution] = {}
    for metric, at_s, period_s, values in points:
        if not values.count:
            # What counts nothing has extremes all the same, or infinite ones.
            continue
        for key in {(metric, period_s, at_s), (metric, MINUTE_S, begin_of(at_s, MINUTE_S))}:
            known = merged.get(key)
            if known is None:
                known = merged[key] = Distribution()
            known.merge(values)
    return merged


def _series_ids(
    prepared: Prepared, merged: Mapping[tuple[Metric, int, int], Distribution], *, refuses_series: bool
) -> dict[Metric, int]:
    """Return the number of each series; those that there are not are made while there is room."""
    lasts: dict[Metric, int] = {}
    for metric, _, at_s in merged:
        lasts[metric] = max(at_s, lasts.get(metric, 0))
    metrics = {_key(metric): metric for metric in lasts}
    ids: dict[Metric, int] = {}
    for found in _found(prepared, list(metrics)):
        key, series_id, last_s = found
        metric = metrics[key]
        ids[metric] = series_id
        if last_s < lasts[metric]:
            prepared.execute(_UPDATE_LAST, {"of_id": series_id, "new_last": lasts[metric]})
    new = [key for key, metric in metrics.items() if metric not in ids]
    if not new:
        return ids
    fitting = _fitting(prepared, new, metrics)
    if len(fitting) < len(new):
        if refuses_series:
            raise TooManySeries("There are too many metrics already: use fewer dimensions")
        _log.warning("metrics.dropped series=%d reason=%s", len(new) - len(fitting), "too many metrics")
        new = fitting
    if new:
        prepared.execute(_INSERT_SERIES, [_series_row(key, metrics[key], lasts[metrics[key]]) for key in new])
        ids |= {metrics[key]: series_id for key, series_id, _ in _found(prepared, new)}
    return ids


_COUNT_SERIES = select(func.count()).select_from(metric_series)
_COUNT_OF_ACCOUNT = _COUNT_SERIES.where(_s.account == bindparam("of_account"))


def _fitting(prepared: Prepared, new: Sequence[bytes], metrics: Mapping[bytes, Metric]) -> list[bytes]:
    """Return those of new series that there is room for."""
    (held,) = prepared.execute(_COUNT_SERIES).one()
    of_accounts: dict[str, int] = {}
    fitting: list[bytes] = []
    for key in new:
        scope, namespace = metrics[key][:2]
        room = SERIES_MAX - held - len(fitting)
        # What services measure is theirs alone to name: no client, and no line of a function, can fill it.
        if not namespace.startswith("AWS/"):
            of_account = of_accounts.get(scope.account)
            if of_account is None:
                (of_account,) = prepared.execute(_COUNT_OF_ACCOUNT, {"of_account": scope.account}).one()
            room = min(room - SERIES_OF_SERVICES, SERIES_OF_ACCOUNT_MAX - of_account)
            of_accounts[scope.account] = of_account + (room > 0)
        if room > 0:
            fitting.append(key)
    return fitting


def _found(prepared: Prepared, keys: Sequence[bytes]) -> Iterator[tuple[bytes, int, int]]:
    for chunk in _chunks(keys):
        asked = padded(chunk, _AT_ONCE)
        # Read whole, before another statement runs.
        rows = prepared.execute(_find_series(len(asked)), _named("key", asked)).all()
        yield from ((key, series_id, last_s) for key, series_id, last_s in rows)


def _named(name: str, values: Sequence[Any]) -> dict[str, Any]:
    return {f"{name}_{number}": value for number, value in enumerate(values)}


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for begin in range(0, len(items), _AT_ONCE):
        yield items[begin : begin + _AT_ONCE]


def _key(metric: Metric) -> bytes:
    """Return what tells a series from others in few bytes."""
    written = msgspec.json.encode((metric.scope.account, metric.scope.region, *metric[1:]))
    return hashlib.blake2b(written, digest_size=16).digest()


def _series_row(key: bytes, metric: Metric, last_s: int) -> dict[str, Any]:
    return {
        "key": key,
        "account": metric.scope.account,
        "region": metric.scope.region,
        "namespace": metric.namespace,
        "name": metric.name,
        "dimensions": _encoded(metric.dimensions),
        "unit": metric.unit,
        "last_s": last_s,
    }


def _row(values: Distribution, before: str) -> dict[str, Any]:
    return {
        f"{before}samples": values.count,
        f"{before}total": values.total,
        f"{before}minimum": values.minimum,
        f"{before}maximum": values.maximum,
        f"{before}bins": pack_bins(values.bins),
    }


def _encoded(dimensions: tuple[tuple[str, str], ...]) -> str:
    return msgspec.json.encode(dimensions).decode()


def _metric(row: AnyRow) -> Metric:
    return Metric(Scope(row[0], row[1]), row[2], row[3], _decode_dimensions(row[4]), row[5])


def _distribution(row: Sequence[Any]) -> Distribution:
    samples, total, minimum, maximum, bins = row
    return Distribution(samples, total, minimum, maximum, unpack_bins(bins))


# --- reading ---------------------------------------------------------------------------------------------------------

_FIND_BLOCKS = (
    select(_b.from_s, _b.basics, _b.bins)
    .where(_b.series_id == bindparam("of_series"), _b.period_s == bindparam("of_period"))
    .where(_b.from_s >= bindparam("first_s"), _b.from_s < bindparam("before_s"))
    .order_by(_b.from_s)
)
_FIND_BASICS = _FIND_BLOCKS.with_only_columns(_b.from_s, _b.basics)
_FIND_ROWS = (
    select(_p.at_s, *_VALUES)
    .where(_p.series_id == bindparam("of_series"), _p.period_s == bindparam("of_period"))
    .where(_p.at_s >= bindparam("first_s"), _p.at_s < bindparam("before_s"))
    .order_by(_p.at_s)
)


class _Reader:
    """Reads one series in a stretch of time."""

    def __init__(self, connection: Connection, series_id: int, from_s: int, before_s: int, *, with_bins: bool) -> None:
        self._prepared = Prepared(connection)
        self._series_id = series_id
        self._from_s = from_s
        self._before_s = before_s
        self._with_bins = with_bins

    def points(self, period_s: int) -> Iterator[tuple[int, int, Distribution]]:
        """Yield when each point's period begins, how long it is, and its values."""
        if period_s < MINUTE_S:
            minutes = set()
            for at_s, values in self._rows(1):
                minutes.add(begin_of(at_s, MINUTE_S))
                yield at_s, 1, values
            for at_s, values in chain(self._packed(MINUTE_S), self._rows(MINUTE_S)):
                if at_s not in minutes:
                    yield at_s, MINUTE_S, values
            return
        source_s = source_of(period_s)
        for at_s, values in self._packed(source_s):
            yield at_s, source_s, values
        # What is not packed yet is there by the minute alone.
        for at_s, values in self._rows(MINUTE_S):
            yield at_s, MINUTE_S, values

    def _packed(self, period_s: int) -> Iterator[Point]:
        asked = self._asked(period_s) | {"first_s": begin_of(self._from_s, SPANS_S[period_s])}
        rows = self._prepared.execute(_FIND_BLOCKS if self._with_bins else _FIND_BASICS, asked).all()
        for _, basics, *bins in rows:
            for at_s, values in unpack(basics, bins[0] if bins else None, period_s):
                if self._from_s <= at_s < self._before_s:
                    yield at_s, values

    def _rows(self, period_s: int) -> Iterator[Point]:
        for at_s, *row in self._prepared.execute(_FIND_ROWS, self._asked(period_s)).all():
            yield at_s, _distribution(row)

    def _asked(self, period_s: int) -> dict[str, Any]:
        return {
            "of_series": self._series_id,
            "of_period": period_s,
            "first_s": self._from_s,
            "before_s": self._before_s,
        }


# --- packing and dropping --------------------------------------------------------------------------------------------


def _has_rows(period_s: int, before: str) -> Exists:
    """Return whether a series has rows from before a time."""
    return select(_p.at_s).where(_p.series_id == _s.id, _p.period_s == period_s, _p.at_s < bindparam(before)).exists()


_IS_DUE = or_(_has_rows(MINUTE_S, "due_before_s"), _has_rows(1, "old_before_s"))
_NEXT_DUE = select(_s.id).where(_s.id > bindparam("behind_id"), _IS_DUE).order_by(_s.id).limit(1)
_FIND_BLOCK = select(_b.basics, _b.bins).where(
    _b.series_id == bindparam("of_series"), _b.period_s == bindparam("of_period"), _b.from_s == bindparam("of_from")
)
_ROWS_BEFORE = (_p.series_id == bindparam("of_series"), _p.period_s == MINUTE_S, _p.at_s < bindparam("due_before_s"))
_WEIGH_ROWS = select(func.count(), func.sum(_p.samples)).where(*_ROWS_BEFORE)
_DELETE_ROWS = delete(metric_points).where(
    _p.series_id == bindparam("of_series"), _p.period_s == MINUTE_S, _p.at_s < bindparam("due_before_s")
)
_DELETE_SECONDS = delete(metric_points).where(
    _p.series_id == bindparam("of_series"), _p.period_s == 1, _p.at_s < bindparam("old_before_s")
)
_DELETE_BLOCK = delete(metric_blocks).where(
    _b.series_id == bindparam("of_series"), _b.period_s == bindparam("of_period"), _b.from_s == bindparam("of_from")
)
_INSERT_BLOCK = insert(metric_blocks)


class _Packed:
    """Rows of one series as blocks, ready to take their place."""

    def __init__(self, prepared: Prepared, series_id: int, before_s: int) -> None:
        self.series_id = series_id
        self._due = {"of_series": series_id, "due_before_s": before_s}
        self._old_before_s = before_s - KEPT_S[1]
        self._weight = prepared.execute(_WEIGH_ROWS, self._due).one()
        rows = prepared.execute(
            _FIND_ROWS, {"of_series": series_id, "of_period": MINUTE_S, "first_s": 0, "before_s": before_s}
        ).all()
        points = [(at_s, _distribution(row)) for at_s, *row in rows]
        self._blocks = [block for period_s in SPANS_S for block in self._packed(prepared, points, period_s)]

    def _packed(self, prepared: Prepared, points: Sequence[Point], period_s: int) -> Iterator[dict[str, Any]]:
        """Yield the blocks of one resolution that the points change."""
        spans: dict[int, dict[int, Distribution]] = {}
        for at_s, values in points:
            begin_s = begin_of(at_s, period_s)
            span = spans.setdefault(begin_of(begin_s, SPANS_S[period_s]), {})
            # Not the points' own: the next resolution needs them as they are.
            span.setdefault(begin_s, Distribution()).merge(values)
        for from_s, span in spans.items():
            place = {"of_series": self.series_id, "of_period": period_s, "of_from": from_s}
            for basics, bins in prepared.execute(_FIND_BLOCK, place).all():
                for at_s, values in unpack(basics, bins, period_s):
                    span.setdefault(at_s, Distribution()).merge(values)
            basics, bins = pack(sorted(span.items()), period_s)
            yield {
                "series_id": self.series_id,
                "period_s": period_s,
                "from_s": from_s,
                "basics": basics,
                "bins": bins,
            }

    def write(self, connection: Connection) -> None:
        """Put the blocks into the place of the rows, unless points have come meanwhile: then the next round does it."""
        prepared = Prepared(connection)
        if prepared.execute(_WEIGH_ROWS, self._due).one() != self._weight:
            return
        prepared.execute(_DELETE_ROWS, self._due)
        prepared.execute(_DELETE_SECONDS, {"of_series": self.series_id, "old_before_s": self._old_before_s})
        if not self._blocks:
            return
        places = [
            {"of_series": block["series_id"], "of_period": block["period_s"], "of_from": block["from_s"]}
            for block in self._blocks
        ]
        prepared.execute(_DELETE_BLOCK, places)
        prepared.execute(_INSERT_BLOCK, self._blocks)


def _next_packed(connection: Connection, behind_id: int, before_s: int) -> _Packed | None:
    """Pack the next series that has rows from before; None where none is left."""
    prepared = Prepared(connection)
    due = {"behind_id": behind_id, "due_before_s": before_s, "old_before_s": before_s - KEPT_S[1]}
    row = prepared.execute(_NEXT_DUE, due).first()
    return None if row is None else _Packed(prepared, row[0], before_s)


_FIND_OLD_BLOCKS = (
    select(_b.series_id, _b.period_s, _b.from_s)
    .where(_b.period_s == bindparam("of_period"), _b.from_s < bindparam("too_old_s"))
    .limit(_DROPPED_AT_ONCE)
)
_FIND_SILENT = select(_s.id).where(_s.last_s < bindparam("silent_since_s")).order_by(_s.last_s).limit(_DROPPED_AT_ONCE)
_DELETE_SERIES = delete(metric_series).where(_s.id == bindparam("of_series"))
_DELETE_ALL_ROWS = delete(metric_points).where(_p.series_id == bindparam("of_series"))
_DELETE_ALL_BLOCKS = delete(metric_blocks).where(_b.series_id == bindparam("of_series"))


def _drop(connection: Connection, now_s: int) -> bool:
    """Drop some of what is too old; say whether there may be more."""
    prepared = Prepared(connection)
    for period_s, span_s in SPANS_S.items():
        too_old_s = now_s - KEPT_S[period_s] - span_s
        old = prepared.execute(_FIND_OLD_BLOCKS, {"of_period": period_s, "too_old_s": too_old_s}).all()
        if old:
            prepared.execute(
                _DELETE_BLOCK, [{"of_series": row[0], "of_period": row[1], "of_from": row[2]} for row in old]
            )
            return True
    (held,) = prepared.execute(_COUNT_SERIES).one()
    kept_s = _SILENT_S if held > SERIES_MAX * 9 // 10 else max(KEPT_S.values())
    silent = [{"of_series": row[0]} for row in prepared.execute(_FIND_SILENT, {"silent_since_s": now_s - kept_s})]
    if silent:
        for statement in (_DELETE_ALL_ROWS, _DELETE_ALL_BLOCKS, _DELETE_SERIES):
            prepared.execute(statement, silent)
    return bool(silent)
