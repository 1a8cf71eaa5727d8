"""
Queues of another server, over HTTP.

Nobody tells when a message comes: a claim waits at the server for as long as the server lets it, and holds no memory
meanwhile.
"""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeGuard

import msgspec

from lambent.domain.event_source_mapping import EventSourceMapping
from lambent.domain.queue_message import MessageAttribute
from lambent.errors.families import DependencyError
from lambent.event_sources.sqs_queue import Claimed, Message
from lambent.event_sources.sqs_record import record
from lambent.event_sources.sqs_shared import Shared
from lambent.neighbours.message import NeighbourUnavailable
from lambent.services.sqs.elsewhere import BATCH_MAX, WAIT_S, QueueElsewhere, Receive, Refused
from lambent.services.sqs.naming import is_fifo, queue_arn
from lambent.services.sqs.source_queues import NotAllowed
from lambent.store.contract import QueueName

_log = logging.getLogger("lambent.event_sources")

_KNOWN_S = 30.0
"""How long a queue's visibility timeout is taken for what it was. Assumed: who changes one knows that it takes time."""

_AT_ONCE = 8
"""
Requests for one mapping at once: receives after one that was full, and deletions. Assumed: more would only wait for
each other.
"""

_LEAST_S = 1.0
"""Between receives that brought nothing: a server that keeps nobody waiting is not asked all the time. Assumed."""

_ID_MAX = 100
"""Characters of a message's id. Documented: SQS developer guide, queue and message identifiers."""

_ROOM_AGAIN_S = 0.05
"""Between looks whether there is room for an answer, where other mappings hold what may be held. Assumed."""


