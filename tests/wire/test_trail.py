"""The audit trail: what is in it, what never is, and how it is looked up."""

import json
import os
import subprocess
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from wire.support import REGION, FunctionMaker, invoke

SECRET = "hunter2-is-nobodys-word"


@pytest.fixture(scope="module")
def recorded():
    """A server that records everything, on which secrets have been used."""
    import shutil

    from wire.support import Server

    server = Server(None, "--trail", "all").start()
    yield server
    server.stop()
    shutil.rmtree(server.data_dir, ignore_errors=True)


def records(server):
    paths = sorted((server.data_dir / "trail").iterdir())
    return [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]


def named(server, name):
    return [record for record in records(server) if record["eventName"] == name]


def lookup(server, account=None, **request):
    client = server.client("cloudtrail", account=account)
    return client.lookup_events(**request)


def refusal(call, **parameters):
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    return refused.value.response["Error"]["Code"]


def test_no_secret_is_in_the_trail_or_the_log(recorded, runtime):
    """Whatever it was sent as: it is looked for in every file that the server has written of calls."""
    lambda_ = recorded.client("lambda")
    name = FunctionMaker(lambda_, runtime, "keeper")(
        "def handler(event, context):\n    return event\n", Environment={"Variables": {"KEY": SECRET}}
    )
    invoke(lambda_, name, {"password": SECRET})
    lambda_.update_function_configuration(FunctionName=name, Environment={"Variables": {"OTHER": SECRET}})
    lambda_.get_function(FunctionName=name)
    refusal(
        recorded.client("lambda", parameter_validation=False).create_function,
        FunctionName="x",
        Role=SECRET,
        Runtime=runtime,
        Handler="a.b",
        Code={},
        Environment={"Variables": {"!": SECRET}},
    )
    sqs = recorded.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=SECRET)
    sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "a", "MessageBody": SECRET}])
    sqs.receive_message(QueueUrl=url)
    apis = recorded.client("apigatewayv2")
    api = apis.create_api(Name="a", ProtocolType="HTTP")["ApiId"]
    apis.create_stage(ApiId=api, StageName="s", StageVariables={"key": SECRET})
    secrets = recorded.client("secretsmanager")
    secrets.create_secret(Name="s", SecretString=SECRET)
    secrets.get_secret_value(SecretId="s")
    recorded.client("ssm").put_parameter(Name="p", Value=SECRET, Type="SecureString")
    s3 = recorded.client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="k", Body=SECRET.encode())
    operations = {record["eventName"] for record in records(recorded)}
    assert operations >= {
        "CreateFunction20150331", "Invoke", "UpdateFunctionConfiguration20150331v2", "CreateQueue", "SendMessage",
        "SendMessageBatch", "ReceiveMessage", "CreateStage", "CreateSecret", "GetSecretValue", "PutParameter",
        "CreateBucket", "PutObject",
    }  # fmt: skip
    written = list((recorded.data_dir / "trail").iterdir())
    assert written and not [path for path in written if SECRET.encode() in path.read_bytes()]
    assert SECRET not in "".join(recorded.log)


def test_records_are_as_cloudtrail_has_them(recorded):
    """Who, what and when; what comes of it; data events by name."""
    lambda_ = recorded.client("lambda", account="111122223333", region="eu-west-1")
    refusal(lambda_.get_function, FunctionName="missing")
    record = named(recorded, "GetFunction20150331v2")[-1]
    assert record["userIdentity"]["arn"] == "arn:aws:iam::111122223333:root"
    assert (record["eventSource"], record["awsRegion"]) == ("lambda.amazonaws.com", "eu-west-1")
    assert record["errorCode"] == "ResourceNotFoundException"
    assert record["requestParameters"] == {"functionName": "missing"}
    assert (record["recipientAccountId"], record["sourceIPAddress"]) == ("111122223333", "127.0.0.1")
    assert record["additionalEventData"] == {"authenticatedBy": "none"}
    s3 = recorded.client("s3")
    s3.create_bucket(Bucket="records")
    s3.put_object(Bucket="records", Key="some/key", Body=b"x")
    put = named(recorded, "PutObject")[-1]
    assert put["requestParameters"] == {"bucketName": "records", "key": "some/key"}
    assert (put["eventCategory"], put["managementEvent"], put["readOnly"]) == ("Data", False, False)
    refusal(s3.get_object, Bucket="records", Key="missing")
    assert named(recorded, "GetObject")[-1]["errorCode"] == "HTTP404"


