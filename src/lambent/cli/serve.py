"""`lambent serve`: the server in this process."""

from typing import Any

from lambent.cli.serving import run_server
from lambent.cli.setting_options import settings_from, with_settings


@with_settings()
def serve(**given: Any) -> int:
    """
    Run the server until SIGINT or SIGTERM.

    Once it listens, prints the first access key, if nothing can be done without one and there was none, a line on the
    certificate that it made for itself, if it did, those on who gets in that an operator should see, one on the
    stand-in for other services, and as the last one `ready` and the endpoint. Every option
    is also LAMBENT_<OPTION> in the environment and a line of lambent.toml; the command line wins, then the environment.
    """
    return run_server(settings_from(given))
