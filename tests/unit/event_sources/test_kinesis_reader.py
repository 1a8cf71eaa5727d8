"""Kinesis as it answers, and as it should not."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import msgspec
import pytest
from unit.dispatch.async_bench import SCOPE

from lambent.domain.event_source_mapping import EventSourceMapping, MappingState
from lambent.domain.function import FunctionName
from lambent.event_sources.kinesis_reader import KinesisReader
from lambent.event_sources.stream_reader import (
    Page,
    Position,
    PositionExpired,
    Shard,
    ShardGone,
    Start,
    StreamNotFound,
    StreamRecord,
    StreamUnavailable,
)
from lambent.event_sources.stream_service import parents_first
from lambent.neighbours.client import Neighbours
from lambent.neighbours.endpoints import Neighbour
from lambent.neighbours.message import AnswerTooLarge, NeighbourUnavailable, Outgoing
from lambent.testing.virtual_clock import VirtualClock

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
MAPPING = EventSourceMapping(SCOPE, "uuid", ARN, FunctionName("f"), None, MappingState.ENABLED, True, 0.0, 100)
NO_STREAM = (400, {"__type": "ResourceNotFoundException", "message": "Stream s not found"})
ONE_SHARD = (200, {"Shards": [{"ShardId": "a"}]})


class Answer:
    """One answer of a server."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status, self._body = status, body
        self.headers: list[tuple[bytes, bytes]] = []

    def __aiter__(self) -> AsyncIterator[bytes]:
        raise NotImplementedError

    async def read(self, most_bytes: int) -> bytes:
        if len(self._body) > most_bytes:
            raise AnswerTooLarge
        return self._body

    async def aclose(self) -> None:
        pass


