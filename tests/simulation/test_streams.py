"""
Mappings of streams under everything that goes wrong: functions that fail, hang, are refused and changed, shards that
are split, iterators that expire, a source that is away, servers that are killed. Nothing is lost, and keys keep their
order.

A failure names its seed, which repeats it; `LAMBENT_SIMULATION_SEEDS` says how many are tried.
"""

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from unit.event_sources.stream_bench import ARN, StreamBench, tell_of_streams

from lambent.domain.function import State
from lambent.domain.invocation import FunctionError, Invocation, InvocationOutcome
from lambent.errors.families import DependencyError
from lambent.event_sources.stream_reader import StreamUnavailable
from lambent.fleet.contract import Throttled

SEEDS = range(int(os.environ.get("LAMBENT_SIMULATION_SEEDS", "12")) // 3)
RECORDS = 80
STEPS = 120
KEYS = "abcde"


class World:
    """A function with moods, a stream whose shards are split, and what is known of each record."""

    def __init__(self, bench: StreamBench, dice: random.Random) -> None:
        self.bench = bench
        self.dice = dice
        self.put: list[str] = []
        self.done: dict[str, None] = {}
        """Records that the function dealt with, in the order in which it did for the first time."""
        self.at_work: set[str] = set()
        """Keys of which a batch is at work."""
        self.fault_rate = 0.3
        self.open = dict.fromkeys(KEYS, "a")
        """Key to the shard that takes it."""
        self.shards = 1
        bench.fleet.does = self.run

    async def run(self, invocation: Invocation) -> InvocationOutcome:
        bodies = [record["body"] for record in json.loads(invocation.payload)["Records"]]
        sequences = [record["sequence"] for record in json.loads(invocation.payload)["Records"]]
        keys = {body[0] for body in bodies}
        assert self.at_work.isdisjoint(keys), "two batches of one key at once"
        self.at_work |= keys
        try:
            if self.dice.random() < 0.4:
                await self.bench.clock.sleep(self.dice.choice([0.01, 0.3, 2.0]))
            if self.dice.random() < self.fault_rate:
                return InvocationOutcome(b"{}", "$LATEST", FunctionError())
            failed_at = self.dice.randrange(len(bodies)) if self.dice.random() < self.fault_rate else len(bodies)
            for body in bodies[:failed_at]:
                self.done.setdefault(body)
            failed = [{"itemIdentifier": sequence} for sequence in sequences[failed_at:]]
            return InvocationOutcome(json.dumps({"batchItemFailures": failed}).encode(), "$LATEST")
        finally:
            self.at_work -= keys

    def send(self) -> None:
        key = self.dice.choice(KEYS)
        body = f"{key}-{len(self.put):04d}"
        self.bench.reader.put(body, shard=self.open[key])
        self.put.append(body)

    def split(self) -> None:
        """Close a shard, and have two others take its keys."""
        shard = self.dice.choice(sorted(set(self.open.values())))
        self.bench.reader.close(shard)
        children = [f"s{self.shards}", f"s{self.shards + 1}"]
        self.shards += 2
        for child in children:
            self.bench.reader.add(child, shard)
        for key, where in self.open.items():
            if where == shard:
                self.open[key] = self.dice.choice(children)

    async def step(self, uuid: str) -> None:
        """Let one thing happen, good or bad."""
        bench, dice = self.bench, self.dice
        what = dice.random()
        if what < 0.5 and len(self.put) < RECORDS:
            self.send()
        elif what < 0.55:
            bench.fleet.refusal = dice.choice([None, Throttled("x"), DependencyError("x", retryable=True)])
        elif what < 0.6:
            await bench.set_state("f", dice.choice([State.ACTIVE, State.PENDING]))
        elif what < 0.65:
            bench.reader.failure = dice.choice([None, None, StreamUnavailable("away")])
        elif what < 0.7:
            bench.reader.expires = True
        elif what < 0.74 and self.shards < 9:
            self.split()
        elif what < 0.82:
            if (await bench.state(uuid)) in {"Enabled", "Disabled"}:
                settings: dict[str, Any] = {
                    "Enabled": dice.random() < 0.7,
                    "BatchSize": dice.choice([1, 2, 10]),
                    "ParallelizationFactor": dice.choice([1, 1, 3, 10]),
                    "BisectBatchOnFunctionError": dice.random() < 0.5,
                }
                await bench.call("UpdateEventSourceMapping", UUID=uuid, **settings)
        elif what < 0.86:
            await bench.crash()
            # What the dead server's function did was done; nobody heard of it.
            self.at_work.clear()
            await bench.open()
        await bench.pass_time(dice.choice([0.05, 0.4, 3.0]), step_s=0.2)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_and_keys_keep_their_order(tmp_path: Path, seed: int) -> None:
    """Whatever happens on the way, all is dealt with once things are well again, and nothing was overtaken."""

    async def story(bench: StreamBench) -> None:
        dice = random.Random(seed)
        world = World(bench, dice)
        uuid = await bench.stream_mapping(FunctionResponseTypes=["ReportBatchItemFailures"], BatchSize=3)
        for _ in range(STEPS):
            await world.step(uuid)
        while len(world.put) < RECORDS:
            world.send()
        world.fault_rate = 0.0
        bench.fleet.refusal = bench.reader.failure = None
        await bench.set_state("f", State.ACTIVE)
        await bench.until_settled(uuid)
        await bench.call("UpdateEventSourceMapping", UUID=uuid, Enabled=True)
        await bench.until(lambda: len(world.done) == RECORDS, step_s=0.2)
        assert set(world.done) == set(world.put), f"lost with seed {seed}"
        for key in KEYS:
            in_order = [body for body in world.done if body.startswith(key)]
            assert in_order == sorted(in_order), f"overtaken with seed {seed}"
        await bench.pass_time(3, step_s=0.2)
        assert bench.streams["kinesis"]._shared.held.held == 0, f"bytes are counted with seed {seed}"
        assert ARN in bench.reader.streams

    tell_of_streams(tmp_path, story)
