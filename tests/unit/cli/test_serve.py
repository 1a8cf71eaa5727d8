"""`lambent serve`: its options are the settings, and a bad one is one line."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from lambent.settings import Settings, options

Run = Callable[..., Any]


def test_help_lists_every_setting(lambent: Run) -> None:
    """An option that exists is an option that is shown, with its default."""
    shown = lambent("serve", "--help").out
    for option in options():
        assert option.flag in shown
    assert "[default: 4566]" in shown


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--port", "70000"), "lambent: --port: 70000 is not between 0 and 65535\n"),
        (
            ("--sandbox", "oci"),
            "lambent: --sandbox: 'oci' is not offered by this version; use auto, namespace, rootless or process\n",
        ),
        (("--environments-max", "0"), "lambent: --environments-max: 0 is not between 1 and 100000\n"),
    ],
)
def test_a_bad_setting_is_one_line_and_exit_code_2(lambent: Run, arguments: tuple[str, ...], line: str) -> None:
    """The line names the setting; nothing starts."""
    finished = lambent("serve", *arguments)
    assert (finished.code, finished.out, finished.err) == (2, "", line)


def test_a_bad_variable_is_named_as_the_variable(lambent: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line sends the reader to where the value came from."""
    monkeypatch.setenv("LAMBENT_PORT", "many")
    finished = lambent("serve")
    assert (finished.code, finished.err) == (2, "lambent: LAMBENT_PORT: 'many' is not a whole number\n")


def test_settings_reach_the_server_and_ready_is_printed(lambent: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was given overrides, what was not given keeps its default; the last line says where it listens."""
    served: list[Settings] = []

    async def run(settings: Settings, *, ready: Callable[[str], None], first_key: object, clock: object) -> None:
        assert clock is None, "the machine's"
        served.append(settings)
        ready("http://127.0.0.1:1234")
        await asyncio.sleep(0)

    monkeypatch.setattr("lambent.app.run", run)
    finished = lambent("serve", "--port", "1234", "--accept-inert")
    about, ready = finished.out.splitlines()
    assert (finished.code, ready) == (0, "ready http://127.0.0.1:1234")
    # Whoever starts it is told once that it is one.
    assert about.startswith("an embedded stand-in for development answers dynamodb, ")
    assert about.endswith("--neighbour NAME=URL names a real server")
    assert (served[0].server.port, served[0].api.accept_inert, served[0].sandbox.environments_max) == (1234, True, 1000)
