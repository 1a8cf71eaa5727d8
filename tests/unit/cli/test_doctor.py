"""`lambent doctor`: the table, the JSON, the exit code."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from lambent.cli.host_facts import Fact, State

Run = Callable[..., Any]


def facts_are(monkeypatch: pytest.MonkeyPatch, *facts: Fact) -> None:
    monkeypatch.setattr("lambent.cli.host_facts.probe_host", lambda _settings: list(facts))


def test_missing_but_not_needed_is_exit_code_0(lambent: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one can do without is shown with its remedy, and is no failure."""
    facts_are(monkeypatch, Fact("AWS CLI", State.NO, "not on the path", "apt install awscli"))
    finished = lambent("doctor")
    assert finished.code == 0
    assert "not on the path" in finished.out
    assert "-> apt install awscli" in finished.out


def test_missing_and_needed_is_exit_code_1(lambent: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which no function could run fails the check."""
    facts_are(monkeypatch, Fact("runtimes", State.NO, "none", "lambent runtimes", is_needed=True))
    assert lambent("doctor").code == 1


def test_json_holds_every_fact(lambent: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs get the same facts, and only those."""
    facts_are(monkeypatch, Fact("pip", State.UNKNOWN, "d", "r", is_needed=True))
    assert json.loads(lambent("doctor", "--json").out) == [
        {"what": "pip", "state": "not checked", "detail": "d", "remedy": "r", "needed": True}
    ]
