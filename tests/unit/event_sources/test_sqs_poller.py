"""Reading a queue for a function: batches, failures, order, concurrency; and that nothing is lost."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from unit.dispatch.async_bench import SCOPE
from unit.event_sources.mapping_bench import Bench, queue_arn, tell

from lambent.domain.alias import Alias
from lambent.domain.function import FunctionName, State
from lambent.domain.invocation import FunctionError, Invocation, InvocationOutcome
from lambent.domain.queue_message import unpack
from lambent.domain.trace import next_trace
from lambent.errors.families import DependencyError
from lambent.event_sources.budget import HELD_MAX_BYTES
from lambent.fleet.contract import Throttled
from lambent.store.contract import Extend

OK = InvocationOutcome(b"null", "$LATEST")
FAILED = InvocationOutcome(b'{"errorMessage": "boom"}', "$LATEST", FunctionError())


def bodies_of(invocation: Invocation) -> list[str]:
    return [record["body"] for record in json.loads(invocation.payload)["Records"]]


def on_body(outcomes: dict[str, InvocationOutcome]) -> Callable[[Invocation], Awaitable[InvocationOutcome]]:
    """Return a function that answers by the first message that it has an outcome for."""

    async def does(invocation: Invocation) -> InvocationOutcome:
        return next((outcomes[body] for body in bodies_of(invocation) if body in outcomes), OK)

    return does


class Gate:
    """A function that works on each batch until it is let go."""

    def __init__(self, bench: Bench) -> None:
        self.waiting: dict[str, asyncio.Future[InvocationOutcome]] = {}
        self.is_open = False
        bench.fleet.does = self._does

    async def _does(self, invocation: Invocation) -> InvocationOutcome:
        if self.is_open:
            return OK
        going: asyncio.Future[InvocationOutcome] = asyncio.get_running_loop().create_future()
        self.waiting[" ".join(bodies_of(invocation))] = going
        return await going

    def let_go(self, bodies: str, outcome: InvocationOutcome = OK) -> None:
        self.waiting.pop(bodies).set_result(outcome)

    def let_all_go(self) -> None:
        for bodies in list(self.waiting):
            self.let_go(bodies)


def fail_on(monkeypatch: pytest.MonkeyPatch, poison: str) -> None:
    """Have one message be such that looking at it is an error of ours."""

    def unpack_or_fail(body: bytes, attributes: bytes) -> Any:
        if body == poison.encode():
            raise RecursionError("a mistake of ours")
        return unpack(body, attributes)

    monkeypatch.setattr("lambent.event_sources.sqs_poller.unpack", unpack_or_fail)


def test_a_message_reaches_its_function_and_is_gone(tmp_path: Path) -> None:
    """SQ-02-attributes: every member of a record, of a message with attributes of each type and of one without."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.mapping()
        attributes = {
            "Author": {"DataType": "String", "StringValue": "ü"},
            "WeeksOn": {"DataType": "Number", "StringValue": "6"},
            "Blob": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
        }
        (sent,) = await bench.send("one", MessageAttributes=attributes)
        await bench.until_depth(0, 0, 0)
        (plain,) = await bench.send("two")
        await bench.until_depth(0, 0, 0)
        first, second = (batch[0] for batch in bench.batches())
        empty: dict[str, Any] = {"stringListValues": [], "binaryListValues": []}
        assert first["messageAttributes"] == {
            "Author": {"stringValue": "ü", **empty, "dataType": "String"},
            "WeeksOn": {"stringValue": "6", **empty, "dataType": "Number"},
            "Blob": {"binaryValue": "AAE=", **empty, "dataType": "Binary"},
        }
        assert first["md5OfMessageAttributes"]
        assert set(second) == {
            "messageId", "receiptHandle", "body", "attributes", "messageAttributes", "md5OfBody", "eventSource",
            "eventSourceARN", "awsRegion",
        }  # fmt: skip
        assert (first["messageId"], second["messageId"]) == (sent, plain)
        assert second["messageAttributes"] == {}
        assert second["md5OfBody"] == "b8a9f715dbb64fd5c56e7783c6820a61"
        assert (second["eventSource"], second["awsRegion"]) == ("aws:sqs", "us-east-1")
        assert second["eventSourceARN"] == queue_arn("q")
        assert set(second["attributes"]) == {
            "ApproximateReceiveCount", "SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp",
        }  # fmt: skip
        assert all(isinstance(value, str) for value in second["attributes"].values())
        (_, invocation), _ = bench.fleet.ran
        assert invocation.invoked_arn == "arn:aws:lambda:us-east-1:000000000000:function:f"
        assert len(invocation.request_id) == 36

    tell(tmp_path, story)


def test_a_fifo_message_says_where_it_belongs(tmp_path: Path) -> None:
    """SQ-02-attributes: group, deduplication id and sequence number."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue("q.fifo")
        await bench.mapping("q.fifo")
        await bench.send("a-1", queue="q.fifo")
        await bench.until_depth(0, 0, 0, queue="q.fifo")
        attributes = bench.batches()[0][0]["attributes"]
        assert (attributes["MessageGroupId"], attributes["MessageDeduplicationId"]) == ("a", "a-1")
        assert len(attributes["SequenceNumber"]) == 20

    tell(tmp_path, story)


def test_what_was_there_before_the_mapping_is_read(tmp_path: Path) -> None:
    """In batches of ten, unless the mapping says otherwise."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.send(*(str(number) for number in range(25)))
        await bench.mapping()
        await bench.until_depth(0, 0, 0)
        assert sorted(len(batch) for batch in bench.bodies()) == [5, 10, 10]
        assert sorted(int(body) for batch in bench.bodies() for body in batch) == list(range(25))

    tell(tmp_path, story)


def test_a_mapping_at_rest_does_nothing(tmp_path: Path) -> None:
    """No timer, no task, no look at the store, however long it rests and whatever other queues do."""

    async def story(bench: Bench) -> None:
        await bench.function()
        for number in range(20):
            await bench.queue(f"q{number}")
            await bench.mapping(f"q{number}")
        await bench.queue("other")
        await bench.rest()
        timers, tasks = bench.clock.timer_count, len(bench.tasks)
        await bench.send("x", queue="other")
        bench.clock.advance(3600)
        await bench.rest()
        assert (bench.clock.timer_count, len(bench.tasks)) == (timers, tasks)
        assert bench.fleet.ran == []

    tell(tmp_path, story)


