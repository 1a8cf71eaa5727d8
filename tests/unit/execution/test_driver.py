"""One environment over a scripted sandbox and a real Runtime API: starts, freezing, losses, accounting."""

import asyncio
import errno
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lambent.domain.caller import Scope
from lambent.domain.function import LATEST, Code, Configuration, Deployment, FunctionName
from lambent.domain.invocation import Invocation, InvocationOutcome, StreamEnd
from lambent.domain.traced import Failure, Ran, Tracing
from lambent.errors.families import DependencyError
from lambent.execution.driver import GATEWAY_INSIDE, ExecutionEnvironment, InitialisationFailed, Surroundings
from lambent.execution.environment import SHUTDOWN_S
from lambent.execution.parked import ParkedEnvironment, ParkedPool
from lambent.execution.pool import EnvironmentPool
from lambent.fleet.local import LocalFleet
from lambent.runtimes.contract import RuntimeCommand, Zygote
from lambent.sandbox.contract import Assignment, Environment, Exit
from lambent.store.contract import LogPosition
from lambent.telemetry.logs import FunctionLogs
from lambent.telemetry.segments import Segments
from lambent.testing.credentials import SECRETS, function_credentials
from lambent.testing.log_store import MemoryLogStore
from lambent.testing.scripted_sandbox import Script, ScriptedEnvironment, ScriptedRuntime, ScriptedSandbox, chunk
from lambent.testing.traces import LeftTraces
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("000000000000", "us-east-1")
ENDPOINT = "http://127.0.0.1:14566"
ZYGOTE = Zygote(("/usr/bin/python3", "-m", "awslambdaric"), (("LANG", "C.UTF-8"),), ("boto3",))


class Recording(ScriptedSandbox):
    """Notes what the driver is told, in order."""

    def __init__(self, script: Script, clock: VirtualClock) -> None:
        super().__init__(script, clock, parks_ahead=True, freeze_after_s=0)
        self.told: list[str] = []
        self.assigned: list[Assignment] = []
        self.busy: set[str] = set()
        """Those whose memory is watched, as an invocation runs."""
        self.released_alive: list[str] = []
        """Those whose descriptors were closed before their processes had ended."""

    def freeze(self, environment: Environment) -> None:
        self.told.append("freeze")
        super().freeze(environment)

    def thaw(self, environment: Environment) -> None:
        self.told.append("thaw")
        super().thaw(environment)

    def terminate(self, environment: Environment) -> None:
        self.told.append("terminate")
        super().terminate(environment)

    def kill(self, environment: Environment) -> None:
        assert isinstance(environment, ScriptedEnvironment)
        if not environment.is_killed and not environment.ended.done():
            self.told.append("kill")
        super().kill(environment)

    def end_init(self, environment: Environment) -> None:
        self.told.append("end_init")
        super().end_init(environment)

    async def assign(self, environment: Environment, assignment: Assignment) -> None:
        self.assigned.append(assignment)
        await super().assign(environment, assignment)

    def watch(self, environment: Environment, busy: bool) -> None:
        (self.busy.add if busy else self.busy.discard)(environment.id)

    def release(self, environment: Environment) -> None:
        assert isinstance(environment, ScriptedEnvironment)
        if not environment.ended.done():
            self.released_alive.append(environment.id)
        super().release(environment)


class Machine:
    """Packages and runtimes that are always ready."""

    def folder_nowait(self, sha256: str) -> Path:
        return Path("/package")

    async def command(self, *arguments: Any, **more: Any) -> RuntimeCommand:
        return RuntimeCommand(
            ["bootstrap"], {}, {}, folders=(("/var/lang", "/opt/python"),), zygote=ZYGOTE, in_zygote=True
        )

    def version_label(self, runtime: str) -> str:
        return runtime


