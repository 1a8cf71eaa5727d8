"""Tags of functions and of event source mappings."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.event_source_mapping import EventSourceMapping, mapping_arn
from lambent.domain.function import LATEST, Function, FunctionVersion
from lambent.domain.quotas import Quotas
from lambent.domain.tags import allows_egress, check_tags
from lambent.errors.api.lambda_ import InvalidParameterValueException, ResourceNotFoundException
from lambent.protocol.shapes.lambda_ import ListTagsRequest, TagResourceRequest, UntagResourceRequest
from lambent.services.lambda_.activation import Activation
from lambent.services.lambda_.naming import Target, resolve_target
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore, FunctionTransaction


class Tags:
    """
    Tags by resource ARN, of functions and event source mappings.

    `lambent:egress` acts: changing what it says makes new deployments, so that the environments of the old ones retire.
    """

    def __init__(self, store: FunctionStore, activation: Activation, quotas: Quotas, clock: Clock) -> None:
        self._store = store
        self._activation = activation
        self._quotas = quotas
        self._clock = clock

    @operation("ListTags")
    async def list(self, caller: Caller, request: ListTagsRequest) -> Mapping[str, Any]:
        if (uuid := _mapping(caller, request["Resource"])) is not None:
            async with self._store.snapshot(caller.scope) as reading:
                mapping = await _existing_mapping(reading, request["Resource"], uuid)
            return {"Tags": dict(mapping.tags)}
        target = _taggable(caller, request["Resource"])
        async with self._store.snapshot(target.scope) as reading:
            function = await _existing(reading, target)
        return {"Tags": dict(function.tags)}

    @operation("TagResource")
    async def tag(self, caller: Caller, request: TagResourceRequest) -> Mapping[str, Any]:
        if (uuid := _mapping(caller, request["Resource"])) is not None:
            async with self._store.transaction(caller.scope) as tx:
                mapping = await _existing_mapping(tx, request["Resource"], uuid)
                tags = {**mapping.tags, **request["Tags"]}
                check_tags(request["Tags"], self._quotas)
                check_tags(tags, self._quotas)
                await tx.event_source_mappings.save(msgspec.structs.replace(mapping, tags=tags))
            return {}
        target = _taggable(caller, request["Resource"])
        async with self._store.transaction(target.scope) as tx:
            function = await _existing(tx, target)
            tags = {**function.tags, **request["Tags"]}
            check_tags(request["Tags"], self._quotas)
            check_tags(tags, self._quotas)
            is_redeployed = await self._save(tx, function, tags)
        if is_redeployed:
            self._activation.settle_soon(target.scope, target.name)
        return {}

    @operation("UntagResource")
    async def untag(self, caller: Caller, request: UntagResourceRequest) -> Mapping[str, Any]:
        gone = set(request["TagKeys"])
        if (uuid := _mapping(caller, request["Resource"])) is not None:
            async with self._store.transaction(caller.scope) as tx:
                mapping = await _existing_mapping(tx, request["Resource"], uuid)
                left = {key: value for key, value in mapping.tags.items() if key not in gone}
                await tx.event_source_mappings.save(msgspec.structs.replace(mapping, tags=left))
            return {}
        target = _taggable(caller, request["Resource"])
        async with self._store.transaction(target.scope) as tx:
            function = await _existing(tx, target)
            left = {key: value for key, value in function.tags.items() if key not in gone}
            is_redeployed = await self._save(tx, function, left)
        if is_redeployed:
            self._activation.settle_soon(target.scope, target.name)
        return {}

    async def _save(self, tx: FunctionTransaction, function: Function, tags: Mapping[str, str]) -> bool:
        """
        Store tags and what they bring about; return whether deployments are new.

        If they are, `settle_soon` is to be asked: preparation of the older ones that is under way counts for nothing.
        """
        await tx.save_function(msgspec.structs.replace(function, tags=tags))
        egress = allows_egress(tags)
        is_redeployed = egress != allows_egress(function.tags)
        if is_redeployed:
            for version in await tx.list_versions(function.name, after=None, limit=1_000_000):
                await tx.save_version(self._redeployed(version, egress))
        latest = await tx.version(function.name, LATEST)
        assert latest is not None
        # Observed: tagging changes the function's revision (recorded 2025-11).
        await tx.save_version(msgspec.structs.replace(latest, revision_id=self._clock.new_id()))
        return is_redeployed

    def _redeployed(self, version: FunctionVersion, egress: bool) -> FunctionVersion:
        """Return a version as a new deployment of the same code and configuration; what serves meanwhile likewise."""
        serving = version.serving
        if serving is not None:
            serving = msgspec.structs.replace(serving, egress=egress, deployment_id=self._clock.new_id())
        return msgspec.structs.replace(version, egress=egress, deployment_id=self._clock.new_id(), serving=serving)


def _mapping(caller: Caller, resource: str) -> str | None:
    """
    Return the UUID in a mapping's ARN; None for the ARN of something else.

    Raises:
        ResourceNotFoundException: it is another scope's.
    """
    if ":event-source-mapping:" not in resource:
        return None
    uuid = resource.rpartition(":")[2]
    if resource != mapping_arn(caller.scope, uuid):
        raise _no_mapping(resource)
    return uuid


async def _existing_mapping(reading: FunctionTransaction, resource: str, uuid: str) -> EventSourceMapping:
    mapping = await reading.event_source_mappings.get(uuid)
    if mapping is None:
        raise _no_mapping(resource)
    return mapping


def _no_mapping(resource: str) -> ResourceNotFoundException:
    # Observed: localstack/localstack tests/aws/services/lambda_/test_lambda_api.py (recorded).
    return ResourceNotFoundException(f"Event source mapping not found: {resource}")


def _taggable(caller: Caller, resource: str) -> Target:
    if ":function:" not in resource:
        kind = resource.split(":")[5] if resource.count(":") >= 5 else "this resource"
        raise InvalidParameterValueException(f"Tags of {kind} are not offered by this version of Lambent")
    target = resolve_target(caller, resource)
    if target.qualifier is not None:
        raise InvalidParameterValueException(
            "Tags on function aliases and versions are not supported. Please specify a function ARN."
        )
    return target


async def _existing(reading: FunctionTransaction, target: Target) -> Function:
    function = await reading.function(target.name)
    if function is None:
        raise target.not_found()
    return function
