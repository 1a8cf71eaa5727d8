"""Changes of tables that start functions: on the embedded stand-in, from the put to the handler."""

import contextlib
import json
import os
import re
import signal
import time

import pytest
from botocore.exceptions import ClientError
from wire.support import ACCOUNT, REGION, ROOT, FunctionMaker, child_of, error_of, newest_python, wait_for

# Tells what it got, and fails where an item says so.
SOURCE = """
import json
def handler(event, context):
    print("RAN", json.dumps({"id": context.aws_request_id, "records": event["Records"]}))
    for record in event["Records"]:
        if "fail" in record["dynamodb"]["Keys"]["id"]["S"]:
            raise ValueError("as told")
    print("DID", json.dumps([record["dynamodb"]["Keys"]["id"]["S"] for record in event["Records"]]))
"""
QUEUE_OF = f"arn:aws:sqs:{REGION}:{ACCOUNT}:"


class Stage:
    """A table, a function, and a mapping between them."""

    def __init__(self, server, name):
        self.name = name
        self.connect(server)
        self.made = []

    def connect(self, server):
        self.lambda_, self.dynamodb, self.sqs, self.logs, self.s3 = (
            server.client(service) for service in ("lambda", "dynamodb", "sqs", "logs", "s3")
        )

    def table(self, view_type="NEW_AND_OLD_IMAGES"):
        made = self.dynamodb.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": view_type},
        )
        self.stream = made["TableDescription"]["LatestStreamArn"]
        return self.stream

    def function(self, source=SOURCE):
        maker = FunctionMaker(self.lambda_, newest_python(), self.name)
        self.made.append(maker)
        return maker(source)

    def map(self, **settings):
        settings = {"StartingPosition": "TRIM_HORIZON", "EventSourceArn": self.stream, **settings}
        self.uuid = self.lambda_.create_event_source_mapping(FunctionName=self.name, **settings)["UUID"]
        self.wait_state("Enabled")
        return self.uuid

    def shown(self):
        return self.lambda_.get_event_source_mapping(UUID=self.uuid)

    def wait_state(self, state):
        wait_for(lambda: self.shown()["State"] == state)

    def put(self, key, **attributes):
        self.dynamodb.put_item(TableName=self.name, Item={"id": {"S": key}, **attributes})

    def delete(self, key):
        self.dynamodb.delete_item(TableName=self.name, Key={"id": {"S": key}})

    def printed(self):
        group = f"/aws/lambda/{self.name}"
        try:
            events = self.logs.filter_log_events(logGroupName=group)["events"]
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"].rstrip() for event in events]

    def said(self, word):
        return [json.loads(line[4:]) for line in self.printed() if line.startswith(word)]

    def records(self, count):
        """Return the records that the function got, once there are so many."""

        def found():
            records = [record for ran in self.said("RAN") for record in ran["records"]]
            return records if len(records) >= count else None

        records = wait_for(found)
        assert len(records) == count, records
        return records

    def did(self):
        return [key for keys in self.said("DID") for key in keys]


@pytest.fixture
def stage(server, unique_name):
    made = Stage(server, unique_name)
    yield made
    for mapping in made.lambda_.list_event_source_mappings(FunctionName=made.name)["EventSourceMappings"]:
        made.lambda_.delete_event_source_mapping(UUID=mapping["UUID"])
    for maker in made.made:
        for client, name in maker.made:
            client.delete_function(FunctionName=name)


def images_of(record):
    return [image for image in ("OldImage", "NewImage") if image in record["dynamodb"]]


