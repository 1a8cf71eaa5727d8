"""
Traces in the database: the `TraceStore` of the contract.

The documents of a trace that come together are kept together, compressed, and never changed: what comes later is added
behind them, and whoever reads them sorts out which of two with one id counts. So a put costs the same whatever the
trace holds.
"""

import asyncio
import logging
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select, tuple_, update

from lambent.clock import Clock
from lambent.domain.caller import Scope
from lambent.store.database import AnyRow, Database
from lambent.store.prepared import Prepared, padded
from lambent.store.tables import trace_documents, trace_totals, traces
from lambent.store.traces_contract import TRACE_BYTES_MAX, StoredTrace, TraceDocument

RETENTION_S = 30 * 86_400.0
"""Documented: X-Ray quotas: 30 days. Here from when a trace's first segment came."""

ROW_BYTES = 400
"""What a trace takes beside its documents: its row, and its places in four indexes. Measured (test_traces)."""

_SWEEP_TRACES = 500
"""Dropped in one commit: a few milliseconds, so that a sweep holds no other writer up."""

_NAMES_AT_ONCE = 256
"""Ids in one list of a statement, far below what either database takes."""

_LEVEL = 3
"""Of compression. Measured: twice as fast as the usual one, and a tenth larger."""

_DICTIONARY = (
    b'"cause":{"working_directory":"/var/task","exceptions":[{"id":"","message":"","type":"","remote":false,"stack":[{"'
    b'path":"","line":,"label":"' + b'"http":{"request":{"method":"GET","url":"http://","user_agent":"","client_ip":"'
    b'127.0.0.1"},"response":{"status":200,"content_length":}},"annotations":{},"metadata":{"default":{}},"namespace":"'
    b'aws","type":"subsegment","in_progress":true,"fault":true,"error":true,"throttle":true,"service":{"runtime":"'
    b'CPython","version":""},"aws":{"retries":0,"region":"us-east-1","operation":"","request_id":"","table_name":"","'
    b'resource_names":[""],"xray":{"sdk":"X-Ray for Python","sdk_version":""}},"aws":{"account_id":"","function_arn":"'
    b'arn:aws:lambda:us-east-1:000000000000:function:","cloudwatch_logs":[{"log_group":"/aws/lambda/"}]},"origin":"'
    b'AWS::Lambda::Function","subsegments":[{"id":"","name":"Initialization"},{"id":"","name":"Invocation"},{"id":"","'
    b'name":"Overhead"}],"origin":"AWS::Lambda","resource_arn":"arn:aws:lambda:us-east-1:000000000000:function:","'
    b'trace_id":"1-","parent_id":"","id":"","name":"","start_time":1700000000.,"end_time":1700000000.'
)
"""What most documents hold, so that short ones shrink as well. A change of it makes what is kept unreadable."""

_t = traces.c
_d = trace_documents.c

_IN_SCOPE = (_t.account == bindparam("of_account"), _t.region == bindparam("of_region"))
_STORED = (_t.trace_id, _t.start_s, _t.end_s, _t.updated_s, _t.revision, _t.document_bytes, _t.is_cut)


@cache
def _find_known(length: int) -> Select[*tuple[Any, ...]]:
    """Return the query for as many traces by their ids. Lengths are few, see `padded`."""
    ids: list[Any] = [bindparam(f"id_{number}") for number in range(length)]
    return select(_t.number, _t.stored_bytes, *_STORED).where(*_IN_SCOPE, _t.trace_id.in_(ids))


_NEXT_NUMBER = select(func.coalesce(func.max(_t.number), 0) + 1)
_INSERT = insert(traces)
_UPDATE = (
    update(traces)
    .where(_t.number == bindparam("of_number"))
    .values(
        start_s=bindparam("new_start"),
        end_s=bindparam("new_end"),
        updated_s=bindparam("new_updated"),
        revision=bindparam("new_revision"),
        document_bytes=bindparam("new_document_bytes"),
        stored_bytes=bindparam("new_stored_bytes"),
        is_cut=bindparam("new_is_cut"),
    )
)
_INSERT_DOCUMENTS = insert(trace_documents)
_ADD_TOTAL = update(trace_totals).values(stored_bytes=trace_totals.c.stored_bytes + bindparam("more"))
_TOTAL = select(trace_totals.c.stored_bytes)
_OLDEST = select(_t.number, _t.created_s, _t.stored_bytes).order_by(_t.number).limit(bindparam("at_most"))
_DELETE = delete(traces).where(_t.number == bindparam("of_number"))
_DELETE_DOCUMENTS = delete(trace_documents).where(_d.trace_number == bindparam("of_number"))
_DOCUMENTS = (
    select(_t.trace_id, _d.content)
    .join_from(traces, trace_documents, _d.trace_number == _t.number)
    .where(*_IN_SCOPE, _t.trace_id.in_(bindparam("ids", expanding=True)))
    .order_by(_t.number, _d.revision)
)

