"""
The CloudWatch API, 2010-08-01: metrics that clients put and read, dashboards, and alarms that start functions. Its
requests are signed for `monitoring`.

In: a caller and validated parameters. Out: output shapes as plain mappings. Never: HTTP, SQL.
"""

from lambent.clock import Clock
from lambent.services.monitoring.alarm_history import AlarmHistory
from lambent.services.monitoring.alarm_listing import AlarmListing
from lambent.services.monitoring.alarm_tags import AlarmTags
from lambent.services.monitoring.alarm_transitions import Transitions
from lambent.services.monitoring.alarms import Alarms
from lambent.services.monitoring.dashboards import Dashboards
from lambent.services.monitoring.demands import DEMANDS
from lambent.services.monitoring.metric_data import MetricData
from lambent.services.monitoring.metric_lists import MetricLists
from lambent.services.monitoring.metric_queries import MetricQueries
from lambent.services.monitoring.metric_reading import MetricReading
from lambent.services.monitoring.not_offered import NOT_OFFERED
from lambent.services.monitoring.refusals import shape_violation
from lambent.services.monitoring.settling import Settle
from lambent.services.operation import BodyLimit, Service, collect_handlers
from lambent.store.alarms_contract import AlarmStore
from lambent.store.metrics_contract import DashboardStore, MetricStore

_BODY = BodyLimit(1_048_576, 1_048_576)
"""Documented: CloudWatch user guide, quotas: 1 MB, as it is sent."""
_UNPACKED_MAX_BYTES = 6 << 20
"""Assumed: a thousand data of 150 values with their counts in JSON or CBOR, twice (test_metrics_api)."""


def service(
    store: MetricStore,
    dashboards: DashboardStore,
    alarms: AlarmStore,
    transitions: Transitions,
    settle: Settle,
    clock: Clock,
    *,
    accept_inert: bool,
) -> Service:
    """
    Put the CloudWatch service together.

    Args:
        settle: awaited before anything is read.
        accept_inert: whether to keep actions of alarms that nothing here does.
    """
    return Service(
        name="cloudwatch",
        handlers=collect_handlers(
            MetricData(store, clock),
            MetricReading(MetricQueries(store), settle, clock),
            MetricLists(store, settle, clock),
            Dashboards(dashboards, clock),
            Alarms(alarms, transitions, clock, accept_inert=accept_inert),
            AlarmListing(alarms),
            AlarmHistory(alarms),
            AlarmTags(alarms),
        ),
        not_offered=NOT_OFFERED,
        shape_violation=shape_violation,
        demands=DEMANDS,
        default_body_limit=_BODY,
        unpacked_max_bytes=_UNPACKED_MAX_BYTES,
    )
