"""SQS as boto3 uses it: every operation and member once, long polls, errors as clients see them, a crash."""

import http.client
import json
import threading
import time

import pytest
from botocore.exceptions import ClientError
from wire.support import wait_for

ACCOUNT = "111122223333"


@pytest.fixture(scope="module")
def sqs(server):
    return server.client("sqs", account=ACCOUNT, region="eu-west-1")


@pytest.fixture
def make_queue(sqs, unique_name):
    """Makes queues: `make_queue("dlq")` is one of its own, with `.fifo` where that is asked for."""

    def make(stem="q", *, client=sqs, **attributes):
        name = f"{unique_name}-{stem}"
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        return client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    return make


def arn_of(sqs, url):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def received(sqs, url, **asked):
    return sqs.receive_message(QueueUrl=url, **asked).get("Messages", [])


def refusal(call, **arguments):
    """Return the status, the code and the shape of an error."""
    with pytest.raises(ClientError) as excinfo:
        call(**arguments)
    response = excinfo.value.response
    error = response["Error"]
    return response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error.get("QueryErrorCode")


def test_a_queue_from_its_making_to_its_end(server, sqs, unique_name):
    """Create with tags, find, list, tag, set, show, purge, delete."""
    url = sqs.create_queue(QueueName=unique_name, Attributes={"DelaySeconds": "0"}, tags={"a": "1"})["QueueUrl"]
    assert url == f"{server.endpoint}/{ACCOUNT}/{unique_name}"
    assert sqs.get_queue_url(QueueName=unique_name, QueueOwnerAWSAccountId=ACCOUNT)["QueueUrl"] == url
    sqs.create_queue(QueueName=f"{unique_name}-2")
    first = sqs.list_queues(QueueNamePrefix=unique_name, MaxResults=1)
    rest = sqs.list_queues(QueueNamePrefix=unique_name, MaxResults=1, NextToken=first["NextToken"])
    assert first["QueueUrls"] + rest["QueueUrls"] == [url, f"{url}-2"]
    assert "NextToken" not in rest
    sqs.tag_queue(QueueUrl=url, Tags={"b": "2"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"b": "2"}
    assert "Tags" not in sqs.list_queue_tags(QueueUrl=f"{url}-2")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "7"})
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"] == {
        "VisibilityTimeout": "7"
    }
    sqs.purge_queue(QueueUrl=url)
    assert refusal(sqs.purge_queue, QueueUrl=url) == (
        403,
        "AWS.SimpleQueueService.PurgeQueueInProgress",
        "PurgeQueueInProgress",
    )
    sqs.delete_queue(QueueUrl=url)
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName=unique_name)
    # A region of its own on the same port, by the credential's scope.
    assert "QueueUrls" not in server.client("sqs", account=ACCOUNT, region="eu-west-2").list_queues()


def test_messages(sqs, make_queue):
    """Send with all that a message can have, receive with all that can be asked, hide, show, delete."""
    url = make_queue()
    sent = sqs.send_message(
        QueueUrl=url,
        MessageBody="hello",
        DelaySeconds=0,
        MessageAttributes={"k": {"DataType": "String", "StringValue": "x"}},
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3"}},
        MessageGroupId="tenant",
    )
    assert sent["MD5OfMessageAttributes"] == "a45daa70926828a2f0a1db3418e6feb4"
    (message,) = received(
        sqs,
        url,
        AttributeNames=["SenderId"],
        MessageSystemAttributeNames=["AWSTraceHeader", "MessageGroupId"],
        MessageAttributeNames=["All"],
        MaxNumberOfMessages=10,
        VisibilityTimeout=30,
        WaitTimeSeconds=1,
    )
    assert message["Attributes"] == {"SenderId": ACCOUNT, "AWSTraceHeader": "Root=1-2-3", "MessageGroupId": "tenant"}
    assert message["MessageAttributes"] == {"k": {"DataType": "String", "StringValue": "x"}}
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    handle = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
    sqs.change_message_visibility(**handle, VisibilityTimeout=0)
    assert [again["Body"] for again in received(sqs, url)] == ["hello"]
    sqs.delete_message(**handle)
    sqs.delete_message(**handle)


