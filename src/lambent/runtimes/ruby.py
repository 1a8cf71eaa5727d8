"""
The Ruby runtimes: an interpreter of this machine and a client of our own, `ruby_client`.

AWS's client is a gem that opens a connection for every call; this one is a few files of Ruby, which are copied to where
functions can read them.
"""

import functools
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

from lambent.clock import Clock
from lambent.function_user import FunctionUser
from lambent.runtimes.ahead import acts_at_start
from lambent.runtimes.catalogue import CATALOGUE, CatalogueEntry
from lambent.runtimes.contract import LayersAt, RuntimeCommand
from lambent.runtimes.interpreters import Interpreter
from lambent.runtimes.language import LanguageRuntimes, path_inside
from lambent.runtimes.managed import (
    LANGUAGE_DIR,
    LAYERS_ROOT,
    RUNTIME_DIR,
    host_variables,
    own_root_variables,
    reserved,
    wrapped,
)
from lambent.runtimes.own_client import OwnClient
from lambent.runtimes.ruby_interpreters import LANGUAGE

_CLIENT = Path(__file__).with_name("ruby_client")
_ENTRY = "index.rb"

_ACT_AT_START = frozenset({"BUNDLER_SETUP", "GEMRC", "HOME"})
_ACT_AT_START_PREFIXES = ("DEBIAN_", "GEM_", "RUBY", "XDG_")
"""
What Ruby, its library and RubyGems read while they start, or keep what they made of it.

Documented: ruby(1), environment; RubyGems, command reference, environment; the latter's defaults by Debian.
Observed: BUNDLER_SETUP names a file that newer RubyGems load at the end of their own (rubygems/rubygems, rubygems.rb).
"""

LIBRARIES_AT_START = frozenset(
    {
        *("bundled_gems", "did_you_mean", "enc", "error_highlight", "monitor", "rbconfig", "rubygems"),
        *("ruby2_keywords", "syntax_suggest", "thread"),
    }
)
"""What Ruby loads before the client, if only in some version, and finds in RUBYLIB first."""

GEMS_AT_START = frozenset(
    {
        *("did_you_mean", "error_highlight", "etc", "io-wait", "json", "logger", "monitor", "ostruct", "socket"),
        *("stringio", "syntax_suggest"),
    }
)
"""The gems that are active once the client is loaded, if only in some version: the newest of each that is found."""

_OF_GEM_AT_START = re.compile(rf"(?:{'|'.join(sorted(GEMS_AT_START))})-\d")
"""How the names of their specifications begin."""

_FOLDERS_MAX = 4096


