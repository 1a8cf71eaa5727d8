"""ReceiveMessage: what a receiver gets to see of a message, and how long it waits."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.queue_message import MessageAttribute, QueueMessage, md5_of_attributes, md5_of_body, unpack
from lambent.errors.api.sqs import InvalidParameterValueException, OverLimit
from lambent.protocol.shapes.sqs import ReceiveMessageRequest
from lambent.services.operation import operation
from lambent.services.sqs.attributes import IN_FLIGHT_MAX, KNOWN, number, unknown
from lambent.services.sqs.directory import Directory, Queue
from lambent.services.sqs.handles import Handles
from lambent.services.sqs.naming import ID, is_fifo, queue_arn, queue_at_url
from lambent.services.sqs.receivers import Receivers
from lambent.store.contract import Claim, EventQueue, Extend, Hold, Outcome, QueueName
from lambent.telemetry.queue_metrics import QueueMetrics

_SYSTEM = frozenset(
    {
        "AWSTraceHeader",
        "All",
        "ApproximateFirstReceiveTimestamp",
        "ApproximateReceiveCount",
        "DeadLetterQueueSourceArn",
        "MessageDeduplicationId",
        "MessageGroupId",
        "SenderId",
        "SentTimestamp",
        "SequenceNumber",
    }
)

ATTEMPT_S = 300
"""How long a ReceiveRequestAttemptId is good for. Documented: SQS API reference, ReceiveMessage."""

_ATTEMPTS_MAX = 1_000
_ATTEMPTS_MAX_BYTES = 32 << 20
"""What is remembered of receives with an id; the oldest is forgotten first, and its retry gets what comes next."""


def sequence_text(sequence: int) -> str:
    """Return a SequenceNumber: 20 digits, as AWS's have."""
    return f"{sequence:020d}"


class _Attempt(msgspec.Struct, frozen=True):
    claims: tuple[Claim, ...]
    at_s: float
    at_ms: int
    size_bytes: int


class Receiving:
    """Receives messages."""

    def __init__(
        self,
        events: EventQueue,
        directory: Directory,
        receivers: Receivers,
        handles: Handles,
        clock: Clock,
        metrics: QueueMetrics | None = None,
    ) -> None:
        self._events = events
        self._directory = directory
        self._receivers = receivers
        self._handles = handles
        self._clock = clock
        self._attempts: OrderedDict[tuple[QueueName, str], _Attempt] = OrderedDict()
        self._attempts_bytes = 0
        self._metrics = metrics

    @operation("ReceiveMessage")
    async def receive(self, caller: Caller, request: ReceiveMessageRequest) -> Mapping[str, Any]:
        queue = await self._directory.get(queue_at_url(caller, request["QueueUrl"]))
        most = _in_range(request, "MaxNumberOfMessages", 1, 1, 10, "Must be between 1 and 10, if provided.")
        default_wait_s = number(queue.document.attributes, "ReceiveMessageWaitTimeSeconds")
        wait_s = _in_range(request, "WaitTimeSeconds", default_wait_s, 0, 20, "Must be >= 0 and <= 20, if provided.")
        _in_range(request, "VisibilityTimeout", 0, 0, 43_200, "Must be >= 0 and <= 43200, if provided.")
        shown = _Shown(request)
        attempt_id = _attempt_id(queue.name, request)
        if attempt_id and (again := await self._again(queue.name, attempt_id, self._lease_s(queue, request))):
            claims, at_ms = again
        else:
            claims = await self._claim(caller, queue.name, most, wait_s, request)
            at_ms = int(self._clock.now() * 1000)
            if attempt_id and claims:
                self._remember(queue.name, attempt_id, claims, at_ms)
        if self._metrics is not None:
            self._metrics.received(queue.name, len(claims))
        if not claims:
            return {}
        return {"Messages": [shown.message(claim, self._handles.write(claim.receipt, at_ms)) for claim in claims]}

    async def _claim(
        self, caller: Caller, name: QueueName, most: int, wait_s: int, request: ReceiveMessageRequest
    ) -> tuple[Claim, ...]:
        claims: tuple[Claim, ...] = ()

        async def claim() -> tuple[bool, bool, float | None]:
            nonlocal claims
            # Anew each time: what the queue is like may have changed while we waited, or the queue is gone.
            queue = await self._directory.get(name)
            claimed = await self._events.claim({name: most}, self._lease_s(queue, request))
            claims = claimed.claims
            next_s = claimed.next_due_s.get(name)
            if not claims and wait_s == 0 and next_s is not None and not is_fifo(name):
                await self._check_in_flight(name)
            return bool(claims), len(claims) == most, next_s

        await self._receivers.receive(name, wait_s, caller, claim)
        return claims

    def _lease_s(self, queue: Queue, request: ReceiveMessageRequest) -> float:
        return request.get("VisibilityTimeout", number(queue.document.attributes, "VisibilityTimeout"))

    async def _check_in_flight(self, name: QueueName) -> None:
        """
        Tell a short poll why it gets nothing where that is for the messages in flight.

        Raises:
            OverLimit: so it is. Observed: field reports for the text; a long poll and a FIFO queue tell nothing.
        """
        depth = (await self._events.depth([name])).get(name)
        if depth is not None and depth.in_flight >= IN_FLIGHT_MAX:
            raise OverLimit(
                "Too many messages have been received without being deleted.\nPlease delete your received messages or "
                "let them timeout before receiving more."
            )

    # ReceiveRequestAttemptId

    async def _again(self, queue: QueueName, attempt_id: str, lease_s: float) -> tuple[tuple[Claim, ...], int] | None:
        """Return what a receive with this id got, as far as it is still held, its time begun anew."""
        attempt = self._attempts.get((queue, attempt_id))
        if attempt is None or self._clock.monotonic() - attempt.at_s >= ATTEMPT_S:
            return None
        outcomes = await self._events.settle(
            [Extend(claim.receipt, lease_s, Hold.UNEXPIRED) for claim in attempt.claims]
        )
        held = tuple(
            claim for claim, outcome in zip(attempt.claims, outcomes, strict=True) if outcome is Outcome.HAPPENED
        )
        return (held, attempt.at_ms) if held else None

    def _remember(self, queue: QueueName, attempt_id: str, claims: Sequence[Claim], at_ms: int) -> None:
        size = sum(len(claim.body) + len(claim.attributes) for claim in claims)
        self._forget((queue, attempt_id))
        self._attempts[queue, attempt_id] = _Attempt(tuple(claims), self._clock.monotonic(), at_ms, size)
        self._attempts_bytes += size
        while len(self._attempts) > _ATTEMPTS_MAX or self._attempts_bytes > _ATTEMPTS_MAX_BYTES:
            self._forget(next(iter(self._attempts)))

    def _forget(self, key: tuple[QueueName, str]) -> None:
        found = self._attempts.pop(key, None)
        if found is not None:
            self._attempts_bytes -= found.size_bytes


