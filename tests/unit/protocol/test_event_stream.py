"""Event streams as we write them are read by botocore's parsers as what was meant."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest
from botocore.eventstream import ChecksumMismatch, EventStream, EventStreamBuffer, EventStreamHeaderParser
from botocore.exceptions import EventStreamError
from botocore.loaders import Loader
from botocore.model import ServiceModel as BotocoreModel
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from lambent.protocol.serializer import compile_serializer
from lambent.protocol.service_model import ServiceModel
from lambent.protocol.wire import WireResponse

EVENTS = st.one_of(
    st.binary(max_size=300).map(lambda payload: {"PayloadChunk": {"Payload": payload}}),
    st.fixed_dictionaries({}, optional=dict.fromkeys(("ErrorCode", "ErrorDetails", "LogResult"), st.text())).map(
        lambda members: {"InvokeComplete": members}
    ),
)


async def given_one_by_one(events: list[Any]) -> AsyncGenerator[Mapping[str, Any]]:
    for event in events:
        yield event


def write(service: str, operation: str, **output: Any) -> WireResponse:
    model = ServiceModel(service)
    return compile_serializer(model, model.operations[operation])(output, "id")


def frames(response: WireResponse) -> list[bytes]:
    async def read() -> list[bytes]:
        assert not isinstance(response.body, bytes)
        return [frame async for frame in response.body]

    return asyncio.run(read())


def read_back(service: str, operation: str, stream_member: str, written: bytes) -> list[Any]:
    """Let botocore read a body, cut as no frame begins or ends, as its client does."""

    class Raw:
        def stream(self) -> Any:
            return (written[at : at + 7] for at in range(0, len(written), 7))

        def close(self) -> None:
            pass

    model = BotocoreModel(Loader().load_service_model(service, "service-2"), service)
    shape = model.operation_model(operation).output_shape.members[stream_member]
    parser = create_parser(model.metadata["protocol"])._event_stream_parser
    return list(EventStream(Raw(), shape, parser, operation))


@given(events=st.lists(EVENTS, max_size=5))
def test_events_are_read_as_what_was_meant(events: list[Any]) -> None:
    """A payload is raw bytes, another event JSON; a text may hold anything."""
    response = write("lambda", "InvokeWithResponseStream", StatusCode=200, EventStream=given_one_by_one(events))
    assert (b"content-type", b"application/vnd.amazon.eventstream") in response.headers
    written = frames(response)
    assert len(written) == len(events), "a frame for each event"
    assert read_back("lambda", "InvokeWithResponseStream", "EventStream", b"".join(written)) == events


@given(pieces=st.lists(st.binary(min_size=1, max_size=40) | st.binary(min_size=1).map(bytearray), min_size=1))
def test_pieces_are_framed_as_what_they_make(pieces: list[bytes | bytearray]) -> None:
    """A payload that comes in pieces is not joined, and its frame is that of the whole."""
    ways: list[bytes | list[bytes | bytearray]] = [b"".join(pieces), list(pieces)]
    whole, in_pieces = (
        write("lambda", "InvokeWithResponseStream", EventStream=given_one_by_one([{"PayloadChunk": {"Payload": each}}]))
        for each in ways
    )
    assert frames(in_pieces) == frames(whole)


def test_an_exception_of_the_model_is_raised_by_the_client() -> None:
    """Its shape is named in a header of its own."""
    events = [{"chunk": {"bytes": b"a"}}, {"throttlingException": {"message": "slower"}}]
    written = frames(write("bedrock-runtime", "InvokeModelWithResponseStream", body=given_one_by_one(events)))
    operation = "InvokeModelWithResponseStream"
    assert read_back("bedrock-runtime", operation, "body", written[0]) == [{"chunk": {"bytes": b"a"}}]
    with pytest.raises(EventStreamError, match=r"throttlingException.*slower"):
        read_back("bedrock-runtime", operation, "body", written[1])


def test_a_frame_to_the_byte() -> None:
    """The layout and the headers that clients of other languages go by; a changed byte does not pass."""
    (written,) = frames(
        write(
            "lambda",
            "InvokeWithResponseStream",
            EventStream=given_one_by_one([{"PayloadChunk": {"Payload": b"hello"}}]),
        )
    )
    assert int.from_bytes(written[:4], "big") == len(written)
    headers_length = int.from_bytes(written[4:8], "big")
    assert EventStreamHeaderParser().parse(written[12 : 12 + headers_length]) == {
        ":message-type": "event",
        ":event-type": "PayloadChunk",
        ":content-type": "application/octet-stream",
    }
    assert written[12 + headers_length : -4] == b"hello"
    buffer = EventStreamBuffer()
    buffer.add_data(written[:-6] + b"?" + written[-5:])
    with pytest.raises(ChecksumMismatch):
        buffer.next()


def test_an_answer_without_a_stream() -> None:
    """A DryRun has a status and no content."""
    assert write("lambda", "InvokeWithResponseStream", StatusCode=204) == WireResponse(
        204, [(b"x-amzn-requestid", b"id")]
    )


def test_a_body_that_nobody_takes_tells_who_gives_it() -> None:
    """Also before its first event was asked for."""
    closed = []

    class Events:
        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> Any:
            raise AssertionError("nobody asked for it")

        async def aclose(self) -> None:
            closed.append(True)

    async def story() -> None:
        body = write("lambda", "InvokeWithResponseStream", EventStream=Events()).body
        assert not isinstance(body, bytes)
        await body.aclose()

    asyncio.run(story())
    assert closed == [True]


def test_a_stream_of_the_json_protocol_begins_with_a_response() -> None:
    """Its other members are in an event of its own, which botocore waits for; then come events, then exceptions."""
    update = {"sessionMetadata": {"sampled": True}, "sessionResults": [{"message": "x", "timestamp": 5}]}
    events = [{"sessionStart": {"sessionId": "s", "logStreamNames": []}}, {"sessionUpdate": update}]
    over = {"SessionTimeoutException": {"message": "over"}}
    response = write("logs", "StartLiveTail", responseStream=given_one_by_one([*events, over]))
    assert (b"content-type", b"application/vnd.amazon.eventstream") in response.headers
    assert response.ends_with_client
    first, *told, last = frames(response)
    buffer = EventStreamBuffer()
    buffer.add_data(first)
    message = buffer.next()
    assert message.headers == {
        ":event-type": "initial-response",
        ":message-type": "event",
        ":content-type": "application/x-amz-json-1.1",
    }
    assert message.payload == b"{}"
    assert read_back("logs", "StartLiveTail", "responseStream", b"".join(told)) == events
    with pytest.raises(EventStreamError, match=r"SessionTimeoutException.*over"):
        read_back("logs", "StartLiveTail", "responseStream", last)
