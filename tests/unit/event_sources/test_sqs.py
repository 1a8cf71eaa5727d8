"""Which pollers are woken by what. What one does then is in test_sqs_poller."""

from pathlib import Path

from unit.event_sources.mapping_bench import Bench, tell


def test_two_functions_share_a_queue(tmp_path: Path) -> None:
    """Each message reaches one of them, and the end of one mapping leaves the other."""

    async def story(bench: Bench) -> None:
        await bench.function("f")
        await bench.function("g")
        await bench.queue()
        first = await bench.mapping(function="f", BatchSize=1)
        await bench.mapping(function="g", BatchSize=1)
        await bench.send(*(str(number) for number in range(10)))
        await bench.until_depth(0, 0, 0)
        assert sorted(int(body) for (body,) in bench.bodies()) == list(range(10))
        await bench.call("DeleteEventSourceMapping", UUID=first)
        await bench.until_state(first, "ResourceNotFoundException")
        await bench.send("last")
        await bench.until_depth(0, 0, 0)
        assert bench.bodies("g")[-1] == ["last"]

    tell(tmp_path, story)


def test_a_timer_goes_with_its_last_mapping(tmp_path: Path) -> None:
    """What rings for a queue rings no more once nobody reads it."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        uuid = await bench.mapping()
        await bench.rest()
        timers = bench.clock.timer_count
        await bench.send("later", DelaySeconds=600)
        await bench.rest()
        assert bench.clock.timer_count == timers + 1
        await bench.send("sooner", DelaySeconds=300)
        await bench.rest()
        assert bench.clock.timer_count == timers + 1
        await bench.call("DeleteEventSourceMapping", UUID=uuid)
        await bench.until_state(uuid, "ResourceNotFoundException")
        assert bench.clock.timer_count == timers

    tell(tmp_path, story)


def test_counts_are_for_those_that_ask(tmp_path: Path) -> None:
    """By MetricsConfig; they go on over a change of the mapping."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue("a")
        await bench.queue("b")
        await bench.mapping("a")
        counted = await bench.mapping("b", MetricsConfig={"Metrics": ["EventCount"]})
        for queue in ("a", "b"):
            await bench.send("x", queue=queue)
            await bench.until_depth(0, 0, 0, queue=queue)
        await bench.call("UpdateEventSourceMapping", UUID=counted, BatchSize=2)
        await bench.until_state(counted, "Enabled")
        assert {uuid: counts.polled for uuid, counts in bench.source.counts().items()} == {counted: 1}

    tell(tmp_path, story)
