"""Answers about usage, as a server gives them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

DAYS = ["2026-11-29T00:00:00+00:00", "2026-11-30T00:00:00+00:00"]


def figures(cost: str = "0", **given: Any) -> dict[str, Any]:
    """Return figures of one row: by default of nothing."""
    usual = {
        "requests": 0, "errors": 0, "cold_starts": 0, "duration_ms": 0.0, "billed_ms": 0, "gb_seconds": 0.0,
        "tmp_gb_seconds": 0.0, "provisioned_gb_seconds": 0.0, "streamed_bytes": 0, "billable_streamed_bytes": 0,
        "cpu_seconds": 0.0, "memory_peak_mib": 0, "here_cost": None,
    }  # fmt: skip
    return {**usual, "aws_cost": cost, **given}


def row(
    group: str, cost: str = "0", *, at: str = DAYS[0], account: str = "000000000000", **given: Any
) -> dict[str, Any]:
    """Return one row."""
    return {"at": at, "group": group, "account": account, **figures(cost, **given)}


def answer(rows: Sequence[dict[str, Any]], *, step: str = "total", by: str = "function", **more: Any) -> dict[str, Any]:
    """Return an answer whose total fits its rows."""
    total = figures()
    for one in rows:
        for name, value in one.items():
            if name in {"aws_cost", "here_cost"}:
                total[name] = value if value is None else str(Decimal(value) + Decimal(total[name] or "0"))
            elif name == "memory_peak_mib":
                total[name] = max(total[name], value)
            elif name in total:
                total[name] += value
    return {
        "from": DAYS[0], "to": "2026-12-01T00:00:00+00:00", "by": by, "step": step, "timezone": "UTC",
        "currency": "USD", "prices": {"name": "AWS", "source": "https://aws.amazon.com", "date": "2026-11-20"},
        "machine": None, "forecast": None, "total": total, "rows": list(rows),
        "stretches": DAYS[:1] if step == "total" else DAYS,
    } | more  # fmt: skip


MACHINE = {
    "cost_per_hour": "0.05", "processors": 2, "memory_mib": 8_000, "hours": 48.0, "cost": "2.4", "idle": "2.1"
}  # fmt: skip
FORECAST = {
    "month": "2026-11", "so_far": "10.5", "expected": "21", "expected_requests": 9, "expected_gb_seconds": 1.0,
    "method": "weekday", "days": 14.0, "from": DAYS[0], "to": DAYS[1],
}  # fmt: skip
EVIL = "<b>&\"'\x1b[31m\u202e</b>\n\x00\ud800"
"""As a tag's value may be."""
