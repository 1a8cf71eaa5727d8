"""
The SQS API, 2012-11-05: a second door to the event queue, which keeps the messages.

In: a caller and validated parameters. Out: output shapes as plain mappings. Never: HTTP, SQL, a look at the store while
somebody waits.
"""

import re

from lambent.access.authorize import Authorizer, Everything
from lambent.clock import Clock
from lambent.errors.api.sqs import MissingRequiredParameterException
from lambent.errors.families import ApiError
from lambent.services.operation import Service, collect_handlers
from lambent.services.sqs.cross_account import CrossAccount
from lambent.services.sqs.dead_letters import DeadLetterSources
from lambent.services.sqs.demands import DEMANDS
from lambent.services.sqs.directory import Directory
from lambent.services.sqs.door import Door
from lambent.services.sqs.elsewhere import QueuesElsewhere
from lambent.services.sqs.facts import QueueFacts
from lambent.services.sqs.handles import Handles
from lambent.services.sqs.move_tasks import MoveTasks
from lambent.services.sqs.not_offered import NOT_OFFERED
from lambent.services.sqs.permissions import QueuePermissions
from lambent.services.sqs.queues import Queues
from lambent.services.sqs.receivers import Receivers
from lambent.services.sqs.receiving import Receiving
from lambent.services.sqs.sending import Sending
from lambent.services.sqs.source_queues import SourceQueues
from lambent.services.sqs.tags import QueueTags
from lambent.services.sqs.visibility import Visibility
from lambent.store.contract import EventQueue
from lambent.telemetry.queue_metrics import QueueMetrics

_LACKING = re.compile(r"Value null at '(?:entries\.(?P<number>\d+)\.member\.)?(?P<member>[^']+)'")


class SimpleQueues:
    """
    The service, and what of it runs beside its operations.

    Args:
        secret: the data folder's; receipt handles are signed with it.
        elsewhere: the queues of another server, which mappings may read.
        authorizer: says what roles of mappings may read; None: everything.
        receivers_max: receivers that wait at once.
        purge_wait_s: how soon a queue may be purged again.
        recreate_wait_s: how soon a queue may be made that has the name of a deleted one.
        metrics: told what goes in and out; None: nobody is.
    """

    def __init__(
        self,
        events: EventQueue,
        clock: Clock,
        secret: bytes,
        elsewhere: QueuesElsewhere,
        authorizer: Authorizer | None = None,
        *,
        receivers_max: int,
        purge_wait_s: float,
        recreate_wait_s: float,
        metrics: QueueMetrics | None = None,
    ) -> None:
        self.receivers = Receivers(clock, receivers_max)
        events.on_due(self.receivers.on_due)
        self.directory = Directory(events, self.receivers.changed)
        self.move_tasks = MoveTasks(events, self.directory, clock)
        self.door = Door(events, self.directory, clock, metrics)
        self.handles = handles = Handles(secret)
        self.facts = QueueFacts(self.directory)
        self.sources = SourceQueues(self.directory, elsewhere, authorizer or Everything(), self.facts)
        handlers = collect_handlers(
            Queues(events, self.directory, clock, purge_wait_s=purge_wait_s, recreate_wait_s=recreate_wait_s),
            QueueTags(self.directory),
            QueuePermissions(self.directory),
            Sending(events, self.directory, clock, metrics),
            Receiving(events, self.directory, self.receivers, handles, clock, metrics),
            Visibility(events, self.directory, handles, clock, metrics),
            DeadLetterSources(self.directory),
            self.move_tasks,
        )
        self.service = Service(
            name="sqs",
            handlers=CrossAccount(self.directory, clock).open(handlers),
            not_offered=NOT_OFFERED,
            shape_violation=lacking,
            demands=DEMANDS,
            facts=self.facts,
        )


def lacking(broken: str) -> ApiError:
    """
    Return the error of a request that lacks a parameter: the model of SQS has no other constraints.

    Observed: localstack/localstack tests/aws/services/sqs (recorded) for the text.
    """
    found = _LACKING.search(broken)
    assert found is not None, broken
    name = found["member"][:1].upper() + found["member"][1:]
    if found["number"] is not None:
        name = f"Entries.{found['number']}.{name}"
    return MissingRequiredParameterException(f"The request must contain the parameter {name}.")
