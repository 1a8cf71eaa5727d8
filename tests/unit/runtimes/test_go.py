"""What starts a package of go1.x."""

import asyncio
import os
from pathlib import Path

import pytest

from lambent.runtimes.contract import InvalidEntrypoint, LayersAt
from lambent.runtimes.go import GoRuntimes


def program(path: Path, *names: str) -> None:
    """Write what has these names in it, as a program of Go has that of each variable it asks for."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"\x7fELF" + b"\0".join(name.encode() for name in names))


def refusal(package: Path, handler: str) -> str:
    with pytest.raises(InvalidEntrypoint) as refused:
        asyncio.run(GoRuntimes().command("go1.x", handler, package, "/var/task"))
    return str(refused.value)


@pytest.mark.parametrize("names", [("AWS_LAMBDA_RUNTIME_API",), ("_LAMBDA_SERVER_PORT", "AWS_LAMBDA_RUNTIME_API"), ()])
def test_the_handler_names_the_program(tmp_path: Path, names: tuple[str, ...]) -> None:
    """With and without net/rpc; one that shows neither, since it is packed, is given a try."""
    program(tmp_path / "bin/main", *names)
    under_test = GoRuntimes()
    for _ in range(2):
        command = asyncio.run(
            under_test.command("go1.x", "bin/main", tmp_path, "/var/task", LayersAt(tmp_path, "/data/layers"))
        )
        assert command.argv == ["/var/task/bin/main"]
        assert command.reserved["AWS_EXECUTION_ENV"] == "AWS_Lambda_go1.x"
        assert command.environ["PATH"].endswith(":/data/layers/bin")
        assert "_LAMBDA_SERVER_PORT" not in {**command.environ, **command.reserved}


@pytest.mark.parametrize("handler", ["../main", "/bin/sh", "bin/../../main"])
def test_a_program_that_is_not_in_the_package(tmp_path: Path, handler: str) -> None:
    """The operating system's word, whatever lies beside the package."""
    (tmp_path / "main").touch()
    (tmp_path / "package").mkdir()
    assert refusal(tmp_path / "package", handler) == f"fork/exec /var/task/{handler}: no such file or directory"


def test_a_program_of_old_is_refused_with_the_way_out(tmp_path: Path) -> None:
    """It would wait for calls that never come."""
    program(tmp_path / "main", "_LAMBDA_SERVER_PORT")
    told = refusal(tmp_path, "main")
    assert told.startswith("/var/task/main is built with an aws-lambda-go older than 1.18, which speaks net/rpc only")


def test_what_is_no_program_is_left_to_the_sandbox(tmp_path: Path) -> None:
    """Nothing waits for a writer, and nothing outside of the package is read."""
    package = tmp_path / "package"
    program(tmp_path / "outside", "_LAMBDA_SERVER_PORT")
    (package / "folder").mkdir(parents=True)
    os.mkfifo(package / "fifo")
    (package / "empty").touch()
    (package / "link").symlink_to(tmp_path / "outside")
    for name in ("fifo", "folder", "empty", "link", "missing"):
        assert asyncio.run(GoRuntimes().command("go1.x", name, package, "/var/task")).argv == [f"/var/task/{name}"]
