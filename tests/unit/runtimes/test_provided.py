"""What starts a package that brings its own runtime."""

from pathlib import Path

import pytest

from lambent.runtimes.contract import InvalidEntrypoint, LayersAt
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


def test_a_layer_may_bring_the_bootstrap(tmp_path: Path) -> None:
    """The package's comes first; a layer's is started where the function sees layers."""
    package, layers = tmp_path / "package", tmp_path / "layers"
    package.mkdir()
    layers.mkdir()
    (layers / "bootstrap").write_text("#!/bin/sh\n")
    at = LayersAt(layers, "/opt")
    assert ProvidedRuntimes().command(package, "/var/task", at).argv == ["/opt/bootstrap"]
    (package / "bootstrap").write_text("#!/bin/sh\n")
    assert ProvidedRuntimes().command(package, "/var/task", at).argv == ["/var/task/bootstrap"]


def test_layers_without_a_bootstrap_are_named(tmp_path: Path) -> None:
    """Where the sandbox has no root of its own, the message has the machine's path."""
    (tmp_path / "package").mkdir()
    (tmp_path / "layers/bootstrap").mkdir(parents=True)
    with pytest.raises(InvalidEntrypoint) as refused:
        ProvidedRuntimes().command(tmp_path / "package", "/var/task", LayersAt(tmp_path / "layers", "/data/layers"))
    assert str(refused.value) == "Couldn't find valid bootstrap(s): [/var/task/bootstrap /data/layers/bootstrap]"


def test_a_link_to_where_the_function_sees_a_layer_counts(tmp_path: Path) -> None:
    """An absolute link leads somewhere else inside than here: whether there is a program shows when it is started."""
    (tmp_path / "bootstrap").symlink_to("/opt/bin/custom-runtime-that-is-only-there-inside")
    assert ProvidedRuntimes().command(tmp_path, "/var/task").argv == ["/var/task/bootstrap"]
    (tmp_path / "bootstrap").unlink()
    (tmp_path / "bootstrap").symlink_to("nowhere")
    with pytest.raises(InvalidEntrypoint):
        ProvidedRuntimes().command(tmp_path, "/var/task")


def test_programs_and_libraries_of_layers_are_on_the_paths(tmp_path: Path) -> None:
    """bin and lib of the layers come last, as on AWS."""
    (tmp_path / "bootstrap").touch()
    environ = ProvidedRuntimes().command(tmp_path, "/var/task", LayersAt(tmp_path, "/data/layers")).environ
    assert environ["PATH"].split(":")[-1] == "/data/layers/bin"
    assert environ["LD_LIBRARY_PATH"].split(":")[-1] == "/data/layers/lib"
    assert ProvidedRuntimes().command(tmp_path, "/var/task").environ["PATH"].split(":")[-1] == "/opt/bin"
