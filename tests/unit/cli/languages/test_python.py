"""Python: which function is the handler, and what pip is asked for."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lambent.cli.build_tool import Builder
from lambent.cli.failure import CommandFailed
from lambent.cli.languages.contract import Order
from lambent.cli.languages.python import Python

OWN_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"app.py": "def handler(event, context): ..."}, "app.handler"),
        ({"app.py": "import re\nx = '\\d'\ndef handler(event, context): ..."}, "app.handler"),
        (
            {"lambda_function.py": "async def lambda_handler(e, c): ...\ndef handler(): ..."},
            "lambda_function.lambda_handler",
        ),
        ({"app.py": "handler = make()", "zoo.py": "handler: object = 1"}, "app.handler"),
        ({"app.py": "x = 1", "zoo.py": "from mangum import Mangum as handler"}, "zoo.handler"),
        (
            {"only.py": "class handler: ...", "test_only.py": "def handler(): ...", "setup.py": "handler = 1"},
            "only.handler",
        ),
        ({"old.py": "print 'handler'", "new.py": "def handler(e, c): ..."}, "new.handler"),
    ],
)
def test_the_handler_of_python_is_found(folder: Path, files: dict[str, str], expected: str) -> None:
    """In the modules that functions usually have first, else in the only one that defines one."""
    for name, content in files.items():
        (folder / name).write_text(content)
    assert Python().find_handler(folder) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"app.py": "def main(): ..."}, "no file in it defines one: say --handler"),
        (
            {"a.py": "handler = 1", "b.py": "lambda_handler = 1"},
            r"several files define one \(a\.handler, b\.lambda_han",
        ),
    ],
)
def test_a_handler_that_is_not_clear_is_asked_for(folder: Path, files: dict[str, str], expected: str) -> None:
    """Nothing is guessed."""
    for name, content in files.items():
        (folder / name).write_text(content)
    with pytest.raises(CommandFailed, match=expected):
        Python().find_handler(folder)


def test_python_without_requirements_is_the_folder(builder: Builder, order: Order) -> None:
    """No tool runs."""
    (order.folder / "app.py").touch()
    assert Python().build(order, builder) == [order.folder]


@pytest.mark.parametrize(
    ("runtime", "interpreter", "before", "after"),
    [
        (OWN_PYTHON, None, [], []),
        ("python3.99", "echo /somewhere/python", ["--python", "/somewhere/python"], []),
        # As pyenv has them, of versions that are not in use.
        (
            "python3.99",
            "exit 127",
            [],
            ["--python-version", "3.99", "--implementation", "cp", "--only-binary", ":all:"],
        ),
        ("python3.99", None, [], ["--python-version", "3.99", "--implementation", "cp", "--only-binary", ":all:"]),
        # Too old for pip to run on, even where it is installed.
        (
            "python3.9",
            "echo /somewhere/python",
            [],
            ["--python-version", "3.9", "--implementation", "cp", "--only-binary", ":all:"],
        ),
    ],
)
def test_requirements_are_chosen_for_the_runtime(
    fake: Callable[..., Path],
    builder: Builder,
    order: Order,
    monkeypatch: pytest.MonkeyPatch,
    runtime: str,
    interpreter: str | None,
    before: list[str],
    after: list[str],
) -> None:
    """Lambent's own pip installs for whichever Python runs the function; the customer's files come last and win."""
    noted = fake("pip-python", 'touch "$PWD/$PIP_USER"')
    monkeypatch.setattr(sys, "executable", str(noted.with_suffix("")))
    if interpreter is not None:
        fake(runtime, interpreter)
    (order.folder / "requirements.txt").touch()
    made = Python().build(Order(order.folder, order.scratch, runtime, "hello"), builder)
    assert made == [order.scratch, order.folder]
    arguments = noted.read_text().split()
    install = arguments.index("install")
    assert arguments[:install] == ["-m", "pip", *before]
    assert arguments[-4:] == ["--target", str(order.scratch), "-r", "requirements.txt"]
    assert [argument for argument in arguments[install:-4] if argument in after] == after
    assert (order.folder / "0").exists()
