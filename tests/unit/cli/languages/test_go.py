"""Go is built by `go build`; here it is a script that notes how it is run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lambent.cli.build_tool import Builder
from lambent.cli.failure import CommandFailed
from lambent.cli.languages.contract import Order
from lambent.cli.languages.go import Go

GO = 'while [ "$1" != -o ]; do shift; done; echo "$CGO_ENABLED" > {folder}/cgo; printf \'{content}\' > "$2"'


def test_go_is_built_without_cgo_and_rpc(fake: Callable[..., Path], builder: Builder, order: Order) -> None:
    """The program is the whole package, executable, and nothing is left in the customer's folder."""
    (order.folder / "go.mod").touch()
    noted = fake("go", GO.format(folder=order.scratch.parent, content="\\177ELF"))
    assert Go().build(order, builder) == [order.scratch]
    arguments = noted.read_text().split()
    assert (arguments[0], arguments[-1]) == ("build", ".")
    assert arguments[arguments.index("-tags") + 1] == "lambda.norpc"
    assert (order.scratch.parent / "cgo").read_text() == "0\n"
    assert [(path.name, path.stat().st_mode & 0o777) for path in order.scratch.iterdir()] == [("bootstrap", 0o755)]
    assert [path.name for path in order.folder.iterdir()] == ["go.mod"]


def test_a_library_in_go_is_no_function(fake: Callable[..., Path], builder: Builder, order: Order) -> None:
    """`go build` is content with one, and writes an archive."""
    (order.folder / "go.mod").touch()
    fake("go", GO.format(folder=order.scratch.parent, content="!<arch>\\n"))
    with pytest.raises(CommandFailed, match="holds a library: a function is a `package main`"):
        Go().build(order, builder)


def test_a_missing_compiler_is_named(builder: Builder, order: Order) -> None:
    """With the command that installs it."""
    with pytest.raises(CommandFailed, match=r"go is not installed.*apt install golang-go"):
        Go().build(order, builder)
