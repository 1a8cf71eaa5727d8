"""
The server's own figures as families of samples: for Prometheus, for OTLP, and by function for `lambent top`.

In: counts and states that others keep, looked at when somebody asks. Out: plain families, the text form of Prometheus.
Never: a label whose values have no bound: what is beyond a limit is summed under no name.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from lambent.domain.caller import Scope
from lambent.telemetry.deliveries import DeliveryCounts
from lambent.telemetry.figures import OTHERS, FunctionCounts, FunctionFigures, Histogram
from lambent.telemetry.queues import QueueFigures, QueueView

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

BUCKETS_MS: Final = tuple(step * 10.0**power for power in range(6) for step in (1.0, 2.5, 5.0))
"""Upper ends of what Prometheus gets, three for each power of ten; `lambent top` gets all that there are."""

MAPPINGS_MAX: Final = 1_000
"""Event source mappings that are told of by UUID; all others are one without."""

_PLACE: Final = ("account", "region")


class EnvironmentView(NamedTuple):
    """One execution environment."""

    scope: Scope
    function: str
    runtime: str
    state: str
    """`starting`, `busy` or `idle`."""
    memory_peak_mib: int
    """The most that it was seen to use; 0 before its first invocation was over."""
    memory_mib: int
    """What it may use."""


class MappingView(NamedTuple):
    """One event source mapping that is read for."""

    uuid: str
    in_flight: int
    age_s: float | None
    """How old what was run last had become; None where a queue tells of its own age."""
    counts: Mapping[str, int] | None
    """What became of its records, by AWS's names; None where nobody asks for it."""