def test_a_failed_batch_comes_back_when_its_time_is_over(tmp_path: Path) -> None:
    """With the queue's visibility timeout, counted; after as many times as the redrive policy says it is moved."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue("dead")
        policy = json.dumps({"deadLetterTargetArn": queue_arn("dead"), "maxReceiveCount": 2})
        await bench.queue(VisibilityTimeout="10", RedrivePolicy=policy)
        bench.fleet.does = on_body({"bad": FAILED})
        await bench.mapping()
        await bench.send("bad")
        await bench.until(lambda: len(bench.fleet.ran) == 1)
        await bench.rest()
        await bench.pass_time(9)
        assert len(bench.fleet.ran) == 1
        await bench.until(lambda: len(bench.fleet.ran) == 2, step_s=0.25)
        counts = [batch[0]["attributes"]["ApproximateReceiveCount"] for batch in bench.batches()]
        assert counts == ["1", "2"]
        await bench.until_depth(1, 0, 0, queue="dead", step_s=0.25)
        assert await bench.depth() == (0, 0, 0)
        assert len(bench.fleet.ran) == 2

    tell(tmp_path, story)


def test_some_of_a_batch_failed(tmp_path: Path) -> None:
    """SQ-01-partial-batch: only what the function names comes back; the rest is deleted once."""

    async def story(bench: Bench) -> None:
        async def does(invocation: Invocation) -> InvocationOutcome:
            failed = [
                {"itemIdentifier": record["messageId"]}
                for record in json.loads(invocation.payload)["Records"]
                if record["body"] == "bad"
            ]
            return InvocationOutcome(json.dumps({"batchItemFailures": failed}).encode(), "$LATEST")

        bench.fleet.does = does
        await bench.function(timeout_s=2)
        await bench.queue(VisibilityTimeout="2")
        await bench.send("good", "bad")
        await bench.mapping(FunctionResponseTypes=["ReportBatchItemFailures"])
        await bench.until_depth(0, 1, 0)
        await bench.until(lambda: len(bench.fleet.ran) == 2, step_s=0.25)
        assert bench.bodies() == [["good", "bad"], ["bad"]]
        assert bench.batches()[1][0]["attributes"]["ApproximateReceiveCount"] == "2"

    tell(tmp_path, story)


def test_without_the_setting_an_answer_is_ignored(tmp_path: Path) -> None:
    """SQ-01-partial-batch: everything is deleted, whatever the function says of it."""

    async def story(bench: Bench) -> None:
        bench.fleet.does = on_body({"x": InvocationOutcome(b'{"batchItemFailures": [{"foo": 1}]}', "$LATEST")})
        await bench.function()
        await bench.queue()
        await bench.mapping()
        await bench.send("x")
        await bench.until_depth(0, 0, 0)
        assert len(bench.fleet.ran) == 1

    tell(tmp_path, story)


def test_filters_drop_messages(tmp_path: Path) -> None:
    """What no filter lets through is deleted unseen; a filter that matches nothing empties the queue in silence."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        filters = {"Filters": [{"Pattern": '{"body": {"kind": ["order"]}}'}]}
        uuid = await bench.mapping(FilterCriteria=filters, MetricsConfig={"Metrics": ["EventCount"]})
        await bench.send('{"kind": "order"}', '{"kind": "other"}', "text")
        await bench.until_depth(0, 0, 0)
        assert [body for batch in bench.bodies() for body in batch] == ['{"kind": "order"}']
        counts = bench.source.counts()[uuid].by_metric()
        assert counts == {
            "PolledEventCount": 3,
            "FilteredOutEventCount": 2,
            "InvokedEventCount": 1,
            "FailedInvokeEventCount": 0,
            "DeletedEventCount": 1,
            "DroppedEventCount": 0,
        }
        nothing = {"Filters": [{"Pattern": '{"body": ["no message says so"]}'}]}
        await bench.call("UpdateEventSourceMapping", UUID=uuid, FilterCriteria=nothing)
        await bench.until_state(uuid, "Enabled")
        await bench.send('{"kind": "order"}')
        await bench.until_depth(0, 0, 0)
        assert len(bench.fleet.ran) == 1

    tell(tmp_path, story)


def test_a_window_gathers(tmp_path: Path) -> None:
    """
    SQ-04-slow-mapping-isolation: three messages within the window are one call when it ends, from the first on; what
    fills the batch before is called at once.
    """

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.mapping(BatchSize=100, MaximumBatchingWindowInSeconds=5)
        await bench.rest()
        for number in range(3):
            await bench.send(str(number))
            await bench.until_depth(0, number + 1, 0)
            await bench.rest()
            await bench.pass_time(1, step_s=0.5)
        await bench.pass_time(1.5, step_s=0.5)
        assert bench.fleet.ran == []
        await bench.until(lambda: bench.fleet.ran, step_s=0.25)
        assert bench.bodies() == [["0", "1", "2"]]
        await bench.until_depth(0, 0, 0)
        await bench.send(*(str(number) for number in range(100)))
        await bench.until(lambda: len(bench.fleet.ran) == 2)
        assert len(bench.bodies()[1]) == 100

    tell(tmp_path, story)


@pytest.mark.parametrize(("visibility_s", "window_s", "timeout_s"), [(30, 3, 27), (30, 20, 10), (60, 30, 30)])
def test_a_window_may_end_as_late_as_the_queue_allows(
    tmp_path: Path, visibility_s: int, window_s: int, timeout_s: int
) -> None:
    """Where window and timeout together are the visibility timeout, what was gathered is invoked all the same."""

    async def story(bench: Bench) -> None:
        await bench.function(timeout_s=timeout_s)
        await bench.queue(VisibilityTimeout=str(visibility_s))
        await bench.mapping(MaximumBatchingWindowInSeconds=window_s)
        await bench.send("a")
        await bench.until_depth(0, 1, 0)
        await bench.pass_time(window_s + 1, step_s=0.5)
        assert bench.bodies() == [["a"]]

    tell(tmp_path, story)


