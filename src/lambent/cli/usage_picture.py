"""
A plot of usage as a picture: SVG, and a page around it. Pure.

Drawn here, since bars and a legend are some rectangles: libraries for it bring scripts or fonts that come from
elsewhere, or ids by chance, and cut names off. Names are of users, so every text becomes one by way of an element tree,
and nothing is fetched from anywhere.
"""

import html
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.etree import ElementTree as ET

from lambent.cli.usage_chart import Chart

COLOURS = ("#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#76b7b2", "#e15759", "#edc948", "#9c755f")
REST_COLOUR = "#a5acb5"

_WIDTH = 960
_LEFT, _RIGHT, _TOP = 84, 24, 76
_PLOT_HEIGHT = 300
_BELOW = 40
"""Between the plot and its legend, for the labels."""
_LEGEND_ROW = 24
_LEGEND_COLUMNS = 2
_LEGEND_GAP = 32
_LABELS_MAX = 12
_LABEL_WIDTH = 62
_NAME_MAX = 34
"""Letters of a name in the legend; the whole one shows when pointed at."""
_BAR_MAX = 56
_TICKS = 5

_STYLE = """
svg { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
.paper { fill: #ffffff; } .ink { fill: #1f2933; } .pale { fill: #66727f; }
.grid { stroke: #e3e7eb; } .axis { stroke: #a9b2bc; } .part:hover { opacity: 0.75; }
@media (prefers-color-scheme: dark) {
  .paper { fill: #171b20; } .ink { fill: #e6eaee; } .pale { fill: #9aa5b1; }
  .grid { stroke: #2a3138; } .axis { stroke: #55606b; }
}
"""


class Page(NamedTuple):
    """What a page shows besides its plot."""

    title: str
    facts: Sequence[tuple[str, str, str]]
    """Heading, figure, and what is said of it."""
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    """Of a table: the first column names."""
    total: Sequence[str]
    notes: Sequence[str]


def svg_of(chart: Chart, subtitle: str) -> str:
    """Return a plot as an SVG document."""
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(_svg(chart, subtitle), encoding="unicode") + "\n"


def html_of(chart: Chart, page: Page) -> str:
    """Return a page that shows a plot, with its figures."""
    facts = "".join(
        f"<div><dt>{html.escape(heading)}</dt><dd>{html.escape(figure)}</dd><p>{html.escape(said)}</p></div>"
        for heading, figure, said in page.facts
    )
    body = "".join(_row(row) for row in page.rows)
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in page.notes)
    return _PAGE.format(
        title=html.escape(page.title),
        facts=facts,
        svg=ET.tostring(_svg(chart, ""), encoding="unicode"),
        headings="".join(f"<th>{html.escape(heading)}</th>" for heading in page.headings),
        rows=body,
        total=_row(page.total),
        notes=notes,
    )


def ticks_of(most: float, count: int = _TICKS) -> list[float]:
    """Return values for the lines of a grid, from 0 to one that is no less than the most, which people can read."""
    if not most > 0:
        return [0.0, 1.0]
    rough = most / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 2.5, 5, 10) if times * power >= rough * 0.999)
    return [step * number for number in range(math.ceil(most / step * 0.999) + 1)]


def _row(cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"


def _svg(chart: Chart, subtitle: str) -> ET.Element:
    rows = math.ceil(len(chart.series) / _LEGEND_COLUMNS)
    height = _TOP + _PLOT_HEIGHT + _BELOW + rows * _LEGEND_ROW + 16
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {_WIDTH} {height}",
            "width": "100%",
            "style": f"max-width: {_WIDTH}px",
            "role": "img",
            "aria-label": chart.title,
        },
    )
    ET.SubElement(root, "style").text = _STYLE
    ET.SubElement(root, "rect", {"class": "paper", "width": str(_WIDTH), "height": str(height), "rx": "6"})
    _text(root, chart.title, 24, 34, "ink", size=19, weight="600")
    if subtitle:
        _text(root, subtitle, 24, 56, "pale", size=13)
    sums = chart.sums
    ticks = ticks_of(max(sums, default=0.0))
    _grid(root, chart, ticks)
    if any(sums):
        _bars(root, chart, ticks[-1])
    else:
        _text(root, "nothing to show", _WIDTH / 2, _TOP + _PLOT_HEIGHT / 2, "pale", size=15, anchor="middle")
    _legend(root, chart, _TOP + _PLOT_HEIGHT + _BELOW + 16)
    return root