class _Shown:
    """What of a message a request asked for."""

    def __init__(self, request: ReceiveMessageRequest) -> None:
        deprecated, named = request.get("AttributeNames", []), request.get("MessageSystemAttributeNames", [])
        for name in (*deprecated, *named):
            # Documented: the deprecated list is one of queue attributes, of which most mean nothing here.
            if name not in _SYSTEM and not (name in deprecated and name in KNOWN):
                raise unknown(name)
        self._system = frozenset((*deprecated, *named))
        wanted = request.get("MessageAttributeNames", [])
        # Observed: localstack/localstack tests/aws/services/sqs (recorded): these three mean all, and others
        # that end so are prefixes.
        self._all = not {"All", ".*", "*"}.isdisjoint(wanted)
        self._names = frozenset(wanted)
        self._prefixes = tuple(name[:-2] for name in wanted if name.endswith(".*"))

    def message(self, claim: Claim, handle: str) -> dict[str, Any]:
        message = unpack(claim.body, claim.attributes)
        shown: dict[str, Any] = {
            "MessageId": claim.id,
            "ReceiptHandle": handle,
            "MD5OfBody": md5_of_body(message.body),
            "Body": message.body,
        }
        if system := self._system_of(claim, message):
            shown["Attributes"] = system
        if attributes := {name: value for name, value in message.attributes.items() if self._wants(name)}:
            shown["MD5OfMessageAttributes"] = md5_of_attributes(attributes)
            shown["MessageAttributes"] = {name: _attribute(value) for name, value in attributes.items()}
        return shown

    def _wants(self, name: str) -> bool:
        return self._all or name in self._names or (bool(self._prefixes) and name.startswith(self._prefixes))

    def _system_of(self, claim: Claim, message: QueueMessage) -> dict[str, str]:
        if not self._system:
            return {}
        found = system_attributes(claim, message)
        return {name: value for name, value in found.items() if "All" in self._system or name in self._system}


def system_attributes(claim: Claim, message: QueueMessage) -> dict[str, str]:
    """Return the attributes that a message has by being received: those that exist of it, all as texts."""
    found = {
        "SenderId": message.sender,
        "SentTimestamp": str(claim.sent_ms),
        "ApproximateReceiveCount": str(claim.receive_count),
        # Both by the wall clock, which may have gone back in between: nothing is received before it is sent.
        "ApproximateFirstReceiveTimestamp": str(max(claim.first_claimed_ms, claim.sent_ms)),
        "AWSTraceHeader": message.trace_header,
        "MessageGroupId": claim.group or message.group,
        "MessageDeduplicationId": claim.deduplication_id or message.deduplication_id,
    }
    if claim.group is not None:
        found["SequenceNumber"] = sequence_text(claim.sequence)
    if claim.redriven_from is not None:
        found["DeadLetterQueueSourceArn"] = queue_arn(claim.redriven_from)
    return {name: value for name, value in found.items() if value}


def _attribute(value: MessageAttribute) -> dict[str, Any]:
    if value.data is not None:
        return {"BinaryValue": value.data, "DataType": value.type}
    return {"StringValue": value.text, "DataType": value.type}


def _attempt_id(queue: QueueName, request: ReceiveMessageRequest) -> str:
    found = request.get("ReceiveRequestAttemptId", "")
    if found and not is_fifo(queue):
        # Assumed: the text, after that of MessageDeduplicationId (test_receiving).
        raise InvalidParameterValueException(
            f"Value {found[:128]} for parameter ReceiveRequestAttemptId is invalid. Reason: The request includes a "
            "parameter that is not valid for this queue type."
        )
    if found and ID.fullmatch(found) is None:
        raise InvalidParameterValueException(
            f"Value {found[:128]} for parameter ReceiveRequestAttemptId is invalid. Reason: "
            "ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length."
        )
    return found


def _in_range(request: Mapping[str, Any], name: str, default: int, least: int, most: int, reason: str) -> int:
    """
    Return a number that a request gives, or the default.

    Raises:
        InvalidParameterValueException: it is out of range. Observed: localstack (recorded).
    """
    value: int = request.get(name, default)
    if not least <= value <= most:
        raise out_of_range(name, value, reason)
    return value


def out_of_range(name: str, value: object, reason: str) -> InvalidParameterValueException:
    """Return the error for a parameter beyond what it may be."""
    return InvalidParameterValueException(f"Value {value} for parameter {name} is invalid. Reason: {reason}")
