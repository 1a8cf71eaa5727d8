"""The .NET runtimes pass the suite of managed runtimes on both paths; below it, what is .NET's alone."""

import asyncio
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import dotnet_packages
import pytest

from lambent.clock import SystemClock
from lambent.runtimes.contract import Runtimes, RuntimeUnavailable
from lambent.runtimes.registry import HostRuntimes
from lambent.sandbox.contract import Exit
from lambent.sandbox.probe import gather, lacks_of
from lambent.testing.conformance.runtime import REQUEST_ID, TRACE_HEADER, Answered, ManagedRuntimeConformance

_HOME: list[Path] = []


@pytest.fixture(scope="module", autouse=True)
def _runtimes_dir() -> Iterator[None]:
    """Put .NET where functions can read it, once for all tests of this file; or leave them out."""
    dotnet_packages.require()
    folder = Path(tempfile.mkdtemp(prefix="lambent-runtimes-"))
    folder.chmod(0o711)
    dotnet_packages.install(folder / "runtimes")
    _HOME.append(folder)
    try:
        asyncio.run(_host_runtimes(False).prepare("dotnet8"))
    except RuntimeUnavailable as error:
        pytest.skip(f"needs:dotnet:make test ({error})")
    else:
        yield
    finally:
        shutil.rmtree(folder)
        _HOME.clear()


def _host_runtimes(has_own_root: bool) -> HostRuntimes:
    return HostRuntimes(_HOME[0] / "runtimes", "nobody", "none", SystemClock(), has_own_root=has_own_root)


def _function(type_: str, method: str = "handler", name: str = "Suite") -> dict[str, str | bytes]:
    """Return a package, and with it the handler, which is not one of its files."""
    return {
        **(dotnet_packages.package(name) if dotnet_packages.BUILT.is_dir() else {}),
        "_handler": f"{name}::App.{type_}::{method}",
    }


