"""
Drives one execution environment: performs what its state machine decides, and feeds back what happens.

The warm path is three calls into the machine (invoke, response, next) with no task, no queue and no await
but the caller's own on one future.
"""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import msgspec

from lambent.access.function_credentials import EnvironmentCredentials, FunctionCredentials
from lambent.access.secrets import Credentials
from lambent.clock import Clock, TimerHandle
from lambent.domain.function import Deployment
from lambent.domain.invocation import EnvironmentFailure, FunctionError, Invocation, InvocationOutcome, StreamEnd
from lambent.domain.traced import CAUSE_MAX_BYTES, Failure, Ran
from lambent.errors.families import DependencyError
from lambent.execution import environment as machine
from lambent.execution.environment import EnvironmentMachine, EnvironmentState, InitFailure, describe_exit
from lambent.execution.output import EnvironmentOutput
from lambent.execution.parked import ParkedEnvironment, ParkedPool
from lambent.execution.starting import StartPlan, assignment, plan_start
from lambent.execution.streamed_response import StreamedResponse
from lambent.execution.trace_port import TracePort
from lambent.execution.variables import SNAP_START
from lambent.runtime_api import server as runtime_api
from lambent.runtime_api.contract import Inflow, NextCall, Post, RestoreCall, Verdict
from lambent.runtimes.contract import InvalidEntrypoint, Runtimes, RuntimeUnavailable
from lambent.sandbox import contract as sandbox_contract
from lambent.sandbox.contract import Sandbox, SandboxStartError
from lambent.store.contract import Packages
from lambent.telemetry import lines
from lambent.telemetry.figures import FunctionFigures
from lambent.telemetry.logs import FunctionLogs
from lambent.telemetry.traces import Traces

_log = logging.getLogger("lambent.execution")

_NEXT = machine.NextRequested()
_RESTORE_REQUESTED = machine.RestoreRequested()
_DEADLINE = machine.DeadlinePassed()
_STARTED = machine.RuntimeStarted()
_RETIRE = machine.Retire()
_STARTING: Final = frozenset(
    {
        EnvironmentState.NEW,
        EnvironmentState.INIT,
        EnvironmentState.INIT_FAILED,
        EnvironmentState.INIT_AHEAD,
        EnvironmentState.INIT_AGAIN,
    }
)
_KILLED: Final = describe_exit(None, signal.SIGKILL)

_STARTS_MAX: Final = 3
"""
How many parked environments a start may try. One that was parked ahead may have died with the sandbox's own process
since; nothing of the customer's runs before `assign` has returned.
"""

GATEWAY_INSIDE: Final = "http://127.0.0.1:4566"
"""The gateway as a function reaches it where its environment has a `gateway_listener`."""


class Closable(Protocol):
    """Something that serves until it is closed."""

    def close(self) -> None:
        """Stop. Idempotent."""
        ...


class InitialisationFailed(Exception):
    """An init without an invocation failed by the function's fault."""

    def __init__(self, failure: InitFailure) -> None:
        super().__init__(failure.error_type)
        self.failure = failure


class Surroundings(msgspec.Struct, frozen=True):
    """What every environment of a machine shares."""

    sandbox: Sandbox
    parked: ParkedPool
    """Parks by means of `sandbox`."""
    runtimes: Runtimes
    packages: Packages
    logs: FunctionLogs
    traces: Traces
    clock: Clock
    credentials: FunctionCredentials
    endpoint: Callable[[], str]
    """Returns the gateway's base URL as a function reaches it."""
    response_max_bytes: int
    stream_max_bytes: int
    """The most of a response that a runtime streams."""
    figures: FunctionFigures = msgspec.field(default_factory=FunctionFigures)
    """Where invocations are counted."""
    file_systems: Mapping[str, str] = {}
    """ARN to the directory of this machine that the operator offers for it."""
    serve_gateway: "Callable[[socket.socket, ExecutionEnvironment], Awaitable[Closable]] | None" = None
    """
    Serves the gateway on an environment's `gateway_listener`, which stays the sandbox's and may be closed meanwhile;
    what it returns is closed at the environment's end. A cancelled call leaves nothing open; OSError says that it
    cannot be served. None: functions reach the gateway at `endpoint`.
    """


