"""
What every runtime has to show. Subclass `RuntimeConformance`, write the same functions in its language.

The Runtime API is the real one, and so is the environment; between the two stands only what this file records. The
suite runs on every path by which a runtime is started: name the driver, and whether its zygotes are used.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from lambent.access.secrets import Credentials
from lambent.clock import SystemClock
from lambent.domain.invocation import Invocation
from lambent.domain.quotas import Quotas
from lambent.runtime_api.contract import Inflow, NextCall, Post, RestoreCall, Verdict
from lambent.runtime_api.server import serve
from lambent.runtimes.contract import LayersAt, Runtimes
from lambent.sandbox import DRIVERS
from lambent.sandbox.contract import Ahead, Assignment, DriverSettings, Environment, Exit, ParkedKind, Sandbox, Zygote
from lambent.telemetry.output import OutputParser
from lambent.testing.conformance.sandbox import read_some, within_patience

REQUEST_ID = "11111111-2222-4333-8444-555555555555"
FUNCTION_ARN = "arn:aws:lambda:us-east-1:000000000000:function:hello"
TRACE_HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


_MEMORY_MIB = 256


class Answered(msgspec.Struct, frozen=True):
    """What a runtime did with an invocation, or instead of taking one."""

    kind: str
    """`response`, `error`, `init error` or `exit`."""
    body: bytes = b""
    error_type: str = ""
    how: Exit | None = None
    written: bytes = b""
    """All that was written until then."""

    def json(self) -> Any:
        """Return the body, decoded."""
        return json.loads(self.body)

    @property
    def output(self) -> str:
        """What was written, as text; between the texts stand the headers of framed records."""
        return self.written.decode("utf-8", "replace")

    def messages(self) -> list[str]:
        """Return what was written as a log would have it: lines, and framed records whole."""
        parser = OutputParser()
        return parser.feed(self.written) + parser.flush()


class _Recorder:
    """The other side of the Runtime API: hands out one event at a time and keeps what comes back."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[Answered] = asyncio.Queue()
        self._waiting: NextCall | None = None
        self._to_deliver: Invocation | None = None
        self._asked = asyncio.Event()

    def invoke(self, payload: bytes, client_context: str | None) -> None:
        self._to_deliver = Invocation(REQUEST_ID, FUNCTION_ARN, payload, TRACE_HEADER, client_context)
        self._deliver()

    async def wait_asked(self) -> None:
        """Return once the runtime has asked for an event that there is not."""
        await within_patience(self._asked.wait())

    def next_requested(self, call: NextCall) -> Verdict:
        self._waiting = call
        self._asked.set()
        self._deliver()
        return Verdict.ACCEPTED

    def response_posted(self, request_id: str, post: Post) -> Verdict:
        return self._keep(Answered("response", post.body), request_id)

    def response_too_large(self, request_id: str, limit_bytes: int) -> Verdict:
        self._keep(Answered("too large"), request_id)
        return Verdict.TOO_LARGE

    def response_begun(self, request_id: str, content_type: str, inflow: Inflow) -> bool:
        # Nobody takes pieces here: a streamed response is gathered.
        return False

    def response_piece(self, request_id: str, piece: bytes) -> None:
        raise AssertionError("a piece that nobody wanted")

    def response_ended(self, request_id: str) -> Verdict:
        return Verdict.INVALID_REQUEST_ID

    def response_broken(self, request_id: str) -> None:
        raise AssertionError("the end of a stream that nobody wanted")

    def error_posted(self, request_id: str, post: Post) -> Verdict:
        return self._keep(Answered("error", post.body, post.error_type), request_id)

    def init_error_posted(self, post: Post) -> Verdict:
        return self._keep(Answered("init error", post.body, post.error_type), REQUEST_ID)

    def restore_requested(self, call: RestoreCall) -> Verdict:
        call.restored()
        return Verdict.ACCEPTED

    def restore_error_posted(self, post: Post) -> Verdict:
        return self._keep(Answered("restore error", post.body, post.error_type), REQUEST_ID)

    def credentials_requested(self, token: str) -> Credentials | None:
        return None

    def _deliver(self) -> None:
        if self._waiting is not None and self._to_deliver is not None:
            deadline_ms = int(SystemClock().now() * 1000) + 30_000
            call, event = self._waiting, self._to_deliver
            self._waiting = self._to_deliver = None
            self._asked.clear()
            call.deliver(event, deadline_ms)

    def _keep(self, answer: Answered, request_id: str) -> Verdict:
        if request_id != REQUEST_ID:
            return Verdict.INVALID_REQUEST_ID
        self.answers.put_nowait(answer)
        return Verdict.ACCEPTED


