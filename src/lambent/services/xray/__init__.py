"""
The X-Ray API, 2016-04-12: segments are written, traces are searched and read, sampling is ruled.

In: a caller and validated parameters. Out: output shapes as plain mappings. Never: HTTP, SQL; nor how traces of
functions come to be, which `telemetry` knows.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.errors.api.xray import InvalidRequestException
from lambent.services.operation import Handler, Service
from lambent.services.xray.demands import DEMANDS
from lambent.services.xray.not_offered import NOT_OFFERED
from lambent.store.traces_contract import TraceSettings, TraceStore

_READS = frozenset(
    {"BatchGetTraces", "GetServiceGraph", "GetTimeSeriesServiceStatistics", "GetTraceGraph", "GetTraceSummaries"}
)
"""Operations that look at traces."""


def service(
    store: TraceStore, settings: TraceSettings, clock: Clock, settle: Callable[[], Awaitable[None]] | None = None
) -> Service:
    """
    Put the X-Ray service together.

    Args:
        settle: returns once what was left of functions is in the store; None: nothing is left elsewhere.

    What answers is loaded by the first request: a server that nobody asks for traces does without half a MiB of it.
    """
    loaded: dict[str, Handler] = {}

    def later(operation: str) -> Handler:
        async def answer(caller: Caller, request: Any) -> Mapping[str, Any]:
            if not loaded:
                from lambent.services.xray.handlers import make_handlers

                loaded.update(make_handlers(store, settings, clock))
            if settle is not None and operation in _READS:
                await settle()
            return await loaded[operation](caller, request)

        return answer

    return Service(
        name="xray",
        # Every operation that is offered says what it demands, and nothing else does: a tidy test sees to it.
        handlers={operation: later(operation) for operation in DEMANDS},
        not_offered=NOT_OFFERED,
        # Documented: X-Ray API reference: of the errors of every operation it is the one of a bad request.
        shape_violation=InvalidRequestException,
        demands=DEMANDS,
    )
