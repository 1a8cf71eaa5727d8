"""Mappings of Kinesis streams, on the embedded stand-in and on a server that is not ours."""

import base64
import json
import time

import pytest
from botocore.exceptions import ClientError
from wire.kinesis_server import KinesisServer
from wire.support import ACCOUNT, REGION, ROLE, FunctionMaker, Server, error_of, newest_python, wait_for

SEEN = "arn:aws:sqs:us-east-1:000000000000:seen"

# What a function gets goes into a queue, from where the test takes it, in order.
SOURCE = """
import base64, boto3, json, os
sqs = boto3.client("sqs")
def handler(event, context):
    bodies = [base64.b64decode(one["kinesis"]["data"]).decode() for one in event["Records"]]
    told = json.dumps([context.function_name, {tells}])
    sqs.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=told, MessageGroupId="g",
                     MessageDeduplicationId=os.urandom(9).hex())
    {then}
"""


@pytest.fixture(scope="module", params=["embedded", "kinesis-local"])
def backend(request):
    """A server whose Kinesis is the stand-in, or another program."""
    if request.param == "embedded":
        made = Server().start()
        made.is_embedded = True
        yield made
        end(made)
        return
    kinesis = KinesisServer().start()
    made = Server(None, "--neighbour", f"kinesis={kinesis.url}").start()
    made.is_embedded = False
    yield made
    end(made)
    kinesis.stop()


def end(server):
    """Stop a server, and see that nothing of ours has failed on it."""
    code = server.stop()
    server.discard()
    assert code == 0
    assert [line for line in server.log if "Traceback" in line or "failed" in line] == []


class Story:
    """A stream, functions that tell what they get, and the queue that they tell it to."""

    def __init__(self, server, name):
        self.server, self.name = server, name
        self.kinesis, self.sqs, self.client = (server.client(one) for one in ("kinesis", "sqs", "lambda"))
        self.queue = self.sqs.create_queue(QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
        self.functions = FunctionMaker(self.client, newest_python(), name)
        self.told = []
        self.uuid = None

    @property
    def arn(self):
        return f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{self.name}"

    def stream(self, shards=1):
        self.kinesis.create_stream(StreamName=self.name, ShardCount=shards)
        wait_for(lambda: self.described()["StreamStatus"] == "ACTIVE")

    def described(self):
        return self.kinesis.describe_stream(StreamName=self.name)["StreamDescription"]

    def function(self, then="pass", tells="event", name=None, **settings):
        source = SOURCE.replace("{then}", then).replace("{tells}", tells)
        return self.functions(source, name=name, Environment={"Variables": {"QUEUE": self.queue}}, **settings)

    def mapping(self, function, **settings):
        given = {"StartingPosition": "TRIM_HORIZON", **settings}
        made = self.client.create_event_source_mapping(FunctionName=function, EventSourceArn=self.arn, **given)
        self.uuid = made["UUID"]
        self.until_state("Enabled")
        return made

    def state(self):
        return self.client.get_event_source_mapping(UUID=self.uuid)

    def until_state(self, state):
        wait_for(lambda: self.state()["State"] == state)

    def put(self, *bodies, key="k"):
        for body in bodies:
            data = body if isinstance(body, bytes) else str(body).encode()
            self.kinesis.put_record(StreamName=self.name, PartitionKey=key, Data=data)

    def events(self):
        """Return all that the functions got so far: function and event."""
        while found := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for one in found:
                self.told.append(json.loads(one["Body"]))
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=one["ReceiptHandle"])
        return self.told

    def bodies(self):
        return [
            [base64.b64decode(one["kinesis"]["data"]).decode() for one in event["Records"]]
            for _, event in self.events()
        ]

    def flat(self):
        return [body for bodies in self.bodies() for body in bodies]

    def close(self):
        if self.uuid is not None:
            wait_for(lambda: self.state()["State"] in {"Enabled", "Disabled"})
            self.client.delete_event_source_mapping(UUID=self.uuid)
        for client, name in self.functions.made:
            client.delete_function(FunctionName=name)


@pytest.fixture
def story(backend, unique_name):
    made = Story(backend, unique_name)
    yield made
    made.close()


