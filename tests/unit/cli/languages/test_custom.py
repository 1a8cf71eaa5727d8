"""A folder that brings its runtime is taken as it is."""

import pytest

from lambent.cli.build_tool import Builder
from lambent.cli.failure import CommandFailed
from lambent.cli.languages.contract import Order
from lambent.cli.languages.custom import Custom


def test_a_custom_runtime_is_taken_as_it_is(builder: Builder, order: Order) -> None:
    """A link as well, which may lead into a layer."""
    bootstrap = order.folder / "bootstrap"
    bootstrap.touch()
    bootstrap.chmod(0o755)
    assert Custom().build(order, builder) == [order.folder]
    bootstrap.unlink()
    bootstrap.symlink_to("/opt/bootstrap")
    assert Custom().build(order, builder) == [order.folder]


@pytest.mark.parametrize("mode", [0o644, 0o744])
def test_a_bootstrap_that_functions_cannot_execute_is_refused(builder: Builder, order: Order, mode: int) -> None:
    """They run as another user; the line has the command."""
    bootstrap = order.folder / "bootstrap"
    bootstrap.touch()
    bootstrap.chmod(mode)
    with pytest.raises(CommandFailed, match=r"functions may not execute it: `chmod a\+rx .*/bootstrap`$"):
        Custom().build(order, builder)
