"""CloudWatch alarms: what is configured, and in which state they are. Values, without I/O."""

import enum
from collections.abc import Mapping

import msgspec

from lambent.domain.caller import Scope

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
"""The values that a state has."""

METRIC_ALARM, COMPOSITE_ALARM = "MetricAlarm", "CompositeAlarm"
"""The types of alarms that there are here."""

REASON_MAX = 1_023
"""Characters of a state's reason. Documented: CloudWatch API reference, MetricAlarm."""

CREATED = "Unchecked: Initial alarm creation"
"""Observed: recordings of the service: the reason of an alarm that nothing has evaluated yet."""


class Comparison(enum.StrEnum):
    """How the points of a metric are compared with the threshold."""

    AT_LEAST = "GreaterThanOrEqualToThreshold"
    ABOVE = "GreaterThanThreshold"
    BELOW = "LessThanThreshold"
    AT_MOST = "LessThanOrEqualToThreshold"

    def breaches(self, value: float, threshold: float) -> bool:
        """Say whether a value is on the wrong side of a threshold."""
        match self:
            case Comparison.AT_LEAST:
                return value >= threshold
            case Comparison.ABOVE:
                return value > threshold
            case Comparison.BELOW:
                return value < threshold
            case Comparison.AT_MOST:
                return value <= threshold


class Missing(enum.StrEnum):
    """What a period without points counts as."""

    MISSING = "missing"
    """Nothing: where too little else is known, the alarm has insufficient data."""
    IGNORE = "ignore"
    """Nothing, and the alarm keeps its state."""
    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"


class WatchedMetric(msgspec.Struct, frozen=True, omit_defaults=True):
    """One statistic of one metric."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    """Name and value, in the order that they were given in."""
    period_s: int
    statistic: str
    """`Average`, `p99`, and so on."""
    unit: str | None = None


class AlarmQuery(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of an alarm that computes with metrics: a metric, or an expression of other rows."""

    id: str
    metric: WatchedMetric | None = None
    expression: str | None = None
    period_s: int | None = None
    """Of an expression that was given one."""
    label: str | None = None
    is_returned: bool | None = None
    """ReturnData as it was given; None: it was not, and is true."""
    account: str | None = None


class Watch(msgspec.Struct, frozen=True, tag="metric", omit_defaults=True):
    """What a metric alarm watches, and when that is wrong."""

    period_s: int
    """Of the metric, or of what is computed."""
    evaluation_periods: int
    threshold: float
    comparison: Comparison
    metric: WatchedMetric | None = None
    queries: tuple[AlarmQuery, ...] = ()
    """Instead of `metric`."""
    is_extended: bool = False
    """The metric's statistic was given as ExtendedStatistic."""
    datapoints_to_alarm: int | None = None
    """As it was given."""
    treat_missing: Missing | None = None
    """As it was given."""
    low_samples: str | None = None
    """EvaluateLowSampleCountPercentile as it was given."""

    @property
    def breaches_needed(self) -> int:
        return self.datapoints_to_alarm or self.evaluation_periods

    @property
    def missing(self) -> Missing:
        # Documented: CloudWatch user guide, configuring how alarms treat missing data: the default.
        return self.treat_missing or Missing.MISSING

    @property
    def is_fast(self) -> bool:
        """
        Whether it is evaluated each ten seconds and not each minute.

        Documented: CloudWatch user guide, high-resolution alarms.
        """
        return self.period_s < 60


class Combination(msgspec.Struct, frozen=True, tag="composite"):
    """What a composite alarm goes by."""

    rule: str
    """As it was given; `alarm_rule` reads it."""


class AlarmStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state of an alarm."""

    value: str
    reason: str
    updated_at: float
    """Seconds since the epoch."""
    transitioned_at: float
    """When the value became another one."""
    reason_data: str | None = None
    """JSON."""

    def becoming(self, value: str, reason: str, reason_data: str | None, now: float) -> "AlarmStatus":
        """Return what follows on it."""
        transitioned_at = now if value != self.value else self.transitioned_at
        return AlarmStatus(value, reason[:REASON_MAX], now, transitioned_at, reason_data)


class Alarm(msgspec.Struct, frozen=True):
    """One alarm with its state."""

    scope: Scope
    name: str
    watches: Watch | Combination
    description: str | None
    actions_enabled: bool
    actions: Mapping[str, tuple[str, ...]]
    """ARNs, by the value of the state that they go with."""
    configured_at: float
    """Seconds since the epoch."""
    status: AlarmStatus
    tags: Mapping[str, str] = {}

    @property
    def arn(self) -> str:
        return alarm_arn(self.scope, self.name)

    @property
    def type(self) -> str:
        return METRIC_ALARM if isinstance(self.watches, Watch) else COMPOSITE_ALARM

    def due_actions(self, before: AlarmStatus) -> tuple[str, ...]:
        """
        Return what is to be done now that the state is another one.

        Documented: CloudWatch user guide, alarm actions: only where the value has changed, and actions are enabled.
        """
        if not self.actions_enabled or self.status.value == before.value:
            return ()
        return self.actions.get(self.status.value, ())


class HistoryKind(enum.StrEnum):
    """What a line of an alarm's history tells of."""

    CONFIGURATION = "ConfigurationUpdate"
    STATE = "StateUpdate"
    ACTION = "Action"


class HistoryItem(msgspec.Struct, frozen=True):
    """One line of an alarm's history, which outlives the alarm."""

    scope: Scope
    alarm: str
    alarm_type: str
    at: float
    """Seconds since the epoch."""
    kind: HistoryKind
    summary: str
    data: str
    """JSON."""


def alarm_arn(scope: Scope, name: str) -> str:
    """Return an alarm's ARN."""
    return f"arn:aws:cloudwatch:{scope.region}:{scope.account}:alarm:{name}"


def parse_alarm_arn(arn: str) -> tuple[Scope, str] | None:
    """Take an alarm's ARN apart; None for what is none. Names may have colons in them."""
    parts = arn.split(":", 6)
    if len(parts) != 7 or parts[0] != "arn" or parts[2] != "cloudwatch" or parts[5] != "alarm" or not parts[6]:
        return None
    return Scope(parts[4], parts[3]), parts[6]
