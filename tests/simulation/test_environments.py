"""
Dispatch, execution and fleet together, under a clock that the test moves and with seeded faults.

Every invocation gets exactly one answer, its own; no environment ever holds two; no limit is ever passed, of
invocations, environments, memory or parked stock; every slot returns once; the log closes what it opened; nothing is
left after the end. A failure names its seed, which repeats it; `LAMBENT_SIMULATION_SEEDS` says how many are tried.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop

from lambent.dispatch.dispatcher import Dispatcher
from lambent.domain.caller import Scope
from lambent.domain.concurrency import Claims
from lambent.domain.function import LATEST, Code, Configuration, FunctionName, FunctionVersion, State
from lambent.domain.invocation import Invocation, InvocationOutcome
from lambent.domain.quotas import Quotas
from lambent.errors.families import DependencyError
from lambent.execution.driver import ExecutionEnvironment, InitialisationFailed, Surroundings
from lambent.execution.parked import ParkedPool
from lambent.execution.pool import EnvironmentPool, PoolFull
from lambent.execution.scaling import ESTIMATE_MIB
from lambent.fleet.contract import Throttled
from lambent.fleet.local import LocalFleet
from lambent.runtimes.contract import RuntimeCommand, Zygote
from lambent.sandbox.contract import Exit, ParkedKind, SandboxStartError
from lambent.store.contract import FunctionChange
from lambent.telemetry.logs import FunctionLogs
from lambent.telemetry.segments import Segments
from lambent.telemetry.traces import Traces
from lambent.testing.credentials import function_credentials
from lambent.testing.log_store import MemoryLogStore
from lambent.testing.scripted_sandbox import ScriptedRuntime, ScriptedSandbox, chunk
from lambent.testing.virtual_clock import VirtualClock

SEEDS = range(int(os.environ.get("LAMBENT_SIMULATION_SEEDS", "12")))

SCOPE = Scope("000000000000", "us-east-1")
SIZES_MIB = {"a": 10, "b": 25, "c": ESTIMATE_MIB}
"""What an environment of each function uses."""
FUNCTIONS = tuple(SIZES_MIB)
INVOCATIONS = 80
CONCURRENCY_MAX = 7
RESERVED = {FunctionName("c"): 2}
"""By function; the others share what is left of `CONCURRENCY_MAX`."""
ENVIRONMENTS_MAX = 6
MEMORY_MIB = 300
RESERVE_MIB = 60
OTHERS_MIB = (120, 200)
"""What everything else on the machine uses, at least and at most."""
PARKED_MIB = 12.0
TIMEOUT_S = 3
IDLE_S = 20.0
AGE_S = 45.0
STREAM_MAX_BYTES = 200_000
ERROR_TRAILERS = "Lambda-Runtime-Function-Error-Type: E\r\nLambda-Runtime-Function-Error-Body: e30=\r\n"
STREAM_FAULTS = ("stream: error", "stream: exit", "stream: hang", "stream: large")
"""Those that no caller sees succeed, however it takes the response."""
TICK_S = 0.05
STEPS_MAX = 40_000

FAULTS = (
    *("ok", "ok", "ok", "ok", "slow", "error", "exit", "exit before answer", "hang", "late next", "large", "chatty"),
    *(
        "stream",
        "stream",
        "stream",
        "stream: error",
        "stream: exit",
        "stream: hang",
        "stream: cut off",
        "stream: large",
    ),
)
"""What a runtime does with one invocation."""


class Functions:
    """The part of a function store that dispatch uses."""

    def __init__(self) -> None:
        self.versions = {name: self._version(name, f"{name}-0") for name in FUNCTIONS}
        self.callbacks: list[Callable[[FunctionChange], None]] = []

    def _version(self, name: str, deployment_id: str) -> FunctionVersion:
        return FunctionVersion(
            scope=SCOPE,
            name=FunctionName(name),
            version=LATEST,
            function_id=name,
            configuration=Configuration(
                "provided.al2023", "handler", "role", timeout_s=TIMEOUT_S, log_group=f"/aws/lambda/{name}"
            ),
            code=Code("0" * 64, 1),
            revision_id=deployment_id,
            last_modified=0.0,
            state=State.ACTIVE,
            deployment_id=deployment_id,
        )

    def on_change(self, callback: Callable[[FunctionChange], None]) -> None:
        self.callbacks.append(callback)

    def on_changing(self, callback: Callable[[FunctionChange], None]) -> None:
        pass

    @asynccontextmanager
    async def snapshot(self, scope: Scope) -> AsyncIterator["Functions"]:
        yield self

    async def version(self, name: FunctionName, version: str) -> FunctionVersion:
        return self.versions[name]

    async def list_versions(self, name: FunctionName, *, after: None, limit: int) -> list[FunctionVersion]:
        return [self.versions[name]]

    async def claims(self) -> Claims:
        return Claims(RESERVED)

    def update(self, name: str, deployment_id: str) -> None:
        self.versions[name] = msgspec.structs.replace(self.versions[name], deployment_id=deployment_id)
        for callback in self.callbacks:
            callback(FunctionChange(SCOPE, FunctionName(name)))


class Machine:
    """Packages and runtimes that are always ready."""

    def folder_nowait(self, sha256: str) -> Path:
        return Path("/package")

    async def command(self, *arguments: Any, **more: Any) -> RuntimeCommand:
        return RuntimeCommand(
            argv=["bootstrap"], environ={}, reserved={}, zygote=Zygote(("python",), ()), in_zygote=True
        )

    def version_label(self, runtime: str) -> str:
        return runtime


class Simulation:
    """
    One world of one seed: by turns with a driver that parks ahead and freezes at once, and with one that does neither.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = random.Random(seed)
        self.clock = VirtualClock(seed)
        self.log_store = MemoryLogStore(self.clock)
        self.logs = FunctionLogs(Segments(folder, self.clock), self.log_store, self.clock)
        self.freeze_after_s = 0.0 if seed % 2 else 0.1
        self.sandbox = ScriptedSandbox(
            self.play, self.clock, parks_ahead=bool(seed % 2), freeze_after_s=self.freeze_after_s
        )
        self.sandbox.ignores_terminate = seed % 3 == 0
        self.sandbox.before_start = self.fail_to_start
        self.sandbox.before_park = self.park_badly
        self.parking_fails = False
        self.others_mib = OTHERS_MIB[0]
        self.parked = ParkedPool(
            self.sandbox,
            self.clock,
            budget_mib=PARKED_MIB,
            count_max=4,
            spare_mib=lambda: self.available_mib() - RESERVE_MIB,
        )
        self.functions = Functions()
        machine: Any = Machine()
        surroundings = Surroundings(
            sandbox=self.sandbox,
            parked=self.parked,
            runtimes=machine,
            packages=machine,
            logs=self.logs,
            traces=Traces(None, self.clock),
            clock=self.clock,
            credentials=function_credentials(self.clock),
            endpoint=lambda: "http://127.0.0.1:4566",
            response_max_bytes=1000,
            stream_max_bytes=STREAM_MAX_BYTES,
        )
        self.pool = EnvironmentPool(
            lambda deployment, owner: ExecutionEnvironment(deployment, surroundings, owner),
            environments_max=ENVIRONMENTS_MAX,
            idle_s=IDLE_S,
            age_s=AGE_S,
            freeze_after_s=self.freeze_after_s,
            available_mib=self.available_mib,
            reserve_mib=RESERVE_MIB,
            relieve=self.parked.trim,
            clock=self.clock,
            spawn=self.spawn,
        )
        fleet = LocalFleet(self.pool)
        self.quotas = Quotas(concurrent_executions=CONCURRENCY_MAX)
        self.dispatcher = Dispatcher(self.functions, fleet, fleet, self.quotas, self.clock)  # type: ignore[arg-type]
        self.lives: list[asyncio.Task[None]] = []
        self.delivered: Counter[str] = Counter()
        self.inside: Counter[str] = Counter()
        """Invocations that a runtime is working on, by environment."""
        self.faults: dict[str, str] = {}
        self.streamed: set[str] = set()
        """Those whose caller takes the response piece by piece."""
        self.outcomes: dict[str, InvocationOutcome] = {}
        self.throttled: set[str] = set()
        self.refused: set[str] = set()
        """Those whose caller heard that the service failed."""
        self.calls: dict[str, asyncio.Task[None]] = {}
        self.left: set[str] = set()
        """Those whose caller went away."""
        self.kept = 0
        """How often an environment was kept initialised."""
        self.is_over = False

    def spawn(self, environment: ExecutionEnvironment) -> "asyncio.Task[None]":
        life = asyncio.ensure_future(environment.live())
        self.lives.append(life)
        return life

    # The machine's side ----------------------------------------------------------------------------------------------

    def used_mib(self) -> float:
        """Return what environments with a function inside use. An own end shows a little later."""
        return sum(one.memory_mib for one in self.sandbox.environments if one.process is not None and not one.is_killed)

    def available_mib(self) -> float:
        return MEMORY_MIB - self.others_mib - self.used_mib()

    def fail_to_start(self) -> None:
        """Now and then the package has nothing to start, or the machine has no process."""
        chance = self.random.random()
        if chance < 0.04:
            raise SandboxStartError("fork/exec bootstrap: permission denied")
        if chance < 0.2:
            raise DependencyError("no process for an environment", retryable=True)

    async def park_badly(self, kind: ParkedKind) -> None:
        """Take some time now and then, fail now and then, and for a while all the time."""
        await self.clock.sleep(self.random.choice((0.0, 0.0, 0.1, 2.0 if self.random.random() < 0.2 else 0.1)))
        if self.parking_fails or self.random.random() < 0.05:
            raise DependencyError("no process for an environment", retryable=True)

    async def shake(self) -> None:
        """Take memory and give it back, end environments at any step, now and then all at once."""
        while not self.is_over:
            await self.clock.sleep(self.random.uniform(0.1, 3))
            chance = self.random.random()
            if chance < 0.5:
                self.others_mib = self.random.randint(*OTHERS_MIB)
            elif chance < 0.65 and self.sandbox.environments:
                environments = sorted(self.sandbox.environments, key=lambda one: one.id)
                self.sandbox.lose(self.random.choice(environments))
            elif chance < 0.7:
                self.sandbox.lose_all()
            else:
                self.parking_fails = chance < 0.75
        self.parking_fails = False

    async def keep(self, name: str, stays: bool) -> None:
        """Keep an environment of a function initialised, whatever becomes of it."""
        while not self.is_over:
            left = asyncio.Event()
            is_left: list[None] = []

            def note_left(left: asyncio.Event = left, is_left: list[None] = is_left) -> None:
                assert not is_left, "left twice"
                is_left.append(None)
                left.set()

            kind = "provisioned-concurrency" if stays else "snap-start"
            deployment = self.functions.versions[name].deployment()
            try:
                environment = await self.pool.initialise(
                    deployment, limit_s=15, initialization_type=kind, stays=stays, left=note_left
                )
            except (PoolFull, InitialisationFailed, DependencyError):
                assert not is_left
                await self.clock.sleep(2)
                continue
            self.kept += 1
            while not self.is_over and not left.is_set():
                await self.clock.sleep(0.5)
            if not left.is_set():
                environment.retire()

    # The function's side ---------------------------------------------------------------------------------------------

    async def play(self, runtime: ScriptedRuntime) -> Exit:
        """Be a runtime: mostly good."""
        place = runtime.environment.id
        name = runtime.assignment.environ["AWS_LAMBDA_FUNCTION_NAME"]
        runtime.environment.memory_mib = SIZES_MIB[name]
        await self.clock.sleep(self.random.choice((0.0, 0.2, 0.2, 12.0 if self.random.random() < 0.1 else 0.5)))
        init = self.random.random()
        if init < 0.08:
            await runtime.fail_init(b'{"errorType": "Init"}')
            return Exit(status=1)
        if init < 0.14:
            return Exit(status=3)
        while True:
            event = await runtime.next()
            assert not runtime.environment.is_frozen, "a frozen environment got an event"
            assert self.inside[place] == 0, "two invocations in one environment"
            self.delivered[event.request_id] += 1
            self.inside[place] += 1
            try:
                ended = await self.work(runtime, event.request_id, self.faults[event.request_id])
            finally:
                self.inside[place] -= 1
            if ended is not None:
                return ended

    async def work(self, runtime: ScriptedRuntime, request_id: str, fault: str) -> Exit | None:
        answer = f'"{request_id}"'.encode()
        await self.clock.sleep(1.0 if fault == "slow" else 0.1)
        if fault == "exit before answer":
            return Exit(status=1)
        if fault == "hang":
            await self.clock.sleep(10 * TIMEOUT_S)
        if fault == "chatty":
            runtime.print("many words\n" * 100)
        if fault.startswith("stream"):
            return await self.stream(runtime, request_id, fault, answer)
        if fault == "error":
            await runtime.fail(request_id, b'{"errorType": "E", "errorMessage": "m"}')
        elif fault == "large":
            await runtime.respond(request_id, b'"' + b"x" * 2000 + b'"')
        else:
            await runtime.respond(request_id, answer)
        if fault == "late next":
            await self.clock.sleep(10 * TIMEOUT_S)
        return Exit(status=0) if fault == "exit" else None

    async def stream(self, runtime: ScriptedRuntime, request_id: str, fault: str, answer: bytes) -> Exit | None:
        writer = await runtime.begin_stream(request_id)
        writer.write(chunk(answer[:3]))
        await self.clock.sleep(self.random.choice((0.0, 0.5)))
        if fault == "stream: exit":
            return Exit(status=1)
        if fault == "stream: hang":
            await self.clock.sleep(10 * TIMEOUT_S)
        if fault == "stream: cut off" and request_id in self.streamed:
            # Where it is gathered, nothing has come, and the next Next would have the event once more.
            runtime.close()
            return None
        if fault == "stream: large":
            writer.write(chunk(bytes(STREAM_MAX_BYTES)))
        writer.write(chunk(answer[3:]))
        await runtime.end_stream(ERROR_TRAILERS if fault == "stream: error" else "")
        return None

    # The callers' side -----------------------------------------------------------------------------------------------

    async def call(self, number: int) -> None:
        request_id = f"request-{number}"
        name = FunctionName(self.random.choice(FUNCTIONS))
        self.faults[request_id] = self.random.choice(FAULTS)
        wants_tail = self.random.random() < 0.3
        # Half of them in bursts.
        moment_s = self.random.uniform(0, 60)
        await self.clock.sleep(10.0 * round(moment_s / 10) if self.random.random() < 0.5 else moment_s)
        if self.random.random() < 0.15:
            self.clock.call_later(self.random.choice((0.0, 0.1, 0.5, 2.0)), partial(self.leave, request_id))
        wants_stream = self.random.random() < 0.5
        if wants_stream:
            self.streamed.add(request_id)
        version = await self.dispatcher.resolve(SCOPE, name, None)
        assert version is not None
        invocation = Invocation(request_id, "arn", b"{}", "Root=1", wants_tail=wants_tail, wants_stream=wants_stream)
        try:
            outcome = await self.read(await self.dispatcher.run(version, invocation))
        except Throttled:
            self.throttled.add(request_id)
            return
        except DependencyError:
            self.refused.add(request_id)
            return
        assert request_id not in self.outcomes
        self.outcomes[request_id] = outcome

    async def read(self, outcome: InvocationOutcome) -> InvocationOutcome:
        """Return an outcome as if it had not been streamed."""
        if outcome.stream is None:
            return outcome
        payload = b""
        try:
            async for piece in outcome.stream:
                payload += piece
        finally:
            outcome.stream.close()
        end = outcome.stream.end
        assert end is not None, "a stream that has no end"
        if end.error is not None and end.error.kind == "ServiceException":
            raise DependencyError(end.error_payload.decode(), retryable=True)
        return msgspec.structs.replace(outcome, payload=payload, error=end.error)

    def leave(self, request_id: str) -> None:
        """Have a caller go away, if it still waits."""
        call = self.calls[request_id]
        if not call.done():
            self.left.add(request_id)
            call.cancel()

    async def disturb(self) -> None:
        """Update functions now and then."""
        for number in range(1, 15):
            await self.clock.sleep(4)
            name = self.random.choice(FUNCTIONS)
            self.functions.update(name, f"{name}-{number}")

    def begin_calls(self) -> Mapping[str, "asyncio.Task[None]"]:
        self.calls = {f"request-{number}": asyncio.create_task(self.call(number)) for number in range(INVOCATIONS)}
        return self.calls

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let time pass in small steps, and what is ready happen between them."""
        for _ in range(STEPS_MAX):
            if condition():
                return
            for _ in range(6):
                await asyncio.sleep(0)
                self.check_limits()
            self.clock.advance(TICK_S)
            self.check_limits()
        raise AssertionError("it does not come to an end")

    async def run(self) -> None:
        retiring = asyncio.create_task(self.dispatcher.retire_old_deployments())
        calls = self.begin_calls()
        disturbing = asyncio.create_task(self.disturb())
        beside = [asyncio.create_task(work) for work in (self.shake(), self.keep("a", True), self.keep("b", False))]
        await self.until(lambda: disturbing.done() and all(call.done() for call in calls.values()))
        self.is_over = True
        for request_id, call in calls.items():
            assert call.cancelled() == (request_id in self.left)
            assert call.cancelled() or call.exception() is None, call.exception()
        await self.until(lambda: all(work.done() for work in beside))
        await self.until(lambda: self.pool.busy == 0)
        await self.until(lambda: self.pool.size == 0 and all(life.done() for life in self.lives))
        await self.pool.close(0)
        await self.parked.close()
        retiring.cancel()
        await asyncio.wait([retiring, disturbing])
        for work in (disturbing, *beside):
            assert work.exception() is None, work.exception()
        await self.logs.close()

    async def stop_in_the_middle(self) -> None:
        """Stop the server while everything is under way."""
        calls = self.begin_calls()
        keeping = asyncio.create_task(self.keep("a", True))
        moment_s = self.random.uniform(5, 55)
        await self.until(lambda: self.clock.monotonic() > moment_s)
        self.is_over = True
        await self.pool.close(0)
        await self.parked.close()
        started = len(self.lives)
        await self.until(lambda: keeping.done() and all(call.done() for call in calls.values()))
        assert len(self.lives) == started, "an environment was started after the end"
        for request_id, call in calls.items():
            assert call.cancelled() == (request_id in self.left)
            assert call.cancelled() or call.exception() is None, call.exception()
        assert keeping.exception() is None, keeping.exception()
        await self.logs.close()

    # What must hold --------------------------------------------------------------------------------------------------

    def check_limits(self) -> None:
        """Whatever happens, at any step."""
        assert self.pool.size <= ENVIRONMENTS_MAX
        assert 0 <= self.pool.busy <= self.pool.size
        assert self.in_flight(*RESERVED) <= sum(RESERVED.values())
        assert self.in_flight(*(set(FUNCTIONS) - RESERVED.keys())) <= CONCURRENCY_MAX - sum(RESERVED.values())
        assert self.used_mib() <= MEMORY_MIB - RESERVE_MIB - OTHERS_MIB[0], "more memory than admission may give"
        assert self.parked.size_mib <= PARKED_MIB
        assert self.parked.size <= 4
        assert all(count <= 1 for count in self.inside.values())
        frozen_by = self.clock.monotonic() - self.freeze_after_s - 2 * TICK_S
        assert all(since >= frozen_by for since in self.pool._idle._unfrozen.values()), "idle and not frozen"
        for life in self.lives:
            assert not life.done() or life.cancelled() or life.exception() is None, life.exception()

    def in_flight(self, *names: str) -> int:
        """Return how many invocations of these functions count."""
        account = self.dispatcher._slots.account(SCOPE, self.clock.monotonic())
        return sum(account.in_flight(FunctionName(name)) for name in names)

    def check_nothing_is_left(self) -> None:
        """No environment, no slot, no task, no failure that nobody saw."""
        assert self.sandbox.failures == []
        assert self.sandbox.environments == set(), "an environment was not released"
        assert (self.pool.size, self.parked.size, self.parked.parking, self.in_flight(*FUNCTIONS)) == (0, 0, 0, 0)
        assert self.pool._released == {}
        assert self.pool._kept == {}
        assert self.pool._memory._ending == self.pool._memory._promised == {}
        assert self.pool._waiting == {}
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def check_outcomes(self) -> None:
        """Each caller that stayed has one outcome, and it is that of its own invocation."""
        stayed = set(self.faults) - self.left - self.throttled - self.refused
        assert set(self.outcomes) == stayed
        assert all(count == 1 for count in self.delivered.values()), "an invocation ran twice"
        for request_id, outcome in self.outcomes.items():
            if outcome.error is None:
                assert outcome.payload == f'"{request_id}"'.encode()
                assert self.faults[request_id] not in {"error", "exit before answer", "hang", "large", *STREAM_FAULTS}
            elif outcome.error.error_type == "Runtime.ExitError" and self.delivered[request_id]:
                assert self.faults[request_id] in {"exit before answer", "stream: exit"}, (
                    "an environment that was lost blamed its function"
                )
            elif outcome.error.error_type == "Runtime.TruncatedResponse":
                assert self.faults[request_id] == "stream: cut off"
            if self.faults[request_id] in {"hang", "stream: hang"} and self.delivered[request_id]:
                assert outcome.error is not None

    async def check_log(self) -> None:
        """START, END and REPORT once for each invocation that was placed."""
        lines: Counter[tuple[str, str]] = Counter()
        for name in FUNCTIONS:
            events = await self.log_store.events(SCOPE, f"/aws/lambda/{name}", limit=1_000_000)
            for event in events:
                words = event.message.split()
                if words and words[0] in {"START", "END", "REPORT"}:
                    lines[(words[0], words[2])] += 1
        assert set(lines.values()) <= {1}
        kinds = [{request_id for kind, request_id in lines if kind == wanted} for wanted in ("START", "END", "REPORT")]
        assert kinds[0] == kinds[1] == kinds[2]
        assert set(self.outcomes) <= kinds[0] <= set(self.outcomes) | self.left | self.refused


def run(story: Coroutine[Any, Any, None]) -> None:
    """Run a story on the loop of servers. Python's own cannot take a connection whose server closes meanwhile."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_invocation_is_answered_and_every_slot_returns(seed: int, tmp_path: Path) -> None:
    """
    Whatever runtimes do: exits, hangs, failed and late inits, answers too large, a Next that never comes; and whatever
    the machine does: environments lost, one or all, slow and failing parks, memory that comes and goes.
    """

    async def story() -> None:
        simulation = Simulation(seed, tmp_path)
        await simulation.run()
        simulation.check_nothing_is_left()
        simulation.check_outcomes()
        await simulation.check_log()
        assert len(simulation.outcomes) > INVOCATIONS / 10, "hardly anything ran"
        assert simulation.kept, "nothing was kept initialised"

    run(story())


@pytest.mark.parametrize("seed", SEEDS[: len(SEEDS) // 2])
def test_a_stop_in_the_middle_answers_everyone_and_leaves_nothing(seed: int, tmp_path: Path) -> None:
    """Invocations in flight, calls that wait, environments that start, park and are kept."""

    async def story() -> None:
        simulation = Simulation(seed, tmp_path)
        await simulation.stop_in_the_middle()
        simulation.check_nothing_is_left()

    run(story())
