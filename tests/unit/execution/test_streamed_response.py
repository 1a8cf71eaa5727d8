"""A streamed response between the one who writes and the one who reads, whichever is faster."""

import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable

import pytest

from lambent.domain.invocation import FunctionError, StreamEnd
from lambent.execution.streamed_response import BUFFERED_MAX_BYTES, StreamedResponse

END = StreamEnd()


class Connection:
    """What the runtime's connection was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def pause(self) -> None:
        self.asked.append("pause")

    def resume(self) -> None:
        self.asked.append("resume")


def run(story: Callable[[StreamedResponse, Connection], Awaitable[None]]) -> None:
    async def told() -> None:
        connection = Connection()
        await asyncio.wait_for(story(StreamedResponse(connection), connection), 5)

    asyncio.run(told())


def test_a_reader_that_waits_gets_each_piece_at_once() -> None:
    """And the connection is never paused."""

    async def story(response: StreamedResponse, connection: Connection) -> None:
        read: list[bytes] = []

        async def reader() -> None:
            async for piece in response:
                read.append(piece)

        reading = asyncio.create_task(reader())
        for count, piece in enumerate((b"a", b"b", b"c"), 1):
            await asyncio.sleep(0)
            response.write(piece)
            while len(read) < count:  # noqa: ASYNC110 - only its own turn of the loop brings it
                await asyncio.sleep(0)
        response.finish(END)
        await reading
        assert read == [b"a", b"b", b"c"]
        assert response.end is END
        assert connection.asked == []

    run(story)


def test_a_large_piece_is_handed_on_as_it_came() -> None:
    """Without a copy; what waits beside it, small and large, comes in order."""

    async def story(response: StreamedResponse, connection: Connection) -> None:
        large = b"x" * 10_000
        response.write(large)
        assert await anext(response) is large
        for piece in (b"a", b"b", large, b"c", b"d", large):
            response.write(piece)
        assert await anext(response) == b"ab" + large + b"cd" + large

    run(story)


def test_what_waits_is_joined_and_bounded() -> None:
    """Beyond the mark the connection is paused once; taking it resumes. The end can be read before the rest is."""

    async def story(response: StreamedResponse, connection: Connection) -> None:
        response.write(b"x" * BUFFERED_MAX_BYTES)
        assert connection.asked == []
        response.write(b"y")
        response.write(b"")
        response.write(b"z")
        assert connection.asked == ["pause"]
        assert await anext(response) == b"x" * BUFFERED_MAX_BYTES + b"yz"
        assert connection.asked == ["pause", "resume"]
        response.write(b"last" * BUFFERED_MAX_BYTES)
        response.finish(StreamEnd(FunctionError(), b"{}", b"tail"))
        assert connection.asked == ["pause", "resume", "pause", "resume"], "the connection is for what comes next"
        assert response.end is not None
        assert len(await anext(response)) == 4 * BUFFERED_MAX_BYTES
        assert await anext(response, None) is None

    run(story)


def test_small_pieces_take_no_more_room_than_large_ones() -> None:
    """What waits is bounded in memory, in however many pieces it came."""

    async def story(response: StreamedResponse, connection: Connection) -> None:
        tracemalloc.start()
        try:
            for count in range(BUFFERED_MAX_BYTES // 2):
                response.write((count % 65_536).to_bytes(2, "big"))
            held_bytes, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert held_bytes < 2 * BUFFERED_MAX_BYTES
        assert connection.asked == []
        assert len(await anext(response)) == BUFFERED_MAX_BYTES

    run(story)


@pytest.mark.parametrize("when", ["before", "while it waits", "paused"])
def test_a_reader_that_goes_holds_nobody_up(when: str) -> None:
    """What comes is thrown away, at full speed, and the end is told all the same."""

    async def story(response: StreamedResponse, connection: Connection) -> None:
        ended: list[bool] = []
        response.when_ended(lambda: ended.append(True))
        if when == "paused":
            response.write(b"x" * (BUFFERED_MAX_BYTES + 1))
        waiting = asyncio.ensure_future(anext(response, None)) if when == "while it waits" else None
        await asyncio.sleep(0)
        response.close()
        response.close()
        if waiting is not None:
            assert await waiting is None
        assert connection.asked == (["pause", "resume"] if when == "paused" else [])
        before = len(connection.asked)
        response.write(b"x" * (BUFFERED_MAX_BYTES + 1))
        assert len(connection.asked) == before
        assert await anext(response, None) is None
        assert ended == []
        response.finish(END)
        assert ended == [True]
        response.when_ended(lambda: ended.append(True))
        assert ended == [True, True]

    run(story)


def test_a_reader_that_is_cancelled_may_come_back() -> None:
    """Nothing is lost with one that gave up waiting."""

    async def story(response: StreamedResponse, _: Connection) -> None:
        waiting = asyncio.ensure_future(anext(response))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        response.write(b"a")
        assert await anext(response) == b"a"

    run(story)
