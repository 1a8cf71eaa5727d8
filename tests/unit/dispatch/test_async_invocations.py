"""Asynchronous invocations: what runs when, what is tried again, and what is told."""

import asyncio
import json
from pathlib import Path
from typing import Any

from unit.dispatch.async_bench import FAILED, SCOPE, Bench, tell

from lambent.dispatch.async_event import decode_event
from lambent.domain.alias import Alias
from lambent.domain.function import LATEST, FunctionName
from lambent.domain.invocation import Invocation, InvocationOutcome, RestoreFailure
from lambent.domain.traced import Accepted
from lambent.errors.families import DependencyError
from lambent.fleet.contract import Throttled
from lambent.store.contract import QueueKind
from lambent.testing.traces import LeftTraces


async def fail(invocation: Invocation) -> InvocationOutcome:
    return FAILED


async def hang_with_more_claimed(bench: Bench, *ids: str) -> asyncio.Event:
    """Let the first of these events hang in its function's one execution, and claim the others; return what ends it."""
    await bench.create("f")
    await bench.reserve("f", 1)
    await bench.send("f", "quick")
    # In no time at all.
    await bench.settled()
    ends = asyncio.Event()

    async def hang(invocation: Invocation) -> InvocationOutcome:
        await ends.wait()
        return InvocationOutcome(b"{}", "1")

    bench.fleet.does = hang
    await bench.send("f", *ids)
    held = bench.server.events._claimer
    await bench.until(lambda: bench.fleet.running == 1 and held.held_count == len(ids), step_s=0.05)
    return ends


def test_an_event_runs_once_and_is_gone(tmp_path: Path) -> None:
    """With its request id, its payload and the ARN as invoked; nothing is told where nobody wants to know."""

    async def story(bench: Bench) -> None:
        await bench.create("f")
        await bench.send("f", "r1", payload=b'{"k": 1}')
        await bench.settled()
        ((name, invocation),) = bench.fleet.ran
        assert (name, invocation.request_id, invocation.payload) == ("f", "r1", b'{"k": 1}')
        assert invocation.invoked_arn == "arn:aws:lambda:us-east-1:000000000000:function:f"
        assert invocation.client_context is None
        assert bench.target.got == []

    tell(tmp_path, story)


def test_an_event_that_need_not_wait_is_claimed_in_the_commit_that_puts_it(tmp_path: Path) -> None:
    """One sync to disk and not two lie between a caller and the handler of a function that has nothing to do."""

    async def story(bench: Bench) -> None:
        await bench.create("f")
        await bench.send("f", "first")
        await bench.settled()
        batches: list[list[str]] = []
        commit = bench._queue._commit

        async def counted(taken: Any) -> None:
            batches.append([type(waiting.call).__name__ for waiting in taken])
            await commit(taken)

        bench._queue._commit = counted  # type: ignore[method-assign]
        await bench.send("f", "second")
        assert batches[0] == ["PutCall", "ClaimCall"]
        await bench.until(lambda: bench.ids() == ["first", "second"])
        await bench.settled()

    tell(tmp_path, story)


def test_as02_errors_are_retried_after_one_and_two_minutes(tmp_path: Path) -> None:
    """AS-02: the same id three times, a minute and two apart, and only then RetriesExhausted with count 3."""

    async def story(bench: Bench) -> None:
        await bench.create("f", on_failure="failed", dead_letters="dead")
        bench.fleet.does = fail
        began = bench.clock.monotonic()
        await bench.send("f", "r1", payload=b'{"k": 1}')
        for runs, earliest_s in ((1, 0), (2, 60), (3, 180)):
            await bench.until(lambda runs=runs: len(bench.ids()) == runs, step_s=1.0)  # type: ignore[misc]
            assert earliest_s <= bench.clock.monotonic() - began <= earliest_s + 20
        assert bench.ids() == ["r1"] * 3
        await bench.until(lambda: len(bench.target.got) == 2)
        told = dict(bench.target.got)
        record = json.loads(told["failed"].body)
        assert record["requestContext"]["condition"] == "RetriesExhausted"
        assert record["requestContext"]["approximateInvokeCount"] == 3
        # The dead letter is the event as it was, with three attributes.
        assert told["dead"].body == b'{"k": 1}'
        assert {name: (one.type, one.value) for name, one in told["dead"].attributes.items()} == {
            "RequestID": ("String", "r1"),
            "ErrorCode": ("Number", "200"),
            "ErrorMessage": ("String", "boom"),
        }

    tell(tmp_path, story)


