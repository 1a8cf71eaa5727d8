"""What the Logs service answers, and what it says of the rest."""

import botocore.session

from lambent.services.logs import (
    events,
    group_settings,
    groups,
    live_tail,
    log_records,
    metric_filters,
    queries,
    query_definitions,
    resource_policies,
    streams,
    subscription_filters,
    tags,
    writing,
)
from lambent.services.logs.not_offered import NOT_OFFERED


def test_handlers_and_refusals_are_the_model() -> None:
    """Every operation of the service model is answered or refused with a reason, none both."""
    model = set(botocore.session.get_session().get_service_model("logs").operation_names)
    resources = (
        groups.LogGroups,
        group_settings.LogGroupSettings,
        tags.LogTags,
        streams.LogStreams,
        events.LogEvents,
        writing.LogWriting,
        resource_policies.LogResourcePolicies,
        metric_filters.MetricFilters,
        subscription_filters.SubscriptionFilters,
        queries.LogQueries,
        log_records.LogRecords,
        query_definitions.SavedQueries,
        live_tail.LiveTails,
    )
    offered = {
        operation
        for resource in resources
        for method in vars(resource).values()
        if (operation := getattr(method, "__operation__", None)) is not None
    }
    assert offered.isdisjoint(NOT_OFFERED)
    assert offered | set(NOT_OFFERED) == model
