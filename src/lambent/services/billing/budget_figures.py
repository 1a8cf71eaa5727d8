"""What scrapers are told of budgets."""

from collections.abc import Sequence
from typing import Final

from lambent.domain.budget import BudgetView
from lambent.telemetry.exposition import Family

SHOWN_MAX: Final = 1_000
"""Budgets that have samples of their own; further ones have none."""

_LABELS: Final = ("account", "budget")


def families(views: Sequence[BudgetView], notices_waiting: int) -> list[Family]:
    """Return families of samples; none of single budgets where there are none."""
    shown = sorted(views, key=lambda one: (one.budget.account, one.budget.name))[:SHOWN_MAX]
    named = [((one.budget.account, one.budget.name), one) for one in shown]
    waiting = Family(
        "lambent_budget_notices_waiting",
        "gauge",
        "What budgets have to tell and could not yet.",
        (),
        [((), float(notices_waiting))],
    )
    if not named:
        return [waiting]
    return [
        Family(
            "lambent_budget_used_ratio",
            "gauge",
            "What is used of a budget in its period, 1 being all of it.",
            _LABELS,
            [(name, float(one.used / one.limit)) for name, one in named],
        ),
        Family(
            "lambent_budget_throttled",
            "gauge",
            "1 where a budget is used up and invocations are refused because of it.",
            _LABELS,
            [(name, float(one.is_used_up)) for name, one in named],
        ),
        waiting,
    ]