def test_as01_success_is_told(tmp_path: Path) -> None:
    """AS-01: to the destination of successes alone, and never as a dead letter."""

    async def story(bench: Bench) -> None:
        await bench.create("f", on_success="good", on_failure="failed", dead_letters="dead")
        await bench.send("f", "r1")
        await bench.until(lambda: bench.target.got)
        ((queue, message),) = bench.target.got
        assert queue == "good"
        assert json.loads(message.body)["requestContext"]["condition"] == "Success"
        assert message.trace_header.startswith("Root=1-a-b;Parent=")
        assert ";Lineage=" in message.trace_header

    tell(tmp_path, story)


def test_what_could_not_be_run_does_not_count_as_an_attempt(tmp_path: Path) -> None:
    """Throttled, a machine without room, a hook that failed: tried again, a little later each time; then as if new."""

    async def story(bench: Bench) -> None:
        await bench.create("f", retries_max=0)
        refusals = [Throttled("ConcurrentInvocationLimitExceeded"), DependencyError("no room", retryable=True)]
        bench.fleet.refusal = refusals[0]
        await bench.send("f", "r1")
        await bench.until(lambda: False if bench.ids() else bench.clock.monotonic() > 3, step_s=0.2)
        bench.fleet.refusal = refusals[1]
        await bench.until(lambda: bench.clock.monotonic() > 20, step_s=0.5)
        assert bench.ids() == []

        async def not_restored(invocation: Invocation) -> InvocationOutcome:
            return InvocationOutcome(b"", "1", restore_failure=RestoreFailure.TIMED_OUT)

        bench.fleet.refusal, bench.fleet.does = None, not_restored
        await bench.until(lambda: len(bench.ids()) == 1, step_s=1.0)
        bench.fleet.does = None
        await bench.until(lambda: len(bench.ids()) == 2, step_s=5.0)
        await bench.settled()

    tell(tmp_path, story)


def test_what_never_can_be_run_ends_by_its_age(tmp_path: Path) -> None:
    """EventAgeExceeded once the age is reached, without a response: the function never ran."""

    async def story(bench: Bench) -> None:
        await bench.create("f", on_failure="failed", dead_letters="dead", age_max_s=60)
        bench.fleet.refusal = Throttled("ConcurrentInvocationLimitExceeded")
        await bench.send("f", "r1")
        await bench.until(lambda: len(bench.target.got) == 2, step_s=0.5)
        assert 60 <= bench.clock.monotonic() < 80
        told = dict(bench.target.got)
        record = json.loads(told["failed"].body)
        assert record["requestContext"]["condition"] == "EventAgeExceeded"
        assert record["requestContext"]["approximateInvokeCount"] == 0
        assert "responseContext" not in record
        assert told["dead"].attributes["ErrorCode"].value == "429"
        assert told["dead"].attributes["ErrorMessage"].value == "EventAgeExceeded"

    tell(tmp_path, story)


