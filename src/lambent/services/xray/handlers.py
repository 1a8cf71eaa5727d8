"""The handlers of the X-Ray API, put together from its resources."""

from lambent.clock import Clock
from lambent.services.operation import Handler, collect_handlers
from lambent.services.xray.graphs import Graphs
from lambent.services.xray.groups import Groups
from lambent.services.xray.reading import TraceReader
from lambent.services.xray.sampling_rules import SamplingRules
from lambent.services.xray.sampling_targets import SamplingTargets
from lambent.services.xray.segments import TraceSegments
from lambent.services.xray.surroundings import Surroundings
from lambent.services.xray.tags import Tags
from lambent.services.xray.traces import Traces
from lambent.store.traces_contract import TraceSettings, TraceStore


def make_handlers(store: TraceStore, settings: TraceSettings, clock: Clock) -> dict[str, Handler]:
    """Return every handler by the operation that it answers."""
    reader = TraceReader(store)
    return collect_handlers(
        TraceSegments(store),
        Traces(store, settings, reader),
        Graphs(store, settings, reader),
        SamplingRules(settings, clock),
        SamplingTargets(settings, clock),
        Groups(settings, clock),
        Tags(settings),
        Surroundings(settings),
    )
