"""`lambent budgets`: what is shown of an answer."""

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]


def shown(**members: Any) -> dict[str, Any]:
    """Return a budget as the server shows it."""
    now = {
        **{"from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z", "used": "1", "amount": "2", "percent": 50.0},
        **{"warned": [50], "is_throttled": False, "is_raised": False, "not_counted": "0"},
    }
    return {
        **{"name": "b", "account": "111122223333", "watches": {"tag": "team=red"}, "notices": []},
        **{"measure": "requests", "currency": None, "amount": "2", "period": "month", "warn": [50], "targets": []},
        **{"throttle": False, "now": now},
    } | members


def noticed(**members: Any) -> dict[str, Any]:
    """Return what waits to be told, as the server shows it."""
    told = {"percent": 50, "target": "https://a.example/", "due_at": "2026-11-02T00:00:00Z", "tries": 1}
    return told | {"next_try_s": 5.0, "failure": None} | members


def test_no_name_moves_the_cursor(lambent: Run, stand_in: Any) -> None:
    """Tags, targets and what servers answered are shown without signs that a terminal would obey."""
    notice = noticed(target="https://a.example/\x1b[2J", failure="no\x1b]0;x\x07")
    budget = shown(watches={"tag": "team=\x1b[31m\u202ered[bold]"}, notices=[notice])
    stand_in.json("POST /_lambent/budgets/ListBudgets", {"budgets": [budget]})
    finished = lambent("budgets", "list", "--endpoint", stand_in.endpoint)
    assert finished.code == 0
    assert "red" in finished.out and "[bold]" in finished.out.replace("\n", "").replace(" ", "")
    assert not any(sign in finished.out for sign in "\x1b\x07\u202e")


def test_dates_are_on_one_line(lambent: Run, stand_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the names beside them are; in a narrow terminal, where they could not be, nothing is left out."""
    function = f"arn:aws:lambda:eu-west-1:111122223333:function:{'f' * 64}"
    notice = noticed(target=f"https://hooks.example/{'t' * 64}", failure="the other side refuses the connection")
    budget = shown(name="n" * 64, watches={"function": function}, notices=[notice])
    stand_in.json("POST /_lambent/budgets/ListBudgets", {"budgets": [budget]})
    arguments = ("budgets", "list", "--account", "all", "--endpoint", stand_in.endpoint)
    monkeypatch.setenv("COLUMNS", "80")
    shown_lines = lambent(*arguments).out
    assert "2026-12-01" in shown_lines and "2026-11-02T00:00:00Z" in shown_lines
    for columns in (80, 60, 40):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert lambent(*arguments).out.count("n") >= 2 * 64
