"""
Clients of our own that are files of this package, copied to where functions can read them.

Under a name that holds a digest of what is in it, like every client's folder: see `managed`.
"""

import asyncio
import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from lambent.clock import Clock
from lambent.runtimes.contract import RuntimeUnavailable
from lambent.runtimes.managed import finish_client_folder, new_client_folder


class OwnClient:
    """
    One client, copied on first use and again when its folder has gone.

    Args:
        name: what its folder's name begins with, e.g. `nodejs-client`.
        sources: the folder in this package.
        pattern: which files of it, e.g. `*.cjs`.
        entry: the one that is started.
        beside: a folder that is put beside them under its own name, its files linked and not copied.
    """

    def __init__(
        self,
        name: str,
        sources: Path,
        pattern: str,
        entry: str,
        runtimes_dir: Path,
        clock: Clock,
        beside: Path | None = None,
    ) -> None:
        self.entry = entry
        self._name = name
        self._sources = sources
        self._pattern = pattern
        self._runtimes_dir = runtimes_dir
        self._clock = clock
        self._beside = beside
        self._folder: Path | None = None
        """Where it is once it is there."""
        self._copying = asyncio.Lock()

    async def folder(self) -> Path:
        """
        Return the folder of the client, copied if need be.

        Raises:
            RuntimeUnavailable: it cannot be copied.
        """
        folder = self._folder
        if folder is None or not (folder / self.entry).is_file():
            async with self._copying:
                try:
                    folder = self._folder = await asyncio.to_thread(self._copy)
                except OSError as error:
                    raise RuntimeUnavailable(f"no folder for {self._name}: {error}") from error
        return folder

    def _copy(self) -> Path:
        contents = {path.name: path.read_bytes() for path in sorted(self._sources.glob(self._pattern))}
        folder = self._runtimes_dir / f"{self._name}-{digest_of(contents)}"
        if (folder / self.entry).is_file():
            return folder
        unfinished = new_client_folder(self._runtimes_dir, self._clock)
        try:
            for name, content in contents.items():
                (unfinished / name).write_bytes(content)
            if self._beside is not None:
                shutil.copytree(self._beside, unfinished / self._beside.name, symlinks=True, copy_function=_link)
            finish_client_folder(unfinished, folder, self.entry)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return folder


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        # Another user's file, or a file system without links.
        shutil.copy2(source, target)


def digest_of(contents: Mapping[str, bytes]) -> str:
    """Return what tells one set of files from another, for the name of a folder: 12 hexadecimal digits."""
    parts = (part for name, content in contents.items() for part in (name.encode(), content))
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]
