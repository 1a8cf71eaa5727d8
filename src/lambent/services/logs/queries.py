"""
Queries of Logs Insights: begun by one call, run in the background, asked for by others until they are complete.

Rows are kept in memory, within bounds: they do not survive a restart, and the oldest give way to newer ones. A query
reads events batch by batch, as they lie; what it does with a batch happens in a thread.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from lambent.clock import Clock
from lambent.domain.caller import Caller, Scope
from lambent.errors.api.logs import (
    InvalidParameterException,
    LimitExceededException,
    MalformedQueryException,
    ResourceNotFoundException,
)
from lambent.errors.families import DependencyError
from lambent.protocol.shapes.logs import (
    DescribeQueriesRequest,
    GetQueryResultsRequest,
    StartQueryRequest,
    StopQueryRequest,
)
from lambent.services.logs.naming import group_missing, parse_identifier
from lambent.services.logs.tokens import offset_token, parse_offset_token
from lambent.services.operation import operation
from lambent.store.contract import LogBatch, LogEvent, LogStore

# The language is imported with the first query: a server at rest does without.
if TYPE_CHECKING:
    from lambent.domain.insights.fields import Line
    from lambent.domain.insights.run import Run
    from lambent.domain.insights.steps import RowOfText

AT_ONCE: Final = 2
"""Queries that run; the others are scheduled. Assumed: each keeps a processor busy (test_queries)."""

UNFINISHED_MAX: Final = 100
"""Of one account, those that wait included. Documented: CloudWatch Logs quotas."""

UNFINISHED_EVERYWHERE_MAX: Final = 1_000

GROUPS_MAX: Final = 50
"""Documented: StartQuery."""

KEPT_S: Final = 7 * 86_400
"""How long results can be asked for. Documented: CloudWatch Logs quotas."""

KEPT_MAX: Final = 1_000
KEPT_BYTES_MAX: Final = 64 << 20
"""Of the queries that are over, and their rows. Assumed: clients fetch rows once, and soon (test_queries)."""

TIMEOUT_S: Final = 3_600.0
"""Documented: CloudWatch Logs quotas."""

PAGE_ROWS_MAX: Final = 10_000
"""Documented: GetQueryResults."""

PAGE_BYTES_MAX: Final = 8 << 20
"""
Of names and values in one answer; then there is a token. Assumed: making more would hold up everybody for some tenths
of a second (test_queries).
"""

LANGUAGE: Final = "CWLI"

_log = logging.getLogger("lambent.insights")


class _Status(StrEnum):
    SCHEDULED = "Scheduled"
    """Others run."""
    RUNNING = "Running"
    COMPLETE = "Complete"
    FAILED = "Failed"
    """It would have held too much, or the store failed; the server's log says which."""
    CANCELLED = "Cancelled"
    TIMEOUT = "Timeout"


_UNFINISHED: Final = frozenset({_Status.SCHEDULED, _Status.RUNNING})


class _Asked:
    """One query that was started."""

    def __init__(self, query_id: str, scope: Scope, groups: Sequence[str], request: StartQueryRequest, now: float):
        self.id = query_id
        self.scope = scope
        self.groups = groups
        self.text = request["queryString"]
        self.start_s, self.end_s = request["startTime"], request["endTime"]
        self.created_s = now
        self.status = _Status.SCHEDULED
        self.run: Run | None = None
        """While it runs."""
        self.rows: Sequence[RowOfText] = ()
        self.size = 0
        self.matched = self.scanned = self.scanned_bytes = 0

    @property
    def expanded(self) -> str:
        """
        The query as DescribeQueries shows it.

        Observed: recordings of the service, for one group. Assumed: the others stand beside it (test_queries).
        """
        sources = ", ".join(f'"{group}"' for group in self.groups)
        return f"SOURCE {sources} START={self.start_s}000 END={self.end_s}999 | {self.text}"

    def count(self) -> None:
        """Take over what the run has counted."""
        if self.run is not None:
            self.matched, self.scanned, self.scanned_bytes = (
                self.run.matched,
                self.run.scanned,
                self.run.scanned_bytes,
            )


