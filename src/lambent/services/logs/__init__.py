"""
The CloudWatch Logs API, 2014-03-28: what readers of function logs need.

In: a caller and validated parameters. Out: output shapes as plain mappings. Never: HTTP, SQL, segment files.
"""

from collections.abc import Awaitable, Callable

from lambent.errors.api.logs import InvalidParameterException
from lambent.services.logs.demands import DEMANDS
from lambent.services.logs.events import LogEvents
from lambent.services.logs.groups import LogGroups
from lambent.services.logs.not_offered import NOT_OFFERED
from lambent.services.logs.streams import LogStreams
from lambent.services.operation import Service, collect_handlers
from lambent.store.contract import LogStore


def service(store: LogStore, fold: Callable[[], Awaitable[None]], *working: object) -> Service:
    """
    Put the Logs service together from its resources.

    Args:
        fold: brings what functions have written so far into `store`; awaited before anything is read or deleted.
        working: further resources, which whoever made them also has at work.
    """
    return Service(
        name="logs",
        handlers=collect_handlers(LogGroups(store, fold), LogStreams(store, fold), LogEvents(store, fold), *working),
        not_offered=NOT_OFFERED,
        # Observed: recordings of the service; where others answer ValidationException, Logs answers this.
        shape_violation=InvalidParameterException,
        demands=DEMANDS,
    )
