"""StartQuery and what follows it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from unit.services.logs.reading import DAY_S, Reading, until

from lambent.errors.api.logs import MalformedQueryException
from lambent.errors.families import ApiError
from lambent.services.logs import queries as module
from lambent.services.logs.queries import LogQueries
from lambent.store.contract import LogBatch

RANGE = {"startTime": DAY_S, "endTime": DAY_S + 3_600}


def play(story: Callable[[Reading, LogQueries], Awaitable[None]], *, works: bool = True) -> None:
    """Tell a story of queries that somebody works on, or nobody does."""

    async def run() -> None:
        reading = Reading()
        queries = LogQueries(reading.store, reading.fold, reading.clock)
        reading.has(queries)
        working = asyncio.create_task(queries.run()) if works else None
        try:
            await story(reading, queries)
        finally:
            if working is not None:
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)

    asyncio.run(run())


async def over(reading: Reading, query_id: str, **more: Any) -> Any:
    async def is_over() -> Any:
        answer = await reading.call("GetQueryResults", queryId=query_id, **more)
        return None if answer["status"] in {"Scheduled", "Running"} else answer

    return await until(is_over)


async def ask(reading: Reading, query: str, **request: Any) -> list[list[str]]:
    """Return the values of the rows of a query, without `@ptr`."""
    wanted = {"logGroupName": "g", **RANGE, **request}
    started = await reading.call("StartQuery", queryString=query, **wanted)
    answer = await over(reading, started["queryId"])
    assert answer["status"] == "Complete"
    return [[cell["value"] for cell in row if cell["field"] != "@ptr"] for row in answer["results"]]


async def refusal(call: Awaitable[Any]) -> tuple[str, str]:
    with pytest.raises(ApiError) as caught:
        await call
    return caught.value.code, caught.value.message


def test_a_query_from_its_start_to_its_rows() -> None:
    """It is scheduled, then complete; rows are fields and values, and what was looked at is counted."""

    async def story(reading: Reading, _: LogQueries) -> None:
        reading.write("a", 1)
        reading.write("bb", 2)
        reading.write("a late one", 4_000)
        started = await reading.call("StartQuery", logGroupName="g", queryString="fields @message", **RANGE)
        first = await reading.call("GetQueryResults", **started)
        assert (first["status"], first["results"]) == ("Scheduled", [])
        answer = await over(reading, started["queryId"])
        assert answer["status"] == "Complete"
        assert [[cell["field"] for cell in row] for row in answer["results"]] == [["@message", "@ptr"]] * 2
        assert [row[0]["value"] for row in answer["results"]] == ["bb", "a"]
        assert answer["statistics"] == {
            "recordsMatched": 2.0,
            "recordsScanned": 2.0,
            "estimatedRecordsSkipped": 0.0,
            "bytesScanned": 3.0,
            "estimatedBytesSkipped": 0.0,
            "logGroupsScanned": 1.0,
        }

    play(story)


def test_the_range_is_of_whole_seconds_both_included() -> None:
    async def story(reading: Reading, _: LogQueries) -> None:
        for at_s in (-0.001, 0.0, 3_600.999, 3_601.0):
            reading.write(str(at_s), at_s)
        assert await ask(reading, "fields @message | sort @timestamp") == [["0.0"], ["3600.999"]]

    play(story)


def test_groups_are_asked_together() -> None:
    """The newest of all comes first; each group once, by name or ARN."""

    async def story(reading: Reading, _: LogQueries) -> None:
        for number in range(40):
            reading.write(str(number), number, group=("a", "b", "b", "c")[number % 4])
        for number in range(40, 50):
            reading.write(str(number), number, group="a")
        reading.write("same moment", 49, group="c")
        arn = "arn:aws:logs:eu-west-1:111122223333:log-group:"
        named = {"logGroupName": None, "logGroupIdentifiers": ["a", f"{arn}b:*", f"{arn}c", "a"]}
        rows = await ask(reading, "fields @message", **named)
        assert [row[0] for row in rows if row != ["same moment"]] == [str(number) for number in reversed(range(50))]
        assert ["same moment"] in rows[:2]
        rows = await ask(reading, "stats count(*) by @log | sort @log", **named)
        assert rows == [[f"111122223333:{group}", count] for group, count in (("a", "20"), ("b", "20"), ("c", "11"))]
        few = {"logGroupName": None, "logGroupNames": ["a", "c"]}
        assert len(await ask(reading, "fields @message", **few)) == 31

    play(story)


def test_the_querys_limit_counts_and_else_the_requests() -> None:
    async def story(reading: Reading, _: LogQueries) -> None:
        for number in range(9):
            reading.write(str(number), number)
        assert len(await ask(reading, "fields @message", limit=2)) == 2
        assert len(await ask(reading, "fields @message | limit 3", limit=2)) == 3

    play(story)


def test_rows_come_in_pages() -> None:
    async def story(reading: Reading, _: LogQueries) -> None:
        for number in range(5):
            reading.write(str(number), number)
        started = await reading.call("StartQuery", logGroupName="g", queryString="fields @message", **RANGE)
        page = await over(reading, started["queryId"], maxItems=2)
        seen = [row[0]["value"] for row in page["results"]]
        while "nextToken" in page:
            page = await reading.call("GetQueryResults", **started, maxItems=2, nextToken=page["nextToken"])
            assert len(page["results"]) <= 2
            seen += [row[0]["value"] for row in page["results"]]
        assert seen == ["4", "3", "2", "1", "0"]
        refused = await refusal(reading.call("GetQueryResults", **started, nextToken="x"))
        assert refused == ("InvalidParameterException", "The specified nextToken is invalid.")

    play(story)


def test_pages_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for no number of rows gets a token as well, where they are long; each page has one at least."""

    async def story(reading: Reading, _: LogQueries) -> None:
        monkeypatch.setattr(module, "PAGE_BYTES_MAX", 250)
        for number in range(5):
            reading.write(str(number) * 100, number)
        started = await reading.call("StartQuery", logGroupName="g", queryString="fields @message", **RANGE)
        page = await over(reading, started["queryId"])
        sizes = [len(page["results"])]
        while "nextToken" in page:
            page = await reading.call("GetQueryResults", **started, nextToken=page["nextToken"])
            sizes.append(len(page["results"]))
        assert sum(sizes) == 5
        assert len(sizes) > 2
        assert min(sizes) > 0

    play(story)


