"""What a function's execution role needs where the server sends something in its name."""

from collections.abc import Mapping
from typing import Protocol

from lambent.access.authorize import Authorizer, Demand, ResourceFacts
from lambent.domain.arn import parse_function_reference
from lambent.domain.caller import Scope
from lambent.domain.destination import Target
from lambent.domain.function import LATEST, FunctionName, FunctionVersion
from lambent.store.contract import FunctionTransaction

_SENDING = {"lambda": ("InvokeFunction", "Lambda"), "s3": ("PutObject", "S3"), "sqs": ("SendMessage", "SQS")}
"""
By the service in a target's ARN: the action, and what AWS calls the service. Documented: Lambda developer guide,
asynchronous invocation, permissions for destinations.
"""

_TRACING = ("PutTraceSegments", "PutTelemetryRecords")
"""Documented: Lambda developer guide, X-Ray, execution role permissions."""


class Versions(Protocol):
    """Finds versions: `app.py` hands over what dispatch has."""

    async def resolve(self, scope: Scope, name: FunctionName, qualifier: str | None) -> FunctionVersion | None: ...


class TargetRights:
    """
    Says what roles may send where.

    Args:
        facts: of the targets, by the service in their ARN.
    """

    def __init__(self, authorizer: Authorizer, facts: Mapping[str, ResourceFacts]) -> None:
        self._authorizer = authorizer
        self.facts = facts

    async def lacking(self, role: str, target: Target, object_key: str = "*") -> str | None:
        """Return which permission a role lacks to send to a target, e.g. `SendMessage on SQS`; None: it has it."""
        if not self._authorizer.is_on:
            return None
        action, called = _SENDING[target.service]
        arn = f"{target.arn}/{object_key}" if target.is_bucket else target.arn
        demand = Demand(f"{target.service}:{action}", arn)
        is_allowed = await self._authorizer.allows_role(role, demand, self.facts.get(target.service))
        return None if is_allowed else f"{action} on {called}"

    async def lacking_for_traces(self, role: str) -> str | None:
        """Return which permission a role lacks to have its function traced, as `lacking` does."""
        if not self._authorizer.is_on:
            return None
        for action in _TRACING:
            if not await self._authorizer.allows_role(role, Demand(f"xray:{action}", "*")):
                return f"{action} on XRAY"
        return None


class DeliveryRights:
    """
    Says whether what is on its way out may be delivered now: what a role may do can have changed since it was accepted.
    """

    def __init__(self, rights: TargetRights, versions: Versions) -> None:
        self._rights = rights
        self._versions = versions

    async def lacking(self, function_arn: str, target: Target, object_key: str) -> str | None:
        """
        Return which permission a function's role lacks; None: it has it, or there is no such function any more, whose
        role was asked when it was configured.

        Raises:
            DependencyError: the store failed.
        """
        if not function_arn:
            return None
        reference = parse_function_reference(function_arn)
        assert reference.account is not None and reference.region is not None, "made by us"
        scope = Scope(reference.account, reference.region)
        version = await self._versions.resolve(scope, reference.name, reference.qualifier)
        if version is None:
            return None
        return await self._rights.lacking(version.configuration.role, target, object_key or "*")


async def role_of(reading: FunctionTransaction, name: FunctionName, qualifier: str | None) -> str | None:
    """Return the role of the version that a qualifier names; None where there is none."""
    qualifier = qualifier or LATEST
    if qualifier != LATEST and not qualifier.isdigit():
        alias = await reading.aliases.get(name, qualifier)
        if alias is None:
            return None
        qualifier = alias.version
    version = await reading.version(name, qualifier)
    return None if version is None else version.configuration.role
