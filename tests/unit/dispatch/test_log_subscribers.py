"""Functions that subscribed to log groups: who may, and what becomes of payloads."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lambent.dispatch.async_event import decode_event
from lambent.dispatch.log_subscribers import LogSubscribers
from lambent.domain.caller import Scope
from lambent.domain.function import FunctionName
from lambent.domain.log_filter import SubscriptionFilter
from lambent.domain.resource_policy import ResourcePolicy
from lambent.store.contract import NewEvent, QueueFull
from lambent.telemetry.ingestion import TargetFull
from lambent.testing.conformance.store import SCOPE, function_of, latest_of
from lambent.testing.stores import Stores, make_sqlite, open_sqlite

FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:f"
GROUP_ARN = "arn:aws:logs:eu-west-1:111122223333:log-group:orders:*"


class Queue:
    """Implements what is used of `EventQueue`."""

    def __init__(self) -> None:
        self.puts: list[Sequence[NewEvent]] = []
        self.is_full = False

    async def put(self, events: Sequence[NewEvent]) -> None:
        if self.is_full:
            raise QueueFull
        self.puts.append(events)


def policy(principal: Any = "logs.amazonaws.com", source: str = GROUP_ARN, qualifier: str = "") -> ResourcePolicy:
    statement = {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": {"Service": principal},
        "Action": "lambda:InvokeFunction",
        "Resource": f"{FUNCTION}{qualifier}",
        "Condition": {"ArnLike": {"AWS:SourceArn": source}},
    }
    return ResourcePolicy((statement,))


def tell(
    tmp_path: Path,
    story: Callable[[LogSubscribers, Queue], Coroutine[Any, Any, None]],
    let_in: ResourcePolicy | None = None,
    log_group: str = "/aws/lambda/f",
) -> None:
    async def run() -> None:
        make_sqlite(tmp_path / "state.db")
        async with open_sqlite(str(tmp_path / "state.db")) as stores:
            await create(stores, let_in, log_group)
            queue = Queue()
            await story(LogSubscribers(queue, stores.functions, stores.clock), queue)  # type: ignore[arg-type]

    asyncio.run(run())


async def create(stores: Stores, let_in: ResourcePolicy | None, log_group: str) -> None:
    latest = latest_of("f")
    configuration = msgspec.structs.replace(latest.configuration, log_group=log_group)
    async with stores.functions.transaction(SCOPE) as tx:
        await tx.create(function_of("f"), msgspec.structs.replace(latest, configuration=configuration))
        if let_in is not None:
            await tx.policies.save(FunctionName("f"), None, let_in)


def subscription(arn: str = FUNCTION, group: str = "orders") -> SubscriptionFilter:
    return SubscriptionFilter(SCOPE, group, "sub", 1, "", arn)


def test_payloads_become_events_of_the_function(tmp_path: Path) -> None:
    """All of one subscription in one commit, each a request of its own with a trace of its own."""

    async def story(subscribers: LogSubscribers, queue: Queue) -> None:
        assert await subscribers.deliver(subscription(), [b"1", b"2"]) == ""
        assert await subscribers.deliver(subscription(f"{FUNCTION}:$LATEST"), [b"3"]) == ""
        ((first, second), (third,)) = queue.puts
        assert [first.body, second.body, third.body] == [b"1", b"2", b"3"]
        assert first.queue == second.queue and first.queue.name == "f/id-of-f"
        assert len({first.id, second.id, third.id}) == 3
        events = [decode_event(one.attributes) for one in (first, second, third)]
        assert [one.qualifier for one in events] == [None, None, "$LATEST"]
        assert len({one.trace_header for one in events}) == 3
        assert events[0].trace_header.startswith("Root=1-")

    tell(tmp_path, story, policy())


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        (FUNCTION, True),
        (f"{FUNCTION}:$LATEST", True),
        (f"{FUNCTION}:live", False),
        (FUNCTION.replace(":f", ":g"), False),
        (FUNCTION.replace("111122223333", "444455556666"), False),
        (FUNCTION.replace("eu-west-1", "us-east-1"), False),
        ("arn:aws:lambda:eu-west-1:111122223333:layer:f", False),
        ("arn:aws:lambda:eu-west-1:111122223333:function:f:a:b", False),
        ("f", False),
    ],
)
def test_who_is_there(tmp_path: Path, arn: str, expected: bool) -> None:
    """Functions of the group's own account and region."""

    async def story(subscribers: LogSubscribers, queue: Queue) -> None:
        assert await subscribers.exists(SCOPE, arn) is expected
        if not expected:
            assert await subscribers.deliver(subscription(arn), [b"x"]) == "it is gone"
            assert not queue.puts

    tell(tmp_path, story, policy())


@pytest.mark.parametrize(
    ("let_in", "expected"),
    [
        (policy(), True),
        (policy("logs.eu-west-1.amazonaws.com"), True),
        (policy(source="arn:aws:logs:eu-west-1:111122223333:log-group:*"), True),
        (policy("logs.us-east-1.amazonaws.com"), False),
        (policy("s3.amazonaws.com"), False),
        (policy(source=GROUP_ARN.replace("orders", "other")), False),
        (policy(source=GROUP_ARN.removesuffix(":*")), False),
        (policy(qualifier=":live"), False),
        (None, False),
    ],
)
def test_who_lets_logs_in(tmp_path: Path, let_in: ResourcePolicy | None, expected: bool) -> None:
    """By its policy: asked when a filter is made, and again at each delivery."""

    async def story(subscribers: LogSubscribers, queue: Queue) -> None:
        assert await subscribers.is_let_in(SCOPE, FUNCTION, "orders") is expected
        reason = await subscribers.deliver(subscription(), [b"x"])
        assert (reason == "") is expected
        assert len(queue.puts) == expected

    tell(tmp_path, story, let_in)


@pytest.mark.parametrize("group", ["/aws/lambda/f", "orders"])
def test_a_function_never_gets_what_it_writes_itself(tmp_path: Path, group: str) -> None:
    """Whether the group is its own by name, or because it was configured to write there since."""

    async def story(subscribers: LogSubscribers, queue: Queue) -> None:
        assert await subscribers.writes_to(SCOPE, FUNCTION, group)
        assert not await subscribers.writes_to(SCOPE, FUNCTION, "third")
        assert not await subscribers.writes_to(SCOPE, f"{FUNCTION}x", group)
        reason = await subscribers.deliver(subscription(group=group), [b"x"])
        assert reason == "the function writes to this group itself"
        assert not queue.puts

    tell(tmp_path, story, policy(source="arn:aws:logs:*"), "orders")


def test_a_full_queue_is_told_of(tmp_path: Path) -> None:
    """Who delivers decides how long to wait."""

    async def story(subscribers: LogSubscribers, queue: Queue) -> None:
        queue.is_full = True
        with pytest.raises(TargetFull):
            await subscribers.deliver(subscription(), [b"x"])

    tell(tmp_path, story, policy())


def test_scopes_are_kept_apart(tmp_path: Path) -> None:
    """A function of the same name elsewhere is another one."""

    async def story(subscribers: LogSubscribers, queue: Queue) -> None:
        assert not await subscribers.exists(Scope("111122223333", "us-east-1"), FUNCTION)

    tell(tmp_path, story, policy())