def test_no_more_run_at_once_than_are_reserved(tmp_path: Path) -> None:
    """Fifty events of a function with two executions: all run, two at a time, none is refused."""

    async def story(bench: Bench) -> None:
        await bench.create("f", retries_max=0)
        await bench.reserve("f", 2)

        async def short(invocation: Invocation) -> InvocationOutcome:
            await bench.clock.sleep(0.02)
            return InvocationOutcome(b"{}", "1")

        bench.fleet.does = short
        await bench.send("f", *(f"r{number}" for number in range(50)))
        # Twenty a second is what two executions may do.
        await bench.until(lambda: len(bench.ids()) == 50, step_s=0.05)
        assert bench.fleet.most_running == 2
        assert sorted(bench.ids()) == sorted(f"r{number}" for number in range(50))
        await bench.settled(step_s=0.05)

    tell(tmp_path, story)


def test_where_little_may_be_held_outcomes_make_room_at_once(tmp_path: Path) -> None:
    """An outcome that keeps the next events from being claimed does not wait for time to pass."""

    async def story(bench: Bench) -> None:
        goes_on, held = asyncio.Event(), bench.server.events._claimer

        async def wait(invocation: Invocation) -> InvocationOutcome:
            await goes_on.wait()
            # Long enough for another to be claimed meanwhile.
            await bench.until(lambda: held.held_count == 2 or len(bench.ids()) in {1, 20}, step_s=0.0)
            return InvocationOutcome(b"", LATEST)

        await bench.create("f")
        bench.fleet.does = wait
        await bench.send("f", *(f"r{number}" for number in range(20)))
        goes_on.set()
        await bench.until(lambda: len(bench.ids()) == 20, step_s=0.0)

    tell(tmp_path, story, most=1)


def test_a_long_backlog_delays_no_other_function(tmp_path: Path) -> None:
    """A function whose events hang takes its part and no more: another one's runs at once."""

    async def story(bench: Bench) -> None:
        await bench.create("slow")
        await bench.create("quick")
        ends = asyncio.Event()

        async def by_name(invocation: Invocation) -> InvocationOutcome:
            if invocation.invoked_arn.endswith("slow"):
                await ends.wait()
            return InvocationOutcome(b"{}", "1")

        bench.fleet.does = by_name
        await bench.send("slow", *(f"s{number}" for number in range(40)))
        await bench.until(lambda: bench.fleet.running == 4)
        await bench.send("quick", "q1")
        await bench.until(lambda: bench.ids("quick") == ["q1"])
        # Nobody knows yet how long it takes: more are tried, slowly, as far as one function goes.
        await bench.until(lambda: bench.fleet.running == 8, step_s=0.2)
        assert bench.clock.monotonic() >= 1
        await bench.until(lambda: bench.clock.monotonic() > 10, step_s=0.2)
        await bench.send("quick", "q2")
        await bench.until(lambda: bench.ids("quick") == ["q1", "q2"])
        assert bench.fleet.running == 8
        ends.set()
        await bench.settled()

    tell(tmp_path, story, most=10)


def test_several_long_backlogs_delay_no_other_function(tmp_path: Path) -> None:
    """Each takes a part of what the others leave, and as those end, equal parts: a further one's event runs at once."""

    async def story(bench: Bench) -> None:
        for name in ("first", "second", "quick"):
            await bench.create(name)
        ends = {"first": asyncio.Semaphore(0), "second": asyncio.Semaphore(0)}
        running = dict.fromkeys(ends, 0)

        async def by_name(invocation: Invocation) -> InvocationOutcome:
            name = invocation.invoked_arn.rsplit(":", 1)[1]
            if name in ends:
                running[name] += 1
                await ends[name].acquire()
                running[name] -= 1
            return InvocationOutcome(b"{}", "1")

        bench.fleet.does = by_name
        await bench.send("first", *(f"f{number}" for number in range(100)))
        await bench.until(lambda: running["first"] == 30, step_s=0.2)
        await bench.send("second", *(f"s{number}" for number in range(100)))
        await bench.until(lambda: running["second"] == 8, step_s=0.2)
        await bench.send("quick", "q1")
        await bench.until(lambda: bench.ids("quick") == ["q1"])
        # Those of the first that end make room for the second: in the end they have the same.
        for _ in range(40):
            at = bench.clock.monotonic()
            ends["first"].release()
            await bench.until(lambda at=at: bench.clock.monotonic() > at + 1, step_s=0.5)  # type: ignore[misc]
        assert abs(running["first"] - running["second"]) <= 3, running
        assert sum(running.values()) < 40
        for _ in range(200):
            ends["first"].release()
            ends["second"].release()
        await bench.settled()

    tell(tmp_path, story, most=40)