def test_a_batch_fits_into_a_payload(tmp_path: Path) -> None:
    """Messages of a mebibyte: six mebibytes of event are the most, whatever the batch size; none is lost."""

    async def story(bench: Bench) -> None:
        sizes = []

        async def does(invocation: Invocation) -> InvocationOutcome:
            sizes.append(len(invocation.payload))
            return OK

        bench.fleet.does = does
        await bench.function()
        await bench.queue()
        await bench.send(*("x" * (1 << 20) for _ in range(7)))
        await bench.mapping()
        await bench.until_depth(0, 0, 0)
        assert len(sizes) == 2
        assert max(sizes) <= 6_291_456
        assert sum(len(batch) for batch in bench.batches()) == 7

    tell(tmp_path, story)


def test_groups_keep_their_order(tmp_path: Path) -> None:
    """
    SQ-03-fifo-order: of a group one batch at a time, in order, and nothing passes a message that failed; other groups
    go on meanwhile.
    """

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue("q.fifo", VisibilityTimeout="5")
        await bench.send(*(f"{group}-{number}" for number in range(1, 6) for group in "ab"), queue="q.fifo")
        failed = False

        async def does(invocation: Invocation) -> InvocationOutcome:
            nonlocal failed
            (body,) = bodies_of(invocation)
            if body == "a-3" and not failed:
                failed = True
                return FAILED
            return OK

        bench.fleet.does = does
        await bench.mapping("q.fifo", BatchSize=1)
        await bench.until(lambda: [body for (body,) in bench.bodies()].count("b-5") == 1)
        await bench.rest()
        in_a = [body for (body,) in bench.bodies() if body.startswith("a")]
        assert in_a == ["a-1", "a-2", "a-3"]
        await bench.until_depth(0, 0, 0, queue="q.fifo", step_s=0.25)
        seen = [body for (body,) in bench.bodies()]
        assert [body for body in seen if body.startswith("a")] == ["a-1", "a-2", "a-3", "a-3", "a-4", "a-5"]
        assert [body for body in seen if body.startswith("b")] == ["b-1", "b-2", "b-3", "b-4", "b-5"]

    tell(tmp_path, story)


def test_groups_run_beside_each_other(tmp_path: Path) -> None:
    """SQ-03-fifo-order: two groups may overlap, one never does with itself."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue("q.fifo")
        await bench.send("a-1", "a-2", "b-1", queue="q.fifo")
        gate = Gate(bench)
        await bench.mapping("q.fifo", BatchSize=1)
        await bench.until(lambda: set(gate.waiting) == {"a-1", "b-1"})
        gate.let_go("a-1")
        await bench.until(lambda: set(gate.waiting) == {"a-2", "b-1"}, step_s=0.25)
        gate.let_go("a-2")
        gate.let_go("b-1")
        await bench.until_depth(0, 0, 0, queue="q.fifo")

    tell(tmp_path, story)


def test_a_group_that_always_fails_is_dead_lettered(tmp_path: Path) -> None:
    """FIFO: blocked until its first message has had its tries, and then it goes on with the next."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue("dead.fifo")
        policy = json.dumps({"deadLetterTargetArn": queue_arn("dead.fifo"), "maxReceiveCount": 2})
        await bench.queue("q.fifo", VisibilityTimeout="5", RedrivePolicy=policy)
        bench.fleet.does = on_body({"a-1": FAILED})
        await bench.send("a-1", "a-2", queue="q.fifo")
        await bench.mapping("q.fifo", BatchSize=1)
        await bench.until_depth(1, 0, 0, queue="dead.fifo", step_s=0.25)
        await bench.until_depth(0, 0, 0, queue="q.fifo")
        assert bench.bodies() == [["a-1"], ["a-1"], ["a-2"]]

    tell(tmp_path, story)


