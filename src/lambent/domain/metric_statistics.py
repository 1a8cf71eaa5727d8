"""
The statistics of CloudWatch: what each makes of the values of a period.

Documented: CloudWatch user guide, CloudWatch statistics definitions. Names are compared with case.
"""

import math
import re
from collections.abc import Callable, Sequence
from itertools import accumulate

import msgspec

from lambent.domain.metric import Distribution, bin_of, value_of

BASIC = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
"""Those that a statistic set is enough for."""


class InvalidStatistic(ValueError):
    """A text names no statistic."""


class Statistic(msgspec.Struct, frozen=True):
    """One statistic."""

    name: str
    """As it was asked for."""
    compute: Callable[[Distribution], float | None]
    """Returns the statistic of values; None: they do not tell it."""

    @property
    def is_basic(self) -> bool:
        """Whether it is one of the five that need no bins."""
        return self.name in BASIC


_OFF = 1e-6
"""What a share of a number of values may be off by, as a product of floats."""

_NUMBER = r"\d{1,15}(?:\.\d{1,10})?"
_SHORT = re.compile(rf"(p|tm|wm|tc|ts)({_NUMBER})")
_RANGE = re.compile(rf"(TM|WM|PR|TC|TS)\((?:({_NUMBER})(%?))?:(?:({_NUMBER})(%?))?\)")


def parse_statistic(text: str) -> Statistic:
    """
    Return the statistic of a name.

    Raises:
        InvalidStatistic: there is none.
    """
    basic = _BASIC.get(text)
    if basic is not None:
        return Statistic(text, basic)
    if text == "IQM":
        return Statistic(text, _by_rank("TM", 25.0, 75.0))
    short = _SHORT.fullmatch(text)
    if short is not None:
        kind, percent = short[1], float(short[2])
        if percent <= 100:
            compute = _percentile(percent) if kind == "p" else _by_rank(kind.upper(), 0.0, percent)
            return Statistic(text, compute)
    ranged = _RANGE.fullmatch(text)
    if ranged is not None:
        return Statistic(text, _ranged(*ranged.groups(), text=text))
    raise InvalidStatistic(f"{text!r} is no statistic")


def _ranged(
    kind: str, low: str | None, low_percent: str | None, high: str | None, high_percent: str | None, *, text: str
) -> Callable[[Distribution], float | None]:
    """Return a statistic of a range. An open side has no border; both borders are of one kind."""
    kinds = {sign for border, sign in ((low, low_percent), (high, high_percent)) if border is not None}
    if len(kinds) != 1:
        raise InvalidStatistic(f"{text!r} is no statistic: borders are both values or both percentages, one at least")
    is_rank = kinds == {"%"}
    lower = None if low is None else float(low)
    upper = None if high is None else float(high)
    if lower is not None and upper is not None and lower >= upper:
        raise InvalidStatistic(f"{text!r} is no statistic: its lower border is not below the upper one")
    if not is_rank:
        return _by_value(kind, lower, upper)
    # Documented: the percentile rank is of values.
    if kind == "PR" or max(lower or 0.0, upper or 0.0) > 100:
        raise InvalidStatistic(f"{text!r} is no statistic")
    return _by_rank(kind, lower or 0.0, 100.0 if upper is None else upper)


_BASIC: dict[str, Callable[[Distribution], float | None]] = {
    "SampleCount": lambda values: values.count,
    "Sum": lambda values: values.total,
    "Minimum": lambda values: values.minimum,
    "Maximum": lambda values: values.maximum,
    "Average": lambda values: values.total / values.count if values.count else None,
}


