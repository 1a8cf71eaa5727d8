"""
What speaks for a principal: the policies of its user with the groups, or of its role, the boundary, the session.

Read and compiled once, and kept until an identity changes. A principal is found by its own id, so that whoever is made
anew under an old name has nothing of what the old one had, nor the old one's keys of what the new one has.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from lambent.domain.arn import parse_role_arn
from lambent.domain.identity import Group, ManagedPolicy, Role, User
from lambent.domain.policy import MalformedPolicy, Policies, Policy, PolicySet, compile_policy
from lambent.domain.principal import Principal, PrincipalType, Session, session_of_role
from lambent.store.contract import IdentityRows, IdentityStore

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_log = logging.getLogger("lambent.access")

_CACHE_MAX = 2_000
"""
Principals, sessions with policies of their own, and documents that are kept compiled, of each. Assumed: a user has ten
policies of some kilobytes.
"""

_TOLD_MAX = 1_000
"""ARNs of unknown policies that were told of; beyond, they are told of again."""

_AWS_OWNED = "arn:aws:iam::aws:policy/"

_SERVER_SESSION = Session("lambent", 0.0, 0.0)
"""
What the server calls itself where it acts in the name of a role. Assumed: nobody can see how AWS does
(test_identities).
"""

_DENY_ALL = compile_policy({"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})


class Rights(msgspec.Struct, frozen=True):
    """What speaks for a principal."""

    policies: PolicySet
    """Without a resource's."""
    tags: Mapping[str, str] = {}
    """Of the user or role, and of the session over them."""
    asks_for_tags: bool = False
    """Whether a policy looks at tags of resources."""


class _Identity(msgspec.Struct, frozen=True):
    """What is known of a user or role, whatever the session."""

    policies: Policies | None
    boundary: Policies | None
    tags: Mapping[str, str]


_NOBODY = _Identity(None, None, {})


