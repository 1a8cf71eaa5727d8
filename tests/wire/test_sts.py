"""The Security Token Service, by boto3 and the AWS CLI."""

import json
import os
import subprocess
import urllib.request
import uuid
from email.utils import parsedate_to_datetime

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from wire.iam import put_role, trusting
from wire.observing import observed
from wire.support import ACCOUNT, REGION, error_of

OTHER = "444455556666"


@pytest.fixture(scope="module")
def sts(server):
    return server.client("sts")


def with_credentials(server, credentials, service="sts"):
    """Return a client of temporary credentials."""
    return observed(
        boto3.client(
            service,
            region_name=REGION,
            endpoint_url=server.endpoint,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            config=Config(retries={"total_max_attempts": 1}),
        )
    )


@pytest.fixture
def role(server):
    """Make roles of the server's account; return what puts one there."""

    def put(trust=None, **settings):
        return put_role(server.client("iam"), trust=trust or trusting(ACCOUNT), **settings)

    return put


def identity(client):
    found = client.get_caller_identity()
    return found["UserId"], found["Account"], found["Arn"]


def refusal(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return error_of(caught)[1:]


def test_any_key_is_root(server, sts):
    """On loopback any key is taken: that of the server's account, or of the account that it is."""
    assert identity(sts) == (ACCOUNT, ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")
    assert identity(server.client("sts", account=OTHER)) == (OTHER, OTHER, f"arn:aws:iam::{OTHER}:root")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_presigned(server, sts, method):
    """A URL that says who made it: the parameters are in it, whatever the method."""
    url = sts.generate_presigned_url("get_caller_identity", HttpMethod=method)
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as answer:
        assert answer.headers["content-type"] == "text/xml"
        text = answer.read().decode()
    assert f"<Arn>arn:aws:iam::{ACCOUNT}:root</Arn>" in text
    assert text.startswith('<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">')


@pytest.mark.parametrize("version", ["aws_cli_1", "aws_cli_2"])
def test_the_aws_cli(request, server, version):
    """What a user types first."""
    program = request.getfixturevalue(version)
    environ = {
        "PATH": os.environ["PATH"], "HOME": str(server.data_dir), "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION, "AWS_PAGER": "",
        "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    command = [program, "--endpoint-url", server.endpoint, "--output", "json", "sts", "get-caller-identity"]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"UserId": ACCOUNT, "Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:root"}


def test_a_role(server, sts, role):
    """Its credentials say whose they are; the session's ARN is without the role's path."""
    arn, role_id = role(Path="/team/")
    name = arn.rpartition("/")[2]
    answer = sts.assume_role(RoleArn=arn, RoleSessionName="deploy")
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/deploy"
    assert answer["AssumedRoleUser"] == {"AssumedRoleId": f"{role_id}:deploy", "Arn": session}
    assert "PackedPolicySize" not in answer
    credentials = answer["Credentials"]
    lasts_s = (credentials["Expiration"] - answer_time(answer)).total_seconds()
    assert 3_590 < lasts_s <= 3_601
    assert identity(with_credentials(server, credentials)) == (f"{role_id}:deploy", ACCOUNT, session)
    # Other services act in its account as well.
    queues = with_credentials(server, credentials, "sqs")
    url = queues.create_queue(QueueName=f"q-{uuid.uuid4().hex}")["QueueUrl"]
    assert f"/{ACCOUNT}/" in url
    queues.delete_queue(QueueUrl=url)


def answer_time(answer):
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])


def test_a_role_with_everything(server, sts, role):
    """Tags, external id, source identity, session policies; what is transitive rides along, an hour at most."""
    arn, _ = role()
    policy = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    answer = sts.assume_role(
        RoleArn=arn, RoleSessionName="s1", Policy=policy, DurationSeconds=900, ExternalId="x-1", SourceIdentity="bob",
        PolicyArns=[{"arn": "arn:aws:iam::aws:policy/AdministratorAccess"}],
        Tags=[{"Key": "Team", "Value": "a"}], TransitiveTagKeys=["team"],
    )  # fmt: skip
    assert answer["SourceIdentity"] == "bob"
    assert 0 < answer["PackedPolicySize"] < 100
    chained = with_credentials(server, answer["Credentials"])
    again = {"RoleArn": arn, "RoleSessionName": "s2"}
    assert chained.assume_role(**again)["SourceIdentity"] == "bob"
    code, text = refusal(chained.assume_role, **again, DurationSeconds=3_601)
    assert (code, "role chaining" in text) == ("ValidationError", True)
    code, text = refusal(chained.assume_role, **again, Tags=[{"Key": "TEAM", "Value": "b"}])
    assert (code, "conflicts with a transitive tag key" in text) == ("InvalidParameterValue", True)


def test_what_is_refused(sts, role):
    """With the codes and texts of the service."""
    arn, _ = role()
    good = {"RoleArn": arn, "RoleSessionName": "s1"}
    gone = f"arn:aws:iam::{ACCOUNT}:role/gone"
    assert refusal(sts.assume_role, **{**good, "RoleArn": gone}) == (
        "AccessDenied",
        f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: sts:AssumeRole on resource: {gone}",
    )
    assert refusal(sts.assume_role, **{**good, "RoleArn": "nothing-valid-in-here"}) == (
        "ValidationError", "nothing-valid-in-here is invalid",
    )  # fmt: skip
    assert refusal(sts.assume_role, **{**good, "RoleSessionName": "Session1:2"}) == (
        "ValidationError",
        "1 validation error detected: Value 'Session1:2' at 'roleSessionName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [\\w+=,.@-]*",
    )
    assert refusal(sts.assume_role, **good, DurationSeconds=3_601) == (
        "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )  # fmt: skip
    assert refusal(sts.assume_role, **good, Policy="{")[0] == "MalformedPolicyDocument"
    tags = [{"Key": uuid.uuid4().hex, "Value": os.urandom(100).hex()} for _ in range(50)]
    code, text = refusal(sts.assume_role, **good, Tags=tags)
    assert (code, text.startswith("Packed size of session tags consumes ")) == ("PackedPolicyTooLarge", True)
    assert refusal(sts.get_federation_token, Name="someone")[0] == "NotImplementedException"


def test_another_accounts_role(server, role):
    """Without policies in force, too, it has to trust whoever comes."""
    arn, _ = role(trusting(OTHER))
    closed, _ = role(trusting(ACCOUNT))
    stranger = server.client("sts", account=OTHER)
    found = stranger.assume_role(RoleArn=arn, RoleSessionName="s1")
    assert identity(with_credentials(server, found["Credentials"]))[1] == ACCOUNT
    assert refusal(stranger.assume_role, RoleArn=closed, RoleSessionName="s1")[0] == "AccessDenied"


def test_session_tokens(server, sts):
    """They are whose key asked; a session gets none."""
    credentials = sts.get_session_token(DurationSeconds=900)["Credentials"]
    in_session = with_credentials(server, credentials)
    assert identity(in_session) == identity(sts)
    assert refusal(in_session.get_session_token) == (
        "AccessDenied", "Cannot call GetSessionToken with session credentials",
    )  # fmt: skip
    assert refusal(sts.get_session_token, SerialNumber="arn:aws:iam::1:mfa/u", TokenCode="123456")[0] == "AccessDenied"
    assert sts.get_access_key_info(AccessKeyId=credentials["AccessKeyId"])["Account"] == ACCOUNT
