"""
The metrics of AWS/Lambda: which there are, of what, and where each is noticed.

- Invocations, Errors, Duration, Throttles of 0: `points_of`, from the records of ended invocations as they are folded.
- Throttles: `Dispatcher.run`, whoever calls: clients, and the event queue and pollers, which try again.
- ProvisionedConcurrencyInvocations, ProvisionedConcurrencySpilloverInvocations: `Dispatcher.run`, by where it counts.
- ConcurrentExecutions, UnreservedConcurrentExecutions, ClaimedAccountConcurrency, ProvisionedConcurrentExecutions,
  ProvisionedConcurrencyUtilization: `dispatch.slots` keeps peaks, `sampling` asks for them.
- AsyncEventsReceived, AsyncEventAge, AsyncEventsDropped: `AsyncInvocations`: accepted, about to run, given up.
- DeadLetterErrors, DestinationDeliveryFailures: `Outbox`, an attempt to deliver has failed.
- RecursiveInvocationsDropped: where a chain ends: `SynchronousInvocations`, `AsyncInvocations`, `sqs_batch`.
- IteratorAge: `stream_batch`, a batch is about to run.
- UrlRequestCount, Url4xxCount, Url5xxCount, UrlRequestLatency: `gateway.function_url`.
- PolledEventCount and its like: pollers count, `sampling` asks for the counts of mappings that want them.

Absent, since what they tell of is: SignatureValidationErrors, PostRuntimeExtensionsDuration, OffsetLag.

Documented: Lambda developer guide, types of metrics for Lambda functions, for names, units and dimensions.
"""

from collections.abc import Sequence
from typing import Final

from lambent.domain.caller import Scope
from lambent.domain.concurrency import Peaks
from lambent.domain.function import LATEST
from lambent.domain.metric import Distribution, Metric, MetricPoint
from lambent.telemetry.ingestion import EndedInvocation
from lambent.telemetry.metrics import Alike, Metrics

NAMESPACE: Final = "AWS/Lambda"

_PERIOD_S: Final = 60
_COUNT: Final = "Count"
_MILLISECONDS: Final = "Milliseconds"

_KNOWN_MAX: Final = 2_000
"""Names whose metrics are remembered, so that they are not put together for each value; then all are forgotten."""

_ARN_PARTS: Final = 7
"""Of a function's ARN without a qualifier; one with it has one more."""

_Dimensions = tuple[tuple[str, str], ...]


def resource_of(function: str, qualifier: str) -> str:
    """
    Return the dimension `Resource`: the function as it was addressed.

    Documented: a version or an alias. Assumed: the function's name alone without a qualifier (test_lambda_metrics).
    """
    return f"{function}:{qualifier}" if qualifier else function


def named_in(function_arn: str) -> tuple[str, str]:
    """Return the function that an ARN names, and its qualifier; empty without one."""
    parts = function_arn.split(":", _ARN_PARTS)
    return parts[_ARN_PARTS - 1], parts[_ARN_PARTS] if len(parts) > _ARN_PARTS else ""


def dimension_sets(function: str, qualifier: str, executed_version: str = "") -> Sequence[_Dimensions]:
    """
    Return of what a figure of a function is, each time with all dimensions: of all functions, too.

    Args:
        qualifier: as the function was addressed; empty without one.
        executed_version: where an alias's weights decided; else empty.
    """
    name, resource = ("FunctionName", function), ("Resource", resource_of(function, qualifier))
    sets: list[_Dimensions] = [(), (name,), (name, resource)]
    if executed_version:
        sets.append((("ExecutedVersion", executed_version), name, resource))
    return sets


class _Gathered:
    """What ended in one minute, of one kind."""

    __slots__ = ("durations", "errors")

    def __init__(self) -> None:
        self.durations = Distribution()
        self.errors = 0


