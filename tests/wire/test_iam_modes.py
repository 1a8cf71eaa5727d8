"""What policies do where keys are not verified: of roles, in whose names the server acts, and of whoever calls."""

import json
import re

from wire.iam import allow, policy, put_role, refused
from wire.support import ACCOUNT, REGION, ROLE, FunctionMaker, invoke, wait_for, zip_of

READS_QUEUES = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
READS_STREAMS = ("kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:DescribeStream", "kinesis:ListShards")
NAME = ROLE.rpartition("/")[2]
SOURCE = "def handler(event, context):\n    print('GOT', [record['body'] for record in event['Records']])\n"


def give(server, *actions):
    """Let the role of the tests' functions do this, and nothing else."""
    document = policy(allow(*actions or ["none:None"]))
    server.client("iam").put_role_policy(RoleName=NAME, PolicyName="own", PolicyDocument=document)


def test_roles_are_asked_where_the_server_acts_in_their_names(own_server, runtime):
    """
    A mapping is made by whoever may, and reads what the function's role may read, for as long as it may; an account's
    own key may everything else that it did before.
    """
    server = own_server(None, "--iam", "enforce").start()
    assert any("access.unverified" in line and "iam=enforce" in line for line in server.log)
    put_role(server.client("iam"), name=NAME)
    lambda_, sqs = server.client("lambda"), server.client("sqs")
    FunctionMaker(lambda_, runtime, "f")(SOURCE)
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
    mapping = {"FunctionName": "f", "EventSourceArn": arn}
    assert refused(lambda_.create_event_source_mapping, **mapping) == (
        400,
        "InvalidParameterValueException",
        "The provided execution role does not have permissions to call ReceiveMessage on SQS",
    )
    assert refused(lambda_.update_function_configuration, FunctionName="f", DeadLetterConfig={"TargetArn": arn})[2] == (
        "The provided execution role does not have permissions to call SendMessage on SQS"
    )
    # Nobody hands over a role of another account.
    elsewhere = ROLE.replace(ACCOUNT, "111122223333")
    assert refused(lambda_.update_function_configuration, FunctionName="f", Role=elsewhere) == (
        403,
        "AccessDeniedException",
        "Cross-account pass role is not allowed.",
    )

    give(server, *READS_QUEUES)
    uuid = lambda_.create_event_source_mapping(**mapping)["UUID"]
    wait_for(lambda: lambda_.get_event_source_mapping(UUID=uuid)["State"] == "Enabled")
    sqs.send_message(QueueUrl=url, MessageBody="one")
    left = {"QueueUrl": "q", "AttributeNames": ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]}

    def is_empty():
        return set(sqs.get_queue_attributes(**left)["Attributes"].values()) == {"0"}

    wait_for(is_empty)

    # What it may no more, it does no more.
    give(server, "sqs:SendMessage")
    sqs.send_message(QueueUrl=url, MessageBody="two")
    wait_for(lambda: any("mapping.denied" in line and "ReceiveMessage" in line for line in server.log))
    assert not is_empty()
    assert invoke(lambda_, "f", {"Records": []})[0]["StatusCode"] == 200


def test_streams_say_that_they_may_not_be_read(own_server, runtime):
    """At creation, and as the result of a mapping whose role lost its right."""
    server = own_server(None, "--iam", "enforce").start()
    put_role(server.client("iam"), name=NAME)
    kinesis, lambda_ = server.client("kinesis"), server.client("lambda")
    kinesis.create_stream(StreamName="s", ShardCount=1)
    arn = wait_for(lambda: kinesis.describe_stream(StreamName="s")["StreamDescription"]["StreamARN"])
    wait_for(lambda: kinesis.describe_stream(StreamName="s")["StreamDescription"]["StreamStatus"] == "ACTIVE")
    FunctionMaker(lambda_, runtime, "f")("def handler(event, context): pass")
    mapping = {"FunctionName": "f", "EventSourceArn": arn, "StartingPosition": "TRIM_HORIZON"}
    status, code, text = refused(lambda_.create_event_source_mapping, **mapping)
    assert (status, code) == (400, "InvalidParameterValueException")
    assert text.startswith(f"Cannot access stream {arn}. Please ensure the role can perform the GetRecords,")
    give(server, *READS_STREAMS)
    uuid = lambda_.create_event_source_mapping(**mapping)["UUID"]
    give(server, *READS_STREAMS[1:])
    wait_for(
        lambda: lambda_.get_event_source_mapping(UUID=uuid)["LastProcessingResult"].startswith(
            f"PROBLEM: Cannot access stream {arn}"
        )
    )


def test_audit_refuses_nothing_and_tells(own_server, runtime):
    server = own_server(None, "--iam", "audit").start()
    lambda_, sqs = server.client("lambda"), server.client("sqs")
    FunctionMaker(lambda_, runtime, "f")(SOURCE)
    sqs.create_queue(QueueName="q")
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
    uuid = lambda_.create_event_source_mapping(FunctionName="f", EventSourceArn=arn)["UUID"]
    wait_for(lambda: lambda_.get_event_source_mapping(UUID=uuid)["State"] == "Enabled")
    told = f"access.would_deny principal={ROLE} action=sqs:ReceiveMessage resource={arn} reason=no such role"
    wait_for(lambda: [line for line in server.log if told in line])
    put_role(server.client("iam"), allow("sqs:ListQueues"), name=NAME)
    sqs.send_message(QueueUrl="q", MessageBody="one")

    def policy():
        lines = [line for line in server.log if f"access.would_allow principal={ROLE}" in line]
        return json.loads(re.search(r"policy=(.*)", lines[-1])[1]) if lines else None

    found = wait_for(policy)
    assert found["Statement"][0]["Resource"] == arn


def test_neighbours_answer_whoever_may(own_server):
    """Requests are read for what they ask, and reach the other services whole."""
    server = own_server(None, "--iam", "enforce").start()
    s3, dynamodb = server.client("s3"), server.client("dynamodb")
    s3.create_bucket(Bucket="media")
    s3.put_object(Bucket="media", Key="a b/c", Body=zip_of({"x": "y"}))
    s3.copy_object(Bucket="media", Key="d", CopySource={"Bucket": "media", "Key": "a b/c"})
    assert {one["Key"] for one in s3.list_objects_v2(Bucket="media")["Contents"]} == {"a b/c", "d"}
    gone = s3.delete_objects(Bucket="media", Delete={"Objects": [{"Key": "d"}, {"Key": "a b/c"}]})
    assert {one["Key"] for one in gone["Deleted"]} == {"a b/c", "d"}
    dynamodb.create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName="t", Item={"k": {"S": "x"}})
    assert dynamodb.get_item(TableName="t", Key={"k": {"S": "x"}})["Item"] == {"k": {"S": "x"}}
