"""What the managed runtimes of every language do alike."""

from pathlib import Path

import pytest

from lambent.runtimes.interpreters import Interpreter
from lambent.runtimes.language import nearest_version, path_inside


@pytest.mark.parametrize(
    ("wanted", "available", "nearest"),
    [
        ("3.13", ["3.9", "3.11"], "3.11"),
        ("3.12", ["3.11", "3.13"], "3.13"),
        ("3.9", ["3.10", "3.14"], "3.10"),
        ("22", ["18", "20"], "20"),
        ("22", ["20", "24"], "24"),
        ("3.4", ["3.1", "4.0"], "3.1"),
        ("3.12", [], None),
    ],
)
def test_nearest(wanted: str, available: list[str], nearest: str | None) -> None:
    """The nearest version stands in; of two as near, the newer; one of another first number is far away."""
    assert nearest_version(wanted, available) == nearest


def test_what_lies_in_usr_is_seen_where_it_is() -> None:
    """Environments with a root of their own have the machine's /usr; anything else is mounted."""
    assert path_inside(Interpreter(Path("/usr/bin/node"), (20, 1, 0), True)) == (Path("/usr/bin/node"), ())
    elsewhere = Interpreter(Path("/opt/node/bin/node"), (20, 1, 0), True, prefix=Path("/opt/node"))
    assert path_inside(elsewhere) == (Path("/var/lang/bin/node"), (("/var/lang", "/opt/node"),))
