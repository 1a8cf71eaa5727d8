"""
Redrive tasks: they move the messages of a dead-letter queue to where these came from, or to another queue.

A task is kept with the queue that it empties, so that it goes on after a restart. Each message leaves the one queue and
enters the other in one commit: whenever the server ends, it is in exactly one of them.
"""

import asyncio
import base64
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.queue_message import pack, unpack
from lambent.errors.api.sqs import InvalidParameterValueException, QueueDoesNotExist, ResourceNotFoundException
from lambent.errors.families import DependencyError
from lambent.protocol.shapes.sqs import (
    CancelMessageMoveTaskRequest,
    ListMessageMoveTasksRequest,
    StartMessageMoveTaskRequest,
)
from lambent.services.operation import operation
from lambent.services.sqs.dead_letters import sources_of
from lambent.services.sqs.directory import Directory, MoveTask, Queue, QueueDocument
from lambent.services.sqs.naming import is_fifo, queue_arn, queue_of_arn
from lambent.services.sqs.receiving import out_of_range
from lambent.store.contract import Claim, Depth, Done, EventQueue, Extend, NewEvent, Outcome, QueueName, QueueRules

_log = logging.getLogger("lambent.services.sqs")

TASKS_KEPT = 10
"""Of one queue, the newest. Documented: SQS API reference, ListMessageMoveTasks, MaxResults."""

TASKS_MAX = 100
"""At once in one account. Documented: SQS quotas, active message move tasks."""

_AT_ONCE = 10
"""Messages of one commit. Assumed: few enough that a task leaves the queue to others."""

_LEASE_S = 60
"""How long a message stays hidden when the server ends between the two steps of its move. Assumed."""

_AGAIN_S = 1.0
"""How soon a step that failed is tried again: the destination is full, or the store failed. Assumed."""

RUNNING, COMPLETED, CANCELLED, FAILED = "RUNNING", "COMPLETED", "CANCELLED", "FAILED"

_NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"
_NO_SOURCE = "CouldNotDetermineMessageSource"


class _Handle(msgspec.Struct):
    """What a task's handle says. Assumed: the form, as emulators have it."""

    taskId: str
    sourceArn: str