class Bench:
    """One function on one machine."""

    def __init__(self, folder: Path, script: Script) -> None:
        self.clock = VirtualClock()
        self.sandbox = Recording(script, self.clock)
        self.segments = Segments(folder, self.clock)
        self.logs = FunctionLogs(self.segments, MemoryLogStore(self.clock), self.clock)
        self.traces = LeftTraces(self.clock)
        self.parked = ParkedPool(self.sandbox, self.clock, budget_mib=100)
        machine: Any = Machine()
        self.surroundings = Surroundings(
            sandbox=self.sandbox,
            parked=self.parked,
            runtimes=machine,
            packages=machine,
            logs=self.logs,
            traces=self.traces,
            clock=self.clock,
            credentials=function_credentials(self.clock),
            endpoint=lambda: ENDPOINT,
            response_max_bytes=1000,
            stream_max_bytes=1_000_000,
        )
        self.pool = EnvironmentPool(
            lambda deployment, owner: ExecutionEnvironment(deployment, self.surroundings, owner),
            environments_max=10,
            idle_s=600,
            age_s=3600,
            freeze_after_s=0,
            clock=self.clock,
            spawn=lambda environment: asyncio.ensure_future(environment.live()),
        )
        self.fleet = LocalFleet(self.pool)
        self.deployment = Deployment(
            SCOPE,
            FunctionName("f"),
            LATEST,
            "f-1",
            Configuration("python3.13", "app.handler", "role", tmp_mib=1024, log_group="/aws/lambda/f"),
            Code("0" * 64, 1),
            egress=False,
        )
        self.released = 0

    def note_released(self) -> None:
        self.released += 1

    async def invoke(self, request_id: str = "r1") -> bytes:
        slot = await self.fleet.acquire(self.deployment, self.note_released)
        outcome = await self.fleet.invoke(slot, Invocation(request_id, "arn", b"{}", "Root=1"))
        return outcome.payload

    async def stream(self, request_id: str = "r1", *, wants_tail: bool = False) -> InvocationOutcome:
        """Invoke as one who takes the response piece by piece."""
        slot = await self.fleet.acquire(self.deployment, self.note_released)
        invocation = Invocation(request_id, "arn", b"{}", "Root=1", wants_tail=wants_tail, wants_stream=True)
        return await self.fleet.invoke(slot, invocation)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let what is ready happen, and no time pass, until a condition holds."""
        for _ in range(10_000):
            if condition():
                return
            await asyncio.sleep(0)
            self.clock.advance(0)
        raise AssertionError("it does not come to that")

    async def answer(self, request_id: str = "r1") -> bytes:
        """Invoke and let no time pass."""
        call = asyncio.ensure_future(self.invoke(request_id))
        await self.until(call.done)
        return call.result()

    def ends(self) -> list[list[Any]]:
        """Return the records of ended invocations, as they are written."""
        return [record for record in self.records() if record[0] == "ended"]

    def messages(self) -> list[str]:
        """Return all that stands in the log, in order."""
        return [message for record in self.records() for message in record[6]]

    def records(self) -> list[list[Any]]:
        self.logs.write_now()
        read = self.segments.read(LogPosition(0, 0), self.segments.end())
        return [msgspec.msgpack.decode(one.payload) for one in read]

    def give_gateways(self, listener: socket.socket) -> None:
        """Have every environment come with a listener for the gateway."""
        park = self.sandbox.park

        async def park_with_gateway(kind: Any) -> Any:
            environment = await park(kind)
            environment.gateway_listener = listener
            return environment

        self.sandbox.park = park_with_gateway  # type: ignore[method-assign]


def play(folder: Path, script: Script, story: Callable[[Bench], Awaitable[None]]) -> None:
    """Run a story, then close everything: nothing may be left."""

    async def whole() -> None:
        bench = Bench(folder, script)
        await story(bench)
        await bench.pool.close(0)
        await bench.parked.close()
        assert bench.sandbox.failures == []
        assert bench.sandbox.environments == set()
        assert bench.sandbox.released_alive == []
        await bench.logs.close()

    asyncio.run(whole())


async def echo(runtime: ScriptedRuntime) -> Exit:
    """Answer every event with its own id."""
    while True:
        event = await runtime.next()
        runtime.environment.cpu_us += 1500
        await runtime.respond(event.request_id, event.request_id.encode())


def test_an_environment_is_made_of_what_its_deployment_says(tmp_path: Path) -> None:
    """The kind has the owner, the folders, the zygote and the egress; the assignment the rest."""

    async def story(bench: Bench) -> None:
        assert await bench.answer() == b"r1"
        (kind,) = bench.parked._kinds
        assert (kind.owner, kind.egress) == ("000000000000/us-east-1", False)
        assert kind.folders == (("/var/lang", "/opt/python"),)
        assert kind.zygote is not None
        assert (kind.zygote.argv, kind.zygote.preload) == (ZYGOTE.argv, ("boto3",))
        (assignment,) = bench.sandbox.assigned
        assert (assignment.tmp_mib, assignment.memory_mib, assignment.in_zygote) == (1024, 128, True)
        assert assignment.environ["AWS_ENDPOINT_URL"] == ENDPOINT
        assert assignment.environ["AWS_LAMBDA_INITIALIZATION_TYPE"] == "on-demand"

    play(tmp_path, echo, story)


def test_an_environment_has_credentials_that_end_with_it(tmp_path: Path) -> None:
    """They are its function's while its process lives, to the last of it, and nobody's afterwards."""

    async def story(bench: Bench) -> None:
        environment = await idle_one(bench)
        given = bench.surroundings.credentials
        environ = bench.sandbox.assigned[0].environ
        got = SECRETS.open(environ["AWS_ACCESS_KEY_ID"], environ["AWS_SESSION_TOKEN"])
        assert got.session is not None
        assert got.session.environment == environment.credentials_id
        assert got.session.name == bench.deployment.name
        assert environment.credentials_requested("") is None
        assert given.is_alive(environment.credentials_id)
        environment.retire()
        assert bench.pool.size == 0 and given.is_alive(environment.credentials_id)
        await bench.until(lambda: not bench.pool._tasks)
        assert not given.is_alive(environment.credentials_id)

    play(tmp_path, echo, story)


def test_what_was_initialised_ahead_fetches_its_credentials(tmp_path: Path) -> None:
    """By the token that it has in their place: what it started with would have ended by the time it is restored."""

    async def story(bench: Bench) -> None:
        bench.deployment = msgspec.structs.replace(
            bench.deployment,
            version="1",
            configuration=msgspec.structs.replace(bench.deployment.configuration, snap_start=True),
        )
        await bench.answer()
        (environment,) = bench.pool._all
        environ = bench.sandbox.assigned[0].environ
        assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} & environ.keys()
        address = environ["AWS_LAMBDA_RUNTIME_API"]
        assert environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == f"http://{address}/2021-04-23/credentials"
        found = environment.credentials_requested(environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"])
        assert found is not None
        session = SECRETS.open(found.access_key, found.session_token).session
        assert session is not None and session.environment == environment.credentials_id

    play(tmp_path, echo, story)


def test_an_idle_environment_is_frozen_and_thawed_for_the_next_event(tmp_path: Path) -> None:
    """Frozen after Next, thawed before the next event; the end of init is told once, and not before the event left."""

    async def story(bench: Bench) -> None:
        for number in range(3):
            await bench.answer(f"r{number}")
            await bench.until(lambda: bench.pool.busy == 0)
            await bench.until(lambda: bench.sandbox.told[-1] == "freeze")
        assert bench.sandbox.told == ["end_init", "freeze", "thaw", "freeze", "thaw", "freeze"]
        assert bench.released == 3

    play(tmp_path, echo, story)


def test_a_caller_that_comes_back_at_once_finds_the_environment_unfrozen(tmp_path: Path) -> None:
    """Handed over on Next, before the loop came round to freezing it."""

    async def story(bench: Bench) -> None:
        calls = [asyncio.ensure_future(bench.invoke("r0"))]
        await bench.until(calls[0].done)
        calls.append(asyncio.ensure_future(bench.invoke("r1")))
        await bench.until(calls[1].done)
        assert (bench.pool.size, bench.sandbox.told) == (1, ["end_init"])

    play(tmp_path, echo, story)


def test_the_end_of_an_invocation_records_what_it_used(tmp_path: Path) -> None:
    """Its own processor time, the peak, and what it is billed for: init with the cold start."""

    async def story(bench: Bench) -> None:
        for number in range(2):
            await bench.answer(f"r{number}")
            await bench.until(lambda: bench.pool.busy == 0)
        cold, warm = (record[7:13] for record in bench.ends())
        assert cold == ["r0", 2000.0, 500.0, 2500, 8500, 1]
        assert warm == ["r1", 2000.0, 0.0, 2000, 1500, 1]

    async def measured(runtime: ScriptedRuntime) -> Exit:
        clock = runtime.environment.clock  # type: ignore[attr-defined]
        clock.advance(0.5)
        runtime.environment.cpu_us += 7000
        while True:
            event = await runtime.next()
            clock.advance(2)
            runtime.environment.cpu_us += 1500
            await runtime.respond(event.request_id, b"1")

    def script(runtime: ScriptedRuntime) -> Any:
        runtime.environment.clock = clocks[0]  # type: ignore[attr-defined]
        return measured(runtime)

    clocks: list[VirtualClock] = []

    async def with_clock(bench: Bench) -> None:
        clocks.append(bench.clock)
        await story(bench)

    play(tmp_path, script, with_clock)


def test_an_environment_that_is_lost_is_nobodys_fault(tmp_path: Path) -> None:
    """The caller gets a failure of the service, not of its function; the next call works."""

    async def story(bench: Bench) -> None:
        first = asyncio.ensure_future(bench.invoke("hang"))
        await bench.until(hanging.is_set)
        bench.sandbox.lose_all()
        await bench.until(first.done)
        with pytest.raises(DependencyError):
            first.result()
        assert await bench.answer("r2") == b"r2"
        assert bench.ends()[0][7] == "hang"
        await bench.until(lambda: bench.released == 2)

    hanging = asyncio.Event()

    async def hang(runtime: ScriptedRuntime) -> Exit:
        while True:
            event = await runtime.next()
            if event.request_id == "hang":
                hanging.set()
                await asyncio.Event().wait()
            await runtime.respond(event.request_id, event.request_id.encode())

    play(tmp_path, hang, story)


def test_a_start_is_tried_again_in_another_environment(tmp_path: Path) -> None:
    """What was parked may be gone when it is taken: the caller does not notice."""

    async def story(bench: Bench) -> None:
        failures = iter([True, True, False])

        def fail() -> None:
            if next(failures):
                raise DependencyError("lost", retryable=True)

        bench.sandbox.before_start = fail
        assert await bench.answer() == b"r1"
        assert len(bench.sandbox.assigned) == 3

    play(tmp_path, echo, story)


def test_a_start_is_not_tried_for_ever(tmp_path: Path) -> None:
    """Three times; then it is a failure of the service."""

    async def story(bench: Bench) -> None:
        def fail() -> None:
            raise DependencyError("no process left", retryable=True)

        bench.sandbox.before_start = fail
        call = asyncio.ensure_future(bench.invoke())
        await bench.until(call.done)
        with pytest.raises(DependencyError, match="no process left"):
            call.result()
        assert (len(bench.sandbox.assigned), bench.released, bench.pool.size) == (3, 1, 0)
        assert bench.ends() == []

    play(tmp_path, echo, story)


def test_a_package_that_is_gone_is_not_the_functions_failure(tmp_path: Path) -> None:
    """Deleted meanwhile, or lost: the service's fault; nothing is in the log."""

    async def story(bench: Bench) -> None:
        packages: Any = bench.surroundings.packages

        async def gone(sha256: str) -> Path:
            raise KeyError(sha256)

        packages.folder_nowait, packages.folder = lambda sha256: None, gone
        call = asyncio.ensure_future(bench.invoke())
        await bench.until(call.done)
        with pytest.raises(DependencyError, match="package"):
            call.result()
        assert (bench.messages(), bench.released) == ([], 1)

    play(tmp_path, echo, story)


