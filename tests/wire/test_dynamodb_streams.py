"""Streams of tables of the embedded stand-in, as clients of DynamoDB Streams read them."""

import time

import pytest
from botocore.exceptions import ClientError
from wire.support import wait_for

IDENTITY = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}


@pytest.fixture(scope="module")
def dynamodb(server):
    return server.client("dynamodb")


@pytest.fixture(scope="module")
def streams(server):
    return server.client("dynamodbstreams")


@pytest.fixture
def make_table(dynamodb, unique_name):
    def make(view_type="NEW_AND_OLD_IMAGES", *, name=unique_name, has_range=False, client=dynamodb):
        keys = [("id", "HASH"), *([("at", "RANGE")] if has_range else [])]
        made = client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": view_type},
        )
        return name, made["TableDescription"]["LatestStreamArn"]

    return make


def iterator_of(streams, arn, kind="TRIM_HORIZON", **more):
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    asked = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType=kind, **more)
    return asked["ShardIterator"]


def read(streams, arn, kind="TRIM_HORIZON", **more):
    return streams.get_records(ShardIterator=iterator_of(streams, arn, kind, **more))["Records"]


def told(records):
    """Return event, key and images of records."""
    return [
        (
            record["eventName"],
            record["dynamodb"]["Keys"]["id"]["S"],
            *(image for image in ("OldImage", "NewImage") if image in record["dynamodb"]),
        )
        for record in records
    ]


def test_st03_what_changes_nothing_is_not_told(dynamodb, streams, make_table):
    """ST-03: an identical put, an update to the same value, a second delete; sequence numbers and ids are unique."""
    table, arn = make_table()

    def put(**attributes):
        dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}, **attributes})

    put(n={"N": "1"}, s={"SS": ["x", "y"]})
    put(n={"N": "1"}, s={"SS": ["y", "x"]})
    put(n={"N": "2"})
    dynamodb.update_item(
        TableName=table, Key={"id": {"S": "a"}}, UpdateExpression="SET n = :n",
        ExpressionAttributeValues={":n": {"N": "2"}},
    )  # fmt: skip
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "a"}})
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "a"}})
    dynamodb.batch_write_item(
        RequestItems={table: [{"PutRequest": {"Item": {"id": {"S": key}}}} for key in ("b1", "b2")]}
    )
    dynamodb.transact_write_items(
        TransactItems=[{"Put": {"TableName": table, "Item": {"id": {"S": key}}}} for key in ("t1", "t2")]
    )
    found = read(streams, arn)
    assert told(found) == [
        ("INSERT", "a", "NewImage"),
        ("MODIFY", "a", "OldImage", "NewImage"),
        ("REMOVE", "a", "OldImage"),
        *(("INSERT", key, "NewImage") for key in ("b1", "b2", "t1", "t2")),
    ]
    assert [image["n"]["N"] for image in (found[1]["dynamodb"]["OldImage"], found[1]["dynamodb"]["NewImage"])] == [
        "1", "2",
    ]  # fmt: skip
    sequences = [int(record["dynamodb"]["SequenceNumber"]) for record in found]
    assert sequences == sorted(set(sequences))
    assert len({record["eventID"] for record in found}) == len(found)


@pytest.mark.parametrize(
    ("view_type", "images"),
    [
        ("KEYS_ONLY", []),
        ("NEW_IMAGE", ["NewImage"]),
        ("OLD_IMAGE", ["OldImage"]),
        ("NEW_AND_OLD_IMAGES", ["OldImage", "NewImage"]),
    ],
)
def test_st03_a_view_restricts_the_images(dynamodb, streams, make_table, view_type, images):
    """ST-03: of a change; what is put first never has an old one."""
    table, arn = make_table(view_type)
    for number in ("1", "2", "2"):
        dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}, "n": {"N": number}})
    first, second = read(streams, arn)
    assert told([first]) == [("INSERT", "a", *(image for image in images if image == "NewImage"))]
    assert told([second]) == [("MODIFY", "a", *images)]
    assert first["dynamodb"]["StreamViewType"] == view_type