class MoveTasks:
    """The operations, and the work. `run` is to be kept running."""

    def __init__(self, events: EventQueue, directory: Directory, clock: Clock) -> None:
        self._events = events
        self._directory = directory
        self._clock = clock
        self._started: asyncio.Queue[tuple[QueueName, str]] = asyncio.Queue()

    @operation("StartMessageMoveTask")
    async def start(self, caller: Caller, request: StartMessageMoveTaskRequest) -> Mapping[str, Any]:
        source = await self._queue("SourceArn", request["SourceArn"], caller)
        per_second = request.get("MaxNumberOfMessagesPerSecond", 0)
        if "MaxNumberOfMessagesPerSecond" in request and not 1 <= per_second <= 500:
            # Assumed: the text, after that of ReceiveMessage (test_move_tasks).
            raise out_of_range("MaxNumberOfMessagesPerSecond", per_second, "Must be between 1 and 500, if provided.")
        destination_arn = request.get("DestinationArn", "")
        if destination_arn:
            destination = await self._queue("DestinationArn", destination_arn, caller)
            if is_fifo(destination.name) != is_fifo(source.name):
                # Assumed: the text (test_move_tasks).
                raise out_of_range("DestinationArn", destination_arn, "It must be of the same type as the source.")
        if not await sources_of(self._directory, source.name):
            # Observed: localstack/localstack tests/aws/services/sqs (recorded), as are the other texts here.
            raise InvalidParameterValueException("Source queue must be configured as a Dead Letter Queue.")
        await self._check_room(source.name)
        depth = (await self._events.depth([source.name])).get(source.name, Depth())
        task = MoveTask(
            id=self._clock.new_id(),
            started_ms=int(self._clock.now() * 1000),
            to_move=depth.waiting + depth.delayed,
            destination_arn=destination_arn,
            per_second=per_second,
        )

        def decide(before: Queue) -> tuple[QueueRules, QueueDocument]:
            if any(known.status == RUNNING for known in before.document.move_tasks):
                raise InvalidParameterValueException(
                    "There is already a task running. Only one active task is allowed for a source queue arn at a "
                    "given time."
                )
            tasks = (task, *before.document.move_tasks)[:TASKS_KEPT]
            return before.rules, msgspec.structs.replace(before.document, move_tasks=tasks)

        await self._directory.change(source.name, decide)
        self._started.put_nowait((source.name, task.id))
        return {"TaskHandle": _handle(source.name, task)}

    @operation("ListMessageMoveTasks")
    async def list(self, caller: Caller, request: ListMessageMoveTasksRequest) -> Mapping[str, Any]:
        source = await self._queue("SourceArn", request["SourceArn"], caller)
        most = request.get("MaxResults", 1)
        if not 1 <= most <= TASKS_KEPT:
            raise out_of_range("MaxResults", most, f"Must be between 1 and {TASKS_KEPT}, if provided.")
        return {"Results": [_shown(source.name, task) for task in source.document.move_tasks[:most]]}

    @operation("CancelMessageMoveTask")
    async def cancel(self, caller: Caller, request: CancelMessageMoveTaskRequest) -> Mapping[str, Any]:
        try:
            named = msgspec.json.decode(base64.b64decode(request["TaskHandle"], validate=True), type=_Handle)
        except (ValueError, msgspec.MsgspecError):
            raise InvalidParameterValueException("Value for parameter TaskHandle is invalid.") from None
        source = await self._queue("SourceArn", named.sourceArn, caller)
        moved = 0

        def decide(task: MoveTask) -> MoveTask:
            nonlocal moved
            if task.status != RUNNING:
                # Assumed: the code and the text (test_move_tasks).
                raise InvalidParameterValueException("Only active tasks can be cancelled.")
            moved = task.moved
            return msgspec.structs.replace(task, status=CANCELLED)

        if not any(task.id == named.taskId for task in source.document.move_tasks):
            raise ResourceNotFoundException("Task does not exist.")
        await self._change(source.name, named.taskId, decide)
        return {"ApproximateNumberOfMessagesMoved": moved}

    async def _queue(self, parameter: str, arn: str, caller: Caller) -> Queue:
        name = queue_of_arn(arn)
        if name is None:
            raise InvalidParameterValueException(
                f"You must use this format to specify the {parameter}: "
                "arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
            )
        found = await self._directory.find(name) if name.scope == caller.scope else None
        if found is None:
            raise ResourceNotFoundException(
                f"The resource that you specified for the {parameter} parameter doesn't exist."
            )
        return found

    async def _check_room(self, source: QueueName) -> None:
        active = sum(
            task.status == RUNNING
            for queue in await self._directory.all(None)
            if queue.name.scope.account == source.scope.account
            for task in queue.document.move_tasks
        )
        if active >= TASKS_MAX:
            raise InvalidParameterValueException(f"{TASKS_MAX} tasks are active already: wait for one of them to end.")

    # The work

    async def run(self) -> None:
        """Work on the tasks that are kept, and on those that are started, for ever."""
        working: set[tuple[QueueName, str]] = set()
        async with asyncio.TaskGroup() as group:

            def begin(queue: QueueName, task_id: str) -> None:
                # One that was started while we looked at what is kept is in both.
                if (queue, task_id) not in working:
                    working.add((queue, task_id))
                    group.create_task(self._work(queue, task_id)).add_done_callback(
                        lambda _: working.discard((queue, task_id))
                    )

            for kept in await self._directory.all(None):
                for task in kept.document.move_tasks:
                    if task.status == RUNNING:
                        begin(kept.name, task.id)
            while True:
                begin(*await self._started.get())

    async def _work(self, source: QueueName, task_id: str) -> None:
        while True:
            try:
                wait_s = await self._step(source, task_id)
            except QueueDoesNotExist:
                return
            except DependencyError as error:
                _log.warning("move_task.failed queue=%s reason=%s", queue_arn(source), error)
                wait_s = _AGAIN_S
            if wait_s is None:
                return
            await self._clock.sleep(wait_s)

    async def _step(self, source: QueueName, task_id: str) -> float | None:
        """Move some messages; return in how many seconds to go on, None when the task has ended."""
        queue = await self._directory.get(source)
        task = next((known for known in queue.document.move_tasks if known.id == task_id), None)
        if task is None or task.status != RUNNING:
            return None
        # Not more than there were: what comes back while the task runs would keep it busy for ever.
        most = min(_AT_ONCE, task.to_move - task.moved, task.per_second or _AT_ONCE)
        claims = (await self._events.claim({source: most}, _LEASE_S)).claims if most > 0 else ()
        if not claims:
            await self._end(source, task_id, COMPLETED)
            return None
        outcomes = await self._move(claims, task)
        moved = sum(outcome is Outcome.HAPPENED for outcome in outcomes.values())
        rest = [sequence for sequence, outcome in outcomes.items() if outcome is not Outcome.HAPPENED]
        await self._give_back([claim for claim in claims if claim.sequence in rest])
        await self._change(source, task_id, lambda known: msgspec.structs.replace(known, moved=known.moved + moved))
        if any(outcome is None for outcome in outcomes.values()):
            await self._end(source, task_id, FAILED, _NO_SOURCE)
            return None
        if Outcome.NO_QUEUE in outcomes.values():
            await self._end(source, task_id, FAILED, _NO_QUEUE)
            return None
        if Outcome.FULL in outcomes.values():
            return _AGAIN_S
        return len(claims) / task.per_second if task.per_second else 0.0

    async def _move(self, claims: tuple[Claim, ...], task: MoveTask) -> dict[int, Outcome | None]:
        """Move messages; return what became of each by its sequence, None where nobody knows where it belongs."""
        outcomes: dict[int, Outcome | None] = {claim.sequence: None for claim in claims}
        steps = []
        for claim in claims:
            target = queue_of_arn(task.destination_arn) if task.destination_arn else claim.redriven_from
            if target is not None:
                steps.append(Done(claim.receipt, (self._moved(claim, target),)))
        if steps:
            for step, outcome in zip(steps, await self._events.settle(steps), strict=True):
                outcomes[step.receipt.sequence] = outcome
        return outcomes

    def _moved(self, claim: Claim, target: QueueName) -> NewEvent:
        # Documented: SQS developer guide, dead-letter queue redrive: a moved message is a new one.
        body, attributes = claim.body, claim.attributes
        if claim.deduplication_id is not None:
            # Not the event's own: the queue may well remember it, and the message would be lost as a repeat.
            kept = unpack(claim.body, claim.attributes)
            body, attributes = pack(msgspec.structs.replace(kept, deduplication_id=claim.deduplication_id))
        return NewEvent(target, self._clock.new_id(), body, attributes, group=claim.group)

    async def _give_back(self, claims: Sequence[Claim]) -> None:
        if claims:
            await self._events.settle([Extend(claim.receipt, 0) for claim in claims])

    async def _end(self, source: QueueName, task_id: str, status: str, failure: str = "") -> None:
        await self._change(
            source,
            task_id,
            lambda task: (
                msgspec.structs.replace(task, status=status, failure=failure) if task.status == RUNNING else task
            ),
        )

    async def _change(self, source: QueueName, task_id: str, change: Callable[[MoveTask], MoveTask]) -> None:
        def decide(before: Queue) -> tuple[QueueRules, QueueDocument]:
            tasks = tuple(change(task) if task.id == task_id else task for task in before.document.move_tasks)
            return before.rules, msgspec.structs.replace(before.document, move_tasks=tasks)

        await self._directory.change(source, decide)


def _handle(source: QueueName, task: MoveTask) -> str:
    return base64.b64encode(msgspec.json.encode(_Handle(task.id, queue_arn(source)))).decode()


def _shown(source: QueueName, task: MoveTask) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Status": task.status,
        "SourceArn": queue_arn(source),
        "ApproximateNumberOfMessagesMoved": task.moved,
        "ApproximateNumberOfMessagesToMove": task.to_move,
        "StartedTimestamp": task.started_ms,
    }
    if task.status == RUNNING:
        shown["TaskHandle"] = _handle(source, task)
    if task.destination_arn:
        shown["DestinationArn"] = task.destination_arn
    if task.per_second:
        shown["MaxNumberOfMessagesPerSecond"] = task.per_second
    if task.failure:
        shown["FailureReason"] = task.failure
    return shown
