"""
Queues of another server: the calls that its readers make, in the JSON protocol that AWS's SDKs speak today.

Documented: SQS API reference, and SQS developer guide, making API requests with the AWS JSON protocol.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import msgspec

from lambent.neighbours.client import Neighbours
from lambent.neighbours.message import AnswerTooLarge, Incoming, NeighbourUnavailable, Outgoing, header
from lambent.services.sqs.naming import queue_arn
from lambent.store.contract import QueueName

_log = logging.getLogger("lambent.services")

BATCH_MAX = 10
"""Messages that one request receives, deletes or gives back. Documented: SQS API reference."""

WAIT_S = 20
"""How long a server keeps a receiver waiting at most. Documented: SQS API reference, ReceiveMessage."""

ANSWER_MAX_BYTES = 32 << 20
"""Ten messages of a mebibyte, of which each character may be escaped: a letter of two bytes becomes six."""

_SHORT_ANSWER_MAX_BYTES = 256 << 10
"""Of all others, whose bytes nobody counts. Assumed: ten failures with a text each are far from that."""

_ANSWER_S = 30.0
"""How long an answer may take once the server is to wait for nothing, however it comes. Assumed."""

_POLL_S = 600.0
"""How long a poll may take until its answer begins, its turn among others included. Assumed: that of some 30,000."""

_SILENCE_S = 10.0
"""How long a server may say nothing beyond what it was asked to wait. Assumed."""

_TEXT_MAX = 1_000
"""Characters of a server's error that are passed on, and of a queue's URL."""

_VISIBILITY_MAX_S = 43_200
"""Documented: SQS API reference, SetQueueAttributes."""

_MISSING = frozenset({"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})

_encode = msgspec.json.Encoder().encode


class Refused(Exception):
    """
    The server said no.

    Args:
        action: e.g. `ReceiveMessage`.
        code: e.g. `OverLimit`.
        text: its message.
    """

    def __init__(self, action: str, code: str, text: str) -> None:
        super().__init__(f"{action}: {code}: {text}")
        self.action = action
        self.code = code
        self.text = text

    @property
    def is_missing(self) -> bool:
        """There is no such queue."""
        return self.code in _MISSING

    @property
    def is_denied(self) -> bool:
        """The neighbour's credentials do not let us do this."""
        return self.code in _DENIED


class QueueElsewhere(msgspec.Struct, frozen=True):
    """One queue of the other server."""

    name: QueueName
    url: str
    """As that server names it."""
    visibility_s: int


class Receive:
    """An answer to a receive, of which the head is there. To be read."""

    def __init__(self, answer: Incoming) -> None:
        self._answer = answer
        told_bytes = _told_bytes(answer)
        self.size_bytes = ANSWER_MAX_BYTES if told_bytes is None else min(told_bytes, ANSWER_MAX_BYTES)
        """How much may be read of it; once it is read, how much was."""

    async def read(self) -> list[dict[str, Any]]:
        """
        Return the messages, as the server tells of them.

        Raises:
            Refused: the server said no.
            NeighbourUnavailable: it broke off, or nobody understands what it says.
        """
        async with _in_time("ReceiveMessage", _ANSWER_S):
            said, self.size_bytes = await _said("ReceiveMessage", self._answer, ANSWER_MAX_BYTES)
        messages = said.get("Messages") or []
        if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
            raise NeighbourUnavailable("sqs: ReceiveMessage: the answer is not a list of messages")
        return messages

    async def aclose(self) -> None:
        """Do without it."""
        await self._answer.aclose()


