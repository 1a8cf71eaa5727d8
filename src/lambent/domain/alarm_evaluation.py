"""
What the points of a metric say about an alarm.

`evaluate` is given the periods of the evaluation range, which is somewhat longer than the evaluation periods, so that
points that come late count. It touches nothing; reasons and their data are worded here as well.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from lambent.domain.alarm import ALARM, INSUFFICIENT_DATA, OK, Comparison, Missing, Watch

_LATE_PERIODS = 2
"""
Periods by which the range is longer than what is evaluated.

Observed: CloudWatch user guide, how alarm state is evaluated when data is missing: five of three. Assumed: two more for
any number of periods; the exact number is not published (test_alarm_evaluation).
"""

_POINTS_SHOWN = 10
"""Points in a reason's data, which is bounded. Assumed (test_alarm_evaluation)."""
_POINTS_LISTED = 5
"""Points listed in a reason. Observed: field reports of longer ones, which name the most recent five."""

_WORDS = {
    Comparison.AT_LEAST: "greater than or equal to",
    Comparison.ABOVE: "greater than",
    Comparison.BELOW: "less than",
    Comparison.AT_MOST: "less than or equal to",
}


class Point(msgspec.Struct, frozen=True):
    """What a metric was in one period."""

    value: float
    sample_count: float | None = None
    """How many values it is of; None: it was computed of other points."""


class Slot(msgspec.Struct, frozen=True):
    """One period of the evaluation range."""

    at: float
    """Its start, in seconds since the epoch."""
    point: Point | None = None


class Verdict(msgspec.Struct, frozen=True):
    """What an evaluation comes to."""

    value: str
    reason: str
    reason_data: str | None
    """JSON."""


def range_periods(watch: Watch) -> int:
    """Return how many periods are looked at."""
    return watch.evaluation_periods + _LATE_PERIODS


def evaluate(watch: Watch, slots: Sequence[Slot], now: float, *, has_few_samples: bool = False) -> Verdict | None:
    """
    Say which state the points ask for; None: the alarm keeps the one that it has.

    Args:
        slots: the evaluation range, oldest first.
        now: seconds since the epoch; when the points were asked for.
        has_few_samples: whether a percentile rests on too few values to mean something.

    Documented: CloudWatch user guide, configuring how alarms treat missing data.
    """
    wanted, needed, treat = watch.evaluation_periods, watch.breaches_needed, watch.missing
    real = [slot for slot in slots if slot.point is not None]
    if has_few_samples and real and watch.low_samples == "ignore":
        # Documented: CloudWatch user guide, percentile-based alarms and low data samples.
        return None
    used = real[-wanted:]
    absent = wanted - len(used)
    breaching = sum(_breaches(watch, slot) for slot in used)
    if not used:
        return _without_points(watch, slots[-wanted:], now)
    filled = 0 if treat in (Missing.MISSING, Missing.IGNORE) else absent
    if breaching + (filled if treat is Missing.BREACHING else 0) >= needed:
        return _crossed(watch, used, filled, now, is_alarm=True)
    if absent and breaching == len(used) and treat in (Missing.MISSING, Missing.IGNORE):
        # All that is known is wrong, and it is less than is needed. Assumed: until more is known the state stays; the
        # documentation says of the newest points only that they do not alarm yet (test_alarm_evaluation).
        if treat is Missing.IGNORE or _age(slots, used[0]) < needed:
            return None
        # Documented: the same, avoiding premature transitions: what is old enough alarms by itself.
        return _crossed(watch, used, 0, now, is_alarm=True)
    return _crossed(watch, used, filled, now, is_alarm=False)


def _breaches(watch: Watch, slot: Slot) -> bool:
    assert slot.point is not None
    return watch.comparison.breaches(slot.point.value, watch.threshold)


def _age(slots: Sequence[Slot], slot: Slot) -> int:
    """Return how many periods a slot lies back; 1: it is the newest one."""
    return len(slots) - next(number for number, one in enumerate(slots) if one is slot)


def _without_points(watch: Watch, slots: Sequence[Slot], now: float) -> Verdict | None:
    count = len(slots)
    data = _reason_data(watch, slots, now)
    match watch.missing:
        case Missing.IGNORE:
            return None
        case Missing.MISSING:
            # Observed: field reports of the text.
            what = "1 datapoint was unknown" if count == 1 else f"{count} datapoints were unknown"
            return Verdict(INSUFFICIENT_DATA, f"Insufficient Data: {what}.", data)
        case treat:
            # Observed: recordings of the service: the text.
            reason = (
                f"Threshold Crossed: no datapoints were received for {_counted(count, 'period')} and "
                f"{_treated(count, treat)}."
            )
            return Verdict(ALARM if treat is Missing.BREACHING else OK, reason, data)


