"""
The interpreters of this machine: CPython by itself, other languages by what `Language` asks for.

In: the places where people have them. Out: per version the newest that functions can be run by. Each candidate
is executed once, as the functions' user, since only that proves that a function could; where environments get its
folder mounted and that user cannot get there, as the server's own user if nobody else can have changed it.
"""

import asyncio
import contextlib
import functools
import grp
import json
import logging
import os
import pwd
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from lambent.clock import Clock
from lambent.function_user import FunctionUser, own_user

_log = logging.getLogger(__name__)

VERSION_MIN = (3, 9)
"""The oldest for which the official client has a release that installs without a compiler."""

_OWN_LIBRARIES = ("libpython*", "libnode*")

_PROBES_AT_ONCE = 4
_PROBE_TIMEOUT_S = 15.0
"""Assumed: an interpreter that needs longer to say its version, on a busy machine, is not one to run functions with."""

_SEARCH_AGE_MAX_S = 5.0
"""Assumed: how soon an interpreter that was installed meanwhile is noticed."""

_PROBE = (
    "import json,os,platform,site,sys,sysconfig;"
    "print(json.dumps([platform.python_implementation(),list(sys.version_info[:3]),"
    "bool(sysconfig.get_config_var('Py_GIL_DISABLED')),sys.base_prefix,"
    "[os.path.dirname(os.__file__),*site.getsitepackages()]]))"
)


class Interpreter(msgspec.Struct, frozen=True):
    """One interpreter that was found."""

    path: Path
    """The executable itself, with no symbolic link or shim in between."""
    version: tuple[int, int, int]
    is_reachable: bool
    """Whether functions can be run by it. If not, the version may be read off the path."""
    obstacle: str = ""
    """Why it is not reachable."""
    prefix: Path = Path("/usr")
    """The folder that holds it and its library, sys.base_prefix."""
    library: tuple[Path, ...] = ()
    """The folders from which it loads modules when it starts; some may not exist."""

    @property
    def is_in_usr(self) -> bool:
        """Whether it lies in /usr, which environments with a root of their own see as it is."""
        return self.path.is_relative_to("/usr") and self.prefix.is_relative_to("/usr")

    def is_ours_alone(self) -> bool:
        """Whether nobody but root and the server's user can have changed it or any module of it. Blocks."""
        folders = [folder for folder in self.library if folder.exists()]
        if not is_ours_alone(self.path) or not all(map(is_ours_alone, folders)):
            return False
        # Beside it lies its shared library, where it has one.
        named = [name for pattern in _OWN_LIBRARIES for name in (self.prefix / "lib").glob(pattern)]
        beside = [path for path in named if path.is_file()]
        return all(map(is_ours_alone, beside)) and _are_trees_ours_alone(folders)

    @property
    def minor(self) -> str:
        return f"{self.version[0]}.{self.version[1]}"

    def is_of(self, version: str) -> bool:
        """Whether it is of a version that is written as precisely as its language counts: `3.13`, or `22`."""
        wanted = version.split(".")
        return [str(number) for number in self.version[: len(wanted)]] == wanted

    @property
    def version_text(self) -> str:
        return ".".join(str(number) for number in self.version if number >= 0)


class Language(msgspec.Struct, frozen=True):
    """What differs from one language's interpreters to another's."""

    names: str
    """The file names that an interpreter may have, a regular expression."""
    folders: Callable[[Mapping[str, str]], list[Path]]
    """From environment variables to the folders, beside those of PATH, that may hold one."""
    question: tuple[str, ...]
    """The arguments with which one says what it is."""
    understand: Callable[[Path, str], Sequence[Interpreter]]
    """
    From the executable and what it printed to what it is: nothing that runtimes can use, or, where one executable
    starts several versions, as many.
    """
    version_of_path: Callable[[Path], tuple[int, int, int]]
    """Guess the version off the path of one that cannot be run; -1 for a number that it does not show."""
    library_of_path: Callable[[Path], tuple[Path, ...]]
    """Guess the folders that one loads modules from when it starts."""
    version_min: tuple[int, ...]
    is_whole: Callable[[Path], bool]
    """Whether a folder holds an installation of the language and nothing else, so that functions may see all of it."""


