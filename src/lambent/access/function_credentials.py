"""
Credentials of execution environments: sessions of their functions' execution roles, which end with the environment.

What an environment starts with is made to last as long as it may live, and counts only while it is there: whoever has
it longer has nothing. An environment may also ask for credentials that last an hour, with a token that it alone has.

Documented: Lambda developer guide, defined runtime environment variables; SnapStart, temporary credentials. Observed:
denials in field reports: the session goes by the function's name.
"""

import hashlib
import hmac
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from lambent.access.secrets import Credentials, Secrets
from lambent.clock import Clock
from lambent.domain.access_key import ROLE_ID, encode_id
from lambent.domain.arn import function_arn, parse_role_arn
from lambent.domain.caller import Inside
from lambent.domain.function import Deployment
from lambent.domain.identity import Role
from lambent.domain.principal import Principal, Session, session_of_role
from lambent.store.contract import IdentityStore

FRESH_S = 3_600
"""How long credentials last that an environment asks for. Documented: SnapStart's are temporary and refreshed."""

OUTLIVES_S = 1_800
"""
What an environment may live beyond its age: its last invocation, fifteen minutes at most, begins before that, and its
start and end take time. Assumed: twice as much is enough (test_function_credentials).
"""

_ROLES_MAX = 1_000
"""Roles whose ids are kept. Assumed: more than are in use at once (test_function_credentials)."""

RoleIdOf = Callable[[str, str], Awaitable[str | None]]
"""Returns the id of a role by its account and ARN; None where there is none. Raises DependencyError."""


class RoleIds:
    """Finds the ids of roles; each is looked up once, until an identity of its account changes."""

    def __init__(self, identities: IdentityStore) -> None:
        self._identities = identities
        self._known: OrderedDict[tuple[str, str], str | None] = OrderedDict()
        self._revision = 0
        identities.on_change(self._forget)

    async def __call__(self, account: str, role_arn: str) -> str | None:
        named = parse_role_arn(role_arn)
        if named is None or named.account != account:
            return None
        key = (account, role_arn)
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        revision = self._revision
        async with self._identities.snapshot(account) as rows:
            role = await rows.get(Role, named.name)
        found = role.unique_id if role is not None and role.arn == role_arn else None
        # What changed while we read may be newer.
        if revision == self._revision:
            self._known[key] = found
            if len(self._known) > _ROLES_MAX:
                self._known.popitem(last=False)
        return found

    def _forget(self, account: str) -> None:
        self._revision += 1
        for key in [key for key in self._known if key[0] == account]:
            del self._known[key]


class EnvironmentCredentials:
    """
    The credentials of one environment, from `FunctionCredentials.begin` to `end`.

    Attributes:
        environment: its id.
        token: what it shows to be given fresh credentials.
    """

    def __init__(self, owner: "FunctionCredentials", environment: str, token: str, principal: Principal) -> None:
        self.environment = environment
        self.token = token
        self.principal = principal
        """The session as the server itself has it, without a key."""
        self._owner = owner

    def issue(self) -> Credentials:
        """Return credentials that last as long as the environment may."""
        return self._owner.issue(self.principal)

    def refresh(self, token: str) -> Credentials | None:
        """Return credentials for an hour to who shows the environment's token; None to anybody else."""
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            return None
        return self._owner.issue(self.principal, FRESH_S)

    def end(self) -> None:
        """Have none of them count any more. Idempotent."""
        self._owner.forget(self.environment)


class FunctionCredentials:
    """
    Gives environments their credentials, and knows which of them are there.

    Kept in memory alone: after a restart no environment of before is there, and nothing that it had counts.

    Args:
        lasts_s: how long an environment may live.
    """

    def __init__(self, secrets: Secrets, role_id_of: RoleIdOf, clock: Clock, *, lasts_s: float) -> None:
        self._secrets = secrets
        self._role_id_of = role_id_of
        self._clock = clock
        self._lasts_s = math.ceil(lasts_s) + OUTLIVES_S
        self._alive: dict[str, EnvironmentCredentials] = {}

    async def begin(self, deployment: Deployment) -> EnvironmentCredentials:
        """
        Return the credentials of a new environment.

        They are of the function's own account, whatever its role's ARN says, and of the role that has this ARN now; one
        that is not there may nothing.

        Raises:
            DependencyError: the role cannot be looked up.
        """
        scope, role_arn = deployment.scope, deployment.configuration.role
        path, name = _named(role_arn)
        role_id = await self._role_id_of(scope.account, role_arn)
        now = math.floor(self._clock.now())
        environment = self._clock.new_id()
        session = Session(
            name=deployment.name,
            issued_at=now,
            expires_at=now + self._lasts_s,
            environment=environment,
            function_arn=function_arn(scope, deployment.name),
        )
        principal = session_of_role(scope.account, name, path, role_id or _no_id(scope.account, role_arn), session)
        made = EnvironmentCredentials(self, environment, self._clock.token_hex(32), principal)
        self._alive[environment] = made
        return made

    def is_alive(self, environment: str) -> bool:
        """Say whether an environment is there: else its credentials do not count, however long they were to last."""
        return environment in self._alive

    def session_of(self, inside: Inside) -> Principal | None:
        """Return the session of the function that runs in an environment; None where it is not there."""
        found = self._alive.get(inside.environment)
        return None if found is None else found.principal

    def issue(self, principal: Principal, lasts_s: int | None = None) -> Credentials:
        """Return credentials of an environment's session, anew for so long; None: as long as it may last."""
        assert principal.session is not None
        if lasts_s is not None:
            now = math.floor(self._clock.now())
            session = replace(principal.session, issued_at=now, expires_at=now + lasts_s)
            principal = replace(principal, session=session)
        return self._secrets.issue(principal, self._clock.token_hex(10))

    def forget(self, environment: str) -> None:
        """Have nothing of an environment count any more."""
        self._alive.pop(environment, None)


def _named(role_arn: str) -> tuple[str, str]:
    """Return path and name of a role. Whatever else stands in the place of an ARN is a name."""
    role = parse_role_arn(role_arn)
    if role is not None:
        return role.path, role.name
    # As long as a role's at most: a session token has its limits.
    return "/", role_arn.rpartition("/")[2][:64]


def _no_id(account: str, role_arn: str) -> str:
    """Return the id of a role that is not there: the same each time, and with a character that no role's has."""
    drawn = hashlib.sha256(role_arn.encode()).hexdigest()
    return encode_id(ROLE_ID, account, drawn)[:-1] + "0"
