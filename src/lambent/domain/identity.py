"""
What an account has of identities: users, groups, roles, policies, keys, and the account itself.

Each is one value with all that belongs to it: inline policies by name, attached policies by ARN. Names are unique
without regard to case; `key` is what they are found by. Documents are kept as they were sent.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, TypeAlias

import msgspec


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """What every identity has."""

    kind: ClassVar[str]
    """The part of its ARN before the path, and what it is stored under."""

    account: str
    name: str
    unique_id: str
    """For instance `AROA...`; never that of another one, not even of one that is gone."""
    created_at: float
    """Seconds since the epoch, whole ones."""
    path: str = "/"
    tags: Mapping[str, str] = {}

    @property
    def key(self) -> str:
        """What it is found by. Documented: IAM API reference: names are not distinguished by case."""
        return self.name.lower()

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:{self.kind}{self.path}{self.name}"


class _WithPolicies(Named, frozen=True, kw_only=True):
    inline: Mapping[str, str] = {}
    """Documents by name."""
    attached: tuple[str, ...] = ()
    """ARNs of managed policies, in the order in which they were attached."""


class User(_WithPolicies, frozen=True, kw_only=True):
    """Somebody with keys of their own."""

    kind = "user"

    groups: tuple[str, ...] = ()
    """Unique ids of groups."""
    boundary: str | None = None
    """ARN of a managed policy."""


class Group(_WithPolicies, frozen=True, kw_only=True):
    """Policies that users share. Never a principal."""

    kind = "group"


class Role(_WithPolicies, frozen=True, kw_only=True):
    """What whoever its trust policy names may act as."""

    kind = "role"

    trust_policy: str
    trust_ids: Mapping[str, str] = {}
    """Unique ids of the users and roles that the trust policy names, by their ARNs as it has them."""
    description: str | None = None
    session_max_s: int = 3600
    boundary: str | None = None
    last_used_at: float | None = None
    last_used_region: str = ""


class PolicyVersion(msgspec.Struct, frozen=True):
    """One document of a managed policy."""

    number: int
    document: str
    created_at: float


class ManagedPolicy(Named, frozen=True, kw_only=True):
    """A policy with an ARN of its own, in up to five versions."""

    kind = "policy"

    versions: tuple[PolicyVersion, ...]
    """By number; numbers are never given again."""
    default_number: int
    next_number: int
    updated_at: float
    description: str | None = None

    @property
    def document(self) -> str:
        """The document that counts."""
        return next(version.document for version in self.versions if version.number == self.default_number)


class InstanceProfile(Named, frozen=True, kw_only=True):
    """A wrapping of a role, for tools that look for it: there are no instances here."""

    kind = "instance-profile"

    role_id: str | None = None


class AccessKey(msgspec.Struct, frozen=True, kw_only=True):
    """
    A long-term key of a user, or of an account's root. Its secret is kept nowhere: it follows from the id
    (`access.secrets`).
    """

    kind: ClassVar[str] = "access-key"

    account: str
    access_key: str
    owner_id: str
    """The user's unique id; the account for root."""
    created_at: float
    is_active: bool = True
    last_used_at: float | None = None
    last_used_service: str = ""
    last_used_region: str = ""

    @property
    def key(self) -> str:
        return self.access_key

    @property
    def unique_id(self) -> str:
        return self.access_key


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account that the operator made, with the limits that differ from the server's own."""

    kind: ClassVar[str] = "account"

    account: str
    name: str
    created_at: float
    is_open: bool = True
    """Whether its keys count. Closing one keeps all that it has."""
    alias: str = ""
    concurrent_executions: int | None = None
    code_total_max_bytes: int | None = None
    """None: as `Quotas` has it."""

    @property
    def key(self) -> str:
        return self.account

    @property
    def unique_id(self) -> str:
        return self.account


Identity: TypeAlias = User | Group | Role | ManagedPolicy | InstanceProfile | AccessKey | Account
IDENTITIES: tuple[type[Any], ...] = (User, Group, Role, ManagedPolicy, InstanceProfile, AccessKey, Account)
