"""Deployment packages made of folders: the same files give the same bytes, whenever and wherever they are zipped."""

import io
import os
import stat
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lambent.cli.failure import CommandFailed

UNZIPPED_MAX_BYTES = 262_144_000
"""What a function may take unzipped. Documented: developer guide, Lambda quotas (250 MB, layers included)."""

LEFT_OUT = frozenset(
    {".git", ".hg", ".svn", "__pycache__", ".DS_Store", ".idea", ".vscode", ".mypy_cache", ".pytest_cache"}
    | {".ruff_cache", ".nox", ".tox"}
)
"""Names that no function needs, wherever in the folder they are."""

_MARKS_OF_FOLDERS_LEFT_OUT = ("pyvenv.cfg", "CACHEDIR.TAG")
"""
What lies in a virtual environment of Python's, and in a folder that a tool can make again (bford.info/cachedir):
cargo's `target` among them, while a package of the customer's that is called `target` stays.
"""

_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip can say. A file's own date would make another package of each checkout."""

_MADE_ON_UNIX = 3
"""Without it the upper half of `external_attr` would not count as a mode."""


@dataclass(frozen=True)
class DeploymentPackage:
    """A zip, and what went into it."""

    archive: bytes
    entries: int
    """Files and symbolic links."""


def pack(folders: Sequence[Path]) -> DeploymentPackage:
    """
    Return a zip of what is in the folders, without what no function needs: see `LEFT_OUT`.

    Modes and symbolic links are kept as they are, dates are not. Entries are in the order of their names, empty
    folders are kept.

    Args:
        folders: a file in a later one replaces that of the same name in an earlier one.

    Raises:
        CommandFailed: there is nothing in them, a file cannot be read or zipped, or all are too large together.
    """
    found = {name: path for folder in folders for name, path in _files_in(folder, "")}
    if not found:
        raise CommandFailed(f"{folders[-1]}: there is nothing in it to deploy")
    stream = io.BytesIO()
    unzipped_bytes = 0
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(found):
            entry, content = _entry(name, found[name])
            unzipped_bytes += len(content)
            if unzipped_bytes > UNZIPPED_MAX_BYTES:
                raise CommandFailed(
                    f"{folders[-1]}: takes more than the {UNZIPPED_MAX_BYTES // 1024**2} MiB that a function may have "
                    f"unzipped (reached at {name})"
                )
            archive.writestr(entry, content)
    return DeploymentPackage(stream.getvalue(), sum(not name.endswith("/") for name in found))


def _files_in(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    """Yield (name in the zip, path) of all that is kept below a folder; links are not followed."""
    try:
        with os.scandir(folder) as scanned:
            items = list(scanned)
    except OSError as error:
        raise CommandFailed(f"{folder}: {error.strerror}") from error
    is_empty = True
    for item in items:
        path = folder / item.name
        if item.name in LEFT_OUT or item.name.endswith(".pyc"):
            continue
        is_empty = False
        if not item.is_dir(follow_symlinks=False):
            yield prefix + item.name, path
        elif not any((path / mark).is_file() for mark in _MARKS_OF_FOLDERS_LEFT_OUT):
            yield from _files_in(path, f"{prefix}{item.name}/")
    if is_empty and prefix:
        yield prefix, folder


def _entry(name: str, path: Path) -> tuple[zipfile.ZipInfo, bytes]:
    """Return what the zip says of a file, and what is in it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise CommandFailed(f"{os.fsencode(path)!r}: this name is not UTF-8, which a zip wants") from None
    entry = zipfile.ZipInfo(name, _DATE)
    entry.create_system = _MADE_ON_UNIX
    entry.compress_type = zipfile.ZIP_DEFLATED
    try:
        mode = path.lstat().st_mode
        entry.external_attr = mode << 16
        if stat.S_ISLNK(mode):
            # Some systems let the mode of a link depend on the umask; it never means anything.
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            return entry, os.fsencode(path.readlink())
        if stat.S_ISDIR(mode):
            return entry, b""
        # Opening a pipe would wait for its other end.
        if not stat.S_ISREG(mode):
            raise CommandFailed(f"{path}: neither a file nor a folder nor a symbolic link")
        size_bytes = path.stat().st_size
        if size_bytes > UNZIPPED_MAX_BYTES:
            raise CommandFailed(f"{path}: {size_bytes} bytes are more than a function may have unzipped")
        return entry, path.read_bytes()
    except OSError as error:
        raise CommandFailed(f"{path}: {error.strerror}") from error
