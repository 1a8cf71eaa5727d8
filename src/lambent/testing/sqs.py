"""The SQS service over a real event queue, on a clock that stands still: what its tests are written with."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lambent.domain.caller import Caller, Scope
from lambent.domain.principal import root_of
from lambent.errors.families import ApiError
from lambent.services.sqs import SimpleQueues
from lambent.services.sqs.elsewhere import QueuesElsewhere
from lambent.store.contract import QueueKind, QueueName
from lambent.store.database import Database
from lambent.testing.neighbours import no_neighbours
from lambent.testing.stores import make_sqlite, open_queue
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope(account="111122223333", region="eu-west-1")


class SqsBench:
    """Calls operations as the gateway does."""

    def __init__(self, folder: Path, **settings: float) -> None:
        self.clock = VirtualClock()
        self._folder = folder
        self._settings = {"receivers_max": 4, "purge_wait_s": 60, "recreate_wait_s": 0, **settings}
        self.runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        if not (folder / "state.db").exists():
            make_sqlite(folder / "state.db")
        self.runner.run(self._open())

    async def _open(self) -> None:
        database = await self._stack.enter_async_context(Database(self._folder / "state.db"))
        opened = await self._stack.enter_async_context(open_queue(database, self._folder / "payloads", self.clock))
        self.events = opened.queue
        elsewhere = QueuesElsewhere(no_neighbours(self._folder, self.clock))
        self.queues = SimpleQueues(
            self.events,
            self.clock,
            bytes(32),
            elsewhere,
            **self._settings,  # type: ignore[arg-type]
        )

    def reopen(self) -> None:
        """End the service and begin it again on the same folder."""
        self.close(ends=False)
        self._stack = AsyncExitStack()
        self.runner.run(self._open())

    def close(self, *, ends: bool = True) -> None:
        self.runner.run(self._stack.aclose())
        if ends:
            self.runner.close()

    def wait(self, seconds: float) -> None:
        """Let time pass, and a moment more: the event queue counts microseconds on while the clock stands still."""
        self.clock.advance(seconds + 0.01)

    def caller(self, account: str = SCOPE.account, **more: Any) -> Caller:
        caller = Caller(Scope(account, SCOPE.region), root_of(account), "none", "id", "http://127.0.0.1:4566")
        return msgspec.structs.replace(caller, **more)

    async def begin(self, operation: str, caller: Caller | None = None, **request: Any) -> Any:
        """Call one operation on the loop."""
        return await self.queues.service.handlers[operation](caller or self.caller(), request)

    def call(self, operation: str, caller: Caller | None = None, **request: Any) -> Any:
        """Call one operation; raises what it raises."""
        return self.runner.run(self.begin(operation, caller, **request))

    def refusal(self, operation: str, **request: Any) -> tuple[str, str]:
        """Return code and text of the error that an operation answers."""
        with pytest.raises(ApiError) as excinfo:
            self.call(operation, **request)
        return excinfo.value.code, excinfo.value.message

    def queue(self, name: str) -> QueueName:
        return QueueName(SCOPE, QueueKind.SQS, name)

    # Queues by their bare names, which are QueueUrls too.

    def create(self, name: str, **attributes: str) -> str:
        if name.endswith(".fifo"):
            attributes.setdefault("FifoQueue", "true")
        self.call("CreateQueue", QueueName=name, Attributes=attributes)
        return name

    def send(self, queue: str, *bodies: str, **more: Any) -> list[Any]:
        """Send messages. On a FIFO queue a body's part before the dash is the group, and the body the id."""
        sent = []
        for body in bodies:
            given = dict(more)
            if queue.endswith(".fifo"):
                given.setdefault("MessageGroupId", body.partition("-")[0])
                given.setdefault("MessageDeduplicationId", body)
            sent.append(self.call("SendMessage", QueueUrl=queue, MessageBody=body, **given))
        return sent

    def receive(self, queue: str, most: int = 10, **more: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=most, **more).get(
            "Messages", []
        )
        return found

    def bodies(self, queue: str, most: int = 10, **more: Any) -> str:
        """Receive; return the bodies in one text."""
        return " ".join(message["Body"] for message in self.receive(queue, most, **more))

    def delete(self, queue: str, message: dict[str, Any]) -> None:
        self.call("DeleteMessage", QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    def hide(self, queue: str, message: dict[str, Any], seconds: int) -> None:
        self.call(
            "ChangeMessageVisibility",
            QueueUrl=queue,
            ReceiptHandle=message["ReceiptHandle"],
            VisibilityTimeout=seconds,
        )

    def attributes(self, queue: str, *names: str) -> dict[str, str]:
        found: dict[str, str] = self.call(
            "GetQueueAttributes", QueueUrl=queue, AttributeNames=list(names or ("All",))
        ).get("Attributes", {})
        return found

    def counts(self, queue: str) -> str:
        """Return visible/not visible/delayed."""
        found = self.attributes(queue)
        return "/".join(found[f"ApproximateNumberOfMessages{kind}"] for kind in ("", "NotVisible", "Delayed"))
