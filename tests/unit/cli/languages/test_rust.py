"""Rust is built by cargo; here it is a script that reports programs as cargo does."""

import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lambent.cli.build_tool import Builder
from lambent.cli.failure import CommandFailed
from lambent.cli.languages.contract import Order
from lambent.cli.languages.rust import Rust


def cargo_says(folder: Path, **programs: str) -> str:
    """Return a script for cargo that builds programs, each with a content, and reports them as cargo does."""
    lines = ["echo 'a build script prints this'"]
    for name, content in programs.items():
        path = folder / f"{name}.built"
        path.write_text(content)
        target = {"kind": ["bin"], "name": name}
        lines.append(f"echo '{json.dumps({'reason': 'compiler-artifact', 'target': target, 'executable': str(path)})}'")
    library = {"reason": "compiler-artifact", "target": {"kind": ["lib"], "name": "hello"}, "executable": None}
    return "\n".join([*lines, f"echo '{json.dumps(library)}'"])


@pytest.mark.parametrize(
    ("programs", "expected"),
    [
        ({"anything": "one"}, "one"),
        ({"other": "no", "bootstrap": "yes", "hello": "no"}, "yes"),
        ({"other": "no", "hello": "yes"}, "yes"),
    ],
)
def test_the_program_of_rust_becomes_bootstrap(
    fake: Callable[..., Path], builder: Builder, order: Order, programs: dict[str, str], expected: str
) -> None:
    """It is the only one, or that called bootstrap, or that called as the function is, wherever cargo puts it."""
    (order.folder / "Cargo.toml").touch()
    noted = fake("cargo", cargo_says(order.scratch.parent, **programs))
    assert Rust().build(order, builder) == [order.scratch]
    assert noted.read_text().split()[:2] == ["build", "--release"]
    assert "--target" not in noted.read_text()
    made = order.scratch / "bootstrap"
    assert (made.read_text(), made.stat().st_mode & 0o777) == (expected, 0o755)


@pytest.mark.parametrize(
    ("programs", "expected"),
    [({}, "holds a library"), ({"b": "", "a": ""}, r"holds several programs \(a, b\): .*--name")],
)
def test_rust_without_a_choice_is_refused(
    fake: Callable[..., Path], builder: Builder, order: Order, programs: dict[str, str], expected: str
) -> None:
    """Which of several programs is meant is for the customer to say."""
    (order.folder / "Cargo.toml").touch()
    fake("cargo", cargo_says(order.scratch.parent, **programs))
    with pytest.raises(CommandFailed, match=expected):
        Rust().build(order, builder)


@pytest.mark.skipif(sys.platform != "linux", reason="needs:linux:run the tests on Linux")
def test_rust_is_static_where_musl_is_installed(fake: Callable[..., Path], builder: Builder, order: Order) -> None:
    """Such a program needs no C library where functions run; rustc knows whether the target is there."""
    (order.folder / "Cargo.toml").touch()
    noted = fake("cargo", cargo_says(order.scratch.parent, one="it"))
    asked = fake("rustc", f"echo {order.scratch}")
    Rust().build(order, builder)
    musl = f"{platform.machine()}-unknown-linux-musl"
    assert asked.read_text().split() == ["--print", "target-libdir", "--target", musl]
    arguments = noted.read_text().split()
    assert arguments[arguments.index("--target") + 1] == musl

    fake("rustc", f"echo {order.scratch}/missing")
    Rust().build(order, builder)
    assert "--target" not in noted.read_text()


def test_a_missing_compiler_is_named(builder: Builder, order: Order) -> None:
    """With the command that installs it."""
    with pytest.raises(CommandFailed, match=r"cargo is not installed.*apt install cargo"):
        Rust().build(order, builder)