class EnvironmentOwner(Protocol):
    """The pool, as an environment sees it."""

    def environment_starts(self, environment: "ExecutionEnvironment") -> None:
        """A process of the environment is about to be made, the first or, its init being repeated, another."""
        ...

    def environment_started(self, environment: "ExecutionEnvironment") -> None:
        """That process runs: from here on it takes the memory that it needs."""
        ...

    def environment_answered(self, environment: "ExecutionEnvironment") -> None:
        """The caller has its answer, and the runtime has not asked for the next event yet: about to be free."""
        ...

    def environment_free(self, environment: "ExecutionEnvironment") -> None:
        """The environment can take another invocation."""
        ...

    def environment_gone(self, environment: "ExecutionEnvironment") -> None:
        """The environment will take no more; its processes may still be ending."""
        ...


class ExecutionEnvironment:
    """
    One execution environment of one deployment. Also the `RuntimeEvents` of its Runtime API.

    `live` must be run as a task: it starts the runtime, waits for its end and cleans up.
    """

    def __init__(self, deployment: Deployment, surroundings: Surroundings, owner: EnvironmentOwner) -> None:
        self.deployment = deployment
        self.epoch = 0
        """Rises with every invocation placed here."""
        self.memory_peak_mib = 0
        """The most that it was seen to use; 0 before its first invocation was over."""
        self._around = surroundings
        self._owner = owner
        self._machine = EnvironmentMachine(deployment.configuration.timeout_s)
        self._answer: asyncio.Future[InvocationOutcome] | None = None
        self._deadline: TimerHandle | None = None
        self._shutdown: TimerHandle | None = None
        """Set once the runtime was asked to end: then comes the end."""
        self._next_call: NextCall | None = None
        self._sandboxed: sandbox_contract.Environment | None = None
        self._credentials: EnvironmentCredentials | None = None
        self._is_killed = False
        """Whether the process of now, or the one that was about to be, is to end."""
        self._is_frozen = False
        self._init_began = 0.0
        self._is_out_of_memory = False
        self._restart_wanted = False
        self._is_init_announced = False
        """Whether INIT_START is in the log. Observed: an init that is repeated has none of its own."""
        self._is_init_over = False
        """Whether the sandbox has been told, or is about to be, that the runtime has asked for work."""
        self._cpu_us = 0
        """Processor time that has been accounted for: what comes on top is the next invocation's."""
        self._initialising: asyncio.Future[None] | None = None
        self._is_ahead = False
        """Whether its init came before any invocation, which then has not waited for it."""
        # Also where nothing is kept for it: the runtime then runs the hooks that the function relies on.
        self._initialization_type = SNAP_START if deployment.is_snap_started else "on-demand"
        self._restore_call: RestoreCall | None = None
        self._inflow: Inflow | None = None
        """Where the response that begins comes in."""
        self._stream: StreamedResponse | None = None
        """The response whose beginning the caller has."""
        self._streamed_bytes = 0
        """Of the invocation that runs."""
        self._invocation: Invocation | None = None
        """The one placed last. The machine forgets its own before the commands that log its end are performed."""
        self._output = EnvironmentOutput(deployment, surroundings.logs, surroundings.runtimes, surroundings.clock)
        self._trace_port = TracePort(deployment.scope, deployment.name, surroundings.traces, surroundings.clock)
        self._init_ended = self._restore_ended = 0.0
        """In seconds since the epoch."""
        self._failure: Failure | None = None
        """Why the function failed, as its runtime said; of a sampled invocation alone."""
        self._counts = surroundings.figures.of(deployment.scope, deployment.name)

    def trace_header(self) -> str | None:
        """Return the trace header of the invocation that occupies it, None while none does."""
        invocation = self._machine.invocation
        return None if invocation is None else invocation.trace_header

    @property
    def credentials_id(self) -> str:
        """Its id, as its credentials have it; empty before it lives."""
        return "" if self._credentials is None else self._credentials.environment

    @property
    def is_starting(self) -> bool:
        """Whether its runtime has not asked for work yet."""
        return self._machine.state in _STARTING

    @property
    def is_new(self) -> bool:
        """Whether nothing of it has been started yet."""
        return self._machine.state is EnvironmentState.NEW

    # Called by the pool ------------------------------------------------------------------------------------------

    def invoke(self, invocation: Invocation) -> "asyncio.Future[InvocationOutcome]":
        """
        Place an invocation. The environment must be new or idle.

        The future fails with DependencyError when the sandbox or Lambent failed, and not the function.
        """
        answer: asyncio.Future[InvocationOutcome] = asyncio.get_running_loop().create_future()
        self._answer = answer
        self._invocation = invocation
        self._output.begin_tail(invocation.wants_tail)
        self._handle(machine.Invoke(invocation))
        return answer

    def initialise(self, limit_s: float, initialization_type: str) -> "asyncio.Future[None]":
        """
        Have a new environment run its init without an invocation; it is free afterwards.

        The future fails with InitialisationFailed, or with DependencyError when it was not the function's fault.

        Args:
            limit_s: how long init may take.
            initialization_type: what the function finds in AWS_LAMBDA_INITIALIZATION_TYPE.
        """
        self._initialising = asyncio.get_running_loop().create_future()
        self._is_ahead = True
        self._initialization_type = initialization_type
        self._handle(machine.Initialise(limit_s, is_snapshot=initialization_type == SNAP_START))
        return self._initialising

    def freeze(self) -> None:
        """Stop the idle environment's processes from running."""
        if self._sandboxed is not None and self._machine.state is EnvironmentState.IDLE and not self._is_frozen:
            self._is_frozen = True
            self._around.sandbox.freeze(self._sandboxed)

    def thaw(self) -> None:
        """Let the environment run again."""
        self._is_frozen = False
        if self._sandboxed is not None:
            self._around.sandbox.thaw(self._sandboxed)

    def retire(self, *, at_once: bool = False) -> None:
        """
        End the environment: now when it is idle, after its invocation when it is busy.

        Its place is free from then on. The runtime is asked to end and has a moment for that, unless an idle one has to
        go `at_once`.
        """
        self._handle(machine.Retire(at_once=True) if at_once else _RETIRE)

    async def live(self) -> None:
        """Start the runtime, serve it until it ends, start it again where init is repeated; then clean up."""
        try:
            await self._live_once()
            while self._restart_wanted:
                self._restart_wanted = self._is_killed = False
                self._owner.environment_starts(self)
                await self._live_once()
        finally:
            self._cancel_deadline()
            if self._credentials is not None:
                # Its processes have ended: whoever goes on with what they had has nothing.
                self._credentials.end()

    def abandon(self) -> None:
        """Give up after a failure of ours: the caller gets an answer, the slot returns."""
        self._cancel_deadline()
        self._owner.environment_gone(self)
        for waiting in (self._answer, self._initialising):
            if waiting is not None and not waiting.done():
                waiting.set_exception(DependencyError("the execution environment failed", retryable=True))
        self._break_stream("the execution environment failed")

    # The life of the process -------------------------------------------------------------------------------------

    async def _live_once(self) -> None:
        """Start the runtime in an environment of its own and see it through to its end."""
        around = self._around
        try:
            self._credentials = self._credentials or await around.credentials.begin(self.deployment)
        except DependencyError as error:
            self._lost(f"the execution role could not be looked up: {error}")
            return
        try:
            plan = await plan_start(
                self.deployment, around.sandbox, around.runtimes, around.packages, around.file_systems
            )
        except InvalidEntrypoint as error:
            self._announce_init()
            self._handle(machine.StartFailed(EnvironmentFailure.INVALID_ENTRYPOINT, str(error)))
            return
        except RuntimeUnavailable as error:
            _log.error("environment.start_failed function=%s reason=%s", self.deployment.name, error)
            self._handle(machine.StartFailed(EnvironmentFailure.SANDBOX_FAILED, str(error)))
            return
        except (DependencyError, OSError) as error:
            self._lost(f"the package could not be had: {error}")
            return
        for attempt in range(1, _STARTS_MAX + 1):
            try:
                parked = await around.parked.take(plan.kind)
            except (DependencyError, OSError) as error:
                self._lost(f"the sandbox could not be started: {error}")
                return
            if parked.ended.done() and attempt < _STARTS_MAX:
                around.parked.end(parked)
            elif not await self._live_in(parked, plan, attempt):
                return

    async def _live_in(self, parked: ParkedEnvironment, plan: StartPlan, attempt: int) -> bool:
        """Become what a parked environment is to be, until its end. Return whether another is worth a try."""
        around, sandbox = self._around, self._around.sandbox
        self._sandboxed = sandboxed = parked.environment
        self._cpu_us = parked.cpu_us
        self._is_init_over = self._is_frozen = self._is_out_of_memory = False
        opened: list[Closable] = []
        try:
            opened.append(
                await runtime_api.serve(
                    sandboxed.runtime_listener, self, around.response_max_bytes, around.stream_max_bytes
                )
            )
            if self._is_killed:
                self._handle(machine.Exited(_KILLED))
                return False
            self._output.attach(sandboxed.output)
            self._trace_port.attach(sandboxed.trace_port)
            self._announce_init()
            self._init_began = around.clock.monotonic()
            self._handle(_STARTED)
            try:
                await sandbox.assign(sandboxed, self._assignment(plan))
            except DependencyError as error:
                if attempt == _STARTS_MAX or self._is_killed:
                    raise
                _log.warning("environment.start_again function=%s reason=%s", self.deployment.name, error)
                return True
            self._owner.environment_started(self)
            if self._machine.state is not EnvironmentState.IDLE:
                sandbox.watch(sandboxed, True)
            # Killed while it started, as when init fails at once, it has no listener any more.
            if not self._is_killed and around.serve_gateway is not None and sandboxed.gateway_listener is not None:
                # Not before the runtime starts: whoever calls early waits in the listener's backlog.
                opened += await self._open_gateway(around.serve_gateway(sandboxed.gateway_listener, self))
            # Shielded: who is cancelled here must not take for ended what is not.
            exit_ = await asyncio.shield(parked.ended)
            self._output.read(flush=True)
            self._next_call = None
            self._is_out_of_memory = exit_.out_of_memory
            if exit_.is_lost:
                self._lost("the sandbox failed")
            else:
                self._handle(machine.Exited(describe_exit(exit_.status, exit_.signal)))
        except SandboxStartError as error:
            self._handle(machine.StartFailed(EnvironmentFailure.INVALID_ENTRYPOINT, str(error)))
        except (DependencyError, OSError) as error:
            self._lost(f"the sandbox could not be started: {error}")
        finally:
            self._output.detach()
            self._trace_port.detach()
            self._sandboxed = None
            if self._shutdown is not None:
                self._shutdown.cancel()
            around.parked.end(parked)
            for server in opened:
                server.close()
        return False

    def _announce_init(self) -> None:
        if not self._is_init_announced:
            self._is_init_announced = True
            self._output.init_start(self._initialization_type)

    async def _open_gateway(self, opening: Awaitable[Closable]) -> list[Closable]:
        """Return what is served once it is; nothing where the environment has been killed under it."""
        try:
            return [await opening]
        except OSError:
            if self._is_killed:
                # The listener went with it. What that was for is about to be told, and is not this.
                return []
            raise

    def _assignment(self, plan: StartPlan) -> sandbox_contract.Assignment:
        sandboxed, around, credentials = self._sandboxed, self._around, self._credentials
        assert sandboxed is not None and credentials is not None
        has_own_door = sandboxed.gateway_listener is not None and around.serve_gateway is not None
        return assignment(
            plan,
            self.deployment,
            sandboxed,
            credentials,
            log_stream=self._output.stream_name,
            endpoint=GATEWAY_INSIDE if has_own_door else around.endpoint(),
            initialization_type=self._initialization_type,
        )

    def _lost(self, reason: str) -> None:
        _log.error("environment.lost function=%s reason=%s", self.deployment.name, reason)
        self._handle(machine.Lost(reason))

    # RuntimeEvents: called by the Runtime API --------------------------------------------------------------------

    def next_requested(self, call: NextCall) -> Verdict:
        if not self._machine.accepts_next():
            return Verdict.INVALID_STATE
        self._next_call = call
        self._note_init_over()
        self._handle(_NEXT)
        return Verdict.ACCEPTED

    def restore_requested(self, call: RestoreCall) -> Verdict:
        if not self._machine.accepts_restore():
            return Verdict.INVALID_STATE
        self._restore_call = call
        if self._machine.state is EnvironmentState.INIT_AHEAD:
            self._note_init_over()
        self._handle(_RESTORE_REQUESTED)
        return Verdict.ACCEPTED

    def restore_error_posted(self, post: Post) -> Verdict:
        if not self._machine.accepts_restore_error():
            return Verdict.INVALID_STATE
        self._handle(machine.RestoreErrorPosted(_error_payload(post), lines.reported_error_type(_error_type(post))))
        return Verdict.ACCEPTED

    def credentials_requested(self, token: str) -> Credentials | None:
        return None if self._credentials is None else self._credentials.refresh(token)

    def _note_init_over(self) -> None:
        if not self._is_init_over:
            self._is_init_over = True
            phase = "invoke" if self._machine.state is EnvironmentState.INIT_AGAIN else "init"
            self._output.init_done((self._around.clock.monotonic() - self._init_began) * 1000, phase)
            self._init_ended = self._around.clock.now()
            # Not now: the event that is about to be handed over leaves first. But before the pool freezes anything.
            self._around.clock.call_later(0, self._end_init)

    def _end_init(self) -> None:
        if self._sandboxed is not None:
            self._around.sandbox.end_init(self._sandboxed)

    def response_posted(self, request_id: str, post: Post) -> Verdict:
        if not self._machine.is_pending(request_id):
            return Verdict.INVALID_REQUEST_ID
        self._handle(machine.ResponsePosted(post.body, post.content_type))
        return Verdict.ACCEPTED

    def response_too_large(self, request_id: str, limit_bytes: int) -> Verdict:
        if not self._machine.is_pending(request_id) and not self._machine.is_streaming(request_id):
            return Verdict.INVALID_REQUEST_ID
        self._note_failure(Failure(EnvironmentFailure.RESPONSE_TOO_LARGE.value, f"more than {limit_bytes} bytes"))
        self._handle(machine.ResponseTooLarge(limit_bytes))
        return Verdict.TOO_LARGE

    def response_begun(self, request_id: str, content_type: str, inflow: Inflow) -> bool:
        if not self._machine.is_pending(request_id):
            return False
        invocation = self._machine.invocation
        assert invocation is not None
        if not invocation.wants_stream:
            return False
        self._inflow = inflow
        self._handle(machine.ResponseBegun(content_type))
        return True

    def response_piece(self, request_id: str, piece: bytes) -> None:
        if self._stream is not None and self._machine.is_streaming(request_id):
            self._streamed_bytes += len(piece)
            self._stream.write(piece)

    def response_ended(self, request_id: str) -> Verdict:
        if not self._machine.is_streaming(request_id):
            return Verdict.INVALID_REQUEST_ID
        self._handle(machine.ResponseEnded())
        return Verdict.ACCEPTED

    def response_broken(self, request_id: str) -> None:
        if self._machine.is_pending(request_id) or self._machine.is_streaming(request_id):
            self._handle(machine.ResponseBroken())

    def error_posted(self, request_id: str, post: Post) -> Verdict:
        if not self._machine.is_pending(request_id) and not self._machine.is_streaming(request_id):
            return Verdict.INVALID_REQUEST_ID
        if self._is_traced:
            self._note_failure(_failure(post))
        self._handle(machine.ErrorPosted(_error_payload(post), _error_type(post)))
        return Verdict.ACCEPTED

    def init_error_posted(self, post: Post) -> Verdict:
        if not self._machine.accepts_init_error():
            return Verdict.INVALID_STATE
        self._handle(machine.InitErrorPosted(_error_payload(post), lines.reported_error_type(_error_type(post))))
        return Verdict.ACCEPTED

    # Performing commands -----------------------------------------------------------------------------------------

    def _handle(self, event: machine.Event) -> None:
        for command in self._machine.handle(event, self._around.clock.monotonic()):
            _PERFORM[type(command)](self, command)

    def _start_runtime(self, command: machine.StartRuntime) -> None:
        # The first start is the task `live` itself, which the pool begins; a repeated one is its next round.
        self._restart_wanted = command.again

    def _set_deadline(self, command: machine.SetDeadline) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._around.clock.call_later(command.seconds, self._deadline_passed)

    def _deadline_passed(self) -> None:
        self._deadline = None
        self._handle(_DEADLINE)

    def _clear_deadline(self, command: machine.ClearDeadline) -> None:
        self._cancel_deadline()

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _log_start(self, command: machine.LogStart) -> None:
        assert self._invocation is not None
        if self._invocation.tracing is not None:
            self._failure = None
            self._trace_port.open()
        self._output.start(self._invocation)
        if self._sandboxed is not None:
            self._around.sandbox.watch(self._sandboxed, True)

    def _deliver(self, command: machine.Deliver) -> None:
        invocation, call = self._machine.invocation, self._next_call
        assert invocation is not None
        if self._is_frozen:
            self.thaw()
        # None: the runtime's connection went while it was idle; its next GET has the event delivered again.
        if call is not None:
            call.deliver(invocation, int((self._around.clock.now() + command.remaining_s) * 1000))

    def _log_restore_start(self, command: machine.LogRestoreStart) -> None:
        self._output.restore_start()

    def _restore(self, command: machine.Restore) -> None:
        if self._is_frozen:
            self.thaw()
        call, self._restore_call = self._restore_call, None
        # None: it was answered, or its connection went and the runtime asks again.
        if call is not None:
            call.restored()

    def _log_restore_report(self, command: machine.LogRestoreReport) -> None:
        self._output.read()
        self._output.restore_report(command)
        self._restore_ended = self._around.clock.now()

    def _restore_failed(self, command: machine.RestoreFailed) -> None:
        answer, self._answer = self._answer, None
        self._output.take_tail()
        if answer is not None and not answer.done():
            answer.set_result(InvocationOutcome(b"", self.deployment.version, restore_failure=command.failure))

    def _log_init_report(self, command: machine.LogInitReport) -> None:
        self._output.read()
        self._output.init_report(command)

    def _log_line(self, command: machine.LogLine) -> None:
        self._output.read()
        self._output.crash(command.text)

    def _log_timeout(self, command: machine.LogTimeout) -> None:
        assert self._invocation is not None
        self._output.read()
        self._output.timeout(self._invocation)

    def _log_end(self, command: machine.LogEnd) -> None:
        assert self._invocation is not None
        answered = 0.0
        if self._invocation.tracing is not None:
            answered = self._around.clock.now()
            # What it has sent comes before the news that it has ended, and before it is frozen.
            self._trace_port.read()
        self._output.read(flush=True)
        memory_mib = self.deployment.configuration.memory_mib
        peak_mib, cpu_us = 1, 0
        if self._sandboxed is not None:
            self._around.sandbox.watch(self._sandboxed, False)
            # One look for each invocation: what ran since the last is this one's: an idle one is soon frozen.
            stats = self._around.sandbox.stats(self._sandboxed)
            # The kernel may have counted less at the moment when it refused the rest, or know nothing any more.
            peak_mib = memory_mib if self._is_out_of_memory else min(stats.memory_peak_mib, memory_mib)
            cpu_us, self._cpu_us = max(0, stats.cpu_us - self._cpu_us), stats.cpu_us
        self.memory_peak_mib = peak_mib
        start_ms = command.restore_ms
        if start_ms is None and not self._is_ahead:
            start_ms = command.init_ms
        self._counts.ended(command.duration_ms, start_ms, has_failed=command.has_failed)
        streamed_bytes, self._streamed_bytes = self._streamed_bytes, 0
        self._output.end(self._invocation, command, peak_mib, cpu_us, streamed_bytes)
        if answered:
            self._leave_trace(self._invocation, command, answered)

    @property
    def _is_traced(self) -> bool:
        return self._invocation is not None and self._invocation.tracing is not None

    def _note_failure(self, failure: Failure) -> None:
        if self._is_traced:
            self._failure = failure

    def _leave_trace(self, invocation: Invocation, end: machine.LogEnd, answered: float) -> None:
        """Leave what the function did with a sampled invocation."""
        tracing, clock = invocation.tracing, self._around.clock
        assert tracing is not None
        failure = self._failure
        if end.status:
            timeout_s = self.deployment.configuration.timeout_s
            failure = (
                Failure(EnvironmentFailure.TIMED_OUT.value, f"Task timed out after {timeout_s:.2f} seconds")
                if end.status == "timeout"
                else Failure(end.error_type, "")
            )
        began = answered - end.duration_ms / 1000
        init = restore = None
        # Assumed: an init that ran ahead of the request is none of its trace, which would begin hours before it
        # (test_driver).
        if end.init_ms is not None and self._init_ended >= tracing.began:
            init = (self._init_ended - end.init_ms / 1000, self._init_ended)
        if end.restore_ms is not None:
            restore = (self._restore_ended - end.restore_ms / 1000, self._restore_ended)
        self._around.traces.add(
            Ran(
                self.deployment.scope,
                self.deployment.name,
                self.deployment.configuration.log_group,
                tracing.trace_id,
                tracing.id,
                tracing.parent_id,
                tracing.invocation_id,
                began,
                answered,
                clock.now(),
                init,
                restore,
                failure,
            )
        )

    def _begin_answer(self, command: machine.BeginAnswer) -> None:
        answer, self._answer = self._answer, None
        inflow, self._inflow = self._inflow, None
        assert answer is not None and inflow is not None
        self._stream = stream = StreamedResponse(inflow)
        if answer.done():
            # The caller was cancelled. What it asked for goes on, and nobody reads it.
            stream.close()
            return
        answer.set_result(
            InvocationOutcome(b"", self.deployment.version, content_type=command.content_type, stream=stream)
        )

    def _answer_caller(self, command: machine.Answer) -> None:
        answer, self._answer = self._answer, None
        tail = self._output.take_tail()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.finish(StreamEnd(command.error, command.payload, tail))
        else:
            assert answer is not None
            if not answer.done():
                answer.set_result(
                    InvocationOutcome(
                        payload=command.payload,
                        executed_version=self.deployment.version,
                        error=command.error,
                        content_type=command.content_type,
                        log_tail=tail,
                    )
                )
        if self._machine.state is EnvironmentState.RESPONDED:
            self._owner.environment_answered(self)

    def _refuse_caller(self, command: machine.Refuse) -> None:
        answer, self._answer = self._answer, None
        self._output.take_tail()
        self._break_stream(command.reason)
        # None: the response came before the loss, and with it the answer.
        if answer is not None and not answer.done():
            answer.set_exception(DependencyError(command.reason, retryable=True))

    def _break_stream(self, reason: str) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            # Assumed: what AWS says where the fault is its own is nowhere published; revisit test_driver.py.
            stream.finish(StreamEnd(FunctionError(kind="ServiceException"), reason.encode()))

    def _initialised(self, command: machine.Initialised) -> None:
        if self._sandboxed is not None:
            # Nothing runs in it until an invocation comes.
            self._around.sandbox.watch(self._sandboxed, False)
        waiting, self._initialising = self._initialising, None
        if waiting is None or waiting.done():
            return
        if command.failure is None:
            waiting.set_result(None)
        elif command.failure.is_lost:
            waiting.set_exception(DependencyError("the execution environment was lost", retryable=True))
        else:
            waiting.set_exception(InitialisationFailed(command.failure))

    def _kill(self, command: machine.Kill) -> None:
        if self._machine.state is EnvironmentState.INIT_FAILED:
            # Before its memory is free: what init takes when it is repeated is not there for others.
            self._owner.environment_starts(self)
        self._is_killed = True
        if self._sandboxed is not None:
            self._around.sandbox.kill(self._sandboxed)

    def _shut_down(self, command: machine.ShutDown) -> None:
        self._is_frozen = False
        if self._sandboxed is not None:
            # What it does then, no invocation has its memory watched for.
            self._around.sandbox.watch(self._sandboxed, True)
            self._around.sandbox.terminate(self._sandboxed)
            self._shutdown = self._around.clock.call_later(machine.SHUTDOWN_S, self._shutdown_over)

    def _shutdown_over(self) -> None:
        self._kill(machine.Kill())

    def _free(self, command: machine.Free) -> None:
        self._owner.environment_free(self)

    def _gone(self, command: machine.Gone) -> None:
        self._cancel_deadline()
        self._owner.environment_gone(self)