class HttpQueue:
    """Implements `ReadQueue`."""

    tells = False
    pause_max_s = 16.0
    """A server that is away is asked for this often. Assumed."""

    def __init__(self, shared: Shared, name: QueueName) -> None:
        self._shared = shared
        self._name = name
        self._found: QueueElsewhere | None = None
        self._known_until = 0.0

    async def visibility_s(self, mapping: EventSourceMapping, role: str) -> int | None:
        # With what rights the queue is read, the neighbour's credentials say. Whether the function's role may is for us
        # to know: there it means nothing.
        await self._shared.queues.check_role(self._name, role)
        now = self._shared.clock.monotonic()
        if self._found is None or now >= self._known_until:
            try:
                self._found = await self._shared.elsewhere.find(self._name)
            except (Refused, NeighbourUnavailable) as error:
                raise _translated(error) from error
            self._known_until = now + _KNOWN_S
        return None if self._found is None else self._found.visibility_s

    @asynccontextmanager
    async def claim(self, wanted: int, lease_s: float, bytes_max: int) -> AsyncIterator[Claimed]:
        shared, held = self._shared, _Held(self._shared)
        try:
            try:
                began = shared.clock.monotonic()
                with shared.waiting():
                    first = await self._receive(min(wanted, BATCH_MAX), WAIT_S, lease_s)
                at = shared.clock.monotonic()
                async with aclosing(first):
                    told_bytes = first.size_bytes
                    await held.wait_room(told_bytes, at + lease_s)
                    messages = await self._read(first, held)
                if len(messages) == BATCH_MAX < wanted:
                    messages += await self._more(wanted - BATCH_MAX, lease_s, told_bytes, held)
            except (Refused, NeighbourUnavailable) as error:
                # It may have been deleted, or be elsewhere now.
                self._found = None
                raise _translated(error) from error
            if not messages and (left_s := began + _LEAST_S - shared.clock.monotonic()) > 0:
                with shared.waiting():
                    await shared.clock.sleep(left_s)
            yield Claimed(messages, at, is_drained=False)
        finally:
            held.release()

    async def delete(self, receipts: Sequence[str]) -> None:
        async def delete(queue: QueueElsewhere, handles: Sequence[str]) -> None:
            if not await self._shared.elsewhere.delete(queue, handles):
                raise DependencyError(f"sqs: not all of {len(handles)} messages are deleted", retryable=True)

        await self._by_tens(receipts, delete)

    async def give_back(self, receipts: Sequence[str]) -> None:
        await self._by_tens(receipts, self._shared.elsewhere.give_back)

    async def _receive(self, most: int, wait_s: int, lease_s: float) -> Receive:
        assert self._found is not None, "the queue is looked up first"
        return await self._shared.elsewhere.receive(self._found, most, wait_s=wait_s, lease_s=round(lease_s))

    async def _more(self, wanted: int, lease_s: float, each_bytes: int, held: "_Held") -> list["_HttpMessage"]:
        """
        Receive on where one answer was full.

        Args:
            each_bytes: how long an answer may be, as far as the first one tells. As many are asked for as there is room
                for: claims that hold a part of what may be held, and wait for more, would wait for each other.
        """

        async def more(most: int) -> list[_HttpMessage]:
            async with aclosing(await self._receive(most, 0, lease_s)) as answer:
                if not held.take(answer.size_bytes - each_bytes):
                    raise NeighbourUnavailable(f"sqs: there is no room for an answer of {answer.size_bytes} bytes")
                return await self._read(answer, held)

        sizes = [min(BATCH_MAX, wanted - start) for start in range(0, wanted, BATCH_MAX)][:_AT_ONCE]
        taken = [size for size in sizes if held.take(each_bytes)]
        answers = await asyncio.gather(*map(more, taken), return_exceptions=True)
        found: list[_HttpMessage] = []
        for answer in answers:
            if isinstance(answer, (Refused, NeighbourUnavailable)):
                # There is the first answer: what ails the server shows again soon.
                _log.warning("mapping.not_read queue=%s reason=%s", queue_arn(self._name), answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found += answer
        return found

    async def _read(self, answer: Receive, held: "_Held") -> list["_HttpMessage"]:
        """Read an answer for which there is room."""
        told_bytes = answer.size_bytes
        raw = await answer.read()
        held.take(answer.size_bytes - told_bytes)
        fifo = is_fifo(self._name)
        found: list[_HttpMessage] = []
        left: set[str] = set()
        for one in raw:
            message_id, receipt, group = one.get("MessageId"), one.get("ReceiptHandle"), _group(one) if fifo else None
            if not (_is_id(message_id) and isinstance(receipt, str)):
                _log.error("mapping.not_understood queue=%s message=%.100r", queue_arn(self._name), message_id)
                if group is not None:
                    # What follows it there comes back with it.
                    left.add(group)
            elif group not in left:
                found.append(_HttpMessage(self._name, message_id, receipt, group, one))
        return found

    async def _by_tens(
        self, receipts: Sequence[str], act: Callable[[QueueElsewhere, Sequence[str]], Awaitable[None]]
    ) -> None:
        """Do something with all messages, ten by ten; raise DependencyError when some of it failed."""
        try:
            # As its URL is part of each request: it may be that nothing was read since it was forgotten.
            queue = self._found or await self._shared.elsewhere.find(self._name)
        except (Refused, NeighbourUnavailable) as error:
            raise DependencyError(str(error), retryable=True) from error
        if queue is None:
            return
        turns, is_away = asyncio.Semaphore(_AT_ONCE), False

        async def ten(start: int) -> None:
            nonlocal is_away
            async with turns:
                if is_away:
                    # Whoever is silent is so for each ten of thousands.
                    return
                try:
                    await act(queue, receipts[start : start + BATCH_MAX])
                except Refused as error:
                    if not error.is_missing:
                        raise DependencyError(str(error), retryable=True) from error
                except NeighbourUnavailable as error:
                    is_away = True
                    raise DependencyError(str(error), retryable=True) from error

        done = await asyncio.gather(*map(ten, range(0, len(receipts), BATCH_MAX)), return_exceptions=True)
        for failure in done:
            if failure is not None:
                raise failure


class _Held:
    """What the answers of one claim take of the budget."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._bytes = 0

    async def wait_room(self, size_bytes: int, until: float) -> None:
        """
        Take so much once there is room: what is not read yet takes none. Nothing is to be held meanwhile.

        Raises:
            DependencyError: there was none in time.
        """
        assert not self._bytes
        while not self.take(size_bytes):
            if self._shared.clock.monotonic() >= until:
                raise DependencyError(f"sqs: there was no room for an answer of {size_bytes} bytes", retryable=True)
            await self._shared.clock.sleep(_ROOM_AGAIN_S)

    def take(self, more_bytes: int) -> bool:
        """Take so much more, or less; say whether there was room."""
        if more_bytes > max(self._shared.budget.left_bytes, 0):
            return False
        self._bytes += more_bytes
        if more_bytes > 0:
            self._shared.budget.hold(more_bytes)
        elif more_bytes:
            self._shared.budget.release(-more_bytes)
        return True

    def release(self) -> None:
        self.take(-self._bytes)


class _HttpMessage(msgspec.Struct, frozen=True):
    """Implements `Received`."""

    queue: QueueName
    id: str
    receipt: str
    group: str | None
    raw: dict[str, Any]

    @property
    def size_bytes(self) -> int:
        body = self.raw.get("Body")
        return len(body) if isinstance(body, str) else 0

    def read(self) -> Message:
        body = self.raw["Body"]
        if not isinstance(body, str):
            raise TypeError("the body is not a text")
        system = {name: str(value) for name, value in (self.raw.get("Attributes") or {}).items()}
        attributes = {name: _attribute(value) for name, value in (self.raw.get("MessageAttributes") or {}).items()}
        return Message(
            record(self.queue, self.id, self.receipt, body, system, attributes), body, system.get("AWSTraceHeader", "")
        )


def _group(raw: dict[str, Any]) -> str | None:
    """Return a FIFO queue's message's group. On a standard queue it orders nothing."""
    attributes = raw.get("Attributes")
    group = attributes.get("MessageGroupId") if isinstance(attributes, dict) else None
    return group if isinstance(group, str) else None


def _is_id(given: object) -> TypeGuard[str]:
    """Say whether a message can be told of by this, in a line of the log."""
    return isinstance(given, str) and len(given) <= _ID_MAX and given.isprintable()


def _attribute(value: dict[str, Any]) -> MessageAttribute:
    if (data := value.get("BinaryValue")) is not None:
        return MessageAttribute(value["DataType"], data=base64.b64decode(data, validate=True))
    return MessageAttribute(value["DataType"], value["StringValue"])


def _translated(error: Refused | NeighbourUnavailable) -> Exception:
    """Return an error as the poller's contract has it."""
    if isinstance(error, Refused) and error.is_denied:
        return NotAllowed(error.action)
    return DependencyError(str(error), retryable=True)
