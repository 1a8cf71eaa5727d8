"""What became of events: gathered, written together, and written again where that failed."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from lambent.dispatch.claiming import Claimer
from lambent.dispatch.outcomes import Outcomes
from lambent.domain.caller import Scope
from lambent.errors.families import DependencyError
from lambent.store.contract import (
    BODY_INLINE_MAX_BYTES,
    Claim,
    Claimed,
    Done,
    NewEvent,
    Outcome,
    QueueKind,
    QueueName,
    Receipt,
    Retry,
    Step,
)
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("000000000000", "us-east-1")
QUEUE = QueueName(SCOPE, QueueKind.ASYNC, "f/id")
RECORDS = QueueName(SCOPE, QueueKind.DESTINATION, "arn:aws:sqs:us-east-1:000000000000:q")


class FakeQueue:
    """Keeps the calls of `settle`, and answers as told."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        """Of each, the sequences."""
        self.answers: Callable[[Sequence[Step]], Sequence[Outcome]] = lambda steps: [Outcome.HAPPENED] * len(steps)

    def on_due(self, callback: Callable[[QueueName, float], None]) -> None:
        pass

    async def claim(self, room: Any, lease_s: float) -> Claimed:
        (most,) = room.values()
        return Claimed(tuple(claim_of(number) for number in range(most)), {})

    async def settle(self, steps: Sequence[Step]) -> Sequence[Outcome]:
        self.calls.append([step.receipt.sequence for step in steps])
        return self.answers(steps)


def claim_of(number: int) -> Claim:
    return Claim(Receipt(QUEUE, number, 1), f"r{number}", b"{}", b"", None, None, 1, 0, 0, 0.0, None)


def done(number: int, body: bytes | None = None) -> tuple[Claim, Done]:
    claim = claim_of(number)
    return claim, Done(claim.receipt, () if body is None else (NewEvent(RECORDS, claim.id, body),))


class Bench:
    """A claimer that holds a hundred events, and their outcomes."""

    def __init__(self) -> None:
        self.queue = FakeQueue()
        self.clock = VirtualClock()
        self.claimer = Claimer(self.queue, QueueKind.ASYNC, self.clock)  # type: ignore[arg-type]
        self.told = 0
        self.outcomes = Outcomes(self.claimer, self.clock, asyncio.create_task, self._tell)

    def _tell(self) -> None:
        self.told += 1

    def add(self, *settled: tuple[Claim, Done | Retry], is_urgent: bool = False) -> None:
        for claim, step in settled:
            self.outcomes.add(claim, step, is_urgent=is_urgent)


def tell(story: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        bench = Bench()
        await bench.claimer.claim({QUEUE: 100})
        await story(bench)

    asyncio.run(run())


async def turn() -> None:
    """Let what was begun go on until it waits for time to pass."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_outcomes_share_a_call() -> None:
    """Those of some milliseconds are written together, and are held no more."""

    async def story(bench: Bench) -> None:
        bench.add(done(0), done(1))
        bench.clock.advance(0.015)
        bench.add(done(2))
        await turn()
        assert bench.queue.calls == []
        bench.clock.advance(0.005)
        await turn()
        assert bench.queue.calls == [[0, 1, 2]]
        assert (bench.claimer.held_count, bench.told) == (97, 1)

    tell(story)


def test_news_wait_less() -> None:
    """A record that is to be delivered, or another attempt, does not wait as long as what nobody hears of."""

    async def story(bench: Bench) -> None:
        bench.add(done(0))
        bench.clock.advance(0.002)
        bench.add(done(1, b"{}"))
        bench.clock.advance(0.005)
        await turn()
        assert bench.queue.calls == [[0, 1]]
        claim = claim_of(2)
        bench.add((claim, Retry(claim.receipt, 60)))
        bench.clock.advance(0.005)
        await turn()
        assert bench.queue.calls == [[0, 1], [2]]

    tell(story)


def test_who_commits_takes_them_along() -> None:
    """What is urgent, or is written for whoever is about to claim, leaves nothing behind that waits."""

    async def story(bench: Bench) -> None:
        bench.add(done(0))
        bench.add(done(1), is_urgent=True)
        await turn()
        bench.add(done(2))
        bench.outcomes.write()
        await turn()
        bench.clock.advance(1)
        await turn()
        assert bench.queue.calls == [[0, 1], [2]]

    tell(story)


def test_commits_stay_small() -> None:
    """Long bodies, which become files first, keep nobody waiting; many that are not so long are several commits."""

    async def story(bench: Bench) -> None:
        long, much = bytes(BODY_INLINE_MAX_BYTES + 1), bytes(BODY_INLINE_MAX_BYTES)
        bench.add(done(0), done(1, long), *(done(number, much) for number in range(2, 42)))
        bench.outcomes.write()
        await turn()
        assert bench.queue.calls == [[1], [0, *range(2, 34)], list(range(34, 42))]

    tell(story)


def test_what_was_not_written_is_tried_again() -> None:
    """By itself: those that happened are over."""

    async def story(bench: Bench) -> None:
        def refuse(steps: Sequence[Step]) -> Sequence[Outcome]:
            raise DependencyError("the disk is full", retryable=True)

        happen = bench.queue.answers
        bench.queue.answers = refuse
        bench.add(done(0), done(1))
        bench.clock.advance(0.02)
        await turn()
        bench.queue.answers = lambda steps: [Outcome.HAPPENED, Outcome.FULL]
        bench.clock.advance(0.1)
        await turn()
        bench.queue.answers = happen
        bench.clock.advance(0.2)
        await turn()
        assert bench.queue.calls == [[0, 1], [0, 1], [1]]
        assert bench.claimer.held_count == 98

    tell(story)


@pytest.mark.parametrize("failure", [ValueError("a bad id"), DependencyError("no such text", retryable=False)])
def test_one_bad_outcome_fails_alone(failure: Exception) -> None:
    """Whatever is wrong with one of them, the others happen."""

    async def story(bench: Bench) -> None:
        def refuse_some(steps: Sequence[Step]) -> Sequence[Outcome]:
            if any(step.receipt.sequence == 1 for step in steps):
                raise failure
            return [Outcome.HAPPENED] * len(steps)

        bench.queue.answers = refuse_some
        bench.add(done(0), done(1), done(2))
        bench.outcomes.write()
        await turn()
        assert bench.queue.calls == [[0, 1, 2], [0], [1], [2]]
        assert bench.claimer.held_count == 98
        await bench.outcomes.close()

    tell(story)


def test_the_end_writes_what_was_gathered() -> None:
    """Once: what fails then, and what failed before, is left to the next start."""

    async def story(bench: Bench) -> None:
        def refuse(steps: Sequence[Step]) -> Sequence[Outcome]:
            raise DependencyError("the disk is full", retryable=True)

        bench.queue.answers = refuse
        bench.add(done(0), is_urgent=True)
        await turn()
        bench.add(done(1))
        async with asyncio.timeout(10):
            await bench.outcomes.close()
        assert bench.queue.calls == [[0], [1]]

    tell(story)
