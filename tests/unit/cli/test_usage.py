"""`lambent usage`: what the server is asked, and what becomes of its answers."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from unit.cli.usage_answers import DAYS, FORECAST, MACHINE, answer, row

from lambent.cli.usage import COLUMNS, RECORD_COLUMNS

Run = Callable[..., Any]
PATH = "GET /_lambent/usage"
ROWS = [row("hello", "0.5", requests=20), row("resize", "1.5", requests=1_000, here_cost="0.2")]


def asked(stand_in: Any, number: int = -1) -> list[tuple[str, str]]:
    return parse_qsl(stand_in.requests[number].query, keep_blank_values=True)


def test_a_table(lambent: Run, stand_in: Any) -> None:
    """The most expensive first, with a total, and what it came to."""
    stand_in.json(PATH, answer(ROWS, machine=MACHINE, forecast=FORECAST))
    finished = lambent("usage", "--endpoint", stand_in.endpoint)
    assert (finished.code, finished.err) == (0, "")
    lines = finished.out.splitlines()
    assert lines[0] == "Usage by function, 2026-11-29 00:00 to 2026-12-01 00:00 UTC"
    assert [line.split()[0] for line in lines[4:6]] == ["resize", "hello"]
    assert "AWS would have charged 2.0000 USD (AWS, 2026-11-20)" in lines
    assert lines[-1].startswith("forecast for 2026-11: 21.00 USD")
    assert asked(stand_in) == []
    assert "lambent/aws4_request" in stand_in.requests[0].headers["Authorization"]


def test_what_is_asked(lambent: Run, stand_in: Any) -> None:
    """As the server takes it; what is not given is the server's to choose."""
    stand_in.json(PATH, answer([]))
    given = (
        "--by tag:team --from 2026-11-01T00:00+01:00 --to yesterday --step day --timezone Europe/Berlin --function f"
    )
    given += " --tag a=b=c --tag d= --region eu-west-1 --account all"
    finished = lambent("usage", *given.split(), "--endpoint", stand_in.endpoint)
    assert finished.code == 0
    assert "nothing was used" in finished.out
    assert asked(stand_in) == [
        ("by", "tag:team"), ("from", "2026-11-01T00:00+01:00"), ("to", "yesterday"), ("step", "day"),
        ("timezone", "Europe/Berlin"), ("function", "f"), ("account", "all"), ("region", "eu-west-1"),
        ("tag", "a=b=c"), ("tag", "d="),
    ]  # fmt: skip
    for month, name in (("2026-02", "2026-02"), ("last", "last-month"), ("this", "this-month")):
        lambent("usage", "--month", month, "--endpoint", stand_in.endpoint)
        assert asked(stand_in) == [("from", name), ("to", name)]


def test_csv(lambent: Run, stand_in: Any) -> None:
    """All rows, with headings that stay."""
    stand_in.json(PATH, answer([row('a "quoted", name', "0.0000002"), *ROWS]))
    finished = lambent("usage", "--csv", "--endpoint", stand_in.endpoint)
    read = list(csv.DictReader(io.StringIO(finished.out)))
    assert tuple(read[0]) == COLUMNS
    assert [one["group"] for one in read] == ['a "quoted", name', "hello", "resize"]
    assert (read[0]["aws_cost"], read[0]["here_cost"], read[0]["currency"]) == ("0.0000002", "", "USD")


def test_json(lambent: Run, stand_in: Any) -> None:
    """The answer as it came."""
    stand_in.json(PATH, answer(ROWS))
    finished = lambent("usage", "--json", "--endpoint", stand_in.endpoint)
    assert json.loads(finished.out) == answer(ROWS)


