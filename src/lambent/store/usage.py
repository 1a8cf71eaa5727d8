"""
Usage in the database: the `UsageStore` of the contract.

A fold brings in a record of each invocation and adds to sums of its minute, its hour and its day. Nothing is summed
later, so records and sums cannot differ.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)

from lambent.clock import Clock
from lambent.domain.caller import Scope
from lambent.domain.usage import ELSEWHERE, FREE_TMP_MIB, UsageClass, UsageKey, UsageRecord, UsageTotal
from lambent.store.database import Database, Statements
from lambent.store.prepared import Prepared, padded
from lambent.store.tables import functions, usage_allocations, usage_records, usage_series, usage_totals
from lambent.store.usage_contract import (
    HOURS_KEPT_S,
    MINUTES_KEPT_S,
    RESOLUTIONS_S,
    SERIES_OF_ACCOUNT_MAX,
    Allocation,
    Coarse,
    NewUsage,
    UsageGroup,
    UsageQuestion,
    UsageRow,
)

ROW_BYTES: Final = 96
"""What a record takes at most, its place in the index included. Measured (test_usage)."""

_DROPPED_AT_ONCE: Final = 2_000
"""In one commit: some milliseconds."""

_AT_ONCE: Final = 256
"""Items in one list of a statement."""

_s = usage_series.c
_r = usage_records.c
_t = usage_totals.c
_a = usage_allocations.c

_SUMS = tuple(field for field in UsageTotal.__struct_fields__ if field != "memory_peak_mib")
_STATUSES = ("", "error", "timeout")
_RESTORED: Final = 4

_FUNCTION_TAGS = select(functions.c.document).where(
    functions.c.account == bindparam("of_account"),
    functions.c.region == bindparam("of_region"),
    functions.c.name == bindparam("of_name"),
)
_FORMER_TAGS = (
    select(_s.tags)
    .where(
        _s.account == bindparam("of_account"),
        _s.region == bindparam("of_region"),
        _s.function == bindparam("of_name"),
    )
    .order_by(_s.id.desc())
    .limit(1)
)
_COUNT_OF_ACCOUNT = select(func.count()).select_from(usage_series).where(_s.account == bindparam("of_account"))
_INSERT_SERIES = insert(usage_series)
_INSERT_RECORD = insert(usage_records)
_INSERT_TOTAL = insert(usage_totals)
_UPDATE_TOTAL = (
    update(usage_totals)
    .where(_t.period_s == bindparam("of_period"), _t.at_s == bindparam("of_at"), _t.series_id == bindparam("of_series"))
    .values(
        {name: _t[name] + bindparam(f"more_{name}") for name in _SUMS}
        | {"memory_peak_mib": bindparam("new_memory_peak_mib")}
    )
)
_FIND_ALLOCATION = select(_a.until_ms).where(_a.series_id == bindparam("of_series"))
_INSERT_ALLOCATION = insert(usage_allocations)
_UPDATE_ALLOCATION = (
    update(usage_allocations)
    .where(_a.series_id == bindparam("of_series"))
    .values(from_ms=bindparam("new_from"), until_ms=bindparam("new_until"), environments=bindparam("new_environments"))
)


class _Tagged(msgspec.Struct):
    """What is read of a function's document."""

    tags: dict[str, str] = {}


_decode_tagged = msgspec.json.Decoder(_Tagged).decode
_decode_tags = msgspec.json.Decoder(dict[str, str]).decode


@cache
def _find_series(length: int) -> Select[bytes, int]:
    keys: list[Any] = [bindparam(f"key_{number}") for number in range(length)]
    return select(_s.key, _s.id).where(_s.key.in_(keys))


@cache
def _find_totals(length: int) -> Select[int, int]:
    ids: list[Any] = [bindparam(f"id_{number}") for number in range(length)]
    return select(_t.series_id, _t.memory_peak_mib).where(
        _t.period_s == bindparam("of_period"), _t.at_s == bindparam("of_at"), _t.series_id.in_(ids)
    )


async def store_usage(statements: Statements, usage: NewUsage) -> None:
    """Add usage inside a transaction."""
    if usage.records or usage.allocations:
        await statements.run(lambda connection: _store(Prepared(connection), usage))


# --- adding ----------------------------------------------------------------------------------------------------------


