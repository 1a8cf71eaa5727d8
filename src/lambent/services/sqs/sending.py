"""SendMessage and its batch: what a message may hold, and where it goes."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.queue_message import (
    MessageAttribute,
    QueueMessage,
    md5_of_attributes,
    md5_of_body,
    pack,
    size_bytes,
)
from lambent.errors.api.sqs import (
    BatchRequestTooLong,
    InvalidMessageContents,
    InvalidParameterValueException,
    MissingRequiredParameterException,
    OverLimit,
    UnsupportedOperation,
)
from lambent.errors.families import ApiError
from lambent.protocol.shapes.sqs import SendMessageBatchRequest, SendMessageRequest
from lambent.services.operation import operation
from lambent.services.sqs.attributes import MESSAGE_MAX_BYTES, is_on, number
from lambent.services.sqs.batches import check_entries, failed
from lambent.services.sqs.directory import Directory, Queue
from lambent.services.sqs.naming import ID, is_fifo, missing, queue_at_url
from lambent.services.sqs.receiving import out_of_range, sequence_text
from lambent.store.contract import EventQueue, NewEvent, NoSuchQueue, Put, QueueFull
from lambent.telemetry.queue_metrics import QueueMetrics

ATTRIBUTES_MAX = 10

_NOT_IN_BODY = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ATTRIBUTE_NAME = re.compile(r"(?!(?i:aws|amazon)\.)(?!\.)(?!.*\.\.)[\w.-]{1,256}(?<!\.)")
_TYPE = re.compile(r"(String|Number|Binary)(\..+)?", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_DIGITS_MAX = 38
_LISTS = frozenset(["BinaryListValues", "StringListValues"])
"""Documented: SQS API reference, MessageAttributeValue: reserved for future use."""


class _Checked(msgspec.Struct, frozen=True):
    """A message that may be sent."""

    message: QueueMessage
    delay_s: int
    group: str | None
    deduplication_id: str | None
    system: dict[str, MessageAttribute] | None
    """The system attributes as given, for their digest."""
    size_bytes: int


class Sending:
    """Sends messages. They are on disk when the answer goes out."""

    def __init__(
        self, events: EventQueue, directory: Directory, clock: Clock, metrics: QueueMetrics | None = None
    ) -> None:
        self._events = events
        self._directory = directory
        self._clock = clock
        self._metrics = metrics

    @operation("SendMessage")
    async def send(self, caller: Caller, request: SendMessageRequest) -> Mapping[str, Any]:
        queue = await self._directory.get(queue_at_url(caller, request["QueueUrl"]))
        checked = _check(caller, queue, request)
        most = number(queue.document.attributes, "MaximumMessageSize")
        if checked.size_bytes > most:
            # Observed: localstack/localstack tests/aws/services/sqs (recorded), also the other words in a batch.
            raise InvalidParameterValueException(
                f"One or more parameters are invalid. Reason: Message must be shorter than {most} bytes."
            )
        event = self._event(queue, checked)
        (put,) = await self._put([event])
        if self._metrics is not None:
            self._metrics.sent(queue.name, (checked.size_bytes,))
        return _sent(put, checked)

    @operation("SendMessageBatch")
    async def send_batch(self, caller: Caller, request: SendMessageBatchRequest) -> Mapping[str, Any]:
        queue = await self._directory.get(queue_at_url(caller, request["QueueUrl"]))
        entries = request["Entries"]
        check_entries("SendMessageBatch", entries)
        most = number(queue.document.attributes, "MaximumMessageSize")
        taken: list[tuple[str, _Checked]] = []
        refused: list[dict[str, Any]] = []
        total = sum(
            size_bytes(entry["MessageBody"], _raw_attributes(entry.get("MessageAttributes", {}))) for entry in entries
        )
        if total > MESSAGE_MAX_BYTES:
            # Observed: the same recordings: whatever the queue's own limit is.
            raise BatchRequestTooLong(
                f"Batch requests cannot be longer than {MESSAGE_MAX_BYTES} bytes. You have sent {total} bytes."
            )
        for entry in entries:
            try:
                checked = _check(caller, queue, entry, in_batch=True)
                if checked.size_bytes > most:
                    raise InvalidParameterValueException(
                        "One or more parameters cannot be validated. Reason: Message must be shorter than "
                        f"{most} bytes."
                    )
            except _OfWholeBatch as error:
                raise error.refusal from None
            except ApiError as error:
                refused.append(failed(entry["Id"], error))
            else:
                taken.append((entry["Id"], checked))
        puts = await self._put([self._event(queue, checked) for _, checked in taken]) if taken else []
        if self._metrics is not None:
            self._metrics.sent(queue.name, [checked.size_bytes for _, checked in taken])
        answer: dict[str, Any] = {
            "Successful": [{"Id": id_, **_sent(put, checked)} for (id_, checked), put in zip(taken, puts, strict=True)]
        }
        if refused:
            answer["Failed"] = refused
        return answer

    async def _put(self, events: list[NewEvent]) -> list[Put]:
        try:
            return list(await self._events.put(events))
        except NoSuchQueue:
            raise missing() from None
        except QueueFull as full:
            # AWS's queues have no end; ours say so.
            raise OverLimit(f"The queue takes no more messages: {full}") from None

    def _event(self, queue: Queue, checked: _Checked) -> NewEvent:
        body, attributes = pack(checked.message)
        return NewEvent(
            queue.name,
            self._clock.new_id(),
            body,
            attributes,
            delay_s=checked.delay_s,
            group=checked.group,
            deduplication_id=checked.deduplication_id,
        )


class _OfWholeBatch(Exception):
    """A fault of one entry for which the whole batch is refused."""

    def __init__(self, refusal: ApiError) -> None:
        super().__init__()
        self.refusal = refusal


def _sent(put: Put, checked: _Checked) -> dict[str, Any]:
    sent = {"MessageId": put.id, "MD5OfMessageBody": md5_of_body(checked.message.body)}
    if checked.message.attributes:
        sent["MD5OfMessageAttributes"] = md5_of_attributes(checked.message.attributes)
    if checked.system:
        sent["MD5OfMessageSystemAttributes"] = md5_of_attributes(checked.system)
    if checked.group is not None:
        sent["SequenceNumber"] = sequence_text(put.sequence)
    return sent


def _check(caller: Caller, queue: Queue, given: Mapping[str, Any], *, in_batch: bool = False) -> _Checked:
    """
    Return what a request or an entry of a batch gives as a message.

    Raises:
        ApiError: it cannot be sent.
        _OfWholeBatch: it cannot, and nothing that comes with it.
    """
    body: str = given["MessageBody"]
    if not body:
        raise MissingRequiredParameterException("The request must contain the parameter MessageBody.")
    if _NOT_IN_BODY.search(body) is not None:
        # Observed: localstack/localstack tests/aws/services/sqs (recorded) for the code.
        raise InvalidMessageContents(
            "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | "
            "#xE000 to #xFFFD | #x10000 to #x10FFFF"
        )
    for name in ("MessageAttributes", "MessageSystemAttributes"):
        if any(value is not None and not _LISTS.isdisjoint(value) for value in (given.get(name) or {}).values()):
            # Observed: ruby-shoryuken/shoryuken#769, lumigo-io/lumigo-CLI#94: code and text, of the whole batch, and
            # that an empty list is one as well.
            operation_name = "SendMessageBatch" if in_batch else "SendMessage"
            lists = UnsupportedOperation(
                f"Message attribute list values in {operation_name} operation are not supported."
            )
            raise _OfWholeBatch(lists) if in_batch else lists
    attributes = _attributes(given.get("MessageAttributes", {}))
    system = _system_attributes(given.get("MessageSystemAttributes"))
    delay_s = _delay_s(queue, given.get("DelaySeconds"))
    group, deduplication_id = given.get("MessageGroupId"), given.get("MessageDeduplicationId")
    for name, value in (("MessageGroupId", group), ("MessageDeduplicationId", deduplication_id)):
        if value is not None and ID.fullmatch(value) is None:
            raise out_of_range(
                name, value, f"{name} can only include alphanumeric and punctuation characters. 1 to 128 in length."
            )
    if is_fifo(queue.name):
        deduplication_id = _fifo_id(queue, body, group, deduplication_id, in_batch=in_batch)
    elif deduplication_id is not None:
        raise out_of_range(
            "MessageDeduplicationId",
            deduplication_id,
            "The request includes a parameter that is not valid for this queue type.",
        )
    trace_header = (caller.trace_header or "")[:1024]
    if system and "AWSTraceHeader" in system:
        trace_header = system["AWSTraceHeader"].text
    message = QueueMessage(
        body,
        attributes,
        sender=caller.principal.account,
        trace_header=trace_header,
        group="" if is_fifo(queue.name) else group or "",
    )
    return _Checked(
        message,
        delay_s,
        group if is_fifo(queue.name) else None,
        deduplication_id,
        system,
        size_bytes(body, attributes),
    )


def _fifo_id(queue: Queue, body: str, group: str | None, given: str | None, *, in_batch: bool) -> str:
    """Return the deduplication id of a FIFO message. Observed: localstack (recorded), the refusals included."""
    if group is None:
        text = "The request must contain the parameter MessageGroupId."
        if in_batch:
            raise _OfWholeBatch(InvalidParameterValueException(text))
        raise MissingRequiredParameterException(text)
    if given is not None:
        return given
    if is_on(queue.document.attributes, "ContentBasedDeduplication"):
        return hashlib.sha256(body.encode()).hexdigest()
    refusal = InvalidParameterValueException(
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
    )
    raise _OfWholeBatch(refusal) if in_batch else refusal


def _delay_s(queue: Queue, given: int | None) -> int:
    of_queue = number(queue.document.attributes, "DelaySeconds")
    if given is None:
        return of_queue
    if not 0 <= given <= 900:
        raise out_of_range("DelaySeconds", given, "DelaySeconds must be >= 0 and <= 900.")
    if not is_fifo(queue.name):
        return given
    if given > 0:
        # Observed: localstack/localstack tests/aws/services/sqs (recorded), the grammar included.
        raise out_of_range(
            "DelaySeconds", given, "The request include parameter that is not valid for this queue type."
        )
    return of_queue


# --- message attributes ----------------------------------------------------------------------------------------------


def _raw_attributes(given: Mapping[str, Any]) -> dict[str, MessageAttribute]:
    return {
        name: MessageAttribute(value["DataType"], value.get("StringValue", ""), value.get("BinaryValue"))
        for name, value in given.items()
        if value is not None
    }


def _attributes(given: Mapping[str, Any]) -> dict[str, MessageAttribute]:
    """
    Return the attributes that a sender gives.

    Raises:
        InvalidParameterValueException: one cannot be. Observed: localstack (recorded) for codes and where the
            comment says so for the text; others assumed (test_sending).
    """
    if len(given) > ATTRIBUTES_MAX:
        raise InvalidParameterValueException(
            f"Number of message attributes [{len(given)}] exceeds the allowed maximum [{ATTRIBUTES_MAX}]."
        )
    found = {}
    for name, value in given.items():
        if _ATTRIBUTE_NAME.fullmatch(name) is None:
            raise InvalidParameterValueException(
                f"Invalid message attribute name '{name[:256]}': 1 to 256 letters, digits, hyphens, underscores and "
                "periods, without a period at either end or two in a row, not beginning with AWS. or Amazon."
            )
        if value is None:
            raise _empty("user", name, "String")
        found[name] = _attribute("user", name, value)
    return found


def _attribute(kind: str, name: str, value: Mapping[str, Any]) -> MessageAttribute:
    type_ = value["DataType"]
    match = _TYPE.fullmatch(type_)
    if match is None or len(type_) >= 256:
        raise InvalidParameterValueException(
            f"The type of message ({kind}) attribute '{name}' is invalid. You must use only the following supported "
            "type prefixes: Binary, Number, String."
        )
    if match[1] == "Binary":
        if not value.get("BinaryValue"):
            raise _empty(kind, name, "Binary")
        return MessageAttribute(type_, data=value["BinaryValue"])
    text = value.get("StringValue")
    if not text:
        raise _empty(kind, name, "String")
    if _NOT_IN_BODY.search(text) is not None:
        raise InvalidParameterValueException(
            f"Message ({kind}) attribute '{name}' holds characters that a message cannot hold."
        )
    if match[1] == "Number" and not _is_number(text):
        raise InvalidParameterValueException(
            f"Can't cast the value of message ({kind}) attribute '{name}' to a number."
        )
    return MessageAttribute(type_, text)


def _is_number(text: str) -> bool:
    """Say whether a Number's text is one. Documented: SQS developer guide, message attributes."""
    if _NUMBER.fullmatch(text) is None:
        return False
    digits, _, exponent = text.lower().partition("e")
    whole, _, fraction = digits.lstrip("+-").partition(".")
    significant = (whole + fraction).strip("0")
    if not significant:
        return True
    magnitude = len(whole.lstrip("0")) if whole.strip("0") else len(fraction.lstrip("0")) - len(fraction)
    return len(significant) <= _DIGITS_MAX and -128 <= magnitude - 1 + int(exponent or 0) <= 126


def _empty(kind: str, name: str, type_: str) -> InvalidParameterValueException:
    # Observed: localstack/localstack tests/aws/services/sqs (recorded).
    return InvalidParameterValueException(
        f"Message ({kind}) attribute '{name}' must contain a non-empty value of type '{type_}'."
    )


def _system_attributes(given: Mapping[str, Any] | None) -> dict[str, MessageAttribute] | None:
    if given is None:
        return None
    found = {}
    for name, value in given.items():
        # Documented: SQS API reference, SendMessage: it is the only one, and a String. Assumed: the texts.
        if name != "AWSTraceHeader":
            raise InvalidParameterValueException(f"Message system attribute name '{name[:256]}' is invalid.")
        attribute = _attribute("system", name, value or {"DataType": "String"})
        if attribute.type != "String":
            raise InvalidParameterValueException(f"Message (system) attribute '{name}' must be of the type 'String'.")
        found[name] = attribute
    return found
