"""The figures of AWS/Lambda: names, units, dimensions, and what each is made of."""

from collections.abc import Sequence

import pytest

from lambent.domain.caller import Scope
from lambent.domain.concurrency import Peaks, ProvisionedPeak
from lambent.domain.function import FunctionName
from lambent.domain.metric import MetricPoint
from lambent.telemetry.ingestion import EndedInvocation
from lambent.telemetry.lambda_metrics import LambdaMetrics, dimension_sets, named_in, points_of
from lambent.telemetry.metrics import Metrics
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("000000000000", "us-east-1")
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
F = FunctionName("f")

Seen = dict[tuple[str, str, int], tuple[float, float, str]]
"""By name, dimensions in short and minute: how often, the sum and the unit."""


def ended(**given: object) -> EndedInvocation:
    usual = {
        "scope": SCOPE,
        "function": "f",
        "qualifier": "",
        "version": "$LATEST",
        "started_ms": 60_000,
        "duration_ms": 10.0,
        "init_ms": 0.0,
        "status": "",
    }
    return EndedInvocation(**{**usual, **given})  # type: ignore[arg-type]


def seen(points: Sequence[MetricPoint]) -> Seen:
    found: Seen = {}
    for metric, at_s, period_s, values in points:
        assert (metric.scope, metric.namespace, period_s) == (SCOPE, "AWS/Lambda", 60)
        assert list(metric.dimensions) == sorted(metric.dimensions)
        key = (metric.name, " ".join(f"{name}={value}" for name, value in metric.dimensions), at_s)
        assert key not in found
        found[key] = (values.count, values.total, metric.unit)
    return found


class Store:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.points: list[MetricPoint] = []

    async def add(self, points: Sequence[MetricPoint]) -> None:
        self.points += points


def told(tell: object) -> Seen:
    """Return what is in the store after something was told."""
    import asyncio

    store = Store()

    async def story() -> None:
        metrics = Metrics(store, VirtualClock())  # type: ignore[arg-type]
        tell(LambdaMetrics(metrics))  # type: ignore[operator]
        await metrics.settle()

    asyncio.run(story())
    minutes = {at_s for _, at_s, _, _ in store.points}
    assert len(minutes) <= 1
    return {(name, dimensions, 0): value for (name, dimensions, _), value in seen(store.points).items()}


def test_an_invocation_counts_for_all_that_it_is_of() -> None:
    """All functions, the function, and the function as it was addressed; with units, and zeros for what was not."""
    found = seen(points_of([ended()]))
    for dimensions in ("", "FunctionName=f", "FunctionName=f Resource=f"):
        assert found.pop(("Invocations", dimensions, 60)) == (1, 1, "Count")
        assert found.pop(("Errors", dimensions, 60)) == (1, 0, "Count")
        assert found.pop(("Throttles", dimensions, 60)) == (1, 0, "Count")
        assert found.pop(("Duration", dimensions, 60)) == (1, 10, "Milliseconds")
    assert not found


def test_minutes_are_those_of_the_starts() -> None:
    """However late an invocation ends; errors of whatever kind are counted once."""
    found = seen(
        points_of(
            [
                ended(started_ms=119_999, duration_ms=5_000.0, status="timeout"),
                ended(started_ms=120_000, status="error"),
                ended(started_ms=60_000),
            ]
        )
    )
    assert found["Invocations", "FunctionName=f", 60] == (2, 2, "Count")
    assert found["Errors", "FunctionName=f", 60] == (2, 1, "Count")
    assert found["Duration", "", 60] == (2, 5_010, "Milliseconds")
    assert found["Errors", "", 120] == (1, 1, "Count")


def test_qualifiers_are_told_apart_and_summed() -> None:
    """An alias and a version are resources of one function; the executed version only where weights decided."""
    found = seen(
        points_of(
            [
                ended(qualifier="live", version="1", is_weighted=True),
                ended(qualifier="live", version="2", is_weighted=True),
                ended(qualifier="2", version="2"),
                ended(function="g"),
            ]
        )
    )
    counts = {dimensions: count for (name, dimensions, _), (count, _, _) in found.items() if name == "Invocations"}
    assert counts == {
        "": 4,
        "FunctionName=f": 3,
        "FunctionName=f Resource=f:live": 2,
        "ExecutedVersion=1 FunctionName=f Resource=f:live": 1,
        "ExecutedVersion=2 FunctionName=f Resource=f:live": 1,
        "FunctionName=f Resource=f:2": 1,
        "FunctionName=g": 1,
        "FunctionName=g Resource=g": 1,
    }


def test_a_throttle_is_of_the_function_as_it_was_addressed() -> None:
    """With a qualifier and without."""

    def tell(metrics: LambdaMetrics) -> None:
        metrics.throttled(SCOPE, ARN)
        metrics.throttled(SCOPE, f"{ARN}:live")

    assert told(tell) == {
        ("Throttles", "", 0): (2, 2, "Count"),
        ("Throttles", "FunctionName=f", 0): (2, 2, "Count"),
        ("Throttles", "FunctionName=f Resource=f", 0): (1, 1, "Count"),
        ("Throttles", "FunctionName=f Resource=f:live", 0): (1, 1, "Count"),
    }