_E = ExecutionEnvironment
_PERFORM: dict[type, Callable[[ExecutionEnvironment, object], None]] = {
    machine.StartRuntime: _E._start_runtime,  # type: ignore[dict-item]
    machine.SetDeadline: _E._set_deadline,  # type: ignore[dict-item]
    machine.ClearDeadline: _E._clear_deadline,  # type: ignore[dict-item]
    machine.LogStart: _E._log_start,  # type: ignore[dict-item]
    machine.LogRestoreStart: _E._log_restore_start,  # type: ignore[dict-item]
    machine.Restore: _E._restore,  # type: ignore[dict-item]
    machine.LogRestoreReport: _E._log_restore_report,  # type: ignore[dict-item]
    machine.RestoreFailed: _E._restore_failed,  # type: ignore[dict-item]
    machine.Deliver: _E._deliver,  # type: ignore[dict-item]
    machine.LogInitReport: _E._log_init_report,  # type: ignore[dict-item]
    machine.LogLine: _E._log_line,  # type: ignore[dict-item]
    machine.LogTimeout: _E._log_timeout,  # type: ignore[dict-item]
    machine.LogEnd: _E._log_end,  # type: ignore[dict-item]
    machine.BeginAnswer: _E._begin_answer,  # type: ignore[dict-item]
    machine.Answer: _E._answer_caller,  # type: ignore[dict-item]
    machine.Refuse: _E._refuse_caller,  # type: ignore[dict-item]
    machine.Initialised: _E._initialised,  # type: ignore[dict-item]
    machine.Kill: _E._kill,  # type: ignore[dict-item]
    machine.ShutDown: _E._shut_down,  # type: ignore[dict-item]
    machine.Free: _E._free,  # type: ignore[dict-item]
    machine.Gone: _E._gone,  # type: ignore[dict-item]
}


