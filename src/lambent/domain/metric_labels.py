"""
Labels of series in the answers of GetMetricData.

Documented: CloudWatch user guide, Using dynamic labels. Observed: recordings of the service, for default labels.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone

import msgspec

from lambent.domain.metric_math import Series

_PLACE = re.compile(r"\$\{([A-Z_]{3,40})(?:\('([^']{1,300})'\))?\}")
_ZONE = re.compile(r"([+-])(\d\d)(\d\d)")
DYNAMIC_MAX = 5
"""Dynamic values in one label; others stay as written. Assumed: documented as about five (test_metric_labels)."""


class Described(msgspec.Struct, frozen=True):
    """What the queries of one request that are no expressions differ by."""

    name: str
    stat: str
    period_s: int


def default_label(one: Described, all_of_them: Sequence[Described]) -> str:
    """Return the label of a query that has none of its own: it depends on the other queries of the request."""
    label = one.name
    if len({other.stat for other in all_of_them}) > 1:
        label += f" {one.stat}"
    if len({other.period_s for other in all_of_them}) > 1:
        label += f" {one.period_s}"
    return label


def parse_zone(text: str) -> timezone | None:
    """Return the time zone of a label option; None: the text is none. Documented: a sign and four digits."""
    found = _ZONE.fullmatch(text)
    if found is None or int(found[2]) > 23 or int(found[3]) > 59:
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-offset if found[1] == "-" else offset)


class LabelFacts(msgspec.Struct, frozen=True):
    """What a dynamic label may show beside the points."""

    default: str
    """What `${LABEL}` stands for."""
    properties: Mapping[str, str]
    """By the name in `${PROP('...')}`."""
    now_s: float
    zone: timezone = UTC


def dynamic_label(label: str, series: Series, facts: LabelFacts) -> str:
    """Put values into a label. What is not known stays as written."""
    shown = 0

    def put(found: re.Match[str]) -> str:
        nonlocal shown
        if shown == DYNAMIC_MAX:
            return found[0]
        text = _text(found[1], found[2], series, facts)
        if text is None:
            return found[0]
        shown += 1
        return text

    return _PLACE.sub(put, label)


def _text(name: str, argument: str | None, series: Series, facts: LabelFacts) -> str | None:
    if name == "LABEL" and argument is None:
        return facts.default
    if name == "PROP":
        return None if argument is None else facts.properties.get(argument)
    if argument is not None:
        return None
    points = series.points
    number = _NUMBERS.get(name)
    if number is not None:
        # Assumed: as the console shows what there is none of (test_metric_labels).
        return _number(number(list(points.values()))) if points else "--"
    for suffix, tell in (("_TIME_RELATIVE", _relative), ("_TIME", _absolute)):
        place = _TIMES.get(name.removesuffix(suffix)) if name.endswith(suffix) else None
        if place is not None:
            return tell(place(points), facts) if points else "--"
    for suffix, show in (("_TIME_RANGE", _absolute), ("_RANGE", lambda time_s, _: _number(points[time_s]))):
        ends = _RANGES.get(name.removesuffix(suffix)) if name.endswith(suffix) else None
        if ends is not None:
            return " - ".join(show(_TIMES[end](points), facts) for end in ends) if points else "--"
    return None


_NUMBERS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "AVG": lambda values: sum(values) / len(values),
    "MIN": min,
    "MAX": max,
    "SUM": sum,
    "FIRST": lambda values: values[0],
    "LAST": lambda values: values[-1],
    "DATAPOINT_COUNT": len,
}

_TIMES: Mapping[str, Callable[[Mapping[int, float]], int]] = {
    "MIN": lambda points: min(points, key=points.__getitem__),
    "MAX": lambda points: max(points, key=points.__getitem__),
    "FIRST": lambda points: next(iter(points)),
    "LAST": lambda points: next(reversed(list(points))),
}

_RANGES = {"MIN_MAX": ("MIN", "MAX"), "FIRST_LAST": ("FIRST", "LAST")}


def _number(value: float) -> str:
    """Assumed: three places after the point, no zeros at the end (test_metric_labels)."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _absolute(time_s: int, facts: LabelFacts) -> str:
    moment = datetime.fromtimestamp(time_s, UTC).astimezone(facts.zone)
    return moment.isoformat().replace("+00:00", "Z")


def _relative(time_s: int, facts: LabelFacts) -> str:
    return f"{_span(max(0, int(facts.now_s) - time_s))} ago"


def _span(seconds: int) -> str:
    """Return the two largest units of a time. Assumed (test_metric_labels)."""
    units = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
    parts = []
    for size, letter in units:
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(f"{number}{letter}")
    return " ".join(parts[:2]) or "0s"