class FakeNeighbours:
    """Answers as told, in turn; keeps what was asked."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def of(self, service: str) -> Neighbour | None:
        return Neighbour(service, "http://k")

    async def send(self, neighbour: Neighbour, request: Outgoing, scope: Any) -> Answer:
        assert request.is_own and scope == SCOPE and isinstance(request.body, bytes)
        self.asked.append((request.headers["x-amz-target"].rpartition(".")[2], json.loads(request.body)))
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        return Answer(status, body if isinstance(body, bytes) else json.dumps(body).encode())


RECORD = {"SequenceNumber": "1", "Data": "eA==", "PartitionKey": "k", "ApproximateArrivalTimestamp": 1}


def ask(work: Callable[[KinesisReader], Awaitable[Any]], *answers: Any) -> tuple[Any, list[tuple[str, dict[str, Any]]]]:
    """Return what the reader makes of answers, and what it asked."""
    fake = FakeNeighbours(*answers)
    clock = VirtualClock()

    async def run() -> Any:
        return await work(KinesisReader(cast(Neighbours, fake), clock))

    return asyncio.run(run()), fake.asked


def failure(work: Callable[[KinesisReader], Awaitable[Any]], *answers: Any) -> Exception:
    with pytest.raises((StreamUnavailable, StreamNotFound, PositionExpired, ShardGone)) as excinfo:
        ask(work, *answers)
    return excinfo.value


def shards(reader: KinesisReader) -> Awaitable[Any]:
    return reader.shards(MAPPING)


def read(reader: KinesisReader) -> Awaitable[Any]:
    return reader.read(MAPPING, "it", 800)


def at(position: Position) -> Callable[[KinesisReader], Awaitable[Any]]:
    return lambda reader: reader.iterator(MAPPING, "a", position)


def test_shards_of_all_pages_parents_first() -> None:
    """Also where the server names a child before its parents; of a parent that is forgotten the child tells."""
    found, asked = ask(
        shards,
        (200, {"Shards": [{"ShardId": "m", "ParentShardId": "a", "AdjacentParentShardId": "b"}], "NextToken": "t"}),
        (200, {"Shards": [{"ShardId": "a", "ParentShardId": "gone"}, {"ShardId": "b", "ParentShardId": None}]}),
    )
    assert found == [Shard("a", ("gone",)), Shard("b"), Shard("m", ("a", "b"))]
    assert asked == [("ListShards", {"StreamName": "s"}), ("ListShards", {"NextToken": "t"})]


def test_a_stream_that_is_not_there() -> None:
    assert isinstance(failure(shards, NO_STREAM), StreamNotFound)
    assert isinstance(failure(at(Position(Start.OLDEST)), NO_STREAM, NO_STREAM), StreamNotFound)


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (Position(Start.OLDEST), {"ShardIteratorType": "TRIM_HORIZON"}),
        (Position(Start.NEWEST), {"ShardIteratorType": "LATEST"}),
        (Position(Start.AFTER, "7"), {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": "7"}),
        (Position(Start.AT, "7"), {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": "7"}),
        (Position(Start.AT_TIME, at=1_794_000_000.5),
         {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 1_794_000_000.5}),
        # What is yet to come cannot be asked for.
        (Position(Start.AT_TIME, at=1_796_000_000.5), {"ShardIteratorType": "LATEST"}),
    ],
)  # fmt: skip
def test_where_reading_begins(position: Position, expected: dict[str, Any]) -> None:
    iterator, asked = ask(at(position), (200, {"ShardIterator": "it"}))
    assert iterator == "it"
    assert asked == [("GetShardIterator", {"StreamName": "s", "ShardId": "a", **expected})]


def test_positions_and_shards_that_are_gone() -> None:
    after = at(Position(Start.AFTER, "7"))
    invalid = (400, {"__type": "InvalidArgumentException", "message": "m"})
    assert isinstance(failure(after, invalid), PositionExpired)
    assert isinstance(failure(after, NO_STREAM, ONE_SHARD), PositionExpired), "kinesis-local says so of a record"
    assert isinstance(failure(after, NO_STREAM, (200, {"Shards": []})), ShardGone)
    assert isinstance(failure(at(Position(Start.OLDEST)), invalid), StreamUnavailable)


def test_a_page() -> None:
    """ST-04-kinesis-filter-per-record: what a function's record has of it, with milliseconds."""
    got = {
        "SequenceNumber": "49",
        "Data": "aGk=",
        "PartitionKey": "k",
        "ApproximateArrivalTimestamp": 1_795_000_000.5454,
    }
    page, asked = ask(read, (200, {"Records": [got], "NextShardIterator": "next", "MillisBehindLatest": 0}))
    content = {
        "kinesisSchemaVersion": "1.0",
        "partitionKey": "k",
        "sequenceNumber": "49",
        "data": "aGk=",
        "approximateArrivalTimestamp": 1_795_000_000.545,
    }
    assert page == Page([StreamRecord("49", "k", 1_795_000_000.5454, content)], "next")
    assert asked == [("GetRecords", {"ShardIterator": "it", "Limit": 800})]
    assert ask(read, (200, {"Records": []}))[0] == Page([], None)


def test_a_page_that_is_too_long_is_asked_for_in_parts() -> None:
    long = (200, b'{"Records": [' + b" " * (17 << 20) + b"]}")
    page, asked = ask(read, long, long, (200, {"Records": [], "NextShardIterator": "n"}))
    assert (page.next_iterator, [request["Limit"] for _, request in asked]) == ("n", [800, 100, 12])
    assert isinstance(failure(lambda reader: reader.read(MAPPING, "it", 1), long), StreamUnavailable)


def test_others_read_the_shard_as_well() -> None:
    """The next read, in a moment, finds what this one did not: no trouble of which anybody is to hear."""
    page, _ = ask(read, (400, {"__type": "ProvisionedThroughputExceededException", "message": "slow down"}))
    assert page == Page((), "it", is_behind=True)
    page, _ = ask(read, (200, {"Records": [], "NextShardIterator": "n", "MillisBehindLatest": 5}))
    assert page == Page([], "n", is_behind=True), "a page without records says nothing of what follows"
    page, _ = ask(read, (200, {"Records": [], "NextShardIterator": "n", "MillisBehindLatest": 0}))
    assert page == Page([], "n")


