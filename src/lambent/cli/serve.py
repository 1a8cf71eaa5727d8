"""`lambent serve`: the server in this process."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

from lambent.cli.setting_options import settings_from, with_settings

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop


@with_settings()
def serve(**given: Any) -> None:
    """
    Run the server until SIGINT or SIGTERM.

    Prints one line, `ready` and the endpoint, once it listens. Every option is also LAMBENT_<OPTION> in the
    environment and a line of lambent.toml; the command line wins, then the environment.
    """
    settings = settings_from(given)

    import asyncio

    from lambent import app

    def ready(endpoint: str) -> None:
        print(f"ready {endpoint}", flush=True)

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            runner.run(app.run(settings, ready=ready))
        except KeyboardInterrupt:
            # One that came before the server had its own handler in place: there is nothing to finish yet.
            raise typer.Exit(130) from None


def _loop_factory() -> Callable[[], "AbstractEventLoop"] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
