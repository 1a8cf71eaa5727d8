"""Playbooks of the environment's state machine: given these events, exactly these commands."""

import json

import pytest

from lambent.domain.invocation import EnvironmentFailure, FunctionError, Invocation, RestoreFailure
from lambent.execution import environment
from lambent.execution.environment import (
    Answer,
    BeginAnswer,
    ClearDeadline,
    DeadlinePassed,
    Deliver,
    EnvironmentMachine,
    EnvironmentState,
    ErrorPosted,
    Exited,
    Free,
    Gone,
    InitErrorPosted,
    InitFailure,
    Initialise,
    Initialised,
    Invoke,
    Kill,
    LogEnd,
    LogInitReport,
    LogLine,
    LogRestoreReport,
    LogRestoreStart,
    LogStart,
    LogTimeout,
    Lost,
    NextRequested,
    Refuse,
    ResponseBegun,
    ResponseBroken,
    ResponseEnded,
    ResponsePosted,
    ResponseTooLarge,
    Restore,
    RestoreErrorPosted,
    RestoreFailed,
    RestoreRequested,
    Retire,
    RuntimeStarted,
    SetDeadline,
    ShutDown,
    StartFailed,
    StartRuntime,
    describe_exit,
)

RESPONSE = ResponsePosted(b'"hi"', "application/json")
HI = Answer(b'"hi"', "application/json", None)


def invocation(request_id="r1", wants_tail=False):
    return Invocation(
        request_id=request_id, invoked_arn="arn", payload=b"{}", trace_header="Root=1", wants_tail=wants_tail
    )


def play(*steps, timeout_s=3.0, wants_tail=False):
    """Run (moment, event) steps through a new machine; return the machine and each step's commands."""
    machine = EnvironmentMachine(timeout_s)
    return machine, [machine.handle(event, now) for now, event in steps]


COLD = [(0.0, Invoke(invocation())), (1.0, RuntimeStarted()), (1.25, NextRequested())]


def test_cold_start_delivers_and_answers_then_reports_with_init():
    """A first invocation starts the runtime, is delivered at Next, answered when posted, reported at the Next after."""
    machine, commands = play(*COLD, (1.5, RESPONSE), (1.75, NextRequested()))
    assert commands == [
        [StartRuntime(again=False)],
        [SetDeadline(10.0)],
        [SetDeadline(3.0), LogStart(), Deliver(3.0)],
        [HI],
        [ClearDeadline(), LogEnd(500.0, 250.0, "", ""), Free()],
    ]
    assert machine.state is EnvironmentState.IDLE


def test_warm_invocation_reports_no_init():
    """Init is billed and shown once per environment."""
    _, commands = play(
        *COLD,
        (1.5, RESPONSE),
        (1.75, NextRequested()),
        (2.0, Invoke(invocation("r2"))),
        (2.5, RESPONSE),
        (3.0, NextRequested()),
    )
    assert commands[5] == [SetDeadline(3.0), LogStart(), Deliver(3.0)]
    assert commands[7] == [ClearDeadline(), LogEnd(1000.0, None, "", ""), Free()]


def test_the_answer_with_a_tail_waits_for_the_report():
    """With LogType Tail the answer leaves after REPORT is written, since the tail holds it."""
    _, commands = play(
        (0.0, Invoke(invocation(wants_tail=True))),
        (0.0, RuntimeStarted()),
        (0.25, NextRequested()),
        (0.5, RESPONSE),
        (0.75, NextRequested()),
    )
    assert commands[3] == []
    assert commands[4] == [ClearDeadline(), LogEnd(500.0, 250.0, "", ""), HI, Free()]


def test_er01_timeout_answers_at_the_deadline_and_never_reuses():
    """ER-01: the answer has exactly two keys, two decimals, and the environment is gone."""
    machine, commands = play(*COLD, (4.25, DeadlinePassed()))
    kill, line, clear, end, answer, gone = commands[3]
    assert (kill, line, clear, gone) == (Kill(), LogTimeout(), ClearDeadline(), Gone())
    assert end == LogEnd(3000.0, 250.0, "timeout", "")
    assert json.loads(answer.payload) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: r1 Error: Task timed out after 3.00 seconds",
    }
    assert answer.error == FunctionError(error_type="Sandbox.Timedout")
    assert not machine.is_pending("r1"), "a late result is refused"
    assert machine.handle(Exited("x"), 5.0) == []
    assert machine.state is EnvironmentState.DEAD


