"""Managed policies by their ARNs: the account's own, and those of AWS's that are shipped."""

import logging
from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec

from lambent.domain.identity import Group, ManagedPolicy, Role, User
from lambent.services.iam.arns import OF_AWS, PolicyArn, parse_policy_arn
from lambent.services.iam.managed_policies import MANAGED
from lambent.services.iam.refusals import missing_policy
from lambent.store.contract import IdentityRows

_log = logging.getLogger("lambent.iam")


async def own_policy(rows: IdentityRows, account: str, arn: str) -> ManagedPolicy:
    """
    Return a policy of the account.

    Raises:
        NoSuchEntityException: it has none with this ARN.
        ValidationError: it is no ARN.
    """
    parsed = parse_policy_arn(arn)
    found = None if parsed is None else await _of_account(rows, account, parsed)
    if found is None:
        raise missing_policy(arn)
    return found


def is_of_aws(arn: str) -> bool:
    """
    Say whether an ARN is that of a policy of AWS's, shipped or not.

    Raises:
        ValidationError: it is no ARN.
    """
    parsed = parse_policy_arn(arn)
    return parsed is not None and parsed.account == OF_AWS


async def is_attachable(rows: IdentityRows, account: str, arn: PolicyArn) -> bool:
    """
    Say whether a policy may be attached, or be a boundary.

    Templates name hundreds of AWS's policies: one that is not shipped may be attached as well, and allows nothing.
    """
    if arn.account != OF_AWS:
        return await _of_account(rows, account, arn) is not None
    if arn.canonical not in MANAGED:
        _say_once(arn.canonical)
    return True


class Uses(msgspec.Struct):
    """How many identities of an account have a policy."""

    attached: int = 0
    as_boundary: int = 0


async def uses_of_all(rows: IdentityRows) -> Mapping[str, Uses]:
    """Return the uses of every policy that has any, by its ARN in the one partition that is here."""
    found: dict[str, Uses] = {}
    for identity in await holders(rows):
        for arn in identity.attached:
            found.setdefault(_canonical(arn), Uses()).attached += 1
        boundary = None if isinstance(identity, Group) else identity.boundary
        if boundary is not None:
            found.setdefault(_canonical(boundary), Uses()).as_boundary += 1
    return found


async def holders(rows: IdentityRows) -> Iterable[User | Group | Role]:
    """Return all that policies may be attached to: groups, users, roles."""
    return (*await rows.list(Group), *await rows.list(User), *await rows.list(Role))


def is_same(arn: str, other: PolicyArn) -> bool:
    """Say whether a kept ARN is that of a policy."""
    return _canonical(arn) == other.canonical


async def _of_account(rows: IdentityRows, account: str, arn: PolicyArn) -> ManagedPolicy | None:
    if arn.account != account:
        return None
    found = await rows.get(ManagedPolicy, arn.name)
    return found if found is not None and (found.path, found.name) == (arn.path, arn.name) else None


# AWS has some 1,600 managed policies.
@lru_cache(maxsize=2_000)
def _say_once(arn: str) -> None:
    _log.warning("iam.unknown_managed_policy arn=%s effect=allows_nothing", arn)


def _canonical(arn: str) -> str:
    parsed = parse_policy_arn(arn)
    return arn if parsed is None else parsed.canonical