def test_batches(sqs, make_queue):
    """Ten at once, of which some fail; FIFO entries keep their order."""
    url = make_queue("q.fifo")
    entries = [
        {
            "Id": str(number),
            "MessageBody": f"m{number}",
            "MessageGroupId": "g",
            "MessageDeduplicationId": str(number),
            "MessageAttributes": {"b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}},
            "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3"}},
            "DelaySeconds": 0,
        }
        for number in range(3)
    ]
    answer = sqs.send_message_batch(QueueUrl=url, Entries=[*entries, {**entries[0], "Id": "x", "MessageBody": "\x00"}])
    assert [sent["Id"] for sent in answer["Successful"]] == ["0", "1", "2"]
    assert [(failed["Id"], failed["Code"]) for failed in answer["Failed"]] == [("x", "InvalidMessageContents")]
    messages = received(
        sqs, url, MaxNumberOfMessages=10, MessageAttributeNames=["b"], ReceiveRequestAttemptId="attempt"
    )
    assert [message["Body"] for message in messages] == ["m0", "m1", "m2"]
    assert messages[0]["MessageAttributes"]["b"]["BinaryValue"] == b"\x00\xff"
    repeat = sqs.send_message(QueueUrl=url, MessageBody="again", MessageGroupId="g", MessageDeduplicationId="0")
    assert repeat["MessageId"] == answer["Successful"][0]["MessageId"]
    handles = [{"Id": message["Body"], "ReceiptHandle": message["ReceiptHandle"]} for message in messages]
    changed = sqs.change_message_visibility_batch(
        QueueUrl=url, Entries=[{**handle, "VisibilityTimeout": 60} for handle in handles]
    )
    deleted = sqs.delete_message_batch(QueueUrl=url, Entries=[*handles, {"Id": "bad", "ReceiptHandle": "garbage"}])
    assert len(changed["Successful"]) == len(deleted["Successful"]) == 3
    assert [failed["Code"] for failed in deleted["Failed"]] == ["ReceiptHandleIsInvalid"]


def test_a_long_poll_answers_with_the_send(server, sqs, make_queue):
    """Within moments of a send, of a delay's end, and of a message that was given back; and not before its time."""
    url = make_queue()
    second = server.client("sqs", account=ACCOUNT, region="eu-west-1")

    def polled(act):
        found = []
        poll = threading.Thread(target=lambda: found.extend(received(second, url, WaitTimeSeconds=20)))
        begun = time.monotonic()
        poll.start()
        # Beside the one that asks.
        wait_for(lambda: server.health()["requests_in_flight"] >= 2)
        act()
        poll.join(60)
        # Not at the end of what it waits for.
        assert time.monotonic() - begun < 19
        return found[0]

    message = polled(lambda: sqs.send_message(QueueUrl=url, MessageBody="sent"))
    assert message["Body"] == "sent"
    handle = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
    assert polled(lambda: sqs.change_message_visibility(**handle, VisibilityTimeout=0))["Body"] == "sent"
    sqs.delete_message(**handle)
    assert polled(lambda: sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=1))["Body"] == "later"
    begun = time.monotonic()
    assert received(sqs, url, WaitTimeSeconds=1) == []
    assert time.monotonic() - begun >= 0.9


def test_who_has_left_does_not_receive(server, sqs, make_queue):
    """A client that drops its connection in a long poll leaves the next message to others."""
    url = make_queue(VisibilityTimeout="600")
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    path = url.removeprefix(server.endpoint)
    region = {"Authorization": f"Credential={ACCOUNT}/20260101/eu-west-1/sqs/aws4_request,"}
    connection.request("GET", f"{path}?Action=ReceiveMessage&WaitTimeSeconds=20", headers=region)
    # Beside the one that asks.
    wait_for(lambda: server.health()["requests_in_flight"] == 2)
    connection.close()
    wait_for(lambda: server.health()["requests_in_flight"] == 1)
    sqs.send_message(QueueUrl=url, MessageBody="for somebody")
    (message,) = received(sqs, url, AttributeNames=["ApproximateReceiveCount"])
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


