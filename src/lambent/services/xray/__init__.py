"""
The X-Ray API, 2016-04-12: segments are written, traces are searched and read, sampling is ruled.

In: a caller and validated parameters. Out: output shapes as plain mappings. Never: HTTP, SQL; nor how traces of
functions come to be, which `telemetry` knows.
"""

from lambent.clock import Clock
from lambent.errors.api.xray import InvalidRequestException
from lambent.services.operation import Service, collect_handlers
from lambent.services.xray.demands import DEMANDS
from lambent.services.xray.graphs import Graphs
from lambent.services.xray.groups import Groups
from lambent.services.xray.not_offered import NOT_OFFERED
from lambent.services.xray.reading import TraceReader
from lambent.services.xray.sampling_rules import SamplingRules
from lambent.services.xray.sampling_targets import SamplingTargets
from lambent.services.xray.segments import TraceSegments
from lambent.services.xray.surroundings import Surroundings
from lambent.services.xray.tags import Tags
from lambent.services.xray.traces import Traces
from lambent.store.traces_contract import TraceSettings, TraceStore


def service(store: TraceStore, settings: TraceSettings, clock: Clock) -> Service:
    """Put the X-Ray service together from its resources."""
    reader = TraceReader(store)
    return Service(
        name="xray",
        handlers=collect_handlers(
            TraceSegments(store),
            Traces(store, settings, reader),
            Graphs(store, settings, reader),
            SamplingRules(settings, clock),
            SamplingTargets(settings, clock),
            Groups(settings, clock),
            Tags(settings),
            Surroundings(settings),
        ),
        not_offered=NOT_OFFERED,
        # Documented: X-Ray API reference: of the errors of every operation it is the one of a bad request.
        shape_violation=InvalidRequestException,
        demands=DEMANDS,
    )
