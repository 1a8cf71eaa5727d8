"""Functions and scenes that tests of pollers share."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from unit.event_sources.mapping_bench import Bench

from lambent.domain.invocation import FunctionError, Invocation, InvocationOutcome
from lambent.domain.queue_message import unpack

OK = InvocationOutcome(b"null", "$LATEST")
FAILED = InvocationOutcome(b'{"errorMessage": "boom"}', "$LATEST", FunctionError())


def bodies_of(invocation: Invocation) -> list[str]:
    return [record["body"] for record in json.loads(invocation.payload)["Records"]]


def on_body(outcomes: dict[str, InvocationOutcome]) -> Callable[[Invocation], Awaitable[InvocationOutcome]]:
    """Return a function that answers by the first message that it has an outcome for."""

    async def does(invocation: Invocation) -> InvocationOutcome:
        return next((outcomes[body] for body in bodies_of(invocation) if body in outcomes), OK)

    return does


class Gate:
    """A function that works on each batch until it is let go."""

    def __init__(self, bench: Bench) -> None:
        self.waiting: dict[str, asyncio.Future[InvocationOutcome]] = {}
        self.is_open = False
        bench.fleet.does = self._does

    async def _does(self, invocation: Invocation) -> InvocationOutcome:
        if self.is_open:
            return OK
        going: asyncio.Future[InvocationOutcome] = asyncio.get_running_loop().create_future()
        self.waiting[" ".join(bodies_of(invocation))] = going
        return await going

    def let_go(self, bodies: str, outcome: InvocationOutcome = OK) -> None:
        self.waiting.pop(bodies).set_result(outcome)

    def let_all_go(self) -> None:
        for bodies in list(self.waiting):
            self.let_go(bodies)


def fail_on(monkeypatch: pytest.MonkeyPatch, poison: str) -> None:
    """Have one message be such that looking at it is an error of ours."""

    def unpack_or_fail(body: bytes, attributes: bytes) -> Any:
        if body == poison.encode():
            raise RecursionError("a mistake of ours")
        return unpack(body, attributes)

    monkeypatch.setattr("lambent.event_sources.sqs_own.unpack", unpack_or_fail)


async def read_ahead(bench: Bench, gate: Gate) -> None:
    """Have a quick function hang with as many as may run, while more was read."""
    await bench.function()
    await bench.queue()
    gate.is_open = True
    await bench.mapping(BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
    for number in range(5):
        await bench.send(f"warm{number}")
        await bench.until_depth(0, 0, 0)
    gate.is_open = False
    await bench.send(*(str(number) for number in range(60)))
    await bench.until(lambda: len(gate.waiting) == 2, step_s=0.25)
    await bench.pass_time(0.02, step_s=0.001)
    assert (await bench.depth())[1] > 2