def test_a_gateway_inside_is_served_and_closed_with_the_environment(tmp_path: Path) -> None:
    """SDK calls then go to the address inside."""

    class Served:
        is_closed = False

        def close(self) -> None:
            self.is_closed = True

    async def story(bench: Bench) -> None:
        served: list[tuple[Served, socket.socket, ExecutionEnvironment]] = []

        async def serve(listener: socket.socket, environment: ExecutionEnvironment) -> Served:
            served.append((Served(), listener, environment))
            return served[-1][0]

        bench.surroundings = msgspec.structs.replace(bench.surroundings, serve_gateway=serve)
        with socket.socket() as inside:
            bench.give_gateways(inside)
            await bench.answer()
            ((gateway, listener, environment),) = served
            assert (listener, environment.deployment) == (inside, bench.deployment)
            assert bench.sandbox.assigned[0].environ["AWS_ENDPOINT_URL"] == GATEWAY_INSIDE
            await bench.until(lambda: bench.pool.busy == 0)
            environment.retire()
            await bench.until(lambda: gateway.is_closed)

    play(tmp_path, echo, story)


def test_an_init_that_fails_while_the_gateway_is_being_opened_is_the_functions(tmp_path: Path) -> None:
    """Its end takes the listener along: what that does to whoever opens it is not the answer."""

    async def story(bench: Bench) -> None:
        async def serve(listener: socket.socket, environment: ExecutionEnvironment) -> Any:
            (starting,) = (one for one in bench.sandbox.environments if one.process and not one.is_killed)
            await bench.sandbox.wait(starting)
            raise OSError(errno.EBADF, "Bad file descriptor")

        bench.surroundings = msgspec.structs.replace(bench.surroundings, serve_gateway=serve)
        with socket.socket() as inside:
            bench.give_gateways(inside)
            assert await bench.answer() == b'{"errorType": "Broken"}'
            assert len(bench.sandbox.assigned) == 2

    async def broken(runtime: ScriptedRuntime) -> Exit:
        await runtime.fail_init(b'{"errorType": "Broken"}')
        await asyncio.Event().wait()
        return Exit(status=1)

    play(tmp_path, broken, story)


