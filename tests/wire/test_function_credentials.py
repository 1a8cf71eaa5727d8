"""What a function may call itself: a session of its execution role, in its account and region, in every runtime."""

import shutil
import uuid

import pytest
from wire.iam import put_role
from wire.support import ACCOUNT, FunctionMaker, invoke, zip_of
from wire.test_nodejs import node  # noqa: F401

OTHER = "444455556666"

PYTHON = """
import boto3
import os

def handler(event, context):
    identity = boto3.client("sts").get_caller_identity()
    queues, objects = boto3.client("sqs"), boto3.client("s3")
    url = queues.create_queue(QueueName=event["name"])["QueueUrl"]
    region = os.environ["AWS_REGION"]
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    objects.create_bucket(Bucket=event["name"], **where)
    names = [one["FunctionName"] for one in boto3.client("lambda").list_functions()["Functions"]]
    return {
        "arn": identity["Arn"], "id": identity["UserId"], "account": identity["Account"], "queue": url,
        "buckets": [one["Name"] for one in objects.list_buckets()["Buckets"]], "functions": names,
        "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
        "set": sorted(name for name in os.environ if name.startswith(("AWS_CONTAINER", "AWS_ACCESS", "AWS_SESSION"))),
    }
"""

# Signature version 4, by hand: not every machine has the SDK.
NODE = """
const { createHash, createHmac } = require('node:crypto');
const hash = (text) => createHash('sha256').update(text).digest('hex');
const mac = (key, text) => createHmac('sha256', key).update(text).digest();
exports.handler = async () => {
  const env = process.env, url = new URL(env.AWS_ENDPOINT_URL + '/');
  const body = 'Action=GetCallerIdentity&Version=2011-06-15';
  const stamp = new Date().toISOString().replace(/[-:]|\\.[0-9]+/g, '');
  const scope = [stamp.slice(0, 8), env.AWS_REGION, 'sts', 'aws4_request'];
  const headers = {
    'content-type': 'application/x-www-form-urlencoded', host: url.host, 'x-amz-date': stamp,
    'x-amz-security-token': env.AWS_SESSION_TOKEN,
  };
  const names = Object.keys(headers).sort();
  const canonical = ['POST', '/', '', ...names.map((one) => `${one}:${headers[one]}`), '', names.join(';'), hash(body)];
  const text = ['AWS4-HMAC-SHA256', stamp, scope.join('/'), hash(canonical.join('\\n'))].join('\\n');
  const key = scope.reduce(mac, 'AWS4' + env.AWS_SECRET_ACCESS_KEY);
  const signature = mac(key, text).toString('hex');
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${env.AWS_ACCESS_KEY_ID}/${scope.join('/')}, ` +
    `SignedHeaders=${names.join(';')}, Signature=${signature}`;
  delete headers.host;
  const answer = await fetch(url, { method: 'POST', headers, body });
  return /<Arn>(.*)<\\/Arn>/.exec(await answer.text())[1];
};
"""

SHELL = """#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
  id=$(curl -sS -D - -o /dev/null "$api/next" | tr -d '\\r' | sed -n 's/^lambda-runtime-aws-request-id: //Ip')
  arn=$(curl -sS --aws-sigv4 "aws:amz:$AWS_REGION:sts" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
    -H "X-Amz-Security-Token: $AWS_SESSION_TOKEN" -d 'Action=GetCallerIdentity&Version=2011-06-15' \
    "$AWS_ENDPOINT_URL/" | sed -n 's/.*<Arn>\\(.*\\)<\\/Arn>.*/\\1/p')
  curl -sS -o /dev/null -d "\\"$arn\\"" "$api/$id/response"
done
"""


@pytest.fixture
def role(server):
    """Make a role; return its ARN, name and id."""

    def put(**settings):
        arn, unique_id = put_role(server.client("iam"), **settings)
        return arn, arn.rpartition("/")[2], unique_id

    return put


def test_python_with_boto3(make_function, role):
    """What it has is of the role, by its id, under the function's name; services see its account and region."""
    arn, role_name, role_id = role(Path="/team/")
    name = make_function(PYTHON, Role=arn, Timeout=60)
    wanted = f"q-{uuid.uuid4().hex[:20]}"
    answer, told = invoke(make_function.client, name, {"name": wanted})
    assert answer.get("FunctionError") is None, told
    assert told["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role_name}/{name}"
    assert (told["id"], told["account"]) == (f"{role_id}:{name}", ACCOUNT)
    assert f"/{ACCOUNT}/{wanted}" in told["queue"]
    assert wanted in told["buckets"]
    assert name in told["functions"]
    assert told["set"] == ["AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"]


def test_another_account_and_region(server, runtime, unique_name, role):
    """Whatever account the role's ARN names, a function acts in its own; no such role has an id that none has."""
    client = server.client("lambda", account=OTHER, region="eu-west-1")
    make = FunctionMaker(client, runtime, unique_name)
    name = make(PYTHON, Role="arn:aws:iam::999999999999:role/elsewhere", Timeout=60)
    wanted = f"q-{uuid.uuid4().hex[:20]}"
    try:
        answer, told = invoke(client, name, {"name": wanted})
    finally:
        client.delete_function(FunctionName=name)
    assert answer.get("FunctionError") is None, told
    assert told["arn"] == f"arn:aws:sts::{OTHER}:assumed-role/elsewhere/{name}"
    assert told["functions"] == [name]
    queues = server.client("sqs", account=OTHER, region="eu-west-1")
    assert queues.get_queue_url(QueueName=wanted)["QueueUrl"].endswith(f"/{OTHER}/{wanted}")


def test_node(make_function, node, role):  # noqa: F811
    """Its own signature says so as well."""
    arn, role_name, _ = role()
    name = make_function(entries={"app.js": NODE}, Runtime=node, Role=arn, Timeout=30)
    answer, told = invoke(make_function.client, name)
    assert (answer.get("FunctionError"), told) == (None, f"arn:aws:sts::{ACCOUNT}:assumed-role/{role_name}/{name}")


def test_a_shell_with_curl(make_function, role):
    """A bootstrap of two lines, and curl's own signatures."""
    if shutil.which("curl") is None:
        pytest.skip("needs:curl:apt install curl")
    arn, role_name, _ = role()
    archive = zip_of({"bootstrap": SHELL}, modes={"bootstrap": 0o755})
    name = make_function(archive=archive, Runtime="provided.al2023", Handler="any", Role=arn, Timeout=30)
    answer, told = invoke(make_function.client, name)
    assert (answer.get("FunctionError"), told) == (None, f"arn:aws:sts::{ACCOUNT}:assumed-role/{role_name}/{name}")


def test_snap_started_functions_fetch_theirs(make_function, role, lambda_client):
    """By the container's variables, which AWS SDKs read; they have no keys of their own to end meanwhile."""
    arn, role_name, _ = role()
    name = make_function(PYTHON, Role=arn, Timeout=60, SnapStart={"ApplyOn": "PublishedVersions"})
    version = lambda_client.publish_version(FunctionName=name)["Version"]
    lambda_client.get_waiter("published_version_active").wait(
        FunctionName=name, Qualifier=version, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    answer, told = invoke(lambda_client, f"{name}:{version}", {"name": f"q-{uuid.uuid4().hex[:20]}"})
    assert answer.get("FunctionError") is None, told
    assert told["type"] == "snap-start"
    assert told["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role_name}/{name}"
    assert told["set"] == ["AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_CREDENTIALS_FULL_URI"]
