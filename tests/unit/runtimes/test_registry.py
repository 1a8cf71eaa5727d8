"""Who can start which runtime."""

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest

from lambent.clock import SystemClock
from lambent.runtimes.catalogue import CATALOGUE
from lambent.runtimes.contract import RuntimeCommand, Runtimes, RuntimeUnavailable
from lambent.runtimes.interpreters import Interpreter
from lambent.runtimes.registry import HostRuntimes


class FoundInterpreters:
    """A machine with one interpreter."""

    def __init__(self, found: Interpreter) -> None:
        self._found = found

    async def best(self, version: str) -> Interpreter:
        return self._found


@pytest.fixture
def runtimes(tmp_path: Path) -> Runtimes:
    return HostRuntimes(tmp_path / "runtimes", "nobody", "none", SystemClock())


def test_known_and_offered(runtimes: Runtimes) -> None:
    """The catalogue is known; Python from 3.9 on, Node.js 18, Ruby 3.2, .NET 8 and what packages bring is offered."""
    offered = {runtime for runtime in runtimes.identifiers() if runtimes.is_offered(runtime)}
    assert offered >= {
        *(f"python3.{minor}" for minor in range(9, 16)),
        "provided.al2023",
        "provided.al2",
        "provided",
        "go1.x",
    }
    assert offered >= {"nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x", "dotnet8", "dotnet10"}
    assert offered >= {"ruby3.2", "ruby3.3", "ruby3.4", "ruby4.0"}
    assert not offered & {"nodejs16.x", "nodejs26.x", "python3.8", "ruby2.7", "dotnet6", "custom"}
    assert runtimes.is_known("ruby2.7")
    assert not runtimes.is_known("cobol85")
    assert not runtimes.is_offered("cobol85")


def test_other_families_are_refused_by_name(runtimes: Runtimes) -> None:
    """A known runtime that this version cannot run is not called unknown."""
    with pytest.raises(RuntimeUnavailable, match=r"ruby2\.7 is not offered by this version of Lambent"):
        asyncio.run(runtimes.prepare("ruby2.7"))


def test_availability_covers_the_catalogue(runtimes: Runtimes) -> None:
    """A row for each identifier; what is not available has a reason, what could be has a remedy."""
    rows = asyncio.run(runtimes.availability())
    assert [row.runtime for row in rows] == list(CATALOGUE)
    assert all(row.detail for row in rows)
    assert all(row.remedy for row in rows if row.provider == "host" and not row.available)


@pytest.mark.parametrize("has_own_root", [True, False])
def test_what_may_be_started_ahead(has_own_root: bool) -> None:
    """Node.js behind walls, for a function that brings nothing which comes before; never Python, which is forked."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o711)
    package = folder / "package"
    package.mkdir()
    made = HostRuntimes(folder / "runtimes", "nobody", "none", SystemClock(), has_own_root=has_own_root)
    node = Interpreter(Path("/usr/bin/node"), (22, 1, 0), True, prefix=Path("/usr"))
    made._hosts["nodejs"]._interpreters = FoundInterpreters(node)  # type: ignore[assignment]

    def command(variables: dict[str, str], package: Path = package) -> RuntimeCommand:
        task = "/var/task"
        return asyncio.run(made.command("nodejs22.x", "a.b", package, task, variables, memory_mib=512))

    try:
        plain = command({"A": "1"})
        if not has_own_root:
            assert plain.ahead is None
            return
        assert plain.ahead is not None
        assert plain.ahead.argv == plain.argv
        assert dict(plain.ahead.environ)["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
        assert command({"NODE_OPTIONS": "--no-warnings"}).ahead is None
        (folder / "other").mkdir()
        (folder / "other/libown.so").touch()
        assert command({}, folder / "other").ahead is None
    finally:
        shutil.rmtree(folder)


def test_the_label_of_init_start(runtimes: Runtimes) -> None:
    """Family, version, and a number after the v."""
    assert runtimes.version_label("python3.13") == "python:3.13.v422"
    assert runtimes.version_label("nodejs22.x") == "nodejs:22.v1"
    assert runtimes.version_label("ruby3.4") == "ruby:3.4.v1"
    assert runtimes.version_label("provided.al2023") == "provided:al2023.v1"
    assert runtimes.version_label("provided") == "provided:al1.v1"
    assert runtimes.version_label("go1.x") == "go:1.x.v1"