def test_callers_who_are_refused_get_room(tmp_path: Path) -> None:
    """Half as many run once a synchronous caller was refused, and again as many half a minute later."""

    async def story(bench: Bench) -> None:
        await bench.create("f")
        ends = asyncio.Semaphore(0)

        async def wait(invocation: Invocation) -> InvocationOutcome:
            await ends.acquire()
            return InvocationOutcome(b"{}", "1")

        bench.fleet.does = wait
        await bench.send("f", *(f"r{number}" for number in range(60)))
        await bench.until(lambda: bench.fleet.running == 8, step_s=0.2)
        bench.server.events.yield_to_callers(SCOPE, FunctionName("f"), "ConcurrentInvocationLimitExceeded")
        bench.clock.advance(0.1)
        for _ in range(7):
            ends.release()
        await bench.until(lambda: len(bench.ids()) - bench.fleet.running == 7)
        await asyncio.sleep(0.02)
        assert bench.fleet.running <= 4
        await bench.until(lambda: bench.fleet.running == 8, step_s=1.0)
        for _ in range(60):
            ends.release()
        await bench.until(lambda: len(bench.ids()) == 60, step_s=0.5)

    tell(tmp_path, story, most=10)


def test_a_function_at_its_own_limit_slows_no_other(tmp_path: Path) -> None:
    """A caller who is refused for a function's reservation finds no more room when other functions' events wait."""

    async def story(bench: Bench) -> None:
        await bench.create("f")
        await bench.create("reserved")
        ends = asyncio.Event()

        async def wait(invocation: Invocation) -> InvocationOutcome:
            await ends.wait()
            return InvocationOutcome(b"{}", "1")

        bench.fleet.does = wait
        await bench.send("f", *(f"r{number}" for number in range(8)))
        await bench.until(lambda: bench.fleet.running == 4)
        for _ in range(10):
            bench.server.events.yield_to_callers(
                SCOPE, FunctionName("reserved"), "ReservedFunctionConcurrentInvocationLimitExceeded"
            )
        # Twice as many after a second, since nobody knows how long they take.
        await bench.until(lambda: bench.clock.monotonic() > 2.5, step_s=0.1)
        assert bench.fleet.running == 8
        ends.set()
        await bench.settled()

    tell(tmp_path, story, most=10)


def test_events_run_when_synchronous_callers_have_left_room(tmp_path: Path) -> None:
    """Nobody tells when a synchronous invocation ends: neither one that runs nor an empty queue may let them wait."""

    async def story(bench: Bench) -> None:
        await bench.create("f")
        await bench.reserve("f", 2)
        account = await bench.server.dispatcher.slots(SCOPE)
        ends = asyncio.Event()

        async def hang(invocation: Invocation) -> InvocationOutcome:
            await ends.wait()
            return InvocationOutcome(b"{}", "1")

        bench.fleet.does = hang
        caller = account.take(FunctionName("f"), bench.clock.monotonic())
        await bench.send("f", "long")
        await bench.until(lambda: bench.ids() == ["long"], step_s=0.05)
        await bench.send("f", "waits")
        await bench.until(lambda: bench.clock.monotonic() > 2, step_s=0.05)
        assert bench.ids() == ["long"]
        caller.release()
        await bench.until(lambda: bench.ids() == ["long", "waits"], step_s=0.05)
        ends.set()
        await bench.settled(step_s=0.05)

    tell(tmp_path, story)


