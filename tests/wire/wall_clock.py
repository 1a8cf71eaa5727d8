"""A server whose wall clock tests move."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from wire.support import LAMBENT, Server


def noon_in_mid_month():
    """Return in how many seconds it is noon of the fifteenth of this month by UTC: less than nothing if it was."""
    now = datetime.now(UTC)
    return (now.replace(day=15, hour=12, minute=0, second=0) - now) / timedelta(seconds=1)


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
