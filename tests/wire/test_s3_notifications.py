"""Notifications of buckets: configured, and delivered for what passes the gateway."""

import contextlib
import http.client
import itertools
import json
import re
import threading
import time
import urllib.error
import urllib.request
from datetime import datetime
from urllib.parse import unquote_plus

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from wire.support import ACCOUNT, REGION, wait_for

QUEUE_OF = f"arn:aws:sqs:{REGION}:{ACCOUNT}:"
CREATED = "s3:ObjectCreated:*"
FUNCTION_OF = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"


@pytest.fixture(scope="module")
def s3(server):
    return server.client("s3")


@pytest.fixture(scope="module")
def sqs(server):
    return server.client("sqs")


@pytest.fixture
def bucket(s3, unique_name):
    name = re.sub(r"[^a-z0-9-]", "-", unique_name.lower())[-50:].strip("-")
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def queue(sqs, unique_name):
    name = f"{unique_name}-q"[-80:].strip("-")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    yield Queue(sqs, url, QUEUE_OF + name)
    sqs.delete_queue(QueueUrl=url)


class Queue:
    """A queue that events come to."""

    def __init__(self, sqs, url, arn):
        self.sqs, self.url, self.arn = sqs, url, arn

    def take(self, count, wait_s=60):
        """Return so many messages, in the order in which they were sent as far as their sequencers tell."""
        found = []
        deadline = time.monotonic() + wait_s
        while len(found) < count and time.monotonic() < deadline:
            answer = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(message["Body"]))
        assert len(found) == count, found
        return found

    def events(self, count):
        return sorted(
            (record for message in self.take(count) for record in message["Records"]),
            key=lambda record: record["s3"]["object"].get("sequencer", ""),
        )

    def is_empty(self):
        return "Messages" not in self.sqs.receive_message(QueueUrl=self.url)


def to_queue(queue, *events, **rule):
    return {"QueueConfigurations": [{"QueueArn": queue.arn, "Events": list(events), **rule}]}


def watch(s3, bucket, queue, *events, **rule):
    """Have a queue told of a bucket's events, and take the test message that comes first."""
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=to_queue(queue, *events, **rule))
    (test,) = queue.take(1)
    assert (test["Service"], test["Event"], test["Bucket"]) == ("Amazon S3", "s3:TestEvent", bucket)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", test["Time"])
    assert test["RequestId"] and test["HostId"]


def refused(call, **arguments):
    """Return status, code, message and all other members of the error that a call gets."""
    with pytest.raises(ClientError) as excinfo:
        call(**arguments)
    answer = excinfo.value.response
    error = answer["Error"]
    return answer["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"], error


def filters(**rules):
    return {"Key": {"FilterRules": [{"Name": name, "Value": value} for name, value in rules.items()]}}


def test_a_configuration_is_kept_as_it_was_given(s3, bucket, queue):
    """With an id for a rule without one; the next replaces it whole, and an empty one is none."""
    assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)
    wanted = to_queue(
        queue, "s3:ObjectCreated:*", "s3:ObjectRemoved:Delete", Filter=filters(prefix="in/", SUFFIX=".png")
    )
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=wanted)
    (found,) = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    assert found.pop("Id")
    assert found == {
        "QueueArn": queue.arn,
        "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:Delete"],
        "Filter": filters(Prefix="in/", Suffix=".png"),
    }
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration=to_queue(queue, "s3:ObjectTagging:*", Id="mine")
    )
    (found,) = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    assert found == {"Id": "mine", "QueueArn": queue.arn, "Events": ["s3:ObjectTagging:*"]}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)