def test_where_reading_begins(dynamodb, streams, make_table):
    """Oldest, newest, at a number and after one; an iterator reads on, whatever transaction failed meanwhile."""
    table, arn = make_table()

    def put(key):
        dynamodb.put_item(TableName=table, Item={"id": {"S": key}})

    def keys(records):
        return [record["dynamodb"]["Keys"]["id"]["S"] for record in records]

    newest = iterator_of(streams, arn, "LATEST")
    for key in ("a", "b", "c"):
        put(key)
    found = read(streams, arn)
    assert keys(found) == ["a", "b", "c"]
    middle = found[1]["dynamodb"]["SequenceNumber"]
    assert keys(read(streams, arn, "AT_SEQUENCE_NUMBER", SequenceNumber=middle)) == ["b", "c"]
    assert keys(read(streams, arn, "AFTER_SEQUENCE_NUMBER", SequenceNumber=middle)) == ["c"]
    assert read(streams, arn, "LATEST") == []
    page = streams.get_records(ShardIterator=newest, Limit=2)
    assert keys(page["Records"]) == ["a", "b"]
    condition = {"TableName": table, "Key": {"id": {"S": "no"}}, "ConditionExpression": "attribute_exists(id)"}
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        dynamodb.transact_write_items(
            TransactItems=[{"Put": {"TableName": table, "Item": {"id": {"S": "x"}}}}, {"ConditionCheck": condition}]
        )
    put("d")
    assert keys(streams.get_records(ShardIterator=page["NextShardIterator"])["Records"]) == ["c", "d"]


def test_a_stream_that_ends(dynamodb, streams, make_table):
    """Switched off, its shard is read to its end; switched on again, the table has another one."""
    table, arn = make_table()
    dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}})
    with pytest.raises(ClientError, match="Cannot enable stream"):
        dynamodb.update_table(
            TableName=table, StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
        )
    dynamodb.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
    dynamodb.put_item(TableName=table, Item={"id": {"S": "b"}})
    described = streams.describe_stream(StreamArn=arn)["StreamDescription"]
    assert described["StreamStatus"] == "DISABLED"
    assert described["Shards"][0]["SequenceNumberRange"]["EndingSequenceNumber"]
    page = streams.get_records(ShardIterator=iterator_of(streams, arn))
    assert told(page["Records"]) == [("INSERT", "a", "NewImage")]
    assert "NextShardIterator" not in page
    dynamodb.update_table(TableName=table, StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})
    with pytest.raises(ClientError) as excinfo:
        streams.describe_stream(StreamArn=arn)
    assert excinfo.value.response["Error"]["Code"] == "ResourceNotFoundException"
    second = dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    assert second != arn
    assert read(streams, second) == []


def test_pages_are_of_a_megabyte(dynamodb, streams, make_table):
    """However many records are asked for."""
    table, arn = make_table()
    for number in range(8):
        dynamodb.put_item(TableName=table, Item={"id": {"S": str(number)}, "text": {"S": "x" * 300_000}})
    iterator, sizes = iterator_of(streams, arn), []
    while sum(sizes) < 8:
        page = streams.get_records(ShardIterator=iterator)
        iterator = page["NextShardIterator"]
        sizes.append(len(page["Records"]))
    assert sizes == [3, 3, 2]


def test_what_has_expired_is_deleted(dynamodb, streams, make_table):
    """By the service, which the record says; what is yet to expire, and what has no number there, stays."""
    table, arn = make_table(has_range=True)
    dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})

    def put(key, **attributes):
        dynamodb.put_item(TableName=table, Item={"id": {"S": key}, "at": {"S": "now"}, **attributes})

    put("gone", expires={"N": str(int(time.time()) - 10)})
    put("later", expires={"N": str(int(time.time()) + 3600)})
    put("ancient", expires={"N": "1"})
    put("text", expires={"S": "1"})
    put("none")
    found = wait_for(lambda: [one for one in read(streams, arn) if one["eventName"] == "REMOVE"])
    assert told(found) == [("REMOVE", "gone", "OldImage")]
    assert found[0]["userIdentity"] == IDENTITY
    left = dynamodb.scan(TableName=table)["Items"]
    assert {item["id"]["S"] for item in left} == {"later", "ancient", "text", "none"}


def test_iterators_and_numbers_over_a_restart(lone_server, make_table):
    """What was read before goes on after a stop: iterators say themselves where they stand, and numbers grow."""
    dynamodb, streams = lone_server.client("dynamodb"), lone_server.client("dynamodbstreams")
    table, arn = make_table(client=dynamodb)
    dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}})
    page = streams.get_records(ShardIterator=iterator_of(streams, arn))
    lone_server.stop()
    lone_server.restart()
    dynamodb, streams = lone_server.client("dynamodb"), lone_server.client("dynamodbstreams")
    dynamodb.put_item(TableName=table, Item={"id": {"S": "b"}})
    following = streams.get_records(ShardIterator=page["NextShardIterator"])["Records"]
    assert told(following) == [("INSERT", "b", "NewImage")]
    before, after = (int(one["dynamodb"]["SequenceNumber"]) for one in (*page["Records"], *following))
    assert before < after