def _crossed(watch: Watch, used: Sequence[Slot], filled: int, now: float, *, is_alarm: bool) -> Verdict:
    """
    Word a state that points ask for.

    Observed: recordings of the service for one point, field reports for several.
    """
    named = [slot for slot in used if _breaches(watch, slot) is is_alarm]
    count = len(named)
    verb = f"{'was' if count == 1 else 'were'}{'' if is_alarm else ' not'}"
    relation = f"{verb} {_WORDS[watch.comparison]} the threshold ({_number(watch.threshold)})"
    listed = ", ".join(map(_listed, reversed(named[-_POINTS_LISTED:])))
    is_long = count > _POINTS_LISTED
    points = "" if is_long else f" [{listed}]"
    texts = []
    if named and watch.datapoints_to_alarm is None:
        texts.append(f"{_counted(count, 'datapoint')}{points} {relation}")
    elif named:
        least = watch.breaches_needed if is_alarm else watch.evaluation_periods - watch.breaches_needed + 1
        way = "OK -> ALARM" if is_alarm else "ALARM -> OK"
        texts.append(
            f"{count} out of the last {_counted(watch.evaluation_periods, 'datapoint')}{points} {relation} "
            f"(minimum {_counted(least, 'datapoint')} for {way} transition)"
        )
    if filled:
        texts.append(_treated(filled, watch.missing))
    text = f"{' and '.join(texts)}."
    if is_long:
        text += f" The most recent datapoints which crossed the threshold: [{listed}]."
    return Verdict(ALARM if is_alarm else OK, f"Threshold Crossed: {text}", _reason_data(watch, used, now))


def _listed(slot: Slot) -> str:
    assert slot.point is not None
    return f"{_number(slot.point.value)} ({datetime.fromtimestamp(slot.at, UTC):%d/%m/%y %H:%M:%S})"


def _treated(count: int, treat: Missing) -> str:
    how = "Breaching" if treat is Missing.BREACHING else "NonBreaching"
    return f"{count} missing {'datapoint was' if count == 1 else 'datapoints were'} treated as [{how}]"


def _reason_data(watch: Watch, slots: Sequence[Slot], now: float) -> str:
    """
    Return what a reason goes by.

    Observed: recordings of the service: its members. Assumed: the order of its lists (test_alarm_evaluation).
    """
    shown = slots[-_POINTS_SHOWN:]
    metric = watch.metric
    real = [slot for slot in shown if slot.point is not None]
    data: dict[str, object] = {"version": "1.0", "queryDate": stamp(now)}
    if real:
        data["startDate"] = stamp(real[0].at)
    if metric is not None:
        if metric.unit is not None:
            data["unit"] = metric.unit
        data["statistic"] = metric.statistic
    data["period"] = watch.period_s
    data["recentDatapoints"] = [slot.point.value for slot in real if slot.point]
    data["threshold"] = watch.threshold
    data["evaluatedDatapoints"] = [_shown(slot) for slot in reversed(shown)]
    return json.dumps(data, separators=(",", ":"))


def _shown(slot: Slot) -> dict[str, object]:
    shown: dict[str, object] = {"timestamp": stamp(slot.at)}
    if slot.point is not None:
        if slot.point.sample_count is not None:
            shown["sampleCount"] = slot.point.sample_count
        shown["value"] = slot.point.value
    return shown


def stamp(at: float) -> str:
    """Return a moment as alarms write it in JSON. Observed: recordings of the service."""
    moment = datetime.fromtimestamp(round(at * 1000) / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _number(value: float) -> str:
    """Return a number as Java writes a double, which reasons have. Source: Java SE API, Double.toString."""
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(float(value))
    # The shortest digits that read back as the same number, with one before the point.
    digits, exponent = next(
        (digits, exponent)
        for digits, _, exponent in (f"{value:.{precision}e}".partition("e") for precision in range(18))
        if float(f"{digits}e{exponent}") == value
    )
    return f"{digits if '.' in digits else digits + '.0'}E{int(exponent)}"