def test_the_url_of_a_function_has_no_figure_of_all_functions() -> None:
    """A request counts; as a client's error, the server's, or neither; with its latency."""

    def tell(metrics: LambdaMetrics) -> None:
        for status in (200, 404, 502):
            metrics.url_answered(SCOPE, "f", "live", status, 0.25)

    found = told(tell)
    for dimensions in ("FunctionName=f", "FunctionName=f Resource=f:live"):
        assert found.pop(("UrlRequestCount", dimensions, 0)) == (3, 3, "Count")
        assert found.pop(("Url4xxCount", dimensions, 0)) == (3, 1, "Count")
        assert found.pop(("Url5xxCount", dimensions, 0)) == (3, 1, "Count")
        assert found.pop(("UrlRequestLatency", dimensions, 0)) == (3, 750, "Milliseconds")
    assert not found


def test_what_was_in_flight_is_told_of_the_account_and_of_functions() -> None:
    """What is provisioned also as the part of it that was used."""
    peaks = Peaks([(F, 3), (FunctionName("g"), 1)], 4, 2, 7, [ProvisionedPeak(F, "1", 2, 4)])
    assert told(lambda metrics: metrics.concurrency(SCOPE, peaks)) == {
        ("ConcurrentExecutions", "", 0): (1, 4, "Count"),
        ("UnreservedConcurrentExecutions", "", 0): (1, 2, "Count"),
        ("ClaimedAccountConcurrency", "", 0): (1, 7, "Count"),
        ("ConcurrentExecutions", "FunctionName=f", 0): (1, 3, "Count"),
        ("ConcurrentExecutions", "FunctionName=g", 0): (1, 1, "Count"),
        ("ProvisionedConcurrentExecutions", "", 0): (1, 2, "Count"),
        ("ProvisionedConcurrentExecutions", "FunctionName=f", 0): (1, 2, "Count"),
        ("ProvisionedConcurrentExecutions", "FunctionName=f Resource=f:1", 0): (1, 2, "Count"),
        ("ProvisionedConcurrencyUtilization", "FunctionName=f Resource=f:1", 0): (1, 0.5, "None"),
    }


@pytest.mark.parametrize(
    ("name", "tell", "expected"),
    [
        ("AsyncEventsReceived", lambda metrics: metrics.event_received(SCOPE, "f", None), (1, 1, "Count")),
        ("AsyncEventAge", lambda metrics: metrics.event_begins(SCOPE, "f", None, 1.5), (1, 1500, "Milliseconds")),
        ("AsyncEventsDropped", lambda metrics: metrics.events_dropped(SCOPE, "f", None, 3), (3, 3, "Count")),
        (
            "DeadLetterErrors",
            lambda metrics: metrics.delivery_failed(ARN, is_dead_letter=True),
            (1, 1, "Count"),
        ),
        (
            "DestinationDeliveryFailures",
            lambda metrics: metrics.delivery_failed(f"{ARN}:$LATEST", is_dead_letter=False),
            (1, 1, "Count"),
        ),
        ("RecursiveInvocationsDropped", lambda metrics: metrics.chain_ended(SCOPE, "f", None), (1, 1, "Count")),
        ("IteratorAge", lambda metrics: metrics.batch_begins(SCOPE, ARN, 0.2), (1, 200, "Milliseconds")),
        (
            "ProvisionedConcurrencyInvocations",
            lambda metrics: metrics.provisioned(SCOPE, ARN, is_spilled=False),
            (1, 1, "Count"),
        ),
        (
            "ProvisionedConcurrencySpilloverInvocations",
            lambda metrics: metrics.provisioned(SCOPE, ARN, is_spilled=True),
            (1, 1, "Count"),
        ),
    ],
)
def test_each_figure_has_its_name_unit_and_dimensions(name: str, tell: object, expected: object) -> None:
    """Of all functions, of the function, and of it as it was addressed."""
    found = told(tell)
    assert found == {
        (name, dimensions, 0): expected for dimensions in ("", "FunctionName=f", "FunctionName=f Resource=f")
    }


def test_nothing_dropped_is_nothing_told() -> None:
    """Nor is a delivery for which nobody knows the function."""

    def tell(metrics: LambdaMetrics) -> None:
        metrics.events_dropped(SCOPE, "f", None, 0)
        metrics.delivery_failed("", is_dead_letter=False)

    assert told(tell) == {}


def test_names_are_read_out_of_arns() -> None:
    """With a qualifier and without."""
    assert named_in(ARN) == ("f", "")
    assert named_in(f"{ARN}:$LATEST") == ("f", "$LATEST")
    assert dimension_sets("f", "$LATEST")[-1] == (("FunctionName", "f"), ("Resource", "f:$LATEST"))
