"""Calls to the SQS of another server, as they go out. What comes of odd answers is in test_sqs_http."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lambent.domain.caller import Scope
from lambent.neighbours.client import Neighbours
from lambent.neighbours.endpoints import Credentials, Endpoints
from lambent.neighbours.message import NeighbourUnavailable
from lambent.services.sqs.elsewhere import ANSWER_MAX_BYTES, QueueElsewhere, QueuesElsewhere, Refused
from lambent.store.contract import QueueKind, QueueName

NAME = QueueName(Scope("111122223333", "eu-west-1"), QueueKind.SQS, "orders")
QUEUE = QueueElsewhere(NAME, "u", 7)
NOWHERE: Any = None


class Server:
    """Answers by action; keeps what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.heads: list[bytes] = []
        self.bodies: list[dict[str, Any]] = []
        self.drips_head = self.drips_body = False
        """Whether of its answers a byte comes now and then, and no end."""
        self._is_over = asyncio.Event()
        self._talking: set[asyncio.Task[None]] = set()

    async def end(self) -> None:
        """Return when nobody is talked to any more, and nobody is to be."""
        self._is_over.set()
        await asyncio.gather(*self._talking)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talking.add(task)
        try:
            while True:
                raw = await reader.readuntil(b"\r\n\r\n")
                head = raw.lower()
                size = int(head.partition(b"content-length: ")[2].split()[0])
                self.heads.append(head)
                self.bodies.append(json.loads(await reader.readexactly(size)))
                action = raw.partition(b"AmazonSQS.")[2].split()[0].decode()
                status, body = self.answers[action]
                writer.write(b"HTTP/1.1 %d X\r\n" % status)
                while self.drips_head:
                    await self._drip(writer)
                writer.write(b"content-length: %d\r\n\r\n" % len(body))
                while self.drips_body:
                    await self._drip(writer)
                writer.write(body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _drip(self, writer: asyncio.StreamWriter) -> None:
        if self._is_over.is_set():
            raise ConnectionError
        writer.write(b"x")
        await asyncio.sleep(0.01)


def run(story: Callable[[Server, QueuesElsewhere], Awaitable[None]], credentials: Credentials | None = None) -> None:
    """Tell a story between a server and what calls it."""

    async def tell() -> None:
        server = Server()
        listening = await asyncio.start_server(server.talk, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        signing = {} if credentials is None else {"sqs": credentials}
        neighbours = Neighbours(Endpoints({"sqs": url}, signing), NOWHERE)
        try:
            await asyncio.wait_for(story(server, QueuesElsewhere(neighbours)), 120)
        finally:
            await neighbours.close()
            listening.close()
            await server.end()

    asyncio.run(tell())


@pytest.mark.parametrize("is_signed", [True, False])
def test_a_queue_is_found_by_owner_and_name(is_signed: bool) -> None:
    """In the queue's own region, signed where there are credentials; the server's own URL goes into later requests."""

    async def story(server: Server, queues: QueuesElsewhere) -> None:
        server.answers["GetQueueUrl"] = (200, b'{"QueueUrl": "http://x/1/orders"}')
        server.answers["GetQueueAttributes"] = (200, b'{"Attributes": {"VisibilityTimeout": "7"}}')
        assert await queues.find(NAME) == QueueElsewhere(NAME, "http://x/1/orders", 7)
        assert server.bodies == [
            {"QueueName": "orders", "QueueOwnerAWSAccountId": "111122223333"},
            {"QueueUrl": "http://x/1/orders", "AttributeNames": ["VisibilityTimeout"]},
        ]
        for head in server.heads:
            assert head.startswith(b"post / http/1.1")
            assert b"content-type: application/x-amz-json-1.0" in head
            assert (b"credential=key/" in head and b"/eu-west-1/sqs/aws4_request" in head) is is_signed

    run(story, Credentials("KEY", "secret") if is_signed else None)


def test_a_queue_that_is_not_there() -> None:
    """By either name of the error; another error is one."""

    async def story(server: Server, queues: QueuesElsewhere) -> None:
        for code in (b"com.amazonaws.sqs#QueueDoesNotExist", b"AWS.SimpleQueueService.NonExistentQueue"):
            server.answers["GetQueueUrl"] = (400, b'{"__type": "%b", "message": "m"}' % code)
            assert await queues.find(NAME) is None
        server.answers["GetQueueUrl"] = (403, b'{"__type": "InvalidClientTokenId", "message": "m"}')
        with pytest.raises(Refused, match="GetQueueUrl: InvalidClientTokenId: m"):
            await queues.find(NAME)

    run(story)


def test_an_answer_that_is_too_long_is_not_read() -> None:
    """Whatever a server sends, no more than an answer can be is kept."""

    async def story(server: Server, queues: QueuesElsewhere) -> None:
        server.answers["ReceiveMessage"] = (200, b" " * (ANSWER_MAX_BYTES + 1))
        answer = await queues.receive(QUEUE, 10, wait_s=0, lease_s=7)
        assert answer.size_bytes == ANSWER_MAX_BYTES
        with pytest.raises(NeighbourUnavailable, match="the answer is longer than"):
            await answer.read()
        await answer.aclose()

    run(story)


@pytest.mark.parametrize("part", ["drips_head", "drips_body"])
def test_an_answer_that_comes_drop_by_drop_is_given_up(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never silent for long, it would keep whoever asked for ever."""
    monkeypatch.setattr("lambent.services.sqs.elsewhere._ANSWER_S", 0.2)
    monkeypatch.setattr("lambent.services.sqs.elsewhere._POLL_S", 0.3)

    async def story(server: Server, queues: QueuesElsewhere) -> None:
        server.answers["GetQueueUrl"] = server.answers["ReceiveMessage"] = (200, b" " * 1000)
        setattr(server, part, True)
        with pytest.raises(NeighbourUnavailable, match="GetQueueUrl: the answer took longer than"):
            await queues.find(NAME)
        if part == "drips_head":
            with pytest.raises(NeighbourUnavailable, match="ReceiveMessage: the answer took longer than"):
                await queues.receive(QUEUE, 10, wait_s=20, lease_s=7)
        else:
            answer = await queues.receive(QUEUE, 10, wait_s=0, lease_s=7)
            with pytest.raises(NeighbourUnavailable, match="ReceiveMessage: the answer took longer than"):
                await answer.read()

    run(story)


def test_answers_without_messages_are_short() -> None:
    """Nobody counts what they take."""

    async def story(server: Server, queues: QueuesElsewhere) -> None:
        server.answers["GetQueueUrl"] = (200, b'{"QueueUrl": "%b"}' % (b"x" * (1 << 20)))
        with pytest.raises(NeighbourUnavailable, match="GetQueueUrl: the answer is longer than"):
            await queues.find(NAME)

    run(story)


@pytest.mark.parametrize(
    ("url", "visibility"),
    [
        (b"1", b'"7"'),
        (b"null", b'"7"'),
        (b'"u"', b'"-1"'),
        (b'"u"', b'"43201"'),
        (b'"u"', b'"%b"' % (b"9" * 400)),
        (b'"u"', b"null"),
        (b'"u"', b"[]"),
    ],
)
def test_a_queue_that_cannot_be(url: bytes, visibility: bytes) -> None:
    """What no queue has is not taken for one's."""

    async def story(server: Server, queues: QueuesElsewhere) -> None:
        server.answers["GetQueueUrl"] = (200, b'{"QueueUrl": %b}' % url)
        server.answers["GetQueueAttributes"] = (200, b'{"Attributes": {"VisibilityTimeout": %b}}' % visibility)
        with pytest.raises(NeighbourUnavailable):
            await queues.find(NAME)

    run(story)


@pytest.mark.parametrize("failed", [b"1", b'{"a": 1}', b'"text"', b"true"])
def test_failures_that_nobody_understands(failed: bytes) -> None:
    """Whether anything was deleted nobody knows: it is worth repeating."""

    async def story(server: Server, queues: QueuesElsewhere) -> None:
        server.answers["DeleteMessageBatch"] = (200, b'{"Failed": %b}' % failed)
        with pytest.raises(NeighbourUnavailable, match="DeleteMessageBatch"):
            await queues.delete(QUEUE, ["handle"])

    run(story)


def test_what_a_server_says_takes_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it writes into its errors, and not a long one."""

    async def story(server: Server, queues: QueuesElsewhere) -> None:
        server.answers["GetQueueUrl"] = (400, b'{"__type": "a\\nb", "message": "one\\ntwo\\u001b[31m"}')
        with pytest.raises(Refused) as excinfo:
            await queues.find(NAME)
        assert str(excinfo.value) == "GetQueueUrl: a b: one two [31m"
        entry = b'{"Id": "0", "SenderFault": true, "Message": "%b"}' % (b"x" * 10_000)
        server.answers["DeleteMessageBatch"] = (200, b'{"Failed": [%b]}' % b",".join([entry] * 20))
        assert await queues.delete(QUEUE, ["handle"])
        assert len(caplog.records) == 1
        assert len(caplog.text) < 2_000

    run(story)
