"""
The `go1.x` runtime: the handler names an executable of the package.

AWS spoke net/rpc with it. Since aws-lambda-go 1.18 a program speaks the Runtime API where it finds its address, and
only that is done here. Observed: aws/aws-lambda-go, lambda/entry.go of 1.17.0, 1.18.0 and 1.54.0.
"""

import asyncio
import mmap
import os
import stat
from collections import OrderedDict
from pathlib import Path, PurePosixPath

from lambent.runtimes.catalogue import CatalogueEntry
from lambent.runtimes.contract import InvalidEntrypoint, LayersAt, RuntimeCommand
from lambent.runtimes.managed import LAYERS_ROOT, RUNTIME_DIR, reserved

_LOOKED_AT_MAX = 1024

_OF_RPC = b"_LAMBDA_SERVER_PORT"
_OF_RUNTIME_API = b"AWS_LAMBDA_RUNTIME_API"
"""The variables that a program asks for; their names lie in it as they are."""


class GoRuntimes:
    """`go1.x`. There is nothing to prepare."""

    def __init__(self) -> None:
        self._speaks_only_rpc: OrderedDict[tuple[Path, int, int], bool] = OrderedDict()
        """By what `_found` says."""

    async def command(
        self, runtime: str, handler: str, package: Path, task_root: str, layers: LayersAt | None = None
    ) -> RuntimeCommand:
        """
        Return how to start the program that the handler names.

        Raises:
            InvalidEntrypoint: it is nothing in the package, or it only speaks net/rpc. Whether it is there and can be
                executed shows when it is.
        """
        shown = f"{task_root}/{handler}"
        if handler.startswith("/") or ".." in PurePosixPath(handler).parts:
            # Assumed: the type. While AWS ran go1.x, people saw this text as a PathError.
            raise InvalidEntrypoint(f"fork/exec {shown}: no such file or directory")
        if await self._is_of_old(package, handler):
            raise InvalidEntrypoint(
                f"{shown} is built with an aws-lambda-go older than 1.18, which speaks net/rpc only; that is not "
                "offered here: build it with a newer one"
            )
        opt = LAYERS_ROOT if layers is None else layers.root
        return RuntimeCommand(
            argv=[shown],
            environ={
                "PATH": f"/usr/local/bin:/usr/bin/:/bin:{opt}/bin",
                "LD_LIBRARY_PATH": f"/lib64:/usr/lib64:{task_root}:{task_root}/lib:{opt}/lib",
            },
            reserved=reserved(runtime, RUNTIME_DIR),
        )

    def version_label(self, entry: CatalogueEntry) -> str:
        """Return `go:1.x.v1`. Assumed: the number has no meaning here, AWS counted its own images."""
        return f"go:{entry.version}.v1"

    async def _is_of_old(self, package: Path, handler: str) -> bool:
        program, key = _found(package, handler)
        if key is None:
            return False
        known = self._speaks_only_rpc.get(key)
        if known is None:
            known = await asyncio.to_thread(_speaks_only_rpc, program)
            self._speaks_only_rpc[key] = known
            if len(self._speaks_only_rpc) > _LOOKED_AT_MAX:
                self._speaks_only_rpc.popitem(last=False)
        return known


def _found(package: Path, handler: str) -> tuple[Path, tuple[Path, int, int] | None]:
    """
    Return the program, and what tells one from another: path, modification time and size.

    None where there is no file, or a link leads out of the package, where the function sees something else.
    """
    program = package / handler
    try:
        if not Path(os.path.realpath(program)).is_relative_to(os.path.realpath(package)):
            return program, None
        status = program.stat()
    except OSError:
        return program, None
    # Packages do not change, but a folder of one may be made again.
    return program, (program, status.st_mtime_ns, status.st_size) if stat.S_ISREG(status.st_mode) else None


def _speaks_only_rpc(program: Path) -> bool:
    """Whether a program asks for the port of net/rpc and not for the Runtime API. Blocks."""
    try:
        with (
            program.open("rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            return content.find(_OF_RPC) >= 0 and content.find(_OF_RUNTIME_API) < 0
    except (OSError, ValueError):
        # Empty, or gone.
        return False
