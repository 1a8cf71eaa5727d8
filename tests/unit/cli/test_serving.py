"""The short way to a server: which command lines it takes, and that the others are Typer's."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from lambent import __main__
from lambent.cli.serving import given_in
from lambent.settings import Settings, options

LISTS = [option for option in options() if option.type == tuple[str, ...]]


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ([], {}),
        (["--port", "1", "--host=::1"], {"port": "1", "host": "::1"}),
        (["--accept-inert", "--no-insecure"], {"accept_inert": True, "insecure": False}),
        (["--neighbour", "a=b", "--neighbour=c=d"], {"neighbour": ["a=b", "c=d"]}),
        (["--host="], {"host": ""}),
    ],
)
def test_plain_lines_are_read(arguments: list[str], given: dict[str, Any]) -> None:
    """As Typer reads them: text that the settings make sense of, and nothing that was not given."""
    assert given_in(arguments) == given


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["-h"],
        ["more"],
        ["--", "--port", "1"],
        ["--nonsense", "1"],
        ["--port"],
        ["--port", "1", "--port", "2"],
        ["--port", "-1"],
        ["--no-port", "1"],
        ["--accept-inert=true"],
        ["--host", "\udcff"],
    ],
)
def test_what_is_not_plain_is_left_to_typer(arguments: list[str]) -> None:
    """It has the words for help and for what is wrong."""
    assert given_in(arguments) is None


def test_every_setting_is_read() -> None:
    """Whatever its kind."""
    for option in options():
        line = [option.flag] if option.type is bool else [option.flag, "x"]
        found: Any = True if option.type is bool else ["x"] if option in LISTS else "x"
        assert given_in(line) == {option.name: found}


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.setattr("sys.argv", ["lambent", "serve", *arguments])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    return ended.value.code


def test_a_server_runs_by_either_way(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With the same settings; a setting that it cannot obey is a line and an exit code of 2."""
    served: list[Settings] = []

    async def serve(settings: Settings, *, ready: Callable[[str], None], first_key: object, clock: object) -> None:
        served.append(settings)
        ready("http://127.0.0.1:1234")
        await asyncio.sleep(0)

    monkeypatch.setattr("lambent.app.run", serve)
    assert run(monkeypatch, "--port", "1234") == 0
    # Twice: not plain.
    assert run(monkeypatch, "--port", "1", "--port", "1234") == 0
    assert served[0] == served[1]
    assert capsys.readouterr().out.splitlines()[-1] == "ready http://127.0.0.1:1234"
    assert run(monkeypatch, "--port", "70000") == 2
    assert capsys.readouterr().err == "lambent: --port: 70000 is not between 0 and 65535\n"


def test_open_files_are_raised_as_far_as_they_may_be() -> None:
    """A shell's limit of 256 would end with twenty environments."""
    program = (
        "import resource\n"
        "from lambent.cli.serving import raise_open_files\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))\n"
        "raise_open_files()\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 256
