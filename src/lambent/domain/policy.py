"""
The policy language, and what a set of policies makes of a request. Pure.

A document is compiled once; `decide` then evaluates all policies that have a say, in AWS's order. No regular
expression is made of a policy's text, and matching takes time linear in what is matched.

Documented: IAM user guide, grammar of the policy language; policy evaluation logic.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from itertools import chain
from typing import Any, TypeAlias

import msgspec

from lambent.domain.pattern import ArnPattern, Pattern, compile_arn_pattern, compile_pattern
from lambent.domain.policy_condition import Condition, ContextValue, MalformedCondition, compile_conditions
from lambent.domain.principal import Principal, PrincipalType

Value: TypeAlias = ContextValue
"""Of a condition key: one value, or several of a key that may have several."""


class MalformedPolicy(Exception):
    """A document that is no policy. The text is for who wrote it."""


class PolicyKind(StrEnum):
    """Kinds of policies, as denials name them. Documented: IAM user guide, troubleshoot access denied messages."""

    IDENTITY = "identity-based policy"
    RESOURCE = "resource-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    TRUST = "role trust policy"


class AccessRequest(msgspec.Struct, frozen=True):
    """What is to be decided."""

    principal: Principal
    action: str
    """For instance `lambda:InvokeFunction`."""
    resource: str
    """An ARN, or `*` for an action that has none."""
    resource_account: str
    """Whose the resource is; the principal's own for `*`."""
    context: Mapping[str, Value] = {}
    """
    Condition keys in small letters, those of the principal included (`access.conditions` makes them). It is looked at
    only where a condition asks, so it may be a mapping that makes its values then.
    """
    is_vague: bool = False
    """
    Whether it is more than what it names that is asked for: any action where it ends with `:*`, any resource where that
    is `*`. Then a statement that denies a part of it denies it.
    """


class Grant(enum.IntEnum):
    """How closely a statement names whoever it allows something. Documented: IAM user guide, policy evaluation."""

    NONE = 0
    ACCOUNT = 1
    """By their account, whose own policies decide."""
    ROLE = 2
    """By the role of a session: boundary and session policies still have their say."""
    DIRECT = 3


class Statement(msgspec.Struct, frozen=True):
    """One statement, compiled."""

    is_allow: bool
    actions: tuple[Pattern, ...]
    """In small letters."""
    is_not_action: bool
    resources: tuple[ArnPattern, ...] | None
    """None where the policy's place says which: in trust policies."""
    is_not_resource: bool
    principals: "_Principals | None"
    conditions: tuple[Condition, ...]
    depends: bool
    """Whether what it says depends on more than principal, action and resource."""
    sid: str = ""
    number: int = 0
    """Its place in the document, from 0."""

    def is_about_action(self, action: str) -> bool:
        """Say whether it is about an action, given in small letters."""
        return any(pattern.matches(action) for pattern in self.actions) is not self.is_not_action

    def is_about_resource(self, resource: str, context: Mapping[str, Value]) -> bool:
        if self.resources is None:
            return True
        return any(one.matches(resource, context) for one in self.resources) is not self.is_not_resource

    def denies_part_of(self, request: AccessRequest) -> bool:
        """Say whether it denies something of what a vague request may come to."""
        action = request.action.lower()
        service = action.partition(":")[0]
        is_about_action = self.is_about_action(action) or (
            action.endswith(":*")
            and (self.is_not_action or any(_is_of_service(one.source, service) for one in self.actions))
        )
        is_about_resource = self.is_about_resource(request.resource, request.context) or (
            request.resource == "*"
            and (self.is_not_resource or any(one.is_of_service(service) for one in self.resources or ()))
        )
        return not self.is_allow and is_about_action and is_about_resource and self.holds(request.context)

    def grants_to(self, principal: Principal, *, has_boundary: bool = False) -> Grant:
        """
        Say how closely it names a principal: for nobody else it says anything. Identity policies are their owner's.

        Args:
            has_boundary: whether the principal has a permissions boundary.
        """
        if self.principals is None:
            return Grant.DIRECT
        if has_boundary and self.principals.is_not and not self.is_allow:
            # Documented: IAM user guide, NotPrincipal: a Deny with it denies whoever has a permissions boundary.
            return Grant.DIRECT
        return self.principals.grant(principal, is_allow=self.is_allow)

    def holds(self, context: Mapping[str, Value]) -> bool:
        """Say whether all its conditions are met."""
        return all(condition.holds(context) for condition in self.conditions)

    def applies(self, request: AccessRequest) -> bool:
        """Say whether it says anything of a request."""
        return (
            self.is_about_action(request.action.lower())
            and self.is_about_resource(request.resource, request.context)
            and self.grants_to(request.principal) is not Grant.NONE
            and self.holds(request.context)
        )

    @property
    def keys(self) -> Iterable[str]:
        """The condition keys that it looks at, in small letters."""
        return chain(
            *(condition.keys for condition in self.conditions), *(one.variables for one in self.resources or ())
        )


