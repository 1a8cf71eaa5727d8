"""The execution role of functions that `lambent deploy` makes and for which none is named."""

import json
from typing import TYPE_CHECKING

from lambent.cli.client import connect
from lambent.cli.failure import CommandFailed

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

NAME = "lambent-basic-execution"
POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def default_role(endpoint: str) -> str:
    """Return the role's ARN in the account of whoever asks. Where policies are not in force, there need not be one."""
    account = connect("sts", endpoint).get_caller_identity()["Account"]
    return f"arn:aws:iam::{account}:role/{NAME}"


def make_default_role(endpoint: str) -> None:
    """
    Make the role, with leave to write logs and for nothing else.

    Raises:
        CommandFailed: it is there, and not Lambda's to assume, or whoever asks may not make it.
    """
    from botocore.exceptions import ClientError

    iam = connect("iam", endpoint)
    try:
        iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=TRUST)
        iam.attach_role_policy(RoleName=NAME, PolicyArn=POLICY)
    except iam.exceptions.EntityAlreadyExistsException as error:
        line = f"the role {NAME} does not let lambda.amazonaws.com assume it: change its trust policy, or name another"
        raise CommandFailed(f"{line} with --role", exit_code=2) from error
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise
        raise CommandFailed(_for_an_administrator(error), exit_code=2) from error


def is_about_role(error: "ClientError") -> bool:
    """Say whether a function was refused since there is no such role, or none that Lambda may assume."""
    return str(error.response["Error"].get("Message", "")).endswith("cannot be assumed by Lambda.")


def _for_an_administrator(error: "ClientError") -> str:
    return "\n  ".join(
        (
            f"{error.response['Error']['Message']}: the function needs an execution role: name one that there is "
            "with --role, or have an administrator of the account run",
            f"aws iam create-role --role-name {NAME} --assume-role-policy-document '{TRUST}'",
            f"aws iam attach-role-policy --role-name {NAME} --policy-arn {POLICY}",
        )
    )
