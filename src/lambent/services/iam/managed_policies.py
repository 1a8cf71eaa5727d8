"""AWS managed policies that are shipped. Documented: AWS managed policy reference."""

from collections.abc import Mapping

import msgspec


class AwsPolicy(msgspec.Struct, frozen=True):
    """A policy that AWS wrote."""

    version: int
    document: str


MANAGED: Mapping[str, AwsPolicy] = {
    "arn:aws:iam::aws:policy/AdministratorAccess": AwsPolicy(
        1, '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
    ),
    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole": AwsPolicy(
        1,
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogGroup",'
        '"logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}',
    ),
}
"""By ARN."""


def aws_document(arn: str) -> str | None:
    """Return the document of a policy that is shipped; None for any other one."""
    found = MANAGED.get(arn)
    return None if found is None else found.document
