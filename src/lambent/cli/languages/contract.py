"""What a language has to say: how its folders are recognised, and how they become deployment packages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lambent.cli.build_tool import Builder
from lambent.cli.failure import CommandFailed

BOOTSTRAP = "bootstrap"
"""What the `provided` runtimes start. Documented: developer guide, building a custom runtime."""


@dataclass(frozen=True)
class Order:
    """What is to be built."""

    folder: Path
    """The customer's."""
    scratch: Path
    """An empty one for what is built; the customer's own is left as it is, but for the caches of the tools."""
    runtime: str
    name: str
    """The function's, which tells one program among several."""


class Language(Protocol):
    """One row of the table: how its folders are recognised and built."""

    title: str
    mark: str
    """The file by which it is recognised, as people read it."""
    runtimes: str
    """The runtimes that run it, as a regular expression."""

    def is_in(self, folder: Path) -> bool:
        """Whether a folder has the mark."""
        ...

    def default_runtime(self, builder: Builder) -> str:
        """Return the runtime of a new function; the builder knows which tools are here."""
        ...

    def find_handler(self, folder: Path) -> str:
        """
        Return the handler of a new function.

        Raises:
            CommandFailed: it cannot be told.
        """
        ...

    def build(self, order: Order, builder: Builder) -> Sequence[Path]:
        """
        Build; return the folders that make the deployment package, of which later ones win.

        Raises:
            CommandFailed: it cannot be built, or the build failed.
        """
        ...


class Provided:
    """What languages that make programs have in common: the runtime starts `bootstrap`, whatever the handler."""

    runtimes = r"provided(\..+)?"

    def default_runtime(self, builder: Builder) -> str:
        return "provided.al2023"

    def find_handler(self, folder: Path) -> str:
        return BOOTSTRAP


def choose_handler(folder: Path, handlers: Mapping[str, str], likely: Iterable[str]) -> str:
    """
    Return the handler of a folder of modules.

    Args:
        folder: where they are.
        handlers: the name of the function that a module defines, by the module's.
        likely: modules that are preferred, the likeliest first.

    Raises:
        CommandFailed: none of them is there, and none or several others.
    """
    for module in likely:
        if module in handlers:
            return f"{module}.{handlers[module]}"
    found = [f"{module}.{name}" for module, name in handlers.items()]
    if len(found) == 1:
        return found[0]
    why = f"several files define one ({', '.join(found)})" if found else "no file in it defines one"
    raise CommandFailed(f"{folder}: which function is the handler? {why}: say --handler MODULE.FUNCTION", exit_code=2)