def test_urls_are_recorded(recorded, runtime):
    """Whose function it was; neither path nor query, which are its own affair."""
    lambda_ = recorded.client("lambda")
    name = FunctionMaker(lambda_, runtime, "url")("def handler(event, context):\n    return 'here'\n")
    url = lambda_.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    for action, more in (("lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),):
        lambda_.add_permission(FunctionName=name, StatementId="u", Action=action, Principal="*", **more)
    host = url.split("/")[2]
    request = urllib.request.Request(f"{recorded.endpoint}/path?token={SECRET}", headers={"Host": host})
    try:
        urllib.request.urlopen(request, timeout=60).close()
    except urllib.error.HTTPError as error:
        error.close()
    (record,) = named(recorded, "InvokeFunctionUrl")
    assert record["requestParameters"]["functionName"] == name
    assert record["eventCategory"] == "Data" and SECRET not in json.dumps(record)


def test_invocations_are_left_out_of_management(server, make_function, lambda_client):
    """They are what a server is for: a line each would be most of what it writes."""
    name = make_function("def handler(event, context):\n    return 'here'\n")
    invoke(lambda_client, name)
    found = [record for record in records(server) if (record["requestParameters"] or {}).get("functionName") == name]
    assert "CreateFunction20150331" in {record["eventName"] for record in found}
    assert not [record for record in found if record["eventCategory"] == "Data"]


def test_whatever_a_client_says_is_one_line(recorded):
    """Huge agents are cut; ends of lines, of whichever alphabet, are escaped."""
    before = len(records(recorded))
    agent = "evil\u0085\u00e4" + "a" * 6_000
    request = urllib.request.Request(
        f"{recorded.endpoint}/2015-03-31/functions/a%0Ab%E2%80%A8c", headers={"User-Agent": agent.encode("latin-1")}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60)
    refused.value.close()
    found = records(recorded)
    assert len(found) == before + 1
    assert len(found[-1]["userAgent"]) < 1_100
    for path in (recorded.data_dir / "trail").iterdir():
        text = path.read_bytes()
        assert text.isascii() and len(text.decode().splitlines()) == text.count(b"\n")


def test_events_are_looked_up(recorded):
    """Newest first, page by page, of one account and region; by each of the attributes; between times."""
    sqs = recorded.client("sqs", account="222233334444")
    before = datetime.now(UTC) - timedelta(seconds=2)
    for number in range(5):
        sqs.create_queue(QueueName=f"looked-{number}")
    client = recorded.client("cloudtrail", account="222233334444")
    pages = client.get_paginator("lookup_events").paginate(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateQueue"}],
        StartTime=before,
        EndTime=datetime.now(UTC) + timedelta(seconds=2),
        PaginationConfig={"PageSize": 2},
    )
    events = [event for page in pages for event in page["Events"]]
    assert [event["Resources"][0]["ResourceName"] for event in events] == [f"looked-{n}" for n in range(4, -1, -1)]
    event = events[0]
    assert (event["EventSource"], event["ReadOnly"], event["Username"]) == ("sqs.amazonaws.com", "false", "root")
    whole = json.loads(event["CloudTrailEvent"])
    assert whole["eventID"] == event["EventId"] and whole["requestParameters"]["queueName"] == "looked-4"
    for key, value in (
        ("EventId", event["EventId"]),
        ("ResourceName", "looked-4"),
        ("AccessKeyId", "222233334444"),
        ("ReadOnly", "false"),
        ("Username", "root"),
        ("ResourceType", "AWS::SQS::Queue"),
        ("EventSource", "sqs.amazonaws.com"),
    ):
        # Looking up is a call as well, of the same user.
        found = client.lookup_events(LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}])["Events"]
        assert event["EventId"] in {one["EventId"] for one in found}, key
        assert (whole["requestID"] in found[0]["CloudTrailEvent"]) == (key not in {"AccessKeyId", "Username"}), key
    assert lookup(recorded, "333344445555")["Events"] == []


def test_what_cannot_be_looked_up(recorded, own_server):
    """An error for each parameter, by AWS's names."""
    client = recorded.client("cloudtrail", parameter_validation=False)
    for request, code in (
        ({"MaxResults": 51}, "InvalidMaxResultsException"),
        ({"MaxResults": 0}, "InvalidMaxResultsException"),
        ({"NextToken": "x"}, "InvalidNextTokenException"),
        ({"EventCategory": "insight"}, "InvalidEventCategoryException"),
        ({"StartTime": 1_900_000_000, "EndTime": 1_800_000_000}, "InvalidTimeRangeException"),
        (
            {"LookupAttributes": [{"AttributeKey": "ReadOnly", "AttributeValue": "perhaps"}]},
            "InvalidLookupAttributesException",
        ),
        (
            {"LookupAttributes": [{"AttributeKey": "Nothing", "AttributeValue": "x"}]},
            "InvalidLookupAttributesException",
        ),
    ):
        assert refusal(client.lookup_events, **request) == code
    assert refusal(client.describe_trails) == "NotImplementedException"
    silent = own_server(None, "--trail", "off").start()
    assert refusal(silent.client("cloudtrail").lookup_events) == "UnsupportedOperationException"
    assert list((silent.data_dir / "trail").iterdir()) == []


@pytest.mark.parametrize("program", ["aws_cli_1", "aws_cli_2"])
def test_the_aws_cli_looks_events_up(request, recorded, program):
    """As documentation has operators do it."""
    command = [request.getfixturevalue(program), "--endpoint-url", recorded.endpoint, "--output", "json"]
    environ = {**os.environ, "AWS_ACCESS_KEY_ID": "444455556666", "AWS_SECRET_ACCESS_KEY": "test"}
    environ |= {"AWS_DEFAULT_REGION": REGION}
    recorded.client("sqs", account="444455556666").create_queue(QueueName="seen")
    attributes = ["--lookup-attributes", "AttributeKey=EventName,AttributeValue=CreateQueue", "--max-items", "1"]
    done = subprocess.run(
        [*command, "cloudtrail", "lookup-events", *attributes],
        capture_output=True, text=True, env=environ, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (event,) = json.loads(done.stdout)["Events"]
    assert event["EventName"] == "CreateQueue"