class _Ranked:
    """The bins of values in order, with the values that stand for them."""

    __slots__ = ("counts", "ends", "numbers", "total", "values")

    def __init__(self, values: Distribution, bins: dict[int, float]) -> None:
        self.numbers = sorted(bins)
        self.counts = [bins[number] for number in self.numbers]
        low, high = values.minimum, values.maximum
        # The extremes are known exactly, so no value is said to lie beyond them.
        self.values = [min(max(value_of(number), low), high) for number in self.numbers]
        self.ends: Sequence[float] = list(accumulate(self.counts))
        self.total = self.ends[-1] if self.ends else 0.0

    def within(self, before: float, to: float) -> list[float]:
        """Return of each bin how many of its values have ranks above `before` and up to `to`."""
        kept = []
        start = 0.0
        for end in self.ends:
            kept.append(max(0.0, min(end, to) - max(start, before)))
            start = end
        return kept


def _ranked(values: Distribution) -> _Ranked | None:
    return _Ranked(values, values.bins) if values.bins else None


def _percentile(percent: float) -> Callable[[Distribution], float | None]:
    def compute(values: Distribution) -> float | None:
        if not values.has_bins:
            return None
        # Assumed: the nearest rank (test_metric_statistics).
        rank = _rank(values.count * percent / 100)
        if rank <= 1 or values.minimum == values.maximum:
            return values.minimum
        if rank >= values.count:
            return values.maximum
        value = value_of(values.bin_of_rank(rank))
        return min(max(value, values.minimum), values.maximum)

    return compute


def _rank(exact: float) -> float:
    """Return the rank at or above; what a product is off by does not count."""
    return float(math.ceil(exact - _OFF))


def _by_rank(kind: str, low: float, high: float) -> Callable[[Distribution], float | None]:
    """
    Return a statistic of the values between two percentages.

    Assumed: of the ranks that a border cuts, the upper one stays and the lower one too, so that one value alone has
    every trimmed mean (test_metric_statistics).
    """

    def compute(values: Distribution) -> float | None:
        ranked = _ranked(values)
        if ranked is None:
            return None
        before = float(math.floor(ranked.total * low / 100 + _OFF))
        to = _rank(ranked.total * high / 100)
        return _reduce(kind, values, ranked, ranked.within(before, to))

    return compute


def _by_value(kind: str, low: float | None, high: float | None) -> Callable[[Distribution], float | None]:
    """Return a statistic of the values between two. Documented: the lower border is exclusive, the upper inclusive."""

    def compute(values: Distribution) -> float | None:
        ranked = _ranked(values)
        if ranked is None:
            return None
        # By bins: a value that shares its bin with a border counts as the border.
        above = None if low is None else bin_of(low)
        up_to = None if high is None else bin_of(high)
        kept = [
            count if (above is None or number > above) and (up_to is None or number <= up_to) else 0.0
            for number, count in zip(ranked.numbers, ranked.counts, strict=True)
        ]
        if kind == "WM":
            return _winsorized(
                ranked,
                [
                    low if above is not None and number <= above and low is not None
                    else high if up_to is not None and number > up_to and high is not None
                    else value
                    for number, value in zip(ranked.numbers, ranked.values, strict=True)
                ],
            )  # fmt: skip
        return _reduce(kind, values, ranked, kept)

    return compute


def _reduce(kind: str, values: Distribution, ranked: _Ranked, kept: Sequence[float]) -> float | None:
    number = sum(kept)
    if kind == "TC":
        return number
    if kind == "PR":
        return number / ranked.total * 100 if ranked.total else None
    is_whole = number == ranked.total
    if kind == "TS":
        return values.total if is_whole else _total(ranked, kept)
    if is_whole:
        return values.total / number if number else None
    if not number:
        return None
    if kind == "TM":
        return _total(ranked, kept) / number
    inside = [value for value, count in zip(ranked.values, kept, strict=True) if count]
    low, high = inside[0], inside[-1]
    return _winsorized(ranked, [min(max(value, low), high) for value in ranked.values])


def _total(ranked: _Ranked, counts: Sequence[float]) -> float:
    return sum(value * count for value, count in zip(ranked.values, counts, strict=True))


def _winsorized(ranked: _Ranked, values: Sequence[float]) -> float | None:
    """Return the mean of values of which those outside have been replaced by the border."""
    if not ranked.total:
        return None
    return sum(value * count for value, count in zip(values, ranked.counts, strict=True)) / ranked.total
