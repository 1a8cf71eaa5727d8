"""
Whether a role may be assumed: what its trust policy says, and what whoever asks may do.

Without policies in force (`--iam off`) a role is its account's to assume, while somebody of another account still needs
the trust policy: the key of one account opens no other.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

import msgspec

from lambent.access.authorize import Demand
from lambent.access.conditions import Conditions
from lambent.access.identities import Identities
from lambent.access.modes import IamMode
from lambent.clock import Clock
from lambent.domain.arn import parse_role_arn
from lambent.domain.caller import Caller
from lambent.domain.identity import Role
from lambent.domain.policy import (
    AccessRequest,
    MalformedPolicy,
    Policies,
    PolicyKind,
    PolicySet,
    Value,
    Verdict,
    compile_policy,
    decide,
)
from lambent.domain.principal import Principal, service_principal
from lambent.store.contract import IdentityStore

_log = logging.getLogger("lambent.access")

ASSUME_ROLE = "sts:AssumeRole"

_ROLES_MAX = 2000
"""Roles whose trust policies are remembered; the one that was asked least recently goes."""

Tell: TypeAlias = Callable[[Principal, str, str, Verdict], None]
"""Is told whom policies would not have allowed which action on which resource."""


class ForeignRole(Exception):
    """A role is another account's than whatever is to have it."""


class NotTrusted(Exception):
    """A role is not there, or its trust policy does not let a service in."""


class Rights(Protocol):
    """What is known of whoever asks."""

    async def policies_of(self, principal: Principal) -> PolicySet:
        """Return what has a say of a principal's requests beside the resource's own policy."""
        ...

    async def context_of(self, caller: Caller, demand: Demand) -> Mapping[str, Value]:
        """Return the condition keys of a request, those of the demand included."""
        ...


class NoRights:
    """Nothing is known of anybody: only what trust policies grant by name is granted."""

    async def policies_of(self, principal: Principal) -> PolicySet:
        return PolicySet()

    async def context_of(self, caller: Caller, demand: Demand) -> Mapping[str, Value]:
        return demand.context


class CallerRights:
    """What identities have, and all that policies may ask of a request."""

    def __init__(self, identities: Identities, clock: Clock) -> None:
        self._identities = identities
        self._clock = clock

    async def policies_of(self, principal: Principal) -> PolicySet:
        return (await self._identities.of(principal)).policies

    async def context_of(self, caller: Caller, demand: Demand) -> Mapping[str, Value]:
        tags = (await self._identities.of(caller.principal)).tags
        # The role's tags are among the keys of the demand.
        account, now = demand.resource.split(":")[4], self._clock.now()
        return Conditions(caller.principal, tags, demand.action, demand.context, caller, account, {}, now)


