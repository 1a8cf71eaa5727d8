"""Reserved concurrency: executions kept aside for one function, which may run no more than those."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.domain.caller import Caller
from lambent.domain.concurrency import check_reservation
from lambent.domain.function import LATEST, Function
from lambent.domain.quotas import AccountQuotas
from lambent.errors.api.lambda_ import InvalidParameterValueException, ResourceNotFoundException
from lambent.protocol.shapes.lambda_ import (
    DeleteFunctionConcurrencyRequest,
    GetFunctionConcurrencyRequest,
    PutFunctionConcurrencyRequest,
)
from lambent.services.lambda_.naming import Target, resolve_target
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore, FunctionTransaction


class FunctionConcurrency:
    """The reserved concurrency of functions. See the Lambda API reference for each operation."""

    def __init__(self, store: FunctionStore, quotas: AccountQuotas) -> None:
        self._store = store
        self._quotas = quotas

    @operation("PutFunctionConcurrency")
    async def put(self, caller: Caller, request: PutFunctionConcurrencyRequest) -> Mapping[str, Any]:
        target = _unqualified(caller, request["FunctionName"])
        wanted = request["ReservedConcurrentExecutions"]
        quotas = await self._quotas.of(target.scope.account)
        async with self._store.transaction(target.scope) as tx:
            function = await _existing(tx, target)
            claims = await tx.claims()
            provisioned = claims.provisioned_of(target.name)
            if wanted < provisioned:
                # Observed: localstack/localstack test_lambda.py::test_reserved_provisioned_overlap, blanks included.
                raise InvalidParameterValueException(
                    f" ReservedConcurrentExecutions  {wanted} should not be lower than function's total provisioned "
                    f"concurrency [{provisioned}]."
                )
            elsewhere = claims.kept_aside_by_all(but=target.name)
            check_reservation(wanted, function.reserved_executions, elsewhere, quotas)
            # No new revision. Assumed: the reservation is not part of what RevisionId guards (test_concurrency).
            await tx.save_function(msgspec.structs.replace(function, reserved_executions=wanted))
        return {"ReservedConcurrentExecutions": wanted}

    @operation("GetFunctionConcurrency")
    async def get(self, caller: Caller, request: GetFunctionConcurrencyRequest) -> Mapping[str, Any]:
        target = _unqualified(caller, request["FunctionName"])
        async with self._store.snapshot(target.scope) as reading:
            function = await _existing(reading, target)
        return reservation_view(function)

    @operation("DeleteFunctionConcurrency")
    async def delete(self, caller: Caller, request: DeleteFunctionConcurrencyRequest) -> Mapping[str, Any]:
        target = _unqualified(caller, request["FunctionName"])
        async with self._store.transaction(target.scope) as tx:
            function = await _existing(tx, target)
            if function.reserved_executions is not None:
                await tx.save_function(msgspec.structs.replace(function, reserved_executions=None))
        return {}


def reservation_view(function: Function) -> dict[str, Any]:
    """Return a function's reservation as the API shows it: empty where there is none, 0 where nothing may run."""
    if function.reserved_executions is None:
        return {}
    return {"ReservedConcurrentExecutions": function.reserved_executions}


def _unqualified(caller: Caller, function_name: str) -> Target:
    target = resolve_target(caller, function_name)
    if target.qualifier is not None:
        # Observed: localstack/localstack test_function_concurrency_exceptions, for PutFunctionConcurrency.
        # Assumed: the other two say the same (test_reserved_concurrency).
        raise InvalidParameterValueException(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. "
            "Please specify either a function name or an unqualified function ARN."
        )
    return target


async def _existing(reading: FunctionTransaction, target: Target) -> Function:
    function = await reading.function(target.name)
    if function is None:
        # Observed: the ARN ends in `:$LATEST` here (recorded 2025-11).
        raise ResourceNotFoundException(f"Function not found: {target.unqualified_arn}:{LATEST}")
    return function
