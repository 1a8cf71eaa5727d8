"""What the CloudWatch service answers, and what it says of the rest."""

import botocore.session

from lambent.services import monitoring
from lambent.services.monitoring.alarm_transitions import Transitions
from lambent.services.monitoring.not_offered import NOT_OFFERED
from lambent.store.alarms_contract import AlarmStore
from lambent.store.metrics_contract import DashboardStore, MetricStore
from lambent.testing.virtual_clock import VirtualClock


async def settle() -> None:
    return


class Nothing:
    """Stands for stores that nobody asks."""


def test_handlers_and_refusals_are_the_model() -> None:
    """Every operation of the service model is answered or refused with a reason, none both."""
    model = set(botocore.session.get_session().get_service_model("cloudwatch").operation_names)
    metrics: MetricStore = Nothing()  # type: ignore[assignment]
    dashboards: DashboardStore = Nothing()  # type: ignore[assignment]
    alarms: AlarmStore = Nothing()  # type: ignore[assignment]
    clock = VirtualClock()
    service = monitoring.service(metrics, dashboards, alarms, Transitions(clock), settle, clock, accept_inert=False)
    offered = set(service.handlers)
    assert offered.isdisjoint(NOT_OFFERED)
    assert offered | set(NOT_OFFERED) == model
