"""
Queues through the SQS service, held against a model of a few lines: whatever is sent, received, hidden, deleted, waited
for and restarted, in whatever order, nothing is lost, nothing comes twice, and groups keep their order.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.errors.families import ApiError
from lambent.testing.sqs import SqsBench

SECONDS = st.sampled_from([5, 1, 0, 20])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from("abc"), SECONDS),
        st.tuples(st.just("receive"), st.integers(1, 4), SECONDS),
        st.tuples(st.just("delete"), st.integers(0, 3)),
        st.tuples(st.just("hide"), st.integers(0, 3), SECONDS),
        st.tuples(st.just("wait"), SECONDS),
        st.tuples(st.just("restart")),
    ),
    # Short runs seldom come to what takes a send, a receive, a wait and a delete.
    min_size=20,
    max_size=32,
)


@dataclass(eq=False)
class Message:
    """A message as the model knows it."""

    body: str
    group: str
    due: float
    is_leased: bool = False
    receives: int = 0


class Model:
    """What a queue holds."""

    def __init__(self, *, is_fifo: bool) -> None:
        self.is_fifo = is_fifo
        self.messages: list[Message] = []

    def available(self, now: float) -> list[Message]:
        """Return what can be received: in a group from the oldest on, up to the first that is hidden or delayed."""
        found, closed = [], set()
        for message in self.messages:
            if message.due > now:
                closed.add(message.group)
            elif not (self.is_fifo and message.group in closed):
                found.append(message)
        return found

    def may(self, message: Message, receives: int, now: float) -> bool:
        """Say whether the handle of a receive still counts, for what needs that."""
        is_current = message in self.messages and message.receives == receives
        return is_current and (not self.is_fifo or (message.is_leased and message.due > now))


class Run:
    """One run: the service and the model side by side."""

    def __init__(self, sqs: SqsBench, *, is_fifo: bool) -> None:
        self.sqs = sqs
        self.queue = "q.fifo" if is_fifo else "q"
        self.model = Model(is_fifo=is_fifo)
        self.by_body: dict[str, Message] = {}
        self.held: list[tuple[Message, int, str]] = []
        sqs.create(self.queue)

    @property
    def now(self) -> float:
        return self.sqs.clock.monotonic()

    def send(self, group: str, delay_s: int) -> None:
        body = f"{group}-{len(self.by_body)}"
        more: dict[str, Any] = {} if self.model.is_fifo else {"DelaySeconds": delay_s}
        self.sqs.send(self.queue, body, **more)
        message = Message(body, group, self.now + more.get("DelaySeconds", 0))
        self.by_body[body] = message
        self.model.messages.append(message)

    def receive(self, most: int, timeout_s: int) -> None:
        available = self.model.available(self.now)
        got = self.sqs.receive(
            self.queue, most, VisibilityTimeout=timeout_s, AttributeNames=["ApproximateReceiveCount"]
        )
        messages = [self.by_body[found["Body"]] for found in got]
        assert len(messages) == len(set(messages)) == min(most, len(available))
        assert set(messages) <= set(available)
        if self.model.is_fifo:
            for group in {message.group for message in messages}:
                of_group = [message for message in messages if message.group == group]
                assert of_group == [message for message in available if message.group == group][: len(of_group)]
        for message, found in zip(messages, got, strict=True):
            message.receives += 1
            message.due, message.is_leased = self.now + timeout_s, timeout_s > 0
            assert found["Attributes"]["ApproximateReceiveCount"] == str(message.receives)
            self.held.append((message, message.receives, found["ReceiptHandle"]))

    def delete(self, number: int) -> None:
        if not self.held:
            return
        message, receives, handle = self.held[-1 - number % len(self.held)]
        refused = self._refused("DeleteMessage", ReceiptHandle=handle)
        if message not in self.model.messages:
            assert not refused
            return
        assert refused is (self.model.is_fifo and not self.model.may(message, receives, self.now))
        if not refused:
            self.model.messages.remove(message)

    def hide(self, number: int, seconds: int) -> None:
        if not self.held:
            return
        message, receives, handle = self.held[-1 - number % len(self.held)]
        refused = self._refused("ChangeMessageVisibility", ReceiptHandle=handle, VisibilityTimeout=seconds)
        assert refused is not self.model.may(message, receives, self.now)
        if not refused:
            message.due, message.is_leased = self.now + seconds, seconds > 0

    def wait(self, seconds: int) -> None:
        self.sqs.wait(seconds)

    def restart(self) -> None:
        self.sqs.reopen()

    def check(self) -> None:
        hidden = [message for message in self.model.messages if message.due > self.now]
        leased = sum(message.is_leased for message in hidden)
        visible = len(self.model.messages) - len(hidden)
        assert self.sqs.counts(self.queue) == f"{visible}/{leased}/{len(hidden) - leased}"

    def _refused(self, operation: str, **request: Any) -> bool:
        try:
            self.sqs.call(operation, QueueUrl=self.queue, **request)
        except ApiError as error:
            assert error.code == "InvalidParameterValueException"
            return True
        return False


@pytest.mark.parametrize("is_fifo", [False, True], ids=["standard", "fifo"])
def test_a_queue_is_its_model(is_fifo: bool) -> None:
    """Every answer and every count; at the end everything that was not deleted is there."""

    @given(STEPS)
    def property_holds(steps: list[tuple[Any, ...]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            sqs = SqsBench(Path(folder))
            try:
                run = Run(sqs, is_fifo=is_fifo)
                for name, *arguments in steps:
                    getattr(run, name)(*arguments)
                    # Two steps are never at one moment: what is due then would be a matter of microseconds.
                    sqs.clock.advance(0.01)
                    run.check()
                sqs.wait(100)
                assert run.model.available(run.now) == run.model.messages
                run.receive(10, 0)
            finally:
                sqs.close()

    property_holds()
