"""Access keys: long-term ones of users, and of an account's root. Their secrets are shown once and kept nowhere."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from lambent.access.secrets import Secrets
from lambent.clock import Clock
from lambent.domain.access_key import USER_KEY, encode_id
from lambent.domain.caller import Caller
from lambent.domain.identity import AccessKey, User
from lambent.errors.api.iam import NoSuchEntityException
from lambent.protocol.shapes.iam import (
    CreateAccessKeyRequest,
    DeleteAccessKeyRequest,
    GetAccessKeyLastUsedRequest,
    ListAccessKeysRequest,
    UpdateAccessKeyRequest,
)
from lambent.services.iam.identities import whole
from lambent.services.iam.limits import KEYS_PER_USER
from lambent.services.iam.paging import requested_page
from lambent.services.iam.refusals import check_quota, invalid_value
from lambent.services.iam.shown import moment
from lambent.services.iam.users import find_or_caller
from lambent.services.operation import operation
from lambent.store.contract import IdentityRows, IdentityStore

_STATUSES = {True: "Active", False: "Inactive"}


class AccessKeys:
    """
    Keys.

    Args:
        flush_uses: writes down which keys were used lately.
    """

    def __init__(
        self, store: IdentityStore, secrets: Secrets, clock: Clock, flush_uses: Callable[[], Awaitable[None]]
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._clock = clock
        self._flush_uses = flush_uses

    @operation("CreateAccessKey")
    async def create(self, caller: Caller, request: CreateAccessKeyRequest) -> Mapping[str, Any]:
        account = caller.scope.account
        async with self._store.transaction(account) as tx:
            owner_id, named = await _owner(tx, caller, request)
            check_quota(await tx.keys_of(owner_id), "AccessKeysPerUser", KEYS_PER_USER)
            key = AccessKey(
                account=account,
                access_key=encode_id(USER_KEY, account, self._clock.token_hex(16)),
                owner_id=owner_id,
                created_at=whole(self._clock.now()),
            )
            await tx.save(key)
        return {"AccessKey": {**_shown(key, named), "SecretAccessKey": self._secrets.of_key(key.access_key)}}

    @operation("ListAccessKeys")
    async def list(self, caller: Caller, request: ListAccessKeysRequest) -> Mapping[str, Any]:
        page = requested_page(request)
        async with self._store.snapshot(caller.scope.account) as rows:
            owner_id, named = await _owner(rows, caller, request)
            keys = await rows.keys_of(owner_id)
        return page.of(keys, lambda key: key.key).answer("AccessKeyMetadata", lambda key: _shown(key, named))

    @operation("UpdateAccessKey")
    async def update(self, caller: Caller, request: UpdateAccessKeyRequest) -> Mapping[str, Any]:
        status = request["Status"]
        if status not in _STATUSES.values():
            # Keys expire on AWS alone: nobody may say that one has.
            raise invalid_value(status, "Status")
        async with self._store.transaction(caller.scope.account) as tx:
            key = await _key(tx, caller, request)
            await tx.save(msgspec.structs.replace(key, is_active=status == "Active"))
        return {}

    @operation("DeleteAccessKey")
    async def delete(self, caller: Caller, request: DeleteAccessKeyRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            await tx.delete(AccessKey, (await _key(tx, caller, request)).access_key)
        return {}

    @operation("GetAccessKeyLastUsed")
    async def last_used(self, caller: Caller, request: GetAccessKeyLastUsedRequest) -> Mapping[str, Any]:
        access_key = request["AccessKeyId"]
        await self._flush_uses()
        async with self._store.snapshot(caller.scope.account) as rows:
            key = await rows.get(AccessKey, access_key)
            if key is None:
                raise _missing(access_key)
            owner = await rows.by_id(User, key.owner_id)
        use: dict[str, Any] = {
            # Documented: IAM API reference, AccessKeyLastUsed: N/A where it was never used.
            "ServiceName": key.last_used_service or "N/A",
            "Region": key.last_used_region or "N/A",
        }
        if key.last_used_at is not None:
            use["LastUsedDate"] = moment(key.last_used_at)
        return {**({} if owner is None else {"UserName": owner.name}), "AccessKeyLastUsed": use}


async def _owner(rows: IdentityRows, caller: Caller, request: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """
    Return the id of whose keys a request is about, and how answers name them: root has no name.

    Documented: IAM API reference, CreateAccessKey: without a name it is about whoever calls.
    """
    name = request.get("UserName")
    if name is None and caller.principal.is_root:
        return caller.scope.account, {}
    user = await find_or_caller(rows, caller, name)
    return user.unique_id, {"UserName": user.name}


async def _key(rows: IdentityRows, caller: Caller, request: Mapping[str, Any]) -> AccessKey:
    """
    Return the key that a request is about.

    Raises:
        NoSuchEntityException: there is none, or it is somebody else's.
    """
    owner_id, _ = await _owner(rows, caller, request)
    key = await rows.get(AccessKey, request["AccessKeyId"])
    if key is None or key.owner_id != owner_id:
        raise _missing(request["AccessKeyId"])
    return key


def _shown(key: AccessKey, named: Mapping[str, str]) -> dict[str, Any]:
    return {
        **named,
        "AccessKeyId": key.access_key,
        "Status": _STATUSES[key.is_active],
        "CreateDate": moment(key.created_at),
    }


def _missing(access_key: str) -> NoSuchEntityException:
    # Assumed: other implementations have the text (test_iam_users).
    return NoSuchEntityException(f"The Access Key with id {access_key} cannot be found")