def test_events_claimed_ahead_run_when_synchronous_callers_have_left_room(tmp_path: Path) -> None:
    """Also where the store holds no more of them: a caller took the execution that they were claimed for."""

    async def story(bench: Bench) -> None:
        ends = await hang_with_more_claimed(bench, "first", "a", "b")
        bench.clock.advance(1)
        account = await bench.server.dispatcher.slots(SCOPE)
        pool = account._functions[FunctionName("f")].share.pool
        callers = []
        pool.waiting.append(lambda: callers.append(account.take(FunctionName("f"), bench.clock.monotonic())))
        ends.set()
        await bench.until(lambda: callers and not bench.fleet.running)
        await bench.until(lambda: bench.clock.monotonic() > 5, step_s=0.05)
        assert bench.ids() == ["quick", "first"]
        callers[0].release()
        left_at = bench.clock.monotonic()
        await bench.until(lambda: len(bench.ids()) == 4, step_s=0.05)
        assert bench.clock.monotonic() - left_at < 5
        await bench.settled(step_s=0.05)

    tell(tmp_path, story)


def test_what_is_claimed_with_its_put_runs_though_its_caller_hangs_up(tmp_path: Path) -> None:
    """Now, and not when the lease runs out of which nobody would know."""

    async def story(bench: Bench) -> None:
        await bench.create("f")
        await bench.send("f", "first")
        await bench.settled()
        begins, goes_on = asyncio.Event(), asyncio.Event()
        apply = bench._queue._apply

        async def slow(calls: Any) -> Any:
            begins.set()
            applied = await apply(calls)
            await goes_on.wait()
            return applied

        bench._queue._apply = slow  # type: ignore[method-assign]
        caller = asyncio.create_task(bench.send("f", "second"))
        await begins.wait()
        caller.cancel()
        await asyncio.wait([caller])
        goes_on.set()
        await bench.until(lambda: bench.ids() == ["first", "second"])
        await bench.settled()

    tell(tmp_path, story)


def test_a_server_stops_though_its_disk_fails(tmp_path: Path) -> None:
    """What cannot be given back now is given back at the next start, and the rest of the server ends as it should."""

    async def story(bench: Bench) -> None:
        await hang_with_more_claimed(bench, "first", "a")
        apply = bench._queue._apply

        async def failing(calls: Any) -> Any:
            raise DependencyError("disk full", retryable=False)

        bench._queue._apply = failing  # type: ignore[method-assign]
        await bench.server.end()
        bench._queue._apply = apply  # type: ignore[method-assign]
        await bench.crash()
        bench.fleet.does = None
        await bench.open()
        await bench.until(lambda: sorted(bench.ids()) == ["a", "first", "first", "quick"], step_s=0.05)
        await bench.settled(step_s=0.05)

    tell(tmp_path, story)


def test_events_wait_for_an_alias_that_is_made_anew(tmp_path: Path) -> None:
    """One that is deleted in between loses nothing: it runs once there is one; events of no version end."""

    async def story(bench: Bench) -> None:
        await bench.create("f")
        events = bench.server.events
        version = await bench.server.dispatcher.resolve(SCOPE, FunctionName("f"), None)
        assert version is not None
        for qualifier in ("live", "7"):
            await events.accept(
                version, request_id=qualifier, qualifier=qualifier, payload=b"{}", trace_header="Root=1-a-b"
            )
        await bench.until(lambda: bench.clock.monotonic() > 10, step_s=0.2)
        assert bench.ids() == []
        async with bench.store.transaction(SCOPE) as tx:
            await tx.aliases.save(Alias(SCOPE, FunctionName("f"), "live", LATEST, "r"))
        await bench.settled(step_s=0.5)
        assert bench.ids() == ["live"]

    tell(tmp_path, story)


