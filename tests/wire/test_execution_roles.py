"""Execution roles where policies are in force: functions have those that Lambda may assume."""

import pytest
from botocore.exceptions import ClientError
from wire.identities import put_role, trusting
from wire.support import ACCOUNT, FunctionMaker, error_of, newest_python, wait_updated

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
