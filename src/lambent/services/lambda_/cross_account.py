"""
Callers of other accounts: what a function's resource policy lets them do.

A granted request goes on in the account of the function, so that no operation needs to know. What is not granted is
refused here, in the same words whether there is such a function or not.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.access.conditions import Conditions
from lambent.clock import Clock
from lambent.domain.arn import function_arn, parse_function_reference
from lambent.domain.caller import Caller, Scope
from lambent.domain.function import LATEST
from lambent.domain.policy import Value
from lambent.domain.resource_policy import Decision, Requester, decide
from lambent.errors.families import AccessDeniedException
from lambent.services.operation import Handler
from lambent.store.contract import FunctionStore

GRANTABLE = frozenset(
    {
        "CreateAlias",
        "DeleteAlias",
        "DeleteFunction",
        "DeleteFunctionConcurrency",
        "DeleteFunctionEventInvokeConfig",
        "DeleteProvisionedConcurrencyConfig",
        "GetAlias",
        "GetFunction",
        "GetFunctionConcurrency",
        "GetFunctionConfiguration",
        "GetFunctionEventInvokeConfig",
        "GetPolicy",
        "GetProvisionedConcurrencyConfig",
        "Invoke",
        "InvokeWithResponseStream",
        "ListAliases",
        "ListFunctionEventInvokeConfigs",
        "ListProvisionedConcurrencyConfigs",
        "ListTags",
        "ListVersionsByFunction",
        "PublishVersion",
        "PutFunctionConcurrency",
        "PutFunctionEventInvokeConfig",
        "PutProvisionedConcurrencyConfig",
        "TagResource",
        "UntagResource",
        "UpdateAlias",
        "UpdateFunctionCode",
        "UpdateFunctionEventInvokeConfig",
    }
)
"""
Operations that a function's policy can grant to other accounts. Documented: Lambda developer guide, resource-based
policies, supported API actions. Assumed: UpdateFunctionConfiguration is not among them, as the guide's list has it.
"""


_ACTIONS = {"Invoke": "InvokeFunction", "InvokeWithResponseStream": "InvokeFunction"}
"""Operations whose action has another name. Documented: service authorization reference, AWS Lambda."""


class CrossAccount:
    """Lets callers of other accounts in where a policy does."""

    def __init__(self, store: FunctionStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def open(self, handlers: Mapping[str, Handler]) -> dict[str, Handler]:
        """Return the handlers, each open to other accounts as far as policies go, and closed beyond."""
        return {operation: self._opened(handler, operation) for operation, handler in handlers.items()}

    def _opened(self, handler: Handler, operation: str) -> Handler:
        async def handle(caller: Caller, request: Any) -> Mapping[str, Any]:
            named = request.get("FunctionName")
            if named is None:
                named = request.get("Resource") or request.get("ResourceArn") or ""
                # Layers and mappings read like functions called "layer": their operations know whose they are.
                if ":function:" not in named:
                    return await handler(caller, request)
            # A bare name, which nearly every request has, costs one look.
            if ":" in named:
                caller = await self._entered(caller, named, request.get("Qualifier"), operation)
            return await handler(caller, request)

        return handle

    async def _entered(self, caller: Caller, named: str, qualifier: str | None, operation: str) -> Caller:
        """
        Return the caller as one of the function's account.

        Raises:
            AccessDeniedException: that is another account, and no policy there grants the operation.
        """
        try:
            reference = parse_function_reference(named)
        except ValueError:
            # The operation says what it thinks of it.
            return caller
        if reference.account in {None, caller.scope.account} or reference.region not in {None, caller.scope.region}:
            return caller
        assert reference.account is not None
        owner = Scope(reference.account, caller.scope.region)
        qualifier = reference.qualifier or qualifier
        action = f"lambda:{_ACTIONS.get(operation, operation)}"
        # `$LATEST` takes no policy of its own: the function's speaks for it.
        policed = None if qualifier == LATEST else qualifier
        decision = Decision.UNMENTIONED
        if operation in GRANTABLE:
            async with self._store.snapshot(owner) as reading:
                policy = await reading.policies.get(reference.name, policed)
            requester = requester_of(caller, action, owner.account, self._clock.now())
            decision = decide(policy, requester, action, function_arn(owner, reference.name, policed))
            if decision is Decision.ALLOWED:
                return msgspec.structs.replace(caller, scope=owner)
        raise access_denied(caller, action, function_arn(owner, reference.name, qualifier), decision)


def requester_of(
    caller: Caller, action: str, account: str, now: float, own: Mapping[str, Value] | None = None
) -> Requester:
    """
    Return a caller as policies of another account's resources see one. The tags are those of its session alone.

    Args:
        account: whose the resource is.
        now: seconds since the epoch.
        own: condition keys of the action.
    """
    session = caller.principal.session
    tags = {} if session is None else session.tags
    return Requester(caller.principal, Conditions(caller.principal, tags, action, own or {}, caller, account, {}, now))


def access_denied(
    caller: Caller, action: str, arn: str, decision: Decision = Decision.UNMENTIONED
) -> AccessDeniedException:
    """Return the error of a caller without a grant, for something that there is or not."""
    # Observed: localstack tests/aws/services/lambda_/test_lambda_api.py (recorded) for GetLayerVersion.
    why = f"because no resource-based policy allows the {action} action"
    if decision is Decision.DENIED:
        # Documented: IAM user guide, troubleshoot access denied error messages.
        why = "with an explicit deny in a resource-based policy"
    return AccessDeniedException(
        f"User: {caller.principal.arn} is not authorized to perform: {action} on resource: {arn} {why}"
    )
