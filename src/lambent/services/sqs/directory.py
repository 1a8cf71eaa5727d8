"""The queues that there are: definitions, read once and kept honest by being the only way to change them."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec

from lambent.domain.caller import Scope
from lambent.services.sqs.naming import missing
from lambent.store.contract import Conflict, EventQueue, QueueDefinition, QueueKind, QueueName, QueueRules

_CACHE_MAX = 5_000
"""Queues whose definitions are kept in memory: some kilobytes each."""

PAGE = 500
"""Definitions that are read at once where all are looked at."""


class MoveTask(msgspec.Struct, frozen=True, omit_defaults=True):
    """A redrive task of a dead-letter queue."""

    id: str
    started_ms: int
    to_move: int
    destination_arn: str = ""
    """Empty: each message goes back to where it came from."""
    per_second: int = 0
    """0: as fast as it goes."""
    status: str = "RUNNING"
    moved: int = 0
    failure: str = ""


class QueueDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a queue beside its rules."""

    created_s: int
    modified_s: int
    attributes: dict[str, str]
    """The attributes that can be set, as GetQueueAttributes shows them; those at their defaults may be absent."""
    tags: dict[str, str] = {}
    move_tasks: tuple[MoveTask, ...] = ()
    """Newest first, few."""


class Queue(msgspec.Struct, frozen=True):
    """A queue that there is."""

    name: QueueName
    rules: QueueRules
    document: QueueDocument
    revision: int

    def attribute(self, name: str, default: str) -> str:
        return self.document.attributes.get(name, default)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(QueueDocument).decode


class Directory:
    """
    Args:
        forget: called with a queue that was removed or changed, after the commit.
    """

    def __init__(self, events: EventQueue, forget: Callable[[QueueName], None]) -> None:
        self._events = events
        self._forget = forget
        self._cache: OrderedDict[QueueName, Queue] = OrderedDict()
        self._writes = 0

    @property
    def revision(self) -> int:
        """A number that is another one after every change of a queue."""
        return self._writes

    async def find(self, name: QueueName) -> Queue | None:
        """Return a queue, None when there is none."""
        found = self._cache.get(name)
        if found is not None:
            self._cache.move_to_end(name)
            return found
        writes = self._writes
        definition = await self._events.definition(name)
        if definition is None:
            return None
        found = _queue(definition)
        # What was changed while we read may be newer.
        if writes == self._writes:
            self._remember(found)
        return found

    async def get(self, name: QueueName) -> Queue:
        """
        Return a queue.

        Raises:
            QueueDoesNotExist: there is none.
        """
        found = await self.find(name)
        if found is None:
            raise missing()
        return found

    async def create(self, name: QueueName, rules: QueueRules, document: QueueDocument) -> bool:
        """Make a queue; False when there is one of this name already."""
        try:
            revision = await self._events.define(name, rules, _encode(document), revision=0)
        except Conflict:
            return False
        self._writes += 1
        self._remember(Queue(name, rules, document, revision))
        return True

    async def change(self, name: QueueName, decide: Callable[[Queue], tuple[QueueRules, QueueDocument]]) -> Queue:
        """
        Replace what is kept of a queue by what `decide` makes of it; nothing where it raises. It may be asked again.

        Raises:
            QueueDoesNotExist: there is none.
        """
        # It ends: whoever comes too late found that somebody else's change had happened.
        while True:
            before = await self.get(name)
            rules, document = decide(before)
            try:
                revision = await self._events.define(name, rules, _encode(document), revision=before.revision)
            except Conflict:
                self._drop(name)
                continue
            self._writes += 1
            after = Queue(name, rules, document, revision)
            self._remember(after)
            self._forget(name)
            return after

    async def remove(self, name: QueueName) -> bool:
        """Remove a queue with all it holds; False when there is none."""
        is_gone = await self._events.remove(name)
        self._drop(name)
        self._forget(name)
        return is_gone

    async def page(self, scope: Scope | None, prefix: str, after: QueueName | None, limit: int) -> Sequence[Queue]:
        """Return queues by name; those of all scopes with None."""
        found = await self._events.definitions(QueueKind.SQS, scope=scope, prefix=prefix, after=after, limit=limit)
        return [_queue(definition) for definition in found]

    async def all(self, scope: Scope | None) -> list[Queue]:
        """Return all queues of a scope, or of all."""
        queues: list[Queue] = []
        page: Sequence[Queue] | None = None
        while page is None or len(page) == PAGE:
            page = await self.page(scope, "", page[-1].name if page else None, PAGE)
            queues.extend(page)
        return queues

    def _remember(self, queue: Queue) -> None:
        self._cache[queue.name] = queue
        self._cache.move_to_end(queue.name)
        if len(self._cache) > _CACHE_MAX:
            self._cache.popitem(last=False)

    def _drop(self, name: QueueName) -> None:
        self._writes += 1
        self._cache.pop(name, None)


def _queue(definition: QueueDefinition) -> Queue:
    # A queue that something else than CreateQueue made has no document.
    document = _decode(definition.document) if definition.document else QueueDocument(0, 0, {})
    return Queue(definition.queue, definition.rules, document, definition.revision)
