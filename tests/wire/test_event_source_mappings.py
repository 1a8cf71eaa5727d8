"""Queues that start functions: the mappings' API, and what of each message becomes of it."""

import json
import time
import urllib.request

import pytest
from botocore.exceptions import ClientError
from wire.mapping_stage import Stage
from wire.support import ACCOUNT, REGION, ROOT, error_of, wait_for, wait_updated


@pytest.fixture
def stage(server, make_function, unique_name):
    made = Stage(server, make_function, unique_name)
    yield made
    made.clear()


def refused(call, **parameters):
    """Return (status, code, text) of a refusal."""
    with pytest.raises(ClientError) as excinfo:
        call(**parameters)
    return error_of(excinfo)


def test_em01_states(stage):
    """
    EM-01-states: a mapping is created, disabled, enabled and deleted in the states that tools wait for; nothing is
    delivered while it is disabled, and the message is kept. It outlives its function.
    """
    name = stage.function()
    uuid = stage.map(stage.queue())
    update = stage.lambda_.update_event_source_mapping(UUID=uuid, Enabled=False)
    assert (update["State"], update["ResponseMetadata"]["HTTPStatusCode"]) == ("Disabling", 202)
    stage.wait_state(uuid, "Disabled")
    stage.send("kept")
    assert stage.depth() == (1, 0, 0)
    assert stage.lambda_.update_event_source_mapping(UUID=uuid, BatchSize=5)["State"] == "Updating"
    stage.wait_state(uuid, "Disabled")
    assert stage.depth() == (1, 0, 0)
    assert stage.lambda_.update_event_source_mapping(UUID=uuid, Enabled=True)["State"] == "Enabling"
    stage.wait_state(uuid, "Enabled")
    stage.wait_empty()
    assert stage.bodies(1) == [["kept"]]
    stage.lambda_.delete_function(FunctionName=name)
    assert stage.state(uuid) == "Enabled"
    deleted = stage.lambda_.delete_event_source_mapping(UUID=uuid)
    assert (deleted["State"], deleted["ResponseMetadata"]["HTTPStatusCode"]) == ("Deleting", 202)
    assert deleted["BatchSize"] == 5

    def gone():
        try:
            return stage.state(uuid) != "Deleting"
        except stage.lambda_.exceptions.ResourceNotFoundException as error:
            assert "The resource you requested does not exist." in str(error)
            return True

    wait_for(gone)
    with pytest.raises(stage.lambda_.exceptions.ResourceNotFoundException):
        stage.state(uuid)


def test_sq01_partial_batch(stage):
    """
    SQ-01-partial-batch: what the function names comes back and ends in the dead-letter queue, and so does all of a
    batch whose answer nobody understands; the rest is deleted.
    """
    stage.function(Timeout=1)
    policy = {"deadLetterTargetArn": stage.queue("-dead"), "maxReceiveCount": 1}
    arn = stage.queue(VisibilityTimeout=stage.HIDDEN_S, RedrivePolicy=json.dumps(policy))
    # Before the mapping is there, so that both are of one batch.
    stage.send("good", "bad")
    stage.map(arn, BatchSize=2, FunctionResponseTypes=["ReportBatchItemFailures"])
    wait_for(lambda: stage.depth("-dead") == (1, 0, 0))
    stage.wait_empty()
    assert stage.bodies(1) == [["good", "bad"]]
    stage.sqs.purge_queue(QueueUrl=stage.urls["-dead"])
    fine = [{"batchItemFailures": []}, {"batchItemFailures": None}, {}, None, ""]
    wrong = [
        {"batchItemFailures": [{"itemIdentifier": ""}]},
        {"batchItemFailures": [{"itemIdentifier": None}]},
        {"batchItemFailures": [{"foo": "x"}]},
        {"batchItemFailures": [{"itemIdentifier": "unknown"}]},
        "not json",
    ]
    (mapping,) = stage.lambda_.list_event_source_mappings(EventSourceArn=arn)["EventSourceMappings"]
    stage.lambda_.update_event_source_mapping(UUID=mapping["UUID"], BatchSize=1)
    stage.wait_state(mapping["UUID"], "Enabled")
    stage.send(*(json.dumps({"answer": answer}) for answer in (*fine, *wrong)), "fail")
    wait_for(lambda: stage.depth("-dead") == (len(wrong) + 1, 0, 0))
    stage.wait_empty()
    dead = stage.sqs.receive_message(QueueUrl=stage.urls["-dead"], MaxNumberOfMessages=10)["Messages"]
    assert sorted(message["Body"] for message in dead) == sorted(
        [*(json.dumps({"answer": answer}) for answer in wrong), "fail"]
    )


