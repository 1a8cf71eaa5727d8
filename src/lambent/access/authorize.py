"""The one step that decides whether a caller may act."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Protocol

import msgspec

from lambent.access.audit import Audit
from lambent.access.conditions import Conditions
from lambent.access.identities import Identities, asks_for_tags, key_of
from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.policy import AccessRequest, Policies, PolicyKind, Value, Verdict, decide
from lambent.domain.principal import Principal, PrincipalType
from lambent.errors.families import AccessDeniedException, UnrecognizedClient

PASS_ROLE = "iam:PassRole"

_LASTING_MAX = 20_000
"""Verdicts that are kept. Assumed: as many pairs of a caller and a function as are busy (test_authorize)."""

_LASTING_RESOURCE_MAX = 300
"""Characters of a resource of which a verdict is kept: names of objects have a thousand, and seldom come again."""


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
    is_vague: bool = False
    """As in `AccessRequest`."""


class ResourceFacts(Protocol):
    """What is known of a service's resources that policies may ask for. Looked up only where one does."""

    @property
    def revision(self) -> int:
        """A number that is another one after every change of a policy, or of what `completed` finds."""
        ...

    async def completed(self, demand: Demand) -> Demand:
        """
        Return a demand with what its request does not say: the path in a role's ARN, the function of a mapping.

        A denial tells nothing of it: it reads the same where there is no such resource.
        """
        ...

    async def policy(self, demand: Demand) -> Policies | None:
        """Return a resource's own policy; None where it has none."""
        ...

    async def tags(self, demand: Demand) -> Mapping[str, str]:
        """Return a resource's tags; none where there is no such resource."""
        ...


class Authorizer(Protocol):
    """Decides."""

    @property
    def is_on(self) -> bool:
        """Whether it makes a difference what is demanded: where not, nobody need find out."""
        ...

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

    is_on = False

    async def authorize(self, caller: Caller, demands: Sequence[Demand], facts: ResourceFacts | None = None) -> None:
        return

    async def allows_role(self, role_arn: str, demand: Demand, facts: ResourceFacts | None = None) -> bool:
        return True


class Policed:
    """
    Goes by policies: `--iam enforce`, and with `audit` all the same allows everything and tells what it would not.

    A verdict that rests on principal, action and resource alone is kept until a policy changes.

    Args:
        audit: is told of what would be denied; None: it is denied.
    """

    is_on = True

    def __init__(self, identities: Identities, clock: Clock, audit: Audit | None = None) -> None:
        self._identities = identities
        self._clock = clock
        self._audit = audit
        self._lasting: dict[Hashable, tuple[int, Verdict]] = {}
        identities.on_change(self._lasting.clear)

    async def authorize(self, caller: Caller, demands: Sequence[Demand], facts: ResourceFacts | None = None) -> None:
        """Refuse what policies do not allow; see the contract."""
        principal = caller.principal
        if self._audit is None and principal.session is not None and principal.type in _OF_LONG_TERM_KEYS:
            _check_session_of_user(demands)
        for demand in demands:
            verdict = await self._verdict(principal, demand, facts, caller)
            if verdict.is_allowed:
                continue
            if self._audit is None:
                raise denied(principal, demand, verdict)
            # The policy that is written is to name the resource as it is.
            known = demand if facts is None else await facts.completed(demand)
            self._audit.note(principal, known.action, known.resource, verdict)

    async def allows_role(self, role_arn: str, demand: Demand, facts: ResourceFacts | None = None) -> bool:
        """Say whether a role may do something; see the contract."""
        role = await self._identities.role(role_arn)
        if role is None:
            if self._audit is not None:
                self._audit.note_missing_role(role_arn, demand.action, demand.resource)
            return self._audit is not None
        verdict = await self._verdict(role, demand, facts, None)
        if verdict.is_allowed or self._audit is None:
            return verdict.is_allowed
        self._audit.note(role, demand.action, demand.resource, verdict)
        return True

    async def _verdict(
        self, principal: Principal, demand: Demand, facts: ResourceFacts | None, caller: Caller | None
    ) -> Verdict:
        key = (key_of(principal), demand.action, demand.resource, demand.account, demand.is_vague)
        revision = -1 if facts is None else facts.revision
        kept = self._lasting.get(key)
        if kept is not None and kept[0] == revision:
            return kept[1]
        identities = self._identities.revision
        verdict = await self._decide(principal, demand, facts, caller)
        # What was changed while we read may say otherwise.
        is_current = identities == self._identities.revision and (facts is None or revision == facts.revision)
        if verdict.is_lasting and is_current and len(demand.resource) <= _LASTING_RESOURCE_MAX:
            if len(self._lasting) >= _LASTING_MAX:
                self._lasting.clear()
            self._lasting[key] = revision, verdict
        return verdict

    async def _decide(
        self, principal: Principal, demand: Demand, facts: ResourceFacts | None, caller: Caller | None
    ) -> Verdict:
        rights = await self._identities.of(principal)
        account = demand.account or _account_of(demand.resource) or principal.account
        resource: Policies | None = None
        tags: Mapping[str, str] = {}
        # What other accounts let the caller do is found out by the handler, which goes on in theirs: here is decided
        # whether its own lets it go there.
        if account == principal.account:
            if facts is not None:
                demand = await facts.completed(demand)
                resource = await facts.policy(demand)
                if rights.asks_for_tags or (resource is not None and asks_for_tags(resource)):
                    tags = await facts.tags(demand)
        elif demand.action == PASS_ROLE:
            return _FOREIGN_ROLE
        conditions = Conditions(
            principal, rights.tags, demand.action, demand.context, caller, account, tags, self._clock.now()
        )
        request = AccessRequest(
            principal, demand.action, demand.resource, principal.account, conditions, demand.is_vague
        )
        return decide(request, msgspec.structs.replace(rights.policies, resource=resource))


_OF_LONG_TERM_KEYS = frozenset({PrincipalType.USER, PrincipalType.ROOT})


def _check_session_of_user(demands: Sequence[Demand]) -> None:
    """
    Refuse what temporary credentials of a user or root do not open, so that who gets hold of them cannot make keys.

    Documented: STS API reference, GetSessionToken: no IAM without MFA, which there is none of here, and of STS but
    AssumeRole and GetCallerIdentity, which ask no leave of policies. Observed: field reports of the text.
    """
    for demand in demands:
        if demand.action.startswith(("iam:", "sts:")) and demand.action != PASS_ROLE:
            raise UnrecognizedClient("The security token included in the request is invalid")


_FOREIGN_ROLE = Verdict(False, PolicyKind.RESOURCE)
"""Roles of other accounts are never passed on, whatever a policy says."""


def denied(principal: Principal, demand: Demand, verdict: Verdict) -> AccessDeniedException:
    """
    Return the error of a demand that was not allowed.

    Documented: IAM user guide, troubleshoot access denied error messages. Observed: field reports of the text for
    roles of other accounts.
    """
    if verdict is _FOREIGN_ROLE:
        return AccessDeniedException("Cross-account pass role is not allowed.")
    # Observed: localstack/localstack tests/aws/services/sqs (recorded), SQS writes its actions in small letters.
    action = demand.action.lower() if demand.action.startswith("sqs:") else demand.action
    return AccessDeniedException(
        f"User: {principal.arn} is not authorized to perform: {action} on resource: "
        f"{demand.shown_as or demand.resource} {verdict.why(action)}"
    )


def _account_of(arn: str) -> str:
    """Return the account in an ARN; empty where it holds none."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 else ""
