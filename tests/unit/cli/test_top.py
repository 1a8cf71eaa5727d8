"""`lambent top`: what came to be between two looks, and in which order it is shown."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from lambent.cli.top import Row, percentile_ms, rows_of, sorted_rows, table_of

Run = Callable[..., Any]
PATH = "GET /_lambent/functions"
EDGES = [1.0, 10.0, 100.0]


def function(name: str, **given: Any) -> dict[str, Any]:
    usual = {
        "account": "000000000000",
        "region": "us-east-1",
        "name": name,
        "invocations": 0,
        "errors": 0,
        "throttles": 0,
        "cold_starts": 0,
        "durations": [0, 0, 0, 0],
        "duration_ms": 0.0,
        "busy": 0,
        "idle": 0,
        "starting": 0,
        "memory_mib": 0,
        "memory_max_mib": 0,
    }
    return {**usual, **given}


def answer(*functions: dict[str, Any]) -> dict[str, Any]:
    return {"edges_ms": EDGES, "functions": list(functions)}


BEFORE = answer(function("f", invocations=10, errors=1, durations=[10, 0, 0, 0]))
NOW = answer(
    function(
        "f",
        invocations=30,
        errors=5,
        throttles=2,
        cold_starts=1,
        durations=[10, 20, 0, 0],
        busy=2,
        idle=1,
        starting=1,
        memory_mib=90,
        memory_max_mib=512,
    ),
    function("g", invocations=4, durations=[0, 0, 4, 0], duration_ms=1000.0),
)


def test_figures_are_of_the_interval() -> None:
    """
    What was counted before is none of them; a function that is new has all of its. Where nothing runs at the moment,
    what ran says how many did at once.
    """
    f, g = rows_of((100.0, BEFORE), (102.0, NOW))
    assert (f.invocations_per_s, f.errors_per_s, f.throttles_per_s, f.cold_starts_per_s) == (10, 2, 1, 0.5)
    assert (f.concurrency, f.environments, f.memory_mib, f.memory_max_mib) == (3, 4, 90, 512)
    assert f.p50_ms is not None and 1 < f.p50_ms <= 10
    assert (g.invocations_per_s, g.concurrency, g.memory_mib) == (2, 0.5, 0)


def test_a_server_that_was_started_anew_has_counted_less() -> None:
    """All that it has counted is of the interval."""
    (f,) = rows_of((100.0, BEFORE), (102.0, answer(function("f", invocations=4, durations=[0, 0, 4, 0]))))
    assert f.invocations_per_s == 2
    assert f.p95_ms is not None and 10 < f.p95_ms <= 100


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("rate", "abc"),
        ("errors", "bac"),
        ("latency", "cab"),
        ("memory", "cab"),
        ("name", "abc"),
        ("concurrency", "bac"),
    ],
)
def test_the_greatest_comes_first(sort: str, order: str) -> None:
    """By name where they are alike."""
    now = answer(
        function("c", durations=[0, 0, 1, 0], invocations=1, memory_mib=5),
        function("b", errors=2, invocations=2, busy=1),
        function("a", invocations=3),
    )
    rows = sorted_rows(rows_of((0.0, answer()), (1.0, now)), sort)
    assert "".join(row.name for row in rows) == order


def test_percentiles_lie_in_their_bin() -> None:
    """Half of 99 short ones and one long one is short, the longest is long; of nothing there is none."""
    half, most = percentile_ms(EDGES, [0, 99, 1, 0], 50), percentile_ms(EDGES, [0, 99, 1, 0], 100)
    assert half is not None and 1 < half <= 10
    assert most == 100
    assert percentile_ms(EDGES, [0, 0, 0, 0], 50) is None
    assert percentile_ms(EDGES, [0, 0, 0, 1], 99) == 100


def test_one_interval_for_people_and_for_programs(lambent: Run, stand_in: Any) -> None:
    """A table, in which no markup is obeyed, and JSON with everything."""
    stand_in.json(PATH, answer(function("odd[/]", invocations=5, durations=[5, 0, 0, 0], idle=1, memory_max_mib=128)))
    arguments = ("--interval", "0.1", "--endpoint", stand_in.endpoint)
    table = lambent("top", "--once", *arguments).out
    assert "odd[/]" in table and "0/128M" in table and "us-east-1" not in table
    (shown,) = json.loads(lambent("top", "--json", *arguments).out)
    assert (shown["name"], shown["region"], shown["invocations_per_s"], shown["environments"]) == (
        "odd[/]",
        "us-east-1",
        0.0,
        1,
    )


def test_functions_of_several_places_are_told_apart(lambent: Run, stand_in: Any) -> None:
    """By columns that are not there otherwise; those without a name are the others."""
    stand_in.json(PATH, answer(function("f"), function("f", region="eu-west-1"), function("", account="", region="")))
    table = lambent("top", "--once", "--interval", "0.1", "--endpoint", stand_in.endpoint).out
    assert "eu-west-1" in table and "us-east-1" in table and "(others)" in table


def test_a_busy_server_fits_on_a_screen_of_80_columns() -> None:
    """Nothing is cut off, and nobody is told more digits than mean something."""
    rows = [
        Row("f" * 16, "a", "r", 1234.5, 123.4, 12.3, 1.2, running, environments, 999.4, 12_345.6, 900, memory_max_mib)
        for running, environments, memory_max_mib in ((0.01849, 2, 256), (2.347, 4, 1024), (123.4, 1000, 1024))
    ]
    console = Console(width=80)
    with console.capture() as capture:
        console.print(table_of(rows, "rate"))
    shown = [line.split() for line in capture.get().splitlines() if line.strip().startswith("f" * 16)]
    usual = ["999", "ms", "12.3", "s", "123", "12.3", "1.2"]
    assert shown == [
        ["f" * 16, "1234", busy, *usual, memory]
        for busy, memory in (("0.02/2", "900/256M"), ("2.3/4", "900/1024M"), ("123/1000", "900/1024M"))
    ]


def test_what_cannot_be_shown_is_one_line(lambent: Run, stand_in: Any) -> None:
    """An unknown column; a server that is none."""
    finished = lambent("top", "--sort", "size", "--endpoint", stand_in.endpoint)
    assert (finished.code, finished.err.count("\n")) == (2, 1)
    assert "size is none of rate" in finished.err
    finished = lambent("top", "--once", "--endpoint", stand_in.endpoint)
    assert finished.code != 0 and finished.err.count("\n") == 1