def _store(prepared: Prepared, usage: NewUsage) -> None:
    keys = {record.key for record in usage.records} | {one.key for one in usage.allocations}
    ids = _series_ids(prepared, keys)
    by_minute: dict[tuple[int, int], UsageTotal] = {}
    rows: list[Mapping[str, Any]] = []
    for record in usage.records:
        series_id = ids[record.key]
        place = (record.started_ms // 60_000 * 60, series_id)
        total = by_minute.get(place)
        if total is None:
            total = by_minute[place] = UsageTotal()
        total.add(record)
        rows.append(_record_row(record, series_id))
    for allocation in usage.allocations:
        series_id = ids[allocation.key]
        total = by_minute.setdefault((allocation.from_ms // 60_000 * 60, series_id), UsageTotal())
        total.allocated_ms += (allocation.until_ms - allocation.from_ms) * allocation.environments
        _note_allocation(prepared, series_id, allocation)
    if rows:
        prepared.execute(_INSERT_RECORD, rows)
    for period_s in RESOLUTIONS_S:
        by_period: dict[int, dict[int, UsageTotal]] = {}
        for (minute, series_id), total in by_minute.items():
            of_series = by_period.setdefault(minute // period_s * period_s, {})
            known = of_series.get(series_id)
            if known is None:
                of_series[series_id] = msgspec.structs.replace(total)
            else:
                known.merge(total)
        for at_s, of_series in by_period.items():
            _add_totals(prepared, period_s, at_s, of_series)


def _add_totals(prepared: Prepared, period_s: int, at_s: int, of_series: Mapping[int, UsageTotal]) -> None:
    peaks: dict[int, int] = {}
    for chunk in _chunks(list(of_series)):
        asked = padded(chunk, _AT_ONCE)
        place = {"of_period": period_s, "of_at": at_s} | _named("id", asked)
        peaks.update({row[0]: row[1] for row in prepared.execute(_find_totals(len(asked)), place)})
    updates, inserts = [], []
    for series_id, total in of_series.items():
        if series_id in peaks:
            more = {f"more_{name}": getattr(total, name) for name in _SUMS}
            where = {"of_period": period_s, "of_at": at_s, "of_series": series_id}
            peak = max(total.memory_peak_mib, peaks[series_id])
            updates.append(where | more | {"new_memory_peak_mib": peak})
        else:
            place = {"period_s": period_s, "at_s": at_s, "series_id": series_id}
            inserts.append(place | msgspec.structs.asdict(total))
    if updates:
        prepared.execute(_UPDATE_TOTAL, updates)
    if inserts:
        prepared.execute(_INSERT_TOTAL, inserts)


def _note_allocation(prepared: Prepared, series_id: int, allocation: Allocation) -> None:
    _, from_ms, until_ms, environments = allocation
    if prepared.execute(_FIND_ALLOCATION, {"of_series": series_id}).first() is None:
        values = {"series_id": series_id, "from_ms": from_ms, "until_ms": until_ms, "environments": environments}
        prepared.execute(_INSERT_ALLOCATION, values)
    else:
        values = {"of_series": series_id, "new_from": from_ms, "new_until": until_ms, "new_environments": environments}
        prepared.execute(_UPDATE_ALLOCATION, values)


def _record_row(record: UsageRecord, series_id: int) -> Mapping[str, Any]:
    _, request_id, started_ms, duration_us, init_us, billed_ms, cpu_us, peak_mib, streamed_bytes, status, restored = (
        record
    )
    return {
        "series_id": series_id,
        "started_ms": started_ms,
        "duration_us": duration_us,
        "init_us": init_us,
        "billed_ms": billed_ms,
        "cpu_us": cpu_us,
        "memory_peak_mib": peak_mib,
        "streamed_bytes": streamed_bytes,
        "flags": _STATUSES.index(status) | (_RESTORED if restored else 0),
        "request_id": _packed_id(request_id),
    }


def _packed_id(request_id: str) -> bytes:
    """Return the bytes of a UUID as they are written everywhere; of what is none, its letters."""
    if len(request_id) == 36 and request_id[8] == request_id[13] == request_id[18] == request_id[23] == "-":
        try:
            packed = bytes.fromhex(request_id.replace("-", ""))
        except ValueError:
            pass
        else:
            if len(packed) == 16 and request_id == request_id.lower():
                return packed
    return request_id.encode("utf-8", "replace")


def _unpacked_id(packed: bytes) -> str:
    if len(packed) != 16:
        return packed.decode("utf-8", "replace")
    digits = packed.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _series_ids(prepared: Prepared, keys: set[UsageKey]) -> dict[UsageKey, int]:
    """Return the number of each series; those that there are not are made."""
    tags = {function: _tags(prepared, *function) for function in {(key.scope, key.function) for key in keys}}
    places = {_digest(key, tags[key.scope, key.function]): key for key in keys}
    found = _found(prepared, list(places))
    counts: dict[str, int] = {}
    ids = {}
    for place, key in places.items():
        series_id = found.get(place)
        if series_id is None:
            series_id = _make(prepared, key, tags[key.scope, key.function], counts)
        ids[key] = series_id
    return ids


def _make(prepared: Prepared, key: UsageKey, tags: str, counts: dict[str, int]) -> int:
    account = key.scope.account
    if account not in counts:
        (counts[account],) = prepared.execute(_COUNT_OF_ACCOUNT, {"of_account": account}).one()
    if counts[account] >= SERIES_OF_ACCOUNT_MAX:
        tenant = ELSEWHERE if key.of.tenant else ""
        key = UsageKey(key.scope, key.function, ELSEWHERE, ELSEWHERE, msgspec.structs.replace(key.of, tenant=tenant))
    place = _digest(key, tags)
    known = _found(prepared, [place])
    if not known:
        counts[account] += 1
        prepared.execute(_INSERT_SERIES, _series_row(place, key, tags))
        known = _found(prepared, [place])
    return known[place]


def _series_row(place: bytes, key: UsageKey, tags: str) -> Mapping[str, Any]:
    return {
        "key": place,
        "account": key.scope.account,
        "region": key.scope.region,
        "function": key.function,
        "version": key.version,
        "qualifier": key.qualifier,
        "tenant": key.of.tenant,
        "memory_mib": key.of.memory_mib,
        "tmp_mib": key.of.tmp_mib,
        "architecture": key.of.architecture,
        "kind": key.of.kind,
        "runtime": key.of.runtime,
        "tags": tags,
    }


def _tags(prepared: Prepared, scope: Scope, function: str) -> str:
    """Return a function's tags as they are, or were when it was deleted; a JSON object."""
    place = {"of_account": scope.account, "of_region": scope.region, "of_name": function}
    row = prepared.execute(_FUNCTION_TAGS, place).first()
    if row is not None:
        return msgspec.json.encode(_decode_tagged(row[0]).tags, order="sorted").decode()
    former = prepared.execute(_FORMER_TAGS, place).first()
    return "{}" if former is None else str(former[0])


def _digest(key: UsageKey, tags: str) -> bytes:
    written = msgspec.json.encode((key.scope.account, key.scope.region, *key[1:], tags))
    return hashlib.blake2b(written, digest_size=16).digest()


def _found(prepared: Prepared, places: Sequence[bytes]) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for chunk in _chunks(places):
        asked = padded(chunk, _AT_ONCE)
        found.update({row[0]: row[1] for row in prepared.execute(_find_series(len(asked)), _named("key", asked))})
    return found


def _named(name: str, values: Sequence[Any]) -> dict[str, Any]:
    return {f"{name}_{number}": value for number, value in enumerate(values)}


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for begin in range(0, len(items), _AT_ONCE):
        yield items[begin : begin + _AT_ONCE]


# --- reading ---------------------------------------------------------------------------------------------------------


def stretches(from_s: int, before_s: int) -> Iterator[tuple[int, int, int]]:
    """
    Take a stretch of time apart: yield resolutions with the begin and the end of what each covers, the coarsest first.

    Bounds are at whole minutes.
    """
    left = [(from_s, before_s)]
    for period_s in sorted(RESOLUTIONS_S, reverse=True):
        rest: list[tuple[int, int]] = []
        for begin, end in left:
            first, last = -(-begin // period_s) * period_s, end // period_s * period_s
            if first >= last:
                rest.append((begin, end))
                continue
            yield period_s, first, last
            rest += [part for part in ((begin, first), (last, end)) if part[0] < part[1]]
        left = rest
    assert not left, "bounds at whole minutes"


_GROUPS: Mapping[UsageGroup, Sequence[Any]] = {
    UsageGroup.FUNCTION: (_s.function,),
    UsageGroup.VERSION: (_s.function, _s.version),
    UsageGroup.ALIAS: (_s.function, _s.qualifier),
    UsageGroup.TAG: (),
    UsageGroup.TENANT: (_s.tenant,),
    UsageGroup.ACCOUNT: (_s.account,),
    UsageGroup.REGION: (_s.region,),
}
_PRICED = (_s.account, _s.region, _s.architecture, _s.kind, _s.runtime)


def _weighed(amount: Any, by: Any) -> Any:
    return cast(func.sum(amount * by), BigInteger)


_AMOUNTS = (
    *(func.max(_t[name]) if name == "memory_peak_mib" else cast(func.sum(_t[name]), BigInteger)
      for name in UsageTotal.__struct_fields__),
    _weighed(_t.billed_ms, _s.memory_mib),
    _weighed(_t.billed_ms, _s.tmp_mib - FREE_TMP_MIB),
    _weighed(_t.allocated_ms, _s.memory_mib),
    _weighed(_t.restores, _s.memory_mib),
)  # fmt: skip
_TOTALS = len(UsageTotal.__struct_fields__)


class UsageRepository:
    """
    Usage of all scopes.

    Args:
        clock: says what is kept no longer.
        records_days: for how long records are kept.
        records_max_bytes: what they may take.
    """

    def __init__(self, database: Database, clock: Clock, *, records_days: int, records_max_bytes: int) -> None:
        self._database = database
        self._clock = clock
        self._records_s = records_days * 86_400
        self._records_max = max(records_max_bytes // ROW_BYTES, 1)

    async def totals(self, question: UsageQuestion) -> Sequence[UsageRow]:
        """Return sums by group; see the contract."""
        now_s = int(self._clock.now())
        parts = list(stretches(question.from_s, question.before_s))
        for period_s, begin, _ in parts:
            kept_s = {60: MINUTES_KEPT_S, 3_600: HOURS_KEPT_S}.get(period_s)
            if kept_s is not None and begin < now_s - kept_s:
                what = "minute" if period_s == 60 else "hour"
                raise Coarse(f"usage by the {what} is kept for {kept_s // 86_400} days; ask for whole days of UTC")
        is_tagged = question.by is UsageGroup.TAG or bool(question.tags)
        grouped = (*_GROUPS[question.by], *((_s.tags,) if is_tagged else ()), *_PRICED)
        queries = [
            select(*grouped, *_AMOUNTS)
            .join_from(usage_totals, usage_series, _s.id == _t.series_id)
            .where(_t.period_s == period_s, _t.at_s >= begin, _t.at_s < end, *_filters(question))
            .group_by(*grouped)
            for period_s, begin, end in parts
        ]

        def work(connection: Connection) -> list[UsageRow]:
            rows: dict[tuple[str, ...], UsageRow] = {}
            for query in queries:
                for row in connection.execute(query):
                    _take_in(rows, question, row, is_tagged=is_tagged)
            return [rows[place] for place in sorted(rows)]

        return await self._database.look(work)

    async def records(
        self, question: UsageQuestion, *, after: int = 0, limit: int
    ) -> Sequence[tuple[int, UsageRecord]]:
        """Return records; see the contract."""
        in_time = and_(_r.started_ms >= question.from_s * 1000, _r.started_ms < question.before_s * 1000)
        columns = (
            _r.id, _r.request_id, _r.started_ms, _r.duration_us, _r.init_us, _r.billed_ms, _r.cpu_us,
            _r.memory_peak_mib, _r.streamed_bytes, _r.flags, _s.account, _s.region, _s.function, _s.version,
            _s.qualifier, _s.memory_mib, _s.tmp_mib, _s.architecture, _s.kind, _s.runtime, _s.tenant, _s.tags,
        )  # fmt: skip

        def work(connection: Connection) -> list[tuple[int, UsageRecord]]:
            found: list[tuple[int, UsageRecord]] = []
            # The index knows where a stretch begins; records are nearly in the order of time.
            first = connection.execute(select(func.min(_r.id)).where(in_time)).scalar()
            place = max(after, (first or 0) - 1)
            while first is not None and len(found) < limit:
                rows = connection.execute(
                    select(*columns)
                    .join_from(usage_records, usage_series, _s.id == _r.series_id)
                    .where(_r.id > place, in_time, *_filters(question))
                    .order_by(_r.id)
                    .limit(limit - len(found))
                ).all()
                if not rows:
                    break
                place = rows[-1][0]
                found += [(row[0], _record(row)) for row in rows if _has_tags(question, row[-1])]
            return found

        return await self._database.look(work)

    async def allocations(self, since_ms: int) -> Sequence[Allocation]:
        """Return the last allocation of each version; see the contract."""
        rows = await self._database.rows(
            select(
                _s.account, _s.region, _s.function, _s.version, _s.qualifier,
                _s.memory_mib, _s.tmp_mib, _s.architecture, _s.kind, _s.runtime, _s.tenant,
                _a.from_ms, _a.until_ms, _a.environments,
            )
            .join_from(usage_allocations, usage_series, _s.id == _a.series_id)
            .where(_a.until_ms >= since_ms)
        )  # fmt: skip
        return [
            Allocation(
                UsageKey(Scope(row[0], row[1]), row[2], row[3], row[4], UsageClass(*row[5:11])),
                row[11],
                row[12],
                row[13],
            )
            for row in rows
        ]

    async def began_s(self) -> int | None:
        """Return when the first usage was; see the contract."""
        rows = await self._database.rows(select(func.min(_t.at_s)).where(_t.period_s == max(RESOLUTIONS_S)))
        first = rows[0][0]
        return None if first is None else int(first)

    async def tidy(self, now_s: int) -> bool:
        """Drop some of what is kept no longer; see the contract."""
        return await self._database.apply(lambda connection: self._drop(connection, now_s))

    def _drop(self, connection: Connection, now_s: int) -> bool:
        too_old = connection.execute(
            select(_r.id).where(_r.started_ms < (now_s - self._records_s) * 1000).limit(_DROPPED_AT_ONCE)
        )
        ids = list(too_old.scalars())
        if not ids:
            least, most = connection.execute(select(func.min(_r.id), func.max(_r.id))).one()
            if least is not None and most - least + 1 > self._records_max:
                too_many = select(_r.id).where(_r.id <= most - self._records_max).order_by(_r.id)
                ids = list(connection.execute(too_many.limit(_DROPPED_AT_ONCE)).scalars())
        if ids:
            for chunk in _chunks(ids):
                connection.execute(delete(usage_records).where(_r.id.in_(chunk)))
            return True
        for period_s, kept_s in ((60, MINUTES_KEPT_S), (3_600, HOURS_KEPT_S)):
            old = connection.execute(
                select(_t.at_s, _t.series_id)
                .where(_t.period_s == period_s, _t.at_s < now_s - kept_s - period_s)
                .limit(_DROPPED_AT_ONCE)
            ).all()
            if old:
                for chunk in _chunks([tuple(row) for row in old]):
                    places = tuple_(_t.at_s, _t.series_id).in_(chunk)
                    connection.execute(delete(usage_totals).where(_t.period_s == period_s, places))
                return True
        return False


def _filters(question: UsageQuestion) -> list[Any]:
    return [
        column == value
        for column, value in (
            (_s.account, question.account),
            (_s.region, question.region),
            (_s.function, question.function),
        )
        if value is not None
    ]


def _take_in(rows: dict[tuple[str, ...], UsageRow], question: UsageQuestion, row: Any, *, is_tagged: bool) -> None:
    """Add a row of a result to what is known of its group."""
    groups = len(_GROUPS[question.by])
    names, rest = row[:groups], row[groups:]
    tags: Mapping[str, str] = {}
    if is_tagged:
        if not _has_tags(question, rest[0]):
            return
        tags, rest = _decode_tags(rest[0]), rest[1:]
    group = tags.get(question.tag, "") if question.by is UsageGroup.TAG else _group_name(names)
    priced, amounts = rest[: len(_PRICED)], rest[len(_PRICED) :]
    total = UsageTotal(*amounts[:_TOTALS])
    weighed = amounts[_TOTALS:]
    place = (group, *priced)
    known = rows.get(place)
    if known is not None:
        total.merge(known.total)
        weighed = [one + other for one, other in zip(weighed, known[7:], strict=True)]
    account, region, architecture, kind, runtime = priced
    rows[place] = UsageRow(group, account, region, architecture, kind, runtime, total, *weighed)


def _group_name(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    function, qualifier = names
    return f"{function}:{qualifier}" if qualifier else function


def _has_tags(question: UsageQuestion, tags: str) -> bool:
    return not question.tags or question.tags.items() <= _decode_tags(tags).items()


def _record(row: Any) -> UsageRecord:
    key = UsageKey(Scope(row[10], row[11]), row[12], row[13], row[14], UsageClass(*row[15:21]))
    flags = row[9]
    status = _STATUSES[flags & 3]
    started_ms, duration_us, init_us, billed_ms, cpu_us, peak_mib, streamed_bytes = row[2:9]
    return UsageRecord(
        key,
        _unpacked_id(row[1]),
        started_ms,
        duration_us,
        init_us,
        billed_ms,
        cpu_us,
        peak_mib,
        streamed_bytes,
        status,
        bool(flags & _RESTORED),
    )
