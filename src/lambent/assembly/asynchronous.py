"""What runs events, and takes the news of them where it belongs."""

import asyncio
import os
from collections.abc import Coroutine
from typing import Any

from lambent.assembly.tasks import logged, supervise
from lambent.clock import Clock
from lambent.destinations.bucket import BucketDestination
from lambent.destinations.contract import Destination, Destinations
from lambent.destinations.function import FunctionDestination
from lambent.destinations.queue import QueueDestination
from lambent.dispatch.async_invocations import AsyncInvocations
from lambent.dispatch.dispatcher import Dispatcher
from lambent.dispatch.outbox import Outbox
from lambent.neighbours.client import Neighbours
from lambent.services.lambda_.role_checks import DeliveryRights, TargetRights
from lambent.services.s3.buckets import Buckets
from lambent.services.s3.notifications import BucketNotifications
from lambent.services.sqs.door import Door
from lambent.settings import (
    ApiSettings,
)
from lambent.store.contract import EventQueue
from lambent.store.functions import FunctionRepository
from lambent.telemetry.deliveries import DeliveryCounts
from lambent.telemetry.lambda_metrics import LambdaMetrics


class Asynchronous:
    """What runs events, and takes the news of them where it belongs."""

    def __init__(
        self,
        settings: ApiSettings,
        queue: EventQueue,
        door: Door,
        neighbours: Neighbours,
        store: FunctionRepository,
        dispatcher: Dispatcher,
        rights: TargetRights,
        tasks: asyncio.TaskGroup,
        clock: Clock,
        metrics: LambdaMetrics,
    ) -> None:
        self._tasks, self._clock = tasks, clock
        scale = settings.async_time_scale
        self.events = AsyncInvocations(
            queue,
            store,
            dispatcher,
            clock,
            most=settings.async_invocations_max,
            processors=os.cpu_count() or 1,
            time_scale=scale,
            spawn=self._spawn,
            metrics=metrics,
        )
        targets: dict[str, Destination] = {
            "lambda": FunctionDestination(self.events, clock),
            "sqs": QueueDestination(door),
        }
        self.deliveries = DeliveryCounts()
        self.notifications = BucketNotifications(store, targets, self.deliveries, clock)
        buckets = BucketDestination(Buckets(neighbours, self.notifications, clock))
        self.destinations: Destinations = {**targets, "s3": buckets}
        self.outbox = Outbox(
            queue,
            self.destinations,
            DeliveryRights(rights, dispatcher),
            self.deliveries,
            clock,
            time_scale=scale,
            spawn=self._spawn,
            metrics=metrics,
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        return self._tasks.create_task(logged(work))

    def start(self) -> list["asyncio.Task[None]"]:
        """Begin all that goes on for as long as the server does."""
        work = {
            "asynchronous invocations": self.events.run,
            "leases of events": self.events.keep_leases,
            "deliveries": self.outbox.run,
            "leases of deliveries": self.outbox.keep_leases,
        }
        return [self._tasks.create_task(supervise(name, one, self._clock)) for name, one in work.items()]

    async def close(self) -> None:
        """Leave what still goes on to the next start."""
        await self.events.close()
        await self.outbox.close()
