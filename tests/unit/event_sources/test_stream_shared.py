"""What all pollers of streams share: the bytes that they hold."""

import asyncio

import pytest

from lambent.event_sources.stream_shared import HeldBytes


def test_those_that_find_no_room_wait_in_line() -> None:
    """Whoever comes first is first; one who leaves keeps nobody; one alone always gets what it needs."""

    async def story() -> None:
        held, got = HeldBytes(100), []

        async def take(name: str, size: int) -> None:
            await held.take(size)
            got.append(name)

        await held.take(150)
        tasks = [asyncio.create_task(take(name, 60)) for name in "abc"]
        await asyncio.sleep(0)
        assert (got, held.held) == ([], 150)
        tasks[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        held.add(-150)
        await tasks[1]
        for _ in range(3):
            await asyncio.sleep(0)
        assert got == ["b", "c"], "60 of 100: another one fits in, and a little more"
        late = asyncio.create_task(take("late", 1))
        await asyncio.sleep(0)
        assert not late.done()
        held.add(-60)
        await late
        assert held.held == 61

    asyncio.run(story())