class Interpreters:
    """
    Finds interpreters and remembers what they said.

    Args:
        user: who functions run as.
        clock: tells how old an answer is.
        environ: where PATH and the homes of version managers come from.
        is_mounted: whether environments get an interpreter's folder mounted, so that folders above it that are closed
            to the functions' user do not matter.
        language: whose interpreters; CPython's by default.
    """

    def __init__(
        self,
        user: FunctionUser,
        clock: Clock,
        environ: Mapping[str, str] = os.environ,
        *,
        is_mounted: bool = False,
        language: Language | None = None,
    ) -> None:
        self._language = language or CPYTHON
        self._is_mounted = is_mounted
        self._user = user
        self._clock = clock
        self._environ = environ
        self._probed: dict[tuple[Path, int, int], Sequence[Interpreter]] = {}
        """Only reachable ones: what stands in another's way may be taken away at any time."""
        self._found: tuple[Interpreter, ...] = ()
        self._searched_at: float | None = None
        """When the last search began."""
        self._searching = asyncio.Lock()

    async def find(self, *, fresh: bool = False) -> tuple[Interpreter, ...]:
        """
        Return all interpreters, reachable ones first, newest first.

        Args:
            fresh: as of this call, not of a moment ago. Calls that wait for one another share a search.
        """
        not_before = self._clock.monotonic() - (0.0 if fresh else _SEARCH_AGE_MAX_S)
        async with self._searching:
            if self._searched_at is None or self._searched_at < not_before:
                began = self._clock.monotonic()
                self._found = await self._search()
                self._searched_at = began
            return self._found

    async def best(self, version: str) -> Interpreter | None:
        """Return the newest reachable interpreter of a version, e.g. `3.13`; searches again if it has none."""
        if (found := newest_reachable(self._found, version)) and found.path.exists():
            return found
        # Now: whoever was told to install one updates the function right after that.
        return newest_reachable(await self.find(fresh=True), version)

    async def _search(self) -> tuple[Interpreter, ...]:
        candidates = await asyncio.to_thread(_candidates, self._environ, self._language)
        loop = asyncio.get_running_loop()
        found = [one for candidate in candidates for one in self._probed.get(candidate, ())]
        unknown = [candidate for candidate in candidates if candidate not in self._probed]
        if unknown:
            with ThreadPoolExecutor(max_workers=_PROBES_AT_ONCE, thread_name_prefix="interpreter-probe") as pool:
                probes = [loop.run_in_executor(pool, self._probe, path) for path, _, _ in unknown]
                for candidate, probed in zip(unknown, await asyncio.gather(*probes), strict=True):
                    found += probed
                    if probed and all(one.is_reachable for one in probed):
                        self._probed[candidate] = probed
        found.sort(key=lambda one: (one.is_reachable, one.version), reverse=True)
        return tuple(found)

    def _probe(self, path: Path) -> Sequence[Interpreter]:
        if not self._is_mounted:
            return _probe(path, self._user, self._language)
        user = self._user
        if user.closed_at(path) and _guessed(path, self._language).is_ours_alone():
            # As ourselves only what nobody else has had a hand in: zygotes run it with the server's rights anyway.
            user = own_user()
        return [self._as_mounted(one) for one in _probe(path, user, self._language)]

    def _as_mounted(self, found: Interpreter) -> Interpreter:
        if not found.is_reachable or found.is_in_usr:
            return found
        obstacle = self._obstacle_when_mounted(found)
        return msgspec.structs.replace(found, is_reachable=not obstacle, obstacle=obstacle)

    def _obstacle_when_mounted(self, found: Interpreter) -> str:
        """Return what keeps functions from using an interpreter whose folder they see; empty: nothing does."""
        if not found.path.is_relative_to(found.prefix):
            return f"its library is elsewhere, in {found.prefix}"
        if not self._language.is_whole(found.prefix):
            return f"{found.prefix} is not a whole installation, which functions could be shown"
        if self._user.is_other:
            steps = [one for one in found.path.parents if one.is_relative_to(found.prefix)]
            for path in (*reversed(steps), found.path, *found.library[:1]):
                if path.stat().st_mode & 0o005 != 0o005:
                    return f"{path} is closed to all users but its own"
        return ""