class Identities:
    """
    Finds the rights of principals.

    Args:
        managed: returns the document of one of AWS's own managed policies, by its ARN; None for one that is not known.
        cache_max: how many of each kind are kept.
    """

    def __init__(self, store: IdentityStore, managed: Callable[[str], str | None], cache_max: int = _CACHE_MAX) -> None:
        self._store = store
        self._managed = managed
        self._identities: _Recent[tuple[str, str], _Identity] = _Recent(cache_max)
        self._rights: _Recent[Hashable, Rights] = _Recent(cache_max)
        self._roles: _Recent[tuple[str, str], Principal] = _Recent(cache_max)
        self._documents: _Recent[tuple[str, str], Policy] = _Recent(cache_max)
        self._told: dict[str, None] = {}
        self._callbacks: list[Callable[[], None]] = []
        self.revision = 0
        """Rises with every change of an identity."""
        store.on_change(self._forget)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back after every change, once nothing old is answered any more. The callback must not raise."""
        self._callbacks.append(callback)

    async def of(self, principal: Principal) -> Rights:
        """
        Return what speaks for a principal.

        A user or role that is gone has nothing; nor have services and nobody. Root has no policies: its account's
        number is enough.
        """
        key = key_of(principal)
        found = self._rights.get(key)
        if found is not None:
            return found
        revision = self.revision
        identity = await self._identity(principal)
        session = await self._of_session(principal)
        tags = {**identity.tags}
        if principal.session is not None and principal.session.tags:
            # Documented: IAM user guide, session tags: they take the place of those that differ in case alone.
            own = {name.lower() for name in principal.session.tags}
            tags = {name: value for name, value in tags.items() if name.lower() not in own} | dict(
                principal.session.tags
            )
        kinds = (identity.policies, identity.boundary, session)
        found = Rights(
            PolicySet(identity=identity.policies, boundary=identity.boundary, session=session),
            tags,
            any(asks_for_tags(kind) for kind in kinds if kind is not None),
        )
        # What was changed while we read may be newer.
        if revision == self.revision:
            self._rights.put(key, found)
        return found

    async def role(self, arn: str) -> Principal | None:
        """Return a session of a role as the server has one where it acts in the role's name; None: there is none."""
        named = parse_role_arn(arn)
        if named is None:
            return None
        account = named.account
        found = self._roles.get((account, arn))
        if found is not None:
            return found
        revision = self.revision
        async with self._store.snapshot(account) as reading:
            role = await reading.get(Role, named.name)
        if role is None or role.arn != arn:
            return None
        found = session_of_role(account, role.name, role.path, role.unique_id, _SERVER_SESSION)
        if revision == self.revision:
            self._roles.put((account, arn), found)
        return found

    async def _identity(self, principal: Principal) -> _Identity:
        if principal.type not in {PrincipalType.USER, PrincipalType.ROLE}:
            return _NOBODY
        key = (principal.account, principal.identity_id)
        found = self._identities.get(key)
        if found is not None:
            return found
        revision = self.revision
        kind: type[User] | type[Role] = User if principal.type is PrincipalType.USER else Role
        async with self._store.snapshot(principal.account) as reading:
            who = await reading.by_id(kind, principal.identity_id)
            if who is None:
                return _NOBODY
            found = await self._compiled(reading, who)
        if revision == self.revision:
            self._identities.put(key, found)
        return found

    async def _compiled(self, reading: IdentityRows, who: User | Role) -> _Identity:
        holders: list[User | Role | Group] = [who]
        if isinstance(who, User):
            groups = [await reading.by_id(Group, group_id) for group_id in who.groups]
            holders += [group for group in groups if group is not None]
        policies: list[Policy] = []
        for holder in holders:
            policies += [self._document(text, name) for name, text in holder.inline.items()]
            policies += await self._managed_policies(reading, who.account, holder.attached)
        boundary = None
        if who.boundary is not None:
            boundary = Policies(await self._managed_policies(reading, who.account, (who.boundary,)))
        return _Identity(Policies(policies), boundary, who.tags)

    async def _of_session(self, principal: Principal) -> Policies | None:
        """
        Return the policies that were given to a session, which then has no more than they allow; None: it got none.
        """
        session = principal.session
        if session is None or not (session.policies or session.policy_arns):
            return None
        policies = [self._document(text, "") for text in session.policies]
        if session.policy_arns:
            async with self._store.snapshot(principal.account) as reading:
                policies += await self._managed_policies(reading, principal.account, session.policy_arns)
        return Policies(policies)

    async def _managed_policies(self, reading: IdentityRows, account: str, arns: Iterable[str]) -> list[Policy]:
        found: list[Policy] = []
        for arn in arns:
            name = arn.rpartition("/")[2]
            if arn.startswith(_AWS_OWNED):
                document = self._managed(arn)
            else:
                policy = await reading.get(ManagedPolicy, name)
                document = policy.document if policy is not None and policy.arn == arn else None
            if document is None:
                self._tell_unknown(account, arn)
            else:
                found.append(self._document(document, name))
        return found

    def _document(self, text: str, name: str) -> Policy:
        key = (name, text)
        found = self._documents.get(key)
        if found is None:
            found = compile_or_deny(text, name)
            self._documents.put(key, found)
        return found

    def _tell_unknown(self, account: str, arn: str) -> None:
        if arn in self._told:
            return
        if len(self._told) >= _TOLD_MAX:
            self._told.clear()
        self._told[arn] = None
        _log.warning("access.policy_unknown account=%s arn=%s grants=nothing", account, arn)

    def _forget(self, account: str) -> None:
        self.revision += 1
        self._identities.clear()
        self._rights.clear()
        self._roles.clear()
        for callback in self._callbacks:
            callback()


def key_of(principal: Principal) -> Hashable:
    """Return what tells a principal from all others that policies make something else of."""
    session = principal.session
    if session is None:
        return principal.account, principal.unique_id, principal.type, principal.arn
    given = (session.policies, session.policy_arns, tuple(session.tags.items()))
    return principal.account, principal.unique_id, principal.type, principal.arn, given


def compile_or_deny(document: str | Mapping[str, Any], name: str) -> Policy:
    """
    Compile a stored document. One that is none denies everything: what it may have denied is not known.

    Documented: IAM user guide, policy evaluation logic: an error while evaluating ends in a denial.
    """
    try:
        return compile_policy(document, name=name)
    except MalformedPolicy as error:
        _log.error("access.policy_malformed name=%s reason=%s", name, error)
        return _DENY_ALL


def asks_for_tags(policies: Policies) -> bool:
    """Say whether policies look at tags of resources."""
    return any(key.startswith(("aws:resourcetag/", "iam:resourcetag/")) for key in policies.keys)


class _Recent(Generic[K, V]):
    """What was used lately; the least recently used leaves."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: K, value: V) -> None:
        self._kept[key] = value
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        self._kept.clear()
