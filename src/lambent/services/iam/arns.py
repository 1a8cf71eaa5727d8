"""ARNs that requests give: of managed policies, and of whoever policies are attached to."""

import re
from typing import NamedTuple

from lambent.services.iam.refusals import unparseable_arn

_ARN = re.compile(r"arn:(aws[a-z-]*):([a-z0-9-]+):([a-z0-9-]*):([0-9a-z-]*):(.+)", re.ASCII | re.DOTALL)
_POLICY = re.compile(r"policy((?:/[A-Za-z0-9.,+@=_-]+)*/)([\w+=,.@-]{1,128})", re.ASCII)
_IDENTITY = re.compile(r"(user|role|group)((?:/[\x21-\x2e\x30-\x7e]+)*/)([\w+=,.@-]{1,128})", re.ASCII)

OF_AWS = "aws"
"""In the account's place: policies that AWS wrote."""


class PolicyArn(NamedTuple):
    """The ARN of a managed policy."""

    account: str
    """Twelve digits, or `OF_AWS`."""
    path: str
    name: str

    @property
    def canonical(self) -> str:
        """In the one partition that is here: other ones have the same policies of AWS's."""
        return f"arn:aws:iam::{self.account}:policy{self.path}{self.name}"


def parse_policy_arn(text: str) -> PolicyArn | None:
    """
    Read a managed policy's ARN; None where it is that of something else.

    Raises:
        ValidationError: it is no ARN.
    """
    found = _ARN.fullmatch(text)
    if found is None:
        raise unparseable_arn()
    _, service, region, account, rest = found.groups()
    policy = _POLICY.fullmatch(rest)
    if service != "iam" or region or policy is None or not (account == OF_AWS or re.fullmatch("[0-9]{12}", account)):
        return None
    return PolicyArn(account, policy[1], policy[2])


class IdentityArn(NamedTuple):
    """The ARN of a user, role or group."""

    account: str
    kind: str
    path: str
    name: str


def parse_identity_arn(text: str) -> IdentityArn | None:
    """Read the ARN of a user, role or group; None where it is none."""
    found = _ARN.fullmatch(text)
    if found is None or found[2] != "iam" or found[3] or re.fullmatch("[0-9]{12}", found[4]) is None:
        return None
    identity = _IDENTITY.fullmatch(found[5])
    return None if identity is None else IdentityArn(found[4], identity[1], identity[2], identity[3])