def test_an_object_that_is_put(s3, bucket, queue):
    """To the byte: members, their order, the key's encoding."""
    watch(s3, bucket, queue, "s3:ObjectCreated:Put", Id="on-upload")
    before = time.time()
    key = "in/My Photo (1)+é~.png"
    answer = s3.put_object(Bucket=bucket, Key=key, Body=b"hello")
    (message,) = queue.take(1)
    (record,) = message["Records"]
    assert list(record) == [
        "eventVersion", "eventSource", "awsRegion", "eventTime", "eventName", "userIdentity", "requestParameters",
        "responseElements", "s3",
    ]  # fmt: skip
    assert (record["eventVersion"], record["eventSource"], record["awsRegion"]) == ("2.1", "aws:s3", REGION)
    assert record["eventName"] == "ObjectCreated:Put"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["eventTime"])
    assert before - 2 < datetime.fromisoformat(record["eventTime"]).timestamp() < time.time() + 2
    assert record["userIdentity"]["principalId"].startswith("AWS:")
    assert record["requestParameters"] == {"sourceIPAddress": "127.0.0.1"}
    assert set(record["responseElements"]) == {"x-amz-request-id", "x-amz-id-2"}
    told = record["s3"]
    assert list(told) == ["s3SchemaVersion", "configurationId", "bucket", "object"]
    assert (told["s3SchemaVersion"], told["configurationId"]) == ("1.0", "on-upload")
    assert (told["bucket"]["name"], told["bucket"]["arn"]) == (bucket, f"arn:aws:s3:::{bucket}")
    assert set(told["bucket"]["ownerIdentity"]) == {"principalId"}
    described = told["object"]
    assert list(described) == ["key", "size", "eTag", "sequencer"]
    assert described["key"] == "in/My+Photo+%281%29%2B%C3%A9%7E.png"
    assert unquote_plus(described["key"]) == key
    assert (described["size"], described["eTag"]) == (5, answer["ETag"].strip('"'))
    assert re.fullmatch(r"[0-9A-F]{18}", described["sequencer"])


def test_each_way_in_which_objects_come_and_go(s3, bucket, queue):
    """Put, copied, put together of parts, deleted one by one and many at once; sequencers grow."""
    watch(s3, bucket, queue, "s3:ObjectCreated:*", "s3:ObjectRemoved:*")
    s3.put_object(Bucket=bucket, Key="a", Body=b"hello")
    s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a"})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="c")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="c", UploadId=upload, PartNumber=1, Body=bytes(1000))["ETag"]
    whole = s3.complete_multipart_upload(
        Bucket=bucket, Key="c", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]}
    )["ETag"]
    s3.delete_object(Bucket=bucket, Key="a")
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b"}]})
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "c"}], "Quiet": True})
    events = queue.events(6)
    assert [(event["eventName"], event["s3"]["object"]["key"]) for event in events] == [
        ("ObjectCreated:Put", "a"),
        ("ObjectCreated:Copy", "b"),
        ("ObjectCreated:CompleteMultipartUpload", "c"),
        ("ObjectRemoved:Delete", "a"),
        ("ObjectRemoved:Delete", "b"),
        ("ObjectRemoved:Delete", "c"),
    ]
    described = [event["s3"]["object"] for event in events]
    assert [one["size"] for one in described[:3]] == [5, 5, 1000]
    assert described[2]["eTag"] == whole.strip('"')
    assert all(set(one) == {"key", "sequencer"} for one in described[3:])
    assert queue.is_empty()


def test_a_form_that_a_browser_posts(server, s3, bucket, queue):
    """Its key is one of the form's fields, and may hold the file's name."""
    watch(s3, bucket, queue, "s3:ObjectCreated:Post")
    form = s3.generate_presigned_post(bucket, "in/${filename}")
    parts = [
        *(f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}' for name, value in form["fields"].items()),
        'Content-Disposition: form-data; name="file"; filename="a b.txt"\r\n\r\nhello',
    ]
    body = "".join(f"--xx\r\n{part}\r\n" for part in parts) + "--xx--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=xx"}
    request = urllib.request.Request(f"{server.endpoint}/{bucket}", body.encode(), headers)
    urllib.request.urlopen(request, timeout=30).close()
    (event,) = queue.events(1)
    described = event["s3"]["object"]
    assert (event["eventName"], described["key"], described["size"]) == ("ObjectCreated:Post", "in/a+b.txt", 5)