def test_sq02_attributes(stage):
    """SQ-02-attributes: each member of a record, from a standard and from a FIFO queue."""
    stage.function()
    stage.map(stage.queue())
    stage.map(stage.queue(".fifo"))
    attributes = {
        "Author": {"DataType": "String", "StringValue": "me"},
        "WeeksOn": {"DataType": "Number", "StringValue": "6"},
        "Blob": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
    }
    stage.send("plain")
    stage.send("rich", MessageAttributes=attributes)
    stage.send("group-1", suffix=".fifo")
    records = {record["body"]: record for told in stage.ran(3) for record in told["records"]}
    members = {
        "messageId", "receiptHandle", "body", "attributes", "messageAttributes", "md5OfBody", "eventSource",
        "eventSourceARN", "awsRegion",
    }  # fmt: skip
    assert set(records["plain"]) == members
    assert records["plain"]["messageAttributes"] == {}
    assert set(records["rich"]) == members | {"md5OfMessageAttributes"}
    lists = {"stringListValues": [], "binaryListValues": []}
    assert records["rich"]["messageAttributes"] == {
        "Author": {"stringValue": "me", **lists, "dataType": "String"},
        "WeeksOn": {"stringValue": "6", **lists, "dataType": "Number"},
        "Blob": {"binaryValue": "AAE=", **lists, "dataType": "Binary"},
    }
    assert (records["rich"]["eventSource"], records["rich"]["awsRegion"]) == ("aws:sqs", REGION)
    times = {"ApproximateReceiveCount", "SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"}
    assert set(records["plain"]["attributes"]) == times
    fifo = records["group-1"]["attributes"]
    assert set(fifo) == times | {"SequenceNumber", "MessageGroupId", "MessageDeduplicationId"}
    assert (fifo["MessageGroupId"], fifo["ApproximateReceiveCount"]) == ("group", "1")
    assert all(isinstance(value, str) for value in fifo.values())


def test_sq03_fifo_order(stage):
    """SQ-03-fifo-order: within a group no overlap and no overtaking, also past a failure."""
    stage.function(Timeout=1)
    arn = stage.queue(".fifo", VisibilityTimeout=stage.HIDDEN_S)
    stage.send(*(f"{group}-{number}" for number in range(1, 4) for group in "ab"), suffix=".fifo")
    # Its group is "fail once": it fails whenever it runs, and leaves for the dead-letter queue.
    policy = {"deadLetterTargetArn": stage.queue("-dead.fifo"), "maxReceiveCount": 1}
    stage.sqs.set_queue_attributes(QueueUrl=stage.urls[".fifo"], Attributes={"RedrivePolicy": json.dumps(policy)})
    for body in ("fail", "after"):
        stage.sqs.send_message(
            QueueUrl=stage.urls[".fifo"], MessageBody=body, MessageGroupId="c", MessageDeduplicationId=body
        )
    stage.map(arn, BatchSize=1)
    stage.wait_empty(".fifo")
    seen = [body for (body,) in stage.bodies(8)]
    for group in "ab":
        assert [body for body in seen if body[0] == group and "-" in body] == [
            f"{group}-{number}" for number in (1, 2, 3)
        ]
    assert seen.index("fail") < seen.index("after")
    began = {told["records"][0]["body"]: told["at"] for told in stage.said("RAN")}
    ended = {told["bodies"][0]: told["at"] for told in stage.said("DID")}
    for group in "ab":
        for number in (1, 2):
            assert ended[f"{group}-{number}"] <= began[f"{group}-{number + 1}"]
    assert began["after"] - began["fail"] > int(stage.HIDDEN_S) - 1
    assert stage.depth("-dead.fifo") == (1, 0, 0)