@pytest.mark.parametrize("steps", [COLD, [*COLD, (1.5, RESPONSE)]], ids=["running", "responded"])
def test_a_timeout_lasts_as_long_as_was_asked_for(steps):
    """A timer that comes late, on a busy machine, is on nobody's bill."""
    _, commands = play(*steps, (4.375, DeadlinePassed()))
    assert LogEnd(3000.0, 250.0, "timeout", "") in commands[-1]


def test_a_handler_error_keeps_the_environment():
    """What the runtime reports about the handler is passed on verbatim, and the environment lives."""
    machine, commands = play(*COLD, (1.5, ErrorPosted(b"{}", "ValueError")), (1.75, NextRequested()))
    assert commands[3] == [Answer(b"{}", "application/json", FunctionError(error_type="ValueError"))]
    assert commands[4][-1] == Free()
    assert machine.state is EnvironmentState.IDLE


def test_pl01_a_response_too_large_keeps_the_environment():
    """PL-01: the small call right after works at once."""
    machine, commands = play(*COLD, (1.5, ResponseTooLarge(6_291_556)), (1.75, NextRequested()))
    assert json.loads(commands[3][0].payload) == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }
    assert machine.state is EnvironmentState.IDLE


def test_er02_an_exit_while_running_is_the_invocations_error():
    """ER-02: a killed runtime shows as `signal: killed`, once in the log and once in the answer."""
    machine, commands = play(*COLD, (2.25, Exited(describe_exit(None, 9))))
    text = "RequestId: r1 Error: Runtime exited with error: signal: killed"
    line, clear, end, answer, gone = commands[3]
    assert (line, clear, gone) == (LogLine(f"{text}\nRuntime.ExitError\n"), ClearDeadline(), Gone())
    assert end == LogEnd(1000.0, 250.0, "error", "Runtime.ExitError")
    assert json.loads(answer.payload) == {"errorType": "Runtime.ExitError", "errorMessage": text}
    assert machine.state is EnvironmentState.DEAD


def test_a_failed_init_is_repeated_inside_the_invocation():
    """The first init error is not the answer; the repeated one is, and its time counts as duration."""
    machine, commands = play(
        (0.0, Invoke(invocation())),
        (0.0, RuntimeStarted()),
        (0.5, InitErrorPosted(b"first", "E")),
        (0.75, Exited("x")),
        (0.75, RuntimeStarted()),
        (1.25, InitErrorPosted(b"second", "E")),
        (1.5, Exited("x")),
    )
    assert commands[2] == [Kill()]
    assert commands[3] == [
        LogInitReport(750.0, "init", "error", "E"),
        SetDeadline(3.0),
        StartRuntime(again=True),
    ]
    assert commands[5] == [
        Kill(),
        LogInitReport(500.0, "invoke", "error", "E"),
        LogStart(),
        ClearDeadline(),
        LogEnd(500.0, None, "error", "E"),
        Answer(b"second", "application/json", FunctionError(error_type="E")),
        Gone(),
    ]
    assert machine.state is EnvironmentState.DEAD


def test_a_late_init_is_repeated_and_may_then_succeed():
    """Init that takes more than ten seconds starts over, bound by the function's timeout from there."""
    machine, commands = play(
        (0.0, Invoke(invocation())),
        (0.0, RuntimeStarted()),
        (10.0, DeadlinePassed()),
        (10.0, Exited("x")),
        (10.0, RuntimeStarted()),
        (11.0, NextRequested()),
        (11.5, RESPONSE),
        (12.0, NextRequested()),
    )
    assert commands[3][0] == LogInitReport(10000.0, "init", "timeout", "")
    assert commands[5] == [LogStart(), Deliver(2.0)]
    assert commands[7] == [ClearDeadline(), LogEnd(2000.0, None, "", ""), Free()]
    assert machine.state is EnvironmentState.IDLE


AGAIN = [(0.0, Invoke(invocation())), (0.0, RuntimeStarted()), (1.0, Exited("x")), (1.0, RuntimeStarted())]


