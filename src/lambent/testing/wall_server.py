"""
`lambent serve` with a wall clock that a test moves: `python -m lambent.testing.wall_server FILE [options of serve]`.

FILE holds the seconds by which the wall clock is off, back where they are negative; it is read whenever the server asks
for the time. All else is the server's own: its monotonic clock, timers, processes. Functions have the machine's time.
"""

import sys
from pathlib import Path
from typing import Any

import typer

from lambent.cli.serving import run_server
from lambent.cli.setting_options import settings_from, with_settings
from lambent.clock import SystemClock


class MovedClock(SystemClock):
    """
    The machine's clock, its wall clock off by what a file says.

    Args:
        offset: the file; it is read each time, so replace it (rename) and do not write it anew.
    """

    def __init__(self, offset: Path) -> None:
        super().__init__()
        self._offset = offset

    def now(self) -> float:
        return super().now() + float(self._offset.read_text())


def main(arguments: list[str]) -> None:
    """Run as a program; ends the process."""
    clock = MovedClock(Path(arguments[0]))
    command = typer.Typer()

    @command.command()
    @with_settings()
    def serve(**given: Any) -> None:
        raise typer.Exit(run_server(settings_from(given), clock))

    command(arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