def test_nothing_runs_where_nothing_may(tmp_path: Path) -> None:
    """A reservation of 0: straight to the failure destination and the dead letters, also what waits already."""

    async def story(bench: Bench) -> None:
        await bench.create("f", on_failure="failed", dead_letters="dead")
        await bench.reserve("f", 0)
        await bench.send("f", *(f"r{number}" for number in range(100)))
        await bench.until(lambda: len(bench.target.got) == 200)
        assert bench.ids() == []
        conditions = {
            json.loads(message.body)["requestContext"]["condition"]
            for queue, message in bench.target.got
            if queue == "failed"
        }
        assert conditions == {"ZeroReservedConcurrency"}

    tell(tmp_path, story)


def test_events_of_a_deleted_function_never_run(tmp_path: Path) -> None:
    """Those that wait are dropped, and a new function of the same name does not get them."""

    async def story(bench: Bench) -> None:
        await bench.create("f")
        bench.fleet.does = fail
        await bench.send("f", "old")
        await bench.until(lambda: bench.ids() == ["old"])
        await bench.delete("f")
        await bench.create("f")
        bench.fleet.does = None
        await bench.send("f", "new")
        await bench.until(lambda: len(bench.ids()) == 2)
        # The retry of the old one comes due, and finds its function gone.
        await bench.until(lambda: bench.clock.monotonic() > 70, step_s=5.0)
        await bench.settled()
        assert bench.ids() == ["old", "new"]

    tell(tmp_path, story)


def test_what_a_killed_server_held_runs_again(tmp_path: Path) -> None:
    """The next server makes the attempt at once, waiting for no lease; nothing is lost, and the id stays."""

    async def story(bench: Bench) -> None:
        await bench.create("f", on_success="good")
        hangs = asyncio.Event()

        async def hang(invocation: Invocation) -> InvocationOutcome:
            await hangs.wait()
            return FAILED

        bench.fleet.does = hang
        await bench.send("f", "r1", "r2")
        await bench.until(lambda: bench.fleet.running == 2)
        await bench.crash()
        bench.fleet.does = None
        await bench.open()
        await bench.until(lambda: len(bench.target.got) == 2)
        assert sorted(bench.ids()) == ["r1", "r1", "r2", "r2"]
        assert {record["requestContext"]["approximateInvokeCount"] for record in bench.records()} == {1}
        await bench.settled()

    tell(tmp_path, story)


def test_a_server_that_stops_gives_back_what_it_has_not_done(tmp_path: Path) -> None:
    """The next one begins at once with what was claimed and not begun."""

    async def story(bench: Bench) -> None:
        await bench.create("f")
        await bench.reserve("f", 1)
        for number in range(3):
            await bench.send("f", f"warm{number}")
        await bench.until(lambda: len(bench.ids()) == 3, step_s=0.05)
        hangs = asyncio.Event()

        async def hang(invocation: Invocation) -> InvocationOutcome:
            await hangs.wait()
            return FAILED

        bench.fleet.does = hang
        await bench.send("f", "r1", "r2")
        await bench.until(lambda: bench.fleet.running == 1, step_s=0.05)
        await bench.close()
        bench.fleet.does = None
        await bench.open()
        await bench.until(lambda: "r2" in bench.ids()[4:])
        await bench.until(lambda: bench.ids()[4:].count("r1") == 1, step_s=5.0)
        await bench.settled()

    tell(tmp_path, story)


def test_long_runs_keep_their_events(tmp_path: Path) -> None:
    """A lease is extended for as long as the function runs: fifteen minutes of it are one attempt."""

    async def story(bench: Bench) -> None:
        await bench.create("f")
        ends = asyncio.Event()

        async def wait(invocation: Invocation) -> InvocationOutcome:
            await ends.wait()
            return InvocationOutcome(b"{}", "1")

        bench.fleet.does = wait
        await bench.send("f", "r1")
        await bench.until(lambda: bench.clock.monotonic() > 900, step_s=4.0)
        ends.set()
        await bench.settled()
        assert bench.ids() == ["r1"]

    tell(tmp_path, story)


