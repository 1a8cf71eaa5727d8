"""
What each language costs: a first and a warm invocation, beside the language's own least program.

A language is one entry of `LANGUAGES`: how its function is made, and what its start is held against. One that this
machine lacks is told and left out.
"""

import json
import os
import shutil
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.load import run_load
from bench.processes import ROOT
from bench.table import Bound, Line
from bench.targets import RUNTIMES_DIR, Target, lambent, newest_runtime, package_of, scratch_folder
from bench.yardsticks import QUIET_S, InterpreterStart, after_quiet, interleave

_WARM_UP = 3000
"""Requests before the first round: compilers in the runtime have seen the code often enough by then."""
_WARM_COUNT = 200

_EXECUTED = {"HOME": "/tmp"}
"""With this variable an interpreter is not started ahead, and does nothing else because of it."""


class NotHere(Exception):
    """This machine lacks what a language is measured with."""


@dataclass(frozen=True)
class Made:
    """What is measured of a language on this machine."""

    package: Mapping[str, bytes]
    """The function's files: it answers a constant."""
    runtime: str
    handler: str
    start: tuple[str, ...]
    """The command that does the least of which the language is capable."""
    start_text: str
    options: tuple[str, ...] = ()
    """Further options of the server."""


@dataclass(frozen=True)
class BenchLanguage:
    """One row of the table."""

    title: str
    make: Callable[[Path], Made]
    """From an empty folder that functions can read. Raises NotHere."""
    cold: Bound | None = None
    """How a cold start may compare with the start of the least program."""
    cold_beyond_ms: float | None = None
    """How much longer than that it may take, for programs that start in no time; also measured after some quiet."""
    by_exec: Bound | None = None
    """
    For what is started ahead: how a function may compare that is executed when it is called. `cold` is then what holds
    after some quiet; one after the other, more is taken than can be kept ready.
    """


def measure_language(language: BenchLanguage, python: str, rounds: int, say: Callable[[str], None]) -> list[Line]:
    """Time first invocations of functions that never ran, and warm ones beside Python's."""
    with scratch_folder() as folder:
        try:
            made = language.make(folder)
        except NotHere as lacking:
            say(f"  {language.title}: not measured: {lacking}")
            return []
        yardstick = InterpreterStart(*made.start)
        say(f"  yardstick: {yardstick.command}")
        names = [f"bench-cold-{number:03d}" for number in range(2 * rounds)]
        with lambent(made.runtime, *made.options) as target, lambent(python) as of_python:
            target.package = package_of(made.package)
            target.create(["bench-first", "bench-warm", *names], made.handler)
            of_python.create(["bench-warm"])
            run_load(target.url, [target.invoke("bench-first")], concurrency=1, count=1)
            first_call = _first_calls(target, names)
            cold, start = interleave(first_call, yardstick.one, rounds=rounds)
            hurried = language if language.by_exec is None else replace(language, cold=None)
            lines = [_cold_line(hurried, "", cold, start, made.start_text)]
            if language.cold_beyond_ms is not None or language.by_exec is not None:
                quiet, start_of_quiet = interleave(after_quiet(first_call), after_quiet(yardstick.one), rounds=rounds)
                pace = f" after {QUIET_S:g} s of quiet,"
                lines.append(_cold_line(language, pace, quiet, start_of_quiet, made.start_text))
            if language.by_exec is not None:
                names = [f"bench-exec-{number:03d}" for number in range(rounds + 1)]
                target.create(names, made.handler, variables=_EXECUTED)
                first_call = _first_calls(target, names)
                # After it, such environments are parked.
                first_call()
                cold, start = interleave(first_call, yardstick.one, rounds=rounds)
                of_exec = replace(language, cold=language.by_exec)
                lines.append(_cold_line(of_exec, " by exec,", cold, start, made.start_text))
            warm, by_python = interleave(_warm(target), _warm(of_python), rounds=rounds)
    return [
        *lines,
        Line.of_times(
            f"warm invoke, {language.title}, p50",
            statistics.median(warm),
            statistics.median(by_python),
            "Python",
            required=Bound(1.5),
        ),
    ]


