"""
What of a runtime may be started before its function is known: what a language's variables and files leave open.

For sandboxes with a root of their own, where all functions of a runtime see its client and interpreter at one place.
"""

import functools
import os
from collections.abc import Mapping
from pathlib import Path

from lambent.runtimes.contract import Ahead, LayersAt, RuntimeCommand

DEFAULT_LANG = "en_US.UTF-8"
DEFAULT_TZ = ":UTC"
"""Both as `execution.variables` has them."""

ACT_AT_START = frozenset(
    {"AWS_LAMBDA_EXEC_WRAPPER", "GCONV_PATH", "GLIBC_TUNABLES", "LANG", "LANGUAGE", "LOCPATH", "NLSPATH"}
)
ACT_AT_START_PREFIXES = ("LD_", "LC_", "MALLOC_", "OPENSSL_")
"""
Variables that act when an interpreter of any language starts, or the libraries that it is linked to. LANG does with
another value than the default.

Documented: ld.so(8); locale(7); mallopt(3); OpenSSL, openssl-env(7).
"""

_FOLDERS_OF_LIBRARIES_MAX = 4096


def acts_at_start(variables: Mapping[str, str], names: frozenset[str], prefixes: tuple[str, ...]) -> bool:
    """
    Whether one of a user's variables acts when the interpreter or its libraries start, so that it would come too late.

    Args:
        names: what acts so in this language, beside what does in all.
        prefixes: how names begin that do.
    """
    for name, value in variables.items():
        if name == "LANG" and value == DEFAULT_LANG:
            continue
        if name in ACT_AT_START or name in names or name.startswith(ACT_AT_START_PREFIXES + prefixes):
            return True
    return False


def brings_libraries(package: Path, layers: LayersAt | None) -> bool:
    """
    Whether a function has libraries where LD_LIBRARY_PATH leads, which come before the machine's when an interpreter
    starts. Besides, the loader notes for ever which of those folders there are not.
    """
    folders = [package, package / "lib"]
    if layers is not None:
        folders.append(layers.folder / "lib")
    return any(_has_libraries(folder) for folder in folders)


def started_ahead(command: RuntimeCommand, memory_mib: int | None) -> Ahead:
    """Return what may run before the function is known, in environments of this MemorySize; None: of any."""
    environ = {**command.environ, "LANG": DEFAULT_LANG, "TZ": DEFAULT_TZ}
    if memory_mib is not None:
        # What start scripts read: the size of a heap is an argument of interpreters.
        environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = str(memory_mib)
    return Ahead(tuple(command.argv), tuple(environ.items()))


@functools.lru_cache(maxsize=_FOLDERS_OF_LIBRARIES_MAX)
def _has_libraries(folder: Path) -> bool:
    # Kept: such a folder never changes, its name is a digest of what is in it.
    try:
        with os.scandir(folder) as entries:
            return any(".so" in entry.name or entry.name.startswith("glibc-hwcaps") for entry in entries)
    except OSError:
        return False