class RoleTrust:
    """
    Finds roles, and asks their trust policies.

    Args:
        rights: what callers may do themselves.
        mode: what policies do.
        tell: hears in the mode `audit` of what would be denied.
    """

    def __init__(self, identities: IdentityStore, rights: Rights, mode: IamMode, tell: Tell | None = None) -> None:
        self._identities = identities
        self._rights = rights
        self._mode = mode
        self._tell = tell or _log_denial
        self._kept: OrderedDict[str, tuple[Role, Policies] | None] = OrderedDict()
        self._generation = 0
        identities.on_change(self._forget)

    @property
    def mode(self) -> IamMode:
        return self._mode

    async def find(self, role_arn: str) -> Role | None:
        """Return a role; None where there is none of exactly this ARN."""
        named = parse_role_arn(role_arn)
        if named is None:
            return None
        async with self._identities.snapshot(named.account) as rows:
            role = await rows.get(Role, named.name)
        # Names are found in any case and on any path; an ARN is the whole of it.
        return role if role is not None and role.arn == role_arn else None

    async def may_assume(self, caller: Caller, role: Role, demand: Demand) -> bool:
        """Say whether a caller may assume a role, or bring what the demand says into the session."""
        principal = caller.principal
        trust = _compiled(role)
        if self._mode == "off":
            if principal.account == role.account:
                return True
            given = await self._rights.context_of(caller, demand)
            return decide(_request(principal, role, demand, given), _granting(trust), is_trust=True).is_allowed
        context = await self._rights.context_of(caller, demand)
        own = await self._rights.policies_of(principal)
        policies = msgspec.structs.replace(own, resource=trust)
        verdict = decide(_request(principal, role, demand, context), policies, is_trust=True)
        return verdict.is_allowed or self._is_only_told(principal, demand, verdict)

    async def allows_service(self, role_arn: str, service: str, context: Mapping[str, Value] = {}) -> bool:
        """
        Say whether there is a role that a service, e.g. `lambda.amazonaws.com`, may assume.

        Roles that were asked for lately are remembered, so that a warm request never touches the store.

        Args:
            context: condition keys in small letters.

        Documented: IAM user guide, roles: a service assumes a role as itself, and the trust policy decides.
        """
        if self._mode == "off":
            return True
        demand, principal = Demand(ASSUME_ROLE, role_arn), service_principal(service)
        known = await self._known(role_arn)
        if known is None:
            verdict = Verdict(False, PolicyKind.TRUST)
        else:
            role, trust = known
            verdict = decide(_request(principal, role, demand, context), PolicySet(resource=trust), is_trust=True)
        return verdict.is_allowed or self._is_only_told(principal, demand, verdict)

    async def check_service(self, account: str, role_arn: str, service: str) -> None:
        """
        Refuse a role that a service is not to act as. Without policies in force none is looked at.

        Args:
            account: whose the resource is that is to have the role.
            service: for instance `lambda.amazonaws.com`.

        Raises:
            ForeignRole: it is another account's.
            NotTrusted: there is none, or its trust policy does not let the service in.
        """
        named = parse_role_arn(role_arn)
        if self._mode != "off" and (named is None or named.account != account):
            demand, verdict = Demand(ASSUME_ROLE, role_arn), Verdict(False, PolicyKind.TRUST)
            if not self._is_only_told(service_principal(service), demand, verdict):
                raise ForeignRole(role_arn)
        elif not await self.allows_service(role_arn, service):
            raise NotTrusted(role_arn)

    async def _known(self, role_arn: str) -> tuple[Role, Policies] | None:
        if role_arn in self._kept:
            self._kept.move_to_end(role_arn)
            return self._kept[role_arn]
        generation = self._generation
        role = await self.find(role_arn)
        known = None if role is None else (role, _compiled(role))
        # A notice that came while we read may have been about this very role: do not keep what might be stale.
        if generation == self._generation:
            self._kept[role_arn] = known
            if len(self._kept) > _ROLES_MAX:
                self._kept.popitem(last=False)
        return known

    def _forget(self, account: str) -> None:
        self._generation += 1
        for role_arn in list(self._kept):
            named = parse_role_arn(role_arn)
            if named is not None and named.account == account:
                del self._kept[role_arn]

    def _is_only_told(self, principal: Principal, demand: Demand, verdict: Verdict) -> bool:
        if self._mode == "enforce":
            return False
        self._tell(principal, demand.action, demand.resource, verdict)
        return True


def _log_denial(principal: Principal, action: str, resource: str, verdict: Verdict) -> None:
    _log.warning(
        "access.would_deny principal=%s action=%s resource=%s why=%r",
        principal.arn,
        action,
        resource,
        verdict.why(action),
    )


_EVERYTHING = Policies(
    [compile_policy({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})]
)


def _granting(trust: Policies) -> PolicySet:
    """Return the policies of a caller that may do everything, and a role's."""
    return PolicySet(identity=_EVERYTHING, resource=trust)


def _request(principal: Principal, role: Role, demand: Demand, context: Mapping[str, Value]) -> AccessRequest:
    return AccessRequest(principal, demand.action, role.arn, role.account, context)


def _compiled(role: Role) -> Policies:
    try:
        return Policies([compile_policy(role.trust_policy, ids=role.trust_ids)])
    except MalformedPolicy as error:
        # One that nobody can read grants nothing.
        _log.warning("access.unreadable_trust_policy role=%s reason=%s", role.arn, error)
        return Policies(())
