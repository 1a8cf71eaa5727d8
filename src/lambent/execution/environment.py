"""
The states of one execution environment, without I/O.

`EnvironmentMachine.handle(event, now)` returns what is to be done; `driver.py` does it. The table at the
end of this file holds every legal pair of state and event; any other pair is a bug and raises.

Source: Lambda developer guide, execution environment life cycle; recorded answers of the service for texts.
"""

import enum
from collections.abc import Callable
from typing import Any

import msgspec

from lambent.domain.invocation import EnvironmentFailure, FunctionError, Invocation, RestoreFailure

SHUTDOWN_S = 0.5
"""
How long a runtime that was asked to end may take.

Documented: Lambda developer guide, shutdown phase, of functions with internal extensions. AWS asks no others; here all
are, since there are no extensions and functions that close their connections want to be asked.
"""

INIT_LIMIT_S = 10.0
"""
How long the init phase may take before it is repeated inside the invocation.

Documented: Lambda developer guide, init phase.
"""


RESTORE_LIMIT_S = 10.0
"""
How long the hooks after a restore may take. Documented: Lambda developer guide, SnapStart runtime hooks.
"""


class EnvironmentState(enum.Enum):
    """Where an environment stands."""

    NEW = "new"
    """Nothing has been started."""
    INIT = "init"
    """The runtime starts and loads the function; an invocation waits for it."""
    INIT_FAILED = "init_failed"
    """Init went wrong; the runtime's process is about to end, then init is repeated inside the invocation."""
    INIT_AHEAD = "init_ahead"
    """Init without an invocation, for an environment that is to be kept; whoever asked for it waits."""
    INIT_AGAIN = "init_again"
    """Init repeated inside the invocation, bound by the function's timeout and billed with it."""
    IDLE = "idle"
    """The runtime has asked for work and there is none."""
    RESTORING = "restoring"
    """An invocation waits for the hooks that the function wants to run after a restore."""
    RUNNING = "running"
    """An invocation has been delivered, no response has come."""
    STREAMING = "streaming"
    """A response is coming in piece by piece, and its caller has what is there."""
    RESPONDED = "responded"
    """The response is here; the runtime has not asked for the next event yet, so the invocation still counts."""
    ENDING = "ending"
    """Killed on purpose, or asked to end; its processes are about to be gone. Nothing can be pending."""
    DEAD = "dead"
    """Gone."""


# Events: what happened -------------------------------------------------------------------------------------------


class Invoke(msgspec.Struct, frozen=True):
    """An invocation was placed here."""

    invocation: Invocation


class Initialise(msgspec.Struct, frozen=True):
    """Init is to run now, without an invocation, within so many seconds."""

    limit_s: float
    is_snapshot: bool = False
    """Whether what it leaves counts as a snapshot: the first invocation restores it."""


class RuntimeStarted(msgspec.Struct, frozen=True):
    """Package and runtime are at hand and the process starts now: what came before is not billed."""


class NextRequested(msgspec.Struct, frozen=True):
    """The runtime asks for work."""


class RestoreRequested(msgspec.Struct, frozen=True):
    """The runtime has run the hooks before a snapshot, and asks to be told when it is restored."""


class RestoreErrorPosted(msgspec.Struct, frozen=True):
    """The runtime reported that a hook after the restore failed."""

    payload: bytes
    error_type: str


class ResponsePosted(msgspec.Struct, frozen=True):
    """The runtime answered the pending invocation."""

    payload: bytes
    content_type: str


class ResponseBegun(msgspec.Struct, frozen=True):
    """The runtime has begun to stream its response, to a caller that takes it so."""

    content_type: str


class ResponseEnded(msgspec.Struct, frozen=True):
    """The streamed response is whole."""


class ResponseBroken(msgspec.Struct, frozen=True):
    """The connection of a response, streamed or not, ended before the response did."""


class ErrorPosted(msgspec.Struct, frozen=True):
    """The runtime reported that the handler failed, maybe in the midst of a streamed response."""

    payload: bytes
    error_type: str


class ResponseTooLarge(msgspec.Struct, frozen=True):
    """The runtime posted more than an answer may hold."""

    limit_bytes: int


class InitErrorPosted(msgspec.Struct, frozen=True):
    """The runtime reported that the function could not be loaded."""

    payload: bytes
    error_type: str


class StartFailed(msgspec.Struct, frozen=True):
    """The runtime could not be started at all."""

    failure: EnvironmentFailure
    message: str


class Exited(msgspec.Struct, frozen=True):
    """The runtime's process is gone. `description` is AWS's wording, see `describe_exit`."""

    description: str


class Lost(msgspec.Struct, frozen=True):
    """The sandbox failed, at its start or later: nothing that the function did. `reason` is for whoever waits."""

    reason: str