@pytest.mark.parametrize(
    ("event", "status", "error_type", "answered", "kills"),
    [
        (Exited("Runtime exited with error: exit status 1"), "error", "Runtime.ExitError", "Runtime.ExitError", False),
        (DeadlinePassed(), "timeout", "", "Sandbox.Timedout", True),
    ],
)
def test_a_repeated_init_that_fails_is_reported_before_start(event, status, error_type, answered, kills):
    """INIT_REPORT of phase invoke, then START and what is the invocation's own, as in the service's logs."""
    _, commands = play(*AGAIN, (4.0, event))
    told = [command for command in commands[-1] if not isinstance(command, Kill)]
    assert told[:2] == [LogInitReport(3000.0, "invoke", status, error_type), LogStart()]
    assert (Kill() in commands[-1]) == kills
    line, clear, end, answer, gone = told[2:]
    assert isinstance(line, LogTimeout if kills else LogLine)
    assert (clear, gone) == (ClearDeadline(), Gone())
    assert (end.duration_ms, end.status, end.error_type) == (3000.0, status, error_type)
    assert json.loads(answer.payload)["errorType"] == answered


INVALID = StartFailed(EnvironmentFailure.INVALID_ENTRYPOINT, "fork/exec b: permission denied")


def test_a_start_that_fails_after_it_took_too_long_is_a_late_init():
    """Killed at the limit, it cannot be executed either: the repeated init says so to the caller."""
    machine, commands = play(
        (0.0, Invoke(invocation())),
        (0.0, RuntimeStarted()),
        (10.0, DeadlinePassed()),
        (10.5, INVALID),
        (10.5, RuntimeStarted()),
        (10.5, INVALID),
    )
    assert commands[3][0] == LogInitReport(10500.0, "init", "timeout", "")
    assert commands[3][-1] == StartRuntime(again=True)
    assert json.loads(commands[5][-2].payload)["errorType"] == "Runtime.InvalidEntrypoint"
    assert machine.state is EnvironmentState.DEAD


def test_rt04_an_entrypoint_that_cannot_start_is_an_init_that_fails_twice():
    """RT-04: both times stand in the log; Runtime.InvalidEntrypoint carries the operating system's word."""
    kind = "Runtime.InvalidEntrypoint"
    machine, commands = play((0.0, Invoke(invocation())), (0.5, INVALID), (1.0, INVALID))
    assert commands[1] == [
        LogInitReport(500.0, "init", "error", kind),
        SetDeadline(3.0),
        StartRuntime(again=True),
    ]
    report, start, _line, kill, clear, _end, answer, gone = commands[2]
    assert report == LogInitReport(500.0, "invoke", "error", kind)
    assert (start, kill, clear, gone) == (LogStart(), Kill(), ClearDeadline(), Gone())
    assert json.loads(answer.payload) == {
        "errorType": kind,
        "errorMessage": "RequestId: r1 Error: fork/exec b: permission denied",
    }
    assert machine.state is EnvironmentState.DEAD


def test_a_runtime_that_this_machine_does_not_have_is_not_looked_for_twice():
    """Nothing was started that could do better a second time."""
    machine, commands = play((0.0, Invoke(invocation())), (0.5, StartFailed(EnvironmentFailure.SANDBOX_FAILED, "no")))
    start, _line, kill, clear, _end, answer, gone = commands[1]
    assert (start, kill, clear, gone) == (LogStart(), Kill(), ClearDeadline(), Gone())
    assert json.loads(answer.payload)["errorType"] == "Sandbox.Failure"
    assert machine.state is EnvironmentState.DEAD


def test_a_response_without_next_holds_the_slot_until_the_deadline():
    """The caller is answered at once, but the environment counts until it asks for work, or is ended."""
    machine, commands = play(*COLD, (1.5, RESPONSE), (4.25, DeadlinePassed()))
    assert commands[3] == [HI]
    assert commands[4] == [Kill(), LogTimeout(), ClearDeadline(), LogEnd(3000.0, 250.0, "timeout", ""), Gone()]
    assert machine.state is EnvironmentState.ENDING


