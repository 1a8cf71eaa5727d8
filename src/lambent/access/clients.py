"""
Accounts and access keys as the operator makes them, of any account.

What users of an account do with their own keys goes by IAM's API. Rules that both have are functions here.
"""

import re
from collections.abc import AsyncIterator, Sequence

import msgspec

from lambent.access.secrets import Secrets
from lambent.clock import Clock
from lambent.domain.access_key import USER_ID, USER_KEY, account_of_key, encode_id
from lambent.domain.identity import AccessKey, Account, User
from lambent.store.contract import Conflict, IdentityRows, IdentityStore

KEYS_MAX = 2
"""Of one user, or of root. Documented: IAM user guide, quotas."""
ACCOUNTS_MAX = 10_000
"""Assumed: far more than one server has room for; all of them are listed at once (test_clients)."""
_USERS_AT_ONCE = 1_000
LISTED_MAX = 10_000
"""Keys in one list: all of the users that an account may have. Documented: IAM user guide, quotas: 5,000."""

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
"""Documented: AWS managed policies."""
ADMIN = "admin"
"""The user whose key is made when nothing else is said."""

_ACCOUNT = re.compile(r"[0-9]{12}")
_USER = re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}")
"""Documented: IAM API reference, CreateUser."""
_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,50}")
"""Documented: Organizations API reference, CreateAccount: up to fifty characters. Assumed: none that ends a line."""


class Refused(Exception):
    """
    It cannot be done.

    Args:
        code: as errors of IAM name it.
        text: for whoever asked.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class NewKey(msgspec.Struct, frozen=True):
    """A key just made. Its secret is shown to whoever made it, and never again."""

    access_key: str
    secret_key: str
    account: str
    user: str | None
    """None: it is the root's."""
    has_new_account: bool = False
    has_new_user: bool = False
    has_policies: bool = True
    """Whether its owner may do anything: root, and a user that has a policy or is in a group."""


class ShownKey(msgspec.Struct, frozen=True):
    """A key as lists show it."""

    access_key: str
    account: str
    user: str | None
    is_active: bool
    created_at: float
    last_used_at: float | None
    last_used_service: str
    last_used_region: str


def check_account(number: str) -> None:
    """
    Check an account's number.

    Raises:
        Refused: it is none.
    """
    if _ACCOUNT.fullmatch(number) is None:
        raise Refused("ValidationError", f"{number[:40]!r} is no account: accounts are twelve digits")


async def new_key(rows: IdentityRows, account: str, owner_id: str, clock: Clock) -> AccessKey:
    """
    Make a key of a user, or of root, in a transaction.

    Raises:
        Refused: there are two.
    """
    if len(await rows.keys_of(owner_id)) >= KEYS_MAX:
        # Assumed: the text that emulators have (test_clients).
        raise Refused("LimitExceeded", f"Cannot exceed quota for AccessKeysPerUser: {KEYS_MAX}")
    access_key = encode_id(USER_KEY, account, clock.token_hex(16))
    key = AccessKey(account=account, access_key=access_key, owner_id=owner_id, created_at=float(int(clock.now())))
    await rows.save(key)
    return key