def _grid(root: ET.Element, chart: Chart, ticks: Sequence[float]) -> None:
    """Draw the lines, and what stands at both axes."""
    for tick in ticks:
        y = _TOP + _PLOT_HEIGHT * (1 - tick / ticks[-1])
        kind = "grid" if tick else "axis"
        ends = {"x1": str(_LEFT), "x2": str(_WIDTH - _RIGHT), "y1": _number(y), "y2": _number(y)}
        ET.SubElement(root, "line", {"class": kind, **ends})
        _text(root, chart.axis(tick), _LEFT - 8, y + 4, "pale", anchor="end")
    room = max(1, min(_LABELS_MAX, (_WIDTH - _LEFT - _RIGHT) // max(_LABEL_WIDTH, 7 * _longest(chart.labels))))
    every = math.ceil(len(chart.labels) / room) or 1
    for number in range(0, len(chart.labels), every):
        x = _LEFT + _slot(chart) * (number + 0.5)
        _text(root, chart.labels[number], x, _TOP + _PLOT_HEIGHT + 20, "pale", anchor="middle")


def _bars(root: ET.Element, chart: Chart, top: float) -> None:
    slot = _slot(chart)
    width = min(_BAR_MAX, slot * (0.8 if slot > 6 else 1.0))
    for number, label in enumerate(chart.labels):
        base, x = 0.0, _LEFT + slot * number + (slot - width) / 2
        for at, one in enumerate(chart.series):
            value = one.values[number]
            if value <= 0:
                continue
            y, size = _TOP + _PLOT_HEIGHT * (1 - (base + value) / top), _PLOT_HEIGHT * value / top
            place = {"x": _number(x), "y": _number(y), "width": _number(width), "height": _number(size)}
            part = ET.SubElement(root, "rect", {"class": "part", "fill": _colour(chart, at), **place})
            ET.SubElement(part, "title").text = f"{label}\n{one.name}: {chart.text(value)}"
            base += value


def _legend(root: ET.Element, chart: Chart, top: float) -> None:
    whole = sum(chart.sums)
    column = (_WIDTH - _LEFT - _RIGHT + _LEGEND_GAP) / _LEGEND_COLUMNS
    rows = math.ceil(len(chart.series) / _LEGEND_COLUMNS)
    for at, one in enumerate(chart.series):
        x, y = _LEFT + column * (at // rows), top + _LEGEND_ROW * (at % rows)
        place = {"x": _number(x), "y": _number(y - 10), "width": "12", "height": "12", "rx": "2"}
        ET.SubElement(root, "rect", {"fill": _colour(chart, at), **place})
        name = one.name if len(one.name) <= _NAME_MAX else f"{one.name[: _NAME_MAX - 1]}…"
        written = _text(root, name, x + 20, y, "ink", size=13)
        ET.SubElement(written, "title").text = one.name
        share = f" · {one.total / whole * 100:.0f} %" if whole else ""
        _text(root, f"{chart.text(one.total)}{share}", x + column - _LEGEND_GAP, y, "pale", size=13, anchor="end")


def _slot(chart: Chart) -> float:
    return (_WIDTH - _LEFT - _RIGHT) / max(1, len(chart.labels))


def _colour(chart: Chart, at: int) -> str:
    return REST_COLOUR if chart.series[at].is_rest else COLOURS[at % len(COLOURS)]


def _longest(labels: Sequence[str]) -> int:
    return max(map(len, labels), default=0) + 1


def _text(
    parent: ET.Element,
    text: str,
    x: float,
    y: float,
    kind: str,
    *,
    size: int = 12,
    anchor: str = "start",
    weight: str = "",
) -> ET.Element:
    place: Mapping[str, str] = {"x": _number(x), "y": _number(y), "font-size": str(size), "text-anchor": anchor}
    weighted = {"font-weight": weight} if weight else {}
    element = ET.SubElement(parent, "text", {"class": kind, **place, **weighted})
    element.text = text
    return element


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ margin: 0; padding: 24px; background: #f4f6f8; color: #1f2933; line-height: 1.4;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }}
main {{ max-width: 960px; margin: 0 auto; }}
h1 {{ font-size: 22px; margin: 0 0 16px; overflow-wrap: anywhere; }}
dl {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 0 0 16px; }}
dl div, .table {{ background: #ffffff; border-radius: 6px; padding: 14px 16px; }}
dt {{ font-size: 13px; color: #66727f; }} dd {{ font-size: 20px; font-weight: 600; margin: 2px 0; }}
p {{ font-size: 13px; color: #66727f; margin: 4px 0; }}
.table {{ margin-top: 16px; overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }}
th, td {{ padding: 6px 10px; text-align: right; border-bottom: 1px solid #e3e7eb; white-space: nowrap; }}
th {{ color: #66727f; font-weight: 500; }}
th:first-child, td:first-child {{ text-align: left; white-space: normal; overflow-wrap: anywhere; }}
tfoot td {{ font-weight: 600; border-bottom: none; }}
@media (prefers-color-scheme: dark) {{
  body {{ background: #0f1216; color: #e6eaee; }} dl div, .table {{ background: #171b20; }}
  dt, p, th {{ color: #9aa5b1; }} th, td {{ border-color: #2a3138; }}
}}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<dl>{facts}</dl>
{svg}
<div class="table"><table><thead><tr>{headings}</tr></thead><tbody>{rows}</tbody><tfoot>{total}</tfoot></table></div>
{notes}
</main>
</body>
</html>
"""