_decode = msgspec.json.Decoder(list[msgspec.Raw]).decode
_log = logging.getLogger("lambent.store")


class TraceRepository:
    """
    Traces of all scopes.

    Args:
        clock: says when a trace changed.
        max_bytes: what all of them may take.
    """

    def __init__(self, database: Database, clock: Clock, *, max_bytes: int) -> None:
        self._database = database
        self._clock = clock
        self._max_bytes = max_bytes

    async def put(self, scope: Scope, documents: Sequence[TraceDocument]) -> Sequence[TraceDocument]:
        """Store documents in one commit; see the contract."""
        if not documents:
            return []
        by_trace: dict[str, list[TraceDocument]] = {}
        for document in documents:
            by_trace.setdefault(document.trace_id, []).append(document)
        # Before the only connection that writes is taken, and not on the loop.
        packed = await asyncio.to_thread(_packed, by_trace)
        now = self._clock.now()
        return await self._database.apply(lambda connection: _put(connection, scope, by_trace, packed, now))

    async def documents(self, scope: Scope, trace_ids: Sequence[str]) -> Mapping[str, Sequence[bytes]]:
        """Return the documents of traces; see the contract."""
        found: dict[str, list[bytes]] = {}

        def look(connection: Connection) -> None:
            for ids in _in_lists(trace_ids):
                for trace_id, content in connection.execute(_DOCUMENTS, _of(scope, ids)):
                    found.setdefault(trace_id, []).extend(_unpacked(content))

        await self._database.look(look)
        return found

    async def find(self, scope: Scope, trace_ids: Sequence[str]) -> Mapping[str, StoredTrace]:
        """Return what is kept of traces; see the contract."""
        known = await self._database.look(lambda connection: _known(Prepared(connection), scope, trace_ids))
        return {trace_id: _stored(row[2:]) for trace_id, row in known.items()}

    async def between(
        self,
        scope: Scope,
        from_s: float,
        before_s: float,
        *,
        by: str = "start_s",
        after: StoredTrace | None = None,
        limit: int,
    ) -> Sequence[StoredTrace]:
        """Return traces by time; see the contract."""
        assert by in ("start_s", "end_s", "updated_s"), "one of a trace's times"
        column = _t[by]
        query = select(*_STORED).where(_t.account == scope.account, _t.region == scope.region)
        query = query.where(column >= from_s, column < before_s)
        if after is not None:
            query = query.where(tuple_(column, _t.trace_id) > tuple_(getattr(after, by), after.trace_id))
        rows = await self._database.rows(query.order_by(column, _t.trace_id).limit(limit))
        return list(map(_stored, rows))

    async def drop_expired(self, now_s: float) -> int:
        """Drop traces that are too old or too many; see the contract."""
        dropped = 0
        while True:
            # Looked for by a reader first: a sweep that finds nothing, which is nearly every one, bothers no writer.
            if not await self._database.look(lambda connection: self._doomed(connection, now_s, 1)):
                break
            dropped += await self._database.apply(lambda connection: _drop(connection, self._doomed(connection, now_s)))
        if dropped:
            _log.info("traces.dropped count=%d", dropped)
        return dropped

    def _doomed(self, connection: Connection, now_s: float, limit: int = _SWEEP_TRACES) -> Sequence[tuple[int, int]]:
        """Return number and bytes of the oldest traces that have to go, some at a time."""
        prepared = Prepared(connection)
        (total,) = prepared.execute(_TOTAL).one()
        doomed = []
        for number, created_s, stored_bytes in prepared.execute(_OLDEST, {"at_most": limit}):
            if created_s >= now_s - RETENTION_S and total <= self._max_bytes:
                break
            total -= stored_bytes
            doomed.append((number, stored_bytes))
        return doomed


def _packed(by_trace: Mapping[str, Sequence[TraceDocument]]) -> Mapping[str, bytes]:
    return {trace_id: _pack([one.document for one in documents]) for trace_id, documents in by_trace.items()}


def _pack(documents: Sequence[bytes]) -> bytes:
    packer = zlib.compressobj(_LEVEL, zdict=_DICTIONARY)
    return packer.compress(b"[" + b",".join(documents) + b"]") + packer.flush()


def _unpacked(content: bytes) -> list[bytes]:
    unpacker = zlib.decompressobj(zdict=_DICTIONARY)
    return list(map(bytes, _decode(unpacker.decompress(content) + unpacker.flush())))


