"""Tags of functions."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.function import LATEST, Function
from lambent.domain.quotas import Quotas
from lambent.domain.tags import check_tags
from lambent.errors.api.lambda_ import InvalidParameterValueException
from lambent.protocol.shapes.lambda_ import ListTagsRequest, TagResourceRequest, UntagResourceRequest
from lambent.services.lambda_.naming import Target, resolve_target
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore, FunctionTransaction


class Tags:
    """Tags by resource ARN. Functions are the only taggable resource that this version offers."""

    def __init__(self, store: FunctionStore, quotas: Quotas, clock: Clock) -> None:
        self._store = store
        self._quotas = quotas
        self._clock = clock

    @operation("ListTags")
    async def list(self, caller: Caller, request: ListTagsRequest) -> Mapping[str, Any]:
        target = _taggable(caller, request["Resource"])
        async with self._store.snapshot(target.scope) as reading:
            function = await _existing(reading, target)
        return {"Tags": dict(function.tags)}

    @operation("TagResource")
    async def tag(self, caller: Caller, request: TagResourceRequest) -> Mapping[str, Any]:
        target = _taggable(caller, request["Resource"])
        async with self._store.transaction(target.scope) as tx:
            function = await _existing(tx, target)
            tags = {**function.tags, **request["Tags"]}
            check_tags(request["Tags"], self._quotas)
            check_tags(tags, self._quotas)
            await self._save(tx, function, tags)
        return {}

    @operation("UntagResource")
    async def untag(self, caller: Caller, request: UntagResourceRequest) -> Mapping[str, Any]:
        target = _taggable(caller, request["Resource"])
        async with self._store.transaction(target.scope) as tx:
            function = await _existing(tx, target)
            gone = set(request["TagKeys"])
            await self._save(tx, function, {key: value for key, value in function.tags.items() if key not in gone})
        return {}

    async def _save(self, tx: FunctionTransaction, function: Function, tags: Mapping[str, str]) -> None:
        await tx.save_function(msgspec.structs.replace(function, tags=tags))
        latest = await tx.version(function.name, LATEST)
        assert latest is not None
        # Observed: tagging changes the function's revision (recorded 2025-11).
        await tx.save_version(msgspec.structs.replace(latest, revision_id=self._clock.new_id()))


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