class _Dotnet(ManagedRuntimeConformance):
    """.NET 8 with our client, on any path."""

    runtime = "dotnet8"
    error_type = "InvalidOperationException"
    packages: ClassVar = {
        "echo": _function("Echo"),
        "error": _function("Error"),
        "init_error": _function("InitError"),
        "exit": _function("Exit"),
        "goodbye": _function("Goodbye"),
        "context": _function("ContextFields"),
        "nested_error": _function("NestedError"),
        "order": _function("Order"),
        "logs": _function("Logging"),
        "environment": _function("Variables"),
        "left_over": _function("LeftOver"),
    }

    def make_runtimes(self, has_own_root: bool) -> Runtimes:
        return _host_runtimes(has_own_root)

    def run_files(self, files: Mapping[str, str | bytes], *events: Any, **given: Any) -> list[Answered]:
        """See the suite's; the handler names the class, so that one assembly holds all of its functions."""
        named = str(given.pop("handler", None) or files["_handler"])
        self.handler = named
        rest = {name: content for name, content in files.items() if name != "_handler"}
        return super().run_files(rest, *events, handler=named, **given)

    def call(self, method: str, *events: Any, **given: Any) -> list[Answered]:
        """Call a method of the class Forms."""
        return self.run_files(_function("Forms", method), *(events or ({},)), **given)

    def refused(self, handler: str) -> str:
        """Return the message with which a handler's name is refused while the function is loaded."""
        (answer,) = self.run_files(_function("Forms"), {}, handler=handler)
        told = answer.json()
        assert (answer.kind, told["errorType"]) == ("init error", "LambdaValidationException")
        assert told["errorMessage"] in answer.output
        return str(told["errorMessage"])

    # -- the suite's, where .NET has words of its own -------------------------------------------------------------

    def test_a_handler_that_is_not_there(self) -> None:
        """RT, ER-04: an assembly, a type and a method that are not there, each in AWS's words."""
        assert self.refused("Nothing::App.Forms::Count").startswith("Could not find the specified handler assembly")
        assert self.refused("Suite::App.Nothing::Count") == "Unable to load type 'App.Nothing' from assembly 'Suite'."
        told = self.refused("Suite::App.Forms::Missing")
        assert told.startswith("Unable to find method 'Missing' in type 'App.Forms' from assembly 'Suite'")

    def test_log_records_have_their_fields(self) -> None:
        """PL-03: levels have .NET's names, and those below the level are not written."""
        given = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
        (answer,) = self.run_files(self.packages["logs"], {}, variables=given)
        (record,) = map(json.loads, answer.messages())
        assert (record["level"], record["message"], record["requestId"]) == ("Error", "high", REQUEST_ID)
        assert record["traceId"] == TRACE_HEADER
        assert record["timestamp"].endswith("Z")

    def test_log_lines_have_their_fields(self) -> None:
        """As text: time, request id, level in four letters, message."""
        (answer,) = self.run("logs", {})
        (line,) = answer.messages()
        assert re.fullmatch(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z\t{REQUEST_ID}\tfail\thigh\n", line)


class TestDotnet(_Dotnet):
    """Without walls, where environments see the machine's paths."""


class TestDotnetWalled(_Dotnet):
    """Behind walls, where environments have Lambda's own paths; and what the client does on every path alike."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _behind_walls(cls) -> None:
        facts = gather()
        if not lacks_of(facts, "namespace"):
            cls.driver = "namespace"
            return
        if lacks := lacks_of(facts, "rootless"):
            pytest.skip(f"needs:rootless:{lacks[0].what}")
        cls.driver = "rootless"

    # -- handlers ---------------------------------------------------------------------------------------------------

    def test_forms_of_handlers(self) -> None:
        """Streams, tasks, records, structs, generic classes above, no input; what returns nothing posts nothing."""
        (streams,) = self.call("Streams", {"a": 1})
        (later,) = self.call("Later", {"title": "t", "count": 2, "unknown": 3})
        (inherited,) = self.call("Inherited", 7)
        (twice,) = self.run_files(_function("Value", "Twice"), 21)
        first, second = self.call("Count", {}, {})
        (nothing,) = self.call("Nothing", "text")
        (silent,) = self.call("Silent", 1)
        assert [one.json() for one in (streams, later, inherited)] == [[{"a": 1}], "t 2 hello", "Int32: 7"]
        assert [one.json() for one in (twice, first, second)] == [42, 1, 2]
        assert [(one.kind, one.body) for one in (nothing, silent)] == [("response", b""), ("response", b"")]

    def test_an_overload_is_named_by_its_signature(self) -> None:
        """Of several methods with one name, AWS's error lists them, and a whole signature picks one."""
        told = self.refused("Suite::App.Forms::Many")
        assert "System.String Many(Int32)\nSystem.String Many(System.String)." in told
        (answer,) = self.call("System.String Many(Int32)", 3)
        assert answer.json() == "int 3"

    @pytest.mark.parametrize(
        ("handler", "told"),
        [
            ("Suite::App.Forms", "Invalid lambda function handler: 'Suite::App.Forms'. The valid format is"),
            (
                "Suite::App.Forms::Void",
                "'Void Void()' cannot be used as a Lambda Handler because it is an 'async void'",
            ),
            ("Suite::App.Forms::Params", "because it is a 'params' method"),
            ("Suite::App.Forms::Second", "the second parameter is not of type 'Amazon.Lambda.Core.ILambdaContext'."),
            ("Suite::App.Unfinished::handler", "because its type 'App.Unfinished' is abstract."),
        ],
    )
    def test_what_cannot_be_a_handler(self, handler: str, told: str) -> None:
        """Observed: aws/aws-lambda-dotnet, Errors.cs."""
        assert told in self.refused(handler)

    def test_without_a_serializer_there_are_streams_alone(self) -> None:
        """Streams pass, also from a task; everything else is refused, and the error names the attribute."""
        package = _function("Bare", "Later", "Bare")
        (answer,) = self.run_files(package, {"a": "é"})
        assert answer.json() == {"a": "é"}
        for method, told in (("Value", "deserialize input data of type 'System.Int32'"), ("Text", "serialize output")):
            (answer,) = self.run_files(package, {}, handler=f"Bare::App.Bare::{method}")
            assert answer.kind == "init error"
            assert told in answer.json()["errorMessage"]
            assert "LambdaSerializerAttribute" in answer.json()["errorMessage"]

    # -- the context and the log ------------------------------------------------------------------------------------

    def test_the_rest_of_the_context(self) -> None:
        """RT-03: the client's context arrives; without one its members are null, and nothing itself is."""
        context = '{"client": {"app_title": "é"}, "custom": {"foo": "bar", "n": 1}, "env": {}}'
        (answer,) = self.run_files(_function("MoreContext"), {}, client_context=context)
        expected = {"title": "é", "custom": {"foo": "bar", "n": "1"}, "environment": {}, "identity": None}
        assert answer.json() == {**expected, "trace": TRACE_HEADER, "tenant": None, "logger": True}
        (answer,) = self.run_files(_function("MoreContext"), {})
        assert (answer.json()["title"], answer.json()["custom"]) == (None, None)

    def test_lines_of_the_console_and_of_the_logger(self) -> None:
        """PL-03, PL-04: a line is a record, whole and with its level, however it came about."""
        (answer,) = self.run_files(_function("Lines"), {})
        lines = [message.partition(f"\t{REQUEST_ID}\t")[2] for message in answer.messages()]
        assert lines[:7] == [
            "info\ta 1 of b\n",
            "info\t12.5\n",
            "info\t\n",
            "info\ttwo\nlines\n",
            "info\tline\n",
            "odd\tnamed\n",
            "info\tbought 3 of FF {at}} {many}\n",
        ]
        assert lines[7] == "fail\tfailed\nSystem.InvalidOperationException: inside\n"
        assert lines[8:10] == ["plain\n", "warn\tstatic one\n"]
        assert lines[10] == "info\t" + "é" * 50_000 + "end\n"

    def test_records_have_the_values_of_their_templates(self) -> None:
        """PL-03: in JSON the places of a template are members, and an exception has its own."""
        (answer,) = self.run_files(_function("Lines"), {}, variables={"AWS_LAMBDA_LOG_FORMAT": "JSON"})
        records = [json.loads(message) for message in answer.messages()]
        assert [record["level"] for record in records[:6]] == ["Information"] * 5 + ["odd"]
        bought = records[6]
        assert (bought["count"], bought["product"], bought["many"]) == (3, "FF", [1, 2])
        assert (records[7]["errorType"], records[7]["errorMessage"]) == ("System.InvalidOperationException", "inside")
        assert records[7]["stackTrace"] == ["System.InvalidOperationException: inside"]
        assert records[9]["message"] == "static one"

    # -- errors -----------------------------------------------------------------------------------------------------

    def test_errors_in_errors(self) -> None:
        """ER-04: a cause is a member; an AggregateException has all of its own; texts are escaped."""
        (cause,) = self.call("Cause")
        told = cause.json()
        assert list(told) == ["errorType", "errorMessage", "stackTrace", "cause"]
        assert told["stackTrace"][0].startswith("at App.Forms.Cause()")
        assert told["cause"]["errorMessage"] == 'inner "quoted" é'
        assert cause.error_type == "InvalidOperationException"
        assert cause.body.startswith(b'{\n  "errorType": "InvalidOperationException",\n  "errorMessage": "outer",\n')
        (aggregate,) = self.call("Aggregate")
        told = aggregate.json()
        assert (told["errorType"], told["cause"]["errorMessage"]) == ("AggregateException", "one")
        assert [one["errorType"] for one in told["causes"]] == ["ArgumentException", "FormatException"]

    def test_an_error_that_is_too_long_is_told_as_such(self) -> None:
        """Observed: aws/aws-lambda-dotnet, 256 KB at most."""
        (answer,) = self.call("Long")
        assert answer.json() == {"errorMessage": "Exception exceeded maximum payload size of 256KB."}

    def test_an_error_that_fails_to_tell_of_itself(self) -> None:
        """Its class is told, and the environment lives on."""
        first, second = self.call("Mute", {}, {})
        assert (first.json(), second.kind) == (
            {
                "errorType": "MuteException",
                "errorMessage": "App.MuteException, which fails to say more: System.NotSupportedException",
            },
            "error",
        )

    def test_a_constructor_that_fails(self) -> None:
        """As on AWS: the error is .NET's for such, with the constructor's own as its cause."""
        (answer,) = self.run("init_error", {})
        assert (answer.kind, answer.json()["errorType"]) == ("init error", "TargetInvocationException")
        assert answer.json()["cause"]["errorMessage"] == "boom"

    def test_what_no_thread_catches_ends_the_process(self) -> None:
        """ER-04: .NET tells of it and aborts."""
        (answer,) = self.call("Elsewhere")
        assert (answer.kind, answer.how) == ("exit", Exit(signal=6))
        assert "Unhandled exception. System.InvalidOperationException: nobody catches this" in answer.output

    # -- packages ---------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("without", "status", "told"),
        [
            ("Suite.deps.json", 105, "is missing the required .deps.json file."),
            ("Suite.runtimeconfig.json", 106, "is missing the required .runtimeconfig.json file."),
        ],
    )
    def test_what_a_package_has_to_have(self, without: str, status: int, told: str) -> None:
        """Observed: aws/aws-lambda-dotnet, bootstrap.net8.sh."""
        files = {name: content for name, content in _function("Echo").items() if name != without}
        (answer,) = self.run_files(files, {})
        assert (answer.kind, answer.how) == ("exit", Exit(status=status))
        assert told in answer.output

    def test_the_main_assembly_may_be_another(self) -> None:
        """Its files are found by LAMBDA_DOTNET_MAIN_ASSEMBLY, or as the only ones of their kind."""
        files = _function("Echo")
        for ending in (".deps.json", ".runtimeconfig.json"):
            files[f"Main{ending}"] = files.pop(f"Suite{ending}")
        assert self.run_files(files, {"n": 1})[0].json() == {"n": 1}
        files["Other.deps.json"] = "{}"
        assert self.run_files(files, {})[0].how == Exit(status=105)
        variables = {"LAMBDA_DOTNET_MAIN_ASSEMBLY": "Main.dll"}
        assert self.run_files(files, {"n": 2}, variables=variables)[0].json() == {"n": 2}

    def test_an_executable_assembly_is_run_itself(self) -> None:
        """A handler without `::` names a program of the package; one that is not there is status 104."""
        files = {"Program.dll": (dotnet_packages.BUILT / "Program.dll").read_bytes()}
        files["Program.runtimeconfig.json"] = dotnet_packages.described("Program")[
            "Program.runtimeconfig.json"
        ].encode()
        (answer,) = self.run_files(files, {"n": 1}, handler="Program")
        assert answer.json() == [{"n": 1}]
        (answer,) = self.run_files({"bin/own": "#!/bin/sh\nexit 7\n"}, {}, handler="bin/own")
        assert answer.how == Exit(status=7)
        (answer,) = self.run_files(files, {}, handler="Nothing")
        assert answer.how == Exit(status=104)
        assert "/Nothing.dll or binary " in answer.output

    def test_another_version_than_there_is(self) -> None:
        """The host of .NET says what is missing."""
        files = {**_function("Echo"), **dotnet_packages.described("Suite", version="99.0.0")}
        (answer,) = self.run_files(files, {})
        assert (answer.kind, answer.how) == ("exit", Exit(status=150))
        assert "You must install or update .NET to run this application." in answer.output

    def test_a_corrupt_assembly(self) -> None:
        """As on AWS: .NET takes it for one that is not there. The log knows better."""
        (answer,) = self.run_files({**_function("Echo"), "Suite.dll": b"MZ\x90 not an assembly"}, {})
        assert answer.json()["errorMessage"].startswith("Could not find the specified handler assembly")
        assert "/var/task/Suite.dll is there, but .NET cannot read it as an assembly" in answer.output

    # -- the start --------------------------------------------------------------------------------------------------

    def test_a_wrapper_starts_it(self) -> None:
        """EV: AWS_LAMBDA_EXEC_WRAPPER gets the command; one that is missing is status 127."""
        files = {**_function("Variables"), "bin/wrapper": '#!/bin/sh\nexport WRAPPED="$2"\nexec "$@"\n'}
        (answer,) = self.run_files(files, {}, variables={"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/bin/wrapper"})
        assert answer.json()["WRAPPED"] == "exec"
        (answer,) = self.run_files(files, {}, variables={"AWS_LAMBDA_EXEC_WRAPPER": "/nowhere"})
        assert (answer.how, "/nowhere: does not exist" in answer.output) == (Exit(status=127), True)

    def test_the_heap_is_what_the_function_has(self) -> None:
        """Observed: aws/aws-lambda-dotnet, LambdaBootstrap.AdjustMemorySettings. A user may do without."""
        assert self.call("Heap")[0].json() == 256 << 20
        variables = {"AWS_LAMBDA_DOTNET_DISABLE_MEMORY_LIMIT_CHECK": "true"}
        assert self.call("Heap", variables=variables)[0].json() != 256 << 20
        (answer,) = self.call("Big", 300 << 20)
        assert answer.json()["errorType"] == "OutOfMemoryException"

    def test_it_may_be_compiled_before_the_first_event(self) -> None:
        """AWS_LAMBDA_DOTNET_PREJIT compiles the assembly's methods, also where some of them cannot be."""
        (answer,) = self.call("Later", {"Title": "t", "Count": 1}, variables={"AWS_LAMBDA_DOTNET_PREJIT": "Always"})
        assert answer.json() == "t 1 hello"

    def test_hooks_around_a_snapshot(self) -> None:
        """SnapStart: those before run in reverse, those behind in order; one that fails is an init error."""
        variables = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
        (answer,) = self.run_files(_function("Hooks"), {}, variables=variables)
        assert answer.json() == ["before two", "before one", "after"]
        (answer,) = self.run_files(_function("FailingHook"), {}, variables=variables)
        assert (answer.kind, answer.error_type) == ("init error", "Runtime.BeforeSnapshotError")

    def test_variables_of_dotnet(self) -> None:
        """Where .NET is, what the runtime is called, and what makes a start quick; a user's value goes first."""
        (answer,) = self.run_files(self.packages["environment"], {}, variables={"DOTNET_TieredPGO": "1"})
        seen = answer.json()
        assert seen["LAMBDA_RUNTIME_NAME"] == "dotnet8"
        assert seen["DOTNET_TieredPGO"] == "1"
        assert seen["SSL_CERT_FILE"] == "/var/runtime/empty-certificates.crt"
        # Observed: aws/aws-lambda-dotnet, LambdaRuntimeDockerfiles.
        places = (seen["DOTNET_ROOT"], seen["LAMBDA_RUNTIME_DIR"], seen["LAMBDA_TASK_ROOT"])
        assert places == ("/var/lang/bin", "/var/runtime", "/var/task")