def test_where_versions_are_kept(s3, bucket, queue):
    """Each event names its version; a deletion without one puts a marker."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    watch(s3, bucket, queue, "s3:ObjectCreated:*", "s3:ObjectRemoved:*")
    version = s3.put_object(Bucket=bucket, Key="a", Body=b"hello")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="a")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="a", VersionId=version)
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b"}]})
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "c"}], "Quiet": True})
    events = queue.events(5)
    assert [(event["eventName"], event["s3"]["object"].get("versionId")) for event in events[:3]] == [
        ("ObjectCreated:Put", version),
        ("ObjectRemoved:DeleteMarkerCreated", marker),
        ("ObjectRemoved:Delete", version),
    ]
    assert [event["eventName"] for event in events[3:]] == ["ObjectRemoved:DeleteMarkerCreated"] * 2


def test_tags_and_access(s3, bucket, queue):
    """No size and no sequencer; a version of their own."""
    s3.put_object(Bucket=bucket, Key="a", Body=b"hello")
    watch(s3, bucket, queue, "s3:ObjectTagging:*", "s3:ObjectAcl:Put")
    s3.put_object_tagging(Bucket=bucket, Key="a", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    s3.delete_object_tagging(Bucket=bucket, Key="a")
    s3.put_object_acl(Bucket=bucket, Key="a", ACL="private")
    events = queue.events(3)
    assert sorted(event["eventName"] for event in events) == [
        "ObjectAcl:Put", "ObjectTagging:Delete", "ObjectTagging:Put",
    ]  # fmt: skip
    for event in events:
        assert event["eventVersion"] == "2.3"
        assert set(event["s3"]["object"]) == {"key", "eTag"}


def test_filters_look_at_the_key_as_it_is(s3, bucket, queue):
    """Decoded, case and all; what a request did not do tells nothing."""
    watch(s3, bucket, queue, "s3:ObjectCreated:*", Filter=filters(prefix="in dir/", suffix=".png"))
    for key in ("in dir/a.png", "in+dir/b.png", "in dir/c.PNG", "in dir/d.txt", "other/e.png"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    with pytest.raises(ClientError):
        s3.copy_object(Bucket=bucket, Key="in dir/f.png", CopySource={"Bucket": bucket, "Key": "no-such-key"})
    s3.put_object(Bucket=bucket, Key="in dir/last.png", Body=b"")
    assert [event["s3"]["object"]["key"] for event in queue.events(2)] == ["in+dir/a.png", "in+dir/last.png"]


def test_a_function_is_started(server, s3, bucket, queue, make_function, lambda_client):
    """Once its policy lets S3 in for this bucket; before, the configuration is refused."""
    name = make_function(f"""
import json, os, urllib.request
def handler(event, context):
    body = json.dumps({{"QueueUrl": {queue.url!r}.replace({server.endpoint!r}, os.environ["AWS_ENDPOINT_URL"]),
                       "MessageBody": json.dumps(event)}}).encode()
    urllib.request.urlopen(urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], body, {{
        "X-Amz-Target": "AmazonSQS.SendMessage", "Content-Type": "application/x-amz-json-1.0",
    }})).close()
