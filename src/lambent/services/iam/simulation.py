"""What policies would say of a request that nobody makes: the same evaluation that requests go through."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from lambent.domain.caller import Caller
from lambent.domain.identity import Group, ManagedPolicy, Role, User
from lambent.domain.policy import AccessRequest, MalformedPolicy, Value
from lambent.domain.policy_simulation import NamedPolicy, Position, SimulatedPolicies
from lambent.domain.principal import Principal, PrincipalType, Session, session_of_role
from lambent.errors.api.iam import InvalidInputException, NoSuchEntityException
from lambent.protocol.shapes.iam import (
    ContextEntry,
    GetContextKeysForCustomPolicyRequest,
    GetContextKeysForPrincipalPolicyRequest,
    SimulateCustomPolicyRequest,
    SimulatePrincipalPolicyRequest,
)
from lambent.services.iam.arns import OF_AWS, parse_identity_arn, parse_policy_arn
from lambent.services.iam.context_keys import context_keys
from lambent.services.iam.groups import groups_of
from lambent.services.iam.managed_policies import MANAGED
from lambent.services.iam.paging import Found, Page, requested_page
from lambent.services.iam.refusals import ValidationError
from lambent.services.operation import operation
from lambent.store.contract import IdentityRows, IdentityStore

_SOURCE_TYPE = "IAM Policy"
"""Observed: localstack/localstack tests/aws/services/iam (recorded)."""


class _Simulated(NamedTuple):
    """Whom and what a simulation is about."""

    principal: Principal
    identity: Sequence[NamedPolicy]
    boundary: Sequence[NamedPolicy] | None


class Simulations:
    """SimulatePrincipalPolicy, SimulateCustomPolicy, and the keys that both want values for."""

    def __init__(self, store: IdentityStore) -> None:
        self._store = store

    @operation("SimulateCustomPolicy")
    async def custom(self, caller: Caller, request: SimulateCustomPolicyRequest) -> Mapping[str, Any]:
        given = _given("PolicyInputList", request["PolicyInputList"])
        nobody = f"arn:aws:iam::{caller.scope.account}:user/simulated"
        principal = _principal(request.get("CallerArn", nobody))
        return _answer(_Simulated(principal, given, _boundary(request)), request)

    @operation("SimulatePrincipalPolicy")
    async def of_principal(self, caller: Caller, request: SimulatePrincipalPolicyRequest) -> Mapping[str, Any]:
        source = request["PolicySourceArn"]
        async with self._store.snapshot(caller.scope.account) as rows:
            identity = await _source(rows, caller, source)
            documents = await documents_of(rows, identity)
            boundary = _boundary(request)
            own_boundary = None if isinstance(identity, Group) else identity.boundary
            if boundary is None and own_boundary is not None:
                boundary = await _attached(rows, [own_boundary])
        documents += _given("PolicyInputList", request.get("PolicyInputList", []))
        named = request.get("CallerArn")
        principal = _principal_of(identity) if named is None else _principal(named)
        return _answer(_Simulated(principal, documents, boundary), request)

    @operation("GetContextKeysForCustomPolicy")
    async def keys_of_custom(self, caller: Caller, request: GetContextKeysForCustomPolicyRequest) -> Mapping[str, Any]:
        return {"ContextKeyNames": _all_keys(_given("PolicyInputList", request["PolicyInputList"]))}

    @operation("GetContextKeysForPrincipalPolicy")
    async def keys_of_principal(
        self, caller: Caller, request: GetContextKeysForPrincipalPolicyRequest
    ) -> Mapping[str, Any]:
        async with self._store.snapshot(caller.scope.account) as rows:
            documents = await documents_of(rows, await _source(rows, caller, request["PolicySourceArn"]))
        return {
            "ContextKeyNames": _all_keys([*documents, *_given("PolicyInputList", request.get("PolicyInputList", []))])
        }


async def documents_of(rows: IdentityRows, identity: User | Group | Role) -> list[NamedPolicy]:
    """Return the policies of an identity, a user's with those of its groups."""
    found: list[NamedPolicy] = []
    groups = await groups_of(rows, identity) if isinstance(identity, User) else []
    for holder in (identity, *groups):
        found += [NamedPolicy(name, document) for name, document in holder.inline.items()]
        found += await _attached(rows, holder.attached)
    return found


