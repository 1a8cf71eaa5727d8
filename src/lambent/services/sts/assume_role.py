"""AssumeRole: temporary credentials of a role, for whoever its trust policy lets in."""

import math
from collections.abc import Mapping
from typing import Any

from lambent.access.authorize import Demand
from lambent.access.role_trust import ASSUME_ROLE, RoleTrust
from lambent.access.secrets import TOKEN_MAX_BYTES, Secrets, TokenTooLarge
from lambent.clock import Clock
from lambent.domain.arn import parse_role_arn
from lambent.domain.caller import Caller
from lambent.domain.identity import Role
from lambent.domain.policy import Value
from lambent.domain.principal import PrincipalType, Session, session_of_role
from lambent.errors.api.sts import PackedPolicyTooLargeException
from lambent.protocol.shapes.sts import AssumeRoleRequest
from lambent.services.operation import operation
from lambent.services.sts.credentials import refuse_token_size, shown
from lambent.services.sts.errors import AccessDenied, ValidationError, no_mfa
from lambent.services.sts.session_policies import check_arns, check_policy, check_sizes
from lambent.services.sts.session_tags import session_tags
from lambent.store.contract import IdentityStore

_DEFAULT_S = 3_600
_CHAINED_MAX_S = 3_600
"""Documented: IAM user guide, role chaining."""


class AssumeRole:
    """Lets callers become roles."""

    def __init__(self, trust: RoleTrust, identities: IdentityStore, secrets: Secrets, clock: Clock) -> None:
        self._trust = trust
        self._identities = identities
        self._secrets = secrets
        self._clock = clock

    @operation("AssumeRole")
    async def assume(self, caller: Caller, request: AssumeRoleRequest) -> Mapping[str, Any]:
        role_arn = request["RoleArn"]
        if parse_role_arn(role_arn) is None:
            # Observed: recordings of the service.
            raise ValidationError(f"{role_arn} is invalid")
        _refuse_what_is_not_offered(request)
        before = caller.principal.session
        tags, transitive = session_tags(request.get("Tags", []), request.get("TransitiveTagKeys", []), before)
        source_identity = _source_identity(request, before)
        policy = request.get("Policy", "")
        arns = _policy_arns(request)
        check_sizes(policy, arns)
        if policy:
            check_policy(policy)
        role = await self._let_in(caller, request, tags, transitive, source_identity)
        lasts_s = request.get("DurationSeconds", _DEFAULT_S)
        _check_duration(lasts_s, role, is_chained=caller.principal.type is PrincipalType.ROLE)
        await check_arns(arns, role.account, self._identities)
        now = math.floor(self._clock.now())
        session = Session(
            name=request["RoleSessionName"],
            issued_at=now,
            expires_at=now + lasts_s,
            policies=(policy,) if policy else (),
            policy_arns=arns,
            tags=tags,
            transitive_tag_keys=transitive,
            source_identity=source_identity,
        )
        principal = session_of_role(role.account, role.name, role.path, role.unique_id, session)
        try:
            issued = self._secrets.issue(principal, self._clock.token_hex(10))
        except TokenTooLarge as error:
            # Observed: field reports.
            raise PackedPolicyTooLargeException(
                f"Packed size of session tags consumes {error.percent}% of allotted space."
            ) from None
        answer: dict[str, Any] = {
            "Credentials": shown(issued),
            "AssumedRoleUser": {"AssumedRoleId": principal.unique_id, "Arn": principal.arn},
        }
        if policy or arns or tags:
            # Observed: absent where none came (recordings). Assumed: the room is the token's (test_assume_role).
            answer["PackedPolicySize"] = len(issued.session_token) * 100 // TOKEN_MAX_BYTES
        if source_identity:
            answer["SourceIdentity"] = source_identity
        return answer

    async def _let_in(
        self,
        caller: Caller,
        request: AssumeRoleRequest,
        tags: Mapping[str, str],
        transitive: tuple[str, ...],
        source_identity: str,
    ) -> Role:
        """
        Return the role.

        Raises:
            AccessDenied: there is none, or the caller may not; nobody learns which.
        """
        principal, role_arn = caller.principal, request["RoleArn"]
        if principal.is_root and self._trust.mode == "enforce":
            # Observed: field reports.
            raise AccessDenied("Roles may not be assumed by root accounts.")
        role = await self._trust.find(role_arn)
        context = {} if role is None else _context(request, role, tags, transitive, source_identity)
        actions = [ASSUME_ROLE]
        if tags:
            # Documented: IAM user guide, passing session tags; those that are inherited need it as well.
            actions.append("sts:TagSession")
        if source_identity:
            # Documented: IAM user guide, monitor and control actions taken with assumed roles; in chains, too.
            actions.append("sts:SetSourceIdentity")
        for action in actions:
            demand = Demand(action, role_arn, context=context)
            if role is None or not await self._trust.may_assume(caller, role, demand):
                # Observed: field reports up to 2026, without the reason that other services give.
                raise AccessDenied(
                    f"User: {principal.arn} is not authorized to perform: {action} on resource: {role_arn}"
                )
        assert role is not None
        return role


def _context(
    request: AssumeRoleRequest,
    role: Role,
    tags: Mapping[str, str],
    transitive: tuple[str, ...],
    source_identity: str,
) -> dict[str, Value]:
    """Return the condition keys of the request. Documented: IAM user guide, keys for AWS STS."""
    context: dict[str, Value] = {"sts:rolesessionname": request["RoleSessionName"]}
    if "ExternalId" in request:
        context["sts:externalid"] = request["ExternalId"]
    if source_identity:
        context["sts:sourceidentity"] = source_identity
    if transitive:
        context["sts:transitivetagkeys"] = transitive
    if tags:
        context["aws:tagkeys"] = tuple(tags)
        context.update((f"aws:requesttag/{key.lower()}", value) for key, value in tags.items())
    for key, value in role.tags.items():
        context[f"aws:resourcetag/{key.lower()}"] = context[f"iam:resourcetag/{key.lower()}"] = value
    return context


def _check_duration(lasts_s: int, role: Role, *, is_chained: bool) -> None:
    # Observed: field reports, both texts.
    if is_chained and lasts_s > _CHAINED_MAX_S:
        raise ValidationError(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )
    if lasts_s > role.session_max_s:
        raise ValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")


def _source_identity(request: AssumeRoleRequest, before: Session | None) -> str:
    given = request.get("SourceIdentity", "")
    if given.startswith("aws:"):
        # Documented: the prefix is AWS's own. Assumed: the text (test_assume_role).
        raise ValidationError("SourceIdentity must not begin with aws:")
    inherited = "" if before is None else before.source_identity
    if inherited and given and given != inherited:
        # Documented: once set, it stays through a chain. Assumed: the text (test_assume_role).
        raise ValidationError("The SourceIdentity of the calling session cannot be changed")
    return inherited or given


def _policy_arns(request: AssumeRoleRequest) -> tuple[str, ...]:
    return tuple(one["arn"] for one in request.get("PolicyArns", []) if "arn" in one)


def _refuse_what_is_not_offered(request: AssumeRoleRequest) -> None:
    if "SerialNumber" in request or "TokenCode" in request:
        raise no_mfa()
    if request.get("ProvidedContexts"):
        raise ValidationError(
            "ProvidedContexts is not offered by this version of Lambent: there is no context provider"
        )
    refuse_token_size(request)