def test_sq04_slow_mapping_isolation(stage):
    """SQ-04-slow-mapping-isolation: MaximumConcurrency holds, and a queue of others is served meanwhile."""
    stage.function(Timeout=20)
    slow, quick = stage.queue("-slow"), stage.queue("-quick")
    # Longer, two at a time, than a busy machine takes for the quick one.
    stage.send(*(f"sleep 4 {number}" for number in range(6)), suffix="-slow")
    stage.map(quick)
    stage.map(slow, BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
    stage.send("quick", suffix="-quick")
    stage.wait_empty("-quick")
    assert stage.depth("-slow") != (0, 0, 0)
    stage.wait_empty("-slow")
    began = [(told["at"], 1) for told in stage.ran(7) if told["records"][0]["body"].startswith("sleep")]
    ended = [(told["at"], -1) for told in stage.said("DID") if told["bodies"][0].startswith("sleep")]
    running = most = 0
    for _, change in sorted([*began, *ended], key=lambda one: (one[0], one[1])):
        running += change
        most = max(most, running)
    assert most == 2
    counts = {record["attributes"]["ApproximateReceiveCount"] for told in stage.ran() for record in told["records"]}
    assert counts == {"1"}


def test_sq04_a_window_gathers(stage):
    """SQ-04-slow-mapping-isolation: messages within the window are one call, and a batch may hold more than ten."""
    stage.function()
    stage.map(stage.queue(), BatchSize=100, MaximumBatchingWindowInSeconds=10)
    stage.send(*(str(number) for number in range(12)))
    stage.wait_empty()
    assert [sorted(map(int, bodies)) for bodies in stage.bodies(1)] == [list(range(12))]


def test_filters(stage):
    """What no filter lets through is deleted, and the function never sees it."""
    stage.function()
    patterns = ['{"body": {"kind": ["order"], "n": [{"numeric": [">", 1]}]}}', '{"body": [{"prefix": "text"}]}']
    criteria = {"Filters": [{"Pattern": pattern} for pattern in patterns]}
    uuid = stage.map(stage.queue(), FilterCriteria=criteria, MetricsConfig={"Metrics": ["EventCount"]})
    assert stage.lambda_.get_event_source_mapping(UUID=uuid)["FilterCriteria"] == criteria
    stage.send('{"kind": "order", "n": 1}', '{"kind": "order", "n": 2}', "text of mine", "other")
    stage.wait_empty()
    seen = {body for bodies in stage.bodies(1) for body in bodies}
    assert seen == {'{"kind": "order", "n": 2}', "text of mine"}

    def counted():
        with urllib.request.urlopen(stage.lambda_.meta.endpoint_url + "/_lambent/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return {
            line.split('metric="')[1].split('"')[0]: float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith("lambent_event_source_mapping_events_total") and uuid in line
        }

    assert counted() == {
        "PolledEventCount": 4,
        "FilteredOutEventCount": 2,
        "InvokedEventCount": 2,
        "FailedInvokeEventCount": 0,
        "DeletedEventCount": 2,
        "DroppedEventCount": 0,
    }


def test_settings_are_kept_and_cleared(stage):
    """What a mapping was given is shown, what an update leaves out stays, and what it empties is gone."""
    name = stage.function()
    first = {
        "BatchSize": 20,
        "MaximumBatchingWindowInSeconds": 2,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 7},
        "MetricsConfig": {"Metrics": ["EventCount"]},
        "KMSKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555",
        "FilterCriteria": {"Filters": [{"Pattern": '{"body": ["x"]}'}]},
    }
    uuid = stage.map(stage.queue(), Enabled=False, Tags={"a": "1"}, DestinationConfig={"OnFailure": {}}, **first)

    def shown():
        found = stage.lambda_.get_event_source_mapping(UUID=uuid)
        assert found.pop("ResponseMetadata")["HTTPStatusCode"] == 200
        return {key: found[key] for key in first if key in found}

    assert shown() == first
    arn = stage.lambda_.get_event_source_mapping(UUID=uuid)["EventSourceMappingArn"]
    assert stage.lambda_.list_tags(Resource=arn)["Tags"] == {"a": "1"}
    stage.lambda_.tag_resource(Resource=arn, Tags={"b": "2"})
    stage.lambda_.untag_resource(Resource=arn, TagKeys=["a"])
    assert stage.lambda_.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    absent = arn[:-4] + "0000"
    text = f"Event source mapping not found: {absent}"
    assert refused(stage.lambda_.list_tags, Resource=absent) == (404, "ResourceNotFoundException", text)

    def update(**changes):
        stage.lambda_.update_event_source_mapping(UUID=uuid, **changes)
        stage.wait_state(uuid, "Disabled")
        return shown()

    assert update(FunctionName=name) == first
    cleared = update(
        ScalingConfig={}, MetricsConfig={}, FilterCriteria={}, FunctionResponseTypes=[], KMSKeyArn="",
        DestinationConfig={"OnFailure": {}},
    )  # fmt: skip
    assert cleared == {"BatchSize": 20, "MaximumBatchingWindowInSeconds": 2, "FunctionResponseTypes": []}
    pollers = {"MinimumPollers": 3, "MaximumPollers": 30}
    update(BatchSize=10, MaximumBatchingWindowInSeconds=0, ProvisionedPollerConfig=pollers)
    found = stage.lambda_.get_event_source_mapping(UUID=uuid)
    assert found["ProvisionedPollerConfig"] == pollers
    other = stage.queue("-other")
    twice = stage.map(other, Enabled=False, ProvisionedPollerConfig={"MinimumPollers": 2, "MaximumPollers": 4})
    seen = {
        mapping["UUID"]
        for page in stage.lambda_.get_paginator("list_event_source_mappings").paginate(
            FunctionName=name, PaginationConfig={"PageSize": 1}
        )
        for mapping in page["EventSourceMappings"]
    }
    assert seen == {uuid, twice}
    again = update(
        MetricsConfig={"Metrics": ["EventCount"]}, FilterCriteria=first["FilterCriteria"], KMSKeyArn=first["KMSKeyArn"],
        ProvisionedPollerConfig={}, ScalingConfig=first["ScalingConfig"],
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )  # fmt: skip
    assert again == {**first, "BatchSize": 10, "MaximumBatchingWindowInSeconds": 0}