def test_a_group_that_is_too_long_for_a_payload_follows_itself(tmp_path: Path) -> None:
    """FIFO: what of one read does not fit waits for the rest, and comes back unseen when that failed."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue("q.fifo", VisibilityTimeout="5")
        large = ["a-" + str(number) + "x" * 1_040_000 for number in range(8)]
        await bench.send(*large, queue="q.fifo")
        gate = Gate(bench)
        await bench.mapping("q.fifo")
        await bench.until(lambda: gate.waiting)
        ((first, going),) = gate.waiting.items()
        assert len(first.split()) == 6
        gate.waiting.clear()
        going.set_result(FAILED)
        await bench.until_depth(2, 6, 0, queue="q.fifo")
        done: list[str] = []
        while len(done) < len(large):
            await bench.until(lambda: gate.waiting, step_s=0.25)
            (bodies,) = gate.waiting
            done.extend(bodies.split())
            gate.let_go(bodies)
        assert done == large
        await bench.until_depth(0, 0, 0, queue="q.fifo")

    tell(tmp_path, story)


def test_no_more_at_once_than_a_mapping_may(tmp_path: Path) -> None:
    """SQ-04-slow-mapping-isolation: MaximumConcurrency holds, and costs the messages that wait no receive."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.send(*"abcdef")
        gate = Gate(bench)
        await bench.mapping(BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
        for left in (4, 3, 2, 1, 0):
            await bench.until(lambda: len(gate.waiting) == 2)
            await bench.until_depth(left, 2, 0)
            await bench.pass_time(1, step_s=0.5)
            assert len(gate.waiting) == 2
            gate.let_go(next(iter(gate.waiting)))
        gate.let_go(next(iter(gate.waiting)))
        await bench.until_depth(0, 0, 0)
        assert bench.fleet.most_running == 2
        assert {batch[0]["attributes"]["ApproximateReceiveCount"] for batch in bench.batches()} == {"1"}

    tell(tmp_path, story)


def test_provisioned_pollers_begin_with_what_they_may(tmp_path: Path) -> None:
    """Ten batches for each poller: so many at once from the first moment, and never more than the most."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.send(*(str(number) for number in range(40)))
        gate = Gate(bench)
        await bench.mapping(BatchSize=1, ProvisionedPollerConfig={"MinimumPollers": 2, "MaximumPollers": 3})
        await bench.until(lambda: len(gate.waiting) == 20)
        await bench.until(lambda: len(gate.waiting) == 30, step_s=1)
        await bench.pass_time(10, step_s=1)
        assert len(gate.waiting) == 30
        while gate.waiting:
            gate.let_go(next(iter(gate.waiting)))
            await asyncio.sleep(0)
        await bench.until(lambda: len(gate.waiting) == 10)
        for body in list(gate.waiting):
            gate.let_go(body)
        await bench.until_depth(0, 0, 0)

    tell(tmp_path, story)


def test_one_slow_mapping_holds_up_no_other(tmp_path: Path) -> None:
    """SQ-04-slow-mapping-isolation: it never fills all that may run at once."""

    async def story(bench: Bench) -> None:
        await bench.function("slow")
        await bench.function("quick")
        await bench.queue("q1")
        await bench.queue("q2")
        never = asyncio.Event()

        async def does(invocation: Invocation) -> InvocationOutcome:
            if invocation.invoked_arn.endswith("slow"):
                await never.wait()
            return OK

        bench.fleet.does = does
        await bench.mapping("q1", "slow", BatchSize=1)
        await bench.mapping("q2", "quick", BatchSize=1)
        await bench.send(*(str(number) for number in range(8)), queue="q1")
        await bench.until(lambda: bench.fleet.running == 3, step_s=0.5)
        await bench.pass_time(3, step_s=0.5)
        assert bench.fleet.running == 3
        await bench.send("x", queue="q2")
        await bench.until_depth(0, 0, 0, queue="q2")
        never.set()
        await bench.until_depth(0, 0, 0, queue="q1", step_s=0.1)

    tell(tmp_path, story, batches_max=4)


def test_those_that_wait_for_others_have_turns(tmp_path: Path) -> None:
    """Where all that may run is taken, whoever ends makes room for the one that waited longest."""

    async def story(bench: Bench) -> None:
        for name in ("f", "g", "h"):
            await bench.function(name)
            await bench.queue(f"q-{name}")
        gate = Gate(bench)
        for name in ("f", "g", "h"):
            await bench.mapping(f"q-{name}", name, BatchSize=1)
        for name in ("f", "g", "h"):
            await bench.send(*(f"{name}{number}" for number in range(6)), queue=f"q-{name}")
        done: list[str] = []
        while len(done) < 18:
            await bench.until(lambda: gate.waiting)
            assert len(gate.waiting) <= 2
            body = next(iter(gate.waiting))
            done.append(body)
            gate.let_go(body)
            await bench.until(lambda: gate.waiting or len(done) == 18, step_s=0.01)
        # Nobody is done before everybody had a turn. Those who have to read first get theirs a little later.
        assert {body[0] for body in done[:9]} == {"f", "g", "h"}

    tell(tmp_path, story, batches_max=2)


def test_a_throttled_batch_waits_and_costs_no_receive(tmp_path: Path) -> None:
    """Its messages stay hidden and are tried again while they are; nothing more is read for nothing meanwhile."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        bench.fleet.refusal = Throttled("ConcurrentInvocationLimitExceeded")
        await bench.send(*"abcde")
        await bench.mapping(BatchSize=1)
        await bench.until_depth(1, 4, 0)
        await bench.pass_time(10)
        assert (await bench.depth())[1] == 4
        bench.fleet.refusal = None
        await bench.until_depth(0, 0, 0, step_s=0.1)
        assert {batch[0]["attributes"]["ApproximateReceiveCount"] for batch in bench.batches()} == {"1"}

    tell(tmp_path, story)


def test_a_refused_batch_keeps_nobody_waiting(tmp_path: Path) -> None:
    """While it waits, what it would have of all that may run is another mapping's."""

    async def story(bench: Bench) -> None:
        for name in "fg":
            await bench.function(name)
            await bench.queue(f"q-{name}")
            await bench.mapping(f"q-{name}", name)
        acquire, refused = bench.fleet.acquire, True

        async def refuse(deployment: Any, released: Any) -> Any:
            if deployment.name == "f" and refused:
                raise Throttled("ConcurrentInvocationLimitExceeded")
            return await acquire(deployment, released)

        bench.fleet.acquire = refuse  # type: ignore[method-assign]
        await bench.send("f", queue="q-f")
        await bench.until_depth(0, 1, 0, queue="q-f")
        await bench.pass_time(2)
        await bench.send("g", queue="q-g")
        await bench.until_depth(0, 0, 0, queue="q-g")
        refused = False
        await bench.until_depth(0, 0, 0, queue="q-f", step_s=0.1)
        assert bench.batches("f")[0][0]["attributes"]["ApproximateReceiveCount"] == "1"

    tell(tmp_path, story, batches_max=1)


def test_several_mappings_of_a_function_begin_no_more_than_it_may_run(tmp_path: Path) -> None:
    """Each sees what the others are about to begin, so that none is refused."""

    async def story(bench: Bench) -> None:
        await bench.function(reserved_executions=1)
        run, refused = bench.dispatcher.run, 0

        async def count(*arguments: Any) -> InvocationOutcome:
            nonlocal refused
            try:
                return await run(*arguments)
            except Throttled:
                refused += 1
                raise

        bench.dispatcher.run = count  # type: ignore[method-assign]
        gate = Gate(bench)
        await bench.set_state("f", State.PENDING)
        for name in "abcdef":
            await bench.queue(name)
            await bench.mapping(name, BatchSize=1)
            await bench.send(name, queue=name)
        await bench.rest()
        await bench.set_state("f", State.ACTIVE)
        for _ in range(6):
            await bench.until(lambda: gate.waiting, step_s=0.05)
            (body,) = gate.waiting
            gate.let_go(body)
        for name in "abcdef":
            await bench.until_depth(0, 0, 0, queue=name)
        assert refused == 0

    tell(tmp_path, story)


async def read_ahead(bench: Bench, gate: "Gate") -> None:
    """Have a quick function hang with as many as may run, while more was read."""
    await bench.function()
    await bench.queue()
    gate.is_open = True
    await bench.mapping(BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
    for number in range(5):
        await bench.send(f"warm{number}")
        await bench.until_depth(0, 0, 0)
    gate.is_open = False
    await bench.send(*(str(number) for number in range(60)))
    await bench.until(lambda: len(gate.waiting) == 2, step_s=0.25)
    await bench.pass_time(0.02, step_s=0.001)
    assert (await bench.depth())[1] > 2


def test_what_was_read_and_never_begun_is_given_back_in_time(tmp_path: Path) -> None:
    """Once it could not end any more before others may read it; nothing is held for it any longer."""

    async def story(bench: Bench) -> None:
        gate = Gate(bench)
        await read_ahead(bench, gate)
        (poller,) = bench.source._pollers.values()
        read = [batch for batches in poller._ready for batch in batches]
        assert read
        settle, given_back = bench.events.settle, set()

        async def note(steps: Any) -> Any:
            given_back.update(step.receipt for step in steps if isinstance(step, Extend))
            return await settle(steps)

        bench.events.settle = note  # type: ignore[method-assign]
        # The queue hides them for 30 s, and the function may take three.
        begin_by = min(batch.lease.begin_by for batch in read)
        await bench.pass_time(begin_by - bench.clock.monotonic() - 0.5, step_s=0.25)
        assert not given_back
        await bench.until(lambda: {one.receipt for batch in read for one in batch.records} <= given_back, step_s=0.25)
        assert bench.clock.monotonic() < begin_by + 10
        assert not any(batches[0] in read for batches in poller._ready)
        gate.is_open = True
        gate.let_all_go()
        await bench.until_depth(0, 0, 0, step_s=0.1)
        assert bench.source._shared.budget.left_bytes == HELD_MAX_BYTES

    tell(tmp_path, story)


def test_a_function_that_is_closed_gives_back_what_was_read(tmp_path: Path) -> None:
    """A reservation of 0: only what is at work stays hidden, and no timer looks for room."""

    async def story(bench: Bench) -> None:
        gate = Gate(bench)
        await read_ahead(bench, gate)
        await bench.change_function("f", reserved_executions=0)
        at_work = len(gate.waiting)
        await bench.until_depth(60 - at_work, at_work, 0)
        gate.is_open = True
        gate.let_all_go()
        await bench.until_depth(60 - at_work, 0, 0)
        await bench.rest()
        assert bench.source._shared.budget.left_bytes == HELD_MAX_BYTES
        await bench.pass_time(30, step_s=1)
        timers, tasks = bench.clock.timer_count, len(bench.tasks)
        await bench.pass_time(30, step_s=1)
        assert (bench.clock.timer_count, len(bench.tasks)) == (timers, tasks)
        await bench.change_function("f", reserved_executions=None)
        await bench.until_depth(0, 0, 0)

    tell(tmp_path, story)


def test_no_more_at_once_when_a_mapping_begins_again(tmp_path: Path) -> None:
    """What it had at work before it was disabled counts in its MaximumConcurrency."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue(VisibilityTimeout="900")
        gate = Gate(bench)
        uuid = await bench.mapping(BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
        await bench.send(*"abcdef")
        await bench.until(lambda: len(gate.waiting) == 2, step_s=0.05)
        for enabled, state in ((False, "Disabled"), (True, "Enabled")):
            await bench.call("UpdateEventSourceMapping", UUID=uuid, Enabled=enabled)
            await bench.until_state(uuid, state)
        await bench.pass_time(3)
        assert len(gate.waiting) == 2
        while gate.waiting or await bench.depth() != (0, 0, 0):
            gate.let_all_go()
            await bench.pass_time(0.02, step_s=0.01)
        assert bench.fleet.most_running == 2
        # Those that ended and have nothing at work are forgotten.
        await bench.call("DeleteEventSourceMapping", UUID=uuid)
        await bench.until_state(uuid, "ResourceNotFoundException")
        assert bench.source._ended == {}

    tell(tmp_path, story)


def test_what_was_read_for_settings_that_changed_meanwhile_is_given_back(tmp_path: Path) -> None:
    """Its time was measured for another function: it is read again for the new one."""

    async def story(bench: Bench) -> None:
        await bench.function("f")
        await bench.function("g", timeout_s=20)
        await bench.queue()
        uuid = await bench.mapping()
        await bench.rest()
        claim, go_on, reads = bench.events.claim, asyncio.Event(), 0

        async def slow(*arguments: Any, **more: Any) -> Any:
            nonlocal reads
            claimed = await claim(*arguments, **more)
            reads += 1
            await go_on.wait()
            return claimed

        bench.events.claim = slow  # type: ignore[method-assign]
        await bench.send("a")
        await bench.until(lambda: reads == 1)
        await bench.call("UpdateEventSourceMapping", UUID=uuid, FunctionName="g")
        await bench.until_state(uuid, "Enabled")
        go_on.set()
        await bench.until_depth(0, 0, 0)
        assert bench.bodies("g") == [["a"]]
        assert bench.batches()[0][0]["attributes"]["ApproximateReceiveCount"] == "2"

    tell(tmp_path, story)


def test_what_follows_too_late_in_its_group_is_given_back(tmp_path: Path) -> None:
    """FIFO: the second batch of a read, for which the first left no time, is read again at once."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue("q.fifo", VisibilityTimeout="5")
        await bench.send(*("a-" + str(number) + "x" * 1_040_000 for number in range(7)), queue="q.fifo")
        gate = Gate(bench)
        await bench.mapping("q.fifo")
        await bench.until(lambda: gate.waiting)
        await bench.pass_time(3, step_s=0.5)
        gate.let_all_go()
        await bench.until(lambda: gate.waiting)
        (bodies,) = gate.waiting
        assert bodies.startswith("a-6")
        assert bench.batches()[-1][0]["attributes"]["ApproximateReceiveCount"] == "2"
        gate.let_all_go()
        await bench.until_depth(0, 0, 0, queue="q.fifo")

    tell(tmp_path, story)


def test_a_queue_that_lets_nobody_in_is_looked_at_now_and_then(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not with each message that is put into it; half a minute later its policy counts."""
    owner = "111122223333"
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": SCOPE.account}, "Action": "sqs:*", "Resource": "*"}],
    }

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.call("CreateQueue", owner, QueueName="q", Attributes={"Policy": json.dumps(policy)})
        made = await bench.call("CreateEventSourceMapping", EventSourceArn=queue_arn("q", owner), FunctionName="f")
        await bench.until_state(made["UUID"], "Enabled")
        await bench.rest()
        await bench.call("SetQueueAttributes", owner, QueueUrl="q", Attributes={"Policy": ""})
        for _ in range(5):
            await bench.call("SendMessage", owner, QueueUrl="q", MessageBody="a")
            await bench.rest()
        assert caplog.text.count("mapping.denied") == 1
        await bench.call("SetQueueAttributes", owner, QueueUrl="q", Attributes={"Policy": json.dumps(policy)})
        await bench.until(lambda: sum(len(batch) for batch in bench.bodies()) == 5, step_s=1)

    tell(tmp_path, story)


def test_a_batch_that_is_throttled_too_long_becomes_visible(tmp_path: Path) -> None:
    """As on AWS, once its time is over; a receive is counted then."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue(VisibilityTimeout="10")
        bench.fleet.refusal = Throttled("ConcurrentInvocationLimitExceeded")
        await bench.send("a")
        uuid = await bench.mapping(MetricsConfig={"Metrics": ["EventCount"]})
        await bench.until(lambda: bench.source.counts()[uuid].failed_invoke == 1, step_s=0.25)
        bench.fleet.refusal = None
        await bench.until_depth(0, 0, 0, step_s=0.25)
        assert bench.batches()[0][0]["attributes"]["ApproximateReceiveCount"] == "2"

    tell(tmp_path, story)


def test_nothing_is_read_for_a_function_that_may_not_run(tmp_path: Path) -> None:
    """A reservation of 0 burns no receives; once it is lifted, the messages come."""

    async def story(bench: Bench) -> None:
        await bench.function(reserved_executions=0)
        await bench.queue()
        await bench.send("a")
        await bench.mapping()
        await bench.pass_time(5)
        assert await bench.depth() == (1, 0, 0)
        await bench.change_function("f", reserved_executions=None)
        await bench.until_depth(0, 0, 0)
        assert bench.batches()[0][0]["attributes"]["ApproximateReceiveCount"] == "1"

    tell(tmp_path, story)


def test_no_more_is_read_than_a_reservation_lets_run(tmp_path: Path) -> None:
    """SQ-04-slow-mapping-isolation: with reserved concurrency 1 nothing is lost to throttling."""

    async def story(bench: Bench) -> None:
        await bench.function(reserved_executions=1)
        await bench.queue()
        await bench.send(*"abc")
        gate = Gate(bench)
        await bench.mapping(BatchSize=1)
        for body in "abc":
            await bench.until(lambda body=body: list(gate.waiting) == [body], step_s=0.05)  # type: ignore[misc]
            assert (await bench.depth())[1] == 1
            gate.let_go(body)
        await bench.until_depth(0, 0, 0)
        assert {batch[0]["attributes"]["ApproximateReceiveCount"] for batch in bench.batches()} == {"1"}

    tell(tmp_path, story)


def test_a_function_that_is_gone_or_not_ready_leaves_the_queue_alone(tmp_path: Path) -> None:
    """Messages wait, and none is received for nothing; one that is made anew or gets ready gets them."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        uuid = await bench.mapping()
        async with bench.store.transaction(SCOPE) as tx:
            await tx.delete_function(FunctionName("f"))
        await bench.send("a")
        await bench.rest()
        assert await bench.depth() == (1, 0, 0)
        assert await bench.state(uuid) == "Enabled"
        await bench.function()
        await bench.until_depth(0, 0, 0)
        await bench.set_state("f", State.PENDING)
        await bench.send("b")
        await bench.rest()
        assert await bench.depth() == (1, 0, 0)
        await bench.set_state("f", State.ACTIVE)
        await bench.until_depth(0, 0, 0)
        assert bench.bodies() == [["a"], ["b"]]
        assert bench.batches()[1][0]["attributes"]["ApproximateReceiveCount"] == "1"

    tell(tmp_path, story)


def test_a_function_that_goes_while_a_batch_waits_gives_it_back(tmp_path: Path) -> None:
    """What was read and cannot be run is visible at once."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        bench.fleet.refusal = Throttled("ConcurrentInvocationLimitExceeded")
        await bench.send("a")
        await bench.mapping()
        await bench.until_depth(0, 1, 0)
        async with bench.store.transaction(SCOPE) as tx:
            await tx.delete_function(FunctionName("f"))
        await bench.until_depth(1, 0, 0, step_s=0.05)

    tell(tmp_path, story)


def test_an_alias_is_followed(tmp_path: Path) -> None:
    """A mapping of an alias runs what it names now, under the ARN that it was made with."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.function(version="1")
        async with bench.store.transaction(SCOPE) as tx:
            await tx.aliases.save(
                Alias(scope=SCOPE, name=FunctionName("f"), alias="live", version="1", revision_id="r")
            )
        await bench.queue()
        await bench.mapping(function="f:live")
        await bench.send("a")
        await bench.until_depth(0, 0, 0)
        ((_, invocation),) = bench.fleet.ran
        assert invocation.invoked_arn == "arn:aws:lambda:us-east-1:000000000000:function:f:live"

    tell(tmp_path, story)


def test_a_queue_that_goes_and_comes_again(tmp_path: Path) -> None:
    """The mapping stays; the first message of the new queue is read."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.mapping()
        await bench.send("a")
        await bench.until_depth(0, 0, 0)
        await bench.call("DeleteQueue", QueueUrl="q")
        await bench.rest()
        await bench.queue()
        await bench.send("b")
        await bench.until_depth(0, 0, 0)
        assert bench.bodies() == [["a"], ["b"]]

    tell(tmp_path, story)


def test_a_delayed_message_is_read_when_it_is_due(tmp_path: Path) -> None:
    """A timer rings for it, and for nothing else."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.mapping()
        await bench.send("a", DelaySeconds=60)
        await bench.rest()
        await bench.pass_time(59, step_s=5)
        assert bench.fleet.ran == []
        await bench.until_depth(0, 0, 0, step_s=1)

    tell(tmp_path, story)


def test_messages_outlive_a_crash(tmp_path: Path) -> None:
    """What a dead server's function worked on comes back when its time is over; what was deleted does not."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        gate = Gate(bench)
        await bench.mapping(BatchSize=1)
        await bench.send("done", "lost")
        await bench.until(lambda: len(gate.waiting) == 2)
        gate.let_go("done")
        await bench.until_depth(0, 1, 0)
        await bench.crash()
        gate.waiting.clear()
        await bench.open()
        await bench.send("new")
        await bench.until(lambda: set(gate.waiting) == {"new"})
        await bench.until(lambda: set(gate.waiting) == {"new", "lost"}, step_s=1)
        gate.let_go("new")
        gate.let_go("lost")
        await bench.until_depth(0, 0, 0)
        assert bench.batches()[-1][0]["attributes"]["ApproximateReceiveCount"] == "2"

    tell(tmp_path, story)


def test_a_mapping_that_ends_gives_back_what_it_gathered(tmp_path: Path) -> None:
    """EM-01-states: nothing is delivered while it is disabled, and all of it afterwards; so it is when it changes."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        uuid = await bench.mapping(BatchSize=100, MaximumBatchingWindowInSeconds=300)
        await bench.send("a")
        await bench.until_depth(0, 1, 0)
        await bench.call("UpdateEventSourceMapping", UUID=uuid, Enabled=False)
        await bench.until_state(uuid, "Disabled")
        await bench.until_depth(1, 0, 0)
        await bench.send("b")
        await bench.pass_time(2, step_s=0.5)
        assert bench.fleet.ran == []
        await bench.call("UpdateEventSourceMapping", UUID=uuid, Enabled=True)
        await bench.until_state(uuid, "Enabled")
        await bench.until_depth(0, 2, 0)
        update = {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0}
        await bench.call("UpdateEventSourceMapping", UUID=uuid, **update)
        await bench.until_depth(0, 0, 0)
        assert sorted(body for batch in bench.bodies() for body in batch) == ["a", "b"]

    tell(tmp_path, story)


def test_a_batch_in_flight_ends_when_its_mapping_goes(tmp_path: Path) -> None:
    """The mapping is gone at once, and what its function works on is deleted when it is done."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        gate = Gate(bench)
        uuid = await bench.mapping()
        await bench.send("a")
        await bench.until(lambda: gate.waiting)
        await bench.call("DeleteEventSourceMapping", UUID=uuid)
        await bench.until_state(uuid, "ResourceNotFoundException")
        await bench.send("b")
        gate.let_go("a")
        await bench.until_depth(1, 0, 0)
        assert bench.bodies() == [["a"]]

    tell(tmp_path, story)


def test_an_endless_chain_is_broken(tmp_path: Path) -> None:
    """A message whose chain has passed the function too often stays, and ends as the queue's redrive policy has it."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
        header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"
        for _ in range(16):
            header = next_trace(header, 0, "", "5" * 16, arn).header
        chain = {"AWSTraceHeader": {"DataType": "String", "StringValue": header}}
        await bench.send("chain", MessageSystemAttributes=chain)
        await bench.send("plain")
        await bench.mapping()
        await bench.until_depth(0, 1, 0)
        assert bench.bodies() == [["plain"]]
        await bench.change_function("f", may_recurse=True)
        await bench.until_depth(0, 0, 0, step_s=0.5)
        assert bench.bodies()[1] == ["chain"]
        assert next_trace(bench.fleet.ran[1][1].trace_header, 0, "", "", arn).passes == 18

    tell(tmp_path, story)


def test_an_endless_chain_is_not_overtaken_in_its_group(tmp_path: Path) -> None:
    """FIFO: what follows it in its group waits; other groups of the batch are invoked."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue("q.fifo")
        arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
        header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"
        for _ in range(16):
            header = next_trace(header, 0, "", "5" * 16, arn).header
        chain = {"AWSTraceHeader": {"DataType": "String", "StringValue": header}}
        await bench.send("a-1", queue="q.fifo", MessageSystemAttributes=chain)
        await bench.send("a-2", "b-1", queue="q.fifo")
        await bench.mapping("q.fifo")
        await bench.until_depth(0, 2, 0, queue="q.fifo")
        assert bench.bodies() == [["b-1"]]

    tell(tmp_path, story)


def test_a_mapping_that_goes_while_others_wait_leaves_them_its_turn(tmp_path: Path) -> None:
    """Where all that may run was taken by it, the end of its batch is the beginning of theirs."""

    async def story(bench: Bench) -> None:
        for name in ("f", "g"):
            await bench.function(name)
            await bench.queue(f"q-{name}")
        gate = Gate(bench)
        first = await bench.mapping("q-f", "f", BatchSize=1)
        await bench.mapping("q-g", "g", BatchSize=1)
        await bench.send("f1", "f2", queue="q-f")
        await bench.until(lambda: gate.waiting)
        await bench.send("g1", queue="q-g")
        await bench.pass_time(0.05, step_s=0.01)
        await bench.call("DeleteEventSourceMapping", UUID=first)
        await bench.until_state(first, "ResourceNotFoundException")
        (at_work,) = gate.waiting
        gate.let_go(at_work)
        await bench.until(lambda: set(gate.waiting) == {"g1"}, step_s=0.01)
        gate.let_go("g1")
        await bench.until_depth(0, 0, 0, queue="q-g")

    tell(tmp_path, story, batches_max=1)


def test_a_trace_goes_on(tmp_path: Path) -> None:
    """The function runs in the trace that its message came with."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.mapping()
        root = "Root=1-5759e988-bd862e3fe1be46a994272793"
        trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": f"{root};Sampled=1"}}
        await bench.send("a", MessageSystemAttributes=trace)
        await bench.until_depth(0, 0, 0)
        assert bench.fleet.ran[0][1].trace_header.startswith(root)

    tell(tmp_path, story)


def test_a_store_that_fails_loses_nothing(tmp_path: Path) -> None:
    """Reading is tried again, and so is the deletion of what is done, which runs no second time."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.mapping()
        await bench.rest()
        claim, settle = bench.events.claim, bench.events.settle
        failures = {"claim": 1, "settle": 2}

        async def fail_claim(*arguments: Any, **more: Any) -> Any:
            if failures["claim"]:
                failures["claim"] -= 1
                raise DependencyError("disk full", retryable=True)
            return await claim(*arguments, **more)

        async def fail_settle(*arguments: Any) -> Any:
            if failures["settle"]:
                failures["settle"] -= 1
                raise DependencyError("disk full", retryable=True)
            return await settle(*arguments)

        bench.events.claim, bench.events.settle = fail_claim, fail_settle  # type: ignore[method-assign]
        await bench.send("a")
        await bench.until_depth(0, 0, 0, step_s=0.25)
        assert bench.bodies() == [["a"]]
        assert failures == {"claim": 0, "settle": 0}

    tell(tmp_path, story)


def test_one_message_that_nobody_understands_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others of its read are invoked, and it comes back when its time is over, as after a failure."""
    fail_on(monkeypatch, "poison")

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue(VisibilityTimeout="10")
        await bench.send(*"abcdefg", "poison", *"hijklmn")
        await bench.mapping()
        await bench.until_depth(0, 1, 0)
        assert sorted(body for batch in bench.bodies() for body in batch) == list("abcdefghijklmn")
        assert bench.source._shared.budget.left_bytes == HELD_MAX_BYTES
        monkeypatch.undo()
        await bench.until_depth(0, 0, 0, step_s=0.5)
        assert bench.batches()[-1][0]["attributes"]["ApproximateReceiveCount"] == "2"

    tell(tmp_path, story)


def test_one_message_that_nobody_understands_is_not_overtaken_in_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FIFO: what follows it waits with it; other groups go on."""
    fail_on(monkeypatch, "a-2")

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue("q.fifo", VisibilityTimeout="10")
        await bench.send("a-1", "a-2", "a-3", "b-1", queue="q.fifo")
        await bench.mapping("q.fifo")
        await bench.until_depth(0, 2, 0, queue="q.fifo")
        assert sorted(body for batch in bench.bodies() for body in batch) == ["a-1", "b-1"]
        monkeypatch.undo()
        await bench.until_depth(0, 0, 0, queue="q.fifo", step_s=0.5)
        assert [body for batch in bench.bodies() for body in batch][-2:] == ["a-2", "a-3"]

    tell(tmp_path, story)


def test_whatever_fails_is_not_the_end_of_a_mapping(tmp_path: Path) -> None:
    """It reads again a second later."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.mapping()
        await bench.rest()
        claim, failures = bench.events.claim, 1

        async def fail(*arguments: Any, **more: Any) -> Any:
            nonlocal failures
            if failures:
                failures -= 1
                raise RuntimeError("a mistake of ours")
            return await claim(*arguments, **more)

        bench.events.claim = fail  # type: ignore[method-assign]
        await bench.send("a")
        await bench.until_depth(0, 0, 0, step_s=0.25)
        assert bench.bodies() == [["a"]]
        assert bench.source._shared.budget.left_bytes == HELD_MAX_BYTES

    tell(tmp_path, story)


def test_no_more_is_read_than_there_is_room_for(tmp_path: Path) -> None:
    """However short the messages were before: long ones that follow are within what is kept free for them."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        await bench.mapping()
        for body in "abcdef":
            await bench.send(body)
            await bench.until_depth(0, 0, 0)
        await bench.rest()
        claim, budget = bench.events.claim, bench.source._shared.budget

        async def watched(*arguments: Any, **more: Any) -> Any:
            kept_free = HELD_MAX_BYTES - budget.left_bytes
            claimed = await claim(*arguments, **more)
            assert sum(len(one.body) for one in claimed.claims) <= kept_free
            return claimed

        await bench.set_state("f", State.PENDING)
        await bench.send(*("x" * 1_000_000 for _ in range(9)))
        bench.events.claim = watched  # type: ignore[method-assign]
        await bench.set_state("f", State.ACTIVE)
        await bench.until_depth(0, 0, 0)
        assert sum(len(batch) for batch in bench.bodies()) == 15
        assert budget.left_bytes == HELD_MAX_BYTES

    tell(tmp_path, story)


def test_a_clock_that_jumps_changes_nothing(tmp_path: Path) -> None:
    """Leases and windows go by time that passes."""

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.queue()
        gate = Gate(bench)
        await bench.mapping()
        await bench.send("a")
        await bench.until(lambda: gate.waiting)
        bench.clock.set_wall(-86_400)
        await bench.send("b")
        await bench.until(lambda: set(gate.waiting) == {"a", "b"})
        bench.clock.set_wall(10 * 86_400)
        gate.let_go("a")
        gate.let_go("b")
        await bench.until_depth(0, 0, 0)
        assert bench.bodies() == [["a"], ["b"]]

    tell(tmp_path, story)


@pytest.mark.parametrize("revoked", [False, True])
def test_another_accounts_queue(tmp_path: Path, revoked: bool) -> None:
    """It is read while its policy lets the function's role in, and left alone once it does not."""
    owner = "111122223333"
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": SCOPE.account}, "Action": "sqs:*", "Resource": "*"}],
    }

    async def story(bench: Bench) -> None:
        await bench.function()
        await bench.call("CreateQueue", owner, QueueName="q", Attributes={"Policy": json.dumps(policy)})
        arn = queue_arn("q", owner)
        made = await bench.call("CreateEventSourceMapping", EventSourceArn=arn, FunctionName="f")
        await bench.until_state(made["UUID"], "Enabled")
        await bench.rest()
        if revoked:
            await bench.call("SetQueueAttributes", owner, QueueUrl="q", Attributes={"Policy": ""})
        await bench.call("SendMessage", owner, QueueUrl="q", MessageBody="a")
        if revoked:
            await bench.rest()
            assert bench.fleet.ran == []
        else:
            await bench.until(lambda: bench.fleet.ran)
            assert bench.batches()[0][0]["eventSourceARN"] == arn

    tell(tmp_path, story)