class Clients:
    """
    Makes accounts and keys, lists and ends them.

    Args:
        account: the operator's own, which nobody has to make.
    """

    def __init__(self, identities: IdentityStore, secrets: Secrets, account: str, clock: Clock) -> None:
        self._identities = identities
        self._secrets = secrets
        self._own = account
        self._clock = clock

    async def has_keys(self) -> bool:
        """Say whether there is any key."""
        return await self._identities.has_keys()

    async def create_key(
        self, account: str | None, user: str | None, *, is_root: bool = False, is_admin: bool = False
    ) -> NewKey:
        """
        Make a key, with its user and account where they are not there.

        Args:
            account: None: the operator's own.
            user: None: `admin`.
            is_root: whether it is the account's own instead of a user's.
            is_admin: whether the user is to have AdministratorAccess.

        Raises:
            Refused: a name is none, the account is closed, or the owner has two keys.
        """
        account = self._own if account is None else account
        check_account(account)
        if is_root and (user is not None or is_admin):
            raise Refused("ValidationError", "the root of an account is no user, and may do everything as it is")
        name = ADMIN if user is None else user
        if _USER.fullmatch(name) is None:
            raise Refused(
                "ValidationError",
                f"{name[:70]!r} is no user's name: up to 64 letters, digits and characters of +=,.@_-",
            )
        await self._check_room(account)
        async with self._identities.transaction(account) as rows:
            has_new_account = await self._open_account(rows, account)
            if is_root:
                made = await new_key(rows, account, account, self._clock)
                return self._shown_once(made, None, has_new_account=has_new_account)
            found = await rows.get(User, name)
            owner = found or self._new_user(account, name)
            if is_admin and ADMINISTRATOR not in owner.attached:
                owner = msgspec.structs.replace(owner, attached=(*owner.attached, ADMINISTRATOR))
            if owner != found:
                await rows.save(owner)
            made = await new_key(rows, account, owner.unique_id, self._clock)
        return self._shown_once(
            made,
            owner.name,
            has_new_account=has_new_account,
            has_new_user=found is None,
            has_policies=bool(owner.attached or owner.inline or owner.groups),
        )

    async def first_key(self) -> NewKey | None:
        """Make the first key of all, that of an administrator; None where there is one."""
        if await self._identities.has_keys():
            return None
        return await self.create_key(None, None, is_admin=True)

    async def list_keys(self, account: str | None = None) -> tuple[list[ShownKey], bool]:
        """
        Return the keys of an account, or of the operator's and all that were made, and whether these are all.

        Raises:
            Refused: the account is none.
        """
        if account is not None:
            check_account(account)
            numbers = [account]
        else:
            numbers = sorted({self._own, *(one.account for one in await self._identities.accounts())})
        shown: list[ShownKey] = []
        for number in numbers:
            async for key, user in self._keys_of(number):
                if len(shown) >= LISTED_MAX:
                    return shown, False
                shown.append(_shown(key, user))
        return shown, True

    async def rotate_key(self, access_key: str) -> NewKey:
        """
        Make another key for whoever has one. That one goes on to count.

        Raises:
            Refused: there is no such key, or its owner has two.
        """
        async with self._identities.transaction(_account_of(access_key)) as rows:
            key = await _existing(rows, access_key)
            user = None if key.owner_id == key.account else await rows.by_id(User, key.owner_id)
            if (await self._account(rows, key.account)) is False:
                raise _closed(key.account)
            made = await new_key(rows, key.account, key.owner_id, self._clock)
        return self._shown_once(made, None if user is None else user.name)

    async def revoke_key(self, access_key: str, *, is_kept: bool = False) -> None:
        """
        End a key.

        Args:
            is_kept: whether it stays, inactive.

        Raises:
            Refused: there is no such key.
        """
        async with self._identities.transaction(_account_of(access_key)) as rows:
            key = await _existing(rows, access_key)
            if is_kept:
                await rows.save(msgspec.structs.replace(key, is_active=False))
            else:
                await rows.delete(AccessKey, access_key)

    async def create_account(
        self,
        name: str,
        account: str | None = None,
        *,
        concurrent_executions: int | None = None,
        code_total_max_bytes: int | None = None,
    ) -> Account:
        """
        Make an account, or the entry of one that has been used without.

        Args:
            account: its number; None: a fresh one.

        Raises:
            Refused: there is one, or something is not what it has to be.
        """
        _check_name(name)
        number = account if account is not None else self._fresh_number()
        check_account(number)
        await self._check_room(number)
        made = Account(
            account=number,
            name=name,
            created_at=float(int(self._clock.now())),
            concurrent_executions=concurrent_executions,
            code_total_max_bytes=code_total_max_bytes,
        )
        async with self._identities.transaction(number) as rows:
            if await rows.get(Account, number) is not None:
                raise Refused("EntityAlreadyExists", f"account {number} is there already")
            try:
                await rows.save(made)
            except Conflict:
                raise Refused("EntityAlreadyExists", f"account {number} is there already") from None
        return made

    async def update_account(self, account: str, changes: dict[str, object]) -> Account:
        """
        Change an account.

        Args:
            changes: new values by field: `name`, `is_open`, `concurrent_executions`, `code_total_max_bytes`, of which
                None gives the last two the server's own again.

        Raises:
            Refused: there is no such account, or it is the operator's and would be closed.
        """
        check_account(account)
        if "name" in changes:
            _check_name(str(changes["name"]))
        if changes.get("is_open") is False and account == self._own:
            raise Refused("ValidationError", f"{account} is the operator's own account: nobody could open it again")
        async with self._identities.transaction(account) as rows:
            found = await rows.get(Account, account)
            if found is None:
                if account != self._own:
                    raise Refused("NoSuchEntity", f"there is no account {account}: `lambent accounts create` makes one")
                found = self._entry(account)
            changed = msgspec.structs.replace(found, **changes)
            await rows.save(changed)
        return changed

    async def list_accounts(self) -> Sequence[Account]:
        """Return the accounts that were made, and the operator's own."""
        made = await self._identities.accounts()
        if any(one.account == self._own for one in made):
            return made
        return [msgspec.structs.replace(self._entry(self._own), created_at=0.0), *made]

    async def _open_account(self, rows: IdentityRows, account: str) -> bool:
        """Make an account's entry if it needs one; return whether it did. Raises Refused where it is closed."""
        is_open = await self._account(rows, account)
        if is_open is False:
            raise _closed(account)
        if is_open is not None or account == self._own:
            return False
        await rows.save(self._entry(account))
        return True

    @staticmethod
    async def _account(rows: IdentityRows, account: str) -> bool | None:
        """Return whether an account is open; None where it has no entry."""
        found = await rows.get(Account, account)
        return None if found is None else found.is_open

    async def _check_room(self, account: str) -> None:
        made = await self._identities.accounts()
        if len(made) >= ACCOUNTS_MAX and all(one.account != account for one in made):
            raise Refused("LimitExceeded", f"there are {ACCOUNTS_MAX} accounts, and no more can be made")

    async def _keys_of(self, account: str) -> AsyncIterator[tuple[AccessKey, str | None]]:
        async with self._identities.snapshot(account) as rows:
            for key in await rows.keys_of(account):
                yield key, None
            after = ""
            while users := await rows.list(User, after=after, limit=_USERS_AT_ONCE):
                for user in users:
                    for key in await rows.keys_of(user.unique_id):
                        yield key, user.name
                after = users[-1].key

    def _entry(self, account: str) -> Account:
        return Account(account=account, name=account, created_at=float(int(self._clock.now())))

    def _new_user(self, account: str, name: str) -> User:
        return User(
            account=account,
            name=name,
            unique_id=encode_id(USER_ID, account, self._clock.token_hex(16)),
            created_at=float(int(self._clock.now())),
        )

    def _fresh_number(self) -> str:
        # Never with a zero in front, which spreadsheets and shells lose.
        return str(10**11 + int(self._clock.token_hex(16), 16) % (9 * 10**11))

    def _shown_once(
        self,
        key: AccessKey,
        user: str | None,
        *,
        has_new_account: bool = False,
        has_new_user: bool = False,
        has_policies: bool = True,
    ) -> NewKey:
        secret = self._secrets.of_key(key.access_key)
        return NewKey(key.access_key, secret, key.account, user, has_new_account, has_new_user, has_policies)


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise Refused("ValidationError", "an account's name has one to fifty characters, and no controls")


def _account_of(access_key: str) -> str:
    account = account_of_key(access_key)
    if account is None:
        raise _no_such(access_key)
    return account


async def _existing(rows: IdentityRows, access_key: str) -> AccessKey:
    found = await rows.get(AccessKey, access_key)
    if found is None:
        raise _no_such(access_key)
    return found


def _no_such(access_key: str) -> Refused:
    # Assumed: the text that emulators have (test_clients).
    return Refused("NoSuchEntity", f"The Access Key with id {access_key[:128]} cannot be found")


def _closed(account: str) -> Refused:
    return Refused("AccountClosed", f"account {account} is closed: `lambent accounts update {account} --open` opens it")


def _shown(key: AccessKey, user: str | None) -> ShownKey:
    return ShownKey(
        key.access_key,
        key.account,
        user,
        key.is_active,
        key.created_at,
        key.last_used_at,
        key.last_used_service,
        key.last_used_region,
    )