class RubyRuntimes(LanguageRuntimes):
    """All `rubyX.Y` identifiers. See `LanguageRuntimes`."""

    family = "ruby"
    interpreter_name = "Ruby"

    def __init__(
        self, runtimes_dir: Path, user: FunctionUser, fallback: str, clock: Clock, *, has_own_root: bool = False
    ) -> None:
        super().__init__(runtimes_dir, user, fallback, clock, has_own_root=has_own_root, language=LANGUAGE)
        self._own_client = OwnClient("ruby-client", _CLIENT, "*.rb", _ENTRY, self._runtimes_dir, clock)

    async def _client(self, interpreter: Interpreter) -> Path:
        folder = await self._own_client.folder()
        self._refuse_closed(folder, _ENTRY)
        return folder

    async def _command(
        self,
        runtime: str,
        handler: str,
        interpreter: Interpreter,
        client: Path,
        task_root: str,
        variables: Mapping[str, str],
        layers: LayersAt | None,
    ) -> RuntimeCommand:
        versions = dict.fromkeys((CATALOGUE[runtime].version, interpreter.minor))
        if not self._has_own_root:
            opt = LAYERS_ROOT if layers is None else layers.root
            return RuntimeCommand(
                argv=wrapped((str(interpreter.path), str(client / _ENTRY)), variables),
                environ={
                    **host_variables(interpreter.path.parent, client, task_root, opt),
                    **_ruby_variables(versions, str(client), task_root, opt, ()),
                },
                reserved=reserved(runtime, str(client)),
            )
        path, folders = path_inside(interpreter)
        library = _library_inside(interpreter)
        return RuntimeCommand(
            # By arguments and not by RUBYLIB alone: that one is the user's to set.
            argv=wrapped((str(path), *(f"-I{one}" for one in library), f"{RUNTIME_DIR}/{_ENTRY}"), variables),
            environ={
                **own_root_variables(task_root),
                **_ruby_variables(versions, RUNTIME_DIR, task_root, LAYERS_ROOT, library),
            },
            reserved=reserved(runtime, RUNTIME_DIR),
            folders=((RUNTIME_DIR, str(client)), *folders),
        )

    def version_label(self, entry: CatalogueEntry) -> str:
        """Return e.g. `ruby:3.4.v1`. Assumed: the number has no meaning here, AWS counts its own images."""
        return f"ruby:{entry.version}.v1"

    def may_start_ahead(self, variables: Mapping[str, str], package: Path, layers: LayersAt | None) -> bool:
        if acts_at_start(variables, _ACT_AT_START, _ACT_AT_START_PREFIXES):
            return False
        if _replaces_what_starts(package, package / "vendor" / "bundle" / "ruby"):
            return False
        return layers is None or not _replaces_what_starts(
            layers.folder / "ruby" / "lib", layers.folder / "ruby" / "gems"
        )

    def _version_of(self, interpreter: Interpreter) -> str:
        return interpreter.minor


@functools.lru_cache(maxsize=_FOLDERS_MAX)
def _replaces_what_starts(library: Path, gems: Path) -> bool:
    """Whether a folder of RUBYLIB, or the gems of any version below one of GEM_PATH, have what Ruby starts with."""
    # Kept: such a folder never changes, its name is a digest of what is in it.
    if any(name.partition(".")[0] in LIBRARIES_AT_START for name in _names(library)):
        return True
    specifications = (name for version in _names(gems) for name in _names(gems / version / "specifications"))
    return any(_OF_GEM_AT_START.match(name) for name in specifications)


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except OSError:
        return []


def _library_inside(interpreter: Interpreter) -> tuple[str, ...]:
    """Return where an environment with a root of its own has an interpreter's library; empty: where it looks anyway."""
    if interpreter.is_in_usr:
        return ()
    # Ruby looks for its library where it was built for, and that folder is mounted elsewhere.
    _, *load_path = interpreter.library
    below = (one.relative_to(interpreter.prefix) for one in load_path if one.is_relative_to(interpreter.prefix))
    return tuple(f"{LANGUAGE_DIR}/{one}" for one in below)


def _ruby_variables(
    versions: Mapping[str, None], client: str, task_root: str, opt: str, library: tuple[str, ...]
) -> dict[str, str]:
    """
    Return where Ruby looks for gems and libraries, and how it reads text.

    Args:
        versions: the one that was asked for, and the interpreter's where another stands in: gems that were installed
            for it lie below its number.
        library: the folders of Ruby's own, for programs that the function starts.

    Documented: Lambda developer guide, defined runtime environment variables; layers for Ruby functions.
    """
    gems = [f"{task_root}/vendor/bundle/ruby/{version}.0" for version in versions]
    gems += [f"{opt}/ruby/gems/{version}.0" for version in versions]
    asked = next(iter(versions))
    # Ends in a separator: the gems that come with Ruby, which on AWS lie in the runtime's folder, count as well.
    found = {
        "GEM_PATH": ":".join([*gems, client, f"{client}/ruby/{asked}.0", ""]),
        "GEM_HOME": client,
        "RUBYLIB": ":".join([task_root, f"{opt}/ruby/lib", *library]),
    }
    if platform.system() == "Linux":
        # The locale of LANG is seldom installed; without one Ruby takes variables to be ASCII. This one is built in.
        # Observed: AWS's Python has it as well.
        found["LC_CTYPE"] = "C.UTF-8"
    return found