""")
    arn = FUNCTION_OF + name
    wanted = {"LambdaFunctionConfigurations": [
        {"Id": "f", "LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": filters(suffix=".txt")}
    ]}  # fmt: skip
    put = s3.put_bucket_notification_configuration
    denied = (400, "InvalidArgument", "Unable to validate the following destination configurations")
    found = refused(put, Bucket=bucket, NotificationConfiguration=wanted)
    assert found[:3] == denied
    assert found[3]["ArgumentName1"] == f"{arn}, null"
    assert found[3]["ArgumentValue1"] == f"Not authorized to invoke function [{arn}]"
    allow = {"FunctionName": name, "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    lambda_client.add_permission(**allow, StatementId="other", SourceArn="arn:aws:s3:::another-bucket")
    lambda_client.add_permission(
        **allow, StatementId="elsewhere", SourceArn=f"arn:aws:s3:::{bucket}", SourceAccount="111111111111"
    )
    assert refused(put, Bucket=bucket, NotificationConfiguration=wanted)[:3] == denied
    lambda_client.add_permission(**allow, StatementId="mine", SourceArn=f"arn:aws:s3:::{bucket}", SourceAccount=ACCOUNT)
    put(Bucket=bucket, NotificationConfiguration=wanted)
    found = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert found["LambdaFunctionConfigurations"] == [
        {**wanted["LambdaFunctionConfigurations"][0], "Filter": filters(Suffix=".txt")}
    ]
    s3.put_object(Bucket=bucket, Key="a.txt", Body=b"hello")
    (event,) = queue.events(1)
    assert (event["s3"]["configurationId"], event["s3"]["object"]["key"]) == ("f", "a.txt")


def test_a_function_that_does_not_let_s3_in_gets_nothing(server, s3, bucket, make_function, lambda_client):
    """
    To skip the validation skips the validation: a function is invoked as long as its policy says so, not before and not
    after. What is dropped is counted.
    """
    name = make_function("def handler(event, context): print(event['Records'][0]['s3']['object']['key'])")
    rules = [{"LambdaFunctionArn": FUNCTION_OF + name, "Events": ["s3:ObjectCreated:*"]}]
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": rules}, SkipDestinationValidation=True
    )

    def counts():
        with urllib.request.urlopen(f"{server.endpoint}/_lambent/metrics", timeout=30) as answer:
            lines = [line for line in answer.read().decode().splitlines() if FUNCTION_OF + name in line]
        told = (re.fullmatch(r'lambent_deliveries_total\{.*outcome="(\w+)".*\} (\S+)', line) for line in lines)
        return {found[1]: float(found[2]) for found in told}

    s3.put_object(Bucket=bucket, Key="before", Body=b"")
    assert counts() == {"delivered": 0, "failed": 0, "given_up": 1}
    lambda_client.add_permission(
        FunctionName=name, Action="lambda:InvokeFunction", Principal="s3.amazonaws.com", StatementId="mine",
        SourceArn=f"arn:aws:s3:::{bucket}",
    )  # fmt: skip
    s3.put_object(Bucket=bucket, Key="while", Body=b"")
    assert counts() == {"delivered": 1, "failed": 0, "given_up": 1}
    lambda_client.remove_permission(FunctionName=name, StatementId="mine")
    s3.put_object(Bucket=bucket, Key="after-1", Body=b"")
    s3.delete_object(Bucket=bucket, Key="after-1")
    s3.put_object(Bucket=bucket, Key="after-2", Body=b"")
    assert counts() == {"delivered": 1, "failed": 0, "given_up": 3}
    wait_for(lambda: sum("s3.event_dropped" in line and FUNCTION_OF + name in line for line in server.log) == 3)


def test_targets_that_are_not_there(s3, bucket, queue):
    """Each is named; a caller who wants may have them not looked for."""
    put = s3.put_bucket_notification_configuration
    gone = {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": FUNCTION_OF + "no-such-function",
                                              "Events": ["s3:ObjectCreated:*"]}]}  # fmt: skip
    found = refused(put, Bucket=bucket, NotificationConfiguration=gone)
    assert found[2] == "Unable to validate the following destination configurations"
    assert "no-such-function" in found[3]["ArgumentValue1"]
    queues = {"QueueConfigurations": [{"QueueArn": QUEUE_OF + "no-such-queue", "Events": ["s3:ObjectCreated:*"]}]}
    found = refused(put, Bucket=bucket, NotificationConfiguration=queues)
    assert found[3]["ArgumentValue1"] == "The destination queue does not exist"
    put(Bucket=bucket, NotificationConfiguration=gone, SkipDestinationValidation=True)
    # What goes to nobody does not keep the object from being put.
    s3.put_object(Bucket=bucket, Key="a", Body=b"")


@pytest.mark.parametrize(
    ("rules", "status", "code", "message"),
    [
        (
            {"TopicConfigurations": [{"TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:t", "Events": [CREATED]}]},
            501,
            "NotImplementedException",
            "TopicConfiguration is not offered by this version of Lambent",
        ),
        (
            {"EventBridgeConfiguration": {}},
            501,
            "NotImplementedException",
            "EventBridgeConfiguration is not offered by this version of Lambent",
        ),
        (
            {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": "no-arn", "Events": ["s3:ObjectCreated:*"]}]},
            400,
            "InvalidArgument",
            "The ARN could not be parsed",
        ),
        (
            {"QueueConfigurations": [{"QueueArn": QUEUE_OF + "a.fifo", "Events": ["s3:ObjectCreated:*"]}]},
            400,
            "InvalidArgument",
            "SQS FIFO queues are not supported",
        ),
        (
            {"QueueConfigurations": [{"QueueArn": QUEUE_OF + "a", "Events": ["s3:ObjectLost"]}]},
            400,
            "InvalidArgument",
            "The event is not supported for notifications",
        ),
        (
            {"QueueConfigurations": [{"QueueArn": QUEUE_OF + "a", "Events": ["s3:ObjectCreated:Put"]}],
             "LambdaFunctionConfigurations": [{"LambdaFunctionArn": FUNCTION_OF + "f", "Events": [CREATED]}]},
            400,
            "InvalidArgument",
            "Configurations overlap. Configurations on the same bucket cannot share a common event type.",
        ),
        (
            {"QueueConfigurations": [
                {"QueueArn": QUEUE_OF + "a", "Events": ["s3:ObjectCreated:*"], "Filter": filters(prefix="in/")},
                {"QueueArn": QUEUE_OF + "b", "Events": ["s3:ObjectCreated:*"], "Filter": filters(prefix="in/a")},
            ]},
            400,
            "InvalidArgument",
            "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are "
            "overlapping for the same event type.",
        ),
    ],
    ids=["topic", "event-bridge", "no-arn", "fifo", "event", "overlap", "ambiguous"],
)  # fmt: skip
def test_configurations_that_cannot_be(s3, bucket, rules, status, code, message):
    """Refused as S3 does, and the configuration before stays."""
    found = refused(s3.put_bucket_notification_configuration, Bucket=bucket, NotificationConfiguration=rules)
    assert found[:2] == (status, code)
    assert found[2].startswith(message)
    assert set(s3.get_bucket_notification_configuration(Bucket=bucket)) == {"ResponseMetadata"}


def test_a_bucket_that_is_not_there(s3, queue):
    """Neither read nor written."""
    for call, arguments in (
        (s3.get_bucket_notification_configuration, {}),
        (
            s3.put_bucket_notification_configuration,
            {"NotificationConfiguration": to_queue(queue, "s3:ObjectCreated:*")},
        ),
    ):
        assert refused(call, Bucket="no-such-bucket-at-all", **arguments)[:2] == (404, "NoSuchBucket")


def test_a_bucket_that_is_made_anew_has_no_configuration(s3, bucket, queue):
    """It goes with the bucket."""
    watch(s3, bucket, queue, "s3:ObjectCreated:*")
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)


def test_many_objects_deleted_at_once(s3, bucket, queue):
    """One event for each."""
    watch(s3, bucket, queue, "s3:ObjectRemoved:*")
    keys = [f"k{number:03}" for number in range(200)]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    assert sorted(event["s3"]["object"]["key"] for event in queue.events(200)) == keys


def test_what_was_answered_is_on_disk(own_server):
    """A server that is killed amid puts has the event of each that it answered, and the configuration."""
    made = own_server().start()
    s3, sqs = made.client("s3"), made.client("sqs")
    url = sqs.create_queue(QueueName="kept")["QueueUrl"]
    s3.create_bucket(Bucket="kept")
    queue = Queue(sqs, url, QUEUE_OF + "kept")
    watch(s3, "kept", queue, "s3:ObjectCreated:*")
    answered = set()

    def put(first):
        # Until the server is gone.
        with contextlib.suppress(BotoCoreError, ClientError):
            for number in itertools.count():
                s3.put_object(Bucket="kept", Key=f"{first}-{number}", Body=b"hello")
                answered.add(f"{first}-{number}")

    writers = [threading.Thread(target=put, args=(first,)) for first in range(8)]
    for writer in writers:
        writer.start()
    wait_for(lambda: len(answered) > 40)
    made.kill()
    for writer in writers:
        writer.join(60)
    made.restart()
    sqs, told = made.client("sqs"), set()
    url = sqs.get_queue_url(QueueName="kept")["QueueUrl"]

    def all_are_told():
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
            told.update(record["s3"]["object"]["key"] for record in json.loads(message["Body"])["Records"])
        return told >= answered

    wait_for(all_are_told)
    assert made.client("s3").get_bucket_notification_configuration(Bucket="kept")["QueueConfigurations"]


def test_events_that_were_made_elsewhere(own_server, tmp_path):
    """A door for S3 servers that tell of writes round the gateway; closed, or to whoever has the token."""
    token = tmp_path / "token"
    token.write_text("not-a-real-token\n")
    token.chmod(0o600)
    made = own_server(None, "--s3-events-token-file", str(token)).start()
    s3, sqs = made.client("s3"), made.client("sqs")
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    s3.create_bucket(Bucket="told")
    queue = Queue(sqs, url, QUEUE_OF + "told")
    watch(s3, "told", queue, "s3:ObjectCreated:*", "s3:LifecycleExpiration:*", Filter=filters(prefix="a b/"))
    event = {
        "EventName": "s3:ObjectCreated:Put",
        "Key": "told/a b/c",
        "Records": [
            {
                "eventVersion": "2.0", "eventSource": "minio:s3", "eventName": name,
                "eventTime": "2026-01-01T12:00:00.123Z",
                "userIdentity": {"principalId": "someone"},
                "requestParameters": {"sourceIPAddress": "192.0.2.1"},
                "s3": {"bucket": {"name": "told"}, "object": {"key": key, "size": 5, "eTag": "abc"}},
            }
            for name, key in (
                ("s3:ObjectCreated:Put", "a+b%2Fc"), ("LifecycleExpiration:Delete", "a+b/d"),
                ("s3:ObjectCreated:Put", "no"),
            )
        ],
    }  # fmt: skip

    def post(body, authorization):
        connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=30)
        connection.request("POST", "/_lambent/s3/events", body, {"Authorization": authorization})
        answer = connection.getresponse()
        told = json.loads(answer.read())
        connection.close()
        return answer.status, told

    body = json.dumps(event)
    assert post(body, "Bearer another")[0] == 403
    assert post("{}", "Bearer not-a-real-token")[0] == 400
    assert post('{"Records": [{"eventName": 1}]}', "Bearer not-a-real-token")[0] == 400
    assert post(body, "Bearer not-a-real-token") == (200, {"events": 3, "delivered": 2})
    records = queue.events(2)
    assert [(one["eventName"], one["s3"]["object"]["key"]) for one in records] == [
        ("ObjectCreated:Put", "a+b/c"),
        ("LifecycleExpiration:Delete", "a+b/d"),
    ]
    assert records[0]["eventTime"] == "2026-01-01T12:00:00.123Z"
    assert records[0]["requestParameters"]["sourceIPAddress"] == "192.0.2.1"


def test_the_door_is_closed_by_default(server):
    """Who has no token set takes no events."""
    request = urllib.request.Request(f"{server.endpoint}/_lambent/s3/events", b"{}")
    with pytest.raises(urllib.error.HTTPError) as excinfo:
        urllib.request.urlopen(request, timeout=30)
    with excinfo.value as refusal:
        assert refusal.status == 404