def test_a_stop_while_the_gateway_is_being_opened_leaves_nothing(tmp_path: Path) -> None:
    """The caller hears of it, the process ends, the opening is called off."""

    async def story(bench: Bench) -> None:
        called_off = False
        opening = asyncio.Event()

        async def serve(listener: socket.socket, environment: ExecutionEnvironment) -> Any:
            nonlocal called_off
            opening.set()
            try:
                await asyncio.Event().wait()
            finally:
                called_off = True

        bench.surroundings = msgspec.structs.replace(bench.surroundings, serve_gateway=serve)
        with socket.socket() as inside:
            bench.give_gateways(inside)
            call = asyncio.ensure_future(bench.invoke("r1"))
            await bench.until(opening.is_set)
            (environment,) = (one for one in bench.sandbox.environments if one.process is not None)
            closing = asyncio.ensure_future(bench.pool.close(0))
            await bench.until(call.done)
            await closing
            with pytest.raises(DependencyError):
                call.result()
            await bench.until(environment.ended.done)
            assert (called_off, environment.is_killed, bench.released) == (True, True, 1)

    async def hang(runtime: ScriptedRuntime) -> Exit:
        await runtime.next()
        await asyncio.Event().wait()
        return Exit(status=0)

    play(tmp_path, hang, story)


def test_a_stop_in_the_middle_of_an_invocation_waits_for_the_process_to_end(tmp_path: Path) -> None:
    """What the environment holds is given back behind its end, not when its task is cancelled."""

    async def story(bench: Bench) -> None:
        call = asyncio.ensure_future(bench.invoke())
        await bench.until(running.is_set)
        await bench.pool.close(0)
        assert len(bench.sandbox.environments) == 3, "it and the stock"
        await bench.until(call.done)
        with pytest.raises(DependencyError):
            call.result()

    running = asyncio.Event()

    async def hang(runtime: ScriptedRuntime) -> Exit:
        await runtime.next()
        running.set()
        await asyncio.Event().wait()
        return Exit(status=0)

    play(tmp_path, hang, story)