class QueuesElsewhere:
    """Calls the SQS of the table of neighbours, with the credentials that the table has for it."""

    def __init__(self, neighbours: Neighbours) -> None:
        self._neighbours = neighbours

    @property
    def is_named(self) -> bool:
        """Whether there is such a server."""
        return self._neighbours.of("sqs") is not None

    async def find(self, name: QueueName) -> QueueElsewhere | None:
        """
        Return a queue; None where there is none.

        Raises:
            Refused: the server said no otherwise.
            NeighbourUnavailable: it does not answer, or is not named.
        """
        try:
            wanted = {"QueueName": name.name, "QueueOwnerAWSAccountId": name.scope.account}
            url = (await self._call("GetQueueUrl", name, wanted)).get("QueueUrl")
            if not isinstance(url, str) or len(url) > _TEXT_MAX:
                raise NeighbourUnavailable("sqs: GetQueueUrl: the answer has no QueueUrl")
            asked = {"QueueUrl": url, "AttributeNames": ["VisibilityTimeout"]}
            attributes = (await self._call("GetQueueAttributes", name, asked)).get("Attributes") or {}
        except Refused as error:
            if error.is_missing:
                return None
            raise
        try:
            visibility_s = int(attributes["VisibilityTimeout"])
        except (TypeError, KeyError, ValueError):
            visibility_s = -1
        if not 0 <= visibility_s <= _VISIBILITY_MAX_S:
            raise NeighbourUnavailable("sqs: GetQueueAttributes: the answer has no VisibilityTimeout")
        return QueueElsewhere(name, url, visibility_s)

    async def receive(self, queue: QueueElsewhere, most: int, *, wait_s: int, lease_s: int) -> Receive:
        """
        Receive messages; return when the server begins to answer, which may take as long as it is to wait.

        Args:
            most: messages at most, from 1 to 10.
            lease_s: for how long they are hidden from others.

        Raises:
            NeighbourUnavailable: it does not answer, or is not named.
        """
        wanted = {
            "QueueUrl": queue.url,
            "MaxNumberOfMessages": most,
            "WaitTimeSeconds": wait_s,
            "VisibilityTimeout": lease_s,
            # Both names: servers that are older than the second know the first alone.
            "AttributeNames": ["All"],
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        async with _in_time("ReceiveMessage", _POLL_S if wait_s else _ANSWER_S):
            return Receive(await self._send("ReceiveMessage", queue.name, wanted, wait_s=wait_s))

    async def delete(self, queue: QueueElsewhere, handles: Sequence[str]) -> bool:
        """
        Delete at most ten messages; say whether nothing is to be tried again.

        A handle that the server takes no more is logged: its message comes back.

        Raises:
            Refused, NeighbourUnavailable: none was deleted, as far as is known.
        """
        entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(handles)]
        return await self._batch("DeleteMessageBatch", queue, entries)

    async def give_back(self, queue: QueueElsewhere, handles: Sequence[str]) -> None:
        """
        Have at most ten messages be visible at once.

        Raises:
            Refused, NeighbourUnavailable: as with `delete`.
        """
        entries = [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
            for number, handle in enumerate(handles)
        ]
        await self._batch("ChangeMessageVisibilityBatch", queue, entries)

    async def _batch(self, action: str, queue: QueueElsewhere, entries: Sequence[Mapping[str, Any]]) -> bool:
        said = await self._call(action, queue.name, {"QueueUrl": queue.url, "Entries": entries})
        failed = said.get("Failed") or []
        if not isinstance(failed, list):
            raise NeighbourUnavailable(f"sqs: {action}: the answer has no list of failures")
        if failed:
            told = str(failed[0])[:_TEXT_MAX]
            _log.warning(
                "queue.entries_failed action=%s queue=%s entries=%d first=%s",
                action,
                queue_arn(queue.name),
                len(failed),
                told,
            )
        return all(isinstance(failure, dict) and failure.get("SenderFault") is True for failure in failed)

    async def _call(self, action: str, name: QueueName, wanted: Mapping[str, Any]) -> dict[str, Any]:
        async with _in_time(action, _ANSWER_S), aclosing(await self._send(action, name, wanted)) as answer:
            said, _ = await _said(action, answer, _SHORT_ANSWER_MAX_BYTES)
            return said

    async def _send(self, action: str, name: QueueName, wanted: Mapping[str, Any], wait_s: int = 0) -> Incoming:
        neighbour = self._neighbours.of("sqs")
        if neighbour is None:
            raise NeighbourUnavailable("sqs: the queue is another server's, and none is named: --neighbour sqs=URL")
        headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{action}"}
        request = Outgoing(
            "POST",
            "/",
            headers=headers,
            body=_encode(wanted),
            silence_s=wait_s + _SILENCE_S,
            is_long_poll=wait_s > 0,
        )
        return await self._neighbours.send(neighbour, request, name.scope)


@asynccontextmanager
async def _in_time(action: str, limit_s: float) -> AsyncIterator[None]:
    """Give an answer up that takes too long, though its server is never silent."""
    try:
        async with asyncio.timeout(limit_s):
            yield
    except TimeoutError:
        raise NeighbourUnavailable(f"sqs: {action}: the answer took longer than {limit_s:.0f} s") from None


async def _said(action: str, answer: Incoming, most_bytes: int) -> tuple[dict[str, Any], int]:
    """
    Return what an answer says, and how long it was.

    Raises:
        Refused: an error of the request's.
        NeighbourUnavailable: an error of the server's, or nothing that anybody understands.
    """
    try:
        if (_told_bytes(answer) or 0) > most_bytes:
            raise AnswerTooLarge
        body = await answer.read(most_bytes)
        said = msgspec.json.decode(body) if body.strip() else {}
    except AnswerTooLarge:
        raise NeighbourUnavailable(f"sqs: {action}: the answer is longer than {most_bytes} bytes") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        said = None
    if answer.status >= 500 or not isinstance(said, dict):
        raise NeighbourUnavailable(f"sqs: {action}: the neighbour answers {answer.status}, {_short(body)}")
    if answer.status != 200:
        code = str(said.get("__type") or answer.status).rpartition("#")[2]
        text = str(said.get("message") or said.get("Message") or "")
        raise Refused(action, _line(code[:100]), _line(text[:_TEXT_MAX]))
    return said, len(body)


def _told_bytes(answer: Incoming) -> int | None:
    """Return how long an answer says to be; None where it does not."""
    told = header(answer, "content-length")
    return int(told) if told.isascii() and told.isdigit() else None


def _line(text: str) -> str:
    """Return a text as one line: what it says stands in the log."""
    return "".join(character if character.isprintable() else " " for character in text)


def _short(body: bytes) -> str:
    """Return the beginning of a body, for the log."""
    return repr(body[:200].decode(errors="replace"))
