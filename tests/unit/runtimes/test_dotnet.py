"""How a .NET runtime is made ready, and what is said when it cannot be."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambent.clock import SystemClock
from lambent.function_user import find_function_user
from lambent.runtimes import dotnet
from lambent.runtimes.catalogue import CATALOGUE
from lambent.runtimes.contract import LayersAt, RuntimeUnavailable
from lambent.runtimes.dotnet import DotnetRuntimes, why_not_built
from lambent.runtimes.interpreters import Interpreter, newest_reachable

OF_DEBIAN = Interpreter(Path("/usr/share/dotnet/dotnet"), (8, 0, 11), True, prefix=Path("/usr/share/dotnet"))
OF_HOME = Interpreter(Path("/r/dotnet/dotnet"), (10, 0, 1), True, prefix=Path("/r/dotnet"))


class FoundInterpreters:
    """A machine with given interpreters."""

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


@pytest.fixture
def built(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the sources of a client that has been compiled."""
    sources = folder / "dotnet_client"
    (sources / "built").mkdir(parents=True)
    (sources / "Program.cs").write_text("class Program {}")
    for name in ("Lambent.Runtime.dll", "bootstrap"):
        (sources / "built" / name).write_text(name)
    (sources / "built" / "sources").write_text(dotnet._digest_of(sources))
    monkeypatch.setattr(dotnet, "_SOURCES", sources)
    monkeypatch.setattr(dotnet, "_BUILT", sources / "built")
    return sources


def runtimes(folder: Path, *found: Interpreter, fallback: str = "none", has_own_root: bool = False) -> DotnetRuntimes:
    user = find_function_user("nobody")
    made = DotnetRuntimes(folder / "runtimes", user, fallback, SystemClock(), has_own_root=has_own_root)
    made._interpreters = FoundInterpreters(*found)  # type: ignore[assignment]
    return made


@pytest.mark.usefixtures("built")
def test_the_command_with_the_machines_paths(folder: Path) -> None:
    """The bootstrap starts what is needed: where .NET and the client are comes in variables."""
    layers = LayersAt(folder / "layers", "/data/layers")
    command = asyncio.run(runtimes(folder, OF_DEBIAN).command("dotnet8", "A::B::C", "/task", {}, layers))
    (client,) = (folder / "runtimes").iterdir()
    assert list(command.argv) == ["/bin/sh", f"{client}/bootstrap"]
    assert command.environ["PATH"].startswith("/usr/share/dotnet:")
    assert command.environ["DOTNET_TieredPGO"] == "0"
    assert command.reserved == {
        "AWS_EXECUTION_ENV": "AWS_Lambda_dotnet8",
        "LAMBDA_RUNTIME_DIR": str(client),
        "LAMBDA_RUNTIME_NAME": "dotnet8",
        "DOTNET_ROOT": "/usr/share/dotnet",
    }
    assert command.folders == ()


@pytest.mark.usefixtures("built")
def test_the_command_inside(folder: Path) -> None:
    """With a root of its own: .NET out of /usr is at /var/lang/bin, as AWS has it."""
    under_test = runtimes(folder, OF_DEBIAN, OF_HOME, has_own_root=True)
    command = asyncio.run(under_test.command("dotnet10", "A::B::C", "/var/task", {}))
    assert list(command.argv) == ["/bin/sh", "/var/runtime/bootstrap"]
    assert dict(command.folders)["/var/lang/bin"] == "/r/dotnet"
    assert command.reserved["DOTNET_ROOT"] == "/var/lang/bin"
    in_usr = asyncio.run(under_test.command("dotnet8", "A::B::C", "/var/task", {}))
    assert [inside for inside, _ in in_usr.folders] == ["/var/runtime"]
    assert in_usr.reserved["DOTNET_ROOT"] == "/usr/share/dotnet"


@pytest.mark.usefixtures("built")
def test_only_a_newer_version_stands_in(folder: Path) -> None:
    """What is built for a version runs on one behind it, when it is told to, and never on one before it."""
    newer = asyncio.run(runtimes(folder, OF_HOME, fallback="nearest").command("dotnet8", "A::B::C", "/task", {}))
    assert newer.environ["DOTNET_ROLL_FORWARD"] == "Major"
    with pytest.raises(RuntimeUnavailable, match=r"there is no \.NET 10 \(there is 8\)\. To change that: `"):
        asyncio.run(runtimes(folder, OF_DEBIAN, fallback="nearest").prepare("dotnet10"))


def test_a_client_that_is_not_compiled(folder: Path, built: Path) -> None:
    """Of a checkout nothing is built, or something older: both say how to build it, `lambent runtimes` as well."""
    (built / "Program.cs").write_text("class Changed {}")
    with pytest.raises(RuntimeUnavailable, match=r"from other sources than these.*`make dotnet-client`"):
        asyncio.run(runtimes(folder, OF_DEBIAN).prepare("dotnet8"))
    (built / "built" / "Lambent.Runtime.dll").unlink()
    of_10, of_8 = asyncio.run(runtimes(folder, OF_DEBIAN).availability())
    assert (of_8.available, of_8.detail) == (False, "the client of .NET has not been compiled")
    assert of_8.remedy == "`make dotnet-client` in the checkout"
    assert (of_10.available, of_10.detail) == (False, "there is no .NET 10 (there is 8)")


def test_sources_are_compared_by_what_is_in_them(folder: Path) -> None:
    """Any change of a name or a text is another client."""
    sources = folder / "sources"
    sources.mkdir()
    (sources / "A.cs").write_text("1")
    first = dotnet._digest_of(sources)
    (sources / "built").mkdir()
    assert dotnet._digest_of(sources) == first
    (sources / "A.cs").write_text("2")
    assert dotnet._digest_of(sources) != first
    assert why_not_built(sources) == "the client of .NET has not been compiled"


def test_the_label_of_init_start(folder: Path) -> None:
    """Family, version, and a number after the v."""
    assert runtimes(folder).version_label(CATALOGUE["dotnet8"]) == "dotnet:8.v1"
