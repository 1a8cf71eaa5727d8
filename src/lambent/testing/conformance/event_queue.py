"""
What every event queue must do: `EventQueueConformance`.

A subclass needs a fixture `opener` that gives a `QueueOpener` over an empty store.
"""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

import pytest

from lambent.domain.caller import Scope
from lambent.store.contract import (
    ATTRIBUTES_MAX_BYTES,
    BODY_INLINE_MAX_BYTES,
    BODY_LARGE_BYTES,
    CLAIMS_MAX,
    DEDUPLICATION_S,
    Claim,
    Conflict,
    Depth,
    Done,
    EventQueue,
    Extend,
    Hold,
    NewEvent,
    NoSuchQueue,
    Outcome,
    Put,
    QueueFull,
    QueueKind,
    QueueName,
    QueueRules,
    Receipt,
    Retry,
    Step,
)
from lambent.testing.stores import OpenQueue
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope(account="111122223333", region="eu-west-1")
OTHER_REGION = Scope(account="111122223333", region="us-east-1")
FUNCTION = QueueName(SCOPE, QueueKind.ASYNC, "f/1")
OTHER_FUNCTION = QueueName(SCOPE, QueueKind.ASYNC, "g/2")
ORDERS = QueueName(SCOPE, QueueKind.SQS, "orders")
DEAD = QueueName(SCOPE, QueueKind.SQS, "dead")
FIFO = QueueRules(is_fifo=True)

_S = TypeVar("_S")


class QueueOpener(Protocol):
    """Opens one store's queue: anew with every call, what it holds stays."""

    def __call__(self, clock: VirtualClock, events_max: int = 1_000_000) -> AbstractAsyncContextManager[OpenQueue]: ...


def with_queue(
    story: Callable[[_S, EventQueue, VirtualClock], Coroutine[Any, Any, None]],
) -> Callable[[_S, QueueOpener], None]:
    """Turn a story about an open queue into a test that opens one."""

    @functools.wraps(story)
    def test(self: _S, opener: QueueOpener) -> None:
        async def run() -> None:
            async with opener(VirtualClock()) as opened:
                await story(self, opened.queue, opened.clock)

        asyncio.run(run())

    # Otherwise pytest would look for fixtures by the story's own parameters.
    del test.__dict__["__wrapped__"]
    return test


def event(name: str, queue: QueueName = FUNCTION, body: bytes = b"{}", **more: Any) -> NewEvent:
    """Return an event whose id is `name`; a name with a dash is the first of its parts' group."""
    if "-" in name:
        more.setdefault("group", name.partition("-")[0])
    return NewEvent(queue, name, body, **more)


async def put(queue: EventQueue, *names: str, to: QueueName = FUNCTION, **more: Any) -> None:
    """Put events by name."""
    await queue.put([event(name, to, **more) for name in names])


async def claim(queue: EventQueue, most: int = 10, lease_s: float = 30, of: QueueName = FUNCTION) -> list[Claim]:
    """Claim from one queue."""
    return list((await queue.claim({of: most}, lease_s)).claims)


async def claim_ids(queue: EventQueue, most: int = 10, lease_s: float = 30, of: QueueName = FUNCTION) -> str:
    """Claim from one queue; return the names of what came, in one text."""
    return " ".join(found.id for found in await claim(queue, most, lease_s, of))


async def settle(queue: EventQueue, step: Step) -> Outcome:
    """Do one step."""
    (outcome,) = await queue.settle([step])
    return outcome


async def depth(queue: EventQueue, of: QueueName = FUNCTION) -> tuple[int, int, int]:
    """Return what a queue holds: waiting, in flight, delayed."""
    found = (await queue.depth([of]))[of]
    return found.waiting, found.in_flight, found.delayed