def _cold_line(language: BenchLanguage, pace: str, cold: list[float], start: list[float], start_text: str) -> Line:
    cold_s, start_s = statistics.median(cold), statistics.median(start)
    title = f"cold start, {language.title},{pace} p50"
    line = Line.of_times(title, cold_s, start_s, start_text, required=language.cold)
    if language.cold_beyond_ms is None:
        return line
    is_met = (cold_s - start_s) * 1000 <= language.cold_beyond_ms
    return replace(line, is_met=is_met, required_text=f"+ {language.cold_beyond_ms:g} ms")


def _first_calls(target: Target, names: Sequence[str]) -> Callable[[], float]:
    """Return a sampler that calls one function after the other."""
    requests = iter([target.invoke(name) for name in names])
    return lambda: run_load(target.url, [next(requests)], concurrency=1, count=1).p50_s


def _warm(target: Target) -> Callable[[], float]:
    request = [target.invoke("bench-warm")]
    run_load(target.url, request, concurrency=1, count=_WARM_UP)
    return lambda: run_load(target.url, request, concurrency=1, count=_WARM_COUNT).p50_s


# -- the languages ----------------------------------------------------------------------------------------------------

_JAVA_FUNCTION = """
public class Hello {
    public java.util.Map<String, Object> handle(java.util.Map<String, Object> event) {
        return java.util.Map.of("statusCode", 200, "body", "hello");
    }

    public static void main(String[] arguments) {
        System.out.println("hello");
    }
}
"""


def _make_java(folder: Path) -> Made:
    javac = shutil.which("javac")
    if javac is None:
        raise NotHere("apt install openjdk-17-jdk-headless")
    javac = os.path.realpath(javac)
    said = subprocess.run([javac, "-version"], capture_output=True, text=True, check=True).stdout
    major = said.split()[1].partition(".")[0]
    (folder / "Hello.java").write_text(_JAVA_FUNCTION)
    subprocess.run([javac, "-d", str(folder), str(folder / "Hello.java")], check=True)
    java = str(Path(javac).with_name("java"))
    return Made(
        package={"Hello.class": (folder / "Hello.class").read_bytes()},
        runtime=f"java{major}",
        handler="Hello::handle",
        start=(java, "-Xshare:auto", "-cp", str(folder), "Hello"),
        start_text="`java -Xshare:auto Hello`",
    )


_RUBY_FUNCTION = """
def handle(event:, context:)
  { statusCode: 200, body: 'hello' }
end
"""


def _make_ruby(folder: Path) -> Made:
    ruby = shutil.which("ruby")
    if ruby is None:
        raise NotHere("apt install ruby")
    return Made(
        package={"hello.rb": _RUBY_FUNCTION.encode()},
        runtime="ruby3.2",
        handler="hello.handle",
        start=(ruby, "-e", "0"),
        start_text="`ruby -e 0`",
        # Debian 12 has 3.1.
        options=("--runtime-fallback", "nearest"),
    )


_DOTNET_CONFIG = {
    "runtimeOptions": {
        "tfm": "net8.0",
        "framework": {"name": "Microsoft.NETCore.App", "version": "8.0.0"},
        "configProperties": {"System.Globalization.Invariant": True},
    }
}
_DOTNET_DEPENDENCIES = {
    "runtimeTarget": {"name": ".NETCoreApp,Version=v8.0", "signature": ""},
    "targets": {".NETCoreApp,Version=v8.0": {"Bare/1.0.0": {"runtime": {"Bare.dll": {}}}}},
    "libraries": {"Bare/1.0.0": {"type": "project", "serviceable": False, "sha512": ""}},
}


