"""Users: somebody with keys of their own."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.identity import Account, User
from lambent.domain.principal import PrincipalType
from lambent.errors.api.iam import DeleteConflictException
from lambent.protocol.shapes.iam import (
    CreateUserRequest,
    DeleteUserRequest,
    GetUserRequest,
    ListUsersRequest,
    UpdateUserRequest,
)
from lambent.services.iam.boundaries import check_boundary
from lambent.services.iam.identities import check_new, find, fresh, under
from lambent.services.iam.paging import page_of, requested_page
from lambent.services.iam.refusals import ValidationError, taken
from lambent.services.iam.shown import boundary_of, moment, shown_user, tags_of
from lambent.services.iam.tagging import tagged
from lambent.services.operation import operation
from lambent.store.contract import IdentityRows, IdentityStore


class Users:
    """Users themselves; keys, groups, policies and tags of them are resources of their own."""

    def __init__(self, store: IdentityStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreateUser")
    async def create(self, caller: Caller, request: CreateUserRequest) -> Mapping[str, Any]:
        name, account = request["UserName"], caller.scope.account
        tags = tagged({}, request.get("Tags", []))
        async with self._store.transaction(account) as tx:
            await check_new(tx, User, name)
            boundary = request.get("PermissionsBoundary")
            await check_boundary(tx, account, boundary)
            path = request.get("Path", "/")
            user = fresh(User, self._clock, account, name, path=path, tags=tags, boundary=boundary)
            await tx.save(user)
        return {"User": {**shown_user(user), **boundary_of(user), **tags_of(tags)}}

    @operation("GetUser")
    async def get(self, caller: Caller, request: GetUserRequest) -> Mapping[str, Any]:
        async with self._store.snapshot(caller.scope.account) as rows:
            name = request.get("UserName")
            if name is None and caller.principal.is_root:
                return {"User": await _root(rows, caller.scope.account)}
            return {"User": shown_user(await find_or_caller(rows, caller, name), is_whole=True)}

    @operation("ListUsers")
    async def list(self, caller: Caller, request: ListUsersRequest) -> Mapping[str, Any]:
        page, is_listed = requested_page(request), under(request.get("PathPrefix", "/"))
        async with self._store.snapshot(caller.scope.account) as rows:
            return (await page_of(rows, User, page, is_listed)).answer("Users", shown_user)

    @operation("UpdateUser")
    async def update(self, caller: Caller, request: UpdateUserRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            user = await find(tx, User, request["UserName"])
            name = request.get("NewUserName", user.name)
            if name.lower() != user.key and await tx.get(User, name) is not None:
                raise taken("user", name)
            await tx.save(msgspec.structs.replace(user, name=name, path=request.get("NewPath", user.path)))
        return {}

    @operation("DeleteUser")
    async def delete(self, caller: Caller, request: DeleteUserRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            user = await find(tx, User, request["UserName"])
            check_deletable(user, has_keys=bool(await tx.keys_of(user.unique_id)))
            await tx.delete(User, user.name)
        return {}


async def find_or_caller(rows: IdentityRows, caller: Caller, name: str | None) -> User:
    """
    Return the named user, or the one who calls where none is named.

    Raises:
        NoSuchEntityException: nobody has the name.
        ValidationError: none is named, and the caller is no user.
    """
    if name is not None:
        return await find(rows, User, name)
    if caller.principal.type is PrincipalType.USER:
        own = await rows.by_id(User, caller.principal.identity_id)
        return own if own is not None else await find(rows, User, caller.principal.name)
    # Observed: hashicorp/terraform-provider-aws issues quote it.
    raise ValidationError("Must specify userName when calling with non-User credentials")


def check_deletable(user: User, *, has_keys: bool) -> None:
    """
    Refuse to delete a user that something belongs to: the first that applies is named.

    Observed: hashicorp/terraform-provider-aws issues quote the first two texts. Assumed: the others, and their order
    (test_users).

    Raises:
        DeleteConflictException
    """
    for is_left, what in (
        (user.attached, "detach all policies"),
        (user.inline, "delete policies"),
        (user.groups, "remove users from group"),
        (has_keys, "delete access keys"),
    ):
        if is_left:
            raise DeleteConflictException(f"Cannot delete entity, must {what} first.")


async def _root(rows: IdentityRows, account: str) -> dict[str, Any]:
    """Return an account's root as GetUser shows it. Documented: IAM API reference, GetUser: it has no name."""
    made = await rows.get(Account, account)
    return {
        "Path": "/",
        "UserId": account,
        "Arn": f"arn:aws:iam::{account}:root",
        "CreateDate": moment(0 if made is None else made.created_at),
    }