class PutConformance:
    """Putting, limits, definitions."""

    @with_queue
    async def test_what_was_put_is_claimed(self, queue: EventQueue, clock: VirtualClock) -> None:
        """An event comes with what it was put with, and with what happened since."""
        (stored,) = await queue.put([NewEvent(FUNCTION, "id-1", b"\x00body\xff", b"\x00attributes")])
        clock.advance(2.5)
        (found,) = await claim(queue)
        assert found == Claim(
            receipt=Receipt(FUNCTION, stored.sequence, 1),
            id="id-1",
            body=b"\x00body\xff",
            attributes=b"\x00attributes",
            group=None,
            deduplication_id=None,
            receive_count=1,
            sent_ms=1_795_000_000_000,
            first_claimed_ms=1_795_000_002_500,
            age_s=found.age_s,
        )
        assert found.age_s == pytest.approx(2.5, abs=0.01)

    @with_queue
    async def test_sequences_rise(self, queue: EventQueue, clock: VirtualClock) -> None:
        """Events that are put in turn have rising sequences, also after all earlier ones are finished."""
        stored = [*await queue.put([event("a"), event("b")]), *await queue.put([event("c")])]
        assert await queue.settle([Done(found.receipt) for found in await claim(queue)]) == [Outcome.HAPPENED] * 3
        stored += await queue.put([event("d")])
        sequences = [found.sequence for found in stored]
        assert sequences == sorted(set(sequences))

    @with_queue
    async def test_a_full_queue_refuses(self, queue: EventQueue, clock: VirtualClock) -> None:
        """All events of a call are put or none, and a call that is refused refuses no other that comes with it."""
        await queue.define(ORDERS, QueueRules(events_max=3))
        outcomes = await asyncio.gather(
            queue.put([event("a", ORDERS), event("b", ORDERS)]),
            queue.put([event("c", ORDERS), event("d", ORDERS)]),
            queue.put([event("e", ORDERS)]),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [list, QueueFull, list]
        assert "sqs/111122223333/eu-west-1/orders holds 2 of at most 3 events" in str(outcomes[1])
        assert await claim_ids(queue, of=ORDERS) == "a b e"
        await queue.settle([Done(Receipt(ORDERS, outcomes[2][0].sequence, 1))])  # type: ignore[index]
        await put(queue, "f", to=ORDERS)

    def test_all_queues_together_are_bounded(self, opener: QueueOpener) -> None:
        """The limit over all queues holds, counts what was there at the start, and room comes back."""

        async def run() -> None:
            async with opener(VirtualClock(), 3) as opened:
                await put(opened.queue, "a", "b")
            async with opener(VirtualClock(), 3) as opened:
                await put(opened.queue, "c", to=OTHER_FUNCTION)
                with pytest.raises(QueueFull, match="all queues together"):
                    await put(opened.queue, "d")
                await opened.queue.settle([Done((await claim(opened.queue, 1))[0].receipt)])
                await put(opened.queue, "d")

        asyncio.run(run())

    def test_what_is_full_empties(self, opener: QueueOpener) -> None:
        """Where all queues together are full, an event still ends with all that is to follow from it."""

        async def run() -> None:
            async with opener(VirtualClock(), 2) as opened:
                await put(opened.queue, "a", "b")
                a, b = await claim(opened.queue)
                records = tuple(
                    event(name, QueueName(SCOPE, QueueKind.DESTINATION, "records")) for name in ("ra", "dead")
                )
                assert await settle(opened.queue, Retry(b.receipt, then=records)) is Outcome.FULL
                assert await settle(opened.queue, Done(a.receipt, then=records)) is Outcome.HAPPENED
                with pytest.raises(QueueFull, match="all queues together"):
                    await put(opened.queue, "c")

        asyncio.run(run())

    @with_queue
    async def test_only_some_kinds_come_into_being_with_a_put(self, queue: EventQueue, clock: VirtualClock) -> None:
        """A queue of the SQS API has to be defined, one of a function does not."""
        with pytest.raises(NoSuchQueue, match="sqs/111122223333/eu-west-1/orders"):
            await put(queue, "a", to=ORDERS)
        await put(queue, "a")
        found = await queue.definition(FUNCTION)
        assert found is not None
        assert (found.rules, found.document, found.revision) == (QueueRules(), b"", 1)
        assert await claim(queue, of=ORDERS) == []
        assert await queue.depth([ORDERS]) == {}

    @with_queue
    async def test_definitions_have_revisions(self, queue: EventQueue, clock: VirtualClock) -> None:
        """Whoever saw another revision than the newest is refused."""
        assert await queue.define(ORDERS, QueueRules(), b"one", revision=0) == 1
        with pytest.raises(Conflict):
            await queue.define(ORDERS, QueueRules(), b"two", revision=0)
        assert await queue.define(ORDERS, QueueRules(retention_s=60), b"two", revision=1) == 2
        assert await queue.define(ORDERS, QueueRules(retention_s=60), b"three") == 3
        with pytest.raises(Conflict, match="FIFO"):
            await queue.define(ORDERS, FIFO)
        found = await queue.definition(ORDERS)
        assert found is not None
        assert (found.queue, found.rules, found.document) == (ORDERS, QueueRules(retention_s=60), b"three")

    @with_queue
    async def test_definitions_are_listed(self, queue: EventQueue, clock: VirtualClock) -> None:
        """By scope and name in byte order, page by page; other kinds and scopes stay out."""
        for name in ("b", "a", "B", "aa", "ä"):
            await queue.define(QueueName(SCOPE, QueueKind.SQS, name), QueueRules())
        await queue.define(QueueName(OTHER_REGION, QueueKind.SQS, "a"), QueueRules())
        await put(queue, "a")

        async def names(**which: Any) -> list[str]:
            return [found.queue.name for found in await queue.definitions(QueueKind.SQS, **which)]

        assert await names(scope=SCOPE, limit=9) == ["B", "a", "aa", "b", "ä"]
        assert await names(scope=SCOPE, limit=2, after=QueueName(SCOPE, QueueKind.SQS, "a")) == ["aa", "b"]
        assert await names(scope=SCOPE, prefix="a", limit=9) == ["a", "aa"]
        assert await names(limit=9) == ["B", "a", "aa", "b", "ä", "a"]

    @with_queue
    async def test_what_no_row_can_hold_is_refused(self, queue: EventQueue, clock: VirtualClock) -> None:
        """It is refused at once, and what other callers put at that moment is not."""
        bad = [
            event("a" * 129),
            event(""),
            event("a\0b"),
            event("\ud800"),
            event("a", attributes=b" " * (ATTRIBUTES_MAX_BYTES + 1)),
            event("a", delay_s=-1),
            event("a", group="g"),
            event("a", deduplication_id="d"),
            event("a", QueueName(SCOPE, QueueKind.ASYNC, "")),
        ]
        await put(queue, "first")
        outcomes = await asyncio.gather(*(queue.put([one]) for one in bad), put(queue, "good"), return_exceptions=True)
        assert [isinstance(outcome, ValueError) for outcome in outcomes] == [True] * len(bad) + [False]
        assert await claim_ids(queue) == "first good"

    @with_queue
    async def test_a_caller_that_leaves(self, queue: EventQueue, clock: VirtualClock) -> None:
        """A cancelled put happened whole or not at all, and holds nobody up."""
        puts = [asyncio.create_task(put(queue, f"{number}a", f"{number}b")) for number in range(20)]
        for number, task in enumerate(puts):
            await asyncio.sleep(0)
            if number % 2:
                task.cancel()
        await asyncio.gather(*puts, return_exceptions=True)
        found = (await claim_ids(queue, 100)).split()
        for number in range(20):
            assert (f"{number}a" in found) == (f"{number}b" in found)
            assert number % 2 or f"{number}a" in found


class ClaimConformance:
    """Leases, epochs, steps."""

    @with_queue
    async def test_a_lease(self, queue: EventQueue, clock: VirtualClock) -> None:
        """A claimed event is nobody else's until its lease ends; then it comes again, with the next epoch."""
        await put(queue, "a")
        (first,) = await claim(queue, lease_s=30)
        clock.advance(10)
        nothing = await queue.claim({FUNCTION: 1}, 30)
        assert nothing.claims == ()
        assert nothing.next_due_s == {FUNCTION: pytest.approx(20, abs=0.01)}
        clock.advance(20.1)
        (second,) = await claim(queue)
        assert (second.receipt.epoch, second.receive_count) == (2, 2)
        assert second.first_claimed_ms == first.first_claimed_ms
        assert await settle(queue, Done(first.receipt)) is Outcome.LOST
        assert await settle(queue, Retry(first.receipt)) is Outcome.LOST
        assert await settle(queue, Extend(first.receipt, 5)) is Outcome.LOST
        assert await settle(queue, Done(second.receipt)) is Outcome.HAPPENED
        assert await settle(queue, Done(second.receipt)) is Outcome.GONE
        assert (await queue.claim({FUNCTION: 1}, 30)).next_due_s == {}

    @with_queue
    async def test_what_nobody_holds_any_more_is_given_back(self, queue: EventQueue, clock: VirtualClock) -> None:
        """All leases of a kind end at once; the old receipts stand until the next claim, other kinds keep theirs."""
        await queue.define(ORDERS, QueueRules())
        await put(queue, "a", "b", "c")
        await put(queue, "g", to=OTHER_FUNCTION)
        await put(queue, "s", to=ORDERS)
        first = await claim(queue, 2)
        await claim(queue, of=OTHER_FUNCTION)
        await claim(queue, of=ORDERS)
        assert await queue.give_back(QueueKind.ASYNC) == 3
        assert await queue.give_back(QueueKind.ASYNC) == 0
        assert await queue.filled(QueueKind.ASYNC) == {FUNCTION: 0, OTHER_FUNCTION: 0}
        again = await claim(queue)
        assert sorted(one.id for one in again) == ["a", "b", "c"]
        assert [one.receive_count for one in again if one.id != "c"] == [2, 2]
        assert await queue.settle([Done(first[0].receipt)]) == [Outcome.LOST]
        assert [one.id for one in await claim(queue, of=OTHER_FUNCTION)] == ["g"]
        assert await claim(queue, of=ORDERS) == []

    @with_queue
    async def test_how_firmly_a_receipt_must_hold(self, queue: EventQueue, clock: VirtualClock) -> None:
        """A lease that is over can be asked about, and a claim by somebody else can be overruled."""
        await put(queue, "a")
        (first,) = await claim(queue, lease_s=5)
        assert await settle(queue, Extend(first.receipt, 10, hold=Hold.UNEXPIRED)) is Outcome.HAPPENED
        clock.advance(10.1)
        assert await settle(queue, Done(first.receipt, hold=Hold.UNEXPIRED)) is Outcome.EXPIRED
        assert await settle(queue, Extend(first.receipt, 5)) is Outcome.HAPPENED
        assert await claim(queue) == []
        clock.advance(5.1)
        (second,) = await claim(queue)
        assert await settle(queue, Done(first.receipt)) is Outcome.LOST
        assert await settle(queue, Done(first.receipt, hold=Hold.ANY)) is Outcome.HAPPENED
        assert await settle(queue, Done(second.receipt)) is Outcome.GONE

    @with_queue
    async def test_retry_and_extend(self, queue: EventQueue, clock: VirtualClock) -> None:
        """An event that is given back waits its delay, with new attributes; one that is extended stays in flight."""
        await put(queue, "a", "b", "c")
        a, b, c = await claim(queue)
        assert (
            await queue.settle([Retry(a.receipt, 60, b"second"), Extend(b.receipt, 100), Extend(c.receipt, 0)])
            == [Outcome.HAPPENED] * 3
        )
        assert await depth(queue) == (1, 1, 1)
        (again,) = await claim(queue)
        assert (again.id, again.receive_count) == ("c", 2)
        clock.advance(60.1)
        again, c = sorted(await claim(queue), key=lambda found: found.id)
        assert (again.id, again.attributes, again.receive_count) == ("a", b"second", 2)
        clock.advance(40)
        # Those of one claim are due again at the same moment, in the order in which they were put.
        assert await claim_ids(queue) == "a c b"

    @with_queue
    async def test_many_are_finished_at_once(self, queue: EventQueue, clock: VirtualClock) -> None:
        """As each would be by itself: those of others, or that somebody else has claimed since, stay."""
        names = [f"e{number}" for number in range(12)]
        await put(queue, *names)
        await put(queue, "other", to=OTHER_FUNCTION)
        held = {one.id: one for one in await claim(queue, 12)}
        (other,) = await claim(queue, of=OTHER_FUNCTION)
        assert await queue.settle([Done(held[name].receipt) for name in names[:5]]) == [Outcome.HAPPENED] * 5
        assert await depth(queue) == (0, 7, 0)
        # One that is gone, one of another queue, one that is named twice.
        astray = Receipt(FUNCTION, other.receipt.sequence, 1)
        steps = [*(held[name].receipt for name in names[4:9]), astray, held["e8"].receipt]
        assert await queue.settle([Done(receipt) for receipt in steps]) == [
            Outcome.GONE,
            *[Outcome.HAPPENED] * 4,
            Outcome.GONE,
            Outcome.GONE,
        ]
        assert await settle(queue, Extend(held["e9"].receipt, 0)) is Outcome.HAPPENED
        assert await claim_ids(queue) == "e9"
        await put(queue, "x", "y", "z")
        rest = [*(held[name].receipt for name in ("e9", "e10", "e11")), *(one.receipt for one in await claim(queue))]
        assert await queue.settle([Done(receipt) for receipt in rest]) == [Outcome.LOST, *[Outcome.HAPPENED] * 5]
        assert await depth(queue) == (0, 1, 0)
        assert await depth(queue, OTHER_FUNCTION) == (0, 1, 0)

    @with_queue
    async def test_many_with_long_bodies_and_groups_are_finished_at_once(
        self, queue: EventQueue, clock: VirtualClock
    ) -> None:
        """What a body lies in goes with its event, and a group goes on."""
        await put(queue, "a", "b", "c", "d", body=bytes(BODY_INLINE_MAX_BYTES + 1))
        held = await claim(queue)
        assert await queue.settle([Done(one.receipt) for one in held]) == [Outcome.HAPPENED] * 4
        await queue.define(ORDERS, FIFO)
        await put(queue, *(f"g-{number}" for number in range(6)), to=ORDERS)
        held = await claim(queue, 5, of=ORDERS)
        assert await claim_ids(queue, of=ORDERS) == ""
        assert await queue.settle([Done(one.receipt) for one in held]) == [Outcome.HAPPENED] * 5
        assert await claim_ids(queue, of=ORDERS) == "g-5"

    @with_queue
    async def test_what_follows_is_put_with_the_end(self, queue: EventQueue, clock: VirtualClock) -> None:
        """A destination's record is there exactly when its event is gone."""
        record = QueueName(SCOPE, QueueKind.DESTINATION, "records")
        await queue.define(ORDERS, QueueRules(events_max=1))
        await put(queue, "a", "b", "c", "d")
        a, b, c, d = await claim(queue, lease_s=5)
        assert await queue.settle(
            [
                Done(a.receipt, then=(event("ra", record), event("ra2", ORDERS))),
                Done(b.receipt, then=(event("rb", record), event("rb2", ORDERS))),
                Done(c.receipt, then=(event("rc", DEAD),)),
                Retry(d.receipt, 60, then=(event("rd", record),)),
            ]
        ) == [Outcome.HAPPENED, Outcome.FULL, Outcome.NO_QUEUE, Outcome.HAPPENED]
        assert await claim_ids(queue, of=record) == "ra rd"
        assert await claim_ids(queue, of=ORDERS) == "ra2"
        clock.advance(5.1)
        assert await claim_ids(queue) == "b c"
        assert await settle(queue, Done(b.receipt, then=(event("late", record),))) is Outcome.LOST
        assert await claim_ids(queue, of=record) == ""

    @with_queue
    async def test_an_end_makes_room_for_what_follows(self, queue: EventQueue, clock: VirtualClock) -> None:
        """An event may be replaced by another one in a queue that is full."""
        await queue.define(ORDERS, QueueRules(events_max=1))
        await put(queue, "a", to=ORDERS)
        (a,) = await claim(queue, of=ORDERS)
        assert await settle(queue, Done(a.receipt, then=(event("b", ORDERS),))) is Outcome.HAPPENED
        assert await claim_ids(queue, of=ORDERS) == "b"

    @with_queue
    async def test_one_call_repeats_a_step(self, queue: EventQueue, clock: VirtualClock) -> None:
        """The second end of one event in the same commit finds it gone, whoever asks."""
        await put(queue, "a", "b")
        a, b = await claim(queue)
        first, second = await asyncio.gather(
            queue.settle([Done(a.receipt), Done(a.receipt)]), queue.settle([Done(a.receipt), Done(b.receipt)])
        )
        assert (*first, *second) == (Outcome.HAPPENED, Outcome.GONE, Outcome.GONE, Outcome.HAPPENED)
        assert await depth(queue) == (0, 0, 0)

    @with_queue
    async def test_a_receipt_is_of_its_queue(self, queue: EventQueue, clock: VirtualClock) -> None:
        """A receipt that names another queue than its event's reaches nothing."""
        await put(queue, "a")
        await put(queue, "b", to=OTHER_FUNCTION)
        (a,) = await claim(queue)
        astray = Receipt(OTHER_FUNCTION, a.receipt.sequence, a.receipt.epoch)
        assert await settle(queue, Done(astray, hold=Hold.ANY)) is Outcome.GONE
        assert await settle(queue, Done(Receipt(ORDERS, a.receipt.sequence, 1))) is Outcome.GONE
        assert await settle(queue, Done(a.receipt)) is Outcome.HAPPENED

    @with_queue
    async def test_a_delay(self, queue: EventQueue, clock: VirtualClock) -> None:
        """A delayed event is neither given nor forgotten."""
        await put(queue, "later", delay_s=60)
        await put(queue, "now")
        found = await queue.claim({FUNCTION: 5}, 300)
        assert [one.id for one in found.claims] == ["now"]
        assert found.next_due_s == {FUNCTION: pytest.approx(60, abs=0.01)}
        assert await depth(queue) == (0, 1, 1)
        clock.advance(60.1)
        assert await claim_ids(queue) == "later"

    @with_queue
    async def test_what_is_due_longest_comes_first(self, queue: EventQueue, clock: VirtualClock) -> None:
        """In the order of puts; what was given back or ran out stands behind what waited before."""
        await put(queue, "a", "b", "c", "d")
        assert await claim_ids(queue, 1, lease_s=0) == "a"
        assert await claim_ids(queue, 1, lease_s=10) == "b"
        clock.advance(10.1)
        await put(queue, "e")
        assert await claim_ids(queue, 10) == "c d a b e"

    @with_queue
    async def test_a_lease_of_nothing(self, queue: EventQueue, clock: VirtualClock) -> None:
        """With a lease of 0 an event is counted as claimed and can be claimed again at once; its receipt works."""
        await put(queue, "a")
        (first,) = await claim(queue, lease_s=0)
        assert await depth(queue) == (1, 0, 0)
        assert await settle(queue, Done(first.receipt)) is Outcome.HAPPENED
        assert await claim(queue) == []

    @with_queue
    async def test_many_queues_at_once(self, queue: EventQueue, clock: VirtualClock) -> None:
        """Each queue gives as much as there is room, whatever waits in the others."""
        await queue.put([event(f"a{number}") for number in range(50)])
        await put(queue, "b1", "b2", to=OTHER_FUNCTION)
        found = await queue.claim({FUNCTION: 3, OTHER_FUNCTION: 5, ORDERS: 5}, 30)
        assert [one.id for one in found.claims] == ["a0", "a1", "a2", "b1", "b2"]
        assert found.next_due_s == {OTHER_FUNCTION: pytest.approx(30, abs=0.01)}

    @with_queue
    async def test_callers_at_once(self, queue: EventQueue, clock: VirtualClock) -> None:
        """Callers that claim together get different events, each its own number."""
        await queue.put([event(f"{number}") for number in range(10)])
        shares = await asyncio.gather(*(claim(queue, most) for most in (1, 3, 0, 5, 4)))
        assert [len(share) for share in shares] == [1, 3, 0, 5, 1]
        assert sorted(found.id for share in shares for found in share) == [f"{number}" for number in range(10)]

    @with_queue
    async def test_a_call_is_bounded(self, queue: EventQueue, clock: VirtualClock) -> None:
        """One claim gives no more than its limit."""
        await queue.put([event(f"{number}") for number in range(CLAIMS_MAX + 5)])
        assert len(await claim(queue, CLAIMS_MAX + 5)) == CLAIMS_MAX
        assert len(await claim(queue, CLAIMS_MAX)) == 5

    @with_queue
    async def test_bytes_of_a_call_are_bounded(self, queue: EventQueue, clock: VirtualClock) -> None:
        """One claim gives no more than it was to, but for one event; the rest can be claimed at once, in order."""
        await queue.define(ORDERS, FIFO)
        long = b"x" * (BODY_INLINE_MAX_BYTES + 1)
        for of, prefix in ((FUNCTION, ""), (ORDERS, "g-")):
            await queue.put(
                [event(f"{prefix}{number}", of, long if number == 3 else b"x" * 1000) for number in range(6)]
            )
            for bytes_max, expected in ((3_500, "012"), (0, "3"), (BODY_LARGE_BYTES, "45")):
                found = await queue.claim({of: 10}, 30, bytes_max=bytes_max)
                assert "".join(one.id[-1] for one in found.claims) == expected
                if of is FUNCTION and expected != "45":
                    assert found.next_due_s == {of: 0}
                # The next of a group waits for those before it.
                await queue.settle([Done(one.receipt) for one in found.claims])

    @with_queue
    async def test_in_flight_is_bounded(self, queue: EventQueue, clock: VirtualClock) -> None:
        """At its limit a queue gives nothing, and tells when the first lease ends."""
        await queue.define(ORDERS, QueueRules(in_flight_max=2))
        await put(queue, "a", "b", "c", to=ORDERS)
        found = await queue.claim({ORDERS: 3}, 30)
        assert [one.id for one in found.claims] == ["a", "b"]
        assert found.next_due_s == {ORDERS: pytest.approx(30, abs=0.01)}
        assert await claim(queue, of=ORDERS) == []
        await queue.settle([Done(found.claims[0].receipt)])
        assert await claim_ids(queue, of=ORDERS) == "c"
        clock.advance(30.1)
        assert await claim_ids(queue, of=ORDERS) == "b c"

    @with_queue
    async def test_notices(self, queue: EventQueue, clock: VirtualClock) -> None:
        """After a commit that made something claimable, now or later, everybody who asked is told."""
        told: list[tuple[str, float]] = []
        queue.on_due(lambda of, due_s: told.append((of.name, round(due_s, 1))))
        await queue.put([event("later", delay_s=9), event("sooner", delay_s=7), event("now", OTHER_FUNCTION)])
        assert sorted(told) == [("f/1", 7), ("g/2", 0)]
        told.clear()
        (found,) = await claim(queue, of=OTHER_FUNCTION)
        assert told == []
        await settle(queue, Retry(found.receipt, 60))
        await settle(queue, Extend(found.receipt, 5))
        await settle(queue, Done(found.receipt, then=(event("following"),)))
        assert told == [("g/2", 60), ("g/2", 5), ("f/1", 0)]

    @with_queue
    async def test_redrive(self, queue: EventQueue, clock: VirtualClock) -> None:
        """An event that was claimed too often goes to another queue; its name, its count and its age go along."""
        await queue.define(DEAD, QueueRules())
        await queue.define(ORDERS, QueueRules(redrive_to=DEAD, redrive_after=2))
        await put(queue, "poison", "good", to=ORDERS, attributes=b"kept")
        told: list[QueueName] = []
        queue.on_due(lambda of, _: told.append(of))
        for _ in range(2):
            poison, good = sorted(await claim(queue, of=ORDERS, lease_s=5), key=lambda found: found.id)[::-1]
            clock.advance(5.1)
        await settle(queue, Done(good.receipt))
        await put(queue, "next", to=ORDERS)
        assert await claim_ids(queue, 1, of=ORDERS) == "next"
        assert DEAD in told
        assert await settle(queue, Done(poison.receipt)) is Outcome.GONE
        (found,) = await claim(queue, of=DEAD)
        assert (found.id, found.attributes, found.redriven_from) == ("poison", b"kept", ORDERS)
        assert (found.receive_count, found.receipt.epoch, found.sent_ms) == (3, 3, poison.sent_ms)
        assert found.age_s == pytest.approx(10.2, abs=0.1)
        assert await settle(queue, Done(found.receipt)) is Outcome.HAPPENED

    @with_queue
    async def test_redrive_never_loses(self, queue: EventQueue, clock: VirtualClock) -> None:
        """While the other queue does not exist or is full, the event stays and is claimed."""
        await queue.define(ORDERS, QueueRules(redrive_to=DEAD, redrive_after=1))
        await put(queue, "a", to=ORDERS)
        assert [await claim_ids(queue, of=ORDERS, lease_s=0) for _ in range(2)] == ["a", "a"]
        await queue.define(DEAD, QueueRules(events_max=1))
        await put(queue, "full", to=DEAD)
        assert await claim_ids(queue, of=ORDERS, lease_s=0) == "a"
        await settle(queue, Done((await claim(queue, of=DEAD))[0].receipt))
        assert await claim_ids(queue, of=ORDERS) == ""
        assert await claim_ids(queue, of=DEAD) == "a"


class FifoConformance:
    """Message groups and deduplication. Source: SQS developer guide, FIFO queues."""

    @with_queue
    async def test_a_group_is_one_at_a_time(self, queue: EventQueue, clock: VirtualClock) -> None:
        """While some of a group are leased the others wait, until all of those are finished or given back."""
        await queue.define(ORDERS, FIFO)
        await put(queue, "g-1", "g-2", "g-3", "g-4", "h-1", to=ORDERS)
        first, second = await claim(queue, 2, of=ORDERS)
        assert (first.id, second.id, first.group) == ("g-1", "g-2", "g")
        assert await claim_ids(queue, of=ORDERS) == "h-1"
        assert await depth(queue, ORDERS) == (2, 3, 0)
        await settle(queue, Done(first.receipt))
        assert await claim_ids(queue, of=ORDERS) == ""
        await settle(queue, Done(second.receipt))
        assert await claim_ids(queue, of=ORDERS) == "g-3 g-4"

    @with_queue
    async def test_the_first_blocks_the_later(self, queue: EventQueue, clock: VirtualClock) -> None:
        """What was given back comes before what follows it; what is still leased holds up all behind it."""
        await queue.define(ORDERS, FIFO)
        await put(queue, "g-1", "g-2", "g-3", "g-4", to=ORDERS)
        one, two, three = await claim(queue, 3, of=ORDERS)
        await settle(queue, Extend(one.receipt, 0))
        assert await claim_ids(queue, of=ORDERS, lease_s=5) == "g-1"
        await settle(queue, Extend(two.receipt, 100))
        clock.advance(30.1)
        assert await claim_ids(queue, of=ORDERS) == "g-1"
        await settle(queue, Done(three.receipt))
        clock.advance(30.1)
        assert await claim_ids(queue, of=ORDERS, lease_s=0) == "g-1"
        await settle(queue, Done(two.receipt))
        assert await claim_ids(queue, of=ORDERS) == "g-1 g-4"

    @with_queue
    async def test_groups_take_turns(self, queue: EventQueue, clock: VirtualClock) -> None:
        """A call takes from one group as far as possible; a group that was served goes behind the others."""
        await queue.define(ORDERS, FIFO)
        await put(queue, "g1-m1", "g1-m2", "g2-m1", "g2-m2", "g3-m1", to=ORDERS)
        assert await claim_ids(queue, 3, of=ORDERS, lease_s=0) == "g1-m1 g1-m2 g2-m1"
        assert await claim_ids(queue, 10, of=ORDERS, lease_s=0) == "g3-m1 g1-m1 g1-m2 g2-m1 g2-m2"

    @with_queue
    async def test_a_group_that_goes_on_waits_its_turn(self, queue: EventQueue, clock: VirtualClock) -> None:
        """However old its next event is: a group that was served stands behind those that waited meanwhile."""
        await queue.define(ORDERS, FIFO)
        await put(queue, "g-1", "g-2", "h-1", to=ORDERS)
        (first,) = await claim(queue, 1, of=ORDERS)
        await settle(queue, Done(first.receipt))
        assert [await claim_ids(queue, 1, of=ORDERS) for _ in range(2)] == ["h-1", "g-2"]

    @with_queue
    async def test_callers_at_once_share_no_group(self, queue: EventQueue, clock: VirtualClock) -> None:
        """Callers that claim together never get parts of one group."""
        await queue.define(ORDERS, FIFO)
        await put(queue, *(f"g{number % 3}-{number}" for number in range(12)), to=ORDERS)
        shares = await asyncio.gather(*(claim(queue, 2, of=ORDERS) for _ in range(5)))
        groups = [{found.group for found in share} for share in shares if share]
        assert sorted(group for share in groups for group in share if group) == ["g0", "g1", "g2"]

    @with_queue
    async def test_a_delay_blocks_its_group(self, queue: EventQueue, clock: VirtualClock) -> None:
        """A delayed event holds up those behind it, and the claim tells until when."""
        await queue.define(ORDERS, FIFO)
        await put(queue, "g-1", to=ORDERS, delay_s=20)
        await put(queue, "g-2", to=ORDERS)
        found = await queue.claim({ORDERS: 5}, 30)
        assert found.claims == ()
        assert found.next_due_s == {ORDERS: pytest.approx(20, abs=0.01)}
        clock.advance(20.1)
        assert await claim_ids(queue, of=ORDERS) == "g-1 g-2"

    @with_queue
    async def test_a_group_that_is_freed_is_told(self, queue: EventQueue, clock: VirtualClock) -> None:
        """An end that lets a group go on is news for those who wait."""
        await queue.define(ORDERS, FIFO)
        await put(queue, "g-1", "g-2", to=ORDERS)
        (first,) = await claim(queue, 1, of=ORDERS)
        told: list[tuple[QueueName, float]] = []
        queue.on_due(lambda of, due_s: told.append((of, round(due_s, 1))))
        await settle(queue, Done(first.receipt))
        assert told == [(ORDERS, 0)]

    @with_queue
    async def test_a_group_begins_anew(self, queue: EventQueue, clock: VirtualClock) -> None:
        """A group that was emptied, and is filled in the same commit or later, is a group like any."""
        await queue.define(ORDERS, FIFO)
        await put(queue, "g-1", to=ORDERS)
        (first,) = await claim(queue, of=ORDERS)
        await asyncio.gather(queue.settle([Done(first.receipt)]), put(queue, "g-2", to=ORDERS))
        (second,) = await claim(queue, of=ORDERS)
        await settle(queue, Done(second.receipt))
        await put(queue, "g-3", to=ORDERS)
        assert (second.id, await claim_ids(queue, of=ORDERS)) == ("g-2", "g-3")

    @with_queue
    async def test_redrive_frees_a_group(self, queue: EventQueue, clock: VirtualClock) -> None:
        """When the head of a group is given up the next follows, and the other queue has the head in its group."""
        await queue.define(DEAD, FIFO)
        await queue.define(ORDERS, QueueRules(is_fifo=True, redrive_to=DEAD, redrive_after=1))
        await put(queue, "g-1", to=ORDERS)
        assert await claim_ids(queue, of=ORDERS, lease_s=0) == "g-1"
        await put(queue, "g-2", to=ORDERS)
        assert await claim_ids(queue, of=ORDERS) == "g-2"
        assert await claim_ids(queue, of=DEAD) == "g-1"
        assert await depth(queue, ORDERS) == (0, 1, 0)

    @with_queue
    async def test_deduplication(self, queue: EventQueue, clock: VirtualClock) -> None:
        """For five minutes an id is put once, whether its event is still there or not."""
        await queue.define(ORDERS, FIFO)

        async def send(name: str, *also: str) -> list[Put]:
            return list(
                await queue.put([event(one, ORDERS, deduplication_id=one[-1]) for one in (name, *also)]),
            )

        first, repeated, other = await send("g-1", "h-1", "h-2")
        assert repeated == Put(id="g-1", sequence=first.sequence, is_duplicate=True)
        assert not other.is_duplicate
        assert [found.is_duplicate for found in await send("i-1")] == [True]
        claims = await claim(queue, of=ORDERS)
        assert [found.deduplication_id for found in claims] == ["1", "2"]
        await queue.settle([Done(found.receipt) for found in claims])
        clock.advance(DEDUPLICATION_S - 1)
        assert [found.is_duplicate for found in await send("g-1")] == [True]
        assert await depth(queue, ORDERS) == (0, 0, 0)
        clock.advance(1.1)
        assert [found.is_duplicate for found in await send("g-1", "g-1")] == [False, True]

    @with_queue
    async def test_deduplication_by_group(self, queue: EventQueue, clock: VirtualClock) -> None:
        """Where groups have their own ids, the same one in two groups is two events."""
        await queue.define(ORDERS, QueueRules(is_fifo=True, deduplicates_by_group=True))
        sent = [event(name, ORDERS, deduplication_id="d") for name in ("g-1", "g-2", "h-1")]
        assert [found.is_duplicate for found in await queue.put(sent)] == [False, True, False]

    @with_queue
    async def test_deduplication_of_callers_at_once(self, queue: EventQueue, clock: VirtualClock) -> None:
        """Of many that put the same at the same moment, one does, and a refused one does not count."""
        await queue.define(ORDERS, QueueRules(is_fifo=True, events_max=3))
        many = [queue.put([event("g-1", ORDERS, deduplication_id="d")]) for _ in range(5)]
        refused = queue.put([event(f"h-{number}", ORDERS, deduplication_id=f"h{number}") for number in range(4)])
        outcomes = await asyncio.gather(refused, *many, return_exceptions=True)
        assert isinstance(outcomes[0], QueueFull)
        assert sum(not found[0].is_duplicate for found in outcomes[1:]) == 1  # type: ignore[index]
        assert not (await queue.put([event("h-1", ORDERS, deduplication_id="h1")]))[0].is_duplicate


class KeepingConformance:
    """What stays, what goes, what is shown."""

    @with_queue
    async def test_depth(self, queue: EventQueue, clock: VirtualClock) -> None:
        """The counts add up, also as time passes."""
        await put(queue, "a", "b", "c")
        await put(queue, "d", delay_s=60)
        clock.advance(10)
        assert (await queue.depth([FUNCTION]))[FUNCTION].oldest_age_s == pytest.approx(10, abs=0.01)
        await claim(queue, 2)
        assert await depth(queue) == (1, 2, 1)
        clock.advance(60)
        assert await depth(queue) == (4, 0, 0)
        await claim(queue)
        assert (await queue.depth([FUNCTION, ORDERS])) == {FUNCTION: Depth(in_flight=4)}

    @with_queue
    async def test_peek(self, queue: EventQueue, clock: VirtualClock) -> None:
        """Events are shown as they are, those in flight last, and nothing changes."""
        await put(queue, "a", "b", attributes=b"x")
        await put(queue, "c", delay_s=60)
        await claim(queue, 1)
        shown = await queue.peek(FUNCTION, limit=5)
        assert [(found.id, found.is_in_flight, found.receive_count) for found in shown] == [
            ("b", False, 0),
            ("c", False, 0),
            ("a", True, 1),
        ]
        assert (shown[0].attributes, shown[0].body) == (b"x", b"{}")
        assert [round(found.due_s) for found in shown] == [0, 60, 30]
        assert [found.id for found in await queue.peek(FUNCTION, limit=1)] == ["b"]
        assert await queue.peek(ORDERS, limit=1) == []

    @with_queue
    async def test_purge(self, queue: EventQueue, clock: VirtualClock) -> None:
        """All events go, leased and delayed ones too, and deduplication ids; the definition stays."""
        await queue.define(ORDERS, FIFO, b"document")
        await queue.put([event("g-1", ORDERS, deduplication_id="d"), event("g-2", ORDERS), event("h-1", ORDERS)])
        (first, *_) = await claim(queue, 1, of=ORDERS)
        assert await queue.purge(ORDERS)
        assert await depth(queue, ORDERS) == (0, 0, 0)
        assert await settle(queue, Done(first.receipt)) is Outcome.GONE
        assert not (await queue.put([event("g-3", ORDERS, deduplication_id="d")]))[0].is_duplicate
        await queue.sweep()
        assert await claim_ids(queue, of=ORDERS) == "g-3"
        found = await queue.definition(ORDERS)
        assert found is not None
        assert (found.document, found.rules) == (b"document", FIFO)
        assert not await queue.purge(DEAD)

    @with_queue
    async def test_remove(self, queue: EventQueue, clock: VirtualClock) -> None:
        """A queue that is made anew holds nothing of the one before, and its receipts reach nothing."""
        await put(queue, "a", "b")
        (a,) = await claim(queue, 1)
        assert await queue.remove(FUNCTION)
        assert not await queue.remove(FUNCTION)
        assert await queue.definition(FUNCTION) is None
        assert await settle(queue, Done(a.receipt)) is Outcome.GONE
        await put(queue, "c")
        await queue.sweep()
        assert await claim_ids(queue) == "c"
        assert await queue.remove(FUNCTION)
        await queue.define(ORDERS, FIFO)
        assert await queue.remove(ORDERS)
        assert await queue.define(ORDERS, QueueRules(), revision=0) == 1

    @with_queue
    async def test_retention(self, queue: EventQueue, clock: VirtualClock) -> None:
        """What is too old is never given, is swept, and a later end of it finds it gone."""
        await queue.define(ORDERS, QueueRules(retention_s=60))
        await put(queue, "a", "b", "c", to=ORDERS)
        (a,) = await claim(queue, 1, of=ORDERS, lease_s=10)
        (b,) = await claim(queue, 1, of=ORDERS, lease_s=3600)
        clock.advance(50)
        await put(queue, "d", to=ORDERS)
        clock.advance(10.1)
        assert await claim_ids(queue, of=ORDERS, lease_s=0) == "d"
        await queue.sweep()
        assert await depth(queue, ORDERS) == (1, 1, 0)
        assert await settle(queue, Done(a.receipt)) is Outcome.GONE
        assert await settle(queue, Done(b.receipt)) in (Outcome.HAPPENED, Outcome.GONE)
        clock.advance(50)
        await queue.sweep()
        assert await depth(queue, ORDERS) == (0, 0, 0)

    @with_queue
    async def test_retention_changes(self, queue: EventQueue, clock: VirtualClock) -> None:
        """A new retention is that of the events that are there, in groups as well."""
        await queue.define(ORDERS, FIFO)
        await put(queue, "g-1", "g-2", to=ORDERS)
        clock.advance(61)
        await put(queue, "g-3", to=ORDERS)
        await queue.define(ORDERS, QueueRules(is_fifo=True, retention_s=60))
        assert await claim_ids(queue, of=ORDERS, lease_s=0) == "g-3"
        clock.advance(61)
        await put(queue, "h-1", to=ORDERS)
        await queue.sweep()
        assert await depth(queue, ORDERS) == (1, 0, 0)
        assert await claim_ids(queue, of=ORDERS) == "h-1"

    def test_a_restart(self, opener: QueueOpener) -> None:
        """Events, leases and epochs outlive the process, and a dispatcher finds the queues that hold something."""

        async def run() -> None:
            async with opener(VirtualClock()) as opened:
                await put(opened.queue, "a", "b", to=FUNCTION)
                await put(opened.queue, "c", to=OTHER_FUNCTION, delay_s=60)
                await opened.queue.define(ORDERS, FIFO)
                await put(opened.queue, "g-1", to=ORDERS)
                await put(opened.queue, "x", to=QueueName(OTHER_REGION, QueueKind.ASYNC, "empty"))
                gone = await claim(opened.queue, of=QueueName(OTHER_REGION, QueueKind.ASYNC, "empty"))
                await settle(opened.queue, Done(gone[0].receipt))
                (a,) = await claim(opened.queue, 1)
                await claim(opened.queue, of=ORDERS)
            async with opener(VirtualClock()) as opened:
                assert await opened.queue.filled(QueueKind.ASYNC) == {
                    FUNCTION: 0,
                    OTHER_FUNCTION: pytest.approx(60, abs=0.1),
                }
                assert await opened.queue.filled(QueueKind.SQS) == {ORDERS: pytest.approx(30, abs=0.1)}
                assert await claim_ids(opened.queue) == "b"
                assert await settle(opened.queue, Done(a.receipt)) is Outcome.HAPPENED

        asyncio.run(run())

    @pytest.mark.parametrize("jump_s", [-3600, 3600])
    def test_the_wall_clock_jumps(self, opener: QueueOpener, jump_s: int) -> None:
        """Neither a running queue nor one that starts afterwards hides what is due or ends what is leased."""

        async def run() -> None:
            clock = VirtualClock()
            async with opener(clock) as opened:
                await put(opened.queue, "a", "b")
                (a,) = await claim(opened.queue, 1, lease_s=60)
                await put(opened.queue, "later", delay_s=60)
                clock.set_wall(jump_s)
                assert await claim_ids(opened.queue, lease_s=0) == "b"
                await put(opened.queue, "c")
                assert await claim_ids(opened.queue, lease_s=0) == "b c"
            if jump_s > 0:
                # Over a restart an hour ahead is an hour that passed: nobody can tell.
                return
            async with opener(clock) as opened:
                assert await claim_ids(opened.queue, lease_s=0) == "b c"
                await put(opened.queue, "d")
                assert await claim_ids(opened.queue, lease_s=600) == "b c d"
                assert await settle(opened.queue, Extend(a.receipt, 60)) is Outcome.HAPPENED
                clock.advance(60.1)
                assert await claim_ids(opened.queue) == "later a"

        asyncio.run(run())

    def test_long_bodies(self, opener: QueueOpener) -> None:
        """A long body comes back whole; its bytes go from the disk with the last event that has them, not before."""
        long = bytes(range(256)) * 1024

        async def run() -> None:
            async with opener(VirtualClock()) as opened:
                queue = opened.queue
                await queue.put([event("a", body=long), event("b", body=long), event("c", body=long[:-1])])
                await queue.put([event("d", body=b"x" * BODY_INLINE_MAX_BYTES)])
                assert len(opened.payloads.names()) == 2
                assert [found.body == long for found in await queue.peek(FUNCTION, limit=2)] == [True, True]
                a, b, c, d = await claim(queue)
                assert (a.body, b.body, c.body, len(d.body)) == (long, long, long[:-1], BODY_INLINE_MAX_BYTES)
                await queue.settle([Done(a.receipt), Done(c.receipt, then=(event("e", ORDERS, long[1:]),))])
                await queue.sweep()
                assert len(opened.payloads.names()) == 2
                await queue.settle([Done(b.receipt), Done(c.receipt)])
                await queue.sweep()
                assert opened.payloads.names() == []
                await queue.put([event("f", OTHER_FUNCTION, long)])
                await queue.remove(OTHER_FUNCTION)
                await queue.put([event("g", body=long[:-2])])
                await opened.payloads.put(long[2:])
            async with opener(VirtualClock()) as opened:
                await opened.queue.sweep()
                # What nobody refers to is gone, whoever left it; what somebody does is not.
                assert len(opened.payloads.names()) == 1
                clock = opened.clock
                clock.advance(31)
                assert [len(found.body) for found in await claim(opened.queue)] == [
                    len(long) - 2,
                    BODY_INLINE_MAX_BYTES,
                ]

        asyncio.run(run())

    def test_a_body_is_swept_while_it_is_put(self, opener: QueueOpener) -> None:
        """Sweeps beside puts and ends of the same body never take it from under an event."""
        long = b"x" * (BODY_INLINE_MAX_BYTES + 1)

        async def run() -> None:
            async with opener(VirtualClock()) as opened:
                queue = opened.queue

                async def cycle(of: QueueName) -> None:
                    for _ in range(5):
                        await queue.put([event("a", of, long)])
                        (found,) = await claim(queue, of=of)
                        assert found.body == long
                        assert await settle(queue, Done(found.receipt)) is Outcome.HAPPENED

                async def sweep() -> None:
                    for _ in range(10):
                        await queue.sweep()

                await asyncio.gather(
                    *(cycle(QueueName(SCOPE, QueueKind.ASYNC, str(number))) for number in range(5)), sweep()
                )
                await queue.sweep()
                assert opened.payloads.names() == []

        asyncio.run(run())


class SharedConformance:
    """Two servers on one store: only the database is between them."""

    def test_two_servers(self, opener: QueueOpener) -> None:
        """No event is claimed by both, groups keep their order, duplicates stay out, and the counts are right."""

        async def work(queue: EventQueue, side: str) -> list[Claim]:
            found: list[Claim] = []
            for number in range(10):
                await queue.put(
                    [
                        event(f"{side}{number}"),
                        event(f"g-{side}{number}", ORDERS),
                        event(f"h-{number}", ORDERS, deduplication_id=f"{number}"),
                    ]
                )
                claims = (await queue.claim({FUNCTION: 1, ORDERS: 3}, 300)).claims
                record = QueueName(SCOPE, QueueKind.DESTINATION, "records")
                steps = [Done(claim.receipt, then=(event(claim.id, record, group=None),)) for claim in claims]
                assert set(await queue.settle(steps)) <= {Outcome.HAPPENED}
                found += claims
            return found

        async def run() -> None:
            clock = VirtualClock()
            async with opener(clock) as one, opener(clock) as two:
                await one.queue.define(ORDERS, FIFO)
                both = await asyncio.gather(work(one.queue, "a"), work(two.queue, "b"))
                # Their clocks never agree to the microsecond.
                clock.advance(1)
                claims = [*both[0], *both[1], *await claim(one.queue, 100), *await claim(two.queue, 100, of=ORDERS)]
                names = [found.id for found in claims]
                expected = {f"{prefix}{side}{number}" for prefix in ("", "g-") for side in "ab" for number in range(10)}
                assert sorted(names) == sorted(expected | {f"h-{number}" for number in range(10)})
                for group in "gh":
                    for share in both:
                        sequences = [found.sequence for found in share if found.group == group]
                        assert sequences == sorted(sequences)
                record = QueueName(SCOPE, QueueKind.DESTINATION, "records")
                depths = await two.queue.depth([FUNCTION, ORDERS, record])
                assert depths[record].waiting == len(both[0]) + len(both[1])
                assert depths[FUNCTION].in_flight + depths[ORDERS].in_flight == 50 - depths[record].waiting
                assert depths[FUNCTION].waiting == depths[ORDERS].waiting == 0

        asyncio.run(run())


class EventQueueConformance(SharedConformance, PutConformance, ClaimConformance, FifoConformance, KeepingConformance):
    """The whole contract."""
