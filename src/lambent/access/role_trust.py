"""Which services may act as a role: its trust policy, as services ask it that call in a role's name."""

from collections import OrderedDict
from collections.abc import Mapping

from lambent.domain.identity import Role
from lambent.domain.policy import AccessRequest, MalformedPolicy, Policies, PolicySet, Value, compile_policy, decide
from lambent.domain.principal import service_principal
from lambent.store.contract import IdentityStore

_ROLES_MAX = 2000
"""Roles whose trust policies are remembered; the one that was asked least recently goes."""


class RoleTrust:
    """
    Asks trust policies. Those that were asked lately are remembered, so that a warm request never touches the store.

    Args:
        store: whose change notices keep it honest.
    """

    def __init__(self, store: IdentityStore) -> None:
        self._store = store
        self._kept: OrderedDict[str, Policies | None] = OrderedDict()
        self._generation = 0
        store.on_change(self._forget)

    async def lets(self, role_arn: str, service: str, context: Mapping[str, Value]) -> bool:
        """
        Say whether a service, e.g. `apigateway.amazonaws.com`, may act as a role. As one that is not there nobody may.

        Args:
            context: condition keys in small letters.

        Documented: IAM user guide, roles: a service assumes a role as itself, and the trust policy decides.
        """
        policy = await self._policy(role_arn)
        account = role_arn.split(":", 5)[4]
        request = AccessRequest(service_principal(service), "sts:AssumeRole", role_arn, account, context)
        return decide(request, PolicySet(resource=policy), is_trust=True).is_allowed

    async def _policy(self, role_arn: str) -> Policies | None:
        if role_arn in self._kept:
            self._kept.move_to_end(role_arn)
            return self._kept[role_arn]
        generation = self._generation
        async with self._store.snapshot(role_arn.split(":", 5)[4]) as reading:
            role = await reading.get(Role, role_arn.rpartition("/")[2])
        policy: Policies | None = None
        # The path is part of a role's ARN, and names of roles are found without regard to case.
        if role is not None and role.arn == role_arn:
            try:
                policy = Policies((compile_policy(role.trust_policy),))
            except MalformedPolicy:
                policy = None
        # A notice that came while we read may have been about this very role: do not keep what might be stale.
        if generation == self._generation:
            self._kept[role_arn] = policy
            if len(self._kept) > _ROLES_MAX:
                self._kept.popitem(last=False)
        return policy

    def _forget(self, account: str) -> None:
        self._generation += 1
        for role_arn in [arn for arn in self._kept if arn.split(":", 5)[4] == account]:
            del self._kept[role_arn]
