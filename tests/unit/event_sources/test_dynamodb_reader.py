"""Streams of tables as their service answers: shards, iterators, records as functions get them."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, cast

import pytest

from lambent.domain.caller import Scope
from lambent.domain.event_source_mapping import EventSourceMapping, MappingState
from lambent.domain.function import FunctionName
from lambent.event_sources import stream_service
from lambent.event_sources.dynamodb_reader import DynamoDBReader
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
from lambent.neighbours.client import Neighbours
from lambent.neighbours.endpoints import Neighbour
from lambent.neighbours.message import AnswerTooLarge, Incoming, NeighbourUnavailable, Outgoing

SCOPE = Scope("111122223333", "eu-west-1")
STREAM = "arn:aws:dynamodb:eu-west-1:111122223333:table/t/stream/2026-11-20T08:00:00.000"
MAPPING = EventSourceMapping(
    scope=SCOPE,
    uuid="u",
    source_arn=STREAM,
    function_name=FunctionName("f"),
    qualifier=None,
    state=MappingState.ENABLED,
    is_enabled=True,
    last_modified=0.0,
    batch_size=100,
)
SHARD = "shardId-00000001541626099285-f35f62ef"
BYTES = base64.b64encode(b"\x00\xff").decode()

KEYED = {"SequenceNumber": "1", "Keys": {"id": {"S": "a"}}}

Answer = Mapping[str, Any] | tuple[int, Any] | Exception


class Service:
    """Answers operations as they are told to; keeps what was asked."""

    def __init__(self, **answers: Answer | Callable[[dict[str, Any]], Answer]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.is_offered = True

    def of(self, service: str) -> Neighbour | None:
        assert service == "dynamodbstreams"
        return Neighbour(service) if self.is_offered else None

    async def send(self, neighbour: Neighbour, request: Outgoing, scope: Scope) -> Incoming:
        assert (request.method, request.path, scope) == ("POST", "/", SCOPE)
        assert request.headers["content-type"] == "application/x-amz-json-1.0"
        prefix, _, operation = request.headers["x-amz-target"].partition(".")
        assert prefix == "DynamoDBStreams_20120810"
        assert isinstance(request.body, bytes)
        asked = json.loads(request.body)
        self.asked.append((operation, asked))
        answer = self.answers[operation]
        answer = answer(asked) if callable(answer) else answer
        if isinstance(answer, NeighbourUnavailable):
            raise answer
        return Told(*(answer if isinstance(answer, tuple) else (200, answer)))


class Told:
    """Implements `Incoming`."""

    def __init__(self, status: int, answer: Any) -> None:
        self.status = status
        self.headers: list[tuple[bytes, bytes]] = []
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield await self.read(1 << 30)

    async def read(self, most_bytes: int) -> bytes:
        if isinstance(self._answer, Exception):
            raise self._answer
        body = self._answer if isinstance(self._answer, bytes) else json.dumps(self._answer).encode()
        if len(body) > most_bytes:
            raise AnswerTooLarge
        return body

    async def aclose(self) -> None:
        pass


def reader_of(service: Service) -> DynamoDBReader:
    return DynamoDBReader(cast("Neighbours", service))


def refusal(code: str, status: int = 400) -> tuple[int, Any]:
    return status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "no"}


def read(service: Service, limit: int = 100) -> Page:
    return asyncio.run(reader_of(service).read(MAPPING, "i", limit))


def change(sequence: int = 1, **more: Any) -> dict[str, Any]:
    """Return a record as GetRecords has it."""
    return {
        "eventID": f"{sequence:032x}",
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_795_000_000.697,
            "Keys": {"pk": {"S": "a"}},
            "NewImage": {"pk": {"S": "a"}, "n": {"N": "2"}},
            "OldImage": {"pk": {"S": "a"}, "n": {"N": "1"}},
            "SequenceNumber": f"{sequence:021d}",
            "SizeBytes": 26,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        **more,
    }


def records(*changes: dict[str, Any], following: str | None = "j") -> dict[str, Any]:
    return {"Records": list(changes), **({"NextShardIterator": following} if following else {})}


def as_function_gets_it(record: StreamRecord) -> Any:
    made = DynamoDBReader(cast("Neighbours", None)).record(MAPPING, SHARD, record, "arn:aws:iam::1:role/r")
    return json.loads(json.dumps(made))


def test_a_record_as_a_function_gets_it() -> None:
    """Every member, in the scope of the mapping's stream, with whole seconds."""
    page = read(Service(GetRecords=records(change(111))))
    (record,) = page.records
    assert as_function_gets_it(record) == {
        "eventID": f"{111:032x}",
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_795_000_000,
            "Keys": {"pk": {"S": "a"}},
            "NewImage": {"pk": {"S": "a"}, "n": {"N": "2"}},
            "OldImage": {"pk": {"S": "a"}, "n": {"N": "1"}},
            "SequenceNumber": "000000000000000000111",
            "SizeBytes": 26,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": STREAM,
    }
    assert (record.sequence, record.arrived_at) == ("000000000000000000111", 1_795_000_000.697)
    assert page.next_iterator == "j"


