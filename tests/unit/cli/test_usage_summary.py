"""What is said around a table of usage."""

from unit.cli.usage_answers import FORECAST, MACHINE, answer, row

from lambent.cli.usage_summary import page_of, summary_of, title_of


def test_the_time_is_told() -> None:
    assert title_of(answer([])) == "Usage by function, 2026-11-29 00:00 to 2026-12-01 00:00 UTC"


def test_what_it_came_to() -> None:
    """At AWS; here, where it is known; and what the month will."""
    assert summary_of(answer([row("f", "1.25")])) == ["AWS would have charged 1.2500 USD (AWS, 2026-11-20)"]
    lines = summary_of(answer([row("f", "1.25", here_cost="0.3")], machine=MACHINE, forecast=FORECAST))
    assert lines[1:] == [
        "here it cost 0.3000 USD, of 2.4000 USD for 48 h of the machine; the rest was idle or others'",
        "forecast for 2026-11: 21.00 USD at AWS, 10.50 so far (from 14 days, weekdays apart)",
    ]
    assert summary_of(answer([row("f", "0", requests=1)]))[0].endswith(": less was used than is free each month")
    by_rate = summary_of(answer([], forecast=FORECAST | {"method": "rate", "days": 1.5}))
    assert by_rate[-1].endswith("(from 1.5 days, as they went)")
    assert by_rate[0] == "AWS would have charged 0.00 USD (AWS, 2026-11-20)"


def test_a_page_without_a_machine() -> None:
    page = page_of(answer([row("f", "1")]), 25)
    assert [fact[0] for fact in page.facts] == ["AWS would have charged", "Requests", "Billed"]
    assert page.headings[-1] == "AWS (USD)"
    assert len(page.rows[0]) == len(page.headings) == len(page.total)
