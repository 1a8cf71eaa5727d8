"""Users and roles of two accounts, on a real store, for tests of what they may do."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lambent.access.audit import Audit
from lambent.access.authorize import Demand, Policed
from lambent.access.identities import Identities
from lambent.domain.caller import Caller, Scope
from lambent.domain.identity import Group, ManagedPolicy, PolicyVersion, Role, User
from lambent.domain.policy import Policies, compile_policy
from lambent.domain.principal import Principal, PrincipalType, Session, session_of_role
from lambent.store.database import Database
from lambent.store.identities import IdentityRepository
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

A, X = "111122223333", "444455556666"
F = f"arn:aws:lambda:eu-west-1:{A}:function:f"
INVOKE = "lambda:InvokeFunction"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
USER_ID, ROLE_ID = "AIDA2222222222222222A", "AROA2222222222222222A"


def policy(effect: str = "Allow", action: Any = "*", resource: Any = "*", **more: Any) -> str:
    """Return a document of one statement."""
    statement = {"Effect": effect, "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def user(account: str = A, name: str = "u", unique_id: str = USER_ID, **more: Any) -> User:
    return User(account=account, name=name, unique_id=unique_id, created_at=0.0, **more)


def role(account: str = A, name: str = "r", unique_id: str = ROLE_ID, **more: Any) -> Role:
    return Role(account=account, name=name, unique_id=unique_id, created_at=0.0, trust_policy="{}", **more)


def group(name: str = "g", unique_id: str = "AGPA2222222222222222A", **more: Any) -> Group:
    return Group(account=A, name=name, unique_id=unique_id, created_at=0.0, **more)


def managed(name: str, document: str, account: str = A) -> ManagedPolicy:
    return ManagedPolicy(
        account=account,
        name=name,
        unique_id=f"ANPA{name}",
        created_at=0.0,
        versions=(PolicyVersion(1, document, 0.0),),
        default_number=1,
        next_number=2,
        updated_at=0.0,
    )


def as_user(who: User, session: Session | None = None) -> Principal:
    return Principal(PrincipalType.USER, who.account, who.arn, who.unique_id, who.arn, name=who.name, session=session)


def as_session(who: Role, name: str = "s", **more: Any) -> Principal:
    return session_of_role(who.account, who.name, who.path, who.unique_id, Session(name, 1.0, 9e9, **more))


def calling(principal: Principal) -> Caller:
    return Caller(Scope(principal.account, "eu-west-1"), principal, "signature", "id", "https://x", is_secure=True)


class Facts:
    """One resource, with a policy and tags that tests set; counts looks at it."""

    def __init__(self, document: str | None = None, tags: Mapping[str, str] | None = None) -> None:
        self.document, self.own_tags = document, tags or {}
        self.revision = 0
        self.looks = 0
        self.tag_looks = 0

    async def completed(self, demand: Demand) -> Demand:
        return demand

    async def policy(self, demand: Demand) -> Policies | None:
        self.looks += 1
        return None if self.document is None else Policies((compile_policy(self.document),))

    async def tags(self, demand: Demand) -> Mapping[str, str]:
        self.tag_looks += 1
        return self.own_tags


class People:
    """The store, what is found in it, and the authorizer."""

    def __init__(self, store: IdentityRepository, clock: VirtualClock, *, is_audit: bool) -> None:
        self.store, self.clock = store, clock
        self.asked: list[str] = []
        self.identities = Identities(store, self._managed)
        self.audit = Audit(clock) if is_audit else None
        self.authorizer = Policed(self.identities, clock, self.audit)

    def _managed(self, arn: str) -> str | None:
        self.asked.append(arn)
        return policy() if arn == ADMIN else None

    async def put(self, *identities: Any) -> None:
        for identity in identities:
            async with self.store.transaction(identity.account) as rows:
                await rows.save(identity)

    async def ask(self, principal: Principal, demands: Demand | Sequence[Demand], facts: Facts | None = None) -> None:
        wanted = (demands,) if isinstance(demands, Demand) else demands
        await self.authorizer.authorize(calling(principal), wanted, facts)


@asynccontextmanager
async def people(folder: Path, *, is_audit: bool = False) -> AsyncIterator[People]:
    path = folder / "state.db"
    make_sqlite(path)
    async with Database(path) as database:
        yield People(IdentityRepository(database), VirtualClock(), is_audit=is_audit)
