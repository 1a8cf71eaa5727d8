"""What is configured at a log group: filters that make metrics of its events, and filters that pass events on."""

import msgspec

from lambent.domain.caller import Scope

METRIC_FILTERS_MAX = 100
"""Of one group. Documented: CloudWatch Logs quotas."""

SUBSCRIPTION_FILTERS_MAX = 2
"""The same. Observed: a third one is refused."""

REGEX_FILTERS_MAX = 5
"""Filters of one group, of both kinds, whose pattern has a regular expression. Documented: filter pattern syntax."""

DIMENSIONS_MAX = 3
"""Of a metric filter. Documented: PutMetricFilter."""


class MetricFilter(msgspec.Struct, frozen=True, omit_defaults=True):
    """Makes points of one metric."""

    scope: Scope
    group: str
    name: str
    created_ms: int
    pattern: str
    metric: str
    namespace: str
    value: str
    """A number, or a reference to what the pattern takes out of an event: `$.latency`, `$bytes`."""
    default: float | None = None
    """The value of minutes in which events came and none matched."""
    dimensions: tuple[tuple[str, str], ...] = ()
    """Name and reference, by name."""
    unit: str = "None"


class SubscriptionFilter(msgspec.Struct, frozen=True, omit_defaults=True):
    """Passes events on."""

    scope: Scope
    group: str
    name: str
    created_ms: int
    pattern: str
    destination_arn: str
    """A function's, qualified or not."""
    distribution: str = "ByLogStream"


LogFilter = MetricFilter | SubscriptionFilter
