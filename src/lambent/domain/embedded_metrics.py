"""
The embedded metric format: figures that a log event carries with it. Pure.

Documented: CloudWatch user guide, specification: embedded metric format, unless a line says otherwise.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

_SIGN = '"_aws"'

PAST_MAX_MS = 14 * 86_400_000
FUTURE_MAX_MS = 2 * 3_600_000
"""How far the time of a document may be from now, either way."""

METRICS_MAX = 100
"""In one directive, and values of one metric."""

DIMENSIONS_MAX = 30
"""In one set."""

VALUE_MAX = 2.0**360
"""Of a metric, either way. Documented: CloudWatch API reference, MetricDatum."""

COMBINATIONS_MAX = 5_000
"""
Metrics times sets of dimensions of one event. Assumed: libraries send a few sets; the longest event could else hold
millions (test_embedded_metrics).
"""

_NAMESPACE_MAX = 255
_NAME_MAX = 1024
_RESOLUTIONS = frozenset({1, 60})

_SIZES = (
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
)

UNITS = frozenset(
    {"Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None"}
    | set(_SIZES)
    | {f"{size}/Second" for size in _SIZES}
)
"""Documented: CloudWatch API reference, MetricDatum."""


class EmbeddedMetric(NamedTuple):
    """One metric of one set of dimensions, with what was measured."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    """Name and value, by name."""
    unit: str
    values: Sequence[float]
    timestamp_ms: int
    period_s: int
    """1 or 60."""


class Embedded(NamedTuple):
    """What a log event was found to carry."""

    metrics: Sequence[EmbeddedMetric] = ()
    is_malformed: bool = False
    """It looks like such a document, and is no JSON. Counts as `EMFParsingErrors`."""
    invalid: int = 0
    """Directives that break a rule, none of which gives metrics. Counts as `EMFValidationErrors`."""


NOTHING = Embedded()


class _Invalid(Exception):
    """A rule is broken."""


def may_embed(message: str) -> bool:
    """Say whether a message is worth a look. Of those that carry nothing nearly none is."""
    return _SIGN in message


def embedded_metrics(message: str, now_ms: int) -> Embedded:
    """
    Return the metrics that a log event carries.

    Args:
        now_ms: when it came in.
    """
    if _SIGN not in message:
        return NOTHING
    # What stands before the document, such as a time and a request id, is the runtime's.
    begin = message.find("{")
    if begin < 0:
        return NOTHING
    try:
        document = msgspec.json.decode(message[begin:])
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        # Assumed: who only names `_aws` in a line of text meant no document (test_embedded_metrics).
        return Embedded(is_malformed='"CloudWatchMetrics"' in message)
    if not isinstance(document, dict):
        return NOTHING
    about = document.get("_aws")
    if not isinstance(about, dict) or "CloudWatchMetrics" not in about:
        return NOTHING
    directives: Any = about["CloudWatchMetrics"]
    timestamp_ms: Any = about.get("Timestamp")
    if not isinstance(directives, list) or not _is_time(timestamp_ms, now_ms):
        return Embedded(invalid=1)
    metrics: list[EmbeddedMetric] = []
    invalid = 0
    for directive in directives:
        try:
            found = _metrics(directive, document, int(timestamp_ms))
        except _Invalid:
            invalid += 1
            continue
        if len(metrics) + len(found) > COMBINATIONS_MAX:
            invalid += 1
            continue
        metrics += found
    return Embedded(tuple(metrics), invalid=invalid)


def _is_time(given: Any, now_ms: int) -> bool:
    if isinstance(given, bool) or not isinstance(given, int | float):
        return False
    return now_ms - PAST_MAX_MS <= given <= now_ms + FUTURE_MAX_MS


def _metrics(directive: Any, document: Mapping[str, Any], timestamp_ms: int) -> list[EmbeddedMetric]:
    """
    Return what one directive says.

    Raises:
        _Invalid: it breaks a rule.
    """
    if not isinstance(directive, dict):
        raise _Invalid
    namespace = _text(directive.get("Namespace"), _NAMESPACE_MAX)
    # Assumed: as in PutMetricData, which keeps these for AWS's own figures (test_embedded_metrics).
    if namespace.startswith("AWS/"):
        raise _Invalid
    named, sets = directive.get("Metrics"), directive.get("Dimensions")
    if not isinstance(named, list) or len(named) > METRICS_MAX or not isinstance(sets, list) or not sets:
        raise _Invalid
    if len(named) * len(sets) > COMBINATIONS_MAX:
        raise _Invalid
    # Named twice it is the same one: each has one value in a document.
    dimensions = dict.fromkeys(_dimensions(names, document) for names in sets)
    found: dict[tuple[str, tuple[tuple[str, str], ...]], EmbeddedMetric] = {}
    for metric in named:
        name, unit, period_s, values = _metric(metric, document)
        for one in dimensions:
            found[name, one] = EmbeddedMetric(namespace, name, one, unit, values, timestamp_ms, period_s)
    return list(found.values())


def _dimensions(names: Any, document: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    if not isinstance(names, list) or len(names) > DIMENSIONS_MAX:
        raise _Invalid
    found: dict[str, str] = {}
    for given in names:
        name = _text(given, _NAME_MAX)
        found[name] = _text(document.get(name), _NAME_MAX)
    return tuple(sorted(found.items()))


def _metric(metric: Any, document: Mapping[str, Any]) -> tuple[str, str, int, Sequence[float]]:
    if not isinstance(metric, dict):
        raise _Invalid
    name = _text(metric.get("Name"), _NAME_MAX)
    unit, period_s = metric.get("Unit", "None"), metric.get("StorageResolution", 60)
    if not isinstance(unit, str) or unit not in UNITS or isinstance(period_s, bool) or period_s not in _RESOLUTIONS:
        raise _Invalid
    target: Any = document.get(name)
    values = target if isinstance(target, list) else [target]
    if not 0 < len(values) <= METRICS_MAX:
        raise _Invalid
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > VALUE_MAX:
            raise _Invalid
    return name, unit, int(period_s), [float(value) for value in values]


def _text(given: Any, most: int) -> str:
    if not isinstance(given, str) or not 0 < len(given) <= most:
        raise _Invalid
    return given