def newest_reachable(found: Iterable[Interpreter], version: str) -> Interpreter | None:
    """Return the newest of `found` that functions can use for a version, `3.13` or `22`."""
    fitting = [one for one in found if one.is_of(version) and one.is_reachable]
    return max(fitting, key=lambda one: one.version, default=None)


def _candidates(environ: Mapping[str, str], language: Language) -> list[tuple[Path, int, int]]:
    """Return the real path, modification time and size of every file that may be an interpreter."""
    found: dict[Path, tuple[Path, int, int]] = {}
    on_path = [Path(entry) for entry in environ.get("PATH", "").split(os.pathsep) if entry.startswith("/")]
    for folder in dict.fromkeys([*on_path, *language.folders(environ)]):
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 - folders of PATH hold thousands of names
        except OSError:
            continue
        for name in names:
            if not re.fullmatch(language.names, name):
                continue
            path = Path(os.path.realpath(folder / name))
            try:
                with path.open("rb") as stream:
                    is_script = stream.read(2) == b"#!"
                status = path.stat()
            except OSError:
                continue
            # A version manager's shim is a script that decides at each start; functions need the thing itself.
            if not is_script:
                found[path] = (path, status.st_mtime_ns, status.st_size)
    return list(found.values())


def _python_folders(environ: Mapping[str, str]) -> list[Path]:
    home = Path(environ.get("HOME") or Path.home())
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    pyenv = Path(environ.get("PYENV_ROOT") or home / ".pyenv")
    uv = Path(environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python")
    folders = [Path("/usr/bin"), Path("/usr/local/bin"), Path("/opt/homebrew/bin"), Path(sys.base_prefix) / "bin"]
    patterns = (
        (Path("/opt/python"), "*/bin"),
        (pyenv / "versions", "*/bin"),
        (uv, "*/bin"),
        (Path("/opt/homebrew/opt"), "python@3.*/bin"),
        (Path("/usr/local/opt"), "python@3.*/bin"),
        (Path("/Library/Frameworks/Python.framework/Versions"), "3.*/bin"),
    )
    return folders + matching(patterns)


def matching(patterns: Iterable[tuple[Path, str]]) -> list[Path]:
    """Return what is there of patterns, each below its folder; a folder that cannot be read holds nothing."""
    found: list[Path] = []
    for parent, pattern in patterns:
        with contextlib.suppress(OSError):
            found += sorted(parent.glob(pattern))
    return found


def _probe(path: Path, user: FunctionUser, language: Language) -> Sequence[Interpreter]:
    """Run one candidate as the functions' user. Nothing: not one that runtimes can use. Blocks."""
    guess = language.version_of_path
    if closed := user.closed_at(path):
        # Not executed as ourselves instead: a server that is root runs nothing that it need not run.
        return _wanted([Interpreter(path, guess(path), False, f"{closed} is closed to user {user.name}")], language)
    try:
        answer = subprocess.run(
            [str(path), *language.question],
            capture_output=True,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
            check=True,
            cwd="/",
            env={"PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            **user.popen_arguments(),
        )
        found = language.understand(path, answer.stdout)
    except PermissionError:
        return _wanted([Interpreter(path, guess(path), False, f"user {user.name} may not execute it")], language)
    except (OSError, subprocess.SubprocessError, ValueError, TypeError, IndexError) as error:
        _log.warning("runtimes.interpreter_unusable path=%s error=%s", path, error)
        return ()
    return _wanted(found, language)


def _understand_python(path: Path, printed: str) -> Sequence[Interpreter]:
    implementation, numbers, has_no_gil, prefix, library = json.loads(printed)
    version = (int(numbers[0]), int(numbers[1]), int(numbers[2]))
    # The client's binary module is built for the ordinary ABI of CPython only.
    if implementation != "CPython" or has_no_gil:
        return ()
    folders = tuple(Path(os.path.realpath(folder)) for folder in library)
    return (Interpreter(path, version, True, prefix=Path(os.path.realpath(prefix)), library=folders),)


def _guessed(path: Path, language: Language) -> Interpreter:
    """Return what an interpreter that has not been run yet most likely is, by where it lies."""
    prefix = path.parent.parent
    library = language.library_of_path(path)
    return Interpreter(path, language.version_of_path(path), False, prefix=prefix, library=library)


def _python_library(path: Path) -> tuple[Path, ...]:
    return tuple(folder for folder in (path.parent.parent / "lib").glob("python3.*") if folder.is_dir())


def is_ours_alone(path: Path) -> bool:
    """Whether nobody but root and the server's user can have changed a file or put another in its place."""
    # Both where the name lies and where it leads to: either can be put in another's place.
    way = dict.fromkeys((path, *path.parents, *Path(os.path.realpath(path)).parents))
    try:
        statuses = [one.stat() for one in way]
    except OSError:
        return False
    # In a folder with the sticky bit, others cannot touch what is not theirs.
    return all(_is_ours(status) or _is_sticky_folder(status) for status in statuses)


def _are_trees_ours_alone(folders: Iterable[Path]) -> bool:
    """Say the same of everything in some folders, whose own ways from the root have been looked at."""
    # What is installed lies in the library itself, and links may lead back: nothing below these is looked into again.
    # Not a set of all folders: the memory for thousands of them would stay the server's for good.
    roots: list[str] = []
    waiting: list[str] = []

    def look_into(folder: str) -> None:
        if not any(folder == root or folder.startswith(root + os.sep) for root in roots):
            roots.append(folder)
            waiting.append(folder)

    for folder in sorted(map(os.path.realpath, folders)):
        look_into(folder)
    try:
        while waiting:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        # Debian has some into /etc.
                        target = os.path.realpath(entry.path)
                        if os.path.exists(target) and not is_ours_alone(Path(target)):  # noqa: PTH110 - thousands
                            return False
                        if entry.is_dir():
                            look_into(target)
                    elif not _is_ours(entry.stat()):
                        return False
                    elif entry.is_dir():
                        waiting.append(entry.path)
    except OSError:
        return False
    return True


def _is_ours(status: os.stat_result) -> bool:
    if status.st_uid not in {0, os.geteuid()} or status.st_mode & stat.S_IWOTH:
        return False
    # Debian's /usr/local belongs to a group that nobody is in.
    return not status.st_mode & stat.S_IWGRP or status.st_gid == 0 or not _has_members(status.st_gid)


def _is_sticky_folder(status: os.stat_result) -> bool:
    return status.st_uid in {0, os.geteuid()} and stat.S_ISDIR(status.st_mode) and bool(status.st_mode & stat.S_ISVTX)


@functools.cache
def _has_members(gid: int) -> bool:
    """Whether anybody but root is in a group."""
    try:
        members = set(grp.getgrgid(gid).gr_mem)
    except KeyError:
        members = set()
    members |= {entry.pw_name for entry in pwd.getpwall() if entry.pw_gid == gid}
    return bool(members - {"root"})


def _wanted(found: Sequence[Interpreter], language: Language) -> Sequence[Interpreter]:
    return [one for one in found if one.version >= language.version_min]


def _version_of_python_path(path: Path) -> tuple[int, int, int]:
    """Guess the version from `.../3.13.1/bin/python3.13`; -1 for a patch number that the path does not show."""
    whole = re.findall(r"(?<![\d.])3\.(\d+)\.(\d+)(?![\d.])", str(path))
    if whole:
        return 3, int(whole[-1][0]), int(whole[-1][1])
    minor = re.search(r"python3\.(\d+)$", path.name)
    return (3, int(minor[1]), -1) if minor else (-1, -1, -1)


CPYTHON = Language(
    names=r"python3(\.\d+)?",
    folders=_python_folders,
    question=("-I", "-S", "-c", _PROBE),
    understand=_understand_python,
    version_of_path=_version_of_python_path,
    library_of_path=_python_library,
    version_min=VERSION_MIN,
    # sys.base_prefix is where its library lies; the interpreter itself has said so.
    is_whole=lambda _: True,
)