class LogQueries:
    """
    Queries, from their start to the last call for their rows.

    Args:
        fold: brings what functions have written so far into `store`; awaited before a query reads.
    """

    def __init__(self, store: LogStore, fold: Callable[[], Awaitable[None]], clock: Clock) -> None:
        self._store = store
        self._fold = fold
        self._clock = clock
        self._asked: dict[str, _Asked] = {}
        """By id, the oldest first."""
        self._waiting: dict[str, _Asked] = {}
        """Those that nobody works on yet, by id; one that is stopped leaves at once."""
        self._woken = asyncio.Event()

    @operation("StartQuery")
    async def start(self, caller: Caller, request: StartQueryRequest) -> Mapping[str, Any]:
        from lambent.domain.insights.commands import MalformedQuery
        from lambent.domain.insights.run import Query

        language = request.get("queryLanguage", LANGUAGE)
        if language != LANGUAGE:
            raise InvalidParameterException(f"queryLanguage {language} is not offered by this version of Lambent")
        if request["startTime"] > request["endTime"]:
            # Assumed: the text (test_queries).
            raise InvalidParameterException("startTime must not be after endTime.")
        groups = _requested_groups(caller, request)
        try:
            # In a thread: a pattern may take a while to compile.
            query = await asyncio.to_thread(Query, request["queryString"])
        except MalformedQuery as error:
            raise MalformedQueryException(
                error.message,
                fields={
                    "queryCompileError": {
                        "location": {"startCharOffset": error.start, "endCharOffset": error.end},
                        "message": error.message,
                    }
                },
            ) from None
        await self._fold()
        for group in groups:
            if await self._store.group(caller.scope, group) is None:
                raise _group_missing(caller, group)
        self._check_room(caller.scope)
        asked = _Asked(self._clock.new_id(), caller.scope, groups, request, self._clock.now())
        asked.run = query.run(int(self._clock.now()), request.get("limit"))
        self._asked[asked.id] = asked
        self._waiting[asked.id] = asked
        self._woken.set()
        return {"queryId": asked.id}

    @operation("GetQueryResults")
    async def results(self, caller: Caller, request: GetQueryResultsRequest) -> Mapping[str, Any]:
        asked = self._find(caller, request["queryId"])
        offset = parse_offset_token(request["nextToken"]) if "nextToken" in request else 0
        until = _page_end(asked.rows, offset, request.get("maxItems") or PAGE_ROWS_MAX)
        asked.count()
        answer: dict[str, Any] = {
            "queryLanguage": LANGUAGE,
            "results": [[{"field": name, "value": value} for name, value in row] for row in asked.rows[offset:until]],
            "statistics": {
                "recordsMatched": float(asked.matched),
                "recordsScanned": float(asked.scanned),
                "estimatedRecordsSkipped": 0.0,
                "bytesScanned": float(asked.scanned_bytes),
                "estimatedBytesSkipped": 0.0,
                "logGroupsScanned": float(len(asked.groups)),
            },
            "status": asked.status,
        }
        if until < len(asked.rows):
            answer["nextToken"] = offset_token(until)
        return answer

    @operation("StopQuery")
    async def stop(self, caller: Caller, request: StopQueryRequest) -> Mapping[str, Any]:
        asked = self._find(caller, request["queryId"])
        if asked.status not in _UNFINISHED:
            # Observed: field reports of the text.
            raise InvalidParameterException(f"Query with ID {asked.id} is already {asked.status}")
        self._end(asked, _Status.CANCELLED)
        return {"success": True}

    @operation("DescribeQueries")
    async def describe(self, caller: Caller, request: DescribeQueriesRequest) -> Mapping[str, Any]:
        if request.get("queryLanguage", LANGUAGE) != LANGUAGE:
            return {"queries": []}
        offset = parse_offset_token(request["nextToken"]) if "nextToken" in request else 0
        limit = request.get("maxResults", KEPT_MAX)
        group, status = request.get("logGroupName"), request.get("status")
        self._drop_old()
        found = [
            asked
            for asked in reversed(self._asked.values())
            if asked.scope == caller.scope
            and (group is None or group in asked.groups)
            and (status is None or status == asked.status)
        ]
        answer: dict[str, Any] = {"queries": [_described(asked) for asked in found[offset : offset + limit]]}
        if offset + limit < len(found):
            answer["nextToken"] = offset_token(offset + limit)
        return answer

    def _find(self, caller: Caller, query_id: str) -> _Asked:
        self._drop_old()
        asked = self._asked.get(query_id)
        if asked is None or asked.scope != caller.scope:
            # Assumed: the text; the code is documented (test_queries).
            raise ResourceNotFoundException("The specified query does not exist.")
        return asked

    def _check_room(self, scope: Scope) -> None:
        unfinished = [asked.scope for asked in self._asked.values() if asked.status in _UNFINISHED]
        of_account = sum(each.account == scope.account for each in unfinished)
        if of_account >= UNFINISHED_MAX or len(unfinished) >= UNFINISHED_EVERYWHERE_MAX:
            # Assumed: the text; the code is documented (test_queries).
            raise LimitExceededException(
                f"Account maximum query concurrency limit of [{UNFINISHED_MAX}] reached: stop a query, or wait."
            )

    def _drop_old(self) -> None:
        """Forget queries that are over, the oldest first, until the others fit."""
        over = [asked for asked in self._asked.values() if asked.status not in _UNFINISHED]
        size = sum(asked.size for asked in over)
        oldest_s = self._clock.now() - KEPT_S
        for number, asked in enumerate(over):
            if asked.created_s >= oldest_s and size <= KEPT_BYTES_MAX and len(over) - number <= KEPT_MAX:
                return
            # The newest one is always kept: somebody is about to ask for it.
            if asked.created_s < oldest_s or number < len(over) - 1:
                size -= asked.size
                del self._asked[asked.id]

    # The work

    async def run(self) -> None:
        """Run queries as they are started, for ever."""
        async with asyncio.TaskGroup() as workers:
            for number in range(AT_ONCE):
                workers.create_task(self._work(), name=f"insights-{number}")

    async def _work(self) -> None:
        while True:
            while not self._waiting:
                self._woken.clear()
                await self._woken.wait()
            asked = self._waiting.pop(next(iter(self._waiting)))
            asked.status = _Status.RUNNING
            timer = self._clock.call_later(TIMEOUT_S, partial(self._end, asked, _Status.TIMEOUT))
            try:
                await self._read(asked)
            except (_too_large(), DependencyError) as error:
                _log.warning("query.failed query_id=%s reason=%s", asked.id, error)
                self._end(asked, _Status.FAILED)
            except Exception:
                _log.exception("query.failed query_id=%s", asked.id)
                self._end(asked, _Status.FAILED)
            except BaseException:
                self._end(asked, _Status.FAILED)
                raise
            finally:
                timer.cancel()

    async def _read(self, asked: _Asked) -> None:
        run = asked.run
        assert run is not None
        scan = self._store.scan(
            asked.scope,
            asked.groups,
            from_ms=asked.start_s * 1_000,
            # Observed: recordings of the service: to the end of the last second.
            before_ms=asked.end_s * 1_000 + 1_000,
        )
        async with aclosing(cast("AsyncGenerator[LogBatch]", scan)) as batches:
            async for batch in batches:
                await asyncio.to_thread(_take, run, batch, asked.scope.account)
                if asked.status is not _Status.RUNNING:
                    return
        rows = await asyncio.to_thread(run.finish)
        size = sum(len(name) + len(value) for row in rows for name, value in row)
        if asked.status is _Status.RUNNING:
            asked.rows, asked.size = rows, size
            self._end(asked, _Status.COMPLETE)

    def _end(self, asked: _Asked, status: _Status) -> None:
        if asked.status in _UNFINISHED:
            asked.count()
            if asked.run is not None:
                # Where a thread is at work on it, it is to leave off.
                asked.run.stop()
            asked.run = None
            asked.status = status
            self._waiting.pop(asked.id, None)
            self._drop_old()