class RunningFunction:
    """A function in an environment, ready to be invoked."""

    def __init__(self, sandbox: Sandbox, environment: Environment, recorder: _Recorder) -> None:
        self._sandbox = sandbox
        self._environment = environment
        self._recorder = recorder
        self._output = b""

    async def invoke(self, event: Any, client_context: str | None = None) -> Answered:
        """Invoke once with a value (bytes are sent as they are); return what the runtime did."""
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        self._recorder.invoke(payload, client_context)
        reading = asyncio.ensure_future(self._read())
        answering = asyncio.ensure_future(self._recorder.answers.get())
        ending = asyncio.ensure_future(self._sandbox.wait(self._environment))
        try:
            await within_patience(asyncio.wait({answering, ending}, return_when=asyncio.FIRST_COMPLETED))
            answer = answering.result() if answering.done() else Answered("exit", how=ending.result())
        finally:
            for task in (reading, answering, ending):
                task.cancel()
            await asyncio.gather(reading, answering, ending, return_exceptions=True)
        # What was written before the answer is in the pipe by now.
        with contextlib.suppress(BlockingIOError):
            while some := os.read(self._environment.output, 65536):
                self._output += some
        written, self._output = self._output, b""
        return msgspec.structs.replace(answer, written=written)

    async def shut_down(self) -> Answered:
        """Ask the idle runtime to end, frozen as it is; return how it did and what it wrote."""
        self._sandbox.freeze(self._environment)
        self._sandbox.terminate(self._environment)
        reading = asyncio.ensure_future(self._read())
        how = await within_patience(self._sandbox.wait(self._environment))
        await reading
        return Answered("exit", how=how, written=self._output)

    async def _read(self) -> None:
        while some := await read_some(self._environment):
            self._output += some


class _Stage:
    """A driver and an event loop for the tests of one class."""

    sandbox: Sandbox
    runtimes: Runtimes

    def __init__(self) -> None:
        # The server's loop. asyncio's own loses a connection that it accepts in the iteration in which its listener is
        # closed, as that of a runtime that comes back at once may be. Observed: python/cpython#109564.
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.is_open = False
        self._folder = Path(tempfile.mkdtemp(prefix="lambent-conformance-"))
        self._folder.chmod(0o711)

    def open(self, driver: str) -> None:
        """Start the driver; called on the loop."""
        module, _, name = DRIVERS[driver].partition(":")
        settings = DriverSettings(run_folder=self._folder / "run", egress="none")
        self.sandbox = getattr(import_module(module), name)(settings, SystemClock())
        self.is_open = True

    def close(self) -> None:
        """End what is left."""
        try:
            if self.is_open:
                self.runner.run(within_patience(self.sandbox.close()))
        finally:
            self.runner.close()
            shutil.rmtree(self._folder, ignore_errors=True)