def test_dead_letters_and_the_way_back(sqs, make_queue):
    """Redrive policy, sources, a task that moves all back, one that is cancelled, tasks listed."""
    dead = make_queue("dead")
    source = make_queue(
        "source",
        VisibilityTimeout="0",
        RedrivePolicy=json.dumps({"deadLetterTargetArn": arn_of(sqs, dead), "maxReceiveCount": 1}),
    )
    listed = sqs.list_dead_letter_source_queues(QueueUrl=dead, MaxResults=1)
    assert listed["queueUrls"] == [source]
    sqs.send_message(QueueUrl=source, MessageBody="poison")
    assert len(received(sqs, source)) == 1
    wait_for(lambda: received(sqs, source) == [])
    (message,) = received(sqs, dead, AttributeNames=["All"], VisibilityTimeout=0)
    assert message["Attributes"]["DeadLetterQueueSourceArn"] == arn_of(sqs, source)

    task = sqs.start_message_move_task(
        SourceArn=arn_of(sqs, dead), DestinationArn=arn_of(sqs, source), MaxNumberOfMessagesPerSecond=10
    )

    def status():
        (newest,) = sqs.list_message_move_tasks(SourceArn=arn_of(sqs, dead), MaxResults=1)["Results"]
        return newest["Status"] == "COMPLETED" and newest

    moved = wait_for(status)
    assert moved["ApproximateNumberOfMessagesMoved"] == 1
    assert moved["StartedTimestamp"] > 1_700_000_000_000
    assert refusal(sqs.cancel_message_move_task, TaskHandle=task["TaskHandle"])[1] == "InvalidParameterValue"
    assert refusal(sqs.start_message_move_task, SourceArn=arn_of(sqs, dead) + "x")[:2] == (
        404,
        "ResourceNotFoundException",
    )
    # Something to be slow with, so that there is a task to cancel.
    for number in range(3):
        sqs.send_message(QueueUrl=dead, MessageBody=str(number))
    slow = sqs.start_message_move_task(
        SourceArn=arn_of(sqs, dead), DestinationArn=arn_of(sqs, source), MaxNumberOfMessagesPerSecond=1
    )
    sqs.cancel_message_move_task(TaskHandle=slow["TaskHandle"])
    page = sqs.list_dead_letter_source_queues(QueueUrl=dead)
    assert "NextToken" not in page
    make_queue("source2", RedrivePolicy=json.dumps({"deadLetterTargetArn": arn_of(sqs, dead), "maxReceiveCount": 1}))
    first = sqs.list_dead_letter_source_queues(QueueUrl=dead, MaxResults=1)
    second = sqs.list_dead_letter_source_queues(QueueUrl=dead, MaxResults=1, NextToken=first["NextToken"])
    assert second["queueUrls"] == [source + "2"]


def test_a_policy_lets_another_account_in(server, sqs, make_queue):
    """Only what it grants, and only while it does; the caller's own account is the sender."""
    url = make_queue()
    other = server.client("sqs", account="444455556666", region="eu-west-1")
    assert refusal(other.send_message, QueueUrl=url, MessageBody="m") == (403, "AccessDenied", "AccessDeniedException")
    sqs.add_permission(QueueUrl=url, Label="send", AWSAccountIds=["444455556666"], Actions=["SendMessage"])
    other.send_message(QueueUrl=url, MessageBody="m")
    assert refusal(other.receive_message, QueueUrl=url)[1] == "AccessDenied"
    assert refusal(other.delete_queue, QueueUrl=url)[1] == "AccessDenied"
    (message,) = received(sqs, url, AttributeNames=["SenderId"])
    assert message["Attributes"]["SenderId"] == "444455556666"
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    (statement,) = json.loads(policy)["Statement"]
    assert (statement["Sid"], statement["Action"]) == ("send", "SQS:SendMessage")
    sqs.remove_permission(QueueUrl=url, Label="send")
    assert refusal(other.send_message, QueueUrl=url, MessageBody="m")[1] == "AccessDenied"
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])


