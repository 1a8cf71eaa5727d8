"""What the server tells of itself: families, their text, and the functions by themselves."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lambent.domain.caller import Scope
from lambent.telemetry import exposition, figures
from lambent.telemetry.deliveries import Delivery, DeliveryCounts
from lambent.telemetry.exposition import (
    EnvironmentView,
    Exposition,
    Family,
    HistogramValue,
    MappingView,
    ServerView,
    to_text,
)
from lambent.telemetry.figures import FunctionFigures
from lambent.telemetry.queues import QueueFigures

DASHBOARD = Path(__file__).parents[3] / "examples" / "grafana" / "lambent.json"

SCOPE = Scope("111122223333", "eu-west-1")
ARN = "arn:aws:sqs:eu-west-1:111122223333:told"

IDLE = EnvironmentView(SCOPE, "f", "python3.13", "idle", 40, 128)
BUSY = EnvironmentView(SCOPE, "f", "python3.13", "busy", 50, 128)
STARTING = EnvironmentView(SCOPE, "g", "nodejs22.x", "starting", 0, 256)


def view(**given: Any) -> ServerView:
    usual: dict[str, Any] = {
        "version": "1.2.3",
        "sandbox": "namespace",
        "started_at": 1000.0,
        "environments": [IDLE, BUSY, STARTING],
        "parked": 2,
        "parked_mib": 5.0,
        "parking_failures": 1,
        "mappings": [],
        "log_messages": 7,
        "log_bytes": 700,
        "log_backlog_bytes": 70,
        "log_records_dropped": 0,
        "log_throttles": 0,
        "metric_points_dropped": 0,
        "trace_segments_dropped": 0,
        "requests_in_flight": 3,
    }
    return ServerView(**{**usual, **given})


class Queues:
    """Two queues, one of them empty."""

    async def summed(self) -> list[QueueFigures]:
        return [
            QueueFigures("sqs", "111122223333", "eu-west-1", "orders", 1, 2, 3, 5.0),
            QueueFigures("sqs", "111122223333", "eu-west-1", "none", 0, 0, 0, None),
        ]


def exposed(of: FunctionFigures | None = None, deliveries: DeliveryCounts | None = None, **given: Any) -> Exposition:
    queues: Any = Queues()
    return Exposition(queues, deliveries or DeliveryCounts(), of or FunctionFigures(), lambda: view(**given))


def test_what_is_written_is_what_prometheus_reads() -> None:
    """Its own parser finds the same families, kinds, labels and values, whatever is in a name."""
    odd = 'quoted " back \\ slash\nline'
    families = [
        Family("a", "counter", "Of a \\ kind\nand more.", ("z", "b"), [((odd, "2"), 3), (("", "x"), 0)]),
        Family("b_bytes", "gauge", "None.", (), [((), 1.5e12)]),
        Family("c_seconds", "histogram", "Some.", ("of",), [(("f",), HistogramValue((0.1, 2.5), (1, 4), 5, 9.25))]),
        Family("d", "gauge", "Of nothing.", ("x",), []),
    ]
    read = {family.name: family for family in text_string_to_metric_families(to_text(families).decode())}
    assert [(name, family.type) for name, family in read.items()] == [
        ("a", "counter"),
        ("b_bytes", "gauge"),
        ("c_seconds", "histogram"),
        ("d", "gauge"),
    ]
    assert read["a"].documentation == "Of a \\ kind\nand more."
    assert [(sample.name, sample.labels, sample.value) for sample in read["a"].samples] == [
        ("a_total", {"z": odd, "b": "2"}, 3),
        ("a_total", {"z": "", "b": "x"}, 0),
    ]
    assert [sample.value for sample in read["b_bytes"].samples] == [1.5e12]
    found = [(sample.name, sample.labels.get("le"), sample.value) for sample in read["c_seconds"].samples]
    assert found == [
        ("c_seconds_bucket", "0.1", 1),
        ("c_seconds_bucket", "2.5", 4),
        ("c_seconds_bucket", "+Inf", 5),
        ("c_seconds_count", None, 5),
        ("c_seconds_sum", None, 9.25),
    ]


def samples(made: Exposition) -> dict[str, float]:
    """Return what Prometheus reads, by name and labels as they are written."""
    found = {}
    for line in asyncio.run(made.text()).decode().splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert name not in found
            found[name] = float(value)
    return found


def used() -> FunctionFigures:
    made = FunctionFigures()
    counts = made.of(SCOPE, "f")
    counts.ended(2.0, 150.0, has_failed=False)
    counts.ended(40.0, None, has_failed=True)
    counts.throttles += 4
    return made


def test_functions_are_counted() -> None:
    """By account, region and name; durations in seconds, in buckets that Prometheus can add up."""
    found = samples(exposed(used()))
    of = 'account="111122223333",function="f",region="eu-west-1"'
    assert found[f"lambent_invocations_total{{{of}}}"] == 2
    assert found[f"lambent_invocation_errors_total{{{of}}}"] == 1
    assert found[f"lambent_invocation_throttles_total{{{of}}}"] == 4
    assert found[f"lambent_cold_starts_total{{{of}}}"] == 1
    buckets = {
        float(match[1]): value
        for name, value in found.items()
        if (match := re.fullmatch(r'lambent_invocation_duration_seconds_bucket\{.*le="([^"]+)".*\}', name))
    }
    assert buckets[0.001] == 0 and buckets[0.0025] == 1 and buckets[0.05] == 2 and buckets[float("inf")] == 2
    assert found[f"lambent_invocation_duration_seconds_sum{{{of}}}"] == pytest.approx(0.042)
    assert found["lambent_init_duration_seconds_count"] == 1
    assert found[f"lambent_invocations_in_flight{{{of}}}"] == 1
    # One that has not ended anything is nobody yet.
    assert found['lambent_invocations_in_flight{account="",function="",region=""}'] == 1


def test_environments_are_told_by_runtime_and_state() -> None:
    """A state that nothing is in is 0."""
    found = samples(exposed())
    assert found['lambent_environments{runtime="python3.13",state="busy"}'] == 1
    assert found['lambent_environments{runtime="python3.13",state="starting"}'] == 0
    assert found['lambent_environments{runtime="nodejs22.x",state="starting"}'] == 1
    assert found['lambent_environment_memory_bytes{kind="peak",runtime="python3.13"}'] == 90 << 20
    assert found['lambent_environment_memory_bytes{kind="limit",runtime="nodejs22.x"}'] == 256 << 20
    assert (found["lambent_parked_environments"], found["lambent_parking_failures_total"]) == (2, 1)


def test_the_server_is_told() -> None:
    """Which it is, since when, how much it has to do, and what it has not stored yet."""
    found = samples(exposed())
    assert found['lambent_build_info{sandbox="namespace",version="1.2.3"}'] == 1
    assert found["lambent_start_time_seconds"] == 1000
    assert found["lambent_requests_in_flight"] == 3
    assert (found["lambent_log_messages_total"], found["lambent_log_backlog_bytes"]) == (7, 70)


def test_queues_and_deliveries_are_told() -> None:
    """A counter for each destination and outcome; no age where nothing waits."""
    deliveries = DeliveryCounts()
    deliveries.count(SCOPE, ARN, Delivery.FAILED)
    found = samples(exposed(deliveries=deliveries))
    labels = 'account="111122223333",kind="sqs",queue="orders",region="eu-west-1"'
    for state, count in (("waiting", 1), ("delayed", 2), ("in_flight", 3)):
        assert found[f'lambent_queue_events{{{labels},state="{state}"}}'] == count
    assert [name for name in found if "oldest_age" in name] == [f"lambent_queue_oldest_age_seconds{{{labels}}}"]
    for outcome, count in (("delivered", 0), ("failed", 1), ("given_up", 0)):
        name = f'account="111122223333",destination="{ARN}",outcome="{outcome}",region="eu-west-1"'
        assert found[f"lambent_deliveries_total{{{name}}}"] == count


def test_mappings_beyond_the_limit_have_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are summed; of their ages the greatest counts."""
    monkeypatch.setattr(exposition, "MAPPINGS_MAX", 1)
    mappings = [
        MappingView("c", 2, 7.0, {"PolledEventCount": 5}),
        MappingView("a", 1, None, {"PolledEventCount": 3}),
        MappingView("b", 4, 9.0, None),
    ]
    found = samples(exposed(mappings=mappings))
    assert found['lambent_event_source_batches_in_flight{mapping="a"}'] == 1
    assert found['lambent_event_source_batches_in_flight{mapping=""}'] == 6
    assert found['lambent_event_source_iterator_age_seconds{mapping=""}'] == 9
    assert found['lambent_event_source_mapping_events_total{mapping="",metric="PolledEventCount"}'] == 5


