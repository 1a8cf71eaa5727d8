"""What tests of access are written with: an account of one's own, policies, and roles that have them."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError
from wire.support import error_of

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
READS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
EXECUTION = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"

_accounts = iter(range(300_000_000_001, 400_000_000_000))


def fresh_account():
    """Return an account that no other test uses."""
    return str(next(_accounts))


def policy(*statements):
    """Return a policy as text."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions, resource="*", **more):
    """Return a statement."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


def allowing(action, resource="*", **more):
    """Return a policy, as text, of one statement."""
    return policy(allow(action, resource=resource, **more))


def trusting(*principals, services=(), **more):
    """Return a trust policy, as text, that names users, roles and accounts, or services."""
    named = {"AWS": list(principals), "Service": list(services)}
    statement = {"Effect": "Allow", "Principal": {kind: who for kind, who in named.items() if who}}
    return policy({**statement, "Action": "sts:AssumeRole", **more})


def put_role(iam, *statements, name=None, trust=None, **settings):
    """Make a role, one that Lambda may assume unless `trust` says otherwise; return its ARN and id."""
    name = name or f"r-{uuid.uuid4().hex[:12]}"
    trust = trust or trusting(services=["lambda.amazonaws.com"])
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, **settings)["Role"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
    return made["Arn"], made["RoleId"]


def refused(call, **parameters):
    """Return (status, code, message) of a call that is refused."""
    with pytest.raises(ClientError) as excinfo:
        call(**parameters)
    return error_of(excinfo)
