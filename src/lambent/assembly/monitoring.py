"""What answers for metrics and alarms."""

from collections.abc import Awaitable, Callable, Mapping

from lambent.assembly.asynchronous import Asynchronous
from lambent.assembly.telemetry import Telemetry
from lambent.clock import Clock
from lambent.services import monitoring
from lambent.services.monitoring.alarm_actions import AlarmActions
from lambent.services.monitoring.alarm_evaluator import AlarmEvaluator
from lambent.services.monitoring.alarm_queries import AlarmReader
from lambent.services.monitoring.alarm_transitions import Transitions
from lambent.settings import (
    ApiSettings,
)
from lambent.store.alarms import AlarmRepository
from lambent.store.dashboards import DashboardRepository
from lambent.store.database import Database
from lambent.store.functions import FunctionRepository


class Monitoring:
    """What answers for metrics and alarms, looks at these, and does what is to be done because of them."""

    def __init__(
        self,
        settings: ApiSettings,
        database: Database,
        telemetry: Telemetry,
        functions: FunctionRepository,
        asynchronous: Asynchronous,
        clock: Clock,
    ) -> None:
        store, metrics = AlarmRepository(database), telemetry.metric_store
        transitions = Transitions(clock)
        self.service = monitoring.service(
            metrics,
            DashboardRepository(database),
            store,
            transitions,
            telemetry.settle,
            clock,
            accept_inert=settings.accept_inert,
        )
        self._evaluator = AlarmEvaluator(store, AlarmReader(metrics), transitions, telemetry.settle, clock)
        self._actions = AlarmActions(
            store, functions, asynchronous.destinations, transitions, asynchronous.deliveries, clock
        )

    def work(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """Return by name all that goes on for as long as the server does."""
        return {**self._evaluator.work(), "actions of alarms": self._actions.run}