def test_rows_have_all_that_is_known_of_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts and environments together; who has no name is one row."""
    monkeypatch.setattr(figures, "FUNCTIONS_MAX", 1)
    of = used()
    of.of(SCOPE, "g").ended(1.0, None, has_failed=False)
    others, f = exposed(of).functions()
    assert (others.name, others.invocations, others.starting, others.memory_max_mib) == ("", 1, 1, 256)
    assert (f.name, f.invocations, f.errors, f.throttles, f.cold_starts) == ("f", 2, 1, 4, 1)
    assert (f.busy, f.idle, f.starting, f.memory_mib, f.memory_max_mib) == (1, 1, 0, 90, 256)
    assert (sum(f.durations), f.duration_ms) == (2, 42.0)


def test_the_dashboard_asks_for_nothing_that_is_not_told() -> None:
    """Neither for another name nor for another label; and it shows all that is told."""
    deliveries = DeliveryCounts()
    deliveries.count(SCOPE, ARN, Delivery.FAILED)
    mappings = [MappingView("a", 1, 1.0, {"PolledEventCount": 3})]
    labels: dict[str, set[str]] = {}
    for sample in samples(exposed(used(), deliveries, mappings=mappings)):
        name, _, rest = sample.partition("{")
        # What a scrape adds to every sample.
        labels.setdefault(name, {"job", "instance"}).update(re.findall(r'([a-z_]+)="', rest))
    asked: set[str] = set()
    for query in _queries(json.loads(DASHBOARD.read_text())):
        for name, selector in re.findall(r"\b(lambent_\w+)(?:\{([^}]*)\})?", query):
            assert name in labels, query
            asked.add(name)
            wanted = set(re.findall(r'([a-z_]+)=~?"', selector))
            if f"label_values({name}" in query:
                wanted.add(query.rpartition(",")[2].strip(" )"))
            for grouped in re.findall(r"by \(([^)]*)\)", query):
                # A query may ask for several names, each of which has what it is grouped by.
                wanted.update(part.strip() for part in grouped.split(","))
            assert wanted <= labels[name], query
    told = {re.sub(r"_(bucket|sum|count)$", "", name) for name in labels}
    assert told == {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}


def _queries(part: Any) -> Iterator[str]:
    """Iterate over everything in a dashboard that is sent to Prometheus."""
    if isinstance(part, dict):
        yield from (part[key] for key in ("expr", "definition") if key in part)
        for value in part.values():
            yield from _queries(value)
    elif isinstance(part, list):
        for value in part:
            yield from _queries(value)