def test_errors_have_their_old_codes(server, sqs, make_queue, unique_name):
    """The code of the query protocol, the shape beside it, and the status that goes with it."""
    url = make_queue()
    prefix = "AWS.SimpleQueueService."
    # What tools that send a received message on make of it.
    listed = {"MessageAttributes": {"k": {"DataType": "String", "StringValue": "x", "StringListValues": []}}}
    unsupported = (prefix + "UnsupportedOperation", "UnsupportedOperation")
    cases = [
        (sqs.receive_message, {"QueueUrl": url + "x"}, 400, prefix + "NonExistentQueue", "QueueDoesNotExist"),
        (
            sqs.create_queue,
            {"QueueName": url.rsplit("/", 1)[1], "Attributes": {"DelaySeconds": "9"}},
            400,
            "QueueAlreadyExists",
            "QueueNameExists",
        ),
        (sqs.set_queue_attributes, {"QueueUrl": url, "Attributes": {"X": "1"}}, 400, "InvalidAttributeName", None),
        (
            sqs.set_queue_attributes,
            {"QueueUrl": url, "Attributes": {"DelaySeconds": "x"}},
            400,
            "InvalidAttributeValue",
            None,
        ),
        (
            sqs.send_message,
            {"QueueUrl": url, "MessageBody": ""},
            400,
            "MissingParameter",
            "MissingRequiredParameterException",
        ),
        (sqs.send_message, {"QueueUrl": url, "MessageBody": "\x00"}, 400, "InvalidMessageContents", None),
        (sqs.send_message, {"QueueUrl": url, "MessageBody": "m", **listed}, 400, *unsupported),
        (
            sqs.send_message_batch,
            {"QueueUrl": url, "Entries": [{"Id": "a", "MessageBody": "m", **listed}]},
            400,
            *unsupported,
        ),
        (
            sqs.receive_message,
            {"QueueUrl": url, "MaxNumberOfMessages": 11},
            400,
            "InvalidParameterValue",
            "InvalidParameterValueException",
        ),
        (sqs.delete_message, {"QueueUrl": url, "ReceiptHandle": "x"}, 404, "ReceiptHandleIsInvalid", None),
        (
            sqs.send_message_batch,
            {"QueueUrl": url, "Entries": []},
            400,
            prefix + "EmptyBatchRequest",
            "EmptyBatchRequest",
        ),
        (
            sqs.delete_message_batch,
            {"QueueUrl": url, "Entries": [{"Id": "a b", "ReceiptHandle": "x"}]},
            400,
            prefix + "InvalidBatchEntryId",
            "InvalidBatchEntryId",
        ),
        (
            sqs.delete_message_batch,
            {"QueueUrl": url, "Entries": [{"Id": "a", "ReceiptHandle": "x"}] * 2},
            400,
            prefix + "BatchEntryIdsNotDistinct",
            "BatchEntryIdsNotDistinct",
        ),
        (
            sqs.send_message_batch,
            {"QueueUrl": url, "Entries": [{"Id": str(n), "MessageBody": "m"} for n in range(11)]},
            400,
            prefix + "TooManyEntriesInBatchRequest",
            "TooManyEntriesInBatchRequest",
        ),
        (
            sqs.send_message_batch,
            {"QueueUrl": url, "Entries": [{"Id": str(n), "MessageBody": "m" * 600_000} for n in range(2)]},
            400,
            prefix + "BatchRequestTooLong",
            "BatchRequestTooLong",
        ),
        (
            sqs.add_permission,
            {"QueueUrl": url, "Label": "l", "AWSAccountIds": [ACCOUNT], "Actions": ["SendMessage"] * 8},
            403,
            "OverLimit",
            None,
        ),
        (
            sqs.list_message_move_tasks,
            {"SourceArn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:nowhere"},
            404,
            "ResourceNotFoundException",
            None,
        ),
    ]
    for call, arguments, status, code, shape in cases:
        assert refusal(call, **arguments) in {(status, code, shape), (status, code, shape or code)}, code


def test_what_was_answered_is_kept(lone_server):
    """kill -9: every message that was answered is there again, hidden ones when their time is over; handles hold."""
    sqs = lone_server.client("sqs")
    url = sqs.create_queue(QueueName="kept", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    for number in range(5):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    (held,) = received(sqs, url)
    lone_server.kill()
    lone_server.restart()
    sqs = lone_server.client("sqs")
    url = sqs.get_queue_url(QueueName="kept")["QueueUrl"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=held["ReceiptHandle"])
    rest = received(sqs, url, MaxNumberOfMessages=10)
    assert sorted([held["Body"], *(message["Body"] for message in rest)]) == ["0", "1", "2", "3", "4"]
    # A long poll does not hold the end of the server up.
    poll = threading.Thread(target=lambda: received(sqs, url, WaitTimeSeconds=20))
    poll.start()
    # Beside the one that asks.
    wait_for(lambda: lone_server.health()["requests_in_flight"] >= 2)
    begun = time.monotonic()
    assert lone_server.stop() == 0
    poll.join()
    assert time.monotonic() - begun < 18
