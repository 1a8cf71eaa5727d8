"""Records of failures as objects in buckets: of the embedded stand-in, and of a server that checks signatures."""

import json
import os
import re
import signal
import urllib.request
from datetime import datetime

import pytest
from botocore.exceptions import ClientError
from wire.real_s3 import real_s3
from wire.support import ACCOUNT, REGION, FunctionMaker, Server, error_of, newest_python, wait_for

FAILING = "def handler(event, context): raise ValueError('x' * event['length'])"
QUEUE_OF = f"arn:aws:sqs:{REGION}:{ACCOUNT}:"
FUNCTION_OF = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
INVALID = (400, "InvalidParameterValueException")


@pytest.fixture(scope="module")
def s3(server):
    return server.client("s3")


@pytest.fixture
def bucket(s3, unique_name):
    name = re.sub(r"[^a-z0-9-]", "-", unique_name.lower())[-50:].strip("-")
    s3.create_bucket(Bucket=name)
    return name


def put_config(client, name, **destinations):
    client.put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=0,
        DestinationConfig={on: {"Destination": arn} for on, arn in destinations.items()},
    )


def send(client, name, length=3):
    answer = client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps({"length": length}))
    return answer["ResponseMetadata"]["RequestId"]


def keys_in(s3, bucket):
    return [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def counted(server, bucket, outcome):
    """Return how many attempts to deliver to a bucket came to this."""
    with urllib.request.urlopen(server.endpoint + "/_lambent/metrics", timeout=30) as answer:
        text = answer.read().decode()
    lines = [line for line in text.splitlines() if f":::{bucket}" in line and f'"{outcome}"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def check_record(s3, bucket, name, request_id, length=3):
    """See that the one object in a bucket is the record of an event that failed."""
    (key,) = wait_for(lambda: keys_in(s3, bucket))
    found = s3.get_object(Bucket=bucket, Key=key)
    assert found["ContentType"] == "application/json"
    record = json.loads(found["Body"].read())
    written = datetime.fromisoformat(record["timestamp"])
    assert key == f"aws/lambda/async/{name}/{written:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{request_id}"
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["requestId"] == request_id
    assert record["requestPayload"] == {"length": length}
    assert record["responsePayload"]["errorMessage"] == "x" * length
    return key


def test_a_failure_becomes_an_object(s3, lambda_client, make_function, bucket):
    """Under the documented key, payloads and all, however large."""
    name = make_function(FAILING)
    put_config(lambda_client, name, OnFailure=f"arn:aws:s3:::{bucket}")
    found = lambda_client.get_function_event_invoke_config(FunctionName=name)
    assert found["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}}
    check_record(s3, bucket, name, send(lambda_client, name, 2_000_000), 2_000_000)


def test_a_record_makes_an_event_of_its_bucket(server, s3, lambda_client, make_function, bucket):
    """As every object that is put there."""
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName=bucket)["QueueUrl"]
    rule = {"QueueArn": QUEUE_OF + bucket, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [rule]})
    name = make_function(FAILING)
    put_config(lambda_client, name, OnFailure=f"arn:aws:s3:::{bucket}")
    key = check_record(s3, bucket, name, send(lambda_client, name))

    def received():
        answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10)
        bodies = [json.loads(message["Body"]) for message in answer.get("Messages", [])]
        return [record for body in bodies for record in body.get("Records", [])]

    (event,) = wait_for(received)
    described = event["s3"]["object"]
    assert (event["eventName"], described["key"]) == ("ObjectCreated:Put", key)
    assert described["size"] == s3.head_object(Bucket=bucket, Key=key)["ContentLength"]


def test_a_function_that_its_own_failures_start(s3, lambda_client, make_function, bucket):
    """The chain ends by recursion control, and no function is started by the object that says so."""
    name = make_function("def handler(event, context): raise ValueError('no')")
    lambda_client.add_permission(
        FunctionName=name, StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{bucket}",
    )  # fmt: skip
    rule = {"LambdaFunctionArn": FUNCTION_OF + name, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
    )
    put_config(lambda_client, name, OnFailure=f"arn:aws:s3:::{bucket}")
    send(lambda_client, name)
    wait_for(lambda: len(keys_in(s3, bucket)) >= 17)

    def conditions():
        bodies = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys_in(s3, bucket)]
        return sorted(json.loads(body)["requestContext"]["condition"] for body in bodies)

    expected = ["RecursiveInvocationDetected", *["RetriesExhausted"] * 16]
    assert conditions() == expected
    # Events of others pass by, so that one that followed would have been seen.
    other = make_function(FAILING)
    put_config(lambda_client, other, OnFailure=f"arn:aws:s3:::{bucket}")
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    send(lambda_client, other)
    wait_for(lambda: any(other in key for key in keys_in(s3, bucket)))
    assert conditions() == sorted([*expected, "RetriesExhausted"])


