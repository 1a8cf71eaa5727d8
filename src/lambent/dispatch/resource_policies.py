"""What lets services in at functions: their resource policies, as they are stored at that moment."""

from typing import Final

from lambent.domain.arn import function_arn, parse_function_reference
from lambent.domain.destination import parse_target
from lambent.domain.function import LATEST
from lambent.domain.resource_policy import Requester, allows
from lambent.store.contract import FunctionStore

_ACTION: Final = "lambda:InvokeFunction"


async def is_let_in(functions: FunctionStore, arn: str, *requesters: Requester) -> bool:
    """
    Say whether the resource policy of a function, a version or an alias lets any of some requesters invoke it.

    Args:
        arn: as a configuration names it; what names no function lets nobody in.

    Raises:
        DependencyError: the store failed.
    """
    target = parse_target(arn)
    if target is None:
        return False
    try:
        reference = parse_function_reference(arn)
    except ValueError:
        return False
    qualifier = None if reference.qualifier == LATEST else reference.qualifier
    async with functions.snapshot(target.scope) as reading:
        policy = await reading.policies.get(reference.name, qualifier)
    resource = function_arn(target.scope, reference.name, qualifier)
    return any(allows(policy, requester, _ACTION, resource) for requester in requesters)