class Policy(msgspec.Struct, frozen=True):
    """A document, compiled."""

    statements: tuple[Statement, ...]
    name: str = ""
    """By which SimulatePrincipalPolicy calls it."""

    @property
    def keys(self) -> frozenset[str]:
        """The condition keys that it looks at, in small letters."""
        return frozenset(chain(*(statement.keys for statement in self.statements)))


_MEMO_MAX = 128
"""Actions of which is remembered which statements are about them: more than one caller mostly has. Assumed."""


class Policies:
    """
    Policies of one kind that all have a say: those of a user with its groups', or one of a function.

    Which statements are about an action is found out once, so that thousands of policies cost what the few of them do
    that are about it.
    """

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.policies = tuple(policies)
        self._about: dict[str, _About] = {}

    @cached_property
    def keys(self) -> frozenset[str]:
        """The condition keys that they look at, in small letters."""
        return frozenset().union(*(policy.keys for policy in self.policies))

    def deny_part_of(self, request: AccessRequest) -> bool:
        """Say whether one denies something of what a vague request may come to."""
        return any(one.denies_part_of(request) for policy in self.policies for one in policy.statements)

    def about(self, action: str, resource: str) -> Iterable[Statement]:
        """Return the statements that may be about an action, given in small letters, and a resource."""
        found = self._about.get(action)
        if found is None:
            if len(self._about) >= _MEMO_MAX:
                self._about.clear()
            found = self._about[action] = _About(
                statement
                for policy in self.policies
                for statement in policy.statements
                if statement.is_about_action(action)
            )
        return found.of(resource)


class _About:
    """
    The statements about one action, by the resources that they name, or by what these begin with.

    So thousands that each name one resource, or what is below it, cost a look for each length of their beginnings.
    """

    def __init__(self, statements: Iterable[Statement]) -> None:
        self._exact: dict[str, list[Statement]] = {}
        self._by_head: dict[int, dict[str, list[Statement]]] = {}
        for statement in statements:
            named = () if statement.is_not_resource else statement.resources or ()
            for text in {one.exact for one in named if one.exact is not None}:
                self._exact.setdefault(text, []).append(statement)
            heads = {one.head for one in named if one.exact is None}
            for head in heads if named else {""}:
                self._by_head.setdefault(len(head), {}).setdefault(head, []).append(statement)

    def of(self, resource: str) -> Iterator[Statement]:
        """Yield those that may be about a resource, some more than once."""
        yield from self._exact.get(resource, ())
        for size, by_head in self._by_head.items():
            yield from by_head.get(resource[:size], ())


class PolicySet(msgspec.Struct, frozen=True):
    """All that has a say of a request. None: there is none of this kind, which allows; empty ones allow nothing."""

    identity: Policies | None = None
    """Of the principal and its groups; None as well where a principal has none at all, which does not allow."""
    boundary: Policies | None = None
    session: Policies | None = None
    resource: Policies | None = None
    """Of the resource, or a role's trust policy; None as well where it has none, which does not allow."""