def test_st03_changes_start_a_function(stage):
    """ST-03: what was put, changed and removed, each with its images; bytes and sets exact; nothing for no change."""
    stage.table()
    stage.function()
    stage.map()
    before = time.time()
    stage.put("a", n={"N": "1"})
    stage.put("a", n={"N": "1"})
    stage.put("a", n={"N": "2"}, b={"B": b"\x00\xff"}, s={"BS": [b"\x01", b"\x02"]}, d={"NS": ["1.5", "2"]})
    stage.delete("a")
    stage.delete("a")
    stage.dynamodb.batch_write_item(
        RequestItems={stage.name: [{"PutRequest": {"Item": {"id": {"S": key}}}} for key in ("b1", "b2")]}
    )
    stage.dynamodb.transact_write_items(
        TransactItems=[{"Put": {"TableName": stage.name, "Item": {"id": {"S": key}}}} for key in ("t1", "t2")]
    )
    records = stage.records(7)
    assert [(one["eventName"], one["dynamodb"]["Keys"]["id"]["S"], *images_of(one)) for one in records] == [
        ("INSERT", "a", "NewImage"),
        ("MODIFY", "a", "OldImage", "NewImage"),
        ("REMOVE", "a", "OldImage"),
        *(("INSERT", key, "NewImage") for key in ("b1", "b2", "t1", "t2")),
    ]
    changed = records[1]
    assert set(changed) == {
        "eventID", "eventName", "eventVersion", "eventSource", "awsRegion", "dynamodb", "eventSourceARN",
    }  # fmt: skip
    assert (changed["eventVersion"], changed["eventSource"]) == ("1.1", "aws:dynamodb")
    assert (changed["awsRegion"], changed["eventSourceARN"]) == (REGION, stage.stream)
    told = changed["dynamodb"]
    assert told["OldImage"] == {"id": {"S": "a"}, "n": {"N": "1"}}
    assert told["NewImage"] == {
        "id": {"S": "a"},
        "n": {"N": "2"},
        "b": {"B": "AP8="},
        "s": {"BS": ["AQ==", "Ag=="]},
        "d": {"NS": ["1.5", "2"]},
    }
    assert isinstance(told["ApproximateCreationDateTime"], int)
    assert before - 1 <= told["ApproximateCreationDateTime"] <= time.time()
    sequences = [int(one["dynamodb"]["SequenceNumber"]) for one in records]
    assert sequences == sorted(set(sequences))
    assert len({one["eventID"] for one in records}) == len(records)
    wait_for(lambda: stage.shown()["LastProcessingResult"] == "OK")


@pytest.mark.parametrize(("view_type", "images"), [("KEYS_ONLY", []), ("OLD_IMAGE", ["OldImage"])])
def test_st03_a_view_restricts_the_images(stage, view_type, images):
    """ST-03: the function gets what the stream has, here of a removal."""
    stage.table(view_type)
    stage.function()
    stage.map()
    stage.put("a", n={"N": "1"})
    stage.delete("a")
    inserted, removed = stage.records(2)
    assert (images_of(inserted), images_of(removed)) == ([], images)
    assert removed["dynamodb"]["StreamViewType"] == view_type


def test_what_expires_says_so(stage):
    """A deletion by time to live names the service, another one names nobody."""
    stage.table()
    stage.function()
    stage.map(FilterCriteria={"Filters": [{"Pattern": json.dumps({"eventName": ["REMOVE"]})}]})
    stage.dynamodb.update_time_to_live(
        TableName=stage.name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    stage.put("mine")
    stage.delete("mine")
    stage.put("old", expires={"N": str(int(time.time()))})
    mine, expired = stage.records(2)
    assert "userIdentity" not in mine
    assert expired["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    assert expired["dynamodb"]["OldImage"]["id"] == {"S": "old"}


def test_filters_look_at_names_and_images(stage):
    """What no pattern matches never reaches the function, and reading passes it by."""
    stage.table()
    stage.function()
    pattern = {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"kind": {"S": ["x"]}}}}
    stage.map(FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]}, BatchSize=2)
    stage.put("1", kind={"S": "x"})
    stage.put("2", kind={"S": "y"})
    stage.put("1", kind={"S": "x"}, more={"BOOL": True})
    stage.put("3", kind={"N": "1"})
    stage.put("4", kind={"S": "x"})
    assert [one["dynamodb"]["Keys"]["id"]["S"] for one in stage.records(2)] == ["1", "4"]