def _make_dotnet(folder: Path) -> Made:
    built, runtime = ROOT / ".cache" / "dotnet-functions", ROOT / ".cache" / "dotnet-runtime"
    if not (built / "Bare.dll").is_file() or not (runtime / "dotnet").is_file():
        raise NotHere(".venv/bin/python tools/dotnet.py client functions")
    # Where servers look, and functions can read it.
    place = RUNTIMES_DIR / "dotnet8"
    if not place.exists():
        shutil.copytree(runtime, place)
    config = json.dumps(_DOTNET_CONFIG)
    shutil.copy(built / "Hello.dll", folder)
    (folder / "Hello.runtimeconfig.json").write_text(config)
    return Made(
        package={
            "Bare.dll": (built / "Bare.dll").read_bytes(),
            "Bare.deps.json": json.dumps(_DOTNET_DEPENDENCIES).encode(),
            "Bare.runtimeconfig.json": config.encode(),
        },
        runtime="dotnet8",
        handler="Bare::App.Bare::Streams",
        start=(str(place / "dotnet"), str(folder / "Hello.dll")),
        start_text="`dotnet Hello.dll`",
    )


_GO_FUNCTION = """
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		fmt.Println("hello")
		return
	}
	lambda.Start(func() (map[string]any, error) { return map[string]any{"statusCode": 200, "body": "hello"}, nil })
}
"""


def _make_go(folder: Path) -> Made:
    if shutil.which("go") is None:
        raise NotHere("apt install golang-go")
    for name in ("go.mod", "go.sum"):
        shutil.copy(ROOT / "examples" / "go" / name, folder)
    (folder / "main.go").write_text(_GO_FUNCTION)
    command = ("go", "build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-o", "bootstrap", ".")
    subprocess.run(command, cwd=folder, env={**os.environ, "CGO_ENABLED": "0"}, check=True)
    return _program(folder / "bootstrap", "the program, without the Runtime API")


_RUST_FUNCTION = """
use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use serde_json::{json, Value};

async fn handle(_: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(json!({"statusCode": 200, "body": "hello"}))
}

fn main() -> Result<(), Error> {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        println!("hello");
        return Ok(());
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(service_fn(handle)))
}
"""


def _make_rust(folder: Path) -> Made:
    if shutil.which("cargo") is None:
        raise NotHere("rustup, see https://rustup.rs")
    example = ROOT / "examples" / "rust"
    for name in ("Cargo.toml", "Cargo.lock"):
        shutil.copy(example / name, folder)
    (folder / "src").mkdir()
    (folder / "src" / "main.rs").write_text(_RUST_FUNCTION)
    # Kept: the libraries take minutes to compile.
    target = ROOT / ".cache" / "bench-rust"
    subprocess.run(("cargo", "build", "--release", "--target-dir", str(target)), cwd=folder, check=True)
    (program,) = (path for path in (target / "release").iterdir() if path.is_file() and os.access(path, os.X_OK))
    return _program(Path(shutil.copy(program, folder / "bootstrap")), "the program, without the Runtime API")


def _program(path: Path, start_text: str) -> Made:
    return Made({"bootstrap": path.read_bytes()}, "provided.al2023", "bootstrap", (str(path), "hello"), start_text)


def _make_node(folder: Path) -> Made:
    node = shutil.which("node")
    if node is None:
        raise NotHere("apt install nodejs")
    return Made(
        package={"app.js": (ROOT / "bench" / "handler.js").read_bytes()},
        runtime=newest_runtime("nodejs"),
        handler="app.hello",
        start=(node, "-e", "0"),
        start_text="`node -e 0`",
    )


LANGUAGES: tuple[BenchLanguage, ...] = (
    # Its cold start has a row of its own, `cold-node`: here calls come faster than processes can be started ahead.
    BenchLanguage("Node.js", _make_node),
    BenchLanguage("Java", _make_java, cold=Bound(2.5)),
    BenchLanguage(".NET", _make_dotnet, cold=Bound(1.5)),
    BenchLanguage("Ruby", _make_ruby, cold=Bound(1.0), by_exec=Bound(1.5)),
    BenchLanguage("Go", _make_go, cold_beyond_ms=6),
    BenchLanguage("Rust", _make_rust, cold_beyond_ms=6),
)
