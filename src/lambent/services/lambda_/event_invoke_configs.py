"""
Event invoke configs: how often and how long asynchronous events are tried, and where their records go.

Texts marked as observed are AWS's answers as localstack/localstack recorded them, in
tests/aws/services/lambda_/test_lambda_api.snapshot.json, test_lambda_eventinvokeconfig_exceptions.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.destinations.contract import Destinations, TargetRefuses
from lambent.domain.arn import function_arn, parse_function_reference
from lambent.domain.caller import Caller
from lambent.domain.destination import parse_target, why_not_offered
from lambent.domain.event_invoke import EventInvokeConfig
from lambent.domain.function import LATEST
from lambent.errors.api.lambda_ import InvalidParameterValueException, ResourceNotFoundException
from lambent.protocol.shapes.lambda_ import (
    DeleteFunctionEventInvokeConfigRequest,
    GetFunctionEventInvokeConfigRequest,
    ListFunctionEventInvokeConfigsRequest,
    PutFunctionEventInvokeConfigRequest,
    UpdateFunctionEventInvokeConfigRequest,
)
from lambent.services.lambda_.markers import decode_marker, encode_marker, page_size
from lambent.services.lambda_.naming import Target, resolve_target
from lambent.services.lambda_.role_checks import TargetRights, role_of
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore, FunctionTransaction

_SETTINGS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")


class EventInvokeConfigs:
    """The event invoke configs of functions, versions and aliases. See the Lambda API reference for each operation."""

    def __init__(self, store: FunctionStore, destinations: Destinations, rights: TargetRights, clock: Clock) -> None:
        self._store = store
        self._destinations = destinations
        self._rights = rights
        self._clock = clock

    @operation("PutFunctionEventInvokeConfig")
    async def put(self, caller: Caller, request: PutFunctionEventInvokeConfigRequest) -> Mapping[str, Any]:
        return await self._save(caller, request, merge=False)

    @operation("UpdateFunctionEventInvokeConfig")
    async def update(self, caller: Caller, request: UpdateFunctionEventInvokeConfigRequest) -> Mapping[str, Any]:
        return await self._save(caller, request, merge=True)

    @operation("GetFunctionEventInvokeConfig")
    async def get(self, caller: Caller, request: GetFunctionEventInvokeConfigRequest) -> Mapping[str, Any]:
        target = _qualified(caller, request)
        async with self._store.snapshot(target.scope) as reading:
            config = await reading.event_invoke_configs.get(target.name, target.qualifier or LATEST)
        if config is None:
            raise _no_config(target)
        return _view(config)

    @operation("ListFunctionEventInvokeConfigs")
    async def list(self, caller: Caller, request: ListFunctionEventInvokeConfigsRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"])
        limit = page_size(request)
        after = decode_marker(request.get("Marker"))
        async with self._store.snapshot(target.scope) as reading:
            if await reading.function(target.name) is None:
                raise _no_function()
            found = await reading.event_invoke_configs.list(target.name, after=after, limit=limit + 1)
        answer: dict[str, Any] = {"FunctionEventInvokeConfigs": [_view(config) for config in found[:limit]]}
        if len(found) > limit:
            answer["NextMarker"] = encode_marker(found[limit - 1].qualifier)
        return answer

    @operation("DeleteFunctionEventInvokeConfig")
    async def delete(self, caller: Caller, request: DeleteFunctionEventInvokeConfigRequest) -> Mapping[str, Any]:
        target = _qualified(caller, request)
        async with self._store.transaction(target.scope) as tx:
            if not await tx.event_invoke_configs.delete(target.name, target.qualifier or LATEST):
                raise _no_config(target)
        return {}

    async def _save(self, caller: Caller, request: Mapping[str, Any], *, merge: bool) -> Mapping[str, Any]:
        target = _qualified(caller, request)
        assert target.qualifier is not None
        if not any(setting in request for setting in _SETTINGS):
            # Observed.
            raise InvalidParameterValueException(
                "You must specify at least one of error handling or destination setting."
            )
        async with self._store.snapshot(target.scope) as reading:
            await _check_there(reading, target)
            role = await role_of(reading, target.name, target.qualifier) or ""
        wanted = {"on_success": "", "on_failure": ""}
        if "DestinationConfig" in request:
            wanted = await self._destination_config(target, request["DestinationConfig"], role)
        async with self._store.transaction(target.scope) as tx:
            await _check_there(tx, target)
            config = EventInvokeConfig(target.scope, target.name, target.qualifier, self._clock.now())
            if merge:
                before = await tx.event_invoke_configs.get(target.name, target.qualifier)
                if before is None:
                    raise _no_config(target)
                config = msgspec.structs.replace(before, last_modified=config.last_modified)
            changes: dict[str, Any] = {}
            if "MaximumRetryAttempts" in request:
                changes["retries_max"] = request["MaximumRetryAttempts"]
            if "MaximumEventAgeInSeconds" in request:
                changes["age_max_s"] = request["MaximumEventAgeInSeconds"]
            # Assumed: a DestinationConfig is merged as a whole, so that what it does not name is gone
            # (test_event_invoke_configs).
            if "DestinationConfig" in request:
                changes.update(wanted)
            config = msgspec.structs.replace(config, **changes)
            await tx.event_invoke_configs.save(config)
        return _view(config)

    async def _destination_config(self, target: Target, wanted: Mapping[str, Any], role: str) -> dict[str, str]:
        """
        Return where successes and failures are to go.

        Raises:
            InvalidParameterValueException: there it cannot go.
        """
        on_success, on_failure = ((wanted.get(on) or {}).get("Destination", "") for on in ("OnSuccess", "OnFailure"))
        for arn, is_success in ((on_failure, False), (on_success, True)):
            if arn and not await self._takes(target, arn, role, is_success=is_success):
                # Observed.
                success = f"OnSuccess(destination={on_success})" if on_success else "null"
                failure = f"OnFailure(destination={on_failure})" if on_failure else "null"
                raise InvalidParameterValueException(
                    f"The provided destination config DestinationConfig(onSuccess={success}, onFailure={failure}) is "
                    "invalid."
                )
        return {"on_success": on_success, "on_failure": on_failure}

    async def _takes(self, target: Target, arn: str, role: str, *, is_success: bool) -> bool:
        """
        Say whether AWS knows destinations of that kind.

        Raises:
            InvalidParameterValueException: it does, but this one cannot be one.
            ApiError: whether it can, its server does not say.
        """
        reason = why_not_offered(arn, tuple(self._destinations))
        if reason is not None:
            raise InvalidParameterValueException(f"Destination {reason}")
        named = parse_target(arn)
        if named is None or named.service not in self._destinations:
            return False
        if named.service == "sqs" and named.resource.endswith(".fifo"):
            # Documented: Lambda developer guide, asynchronous invocation: standard queues only.
            return False
        if named.is_bucket and is_success:
            # Documented: Lambda developer guide, asynchronous invocation: a bucket takes records of failures alone.
            # Assumed: the text (test_event_invoke_configs).
            return False
        named = named.seen_from(target.scope)
        if named.scope != target.scope:
            raise InvalidParameterValueException(
                f"The destination ARN {arn} is invalid: it must be of account {target.scope.account} in "
                f"{target.scope.region}, as the function is."
            )
        if lacking := await self._rights.lacking(role, named):
            # Assumed: as for dead-letter queues; Terraform's provider waits on `does not have permissions`
            # (test_role_checks). Before it is said whether there is such a target.
            raise InvalidParameterValueException(
                f"The provided execution role does not have permissions to call {lacking}"
            )
        try:
            is_there = await self._destinations[named.service].exists(named)
        except TargetRefuses as refused:
            raise InvalidParameterValueException(f"The destination ARN {arn} is invalid: {refused}.") from refused
        if not is_there:
            # Observed, for a function.
            raise InvalidParameterValueException(f"The destination ARN {arn} is invalid.")
        if named.service == "lambda" and parse_function_reference(arn).name == target.name:
            # Observed.
            raise InvalidParameterValueException("You can't specify the function as a destination for itself.")
        return True


def _qualified(caller: Caller, request: Mapping[str, Any]) -> Target:
    target = resolve_target(caller, request["FunctionName"], request.get("Qualifier"))
    return msgspec.structs.replace(target, qualifier=target.qualifier or LATEST)


async def _check_there(reading: FunctionTransaction, target: Target) -> None:
    qualifier = target.qualifier or LATEST
    there = await (
        reading.version(target.name, qualifier)
        if qualifier == LATEST or qualifier.isdigit()
        else reading.aliases.get(target.name, qualifier)
    )
    if there is None:
        raise _no_function()


def _no_function() -> ResourceNotFoundException:
    # Observed: for a missing version or alias as well.
    return ResourceNotFoundException("The function doesn't exist.")


def _no_config(target: Target) -> ResourceNotFoundException:
    # Observed.
    return ResourceNotFoundException(f"The function {target.arn} doesn't have an EventInvokeConfig")


def _view(config: EventInvokeConfig) -> dict[str, Any]:
    view: dict[str, Any] = {
        "LastModified": datetime.fromtimestamp(config.last_modified, UTC),
        "FunctionArn": function_arn(config.scope, config.name, config.qualifier),
        # Observed: both are there, empty, where nothing is set.
        "DestinationConfig": {
            "OnSuccess": {"Destination": config.on_success} if config.on_success else {},
            "OnFailure": {"Destination": config.on_failure} if config.on_failure else {},
        },
    }
    if config.retries_max is not None:
        view["MaximumRetryAttempts"] = config.retries_max
    if config.age_max_s is not None:
        view["MaximumEventAgeInSeconds"] = config.age_max_s
    return view