def test_plots_choose_their_step(lambent: Run, stand_in: Any, tmp_path: Path) -> None:
    """By how long the time is, which the server says; table and picture may be had at once."""
    stepped = answer([row("a", "3", at=DAYS[0]), row("a", "1", at=DAYS[1])], step="hour")
    stand_in.json(PATH, answer(ROWS), stepped, answer(ROWS), stepped)
    svg, page = tmp_path / "u.svg", tmp_path / "u.html"
    finished = lambent("usage", "--plot", "--from", "7d", "--endpoint", stand_in.endpoint)
    assert "████" in finished.out
    assert "AWS would have charged 2.0000 USD" in finished.out
    assert asked(stand_in, 0) == [("from", "7d"), ("step", "total")]
    assert asked(stand_in, 1) == [("from", "7d"), ("step", "hour")]
    finished = lambent(
        "usage", "--svg", str(svg), "--html", str(page), "--step", "day", "--endpoint", stand_in.endpoint
    )
    assert finished.out == f"{svg}\n{page}\n"
    assert asked(stand_in) == [("step", "day")]
    assert svg.read_text("utf-8").startswith("<?xml")
    assert "resize" in page.read_text("utf-8")
    missing = lambent("usage", "--svg", str(tmp_path / "none" / "u.svg"), "--endpoint", stand_in.endpoint)
    assert (missing.code, missing.err) == (2, f"lambent: {tmp_path}/none/u.svg: No such file or directory\n")


def test_a_plot_where_all_was_free(lambent: Run, stand_in: Any) -> None:
    """Is of what was used: bars of nothing say nothing."""
    stand_in.json(PATH, answer([row("f", "0", requests=3, gb_seconds=1.5)]))
    assert "GB-s" in lambent("usage", "--plot", "--endpoint", stand_in.endpoint).out.splitlines()[1]
    asked_for = lambent("usage", "--plot", "--of", "requests", "--endpoint", stand_in.endpoint)
    assert asked_for.out.splitlines()[1] == "Requests by function"


def test_a_plot_of_what_nobody_knows(lambent: Run, stand_in: Any) -> None:
    stand_in.json(PATH, answer([row("f", "1")]))
    finished = lambent("usage", "--plot", "--of", "here", "--endpoint", stand_in.endpoint)
    assert (finished.code, finished.err) == (2, "lambent: --of here: the server knows no --machine-cost-per-hour\n")


RECORD = dict.fromkeys(RECORD_COLUMNS, "") | {
    "number": 7, "request_id": "the-id", "at": "2026-11-30T12:00:00.123+00:00", "function": "f", "version": "$LATEST",
    "duration_ms": 12.5, "init_ms": 1.5, "billed_ms": 14, "cpu_ms": 3.0, "memory_peak_mib": 40, "memory_mib": 128,
    "streamed_bytes": 0,
}  # fmt: skip


def test_records(lambent: Run, stand_in: Any) -> None:
    """Page by page where all are wanted; a table says that there are more."""
    pages = [{"records": [RECORD] * 1_000, "after": 1_000}, {"records": [RECORD] * 2, "after": None}]
    stand_in.json("GET /_lambent/usage/records", *pages)
    finished = lambent("usage", "--records", "--csv", "--function", "f", "--endpoint", stand_in.endpoint)
    read = list(csv.DictReader(io.StringIO(finished.out)))
    assert (tuple(read[0]), len(read)) == (RECORD_COLUMNS, 1_002)
    assert asked(stand_in, 0) == [("function", "f"), ("after", "0"), ("limit", "1000")]
    assert asked(stand_in, 1) == [("function", "f"), ("after", "1000"), ("limit", "1000")]
    stand_in.json("GET /_lambent/usage/records", {"records": [RECORD] * 3, "after": 3})
    finished = lambent("usage", "--records", "--top", "2", "--endpoint", stand_in.endpoint)
    assert finished.out.count("the-id") == 2
    assert "there are more" in finished.out
    assert asked(stand_in) == [("after", "0"), ("limit", "3")]
    stand_in.json("GET /_lambent/usage/records", {"records": [RECORD], "after": None})
    assert json.loads(lambent("usage", "--records", "--json", "--endpoint", stand_in.endpoint).out) == [RECORD]
    stand_in.json("GET /_lambent/usage/records", {"records": [], "after": None})
    assert "no invocations" in lambent("usage", "--records", "--endpoint", stand_in.endpoint).out