def test_refusals(stage):
    """AWS's texts for what cannot be, and a sentence for what this version does not offer; nothing is stored."""
    name = stage.function(Timeout=20)
    arn, short = stage.queue(), stage.queue("-short", VisibilityTimeout="10")
    fifo = stage.queue(".fifo")
    create = stage.lambda_.create_event_source_mapping
    large = "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
    cluster = f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/c/1"
    for parameters, text in (
        ({}, "Unrecognized event source."),
        ({"EventSourceArn": arn, "BatchSize": 11}, large),
        ({"EventSourceArn": fifo, "BatchSize": 11}, large),
        (
            {"EventSourceArn": fifo, "MaximumBatchingWindowInSeconds": 1},
            "Batching window is not supported for FIFO queues",
        ),
        ({"EventSourceArn": arn, "FunctionName": "not-there"}, "Function does not exist"),
        (
            {"EventSourceArn": arn + "-not-there"},
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error "
            "Message: The specified queue does not exist.",
        ),
        (
            {"EventSourceArn": short},
            "Queue visibility timeout: 10 seconds is less than Function timeout: 20 seconds",
        ),
        (
            {"EventSourceArn": arn, "FilterCriteria": {"Filters": [{"Pattern": '{"body": "x"}'}]}},
            "Invalid filter pattern definition.",
        ),
        (
            {"EventSourceArn": arn, "DestinationConfig": {"OnSuccess": {"Destination": short}}},
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ),
        (
            {"EventSourceArn": cluster, "StartingPosition": "LATEST"},
            f"Event source {cluster} is not offered by this version of Lambent: Kafka clusters come with a later "
            "version; use an SQS queue",
        ),
    ):
        given = {"FunctionName": name, **parameters}
        assert refused(create, **given) == (400, "InvalidParameterValueException", text)
    for concurrency in (1, 1001):
        parameters = {"FunctionName": name, "EventSourceArn": arn}
        unchecked = stage.unchecked.create_event_source_mapping
        status, code, _ = refused(unchecked, ScalingConfig={"MaximumConcurrency": concurrency}, **parameters)
        assert (status, code) == (400, "ValidationException")
    assert stage.lambda_.list_event_source_mappings(FunctionName=name)["EventSourceMappings"] == []
    uuid = stage.map(arn)
    assert refused(create, FunctionName=name, EventSourceArn=arn) == (
        409,
        "ResourceConflictException",
        f'An event source mapping with SQS arn (" {arn} ") and function (" {name} ") already exists. Please update or '
        f"delete the existing mapping with UUID {uuid}",
    )
    update = stage.lambda_.update_event_source_mapping
    assert refused(update, UUID=uuid, BatchSize=11) == (400, "InvalidParameterValueException", large)
    assert stage.state(uuid) == "Enabled"