def _put(
    connection: Connection,
    scope: Scope,
    by_trace: Mapping[str, Sequence[TraceDocument]],
    packed: Mapping[str, bytes],
    now: float,
) -> Sequence[TraceDocument]:
    prepared = Prepared(connection)
    known = _known(prepared, scope, list(by_trace))
    (number,) = prepared.execute(_NEXT_NUMBER).one()
    refused: list[TraceDocument] = []
    inserts: list[dict[str, Any]] = []
    updates: list[dict[str, Any]] = []
    contents: list[dict[str, Any]] = []
    more = 0
    for trace_id, documents in by_trace.items():
        row = known.get(trace_id)
        room = TRACE_BYTES_MAX - (row.document_bytes if row is not None else 0)
        fitting, content, size = documents, packed[trace_id], sum(len(one.document) for one in documents)
        if size > room:
            fitting, size = _fitting(documents, room)
            refused += documents[len(fitting) :]
            content = _pack([one.document for one in fitting]) if fitting else b""
        is_cut = len(fitting) < len(documents)
        starts = [one.start_s for one in fitting]
        ends = [one.start_s if one.end_s is None else one.end_s for one in fitting]
        if row is None:
            inserts.append(
                {
                    "number": number,
                    "account": scope.account,
                    "region": scope.region,
                    "trace_id": trace_id,
                    "start_s": min(starts),
                    "end_s": max(ends),
                    "created_s": now,
                    "updated_s": now,
                    "revision": 1,
                    "document_bytes": size,
                    "stored_bytes": len(content) + ROW_BYTES,
                    "is_cut": int(is_cut),
                }
            )
            contents.append({"trace_number": number, "revision": 1, "content": content})
            more += len(content) + ROW_BYTES
            number += 1
        elif fitting or not row.is_cut:
            updates.append(
                {
                    "of_number": row.number,
                    "new_start": min([row.start_s, *starts]),
                    "new_end": max([row.end_s, *ends]),
                    "new_updated": now,
                    "new_revision": row.revision + 1,
                    "new_document_bytes": row.document_bytes + size,
                    "new_stored_bytes": row.stored_bytes + len(content),
                    "new_is_cut": int(is_cut or row.is_cut),
                }
            )
            if content:
                contents.append({"trace_number": row.number, "revision": row.revision + 1, "content": content})
            more += len(content)
    for statement, rows in ((_INSERT, inserts), (_UPDATE, updates), (_INSERT_DOCUMENTS, contents)):
        if rows:
            prepared.execute(statement, rows)
    if more:
        prepared.execute(_ADD_TOTAL, {"more": more})
    return refused


def _fitting(documents: Sequence[TraceDocument], room: int) -> tuple[list[TraceDocument], int]:
    """Return the first documents that fit into a trace, and their size."""
    fitting, size = [], 0
    for document in documents:
        if size + len(document.document) > room:
            break
        fitting.append(document)
        size += len(document.document)
    return fitting, size


def _drop(connection: Connection, doomed: Sequence[tuple[int, int]]) -> int:
    if doomed:
        prepared = Prepared(connection)
        numbers = [{"of_number": number} for number, _ in doomed]
        prepared.execute(_DELETE_DOCUMENTS, numbers)
        prepared.execute(_DELETE, numbers)
        prepared.execute(_ADD_TOTAL, {"more": -sum(stored_bytes for _, stored_bytes in doomed)})
    return len(doomed)


def _known(prepared: Prepared, scope: Scope, trace_ids: Sequence[str]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for ids in _in_lists(trace_ids):
        asked = padded(ids, _NAMES_AT_ONCE)
        place = {"of_account": scope.account, "of_region": scope.region}
        place |= {f"id_{number}": trace_id for number, trace_id in enumerate(asked)}
        known.update({row.trace_id: row for row in prepared.execute(_find_known(len(asked)), place)})
    return known


def _in_lists(trace_ids: Sequence[str]) -> list[Sequence[str]]:
    return [trace_ids[start : start + _NAMES_AT_ONCE] for start in range(0, len(trace_ids), _NAMES_AT_ONCE)]


def _of(scope: Scope, trace_ids: Sequence[str]) -> dict[str, Any]:
    return {"of_account": scope.account, "of_region": scope.region, "ids": list(trace_ids)}


def _stored(row: "AnyRow | Sequence[Any]") -> StoredTrace:
    trace_id, start_s, end_s, updated_s, revision, size_bytes, is_cut = row
    return StoredTrace(trace_id, start_s, end_s, updated_s, revision, size_bytes, bool(is_cut))
