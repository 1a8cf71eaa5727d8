"""
Usage in the database: the `UsageStore` of the contract.

A fold brings in a record of each invocation and adds to sums of its minute, its quarter of an hour, its hour and its
day. Nothing is summed later, so records and sums cannot differ.
"""

import asyncio
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select, tuple_, update

from lambent.clock import Clock
from lambent.domain.caller import Scope
from lambent.domain.usage import ELSEWHERE, UsageClass, UsageKey, UsageRecord, UsageTotal
from lambent.store import usage_reading, usage_sizes
from lambent.store.database import READERS_MAX, Database, Statements
from lambent.store.prepared import Prepared, padded
from lambent.store.tables import functions, usage_allocations, usage_records, usage_series, usage_totals
from lambent.store.usage_contract import (
    HOURS_KEPT_S,
    MINUTES_KEPT_S,
    RESOLUTIONS_S,
    SERIES_OF_ACCOUNT_MAX,
    Allocation,
    NewUsage,
    RecordPage,
    SizeRow,
    TaggedRow,
    UsageQuestion,
    UsageRow,
)
from lambent.store.usage_reading import RESTORED, STATUSES

ROW_BYTES: Final = 96
"""What a record takes at most, its place in the index included. Measured (test_usage)."""

SCANS_MAX: Final = READERS_MAX // 2
"""Questions that look through records at once: each has a connection for a second or more, and others read as well."""

_DROPPED_AT_ONCE: Final = 2_000
"""In one commit: some milliseconds."""

_AT_ONCE: Final = 256
"""Items in one list of a statement."""

_s = usage_series.c
_r = usage_records.c
_t = usage_totals.c
_a = usage_allocations.c

