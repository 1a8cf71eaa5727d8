"""A server whose wall clock tests move."""

import time
from pathlib import Path

from wire.support import LAMBENT, Server


class WallServer(Server):
    """A server whose wall clock is off by what a file says."""

    def __init__(self, folder, *options):
        super().__init__(None, *options)
        self.file = folder / "offset"
        self.offset_s = 0.0
        self.move(0)
        python = Path(LAMBENT).parent / "python"
        self.command = (str(python), "-m", "lambent.testing.wall_server", str(self.file))

    def move(self, seconds):
        self.offset_s += seconds
        new = self.file.with_suffix(".new")
        new.write_text(str(self.offset_s))
        new.replace(self.file)

    def now(self):
        return time.time() + self.offset_s
