"""The calls that share a commit of the event queue, and what comes of them; the keys of queues."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from lambent.domain.caller import Scope
from lambent.store.contract import Claim, NewEvent, QueueKind, QueueName, QueueRules, Step

NAMES_AT_ONCE = 500
"""Values in one IN list, far below what either database takes."""


class Addition(NamedTuple):
    """An event to put, and the name of the blob that holds its body where that is long; the blob is stored."""

    event: NewEvent
    sha256: str | None


class PutCall(NamedTuple):
    """One call of `put`."""

    additions: tuple[Addition, ...]


class ClaimCall(NamedTuple):
    """One call of `claim`."""

    room: Mapping[QueueName, int]
    lease_us: int
    bytes_max: int | None = None


class SettleCall(NamedTuple):
    """One call of `settle`: each step with what is to follow from it."""

    steps: tuple[tuple[Step, tuple[Addition, ...]], ...]


class DefineCall(NamedTuple):
    """One call of `define`."""

    queue: QueueName
    rules: QueueRules
    document: bytes
    revision: int | None


class DropCall(NamedTuple):
    """One call of `remove`, or of `purge`, which keeps the definition."""

    queue: QueueName
    keeps_definition: bool


Call: TypeAlias = PutCall | ClaimCall | SettleCall | DefineCall | DropCall


class BlobVanished(Exception):
    """A blob that was stored for a body has been swept before a row referred to it: store it again."""


class ClaimedRows(NamedTuple):
    """What a call of `claim` got; a claim whose body is a blob comes with its name and without the body."""

    claims: list[tuple[Claim, str | None]]
    next_due_s: dict[QueueName, float]


class Applied(NamedTuple):
    """What a batch did, to be told after the commit."""

    results: list[Any]
    """One for each call, in order: what it returns, or the exception that it raises."""
    due_s: dict[QueueName, float]
    """Queues in which something can be claimed, and in how many seconds."""
    freed: set[str]
    """Blobs that lost a reference."""
    more: int
    """By how much the number of all events rose."""


def path_of(queue: QueueName) -> str:
    """Return a queue's key."""
    return f"{queue.kind.value}/{queue.scope.account}/{queue.scope.region}/{queue.name}"


def queue_at(path: str) -> QueueName:
    """Return the queue that a key names."""
    kind, account, region, name = path.split("/", 3)
    return QueueName(Scope(account, region), QueueKind(kind), name)


def additions_of(call: Call) -> Iterable[Addition]:
    """Return what a call puts."""
    if isinstance(call, PutCall):
        return call.additions
    if isinstance(call, SettleCall):
        return (addition for _, then in call.steps for addition in then)
    return ()


def names_of(calls: Sequence[Call]) -> Iterable[QueueName]:
    """Return the queues that calls name, some of them more than once."""
    for call in calls:
        if isinstance(call, ClaimCall):
            yield from call.room
        elif isinstance(call, SettleCall):
            for step, then in call.steps:
                yield step.receipt.queue
                for addition in then:
                    yield addition.event.queue
        elif isinstance(call, PutCall):
            for addition in call.additions:
                yield addition.event.queue
        else:
            yield call.queue
