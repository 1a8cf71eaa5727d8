"""What policies may ask of users, groups, roles, policies and instance profiles."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.access.authorize import Demand
from lambent.domain.identity import Group, InstanceProfile, ManagedPolicy, Role, User
from lambent.domain.policy import Policies
from lambent.store.contract import IdentityStore

_KINDS: Mapping[str, type[Any]] = {kind.kind: kind for kind in (User, Group, Role, ManagedPolicy, InstanceProfile)}


class IdentityFacts:
    """Implements `ResourceFacts` for IAM. None has a policy of its own but for trust, which AssumeRole asks."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store
        self.revision = 0
        store.on_change(self._forget)

    async def completed(self, demand: Demand) -> Demand:
        """Return a demand with the path in the ARN of what there is, and with its boundary."""
        if demand.action.startswith("iam:Create") and not demand.action.endswith(("AccessKey", "PolicyVersion")):
            return demand
        found = await self._find(demand.resource)
        if found is None:
            return demand
        context = demand.context
        boundary = getattr(found, "boundary", None)
        if boundary and "iam:permissionsboundary" not in context:
            context = {**context, "iam:permissionsboundary": boundary}
        return msgspec.structs.replace(demand, resource=found.arn, context=context)

    async def policy(self, demand: Demand) -> Policies | None:
        return None

    async def tags(self, demand: Demand) -> Mapping[str, str]:
        """Return the tags of what a demand names."""
        found = await self._find(demand.resource)
        return {} if found is None else found.tags

    async def _find(self, arn: str) -> User | Group | Role | ManagedPolicy | InstanceProfile | None:
        parts = arn.split(":", 5)
        kind = _KINDS.get(parts[5].partition("/")[0]) if len(parts) == 6 and parts[2] == "iam" else None
        if kind is None:
            return None
        async with self._store.snapshot(parts[4]) as reading:
            found: User | Group | Role | ManagedPolicy | InstanceProfile | None = await reading.get(
                kind, arn.rpartition("/")[2]
            )
        return found

    def _forget(self, _: str) -> None:
        self.revision += 1
