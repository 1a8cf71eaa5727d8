"""Policies of layer versions: which other accounts may use them."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.layer import LayerVersion, layer_arn
from lambent.domain.resource_policy import principal_of, with_statement
from lambent.errors.api.lambda_ import InvalidParameterValueException, ResourceNotFoundException
from lambent.protocol.shapes.lambda_ import (
    AddLayerVersionPermissionRequest,
    GetLayerVersionPolicyRequest,
    RemoveLayerVersionPermissionRequest,
)
from lambent.services.lambda_.functions import check_stale
from lambent.services.lambda_.layers import check_number, own_layer
from lambent.services.lambda_.permissions import statement_exists
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore, FunctionTransaction

_NO_POLICY = "No policy is associated with the given resource."


class LayerPermissions:
    """The policies of layer versions. See the Lambda API reference for each operation."""

    def __init__(self, store: FunctionStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("AddLayerVersionPermission")
    async def add(self, caller: Caller, request: AddLayerVersionPermissionRequest) -> Mapping[str, Any]:
        sid = request["StatementId"]
        statement: dict[str, Any] = {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": principal_of(request["Principal"]),
            "Action": request["Action"],
        }
        organization = request.get("OrganizationId")
        async with self._store.transaction(caller.scope) as tx:
            version = await _own(tx, caller, request, "AddLayerVersionPermission")
            check_stale(version.policy_revision_id, request.get("RevisionId"), "GetLayerPolicy")
            if version.policy is not None and version.policy.has(sid):
                raise statement_exists(sid)
            if organization and request["Principal"] != "*":
                # Documented: Lambda API reference, AddLayerVersionPermission, OrganizationId. Assumed: the text.
                raise InvalidParameterValueException("OrganizationId requires the principal to be *.")
            statement["Resource"] = version.arn
            if organization:
                statement["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": organization}}
            version = msgspec.structs.replace(
                version, policy=with_statement(version.policy, statement), policy_revision_id=self._clock.new_id()
            )
            await tx.layers.save(version)
        return {
            "Statement": json.dumps(statement, separators=(",", ":")),
            "RevisionId": version.policy_revision_id,
        }

    @operation("GetLayerVersionPolicy")
    async def get(self, caller: Caller, request: GetLayerVersionPolicyRequest) -> Mapping[str, Any]:
        async with self._store.snapshot(caller.scope) as reading:
            version = await _own(reading, caller, request, "GetLayerVersionPolicy")
        if version.policy is None:
            raise ResourceNotFoundException(_NO_POLICY)
        return {"Policy": version.policy.text(), "RevisionId": version.policy_revision_id}

    @operation("RemoveLayerVersionPermission")
    async def remove(self, caller: Caller, request: RemoveLayerVersionPermissionRequest) -> Mapping[str, Any]:
        sid = request["StatementId"]
        async with self._store.transaction(caller.scope) as tx:
            version = await _own(tx, caller, request, "RemoveLayerVersionPermission")
            if version.policy is None:
                raise ResourceNotFoundException(_NO_POLICY)
            check_stale(version.policy_revision_id, request.get("RevisionId"), "GetLayerPolicy")
            if not version.policy.has(sid):
                raise ResourceNotFoundException(f"Statement {sid} is not found in resource policy.")
            policy = version.policy.without(sid)
            await tx.layers.save(
                msgspec.structs.replace(
                    version, policy=policy, policy_revision_id="" if policy is None else self._clock.new_id()
                )
            )
        return {}


async def _own(
    reading: FunctionTransaction, caller: Caller, request: Mapping[str, Any], operation: str
) -> LayerVersion:
    """Return the layer version that a request means; only its owner may ask for its policy."""
    number = request["VersionNumber"]
    scope, name = own_layer(caller, request["LayerName"], f"lambda:{operation}", number)
    check_number(number)
    version = await reading.layers.get(name, number)
    if version is None:
        # Observed: localstack tests/aws/services/lambda_/test_lambda_api.py (recorded).
        raise ResourceNotFoundException(f"Layer version {layer_arn(scope, name)}:{number} does not exist.")
    return version
