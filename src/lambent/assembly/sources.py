"""What reads the sources of event source mappings."""

import asyncio
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lambent.access.authorize import Authorizer
from lambent.assembly.tasks import logged, supervise
from lambent.clock import Clock
from lambent.dispatch.dispatcher import Dispatcher
from lambent.domain.quotas import Quotas
from lambent.event_sources.contract import EventSources, PollerView
from lambent.event_sources.dynamodb_reader import DynamoDBReader
from lambent.event_sources.kinesis_reader import KinesisReader
from lambent.event_sources.role_guard import GuardedReader
from lambent.event_sources.sqs import SqsSource
from lambent.event_sources.stream_reader import StreamReader
from lambent.event_sources.stream_shared import StreamShared
from lambent.event_sources.stream_source import StreamSource
from lambent.event_sources.supervisor import Supervisor
from lambent.neighbours.client import Neighbours
from lambent.services.sqs import SimpleQueues
from lambent.services.sqs.elsewhere import QueuesElsewhere
from lambent.settings import (
    ApiSettings,
)
from lambent.store.contract import EventQueue, StreamPositions
from lambent.store.functions import FunctionRepository
from lambent.telemetry.exposition import MappingView
from lambent.telemetry.sampling import MappingCounts

if TYPE_CHECKING:
    from lambent.assembly.telemetry import Telemetry


class Sources:
    """What reads the sources of event source mappings, by the service in a source's ARN."""

    def __init__(
        self,
        settings: ApiSettings,
        queue: EventQueue,
        queues: SimpleQueues,
        elsewhere: QueuesElsewhere,
        neighbours: Neighbours,
        positions: StreamPositions,
        store: FunctionRepository,
        dispatcher: Dispatcher,
        authorizer: Authorizer,
        quotas: Quotas,
        tasks: asyncio.TaskGroup,
        clock: Clock,
        telemetry: "Telemetry",
    ) -> None:
        self._tasks, self._clock = tasks, clock
        readers: Mapping[str, StreamReader] = {
            "kinesis": KinesisReader(neighbours, clock),
            "dynamodb": DynamoDBReader(neighbours),
        }
        if authorizer.is_on:
            readers = {name: GuardedReader(reader, dispatcher, authorizer) for name, reader in readers.items()}
        shared = StreamShared(
            positions,
            queue,
            dispatcher,
            quotas,
            clock,
            batches_max=settings.event_source_batches_max,
            spawn=lambda work: tasks.create_task(logged(work)),
            metrics=telemetry.of_functions,
        )
        self.streams = {service: StreamSource(reader, shared, store) for service, reader in readers.items()}
        self._sources: EventSources = {
            **self.streams,
            "sqs": SqsSource(
                queue,
                queues.sources,
                elsewhere,
                queues.handles,
                store,
                dispatcher,
                quotas,
                clock,
                batches_max=settings.event_source_batches_max,
                processors=os.cpu_count() or 1,
                spawn=lambda work: tasks.create_task(logged(work)),
                of_functions=telemetry.of_functions,
                of_queues=telemetry.of_queues,
            ),
        }
        self._supervisor = Supervisor(store, self._sources, clock)
        telemetry.sample(dispatcher, self, queue)

    def start(self) -> "asyncio.Task[None]":
        """Begin to follow the mappings, for as long as the server runs."""
        return self._tasks.create_task(supervise("event source mappings", self._supervisor.run, self._clock))

    def pollers(self) -> list[PollerView]:
        """Return what is read for now, of all services."""
        return [poller for source in self._sources.values() for poller in source.pollers()]

    def views(self) -> list[MappingView]:
        """Return them as metrics tell of them."""
        return [
            MappingView(
                poller.mapping.uuid,
                poller.in_flight,
                None if poller.mapping.stream is None else poller.counts.age_s,
                poller.counts.by_metric() if poller.mapping.metrics else None,
            )
            for poller in self.pollers()
        ]

    def counts_of_mappings(self) -> MappingCounts:
        """Return what became of the records of each mapping that has them counted, by AWS's names."""
        return {
            (poller.mapping.scope, poller.mapping.uuid): poller.counts.by_metric()
            for poller in self.pollers()
            if poller.mapping.metrics
        }

    async def stop(self) -> None:
        """Read no more."""
        for source in self._sources.values():
            await source.stop()

    async def close(self) -> None:
        """Leave what still goes on to the next start."""
        for source in self._sources.values():
            await source.close()