def test_a_wall_clock_that_jumps_changes_nothing(tmp_path: Path) -> None:
    """An hour forward or back between attempts: the retry comes a minute after the first, and is no older for it."""

    async def story(bench: Bench) -> None:
        await bench.create("f", retries_max=2, age_max_s=300)
        bench.fleet.does = fail
        await bench.send("f", "r1")
        await bench.until(lambda: len(bench.ids()) == 1)
        # Only now() jumps; what has passed has not.
        bench.clock._epoch += 3600.0
        await bench.until(lambda: len(bench.ids()) == 2, step_s=1.0)
        assert 60 <= bench.clock.monotonic() < 80
        bench.clock._epoch -= 7200.0
        await bench.until(lambda: len(bench.ids()) == 3, step_s=1.0)
        assert 180 <= bench.clock.monotonic() < 220
        await bench.settled()

    tell(tmp_path, story)


def test_a_chain_ends_in_the_failure_destination(tmp_path: Path) -> None:
    """The event that would be the chain's 17th pass is not run, and told of."""

    async def story(bench: Bench) -> None:
        await bench.create("f", on_failure="failed", retries_max=0)
        header = "Root=1-a-b"
        for number in range(16):
            await bench.send("f", f"r{number}", trace_header=header)
            await bench.until(lambda number=number: len(bench.ids()) == number + 1)  # type: ignore[misc]
            header = bench.fleet.ran[-1][1].trace_header
        await bench.send("f", "last", trace_header=header)
        await bench.until(lambda: bench.target.got)
        (record,) = bench.records()
        assert record["requestContext"]["requestId"] == "last"
        assert record["requestContext"]["condition"] == "RecursiveInvocationDetected"
        assert "last" not in bench.ids()
        told = await bench.server.told.sums(FunctionName="f")
        assert (told["RecursiveInvocationsDropped"], told["AsyncEventsDropped"]) == (1, 1)
        assert told["AsyncEventsReceived"] == 17

    tell(tmp_path, story)


def test_retries_are_no_passes_of_the_chain(tmp_path: Path) -> None:
    """Each attempt at one event has the same lineage: only what it invokes goes further."""

    async def story(bench: Bench) -> None:
        await bench.create("f")
        bench.fleet.does = fail
        await bench.send("f", "r1")
        await bench.until(lambda: len(bench.ids()) == 3, step_s=1.0)
        told = await bench.server.told.sums(FunctionName="f", Resource="f")
        # Right away, after a minute, and two minutes later: tried at the ages of 0, 60 and 180 seconds.
        assert 240_000 <= told["AsyncEventAge"] < 300_000
        lineages = {invocation.trace_header.partition(";Lineage=")[2] for _, invocation in bench.fleet.ran}
        assert len(lineages) == 1
        assert lineages.pop().endswith(":1")

    tell(tmp_path, story)


def test_what_waits_shows_what_it_went_through(tmp_path: Path) -> None:
    """The queue keeps attempts and refusals with the event, so that a restart goes on counting."""

    async def story(bench: Bench) -> None:
        await bench.create("f")
        bench.fleet.does = fail
        await bench.send("f", "r1")
        await bench.until(lambda: len(bench.ids()) == 2, step_s=5.0)
        (queue,) = await bench.server.queue.filled(QueueKind.ASYNC)
        # The server may end before what the second attempt came to is on disk.
        await bench.close()
        await bench.open()
        (event,) = await bench.server.queue.peek(queue, limit=1)
        attempts = decode_event(event.attributes).attempts
        assert attempts in {1, 2}
        await bench.until(lambda: len(bench.ids()) == 5 - attempts, step_s=5.0)
        await bench.settled()
        assert len(bench.ids()) == 5 - attempts

    tell(tmp_path, story)


