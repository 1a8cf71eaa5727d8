"""What receivers do with what they received: delete it, or change how long it stays hidden."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.errors.api.sqs import InvalidParameterValueException, ReceiptHandleIsInvalid
from lambent.errors.families import ApiError
from lambent.protocol.shapes.sqs import (
    ChangeMessageVisibilityBatchRequest,
    ChangeMessageVisibilityRequest,
    DeleteMessageBatchRequest,
    DeleteMessageRequest,
)
from lambent.services.operation import operation
from lambent.services.sqs.batches import check_entries, failed
from lambent.services.sqs.directory import Directory
from lambent.services.sqs.handles import Handles, Received
from lambent.services.sqs.naming import is_fifo, queue_at_url
from lambent.services.sqs.receiving import out_of_range
from lambent.store.contract import LEASE_MAX_S, Done, EventQueue, Extend, Hold, Outcome, QueueName, Step
from lambent.telemetry.queue_metrics import QueueMetrics


class Visibility:
    """Deletes messages and changes their visibility, one or up to ten."""

    def __init__(
        self,
        events: EventQueue,
        directory: Directory,
        handles: Handles,
        clock: Clock,
        metrics: QueueMetrics | None = None,
    ) -> None:
        self._events = events
        self._directory = directory
        self._handles = handles
        self._clock = clock
        self._metrics = metrics

    @operation("DeleteMessage")
    async def delete(self, caller: Caller, request: DeleteMessageRequest) -> Mapping[str, Any]:
        queue = (await self._directory.get(queue_at_url(caller, request["QueueUrl"]))).name
        handle = request["ReceiptHandle"]
        (outcome,) = await self._events.settle([self._deletion(queue, handle)])
        if _is_refused(outcome):
            raise _expired(handle)
        self._note_deleted(queue, [outcome])
        return {}

    @operation("DeleteMessageBatch")
    async def delete_batch(self, caller: Caller, request: DeleteMessageBatchRequest) -> Mapping[str, Any]:
        queue = (await self._directory.get(queue_at_url(caller, request["QueueUrl"]))).name
        check_entries("DeleteMessageBatch", request["Entries"])
        steps: list[Step | ApiError] = []
        for entry in request["Entries"]:
            try:
                steps.append(self._deletion(queue, entry["ReceiptHandle"]))
            except ApiError as error:
                steps.append(error)
        # Observed: field reports: another code and a shorter text than in the single call.
        expired = ReceiptHandleIsInvalid("The receipt handle has expired")

        def judge(outcome: Outcome, _: str) -> ApiError | None:
            outcomes.append(outcome)
            return expired if _is_refused(outcome) else None

        outcomes: list[Outcome] = []
        answer = await self._settle(request["Entries"], steps, judge)
        self._note_deleted(queue, outcomes)
        return answer

    @operation("ChangeMessageVisibility")
    async def change(self, caller: Caller, request: ChangeMessageVisibilityRequest) -> Mapping[str, Any]:
        queue = (await self._directory.get(queue_at_url(caller, request["QueueUrl"]))).name
        handle = request["ReceiptHandle"]
        (outcome,) = await self._events.settle([self._extension(queue, handle, request["VisibilityTimeout"])])
        if (error := _change_error(outcome, handle)) is not None:
            raise error
        return {}

    @operation("ChangeMessageVisibilityBatch")
    async def change_batch(self, caller: Caller, request: ChangeMessageVisibilityBatchRequest) -> Mapping[str, Any]:
        queue = (await self._directory.get(queue_at_url(caller, request["QueueUrl"]))).name
        check_entries("ChangeMessageVisibilityBatch", request["Entries"])
        steps: list[Step | ApiError] = []
        for entry in request["Entries"]:
            try:
                # Assumed: an entry without a time makes its message visible, as a number's default would have it.
                steps.append(self._extension(queue, entry["ReceiptHandle"], entry.get("VisibilityTimeout", 0)))
            except ApiError as error:
                steps.append(error)
        return await self._settle(request["Entries"], steps, _change_error)

    async def _settle(
        self, entries: Sequence[Mapping[str, Any]], steps: Sequence[Step | ApiError], error_of: Any
    ) -> dict[str, Any]:
        """Do what may be done; answer as a batch does."""
        todo = [step for step in steps if not isinstance(step, ApiError)]
        outcomes = iter(await self._events.settle(todo) if todo else ())
        answer: dict[str, Any] = {"Successful": []}
        refused = []
        for entry, step in zip(entries, steps, strict=True):
            error = step if isinstance(step, ApiError) else error_of(next(outcomes), entry["ReceiptHandle"])
            if error is None:
                answer["Successful"].append({"Id": entry["Id"]})
            else:
                refused.append(failed(entry["Id"], error))
        if refused:
            answer["Failed"] = refused
        return answer

    def _note_deleted(self, queue: QueueName, outcomes: Sequence[Outcome]) -> None:
        if self._metrics is not None:
            self._metrics.deleted(queue, list(outcomes).count(Outcome.HAPPENED))

    def _deletion(self, queue: QueueName, handle: str) -> Done:
        # Observed: localstack/localstack tests/aws/services/sqs (recorded): a handle whose time is over still deletes
        # from a standard queue, and not from a FIFO queue. Assumed: so does one of an earlier receive.
        return Done(self._handles.read(queue, handle).receipt, hold=Hold.UNEXPIRED if is_fifo(queue) else Hold.ANY)

    def _extension(self, queue: QueueName, handle: str, timeout_s: int) -> Extend:
        if not 0 <= timeout_s <= LEASE_MAX_S:
            raise out_of_range("VisibilityTimeout", timeout_s, f"Must be >= 0 and <= {LEASE_MAX_S}, if provided.")
        received = self._handles.read(queue, handle)
        if timeout_s and self._held_s(received) + timeout_s >= LEASE_MAX_S:
            # Observed: field reports: the whole range, right after a receive, is too much already.
            raise out_of_range(
                "VisibilityTimeout",
                timeout_s,
                f"Total VisibilityTimeout for the message is beyond the limit [{LEASE_MAX_S} seconds].",
            )
        return Extend(received.receipt, timeout_s, Hold.UNEXPIRED if is_fifo(queue) else Hold.CURRENT)

    def _held_s(self, received: Received) -> float:
        return max(0.0, self._clock.now() - received.at_ms / 1000)


def _is_refused(outcome: Outcome) -> bool:
    """Say whether a deletion did not happen. What is gone already is as deleted as can be."""
    return outcome in (Outcome.LOST, Outcome.EXPIRED)


def _expired(handle: str) -> InvalidParameterValueException:
    # Observed: localstack/localstack tests/aws/services/sqs (recorded).
    return out_of_range("ReceiptHandle", handle, "The receipt handle has expired.")


def _change_error(outcome: Outcome, handle: str) -> ApiError | None:
    if outcome is Outcome.HAPPENED:
        return None
    if outcome is Outcome.EXPIRED:
        return _expired(handle)
    # Observed: the same recordings for a deleted message. Assumed: so it is for one that was received again since,
    # whose new receiver would not expect its time to change (test_visibility).
    return out_of_range(
        "ReceiptHandle", handle, "Message does not exist or is not available for visibility timeout change."
    )
