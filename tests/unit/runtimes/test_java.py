"""How a Java runtime is made ready, and what is said when it cannot be; tests/conformance shows what it runs."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambent.clock import SystemClock
from lambent.function_user import find_function_user
from lambent.runtimes.catalogue import CATALOGUE
from lambent.runtimes.contract import LayersAt, RuntimeUnavailable
from lambent.runtimes.interpreters import Interpreter, newest_reachable
from lambent.runtimes.java import JavaRuntimes

JRE = Interpreter(Path("/no/jre/bin/java"), (17, 0, 15), True, prefix=Path("/no/jre"))


class FoundInterpreters:
    """A machine with given JVMs."""

    def __init__(self, *found: Interpreter) -> None:
        self._found = found

    async def find(self, *, fresh: bool = False) -> tuple[Interpreter, ...]:
        return self._found

    async def best(self, version: str) -> Interpreter | None:
        return newest_reachable(self._found, version)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that the functions' user can pass."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def runtimes(folder: Path, *found: Interpreter, has_own_root: bool = False) -> JavaRuntimes:
    user = find_function_user("nobody")
    made = JavaRuntimes(folder, user, "none", SystemClock(), has_own_root=has_own_root)
    made._interpreters = FoundInterpreters(*found)  # type: ignore[assignment]
    return made


def refusal(of: JavaRuntimes, runtime: str) -> str:
    with pytest.raises(RuntimeUnavailable) as refused:
        asyncio.run(of.prepare(runtime))
    return str(refused.value)


def jdk(folder: Path, javac: str, java: str = "exit 1") -> Interpreter:
    """Write programs that stand in for a JDK's: small ones, which are told what happens to them."""
    for name, body in (("javac", javac), ("java", java)):
        path = folder / "jdk" / "bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    (folder / "jdk" / "lib" / "server").mkdir(parents=True)
    (folder / "jdk" / "lib" / "server" / "classes.jsa").touch()
    (folder / "jdk" / "release").write_text("it")
    prefix = folder / "jdk"
    return Interpreter(prefix / "bin" / "java", (17, 0, 1), True, prefix=prefix, library=(prefix / "lib",))


COMPILES = 'while [ "$1" != -d ]; do shift; done; mkdir -p "$2/lambent"; echo made > "$2/lambent/Main.class"'
DUMPS = 'for one; do case "$one" in -XX:ArchiveClassesAtExit=*) echo made > "${one#*=}";; esac; done'


@pytest.mark.parametrize("has_own_root", [False, True])
def test_the_client_and_its_archive_are_made_once(folder: Path, has_own_root: bool) -> None:
    """Calls at the same time find what the first made; the command uses both, but for a wrapper."""
    here = jdk(folder, COMPILES, DUMPS)
    of = runtimes(folder / "runtimes", here, has_own_root=has_own_root)

    async def prepare_often() -> None:
        await asyncio.gather(*(of.prepare("java17") for _ in range(3)))

    asyncio.run(prepare_often())
    (client,) = (folder / "runtimes").iterdir()
    (jar, core, archive) = sorted(client.iterdir())
    assert (jar.name, core.name, archive.suffix) == ("client.jar", "core.jar", ".jsa")
    assert archive.stat().st_mode & 0o777 == 0o644
    place = "/var/runtime" if has_own_root else str(client)
    command = asyncio.run(of.command("java17", "x.H", "/var/task", {}))
    assert f"-XX:SharedArchiveFile={place}/{archive.name}" in command.argv
    assert command.argv[-1] == ("../runtime/client.jar" if has_own_root else f"{place}/client.jar")
    assert ("/var/runtime", str(client)) in command.folders or not has_own_root
    wrapped = asyncio.run(of.command("java17", "x.H", "/var/task", {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap"}))
    assert wrapped.argv[4] == "/opt/wrap"
    assert wrapped.argv[-1] == f"{place}/client.jar"
    assert not any("SharedArchiveFile" in one for one in wrapped.argv)


def test_a_jvm_without_an_archive_of_its_own(folder: Path) -> None:
    """It gets one of everything that a life of a function takes, in two steps."""
    steps = 'for one; do case "$one" in -XX:DumpLoadedClassList=*) echo listed > "${one#*=}";;'
    steps += ' -XX:SharedClassListFile=*) list=${one#*=};; -XX:SharedArchiveFile=*) cp "$list" "${one#*=}";; esac; done'
    here = jdk(folder, COMPILES, steps)
    (folder / "jdk" / "lib" / "server" / "classes.jsa").unlink()
    asyncio.run(runtimes(folder / "runtimes", here).prepare("java17"))
    (archive,) = (folder / "runtimes").glob("java-client-*/*.jsa")
    assert archive.read_text() == "listed\n"


def test_layers_are_where_functions_see_them(folder: Path) -> None:
    """Without a root of their own functions see the merged layers where they lie."""
    of = runtimes(folder / "runtimes", jdk(folder, COMPILES, DUMPS))
    layers = LayersAt(Path("/layers"), "/layers")
    command = asyncio.run(of.command("java17.al2023", "x.H", "/package", {}, layers))
    assert command.argv[3] == "/layers"
    assert command.environ["PATH"].endswith(":/layers/bin")
    assert command.reserved["AWS_EXECUTION_ENV"] == "AWS_Lambda_java17.al2023"


def test_a_jvm_without_an_archive_runs(folder: Path) -> None:
    """What cannot be made is left out; a server that starts anew tries again."""
    of = runtimes(folder / "runtimes", jdk(folder, COMPILES, "exit 1"))
    command = asyncio.run(of.command("java17", "x.H", "/package", {}))
    assert not any("SharedArchiveFile" in one for one in command.argv)


def test_a_compiler_that_fails_is_told(folder: Path) -> None:
    """With its last words, and nothing half-made is left."""
    told = refusal(runtimes(folder / "runtimes", jdk(folder, "echo no room; exit 1")), "java17")
    assert "no room" in told
    assert list((folder / "runtimes").iterdir()) == []


def test_only_a_jre(folder: Path) -> None:
    """Somebody has to compile the client; how, the message says."""
    assert "only a JDK has javac" in (told := refusal(runtimes(folder, JRE), "java17"))
    assert "openjdk-17-jdk-headless" in told


def test_a_compiler_that_others_can_change_is_not_run(folder: Path) -> None:
    """It would run with the server's rights."""
    here = jdk(folder, "exit 9")
    (folder / "jdk" / "bin" / "javac").chmod(0o777)
    assert "can be changed by other users" in refusal(runtimes(folder / "runtimes", here), "java17")


def test_a_version_that_is_not_here(folder: Path) -> None:
    """The command that adds it is told; both identifiers of a version want the same."""
    for runtime in ("java17", "java17.al2023"):
        told = refusal(runtimes(folder), runtime)
        assert "there is no Java 17 (there is none)" in told
        assert "lambent runtimes install java17" in told


def test_labels(folder: Path) -> None:
    """INIT_START tells the identifier's version."""
    assert runtimes(folder).version_label(CATALOGUE["java17.al2023"]) == "java:17.al2023.v1"
