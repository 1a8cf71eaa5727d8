"""Plots as pictures and pages: they are well formed, fetch nothing, and show names as text."""

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from unit.cli.usage_answers import DAYS, EVIL, FORECAST, MACHINE, answer, row

from lambent.cli.usage_chart import chart_of
from lambent.cli.usage_picture import html_of, svg_of, ticks_of
from lambent.cli.usage_summary import page_of

SVG = "{http://www.w3.org/2000/svg}"
ROWS = [row("a", "3", at=DAYS[0]), row(EVIL, "1", at=DAYS[0]), row("a", "1", at=DAYS[1])]


def test_a_picture() -> None:
    """A rectangle for each part, as high as what it stands for, and its figure when it is pointed at."""
    root = ET.fromstring(svg_of(chart_of(answer(ROWS, step="day"), "cost"), "two days"))
    parts = root.findall(f"{SVG}rect[@class='part']")
    assert len(parts) == 3
    heights = [float(part.attrib["height"]) for part in parts]
    assert heights[0] == pytest.approx(3 * heights[1]) == pytest.approx(3 * heights[2])
    assert parts[0].findtext(f"{SVG}title") == "11-29 Sun\na: 3.0000 USD"
    bottom, top = (float(parts[0].attrib["y"]), float(parts[1].attrib["y"]))
    assert top < bottom
    assert {text.text for text in root.findall(f"{SVG}text")} >= {"two days", "11-29 Sun", "11-30 Mon", "a", "0"}


@pytest.mark.parametrize("rows", [ROWS, [], [row("", "0")], [row(f"f{number}", "1") for number in range(40)]])
def test_pictures_fetch_nothing(rows: list[dict[str, object]]) -> None:
    """Nothing in them leads anywhere, no script runs, and no user's name is markup."""
    asked = answer(rows, step="day", by="tag:team", machine=MACHINE, forecast=FORECAST)
    chart = chart_of(asked, "cost")
    for text in (svg_of(chart, "x"), html_of(chart, page_of(asked, 25))):
        text.encode()
        assert "\x1b" not in text
        assert "\x00" not in text
        assert "<b>" not in text
        left = text.replace('xmlns="http://www.w3.org/2000/svg"', "").replace("https://aws.amazon.com</p>", "")
        for sign in ("http:", "https:", "url(", "<script", "href", "src=", "@import"):
            assert sign not in left


def test_nothing_was_used() -> None:
    assert "nothing to show" in svg_of(chart_of(answer([], step="day"), "cost"), "x")


def test_a_page() -> None:
    """Facts, a plot and a table with a total."""
    rows = [row("a", "3", requests=1_000, here_cost="0.25"), row("b", "1", account="111122223333", here_cost="0")]
    asked = answer(rows, machine=MACHINE, forecast=FORECAST)
    text = html_of(chart_of(asked, "cost"), page_of(asked, 25))
    for said in ("4.0000 USD", "0.2500 USD", "21.00 USD", "Forecast for 2026-11", "a (000000000000)", "<td>Total</td>"):
        assert said in text
    assert text.count("<svg") == 1


@pytest.mark.parametrize("most", [0.0, 1e-9, 0.3, 1.0, 7.0, 99.0, 1_000_000.0])
def test_ticks(most: float) -> None:
    """From nothing to no less than the most, at a few even steps."""
    ticks = ticks_of(most)
    assert ticks[0] == 0
    assert ticks[-1] >= most * 0.999
    assert 2 <= len(ticks) <= 8
    steps = {round(after / ticks[1] - before / ticks[1], 6) for before, after in pairwise(ticks)}
    assert steps == {1.0}