def test_retiring_a_busy_environment_lets_it_finish():
    """An update retires the environment after its invocation, not in the middle."""
    machine, commands = play(*COLD, (1.3, Retire()), (1.5, RESPONSE), (1.75, NextRequested()))
    assert commands[3] == []
    assert commands[4] == [HI]
    assert commands[5] == [ClearDeadline(), LogEnd(500.0, 250.0, "", ""), ShutDown(), Gone()]
    assert machine.state is EnvironmentState.ENDING


@pytest.mark.parametrize(("at_once", "how"), [(False, ShutDown()), (True, Kill())])
def test_an_idle_environment_is_asked_to_end(at_once, how):
    """Unless somebody waits for what it holds. Its place is free in either case, before it has ended."""
    machine, commands = play(
        *COLD, (1.5, RESPONSE), (1.75, NextRequested()), (2.0, Retire(at_once)), (2.1, Exited("x"))
    )
    assert commands[-2:] == [[how, Gone()], []]
    assert machine.state is EnvironmentState.DEAD


def test_a_repeated_next_delivers_the_same_event_again():
    """RT-05: a runtime that lost its connection gets the pending event with the time that is left."""
    _, commands = play(*COLD, (2.25, NextRequested()))
    assert commands[3] == [Deliver(2.0)]


def test_an_idle_exit_frees_the_place():
    """A runtime that ends between invocations costs nobody an answer."""
    machine, commands = play(*COLD, (1.5, RESPONSE), (1.75, NextRequested()), (2.0, Exited("x")))
    assert commands[5] == [Gone()]
    assert machine.state is EnvironmentState.DEAD


LOST = Lost("the sandbox failed")


@pytest.mark.parametrize("again", [[], [(1.05, Exited("x"))]], ids=["in init", "in the init that is repeated"])
def test_an_environment_lost_before_start_has_nothing_in_the_log(again):
    """The caller is told that it was not its function's fault; no START, so nothing to close."""
    machine, commands = play(*COLD[:2], *again, (1.1, LOST))
    assert commands[-1] == [ClearDeadline(), Refuse("the sandbox failed"), Gone()]
    assert (machine.state, machine.invocation) == (EnvironmentState.DEAD, None)


def test_an_environment_lost_while_its_failed_init_ends_is_refused_too():
    """Init is not repeated in a sandbox that is not there."""
    machine, commands = play(*COLD[:2], (2.0, InitErrorPosted(b"{}", "E")), (2.1, LOST))
    assert commands[3] == [ClearDeadline(), Refuse("the sandbox failed"), Gone()]
    assert machine.state is EnvironmentState.DEAD


def test_an_environment_lost_in_the_middle_closes_its_log():
    """START has been written: END and REPORT follow, and the caller is told."""
    machine, commands = play(*COLD, (1.75, LOST))
    clear, end, refuse, gone = commands[-1]
    assert (clear, refuse, gone) == (ClearDeadline(), Refuse("the sandbox failed"), Gone())
    assert (end.duration_ms, end.status, end.error_type) == (500.0, "error", "Sandbox.Failure")
    assert machine.state is EnvironmentState.DEAD


@pytest.mark.parametrize("wants_tail", [False, True])
def test_a_response_that_came_before_the_loss_counts(wants_tail):
    """The caller has it, or gets it now where it waited for REPORT."""
    cold = [(0.0, Invoke(invocation(wants_tail=wants_tail))), *COLD[1:]]
    machine, commands = play(*cold, (1.5, RESPONSE), (1.75, LOST))
    end = LogEnd(500.0, 250.0, "error", "Sandbox.Failure")
    assert commands[3:] == (
        [[], [ClearDeadline(), end, HI, Gone()]] if wants_tail else [[HI], [ClearDeadline(), end, Gone()]]
    )
    assert machine.state is EnvironmentState.DEAD


def test_an_idle_environment_that_is_lost_just_goes():
    """Nobody waits for it."""
    machine, commands = play(*COLD, (1.5, RESPONSE), (1.75, NextRequested()), (2.0, LOST))
    assert commands[5] == [Gone()]
    assert machine.state is EnvironmentState.DEAD


def test_a_loss_on_the_way_out_changes_nothing():
    """Killed on purpose, then lost: the end all the same."""
    machine, commands = play(*COLD, (4.25, DeadlinePassed()), (4.5, LOST), (4.6, LOST))
    assert commands[4:] == [[], []]
    assert machine.state is EnvironmentState.DEAD