class ServerView(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked at each time that somebody asks."""

    version: str
    sandbox: str
    started_at: float
    """Seconds since the epoch."""
    environments: Sequence[EnvironmentView]
    parked: int
    parked_mib: float
    parking_failures: int
    mappings: Sequence[MappingView]
    log_messages: int
    log_bytes: int
    log_backlog_bytes: int
    """Written, and not in the store yet."""
    log_records_dropped: int
    log_throttles: int
    """How often a function had to wait that wrote too much."""
    metric_points_dropped: int
    trace_segments_dropped: int
    """That found no room in memory, in their trace or at the collector, or were none."""
    requests_in_flight: int


class HistogramValue(msgspec.Struct, frozen=True):
    """What a histogram has come to."""

    edges: Sequence[float]
    """Ascending, in the family's unit."""
    up_to: Sequence[int]
    """How many were at most so much, by edge."""
    count: int
    total: float


class Family(NamedTuple):
    """Samples of one name. A counter's name is without `_total`."""

    name: str
    kind: str
    """`counter`, `gauge` or `histogram`."""
    text: str
    labels: Sequence[str]
    samples: Sequence[tuple[Sequence[str], float | HistogramValue]]


class FunctionRow(msgspec.Struct, frozen=True):
    """One function, for whoever looks at it again and again: counts since the start of the server."""

    account: str
    region: str
    name: str
    invocations: int
    errors: int
    throttles: int
    cold_starts: int
    durations: Sequence[int]
    """How many invocations took how long, by the bins of `EDGES_MS`, and those that took longer."""
    duration_ms: float
    """What they took together."""
    busy: int
    idle: int
    starting: int
    memory_mib: int
    """What its environments were seen to use, together."""
    memory_max_mib: int
    """What they may."""


class Exposition:
    """
    Tells what the server is at.

    Args:
        look: returns what it is at now.
        further: returns families of others.
    """

    def __init__(
        self,
        queues: QueueView,
        deliveries: DeliveryCounts,
        figures: FunctionFigures,
        look: Callable[[], ServerView],
        further: Callable[[], Sequence[Family]] = lambda: (),
    ) -> None:
        self._queues = queues
        self._deliveries = deliveries
        self._figures = figures
        self._look = look
        self._further = further

    async def families(self) -> list[Family]:
        """
        Return everything.

        Raises:
            DependencyError: the store failed.
        """
        queues = await self._queues.summed()
        view = self._look()
        return [
            *_of_server(view),
            *_of_functions(self._figures, view.environments),
            *_of_environments(view),
            *_of_queues(queues),
            _of_deliveries(self._deliveries),
            *_of_mappings(view.mappings),
            *_of_logs(view),
            *self._further(),
        ]

    async def text(self) -> bytes:
        """
        Return everything in the text form of Prometheus.

        Raises:
            DependencyError: the store failed.
        """
        # In a thread: there may be some ten thousand lines, and invocations are not to wait for them.
        return await asyncio.to_thread(to_text, await self.families())

    def functions(self) -> list[FunctionRow]:
        """Return the functions that have done anything since the start, or have an environment."""
        counts = dict(self._figures)
        of: dict[tuple[Scope, str], list[EnvironmentView]] = {}
        for one in self._look().environments:
            key = (one.scope, one.function)
            of.setdefault(key if key in counts else OTHERS, []).append(one)
        nothing = FunctionCounts()
        rows = [_row(*key, counts.get(key, nothing), of.get(key, ())) for key in {*counts, *of}]
        return sorted(rows, key=lambda row: (row.account, row.region, row.name))


def to_text(families: Iterable[Family]) -> bytes:
    """
    Return families in the text form of Prometheus, version 0.0.4.

    Not by its library, which takes twenty times as long for as many functions as have a name: a second each time that
    somebody asks.
    """
    lines: list[str] = []
    for family in families:
        name = f"{family.name}_total" if family.kind == "counter" else family.name
        told = family.text.replace("\\", "\\\\").replace("\n", "\\n")
        lines += (f"# HELP {name} {told}", f"# TYPE {name} {family.kind}")
        order = sorted(range(len(family.labels)), key=family.labels.__getitem__)
        for values, value in family.samples:
            labels = ",".join(f'{family.labels[number]}="{_escaped(values[number])}"' for number in order)
            if isinstance(value, HistogramValue):
                _write_histogram(lines, name, labels, value)
            else:
                lines.append(f"{name}{{{labels}}} {float(value)}" if labels else f"{name} {float(value)}")
    lines.append("")
    return "\n".join(lines).encode()


def _write_histogram(lines: list[str], name: str, labels: str, value: HistogramValue) -> None:
    before, braced = (f"{labels},", f"{{{labels}}}") if labels else ("", "")
    for edge, up_to in zip(value.edges, value.up_to, strict=True):
        lines.append(f'{name}_bucket{{{before}le="{edge:g}"}} {float(up_to)}')
    lines += (
        f'{name}_bucket{{{before}le="+Inf"}} {float(value.count)}',
        f"{name}_count{braced} {float(value.count)}",
        f"{name}_sum{braced} {float(value.total)}",
    )


def _escaped(value: str) -> str:
    if value.isalnum():
        return value
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _row(scope: Scope, name: str, counts: FunctionCounts, environments: Sequence[EnvironmentView]) -> FunctionRow:
    states = Counter(one.state for one in environments)
    return FunctionRow(
        scope.account,
        scope.region,
        name,
        counts.durations.count,
        counts.errors,
        counts.throttles,
        counts.cold_starts,
        tuple(counts.durations.bins),
        round(counts.durations.total_ms, 3),
        states["busy"],
        states["idle"],
        states["starting"],
        sum(one.memory_peak_mib for one in environments),
        sum(one.memory_mib for one in environments),
    )


def _of_server(view: ServerView) -> list[Family]:
    build = [((view.version, view.sandbox), 1.0)]
    return [
        Family("lambent_build_info", "gauge", "The server's version and sandbox.", ("version", "sandbox"), build),
        _single("lambent_start_time_seconds", "When the server started, since the epoch.", view.started_at),
        _single("lambent_requests_in_flight", "Requests that the gateway answers now.", view.requests_in_flight),
    ]


def _of_functions(figures: FunctionFigures, environments: Sequence[EnvironmentView]) -> list[Family]:
    labels = (*_PLACE, "function")
    found = [((scope.account, scope.region, name), counts) for (scope, name), counts in figures]
    names = {named for named, _ in found}
    in_flight: Counter[tuple[str, str, str]] = Counter()
    for one in environments:
        named = (one.scope.account, one.scope.region, one.function)
        in_flight[named if named in names else ("", "", "")] += one.state != "idle"
    starts = Histogram()
    for _, counts in found:
        starts.merge(counts.inits)

    def counted(name: str, text: str, count: Callable[[FunctionCounts], int]) -> Family:
        return Family(name, "counter", text, labels, [(named, count(counts)) for named, counts in found])

    return [
        counted("lambent_invocations", "Invocations that are over.", lambda one: one.durations.count),
        counted("lambent_invocation_errors", "Those that failed.", lambda one: one.errors),
        counted("lambent_invocation_throttles", "Invocations that a limit refused.", lambda one: one.throttles),
        counted("lambent_cold_starts", "Invocations that an environment was started for.", lambda one: one.cold_starts),
        Family(
            "lambent_invocation_duration_seconds",
            "histogram",
            "How long handlers ran, as REPORT has it.",
            labels,
            [(named, _seconds(counts.durations)) for named, counts in found],
        ),
        Family(
            "lambent_init_duration_seconds",
            "histogram",
            "How long the inits and restores took that an invocation waited for, of all functions.",
            (),
            [((), _seconds(starts))],
        ),
        Family(
            "lambent_invocations_in_flight",
            "gauge",
            "Environments of a function that run an invocation, or are started for one.",
            labels,
            [(named, in_flight[named]) for named in sorted({*names, *in_flight})],
        ),
    ]


def _of_environments(view: ServerView) -> list[Family]:
    states: Counter[tuple[str, str]] = Counter()
    memory: Counter[tuple[str, str]] = Counter()
    for runtime in {one.runtime for one in view.environments}:
        # A state that none is in any more is 0, and no gap.
        states.update({(runtime, state): 0 for state in ("starting", "busy", "idle")})
    for one in view.environments:
        states[one.runtime, one.state] += 1
        memory[one.runtime, "peak"] += one.memory_peak_mib << 20
        memory[one.runtime, "limit"] += one.memory_mib << 20
    return [
        Family(
            "lambent_environments",
            "gauge",
            "Execution environments, by what they do.",
            ("runtime", "state"),
            sorted(states.items()),
        ),
        Family(
            "lambent_environment_memory_bytes",
            "gauge",
            "What environments were seen to use at most, and what they may use, together.",
            ("runtime", "kind"),
            sorted(memory.items()),
        ),
        _single("lambent_parked_environments", "Environments that are made and blank.", view.parked),
        _single("lambent_parked_memory_bytes", "What they are taken to cost.", round(view.parked_mib * (1 << 20))),
        _total("lambent_parking_failures", "Environments that could not be parked, or died so.", view.parking_failures),
    ]


def _of_queues(queues: Sequence[QueueFigures]) -> list[Family]:
    labels = ("kind", *_PLACE, "queue")
    named = [((queue.kind, queue.account, queue.region, queue.name), queue) for queue in queues]
    return [
        Family(
            "lambent_queue_events",
            "gauge",
            "Events and messages that a queue holds, by what they wait for.",
            (*labels, "state"),
            [
                ((*name, state), getattr(queue, state))
                for name, queue in named
                for state in ("waiting", "delayed", "in_flight")
            ],
        ),
        Family(
            "lambent_queue_oldest_age_seconds",
            "gauge",
            "Age of the event that has waited longest.",
            labels,
            [(name, queue.oldest_age_s) for name, queue in named if queue.oldest_age_s is not None],
        ),
    ]


def _of_deliveries(deliveries: DeliveryCounts) -> Family:
    return Family(
        "lambent_deliveries",
        "counter",
        "Attempts to deliver records, dead letters and events of buckets since the start, by what came of them.",
        (*_PLACE, "destination", "outcome"),
        [
            ((scope.account, scope.region, arn, outcome.value), count)
            for (scope, arn), counts in deliveries.all().items()
            for outcome, count in counts.items()
        ],
    )


def _of_mappings(mappings: Sequence[MappingView]) -> list[Family]:
    in_flight: Counter[tuple[str]] = Counter()
    events: Counter[tuple[str, str]] = Counter()
    ages: dict[tuple[str], float] = {}
    for number, one in enumerate(sorted(mappings, key=lambda one: one.uuid)):
        uuid = one.uuid if number < MAPPINGS_MAX else ""
        in_flight[(uuid,)] += one.in_flight
        if one.age_s is not None:
            ages[(uuid,)] = max(one.age_s, ages.get((uuid,), 0.0))
        for name, count in (one.counts or {}).items():
            events[uuid, name] += count
    return [
        Family(
            "lambent_event_source_mapping_events",
            "counter",
            "What became of the records of mappings with MetricsConfig, by AWS's names, since their pollers began.",
            ("mapping", "metric"),
            list(events.items()),
        ),
        Family(
            "lambent_event_source_batches_in_flight",
            "gauge",
            "Batches of a mapping that its function works on.",
            ("mapping",),
            list(in_flight.items()),
        ),
        Family(
            "lambent_event_source_iterator_age_seconds",
            "gauge",
            "Of a stream: how old the last record was of the batch that was run last, when it was.",
            ("mapping",),
            list(ages.items()),
        ),
    ]


def _of_logs(view: ServerView) -> list[Family]:
    return [
        _total("lambent_log_messages", "Log events written.", view.log_messages),
        _total("lambent_log_bytes", "What they took in segment files.", view.log_bytes),
        _total("lambent_log_records_dropped", "Records that the disk did not take.", view.log_records_dropped),
        _total("lambent_log_throttles", "Times that a function which logs too much had to wait.", view.log_throttles),
        _single("lambent_log_backlog_bytes", "Written, and not in the store yet.", view.log_backlog_bytes),
        _total("lambent_metric_points_dropped", "Points that found no room, or no store.", view.metric_points_dropped),
        _total(
            "lambent_trace_segments_dropped", "Segments without room, or that were none.", view.trace_segments_dropped
        ),
    ]


def _single(name: str, text: str, value: float) -> Family:
    return Family(name, "gauge", text, (), [((), value)])


def _total(name: str, text: str, value: float) -> Family:
    return Family(name, "counter", text, (), [((), value)])


def _seconds(histogram: Histogram) -> HistogramValue:
    return HistogramValue(
        [edge / 1000 for edge in BUCKETS_MS], histogram.up_to(BUCKETS_MS), histogram.count, histogram.total_ms / 1000
    )