_SUMS = tuple(field for field in UsageTotal.__struct_fields__ if field != "memory_peak_mib")

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
_COLUMNS = (
    "series_id",
    "started_ms",
    "duration_us",
    "init_us",
    "billed_ms",
    "cpu_us",
    "memory_peak_mib",
    "streamed_bytes",
    "flags",
    "request_id",
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_FLAGS = {
    (status, is_restored): number | (RESTORED if is_restored else 0)
    for number, status in enumerate(STATUSES)
    for is_restored in (False, True)
}
_INSERT_TOTAL = insert(usage_totals)
_UPDATE_TOTAL = (
    update(usage_totals)
    .where(_t.period_s == bindparam("of_period"), _t.at_s == bindparam("of_at"), _t.series_id == bindparam("of_series"))
    .values(
        {name: _t[name] + bindparam(f"more_{name}") for name in _SUMS}
        | {"memory_peak_mib": bindparam("new_memory_peak_mib")}
    )
)
_FIND_ALLOCATION = select(_a.until_ms).where(_a.key == bindparam("of_key"))
_INSERT_ALLOCATION = insert(usage_allocations)
_UPDATE_ALLOCATION = (
    update(usage_allocations)
    .where(_a.key == bindparam("of_key"))
    .values(from_ms=bindparam("new_from"), until_ms=bindparam("new_until"), environments=bindparam("new_environments"))
)
_ADD_TO_ALLOCATION = (
    update(usage_allocations)
    .where(_a.key == bindparam("of_key"))
    .values(environments=_a.environments + bindparam("more"))
)

_KEPT_ALLOCATIONS_MS: Final = 86_400_000
"""How long after its end the last allocation of a version is kept: longer than anybody asks for it."""


class _Tagged(msgspec.Struct):
    """What is read of a function's document."""

    tags: dict[str, str] = {}


_decode_tagged = msgspec.json.Decoder(_Tagged).decode
_decode_key = msgspec.json.Decoder(tuple[str, str, str, str, str, UsageClass]).decode


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
    # By identity: what ended in one environment shares its key, and to compare keys costs more than all else here.
    by_key: dict[tuple[int, int], list[UsageRecord]] = {}
    for record in usage.records:
        place = (id(record.key), record.started_ms // 60_000)
        of_key = by_key.get(place)
        if of_key is None:
            by_key[place] = [record]
        else:
            of_key.append(record)
    keys = {records[0].key for records in by_key.values()} | {one.key for one in usage.allocations}
    ids = _series_ids(prepared, keys)
    by_minute: dict[tuple[int, int], UsageTotal] = {}
    series: dict[int, int] = {}
    for (identity, minute), records in by_key.items():
        series_id = series[identity] = ids[records[0].key]
        by_minute.setdefault((minute * 60, series_id), UsageTotal()).merge(UsageTotal.of(records))
    for allocation in usage.allocations:
        series_id = ids[allocation.key]
        total = by_minute.setdefault((allocation.from_ms // 60_000 * 60, series_id), UsageTotal())
        total.allocated_ms += (allocation.until_ms - allocation.from_ms) * allocation.environments
        _note_allocation(prepared, allocation)
    if usage.records:
        prepared.insert(_INSERT_RECORD, _COLUMNS, _record_rows(usage.records, series))
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


def _note_allocation(prepared: Prepared, allocation: Allocation) -> None:
    """Keep a version's last allocation; one that ends when that does is more of the same step."""
    key, from_ms, until_ms, environments = allocation
    document = msgspec.json.encode((key.scope.account, key.scope.region, *key[1:]))
    place = hashlib.blake2b(document, digest_size=16).digest()
    known = prepared.execute(_FIND_ALLOCATION, {"of_key": place}).first()
    if known is None:
        values = {"key": place, "document": document.decode(), "from_ms": from_ms, "until_ms": until_ms}
        prepared.execute(_INSERT_ALLOCATION, values | {"environments": environments})
    elif known[0] == until_ms:
        prepared.execute(_ADD_TO_ALLOCATION, {"of_key": place, "more": environments})
    else:
        values = {"of_key": place, "new_from": from_ms, "new_until": until_ms, "new_environments": environments}
        prepared.execute(_UPDATE_ALLOCATION, values)


def _record_rows(records: Sequence[UsageRecord], series: Mapping[int, int]) -> Iterator[tuple[Any, ...]]:
    """
    Return records as rows of `_COLUMNS`, one after the other.

    Args:
        series: their numbers, by the identity of keys.
    """
    flags = _FLAGS
    for record in records:
        yield (
            series[id(record.key)],
            record.started_ms,
            record.duration_us,
            record.init_us,
            record.billed_ms,
            record.cpu_us,
            record.memory_peak_mib,
            record.streamed_bytes,
            flags[record.status, record.is_restored],
            _packed_id(record.request_id),
        )


def _packed_id(request_id: str) -> bytes:
    """Return the bytes of a UUID as they are written everywhere; of what is none, its letters, and never sixteen."""
    if _UUID(request_id) is not None:
        return bytes.fromhex(request_id.replace("-", ""))
    packed = request_id.encode("utf-8", "replace")
    return packed + b"\0" if len(packed) == 16 else packed


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
    if counts[account] >= 2 * SERIES_OF_ACCOUNT_MAX:
        # Functions that come and go, or tags that change with each invocation.
        key, tags = key._replace(function=ELSEWHERE), "{}"
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
        self._scans = asyncio.Semaphore(SCANS_MAX)

    async def totals(self, question: UsageQuestion) -> Sequence[UsageRow]:
        """Return sums by group; see the contract."""
        now_s = int(self._clock.now())
        return await self._database.look(lambda connection: usage_reading.totals(connection, question, now_s))

    async def totals_by_time(
        self, question: UsageQuestion, period_s: int, *, limit: int
    ) -> Mapping[int, Sequence[UsageRow]] | None:
        """Return sums by group of each period; see the contract."""
        now_s = int(self._clock.now())
        return await self._database.look(
            lambda connection: usage_reading.totals_by_time(connection, question, period_s, now_s, limit)
        )

    async def tagged_totals(self, question: UsageQuestion) -> Sequence[TaggedRow]:
        """Return sums by function and its tags; see the contract."""
        now_s = int(self._clock.now())
        return await self._database.look(lambda connection: usage_reading.tagged_totals(connection, question, now_s))

    async def sizes(self, question: UsageQuestion, *, limit: int) -> Sequence[SizeRow]:
        """Return what was taken by group and memory size; see the contract."""
        async with self._scans:
            return await self._database.look(lambda connection: usage_sizes.sizes(connection, question, limit))

    async def records(self, question: UsageQuestion, *, after: int = 0, limit: int) -> RecordPage:
        """Return records; see the contract."""
        async with self._scans:
            return await self._database.look(
                lambda connection: usage_reading.records(connection, question, after, limit)
            )

    async def allocations(self, since_ms: int) -> Sequence[Allocation]:
        """Return the last allocation of each version; see the contract."""
        rows = await self._database.rows(
            select(_a.document, _a.from_ms, _a.until_ms, _a.environments)
            .where(_a.until_ms >= since_ms)
            .order_by(_a.from_ms, _a.key)
        )
        found = []
        for document, from_ms, until_ms, environments in rows:
            account, region, function, version, qualifier, of = _decode_key(document)
            key = UsageKey(Scope(account, region), function, version, qualifier, of)
            found.append(Allocation(key, from_ms, until_ms, environments))
        return found

    async def began_s(self) -> int | None:
        """Return when the first usage was; see the contract."""
        day_s = max(RESOLUTIONS_S)

        def work(connection: Connection) -> int | None:
            day = connection.execute(select(func.min(_t.at_s)).where(_t.period_s == day_s)).scalar()
            if day is None:
                return None
            # Shorter sums say it better, for as long as they are kept.
            for period_s in sorted(RESOLUTIONS_S):
                first = connection.execute(
                    select(func.min(_t.at_s)).where(_t.period_s == period_s, _t.at_s >= day, _t.at_s < int(day) + day_s)
                ).scalar()
                if first is not None:
                    return int(first)
            return int(day)

        return await self._database.look(work)

    async def tidy(self, now_s: int) -> bool:
        """Drop some of what is kept no longer; see the contract."""
        return await self._database.apply(lambda connection: self._drop(connection, now_s))

    def _drop(self, connection: Connection, now_s: int) -> bool:
        ids = self._surplus(connection, now_s)
        if ids:
            for chunk in _chunks(ids):
                connection.execute(delete(usage_records).where(_r.id.in_(chunk)))
            return True
        for period_s, kept_s in ((60, MINUTES_KEPT_S), (900, HOURS_KEPT_S), (3_600, HOURS_KEPT_S)):
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
        connection.execute(delete(usage_allocations).where(_a.until_ms < now_s * 1000 - _KEPT_ALLOCATIONS_MS))
        return False

    def _surplus(self, connection: Connection, now_s: int) -> Sequence[int]:
        """Return the numbers of some records that are too old, or too many."""
        too_old = select(_r.id).where(_r.started_ms < (now_s - self._records_s) * 1000).limit(_DROPPED_AT_ONCE)
        ids = list(connection.execute(too_old).scalars())
        if ids:
            return ids
        # Each by itself is a look at one end of the table; both in one query would be a walk through it.
        least, most = (connection.execute(select(end(_r.id))).scalar() for end in (func.min, func.max))
        if least is None or most is None or most - least + 1 <= self._records_max:
            return ()
        too_many = select(_r.id).where(_r.id <= most - self._records_max).order_by(_r.id).limit(_DROPPED_AT_ONCE)
        return list(connection.execute(too_many).scalars())
