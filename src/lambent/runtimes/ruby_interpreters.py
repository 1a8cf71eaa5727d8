"""
Where people have Ruby, and what one says of itself.

The search, and the rules of who may run what, are those of `interpreters`.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from lambent.runtimes.interpreters import Interpreter, Language, matching

_QUESTION = (
    'require "rbconfig"; puts RUBY_ENGINE, RUBY_VERSION, *RbConfig::CONFIG.values_at("prefix", "rubylibdir"), $:'
)

_VERSION_MIN = (3, 1)
"""The oldest that the client is written for. No runtime has it; it may stand in for one."""


def _folders(environ: Mapping[str, str]) -> list[Path]:
    home = Path(environ.get("HOME") or Path.home())
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    rbenv = Path(environ.get("RBENV_ROOT") or home / ".rbenv")
    rvm = Path(environ.get("rvm_path") or home / ".rvm")
    asdf = Path(environ.get("ASDF_DATA_DIR") or home / ".asdf")
    mise = Path(environ.get("MISE_DATA_DIR") or data / "mise")
    return [
        Path("/usr/bin"),
        Path("/usr/local/bin"),
        *matching(
            (
                # chruby and ruby-install, as root and as oneself.
                (Path("/opt/rubies"), "*/bin"),
                (home / ".rubies", "*/bin"),
                (rbenv / "versions", "*/bin"),
                (rvm / "rubies", "*/bin"),
                (Path("/usr/local/rvm/rubies"), "*/bin"),
                (Path("/usr/share/rvm/rubies"), "*/bin"),
                (asdf / "installs" / "ruby", "*/bin"),
                (mise / "installs" / "ruby", "*/bin"),
                # Not linked into Homebrew's bin, where it would hide the system's.
                (Path("/opt/homebrew/opt"), "ruby*/bin"),
                (Path("/usr/local/opt"), "ruby*/bin"),
            )
        ),
    ]


def _understand(path: Path, printed: str) -> Sequence[Interpreter]:
    """Understand what it is. Of its library the first is the standard library, the rest its load path in order."""
    engine, version, prefix, *library = printed.splitlines()
    # JRuby and TruffleRuby are others; their packages of gems are not those of the runtimes.
    if engine != "ruby":
        return ()
    major, minor, patch = (int(part) for part in version.split("."))
    folders = tuple(Path(os.path.realpath(folder)) for folder in library)
    return (Interpreter(path, (major, minor, patch), True, prefix=Path(os.path.realpath(prefix)), library=folders),)


def _version_of_path(path: Path) -> tuple[int, int, int]:
    """Guess the version from `.../3.3.8/bin/ruby`, `.../ruby-3.3.8/bin/ruby`, or `/usr/bin/ruby3.1`."""
    whole = re.findall(r"(?<![\d.])(\d+)\.(\d+)\.(\d+)(?![\d.])", str(path))
    if whole:
        return int(whole[-1][0]), int(whole[-1][1]), int(whole[-1][2])
    minor = re.findall(r"ruby[-@]?(\d+)\.(\d+)(?=/|$)", str(path))
    return (int(minor[-1][0]), int(minor[-1][1]), -1) if minor else (-1, -1, -1)


def _library_of_path(path: Path) -> tuple[Path, ...]:
    # Its own, and what was added for all versions: both are on its load path.
    return (path.parent.parent / "lib" / "ruby",)


def _is_whole(prefix: Path) -> bool:
    # Every installation has its headers in it, which are what compiled gems are built with.
    return any((prefix / "include").glob("ruby-*/ruby.h"))


LANGUAGE = Language(
    names=r"ruby(\d+\.\d+)?",
    folders=_folders,
    # Gems of others, and what RUBYOPT would load, have no say in it.
    question=("--disable=gems,rubyopt", "-e", _QUESTION),
    understand=_understand,
    version_of_path=_version_of_path,
    library_of_path=_library_of_path,
    version_min=_VERSION_MIN,
    is_whole=_is_whole,
)
"""How Ruby is searched for."""
