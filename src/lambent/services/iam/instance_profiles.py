"""Instance profiles: there are no instances here, but tools make them, and look for them when they delete a role."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.identity import InstanceProfile, Role
from lambent.errors.api.iam import DeleteConflictException
from lambent.protocol.shapes.iam import (
    AddRoleToInstanceProfileRequest,
    CreateInstanceProfileRequest,
    DeleteInstanceProfileRequest,
    GetInstanceProfileRequest,
    ListInstanceProfilesForRoleRequest,
    ListInstanceProfilesRequest,
    RemoveRoleFromInstanceProfileRequest,
)
from lambent.services.iam.identities import check_new, find, find_own_role, fresh, under
from lambent.services.iam.paging import Found, page_of, requested_page
from lambent.services.iam.refusals import beyond, missing
from lambent.services.iam.shown import profiled_role, shown_profile
from lambent.services.iam.tagging import tagged
from lambent.services.iam.trust import shown_trust_policy
from lambent.services.operation import operation
from lambent.store.contract import IdentityRows, IdentityStore


class InstanceProfiles:
    """Profiles and the one role that each may hold."""

    def __init__(self, store: IdentityStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreateInstanceProfile")
    async def create(self, caller: Caller, request: CreateInstanceProfileRequest) -> Mapping[str, Any]:
        name, account = request["InstanceProfileName"], caller.scope.account
        tags = tagged({}, request.get("Tags", []))
        async with self._store.transaction(account) as tx:
            await check_new(tx, InstanceProfile, name)
            profile = fresh(InstanceProfile, self._clock, account, name, path=request.get("Path", "/"), tags=tags)
            await tx.save(profile)
        return {"InstanceProfile": shown_profile(profile, [])}

    @operation("GetInstanceProfile")
    async def get(self, caller: Caller, request: GetInstanceProfileRequest) -> Mapping[str, Any]:
        async with self._store.snapshot(caller.scope.account) as rows:
            profile = await find(rows, InstanceProfile, request["InstanceProfileName"])
            return {"InstanceProfile": await with_role(rows, profile)}

    @operation("ListInstanceProfiles")
    async def list(self, caller: Caller, request: ListInstanceProfilesRequest) -> Mapping[str, Any]:
        page, is_listed = requested_page(request), under(request.get("PathPrefix", "/"))
        async with self._store.snapshot(caller.scope.account) as rows:
            return await _answer(rows, await page_of(rows, InstanceProfile, page, is_listed))

    @operation("ListInstanceProfilesForRole")
    async def list_of_role(self, caller: Caller, request: ListInstanceProfilesForRoleRequest) -> Mapping[str, Any]:
        page = requested_page(request)
        async with self._store.snapshot(caller.scope.account) as rows:
            role = await find(rows, Role, request["RoleName"])
            found = await page_of(rows, InstanceProfile, page, lambda profile: profile.role_id == role.unique_id)
            return await _answer(rows, found)

    @operation("AddRoleToInstanceProfile")
    async def add(self, caller: Caller, request: AddRoleToInstanceProfileRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            profile = await find(tx, InstanceProfile, request["InstanceProfileName"])
            role = await find_own_role(tx, request["RoleName"])
            if profile.role_id is not None:
                # Assumed: other implementations have the name of the quota (test_iam_account).
                raise beyond("InstanceSessionsPerInstanceProfile", 1)
            await tx.save(msgspec.structs.replace(profile, role_id=role.unique_id))
        return {}

    @operation("RemoveRoleFromInstanceProfile")
    async def remove(self, caller: Caller, request: RemoveRoleFromInstanceProfileRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            profile = await find(tx, InstanceProfile, request["InstanceProfileName"])
            role = await tx.get(Role, request["RoleName"])
            if role is None or profile.role_id != role.unique_id:
                raise missing("role", request["RoleName"])
            await tx.save(msgspec.structs.replace(profile, role_id=None))
        return {}

    @operation("DeleteInstanceProfile")
    async def delete(self, caller: Caller, request: DeleteInstanceProfileRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            profile = await find(tx, InstanceProfile, request["InstanceProfileName"])
            if profile.role_id is not None:
                # Observed: hashicorp/terraform-provider-aws issues quote it.
                raise DeleteConflictException("Cannot delete entity, must remove roles from instance profile first.")
            await tx.delete(InstanceProfile, profile.name)
        return {}


async def with_role(rows: IdentityRows, profile: InstanceProfile) -> dict[str, Any]:
    """Return a profile as answers show it."""
    role = None if profile.role_id is None else await rows.by_id(Role, profile.role_id)
    return shown_profile(profile, [] if role is None else [profiled_role(role, await shown_trust_policy(rows, role))])


async def _answer(rows: IdentityRows, found: Found) -> Mapping[str, Any]:
    return {"InstanceProfiles": [await with_role(rows, profile) for profile in found.items], **found.end()}