def test_where_reading_begins(stage):
    """The oldest record, or what comes from now on; a moment is none of a table's."""
    stage.table()
    stage.function()
    stage.put("before")
    stage.map(StartingPosition="LATEST")
    # When reading began nobody says: what is written is written until it arrives.
    wrote = []

    def arrived():
        wrote.append(f"after-{len(wrote)}")
        stage.put(wrote[-1])
        return stage.did()

    assert wait_for(arrived, every_s=0.2)[0] in wrote
    assert "before" not in stage.did()
    stage.lambda_.delete_event_source_mapping(UUID=stage.uuid)

    def is_gone():
        try:
            stage.shown()
        except stage.lambda_.exceptions.ResourceNotFoundException:
            return True
        return False

    wait_for(is_gone)
    stage.map()
    wait_for(lambda: "before" in stage.did())

    def refused(**settings):
        with pytest.raises(ClientError) as excinfo:
            stage.lambda_.create_event_source_mapping(FunctionName=stage.name, **settings)
        status, code, message = error_of(excinfo)
        assert (status, code) == (400, "InvalidParameterValueException")
        return message

    at = {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1.0}
    assert refused(EventSourceArn=stage.stream, **at) == (f"Unsupported starting position for arn type: {stage.stream}")
    other = stage.stream[:-1] + ("1" if stage.stream[-1] != "1" else "2")
    assert refused(EventSourceArn=other, StartingPosition="LATEST") == f"Stream not found: {other}"


