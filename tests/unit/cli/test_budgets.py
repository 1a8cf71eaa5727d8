"""`lambent budgets`: what is shown of an answer."""

from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]


def test_no_name_moves_the_cursor(lambent: Run, stand_in: Any) -> None:
    """Tags, targets and what servers answered are shown without signs that a terminal would obey."""
    now = {
        **{"from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z", "used": "1", "amount": "2", "percent": 50.0},
        **{"warned": [50], "is_throttled": False, "is_raised": False, "not_counted": "0"},
    }
    notice = {
        **{"percent": 50, "target": "https://a.example/\x1b[2J", "due_at": "2026-11-02T00:00:00Z", "tries": 1},
        **{"next_try_s": 5.0, "failure": "no\x1b]0;x\x07"},
    }
    budget = {
        **{"name": "b", "account": "111122223333", "watches": {"tag": "team=\x1b[31m\u202ered[bold]"}},
        **{"measure": "requests", "currency": None, "amount": "2", "period": "month", "warn": [50], "targets": []},
        **{"throttle": False, "now": now, "notices": [notice]},
    }
    stand_in.json("POST /_lambent/budgets/ListBudgets", {"budgets": [budget]})
    finished = lambent("budgets", "list", "--endpoint", stand_in.endpoint)
    assert finished.code == 0
    assert "red" in finished.out and "[bold]" in finished.out.replace("\n", "").replace(" ", "")
    assert not any(sign in finished.out for sign in "\x1b\x07\u202e")
