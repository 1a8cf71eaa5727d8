"""What starts a package that brings its own runtime."""

from pathlib import Path

import pytest

from lambent.runtimes.contract import InvalidEntrypoint
from lambent.runtimes.provided import ProvidedRuntimes


def test_the_bootstrap_is_started_where_the_function_sees_it(tmp_path: Path) -> None:
    """The command is the bootstrap below the task root, without arguments."""
    (tmp_path / "bootstrap").write_text("#!/bin/sh\n")
    command = ProvidedRuntimes().command(tmp_path, "/var/task")
    assert command.argv == ["/var/task/bootstrap"]
    assert "AWS_EXECUTION_ENV" not in {**command.environ, **command.reserved}


def test_a_linked_bootstrap_counts(tmp_path: Path) -> None:
    """RT-04 e: bootstrap may be a link to another file of the package."""
    (tmp_path / "app").write_text("#!/bin/sh\n")
    (tmp_path / "bootstrap").symlink_to("app")
    assert ProvidedRuntimes().command(tmp_path, "/var/task").argv == ["/var/task/bootstrap"]


def test_without_a_bootstrap_there_is_nothing_to_start(tmp_path: Path) -> None:
    """RT-04 c: AWS's message, with the paths as the function sees them."""
    (tmp_path / "bootstrap").mkdir()
    with pytest.raises(InvalidEntrypoint) as refused:
        ProvidedRuntimes().command(tmp_path, "/var/task")
    assert str(refused.value) == "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