@pytest.mark.parametrize("kind", ["queue", "bucket"])
def test_st01_a_batch_that_fails_is_told_of(stage, kind):
    """ST-01: bisected down to the record, tried again, told of; reading goes on behind it."""
    stage.table()
    stage.function()
    target = re.sub(r"[^a-z0-9-]", "-", stage.name.lower()).strip("-")[-50:]
    if kind == "queue":
        url, arn = stage.sqs.create_queue(QueueName=target)["QueueUrl"], QUEUE_OF + target
    else:
        stage.s3.create_bucket(Bucket=target)
        arn = f"arn:aws:s3:::{target}"
    for key in ("a", "b", "fail", "c"):
        stage.put(key)
    stage.map(
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )
    assert stage.shown()["DestinationConfig"] == {"OnFailure": {"Destination": arn}}
    wait_for(lambda: set(stage.did()) == {"a", "b", "c"})
    if kind == "queue":
        (message,) = stage.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
        record = json.loads(message["Body"])
        assert "payload" not in record
    else:
        (found,) = wait_for(lambda: stage.s3.list_objects_v2(Bucket=target).get("Contents"))
        record = json.loads(stage.s3.get_object(Bucket=target, Key=found["Key"])["Body"].read())
        (failed,) = record.pop("payload")["Records"]
        assert (failed["dynamodb"]["Keys"], failed["eventSourceARN"]) == ({"id": {"S": "fail"}}, stage.stream)
        info = record["DDBStreamBatchInfo"]
        day, moment = record["timestamp"][:10].replace("-", "/"), record["timestamp"][:19].replace(":", ".")
        assert found["Key"].rpartition(moment)[0] == f"aws/lambda/{stage.uuid}/{info['shardId']}/{day}/"
        assert re.fullmatch(r"-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", found["Key"].rpartition(moment)[2])
    context = record["requestContext"]
    assert (context["condition"], context["functionArn"].rpartition(":")[2]) == ("RetryAttemptsExhausted", stage.name)
    assert record["responseContext"]["functionError"] == "Unhandled"
    info = record["DDBStreamBatchInfo"]
    assert set(info) == {
        "shardId", "startSequenceNumber", "endSequenceNumber", "approximateArrivalOfFirstRecord",
        "approximateArrivalOfLastRecord", "batchSize", "streamArn",
    }  # fmt: skip
    assert (info["batchSize"], info["streamArn"]) == (1, stage.stream)
    assert info["startSequenceNumber"] == info["endSequenceNumber"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", info["approximateArrivalOfFirstRecord"])


def test_a_destination_that_is_none(stage):
    """A bucket that is not there, and successes, which mappings do not tell of."""
    stage.table()
    stage.function()

    def refused(config):
        with pytest.raises(ClientError) as excinfo:
            stage.map(DestinationConfig=config)
        assert error_of(excinfo)[:2] == (400, "InvalidParameterValueException")
        return error_of(excinfo)[2]

    arn = "arn:aws:s3:::no-such-bucket-at-all"
    assert refused({"OnFailure": {"Destination": arn}}) == f"The destination ARN {arn} is invalid."
    assert "DestinationConfig" in refused({"OnSuccess": {"Destination": arn}})


def test_a_table_that_is_deleted(stage):
    """The mapping stays and says so: another table of that name has another stream."""
    stage.table()
    stage.function()
    stage.map()
    stage.put("a")
    stage.records(1)
    stage.dynamodb.delete_table(TableName=stage.name)
    gone = f"PROBLEM: Stream not found: {stage.stream}"
    wait_for(lambda: stage.shown()["LastProcessingResult"] == gone)
    stage.table()
    stage.put("b")
    stage.map()
    assert stage.records(2)[1]["eventSourceARN"] == stage.stream


def test_a_killed_server_loses_nothing(lone_server, unique_name):
    """What was written before and after arrives in order, and no more comes twice than the last batch."""
    stage = Stage(lone_server, unique_name)
    stage.table()
    stage.function()
    stage.map(BatchSize=5)
    written = [f"{number:03d}" for number in range(60)]
    for key in written[:40]:
        stage.put(key)
    wait_for(lambda: len(stage.did()) >= 10)
    lone_server.kill()
    lone_server.restart()
    stage.connect(lone_server)
    for key in written[40:]:
        stage.put(key)
    wait_for(lambda: set(stage.did()) == set(written))
    again = sorted(stage.did())
    assert len(again) - len(written) <= 5
    first = list(dict.fromkeys(key for ran in stage.said("RAN") for key in keys_of(ran)))
    assert first == written
    stage.lambda_.delete_event_source_mapping(UUID=stage.uuid)


def test_a_stand_in_that_is_killed(lone_server, unique_name):
    """What it had not saved is gone from the table; what is written later arrives, though reading had gone further."""
    stage = Stage(lone_server, unique_name)
    stage.table()
    lone_server.stop()
    lone_server.restart()
    stage.connect(lone_server)
    stage.function()
    stage.map()
    stage.put("lost")
    wait_for(lambda: stage.did() == ["lost"])
    wait_for(lambda: stage.shown()["LastProcessingResult"] == "OK")
    pid, _ = child_of(lone_server)
    os.kill(pid, signal.SIGKILL)

    def kept():
        # A request that the process was at when it ended is answered by none.
        with contextlib.suppress(ClientError):
            stage.put("kept")
            return True
        return False

    wait_for(kept)
    wait_for(lambda: stage.did() == ["lost", "kept"])
    assert [item["id"]["S"] for item in stage.dynamodb.scan(TableName=stage.name)["Items"]] == ["kept"]
    stage.lambda_.delete_event_source_mapping(UUID=stage.uuid)


def keys_of(ran):
    return [record["dynamodb"]["Keys"]["id"]["S"] for record in ran["records"]]


def test_the_example(stage):
    """examples/dynamodb-trigger, as its README has it."""
    stage.function((ROOT / "examples" / "dynamodb-trigger" / "app.py").read_text())
    stage.table()
    stage.dynamodb.update_time_to_live(
        TableName=stage.name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    url = stage.sqs.create_queue(QueueName=f"{stage.name}-unread")["QueueUrl"]
    stage.map(
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MaximumRetryAttempts=1,
        BisectBatchOnFunctionError=True,
        DestinationConfig={"OnFailure": {"Destination": f"{QUEUE_OF}{stage.name}-unread"}},
    )
    stage.put("1", total={"N": "7"})
    stage.put("1", total={"N": "9"})
    stage.put("2", total={"N": "5"}, expires={"N": str(int(time.time()))})
    stage.put("3", total={"S": "much"})
    stage.delete("1")
    expected = {
        "cart 1: 0 -> 7", "cart 1: 7 -> 9", "cart 2: 0 -> 5", "cart 3: KeyError('N')", "cart 1 bought for 9",
        "cart 2 expired with 5",
    }  # fmt: skip
    wait_for(lambda: expected <= set(stage.printed()))
    (message,) = stage.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    assert json.loads(message["Body"])["DDBStreamBatchInfo"]["batchSize"] == 1
