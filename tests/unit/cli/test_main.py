"""The command line as a whole: its help, and what every failure looks like."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from lambent import __version__

COMMANDS = ("serve", "demo", "doctor", "runtimes", "conformance", "deploy", "invoke", "logs", "ls")

Run = Callable[..., Any]


def test_help_names_every_command(lambent: Run) -> None:
    """`lambent --help` is the table of contents."""
    finished = lambent("--help")
    assert finished.code == 0
    for command in COMMANDS:
        assert f" {command} " in finished.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(lambent: Run, command: str) -> None:
    """Each command explains itself."""
    finished = lambent(command, "--help")
    assert finished.code == 0
    assert f"lambent {command}" in finished.out


def test_version_is_the_packages(lambent: Run) -> None:
    """`lambent --version` prints one line."""
    assert lambent("--version").out == f"lambent {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("nonsense",), "lambent: No such command 'nonsense'; see `lambent --help`\n"),
        (("ls", "--nonsense"), "lambent: No such option: --nonsense; see `lambent ls --help`\n"),
        (("invoke",), "lambent: Missing argument 'NAME'; see `lambent invoke --help`\n"),
        (("serve", "--port", "abc"), "lambent: --port: 'abc' is not a whole number\n"),
        *(
            (("ls", "--endpoint", url), f"lambent: --endpoint: '{url}' is not a URL such as http://127.0.0.1:4566\n")
            for url in ("nonsense", "http://localhost:99999", "http://[::1", "http://a..b")
        ),
        (("invoke", "\udcff"), "lambent: an argument is not UTF-8\n"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(lambent: Run, arguments: tuple[str, ...], expected: str) -> None:
    """Whatever is wrong with the arguments, it is said in one line on stderr."""
    finished = lambent(*arguments)
    assert (finished.code, finished.out, finished.err) == (2, "", expected)


def test_lambent_alone_shows_the_help(lambent: Run) -> None:
    """Without a command there is nothing to do but to explain."""
    assert "Usage: lambent" in lambent().out


def test_no_server_is_one_line_and_exit_code_1(lambent: Run) -> None:
    """A client without a server says what is missing, and how to start one."""
    finished = lambent("ls", "--endpoint", "http://127.0.0.1:9")
    assert finished.code == 1
    assert finished.err == "lambent: no server at http://127.0.0.1:9: start one with `lambent serve`\n"


def test_module_and_command_are_one_program() -> None:
    """`python -m lambent` does what `lambent` does."""
    command = [sys.executable, "-m", "lambent", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"lambent {__version__}\n"
