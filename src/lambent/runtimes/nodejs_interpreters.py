"""
Where people have Node.js, and what one says of itself.

The search, and the rules of who may run what, are those of `interpreters`.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from lambent.runtimes.interpreters import Interpreter, Language, matching

_QUESTION = "console.log(JSON.stringify([process.release.name, process.versions.node]))"

_VERSION_MIN = (18,)
"""The oldest that the client is written for."""


def language(runtimes_dir: Path) -> Language:
    """Return how Node.js is searched for: also below `runtimes_dir`, where `additions` has npm put it."""
    return Language(
        names="node|nodejs",
        folders=partial(_folders, runtimes_dir),
        question=("-e", _QUESTION),
        understand=_understand,
        version_of_path=_version_of_path,
        # One file; what a build of it shares lies in lib beside it.
        library_of_path=lambda _: (),
        version_min=_VERSION_MIN,
        is_whole=_is_whole,
    )


def _folders(runtimes_dir: Path, environ: Mapping[str, str]) -> list[Path]:
    home = Path(environ.get("HOME") or Path.home())
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    nvm = Path(environ.get("NVM_DIR") or home / ".nvm")
    fnm = Path(environ.get("FNM_DIR") or data / "fnm")
    return [
        Path("/usr/bin"),
        Path("/usr/local/bin"),
        Path("/opt/homebrew/bin"),
        *matching(
            (
                (runtimes_dir, "nodejs*/node_modules/node-*/bin"),
                (nvm / "versions" / "node", "*/bin"),
                (fnm / "node-versions", "*/installation/bin"),
                # Where fnm was before there were XDG folders.
                (home / ".fnm" / "node-versions", "*/installation/bin"),
                (Path("/opt/homebrew/opt"), "node@*/bin"),
                (Path("/usr/local/opt"), "node@*/bin"),
            )
        ),
    ]


def _understand(path: Path, printed: str) -> Sequence[Interpreter]:
    name, version = json.loads(printed)
    # Others imitate it.
    if name != "node":
        return ()
    major, minor, patch = (int(re.match(r"\d+", part)[0]) for part in version.split(".")[:3])  # type: ignore[index]
    return (Interpreter(path, (major, minor, patch), True, prefix=Path(os.path.realpath(path.parent.parent))),)


def _version_of_path(path: Path) -> tuple[int, int, int]:
    """Guess the version from `.../v22.1.0/bin/node`, or `.../nodejs22/.../bin/node`."""
    whole = re.findall(r"(?<![\d.])v?(\d+)\.(\d+)\.(\d+)(?![\d.])", str(path))
    if whole:
        return int(whole[-1][0]), int(whole[-1][1]), int(whole[-1][2])
    major = re.findall(r"node(?:js)?@?(\d+)(?=/)", str(path))
    return (int(major[-1]), -1, -1) if major else (-1, -1, -1)


def _is_whole(prefix: Path) -> bool:
    # Every release of Node.js has its headers beside it. A file in ~/bin has not, and ~ is nothing to show.
    return (prefix / "include" / "node" / "node_version.h").is_file()