def test_what_is_wrong_with_a_request() -> None:
    async def story(reading: Reading, _: LogQueries) -> None:
        reading.write("x")

        def start(**request: Any) -> Any:
            return refusal(reading.call("StartQuery", **{"queryString": "fields @message", **RANGE, **request}))

        exactly = "Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be specified."
        assert await start() == ("InvalidParameterException", exactly)
        assert await start(logGroupName="g", logGroupNames=["g"]) == ("InvalidParameterException", exactly)
        assert (await start(logGroupNames=["g"] * 51))[0] == "InvalidParameterException"
        assert (await start(logGroupName="g", startTime=RANGE["endTime"] + 1))[0] == "InvalidParameterException"
        assert "SQL is not offered" in (await start(logGroupName="g", queryLanguage="SQL"))[1]
        assert (await start(logGroupIdentifiers=["?"]))[0] == "InvalidParameterException"
        elsewhere = "arn:aws:logs:eu-west-1:444455556666:log-group:g"
        assert (await start(logGroupIdentifiers=[elsewhere]))[0] == "ResourceNotFoundException"
        assert await start(logGroupName="none") == (
            "ResourceNotFoundException",
            "Log group 'none' does not exist for account ID '111122223333' (Service: AWSLogs; Status Code: 400; Error "
            "Code: ResourceNotFoundException; Request ID: 00000000-0000-4000-8000-000000000000; Proxy: null)",
        )
        with pytest.raises(MalformedQueryException) as caught:
            await reading.call("StartQuery", logGroupName="g", queryString="fields @message | nonsense", **RANGE)
        error = caught.value.fields["queryCompileError"]
        assert error["location"] == {"startCharOffset": 18, "endCharOffset": 26}
        assert error["message"] == caught.value.message

    play(story)


def test_a_query_is_stopped_before_or_while_it_runs() -> None:
    """Once it is over, it cannot be; nobody works on one that was stopped."""

    async def story(reading: Reading, queries: LogQueries) -> None:
        reading.write("x")
        started = await reading.call("StartQuery", logGroupName="g", queryString="fields @message", **RANGE)
        assert await reading.call("StopQuery", **started) == {"success": True}
        answer = await reading.call("GetQueryResults", **started)
        assert (answer["status"], answer["results"]) == ("Cancelled", [])
        said = f"Query with ID {started['queryId']} is already Cancelled"
        assert await refusal(reading.call("StopQuery", **started)) == ("InvalidParameterException", said)

        other = await reading.call("StartQuery", logGroupName="g", queryString="fields @message", **RANGE)
        scan = reading.store.scan

        async def stopping(*names: Any, **wanted: Any) -> AsyncIterator[LogBatch]:
            async for batch in scan(*names, **wanted):
                await reading.call("StopQuery", **other)
                yield batch

        reading.store.scan = stopping  # type: ignore[method-assign]
        working = asyncio.create_task(queries.run())
        assert (await over(reading, other["queryId"]))["status"] == "Cancelled"
        reading.store.scan = scan  # type: ignore[method-assign]
        assert await ask(reading, "fields @message") == [["x"]]
        assert (await reading.call("GetQueryResults", **other))["status"] == "Cancelled"
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    play(story, works=False)


