"""
Queues of another server that start functions: `--neighbour sqs=URL`, with ElasticMQ behind it.

What a batch is and becomes is in test_event_source_mappings; here is what is different over HTTP.
"""

import json
import subprocess

import pytest
from botocore.exceptions import ClientError
from wire.elasticmq import ElasticMq
from wire.mapping_stage import Stage
from wire.support import ACCOUNT, LAMBENT, REGION, FunctionMaker, Server, error_of, wait_for

ATTRIBUTES = {
    "Author": {"DataType": "String", "StringValue": "ü"},
    "WeeksOn": {"DataType": "Number.int", "StringValue": "6"},
    "Blob": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
}


@pytest.fixture(scope="module")
def elasticmq():
    made = ElasticMq().start()
    yield made
    made.discard()


@pytest.fixture(scope="module")
def server(elasticmq):
    made = Server(None, "--neighbour", f"sqs={elasticmq.url}").start()
    yield made
    made.discard()


@pytest.fixture(scope="module")
def lambda_client(server):
    return server.client("lambda")


@pytest.fixture
def stage(server, elasticmq, make_function, unique_name):
    made = Stage(server, make_function, unique_name, elasticmq.client())
    yield made
    made.clear()


def test_a_message_reaches_its_function_and_is_gone(stage):
    """SQ-02-attributes: a record has the members and values that one from our own queue has."""
    stage.function()
    stage.map(stage.queue())
    told = []
    for client in (stage.sqs, None):
        if client is None:
            own = Stage(stage.server, stage.make_function, stage.name, None)
            own.function_name = stage.function_name
            own.map(own.queue("-own"))
            sender, url = own.sqs, own.urls["-own"]
        else:
            sender, url = client, stage.urls[""]
        sender.send_message(
            QueueUrl=url,
            MessageBody="héllo",
            MessageAttributes=ATTRIBUTES,
            MessageSystemAttributes={
                "AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}
            },
        )
        told.append(stage.ran(len(told) + 1)[-1]["records"][0])
    stage.wait_empty()
    own.wait_empty("-own")
    own.clear()
    there, here = told
    assert set(there) == set(here)
    assert set(there["attributes"]) == set(here["attributes"])
    for name in ("body", "md5OfBody", "messageAttributes", "md5OfMessageAttributes", "eventSource", "awsRegion"):
        assert there[name] == here[name], name
    assert there["eventSourceARN"] == f"arn:aws:sqs:{REGION}:{ACCOUNT}:{stage.urls[''].rsplit('/', 1)[1]}"
    assert there["attributes"]["ApproximateReceiveCount"] == "1"


def test_what_waits_is_read_in_batches(stage):
    """A window gathers by many receives, up to the batch size."""
    stage.function()
    arn = stage.queue()
    for start in range(0, 120, 10):
        stage.sqs.send_message_batch(
            QueueUrl=stage.urls[""],
            Entries=[{"Id": str(number), "MessageBody": str(number)} for number in range(start, start + 10)],
        )
    stage.map(arn, BatchSize=100, MaximumBatchingWindowInSeconds=1)
    stage.wait_empty()
    bodies = stage.bodies()
    assert sorted(int(body) for batch in bodies for body in batch) == list(range(120))
    # How many are there in a second is the machine's matter; one receive brings ten.
    assert max(map(len, bodies)) > 10


def test_some_of_a_batch_failed(stage):
    """SQ-01-partial-batch: what the function names comes back, and ends where the queue's own redrive policy says."""
    stage.function(Timeout=1)
    dead = stage.queue("-dead")
    policy = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 2})
    arn = stage.queue(VisibilityTimeout=stage.HIDDEN_S, RedrivePolicy=policy)
    stage.send("good", "bad", "fine")
    stage.map(arn, FunctionResponseTypes=["ReportBatchItemFailures"])
    wait_for(lambda: stage.depth("-dead") == (1, 0, 0))
    stage.wait_empty()
    tried = [
        (record["body"], record["attributes"]["ApproximateReceiveCount"])
        for told in stage.ran()
        for record in told["records"]
    ]
    assert sorted(tried) == [("bad", "1"), ("bad", "2"), ("fine", "1"), ("good", "1")]


def test_groups_keep_their_order(stage):
    """SQ-03-fifo-order: what failed blocks its group until it is dead-lettered, and no other group."""
    stage.function(Timeout=1)
    dead = stage.queue("-dead.fifo")
    policy = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 2})
    arn = stage.queue(".fifo", VisibilityTimeout=stage.HIDDEN_S, RedrivePolicy=policy)
    stage.send("a-1", "a-2", "b-1", "fail-1", "fail-2", "b-2", "a-3", suffix=".fifo")
    stage.map(arn, BatchSize=1)
    stage.wait_empty(".fifo")
    did = [body for told in stage.said("DID") for body in told["bodies"]]
    for group in "ab":
        assert [body for body in did if body.startswith(group)] == sorted(
            body for body in did if body.startswith(group)
        )
    assert sorted(did) == ["a-1", "a-2", "a-3", "b-1", "b-2"]
    ran = [body for batch in stage.bodies() for body in batch if body.startswith("fail")]
    assert ran == ["fail-1", "fail-1", "fail-2", "fail-2"]
    assert stage.depth("-dead.fifo") == (2, 0, 0)


def test_filters_drop_messages(stage):
    """What no filter lets through is deleted at the other server, unseen."""
    stage.function()
    arn = stage.queue()
    stage.map(arn, FilterCriteria={"Filters": [{"Pattern": '{"body": {"kind": ["order"]}}'}]})
    stage.send('{"kind": "other"}', "text", '{"kind": "order"}')
    stage.wait_empty()
    assert [body for batch in stage.bodies(1) for body in batch] == ['{"kind": "order"}']


