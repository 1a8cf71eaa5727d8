"""
Callers of other accounts: what a function's resource policy lets them do.

A granted request goes on in the account of the function, so that no operation needs to know. What is not granted is
refused by `naming.resolve_target`, as any name of another account is.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.domain.arn import function_arn, parse_function_reference
from lambent.domain.caller import Caller, Scope
from lambent.domain.function import LATEST
from lambent.domain.resource_policy import Requester, allows
from lambent.services.operation import Handler
from lambent.store.contract import FunctionStore

_GRANTED_BY_NAME = (
    "CreateAlias",
    "DeleteAlias",
    "DeleteFunction",
    "DeleteFunctionConcurrency",
    "DeleteProvisionedConcurrencyConfig",
    "GetAlias",
    "GetFunction",
    "GetFunctionConcurrency",
    "GetFunctionConfiguration",
    "GetPolicy",
    "GetProvisionedConcurrencyConfig",
    "ListAliases",
    "ListProvisionedConcurrencyConfigs",
    "ListTags",
    "ListVersionsByFunction",
    "PublishVersion",
    "PutFunctionConcurrency",
    "PutProvisionedConcurrencyConfig",
    "TagResource",
    "UntagResource",
    "UpdateAlias",
    "UpdateFunctionCode",
)

ACTIONS = {**{name: f"lambda:{name}" for name in _GRANTED_BY_NAME}, "Invoke": "lambda:InvokeFunction"}
"""
Operation to the action of a policy that grants it. Documented: Lambda developer guide, resource-based policies,
supported API actions. Assumed: UpdateFunctionConfiguration is not among them, as the guide's list has it.
"""


class CrossAccount:
    """Lets callers of other accounts in where a policy does."""

    def __init__(self, store: FunctionStore) -> None:
        self._store = store

    def open(self, handlers: Mapping[str, Handler]) -> dict[str, Handler]:
        """Return the handlers, those of `ACTIONS` open to other accounts."""
        return {
            operation: self._opened(handler, ACTIONS[operation]) if operation in ACTIONS else handler
            for operation, handler in handlers.items()
        }

    def _opened(self, handler: Handler, action: str) -> Handler:
        async def handle(caller: Caller, request: Any) -> Mapping[str, Any]:
            named = request.get("FunctionName") or request.get("Resource") or ""
            # A bare name, which nearly every request has, costs one look.
            if ":" in named:
                caller = await self._entered(caller, named, request, action)
            return await handler(caller, request)

        return handle

    async def _entered(self, caller: Caller, named: str, request: Mapping[str, Any], action: str) -> Caller:
        """Return the caller as one of the function's account if a policy grants the action, else as it was."""
        try:
            reference = parse_function_reference(named)
        except ValueError:
            # Another kind of resource: the operation says what it thinks of it.
            return caller
        if reference.account in {None, caller.scope.account} or reference.region not in {None, caller.scope.region}:
            return caller
        assert reference.account is not None
        owner = Scope(reference.account, caller.scope.region)
        qualifier = reference.qualifier or request.get("Qualifier") or request.get("Name")
        async with self._store.snapshot(owner) as reading:
            policy = await reading.policies.get(reference.name, None if qualifier == LATEST else qualifier)
        requester = Requester(account=caller.scope.account, principal=caller.principal)
        if not allows(policy, requester, action, function_arn(owner, reference.name, qualifier)):
            return caller
        return msgspec.structs.replace(caller, scope=owner)