def test_st03_images_are_those_of_the_view() -> None:
    """ST-03: INSERT has no OldImage, REMOVE no NewImage; KEYS_ONLY has neither."""
    inserted, removed, keys = change(1, eventName="INSERT"), change(2, eventName="REMOVE"), change(3)
    del inserted["dynamodb"]["OldImage"], removed["dynamodb"]["NewImage"]
    del keys["dynamodb"]["NewImage"], keys["dynamodb"]["OldImage"]
    keys["dynamodb"]["StreamViewType"] = "KEYS_ONLY"
    found = [as_function_gets_it(one) for one in read(Service(GetRecords=records(inserted, removed, keys))).records]
    images = [{"NewImage", "OldImage"} & set(one["dynamodb"]) for one in found]
    assert images == [{"NewImage"}, {"OldImage"}, set()]
    assert [one["eventName"] for one in found] == ["INSERT", "REMOVE", "MODIFY"]


@pytest.mark.parametrize(
    "identity",
    [
        {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"},
        {"principalId": "dynamodb.amazonaws.com", "type": "Service"},
    ],
)
def test_what_has_expired_says_who_deleted_it(identity: dict[str, str]) -> None:
    """A deletion by time to live; the API's capitals become the event's small letters."""
    expired = change(1, eventName="REMOVE", userIdentity=identity)
    (record,) = read(Service(GetRecords=records(expired))).records
    found = as_function_gets_it(record)
    assert found["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    assert "userIdentity" not in as_function_gets_it(read(Service(GetRecords=records(change()))).records[0])


def test_every_type_of_attribute_is_exact() -> None:
    """Numbers are texts, bytes are base64, sets stay in their order."""
    image = {
        "pk": {"S": "ü"},
        "n": {"N": "123456789012345678901234567890.1234567"},
        "b": {"B": BYTES},
        "ss": {"SS": ["b", "a"]},
        "ns": {"NS": ["1.50", "-0"]},
        "bs": {"BS": [BYTES, "AQ=="]},
        "null": {"NULL": True},
        "bool": {"BOOL": False},
        "l": {"L": [{"S": ""}, {"M": {"k": {"N": "1e2"}}}]},
        "m": {"M": {}},
    }
    given = change(1)
    given["dynamodb"] |= {"NewImage": image, "Keys": {"pk": {"B": BYTES}, "sk": {"N": "7"}}}
    (record,) = read(Service(GetRecords=records(given))).records
    found = as_function_gets_it(record)["dynamodb"]
    assert found["NewImage"] == image
    assert found["Keys"] == {"pk": {"B": BYTES}, "sk": {"N": "7"}}


def test_changes_of_one_item_have_one_key() -> None:
    """However its key is written; another range key is another item."""
    one, same, other = change(1), change(2), change(3)
    one["dynamodb"]["Keys"] = {"pk": {"S": "a"}, "sk": {"N": "1"}}
    same["dynamodb"]["Keys"] = {"sk": {"N": "1"}, "pk": {"S": "a"}}
    other["dynamodb"]["Keys"] = {"pk": {"S": "a"}, "sk": {"N": "2"}}
    keys = [record.key for record in read(Service(GetRecords=records(one, same, other))).records]
    assert keys[0] == keys[1] != keys[2]


def test_filters_see_names_and_images() -> None:
    """Patterns name the event, and attributes with their types."""
    reader = reader_of(Service())
    (record,) = read(Service(GetRecords=records(change()))).records
    seen = reader.filtered(record)
    assert seen is not None
    assert (seen["eventName"], seen["dynamodb"]["NewImage"]["n"]) == ("MODIFY", {"N": "2"})


def test_st01_what_tells_of_a_failed_batch() -> None:
    """ST-01: DDBStreamBatchInfo, with arrivals in whole seconds."""
    first, last = read(Service(GetRecords=records(change(1), change(2)))).records
    assert reader_of(Service()).batch_info(MAPPING, SHARD, first, last, 2) == (
        "DDBStreamBatchInfo",
        {
            "shardId": SHARD,
            "startSequenceNumber": first.sequence,
            "endSequenceNumber": last.sequence,
            "approximateArrivalOfFirstRecord": "2026-11-18T11:06:40Z",
            "approximateArrivalOfLastRecord": "2026-11-18T11:06:40Z",
            "batchSize": 2,
            "streamArn": STREAM,
        },
    )


def test_shards_come_in_pages_and_after_their_parents() -> None:
    """A parent that was forgotten is named all the same."""

    def describe(asked: dict[str, Any]) -> Answer:
        if "ExclusiveStartShardId" not in asked:
            shards = [{"ShardId": "c", "ParentShardId": "b"}, {"ShardId": "a", "ParentShardId": "gone"}]
            return {"StreamDescription": {"Shards": shards, "LastEvaluatedShardId": "a"}}
        assert asked == {"StreamArn": STREAM, "ExclusiveStartShardId": "a"}
        return {"StreamDescription": {"Shards": [{"ShardId": "b", "ParentShardId": "a"}]}}

    found = asyncio.run(reader_of(Service(DescribeStream=describe)).shards(MAPPING))
    assert found == [Shard("a", ("gone",)), Shard("b", ("a",)), Shard("c", ("b",))]


def test_a_stream_that_is_gone() -> None:
    """The table was deleted, or its stream switched off a day ago."""
    with pytest.raises(StreamNotFound):
        asyncio.run(reader_of(Service(DescribeStream=refusal("ResourceNotFoundException"))).shards(MAPPING))


def test_a_list_of_shards_that_does_not_end() -> None:
    """A server that names the same page for ever is not followed for ever."""
    page = {"StreamDescription": {"Shards": [{"ShardId": "a"}], "LastEvaluatedShardId": "a"}}
    service = Service(DescribeStream=page)
    with pytest.raises(StreamUnavailable, match="does not end"):
        asyncio.run(reader_of(service).shards(MAPPING))
    assert len(service.asked) == stream_service.PAGES_MAX


@pytest.mark.parametrize(
    ("position", "asked"),
    [
        (Position(Start.OLDEST), {"ShardIteratorType": "TRIM_HORIZON"}),
        (Position(Start.NEWEST), {"ShardIteratorType": "LATEST"}),
        (Position(Start.AT, "7"), {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": "7"}),
        (Position(Start.AFTER, "7"), {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "7"}),
    ],
)
def test_where_reading_begins(position: Position, asked: dict[str, Any]) -> None:
    """Each place that a stream of a table knows."""
    service = Service(GetShardIterator={"ShardIterator": "i"})
    assert asyncio.run(reader_of(service).iterator(MAPPING, SHARD, position)) == "i"
    assert service.asked == [("GetShardIterator", {"StreamArn": STREAM, "ShardId": SHARD, **asked})]


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("TrimmedDataAccessException", PositionExpired),
        ("ValidationException", PositionExpired),
        ("AccessDeniedException", StreamUnavailable),
    ],
)
def test_an_iterator_that_there_is_not(code: str, failure: type[Exception]) -> None:
    """What was trimmed, and what is refused are told apart."""
    service = Service(GetShardIterator=refusal(code))
    with pytest.raises(failure):
        asyncio.run(reader_of(service).iterator(MAPPING, SHARD, Position(Start.AFTER, "7")))


@pytest.mark.parametrize(
    ("described", "failure"),
    [
        ({"StreamDescription": {"Shards": [{"ShardId": "another"}]}}, ShardGone),
        ({"StreamDescription": {"Shards": [{"ShardId": SHARD}]}}, StreamUnavailable),
        ("ResourceNotFoundException", StreamNotFound),
    ],
)
def test_a_shard_that_is_not_found(described: Any, failure: type[Exception]) -> None:
    """It is gone where the stream tells of others alone: one that is told of is only not to be had now."""
    answer = refusal(described) if isinstance(described, str) else described
    service = Service(GetShardIterator=refusal("ResourceNotFoundException"), DescribeStream=answer)
    with pytest.raises(failure):
        asyncio.run(reader_of(service).iterator(MAPPING, SHARD, Position(Start.OLDEST)))


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("ExpiredIteratorException", PositionExpired),
        ("TrimmedDataAccessException", PositionExpired),
        ("ValidationException", PositionExpired),
        ("ResourceNotFoundException", PositionExpired),
        ("AccessDeniedException", StreamUnavailable),
    ],
)
def test_what_cannot_be_read(code: str, failure: type[Exception]) -> None:
    """An iterator that is too old is asked for again; what is refused waits."""
    with pytest.raises(failure):
        read(Service(GetRecords=refusal(code)))