def test_what_cannot_be_one(lambda_client, make_function, bucket):
    """A bucket that is not there, a part of one, a bucket for successes; as a dead-letter queue a bucket is none."""
    name = make_function(FAILING)

    def refused(**destinations):
        with pytest.raises(ClientError) as excinfo:
            put_config(lambda_client, name, **destinations)
        status, code, message = error_of(excinfo)
        assert (status, code) == INVALID
        return message

    for arn in ("arn:aws:s3:::no-such-bucket", f"arn:aws:s3:::{bucket}/in", f"arn:aws:s3:{REGION}:{ACCOUNT}:{bucket}"):
        assert refused(OnFailure=arn) == f"The destination ARN {arn} is invalid."
    arn = f"arn:aws:s3:::{bucket}"
    assert refused(OnSuccess=arn) == (
        "The provided destination config DestinationConfig("
        f"onSuccess=OnSuccess(destination={arn}), onFailure=null) is invalid."
    )
    with pytest.raises(ClientError, match="is no SQS queue"):
        lambda_client.update_function_configuration(FunctionName=name, DeadLetterConfig={"TargetArn": arn})


def test_a_bucket_that_is_gone_may_come_again(server, s3, lambda_client, make_function, bucket):
    """Meanwhile attempts are counted and logged; nothing is lost."""
    name = make_function(FAILING)
    put_config(lambda_client, name, OnFailure=f"arn:aws:s3:::{bucket}")
    s3.delete_bucket(Bucket=bucket)
    request_id = send(lambda_client, name)
    wait_for(lambda: counted(server, bucket, "failed"))
    wait_for(
        lambda: any(
            "destination.failed" in line and f"arn:aws:s3:::{bucket}" in line and "no such target" in line
            for line in server.log
        )
    )
    s3.create_bucket(Bucket=bucket)
    check_record(s3, bucket, name, request_id)
    wait_for(lambda: counted(server, bucket, "delivered") == 1)
    assert counted(server, bucket, "given_up") == 0


@pytest.fixture(scope="module")
def real():
    with real_s3() as made:
        yield made


@pytest.fixture(scope="module")
def signing(real):
    """A server of ours that signs what it sends to that server."""
    made = Server(None, "--neighbour", f"s3={real.url}", "--neighbour-credentials", str(real.credentials)).start()
    yield made
    made.discard()


def test_a_server_that_checks_signatures(signing, unique_name):
    """It gets records in Lambent's own name, and they wait while it is away."""
    s3, client = signing.client("s3"), signing.client("lambda")
    s3.create_bucket(Bucket="failed")
    make = FunctionMaker(client, newest_python(), unique_name)
    name = make(FAILING)
    put_config(client, name, OnFailure="arn:aws:s3:::failed")
    check_record(s3, "failed", name, send(client, name))


def test_a_server_that_is_away(real, signing, unique_name):
    """Records wait for it, over kill -9 of ours too; a bucket of one that is away cannot be configured."""
    s3, client = signing.client("s3"), signing.client("lambda")
    s3.create_bucket(Bucket="waiting")
    name = FunctionMaker(client, newest_python(), unique_name)(FAILING)
    put_config(client, name, OnFailure="arn:aws:s3:::waiting")
    real.stop()
    request_id = send(client, name)
    wait_for(lambda: counted(signing, "waiting", "failed"))
    with pytest.raises(ClientError) as excinfo:
        put_config(client, name, OnFailure="arn:aws:s3:::waiting")
    assert error_of(excinfo)[:2] == (503, "ServiceUnavailable")
    signing.kill()
    real.start()
    signing.restart()
    check_record(signing.client("s3"), "waiting", name, request_id)


def test_a_server_that_hangs(real, signing, unique_name):
    """
    One that takes connections and answers nothing holds up its own records, however many there are, and no others;
    when it goes on, they are there.
    """
    s3, client, sqs = signing.client("s3"), signing.client("lambda"), signing.client("sqs")
    s3.create_bucket(Bucket="hanging")
    queue = sqs.create_queue(QueueName="others")["QueueUrl"]
    make = FunctionMaker(client, newest_python(), unique_name)
    stuck, going = make(FAILING), make(FAILING)
    put_config(client, stuck, OnFailure="arn:aws:s3:::hanging")
    put_config(client, going, OnFailure=f"{QUEUE_OF}others")
    sent = {send(client, going) for _ in range(3)}
    os.kill(real.process.pid, signal.SIGSTOP)
    try:
        held = {send(client, stuck) for _ in range(12)}
        sent |= {send(client, going) for _ in range(3)}
        told = set()

        def all_told():
            answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            records = [json.loads(message["Body"]) for message in answer.get("Messages", [])]
            told.update(record["requestContext"]["requestId"] for record in records)
            return told >= sent

        wait_for(all_told)
        assert counted(signing, "hanging", "delivered") == 0
    finally:
        os.kill(real.process.pid, signal.SIGCONT)
    wait_for(lambda: len(keys_in(s3, "hanging")) == len(held))
    assert {key[-36:] for key in keys_in(s3, "hanging")} == held


def test_a_server_without_our_keys(real, own_server):
    """Lambent's own requests go unsigned: the bucket cannot be configured, and the message says what is missing."""
    made = own_server(None, "--neighbour", f"s3={real.url}").start()
    client = made.client("lambda")
    name = FunctionMaker(client, newest_python(), "unsigned")(FAILING)
    with pytest.raises(ClientError) as excinfo:
        put_config(client, name, OnFailure="arn:aws:s3:::failed")
    status, code, message = error_of(excinfo)
    assert (status, code) == INVALID
    assert "--neighbour-credentials" in message