AHEAD = [(0.0, Initialise(130.0)), (1.0, RuntimeStarted())]


def test_an_init_ahead_ends_idle_and_is_reported_by_the_first_invocation():
    """No invocation waits; the first is delivered at once and its REPORT shows the init."""
    machine, commands = play(
        *AHEAD,
        (21.0, NextRequested()),
        (100.0, Invoke(invocation())),
        (100.5, RESPONSE),
        (101.0, NextRequested()),
        (102.0, Invoke(invocation("r2"))),
        (102.5, RESPONSE),
        (103.0, NextRequested()),
    )
    assert commands[:4] == [
        [StartRuntime(again=False)],
        [SetDeadline(130.0)],
        [ClearDeadline(), Initialised(None), Free()],
        [SetDeadline(3.0), LogStart(), Deliver(3.0)],
    ]
    assert commands[5] == [ClearDeadline(), LogEnd(1000.0, 20_000.0, "", ""), Free()]
    assert commands[8] == [ClearDeadline(), LogEnd(1000.0, None, "", ""), Free()]
    assert machine.state is EnvironmentState.IDLE


@pytest.mark.parametrize(
    ("event", "kills", "status", "error_type"),
    [
        (
            InitErrorPosted(b'{"errorType": "E"}', "Runtime.ImportModuleError"),
            True,
            "error",
            "Runtime.ImportModuleError",
        ),
        (DeadlinePassed(), True, "timeout", ""),
        (Exited("Runtime exited with error: exit status 1"), False, "error", "Runtime.ExitError"),
        (StartFailed(EnvironmentFailure.INVALID_ENTRYPOINT, "m"), True, "error", "Runtime.InvalidEntrypoint"),
        (LOST, False, "error", "Sandbox.Failure"),
    ],
)
def test_an_init_ahead_that_fails_is_told_to_whoever_asked(event, kills, status, error_type):
    """And not repeated: nobody's invocation waits for it."""
    machine, commands = play(*AHEAD, (1.5, event))
    *killed, clear, report, told, gone = commands[2]
    assert killed == ([Kill()] if kills else [])
    assert (clear, gone) == (ClearDeadline(), Gone())
    assert report == LogInitReport(500.0, "init", status, error_type)
    assert (told.failure.error_type, told.failure.is_lost) == (error_type, event is LOST)
    assert json.loads(told.failure.payload)["errorType"]
    assert machine.state in {EnvironmentState.ENDING, EnvironmentState.DEAD}


def test_an_init_ahead_that_is_not_wanted_any_more_ends_at_once():
    """Retired in the middle of its init; whoever still waits is told."""
    machine, commands = play(*AHEAD, (1.5, Retire()), (1.6, Exited("x")))
    kill, clear, told, gone = commands[2]
    assert (kill, clear, gone) == (Kill(), ClearDeadline(), Gone())
    assert isinstance(told.failure, InitFailure)
    assert machine.state is EnvironmentState.DEAD


def test_one_that_is_retired_before_its_first_invocation_still_serves_it():
    """The slot had been granted: an update in between does not take it back."""
    machine, commands = play((0.0, Retire()), *COLD, (1.5, RESPONSE), (1.75, NextRequested()))
    assert commands[-1] == [ClearDeadline(), LogEnd(500.0, 250.0, "", ""), ShutDown(), Gone()]
    assert machine.state is EnvironmentState.ENDING


def test_what_may_come_at_any_time_is_legal_in_every_state():
    """Ends, losses, timers and updates ask nobody; a start can fail until it has succeeded."""
    for state in set(EnvironmentState) - {EnvironmentState.NEW}:
        for event in (DeadlinePassed, Exited, Lost, Retire):
            assert (state, event) in environment._TABLE
    for name in ("INIT", "INIT_FAILED", "INIT_AHEAD", "INIT_AGAIN", "ENDING"):
        assert (EnvironmentState[name], StartFailed) in environment._TABLE


def test_an_illegal_pair_is_a_bug():
    """A pair of state and event that the table does not hold raises."""
    machine = EnvironmentMachine(3.0)
    with pytest.raises(AssertionError, match="NextRequested in NEW"):
        machine.handle(NextRequested(), 0.0)


