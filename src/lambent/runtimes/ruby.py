"""
The Ruby runtimes: an interpreter of this machine and a client of our own, `ruby_client`.

AWS's client is a gem that opens a connection for every call; this one is a few files of Ruby, which are copied to where
functions can read them.
"""

import platform
from collections.abc import Mapping
from pathlib import Path

from lambent.clock import Clock
from lambent.function_user import FunctionUser
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

    def _version_of(self, interpreter: Interpreter) -> str:
        return interpreter.minor


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
