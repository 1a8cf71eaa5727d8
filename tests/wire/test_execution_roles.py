"""Execution roles where policies are in force: functions have those that Lambda may assume."""

import json

import pytest
from botocore.exceptions import ClientError
from wire.identities import put_role, trusting
from wire.support import ACCOUNT, FunctionMaker, error_of, invoke, newest_python, wait_updated

SOURCE = "def handler(event, context):\n    return 1\n"
NOT_LAMBDAS = (
    400, "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda.",
)  # fmt: skip
FOREIGN = 403, "AccessDeniedException", "Cross-account pass role is not allowed."


def refusal(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return error_of(caught)


def test_roles_of_functions(own_server):
    """CreateFunction looks at the role; UpdateFunctionConfiguration where it names one. Root may assume none."""
    server = own_server(None, "--iam", "enforce").start()
    client, sts = server.client("lambda"), server.client("sts")
    good, _ = put_role(server, ACCOUNT, "good", trusting(services=["lambda.amazonaws.com"]))
    bad, _ = put_role(server, ACCOUNT, "bad", trusting(ACCOUNT))
    foreign = "arn:aws:iam::444455556666:role/good"
    gone = f"arn:aws:iam::{ACCOUNT}:role/gone"
    make = FunctionMaker(client, newest_python(), "f")
    for role, expected in ((gone, NOT_LAMBDAS), (bad, NOT_LAMBDAS), (foreign, FOREIGN)):
        assert refusal(make, source=SOURCE, Role=role, wait=False) == expected
    name = make(SOURCE, Role=good)
    for role, expected in ((gone, NOT_LAMBDAS), (foreign, FOREIGN)):
        assert refusal(client.update_function_configuration, FunctionName=name, Role=role) == expected
    client.update_function_configuration(FunctionName=name, Description="none is named")
    wait_updated(client, name)
    assert client.get_function_configuration(FunctionName=name)["Role"] == good
    assert refusal(sts.assume_role, RoleArn=bad, RoleSessionName="s1") == (
        403, "AccessDenied", "Roles may not be assumed by root accounts.",
    )  # fmt: skip
    client.delete_function(FunctionName=name)


def test_audit_lets_everything_pass(own_server):
    """And says in the log what would be denied."""
    server = own_server(None, "--iam", "audit").start()
    make = FunctionMaker(server.client("lambda"), newest_python(), "f")
    name = make(SOURCE, Role=f"arn:aws:iam::{ACCOUNT}:role/gone")
    make.client.delete_function(FunctionName=name)
    assert server.stop() == 0
    assert any("sts:AssumeRole" in line and "role/gone" in line for line in server.log)


CALLS = """
import boto3

def handler(event, context):
    seen = {}
    for key in (None, "test", "000000000000"):
        given = {} if key is None else {"aws_access_key_id": key, "aws_secret_access_key": "x"}
        queues = boto3.Session(**given).client("sqs")
        try:
            queues.create_queue(QueueName=event["name"])
            seen[str(key)] = "made"
        except Exception as error:
            seen[str(key)] = error.response["Error"]["Message"]
    return seen
"""


def test_a_function_may_what_its_role_may(own_server):
    """
    Without a policy nothing, with one what it says; where it runs behind walls no other key makes it anybody else.
    """
    server = own_server(None, "--iam", "enforce").start()
    make = FunctionMaker(server.client("lambda"), newest_python(), "f")
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
    services = trusting(services=["lambda.amazonaws.com"])
    bare, _ = put_role(server, ACCOUNT, "bare", services)
    able, _ = put_role(server, ACCOUNT, "able", services, inline={"queues": json.dumps(allowed)})
    keys = ["None", "test", "000000000000"] if server.sandbox["driver"] == "namespace" else ["None"]
    told = {}
    for role in (bare, able):
        name = make(CALLS, Role=role, Timeout=60)
        answer, told[role] = invoke(make.client, name, {"name": f"of-{name}"})
        assert answer.get("FunctionError") is None, told[role]
        if role == bare:
            for key in keys:
                assert told[role][key].startswith(
                    f"User: arn:aws:sts::{ACCOUNT}:assumed-role/bare/{name} is not authorized to perform: sqs:"
                ), key
        make.client.delete_function(FunctionName=name)
    assert [told[able][key] for key in keys] == ["made"] * len(keys)
