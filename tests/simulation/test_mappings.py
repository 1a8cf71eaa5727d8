"""
Mappings of queues, ours and another server's, under everything that goes wrong: functions that fail, hang, are refused
and changed, mappings that come and go, the other server away, and servers that are killed. Nothing is lost, and groups
keep their order.

A failure names its seed, which repeats it; `LAMBENT_SIMULATION_SEEDS` says how many are tried.
"""

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from unit.event_sources.elsewhere_bench import ElsewhereBench
from unit.event_sources.mapping_bench import Bench, tell

from lambent.domain.function import State
from lambent.domain.invocation import FunctionError, Invocation, InvocationOutcome
from lambent.errors.families import DependencyError
from lambent.fleet.contract import Throttled

SEEDS = range(int(os.environ.get("LAMBENT_SIMULATION_SEEDS", "12")) // 3)
MESSAGES = 60
STEPS = 100


class World:
    """A function with moods, and what is known of each message."""

    def __init__(self, bench: Bench, dice: random.Random) -> None:
        self.bench = bench
        self.dice = dice
        self.sent: list[str] = []
        self.done: dict[str, int] = {}
        """Message to how often the function said that it was dealt with."""
        self.order: list[str] = []
        """Messages of the FIFO queue as they were dealt with for the first time."""
        self.at_work: set[str] = set()
        """Groups of which a batch is at work."""
        self.fault_rate = 0.3
        bench.fleet.does = self.run

    async def run(self, invocation: Invocation) -> InvocationOutcome:
        records = json.loads(invocation.payload)["Records"]
        assert len(records) <= 10
        groups = {record["attributes"].get("MessageGroupId") for record in records} - {None}
        assert self.at_work.isdisjoint(groups), "two batches of one group at once"
        self.at_work |= groups
        try:
            if self.dice.random() < 0.5:
                await self.bench.clock.sleep(self.dice.choice([0.001, 0.1, 2.0]))
            if self.dice.random() < self.fault_rate:
                return InvocationOutcome(b"{}", "$LATEST", FunctionError())
            failed = []
            for record in records:
                # In a group nothing after the first failure is done, as functions of FIFO queues are to have it.
                group = record["attributes"].get("MessageGroupId")
                if group in failed or self.dice.random() < self.fault_rate / 3:
                    failed += [group] if group else [record["messageId"]]
                    continue
                self.note(record["body"])
            named = [
                {"itemIdentifier": record["messageId"]}
                for record in records
                if record["messageId"] in failed or record["attributes"].get("MessageGroupId") in failed
            ]
            # A group of which some is done and some is not: what was done before the failure is named as well, which
            # repeats it, and never skips anything.
            return InvocationOutcome(json.dumps({"batchItemFailures": named}).encode(), "$LATEST")
        finally:
            self.at_work -= groups

    def note(self, body: str) -> None:
        if body not in self.done and "-" in body:
            self.order.append(body)
        self.done[body] = self.done.get(body, 0) + 1

    async def send(self) -> None:
        number = len(self.sent)
        group = self.dice.choice(["", "a", "b", "c"])
        body = f"{group}-{number:04d}" if group else f"{number:04d}"
        await self.bench.send(body, queue="q.fifo" if group else "q")
        self.sent.append(body)

    async def step(self, mappings: list[str]) -> None:
        """Let one thing happen, good or bad."""
        bench, dice = self.bench, self.dice
        what = dice.random()
        if what < 0.5 and len(self.sent) < MESSAGES:
            await self.send()
        elif what < 0.55:
            bench.fleet.refusal = dice.choice([None, Throttled("x"), DependencyError("x", retryable=True)])
        elif what < 0.6:
            await bench.set_state("f", dice.choice([State.ACTIVE, State.PENDING]))
        elif what < 0.65:
            await bench.change_function("f", reserved_executions=dice.choice([None, 0, 1, 5]))
        elif what < 0.72:
            uuid = dice.choice(mappings)
            if (await bench.state(uuid)) in {"Enabled", "Disabled"}:
                settings: dict[str, Any] = {"Enabled": dice.random() < 0.6, "BatchSize": dice.choice([1, 2, 10])}
                await bench.call("UpdateEventSourceMapping", UUID=uuid, **settings)
        elif what < 0.75:
            await bench.crash()
            # What the dead server's function did was done; nobody heard of it.
            self.at_work.clear()
            await bench.open()
        elif what < 0.8 and isinstance(bench, ElsewhereBench):
            bench.there.is_away = dice.random() < 0.5
        await bench.pass_time(dice.choice([0.01, 0.3, 3.0]), step_s=0.3)


@pytest.mark.parametrize("kind", [Bench, ElsewhereBench])
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_and_groups_keep_their_order(tmp_path: Path, seed: int, kind: type[Bench]) -> None:
    """Whatever happens on the way, all is dealt with once things are well again, and nothing was overtaken."""

    async def story(bench: Bench) -> None:
        dice = random.Random(seed)
        world = World(bench, dice)
        await bench.function(timeout_s=3)
        for name in ("q", "q.fifo"):
            await bench.queue(name, VisibilityTimeout="5")
        mappings = [
            await bench.mapping(name, FunctionResponseTypes=["ReportBatchItemFailures"]) for name in ("q", "q.fifo")
        ]
        for _ in range(STEPS):
            await world.step(mappings)
        while len(world.sent) < MESSAGES:
            await world.send()
        world.fault_rate = 0.0
        bench.fleet.refusal = None
        if isinstance(bench, ElsewhereBench):
            bench.there.is_away = False
        await bench.set_state("f", State.ACTIVE)
        await bench.change_function("f", reserved_executions=None)
        for uuid in mappings:
            await bench.until_settled(uuid)
            await bench.call("UpdateEventSourceMapping", UUID=uuid, Enabled=True)
        for name in ("q", "q.fifo"):
            await bench.until_depth(0, 0, 0, queue=name, step_s=0.3)
        assert set(world.done) == set(world.sent), f"lost with seed {seed}"
        for group in "abc":
            in_order = [body for body in world.order if body.startswith(group)]
            assert in_order == sorted(in_order), f"overtaken with seed {seed}"

    tell(tmp_path, story, kind=kind)