class DeadlinePassed(msgspec.Struct, frozen=True):
    """The deadline that was set last has come."""


class Retire(msgspec.Struct, frozen=True):
    """The environment is not wanted any more; what runs may finish."""

    at_once: bool = False
    """Whether an idle one has to go without a shutdown phase: somebody waits for its memory."""


Event = (
    Invoke
    | Initialise
    | RuntimeStarted
    | NextRequested
    | RestoreRequested
    | RestoreErrorPosted
    | ResponsePosted
    | ResponseBegun
    | ResponseEnded
    | ResponseBroken
    | ErrorPosted
    | ResponseTooLarge
    | InitErrorPosted
    | StartFailed
    | Exited
    | Lost
    | DeadlinePassed
    | Retire
)


# Commands: what is to be done -----------------------------------------------------------------------------------


class StartRuntime(msgspec.Struct, frozen=True):
    """Start the runtime's process, once more if it ran before."""

    again: bool


class SetDeadline(msgspec.Struct, frozen=True):
    """Report DeadlinePassed after so many seconds; replaces the deadline before."""

    seconds: float


class ClearDeadline(msgspec.Struct, frozen=True):
    """Forget the deadline."""


class LogStart(msgspec.Struct, frozen=True):
    """Write the START line."""


class LogRestoreStart(msgspec.Struct, frozen=True):
    """Write the RESTORE_START line."""


class Restore(msgspec.Struct, frozen=True):
    """Answer the runtime's open request to be told of the restore."""


class LogRestoreReport(msgspec.Struct, frozen=True):
    """Write the RESTORE_REPORT line; `status` is empty when all went well."""

    restore_ms: float
    status: str = ""
    error_type: str = ""


class Deliver(msgspec.Struct, frozen=True):
    """Hand the pending invocation to the runtime's open Next call, with the seconds that it has left."""

    remaining_s: float


class LogInitReport(msgspec.Struct, frozen=True):
    """Write the INIT_REPORT line of an init that failed."""

    init_ms: float
    phase: str
    status: str
    error_type: str


class LogLine(msgspec.Struct, frozen=True):
    """Write one platform line; `timeout` lines carry the time and request id in front."""

    text: str


class LogTimeout(msgspec.Struct, frozen=True):
    """Write the line `Task timed out`."""


class LogEnd(msgspec.Struct, frozen=True):
    """Read what is left in the pipe, then write END and REPORT."""

    duration_ms: float
    init_ms: float | None
    status: str
    error_type: str
    restore_ms: float | None = None
    is_error: bool = False
    """Whether the answer was an error. REPORT says nothing of it where the runtime lives on."""

    @property
    def has_failed(self) -> bool:
        """Whether the invocation counts as an error."""
        return self.is_error or bool(self.status)


class RestoreFailed(msgspec.Struct, frozen=True):
    """Tell the caller that the handler did not run."""

    failure: RestoreFailure


class BeginAnswer(msgspec.Struct, frozen=True):
    """Give the caller the beginning of a streamed response. `Answer` or `Refuse` ends it."""

    content_type: str


class Answer(msgspec.Struct, frozen=True):
    """Give the caller the outcome; where the answer has begun, only how it ended."""

    payload: bytes
    content_type: str
    error: FunctionError | None


class Refuse(msgspec.Struct, frozen=True):
    """Tell the caller that the invocation was lost, and that it was not the function's fault."""

    reason: str


class Initialised(msgspec.Struct, frozen=True):
    """Tell whoever asked for the init what came of it."""

    failure: "InitFailure | None" = None


class InitFailure(msgspec.Struct, frozen=True):
    """Why an init without an invocation failed."""

    error_type: str
    """E.g. `Runtime.ExitError` or what the runtime reported; empty for a timeout."""
    payload: bytes
    """JSON, what the caller of an invocation would have got."""
    is_lost: bool = False
    """Whether the sandbox failed, and not the function."""


class Kill(msgspec.Struct, frozen=True):
    """End all processes of the environment."""


class ShutDown(msgspec.Struct, frozen=True):
    """Ask the runtime to end, and end all processes once it has had its time for that."""


class Free(msgspec.Struct, frozen=True):
    """The slot returns: the environment can take another invocation."""


class Gone(msgspec.Struct, frozen=True):
    """The slot returns broken, or the idle environment has ended: forget it."""


Command = (
    StartRuntime
    | SetDeadline
    | ClearDeadline
    | LogStart
    | LogRestoreStart
    | Restore
    | LogRestoreReport
    | RestoreFailed
    | Deliver
    | BeginAnswer
    | LogInitReport
    | LogLine
    | LogTimeout
    | LogEnd
    | Answer
    | Refuse
    | Initialised
    | Kill
    | ShutDown
    | Free
    | Gone
)

