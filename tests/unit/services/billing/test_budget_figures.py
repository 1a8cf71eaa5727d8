"""What scrapers are told of budgets."""

from decimal import Decimal

import msgspec
import pytest
from unit.services.billing.budget_stage import budget

from lambent.domain.budget import BudgetView
from lambent.services.billing import budget_figures as module
from lambent.services.billing.budget_figures import families
from lambent.telemetry.exposition import to_text


def view(name: str) -> BudgetView:
    made = msgspec.structs.replace(budget(name))
    return BudgetView(made, 0, 1, Decimal(5), Decimal(10), False, {})


def test_a_share_of_each_budget() -> None:
    text = to_text(families([view("b"), view("a")], 3)).decode()
    assert 'lambent_budget_used_ratio{account="111122223333",budget="a"} 0.5' in text
    assert 'lambent_budget_throttled{account="111122223333",budget="b"} 0.0' in text
    assert "lambent_budget_notices_waiting 3.0" in text


def test_without_budgets_there_is_what_waits_alone() -> None:
    assert [one.name for one in families([], 0)] == ["lambent_budget_notices_waiting"]


def test_so_many_have_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHOWN_MAX", 1)
    assert [len(one.samples) for one in families([view("b"), view("a")], 0)] == [1, 1, 1]
