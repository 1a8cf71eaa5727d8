"""The end of all that pollers have begun."""

import asyncio
from pathlib import Path
from typing import Any

from unit.event_sources.elsewhere_bench import ElsewhereBench, tell_there


def test_a_server_that_stops_does_not_wait_for_another_that_is_silent(tmp_path: Path) -> None:
    """What it would give back comes back in its time; some seconds are given to it."""

    async def story(bench: ElsewhereBench) -> None:
        end = asyncio.Event()

        async def say_nothing(*_: Any) -> None:
            await end.wait()

        await bench.function()
        await bench.queue()
        await bench.mapping(MaximumBatchingWindowInSeconds=60)
        await bench.send("a")
        await bench.until_depth(0, 1, 0)
        await bench.until(lambda: any(poller._unbegun.gathered for poller in bench.source._pollers.values()))
        bench.there.handlers = {**bench.there.handlers, "ChangeMessageVisibilityBatch": say_nothing}
        stopping = asyncio.create_task(bench.source.stop())
        await bench.until(lambda: bench.there.count("ChangeMessageVisibilityBatch"))
        await bench.pass_time(6)
        assert stopping.done()
        # What still waits for its answer would keep the bench for as long as it may take, in real time.
        end.set()

    tell_there(tmp_path, story)
