"""Java functions pass the shared suite; below it, what is Java's alone. Their sources are in `java` beside this."""

import asyncio
import io
import json
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambent.clock import SystemClock
from lambent.runtimes.contract import Runtimes, RuntimeUnavailable
from lambent.runtimes.registry import HostRuntimes
from lambent.sandbox.probe import gather, lacks_of
from lambent.testing.conformance.runtime import REQUEST_ID, Answered, ManagedRuntimeConformance

SOURCES = Path(__file__).with_name("java")
RUNTIME = "java17"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Give a folder that functions can read, for the client."""
    made = Path(tempfile.mkdtemp(prefix="lambent-java-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def classes(folder: Path) -> dict[str, str | bytes]:
    """Compile all functions at once: name to bytes, as in a package."""
    try:
        asyncio.run(_host_runtimes(folder, False).prepare(RUNTIME))
    except RuntimeUnavailable as error:
        pytest.skip(f"needs:java:apt install openjdk-17-jdk-headless ({error})")
    sources = sorted(map(str, SOURCES.rglob("*.java")))
    quick = ("-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", "-proc:none")
    subprocess.run(["javac", *quick, "--release", "17", "-d", str(folder / "classes"), *sources], check=True)
    found = (folder / "classes").rglob("*.class")
    return {str(path.relative_to(folder / "classes")): path.read_bytes() for path in found}


def _host_runtimes(folder: Path, has_own_root: bool) -> HostRuntimes:
    return HostRuntimes(folder / "runtimes", "nobody", "nearest", SystemClock(), has_own_root=has_own_root)


class JavaSuite(ManagedRuntimeConformance):
    """The shared suite, for some JVM of this machine with our client."""

    runtime = RUNTIME
    handler = "app.Function::handler"
    error_type = "java.lang.IllegalStateException"
    classes: dict[str, str | bytes]
    folder: Path

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _packages(cls, classes: dict[str, str | bytes], folder: Path) -> None:
        cls.folder = folder
        cls.classes = classes
        names = ("echo", "error", "init_error", "exit", "context", "nested_error", "order", "logs", "environment")
        cls.packages = {name: {**classes, "which": name} for name in (*names, "left_over", "goodbye")}  # type: ignore[dict-item]

    def make_runtimes(self, has_own_root: bool) -> Runtimes:
        return _host_runtimes(self.folder, has_own_root)

    def answer(self, handler: str, event: object = None, **given: Any) -> Answered:
        """Return what a handler of `Forms` answers: `$Class`, or `::method`."""
        (answer,) = self.run_files(given.pop("files", self.classes), event, handler=f"app.Forms{handler}", **given)
        return answer

    # -- where Java differs from the suite ----------------------------------------------------------------------

    def test_a_handler_that_is_not_there(self) -> None:
        """RT-02: it fails the invocation and not init, and the environment lives on."""
        missing, again = self.run_files(self.classes, {}, {}, handler="x.Nope")
        assert (missing.kind, again.kind, missing.error_type) == ("error", "error", "Runtime.BadFunctionCode")
        assert missing.json() == {
            "errorMessage": "Class not found: x.Nope",
            "errorType": "java.lang.ClassNotFoundException",
        }
        assert "Class not found: x.Nope: java.lang.ClassNotFoundException" in missing.output
        told = self.answer("::nothing").json()
        assert told == {
            "errorMessage": "No public method named nothing with appropriate method signature found on class app.Forms"
        }

    def test_log_records_have_their_fields(self) -> None:
        """PL-03: in JSON a record has level, message and request id, and those below the level are not written."""
        given = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
        (answer,) = self.run_files(self.packages["logs"], {}, variables=given)
        (message,) = answer.messages()
        record = json.loads(message)
        assert list(record) == ["timestamp", "message", "level", "AWSRequestId"]
        assert (record["level"], record["message"], record["AWSRequestId"]) == ("ERROR", "high", REQUEST_ID)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["timestamp"])

    def test_log_lines_have_their_fields(self) -> None:
        """As text a message has its level where one is given; each is a record of its own, whatever lines it has."""
        (answer,) = self.run("logs", {})
        assert answer.messages() == ["[DEBUG] low", "[ERROR] high"]
        assert self.answer("::ofLogger").messages() == ["of the runtime\nin two lines", "bytes"]

    def test_the_client_comes_out_of_its_archive(self) -> None:
        """Its classes are mapped and not loaded."""
        given = {"JAVA_TOOL_OPTIONS": "-Xlog:class+load"}
        (answer,) = self.run_files(self.packages["echo"], {}, variables=given)
        assert re.search(r"lambent\.runtime\.Bytes source: shared objects file", answer.output)


class TestJava(JavaSuite):
    """The suite where environments see the machine, and what is Java's alone."""

    # -- handlers -----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("handler", "event", "expected"),
        [
            ("$Bean", {"title": "t", "n": 1, "x": {"y": []}}, {"title": "t", "n": 2}),
            (
                "$Bean::handleRequest",
                {"child": {"n": "5"}, "all": [{}]},
                {"n": 1, "child": {"n": 5}, "all": [{"n": 0}]},
            ),
            ("$Beans", [{"title": "a"}], [{"title": "a", "n": 7}, {"title": "a", "n": 7}]),
            ("$Records", {"left": "l", "right": [1, 2]}, {"left": "l!", "right": [1, 2]}),
            ("$Streams", {"n": 1}, {"n": 1}),
            ("$Streams::handleRequest", {"n": 1}, {"n": 1}),
            ("$Texts", "four", 4),
            ("$Nothing", {}, None),
            ("::ofStatic", {"n": 1}, "static 1 hello"),
            ("::ofPrimitive", 5, 6),
            ("::ofNothing", 5, "nothing"),
            ("::ofContext", {}, "hello"),
            ("::ofVoid", {"n": 1}, None),
            ("::ofIn", {}, None),
            ("::ofOut", {}, "out"),
            ("::ofStreams", [1], [1]),
            ("::ofAllStreams", [1], [1]),
            ("::ofMany", {}, "two"),
        ],
    )
    def test_every_form_of_handler(self, handler: str, event: object, expected: object) -> None:
        """RT-02: classes with either interface, and methods with all parameters that are documented."""
        answer = self.answer(handler, event)
        assert (answer.kind, answer.json()) == ("response", expected), answer

    @pytest.mark.parametrize(
        ("handler", "told"),
        [
            ("app.Forms$In", "Class does not implement an appropriate handler interface: app.Forms$In"),
            ("app.Forms$Raw", "Class app.Forms$Raw does not implement RequestHandler with concrete type parameters"),
            ("app.Forms$Closed", "Class app.Forms$Closed has no public zero-argument constructor"),
            ("app.Forms::", "Invalid handler: `app.Forms::'"),
            ("app.Forms::ofTwoTexts", "No public method named ofTwoTexts with appropriate method signature found on"),
        ],
    )
    def test_what_cannot_be_a_handler(self, handler: str, told: str) -> None:
        """Each is told by the invocation, as AWS tells it."""
        (answer,) = self.run_files(self.classes, {}, handler=handler)
        assert (answer.kind, answer.error_type) == ("error", "Runtime.BadFunctionCode")
        assert answer.json()["errorMessage"].startswith(told)
        assert told in answer.output

    def test_what_ends_init(self) -> None:
        """A constructor or a static initialiser that throws, and a class that this JVM is too old for."""
        answer = self.answer("$Constructed")
        assert (answer.kind, answer.json()) == (
            "init error",
            {"errorMessage": "boom", "errorType": "java.lang.IllegalStateException"},
        )
        (answer,) = self.run("init_error", {})
        assert answer.json()["errorType"] == "java.lang.ExceptionInInitializerError"
        assert answer.json()["errorMessage"].startswith("Error loading class app.Function")
        newer = bytearray(self.classes["app/Forms.class"])  # type: ignore[arg-type]
        newer[6:8] = (99).to_bytes(2, "big")
        answer = self.answer("", files={**self.classes, "app/Forms.class": bytes(newer)})
        assert (answer.kind, answer.error_type) == ("init error", "Runtime.BadFunctionCode")
        assert answer.json()["errorType"] == "java.lang.UnsupportedClassVersionError"
        assert "class file version 99.0" in answer.json()["errorMessage"]
        assert "UnsupportedClassVersionError" in answer.output

    def test_a_package_may_leave_the_interfaces_to_the_runtime(self) -> None:
        """As with Maven's scope `provided`: those of AWS's core library are there, behind the package's own."""
        files = {name: content for name, content in self.classes.items() if not name.startswith("com/")}
        (answer,) = self.run_files(files, {"title": "t"}, handler="app.Forms$Bean")
        assert answer.kind == "response"

    def test_a_package_that_lacks_what_it_needs(self) -> None:
        """A class that is not there; the first invocation tells, and nothing else runs there."""
        files = {name: content for name, content in self.classes.items() if name != "app/Forms$Listing.class"}
        failed, ended = self.run_files(files, {}, {}, handler="app.Forms$Beans")
        assert (failed.kind, failed.json()["errorType"]) == ("error", "java.lang.NoClassDefFoundError")
        assert failed.json()["errorMessage"] == "Error loading class app.Forms$Beans: app/Forms$Listing"
        assert ended.kind == "exit"

    # -- errors -------------------------------------------------------------------------------------------------

    def test_an_error_is_told_as_on_aws(self) -> None:
        """RT-02: message, type and the function's own frames; the log has the causes as well."""
        answer = self.answer("$Failing")
        told = answer.json()
        assert list(told) == ["errorMessage", "errorType", "stackTrace"]
        (frame,) = told["stackTrace"]
        assert re.fullmatch(r"app\.Forms\$Failing\.handleRequest\(Forms\.java:\d+\)", frame)
        assert answer.error_type == "Runtime.UserException"
        (message,) = answer.messages()
        assert message.startswith(
            "boom: java.lang.IllegalStateException\njava.lang.IllegalStateException: boom\n\tat app."
        )
        assert "Caused by: java.io.IOException: why" in message

    @pytest.mark.parametrize(
        ("handler", "event", "told"),
        [
            ("$Bean", {"n": "x"}, "An error occurred during JSON parsing"),
            ("$Bean", 5, "An error occurred during JSON parsing"),
            ("$Circle", {}, "An error occurred during JSON serialization of response"),
        ],
    )
    def test_what_is_not_the_handlers_type(self, handler: str, event: object, told: str) -> None:
        """An event that does not fit and an answer that is no JSON fail the invocation; the log says why."""
        answer, again = self.run_files(self.classes, event, event, handler=f"app.Forms{handler}")
        assert (answer.kind, again.kind) == ("error", "error")
        assert answer.json() == {"errorMessage": told, "errorType": "java.lang.RuntimeException", "stackTrace": []}
        assert "Caused by: " in answer.output

    @pytest.mark.parametrize(
        ("handler", "told"),
        [("$Bottomless", "java.lang.StackOverflowError"), ("$Greedy", "java.lang.OutOfMemoryError")],
    )
    def test_a_jvm_that_is_at_its_end(self, handler: str, told: str) -> None:
        """The invocation fails with what happened, and nothing else runs in that JVM."""
        failed, ended = self.run_files(self.classes, {}, {}, handler=f"app.Forms{handler}")
        assert (failed.kind, failed.json()["errorType"], ended.kind) == ("error", told, "exit")

    # -- the JVM ------------------------------------------------------------------------------------------------

    def test_the_functions_locale_counts(self) -> None:
        """Where its options name one."""
        told = self.answer(
            "::ofJvm", [], variables={"JAVA_TOOL_OPTIONS": "-Duser.language=de -Duser.country=CH"}
        ).json()
        assert (told["locale"], told["charset"]) == ("de_CH", "UTF-8")

    def test_the_jvm_is_lambdas(self) -> None:
        """Heap, encodings, options of the user; nothing of the client is in sight."""
        names = ["lambent.runtime.Main", "app.Forms"]
        given = {"JAVA_TOOL_OPTIONS": "-Down=given"}
        answer = self.answer("::ofJvm", names, variables=given, files={**self.classes, "é.txt": ""})
        told = answer.json()
        assert (told["locale"], told["file"]) == ("en_US", True)
        assert 200 <= told["heap_mib"] <= 218
        assert (told["seen"], told["resource"]) == (["app.Forms"], "null")
        assert (told["charset"], told["own"]) == ("UTF-8", "given")
        assert "Picked up JAVA_TOOL_OPTIONS" in answer.output
        assert "-XX:TieredStopAtLevel=1" in told["flags"]

    def test_an_archive_that_does_not_fit_is_left_out(self) -> None:
        """One of another JVM, for example: functions run, and nothing is written."""
        self.run("echo", {})
        (archive,) = (self.folder / "runtimes").glob("java-client-*/host-*.jsa")
        whole = archive.read_bytes()
        try:
            archive.write_bytes(bytes(4096) + whole[4096:])
            (answer,) = self.run("echo", {"n": 1})
            assert (answer.json(), answer.output) == ({"n": 1}, "")
        finally:
            archive.write_bytes(whole)

    def test_a_wrapper_starts_java(self) -> None:
        """It sees the command, and may change it."""
        layers = {"bin/wrap": '#!/bin/sh\njava=$1; shift\nexec "$java" -Down=wrapped "$@"\n'}
        answer = self.answer("::ofJvm", [], layers=layers, variables={"AWS_LAMBDA_EXEC_WRAPPER": "wrap"})
        assert answer.json()["own"] == "wrapped"
        missing = self.answer("::ofJvm", [], variables={"AWS_LAMBDA_EXEC_WRAPPER": "/no/wrapper"})
        assert missing.how is not None
        assert missing.how.status == 127

    def test_the_class_path_is_lambdas(self) -> None:
        """RT-02, LY-02: the package's classes, its lib, layers, jars by name; a jar beside the classes is none."""
        files = {
            **self.classes,
            "place.txt": "package",
            "lib/b.jar": _jar({"place.txt": "lib b"}),
            "lib/a.jar": _jar({"place.txt": "lib a"}),
            "lib/broken.jar": b"no zip at all",
            "beside.jar": _jar({"place.txt": "beside"}),
        }
        layers = {"java/lib/c.jar": _jar({"place.txt": "layer"}), "place.txt": "opt"}
        answer = self.answer("::ofPlaces", files=files, layers=layers)
        assert answer.json() == ["package", "lib a", "lib b", "layer"]

    def test_a_package_of_jars(self) -> None:
        """RT-02: all of it in lib; as one jar at the root, it is not found; a jar that is broken is no class either."""
        whole = _jar(self.classes)
        assert self.answer("$Texts", "four", files={"lib/function.jar": whole}).json() == 4
        for files in ({"function.jar": whole}, {"lib/function.jar": whole[:1000]}):
            told = self.answer("$Texts", "four", files=files).json()
            assert told["errorMessage"] == "Class not found: app.Forms$Texts"

    def test_client_context_and_nothing_else(self) -> None:
        """RT-03: what the caller sent; null where nothing was. What the client does not know answers by its default."""
        sent = '{"client": {"app_title": "愛"}, "custom": {"a": "b", "n": 1}}'
        assert self.answer("::ofClientContext", client_context=sent).json() == [{"a": "b", "n": "1"}, "愛"]
        assert self.answer("::ofClientContext").json() == ["none", "of later", "null", True]


class TestJavaWalled(JavaSuite):
    """The suite behind walls, where environments have Lambda's own paths."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _behind_walls(cls) -> None:
        facts = gather()
        cls.driver = "rootless" if lacks_of(facts, "namespace") else "namespace"
        if lacks := lacks_of(facts, cls.driver):
            pytest.skip(f"needs:{cls.driver}:{lacks[0].what}")

    def test_the_places_are_lambdas(self) -> None:
        """Documented: the developer guide names them. What the JVM has in /etc, certificates among it, is in sight."""
        files = {**self.classes, "place.txt": "package"}
        answer = self.answer("::ofPlaces", files=files, layers={"java/lib/c.jar": _jar({"place.txt": "layer"})})
        assert answer.json() == ["package", "layer"]
        told = self.answer("::ofFiles", ["/var/task/app/Forms.class", "/var/runtime/client.jar", "$HOME/conf"]).json()
        assert told["there"] == ["/var/task/app/Forms.class", "/var/runtime/client.jar", "$HOME/conf"]
        assert (told["cwd"], told["certificates"] > 50, told["provider"]) == ("/var/task", True, "SUN")


def _jar(files: dict[str, str | bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()
