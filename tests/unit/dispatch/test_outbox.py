"""Deliveries: each message gets to its target once it takes it, and a target that does not delays no other."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from unit.dispatch.async_bench import QUEUE_ARN, SCOPE, Bench, tell

from lambent.destinations.contract import NoSuchTarget
from lambent.dispatch.async_event import OutgoingMessage, outgoing
from lambent.dispatch.outbox import DELIVERY_MAX_S
from lambent.domain.invocation import FunctionError, Invocation, InvocationOutcome
from lambent.errors.families import DependencyError
from lambent.store.contract import QueueKind, QueueName
from lambent.telemetry.deliveries import Delivery, DeliveryCounts


async def fail(invocation: Invocation) -> InvocationOutcome:
    """Do what a function does that raises."""
    return InvocationOutcome(b"{}", "$LATEST", FunctionError())


def total(counts: DeliveryCounts, outcome: Delivery) -> int:
    """Return how often this came of an attempt, over all destinations."""
    return sum(of_one[outcome] for of_one in counts.all().values())


@pytest.mark.parametrize("failure", [NoSuchTarget(), DependencyError("full", retryable=True), ValueError("a defect")])
def test_a_target_that_fails_is_tried_until_it_takes_it(tmp_path: Path, failure: Exception) -> None:
    """Missing, refusing, or broken: the message waits, and arrives when it can."""

    async def story(bench: Bench) -> None:
        await bench.create("f", on_success="good")
        bench.target.failure = failure
        await bench.send("f", "r1")
        await bench.until(lambda: bench.clock.monotonic() > 400, step_s=2.0)
        assert bench.ids() == ["r1"]
        bench.target.failure = None
        await bench.until(lambda: bench.target.got, step_s=20.0)
        await bench.settled()
        counts = bench.server.deliveries
        assert total(counts, Delivery.GIVEN_UP) == 0
        assert total(counts, Delivery.FAILED) > 1
        assert total(counts, Delivery.DELIVERED) == 1
        assert bench.ids() == ["r1"]

    tell(tmp_path, story)


def test_what_nobody_takes_is_given_up_counted_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After as long as events are tried at most."""

    async def story(bench: Bench) -> None:
        await bench.create("f", on_success="gone")
        bench.target.failure = NoSuchTarget()
        await bench.send("f", "r1")
        await bench.until(lambda: total(bench.server.deliveries, Delivery.GIVEN_UP), step_s=100.0)
        assert 21_600 <= bench.clock.monotonic() < 24_000
        await bench.settled()
        told = await bench.server.told.sums(FunctionName="f")
        # Each attempt that failed, the last one included.
        deliveries = bench.server.deliveries
        failed = total(deliveries, Delivery.FAILED) + total(deliveries, Delivery.GIVEN_UP)
        assert told["DestinationDeliveryFailures"] == failed
        assert "DeadLetterErrors" not in told

    tell(tmp_path, story)
    (line,) = [record.getMessage() for record in caplog.records if record.message.startswith("destination.given_up")]
    assert "arn=arn:aws:sqs:us-east-1:000000000000:gone" in line
    assert "request_id=r1" in line
    assert "reason=there is no such target" in line


def test_a_dead_letter_that_cannot_be_delivered_is_told_as_one(tmp_path: Path) -> None:
    """By another name than a record; what is delivered is not told."""

    async def story(bench: Bench) -> None:
        await bench.create("f", dead_letters="dead", retries_max=0)
        bench.fleet.does = fail
        bench.target.failure = NoSuchTarget()
        await bench.send("f", "r1")
        await bench.until(lambda: total(bench.server.deliveries, Delivery.FAILED), step_s=1.0)
        bench.target.failure = None
        await bench.until(lambda: bench.target.got, step_s=20.0)
        told = await bench.server.told.sums(FunctionName="f", Resource="f")
        assert told["DeadLetterErrors"] == total(bench.server.deliveries, Delivery.FAILED)
        assert "DestinationDeliveryFailures" not in told
        assert told["AsyncEventsDropped"] == 1

    tell(tmp_path, story)


def test_records_of_a_mapping_that_arrive_are_counted(tmp_path: Path) -> None:
    """As many as the message tells of, for a mapping that has them counted; and once, however often it was tried."""

    async def story(bench: Bench) -> None:
        arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
        bench.target.failure = NoSuchTarget()
        message = OutgoingMessage("", arn, mapping="u1", records=5)
        await bench.server.queue.put([outgoing(SCOPE, QUEUE_ARN + "failed", "r1", b"{}", message)])
        await bench.until(lambda: total(bench.server.deliveries, Delivery.FAILED), step_s=1.0)
        bench.target.failure = None
        await bench.until(lambda: bench.target.got, step_s=20.0)
        await bench.settled()
        told = await bench.server.told.sums(EventSourceMappingUUID="u1")
        assert told == {"OnFailureDestinationDeliveredEventCount": 5}

    tell(tmp_path, story)