def test_focus(lambent: Run, stand_in: Any, tmp_path: Path) -> None:
    """Into a file, or to standard output; what is not whole is not kept."""
    file, key = tmp_path / "focus.csv", "GET /_lambent/usage/focus"
    stand_in.json(key, {}, headers={"Content-Type": "text/csv; charset=utf-8"})
    finished = lambent("usage", "--focus", str(file), "--month", "2026-11", "--endpoint", stand_in.endpoint)
    assert (finished.out, file.read_bytes()) == (f"{file}\n", b"{}")
    assert lambent("usage", "--focus", "-", "--endpoint", stand_in.endpoint).out == "{}"
    stand_in.json(key, {})
    finished = lambent("usage", "--focus", str(tmp_path / "other.csv"), "--endpoint", stand_in.endpoint)
    assert "this is no Lambent server" in finished.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["focus.csv"]


def test_advice_and_prices(lambent: Run, stand_in: Any) -> None:
    stand_in.json("GET /_lambent/usage/advice", {"rows": [], "by": "function", "currency": "USD"})
    assert "no advice" in lambent("usage", "--advice", "--endpoint", stand_in.endpoint).out
    assert asked(stand_in) == []
    stand_in.json("GET /_lambent/usage/prices", {"name": "AWS"})
    assert lambent("usage", "--prices", "--endpoint", stand_in.endpoint).out == '{"name": "AWS"}'


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--csv", "--json"), "--csv and --json do not go together"),
        (("--plot", "--records"), "--plot and --records do not go together"),
        (("--month", "2026-1"), "--month: '2026-1' is no month"),
        (("--month", "2026-13"), "--month: '2026-13' is no month"),
        (("--month", "2026-11", "--from", "7d"), "--month is a --from and a --to in one"),
        (("--plot", "--of", "beauty"), "--of: beauty is none of cost, here,"),
        (("--records", "--step", "day"), "--step has no meaning with --records"),
        (("--focus", "x", "--timezone", "Europe/Berlin"), "--timezone has no meaning with --focus"),
        (("--prices", "--function", "f"), "--function has no meaning with --prices"),
        (("--top", "0"), "--top"),
        (("--top", "3", "--csv"), "--top has no meaning with --csv"),
        (("--top", "3", "--advice"), "--top has no meaning with --advice"),
        (("--of", "cpu"), "--of says what a plot is of"),
    ],
)
def test_what_cannot_be(lambent: Run, given: tuple[str, ...], said: str) -> None:
    """One line, exit code 2, and nobody is asked."""
    finished = lambent("usage", *given, "--endpoint", "http://127.0.0.1:9")
    assert finished.code == 2
    assert said in finished.err
    assert finished.err.count("\n") == 1


def test_refusals(lambent: Run, stand_in: Any) -> None:
    """What the server says of a parameter is said of the option."""
    stand_in.json(PATH, {"code": "ValidationError", "message": "step: 'week' is none of total"}, status=400)
    finished = lambent("usage", "--step", "week", "--endpoint", stand_in.endpoint)
    assert (finished.code, finished.err) == (2, "lambent: --step: 'week' is none of total\n")
    stand_in.json(PATH, {"code": "AccessDeniedException", "message": "no policy allows it"}, status=403)
    assert lambent("usage", "--endpoint", stand_in.endpoint).err == "lambent: no policy allows it\n"
    assert "no server at" in lambent("usage", "--endpoint", "http://127.0.0.1:9").err
    stand_in.rules.clear()
    assert lambent("usage", "--endpoint", stand_in.endpoint).code == 2
