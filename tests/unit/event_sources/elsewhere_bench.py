"""
The bench with queues at another server: a second queue engine behind an SQS that answers JSON as HTTP brings it.

The server can be away, and say things that nobody understands.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, cast

import msgspec
from unit.dispatch.async_bench import SCOPE
from unit.event_sources.mapping_bench import Bench, tell

from lambent.domain.caller import Caller, Scope
from lambent.domain.principal import root_of
from lambent.errors.families import ApiError
from lambent.neighbours.client import Neighbours
from lambent.neighbours.endpoints import Neighbour
from lambent.neighbours.message import Incoming, NeighbourUnavailable, Outgoing
from lambent.services.sqs import SimpleQueues
from lambent.services.sqs.elsewhere import QueuesElsewhere
from lambent.store.blobs import FileBlobs
from lambent.store.database import Database
from lambent.store.queue import DurableEventQueue
from lambent.testing.neighbours import no_neighbours
from lambent.testing.stores import make_sqlite

_QUEUE_CALLS = ("CreateQueue", "DeleteQueue", "SendMessage", "SetQueueAttributes", "PurgeQueue", "ReceiveMessage")


class Answer:
    """Implements `Incoming`."""

    def __init__(self, status: int, body: bytes, *, has_length: bool = True, length: int | None = None) -> None:
        self.status = status
        self.headers = [(b"content-length", b"%d" % (len(body) if length is None else length))] if has_length else []
        self._body = body

    def __aiter__(self) -> AsyncIterator[bytes]:
        raise NotImplementedError

    async def read(self, most_bytes: int) -> bytes:
        assert len(self._body) <= most_bytes
        return self._body

    async def aclose(self) -> None:
        pass


class There:
    """The other server. It stands in for `Neighbours`."""

    def __init__(self, *, is_named: bool) -> None:
        self._is_named = is_named
        self.handlers: Mapping[str, Callable[[Caller, Any], Awaitable[Any]]] = {}
        self.is_away = False
        self.is_hasty = False
        """Whether it keeps no receiver waiting."""
        self.tells_lengths = True
        """Whether its answers say how long they are."""
        self.asked: list[tuple[str, dict[str, Any]]] = []
        """Each request: action and members."""
        self.says: dict[str, Answer] = {}
        """What it answers next to an action, once, in place of what is so."""

    def of(self, service: str) -> Neighbour | None:
        return Neighbour("sqs", "http://there.test") if service == "sqs" and self._is_named else None

    async def send(self, neighbour: Neighbour, request: Outgoing, scope: Scope) -> Incoming:
        action = request.headers["x-amz-target"].removeprefix("AmazonSQS.")
        assert isinstance(request.body, bytes)
        wanted = msgspec.json.decode(request.body)
        self.asked.append((action, wanted))
        if self.is_away:
            raise NeighbourUnavailable("sqs: nobody is there")
        if (said := self.says.pop(action, None)) is not None:
            return said
        if self.is_hasty and "WaitTimeSeconds" in wanted:
            wanted["WaitTimeSeconds"] = 0
        try:
            answer = await self.handlers[action](_caller(scope), wanted)
        except ApiError as error:
            told = {"__type": f"com.amazonaws.sqs#{error.code}", "message": error.message}
            return Answer(error.status, msgspec.json.encode(told))
        if self.is_away:
            # It went while somebody waited.
            raise NeighbourUnavailable("sqs: the neighbour broke off")
        return Answer(200, msgspec.json.encode(answer or {}), has_length=self.tells_lengths)

    def count(self, action: str) -> int:
        """Return how often something was asked."""
        return sum(asked == action for asked, _ in self.asked)


class ElsewhereBench(Bench):
    """Queues are made, filled and looked at there; mappings are ours."""

    is_elsewhere = True
    there: There
    there_is_named = True

    async def _neighbours(self) -> Neighbours:
        self.there = There(is_named=self.there_is_named)
        folder = self._folder / "there"
        if not folder.exists():
            folder.mkdir()
            make_sqlite(folder / "state.db")
        database = await self._opened.enter_async_context(Database(folder / "state.db"))
        self._databases.append(database)
        self.events_there = await self._opened.enter_async_context(
            DurableEventQueue(database, FileBlobs(folder / "payloads"), self.clock)
        )
        nowhere = QueuesElsewhere(no_neighbours(folder, self.clock))
        queues = SimpleQueues(
            self.events_there, self.clock, bytes(32), nowhere, receivers_max=64, purge_wait_s=0, recreate_wait_s=0
        )
        self.there.handlers = queues.service.handlers
        return cast("Neighbours", self.there)

    @property
    def caller_there(self) -> Caller:
        return _caller(SCOPE)

    @property
    def kept_by(self) -> DurableEventQueue:
        return self.events_there

    @property
    def is_writing(self) -> bool:
        return self.events._committing is not None or self.events_there._committing is not None

    async def call(self, operation: str, account: str = SCOPE.account, **request: Any) -> Any:
        if operation in _QUEUE_CALLS:
            return await self.there.handlers[operation](_caller(Scope(account, SCOPE.region)), request)
        return await super().call(operation, account, **request)

    async def rest(self) -> None:
        """Let everything happen that does without time passing; receives wait on."""
        for _ in range(20):
            await self._step(0)


def _caller(scope: Scope) -> Caller:
    return Caller(scope, root_of(scope.account), "none", "id", "http://there.test")


def tell_there(folder: Any, story: Callable[[ElsewhereBench], Awaitable[None]], **settings: Any) -> None:
    """Run a story on a bench whose queues are at another server."""
    tell(folder, cast("Callable[[Bench], Awaitable[None]]", story), kind=ElsewhereBench, **settings)
