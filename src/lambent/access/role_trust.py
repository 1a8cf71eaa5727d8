"""
Whether a role may be assumed: what its trust policy says, and what whoever asks may do.

Without policies in force (`--iam off`) a role is its account's to assume, while somebody of another account still needs
the trust policy: the key of one account opens no other.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

import msgspec

from lambent.access.authorize import Demand
from lambent.access.modes import IamMode
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

Tell: TypeAlias = Callable[[Principal, str, str, Verdict], None]
"""Is told whom policies would not have allowed which action on which resource."""


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

    @property
    def mode(self) -> IamMode:
        return self._mode

    async def find(self, role_arn: str) -> Role | None:
        """Return a role; None where there is none of exactly this ARN."""
        account = role_arn.split(":")[4]
        async with self._identities.snapshot(account) as rows:
            role = await rows.get(Role, role_arn.rpartition("/")[2])
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

    async def allows_service(self, role_arn: str, service: str) -> bool:
        """Say whether there is a role that a service, e.g. `lambda.amazonaws.com`, may assume."""
        if self._mode == "off":
            return True
        role = await self.find(role_arn)
        demand, principal = Demand(ASSUME_ROLE, role_arn), service_principal(service)
        if role is None:
            verdict = Verdict(False, PolicyKind.TRUST)
        else:
            verdict = decide(_request(principal, role, demand, {}), PolicySet(resource=_compiled(role)), is_trust=True)
        return verdict.is_allowed or self._is_only_told(principal, demand, verdict)

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
        return Policies([compile_policy(role.trust_policy)])
    except MalformedPolicy as error:
        # One that nobody can read grants nothing.
        _log.warning("access.unreadable_trust_policy role=%s reason=%s", role.arn, error)
        return Policies(())
