"""
Where people have .NET, and which versions of it one `dotnet` starts.

An installation is a folder: `dotnet` itself, which picks a version for what it is to run, and the versions below
`shared`. The search, and the rules of who may run what, are those of `interpreters`.
"""

import os
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from lambent.runtimes.interpreters import Interpreter, Language, matching

_FRAMEWORK = "Microsoft.NETCore.App"

_LISTED = re.compile(rf"^{re.escape(_FRAMEWORK)} (\d+)\.(\d+)\.(\d+) \[(.+)\]$", re.MULTILINE)
"""A line of what `dotnet --list-runtimes` prints; previews, which have more in their version, are no runtimes here."""

_VERSION_MIN = (8,)
"""The oldest that the client is compiled for."""


def language(runtimes_dir: Path) -> Language:
    """Return how .NET is searched for: also in `runtimes_dir`, for those who want one there."""
    return Language(
        names="dotnet",
        folders=partial(_folders, runtimes_dir),
        question=("--list-runtimes",),
        understand=_understand,
        version_of_path=_version_of_path,
        library_of_path=lambda path: (path.parent / "host", path.parent / "shared"),
        version_min=_VERSION_MIN,
        is_whole=_is_whole,
    )


def _folders(runtimes_dir: Path, environ: Mapping[str, str]) -> list[Path]:
    home = Path(environ.get("HOME") or Path.home())
    named = [Path(root) for root in (environ.get("DOTNET_ROOT"),) if root]
    return [
        *named,
        Path("/usr/share/dotnet"),
        Path("/usr/lib/dotnet"),
        Path("/usr/lib64/dotnet"),
        Path("/usr/local/share/dotnet"),
        home / ".dotnet",
        *matching(
            (
                (runtimes_dir, "dotnet*"),
                (Path("/opt/homebrew/opt"), "dotnet*/libexec"),
                (Path("/usr/local/opt"), "dotnet*/libexec"),
            )
        ),
    ]


def _understand(path: Path, printed: str) -> Sequence[Interpreter]:
    root = Path(os.path.realpath(path.parent))
    shared = root / "shared" / _FRAMEWORK
    return [
        Interpreter(path, (int(major), int(minor), int(patch)), True, prefix=root, library=_parts(root))
        for major, minor, patch, folder in _LISTED.findall(printed)
        # One that lies in another installation is not mounted with this one.
        if Path(os.path.realpath(folder)) == shared
    ]


def _parts(root: Path) -> tuple[Path, ...]:
    return (root / "host", root / "shared")


def _version_of_path(path: Path) -> tuple[int, int, int]:
    """Guess the newest version from the folders beside a `dotnet`, as far as these can be seen."""
    try:
        names = os.listdir(path.parent / "shared" / _FRAMEWORK)  # noqa: PTH208 - names are all that is wanted
    except OSError:
        return -1, -1, -1
    found = [tuple(map(int, name.split("."))) for name in names if re.fullmatch(r"\d+\.\d+\.\d+", name)]
    return max(((one[0], one[1], one[2]) for one in found), default=(-1, -1, -1))


def _is_whole(root: Path) -> bool:
    return (root / "host" / "fxr").is_dir() and (root / "shared" / _FRAMEWORK).is_dir()