_CLEAR = ClearDeadline()
_START_LINE = LogStart()
_KILL = Kill()
_SHUT_DOWN = ShutDown()
_FREE = Free()
_GONE = Gone()
_TIMEOUT_LINE = LogTimeout()
_INITIALISED = Initialised()
_RESTORE_LINE = LogRestoreStart()
_RESTORE = Restore()

_SIGNAL_NAMES = {
    1: "hangup",
    2: "interrupt",
    3: "quit",
    4: "illegal instruction",
    5: "trace/breakpoint trap",
    6: "aborted",
    7: "bus error",
    8: "floating point exception",
    9: "killed",
    10: "user defined signal 1",
    11: "segmentation fault",
    12: "user defined signal 2",
    13: "broken pipe",
    14: "alarm clock",
    15: "terminated",
    24: "CPU time limit exceeded",
    25: "file size limit exceeded",
    31: "bad system call",
}


def describe_exit(status: int | None, signal: int | None) -> str:
    """
    Put a process's end in AWS's words.

    Observed: `Runtime exited with error: exit status 127`, `... signal: killed`, and
    `Runtime exited without providing a reason` for status 0 (recorded answers of the service).
    """
    if signal is not None:
        return f"Runtime exited with error: signal: {_SIGNAL_NAMES.get(signal, f'signal {signal}')}"
    if status:
        return f"Runtime exited with error: exit status {status}"
    return "Runtime exited without providing a reason"


