"""`lambent serve`: the server in this process."""

import contextlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

from lambent.cli.setting_options import settings_from, with_settings
from lambent.settings import Settings

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from lambent.clock import Clock

_OPEN_FILES_MAX = 1_048_576
"""What most Linux distributions allow at most: far beyond the environments that a machine's memory holds."""


@with_settings()
def serve(**given: Any) -> None:
    """
    Run the server until SIGINT or SIGTERM.

    Once it listens, prints the first access key, if nothing can be done without one and there was none, a line on the
    certificate that it made for itself, if it did, those on who gets in that an operator should see, one on the
    stand-in for other services, and as the last one `ready` and the endpoint. Every option
    is also LAMBENT_<OPTION> in the environment and a line of lambent.toml; the command line wins, then the environment.
    """
    run_server(settings_from(given))


def run_server(settings: Settings, clock: "Clock | None" = None) -> None:
    """
    Be a server until SIGINT or SIGTERM.

    Args:
        clock: the machine's when absent; for tests (lambent.testing.wall_server).

    Raises:
        SettingsError: a setting cannot be obeyed on this machine.
    """
    import asyncio

    from lambent import app
    from lambent.cli.keys import describe_first

    def ready(endpoint: str) -> None:
        # The last line is what programs wait for: by then they have read what to trust.
        for about in (app.about_tls(settings), app.about_access(settings), app.about_neighbours(settings)):
            if about:
                print(about, flush=True)
        print(f"ready {endpoint}", flush=True)

    raise_open_files()

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            runner.run(
                app.run(
                    settings, ready=ready, first_key=lambda key: print(describe_first(key), flush=True), clock=clock
                )
            )
        except KeyboardInterrupt:
            # One that came before the server had its own handler in place: there is nothing to finish yet.
            raise typer.Exit(130) from None


def raise_open_files() -> None:
    """
    Raise this process's limit of open files as far as it may be.

    An environment takes a dozen descriptors, and the limit that a shell gives is often 1,024: eighty environments.
    Functions get Lambda's own limit, whatever this one is.
    """
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # macOS refuses what is beyond a limit of its own.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _loop_factory() -> Callable[[], "AbstractEventLoop"] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
