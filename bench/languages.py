"""
What each language costs: a first and a warm invocation, beside the language's own least program.

A language is one entry of `LANGUAGES`: how its function is made, and what its start is held against. One that this
machine lacks is told and left out.
"""

import os
import shutil
import statistics
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.load import run_load
from bench.table import Bound, Line
from bench.targets import Target, lambent, package_of, scratch_folder
from bench.yardsticks import InterpreterStart, interleave

_WARM_UP = 3000
"""Requests before the first round: compilers in the runtime have seen the code often enough by then."""
_WARM_COUNT = 200


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


@dataclass(frozen=True)
class BenchLanguage:
    """One row of the table."""

    title: str
    make: Callable[[Path], Made]
    """From an empty folder that functions can read. Raises NotHere."""
    cold: Bound
    """How a cold start may compare with the start of the least program, by exec."""


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
        names = [f"bench-cold-{number:03d}" for number in range(rounds)]
        with lambent(made.runtime) as target, lambent(python) as of_python:
            target.package = package_of(made.package)
            target.create(["bench-first", "bench-warm", *names], made.handler)
            of_python.create(["bench-warm"])
            run_load(target.url, [target.invoke("bench-first")], concurrency=1, count=1)
            requests = iter([target.invoke(name) for name in names])
            cold, start = interleave(
                lambda: run_load(target.url, [next(requests)], concurrency=1, count=1).p50_s,
                yardstick.one,
                rounds=rounds,
            )
            warm, by_python = interleave(_warm(target), _warm(of_python), rounds=rounds)
    return [
        Line.of_times(
            f"cold start, {language.title}, p50",
            statistics.median(cold),
            statistics.median(start),
            made.start_text,
            required=language.cold,
        ),
        Line.of_times(
            f"warm invoke, {language.title}, p50",
            statistics.median(warm),
            statistics.median(by_python),
            "Python",
            required=Bound(1.5),
        ),
    ]


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


LANGUAGES: tuple[BenchLanguage, ...] = (BenchLanguage("Java", _make_java, cold=Bound(2.5)),)