class Verdict(msgspec.Struct, frozen=True):
    """What was decided, and by what."""

    is_allowed: bool
    kind: PolicyKind = PolicyKind.IDENTITY
    """Of a denial: the kind of policy that denies, or would have to allow."""
    is_explicit: bool = False
    """Whether a statement denies it."""
    is_lasting: bool = False
    """Whether the same principal, action and resource always get it, as long as no policy changes."""

    def why(self, action: str) -> str:
        """
        Return the end of a denial's text.

        Documented: IAM user guide, troubleshoot access denied error messages.
        """
        if self.kind is PolicyKind.TRUST and self.is_explicit:
            return "with an explicit deny in the role trust policy"
        if self.is_explicit:
            return f"with an explicit deny in {'an' if self.kind is PolicyKind.IDENTITY else 'a'} {self.kind}"
        return f"because no {self.kind} allows the {action} action"


class Said(msgspec.Struct, frozen=True):
    """What the policies of one kind say of a request."""

    grant: Grant
    is_denied: bool
    is_lasting: bool
    """As in `Verdict`."""


_UNSAID = Said(Grant.NONE, False, True)


def say(
    request: AccessRequest, policies: Policies | None, *, names_principals: bool = False, has_boundary: bool = False
) -> Said:
    """
    Return what the policies of one kind say of a request, for themselves.

    Args:
        policies: None: there are none, which say nothing.
        names_principals: whether a statement that names nobody is for nobody: of resource and trust policies.
        has_boundary: whether the principal has a permissions boundary.
    """
    if policies is None:
        return _UNSAID
    grant, is_denied, is_lasting = Grant.NONE, False, True
    principal, resource, context = request.principal, request.resource, request.context
    for statement in policies.about(request.action.lower(), resource):
        if names_principals and statement.principals is None:
            continue
        named = statement.grants_to(principal, has_boundary=has_boundary)
        # What adds nothing need not be looked at; one without conditions is soon known.
        if named is Grant.NONE or (statement.is_allow and named <= grant):
            continue
        is_lasting = is_lasting and not statement.depends
        if not statement.is_about_resource(resource, context) or not statement.holds(context):
            continue
        if statement.is_allow:
            grant = named
        else:
            is_denied = True
    return Said(grant, is_denied, is_lasting)


def decide(request: AccessRequest, policies: PolicySet, *, is_trust: bool = False) -> Verdict:
    """
    Say whether a principal may do something.

    Args:
        is_trust: `policies.resource` is the trust policy of the role that is to be assumed, which has to allow in any
            case.

    Documented: IAM user guide, determining whether a request is allowed or denied within an account; cross-account
    policy evaluation logic; permissions boundaries.
    """
    if request.action.lower() == "sts:getcalleridentity":
        # Documented: STS API reference, GetCallerIdentity: no permission is needed, and none can be denied.
        return Verdict(True, is_lasting=True)
    principal = request.principal
    resource_kind = PolicyKind.TRUST if is_trust else PolicyKind.RESOURCE
    if request.is_vague:
        own = (policies.identity, policies.boundary, policies.session)
        for kind, found in zip((PolicyKind.IDENTITY, PolicyKind.BOUNDARY, PolicyKind.SESSION), own, strict=True):
            if found is not None and found.deny_part_of(request):
                return Verdict(False, kind, is_explicit=True)
    has_boundary = policies.boundary is not None
    identity = say(request, policies.identity)
    resource = say(request, policies.resource, names_principals=True, has_boundary=has_boundary)
    boundary = say(request, policies.boundary)
    session = say(request, policies.session)
    is_lasting = identity.is_lasting and resource.is_lasting and boundary.is_lasting and session.is_lasting
    for kind, said in (
        (PolicyKind.IDENTITY, identity),
        (resource_kind, resource),
        (PolicyKind.BOUNDARY, boundary),
        (PolicyKind.SESSION, session),
    ):
        if said.is_denied:
            return Verdict(False, kind, is_explicit=True, is_lasting=is_lasting)
    granted = resource.grant
    if principal.type in {PrincipalType.SERVICE, PrincipalType.ANONYMOUS}:
        return Verdict(granted is not Grant.NONE, resource_kind, is_lasting=is_lasting)
    is_same_account = principal.account == request.resource_account
    if is_same_account and granted is Grant.DIRECT:
        return Verdict(True, is_lasting=is_lasting)
    # A root needs no leave of its own account. Documented: IAM user guide, AWS account root user.
    has_leave = principal.is_root or bool(identity.grant) or (is_same_account and granted is Grant.ROLE)
    lacks_resource = granted is Grant.NONE and (is_trust or not is_same_account)
    lacking: PolicyKind | None = None
    if lacks_resource and (is_trust or has_leave):
        lacking = resource_kind
    elif not has_leave:
        lacking = PolicyKind.IDENTITY
    elif has_boundary and not boundary.grant:
        lacking = PolicyKind.BOUNDARY
    elif policies.session is not None and not session.grant:
        lacking = PolicyKind.SESSION
    if lacking is None:
        return Verdict(True, is_lasting=is_lasting)
    return Verdict(False, lacking, is_lasting=is_lasting)


