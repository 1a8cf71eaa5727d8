"""Where .NET is found, and which versions of it one `dotnet` starts."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambent.clock import SystemClock
from lambent.function_user import FunctionUser
from lambent.runtimes.dotnet_interpreters import language
from lambent.runtimes.interpreters import Interpreter, Interpreters


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that the functions' user can pass."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def install(root: Path, *versions: str) -> Path:
    """Lay out an installation whose `dotnet` nobody may execute: its version is read off the folders beside it."""
    for version in versions:
        (root / "shared" / "Microsoft.NETCore.App" / version).mkdir(parents=True)
    (root / "host" / "fxr").mkdir(parents=True)
    path = root / "dotnet"
    path.write_text("no script")
    path.chmod(0o644)
    return path


def found_in(folder: Path, environ: dict[str, str]) -> list[Interpreter]:
    """Search a machine whose PATH and home are in one folder; what the machine itself has is left out."""
    given = {"PATH": str(folder / "bin"), "HOME": str(folder / "home"), **environ}
    user = FunctionUser("other", 54321, 54321, True)
    search = Interpreters(user, SystemClock(), given, language=language(folder / "runtimes"))
    return [one for one in asyncio.run(search.find()) if folder in one.path.parents]


def test_where_it_is_looked_for(folder: Path) -> None:
    """DOTNET_ROOT, ~/.dotnet, the runtimes folder, and what a link on PATH leads to; too old ones are passed over."""
    install(folder / "named", "8.0.4", "6.0.1")
    install(folder / "home/.dotnet", "9.0.1")
    install(folder / "runtimes/dotnet10", "10.0.0")
    install(folder / "old", "6.0.36")
    (folder / "bin").mkdir()
    (folder / "bin" / "dotnet").symlink_to(folder / "old" / "dotnet")
    found = found_in(folder, {"DOTNET_ROOT": str(folder / "named")})
    assert {one.version for one in found} == {(8, 0, 4), (9, 0, 1), (10, 0, 0)}
    assert {one.obstacle for one in found} == {"user other may not execute it"}


def test_one_dotnet_starts_several_versions(folder: Path) -> None:
    """Each release of the runtime is one; previews, other frameworks and what lies elsewhere are not."""
    path = folder / "dotnet"
    shared = folder / "shared/Microsoft.NETCore.App"
    shared.mkdir(parents=True)
    printed = f"""Microsoft.AspNetCore.App 8.0.11 [{folder}/shared/Microsoft.AspNetCore.App]
Microsoft.NETCore.App 8.0.4 [{shared}]
Microsoft.NETCore.App 8.0.11 [{shared}]
Microsoft.NETCore.App 10.0.0 [{shared}]
Microsoft.NETCore.App 11.0.0-preview.1.2 [{shared}]
Microsoft.NETCore.App 9.0.0 [/elsewhere/shared/Microsoft.NETCore.App]
"""
    found = language(folder).understand(path, printed)
    assert [one.version for one in found] == [(8, 0, 4), (8, 0, 11), (10, 0, 0)]
    assert {(one.path, one.prefix) for one in found} == {(path, folder.resolve())}