async def _attached(rows: IdentityRows, arns: Iterable[str]) -> list[NamedPolicy]:
    """Return the default versions of managed policies. One of AWS's that is not shipped allows nothing."""
    found = []
    for arn in arns:
        parsed = parse_policy_arn(arn)
        assert parsed is not None, f"{arn} is attached"
        if parsed.account == OF_AWS:
            known = MANAGED.get(parsed.canonical)
            document = None if known is None else known.document
        else:
            policy = await rows.get(ManagedPolicy, parsed.name)
            document = None if policy is None else policy.document
        if document is not None:
            found.append(NamedPolicy(parsed.name, document))
    return found


def _given(member: str, documents: Iterable[str]) -> list[NamedPolicy]:
    # Assumed: what a policy without a name is called (test_iam_account).
    return [NamedPolicy(f"{member}.{number}", document) for number, document in enumerate(documents, 1)]


def _boundary(request: Mapping[str, Any]) -> list[NamedPolicy] | None:
    given = request.get("PermissionsBoundaryPolicyInputList")
    return None if given is None else _given("PermissionsBoundaryPolicyInputList", given)


def _all_keys(documents: Sequence[NamedPolicy]) -> list[str]:
    found: dict[str, str] = {}
    _compiled(documents)
    for one in documents:
        for key in context_keys(one.document):
            found.setdefault(key.lower(), key)
    return list(found.values())


