"""Groups: policies that users share."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.identity import Group, User
from lambent.errors.api.iam import DeleteConflictException
from lambent.protocol.shapes.iam import (
    AddUserToGroupRequest,
    CreateGroupRequest,
    DeleteGroupRequest,
    GetGroupRequest,
    ListGroupsForUserRequest,
    ListGroupsRequest,
    RemoveUserFromGroupRequest,
    UpdateGroupRequest,
)
from lambent.services.iam.identities import check_new, find, fresh, under
from lambent.services.iam.limits import GROUPS_PER_USER
from lambent.services.iam.paging import page_of, requested_page
from lambent.services.iam.refusals import check_quota, taken
from lambent.services.iam.shown import shown_group, shown_user
from lambent.services.operation import operation
from lambent.store.contract import IdentityRows, IdentityStore


class Groups:
    """Groups and who is in them: a user holds the ids of its groups."""

    def __init__(self, store: IdentityStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreateGroup")
    async def create(self, caller: Caller, request: CreateGroupRequest) -> Mapping[str, Any]:
        name, account = request["GroupName"], caller.scope.account
        async with self._store.transaction(account) as tx:
            await check_new(tx, Group, name)
            group = fresh(Group, self._clock, account, name, path=request.get("Path", "/"))
            await tx.save(group)
        return {"Group": shown_group(group)}

    @operation("GetGroup")
    async def get(self, caller: Caller, request: GetGroupRequest) -> Mapping[str, Any]:
        page = requested_page(request)
        async with self._store.snapshot(caller.scope.account) as rows:
            group = await find(rows, Group, request["GroupName"])
            found = await page_of(rows, User, page, lambda user: group.unique_id in user.groups)
        return {"Group": shown_group(group), **found.answer("Users", shown_user)}

    @operation("ListGroups")
    async def list(self, caller: Caller, request: ListGroupsRequest) -> Mapping[str, Any]:
        page, is_listed = requested_page(request), under(request.get("PathPrefix", "/"))
        async with self._store.snapshot(caller.scope.account) as rows:
            return (await page_of(rows, Group, page, is_listed)).answer("Groups", shown_group)

    @operation("UpdateGroup")
    async def update(self, caller: Caller, request: UpdateGroupRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            group = await find(tx, Group, request["GroupName"])
            name = request.get("NewGroupName", group.name)
            if name.lower() != group.key and await tx.get(Group, name) is not None:
                raise taken("group", name)
            await tx.save(msgspec.structs.replace(group, name=name, path=request.get("NewPath", group.path)))
        return {}

    @operation("DeleteGroup")
    async def delete(self, caller: Caller, request: DeleteGroupRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            group = await find(tx, Group, request["GroupName"])
            members = await page_of(
                tx, User, requested_page({"MaxItems": 1}), lambda one: group.unique_id in one.groups
            )
            check_deletable(group, has_users=bool(members.items))
            await tx.delete(Group, group.name)
        return {}

    @operation("AddUserToGroup")
    async def add(self, caller: Caller, request: AddUserToGroupRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            group, user = await _both(tx, request)
            if group.unique_id not in user.groups:
                check_quota(user.groups, "GroupsPerUser", GROUPS_PER_USER)
                await tx.save(msgspec.structs.replace(user, groups=(*user.groups, group.unique_id)))
        return {}

    @operation("RemoveUserFromGroup")
    async def remove(self, caller: Caller, request: RemoveUserFromGroupRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            group, user = await _both(tx, request)
            # Assumed: a user that is not in it is fine, as other implementations have it (test_iam_users).
            left = tuple(unique_id for unique_id in user.groups if unique_id != group.unique_id)
            await tx.save(msgspec.structs.replace(user, groups=left))
        return {}

    @operation("ListGroupsForUser")
    async def list_of_user(self, caller: Caller, request: ListGroupsForUserRequest) -> Mapping[str, Any]:
        page = requested_page(request)
        async with self._store.snapshot(caller.scope.account) as rows:
            user = await find(rows, User, request["UserName"])
            return page.of(await groups_of(rows, user), lambda group: group.key).answer("Groups", shown_group)


async def groups_of(rows: IdentityRows, user: User) -> list[Group]:
    """Return the groups that a user is in."""
    found = [await rows.by_id(Group, unique_id) for unique_id in user.groups]
    return [group for group in found if group is not None]


def check_deletable(group: Group, *, has_users: bool) -> None:
    """
    Refuse to delete a group that something belongs to: the first that applies is named.

    Assumed: the order, which is not published (test_groups).

    Raises:
        DeleteConflictException
    """
    for is_left, what in (
        (has_users, "remove users from group"),
        (group.attached, "detach all policies"),
        (group.inline, "delete policies"),
    ):
        if is_left:
            raise DeleteConflictException(f"Cannot delete entity, must {what} first.")


async def _both(rows: IdentityRows, request: Mapping[str, Any]) -> tuple[Group, User]:
    return await find(rows, Group, request["GroupName"]), await find(rows, User, request["UserName"])
