"""Searches and reads beyond what a client sees of a few small traces: where pages end, and what goes meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lambent.domain.caller import Caller, Scope
from lambent.domain.principal import root_of
from lambent.domain.traced import Accepted
from lambent.errors.api.xray import InvalidRequestException
from lambent.services import xray
from lambent.services.xray import graphs, traces
from lambent.store.database import Database
from lambent.store.trace_settings import TraceSettingRepository
from lambent.store.traces import RETENTION_S, TraceRepository
from lambent.telemetry.traces import Traces
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope(account="111122223333", region="eu-west-1")
CALLER = Caller(SCOPE, root_of(SCOPE.account), "none", "r", "http://localhost")
RANGE = {"StartTime": datetime.fromtimestamp(0, UTC), "EndTime": datetime.fromtimestamp(20_000, UTC)}

LEFT: list[Traces] = []
"""Of the stage that is open: what functions have left and is not stored yet."""

Call = Callable[..., Awaitable[Mapping[str, Any]]]


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[tuple[Call, TraceRepository, VirtualClock]]:
    """Open the service on a store of its own; give what calls it."""
    make_sqlite(folder / "state.db")
    clock = VirtualClock()
    async with Database(folder / "state.db") as database:
        store = TraceRepository(database, clock, max_bytes=1 << 30)
        left = Traces(store, clock)
        service = xray.service(store, TraceSettingRepository(database), clock, left.settle)
        LEFT[:] = [left]

        async def call(operation: str, **request: Any) -> Mapping[str, Any]:
            return await service.handlers[operation](CALLER, request)

        yield call, store, clock


def trace_id(number: int) -> str:
    return f"1-{number:08x}-{number:024x}"


async def put(call: Call, numbers: Sequence[int], **fields: Any) -> None:
    documents = [
        json.dumps(
            {
                "trace_id": trace_id(number), "id": f"{number:016x}", "name": f"s{number}", "start_time": number,
                "end_time": number + 1, **fields,
            }
        )
        for number in numbers
    ]  # fmt: skip
    answer = await call("PutTraceSegments", TraceSegmentDocuments=documents)
    assert answer["UnprocessedTraceSegments"] == []


async def pages_of(call: Call, operation: str, **request: Any) -> list[Mapping[str, Any]]:
    pages = [await call(operation, **request)]
    while "NextToken" in pages[-1]:
        assert len(pages) < 100
        pages.append(await call(operation, **request, NextToken=pages[-1]["NextToken"]))
    return pages


def found_in(pages: Sequence[Mapping[str, Any]]) -> list[str]:
    return [summary["Id"] for page in pages for summary in page["TraceSummaries"]]


def test_a_reader_sees_what_has_just_been_left(tmp_path: Path) -> None:
    """By id and by time: it is put into the store before that is asked, and not half a second later."""

    async def story() -> None:
        async with stage(tmp_path) as (call, _, _):
            for number, operation, asked in (
                (1, "BatchGetTraces", {"TraceIds": [trace_id(1)]}),
                (2, "GetTraceSummaries", RANGE),
                (3, "GetServiceGraph", RANGE),
            ):
                LEFT[0].add(Accepted(SCOPE, f"f{number}", trace_id(number), "5" * 16, "", "r", number, number + 1, 200))
                answer = await call(operation, **asked)
                assert f"f{number}" in str(answer)

    asyncio.run(story())


def test_a_search_that_finds_little_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call looks at so many traces; then it says where to go on, though it has found nothing yet."""
    monkeypatch.setattr(traces, "_AT_ONCE", 5)
    monkeypatch.setattr(traces, "_SCANNED_MAX", 10)

    async def run() -> None:
        async with stage(tmp_path) as (call, _, _):
            await put(call, range(34))
            pages = await pages_of(call, "GetTraceSummaries", **RANGE, FilterExpression='service("s33")')
            assert [page["TracesProcessedCount"] for page in pages] == [10, 10, 10, 4]
            assert [len(page["TraceSummaries"]) for page in pages] == [0, 0, 0, 1]

    asyncio.run(run())