def test_one_that_is_given_up_before_its_life_has_begun_starts_nothing(tmp_path: Path) -> None:
    """Retired by an update between the order and the first step of its task."""

    async def story(bench: Bench) -> None:
        asking = asyncio.ensure_future(initialised(bench))
        await bench.until(lambda: bool(bench.pool._tasks))
        ((environment, life),) = bench.pool._tasks.items()
        environment.retire()
        await bench.until(asking.done)
        with pytest.raises(DependencyError):
            asking.result()
        await bench.until(life.done)
        assert life.exception() is None
        assert bench.sandbox.assigned == []

    play(tmp_path, echo, story)


async def idle_one(bench: Bench) -> ExecutionEnvironment:
    """Return an environment that has answered and is frozen."""
    await bench.answer()
    await bench.until(lambda: bench.sandbox.told[-1:] == ["freeze"])
    (environment,) = bench.pool._tasks
    return environment


def test_an_idle_environment_may_say_goodbye(tmp_path: Path) -> None:
    """It is asked to end, and what it writes then is in the log; nothing has to be killed."""

    async def story(bench: Bench) -> None:
        environment = await idle_one(bench)
        environment.retire()
        assert bench.pool.size == 0
        await bench.until(lambda: not bench.pool._tasks)
        assert bench.sandbox.told == ["end_init", "freeze", "terminate"]
        await bench.logs.close()
        assert "bye\n" in bench.messages()
        bench.clock.advance(60)
        assert "kill" not in bench.sandbox.told

    async def polite(runtime: ScriptedRuntime) -> Exit:
        try:
            return await echo(runtime)
        except asyncio.CancelledError:
            runtime.print("bye\n")
            return Exit(status=0)

    play(tmp_path, polite, story)


def test_who_will_not_go_is_killed_after_a_moment(tmp_path: Path) -> None:
    """Its place is free from the start: the next invocation does not wait for it."""

    async def story(bench: Bench) -> None:
        bench.sandbox.ignores_terminate = True
        environment = await idle_one(bench)
        assert bench.sandbox.busy == set()
        environment.retire()
        assert len(bench.sandbox.busy) == 1, "it runs, and could take memory like any other that does"
        assert await bench.answer("r2") == b"r2"
        assert (bench.pool.size, len(bench.pool._tasks)) == (1, 2)
        bench.clock.advance(SHUTDOWN_S * 0.9)
        assert "kill" not in bench.sandbox.told
        bench.clock.advance(SHUTDOWN_S * 0.2)
        assert bench.sandbox.told.count("kill") == 1
        await bench.until(lambda: len(bench.pool._tasks) == 1)

    play(tmp_path, echo, story)


def test_who_has_to_make_room_is_not_asked(tmp_path: Path) -> None:
    """Somebody waits for its memory."""

    async def story(bench: Bench) -> None:
        environment = await idle_one(bench)
        environment.retire(at_once=True)
        assert bench.sandbox.told[-1] == "kill"
        assert "terminate" not in bench.sandbox.told

    play(tmp_path, echo, story)


CUT_FRAME = b"\xa5\x5a\x00\x03" + (1000).to_bytes(4, "big") + bytes(8) + b"frame"


@pytest.mark.parametrize(("cut", "left"), [(b"line", "line"), (CUT_FRAME, "frame")], ids=["line", "frame"])
def test_what_a_process_left_unfinished_does_not_run_into_the_output_of_the_next(
    tmp_path: Path, cut: bytes, left: str
) -> None:
    """An init that dies in the middle of a line, or of a record, is repeated by another process."""

    async def story(bench: Bench) -> None:
        assert await bench.answer() == b"r1"
        assert [message for message in bench.messages() if message in {left, "whole\n"}] == [left, "whole\n"]

    lives = iter([1, 2])

    async def dies_once(runtime: ScriptedRuntime) -> Exit:
        if next(lives) == 1:
            os.write(runtime.environment.write_end, cut)
            return Exit(status=1)
        runtime.print("whole\n")
        return await echo(runtime)

    play(tmp_path, dies_once, story)


def test_the_log_of_an_init_that_fails_twice_is_that_of_the_service(tmp_path: Path) -> None:
    """INIT_START once; each init's output before its report; START behind both."""

    async def story(bench: Bench) -> None:
        assert b"exit status 1" in await bench.answer()
        await bench.until(lambda: not bench.pool._tasks)
        words = [message.split()[0] for message in bench.messages()]
        assert words == [
            "INIT_START", "dying", "INIT_REPORT", "dying", "INIT_REPORT", "START", "RequestId:", "END", "REPORT"
        ]  # fmt: skip
        assert [message.split("\t")[1] for message in bench.messages() if message.startswith("INIT_REPORT")] == [
            "Phase: init", "Phase: invoke"
        ]  # fmt: skip

    async def dies(runtime: ScriptedRuntime) -> Exit:
        runtime.print("dying\n")
        return Exit(status=1)

    play(tmp_path, dies, story)


def test_the_last_words_of_an_init_without_an_invocation_are_kept(tmp_path: Path) -> None:
    """They need no newline at their end."""

    async def story(bench: Bench) -> None:
        with pytest.raises(InitialisationFailed):
            await initialised(bench)
        await bench.until(lambda: not bench.pool._tasks)
        assert "last words" in bench.messages()

    async def dies(runtime: ScriptedRuntime) -> Exit:
        runtime.print("last words")
        return Exit(status=1)

    play(tmp_path, dies, story)


