"""Tags of users, roles, policies and instance profiles."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from lambent.domain.caller import Caller
from lambent.domain.identity import InstanceProfile, ManagedPolicy, Named, Role, User
from lambent.protocol.shapes.iam import (
    ListInstanceProfileTagsRequest,
    ListPolicyTagsRequest,
    ListRoleTagsRequest,
    ListUserTagsRequest,
    TagInstanceProfileRequest,
    TagPolicyRequest,
    TagRoleRequest,
    TagUserRequest,
    UntagInstanceProfileRequest,
    UntagPolicyRequest,
    UntagRoleRequest,
    UntagUserRequest,
)
from lambent.services.iam.identities import find
from lambent.services.iam.known_policies import is_of_aws, own_policy
from lambent.services.iam.paging import requested_page
from lambent.services.iam.refusals import not_yours
from lambent.services.iam.shown import tag_list
from lambent.services.iam.tagging import tagged, untagged
from lambent.services.operation import operation
from lambent.store.contract import IdentityRows, IdentityStore

_Find = Callable[[IdentityRows], Awaitable[Named]]


class IdentityTags:
    """The same three operations for each of the four kinds."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    @operation("TagUser")
    async def tag_user(self, caller: Caller, request: TagUserRequest) -> Mapping[str, Any]:
        return await self._tag(caller, request, lambda rows: find(rows, User, request["UserName"]))

    @operation("TagRole")
    async def tag_role(self, caller: Caller, request: TagRoleRequest) -> Mapping[str, Any]:
        return await self._tag(caller, request, lambda rows: find(rows, Role, request["RoleName"]))

    @operation("TagInstanceProfile")
    async def tag_profile(self, caller: Caller, request: TagInstanceProfileRequest) -> Mapping[str, Any]:
        name = request["InstanceProfileName"]
        return await self._tag(caller, request, lambda rows: find(rows, InstanceProfile, name))

    @operation("TagPolicy")
    async def tag_policy(self, caller: Caller, request: TagPolicyRequest) -> Mapping[str, Any]:
        return await self._tag(caller, request, _policy(caller, request["PolicyArn"], "TagPolicy"))

    @operation("UntagUser")
    async def untag_user(self, caller: Caller, request: UntagUserRequest) -> Mapping[str, Any]:
        return await self._untag(caller, request, lambda rows: find(rows, User, request["UserName"]))

    @operation("UntagRole")
    async def untag_role(self, caller: Caller, request: UntagRoleRequest) -> Mapping[str, Any]:
        return await self._untag(caller, request, lambda rows: find(rows, Role, request["RoleName"]))

    @operation("UntagInstanceProfile")
    async def untag_profile(self, caller: Caller, request: UntagInstanceProfileRequest) -> Mapping[str, Any]:
        name = request["InstanceProfileName"]
        return await self._untag(caller, request, lambda rows: find(rows, InstanceProfile, name))

    @operation("UntagPolicy")
    async def untag_policy(self, caller: Caller, request: UntagPolicyRequest) -> Mapping[str, Any]:
        return await self._untag(caller, request, _policy(caller, request["PolicyArn"], "UntagPolicy"))

    @operation("ListUserTags")
    async def list_of_user(self, caller: Caller, request: ListUserTagsRequest) -> Mapping[str, Any]:
        return await self._list(caller, request, lambda rows: find(rows, User, request["UserName"]))

    @operation("ListRoleTags")
    async def list_of_role(self, caller: Caller, request: ListRoleTagsRequest) -> Mapping[str, Any]:
        return await self._list(caller, request, lambda rows: find(rows, Role, request["RoleName"]))

    @operation("ListInstanceProfileTags")
    async def list_of_profile(self, caller: Caller, request: ListInstanceProfileTagsRequest) -> Mapping[str, Any]:
        name = request["InstanceProfileName"]
        return await self._list(caller, request, lambda rows: find(rows, InstanceProfile, name))

    @operation("ListPolicyTags")
    async def list_of_policy(self, caller: Caller, request: ListPolicyTagsRequest) -> Mapping[str, Any]:
        return await self._list(
            caller, request, lambda rows: own_policy(rows, caller.scope.account, request["PolicyArn"])
        )

    async def _tag(self, caller: Caller, request: Mapping[str, Any], find_one: _Find) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            identity: Any = await find_one(tx)
            await tx.save(msgspec.structs.replace(identity, tags=tagged(identity.tags, request["Tags"])))
        return {}

    async def _untag(self, caller: Caller, request: Mapping[str, Any], find_one: _Find) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            identity: Any = await find_one(tx)
            await tx.save(msgspec.structs.replace(identity, tags=untagged(identity.tags, request["TagKeys"])))
        return {}

    async def _list(self, caller: Caller, request: Mapping[str, Any], find_one: _Find) -> Mapping[str, Any]:
        page = requested_page(request)
        async with self._store.snapshot(caller.scope.account) as rows:
            tags = (await find_one(rows)).tags
        found = page.of(tags, str)
        return {"Tags": tag_list({key: tags[key] for key in found.items}), **found.end()}


def _policy(caller: Caller, arn: str, action: str) -> _Find:
    """Return what finds a policy that the account may change."""

    async def find_one(rows: IdentityRows) -> ManagedPolicy:
        if is_of_aws(arn):
            raise not_yours(caller.principal.arn, action, arn)
        return await own_policy(rows, caller.scope.account, arn)

    return find_one
