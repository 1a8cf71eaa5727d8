"""What tests of the CloudWatch API for metrics are told on: its operations on a real store, and a clock."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lambent.domain.caller import Caller, Scope
from lambent.domain.principal import root_of
from lambent.errors.families import ApiError
from lambent.services.monitoring.dashboards import Dashboards
from lambent.services.monitoring.metric_data import MetricData
from lambent.services.monitoring.metric_lists import MetricLists
from lambent.services.monitoring.metric_queries import MetricQueries
from lambent.services.monitoring.metric_reading import MetricReading
from lambent.services.operation import collect_handlers
from lambent.store.dashboards import DashboardRepository
from lambent.store.database import Database
from lambent.store.metrics import MetricRepository
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("111122223333", "eu-west-1")
NOW_S = 1_795_000_020
"""The begin of a minute."""


class Stage:
    """Calls operations as a caller of one account."""

    def __init__(self, database: Database) -> None:
        self.clock = VirtualClock(now=NOW_S + 30.0)
        self.settled = 0
        self.store = MetricRepository(database)
        self._handlers = collect_handlers(
            MetricData(self.store, self.clock),
            MetricReading(MetricQueries(self.store), self._settle, self.clock),
            MetricLists(self.store, self._settle, self.clock),
            Dashboards(DashboardRepository(database), self.clock),
        )

    async def _settle(self) -> None:
        self.settled += 1

    async def call(self, operation: str, scope: Scope = SCOPE, **request: Any) -> Mapping[str, Any]:
        caller = Caller(scope, root_of(scope.account), "none", "the-id", "http://x")
        return await self._handlers[operation](caller, request)

    async def put(self, *data: Mapping[str, Any], namespace: str = "N") -> None:
        await self.call("PutMetricData", Namespace=namespace, MetricData=list(data))

    async def refusal(self, operation: str, **request: Any) -> tuple[str, str]:
        with pytest.raises(ApiError) as refused:
            await self.call(operation, **request)
        return refused.value.code, refused.value.message

    async def data(self, *queries: Mapping[str, Any], minutes: int = 10, **request: Any) -> Mapping[str, Any]:
        """Ask for the last minutes, oldest first."""
        asked = {"ScanBy": "TimestampAscending", "StartTime": at(-minutes), "EndTime": at(1)} | request
        return await self.call("GetMetricData", MetricDataQueries=list(queries), **asked)


def at(minutes: float) -> datetime:
    """Return the time so many minutes after now."""
    return datetime.fromtimestamp(NOW_S + minutes * 60, UTC)


def stat(name: str = "m", stat: str = "Sum", period_s: int = 60, id: str = "q", **other: Any) -> dict[str, Any]:
    """Return a query of a metric without dimensions."""
    metric = {"Namespace": "N", "MetricName": name}
    unit = {"Unit": other.pop("Unit")} if "Unit" in other else {}
    return {"Id": id, "MetricStat": {"Metric": metric, "Period": period_s, "Stat": stat, **unit}, **other}


def play(tmp_path: Path, story: Callable[[Stage], Awaitable[None]]) -> None:
    """Tell a story on a stage of its own."""

    async def told() -> None:
        make_sqlite(tmp_path / "state.db")
        async with Database(tmp_path / "state.db") as database:
            await story(Stage(database))

    asyncio.run(told())
