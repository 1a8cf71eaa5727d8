"""Recursion control: whether a function may be reached again and again by one chain of invocations."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.domain.caller import Caller
from lambent.domain.function import Function
from lambent.protocol.shapes.lambda_ import GetFunctionRecursionConfigRequest, PutFunctionRecursionConfigRequest
from lambent.services.lambda_.naming import Target, resolve_target
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore, FunctionTransaction


class RecursionConfigs:
    """The recursion control of functions. See the Lambda API reference for each operation."""

    def __init__(self, store: FunctionStore) -> None:
        self._store = store

    @operation("GetFunctionRecursionConfig")
    async def get(self, caller: Caller, request: GetFunctionRecursionConfigRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"])
        async with self._store.snapshot(target.scope) as reading:
            function = await _existing(reading, target)
        return _view(function)

    @operation("PutFunctionRecursionConfig")
    async def put(self, caller: Caller, request: PutFunctionRecursionConfigRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"])
        async with self._store.transaction(target.scope) as tx:
            function = await _existing(tx, target)
            function = msgspec.structs.replace(function, may_recurse=request["RecursiveLoop"] == "Allow")
            await tx.save_function(function)
        return _view(function)


async def _existing(reading: FunctionTransaction, target: Target) -> Function:
    function = await reading.function(target.name)
    if function is None:
        raise target.not_found()
    return function


def _view(function: Function) -> dict[str, Any]:
    return {"RecursiveLoop": "Allow" if function.may_recurse else "Terminate"}