class EnvironmentMachine:
    """
    One environment's state and the rules that change it.

    Args:
        timeout_s: the function's timeout.
    """

    __slots__ = (
        "_began",
        "_init_began",
        "_init_limit_s",
        "_init_ms",
        "_is_broken",
        "_is_error",
        "_is_retiring",
        "_is_snapshot",
        "_next_waits",
        "_pending_answer",
        "_restart_reason",
        "_restore_ms",
        "_timeout_s",
        "_waits_for_restore",
        "invocation",
        "state",
    )

    def __init__(self, timeout_s: float) -> None:
        self.state = EnvironmentState.NEW
        self.invocation: Invocation | None = None
        """The invocation that occupies the environment, until the runtime asks for the next."""
        self._timeout_s = timeout_s
        self._init_began = 0.0
        self._init_limit_s = INIT_LIMIT_S
        self._began = 0.0
        self._init_ms: float | None = None
        self._restore_ms: float | None = None
        self._is_snapshot = False
        """Whether its init was run for a snapshot that has not been restored yet."""
        self._waits_for_restore = False
        """Whether the runtime waits to be told of the restore, instead of having asked for work."""
        self._is_retiring = False
        self._pending_answer: Answer | None = None
        self._is_broken = False
        self._is_error = False
        """Whether the connection of a response to this invocation has ended before the response did."""
        self._next_waits = False
        """Whether the runtime has asked for work while its streamed response has not come to its end here."""
        self._restart_reason: tuple[str, str] = ("error", "")

    def handle(self, event: Event, now: float) -> list[Command]:
        """
        Take one event in and say what is to be done, in order.

        Args:
            event: what happened.
            now: monotonic seconds.

        Raises:
            AssertionError: the event cannot happen in this state; the caller has a bug.
        """
        rule = _TABLE.get((self.state, type(event)))
        assert rule is not None, f"{type(event).__name__} in {self.state.name}"
        return rule(self, event, now)

    def is_pending(self, request_id: str) -> bool:
        """Whether a response or error for this id is awaited."""
        return (
            self.state is EnvironmentState.RUNNING
            and self.invocation is not None
            and self.invocation.request_id == request_id
        )

    def is_streaming(self, request_id: str) -> bool:
        """Whether the response for this id has begun, and its end is awaited."""
        return (
            self.state is EnvironmentState.STREAMING
            and self.invocation is not None
            and self.invocation.request_id == request_id
        )

    def accepts_next(self) -> bool:
        """Whether the runtime may ask for work now."""
        return self.state not in {
            EnvironmentState.NEW,
            EnvironmentState.INIT_FAILED,
            EnvironmentState.ENDING,
            EnvironmentState.DEAD,
        }

    def accepts_restore(self) -> bool:
        """Whether the runtime may ask to be told of its restore now."""
        return (self.state, RestoreRequested) in _TABLE

    def accepts_restore_error(self) -> bool:
        """Whether the runtime may report a failed hook after the restore now."""
        return (self.state, RestoreErrorPosted) in _TABLE

    def accepts_init_error(self) -> bool:
        """Whether the runtime may report a failed init now."""
        return (self.state, InitErrorPosted) in _TABLE

    # Rules, by state ---------------------------------------------------------------------------------------------

    def _first_invoke(self, event: Invoke, now: float) -> list[Command]:
        self.invocation = event.invocation
        self._init_began = now
        self.state = EnvironmentState.INIT
        return [StartRuntime(again=False)]

    def _initialise(self, event: Initialise, now: float) -> list[Command]:
        self._init_began = now
        self._init_limit_s = event.limit_s
        self._is_snapshot = event.is_snapshot
        self.state = EnvironmentState.INIT_AHEAD
        return [StartRuntime(again=False)]

    def _started(self, event: RuntimeStarted, now: float) -> list[Command]:
        self._init_began = now
        return [SetDeadline(self._init_limit_s)]

    def _invoke(self, event: Invoke, now: float) -> list[Command]:
        self.invocation = event.invocation
        self._began = now
        if self._is_snapshot:
            return self._begin_restore(now)
        self.state = EnvironmentState.RUNNING
        return [SetDeadline(self._timeout_s), _START_LINE, Deliver(self._timeout_s)]

    def _begin_restore(self, now: float) -> list[Command]:
        self._is_snapshot = False
        # Documented: Lambda developer guide, monitoring SnapStart: its invocations report no init but the restore.
        self._init_ms = None
        if self._waits_for_restore:
            self.state = EnvironmentState.RESTORING
            return [_RESTORE_LINE, SetDeadline(RESTORE_LIMIT_S), _RESTORE]
        # A runtime without such hooks has asked for work already: there is nothing left of the restore to wait for.
        return [_RESTORE_LINE, *self._restored(now)]

    def _restored(self, now: float) -> list[Command]:
        self._restore_ms = (now - self._began) * 1000
        self._waits_for_restore = False
        self._began = now
        self.state = EnvironmentState.RUNNING
        report = LogRestoreReport(self._restore_ms)
        return [report, SetDeadline(self._timeout_s), _START_LINE, Deliver(self._timeout_s)]

    def _hooks_done(self, event: NextRequested, now: float) -> list[Command]:
        return self._restored(now)

    def _restore_again(self, event: RestoreRequested, now: float) -> list[Command]:
        return [_RESTORE]

    def _restore_error(self, event: RestoreErrorPosted | InitErrorPosted, now: float) -> list[Command]:
        report = self._not_restored(RestoreFailure.HOOK_FAILED, now, "error", event.error_type)
        return [_KILL, *report, *self._end()]

    def _restore_exited(self, event: Exited, now: float) -> list[Command]:
        kind = EnvironmentFailure.EXITED.value
        return [*self._not_restored(RestoreFailure.HOOK_FAILED, now, "error", kind), *self._dead()]

    def _restore_late(self, event: DeadlinePassed, now: float) -> list[Command]:
        return [_KILL, *self._not_restored(RestoreFailure.TIMED_OUT, now, "timeout", ""), *self._end()]

    def _not_restored(self, failure: RestoreFailure, now: float, status: str, error_type: str) -> list[Command]:
        self.invocation = None
        report = LogRestoreReport((now - self._began) * 1000, status, error_type)
        return [_CLEAR, report, RestoreFailed(failure)]

    def _init_done(self, event: NextRequested, now: float) -> list[Command]:
        self._init_ms = (now - self._init_began) * 1000
        self._began = now
        self.state = EnvironmentState.RUNNING
        return [SetDeadline(self._timeout_s), _START_LINE, Deliver(self._timeout_s)]

    def _init_again_done(self, event: NextRequested, now: float) -> list[Command]:
        self.state = EnvironmentState.RUNNING
        return [_START_LINE, Deliver(max(0.0, self._began + self._timeout_s - now))]

    def _ahead_done(self, event: NextRequested, now: float) -> list[Command]:
        # Assumed: the first invocation reports and bills this init, as that of a cold start; revisit with the machine's
        # playbook of an init ahead.
        self._init_ms = (now - self._init_began) * 1000
        self.state = EnvironmentState.IDLE
        return [_CLEAR, _INITIALISED, _FREE]

    def _ahead_snapshot(self, event: RestoreRequested, now: float) -> list[Command]:
        if not self._is_snapshot:
            # A runtime that asks although its environment was told of another way to start.
            return [_RESTORE]
        self._waits_for_restore = True
        self.state = EnvironmentState.IDLE
        return [_CLEAR, _INITIALISED, _FREE]

    def _restore_at_once(self, event: RestoreRequested, now: float) -> list[Command]:
        # An environment beyond those that are kept: there is no snapshot to wait in, and the hooks run all the same.
        return [_RESTORE]

    def _ahead_error(self, event: InitErrorPosted, now: float) -> list[Command]:
        failure = InitFailure(event.error_type, event.payload)
        return [_KILL, *self._ahead_failed(failure, now, "error"), *self._end()]

    def _ahead_late(self, event: DeadlinePassed, now: float) -> list[Command]:
        text = f"Init timed out after {self._init_limit_s:.2f} seconds"
        failure = InitFailure("", _error_payload(EnvironmentFailure.TIMED_OUT, text))
        return [_KILL, *self._ahead_failed(failure, now, "timeout"), *self._end()]

    def _ahead_exited(self, event: Exited, now: float) -> list[Command]:
        kind = EnvironmentFailure.EXITED
        failure = InitFailure(kind.value, _error_payload(kind, f"Error: {event.description}"))
        return [*self._ahead_failed(failure, now, "error"), *self._dead()]

    def _ahead_start_failed(self, event: StartFailed, now: float) -> list[Command]:
        failure = InitFailure(event.failure.value, _error_payload(event.failure, f"Error: {event.message}"))
        return [_KILL, *self._ahead_failed(failure, now, "error"), *self._dead()]

    def _ahead_lost(self, event: Lost, now: float) -> list[Command]:
        kind = EnvironmentFailure.SANDBOX_FAILED
        failure = InitFailure(kind.value, _error_payload(kind, event.reason), is_lost=True)
        return [*self._ahead_failed(failure, now, "error"), *self._dead()]

    def _ahead_retired(self, event: Retire, now: float) -> list[Command]:
        kind = EnvironmentFailure.SANDBOX_FAILED
        failure = InitFailure(kind.value, _error_payload(kind, "the environment is not wanted any more"), is_lost=True)
        return [_KILL, _CLEAR, Initialised(failure), *self._end()]

    def _ahead_failed(self, failure: InitFailure, now: float, status: str) -> list[Command]:
        init_ms = (now - self._init_began) * 1000
        return [_CLEAR, LogInitReport(init_ms, "init", status, failure.error_type), Initialised(failure)]

    def _init_error(self, event: InitErrorPosted | RestoreErrorPosted, now: float) -> list[Command]:
        # The first failure is not the caller's answer: AWS repeats init inside the invocation, and what
        # that reports is. Documented: Lambda developer guide, failures during the init phase.
        self._restart_reason = ("error", event.error_type)
        self.state = EnvironmentState.INIT_FAILED
        return [_KILL]

    def _init_late(self, event: DeadlinePassed, now: float) -> list[Command]:
        self._restart_reason = ("timeout", "")
        self.state = EnvironmentState.INIT_FAILED
        return [_KILL]

    def _init_exited(self, event: Exited, now: float) -> list[Command]:
        self._restart_reason = ("error", EnvironmentFailure.EXITED.value)
        return self._restart(event, now)

    def _restart(self, event: Exited | StartFailed, now: float) -> list[Command]:
        status, error_type = self._restart_reason
        init_ms = (now - self._init_began) * 1000
        self._began = now
        self.state = EnvironmentState.INIT_AGAIN
        return [
            LogInitReport(init_ms, "init", status, error_type),
            SetDeadline(self._timeout_s),
            StartRuntime(again=True),
        ]

    def _first_start_failed(self, event: StartFailed, now: float) -> list[Command]:
        if event.failure is EnvironmentFailure.INVALID_ENTRYPOINT:
            # Observed: public logs of functions without a bootstrap have the INIT_REPORT of both phases.
            self._restart_reason = ("error", event.failure.value)
            return self._restart(event, now)
        # Nothing that another try would change.
        self._began = now
        return [_START_LINE, *self._start_failed(event, now)]

    def _init_again_failed(self, now: float, status: str, error_type: str) -> list[Command]:
        """
        Open the log of an invocation whose repeated init has failed.

        Observed: START stands behind the INIT_REPORT of that init, whatever it failed of (public logs of the service).
        Reported: a timeout's is `timeout`.
        """
        return [LogInitReport((now - self._began) * 1000, "invoke", status, error_type), _START_LINE]

    def _init_again_exited(self, event: Exited, now: float) -> list[Command]:
        opening = self._init_again_failed(now, "error", EnvironmentFailure.EXITED.value)
        return [*opening, *self._exited_busy(event, now)]

    def _init_again_late(self, event: DeadlinePassed, now: float) -> list[Command]:
        return [*self._init_again_failed(now, "timeout", ""), *self._timed_out(event, now)]

    def _start_failed_again(self, event: StartFailed, now: float) -> list[Command]:
        return [*self._init_again_failed(now, "error", event.failure.value), *self._start_failed(event, now)]

    def _init_again_error(self, event: InitErrorPosted | RestoreErrorPosted, now: float) -> list[Command]:
        answer = Answer(event.payload, "application/json", FunctionError(error_type=event.error_type))
        opening = self._init_again_failed(now, "error", event.error_type)
        return [_KILL, *opening, *self._finish(answer, now, "error", event.error_type), *self._end()]

    def _start_failed(self, event: StartFailed, now: float) -> list[Command]:
        kind, text = event.failure.value, self._error_text(event.message)
        answer = self._failure(event.failure, text)
        return [LogLine(f"{text}\n{kind}\n"), _KILL, *self._finish(answer, now, "error", kind), *self._dead()]

    def _exited_busy(self, event: Exited, now: float) -> list[Command]:
        text = self._error_text(event.description)
        answer = self._failure(EnvironmentFailure.EXITED, text)
        kind = EnvironmentFailure.EXITED.value
        return [LogLine(f"{text}\n{kind}\n"), *self._finish(answer, now, "error", kind), *self._dead()]

    def _lost_before_start(self, event: Lost, now: float) -> list[Command]:
        # Nothing of this invocation is in the log yet, and nothing shall be: it did not run.
        self.invocation = None
        return [_CLEAR, Refuse(event.reason), *self._dead()]

    def _lost_busy(self, event: Lost, now: float) -> list[Command]:
        finish = self._finish(None, now, "error", EnvironmentFailure.SANDBOX_FAILED.value)
        return [*finish, Refuse(event.reason), *self._dead()]

    def _lost_after_response(self, event: Lost, now: float) -> list[Command]:
        return [*self._finish(None, now, "error", EnvironmentFailure.SANDBOX_FAILED.value), *self._dead()]

    def _timed_out(self, event: DeadlinePassed, now: float) -> list[Command]:
        text = self._error_text(f"Task timed out after {self._timeout_s:.2f} seconds")
        answer = self._failure(EnvironmentFailure.TIMED_OUT, text)
        return [_KILL, _TIMEOUT_LINE, *self._finish(answer, self._time_is_up, "timeout", ""), *self._end()]

    def _responded(self, event: ResponsePosted, now: float) -> list[Command]:
        return self._hold_or_answer(Answer(event.payload, event.content_type, None))

    def _error_posted(self, event: ErrorPosted, now: float) -> list[Command]:
        return self._hold_or_answer(
            Answer(event.payload, "application/json", FunctionError(error_type=event.error_type))
        )

    def _too_large(self, event: ResponseTooLarge, now: float) -> list[Command]:
        return self._hold_or_answer(self._beyond_limit(event))

    @staticmethod
    def _beyond_limit(event: ResponseTooLarge) -> Answer:
        kind = EnvironmentFailure.RESPONSE_TOO_LARGE.value
        # Observed: recorded answer of the service; this text carries no request id.
        text = f"Response payload size exceeded maximum allowed payload size ({event.limit_bytes} bytes)."
        payload = msgspec.json.encode({"errorMessage": text, "errorType": kind})
        return Answer(payload, "application/json", FunctionError(error_type=kind))

    def _begun(self, event: ResponseBegun, now: float) -> list[Command]:
        self.state = EnvironmentState.STREAMING
        self._is_broken = self._next_waits = False
        return [BeginAnswer(event.content_type)]

    def _stream_ended(self, event: ResponseEnded, now: float) -> list[Command]:
        return self._streamed(Answer(b"", "", None), now)

    def _stream_failed(self, event: ErrorPosted, now: float) -> list[Command]:
        return self._streamed(
            Answer(event.payload, "application/json", FunctionError(error_type=event.error_type)), now
        )

    def _stream_too_large(self, event: ResponseTooLarge, now: float) -> list[Command]:
        return self._streamed(self._beyond_limit(event), now)

    def _streamed(self, end: Answer, now: float) -> list[Command]:
        commands = self._hold_or_answer(end)
        # It has asked on another connection, and that was seen first.
        return [*commands, *self._free_or_end(self._finish(None, now, "", ""))] if self._next_waits else commands

    def _stream_broken(self, event: ResponseBroken, now: float) -> list[Command]:
        # Most often the runtime is about to end, and how it does tells more.
        self._is_broken = True
        return self._truncated(now) if self._next_waits else []

    def _next_in_stream(self, event: NextRequested, now: float) -> list[Command]:
        self._next_waits = True
        return self._truncated(now) if self._is_broken else []

    def _truncated(self, now: float) -> list[Command]:
        # Assumed: there is no text for it; revisit test_environment.py.
        text = self._error_text("the runtime broke off its response")
        kind = EnvironmentFailure.RESPONSE_TRUNCATED
        answer = self._failure(kind, text)
        return self._free_or_end(self._finish(answer, now, "error", kind.value))

    def _hold_or_answer(self, answer: Answer) -> list[Command]:
        self.state = EnvironmentState.RESPONDED
        self._is_error = answer.error is not None
        assert self.invocation is not None
        if self.invocation.wants_tail:
            # The tail of the log holds REPORT, which is known only when the runtime asks for the next event.
            self._pending_answer = answer
            return []
        return [answer]

    def _broken(self, event: ResponseBroken, now: float) -> list[Command]:
        # It may be posted once more; or the runtime ends, and how it does tells more.
        self._is_broken = True
        return []

    def _redeliver(self, event: NextRequested, now: float) -> list[Command]:
        if self._is_broken:
            # Whoever has begun to answer has had the event: the handler must not run twice for it.
            return self._truncated(now)
        return [Deliver(max(0.0, self._began + self._timeout_s - now))]

    def _next_after_response(self, event: NextRequested, now: float) -> list[Command]:
        return self._free_or_end(self._finish(None, now, "", ""))

    def _free_or_end(self, commands: list[Command]) -> list[Command]:
        """The runtime asks for work: the environment is idle, unless it was to end after this invocation."""
        if self._is_retiring:
            return [*commands, _SHUT_DOWN, *self._end()]
        self.state = EnvironmentState.IDLE
        commands.append(_FREE)
        return commands

    def _exited_after_response(self, event: Exited, now: float) -> list[Command]:
        text = self._error_text(event.description)
        kind = EnvironmentFailure.EXITED.value
        return [LogLine(f"{text}\n{kind}\n"), *self._finish(None, now, "error", kind), *self._dead()]

    def _late_after_response(self, event: DeadlinePassed, now: float) -> list[Command]:
        return [_KILL, _TIMEOUT_LINE, *self._finish(None, self._time_is_up, "timeout", ""), *self._end()]

    def _still_idle(self, event: NextRequested | RestoreRequested, now: float) -> list[Command]:
        return []

    def _idle_exited(self, event: Exited | Lost, now: float) -> list[Command]:
        return self._dead()

    def _retire_idle(self, event: Retire, now: float) -> list[Command]:
        return [_KILL if event.at_once else _SHUT_DOWN, *self._end()]

    def _retire_later(self, event: Retire, now: float) -> list[Command]:
        self._is_retiring = True
        return []

    def _ended(self, event: Exited | StartFailed | Lost, now: float) -> list[Command]:
        self.state = EnvironmentState.DEAD
        return []

    def _ignore(self, event: Any, now: float) -> list[Command]:
        return []

    # Parts of rules ----------------------------------------------------------------------------------------------

    @property
    def _time_is_up(self) -> float:
        # Observed: a REPORT with `Status: timeout` shows the timeout to the hundredth (public logs of the service),
        # however late we came to end it. Nobody pays for that.
        return self._began + self._timeout_s

    def _finish(self, answer: Answer | None, now: float, status: str, error_type: str) -> list[Command]:
        """Close the invocation: END, REPORT, and the answer where it has not left yet (a tail holds REPORT)."""
        commands: list[Command] = [
            _CLEAR,
            LogEnd(
                (now - self._began) * 1000,
                self._init_ms,
                status,
                error_type,
                self._restore_ms,
                self._is_error,
            ),
        ]
        held, self._pending_answer = self._pending_answer, None
        if held is not None:
            commands.append(held)
        elif answer is not None:
            commands.append(answer)
        self._init_ms = self._restore_ms = None
        self._is_broken = self._is_error = False
        self.invocation = None
        return commands

    def _end(self) -> list[Command]:
        self.state = EnvironmentState.ENDING
        return [_GONE]

    def _dead(self) -> list[Command]:
        self.state = EnvironmentState.DEAD
        return [_GONE]

    def _error_text(self, message: str) -> str:
        assert self.invocation is not None
        return f"RequestId: {self.invocation.request_id} Error: {message}"

    @staticmethod
    def _failure(failure: EnvironmentFailure, text: str) -> Answer:
        return Answer(_error_payload(failure, text), "application/json", FunctionError(error_type=failure.value))