class _Principals(msgspec.Struct, frozen=True):
    """Whom a statement of a resource or trust policy names."""

    is_anybody: bool
    names: frozenset[str]
    """Of `AWS`: accounts, ARNs and unique ids."""
    services: frozenset[str]
    is_not: bool = False

    def grant(self, principal: Principal, *, is_allow: bool) -> Grant:
        """Say how closely a principal is meant."""
        named = self._named(principal)
        if not self.is_not:
            return named
        if is_allow or principal.type in {PrincipalType.ANONYMOUS, PrincipalType.SERVICE}:
            return Grant.DIRECT if named is Grant.NONE else Grant.NONE
        return Grant.NONE if self._spares(principal) else Grant.DIRECT

    def _spares(self, principal: Principal) -> bool:
        """
        Say whether a Deny for others than those named leaves a principal out.

        Documented: IAM user guide, NotPrincipal with Deny: whoever is to be spared is listed with the account, and a
        session with its role.
        """
        if self.is_anybody:
            return True
        if not self._has_account(principal):
            return False
        is_listed = principal.is_root or self._has_identity(principal)
        return is_listed and (not _is_session(principal) or principal.arn in self.names)

    def _named(self, principal: Principal) -> Grant:
        if self.is_anybody:
            return Grant.DIRECT
        if principal.type is PrincipalType.SERVICE:
            return Grant.DIRECT if principal.name in self.services else Grant.NONE
        if principal.type is PrincipalType.ANONYMOUS:
            return Grant.NONE
        if _is_session(principal) and principal.arn in self.names:
            return Grant.DIRECT
        if self._has_identity(principal):
            return Grant.ROLE if _is_session(principal) else Grant.DIRECT
        if not self._has_account(principal):
            return Grant.NONE
        return Grant.DIRECT if principal.is_root else Grant.ACCOUNT

    def _has_identity(self, principal: Principal) -> bool:
        return not principal.is_root and (principal.identity_arn in self.names or principal.identity_id in self.names)

    def _has_account(self, principal: Principal) -> bool:
        return principal.account in self.names or f"arn:aws:iam::{principal.account}:root" in self.names


def _is_session(principal: Principal) -> bool:
    """Say whether a principal is less than whose policies it has."""
    return principal.arn != principal.identity_arn


def _is_of_service(action: str, service: str) -> bool:
    """Say whether a pattern of actions, in small letters, may be about one of a service."""
    head, star, _ = action.partition(":")[0].partition("*")
    # A star there may take in the colon, too.
    return compile_pattern(head + star).matches(service)


