"""STS over a real store, with roles in it."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from lambent.access.authorize import Demand
from lambent.access.role_trust import IamMode, RoleTrust
from lambent.access.secrets import Secrets
from lambent.domain.access_key import ROLE_ID, USER_ID, encode_id
from lambent.domain.caller import Caller, Scope
from lambent.domain.identity import Identity, Role
from lambent.domain.policy import Policies, PolicySet, Value, compile_policy
from lambent.domain.principal import Principal, PrincipalType, root_of
from lambent.services.sts import service
from lambent.store.database import Database
from lambent.store.identities import IdentityRepository
from lambent.testing.virtual_clock import VirtualClock

ACCOUNT, OTHER = "111122223333", "444455556666"
SECRETS = Secrets(bytes(32))
ROOT = root_of(ACCOUNT)


def user_of(account: str = ACCOUNT, name: str = "u") -> Principal:
    arn = f"arn:aws:iam::{account}:user/{name}"
    return Principal(PrincipalType.USER, account, arn, encode_id(USER_ID, account, "1" * 20), arn, name=name)


USER = user_of()


def allowing(*actions: str, resource: str = "*") -> str:
    """Return a policy of an identity."""
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    return msgspec.json.encode({"Version": "2012-10-17", "Statement": [statement]}).decode()


def trusting(principal: Any, *, condition: Mapping[str, Any] | None = None, effect: str = "Allow", **more: Any) -> str:
    """Return a trust policy."""
    statement = {"Effect": effect, "Principal": principal, "Action": "sts:AssumeRole", **more}
    if condition is not None:
        statement["Condition"] = condition
    return msgspec.json.encode({"Version": "2012-10-17", "Statement": [statement]}).decode()


def role_of(name: str, trust_policy: str, account: str = ACCOUNT, **more: Any) -> Role:
    unique_id = encode_id(ROLE_ID, account, name.encode().hex().rjust(20, "0"))
    return Role(account=account, name=name, unique_id=unique_id, created_at=1, trust_policy=trust_policy, **more)


class StsBench:
    """Calls operations as the gateway does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.mode: IamMode = "enforce"
        self.clock = VirtualClock()
        self.stored: list[Identity] = []
        self.policies: dict[str, str] = {}
        """Policies of callers, by ARN."""
        self.told: list[tuple[str, str]] = []
        """Who would not have been allowed what."""

    def call(self, operation: str, principal: Principal = USER, **request: Any) -> Mapping[str, Any]:
        """Call one operation; raises what it raises."""
        scope = Scope(account=principal.account, region="eu-west-1")
        caller = Caller(scope, principal, "none", "1f1b7b1e-0000-4000-8000-000000000001", "http://localhost:4566")

        async def run() -> Mapping[str, Any]:
            async with Database(self._path) as database:
                identities = IdentityRepository(database)
                for identity in self.stored:
                    async with identities.transaction(identity.account) as tx:
                        await tx.save(identity)
                trust = RoleTrust(
                    identities, self, self.mode, lambda who, action, *_: self.told.append((who.arn, action))
                )
                sts = service(trust=trust, identities=identities, secrets=SECRETS, clock=self.clock)
                return await sts.handlers[operation](caller, request)

        return asyncio.run(run())

    def assume(self, role: Role, principal: Principal = USER, **request: Any) -> Mapping[str, Any]:
        return self.call("AssumeRole", principal, **{"RoleArn": role.arn, "RoleSessionName": "s1", **request})

    def become(self, role: Role, principal: Principal = USER, **request: Any) -> Principal:
        """Return the principal that the credentials are."""
        found = self.assume(role, principal, **request)["Credentials"]
        return SECRETS.open(found["AccessKeyId"], found["SessionToken"])

    async def policies_of(self, principal: Principal) -> PolicySet:
        document = self.policies.get(principal.identity_arn)
        return PolicySet(identity=None if document is None else Policies([compile_policy(document)]))

    async def context_of(self, caller: Caller, demand: Demand) -> Mapping[str, Value]:
        return {"aws:principalarn": caller.principal.identity_arn, **demand.context}
