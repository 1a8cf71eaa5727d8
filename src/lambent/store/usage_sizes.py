"""What invocations took with each memory size, by the records that are kept."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import BigInteger, Connection, cast, func, select

from lambent.domain.usage import UsageKind
from lambent.store.tables import usage_records, usage_series
from lambent.store.usage_contract import SizeRow, UsageQuestion
from lambent.store.usage_reading import GROUPS, STATUSES, filters_of, group_name, has_tags

SCANNED_MAX: Final = 5_000_000
"""
Records that are looked at, some seconds: of what runs seldom, those alone that are among the newest of all. Assumed: of
more, the last million that suits is nearly always within (test_usage_sizes).
"""

_STATUS_BITS: Final = 3
_TIMEOUT: Final = STATUSES.index("timeout")

_s = usage_series.c
_r = usage_records.c


def sizes(connection: Connection, question: UsageQuestion, limit: int) -> Sequence[SizeRow]:
    """Return what was taken by group and memory size; see the contract."""
    last = select(_r.id).where(_r.started_ms < question.before_s * 1000).order_by(_r.started_ms.desc()).limit(1)
    newest_id = connection.execute(last).scalar()
    if newest_id is None:
        return []
    # Not by the index of time: records are taken by their number, newest first, and no more than the limit.
    at_ms = _r.started_ms + 0
    newest = (
        select(_r.series_id, _r.billed_ms, _r.cpu_us, _r.memory_peak_mib, _r.started_ms)
        .where(
            _r.id > newest_id - SCANNED_MAX,
            at_ms >= question.from_s * 1000,
            at_ms < question.before_s * 1000,
            _r.flags.op("&")(_STATUS_BITS) != _TIMEOUT,
            _r.series_id.in_(select(_s.id).where(_s.kind != UsageKind.PROVISIONED.value, *filters_of(question))),
        )
        .order_by(_r.id.desc())
        .limit(limit)
        .subquery()
    )
    n = newest.c
    grouped = (*GROUPS[question.by], _s.tags, _s.account, _s.region, _s.architecture, _s.memory_mib)
    query = (
        select(
            *grouped,
            func.count(),
            cast(func.sum(n.billed_ms), BigInteger),
            cast(func.sum(n.cpu_us), BigInteger),
            func.max(n.memory_peak_mib),
            func.max(n.started_ms),
        )
        .join_from(newest, usage_series, _s.id == n.series_id)
        .group_by(*grouped)
    )
    names = len(GROUPS[question.by])
    found: dict[tuple[str, str, str, str, int], SizeRow] = {}
    for row in connection.execute(query):
        if not has_tags(question, row[names]):
            continue
        one = SizeRow(group_name(row[:names]), *row[names + 1 :])
        known = found.get(one[:5])
        found[one[:5]] = one if known is None else _together(known, one)
    return [found[place] for place in sorted(found)]


def _together(one: SizeRow, other: SizeRow) -> SizeRow:
    return one._replace(
        invocations=one.invocations + other.invocations,
        billed_ms=one.billed_ms + other.billed_ms,
        cpu_us=one.cpu_us + other.cpu_us,
        memory_peak_mib=max(one.memory_peak_mib, other.memory_peak_mib),
        last_ms=max(one.last_ms, other.last_ms),
    )
