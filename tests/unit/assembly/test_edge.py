"""Where the server listens."""

import pytest

from lambent.assembly import edge
from lambent.errors.families import SettingsError
from lambent.settings import ServerSettings


def test_functions_reach_no_listener_of_the_server() -> None:
    """What comes to the server's own port may do everything: no setting opens it, also where that is any free one."""
    every = [str(port) for port in range(1, 65_536)]
    with pytest.raises(SettingsError, match=r"^--allow-host: [0-9]+ is this server's own port; [^\n]*$"):
        edge._bind(ServerSettings(port=0), every)
    edge._bind(ServerSettings(port=0), []).close()
