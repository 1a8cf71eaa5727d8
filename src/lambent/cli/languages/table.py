"""The languages that `lambent deploy` builds, and which of them a folder holds."""

import os
import re
from pathlib import Path

from lambent.cli.failure import CommandFailed
from lambent.cli.languages.contract import Language
from lambent.cli.languages.custom import Custom
from lambent.cli.languages.dotnet import Dotnet
from lambent.cli.languages.go import Go
from lambent.cli.languages.java import Java
from lambent.cli.languages.nodejs import Nodejs
from lambent.cli.languages.python import Python
from lambent.cli.languages.ruby import Ruby
from lambent.cli.languages.rust import Rust

PROGRAMS: tuple[Language, ...] = (Go(), Rust(), Custom())
"""In this order: a bootstrap beside a go.mod is what an earlier build left, and scripts lie beside any of them."""

PROJECTS: tuple[Language, ...] = (Dotnet(),)
"""Built as well, but for a runtime of their own; scripts lie beside them, too."""

MODULES: tuple[Language, ...] = (Python(), Nodejs(), Java(), Ruby())
"""Where there may be nothing to build. Of these a folder may hold one: nothing tells which would be the function."""

LANGUAGES = (*PROGRAMS, *PROJECTS, *MODULES)


def recognise(folder: Path, runtime: str | None) -> Language:
    """
    Return the language of the function in a folder.

    Args:
        folder: where it is.
        runtime: the one that `--runtime` asks for: it decides where a folder has several marks.

    Raises:
        CommandFailed: nothing is recognised, or nothing that this runtime runs, or too much.
    """
    if not folder.is_dir():
        raise CommandFailed(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}", exit_code=2)
    if not os.access(folder, os.R_OK | os.X_OK):
        raise CommandFailed(f"{folder}: this user may not read it", exit_code=2)
    fitting = [entry for entry in LANGUAGES if runtime is None or re.fullmatch(entry.runtimes, runtime)]
    if not fitting:
        known = "python3.x, nodejsXX.x, javaXX, rubyX.Y, dotnetX and provided.*"
        raise CommandFailed(f"--runtime: deploy builds for {known}, not for {runtime!r}", exit_code=2)
    found = [language for language in fitting if language.is_in(folder)]
    if not found:
        marks = "; ".join(f"{language.mark} ({language.title})" for language in fitting)
        raise CommandFailed(f"{folder}: nothing in it is recognised as a function: looked for {marks}", exit_code=2)
    if len(found) > 1 and found[0] in MODULES:
        titles = " and of ".join(language.title for language in found)
        raise CommandFailed(f"{folder}: holds files of {titles}: say --runtime to choose", exit_code=2)
    return found[0]
