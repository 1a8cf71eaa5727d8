"""Faults on the way of events: poison events, and destinations that do not take what they are told."""

import json
import re
import urllib.request

import pytest
from wire.support import ACCOUNT, REGION, FunctionMaker, newest_python, wait_for

SCALE = 0.01
AGED_SCALE = 0.0006
"""So that six hours, in which a record is tried to be delivered, and an event may wait to run, are thirteen seconds."""

SOURCE = """
import os, time
def handler(event, context):
    poison = event.get("poison")
    if poison == "crash":
        raise ValueError("boom")
    if poison == "exit":
        os._exit(3)
    if poison == "timeout":
        time.sleep(60)
    if poison == "memory":
        return len(b"x" * (1 << 30))
    return event
"""

POISONS = {
    "crash": ("work", "boom"),
    "exit": ("work", "exit status 3"),
    "timeout": ("work", "Task timed out"),
    "memory": ("patient", "signal: killed"),
}
"""What makes an event fail always, the function it is for, and what its record says of why."""


class Queues:
    """Queues that are told something, and what they were told."""

    def __init__(self, server):
        self.sqs = server.client("sqs")

    def make(self, name):
        """Return the ARN of a new queue."""
        self.sqs.create_queue(QueueName=name)
        return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"

    def take(self, name, count):
        """Return so many messages, once they have come."""
        url = self.sqs.get_queue_url(QueueName=name)["QueueUrl"]
        found = []

        def all_there():
            answer = self.sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageAttributeNames=["All"]
            )
            for message in answer.get("Messages", []):
                found.append(message)
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return len(found) >= count

        wait_for(all_there)
        return found


def send(client, name, event, **qualifier):
    answer = client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event), **qualifier)
    assert answer["StatusCode"] == 202
    return answer["ResponseMetadata"]["RequestId"]


def told_to(client, name, qualifier="$LATEST", **kinds):
    client.put_function_event_invoke_config(
        FunctionName=name,
        Qualifier=qualifier,
        MaximumRetryAttempts=1,
        DestinationConfig={kind: {"Destination": arn} for kind, arn in kinds.items()},
    )


def metrics(server):
    """Return the counts of deliveries by the name of the destination and the outcome."""
    with urllib.request.urlopen(server.endpoint + "/_lambent/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found = re.findall(r'lambent_deliveries_total\{.*destination="([^"]*)",outcome="(\w+)".*\} (\S+)', text)
    return {(arn.rsplit(":", 1)[1], outcome): float(count) for arn, outcome, count in found}


def test_poison_events_end_and_are_in_nobodys_way(own_server):
    """
    One that always crashes, exits, times out or takes all memory has its two attempts, then its record with the reason
    and its dead letter. Events of the same function and of another one succeed meanwhile.
    """
    server = own_server(None, "--async-time-scale", str(SCALE)).start()
    if server.sandbox["driver"] == "process":
        pytest.skip("needs:walls:a sandbox that bounds memory")
    client, queues = server.client("lambda"), Queues(server)
    failed, succeeded, dead = (queues.make(name) for name in ("failed", "succeeded", "dead"))
    make = FunctionMaker(client, newest_python(), "work")
    make(SOURCE, name="work", Timeout=1, DeadLetterConfig={"TargetArn": dead})
    # Taking all memory takes its time with the part of a processor that comes with so little.
    make(SOURCE, name="patient", Timeout=60, DeadLetterConfig={"TargetArn": dead})
    make(SOURCE, name="other")
    for name in ("work", "patient", "other"):
        told_to(client, name, OnFailure=failed, OnSuccess=succeeded)

    sent = {poison: send(client, name, {"poison": poison}) for poison, (name, _) in POISONS.items()}
    good = {send(client, name, {"good": number}) for name in ("work", "other") for number in range(10)}

    records = [json.loads(message["Body"]) for message in queues.take("succeeded", len(good))]
    assert {record["requestContext"]["requestId"] for record in records} == good
    records = [json.loads(message["Body"]) for message in queues.take("failed", len(POISONS))]
    by_id = {record["requestContext"]["requestId"]: record for record in records}
    letters = {
        message["MessageAttributes"]["RequestID"]["StringValue"]: message
        for message in queues.take("dead", len(POISONS))
    }
    for poison, request_id in sent.items():
        record = by_id[request_id]
        assert record["requestContext"]["condition"] == "RetriesExhausted"
        assert record["requestContext"]["approximateInvokeCount"] == 2
        assert record["requestPayload"] == {"poison": poison}
        assert record["responseContext"]["functionError"] == "Unhandled"
        assert POISONS[poison][1] in record["responsePayload"]["errorMessage"]
        assert json.loads(letters[request_id]["Body"]) == {"poison": poison}


def test_destinations_that_do_not_take_it(own_server):
    """
    A queue that is gone is tried until the time is over, then counted and logged; a function that may not run, or
    fails, hands on to a dead-letter queue of its own. Records to others get there meanwhile.
    """
    server = own_server(None, "--async-time-scale", str(AGED_SCALE)).start()
    client, queues = server.client("lambda"), Queues(server)
    gone, good, dead = (queues.make(name) for name in ("gone", "good", "dead"))
    make = FunctionMaker(client, newest_python(), "work")
    for name in ("closed", "broken"):
        make("def handler(event, context):\n raise ValueError(1)", name=name, DeadLetterConfig={"TargetArn": dead})
    client.put_function_concurrency(FunctionName="closed", ReservedConcurrentExecutions=0)
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
    targets = {"gone": gone, "closed": function + "closed", "broken": function + "broken", "good": good}
    make(SOURCE, name="work", Publish=True)
    for alias, target in targets.items():
        client.create_alias(FunctionName="work", Name=alias, FunctionVersion="1")
        told_to(client, "work", alias, OnSuccess=target)
    queues.sqs.delete_queue(QueueUrl=queues.sqs.get_queue_url(QueueName="gone")["QueueUrl"])

    sent = {alias: send(client, "work", {"to": alias}, Qualifier=alias) for alias in targets}

    (record,) = queues.take("good", 1)
    assert json.loads(record["Body"])["requestContext"]["requestId"] == sent["good"]
    letters = {json.loads(message["Body"])["requestContext"]["requestId"] for message in queues.take("dead", 2)}
    assert letters == {sent["closed"], sent["broken"]}
    wait_for(lambda: metrics(server).get(("gone", "given_up")) == 1)
    counts = metrics(server)
    assert counts["gone", "failed"] > 1
    assert counts["gone", "delivered"] == 0
    for name in ("good", "closed", "broken"):
        assert (counts[name, "delivered"], counts[name, "given_up"]) == (1, 0)
    (line,) = wait_for(lambda: [line for line in server.log if "destination.given_up" in line])
    assert f"arn={gone} " in line
    assert sent["gone"] in line