@pytest.mark.parametrize("code", ["ExpiredIteratorException", "InvalidArgumentException", "ResourceNotFoundException"])
def test_iterators_that_are_no_more(code: str) -> None:
    answer = (400, {"__type": f"com.amazonaws.kinesis#{code}", "message": "m"})
    assert isinstance(failure(read, answer), PositionExpired)


@pytest.mark.parametrize(
    "answer",
    [
        NeighbourUnavailable("kinesis: the neighbour does not answer"),
        (200, b""),
        (200, b"<html>"),
        (200, b"[" * 100_000),
        (200, {}),
        (200, {"Records": [{}], "Shards": [{}], "ShardIterator": 1}),
        *(
            (200, {"Records": [{**RECORD, name: value}], "Shards": [{"ShardId": shard_id}]})
            for name, value, shard_id in (
                ("Data", "\u00e9", "a/b"),
                ("ApproximateArrivalTimestamp", 1e300, "a\0"),
                ("ApproximateArrivalTimestamp", -1, "a" * 129),
            )
        ),
        (
            200,
            {"Records": [{"SequenceNumber": "1", "Data": "?", "PartitionKey": "k", "ApproximateArrivalTimestamp": 1}]},
        ),
        (200, {"Shards": [{"ShardId": "a", "ParentShardId": "b"}, {"ShardId": "b", "ParentShardId": "a"}]}),
        (500, b""),
        (502, b"<html>"),
        (400, {"__type": "AccessDeniedException", "Message": "no"}),
    ],
)
def test_answers_that_nobody_understands(answer: Any) -> None:
    """Each is one of an unavailable stream; it says what was wrong."""
    for work in (shards, at(Position(Start.OLDEST)), read):
        error = failure(work, answer)
        assert isinstance(error, StreamUnavailable) and str(error)


def test_long_chains_of_shards_are_put_in_order_at_once() -> None:
    """Each the parent of the one before: some milliseconds, in which nothing else runs."""
    chain = [Shard(str(number), (str(number + 1),)) for number in range(10_000)]
    began = time.process_time()
    assert [shard.shard_id for shard in parents_first(chain)] == [str(number) for number in reversed(range(10_000))]
    assert time.process_time() - began < 10


def test_a_list_of_shards_without_an_end() -> None:
    endless = [(200, {"Shards": [{"ShardId": f"s{number}"}], "NextToken": "t"}) for number in range(200)]
    assert isinstance(failure(shards, *endless), StreamUnavailable)


def test_a_record_and_what_filters_see() -> None:
    """ST-04-kinesis-filter-per-record: the data is decoded for filters alone."""
    reader = KinesisReader(cast(Neighbours, FakeNeighbours()), VirtualClock())
    record = StreamRecord("49", "k", 1.0, {"data": base64.b64encode(b'{"a": 1}').decode(), "partitionKey": "k"})
    assert reader.record(MAPPING, "shard-1", record, "role") == {
        "kinesis": record.content,
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": "shard-1:49",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "role",
        "awsRegion": "us-east-1",
        "eventSourceARN": ARN,
    }
    assert reader.filtered(record) == {"data": {"a": 1}, "partitionKey": "k"}
    for data in (b"text", b"\xff\xfe", b""):
        plain = msgspec.structs.replace(record, content={"data": base64.b64encode(data).decode()})
        assert reader.filtered(plain) == {"data": data.decode(errors="replace")}
    assert reader.batch_info(MAPPING, "shard-1", record, record, 3) == (
        "KinesisBatchInfo",
        {
            "shardId": "shard-1",
            "startSequenceNumber": "49",
            "endSequenceNumber": "49",
            "approximateArrivalOfFirstRecord": "1970-01-01T00:00:01.000Z",
            "approximateArrivalOfLastRecord": "1970-01-01T00:00:01.000Z",
            "batchSize": 3,
            "streamArn": ARN,
        },
    )