@pytest.mark.parametrize("limit", ["_PAGE_BYTES", "_SCANNED_BYTES"])
def test_large_traces_make_short_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """What an answer holds, and what a call looks at, is bounded in bytes; each trace is found once all the same."""
    monkeypatch.setattr(traces, limit, 3_000)

    async def run() -> None:
        async with stage(tmp_path) as (call, _, _):
            await put(call, range(10), user="x" * 1_000)
            pages = await pages_of(call, "GetTraceSummaries", **RANGE)
            assert found_in(pages) == [trace_id(number) for number in range(10)]
            assert [len(page["TraceSummaries"]) for page in pages] == [3, 3, 3, 1]

    asyncio.run(run())


def test_a_read_ends_its_pages_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids that are asked for twice, in capitals, or that are not there, count once, alike, or not at all."""
    monkeypatch.setattr(traces, "_PAGE_BYTES", 3_000)

    async def run() -> None:
        async with stage(tmp_path) as (call, _, _):
            await put(call, range(7), user="x" * 1_000)
            ids = [trace_id(number) for number in (0, 1, 99, 0, 2, 3, 4, 5, 6)] + [trace_id(5).upper(), "1-2-3"]
            pages = await pages_of(call, "BatchGetTraces", TraceIds=ids)
            assert [trace["Id"] for page in pages for trace in page["Traces"]] == [trace_id(n) for n in range(7)]
            assert [len(page["Traces"]) for page in pages] == [3, 3, 1]
            assert [page["UnprocessedTraceIds"] for page in pages] == [["1-2-3"], [], []]

    asyncio.run(run())


def test_traces_that_go_meanwhile_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever goes on from a trace that is gone finds the next ones."""
    monkeypatch.setattr(traces, "_PAGE", 2)

    async def run() -> None:
        async with stage(tmp_path) as (call, store, clock):
            await put(call, range(3))
            clock.advance(10)
            await put(call, range(3, 5))
            first = await call("GetTraceSummaries", **RANGE)
            assert found_in([first]) == [trace_id(0), trace_id(1)]
            assert await store.drop_expired(clock.now() + RETENTION_S - 5) == 3
            rest = await call("GetTraceSummaries", **RANGE, NextToken=first["NextToken"])
            assert found_in([rest]) == [trace_id(3), trace_id(4)]

    asyncio.run(run())


def test_tokens_are_good_for_their_request_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another range, another filter, another operation, and what is none at all."""
    monkeypatch.setattr(traces, "_PAGE", 1)

    async def run() -> None:
        async with stage(tmp_path) as (call, _, _):
            await put(call, range(3))
            token = (await call("GetTraceSummaries", **RANGE))["NextToken"]
            later = {**RANGE, "StartTime": datetime.fromtimestamp(1, UTC)}
            for operation, request in [
                ("GetTraceSummaries", later),
                ("GetTraceSummaries", {**RANGE, "FilterExpression": "ok"}),
                ("GetTraceSummaries", {**RANGE, "TimeRangeType": "Event"}),
                ("BatchGetTraces", {"TraceIds": [trace_id(0)]}),
                ("GetServiceGraph", RANGE),
                ("GetTraceGraph", {"TraceIds": [trace_id(0)]}),
            ]:
                for given in (token, token[:-3], "", "x" * 10_000, "\u00e4", "bnVsbA=="):
                    with pytest.raises(InvalidRequestException):
                        await call(operation, **request, NextToken=given)

    asyncio.run(run())


@pytest.mark.parametrize("limit", ["_TRACES_MAX", "_BYTES_MAX"])
def test_a_graph_of_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """Rather than be wrong; of less time it is made."""
    monkeypatch.setattr(graphs, "_AT_ONCE", 5)
    monkeypatch.setattr(graphs, limit, 10 if limit == "_TRACES_MAX" else 1_200)

    async def run() -> None:
        async with stage(tmp_path) as (call, _, _):
            await put(call, range(12))
            with pytest.raises(InvalidRequestException, match="ask for less time"):
                await call("GetServiceGraph", **RANGE)
            shorter = {**RANGE, "EndTime": datetime.fromtimestamp(4, UTC)}
            assert len((await call("GetServiceGraph", **shorter))["Services"]) == 10

    asyncio.run(run())