@pytest.mark.parametrize(
    ("status", "signal", "text"),
    [
        (0, None, "Runtime exited without providing a reason"),
        (127, None, "Runtime exited with error: exit status 127"),
        (None, 9, "Runtime exited with error: signal: killed"),
        (None, 11, "Runtime exited with error: signal: segmentation fault"),
        (None, 31, "Runtime exited with error: signal: bad system call"),
        (None, 40, "Runtime exited with error: signal: signal 40"),
    ],
)
def test_exits_in_awss_words(status, signal, text):
    """Each way to end has the text of recorded answers."""
    assert describe_exit(status, signal) == text


SNAPSHOT = [(0.0, Initialise(130.0, is_snapshot=True)), (1.0, RuntimeStarted()), (5.0, RestoreRequested())]


def test_a_snapshot_is_restored_by_its_first_invocation():
    """The hooks run before START; REPORT has the restore and no init; the next invocation has neither."""
    machine, commands = play(
        *SNAPSHOT,
        (100.0, Invoke(invocation())),
        (100.25, NextRequested()),
        (100.5, RESPONSE),
        (101.25, NextRequested()),
        (102.0, Invoke(invocation("r2"))),
        (102.5, RESPONSE),
        (103.0, NextRequested()),
    )
    assert commands[2:5] == [
        [ClearDeadline(), Initialised(None), Free()],
        [LogRestoreStart(), SetDeadline(10.0), Restore()],
        [LogRestoreReport(250.0), SetDeadline(3.0), LogStart(), Deliver(3.0)],
    ]
    assert commands[6] == [ClearDeadline(), LogEnd(1000.0, None, "", "", 250.0), Free()]
    assert commands[7] == [SetDeadline(3.0), LogStart(), Deliver(3.0)]
    assert commands[9] == [ClearDeadline(), LogEnd(1000.0, None, "", ""), Free()]
    assert machine.state is EnvironmentState.IDLE


def test_a_runtime_without_hooks_is_restored_at_once():
    """One that asks for work instead of its restore has nothing to be waited for."""
    _, commands = play(*SNAPSHOT[:2], (5.0, NextRequested()), (100.0, Invoke(invocation())))
    assert commands[3] == [
        LogRestoreStart(), LogRestoreReport(0.0), SetDeadline(3.0), LogStart(), Deliver(3.0)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("moment", "event", "failure", "status", "error_type", "kills"),
    [
        (
            101.0, RestoreErrorPosted(b"{}", "Runtime.AfterRestoreError"), RestoreFailure.HOOK_FAILED, "error",
            "Runtime.AfterRestoreError", True,
        ),
        (101.0, InitErrorPosted(b"{}", "Runtime.X"), RestoreFailure.HOOK_FAILED, "error", "Runtime.X", True),
        (101.0, Exited("gone"), RestoreFailure.HOOK_FAILED, "error", "Runtime.ExitError", False),
        (110.0, DeadlinePassed(), RestoreFailure.TIMED_OUT, "timeout", "", True),
    ],
)  # fmt: skip
def test_a_restore_that_fails_runs_no_handler(moment, event, failure, status, error_type, kills):
    """The caller is told, nothing is logged as an invocation, and the environment ends."""
    machine, commands = play(*SNAPSHOT, (100.0, Invoke(invocation())), (moment, event))
    report = LogRestoreReport((moment - 100.0) * 1000, status, error_type)
    expected = [ClearDeadline(), report, RestoreFailed(failure), Gone()]
    assert commands[-1] == ([Kill(), *expected] if kills else expected)
    assert machine.state is (EnvironmentState.ENDING if kills else EnvironmentState.DEAD)
    assert machine.invocation is None


def test_a_sandbox_that_fails_during_a_restore_is_not_the_functions_fault():
    """The caller hears that the environment was lost."""
    _, commands = play(*SNAPSHOT, (100.0, Invoke(invocation())), (100.5, Lost("gone")))
    assert commands[-1] == [ClearDeadline(), Refuse("gone"), Gone()]


