"""
Reading usage: sums by group, and records page by page.

A stretch of time is read from the longest sums that lie within it: days in its middle, hours, quarters and minutes
at its edges.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, Connection, Select, and_, bindparam, cast, func, or_, select

from lambent.domain.caller import Scope
from lambent.domain.usage import FREE_TMP_MIB, UsageClass, UsageKey, UsageRecord, UsageTotal
from lambent.store.prepared import Found, Prepared
from lambent.store.tables import usage_records, usage_series, usage_totals
from lambent.store.usage_contract import (
    HOURS_KEPT_S,
    MINUTES_KEPT_S,
    RESOLUTIONS_S,
    Coarse,
    RecordPage,
    TaggedRow,
    UsageGroup,
    UsageQuestion,
    UsageRow,
)

STATUSES: Final = ("", "error", "timeout")
"""By the number that a record has for it."""

RESTORED: Final = 4
"""Is added to that number where a snapshot was restored."""

SCANNED_MAX: Final = 500_000
"""
Records that a page looks at, a third of a second or so: who asks for what there is little of gets a short page and asks
again, and does not keep a connection from everybody else for as long as there are records.
"""

_KEPT_S: Final = {60: MINUTES_KEPT_S, 900: HOURS_KEPT_S, 3_600: HOURS_KEPT_S}

_s = usage_series.c
_r = usage_records.c
_t = usage_totals.c

_encode = msgspec.json.encode
_decode_tags = msgspec.json.Decoder(dict[str, str]).decode

GROUPS: Final[Mapping[UsageGroup, Sequence[Any]]] = {
    UsageGroup.FUNCTION: (_s.function,),
    UsageGroup.VERSION: (_s.function, _s.version),
    UsageGroup.ALIAS: (_s.function, _s.qualifier),
    UsageGroup.TAG: (),
    UsageGroup.TENANT: (_s.tenant,),
    UsageGroup.ACCOUNT: (_s.account,),
    UsageGroup.REGION: (_s.region,),
}
_PRICED = (_s.account, _s.region, _s.architecture, _s.kind, _s.runtime)
_TOTALS: Final = len(UsageTotal.__struct_fields__)
_PEAK: Final = "memory_peak_mib"


def stretches(from_s: int, before_s: int) -> Iterator[tuple[int, int, int]]:
    """
    Take a stretch of time apart: yield resolutions with the begin and the end of what each covers, the coarsest first.

    Bounds are at whole minutes.
    """
    left = [(from_s, before_s)] if from_s < before_s else []
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


def totals(connection: Connection, question: UsageQuestion, now_s: int) -> Sequence[UsageRow]:
    """
    Return sums by group; see the contract.

    Raises:
        Coarse: a part of it would be read from sums that are gone by now.
    """
    parts = _parts(question, now_s)
    if not parts:
        return []
    is_tagged = question.by is UsageGroup.TAG or bool(question.tags)
    rows: dict[tuple[str, ...], UsageRow] = {}
    for row in _sums(connection, question, parts, is_tagged=is_tagged):
        _take_in(rows, question, row, is_tagged=is_tagged)
    return [rows[place] for place in sorted(rows)]


def totals_by_time(
    connection: Connection, question: UsageQuestion, period_s: int, now_s: int, limit: int
) -> Mapping[int, Sequence[UsageRow]] | None:
    """
    Return sums by group of each period; see the contract.

    Raises:
        Coarse: as `totals`.
    """
    parts = [(period_s, question.from_s, question.before_s)]
    _check_kept(parts, now_s)
    is_tagged = question.by is UsageGroup.TAG or bool(question.tags)
    found: dict[int, dict[tuple[str, ...], UsageRow]] = {}
    rows_of_all = _sums(connection, question, parts, is_tagged=is_tagged, limit=limit + 1)
    for number, row in enumerate(rows_of_all):
        if number == limit:
            return None
        _take_in(found.setdefault(row[0], {}), question, row[1:], is_tagged=is_tagged)
    return {at_s: [rows[place] for place in sorted(rows)] for at_s, rows in found.items() if rows}


def tagged_totals(connection: Connection, question: UsageQuestion, now_s: int) -> Sequence[TaggedRow]:
    """
    Return sums by function and its tags; see the contract.

    Raises:
        Coarse: as `totals`.
    """
    parts = _parts(question, now_s)
    if not parts:
        return []
    found = []
    for row in _sums(connection, question, parts, is_tagged=True):
        if has_tags(question, row[1]):
            account, region, architecture, kind, runtime, *amounts = row[2:]
            total = UsageTotal(*amounts[:_TOTALS])
            one = UsageRow(row[0], account, region, architecture, kind, runtime, total, *amounts[_TOTALS:])
            found.append(TaggedRow(one, _decode_tags(row[1])))
    return found


def _parts(question: UsageQuestion, now_s: int) -> list[tuple[int, int, int]]:
    parts = list(stretches(question.from_s, question.before_s))
    _check_kept(parts, now_s)
    return parts


def _check_kept(parts: Sequence[tuple[int, int, int]], now_s: int) -> None:
    for period_s, begin, _ in parts:
        kept_s = _KEPT_S.get(period_s)
        if kept_s is not None and begin < now_s - kept_s:
            what, whole = ("minute", "quarters of an hour") if period_s == 60 else ("hour", "days of UTC")
            raise Coarse(f"usage by the {what} is kept for {kept_s // 86_400} days: ask for whole {whole}")


def _sums(
    connection: Connection,
    question: UsageQuestion,
    parts: Sequence[tuple[int, int, int]],
    *,
    is_tagged: bool,
    limit: int = 0,
) -> Found:
    """
    Return rows: the group's columns, tags where they are wanted, what makes a price, amounts.

    Args:
        limit: of rows for each period by itself, which then has its begin in front.
    """
    asked = {
        name: value
        for name, value in (
            ("account", question.account),
            ("region", question.region),
            ("function", question.function),
        )
        if value is not None
    }
    values: dict[str, Any] = {f"of_{name}": value for name, value in asked.items()}
    for number, (period_s, begin, end) in enumerate(parts):
        values |= {f"period_{number}": period_s, f"begin_{number}": begin, f"end_{number}": end}
    query = _query(question.by, tuple(asked), len(parts), is_tagged=is_tagged, is_timed=bool(limit))
    if limit:
        values["most"] = limit
    return Prepared(connection).execute(query, values)


@cache
def _query(
    by: UsageGroup, filtered: tuple[str, ...], parts: int, *, is_tagged: bool, is_timed: bool
) -> "Select[*tuple[Any, ...]]":
    """
    Return the query of sums. They are added up by series first, whose numbers are told apart faster than names.

    Kept, since to write it anew took as long as its answer: a month by the day is thirty questions.
    """
    told_apart = (*((_t.at_s,) if is_timed else ()), _t.series_id)
    of_series = select(
        *told_apart,
        *(
            (func.max(_t[name]) if name == _PEAK else cast(func.sum(_t[name]), BigInteger)).label(name)
            for name in UsageTotal.__struct_fields__
        ),
    ).where(
        or_(
            *(
                and_(
                    _t.period_s == bindparam(f"period_{number}"),
                    _t.at_s >= bindparam(f"begin_{number}"),
                    _t.at_s < bindparam(f"end_{number}"),
                )
                for number in range(parts)
            )
        )
    )
    if filtered:
        of_filter = (_s[name] == bindparam(f"of_{name}") for name in filtered)
        of_series = of_series.where(_t.series_id.in_(select(_s.id).where(*of_filter)))
    summed = of_series.group_by(*told_apart).subquery()
    t = summed.c

    def weighed(amount: Any, by: Any) -> Any:
        return cast(func.sum(amount * by), BigInteger)

    grouped = (*((t.at_s,) if is_timed else ()), *GROUPS[by], *((_s.tags,) if is_tagged else ()), *_PRICED)
    query = (
        select(
            *grouped,
            *(
                func.max(t[name]) if name == _PEAK else cast(func.sum(t[name]), BigInteger)
                for name in UsageTotal.__struct_fields__
            ),
            weighed(t.billed_ms, _s.memory_mib),
            weighed(t.billed_ms, _s.tmp_mib - FREE_TMP_MIB),
            weighed(t.allocated_ms, _s.memory_mib),
            weighed(t.restores, _s.memory_mib),
        )
        .join_from(summed, usage_series, _s.id == t.series_id)
        .group_by(*grouped)
    )
    return query.limit(bindparam("most")) if is_timed else query


def _take_in(rows: dict[tuple[str, ...], UsageRow], question: UsageQuestion, row: Any, *, is_tagged: bool) -> None:
    """Add a row of a result to what is known of its group."""
    groups = len(GROUPS[question.by])
    names, rest = row[:groups], row[groups:]
    tags: Mapping[str, str] = {}
    if is_tagged:
        if not has_tags(question, rest[0]):
            return
        tags, rest = _decode_tags(rest[0]), rest[1:]
    group = tags.get(question.tag, "") if question.by is UsageGroup.TAG else group_name(names)
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


def records(connection: Connection, question: UsageQuestion, after: int, limit: int) -> RecordPage:
    """Return records; see the contract."""
    from_ms, before_ms = question.from_s * 1000, question.before_s * 1000
    if not after:
        # The index knows where a stretch begins, which may be millions of records in. Records are nearly in the order
        # of time, but for clocks that jump.
        in_time = and_(_r.started_ms >= from_ms, _r.started_ms < before_ms)
        first = connection.execute(select(func.min(_r.id)).where(in_time)).scalar()
        if first is None:
            return RecordPage([], None)
        after = first - 1
    newest = connection.execute(select(func.max(_r.id))).scalar() or 0
    upto = min(after + SCANNED_MAX, newest)
    columns = (
        _r.id, _r.request_id, _r.started_ms, _r.duration_us, _r.init_us, _r.billed_ms, _r.cpu_us,
        _r.memory_peak_mib, _r.streamed_bytes, _r.flags, _s.account, _s.region, _s.function, _s.version,
        _s.qualifier, _s.memory_mib, _s.tmp_mib, _s.architecture, _s.kind, _s.runtime, _s.tenant, _s.tags,
    )  # fmt: skip
    # Not by that index: each page would be sorted out of all that lies in the stretch.
    at_ms = _r.started_ms + 0
    query = (
        select(*columns)
        .join_from(usage_records, usage_series, _s.id == _r.series_id)
        .where(_r.id > after, _r.id <= upto, at_ms >= from_ms, at_ms < before_ms)
        .order_by(_r.id)
        .limit(limit)
    )
    if filters := [*filters_of(question), *(_has_tag(key, value) for key, value in question.tags.items())]:
        query = query.where(_r.series_id.in_(select(_s.id).where(*filters)))
    rows = connection.execute(query).all()
    found = [(row[0], _record(row)) for row in rows if has_tags(question, row[-1])]
    if len(rows) == limit:
        return RecordPage(found, rows[-1][0])
    return RecordPage(found, upto if upto < newest else None)


def _has_tag(key: str, value: str) -> Any:
    """Return a condition that what has a tag meets, and little else: as it stands in the JSON object."""
    return _s.tags.contains(f"{_encode(key).decode()}:{_encode(value).decode()}", autoescape=True)


def filters_of(question: UsageQuestion) -> list[Any]:
    """Return what series have to be."""
    return [
        column == value
        for column, value in (
            (_s.account, question.account),
            (_s.region, question.region),
            (_s.function, question.function),
        )
        if value is not None
    ]


def group_name(names: Sequence[str]) -> str:
    """Return how a group is shown: its name, or `function:qualifier`."""
    if len(names) == 1:
        return names[0]
    function, qualifier = names
    return f"{function}:{qualifier}" if qualifier else function


def has_tags(question: UsageQuestion, tags: str) -> bool:
    """Say whether a function that had these tags is asked for; they are a JSON object."""
    return not question.tags or question.tags.items() <= _decode_tags(tags).items()


def _record(row: Any) -> UsageRecord:
    key = UsageKey(Scope(row[10], row[11]), row[12], row[13], row[14], UsageClass(*row[15:21]))
    flags = row[9]
    started_ms, duration_us, init_us, billed_ms, cpu_us, peak_mib, streamed_bytes = row[2:9]
    return UsageRecord(
        key,
        _request_id(row[1]),
        started_ms,
        duration_us,
        init_us,
        billed_ms,
        cpu_us,
        peak_mib,
        streamed_bytes,
        STATUSES[flags & 3],
        bool(flags & RESTORED),
    )


def _request_id(packed: bytes) -> str:
    """Return a request id that `store.usage` packed."""
    if len(packed) != 16:
        return packed.decode("utf-8", "replace").rstrip("\0")
    digits = packed.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