def _written(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files into a new folder as they would be unpacked; what is named bootstrap or lies in bin can be run."""
    folder.mkdir(mode=0o755)
    for name, text in files.items():
        path = folder / name
        for parent in reversed(path.relative_to(folder).parents[:-1]):
            (folder / parent).mkdir(mode=0o755, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o755 if name == "bootstrap" or path.parent.name == "bin" else 0o644)
    return folder


class FunctionRunner:
    """Runs functions of one runtime on one path by which it is started; a subclass names both."""

    runtime = ""
    handler = "app.handler"
    packages: Mapping[str, Mapping[str, str]] = {}
    driver = "process"
    """The sandbox driver, as in `DRIVERS`."""
    forks = False
    """Whether functions are forked from a zygote where their variables allow it; else all are executed."""
    starts_ahead = False
    """Whether what may be started before there is a function is; else nothing is."""

    def make_runtimes(self, has_own_root: bool) -> Runtimes:
        """Return the runtimes under test, for a driver with or without a root of its own; called once per class."""
        raise NotImplementedError

    def run(self, name: str, *events: Any, **given: Any) -> list[Answered]:
        """Start a function of `packages` and invoke it with each event; takes what `run_files` takes."""
        return self.run_files(self.packages[name], *events, **given)

    def run_files(
        self,
        files: Mapping[str, str | bytes],
        *events: Any,
        variables: Mapping[str, str] | None = None,
        client_context: str | None = None,
        layers: Mapping[str, str | bytes] | None = None,
        handler: str | None = None,
        shuts_down: bool = False,
    ) -> list[Answered]:
        """
        Start a function made of `files`, and of `layers` merged already, and invoke it with each event.

        Args:
            handler: another one than the suite's.
            shuts_down: whether it is asked to end afterwards; how it does is the last of what is returned.
        """
        with tempfile.TemporaryDirectory(prefix="lambent-conformance-") as name:
            folder = Path(name)
            # Functions run as another user where the tests run as root.
            folder.chmod(0o711)
            package = _written(folder / "package", files)
            merged = None if layers is None else _written(folder / "layers", layers)
            scratch = folder / "tmp"
            scratch.mkdir()
            scratch.chmod(0o777)
            handler = self.handler if handler is None else handler
            performing = self._perform(
                folder, package, merged, events, variables or {}, client_context, handler, shuts_down
            )
            return self._runner().run(performing)

    async def _perform(
        self,
        folder: Path,
        package: Path,
        layers: Path | None,
        events: Any,
        variables: Mapping[str, str],
        client_context: str | None,
        handler: str,
        shuts_down: bool,
    ) -> list[Answered]:
        stage = await self._opened_stage()
        sandbox = stage.sandbox
        await stage.runtimes.prepare(self.runtime)
        root = sandbox.task_root(package)
        at = None if layers is None else LayersAt(layers, sandbox.layers_root(layers))
        command = await stage.runtimes.command(
            self.runtime, handler, package, root, variables, at, memory_mib=_MEMORY_MIB
        )
        zygote = None
        if self.forks and command.zygote is not None:
            zygote = Zygote(command.zygote.argv, command.zygote.environ, command.zygote.preload)
        ahead = None
        if self.starts_ahead and command.ahead is not None:
            ahead = Ahead(command.ahead.argv, command.ahead.environ)
        kind = ParkedKind(owner="test", folders=command.folders, zygote=zygote, ahead=ahead)
        environment = await sandbox.park(kind)
        recorder = _Recorder()
        quotas = Quotas()
        served = await serve(
            environment.runtime_listener,
            recorder,
            quotas.response_payload_max_bytes,
            quotas.response_stream_max_bytes,
        )
        try:
            reserved = {
                "_HANDLER": handler,
                "AWS_LAMBDA_RUNTIME_API": environment.runtime_api_address,
                "LAMBDA_TASK_ROOT": root,
                "AWS_REGION": "us-east-1",
                "AWS_LAMBDA_FUNCTION_NAME": "hello",
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(_MEMORY_MIB),
                "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/hello",
                "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/29/[$LATEST]4f9c",
                **command.reserved,
            }
            defaults = {"LANG": "en_US.UTF-8", "TZ": ":UTC"}
            if not sandbox.has_own_root:
                defaults["TMPDIR"] = str(folder / "tmp")
            environ = {**defaults, **command.environ, **variables, **reserved}
            in_zygote = zygote is not None and command.in_zygote
            assignment = Assignment(
                command.argv, environ, root, package, _MEMORY_MIB, in_zygote=in_zygote, layers=layers
            )
            await sandbox.assign(environment, assignment)
            function = RunningFunction(sandbox, environment, recorder)
            answers = [await function.invoke(event, client_context) for event in events]
            if shuts_down:
                await recorder.wait_asked()
                answers.append(await function.shut_down())
            return answers
        finally:
            served.close()
            sandbox.kill(environment)
            await within_patience(sandbox.wait(environment))
            sandbox.release(environment)

    # Opened by the first test that runs a function, for all tests of the class: drivers take a second to start.
    _stage: "_Stage | None" = None

    @classmethod
    def setup_class(cls) -> None:
        """Begin without a stage, also below a class that has one."""
        cls._stage = None

    @classmethod
    def teardown_class(cls) -> None:
        """Close the stage."""
        if cls._stage is not None:
            cls._stage.close()
            cls._stage = None

    def _runner(self) -> asyncio.Runner:
        if type(self)._stage is None:
            type(self)._stage = _Stage()
        stage = type(self)._stage
        assert stage is not None
        return stage.runner

    async def _opened_stage(self) -> "_Stage":
        stage = type(self)._stage
        assert stage is not None
        if not stage.is_open:
            stage.open(self.driver)
            stage.runtimes = self.make_runtimes(stage.sandbox.has_own_root)
        return stage


class RuntimeConformance(FunctionRunner):
    """
    The suite. A subclass names the runtime and the path, and writes the functions.

    `packages` maps these names to files (path to text; `bootstrap` becomes executable):
    `echo` returns its event, and prints `said ` and the event's member `say` when there is one;
    `error` fails each invocation with the message `boom`; `init_error` fails while it is loaded; `exit` ends its
    process with status 3 when it is invoked; `goodbye` answers, prints `goodbye` when it gets SIGTERM, and ends with
    status 0.
    """

    def test_it_answers_one_invocation_after_another(self) -> None:
        """The event comes back, and the environment serves the next one."""
        first, second = self.run("echo", {"n": 1}, {"n": 2})
        assert (first.kind, first.json()) == ("response", {"n": 1})
        assert (second.kind, second.json()) == ("response", {"n": 2})

    def test_what_it_prints_is_output(self) -> None:
        """A line that the function prints is in the pipe when the answer is."""
        (answer,) = self.run("echo", {"say": "hello"})
        assert "said hello" in answer.output

    def test_an_error_is_an_answer(self) -> None:
        """A function that fails posts an error and lives on."""
        first, second = self.run("error", {}, {})
        assert (first.kind, second.kind) == ("error", "error")
        assert "boom" in first.json()["errorMessage"]

    def test_a_failure_while_loading_ends_it(self) -> None:
        """Init failed: the runtime says so, or it just ends with a status."""
        (answer,) = self.run("init_error", {})
        assert answer.kind in {"init error", "exit"}
        if answer.how is not None:
            assert answer.how.status not in {None, 0}

    def test_an_exit_is_seen(self) -> None:
        """A function that ends its process is an exit with its status."""
        (answer,) = self.run("exit", {})
        assert (answer.kind, answer.how) == ("exit", Exit(status=3))

    def test_a_large_payload_passes(self) -> None:
        """Nearly 6 MB there and back."""
        text = "x" * 5_900_000
        (answer,) = self.run("echo", {"text": text})
        assert answer.json() == {"text": text}

    def test_it_may_say_goodbye(self) -> None:
        """Asked to end, the function has a moment, and what it prints is output. Without a handler it just ends."""
        answer, end = self.run("goodbye", {}, shuts_down=True)
        assert answer.kind == "response"
        assert "goodbye" in end.output
        assert end.how == Exit(status=0)
        _, end = self.run("echo", {}, shuts_down=True)
        # Some languages end in an orderly way by themselves.
        assert end.how is not None
        assert end.how.signal in {None, signal.SIGTERM}
        assert end.output == ""


class ManagedRuntimeConformance(RuntimeConformance):
    """
    What a runtime shows beyond that, whose client is the runtime's and not the package's.

    `packages` has these as well:
    `context` returns `[request id, ARN, name, version, memory, log group, log stream, time left, time left later]`;
    `nested_error` fails with the message `boom` in a function `inner` that its handler calls;
    `order` writes `one` to stdout, `two` to stderr, logs `three` as a warning and writes `four` to stdout, each as a
    line or record of its own; `logs` logs `low` at the level of debugging and `high` as an error, and returns null;
    `environment` returns its variables; `left_over` begins work that takes 50 ms and returns false, but where its event
    has `wait` it waits for that work, so many ms at most, and returns whether it was done.
    """

    error_type = "Error"
    """What errors of `error` are called."""
    trace_member = "stackTrace"
    """Where the error's body has the trace, an array."""

    def test_unicode_passes(self) -> None:
        """PL-02: characters of every plane, and control characters, come back as they were."""
        text = "愛 😀 é ’ \u0000 \x7f \u2028"
        (answer,) = self.run("echo", {"t": text, text: 1})
        assert answer.json() == {"t": text, text: 1}

    def test_the_context_tells_of_the_invocation(self) -> None:
        """RT-03: who and where the function is, as text; the time that is left falls."""
        (answer,) = self.run("context", {})
        assert answer.kind == "response", answer
        *told, left, later = answer.json()
        stream = "2026/11/29/[$LATEST]4f9c"
        assert told == [REQUEST_ID, FUNCTION_ARN, "hello", "$LATEST", "256", "/aws/lambda/hello", stream]
        assert 0 < later < left <= 30_000

    def test_an_error_has_its_type_and_trace(self) -> None:
        """The body names the class and the message; the trace leads to the handler."""
        (answer,) = self.run("error", {})
        told = answer.json()
        assert (told["errorType"], told["errorMessage"]) == (self.error_type, "boom")
        assert any("handler" in frame for frame in told[self.trace_member])

    def test_a_nested_error_is_traced_to_its_place(self) -> None:
        """What fails deeper down is traced through the handler."""
        (answer,) = self.run("nested_error", {})
        told = answer.json()
        assert (answer.kind, told["errorMessage"]) == ("error", "boom")
        trace = "\n".join(told[self.trace_member])
        assert "inner" in trace
        assert "handler" in trace

    def test_a_handler_that_is_not_there(self) -> None:
        """A module without the handler, and a handler without its module, fail init, each by its name."""
        (answer,) = self.run_files(self.packages["echo"], {}, handler="app.nothing")
        assert (answer.kind, answer.error_type) == ("init error", "Runtime.HandlerNotFound")
        assert answer.json()["errorType"] == "Runtime.HandlerNotFound"
        (answer,) = self.run_files(self.packages["echo"], {}, handler="nothing.handler")
        assert (answer.kind, answer.error_type) == ("init error", "Runtime.ImportModuleError")

    def test_output_keeps_its_order(self) -> None:
        """Both streams and the log records share one pipe."""
        (answer,) = self.run("order", {})
        places = [answer.output.index(word) for word in ("one", "two", "three", "four")]
        assert places == sorted(places)

    def test_log_records_have_their_fields(self) -> None:
        """PL-03: in JSON a record has level, message and request id, and those below the level are not written."""
        given = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
        (answer,) = self.run_files(self.packages["logs"], {}, variables=given)
        (message,) = [message for message in answer.messages() if "high" in message]
        record = json.loads(message)
        assert (record["level"], record["message"], record["requestId"]) == ("ERROR", "high", REQUEST_ID)
        assert "timestamp" in record
        assert "low" not in answer.output

    def test_log_lines_have_their_fields(self) -> None:
        """As text a line has level and request id."""
        (answer,) = self.run("logs", {})
        (message,) = [message for message in answer.messages() if "high" in message]
        assert "ERROR" in message
        assert REQUEST_ID in message

    def test_the_environment_is_lambdas(self) -> None:
        """The runtime that was asked for is named, the trace is the invocation's, a variable of the user is there."""
        (answer,) = self.run_files(self.packages["environment"], {}, variables={"OWN": "é"})
        seen = answer.json()
        assert seen["AWS_EXECUTION_ENV"] == f"AWS_Lambda_{self.runtime}"
        assert seen["_X_AMZN_TRACE_ID"] == TRACE_HEADER
        assert (seen["OWN"], seen["_HANDLER"], seen["AWS_REGION"]) == ("é", self.handler, "us-east-1")
        assert seen["PATH"].endswith("/bin")
        # What the client reads and a program that the function starts has no use for.
        assert "_LAMBDA_TELEMETRY_LOG_FD" not in seen

    def test_work_left_over_goes_on(self) -> None:
        """An answer does not wait for what the function began beside it; that goes on when the next one runs."""
        first, second = self.run("left_over", {}, {"wait": 1000})
        assert (first.json(), second.json()) == (False, True)