async def _source(rows: IdentityRows, caller: Caller, arn: str) -> User | Group | Role:
    """
    Return whose policies are simulated.

    Raises:
        InvalidInputException: the ARN is none of a user, group or role.
        NoSuchEntityException: there is none with it.
    """
    parsed = parse_identity_arn(arn)
    if parsed is None:
        # Assumed: the text (test_iam_account).
        raise InvalidInputException(f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
    kind: type[Any] = {"user": User, "group": Group, "role": Role}[parsed.kind]
    found: User | Group | Role | None = None
    if parsed.account == caller.scope.account:
        found = await rows.get(kind, parsed.name)
    if found is None or found.arn != arn:
        # Assumed: the text (test_iam_account).
        raise NoSuchEntityException(f"The {parsed.kind} with ARN {arn} cannot be found.")
    return found


def _principal_of(identity: User | Group | Role) -> Principal:
    """Return who an identity is when it asks: a role in some session, a group as somebody in it."""
    if isinstance(identity, Role):
        session = Session("simulated", issued_at=0, expires_at=0)
        return session_of_role(identity.account, identity.name, identity.path, identity.unique_id, session)
    return Principal(
        PrincipalType.USER,
        identity.account,
        identity.arn,
        identity.unique_id,
        identity.arn,
        name=identity.name if isinstance(identity, User) else "",
    )


def _principal(arn: str) -> Principal:
    """
    Return the user that a simulation is to be of.

    Raises:
        InvalidInputException: it is no user's ARN. Documented: IAM API reference, CallerArn: it has to be one.
    """
    parsed = parse_identity_arn(arn)
    if parsed is None or parsed.kind != "user":
        raise InvalidInputException(f"Invalid Entity Arn: {arn} is not the ARN of a user.")
    return Principal(PrincipalType.USER, parsed.account, arn, "", arn, name=parsed.name)


def _answer(simulated: _Simulated, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """
    Evaluate what of actions times resources is on the page that is asked for.

    Raises:
        InvalidInputException: an action, a policy or a context entry that is none.
    """
    for action in request["ActionNames"]:
        if action.count(":") != 1 or "*" in action or "?" in action:
            # Documented: IAM API reference, ActionNames: a service and an operation, without wildcards.
            # Assumed: the text (test_iam_account).
            raise InvalidInputException(f"Invalid action name: {action}")
    for member, why in _REFUSED.items():
        if request.get(member):
            raise InvalidInputException(f"{member} is not offered by this version of Lambent: {why}")
    evaluation = _Evaluation(simulated, request)
    resources = request.get("ResourceArns", [])
    wanted = itertools.product(request["ActionNames"], resources or ["*"])
    page = requested_page(request)
    begin = _position(page)
    pairs = list(itertools.islice(wanted, begin, begin + page.size + 1))
    found = Found(pairs[: page.size], f"{begin + page.size}" if len(pairs) > page.size else None)
    return {
        "EvaluationResults": [
            evaluation.result(action, resource, is_named=bool(resources)) for action, resource in found.items
        ],
        **found.end(),
    }


_REFUSED = {
    "OrderedOrganizationPolicyInputList": "there are no organizations",
    "PolicyExclusionList": "all policies of the principal have their say",
}


def _position(page: Page) -> int:
    if not page.after:
        return 0
    if len(page.after) > 12 or not page.after.isdigit():
        raise ValidationError("Invalid Marker.")
    return int(page.after)


class _Evaluation:
    """One simulation's policies, compiled once for all its actions and resources."""

    def __init__(self, simulated: _Simulated, request: Mapping[str, Any]) -> None:
        given = request.get("ResourcePolicy")
        resource = None if given is None else [NamedPolicy("ResourcePolicy", given)]
        self._principal = simulated.principal
        self._policies = _compiled(simulated.identity, boundary=simulated.boundary, resource=resource)
        self._boundary = None if simulated.boundary is None else _compiled(simulated.boundary)
        self._owner = _owner(request.get("ResourceOwner"), simulated.principal)
        self._context = {**_context_of(simulated.principal), **_context(request.get("ContextEntries", []))}

    def result(self, action: str, resource: str, *, is_named: bool) -> dict[str, Any]:
        """Return what EvaluationResults has of an action on a resource."""
        request = AccessRequest(self._principal, action, resource, self._owner, self._context)
        found = self._policies.simulate(request)
        details: dict[str, Any] = {
            "MatchedStatements": [
                {
                    "SourcePolicyId": one.policy,
                    "SourcePolicyType": _SOURCE_TYPE,
                    "StartPosition": _shown_position(one.begin),
                    "EndPosition": _shown_position(one.end),
                }
                for one in found.matched
            ],
            "MissingContextValues": list(found.missing),
            "EvalDecisionDetails": {},
        }
        if self._boundary is not None:
            is_within = self._boundary.simulate(request).verdict.is_allowed
            details["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": is_within}
        result = {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": found.decision, **details}
        if not is_named:
            return result
        # Observed: localstack/localstack (recorded): where resources are named, the same once more for each.
        specific = {"EvalResourceName": resource, "EvalResourceDecision": found.decision, **details}
        return {
            **result,
            "OrganizationsDecisionDetail": {"AllowedByOrganizations": True},
            "ResourceSpecificResults": [specific],
        }


def _shown_position(position: Position) -> dict[str, int]:
    return {"Line": position.line, "Column": position.column}


def _compiled(
    identity: Sequence[NamedPolicy],
    *,
    boundary: Sequence[NamedPolicy] | None = None,
    resource: Sequence[NamedPolicy] | None = None,
) -> SimulatedPolicies:
    """
    Compile policies.

    Raises:
        InvalidInputException: one is no policy.
    """
    try:
        return SimulatedPolicies(identity, boundary=boundary, resource=resource)
    except MalformedPolicy as error:
        # Assumed: the text (test_iam_account).
        raise InvalidInputException(f"A policy is not valid: {error}") from None


def _owner(arn: str | None, principal: Principal) -> str:
    """Return whose the resources are. Documented: IAM API reference, ResourceOwner: the caller's, if nobody says."""
    if arn is None:
        return principal.account
    account = arn.split(":")[4] if arn.count(":") >= 5 else arn
    if len(account) != 12 or not (account.isascii() and account.isdigit()):
        raise InvalidInputException(f"Invalid resource owner: {arn}")
    return account


def _context(entries: Iterable[ContextEntry]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for entry in entries:
        name, values = entry.get("ContextKeyName"), entry.get("ContextKeyValues", [])
        if not name:
            raise InvalidInputException("A context entry must have a ContextKeyName.")
        is_list = entry.get("ContextKeyType", "string").endswith("List")
        found[name.lower()] = values[0] if len(values) == 1 and not is_list else tuple(values)
    return found


def _context_of(principal: Principal) -> dict[str, Value]:
    """Return the keys that are known of who asks. Documented: IAM user guide, using the policy simulator."""
    found: dict[str, Value] = {
        "aws:principalaccount": principal.account,
        "aws:principalarn": principal.identity_arn,
        "aws:principaltype": principal.type,
    }
    if principal.unique_id:
        found["aws:userid"] = principal.unique_id
    if principal.type is PrincipalType.USER and principal.name:
        found["aws:username"] = principal.name
    return found