def test_a_runtime_that_asks_again_during_a_restore_is_answered_again():
    """Its connection went; while it is idle it is held as before."""
    machine, commands = play(*SNAPSHOT, (6.0, RestoreRequested()), (100.0, Invoke(invocation())))
    assert commands[3] == []
    assert machine.handle(RestoreRequested(), 100.5) == [Restore()]


def test_beyond_the_snapshots_the_restore_is_told_at_once():
    """A cold start with an invocation waiting: init, both kinds of hooks, then the event; REPORT has the init."""
    _, commands = play(*COLD[:2], (1.1, RestoreRequested()), (1.25, NextRequested()))
    assert commands[2:] == [[Restore()], [SetDeadline(3.0), LogStart(), Deliver(3.0)]]
    again, commands = play(*COLD[:2], (1.1, RestoreRequested()), (1.2, RestoreErrorPosted(b"{}", "Runtime.X")))
    assert commands[3] == [Kill()]
    assert again.state is EnvironmentState.INIT_FAILED


def test_a_restore_is_asked_for_in_its_time_only():
    """Not by a busy environment, nor by one that has ended."""
    machine, _ = play(*COLD)
    assert not machine.accepts_restore()
    assert not machine.accepts_restore_error()
    machine, _ = play(*SNAPSHOT)
    assert machine.accepts_restore()
    assert not machine.accepts_restore_error()


# Streamed responses --------------------------------------------------------------------------------------------------

BEGUN = ResponseBegun("text/plain")
WHOLE = Answer(b"", "", None)


def test_a_stream_is_answered_at_its_beginning_and_at_its_end():
    """The deadline goes on meanwhile; what comes after the end is as after any response."""
    machine, commands = play(*COLD, (1.5, BEGUN), (2.0, ResponseEnded()), (2.25, NextRequested()))
    assert commands[3:] == [
        [BeginAnswer("text/plain")],
        [WHOLE],
        [ClearDeadline(), LogEnd(1000.0, 250.0, "", ""), Free()],
    ]
    assert machine.state is EnvironmentState.IDLE


def test_a_streams_tail_waits_for_the_report():
    """The beginning does not wait; the end does."""
    _, commands = play(
        (0.0, Invoke(invocation(wants_tail=True))),
        (0.0, RuntimeStarted()),
        (0.25, NextRequested()),
        (0.5, BEGUN),
        (0.75, ResponseEnded()),
        (1.0, NextRequested()),
    )
    assert commands[3:5] == [[BeginAnswer("text/plain")], []]
    assert commands[5] == [ClearDeadline(), LogEnd(750.0, 250.0, "", ""), WHOLE, Free()]


def test_only_what_is_awaited_is_taken():
    """While it streams, the invocation awaits the end of that response and no other one."""
    machine, _ = play(*COLD, (1.5, BEGUN))
    assert machine.is_streaming("r1")
    assert not machine.is_streaming("r2")
    assert not machine.is_pending("r1")
    machine.handle(ResponseEnded(), 2.0)
    assert not machine.is_streaming("r1")


@pytest.mark.parametrize(
    ("event", "error_type"),
    [
        (ErrorPosted(b"{}", "Late"), "Late"),
        (ResponseTooLarge(200), "Function.ResponseSizeTooLarge"),
    ],
)
def test_a_stream_that_fails_keeps_the_environment(event, error_type):
    """The error is the end; the environment lives."""
    machine, commands = play(*COLD, (1.5, BEGUN), (2.0, event), (2.25, NextRequested()))
    (answer,) = commands[4]
    assert answer.error == FunctionError(error_type=error_type)
    assert commands[5][-1] == Free()
    assert machine.state is EnvironmentState.IDLE


def test_the_limit_is_named():
    """That of the stream or that of a gathered response, whichever was passed."""
    _, commands = play(*COLD, (1.5, BEGUN), (2.0, ResponseTooLarge(209_715_200)))
    text = "Response payload size exceeded maximum allowed payload size (209715200 bytes)."
    assert json.loads(commands[4][0].payload)["errorMessage"] == text