def test_an_environment_that_ran_out_of_memory_has_used_all_of_it(tmp_path: Path) -> None:
    """Whatever the kernel still knows of its peak by then."""

    async def story(bench: Bench) -> None:
        assert b"signal: killed" in await bench.answer()
        assert bench.ends()[0][12] == 128
        assert any("Max Memory Used: 128 MB" in message for message in bench.messages())

    async def greedy(runtime: ScriptedRuntime) -> Exit:
        await runtime.next()
        return Exit(signal=9, out_of_memory=True)

    play(tmp_path, greedy, story)


def test_a_start_in_another_environment_is_announced_once(tmp_path: Path) -> None:
    """INIT_START stands in the log although the first one was dead when it was taken."""

    async def story(bench: Bench) -> None:
        take = bench.parked.take
        dead: list[ParkedEnvironment] = []

        async def take_a_dead_one_first(kind: Any) -> Any:
            parked = await take(kind)
            if not dead:
                dead.append(parked)
                bench.sandbox.lose(parked.environment)
                await asyncio.wait([parked.ended])
            return parked

        bench.parked.take = take_a_dead_one_first  # type: ignore[method-assign]
        assert await bench.answer() == b"r1"
        assert [message.split()[0] for message in bench.messages()][:2] == ["INIT_START", "START"]

    play(tmp_path, echo, story)


def test_an_environment_is_initialised_without_an_invocation(tmp_path: Path) -> None:
    """It is idle and frozen afterwards, and the first invocation is a warm one."""

    async def story(bench: Bench) -> None:
        environment = await initialised(bench)
        assert (bench.pool.busy, bench.pool.size) == (0, 1)
        await bench.until(lambda: bench.sandbox.told == ["end_init", "freeze"])
        assert bench.sandbox.busy == set(), "nothing runs whose memory would have to be watched"
        assert bench.sandbox.assigned[0].environ["AWS_LAMBDA_INITIALIZATION_TYPE"] == "provisioned-concurrency"
        assert await bench.answer() == b"r1"
        assert (environment.epoch, bench.pool.size) == (2, 1)

    play(tmp_path, echo, story)


def test_an_init_without_an_invocation_that_fails_says_why(tmp_path: Path) -> None:
    """With what the runtime reported, or how it ended; nothing is left of it."""

    async def story(bench: Bench) -> None:
        with pytest.raises(InitialisationFailed) as failed:
            await initialised(bench)
        assert failed.value.failure.payload == b'{"errorType": "Broken"}'
        await bench.until(lambda: bench.pool.size == 0)

    async def broken(runtime: ScriptedRuntime) -> Exit:
        await runtime.fail_init(b'{"errorType": "Broken"}')
        return Exit(status=1)

    play(tmp_path, broken, story)


def test_an_init_without_an_invocation_that_is_lost_is_nobodys_fault(tmp_path: Path) -> None:
    """Whoever asked may ask again."""

    async def story(bench: Bench) -> None:
        asking = asyncio.ensure_future(initialised(bench))
        await bench.until(lambda: bool(bench.sandbox.assigned))
        bench.sandbox.lose_all()
        with pytest.raises(DependencyError):
            await asking

    async def slow(runtime: ScriptedRuntime) -> Exit:
        await asyncio.Event().wait()
        return Exit(status=0)

    play(tmp_path, slow, story)


async def initialised(bench: Bench) -> ExecutionEnvironment:
    asking = asyncio.ensure_future(
        bench.pool.initialise(
            bench.deployment,
            limit_s=130,
            initialization_type="provisioned-concurrency",
            stays=True,
            left=lambda: None,
        )
    )
    await bench.until(asking.done)
    return asking.result()


# Streamed responses --------------------------------------------------------------------------------------------------


async def streaming(runtime: ScriptedRuntime) -> Exit:
    """Answer with as many pieces of 100 KB as the request id says; `x` behind it ends the process in the middle."""
    while True:
        event = await runtime.next()
        writer = await runtime.begin_stream(event.request_id)
        for _ in range(int(event.request_id.rstrip("x"))):
            writer.write(chunk(b"p" * 100_000))
            await writer.drain()
        if event.request_id.endswith("x"):
            return Exit(status=3)
        await runtime.end_stream()


async def read(outcome: InvocationOutcome) -> tuple[int, StreamEnd]:
    assert outcome.stream is not None
    size = 0
    async for piece in outcome.stream:
        size += len(piece)
    assert outcome.stream.end is not None
    return size, outcome.stream.end


def test_a_stream_is_given_out_at_its_first_byte(tmp_path: Path) -> None:
    """With what is known then; the environment serves on, and a buffered call of the same function gathers."""

    async def story(bench: Bench) -> None:
        for _ in range(2):
            call = asyncio.ensure_future(bench.stream("3", wants_tail=True))
            await bench.until(call.done)
            outcome = call.result()
            assert (outcome.content_type, outcome.executed_version) == ("text/x", LATEST)
            reading = asyncio.ensure_future(read(outcome))
            await bench.until(reading.done)
            size, end = reading.result()
            assert size == 300_000
            assert end.error is None
            assert end.log_tail is not None
            assert b"REPORT RequestId: 3" in end.log_tail
        # 1000 bytes is what a gathered response may have here.
        assert b"Function.ResponseSizeTooLarge" in await bench.answer("1")
        assert bench.pool.size == 1

    play(tmp_path, streaming, story)


