"""Whose an access key is: what is known of keys, sessions and accounts, kept at hand for as long as nothing changes."""

from collections import OrderedDict
from typing import TypeVar

from lambent.access.secrets import BadToken, Secrets
from lambent.domain.access_key import SESSION_KEY, account_of_key
from lambent.domain.identity import AccessKey, Account, Role, User
from lambent.domain.principal import Principal, PrincipalType, root_of
from lambent.store.contract import IdentityStore

_K = TypeVar("_K")
_T = TypeVar("_T")

_KEYS_MAX = 10_000
_STRANGERS_MAX = 10_000
"""Keys that there are, and keys that there are not, of which that is remembered; whoever makes ids up drops no key."""
_SESSIONS_MAX = 1_000
"""Session tokens that are remembered: up to four kilobytes each, and quick to be read again."""
_ACCOUNTS_MAX = 10_000
_OWNERS_MAX = 10_000
"""Of sessions."""


class Keyring:
    """
    Finds principals by their credentials. Verifies nothing but session tokens, which only this server can have made.

    A change of an identity counts from the commit on: what is remembered of its account is dropped.
    """

    def __init__(self, store: IdentityStore, secrets: Secrets) -> None:
        self._store = store
        self._secrets = secrets
        self._keys: OrderedDict[str, tuple[str, Principal]] = OrderedDict()
        self._strangers: OrderedDict[str, str] = OrderedDict()
        self._sessions: OrderedDict[tuple[str, str], tuple[str, Principal]] = OrderedDict()
        self._accounts: OrderedDict[str, bool] = OrderedDict()
        self._owners: OrderedDict[tuple[str, str], bool] = OrderedDict()
        self._changes = 0
        """Counts changes, so that what was read before one is not remembered after it."""
        store.on_change(self._forget)

    async def find(self, access_key: str) -> tuple[str, Principal | None]:
        """
        Return the secret of a long-term key and whose it is.

        A key that there is not, that is inactive, or whose account is closed, is nobody's, and still has a secret: what
        is done with it takes as long as with any.
        """
        known = self._keys.get(access_key)
        if known is not None:
            self._keys.move_to_end(access_key)
            return known
        secret = self._strangers.get(access_key)
        if secret is not None:
            return secret, None
        account = account_of_key(access_key)
        changes = self._changes
        principal = None
        if account is not None and not access_key.startswith(SESSION_KEY):
            principal = await self._look_up(account, access_key)
        secret = self._secrets.of_key(access_key)
        if changes == self._changes and len(access_key) <= 128:
            if principal is None:
                _remember(self._strangers, access_key, secret, _STRANGERS_MAX)
            else:
                _remember(self._keys, access_key, (secret, principal), _KEYS_MAX)
        return secret, principal

    def session(self, access_key: str, session_token: str) -> tuple[str, Principal]:
        """
        Return the secret of temporary credentials, and whose they are; not whether they still hold.

        Raises:
            BadToken: the token was not made here, or for another key.
        """
        name = (access_key, session_token)
        known = self._sessions.get(name)
        if known is None:
            principal = self._secrets.open(access_key, session_token)
            if principal.session is None:
                raise BadToken
            known = self._secrets.of_session(access_key, session_token), principal
            _remember(self._sessions, name, known, _SESSIONS_MAX)
        return known

    async def is_open(self, account: str) -> bool:
        """Say whether an account's credentials count: it was not closed."""
        known = self._accounts.get(account)
        if known is not None:
            return known
        changes = self._changes
        async with self._store.snapshot(account) as rows:
            found = await rows.get(Account, account)
        is_open = found is None or found.is_open
        if changes == self._changes:
            _remember(self._accounts, account, is_open, _ACCOUNTS_MAX)
        return is_open

    async def is_there(self, principal: Principal) -> bool:
        """
        Say whether the user or role of a session is there still, and no other one of its name.

        Of a function whose role was never there the session says who it is, and may nothing.
        """
        assert principal.session is not None
        if principal.session.environment or principal.type not in {PrincipalType.USER, PrincipalType.ROLE}:
            return True
        owner = principal.account, principal.identity_id
        known = self._owners.get(owner)
        if known is not None:
            return known
        changes = self._changes
        kind: type[User] | type[Role] = User if principal.type is PrincipalType.USER else Role
        async with self._store.snapshot(principal.account) as rows:
            is_there = await rows.by_id(kind, principal.identity_id) is not None
        if changes == self._changes:
            _remember(self._owners, owner, is_there, _OWNERS_MAX)
        return is_there

    async def _look_up(self, account: str, access_key: str) -> Principal | None:
        async with self._store.snapshot(account) as rows:
            key = await rows.get(AccessKey, access_key)
            if key is None or not key.is_active:
                return None
            made = await rows.get(Account, account)
            if made is not None and not made.is_open:
                return None
            if key.owner_id == account:
                return root_of(account, access_key)
            user = await rows.by_id(User, key.owner_id)
        if user is None:
            return None
        return Principal(
            PrincipalType.USER,
            account,
            user.arn,
            user.unique_id,
            user.arn,
            name=user.name,
            access_key=access_key,
        )

    def _forget(self, account: str) -> None:
        self._changes += 1
        self._accounts.pop(account, None)
        # Strangers are many only while somebody makes ids up; then they are cheap to lose.
        self._strangers.clear()
        self._owners.clear()
        for access_key in [key for key, (_, principal) in self._keys.items() if principal.account == account]:
            del self._keys[access_key]


def _remember(known: OrderedDict[_K, _T], key: _K, value: _T, most: int) -> None:
    known[key] = value
    if len(known) > most:
        known.popitem(last=False)
