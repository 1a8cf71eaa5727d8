"""`lambent runtimes`: what runs here, what adds the rest."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from lambent.runtimes.contract import Availability

Run = Callable[..., Any]

FOUND = [
    Availability("python3.12", True, "host", "CPython 3.12.1"),
    Availability("python3.13", False, "host", "there is no CPython 3.13", "apt install python3.13"),
    Availability("java21", False, "none", "not offered by this version"),
]


@pytest.fixture(autouse=True)
def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambent.cli.runtimes.probe", lambda _settings: FOUND)


def test_the_table_has_what_is_here_and_what_could_be(lambent: Run) -> None:
    """Available ones with their interpreter, missing ones with their remedy, the others in one line."""
    out = lambent("runtimes").out
    assert "CPython 3.12.1" in out
    assert "-> apt install python3.13" in out
    assert "python3.12   yes    2028-10-31   " in out
    assert "Not offered by this version: java21\n" in out


def test_json_has_all_of_them(lambent: Run) -> None:
    """Programs get every runtime of the catalogue."""
    listed = json.loads(lambent("runtimes", "--json").out)
    assert [(row["runtime"], row["available"]) for row in listed] == [
        ("python3.12", True),
        ("python3.13", False),
        ("java21", False),
    ]
    assert listed[1]["remedy"] == "apt install python3.13"
    assert [row["deprecated"] for row in listed] == ["2028-10-31", "2029-06-30", "2029-06-30"]