class _ErrorBody(msgspec.Struct):
    errorType: str = ""
    errorMessage: str = ""
    errorCause: msgspec.Raw = msgspec.Raw()


_MESSAGE_MAX = 1024
"""Of an error's message that its trace holds. Assumed."""

_CAUSE_TYPE = "application/vnd.aws.lambda.error.cause+json"


def _error_type(post: Post) -> str:
    """Return the header's error type, else the body's: official clients leave the header out for handler errors."""
    if post.error_type:
        return post.error_type
    try:
        return msgspec.json.decode(post.body, type=_ErrorBody).errorType
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def _error_payload(post: Post) -> bytes:
    """Return what the caller gets of a posted error; a cause for tracing is split off."""
    if not post.content_type.startswith(_CAUSE_TYPE):
        return post.body
    try:
        body = msgspec.json.decode(post.body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Observed: what the service's own emulator answers for a body of this type that it cannot read.
        return b'"Invalid error body"'
    body.pop("errorCause", None)
    return msgspec.json.encode(body)


def _failure(post: Post) -> Failure:
    """Return what a trace says of a posted error. The cause comes in a header, or in a body of its own type."""
    body = _ErrorBody()
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        body = msgspec.json.decode(post.body, type=_ErrorBody)
    cause = post.cause
    if not cause and post.content_type.startswith(_CAUSE_TYPE):
        cause = bytes(body.errorCause).decode("utf-8", "replace")
    # Not kept beyond that: it waits in memory for its turn, and would not be used.
    return Failure(
        post.error_type or body.errorType,
        body.errorMessage[:_MESSAGE_MAX],
        cause if len(cause) <= CAUSE_MAX_BYTES else "",
    )