def test_a_mapping_is_made_read_and_deleted(story):
    """EM-01-states: every member of a stream's mapping with its default, and the states that it goes through."""
    story.stream()
    function = story.function()
    made = story.mapping(function)
    for member in ("ResponseMetadata", "LastModified", "UUID", "EventSourceMappingArn"):
        made.pop(member)
    assert made == {
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 0,
        "EventSourceArn": story.arn,
        "FunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}",
        "StartingPosition": "TRIM_HORIZON",
        "ParallelizationFactor": 1,
        "BisectBatchOnFunctionError": False,
        "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1,
        "TumblingWindowInSeconds": 0,
        "DestinationConfig": {"OnFailure": {}},
        "FunctionResponseTypes": [],
        "LastProcessingResult": "No records processed",
        "State": "Creating",
        "StateTransitionReason": "User action",
    }
    with pytest.raises(ClientError) as excinfo:
        story.client.create_event_source_mapping(
            FunctionName=function, EventSourceArn=story.arn, StartingPosition="LATEST"
        )
    assert error_of(excinfo) == (
        409,
        "ResourceConflictException",
        f'The event source arn (" {story.arn} ") and function (" {function} ") provided mapping already exists. Please '
        f"update or delete the existing mapping with UUID {story.uuid}",
    )
    story.put("one")
    wait_for(lambda: story.flat() == ["one"])
    wait_for(lambda: story.state()["LastProcessingResult"] == "OK")
    story.sqs.create_queue(QueueName=f"{story.name}-failed")
    failed = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{story.name}-failed"
    settings = {
        "BatchSize": 7, "MaximumBatchingWindowInSeconds": 1, "ParallelizationFactor": 3,
        "BisectBatchOnFunctionError": True, "MaximumRecordAgeInSeconds": 60, "MaximumRetryAttempts": 5,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "DestinationConfig": {"OnFailure": {"Destination": failed}},
    }  # fmt: skip
    answer = story.client.update_event_source_mapping(UUID=story.uuid, **settings)
    assert (answer["State"], {name: answer[name] for name in settings}) == ("Updating", settings)
    story.until_state("Enabled")
    windows = {"ParallelizationFactor": 1, "TumblingWindowInSeconds": 1}
    answer = story.client.update_event_source_mapping(UUID=story.uuid, **windows)
    assert {name: answer[name] for name in windows} == windows
    story.until_state("Enabled")
    story.client.update_event_source_mapping(UUID=story.uuid, TumblingWindowInSeconds=0)
    story.until_state("Enabled")
    story.client.update_event_source_mapping(UUID=story.uuid, Enabled=False)
    story.until_state("Disabled")
    story.put("two")
    story.client.update_event_source_mapping(UUID=story.uuid, Enabled=True)
    wait_for(lambda: story.flat() == ["one", "two"])


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must "
             "not be null."),
        ({"StartingPosition": "LATEST", "ParallelizationFactor": 2, "TumblingWindowInSeconds": 10},
         "ParallelizationFactor must be 1 where TumblingWindowInSeconds is set."),
        ({"StartingPosition": "AT_TIMESTAMP"}, "StartingPosition AT_TIMESTAMP needs a StartingPositionTimestamp."),
        ({"StartingPosition": "LATEST", "DestinationConfig": {"OnSuccess": {"Destination": SEEN}}},
         "Unsupported DestinationConfig parameter for given event source mapping type."),
        ({"StartingPosition": "LATEST", "DestinationConfig": {"OnFailure": {"Destination": SEEN}}},
         f"The destination ARN {SEEN} is invalid."),
        ({"StartingPosition": "LATEST", "FilterCriteria": {"Filters": [{"Pattern": '{"data": ["text"]}'}]}},
         "Invalid filter pattern definition."),
        ({"StartingPosition": "LATEST", "ScalingConfig": {"MaximumConcurrency": 5}},
         "Unsupported ScalingConfig parameter for given event source mapping type."),
    ],
)  # fmt: skip
def test_what_is_refused(story, settings, text):
    """ST-02-tumbling-window among them; with AWS's words where they are known."""
    story.stream()
    function = story.function(wait=False)
    with pytest.raises(ClientError) as excinfo:
        story.client.create_event_source_mapping(FunctionName=function, EventSourceArn=story.arn, **settings)
    assert error_of(excinfo) == (400, "InvalidParameterValueException", text)


def test_a_stream_that_is_not_there(story):
    function = story.function(wait=False)
    with pytest.raises(ClientError) as excinfo:
        story.client.create_event_source_mapping(
            FunctionName=function, EventSourceArn=story.arn, StartingPosition="LATEST"
        )
    assert error_of(excinfo) == (400, "InvalidParameterValueException", f"Stream not found: {story.arn}")


