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


def test_turns_are_counted_when_they_are_given() -> None:
    """However many bytes are given back before those whose turn it is run."""

    async def story() -> None:
        held = HeldBytes(100)
        await held.take(100)
        tasks = [asyncio.create_task(held.take(60)) for _ in range(20)]
        await asyncio.sleep(0)
        for _ in range(100):
            held.add(-1)
        assert held.held == 120
        for _ in range(3):
            await asyncio.sleep(0)
        assert sum(task.done() for task in tasks) == 2
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert held.held == 120

    asyncio.run(story())


def test_one_whose_turn_has_come_and_who_leaves() -> None:
    """What was counted for it is the next one's."""

    async def story() -> None:
        held = HeldBytes(100)
        await held.take(100)
        first, second = (asyncio.create_task(held.take(90)) for _ in range(2))
        await asyncio.sleep(0)
        held.add(-100)
        first.cancel()
        await second
        assert held.held == 90

    asyncio.run(story())