def test_queries_are_described_as_they_were_understood() -> None:
    """The newest first, by group and by status, in pages."""

    async def story(reading: Reading, _: LogQueries) -> None:
        reading.write("x")
        reading.write("x", group="h")
        ids = []
        for group in ("g", "h", "g"):
            started = await reading.call("StartQuery", logGroupName=group, queryString="fields @message", **RANGE)
            ids.append(started["queryId"])
            await over(reading, ids[-1])
        both = await reading.call("StartQuery", logGroupNames=["g", "h"], queryString="fields @log", **RANGE)
        await reading.call("StopQuery", **both)
        (last, *others) = (await reading.call("DescribeQueries"))["queries"]
        assert last == {
            "queryLanguage": "CWLI",
            "queryId": both["queryId"],
            "queryString": f'SOURCE "g", "h" START={DAY_S}000 END={DAY_S + 3_600}999 | fields @log',
            "status": "Cancelled",
            "createTime": int(reading.clock.now() * 1_000),
        }
        assert [(query["queryId"], query["logGroupName"], query["status"]) for query in others] == [
            (ids[2], "g", "Complete"),
            (ids[1], "h", "Complete"),
            (ids[0], "g", "Complete"),
        ]
        page = await reading.call("DescribeQueries", logGroupName="g", status="Complete", maxResults=1)
        assert [query["queryId"] for query in page["queries"]] == [ids[2]]
        page = await reading.call(
            "DescribeQueries", logGroupName="g", status="Complete", maxResults=1, nextToken=page["nextToken"]
        )
        assert [query["queryId"] for query in page["queries"]] == [ids[0]]
        assert "nextToken" not in page
        assert await reading.call("DescribeQueries", queryLanguage="SQL") == {"queries": []}

    play(story)


def test_a_query_that_would_hold_too_much_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next one does not."""
    monkeypatch.setattr("lambent.domain.insights.steps.BYTES_MAX", 10_000)

    async def story(reading: Reading, _: LogQueries) -> None:
        for _number in range(20):
            reading.write("x" * 1_000)
        started = await reading.call("StartQuery", logGroupName="g", queryString="fields @message", **RANGE)
        answer = await over(reading, started["queryId"])
        assert (answer["status"], answer["results"]) == ("Failed", [])
        assert await ask(reading, "stats count(*)") == [["20"]]

    play(story)


def test_a_query_takes_an_hour_at_most() -> None:
    """Its scan is closed then, and not read to its end."""

    async def story(reading: Reading, _: LogQueries) -> None:
        for number in range(4):
            reading.write("x", number)
        scan, is_closed = reading.store.scan, []

        async def slow(*names: Any, **wanted: Any) -> AsyncIterator[LogBatch]:
            try:
                async for batch in scan(*names, **wanted):
                    for event in batch.events:
                        yield LogBatch(batch.group, [event])
                        reading.clock.advance(2_000)
            finally:
                is_closed.append(True)

        reading.store.scan = slow  # type: ignore[method-assign]
        started = await reading.call("StartQuery", logGroupName="g", queryString="fields @message", **RANGE)
        answer = await over(reading, started["queryId"])
        assert (answer["status"], answer["statistics"]["recordsScanned"]) == ("Timeout", 2.0)

        async def closed() -> bool:
            return bool(is_closed)

        await until(closed)

    play(story)


def test_so_many_wait_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNFINISHED_MAX", 3)

    async def story(reading: Reading, queries: LogQueries) -> None:
        reading.write("x")
        request = {"logGroupName": "g", "queryString": "fields @message", **RANGE}
        for _number in range(20):
            stopped = await reading.call("StartQuery", **request)
            await reading.call("StopQuery", **stopped)
        assert queries._waiting == {}, "what was stopped takes no room"
        started = [await reading.call("StartQuery", **request) for _ in range(3)]
        assert (await refusal(reading.call("StartQuery", **request)))[0] == "LimitExceededException"
        await reading.call("StopQuery", **started[1])
        await reading.call("StartQuery", **request)

    play(story, works=False)


def test_rows_are_kept_for_a_while_and_while_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go first; the newest stays, whatever its size; another account's are nobody's business."""
    monkeypatch.setattr(module, "KEPT_BYTES_MAX", 500)
    missing = ("ResourceNotFoundException", "The specified query does not exist.")

    async def story(reading: Reading, _: LogQueries) -> None:
        reading.write("x" * 300)
        ids = []
        for _number in range(3):
            started = await reading.call("StartQuery", logGroupName="g", queryString="fields @message", **RANGE)
            ids.append(started["queryId"])
            assert (await over(reading, ids[-1]))["status"] == "Complete"
        assert await refusal(reading.call("GetQueryResults", queryId=ids[0])) == missing
        assert await refusal(reading.call("GetQueryResults", queryId=ids[1])) == missing
        assert len((await reading.call("GetQueryResults", queryId=ids[2]))["results"]) == 1
        reading.clock.advance(module.KEPT_S + 1)
        assert await refusal(reading.call("GetQueryResults", queryId=ids[2])) == missing
        assert await reading.call("DescribeQueries") == {"queries": []}

    play(story)
