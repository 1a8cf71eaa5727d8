"""What the gateway's own paths answer with."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from lambent.gateway.own_answers import answered, problem, with_first


def test_a_problem_has_a_code_where_there_is_one() -> None:
    assert json.loads(problem(404, "gone").body) == {"message": "gone"}  # type: ignore[arg-type]
    found = problem(409, "there", "Conflict")
    assert (found.status, found.headers) == (409, [(b"content-type", b"application/json")])
    assert found.body == answered({"code": "Conflict", "message": "there"}).body


@pytest.mark.parametrize("is_read", [True, False])
def test_what_was_read_ahead_comes_first_and_the_rest_is_closed(is_read: bool) -> None:
    """Read to its end, or left after one piece: whoever opened a file gets to close it."""
    closed = []

    async def rest() -> AsyncIterator[bytes]:
        try:
            yield b"b"
            yield b"c"
        finally:
            closed.append(True)

    async def read() -> list[bytes]:
        pieces = rest()
        assert await anext(pieces) == b"b"
        body = with_first(b"a", pieces)
        got = [await anext(body)]
        if is_read:
            got += [piece async for piece in body]
        await body.aclose()
        assert closed == [True]
        return got

    assert asyncio.run(read()) == ([b"a", b"c"] if is_read else [b"a"])


def test_what_cannot_be_closed_is_only_read() -> None:
    class Rest:
        def __aiter__(self) -> "Rest":
            return self

        async def __anext__(self) -> bytes:
            raise StopAsyncIteration

    async def read() -> list[bytes]:
        return [piece async for piece in with_first(b"a", Rest())]

    assert asyncio.run(read()) == [b"a"]
