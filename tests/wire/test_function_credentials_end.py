"""Credentials of functions where signatures are verified: they are what they say, and end with their environment."""

import contextlib
import shutil
import uuid

import pytest
from botocore.exceptions import ClientError
from wire.iam import allow, policy, put_role, trusting
from wire.signed import Key, SignedServer
from wire.support import ACCOUNT, FunctionMaker, Server, error_of, invoke, newest_python, wait_for, zip_of
from wire.test_function_credentials import NODE, SHELL
from wire.test_nodejs import node  # noqa: F401

SELF = """
import boto3
import os

def handler(event, context):
    given = event.get("as", {})
    try:
        arn = boto3.client("sts", **given).get_caller_identity()["Arn"]
    except Exception as error:
        arn = error.response["Error"]["Code"]
    names = {"access_key": "AWS_ACCESS_KEY_ID", "secret_key": "AWS_SECRET_ACCESS_KEY", "token": "AWS_SESSION_TOKEN"}
    return {"arn": arn, "own": {key: os.environ[name] for key, name in names.items()}}
"""


@pytest.fixture
def make(signed, unique_name):
    maker = FunctionMaker(signed.with_key("lambda"), newest_python(), unique_name)
    yield maker
    for client, name in maker.made:
        with contextlib.suppress(client.exceptions.ResourceNotFoundException):
            client.delete_function(FunctionName=name)


@pytest.fixture
def role(signed):
    """A role without a policy; nobody needs one to know who they are."""
    arn, _ = put_role(signed.with_key("iam"))
    return arn, arn.rpartition("/")[2]


def test_every_runtime_signs(make, node, role):  # noqa: F811
    """Python with boto3, Node.js by hand, a shell with curl: what they sign is theirs, and verified."""
    arn, role_name = role
    sources = [({"entries": {"app.py": SELF}}, lambda told: told["arn"])]
    sources.append(({"entries": {"app.js": NODE}, "Runtime": node}, str))
    if shutil.which("curl") is not None:
        archive = zip_of({"bootstrap": SHELL}, modes={"bootstrap": 0o755})
        sources.append(({"archive": archive, "Runtime": "provided.al2023"}, str))
    for settings, arn_in in sources:
        name = make(Role=arn, Timeout=60, **settings)
        answer, told = invoke(make.client, name, {})
        assert answer.get("FunctionError") is None, told
        assert arn_in(told) == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role_name}/{name}"


def test_they_end_with_the_environment(signed, make, role):
    """Whoever has them acts as the function while its environment is there; from then on they have expired."""
    name = make(SELF, Role=role[0], Timeout=60)
    _, told = invoke(make.client, name, {})
    stolen = Key(**told["own"])
    sts = signed.with_key("sts", stolen)
    assert sts.get_caller_identity()["Arn"] == told["arn"]
    make.client.delete_function(FunctionName=name)

    def refusal():
        try:
            sts.get_caller_identity()
        except ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"]["Message"]
        return None

    assert wait_for(refusal) == ("ExpiredToken", "The security token included in the request is expired")


def test_no_restart_brings_them_back():
    """Environments of before are not there, whatever their tokens say of how long they last."""
    made = SignedServer().start()
    try:
        make = FunctionMaker(made.with_key("lambda"), newest_python(), "f")
        _, told = invoke(make.client, make(SELF, Timeout=60), {})
        assert made.stop() == 0
        # Its first key has been told.
        made.endpoint = None
        Server.start(made)
        with pytest.raises(ClientError) as caught:
            made.with_key("sts", Key(**told["own"])).get_caller_identity()
        assert error_of(caught)[1] == "ExpiredToken"
    finally:
        made.discard()


def test_another_functions_are_refused_inside(signed, make, role):
    """Behind the walls the server knows which environment calls: one with another's credentials is nobody."""
    if signed.sandbox["driver"] != "namespace":
        pytest.skip("needs:root:run the tests as root on Linux")
    first, second = (make(SELF, Role=role[0], Timeout=60) for _ in range(2))
    # One environment, also where the server would make another one ahead.
    make.client.put_function_concurrency(FunctionName=first, ReservedConcurrentExecutions=1)
    _, told = invoke(make.client, first, {})
    own = told["own"]
    theirs = {
        "aws_access_key_id": own["access_key"], "aws_secret_access_key": own["secret_key"],
        "aws_session_token": own["token"],
    }  # fmt: skip
    assert invoke(make.client, first, {"as": theirs})[1]["arn"] == told["arn"]
    assert invoke(make.client, second, {"as": theirs})[1]["arn"] == "InvalidClientTokenId"


def test_a_user_becomes_a_role(signed):
    """With leave of their own and of the trust policy; then the role's policies say what may be done."""
    user = signed.user(f"u-{uuid.uuid4().hex[:8]}", allow("sts:AssumeRole"))
    idle = signed.user(f"u-{uuid.uuid4().hex[:8]}")
    trust = trusting(ACCOUNT, Condition={"StringEquals": {"sts:ExternalId": "x-1"}})
    arn, _ = put_role(signed.with_key("iam"), allow("sqs:*"), trust=trust)
    name = arn.rpartition("/")[2]
    for key, external_id in ((idle, "x-1"), (user, "x-2")):
        with pytest.raises(ClientError) as caught:
            signed.session(arn, key, ExternalId=external_id)
        assert error_of(caught)[:2] == (403, "AccessDenied")
    whole = signed.session(arn, user, ExternalId="x-1")
    part = signed.session(arn, user, ExternalId="x-1", Policy=policy(allow("sqs:ListQueues")))
    queue = f"q-{uuid.uuid4().hex[:12]}"
    with pytest.raises(ClientError) as caught:
        signed.with_key("sqs", part).create_queue(QueueName=queue)
    assert "because no session policy allows" in error_of(caught)[2]
    signed.with_key("sqs", part).list_queues()
    signed.with_key("sqs", whole).create_queue(QueueName=queue)
    assert signed.with_key("sts", part).get_caller_identity()["Arn"].endswith(f":assumed-role/{name}/s1")
