"""
What every store must do with positions in streams.

A subclass needs a fixture `opener` that gives a function which opens the store anew, each time the same one.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.stream_position import ShardPosition, Window
from lambent.store.contract import StreamPositions

PositionsOpener = Callable[[], AbstractAsyncContextManager[StreamPositions]]

SCOPE = Scope(account="111122223333", region="eu-west-1")
OTHER_REGION = Scope(account="111122223333", region="us-east-1")

FULL = ShardPosition(
    "shard-1",
    "LATEST",
    1_795_000_000.25,
    "49590338271490256608559692538361571095921575989136588898",
    ("", "7"),
    window=Window(10.0, 20.0, msgspec.Raw(b'{"s": "\xc3\xbc"}')),
)


def with_positions(test: Callable[[Any, StreamPositions], Coroutine[Any, Any, None]]) -> Callable[[Any, Any], None]:
    """Run a test with an open store."""

    def run(self: Any, opener: PositionsOpener) -> None:
        async def opened() -> None:
            async with opener() as positions:
                await test(self, positions)

        asyncio.run(opened())

    run.__doc__ = test.__doc__
    return run


class StreamPositionConformance:
    """Promises of `StreamPositions`."""

    @with_positions
    async def test_what_was_saved_is_read_back(self, positions: StreamPositions) -> None:
        """Equal in every field, by shard; saved again it is replaced; other scopes and mappings do not see it."""
        begun = await positions.begin(SCOPE, "a")
        assert (begun.epoch, list(begun.positions)) == (1, [])
        other = ShardPosition("shard-0", is_done=True)
        assert await positions.save(SCOPE, "a", 1, [ShardPosition("shard-1"), other])
        assert await positions.save(SCOPE, "a", 1, [FULL])
        begun = await positions.begin(SCOPE, "a")
        assert begun.epoch == 2
        assert [msgspec.json.encode(one) for one in begun.positions] == [
            msgspec.json.encode(one) for one in (other, FULL)
        ]
        assert (await positions.begin(SCOPE, "b")).positions == []
        assert (await positions.begin(OTHER_REGION, "a")).positions == []

    @with_positions
    async def test_an_older_epoch_writes_nothing(self, positions: StreamPositions) -> None:
        """Neither a position nor a result, nor does it drop one; nor is there a mapping that nobody began for."""
        await positions.begin(SCOPE, "a")
        await positions.save(SCOPE, "a", 1, [FULL])
        await positions.begin(SCOPE, "a")
        assert not await positions.save(SCOPE, "a", 1, [ShardPosition("x")], forget=["shard-1"], result="OK")
        assert not await positions.save(SCOPE, "b", 1, [ShardPosition("x")])
        assert [one.shard_id for one in (await positions.begin(SCOPE, "a")).positions] == ["shard-1"]
        assert await positions.results(SCOPE, ["a", "b"]) == {}

    @with_positions
    async def test_results(self, positions: StreamPositions) -> None:
        """The last one of each mapping that had one; a save without one leaves it."""
        for uuid in ("a", "b", "c"):
            await positions.begin(SCOPE, uuid)
        assert await positions.save(SCOPE, "a", 1, result="OK")
        assert await positions.save(SCOPE, "b", 1, result="PROBLEM: x")
        assert await positions.save(SCOPE, "a", 1, [FULL])
        assert await positions.results(SCOPE, ["a", "b", "c", "d"]) == {"a": "OK", "b": "PROBLEM: x"}
        assert await positions.results(SCOPE, []) == {}

    @with_positions
    async def test_shards_are_forgotten(self, positions: StreamPositions) -> None:
        """By name, together with what is saved."""
        await positions.begin(SCOPE, "a")
        await positions.save(SCOPE, "a", 1, [ShardPosition(name) for name in "xyz"])
        assert await positions.save(SCOPE, "a", 1, [ShardPosition("y", sequence="5")], forget=["x", "none"])
        found = (await positions.begin(SCOPE, "a")).positions
        assert [(one.shard_id, one.sequence) for one in found] == [("y", "5"), ("z", "")]

    @with_positions
    async def test_many_at_once(self, positions: StreamPositions) -> None:
        """Each for itself, in the order in which they were asked for; one who leaves takes nobody along."""
        for uuid in ("a", "b"):
            await positions.begin(SCOPE, uuid)

        async def save(uuid: str, number: int, epoch: int = 1) -> bool:
            return await positions.save(SCOPE, uuid, epoch, [ShardPosition("s", sequence=str(number))])

        tasks = [
            asyncio.create_task(save("a" if number % 2 else "b", number, 1 if number % 7 else 9))
            for number in range(1, 500)
        ]
        await asyncio.sleep(0)
        tasks[200].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [one for one in done if isinstance(one, Exception)] == []
        assert sum(one is False for one in done) in {70, 71}
        for uuid, last in (("a", "499"), ("b", "498")):
            assert [one.sequence for one in (await positions.begin(SCOPE, uuid)).positions] == [last]