def test_a_stream_beyond_its_limit_ends_there(tmp_path: Path) -> None:
    """1,000,000 bytes here; the rest is thrown away, and the environment goes on."""

    async def story(bench: Bench) -> None:
        for count, kind in ((11, "Function.ResponseSizeTooLarge"), (10, None)):
            call = asyncio.ensure_future(bench.stream(str(count)))
            await bench.until(call.done)
            reading = asyncio.ensure_future(read(call.result()))
            await bench.until(reading.done)
            size, end = reading.result()
            assert size <= 1_000_000
            assert (end.error and end.error.error_type) == kind
        assert size == 1_000_000
        await bench.until(lambda: bench.released == 2)
        assert bench.pool.size == 1

    play(tmp_path, streaming, story)


def test_a_crash_ends_the_stream(tmp_path: Path) -> None:
    """Whatever of it has been seen by then; the next call has another environment."""

    async def story(bench: Bench) -> None:
        call = asyncio.ensure_future(bench.stream("1x"))
        await bench.until(call.done)
        reading = asyncio.ensure_future(read(call.result()))
        await bench.until(reading.done)
        _, end = reading.result()
        assert end.error is not None
        assert end.error.error_type == "Runtime.ExitError"
        assert b"RequestId: 1x Error: Runtime exited with error: exit status 3" in end.error_payload
        await bench.until(lambda: bench.released == 1)

    play(tmp_path, streaming, story)


def test_a_sandbox_that_is_lost_ends_the_stream(tmp_path: Path) -> None:
    """By a failure that is not the function's."""

    async def story(bench: Bench) -> None:
        call = asyncio.ensure_future(bench.stream())
        await bench.until(call.done)
        bench.sandbox.lose_all()
        reading = asyncio.ensure_future(read(call.result()))
        await bench.until(reading.done)
        size, end = reading.result()
        assert (size, end.error and end.error.kind) == (1, "ServiceException")
        assert end.error_payload == b"the sandbox failed"

    async def hang(runtime: ScriptedRuntime) -> Exit:
        event = await runtime.next()
        (await runtime.begin_stream(event.request_id)).write(chunk(b"a"))
        await asyncio.Event().wait()
        raise AssertionError

    play(tmp_path, hang, story)


@pytest.mark.parametrize("when", ["before the first byte", "as it arrives"])
def test_a_caller_that_is_cancelled_holds_up_nothing(tmp_path: Path, when: str) -> None:
    """The function writes far more than waits for a reader, and its environment is free again."""

    async def story(bench: Bench) -> None:
        call = asyncio.ensure_future(bench.stream("9"))
        if when == "before the first byte":
            await bench.until(lambda: bench.pool.size == 1)
        else:
            (environment,) = await environments_of(bench)
            await bench.until(lambda: environment._stream is not None)
            assert not call.done()
        call.cancel()
        await bench.until(lambda: bench.released == 1)
        assert call.cancelled()
        assert await bench.answer("0") == b""
        assert bench.pool.size == 1

    async def environments_of(bench: Bench) -> list[ExecutionEnvironment]:
        await bench.until(lambda: bool(made))
        return made

    made: list[ExecutionEnvironment] = []

    async def watched(bench: Bench) -> None:
        started = bench.pool.start
        bench.pool.start = lambda environment: (made.append(environment), started(environment))  # type: ignore[assignment,func-returns-value]
        await story(bench)

    play(tmp_path, streaming, watched)


# Traces --------------------------------------------------------------------------------------------------------------

TRACING = Tracing("1-6553f100-aaaaaaaaaaaaaaaaaaaaaaaa", "c" * 16, "5" * 16, "5" * 16, "f" * 16, "1" * 16, 0.0)


async def traced(bench: Bench, request_id: str = "r1", tracing: Tracing | None = TRACING) -> InvocationOutcome:
    """Run a sampled invocation until its environment is free or gone."""
    slot = await bench.fleet.acquire(bench.deployment, bench.note_released)
    invocation = Invocation(request_id, "arn", b"{}", "Root=1", tracing=tracing)
    call = asyncio.ensure_future(bench.fleet.invoke(slot, invocation))
    await bench.until(call.done)
    await bench.until(lambda: bench.pool.busy == 0)
    return call.result()


def timed(clocks: list[VirtualClock]) -> Script:
    """Take half a second for init and two for each event; send a datagram during each."""

    async def script(runtime: ScriptedRuntime) -> Exit:
        (clock,) = clocks
        host, _, port = runtime.assignment.environ["AWS_XRAY_DAEMON_ADDRESS"].rpartition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            clock.advance(0.5)
            while True:
                event = await runtime.next()
                sender.sendto(event.request_id.encode(), (host, int(port)))
                clock.advance(2)
                await runtime.respond(event.request_id, b"1")

    return script