def test_a_shard_that_is_read_too_fast_has_nothing_now() -> None:
    """Others read beside: the next read finds it."""
    assert read(Service(GetRecords=refusal("LimitExceededException"))) == Page((), "i", is_behind=True)


def test_a_shard_that_ends() -> None:
    """A closed shard has no next iterator once it is read."""
    page = read(Service(GetRecords=records(change(), following=None)))
    assert (len(page.records), page.next_iterator) == (1, None)


def test_an_answer_that_is_too_long_is_asked_for_in_parts() -> None:
    """Down to one record, and no further."""
    service = Service(GetRecords=lambda asked: (200, AnswerTooLarge()) if asked["Limit"] > 10 else records(change()))
    assert len(read(service, 10_000).records) == 1
    assert [asked["Limit"] for _, asked in service.asked] == [1000, 125, 15, 1]
    with pytest.raises(StreamUnavailable, match="too long"):
        read(Service(GetRecords=(200, AnswerTooLarge())))


@pytest.mark.parametrize(
    "answer",
    [
        (500, {"__type": "InternalServerError", "message": "away"}),
        (503, b"<html>busy</html>"),
        (200, b"{"),
        (200, b"\xff"),
        (200, {"Records": [{"eventID": "1", "eventName": "INSERT", "dynamodb": {}}]}),
        (
            200,
            {
                "Records": [
                    {"eventID": "1", "eventName": "INSERT", "dynamodb": {**KEYED, "ApproximateCreationDateTime": 1e300}}
                ]
            },
        ),
        (400, {}),
        NeighbourUnavailable("dynamodbstreams: it does not answer"),
    ],
)
def test_answers_that_are_none(answer: Answer) -> None:
    """The stream cannot be read now, whatever it is that says so; and never does what it says kill the poller."""
    with pytest.raises(StreamUnavailable):
        read(Service(GetRecords=answer))


def test_a_service_that_is_not_offered() -> None:
    """The reason says how to offer it."""
    service = Service()
    service.is_offered = False
    with pytest.raises(StreamUnavailable, match="--neighbour dynamodbstreams=URL"):
        read(service)
