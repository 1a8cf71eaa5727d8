"""The one step that decides whether a caller may act."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from lambent.domain.caller import Caller
from lambent.domain.policy import Policies, Value


class Demand(msgspec.Struct, frozen=True):
    """One action that an operation needs leave for."""

    action: str
    """For instance `lambda:InvokeFunction`."""
    resource: str = "*"
    """The ARN acted upon, as policies name it; `*` where the action has none."""
    account: str = ""
    """Whose the resource is; empty: it is in the ARN, or the caller's."""
    shown_as: str = ""
    """The resource as a denial names it, where that is not the ARN."""
    context: Mapping[str, Value] = {}
    """Condition keys of this action, in small letters."""


class ResourceFacts(Protocol):
    """What is known of a service's resources that policies may ask for. Looked up only where one does."""

    async def policy(self, demand: Demand) -> Policies | None:
        """Return a resource's own policy; None where it has none."""
        ...

    async def tags(self, demand: Demand) -> Mapping[str, str]:
        """Return a resource's tags; none where there is no such resource."""
        ...


class Authorizer(Protocol):
    """Decides."""

    async def authorize(self, caller: Caller, demands: Sequence[Demand], facts: ResourceFacts | None = None) -> None:
        """
        Refuse what the caller may not do.

        Every request passes here before its handler runs, and before anything is looked up for it: a refusal says
        nothing of whether there is such a resource.

        Args:
            demands: all have to be allowed.
            facts: None: its resources have neither policies nor tags.

        Raises:
            AccessDeniedException: the caller may not.
        """
        ...

    async def allows_role(self, role_arn: str, demand: Demand, facts: ResourceFacts | None = None) -> bool:
        """
        Say whether an execution role may do something that the server does in its name: read a source, deliver a
        record. A role that is not there may nothing.
        """
        ...


class Everything:
    """Allows everything: `--iam off`."""

    async def authorize(self, caller: Caller, demands: Sequence[Demand], facts: ResourceFacts | None = None) -> None:
        return

    async def allows_role(self, role_arn: str, demand: Demand, facts: ResourceFacts | None = None) -> bool:
        return True