def compile_policy(document: str | Mapping[str, Any], *, name: str = "", ids: Mapping[str, str] = {}) -> Policy:
    """
    Compile a document.

    Only what evaluating needs is checked: `policy_document` says whether somebody may write it.

    Args:
        document: JSON, or what it reads as.
        ids: unique ids by the ARNs of users and roles that the document names: the name counts for nobody else, also
            not for a later one of the same name.

    Raises:
        MalformedPolicy: it is no policy, or asks for what is not known here.
    """
    if isinstance(document, str):
        try:
            document = msgspec.json.decode(document)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise MalformedPolicy("it is not JSON") from None
    if not isinstance(document, Mapping):
        raise MalformedPolicy("it is not a JSON object")
    # Documented: IAM user guide, Version: without it, and in the old one, `${` is only text.
    has_variables = document.get("Version") == "2012-10-17"
    found = document.get("Statement")
    statements = [found] if isinstance(found, Mapping) else found
    if not isinstance(statements, list | tuple):
        raise MalformedPolicy("Statement must be a statement or a list of them")
    compiled = [
        _compile_statement(one, number, has_variables=has_variables, ids=ids) for number, one in enumerate(statements)
    ]
    return Policy(tuple(compiled), name)


def _compile_statement(found: Any, number: int, *, has_variables: bool, ids: Mapping[str, str]) -> Statement:
    if not isinstance(found, Mapping):
        raise MalformedPolicy("a statement must be an object")
    effect = found.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise MalformedPolicy("Effect must be Allow or Deny")
    actions = _texts(found, "Action", "NotAction")
    if actions is None:
        raise MalformedPolicy("a statement must have an Action")
    resources = _texts(found, "Resource", "NotResource")
    sid = found.get("Sid", "")
    try:
        conditions = tuple(compile_conditions(found.get("Condition"), has_variables=has_variables))
    except MalformedCondition as error:
        raise MalformedPolicy(str(error)) from None
    patterns = tuple(compile_arn_pattern(text, has_variables=has_variables) for text in resources or ())
    return Statement(
        is_allow=effect == "Allow",
        actions=tuple(compile_pattern(action.lower()) for action in actions),
        is_not_action="NotAction" in found,
        resources=None if resources is None else patterns,
        is_not_resource="NotResource" in found,
        principals=_compile_principals(found, ids),
        conditions=conditions,
        depends=bool(conditions) or any(pattern.variables for pattern in patterns),
        sid=sid if isinstance(sid, str) else "",
        number=number,
    )


def _texts(found: Mapping[str, Any], *names: str) -> list[str] | None:
    given = [name for name in names if name in found]
    if len(given) > 1:
        raise MalformedPolicy(f"a statement may have {' or '.join(names)}, not both")
    if not given:
        return None
    texts = found[given[0]]
    texts = texts if isinstance(texts, list | tuple) else [texts]
    if not all(isinstance(text, str) for text in texts):
        raise MalformedPolicy(f"{given[0]} must be a string or a list of strings")
    return list(texts)


def _compile_principals(found: Mapping[str, Any], ids: Mapping[str, str]) -> _Principals | None:
    if "Principal" in found and "NotPrincipal" in found:
        raise MalformedPolicy("a statement may have Principal or NotPrincipal, not both")
    is_not = "NotPrincipal" in found
    given = found.get("NotPrincipal") if is_not else found.get("Principal")
    if given is None:
        return None
    if given == "*":
        return _Principals(True, frozenset(), frozenset(), is_not)
    if not isinstance(given, Mapping) or not given:
        raise MalformedPolicy('Principal must be "*" or hold AWS, Service or Federated')
    by_kind = {kind: _texts(given, kind) or [] for kind in given}
    # An empty name would be that of whoever has none.
    names = [ids.get(name, name) for name in by_kind.get("AWS", []) if name]
    return _Principals("*" in names, frozenset(names), frozenset(by_kind.get("Service", [])), is_not)