def points_of(ended: Sequence[EndedInvocation]) -> Sequence[MetricPoint]:
    """
    Return the metric points that follow from invocations which are over. Pure, for a thread.

    An invocation belongs to the minute in which it started. Documented. One that its server did not live to see the end
    of counts as an error.
    """
    finest: dict[tuple[Scope, str, str, str, int], _Gathered] = {}
    for one in ended:
        version = one.version if one.is_weighted else ""
        at_s = one.started_ms // 1000 // _PERIOD_S * _PERIOD_S
        key = (one.scope, one.function, one.qualifier, version, at_s)
        gathered = finest.get(key)
        if gathered is None:
            gathered = finest[key] = _Gathered()
        gathered.durations.add(max(one.duration_ms, 0.0))
        if one.status:
            gathered.errors += 1
    summed: dict[tuple[Scope, _Dimensions, int], _Gathered] = {}
    for (scope, function, qualifier, version, at_s), gathered in finest.items():
        for dimensions in dimension_sets(function, qualifier, version):
            into = summed.setdefault((scope, dimensions, at_s), _Gathered())
            into.durations.merge(gathered.durations)
            into.errors += gathered.errors
    return [point for key, gathered in summed.items() for point in _points(*key, gathered)]


def _points(scope: Scope, dimensions: _Dimensions, at_s: int, gathered: _Gathered) -> Sequence[MetricPoint]:
    count = gathered.durations.count
    invocations, errors, throttles = Distribution(), Distribution(), Distribution()
    invocations.add(1.0, count)
    # Documented: the sum is the number of errors, the average the rate: what went well counts as none.
    if gathered.errors:
        errors.add(1.0, gathered.errors)
    if count > gathered.errors:
        errors.add(0.0, count - gathered.errors)
    # Assumed: a call that was let through counts as no throttle, too (test_lambda_metrics).
    throttles.add(0.0, count)
    named = (
        ("Invocations", _COUNT, invocations),
        ("Errors", _COUNT, errors),
        ("Throttles", _COUNT, throttles),
        ("Duration", _MILLISECONDS, gathered.durations),
    )
    return [
        MetricPoint(Metric(scope, NAMESPACE, name, dimensions, unit), at_s, _PERIOD_S, values)
        for name, unit, values in named
    ]