def test_a_mapping_stops_and_goes_on(stage):
    """While it is disabled, and while its function is closed, messages stay where they are."""
    name = stage.function()
    uuid = stage.map(stage.queue(VisibilityTimeout="20"), Enabled=False)
    stage.send("kept")
    stage.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    stage.lambda_.update_event_source_mapping(UUID=uuid, Enabled=True)
    stage.wait_state(uuid, "Enabled")
    assert stage.depth() == (1, 0, 0)
    stage.lambda_.delete_function_concurrency(FunctionName=name)
    stage.wait_empty()
    (told,) = stage.ran(1)
    assert told["records"][0]["attributes"]["ApproximateReceiveCount"] == "1"
    stage.lambda_.update_event_source_mapping(UUID=uuid, Enabled=False)
    stage.wait_state(uuid, "Disabled")
    # A receive may still wait there: what it brings goes back.
    stage.send("later")
    wait_for(lambda: stage.depth() == (1, 0, 0))
    stage.lambda_.update_event_source_mapping(UUID=uuid, Enabled=True)
    stage.wait_empty()
    assert stage.bodies(2) == [["kept"], ["later"]]


def test_our_own_queue_comes_first(stage):
    """Of a name that both servers have, ours is read; and a mapping stays where its queue was found."""
    stage.function()
    own = Stage(stage.server, stage.make_function, stage.name)
    own.function_name = stage.function_name
    stage.map(stage.queue("-there"))
    own.queue("-there")
    own.map(own.queue("-both"))
    stage.queue("-both")
    for sender, suffix in ((stage, "-there"), (own, "-there"), (stage, "-both"), (own, "-both")):
        sender.send(f"{'here' if sender is own else 'there'}{suffix}", suffix=suffix)
    wait_for(lambda: len(stage.said("RAN")) == 2)
    assert sorted(body for batch in stage.bodies() for body in batch) == ["here-both", "there-there"]
    assert (own.depth("-there"), stage.depth("-both")) == ((1, 0, 0), (1, 0, 0))
    own.clear()


def test_refusals(stage, server):
    """A queue is looked up where it would be read, and refused in the same words as ours."""
    name = stage.function(Timeout=5)
    for arn, text in (
        (
            f"arn:aws:sqs:{REGION}:{ACCOUNT}:nowhere",
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
            "SQS Error Message: The specified queue does not exist.",
        ),
        (
            stage.queue(VisibilityTimeout="4"),
            "Queue visibility timeout: 4 seconds is less than Function timeout: 5 seconds",
        ),
    ):
        with pytest.raises(ClientError) as excinfo:
            stage.lambda_.create_event_source_mapping(EventSourceArn=arn, FunctionName=name)
        assert error_of(excinfo) == (400, "InvalidParameterValueException", text)


def test_it_is_told(server, elasticmq):
    """The line after the start, and `lambent doctor`, say whose queues are read."""
    sentence = f"event source mappings of queues that this server does not have read them at {elasticmq.url}"
    wait_for(lambda: any(sentence in line for line in server.log))
    command = [LAMBENT, "doctor", "--neighbour", f"sqs={elasticmq.url}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert sentence in " ".join(done.stdout.split())


def test_the_other_server_goes_and_comes_again(own_server, runtime, unique_name):
    """Nothing is lost, and nobody has to do anything; a mapping cannot be made meanwhile."""
    there = ElasticMq().start()
    try:
        server = own_server(None, "--neighbour", f"sqs={there.url}").start()
        stage = Stage(server, FunctionMaker(server.client("lambda"), runtime, unique_name), unique_name, there.client())
        stage.function(Timeout=2)
        arn = stage.queue(VisibilityTimeout="2")
        stage.map(arn)
        stage.send("before")
        stage.wait_empty()
        there.kill()
        with pytest.raises(ClientError) as excinfo:
            stage.lambda_.create_event_source_mapping(EventSourceArn=arn + "-2", FunctionName=stage.function_name)
        assert error_of(excinfo)[:2] == (503, "ServiceUnavailable")
        wait_for(lambda: any("mapping.not_read" in line for line in server.log))
        there.start()
        stage.send("after")
        stage.wait_empty()
        told = [body for batch in stage.bodies(2) for body in batch]
        # What a server that was killed had deleted, and not written down yet, it has again.
        assert told[0] == "before" and set(told) == {"before", "after"}
        assert server.stop() == 0
    finally:
        there.discard()


def test_a_killed_server_loses_nothing(own_server, elasticmq, runtime, unique_name):
    """What its functions worked on comes back after the visibility timeout, and so does what it had only received."""
    server = own_server(None, "--neighbour", f"sqs={elasticmq.url}").start()
    stage = Stage(server, FunctionMaker(server.client("lambda"), runtime, unique_name), unique_name, elasticmq.client())
    stage.function(Timeout=2)
    arn = stage.queue(VisibilityTimeout="2")
    stage.map(arn, BatchSize=3)
    sent = [f"sleep 0.1 {number}" for number in range(30)]
    stage.send(*sent)
    wait_for(lambda: len(stage.said("DID")) >= 2)
    server.kill()
    server.restart()
    again = Stage(server, None, unique_name, elasticmq.client())
    again.function_name, again.urls = stage.function_name, stage.urls
    again.wait_empty()
    did = {body for told in again.said("DID") for body in told["bodies"]}
    assert did == set(sent)
    again.clear()
