"""Mappings get their pollers, and their states settle."""

from pathlib import Path

import msgspec
from unit.dispatch.async_bench import SCOPE
from unit.event_sources.mapping_bench import Bench, tell

from lambent.domain.event_source_mapping import EventSourceMapping
from lambent.event_sources.contract import Counts
from lambent.event_sources.supervisor import Supervisor


class Recorder:
    """A source that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []

    def begin(self, mapping: EventSourceMapping) -> None:
        self.told.append(("begin", mapping.batch_size))

    def end(self, uuid: str) -> None:
        self.told.append(("end", uuid))

    def counts(self) -> dict[str, Counts]:
        return {}

    async def stop(self) -> None: ...

    async def close(self) -> None: ...


def test_each_state_settles(tmp_path: Path) -> None:
    """EM-01-states: what is asked for is answered in a state on its way, and comes to its end; never backwards."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        made = await bench.call(
            "CreateEventSourceMapping", EventSourceArn="arn:aws:sqs:us-east-1:000000000000:q", FunctionName="f"
        )
        uuid = made["UUID"]
        assert made["State"] == "Creating"
        await bench.until_state(uuid, "Enabled")
        for wanted, passing, settled in (
            ({"Enabled": False}, "Disabling", "Disabled"),
            ({"BatchSize": 5}, "Updating", "Disabled"),
            ({"Enabled": True, "BatchSize": 6}, "Enabling", "Enabled"),
            ({"BatchSize": 7}, "Updating", "Enabled"),
        ):
            assert (await bench.call("UpdateEventSourceMapping", UUID=uuid, **wanted))["State"] == passing
            await bench.until_state(uuid, settled)
        deleted = await bench.call("DeleteEventSourceMapping", UUID=uuid)
        assert (deleted["State"], deleted["BatchSize"]) == ("Deleting", 7)
        await bench.until_state(uuid, "ResourceNotFoundException")
        uuid = await bench.mapping(Enabled=False)
        assert await bench.state(uuid) == "Disabled"

    tell(tmp_path, story)


def test_what_was_left_on_its_way_is_settled_by_the_next_server(tmp_path: Path) -> None:
    """A mapping that was made, changed or deleted just before a crash gets there; pollers are begun for the others."""

    async def story(bench: Bench) -> None:
        await bench.function()
        for name in ("a", "b", "c", "d"):
            await bench.queue(name)
        one, two, three = [await bench.mapping(name) for name in ("a", "b", "c")]
        await bench.crash()
        await bench.open(follows=False)
        four = (
            await bench.call(
                "CreateEventSourceMapping", EventSourceArn="arn:aws:sqs:us-east-1:000000000000:d", FunctionName="f"
            )
        )["UUID"]
        await bench.call("UpdateEventSourceMapping", UUID=two, Enabled=False)
        await bench.call("DeleteEventSourceMapping", UUID=three)
        await bench.crash()
        await bench.open()
        await bench.until_state(four, "Enabled")
        await bench.until_state(two, "Disabled")
        await bench.until_state(three, "ResourceNotFoundException")
        for name in ("a", "b", "d"):
            await bench.send(name, queue=name)
        await bench.until(lambda: sorted(bench.bodies()) == [["a"], ["d"]])
        assert await bench.state(one) == "Enabled"

    tell(tmp_path, story)


def test_a_poller_hears_of_what_concerns_it(tmp_path: Path) -> None:
    """Of tags nothing, of settings once, and of its end once."""

    async def story(bench: Bench) -> None:
        source = Recorder()
        bench.supervisor = Supervisor(bench.store, {"sqs": source}, bench.clock)
        bench.follow()
        await bench.function()
        await bench.queue()
        uuid = await bench.mapping()
        async with bench.store.transaction(SCOPE) as tx:
            mapping = await tx.event_source_mappings.get(uuid)
            assert mapping is not None
            await tx.event_source_mappings.save(msgspec.structs.replace(mapping, tags={"k": "v"}))
        await bench.call("UpdateEventSourceMapping", UUID=uuid, BatchSize=3)
        await bench.until_state(uuid, "Enabled")
        await bench.call("UpdateEventSourceMapping", UUID=uuid, Enabled=False)
        await bench.until_state(uuid, "Disabled")
        await bench.call("DeleteEventSourceMapping", UUID=uuid)
        await bench.until_state(uuid, "ResourceNotFoundException")
        assert source.told == [("begin", 10), ("begin", 3), ("end", uuid)]

    tell(tmp_path, story, follows=False)


def test_a_mapping_that_cannot_be_served_keeps_no_other_from_it(tmp_path: Path) -> None:
    """It settles all the same, so that it can be changed and deleted, and is tried again later."""

    class Choosy(Recorder):
        failures = 2

        def begin(self, mapping: EventSourceMapping) -> None:
            if mapping.batch_size == 1 and self.failures:
                self.failures -= 1
                raise RuntimeError("no poller for this one")
            super().begin(mapping)

    async def story(bench: Bench) -> None:
        source = Choosy()
        bench.supervisor = Supervisor(bench.store, {"sqs": source}, bench.clock)
        await bench.function()
        made = {}
        for name, batch_size in (("a", 1), ("b", 2)):
            await bench.queue(name)
            arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
            answer = await bench.call(
                "CreateEventSourceMapping", EventSourceArn=arn, FunctionName="f", BatchSize=batch_size
            )
            made[name] = answer["UUID"]
        bench.follow()
        await bench.until_state(made["b"], "Enabled")
        await bench.until_state(made["a"], "Enabled")
        assert source.told == [("begin", 2)]
        await bench.until(lambda: source.told == [("begin", 2), ("begin", 1)], step_s=5)
        assert source.failures == 0
        await bench.call("DeleteEventSourceMapping", UUID=made["a"])
        await bench.until_state(made["a"], "ResourceNotFoundException")

    tell(tmp_path, story, follows=False)
