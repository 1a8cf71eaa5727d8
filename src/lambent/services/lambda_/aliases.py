"""Aliases of functions."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.alias import Alias, check_one_role, check_routing
from lambent.domain.caller import Caller
from lambent.domain.concurrency import ProvisionedConcurrency
from lambent.domain.function import LATEST, FunctionVersion
from lambent.errors.api.lambda_ import (
    InvalidParameterValueException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from lambent.protocol.shapes.lambda_ import (
    CreateAliasRequest,
    DeleteAliasRequest,
    GetAliasRequest,
    ListAliasesRequest,
    UpdateAliasRequest,
)
from lambent.services.lambda_.functions import check_stale
from lambent.services.lambda_.markers import decode_marker, encode_marker
from lambent.services.lambda_.naming import Target, resolve_target
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore, FunctionTransaction

ALIASES_PAGE_MAX = 10_000
"""The model's own bound of MaxItems. Assumed: the service has no smaller page here."""


class Aliases:
    """The alias resource. See the Lambda API reference for each operation."""

    def __init__(self, store: FunctionStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreateAlias")
    async def create(self, caller: Caller, request: CreateAliasRequest) -> Mapping[str, Any]:
        target = _of_alias(caller, request["FunctionName"], request["Name"])
        weights = _weights(request)
        version = request["FunctionVersion"]
        async with self._store.transaction(target.scope) as tx:
            await _check_function(tx, target)
            await _existing_version(tx, target, version)
            if await tx.aliases.get(target.name, request["Name"]) is not None:
                raise ResourceConflictException(f"Alias already exists: {target.arn}")
            await _check_versions(tx, target, version, weights)
            alias = Alias(
                scope=target.scope,
                name=target.name,
                alias=request["Name"],
                version=version,
                revision_id=self._clock.new_id(),
                description=request.get("Description", ""),
                weights=weights,
            )
            await tx.aliases.save(alias)
        return _view(alias, target)

    @operation("GetAlias")
    async def get(self, caller: Caller, request: GetAliasRequest) -> Mapping[str, Any]:
        target = _of_alias(caller, request["FunctionName"], request["Name"])
        async with self._store.snapshot(target.scope) as reading:
            await _check_function(reading, target)
            alias = await reading.aliases.get(target.name, request["Name"])
        if alias is None:
            raise alias_not_found(target)
        return _view(alias, target)

    @operation("UpdateAlias")
    async def update(self, caller: Caller, request: UpdateAliasRequest) -> Mapping[str, Any]:
        target = _of_alias(caller, request["FunctionName"], request["Name"])
        async with self._store.transaction(target.scope) as tx:
            await _check_function(tx, target)
            before = await tx.aliases.get(target.name, request["Name"])
            if before is None:
                # Observed: localstack tests/aws/services/lambda_/test_lambda_api.py (recorded): not GetAlias's text.
                raise ResourceNotFoundException(f"Alias not found: {target.arn}")
            check_stale(before.revision_id, request.get("RevisionId"))
            version = request.get("FunctionVersion", before.version)
            weights = before.weights
            if "RoutingConfig" in request:
                weights = _weights(request)
            await _check_versions(tx, target, version, weights)
            alias = msgspec.structs.replace(
                before,
                version=version,
                weights=weights,
                description=request.get("Description", before.description),
                revision_id=self._clock.new_id(),
            )
            await tx.aliases.save(alias)
            if version != before.version:
                await self._move_provisioned(tx, before, version)
        return _view(alias, target)

    @operation("DeleteAlias")
    async def delete(self, caller: Caller, request: DeleteAliasRequest) -> Mapping[str, Any]:
        target = _of_alias(caller, request["FunctionName"], request["Name"])
        async with self._store.transaction(target.scope) as tx:
            await _check_function(tx, target)
            alias = await tx.aliases.get(target.name, request["Name"])
            # Observed: an alias that is not there is no error (recorded 2025-11).
            if alias is not None:
                if await _provisioned_by(tx, alias) is not None:
                    await tx.delete_provisioned(target.name, alias.version)
                await tx.aliases.delete(target.name, alias.alias)
        return {}

    @operation("ListAliases")
    async def list(self, caller: Caller, request: ListAliasesRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"])
        limit = min(request.get("MaxItems", ALIASES_PAGE_MAX), ALIASES_PAGE_MAX)
        marker = decode_marker(request.get("Marker"))
        async with self._store.snapshot(target.scope) as reading:
            await _check_function(reading, target)
            found = await reading.aliases.list(
                target.name, version=request.get("FunctionVersion"), after=marker, limit=limit + 1
            )
        answer: dict[str, Any] = {"Aliases": [_view(alias, target) for alias in found[:limit]]}
        if len(found) > limit:
            answer["NextMarker"] = encode_marker(found[limit - 1].alias)
        return answer

    async def _move_provisioned(self, tx: FunctionTransaction, before: Alias, version: str) -> None:
        """Let what an alias has provisioned follow it to another version."""
        provisioned = await _provisioned_by(tx, before)
        if provisioned is None:
            return
        if version == LATEST:
            raise unpublished()
        moved_to = await tx.version(before.name, version)
        assert moved_to is not None, "it was found just now"
        # One that is Pending gets its environments once it is Active.
        check_not_snap_started(moved_to)
        if any(stored.version == version for stored in await tx.list_provisioned(before.name)):
            raise ResourceConflictException(
                "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
            )
        await tx.delete_provisioned(before.name, before.version)
        await tx.save_provisioned(msgspec.structs.replace(provisioned, version=version))


def alias_not_found(target: Target) -> ResourceNotFoundException:
    """Return the error of operations on aliases, on their policies and on their provisioned concurrency."""
    # Observed: localstack tests/aws/services/lambda_/test_lambda_api.py (recorded).
    return ResourceNotFoundException(f"Cannot find alias arn: {target.arn}")


def unpublished() -> InvalidParameterValueException:
    """Return the error for provisioned concurrency of `$LATEST`, by itself or by way of an alias."""
    # Observed: localstack tests/aws/services/lambda_/test_lambda_api.py (recorded) for `$LATEST` itself.
    return InvalidParameterValueException(
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    )


def check_not_snap_started(version: FunctionVersion) -> None:
    """
    Refuse to provision for a version that keeps environments of its own.

    Raises:
        InvalidParameterValueException: it has SnapStart. Documented: Lambda developer guide, SnapStart limitations.
            Assumed: the text.
    """
    if version.is_snap_started:
        raise InvalidParameterValueException(
            "Provisioned Concurrency is not supported for SnapStart enabled functions."
        )


async def _provisioned_by(tx: FunctionTransaction, alias: Alias) -> ProvisionedConcurrency | None:
    for stored in await tx.list_provisioned(alias.name):
        if stored.alias == alias.alias:
            return stored
    return None


async def _check_versions(tx: FunctionTransaction, target: Target, version: str, weights: Mapping[str, float]) -> None:
    """Refuse versions that do not exist, and weights that an alias cannot have."""
    found = [await _existing_version(tx, target, version)]
    check_routing(version, weights)
    found += [await _existing_version(tx, target, other) for other in weights]
    check_one_role(found)


async def _existing_version(tx: FunctionTransaction, target: Target, version: str) -> FunctionVersion:
    found = await tx.version(target.name, version)
    if found is None:
        raise Target(target.scope, target.name, version).not_found()
    return found


async def _check_function(reading: FunctionTransaction, target: Target) -> None:
    if await reading.function(target.name) is None:
        raise Target(target.scope, target.name, None).not_found()


def _of_alias(caller: Caller, function_name: str, alias: str) -> Target:
    """Return the alias that a request means; the function's name may be qualified, as some tools do, with the same."""
    target = resolve_target(caller, function_name)
    if target.qualifier not in {None, alias}:
        # Assumed: no recorded text; the one for other qualified names.
        raise InvalidParameterValueException(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return Target(target.scope, target.name, alias)


def _weights(request: Mapping[str, Any]) -> dict[str, float]:
    return dict((request.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {})


def _view(alias: Alias, target: Target) -> dict[str, Any]:
    view: dict[str, Any] = {
        "AliasArn": Target(target.scope, alias.name, alias.alias).arn,
        "Name": alias.alias,
        "FunctionVersion": alias.version,
        "Description": alias.description,
        "RevisionId": alias.revision_id,
    }
    # Observed: absent without weights; an empty object shows as drift in Terraform.
    if alias.weights:
        view["RoutingConfig"] = {"AdditionalVersionWeights": dict(alias.weights)}
    return view