def test_an_alias_runs_the_version_that_it_names(stage):
    """A mapping keeps the qualifier, and follows where the alias goes."""
    name = stage.function()
    first = stage.lambda_.publish_version(FunctionName=name)["Version"]
    stage.lambda_.create_alias(FunctionName=name, Name="live", FunctionVersion=first)
    uuid = stage.map(stage.queue(), FunctionName=f"{name}:live")
    assert stage.lambda_.get_event_source_mapping(UUID=uuid)["FunctionArn"].endswith(f":function:{name}:live")
    listed = stage.lambda_.list_event_source_mappings(FunctionName=f"{name}:live")["EventSourceMappings"]
    assert [mapping["UUID"] for mapping in listed] == [uuid]
    stage.send("a")
    stage.wait_empty()
    stage.ran(1)
    streams = stage.logs.describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
    assert f"[{first}]" in streams[0]["logStreamName"]


def test_a_function_that_cannot_run_keeps_its_messages(stage):
    """Reserved concurrency 0: nothing is received for nothing, and all comes once it is lifted."""
    name = stage.function()
    stage.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    stage.map(stage.queue())
    stage.send("a")
    # A moment in which it would have been received.
    time.sleep(0.3)
    assert stage.depth() == (1, 0, 0)
    stage.lambda_.delete_function_concurrency(FunctionName=name)
    stage.wait_empty()
    assert stage.ran(1)[0]["records"][0]["attributes"]["ApproximateReceiveCount"] == "1"
    wait_updated(stage.lambda_, name)


def test_the_example(stage):
    """examples/sqs-trigger, as its README has it: a sound order is done, and what is none ends in the dead letters."""
    source = (ROOT / "examples" / "sqs-trigger" / "app.py").read_text()
    stage.function_name = stage.make_function(source, Timeout=1)
    policy = {"deadLetterTargetArn": stage.queue("-dead"), "maxReceiveCount": 2}
    arn = stage.queue(VisibilityTimeout=stage.HIDDEN_S, RedrivePolicy=json.dumps(policy))
    stage.map(arn, FunctionResponseTypes=["ReportBatchItemFailures"])
    stage.send('{"id": 1, "item": "tea", "count": 2}', "no order")
    wait_for(lambda: stage.depth("-dead") == (1, 0, 0))
    stage.wait_empty()
    events = stage.logs.filter_log_events(logGroupName=f"/aws/lambda/{stage.function_name}")["events"]
    lines = [event["message"].strip() for event in events]
    assert lines.count("order 1: 2 of tea") == 1
    assert sum(line.startswith("no order: JSONDecodeError") for line in lines) == 2
