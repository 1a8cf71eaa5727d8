"""Whether a function may be given its execution role: it has to be there, the account's own, and Lambda's to assume."""

from collections.abc import Mapping
from typing import Any, Protocol

from lambent.access.role_trust import ForeignRole, NotTrusted, RoleTrust
from lambent.domain.caller import Scope
from lambent.errors.api.lambda_ import InvalidParameterValueException
from lambent.errors.families import AccessDeniedException

LAMBDA = "lambda.amazonaws.com"


class ExecutionRoles(Protocol):
    """Knows which roles functions may have."""

    async def check(self, scope: Scope, request: Mapping[str, Any]) -> None:
        """
        Look at the role that a request names; one without says nothing of it.

        Raises:
            AccessDeniedException: it is another account's.
            InvalidParameterValueException: there is none, or Lambda may not assume it.
        """
        ...


class TrustedRoles:
    """Asks trust policies, where policies are in force."""

    def __init__(self, trust: RoleTrust) -> None:
        self._trust = trust

    async def check(self, scope: Scope, request: Mapping[str, Any]) -> None:
        """Look at the role that a request names; see the contract."""
        if "Role" not in request:
            return
        try:
            await self._trust.check_service(scope.account, request["Role"], LAMBDA)
        except ForeignRole:
            # Observed: field reports.
            raise AccessDeniedException("Cross-account pass role is not allowed.") from None
        except NotTrusted:
            # Observed: field reports; Terraform tries this text again for a while.
            raise InvalidParameterValueException(
                "The role defined for the function cannot be assumed by Lambda."
            ) from None
