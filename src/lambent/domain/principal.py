"""Who a request comes from, as policies see it. Pure."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class PrincipalType(StrEnum):
    """Kinds of principals, as `aws:PrincipalType` names them. Documented: IAM user guide, global condition keys."""

    ROOT = "Account"
    """The account itself: what its root user's keys stand for."""
    USER = "User"
    ROLE = "AssumedRole"
    """A session of a role."""
    ANONYMOUS = "Anonymous"
    """Nobody signed."""
    SERVICE = "Service"
    """An AWS service, ours, on behalf of a resource. Assumed: policies never see the word (test_principal)."""


class Session(msgspec.Struct, frozen=True):
    """What temporary credentials carry beside whose they are."""

    name: str
    """Of a role's session; empty for the session of a user."""
    issued_at: float
    """Seconds since the epoch, as `expires_at`."""
    expires_at: float
    policies: tuple[str, ...] = ()
    """Session policies, as documents."""
    policy_arns: tuple[str, ...] = ()
    """Managed policies that are session policies."""
    tags: Mapping[str, str] = {}
    transitive_tag_keys: tuple[str, ...] = ()
    source_identity: str = ""
    environment: str = ""
    """The execution environment that they were made for, with which they end; empty: for none."""
    function_arn: str = ""
    """The function of that environment, unqualified."""


class Principal(msgspec.Struct, frozen=True):
    """Who asks."""

    type: PrincipalType
    account: str
    """Twelve digits; empty for nobody and for services."""
    arn: str
    """As denials and GetCallerIdentity name it: of a user, a role's session, or root; a service's name."""
    unique_id: str
    """As `aws:userid` has it: the account for root, `AIDA...`, `AROA...:<session>`; empty for nobody and services."""
    identity_arn: str
    """Whose policies count, as `aws:PrincipalArn` has it: a user's, or a role's with its path; root's own."""
    name: str = ""
    """Of the user or role."""
    access_key: str = ""
    session: Session | None = None

    @property
    def identity_id(self) -> str:
        """The user's or role's own id, by which its policies are found whatever its name; the account for root."""
        return self.unique_id.partition(":")[0]

    @property
    def is_root(self) -> bool:
        return self.type is PrincipalType.ROOT


def root_of(account: str, access_key: str = "") -> Principal:
    """Return the root of an account."""
    arn = f"arn:aws:iam::{account}:root"
    return Principal(PrincipalType.ROOT, account, arn, account, arn, access_key=access_key)


ANONYMOUS = Principal(PrincipalType.ANONYMOUS, "", "anonymous", "", "")


def service_principal(name: str) -> Principal:
    """Return a service, e.g. `s3.amazonaws.com`."""
    return Principal(PrincipalType.SERVICE, "", name, "", "", name=name)


def session_of_role(
    account: str, role_name: str, role_path: str, role_id: str, session: Session, access_key: str = ""
) -> Principal:
    """
    Return a session of a role.

    Documented: IAM user guide, unique identifiers: the ARN of a session is without the role's path.
    """
    return Principal(
        PrincipalType.ROLE,
        account,
        f"arn:aws:sts::{account}:assumed-role/{role_name}/{session.name}",
        f"{role_id}:{session.name}",
        f"arn:aws:iam::{account}:role{role_path}{role_name}",
        name=role_name,
        access_key=access_key,
        session=session,
    )
