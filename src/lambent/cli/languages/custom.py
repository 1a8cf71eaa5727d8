"""Functions that bring their runtime: shell, or a program that was built elsewhere."""

import stat
from collections.abc import Sequence
from pathlib import Path

from lambent.cli.build_tool import Builder
from lambent.cli.failure import CommandFailed
from lambent.cli.languages.contract import BOOTSTRAP, Order, Provided


class Custom(Provided):
    """A folder that brings its runtime, in whatever language: it is taken as it is."""

    title = "custom runtime"
    mark = "an executable bootstrap"

    def is_in(self, folder: Path) -> bool:
        # Also a link that leads nowhere here: it may lead somewhere where functions run.
        return (folder / BOOTSTRAP).is_file() or (folder / BOOTSTRAP).is_symlink()

    def build(self, order: Order, builder: Builder) -> Sequence[Path]:
        bootstrap = order.folder / BOOTSTRAP
        if bootstrap.is_file() and not bootstrap.stat().st_mode & stat.S_IXOTH:
            # As root everything may be executed, and functions run as another user: their bit is what counts.
            raise CommandFailed(f"{bootstrap}: functions may not execute it: `chmod a+rx {bootstrap}`")
        return [order.folder]