def _take(run: "Run", batch: LogBatch, account: str) -> None:
    run.take(lines_of(batch.events, f"{account}:{batch.group}"))


def lines_of(events: Iterable[LogEvent], log: str) -> "Iterator[Line]":
    """Return events as queries read them; `log` is their group, after its account and a colon."""
    from lambent.domain.insights.fields import Line

    return (
        Line(event.timestamp_ms, event.ingestion_ms, event.stream, log, event.message, event.sequence)
        for event in events
    )


def _page_end(rows: "Sequence[RowOfText]", offset: int, most: int) -> int:
    """Return where a page ends that begins at `offset`: it has a row at least, where there is one."""
    size = 0
    for number, row in enumerate(rows[offset : offset + most], offset):
        size += sum(len(name) + len(value) for name, value in row)
        if size > PAGE_BYTES_MAX and number > offset:
            return number
    return offset + most


def _too_large() -> type[Exception]:
    from lambent.domain.insights.steps import TooLarge

    return TooLarge


def _requested_groups(caller: Caller, request: StartQueryRequest) -> list[str]:
    """
    Return the names of the groups that a request asks for, each once.

    Raises:
        InvalidParameterException: it names none, too many, or in more ways than one.
        ResourceNotFoundException: one is of another account or region.
    """
    given = [name for name in ("logGroupName", "logGroupNames", "logGroupIdentifiers") if request.get(name)]
    if len(given) != 1:
        # Documented: StartQuery: exactly one of them. Assumed: the text (test_queries).
        raise InvalidParameterException(
            "Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be specified."
        )
    if given == ["logGroupName"]:
        return [request["logGroupName"]]
    names: Sequence[str] = request["logGroupNames"] if given == ["logGroupNames"] else request["logGroupIdentifiers"]
    if len(names) > GROUPS_MAX:
        raise InvalidParameterException(f"A query can have at most {GROUPS_MAX} log groups.")
    groups = []
    for name in names:
        scope, group = parse_identifier(caller.scope, name)
        if scope != caller.scope:
            raise group_missing()
        groups.append(group)
    return list(dict.fromkeys(groups))


def _group_missing(caller: Caller, group: str) -> ResourceNotFoundException:
    # Observed: recordings of the service: what is in brackets really is in the message.
    return ResourceNotFoundException(
        f"Log group '{group}' does not exist for account ID '{caller.scope.account}' (Service: AWSLogs; Status Code: "
        f"400; Error Code: ResourceNotFoundException; Request ID: {caller.request_id}; Proxy: null)"
    )


def _described(asked: _Asked) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "queryLanguage": LANGUAGE,
        "queryId": asked.id,
        "queryString": asked.expanded,
        "status": asked.status,
        "createTime": int(asked.created_s * 1_000),
    }
    if len(asked.groups) == 1:
        shown["logGroupName"] = asked.groups[0]
    return shown
