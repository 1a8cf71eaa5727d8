"""AWS's managed policies: each can be kept and evaluated, and allows what its name says."""

import json

import pytest

from lambent.domain.policy import AccessRequest, Policies, PolicySet, compile_policy, decide
from lambent.domain.policy_document import check_managed_policy
from lambent.domain.principal import Principal, PrincipalType
from lambent.services.iam.managed_policies import MANAGED

A = "111122223333"
ARN = f"arn:aws:iam::{A}:user/u"
U = Principal(PrincipalType.USER, A, ARN, "AIDAUUUUUUUUUUUUUUUUU", ARN, name="u")
LAMBDA = {"iam:passedtoservice": "lambda.amazonaws.com"}


@pytest.mark.parametrize("arn", MANAGED)
def test_each_is_a_policy(arn: str) -> None:
    """Of what IAM would take, and of actions that have a service."""
    policy = MANAGED[arn]
    check_managed_policy(policy.document)
    assert policy.version >= 1
    assert json.loads(policy.document)["Version"] == "2012-10-17"


@pytest.mark.parametrize(
    ("name", "action", "resource", "context", "is_allowed"),
    [
        ("AdministratorAccess", "iam:CreateUser", "*", {}, True),
        ("AWSDenyAll", "sqs:SendMessage", "*", {}, False),
        ("PowerUserAccess", "lambda:CreateFunction", "*", {}, True),
        ("PowerUserAccess", "iam:CreateUser", "*", {}, False),
        ("PowerUserAccess", "iam:ListRoles", "*", {}, True),
        ("service-role/AWSLambdaBasicExecutionRole", "logs:PutLogEvents", "arn:aws:logs:r:1:log-group:g", {}, True),
        ("service-role/AWSLambdaBasicExecutionRole", "sqs:ReceiveMessage", "*", {}, False),
        ("service-role/AWSLambdaSQSQueueExecutionRole", "sqs:ReceiveMessage", "arn:aws:sqs:r:1:q", {}, True),
        ("service-role/AWSLambdaVPCAccessExecutionRole", "ec2:UnassignPrivateIpAddresses", "*", {}, True),
        ("service-role/AWSLambdaENIManagementAccess", "ec2:DescribeSubnets", "*", {}, False),
        ("AWSLambda_FullAccess", "iam:PassRole", f"arn:aws:iam::{A}:role/r", LAMBDA, True),
        ("AWSLambda_FullAccess", "iam:PassRole", f"arn:aws:iam::{A}:role/r", {}, False),
        ("AWSLambda_ReadOnlyAccess", "lambda:UpdateFunctionCode", "*", {}, False),
        ("AWSLambda_ReadOnlyAccess", "logs:StartQuery", "arn:aws:logs:r:1:log-group:/aws/lambda/f", {}, True),
        ("AWSLambdaExecute", "s3:PutObject", "arn:aws:s3:::b/k", {}, True),
        ("IAMReadOnlyAccess", "iam:SimulatePrincipalPolicy", "*", {}, True),
        ("CloudWatchLogsReadOnlyAccess", "logs:PutLogEvents", "*", {}, False),
    ],
)
def test_what_they_allow(name: str, action: str, resource: str, context: dict[str, str], is_allowed: bool) -> None:
    """A look at each kind of statement in them."""
    policies = Policies([compile_policy(MANAGED[f"arn:aws:iam::aws:policy/{name}"].document)])
    assert decide(AccessRequest(U, action, resource, A, context), PolicySet(policies)).is_allowed is is_allowed
