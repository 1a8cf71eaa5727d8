"""Runtime management: when a function may get a newer version of its runtime."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.arn import runtime_version_arn
from lambent.domain.caller import Caller
from lambent.domain.function import LATEST, FunctionVersion
from lambent.errors.api.lambda_ import InvalidParameterValueException, ResourceNotFoundException
from lambent.protocol.shapes.lambda_ import GetRuntimeManagementConfigRequest, PutRuntimeManagementConfigRequest
from lambent.services.lambda_.naming import Target, resolve_target
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore, FunctionTransaction


class RuntimeManagement:
    """
    The runtime management of a function's versions.

    There is one version of each runtime here, the machine's: Auto and FunctionUpdate come to the same, and Manual takes
    the ARN of that version only.
    """

    def __init__(self, store: FunctionStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("GetRuntimeManagementConfig")
    async def get(self, caller: Caller, request: GetRuntimeManagementConfigRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"], request.get("Qualifier"))
        async with self._store.snapshot(target.scope) as reading:
            version = await _version(reading, target)
        return _view(version, target)

    @operation("PutRuntimeManagementConfig")
    async def put(self, caller: Caller, request: PutRuntimeManagementConfigRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"], request.get("Qualifier"))
        wanted = request["UpdateRuntimeOn"]
        arn = request.get("RuntimeVersionArn")
        if wanted == "Manual" and arn is None:
            # Assumed: no recorded text.
            raise InvalidParameterValueException("RuntimeVersionArn is required when UpdateRuntimeOn is Manual.")
        if wanted != "Manual" and arn is not None:
            raise InvalidParameterValueException(
                f"RuntimeVersionArn is not supported when UpdateRuntimeOn is {wanted}."
            )
        async with self._store.transaction(target.scope) as tx:
            version = await _version(tx, target)
            there = runtime_version_arn(target.scope.region, version.configuration.runtime)
            if arn is not None and arn != there:
                raise InvalidParameterValueException(
                    f"Runtime version {arn} is not available. The version of {version.configuration.runtime} on this "
                    f"machine is {there}."
                )
            version = msgspec.structs.replace(
                version, update_runtime_on=wanted, runtime_version_arn=arn, revision_id=self._clock.new_id()
            )
            await tx.save_version(version)
        return _view(version, target)


async def _version(reading: FunctionTransaction, target: Target) -> FunctionVersion:
    qualifier = target.qualifier or LATEST
    if qualifier != LATEST and not qualifier.isdigit():
        # Documented: Lambda API reference, Qualifier of both operations: a version or `$LATEST`.
        raise ResourceNotFoundException(f"Function not found: {target.arn}")
    version = await reading.version(target.name, qualifier)
    if version is None:
        raise target.not_found()
    return version


def _view(version: FunctionVersion, target: Target) -> dict[str, Any]:
    return {
        "UpdateRuntimeOn": version.update_runtime_on,
        "FunctionArn": target.arn,
        "RuntimeVersionArn": version.runtime_version_arn,
    }