def test_a_sampled_event_says_how_it_fares(tmp_path: Path) -> None:
    """One segment from its acceptance to its end, written anew with each attempt, below which the function's stand."""

    async def story(bench: Bench) -> None:
        traces = bench.server.dispatcher.traces = LeftTraces(bench.clock)
        await bench.create("f", on_success="good")
        bench.fleet.does = fail
        trace_id, caller = "1-654c0557-5611b044040fc7224c4790b6", "c" * 16
        accepted_at = bench.clock.now()
        await bench.send("f", "r1", trace_header=f"Root={trace_id};Parent={caller};Sampled=1")
        await bench.until(lambda: len(traces.left) == 2)
        bench.fleet.does = None
        await bench.until(lambda: len(traces.left) == 3, step_s=1.0)
        accepted, failed, ended = traces.left
        assert all(isinstance(one, Accepted) for one in traces.left)
        assert len({(one.trace_id, one.id, one.parent_id, one.began) for one in traces.left}) == 1  # type: ignore[union-attr]
        assert isinstance(accepted, Accepted) and isinstance(failed, Accepted) and isinstance(ended, Accepted)
        assert (ended.trace_id, ended.parent_id, ended.request_id, ended.status) == (trace_id, caller, "r1", 202)
        assert ended.began == accepted_at
        assert [one.is_open for one in (accepted, failed, ended)] == [True, True, False]
        assert [one.has_failed for one in (accepted, failed, ended)] == [False, True, False]
        assert [[attempt.is_fault for attempt in one.attempts] for one in (accepted, failed, ended)] == [
            [],
            [True],
            [True, False],
        ]
        assert ended.attempts[1].began >= ended.attempts[0].ended + 60
        runs = [invocation.tracing for _, invocation in bench.fleet.ran]
        assert [one and one.parent_id for one in runs] == [attempt.id for attempt in ended.attempts]
        assert {one and one.trace_id for one in runs} == {trace_id}
        # What follows from it is below what the function did.
        await bench.until(lambda: bench.target.got)
        assert runs[1] is not None
        assert f"Parent={runs[1].invocation_id};Sampled=1" in bench.target.got[0][1].trace_header

    tell(tmp_path, story)


def test_an_event_that_is_given_up_without_a_run_ends_its_trace(tmp_path: Path) -> None:
    """As a failure, with no attempt in it."""

    async def story(bench: Bench) -> None:
        traces = bench.server.dispatcher.traces = LeftTraces(bench.clock)
        await bench.create("f")
        await bench.reserve("f", 0)
        await bench.send("f", "r1", trace_header=f"Root=1-654c0557-{'a' * 24};Sampled=1")
        await bench.until(lambda: len(traces.left) == 2)
        ended = traces.left[1]
        assert isinstance(ended, Accepted)
        assert (ended.is_open, ended.has_failed, ended.attempts) == (False, True, ())

    tell(tmp_path, story)


def test_an_event_that_is_not_sampled_leaves_nothing(tmp_path: Path) -> None:
    """Nor does one whose trace id is none; all attempts are in the one trace that it got when it was accepted."""

    async def story(bench: Bench) -> None:
        traces = bench.server.dispatcher.traces = LeftTraces(bench.clock)
        await bench.create("f")
        bench.fleet.does = fail
        await bench.send("f", "r1", trace_header="")
        await bench.until(lambda: len(bench.fleet.ran) == 3, step_s=1.0)
        await bench.send("f", "r2", trace_header="Root=1-a-b;Sampled=1")
        await bench.until(lambda: len(bench.fleet.ran) == 4)
        assert traces.left == []
        roots = [invocation.trace_header.partition(";")[0] for _, invocation in bench.fleet.ran]
        assert len(set(roots[:3])) == 1
        assert roots[3] == "Root=1-a-b"

    tell(tmp_path, story)
