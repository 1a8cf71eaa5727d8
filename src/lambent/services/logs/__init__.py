"""
The CloudWatch Logs API, 2014-03-28: what readers and writers of function logs need.

In: a caller and validated parameters. Out: output shapes as plain mappings. Never: HTTP, SQL, segment files.
"""

from collections.abc import Awaitable, Callable, Sequence

from lambent.clock import Clock
from lambent.errors.api.logs import InvalidParameterException
from lambent.services.logs.demands import DEMANDS
from lambent.services.logs.events import LogEvents
from lambent.services.logs.filters import FilterAccess
from lambent.services.logs.group_settings import LogGroupSettings
from lambent.services.logs.groups import LogGroups
from lambent.services.logs.metric_filters import MetricFilters
from lambent.services.logs.not_offered import NOT_OFFERED
from lambent.services.logs.resource_policies import LogResourcePolicies
from lambent.services.logs.streams import LogStreams
from lambent.services.logs.subscription_filters import Destinations, SubscriptionFilters
from lambent.services.logs.tags import LogTags
from lambent.services.logs.writing import LogWriting, PutEvents
from lambent.services.operation import Service, collect_handlers
from lambent.store.contract import LogStore


def service(
    store: LogStore,
    fold: Callable[[], Awaitable[None]],
    put: PutEvents,
    clock: Clock,
    *,
    filters: FilterAccess,
    destinations: Destinations,
    retention_days: int | None = None,
    readers: Sequence[object] = (),
) -> Service:
    """
    Put the Logs service together from its resources.

    Args:
        fold: brings what functions have written so far into `store`; awaited before anything is read or deleted.
        put: stores events of other writers.
        filters: where filters of groups are kept.
        destinations: tells which functions may subscribe.
        retention_days: of groups that are made by hand; None for ever.
        readers: the resources of queries and live tails, which whoever made them also has at work.
    """
    return Service(
        name="logs",
        handlers=collect_handlers(
            LogGroups(store, fold, filters.filters),
            LogGroupSettings(store, fold, clock, retention_days),
            LogTags(store, fold),
            LogStreams(store, fold),
            LogEvents(store, fold),
            LogWriting(store, put, clock),
            LogResourcePolicies(store, clock),
            MetricFilters(filters),
            SubscriptionFilters(filters, destinations),
            *readers,
        ),
        not_offered=NOT_OFFERED,
        # Observed: recordings of the service; where others answer ValidationException, Logs answers this.
        shape_violation=InvalidParameterException,
        demands=DEMANDS,
    )