@pytest.mark.parametrize(
    ("event", "error_type", "state"),
    [
        (Exited("Runtime exited with error: exit status 1"), "Runtime.ExitError", EnvironmentState.DEAD),
        (DeadlinePassed(), "Sandbox.Timedout", EnvironmentState.ENDING),
    ],
)
@pytest.mark.parametrize("is_broken", [False, True])
def test_the_end_of_the_process_tells_more_than_a_broken_connection(event, error_type, state, is_broken):
    """A runtime that dies takes its connection with it, and either may be seen first."""
    broken = [(1.75, ResponseBroken())] if is_broken else []
    machine, commands = play(*COLD, (1.5, BEGUN), *broken, (2.0, event))
    answer = next(one for one in commands[-1] if isinstance(one, Answer))
    assert answer.error == FunctionError(error_type=error_type)
    assert commands[-1][-1] == Gone()
    assert machine.state is state


@pytest.mark.parametrize("order", [(ResponseBroken(), NextRequested()), (NextRequested(), ResponseBroken())])
def test_a_response_that_is_broken_off_is_truncated_once_the_runtime_goes_on(order):
    """Its Next says so, in whatever order the two connections are looked at."""
    machine, commands = play(*COLD, (1.5, BEGUN), (2.0, order[0]), (2.25, order[1]))
    assert commands[4] == []
    clear, end, answer, free = commands[5]
    assert (clear, free) == (ClearDeadline(), Free())
    assert end == LogEnd(1000.0, 250.0, "error", "Runtime.TruncatedResponse")
    assert json.loads(answer.payload) == {
        "errorType": "Runtime.TruncatedResponse",
        "errorMessage": "RequestId: r1 Error: the runtime broke off its response",
    }
    assert machine.state is EnvironmentState.IDLE


def test_a_response_that_is_cut_off_before_anybody_had_it_is_not_run_again():
    """The runtime has had the event; it may post once more. What was so of one invocation is not of the next."""
    machine, commands = play(*COLD, (1.5, ResponseBroken()), (2.25, NextRequested()))
    assert commands[3] == []
    clear, end, answer, free = commands[4]
    assert (clear, free) == (ClearDeadline(), Free())
    assert end == LogEnd(1000.0, 250.0, "error", "Runtime.TruncatedResponse")
    assert answer.error == FunctionError(error_type="Runtime.TruncatedResponse")
    assert machine.state is EnvironmentState.IDLE
    assert isinstance(machine.handle(Invoke(invocation("r2")), 3.0)[-1], Deliver)
    assert isinstance(machine.handle(NextRequested(), 3.5)[0], Deliver)
    machine, commands = play(*COLD, (1.5, ResponseBroken()), (2.0, RESPONSE))
    assert machine.state is EnvironmentState.RESPONDED


@pytest.mark.parametrize("wants_tail", [False, True])
def test_a_next_that_overtakes_the_end_of_the_response_waits_for_it(wants_tail):
    """On another connection, it may be seen first: nothing is lost by that."""
    machine, commands = play(
        (0.0, Invoke(invocation(wants_tail=wants_tail))),
        (0.0, RuntimeStarted()),
        (0.25, NextRequested()),
        (0.5, BEGUN),
        (0.75, NextRequested()),
        (1.0, ResponseEnded()),
        (1.5, Invoke(invocation("r2"))),
        (2.0, BEGUN),
        (2.25, ResponseBroken()),
    )
    assert commands[4] == []
    finish = [ClearDeadline(), LogEnd(750.0, 250.0, "", "")]
    assert commands[5] == ([*finish, WHOLE, Free()] if wants_tail else [WHOLE, *finish, Free()])
    assert commands[8] == [], "what was so of one invocation is not of the next"
    assert machine.state is EnvironmentState.STREAMING


def test_a_stream_that_is_lost_with_its_environment():
    """It was not the function's fault, and whoever reads is told so."""
    machine, commands = play(*COLD, (1.5, BEGUN), (2.0, Lost("the sandbox failed")))
    assert commands[4][-2:] == [Refuse("the sandbox failed"), Gone()]
    assert machine.state is EnvironmentState.DEAD


def test_an_environment_that_is_not_wanted_any_more_streams_to_the_end():
    """Retired in the middle, it ends after its invocation."""
    _, commands = play(*COLD, (1.5, BEGUN), (1.75, Retire()), (2.0, ResponseEnded()), (2.25, NextRequested()))
    assert commands[4] == []
    assert commands[6][-2:] == [ShutDown(), Gone()]