def test_a_poison_record(story):
    """ST-01-kinesis-bisect: all others are handled, the shard goes on, one record of the failure is on the queue."""
    story.stream()
    failed = story.sqs.create_queue(QueueName=f"{story.name}-failed")["QueueUrl"]
    story.put(*range(8))
    function = story.function('assert "5" not in bodies')
    story.mapping(
        function,
        BatchSize=8,
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{story.name}-failed"}},
    )
    story.put("after")
    wait_for(lambda: story.flat()[-1:] == ["after"])
    handled = [body for bodies in story.bodies() if "5" not in bodies for body in bodies]
    assert set(handled) == {*map(str, range(8)), "after"} - {"5"}
    message = wait_for(lambda: story.sqs.receive_message(QueueUrl=failed, WaitTimeSeconds=5).get("Messages"))[0]
    record = json.loads(message["Body"])
    poison = next(
        one
        for _, event in story.events()
        for one in event["Records"]
        if base64.b64decode(one["kinesis"]["data"]) == b"5"
    )
    sequence = poison["kinesis"]["sequenceNumber"]
    info = record["KinesisBatchInfo"]
    assert info["approximateArrivalOfFirstRecord"] == info["approximateArrivalOfLastRecord"]
    members = ("shardId", "startSequenceNumber", "endSequenceNumber", "batchSize", "streamArn")
    assert [info[name] for name in members] == ["shardId-000000000000", sequence, sequence, 1, story.arn]
    request_id = record["requestContext"].pop("requestId")
    assert len(request_id) == 36
    assert record["requestContext"] == {
        "functionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}",
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 2,
    }
    assert record["responseContext"] == {
        "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled",
    }  # fmt: skip
    assert set(record) == {"requestContext", "responseContext", "version", "timestamp", "KinesisBatchInfo"}
    assert record["version"] == "1.0"


def test_a_tumbling_window(story):
    """ST-02-tumbling-window: the state goes from call to call, and is gone after the last one."""
    story.stream()
    then = 's = event["state"]; s["n"] = s.get("n", 0) + len(event["Records"]); return {"state": s}'
    story.mapping(story.function(then), TumblingWindowInSeconds=6, BatchSize=3)
    # So that all are in one window, whenever they are read: it is the stream that dates them.
    wait_for(lambda: time.time() % 6 < 0.5, every_s=0.02)
    records = [{"Data": str(number).encode(), "PartitionKey": "k"} for number in (1, 2, 3, 4, 5)]
    story.kinesis.put_records(StreamName=story.name, Records=records)

    def last():
        return next((event for _, event in story.events() if event["isFinalInvokeForWindow"]), None)

    final = wait_for(last)
    assert final["state"] == {"n": 5} and final["Records"] == []
    assert final["isWindowTerminatedEarly"] is False
    assert final["shardId"] == "shardId-000000000000" and final["eventSourceARN"] == story.arn
    assert all(len(final["window"][side]) == 20 and final["window"][side].endswith("Z") for side in ("start", "end"))
    first = story.events()[0][1]
    assert (first["state"], first["window"]) == ({}, final["window"])
    story.put(6)
    wait_for(lambda: len(story.flat()) == 6)
    assert story.events()[-1][1]["state"] == {}


def test_filters_look_at_each_record(story):
    """ST-04-kinesis-filter-per-record: and an update of the mapping changes the batches and the function."""
    story.stream()
    x, y = '{"kind": "x"}', '{"kind": "y"}'
    story.put(x, y, x, x, y, "no JSON")
    first, second = story.function(), story.function()
    story.mapping(first, BatchSize=2, FilterCriteria={"Filters": [{"Pattern": json.dumps({"data": {"kind": ["x"]}})}]})
    wait_for(lambda: len(story.flat()) == 3)
    assert story.bodies() == [[x, x], [x]]
    record = story.events()[0][1]["Records"][0]
    kinesis = record.pop("kinesis")
    sequence, arrived = kinesis.pop("sequenceNumber"), kinesis.pop("approximateArrivalTimestamp")
    assert kinesis == {
        "kinesisSchemaVersion": "1.0", "partitionKey": "k", "data": base64.b64encode(x.encode()).decode(),
    }  # fmt: skip
    assert abs(arrived - time.time()) < 600
    assert record == {
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{sequence}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": ROLE,
        "awsRegion": REGION,
        "eventSourceARN": story.arn,
    }
    story.client.update_event_source_mapping(UUID=story.uuid, BatchSize=1, FunctionName=second)
    story.until_state("Enabled")
    story.put(x, x)
    wait_for(lambda: len(story.events()) == 4)
    assert [(name, len(event["Records"])) for name, event in story.events()[2:]] == [(second, 1)] * 2


