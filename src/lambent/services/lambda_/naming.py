"""Which function a request means: the checks that every operation with a FunctionName begins with."""

import msgspec

from lambent.domain.arn import function_arn, parse_function_reference
from lambent.domain.caller import Caller, Scope
from lambent.domain.function import FunctionName
from lambent.errors.api.lambda_ import InvalidParameterValueException, ResourceNotFoundException
from lambent.errors.families import AccessDeniedException


class Target(msgspec.Struct, frozen=True):
    """A function as a request addressed it, in a scope that the caller may reach."""

    scope: Scope
    name: FunctionName
    qualifier: str | None
    """From the name or the Qualifier parameter; None when neither gave one."""

    @property
    def arn(self) -> str:
        """The ARN as addressed: qualified only if the request was."""
        return function_arn(self.scope, self.name, self.qualifier)

    @property
    def unqualified_arn(self) -> str:
        return function_arn(self.scope, self.name)

    def not_found(self) -> ResourceNotFoundException:
        """Return the error of most operations for a missing function or version."""
        return ResourceNotFoundException(f"Function not found: {self.arn}")


def resolve_target(caller: Caller, function_name: str, qualifier: str | None = None) -> Target:
    """
    Take FunctionName and Qualifier apart and check them against each other and the endpoint.

    Args:
        function_name: passed shape validation.
        qualifier: the Qualifier parameter.

    Raises:
        ResourceNotFoundException: the ARN names another region.
        AccessDeniedException: the ARN names another account.
        InvalidParameterValueException: name and parameter qualify differently.

    Observed: texts of recorded answers of the service (2025-11).
    """
    reference = parse_function_reference(function_name)
    region = caller.scope.region
    if reference.region is not None and reference.region != region:
        raise ResourceNotFoundException(
            f"Functions from '{reference.region}' are not reachable in this region ('{region}')"
        )
    if reference.account is not None and reference.account != caller.scope.account:
        arn = f"arn:aws:lambda:{region}:{reference.account}:function:{reference.name}"
        raise AccessDeniedException(
            f"User: {caller.principal.arn} is not authorized to perform this action on resource: {arn} "
            "because no resource-based policy allows it"
        )
    if reference.qualifier is not None and qualifier is not None and reference.qualifier != qualifier:
        raise InvalidParameterValueException(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return Target(scope=caller.scope, name=reference.name, qualifier=reference.qualifier or qualifier)
