"""What tests of the IAM API are written with: an account of one's own, and the documents that they need."""

import json

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


def trusting(*principals, **statement):
    """Return a trust policy, as text, that names users, roles and accounts."""
    named = {"Effect": "Allow", "Principal": {"AWS": list(principals)}, "Action": "sts:AssumeRole", **statement}
    return json.dumps({"Version": "2012-10-17", "Statement": [named]})


def allowing(action, resource="*", **statement):
    """Return a policy, as text, that allows something."""
    named = {"Effect": "Allow", "Action": action, "Resource": resource, **statement}
    return json.dumps({"Version": "2012-10-17", "Statement": [named]})


def refused(call, **parameters):
    """Return (status, code, message) of a call that is refused."""
    with pytest.raises(ClientError) as excinfo:
        call(**parameters)
    return error_of(excinfo)