def _error_payload(failure: EnvironmentFailure, text: str) -> bytes:
    return msgspec.json.encode({"errorType": failure.value, "errorMessage": text})


_S = EnvironmentState
_M = EnvironmentMachine
_Rule = Callable[[EnvironmentMachine, Any, float], list[Command]]

_TABLE: dict[tuple[EnvironmentState, type], _Rule] = {
    (_S.NEW, Invoke): _M._first_invoke,
    (_S.NEW, Initialise): _M._initialise,
    (_S.NEW, Retire): _M._retire_later,
    (_S.INIT_AHEAD, RuntimeStarted): _M._started,
    (_S.INIT_AHEAD, NextRequested): _M._ahead_done,
    (_S.INIT_AHEAD, RestoreRequested): _M._ahead_snapshot,
    (_S.INIT_AHEAD, InitErrorPosted): _M._ahead_error,
    (_S.INIT_AHEAD, StartFailed): _M._ahead_start_failed,
    (_S.INIT_AHEAD, Exited): _M._ahead_exited,
    (_S.INIT_AHEAD, Lost): _M._ahead_lost,
    (_S.INIT_AHEAD, DeadlinePassed): _M._ahead_late,
    (_S.INIT_AHEAD, Retire): _M._ahead_retired,
    (_S.INIT, RuntimeStarted): _M._started,
    (_S.INIT, NextRequested): _M._init_done,
    (_S.INIT, RestoreRequested): _M._restore_at_once,
    (_S.INIT, InitErrorPosted): _M._init_error,
    (_S.INIT, RestoreErrorPosted): _M._init_error,
    (_S.INIT, StartFailed): _M._first_start_failed,
    (_S.INIT, Exited): _M._init_exited,
    (_S.INIT, Lost): _M._lost_before_start,
    (_S.INIT, DeadlinePassed): _M._init_late,
    (_S.INIT, Retire): _M._retire_later,
    (_S.INIT_FAILED, Exited): _M._restart,
    (_S.INIT_FAILED, StartFailed): _M._restart,
    (_S.INIT_FAILED, Lost): _M._lost_before_start,
    (_S.INIT_FAILED, DeadlinePassed): _M._ignore,
    (_S.INIT_FAILED, Retire): _M._retire_later,
    (_S.INIT_AGAIN, RuntimeStarted): _M._ignore,
    (_S.INIT_AGAIN, NextRequested): _M._init_again_done,
    (_S.INIT_AGAIN, RestoreRequested): _M._restore_at_once,
    (_S.INIT_AGAIN, InitErrorPosted): _M._init_again_error,
    (_S.INIT_AGAIN, RestoreErrorPosted): _M._init_again_error,
    (_S.INIT_AGAIN, StartFailed): _M._start_failed_again,
    (_S.INIT_AGAIN, Exited): _M._init_again_exited,
    (_S.INIT_AGAIN, Lost): _M._lost_before_start,
    (_S.INIT_AGAIN, DeadlinePassed): _M._init_again_late,
    (_S.INIT_AGAIN, Retire): _M._retire_later,
    (_S.IDLE, Invoke): _M._invoke,
    (_S.IDLE, NextRequested): _M._still_idle,
    (_S.IDLE, RestoreRequested): _M._still_idle,
    (_S.IDLE, Exited): _M._idle_exited,
    (_S.IDLE, Lost): _M._idle_exited,
    (_S.IDLE, DeadlinePassed): _M._ignore,
    (_S.IDLE, Retire): _M._retire_idle,
    (_S.RESTORING, NextRequested): _M._hooks_done,
    (_S.RESTORING, RestoreRequested): _M._restore_again,
    (_S.RESTORING, RestoreErrorPosted): _M._restore_error,
    (_S.RESTORING, InitErrorPosted): _M._restore_error,
    (_S.RESTORING, Exited): _M._restore_exited,
    (_S.RESTORING, Lost): _M._lost_before_start,
    (_S.RESTORING, DeadlinePassed): _M._restore_late,
    (_S.RESTORING, Retire): _M._retire_later,
    (_S.RUNNING, NextRequested): _M._redeliver,
    (_S.RUNNING, ResponsePosted): _M._responded,
    (_S.RUNNING, ResponseBegun): _M._begun,
    (_S.RUNNING, ResponseBroken): _M._broken,
    (_S.RUNNING, ErrorPosted): _M._error_posted,
    (_S.RUNNING, ResponseTooLarge): _M._too_large,
    (_S.RUNNING, Exited): _M._exited_busy,
    (_S.RUNNING, Lost): _M._lost_busy,
    (_S.RUNNING, DeadlinePassed): _M._timed_out,
    (_S.RUNNING, Retire): _M._retire_later,
    (_S.STREAMING, NextRequested): _M._next_in_stream,
    (_S.STREAMING, ResponseEnded): _M._stream_ended,
    (_S.STREAMING, ErrorPosted): _M._stream_failed,
    (_S.STREAMING, ResponseTooLarge): _M._stream_too_large,
    (_S.STREAMING, ResponseBroken): _M._stream_broken,
    (_S.STREAMING, Exited): _M._exited_busy,
    (_S.STREAMING, Lost): _M._lost_busy,
    (_S.STREAMING, DeadlinePassed): _M._timed_out,
    (_S.STREAMING, Retire): _M._retire_later,
    (_S.RESPONDED, NextRequested): _M._next_after_response,
    (_S.RESPONDED, Exited): _M._exited_after_response,
    (_S.RESPONDED, Lost): _M._lost_after_response,
    (_S.RESPONDED, DeadlinePassed): _M._late_after_response,
    (_S.RESPONDED, Retire): _M._retire_later,
    (_S.ENDING, Exited): _M._ended,
    (_S.ENDING, Lost): _M._ended,
    (_S.ENDING, StartFailed): _M._ended,
    (_S.ENDING, DeadlinePassed): _M._ignore,
    (_S.ENDING, Retire): _M._ignore,
    (_S.DEAD, Exited): _M._ignore,
    (_S.DEAD, Lost): _M._ignore,
    (_S.DEAD, DeadlinePassed): _M._ignore,
    (_S.DEAD, Retire): _M._ignore,
}
