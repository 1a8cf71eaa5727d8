"""Users, groups, roles and instance profiles, found by name or refused, and made with an id of their own."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from lambent.clock import Clock
from lambent.domain.access_key import GROUP_ID, INSTANCE_PROFILE_ID, POLICY_ID, ROLE_ID, USER_ID, encode_id
from lambent.domain.identity import Group, InstanceProfile, ManagedPolicy, Named, Role, User
from lambent.services.iam.limits import PER_ACCOUNT
from lambent.services.iam.refusals import check_quota, missing, protected_role, taken
from lambent.store.contract import IdentityRows

Entity: TypeAlias = User | Group | Role | ManagedPolicy | InstanceProfile
N = TypeVar("N", bound=Entity)

_PREFIXES: Mapping[type, str] = {
    User: USER_ID,
    Group: GROUP_ID,
    Role: ROLE_ID,
    ManagedPolicy: POLICY_ID,
    InstanceProfile: INSTANCE_PROFILE_ID,
}

SERVICE_LINKED = "/aws-service-role/"
"""What the paths of service-linked roles begin with. Documented: IAM user guide, using service-linked roles."""


async def find(rows: IdentityRows, kind: type[N], name: str) -> N:
    """
    Return an identity by its name, in any case.

    Raises:
        NoSuchEntityException: nobody has it.
    """
    found = await rows.get(kind, name)
    if found is None:
        raise missing(kind.kind, name)
    return found


async def find_own_role(rows: IdentityRows, name: str) -> Role:
    """
    Return a role that its account may change.

    Raises:
        NoSuchEntityException: nobody has the name.
        UnmodifiableEntityException: it is linked to a service.
    """
    role = await find(rows, Role, name)
    if role.path.startswith(SERVICE_LINKED):
        raise protected_role(role.name)
    return role


async def check_new(rows: IdentityRows, kind: type[Entity], name: str) -> None:
    """
    Refuse one that cannot be made.

    Raises:
        EntityAlreadyExistsException: another one has the name. Documented: names are compared without regard to case.
        LimitExceededException: the account has as many as it may have.
    """
    if await rows.get(kind, name) is not None:
        raise taken(kind.kind, name)
    quota, at_most = PER_ACCOUNT[kind]
    check_quota(await rows.count(kind), quota, at_most)


def fresh(kind: type[N], clock: Clock, account: str, name: str, **members: Any) -> N:
    """Return a new identity."""
    unique_id = encode_id(_PREFIXES[kind], account, clock.token_hex(16))
    return kind(account=account, name=name, unique_id=unique_id, created_at=whole(clock.now()), **members)


def whole(seconds: float) -> float:
    """Return a moment as IAM shows it: in whole seconds."""
    return float(int(seconds))


def under(prefix: str) -> Callable[[Named], bool]:
    """Return the filter of a PathPrefix."""
    return lambda identity: identity.path.startswith(prefix)