def test_starting_positions(story):
    """AT_TIMESTAMP reads what came since, LATEST what comes once it reads."""
    story.stream()
    story.put("old")
    # Some servers tell moments in whole seconds.
    time.sleep(1.1)
    at = time.time()
    time.sleep(0.1)
    story.put("between")
    story.mapping(story.function(), StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=at)
    wait_for(lambda: story.flat() == ["between"])
    first, latest = story.uuid, story.function()
    story.mapping(latest, StartingPosition="LATEST")

    def seen_by_latest():
        # As on AWS what is put at once may be missed.
        story.put("late")
        return {
            base64.b64decode(one["kinesis"]["data"]).decode()
            for name, event in story.events()
            if name == latest
            for one in event["Records"]
        }

    assert wait_for(seen_by_latest, every_s=0.3) == {"late"}
    story.client.delete_event_source_mapping(UUID=first)


def test_a_long_record_and_a_function_that_is_closed(story):
    """1 MB goes through whole; with a reservation of 0 the batch waits, and no attempt is used up."""
    story.stream()
    function = story.function(tells='{"Records": [], "sizes": [len(body) for body in bodies]}')
    story.mapping(function, MaximumRetryAttempts=0)
    story.client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    story.kinesis.put_record(StreamName=story.name, PartitionKey="k", Data=b"x" * 1_000_000)
    wait_for(lambda: story.state()["LastProcessingResult"] == "PROBLEM: Function call failed")
    assert story.events() == []
    story.client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=1)
    wait_for(story.events)
    assert story.told == [[function, {"Records": [], "sizes": [1_000_000]}]]
    wait_for(lambda: story.state()["LastProcessingResult"] == "OK")


def test_shards_are_split_in_order(story):
    """What was put before a shard was split runs before what its children got, in lanes as well."""
    story.stream()
    story.mapping(story.function(), ParallelizationFactor=2, MaximumRecordAgeInSeconds=3600)
    story.put(*range(5))
    shard = story.described()["Shards"][0]
    half = (int(shard["HashKeyRange"]["StartingHashKey"]) + int(shard["HashKeyRange"]["EndingHashKey"])) // 2
    story.kinesis.split_shard(StreamName=story.name, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(half))
    wait_for(lambda: story.described()["StreamStatus"] == "ACTIVE")
    for number in range(5, 15):
        story.put(number, key=f"k{number}")
    wait_for(lambda: len(set(story.flat())) == 15)
    assert story.flat()[:5] == [str(number) for number in range(5)]
    assert len(story.flat()) == 15
    shards = {one["eventID"].partition(":")[0] for _, event in story.events() for one in event["Records"]}
    assert len(shards) == 3


def test_a_stream_that_is_deleted_and_made_anew(story):
    """The mapping tells that it is gone, nothing crashes, and it goes on with the new one."""
    story.stream()
    story.mapping(story.function())
    story.put("one")
    wait_for(lambda: story.flat() == ["one"])
    story.kinesis.delete_stream(StreamName=story.name)
    gone = f"PROBLEM: Stream not found: {story.arn}"
    wait_for(lambda: story.state()["LastProcessingResult"] == gone)
    story.stream()
    story.put("two")
    wait_for(lambda: story.flat() == ["one", "two"])
    wait_for(lambda: story.state()["LastProcessingResult"] == "OK")


def test_a_source_that_is_away_and_comes_back(own_server, tmp_path, unique_name):
    """The mapping tells why nothing comes, and goes on by itself where it was; others are not held up."""
    kinesis = KinesisServer(tmp_path).start()
    try:
        server = own_server(None, "--neighbour", f"kinesis={kinesis.url}").start()
        server.is_embedded = False
        story = Story(server, unique_name)
        story.stream()
        story.mapping(story.function())
        story.put("one", "two")
        wait_for(lambda: story.flat() == ["one", "two"])
        wait_for(lambda: len(list(tmp_path.rglob("*.json"))) and b"dHdv" in next(tmp_path.rglob("*.json")).read_bytes())
        kinesis.stop()
        wait_for(lambda: story.state()["LastProcessingResult"].startswith("PROBLEM: kinesis: "))
        assert server.health()["version"]
        kinesis.start()
        story.put("three")
        wait_for(lambda: story.flat() == ["one", "two", "three"])
        wait_for(lambda: story.state()["LastProcessingResult"] == "OK")
    finally:
        kinesis.stop()