def test_a_sampled_invocation_leaves_what_its_function_did(tmp_path: Path) -> None:
    """One tuple, with a cold start's init before it; what the function sent is taken before its end is told."""

    async def story(bench: Bench) -> None:
        clocks.append(bench.clock)
        began = bench.clock.now()
        await traced(bench)
        (ran,) = bench.traces.left
        assert isinstance(ran, Ran)
        assert (ran.scope, ran.name, ran.log_group) == (SCOPE, "f", "/aws/lambda/f")
        assert (ran.trace_id, ran.id, ran.parent_id) == (TRACING.trace_id, TRACING.id, TRACING.parent_id)
        assert (ran.invocation_id, ran.failure) == (TRACING.invocation_id, None)
        assert ran.init == (pytest.approx(began), pytest.approx(began + 0.5))
        assert (ran.began, ran.answered) == (pytest.approx(began + 0.5), pytest.approx(began + 2.5))
        assert bench.traces.datagrams == [(SCOPE, "f", b"r1")]
        report = bench.messages()[-1]
        assert f"XRAY TraceId: {TRACING.trace_id}\tSegmentId: {TRACING.id}\tSampled: true\t" in report
        await traced(bench, "r2")
        assert isinstance(again := bench.traces.left[1], Ran) and again.init is None
        assert bench.traces.datagrams[1:] == [(SCOPE, "f", b"r2")]

    clocks: list[VirtualClock] = []
    play(tmp_path, timed(clocks), story)


def test_an_init_that_ran_ahead_is_none_of_the_trace(tmp_path: Path) -> None:
    """Provisioned concurrency, say: the invocation bills it, but did not wait for it."""

    async def story(bench: Bench) -> None:
        clocks.append(bench.clock)
        await traced(bench, tracing=TRACING._replace(began=bench.clock.now() + 1))
        (ran,) = bench.traces.left
        assert isinstance(ran, Ran) and ran.init is None
        assert "Init Duration: 500.00 ms" in bench.messages()[-1]

    clocks: list[VirtualClock] = []
    play(tmp_path, timed(clocks), story)


def test_an_invocation_that_is_not_sampled_leaves_nothing(tmp_path: Path) -> None:
    """Neither a tuple nor anything in its REPORT; what it sends all the same waits for one that is."""

    async def story(bench: Bench) -> None:
        clocks.append(bench.clock)
        await traced(bench, tracing=None)
        assert (bench.traces.left, bench.traces.datagrams) == ([], [])
        assert "XRAY" not in "".join(bench.messages())

    clocks: list[VirtualClock] = []
    play(tmp_path, timed(clocks), story)


FAILED = b'{"errorType": "ValueError", "errorMessage": "boom"}'


def test_a_sampled_failure_says_why(tmp_path: Path) -> None:
    """By what the runtime posted: type and message."""

    async def story(bench: Bench) -> None:
        outcome = await traced(bench)
        assert outcome.error is not None
        (ran,) = bench.traces.left
        assert isinstance(ran, Ran) and ran.failure == Failure("ValueError", "boom")

    async def fails(runtime: ScriptedRuntime) -> Exit:
        while True:
            await runtime.fail((await runtime.next()).request_id, FAILED)

    play(tmp_path, fails, story)


def test_a_sampled_invocation_that_ends_with_its_runtime_is_left_all_the_same(tmp_path: Path) -> None:
    """And a later one in another environment knows nothing of that failure."""

    async def story(bench: Bench) -> None:
        assert (await traced(bench)).error is not None
        (ran,) = bench.traces.left
        assert isinstance(ran, Ran) and ran.failure == Failure("Runtime.ExitError", "")

    async def exits(runtime: ScriptedRuntime) -> Exit:
        await runtime.next()
        return Exit(status=1)

    play(tmp_path, exits, story)


def test_a_sampled_invocation_that_takes_too_long_says_so(tmp_path: Path) -> None:
    """What it had sent is there: its port outlives its processes."""

    async def story(bench: Bench) -> None:
        slot = await bench.fleet.acquire(bench.deployment, bench.note_released)
        call = asyncio.ensure_future(
            bench.fleet.invoke(slot, Invocation("r1", "arn", b"{}", "Root=1", tracing=TRACING))
        )
        await bench.until(lambda: bool(bench.sandbox.environments) and "START RequestId" in "".join(bench.messages()))
        (environment,) = (one for one in bench.sandbox.environments if one.process is not None)
        assert environment.trace_port is not None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"late", environment.trace_port.getsockname())
        bench.clock.advance(3)
        await bench.until(call.done)
        (ran,) = bench.traces.left
        assert isinstance(ran, Ran)
        assert ran.failure == Failure("Sandbox.Timedout", "Task timed out after 3.00 seconds")
        assert bench.traces.datagrams == [(SCOPE, "f", b"late")]

    async def hangs(runtime: ScriptedRuntime) -> Exit:
        await runtime.next()
        await asyncio.Event().wait()
        raise AssertionError

    play(tmp_path, hangs, story)