class LambdaMetrics:
    """
    The figures that follow from no record. All methods are for the event loop.

    Args:
        metrics: gathers them.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._known: dict[tuple[str, Scope, str, str], Alike] = {}

    def throttled(self, scope: Scope, invoked_arn: str) -> None:
        """An invocation was refused: for a limit, or for want of room."""
        self._add("Throttles", scope, *named_in(invoked_arn), 1.0)

    def provisioned(self, scope: Scope, invoked_arn: str, *, is_spilled: bool) -> None:
        """An invocation begins of a version that has provisioned concurrency: there, or beyond it."""
        name = "ProvisionedConcurrencySpilloverInvocations" if is_spilled else "ProvisionedConcurrencyInvocations"
        self._add(name, scope, *named_in(invoked_arn), 1.0)

    def event_received(self, scope: Scope, function: str, qualifier: str | None) -> None:
        """An event is on disk."""
        self._add("AsyncEventsReceived", scope, function, qualifier or "", 1.0)

    def event_begins(self, scope: Scope, function: str, qualifier: str | None, age_s: float) -> None:
        """An event is about to run, so long after it was accepted."""
        self._add("AsyncEventAge", scope, function, qualifier or "", max(age_s, 0.0) * 1000, unit=_MILLISECONDS)

    def events_dropped(self, scope: Scope, function: str, qualifier: str | None, count: int = 1) -> None:
        """Events have ended without success. What is told of them is told all the same."""
        if count:
            self._add("AsyncEventsDropped", scope, function, qualifier or "", 1.0, times=count)

    def delivery_failed(self, function_arn: str, *, is_dead_letter: bool) -> None:
        """An attempt to deliver a dead letter or a record has failed."""
        if not function_arn:
            return
        _, _, _, region, account, *_ = function_arn.split(":")
        name = "DeadLetterErrors" if is_dead_letter else "DestinationDeliveryFailures"
        function, qualifier = named_in(function_arn)
        # A record names $LATEST also where nobody did. Assumed: most do not (test_lambda_metrics).
        self._add(name, Scope(account, region), function, "" if qualifier == LATEST else qualifier, 1.0)

    def chain_ended(self, scope: Scope, function: str, qualifier: str | None, count: int = 1) -> None:
        """Invocations were not begun because their chain came back to the function too often."""
        self._add("RecursiveInvocationsDropped", scope, function, qualifier or "", 1.0, times=count)

    def batch_begins(self, scope: Scope, function_arn: str, age_s: float) -> None:
        """A batch of a stream is about to run whose last record is so old."""
        self._add("IteratorAge", scope, *named_in(function_arn), age_s * 1000, unit=_MILLISECONDS)

    def url_answered(self, scope: Scope, function: str, qualifier: str, status: int, latency_s: float) -> None:
        """A request to a function URL has its response, its beginning where it is streamed."""
        for name, value, unit in (
            ("UrlRequestCount", 1.0, _COUNT),
            ("Url4xxCount", float(400 <= status < 500), _COUNT),
            ("Url5xxCount", float(status >= 500), _COUNT),
            ("UrlRequestLatency", latency_s * 1000, _MILLISECONDS),
        ):
            self._add(name, scope, function, qualifier, value, unit=unit, is_summed=False)

    def concurrency(self, scope: Scope, peaks: Peaks) -> None:
        """The most that was in flight in an account since this was called last."""
        add = self._metrics.add
        add(Metric(scope, NAMESPACE, "ConcurrentExecutions", (), _COUNT), float(peaks.account))
        add(Metric(scope, NAMESPACE, "UnreservedConcurrentExecutions", (), _COUNT), float(peaks.unreserved))
        add(Metric(scope, NAMESPACE, "ClaimedAccountConcurrency", (), _COUNT), float(peaks.claimed))
        for function, peak in peaks.functions:
            of_function = (("FunctionName", str(function)),)
            add(Metric(scope, NAMESPACE, "ConcurrentExecutions", of_function, _COUNT), float(peak))
        in_use: dict[str, int] = {}
        for function, version, peak, allocated in peaks.provisioned:
            of_version = (("FunctionName", str(function)), ("Resource", resource_of(function, version)))
            add(Metric(scope, NAMESPACE, "ProvisionedConcurrentExecutions", of_version, _COUNT), float(peak))
            if allocated:
                metric = Metric(scope, NAMESPACE, "ProvisionedConcurrencyUtilization", of_version, "None")
                add(metric, peak / allocated)
            in_use[function] = in_use.get(function, 0) + peak
        for name, peak in in_use.items():
            of_function = (("FunctionName", name),)
            add(Metric(scope, NAMESPACE, "ProvisionedConcurrentExecutions", of_function, _COUNT), float(peak))
        if in_use:
            metric = Metric(scope, NAMESPACE, "ProvisionedConcurrentExecutions", (), _COUNT)
            add(metric, float(sum(in_use.values())))

    def mapping_events(self, scope: Scope, uuid: str, name: str, count: int) -> None:
        """So many more records of an event source mapping have come to something, by AWS's name for it."""
        dimensions = (("EventSourceMappingUUID", uuid),)
        self._metrics.add(Metric(scope, NAMESPACE, name, dimensions, _COUNT), float(count))

    def _add(
        self,
        name: str,
        scope: Scope,
        function: str,
        qualifier: str,
        value: float,
        *,
        times: float = 1.0,
        unit: str = _COUNT,
        is_summed: bool = True,
    ) -> None:
        """
        Take in a value of a function.

        Args:
            is_summed: whether there is one metric of all functions, too.
        """
        key = (name, scope, function, qualifier)
        alike = self._known.get(key)
        if alike is None:
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            sets = dimension_sets(function, qualifier)
            alike = Alike([Metric(scope, NAMESPACE, name, one, unit) for one in (sets if is_summed else sets[1:])])
            self._known[key] = alike
        self._metrics.add_alike(alike, value, times)
