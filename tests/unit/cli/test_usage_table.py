"""Tables of usage: what is shown where there is room, and where there is little."""

import io
from typing import Any

import pytest
from rich.console import Console, RenderableType
from unit.cli.usage_answers import DAYS, EVIL, answer, row

from lambent.cli.usage_figures import amounts_of
from lambent.cli.usage_table import advice_table, records_table, saving_of, table_of


def drawn(what: RenderableType, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO(), highlight=False)
    with console.capture() as captured:
        console.print(what)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    assert all(len(line) <= width for line in lines)
    return lines


def table(rows: list[dict[str, Any]], width: int = 200, **more: Any) -> list[str]:
    shown = answer(rows, **more)
    amounts = amounts_of(rows, by=shown["by"], by_stretch=shown["step"] != "total", most=25)
    return drawn(table_of(shown, amounts, width), width)


ROWS = [
    row("resize-images", "1.5", requests=1_000, errors=3, billed_ms=90_000, gb_seconds=11.25, memory_peak_mib=90),
    row("hello", "0.5", requests=20, cold_starts=2, billed_ms=40, gb_seconds=0.005, memory_peak_mib=30),
]


def test_a_table() -> None:
    """Sorted by cost, with a total."""
    lines = table(ROWS)
    assert " ".join(lines[1].split()) == "function requests errors cold billed GB-s CPU s peak MiB AWS USD"
    assert lines[3].split() == ["resize-images", "1,000", "3", "0", "90", "s", "11.2", "0", "90", "1.5000"]
    assert lines[4].split() == ["hello", "20", "0", "2", "0.04", "s", "0.01", "0", "30", "0.5000"]
    assert lines[6].split() == ["total", "1,020", "3", "2", "90", "s", "11.3", "0", "90", "2.0000"]


def test_columns_that_have_something_to_say() -> None:
    """Provisioned concurrency, /tmp, streams, what it cost here, accounts, stretches."""
    more = {"provisioned_gb_seconds": 7.0, "tmp_gb_seconds": 2.0, "streamed_bytes": 8_000_000, "here_cost": "0.25"}
    lines = table([row("f", "1", **more), row("f", "1", account="111122223333", here_cost="0.5")])
    assert lines[1].split()[:2] == ["function", "account"]
    for heading in ("kept GB-s", "/tmp GB-s", "streamed", "here USD"):
        assert heading in lines[1]
    stepped = table([row("f", "1", at=at) for at in DAYS], step="day")
    assert stepped[1].split()[:2] == ["day", "function"]
    assert [line.split()[0] for line in stepped[3:5]] == ["11-29", "11-30"]


@pytest.mark.parametrize("width", [40, 50, 60, 80, 100, 120])
def test_a_narrow_terminal(width: int) -> None:
    """Less is shown, not broken: requests, cost and names are there."""
    lines = table([*ROWS, row("a-function-with-quite-a-long-name-as-they-may-be", "3", requests=9_999_999)], width)
    assert "requests" in lines[1]
    assert "AWS USD" in lines[1]
    assert any("9,999,999" in line for line in lines)
    assert any(line.strip().startswith("resize-images") for line in lines)


def test_names_are_shown_as_they_are() -> None:
    """No markup in them is obeyed, and no order to the terminal."""
    text = "\n".join(table([row("[red]x[/red]", "1"), row(EVIL, "2")], by="tag:team"))
    assert "[red]x[/red]" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_records() -> None:
    """What ran, by which alias, how long, and with what."""
    record = {
        "number": 1, "request_id": "8f5d…", "at": "2026-11-30T12:00:00.123+00:00", "account": "000000000000",
        "region": "us-east-1", "function": "f", "version": "7", "qualifier": "live", "tenant": "", "memory_mib": 128,
        "tmp_mib": 512, "architecture": "x86_64", "kind": "on-demand", "runtime": "python3.13", "duration_ms": 12.5,
        "init_ms": 0.0, "billed_ms": 13, "cpu_ms": 3.25, "memory_peak_mib": 40, "streamed_bytes": 0, "status": "",
        "is_restored": False,
    }  # fmt: skip
    lines = drawn(
        records_table([record, record | {"version": "$LATEST", "qualifier": "", "status": "timeout"}], 200), 200
    )
    assert " ".join(lines[3].split()) == "2026-11-30 12:00:00.123 f:live (7) 8f5d… 12.5 - 13 3.2 40/128M -"
    assert lines[4].split()[2] == "f"
    assert lines[4].endswith("timeout")
    narrow = drawn(records_table([record], 56), 56)
    assert narrow[3].split()[2:] == ["f:live", "(7)", "12.5", "13"]
    tenants = "\n".join(drawn(records_table([record | {"tenant": "blue", "streamed_bytes": 9}], 200), 200))
    assert "blue" in tenants
    assert "streamed" in tenants


def advice(group: str, now: str, then: str | None) -> dict[str, Any]:
    def size(memory_mib: int, cost: str) -> dict[str, Any]:
        return {"memory_mib": memory_mib, "billed_ms": 10.0, "cost_per_million": cost, "basis": "observed"}

    return {
        "group": group, "account": "000000000000", "region": "us-east-1", "architecture": "x86_64", "count": 1_000,
        "memory_peak_mib": 60, "current": size(1024, now), "suggested": None if then is None else size(128, then),
        "reason": "ran with both",
    }  # fmt: skip


def test_advice() -> None:
    """What saves most comes first."""
    rows = [advice("a", "2", None), advice("b", "2", "1"), advice("c", "2", "0.5"), advice("d", "0", "0")]
    assert [saving_of(one) for one in rows] == [0.0, 0.5, 0.75, 0.0]
    lines = drawn(advice_table({"by": "function", "currency": "USD", "rows": rows}, 200), 200)
    assert [line.split()[0] for line in lines[3:7]] == ["c", "b", "a", "d"]
    assert "1024 MiB" in lines[3]
    assert "75 %" in lines[3]
