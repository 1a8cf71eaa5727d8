"""Permissions boundaries of users and roles: a managed policy beyond which nothing is allowed."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.domain.caller import Caller
from lambent.domain.identity import User
from lambent.errors.api.iam import NoSuchEntityException
from lambent.protocol.shapes.iam import (
    DeleteRolePermissionsBoundaryRequest,
    DeleteUserPermissionsBoundaryRequest,
    PutRolePermissionsBoundaryRequest,
    PutUserPermissionsBoundaryRequest,
)
from lambent.services.iam.arns import parse_policy_arn
from lambent.services.iam.identities import find, find_own_role
from lambent.services.iam.known_policies import is_attachable
from lambent.services.iam.refusals import ValidationError, invalid_value
from lambent.services.operation import operation
from lambent.store.contract import IdentityRows, IdentityStore


class Boundaries:
    """Set and removed; Get* of the user or role shows them."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    @operation("PutRolePermissionsBoundary")
    async def put_of_role(self, caller: Caller, request: PutRolePermissionsBoundaryRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            role = await find_own_role(tx, request["RoleName"])
            await check_boundary(tx, caller.scope.account, request["PermissionsBoundary"])
            await tx.save(msgspec.structs.replace(role, boundary=request["PermissionsBoundary"]))
        return {}

    @operation("DeleteRolePermissionsBoundary")
    async def delete_of_role(self, caller: Caller, request: DeleteRolePermissionsBoundaryRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            role = await find_own_role(tx, request["RoleName"])
            _check_has_one(role.boundary, "role", request["RoleName"])
            await tx.save(msgspec.structs.replace(role, boundary=None))
        return {}

    @operation("PutUserPermissionsBoundary")
    async def put_of_user(self, caller: Caller, request: PutUserPermissionsBoundaryRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            user = await find(tx, User, request["UserName"])
            await check_boundary(tx, caller.scope.account, request["PermissionsBoundary"])
            await tx.save(msgspec.structs.replace(user, boundary=request["PermissionsBoundary"]))
        return {}

    @operation("DeleteUserPermissionsBoundary")
    async def delete_of_user(self, caller: Caller, request: DeleteUserPermissionsBoundaryRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope.account) as tx:
            user = await find(tx, User, request["UserName"])
            _check_has_one(user.boundary, "user", request["UserName"])
            await tx.save(msgspec.structs.replace(user, boundary=None))
        return {}


async def check_boundary(rows: IdentityRows, account: str, arn: str | None) -> None:
    """
    Refuse what cannot be a permissions boundary.

    Raises:
        ValidationError: it is no managed policy's ARN.
        NoSuchEntityException: there is no such policy.
    """
    if arn is None:
        return
    try:
        parsed = parse_policy_arn(arn)
    except ValidationError:
        parsed = None
    if parsed is None:
        raise invalid_value(arn, "PermissionsBoundary")
    if not await is_attachable(rows, account, parsed):
        # Observed: hashicorp/terraform-provider-aws issues quote it.
        raise NoSuchEntityException(f"Scope ARN: {arn} does not exist or is not attachable.")


def _check_has_one(boundary: str | None, kind: str, name: str) -> None:
    if boundary is None:
        # Assumed: the text (test_iam_roles).
        raise NoSuchEntityException(f"The {kind} with name {name} has no permissions boundary.")