def test_what_was_delivered_makes_room_at_once(tmp_path: Path) -> None:
    """A few deliveries go to one target at a time: none waits for time to pass once it is done."""

    async def story(bench: Bench) -> None:
        await bench.create("f", on_success="good")
        bench.target.hangs = {"good"}
        await bench.send("f", *(f"r{number}" for number in range(30)))
        await bench.until(lambda: len(bench.ids()) == 30)
        bench.target.hangs = set()
        # The eight that hang are ended, and wait for another attempt.
        await bench.until(lambda: bench.target.got, step_s=1.0)
        await bench.until(lambda: len(bench.target.got) == 22, step_s=0.0)

    tell(tmp_path, story)


def test_a_target_that_hangs_delays_no_other(tmp_path: Path) -> None:
    """It holds a few deliveries of its own for as long as one may take; others pass by."""

    async def story(bench: Bench) -> None:
        bench.target.hangs = {"stuck"}
        await bench.create("f", on_success="stuck", dead_letters="dead")
        await bench.create("g", on_success="good")
        await bench.send("f", *(f"f{number}" for number in range(100)))
        await bench.send("g", *(f"g{number}" for number in range(20)))
        await bench.until(lambda: len(bench.target.got) == 20)
        assert {queue for queue, _ in bench.target.got} == {"good"}
        assert bench.clock.monotonic() < DELIVERY_MAX_S
        # What hangs is ended, and tried again, a few at once: for as long as it takes.
        await bench.until(lambda: bench.clock.monotonic() > 3 * DELIVERY_MAX_S, step_s=1.0)
        assert len(bench.target.got) == 20
        bench.target.hangs = set()
        await bench.until(lambda: len(bench.target.got) == 120, step_s=1.0)
        await bench.settled()

    tell(tmp_path, story)


def test_buckets_have_few_records_at_once(tmp_path: Path) -> None:
    """These hold payloads whole, in memory while they are delivered; what goes elsewhere passes by."""

    async def story(bench: Bench) -> None:
        bench.target.hangs = {"b1", "b2", "b3", "b4", "b5"}
        for name in sorted(bench.target.hangs):
            await bench.create(f"f-{name}", on_success=f"arn:aws:s3:::{name}")
            await bench.send(f"f-{name}", *(f"{name}-{number}" for number in range(10)))
        await bench.create("g", on_success="good")
        await bench.send("g", "g1")
        await bench.until(lambda: [queue for queue, _ in bench.target.got] == ["good"])
        await bench.until(lambda: bench.clock.monotonic() > DELIVERY_MAX_S / 2, step_s=1.0)
        assert len(bench.server.outbox._tasks) == 8
        bench.target.hangs = set()
        await bench.until(lambda: len(bench.target.got) == 51, step_s=1.0)
        await bench.settled()

    tell(tmp_path, story)


def test_a_record_for_a_bucket_has_a_key(tmp_path: Path) -> None:
    """The same when it is delivered again: no second object comes of that."""

    async def story(bench: Bench) -> None:
        await bench.create("f", on_success="arn:aws:s3:::b")
        bench.target.failure = DependencyError("away", retryable=True)
        await bench.send("f", "r1")
        await bench.until(lambda: total(bench.server.deliveries, Delivery.FAILED) == 2, step_s=1.0)
        bench.target.failure = None
        await bench.until(lambda: bench.target.got, step_s=20.0)
        ((bucket, message),) = bench.target.got
        assert bucket == "b"
        written = datetime.fromisoformat(json.loads(message.body)["timestamp"])
        assert message.object_key == f"aws/lambda/async/f/{written:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-r1"
        await bench.settled()

    tell(tmp_path, story)


def test_a_target_of_no_kind_we_know_is_given_up(tmp_path: Path) -> None:
    """As a record can wait for what a later version configured and an earlier one does not know."""

    async def story(bench: Bench) -> None:
        await bench.create("f", on_success="arn:aws:sns:us-east-1:000000000000:t")
        await bench.send("f", "r1")
        await bench.until(lambda: total(bench.server.deliveries, Delivery.GIVEN_UP) == 1)
        queue = QueueName(SCOPE, QueueKind.DESTINATION, "arn:aws:sns:us-east-1:000000000000:t")
        await bench.settled()
        assert queue not in await bench.server.queue.filled(QueueKind.DESTINATION)

    tell(tmp_path, story)


def test_what_the_role_may_not_send_waits_until_it_may(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Rights can be taken after a record was accepted, and be given back."""

    async def story(bench: Bench) -> None:
        await bench.create("f", on_success="good")
        bench.rights.lacks = "SendMessage on SQS"
        await bench.send("f", "r1")
        await bench.until(lambda: total(bench.server.deliveries, Delivery.FAILED) > 1, step_s=2.0)
        assert bench.target.got == []
        bench.rights.lacks = None
        await bench.until(lambda: bench.target.got, step_s=20.0)
        await bench.settled()

    tell(tmp_path, story)
    assert any(
        "role does not have permissions to call SendMessage on SQS" in one.getMessage() for one in caplog.records
    )
