"""
Periods of metrics: which there are, how long points of each are kept, and which a time falls into.

Documented: CloudWatch user guide, Metrics retention; CloudWatch API reference, GetMetricStatistics and GetMetricData.
"""

import math

MINUTE_S = 60
DAY_S = 86_400

KEPT_S = {1: 3 * 3_600, MINUTE_S: 15 * DAY_S, 300: 63 * DAY_S, 3_600: 455 * DAY_S}
"""For how long the points of each resolution are kept."""

SHORT_PERIODS = (1, 5, 10, 20, 30)
"""Below a minute: of metrics of high resolution."""


def is_period(period_s: int) -> bool:
    """Say whether points can be asked for by such a period. Anything longer than a day may be, if whole minutes."""
    return period_s in SHORT_PERIODS or (period_s >= MINUTE_S and period_s % MINUTE_S == 0)


def begin_of(time_s: float, period_s: int) -> int:
    """Return the begin of the period that a time is in. Periods are aligned to the epoch."""
    return math.floor(time_s / period_s) * period_s


def rounded_start(start_s: float, period_s: int, now_s: float) -> int:
    """
    Return the start from which points are read: that of a period, or earlier where the past is kept coarser.

    Observed: the first point may begin before the start that was asked for.
    """
    age_s = now_s - start_s
    if age_s < KEPT_S[1] and period_s < MINUTE_S:
        step_s = period_s
    elif age_s < KEPT_S[MINUTE_S]:
        step_s = MINUTE_S
    elif age_s < KEPT_S[300]:
        step_s = 300
    else:
        step_s = 3_600
    return begin_of(start_s, max(step_s, period_s))


def source_of(period_s: int) -> int:
    """Return the coarsest resolution that points of a period can be made of."""
    for resolution_s in sorted(KEPT_S, reverse=True):
        if period_s % resolution_s == 0:
            return resolution_s
    raise AssertionError("every period is a multiple of a second")
