"""What a client of a function URL gets of an invocation: a response as a whole, or one that streams."""

import logging
from collections.abc import AsyncIterator

from lambent.domain.http_answer import (
    PRELUDE_END,
    PRELUDE_MAX_BYTES,
    PRELUDE_TYPE,
    HttpAnswer,
    MalformedAnswer,
    answer_of,
    answer_of_prelude,
    streamed_answer,
)
from lambent.domain.invocation import InvocationOutcome, ResponseStream
from lambent.errors.families import InternalServerError
from lambent.protocol.wire import WireResponse

_log = logging.getLogger("lambent.gateway")


def failed(status: int) -> WireResponse:
    """Return what a client gets where nothing is said of why. Observed: recorded (2025-11), with status 502."""
    return WireResponse(status, [(b"content-type", b"application/json")], b"Internal Server Error")


async def response_of(outcome: InvocationOutcome, request_id: str) -> WireResponse:
    """Return what a client gets of an invocation: 502 where the function failed, or what it returned is no response."""
    stream = outcome.stream
    if outcome.error is not None:
        return failed(502)
    try:
        if stream is not None:
            return await _streamed(stream, outcome.content_type)
        if _is_prelude(outcome.content_type):
            prelude, _, rest = outcome.payload.partition(PRELUDE_END)
            return _whole(answer_of_prelude(prelude, rest))
        return _whole(answer_of(outcome.payload))
    except MalformedAnswer as error:
        _log.info("function_url.malformed_answer request_id=%s reason=%s", request_id, error)
    except BaseException:
        if stream is not None:
            stream.close()
        raise
    if stream is not None:
        stream.close()
    return failed(502)


def _whole(answer: HttpAnswer) -> WireResponse:
    return WireResponse(answer.status, answer.headers, answer.body if answer.has_body else b"")


async def _streamed(stream: ResponseStream, content_type: str) -> WireResponse:
    """
    Return the beginning of a streamed response, with the rest to follow.

    Raises:
        MalformedAnswer: it has no such beginning, or failed before it.
    """
    if _is_prelude(content_type):
        answer, first = await _read_prelude(stream)
    else:
        # Until there is something, a failure still has a status of its own.
        answer, first = streamed_answer(content_type), await anext(aiter(stream), b"")
        if not first and stream.end is not None and stream.end.error is not None:
            raise MalformedAnswer("the function failed before it sent anything")
    if not answer.has_body:
        stream.close()
        return WireResponse(answer.status, answer.headers)
    return WireResponse(answer.status, answer.headers, _StreamedBody(first, stream))


async def _read_prelude(stream: ResponseStream) -> tuple[HttpAnswer, bytes]:
    """Return what a stream's prelude asks for, and what came behind it already."""
    read = bytearray()
    async for piece in stream:
        # The end may lie across two pieces.
        begin = max(0, len(read) - len(PRELUDE_END) + 1)
        read += piece
        at = read.find(PRELUDE_END, begin)
        if at > PRELUDE_MAX_BYTES or (at < 0 and len(read) > PRELUDE_MAX_BYTES):
            raise MalformedAnswer("the prelude is too long")
        if at >= 0:
            return answer_of_prelude(bytes(read[:at])), bytes(read[at + len(PRELUDE_END) :])
    raise MalformedAnswer("there is no end of a prelude")


class _StreamedBody:
    """The rest of a streamed response. It breaks off where the function does."""

    def __init__(self, first: bytes, stream: ResponseStream) -> None:
        self._first = first
        self._stream = stream

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        pieces = await self.take()
        if not pieces:
            raise StopAsyncIteration
        return b"".join(pieces)

    async def take(self) -> list[bytes | bytearray]:
        """
        Return what has come.

        Raises:
            InternalServerError: the function failed.
        """
        first, self._first = self._first, b""
        pieces: list[bytes | bytearray] = [first] if first else await self._stream.take()
        end = self._stream.end
        if not pieces and end is not None and end.error is not None:
            raise InternalServerError(f"the function failed in the midst of its response: {end.error.error_type}")
        return pieces

    async def aclose(self) -> None:
        """Let the function go on without a reader. Idempotent."""
        self._first = b""
        self._stream.close()


def _is_prelude(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == PRELUDE_TYPE
