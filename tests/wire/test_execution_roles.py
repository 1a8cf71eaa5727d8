"""Execution roles where policies are in force: functions have those that Lambda may assume."""

import os
import subprocess

from wire.iam import allow, put_role, refused, trusting
from wire.support import ACCOUNT, LAMBENT, REGION, FunctionMaker, invoke, newest_python, wait_updated

SOURCE = "def handler(event, context):\n    return 1\n"
NOT_LAMBDAS = (
    400, "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda.",
)  # fmt: skip
FOREIGN = 403, "AccessDeniedException", "Cross-account pass role is not allowed."
DEFAULT = "lambent-basic-execution"


def test_roles_of_functions(own_server):
    """CreateFunction looks at the role; UpdateFunctionConfiguration where it names one. Root may assume none."""
    server = own_server(None, "--iam", "enforce").start()
    client, sts = server.client("lambda"), server.client("sts")
    iam = server.client("iam")
    (good, _), (bad, _) = put_role(iam), put_role(iam, trust=trusting(ACCOUNT))
    foreign = "arn:aws:iam::444455556666:role/good"
    gone = f"arn:aws:iam::{ACCOUNT}:role/gone"
    make = FunctionMaker(client, newest_python(), "f")
    for role, expected in ((gone, NOT_LAMBDAS), (bad, NOT_LAMBDAS), (foreign, FOREIGN)):
        assert refused(make, source=SOURCE, Role=role, wait=False) == expected
    name = make(SOURCE, Role=good)
    for role, expected in ((gone, NOT_LAMBDAS), (foreign, FOREIGN)):
        assert refused(client.update_function_configuration, FunctionName=name, Role=role) == expected
    client.update_function_configuration(FunctionName=name, Description="none is named")
    wait_updated(client, name)
    assert client.get_function_configuration(FunctionName=name)["Role"] == good
    assert refused(sts.assume_role, RoleArn=bad, RoleSessionName="s1") == (
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
    iam = server.client("iam")
    bare, _ = put_role(iam, name="bare")
    able, _ = put_role(iam, allow("sqs:*"))
    keys = ["None", "test", "000000000000"] if server.sandbox["driver"] == "namespace" else ["None"]
    told = {}
    for role in (bare, able):
        name = make(CALLS, Role=role, Timeout=60, MemorySize=1769)
        answer, told[role] = invoke(make.client, name, {"name": f"of-{name}"})
        assert answer.get("FunctionError") is None, told[role]
        if role == bare:
            for key in keys:
                assert told[role][key].startswith(
                    f"User: arn:aws:sts::{ACCOUNT}:assumed-role/bare/{name} is not authorized to perform: sqs:"
                ), key
        make.client.delete_function(FunctionName=name)
    assert [told[able][key] for key in keys] == ["made"] * len(keys)


def test_deploy_makes_the_role_that_it_needs(signed, tmp_path):
    """A newcomer's first function needs nothing but the first key; who may not make roles is told what to do."""
    folder = tmp_path / "hello"
    folder.mkdir()
    (folder / "app.py").write_text("def handler(event, context):\n    return 'hello'\n")

    def deploy(name, key):
        keys = {"AWS_ACCESS_KEY_ID": key.access_key, "AWS_SECRET_ACCESS_KEY": key.secret_key, "AWS_REGION": REGION}
        command = [LAMBENT, "deploy", str(folder), "--name", name, "--endpoint", signed.endpoint]
        command += ["--runtime", newest_python()]
        environ = {**os.environ, **keys}
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environ)

    key = signed.user("deployer", allow("lambda:*", "iam:PassRole"))
    refused = deploy("hello", key)
    assert refused.returncode == 2 and "iam:CreateRole on resource: role lambent-basic-execution" in refused.stderr
    assert f"aws iam create-role --role-name {DEFAULT} --assume-role-policy-document '" in refused.stderr
    done = deploy("hello", signed.first)
    assert done.returncode == 0 and f"made the role arn:aws:iam::{ACCOUNT}:role/{DEFAULT}" in done.stderr
    iam, client = signed.with_key("iam"), signed.with_key("lambda")
    assert invoke(client, "hello")[1] == "hello"
    (attached,) = iam.list_attached_role_policies(RoleName=DEFAULT)["AttachedPolicies"]
    assert attached["PolicyName"] == "AWSLambdaBasicExecutionRole"
    # It is there for whoever comes next.
    again = deploy("hello-2", key)
    assert again.returncode == 0 and "made the role" not in again.stderr
    for name in ("hello", "hello-2"):
        client.delete_function(FunctionName=name)
