"""The wall clock of a running server jumps by an hour: nothing is lost, comes early, or waits for an hour."""

import collections
import datetime
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from wire.support import FunctionMaker, invoke, newest_python, wait_for
from wire.wall_clock import WallServer

SCALE = 0.01
"""Retries after 0.6 and 1.2 seconds; an event may be 216 seconds old, and those of `hurried` 0.6."""
HOUR_S = 3600
VISIBILITY_S = DELAY_S = 1
FOREVER_S = 30
"""Nothing here takes longer, unless it waits for the hour."""

SOURCE = """
import json, time
def handler(event, context):
    print("RAN", json.dumps({"name": event["name"], "at": time.monotonic()}))
    time.sleep(event.get("sleep_s", 0))
    if event.get("fail"):
        raise ValueError("poison")
"""


class Story:
    """A function that fails on demand, its failure queue, and a queue of messages."""

    def __init__(self, server):
        self.server = server
        self.connect()
        make = FunctionMaker(self.lambda_, newest_python(), "work")
        arn = self.sqs.get_queue_attributes(QueueUrl=self.told, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        make(SOURCE, name="work")
        make(SOURCE, name="hurried", Timeout=30)
        for name, age in (("work", {}), ("hurried", {"MaximumEventAgeInSeconds": 60})):
            self.lambda_.put_function_event_invoke_config(
                FunctionName=name, DestinationConfig={"OnFailure": {"Destination": arn}}, **age
            )
        self.lambda_.put_function_concurrency(FunctionName="hurried", ReservedConcurrentExecutions=1)

    def connect(self):
        """Find the server where it is now."""
        self.lambda_, self.sqs, self.logs = (self.server.client(name) for name in ("lambda", "sqs", "logs"))
        self.told, self.messages = (self.sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("told", "messages"))

    def send(self, function, name, **event):
        answer = self.lambda_.invoke(
            FunctionName=function, InvocationType="Event", Payload=json.dumps({"name": name, **event})
        )
        assert answer["StatusCode"] == 202

    def ran(self, function="work"):
        """Return when each event ran, by the functions' own clock, which no test moves."""
        try:
            pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{function}")
            lines = [event["message"] for page in pages for event in page["events"]]
        except self.logs.exceptions.ResourceNotFoundException:
            return {}
        found = collections.defaultdict(list)
        for line in lines:
            if line.startswith("RAN"):
                run = json.loads(line[3:])
                found[run["name"]].append(run["at"])
        return {name: sorted(times) for name, times in found.items()}

    def records(self, count):
        """Return so many records of events that failed for good, by the name of the event."""
        found = {}
        until = time.monotonic() + FOREVER_S
        while len(found) < count:
            assert time.monotonic() < until, f"only {sorted(found)} were told of"
            for message in self.receive(self.told):
                record = json.loads(message["Body"])
                found[record["requestPayload"]["name"]] = record
                self.sqs.delete_message(QueueUrl=self.told, ReceiptHandle=message["ReceiptHandle"])
        return found

    def receive(self, url, wait_s=5):
        answer = self.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=VISIBILITY_S,
            WaitTimeSeconds=wait_s,
            MessageSystemAttributeNames=["All"],
        )
        return answer.get("Messages", [])

    def begin_messages(self):
        """Send a message that is delayed, and receive another one. Return the moments of both."""
        self.sqs.send_message(QueueUrl=self.messages, MessageBody="hidden")
        sent_at = time.monotonic()
        self.sqs.send_message(QueueUrl=self.messages, MessageBody="delayed", DelaySeconds=DELAY_S)
        received_at = time.monotonic()
        (message,) = self.receive(self.messages)
        assert message["Body"] == "hidden"
        return {"delayed": sent_at, "hidden": received_at}

    def get_messages(self):
        """Receive both messages, and delete them; return when each came, and what came."""
        came, got = {}, {}
        until = time.monotonic() + FOREVER_S
        while len(came) < 2:
            assert time.monotonic() < until, f"only {sorted(came)} came"
            for message in self.receive(self.messages):
                came.setdefault(message["Body"], time.monotonic())
                got.setdefault(message["Body"], message)
                self.sqs.delete_message(QueueUrl=self.messages, ReceiptHandle=message["ReceiptHandle"])
        return came, got


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """A server for all tests here, each of which moves its clock: where that stands at the beginning is no matter."""
    server = WallServer(tmp_path_factory.mktemp("clock"), "--async-time-scale", str(SCALE)).start()
    try:
        yield Story(server)
    finally:
        server.discard()


@pytest.mark.parametrize("jump_s", [-HOUR_S, HOUR_S], ids=["back", "ahead"])
def test_the_clock_jumps(story, jump_s):
    """
    Retries, delays, visibility timeouts and leases go on as if nothing had happened, an event's age does not change,
    and what is dated afterwards has the new time.
    """
    server = story.server
    slow, poison, holder, old = (f"{name}{jump_s}" for name in ("slow", "poison", "holder", "old"))
    with ThreadPoolExecutor(1) as threads:
        holding = threads.submit(invoke, server.client("lambda"), "hurried", {"name": holder, "sleep_s": 6})
        story.send("work", slow, sleep_s=1.5)
        story.send("work", poison, fail=True)
        wait_for(lambda: {slow, poison} <= set(story.ran()) and holder in story.ran("hurried"))
        story.send("hurried", old)
        began = story.begin_messages()

        server.move(jump_s)

        came, messages = story.get_messages()
        holding.result()
    assert came["delayed"] - began["delayed"] >= DELAY_S
    assert came["hidden"] - began["hidden"] >= VISIBILITY_S
    records = story.records(2)
    assert {name: record["requestContext"]["condition"] for name, record in records.items()} == {
        poison: "RetriesExhausted",
        old: "EventAgeExceeded",
    }
    ran = story.ran()
    first, second, third = ran[poison]
    assert second - first >= 60 * SCALE
    assert third - second >= 120 * SCALE
    # Its lease did not run out under it.
    assert len(ran[slow]) == 1

    for message in messages.values():
        dates = message["Attributes"]
        assert int(dates["SentTimestamp"]) <= int(dates["ApproximateFirstReceiveTimestamp"])
    story.sqs.send_message(QueueUrl=story.messages, MessageBody="dated")
    (dated,) = story.receive(story.messages)
    story.sqs.delete_message(QueueUrl=story.messages, ReceiptHandle=dated["ReceiptHandle"])
    shown_s = int(dated["Attributes"]["SentTimestamp"]) / 1000
    assert abs(shown_s - server.now()) < FOREVER_S
    changed = story.lambda_.update_function_configuration(FunctionName="work", Description=str(jump_s))["LastModified"]
    shown_s = datetime.datetime.strptime(changed, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
    assert abs(shown_s - server.now()) < FOREVER_S


def test_the_clock_goes_back_while_the_server_is_down(story):
    """
    After kill -9 the next server finds a clock that is an hour earlier than what the queue has seen: what waits is due
    no later than it would have been.
    """
    server = story.server
    story.send("work", "killed", fail=True)
    story.begin_messages()
    wait_for(lambda: "killed" in story.ran())

    server.kill()
    server.move(-HOUR_S)
    server.restart()
    story.connect()

    _, messages = story.get_messages()
    for message in messages.values():
        dates = message["Attributes"]
        assert int(dates["SentTimestamp"]) <= int(dates["ApproximateFirstReceiveTimestamp"])
    assert story.records(1)["killed"]["requestContext"]["condition"] == "RetriesExhausted"
    story.send("work", "new")
    wait_for(lambda: "new" in story.ran(), within_s=FOREVER_S)
