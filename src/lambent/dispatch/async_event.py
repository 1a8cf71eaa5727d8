"""What the queue keeps of an asynchronous invocation and of a message on its way out, beside their bodies."""

from collections.abc import Mapping

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.function import FunctionName
from lambent.domain.traced import Attempt
from lambent.store.contract import NewEvent, QueueKind, QueueName


class AsyncTrace(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a sampled event beside its header, whose Parent is the service's segment."""

    caller_id: str
    """What that segment is below; empty where the caller named nothing."""
    accepted: float
    """In seconds since the epoch, as are the times of attempts."""
    attempts: tuple[Attempt, ...] = ()


class AsyncEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """An accepted event. Its id in the queue is the request id, its body the payload."""

    trace_header: str
    """What the caller's request goes on with; each attempt adds its own pass of the function."""
    qualifier: str | None = None
    """As it was invoked: what is configured for that qualifier applies."""
    tenant: str | None = None
    attempts: int = 0
    """How often the function ran with it and failed."""
    refusals: int = 0
    """How often in a row it could not be run at all."""
    trace: AsyncTrace | None = None
    """None: it is not sampled."""


class OutgoingMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record or a dead letter. Its id in the queue is the request id that it tells of."""

    trace_header: str
    function_arn: str
    attributes: Mapping[str, tuple[str, str]] = {}
    """Name to type and value."""
    is_success: bool = False
    object_key: str = ""
    """Where the target is a bucket."""
    ends_chain: bool = False
    failures: int = 0
    """How often it could not be delivered."""
    mapping: str = ""
    """UUID of the event source mapping whose records it tells of, where that has them counted."""
    records: int = 0
    """How many these are."""


encode = msgspec.json.Encoder().encode
decode_event = msgspec.json.Decoder(AsyncEvent).decode
decode_message = msgspec.json.Decoder(OutgoingMessage).decode


def queue_of(scope: Scope, name: FunctionName, function_id: str) -> QueueName:
    """Return the queue of a function's events."""
    return QueueName(scope, QueueKind.ASYNC, f"{name}/{function_id}")


def function_of(queue: QueueName) -> tuple[FunctionName, str]:
    """Return a function's name and its id, of the queue of its events."""
    name, _, function_id = queue.name.partition("/")
    return FunctionName(name), function_id


def outgoing(scope: Scope, target: str, request_id: str, body: bytes, message: OutgoingMessage) -> NewEvent:
    """Return what puts a message into the outbox. A queue for each target: one that hangs delays no other."""
    return NewEvent(QueueName(scope, QueueKind.DESTINATION, target), request_id, body, encode(message))
