"""
The policy language, and what a set of policies makes of a request. Pure.

A document is compiled once; `decide` then evaluates all policies that have a say, in AWS's order. No regular
expression is made of a policy's text, and matching takes time linear in what is matched.

Documented: IAM user guide, grammar of the policy language; policy evaluation logic.
"""

import base64
import binascii
import enum
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeAlias

import msgspec

from lambent.domain.pattern import Pattern, compile_pattern
from lambent.domain.principal import Principal, PrincipalType

Value: TypeAlias = str | Sequence[str]
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
    resources: tuple["_Resource", ...] | None
    """None where the policy's place says which: in trust policies."""
    is_not_resource: bool
    principals: "_Principals | None"
    conditions: tuple["_Condition", ...]
    sid: str = ""
    number: int = 0
    """Its place in the document, from 0."""

    @property
    def depends(self) -> bool:
        """Whether what it says depends on more than principal, action and resource."""
        return bool(self.conditions) or any(one.has_variables for one in self.resources or ())

    def is_about_action(self, action: str) -> bool:
        """Say whether it is about an action, given in small letters."""
        return any(pattern.matches(action) for pattern in self.actions) is not self.is_not_action

    def is_about_resource(self, resource: str, context: Mapping[str, Value]) -> bool:
        if self.resources is None:
            return True
        return any(one.matches(resource, context) for one in self.resources) is not self.is_not_resource

    def grants_to(self, principal: Principal) -> Grant:
        """Say how closely it names a principal; identity policies name nobody, and are their owner's."""
        return Grant.DIRECT if self.principals is None else self.principals.grant(principal, is_allow=self.is_allow)

    def holds(self, context: Mapping[str, Value]) -> bool:
        return all(condition.holds(context) for condition in self.conditions)


class Policy(msgspec.Struct, frozen=True):
    """A document, compiled."""

    statements: tuple[Statement, ...]
    name: str = ""
    """By which SimulatePrincipalPolicy calls it."""

    @property
    def keys(self) -> frozenset[str]:
        """The condition keys that it looks at, in small letters."""
        found: set[str] = set()
        for statement in self.statements:
            found.update(condition.key for condition in statement.conditions)
            for condition in statement.conditions:
                found.update(key for value in condition.patterns for key in value.variables)
            found.update(key for one in statement.resources or () for key in one.variables)
        return frozenset(found)


_MEMO_MAX = 512
"""Actions of which is remembered which statements are about them. Assumed: more than any service has (test_policy)."""


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
        exact = found.exact.get(resource)
        return found.others if exact is None else (*exact, *found.others)


class _About:
    """The statements about one action: those that name their resources to the letter, by these, and the others."""

    def __init__(self, statements: Iterable[Statement]) -> None:
        self.exact: dict[str, list[Statement]] = {}
        self.others: list[Statement] = []
        for statement in statements:
            named = statement.resources
            if named is None or statement.is_not_resource or any(one.exact is None for one in named):
                self.others.append(statement)
                continue
            for text in dict.fromkeys(one.exact for one in named):
                assert text is not None
                self.exact.setdefault(text, []).append(statement)


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


class _Said(msgspec.Struct):
    """What the policies of one kind say of a request."""

    grant: Grant
    is_denied: bool
    depends: bool


_UNSAID = _Said(Grant.NONE, False, False)


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
    said = {
        PolicyKind.IDENTITY: _say(request, policies.identity),
        resource_kind: _say(request, policies.resource),
        PolicyKind.BOUNDARY: _say(request, policies.boundary, has_boundary=policies.boundary is not None),
        PolicyKind.SESSION: _say(request, policies.session),
    }
    if policies.boundary is not None and policies.resource is not None:
        # Documented: IAM user guide, NotPrincipal: a Deny with it always denies whoever has a permissions boundary.
        said[resource_kind] = _say(request, policies.resource, has_boundary=True)
    is_lasting = not any(one.depends for one in said.values())
    for kind, one in said.items():
        if one.is_denied:
            return Verdict(False, kind, is_explicit=True, is_lasting=is_lasting)
    granted = said[resource_kind].grant
    is_same_account = principal.account == request.resource_account
    if principal.is_root and principal.session is None and is_same_account and not is_trust:
        return Verdict(True, is_lasting=is_lasting)
    if principal.type in {PrincipalType.SERVICE, PrincipalType.ANONYMOUS}:
        return Verdict(granted is not Grant.NONE, resource_kind, is_lasting=is_lasting)
    is_bounded = policies.boundary is None or bool(said[PolicyKind.BOUNDARY].grant)
    is_in_session = policies.session is None or bool(said[PolicyKind.SESSION].grant)
    is_own = bool(said[PolicyKind.IDENTITY].grant) or (principal.is_root and not is_trust)
    if is_same_account:
        if granted is Grant.DIRECT:
            return Verdict(True, is_lasting=is_lasting)
        has_leave = is_own or granted is Grant.ROLE
        lacks_resource = is_trust and granted is Grant.NONE
    else:
        has_leave, lacks_resource = is_own, granted is Grant.NONE
    if not has_leave and not (is_trust and lacks_resource):
        return Verdict(False, PolicyKind.IDENTITY, is_lasting=is_lasting)
    if lacks_resource:
        return Verdict(False, resource_kind, is_lasting=is_lasting)
    if not is_bounded:
        return Verdict(False, PolicyKind.BOUNDARY, is_lasting=is_lasting)
    if not is_in_session:
        return Verdict(False, PolicyKind.SESSION, is_lasting=is_lasting)
    return Verdict(True, is_lasting=is_lasting)


def _say(request: AccessRequest, policies: Policies | None, *, has_boundary: bool = False) -> _Said:
    if policies is None:
        return _UNSAID
    grant, is_denied, depends = Grant.NONE, False, False
    principal, context = request.principal, request.context
    for statement in policies.about(request.action.lower(), request.resource):
        named = statement.grants_to(principal)
        if has_boundary and not statement.is_allow and statement.principals is not None:
            named = Grant.DIRECT if statement.principals.is_not else named
        if named is Grant.NONE:
            continue
        depends = depends or statement.depends
        if not statement.is_about_resource(request.resource, context) or not statement.holds(context):
            continue
        if statement.is_allow:
            grant = max(grant, named)
        else:
            is_denied = True
    return _Said(grant, is_denied, depends)


class _Resource(msgspec.Struct, frozen=True):
    """A resource that a statement names: an ARN is matched part by part, so that a star does not cross its colons."""

    parts: tuple[Pattern, ...]
    """Five and the rest; one for what is no ARN."""
    is_open: bool = False
    """Whether it ends early with a star, which stands for all that is missing."""

    @property
    def exact(self) -> str | None:
        texts = [part.exact for part in self.parts]
        return None if self.is_open or None in texts else ":".join(text for text in texts if text is not None)

    @property
    def variables(self) -> tuple[str, ...]:
        return self.parts[-1].variables

    @property
    def has_variables(self) -> bool:
        return bool(self.parts[-1].parts)

    def matches(self, resource: str, context: Mapping[str, Value]) -> bool:
        if len(self.parts) == 1 and not self.is_open:
            return self.parts[0].matches(resource, context)
        given = resource.split(":", 5)
        if len(given) != 6:
            return False
        return all(part.matches(text, context) for part, text in zip(self.parts, given, strict=False))


def _compile_resource(text: str, *, has_variables: bool) -> _Resource:
    parts = text.split(":", 5)
    if parts[0] != "arn" or len(parts) < 2:
        return _Resource((compile_pattern(text, has_variables=has_variables),))
    # Documented: IAM user guide, tags as variables: they stand behind the fifth colon alone.
    compiled = tuple(compile_pattern(part, has_variables=has_variables and n == 5) for n, part in enumerate(parts))
    return _Resource(compiled, is_open=len(parts) < 6 and text.endswith("*"))


class _Principals(msgspec.Struct, frozen=True):
    """Whom a statement of a resource or trust policy names."""

    is_anybody: bool
    names: frozenset[str]
    """Of `AWS`: accounts, ARNs and unique ids."""
    services: frozenset[str]
    is_not: bool = False

    def grant(self, principal: Principal, *, is_allow: bool) -> Grant:
        if not self.is_not:
            return self._names(principal)
        if self.is_anybody:
            return Grant.NONE
        if principal.type in {PrincipalType.ANONYMOUS, PrincipalType.SERVICE} or is_allow:
            return Grant.DIRECT if self._names(principal) is Grant.NONE else Grant.NONE
        # Documented: IAM user guide, NotPrincipal with Deny: whoever is to be spared is listed with the account, and a
        # session with its role.
        listed = self._has_account(principal) and principal.identity_arn in self.names | {principal.arn}
        is_spared = listed and (principal.is_root or principal.arn in self.names)
        return Grant.NONE if is_spared else Grant.DIRECT

    def _names(self, principal: Principal) -> Grant:
        if self.is_anybody:
            return Grant.DIRECT
        if principal.type is PrincipalType.SERVICE:
            return Grant.DIRECT if principal.name in self.services else Grant.NONE
        if principal.type is PrincipalType.ANONYMOUS:
            return Grant.NONE
        if principal.is_root:
            return Grant.DIRECT if self._has_account(principal) else Grant.NONE
        if principal.arn in self.names:
            return Grant.DIRECT
        if principal.identity_arn in self.names or principal.identity_id in self.names:
            return Grant.ROLE if principal.type is PrincipalType.ROLE else Grant.DIRECT
        return Grant.ACCOUNT if self._has_account(principal) else Grant.NONE

    def _has_account(self, principal: Principal) -> bool:
        return principal.account in self.names or f"arn:aws:iam::{principal.account}:root" in self.names


_Test: TypeAlias = Callable[[Any, str, Mapping[str, Value]], bool | None]
"""
What a statement wants, compiled; what a request has; its context. None: one of the two is of the wrong form, which
fulfils neither the operator nor its negation.
"""


class _Condition(msgspec.Struct, frozen=True):
    """One key under one operator."""

    key: str
    """In small letters."""
    operator: str
    is_negated: bool
    passes_missing: bool
    """`IfExists`."""
    over_all: bool | None
    """`ForAllValues` or `ForAnyValue`; None: the key has one value."""
    wanted: tuple[Any, ...]
    """As the operator compiled them; None for one that can never be met."""

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        found: list[Pattern] = []
        for one in self.wanted:
            if isinstance(one, Pattern):
                found.append(one)
            elif isinstance(one, _Resource):
                found += one.parts
        return tuple(found)

    def holds(self, context: Mapping[str, Value]) -> bool:
        given = context.get(self.key)
        if self.operator == "null":
            is_absent = given is None or len(given) == 0
            return any(one is is_absent for one in self.wanted)
        if given is None or (not isinstance(given, str) and not given):
            if self.over_all is not None:
                return self.over_all
            return self.passes_missing or self.is_negated
        if self.over_all is None:
            # Observed: cloud-copilot/iam-simulate, whose author had it confirmed: several values need a set operator.
            return isinstance(given, str) and self._meets(given, context)
        values = (given,) if isinstance(given, str) else given
        return (all if self.over_all else any)(self._meets(value, context) for value in values)

    def _meets(self, value: str, context: Mapping[str, Value]) -> bool:
        test = _TESTS[self.operator]
        is_met = False
        for one in self.wanted:
            met = None if one is None else test(one, value, context)
            if met is None and self.operator in _STRICT:
                if self.is_negated:
                    return False
                continue
            is_met = is_met or bool(met)
        return is_met is not self.is_negated


def _is_equal(wanted: Pattern, given: str, context: Mapping[str, Value]) -> bool:
    if not wanted.parts:
        return wanted.source == given
    # A star means itself here: only variables are filled in.
    return _text_of(wanted, context) == given


def _is_equal_in_any_case(wanted: Pattern, given: str, context: Mapping[str, Value]) -> bool:
    text = _text_of(wanted, context) if wanted.parts else wanted.source
    return text is not None and text.lower() == given.lower()


def _text_of(pattern: Pattern, context: Mapping[str, Value]) -> str | None:
    texts: list[str] = []
    for part in pattern.parts:
        value = part if isinstance(part, str) else part[0] if part[0] in "*?$" else context.get(part[0], part[1] or "")
        if not isinstance(value, str) or (
            not isinstance(part, str) and part[1] is None and part[0] not in context and part[0] not in "*?$"
        ):
            return None
        texts.append(value)
    return "".join(texts)


def _is_like(wanted: Pattern, given: str, context: Mapping[str, Value]) -> bool:
    return wanted.matches(given, context)


def _is_arn_like(wanted: _Resource, given: str, context: Mapping[str, Value]) -> bool:
    return (len(wanted.parts) == 6 or wanted.is_open) and wanted.matches(given, context)


def _as_bool(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.lower())


def _is_bool(wanted: bool, given: str, _: Mapping[str, Value]) -> bool | None:
    found = _as_bool(given)
    return None if found is None else found is wanted


_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?")


def _as_number(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None


_YEAR_OR_MONTH = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?")


def _as_time(text: str) -> Decimal | None:
    """Return seconds since the epoch. Documented: IAM user guide, date operators: W3C's forms of ISO 8601, or these."""
    if re.fullmatch(r"[0-9]{5,15}(?:\.[0-9]{1,9})?", text):
        return Decimal(text)
    try:
        if short := _YEAR_OR_MONTH.fullmatch(text):
            moment = datetime(int(short[1]), int(short[2] or 1), 1)
        else:
            moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return Decimal((moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp())


def _compared(read: Callable[[str], Decimal | None], holds: Callable[[Decimal, Decimal], bool]) -> _Test:
    def test(wanted: Decimal, given: str, _: Mapping[str, Value]) -> bool | None:
        found = read(given)
        return None if found is None else holds(found, wanted)

    return test


def _as_network(text: str) -> "ipaddress.IPv4Network | ipaddress.IPv6Network | None":
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _is_in_network(
    wanted: "ipaddress.IPv4Network | ipaddress.IPv6Network", given: str, _: Mapping[str, Value]
) -> bool | None:
    try:
        address = ipaddress.ip_address(given)
    except ValueError:
        return None
    return address in wanted


def _as_bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _is_same_bytes(wanted: bytes, given: str, _: Mapping[str, Value]) -> bool | None:
    found = _as_bytes(given)
    return None if found is None else found == wanted


def _text_pattern(text: str, *, has_variables: bool) -> Pattern:
    return compile_pattern(text, has_variables=has_variables)


_COMPARISONS: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    "equals": lambda given, wanted: given == wanted,
    "lessthan": lambda given, wanted: given < wanted,
    "lessthanequals": lambda given, wanted: given <= wanted,
    "greaterthan": lambda given, wanted: given > wanted,
    "greaterthanequals": lambda given, wanted: given >= wanted,
}

_TESTS: Mapping[str, _Test] = {
    "stringequals": _is_equal,
    "stringequalsignorecase": _is_equal_in_any_case,
    "stringlike": _is_like,
    "arnequals": _is_arn_like,
    "arnlike": _is_arn_like,
    "bool": _is_bool,
    "binaryequals": _is_same_bytes,
    "ipaddress": _is_in_network,
    **{f"numeric{name}": _compared(_as_number, holds) for name, holds in _COMPARISONS.items()},
    **{f"date{name}": _compared(_as_time, holds) for name, holds in _COMPARISONS.items()},
}
"""Documented: IAM user guide, condition operators. Names in small letters: any case is taken."""

_NEGATIONS: Mapping[str, str] = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
    "notipaddress": "ipaddress",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
}

_STRICT = frozenset(name for name in _TESTS if not name.startswith(("string", "arn")))
"""Operators that a value of the wrong form fulfils no more negated than not."""


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
        return Statement(
            is_allow=effect == "Allow",
            actions=tuple(compile_pattern(action.lower()) for action in actions),
            is_not_action="NotAction" in found,
            resources=None
            if resources is None
            else tuple(_compile_resource(text, has_variables=has_variables) for text in resources),
            is_not_resource="NotResource" in found,
            principals=_compile_principals(found, ids),
            conditions=tuple(_compile_conditions(found.get("Condition"), has_variables=has_variables)),
            sid=sid if isinstance(sid, str) else "",
            number=number,
        )
    except ValueError as error:
        raise MalformedPolicy(str(error)) from None


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
    names = [ids.get(name, name) for name in by_kind.get("AWS", [])]
    return _Principals("*" in names, frozenset(names), frozenset(by_kind.get("Service", [])), is_not)


def _compile_conditions(found: Any, *, has_variables: bool) -> Iterable[_Condition]:
    if found is None:
        return
    if not isinstance(found, Mapping):
        raise MalformedPolicy("Condition must be an object")
    for written, keys in found.items():
        over_all, name = _quantified(written.lower())
        passes_missing = name.endswith("ifexists") and name != "null"
        name = name.removesuffix("ifexists")
        operator = _NEGATIONS.get(name, name)
        if operator not in _TESTS and operator != "null":
            raise MalformedPolicy(f"there is no condition operator {written[:100]}")
        if not isinstance(keys, Mapping):
            raise MalformedPolicy(f"{written} must map condition keys to values")
        for key, values in keys.items():
            items = values if isinstance(values, list | tuple) else [values]
            if not all(isinstance(item, str | bool | int | float) for item in items):
                raise MalformedPolicy(f"{written} must map condition keys to strings, numbers or booleans")
            wanted = tuple(_wanted(operator, _as_text(item), has_variables=has_variables) for item in items)
            yield _Condition(key.lower(), operator, name != operator, passes_missing, over_all, wanted)


def _quantified(operator: str) -> tuple[bool | None, str]:
    for prefix, over_all in (("forallvalues:", True), ("foranyvalue:", False)):
        if operator.startswith(prefix):
            return over_all, operator.removeprefix(prefix)
    return None, operator


def _as_text(item: Any) -> str:
    return str(item).lower() if isinstance(item, bool) else str(item)


def _wanted(operator: str, text: str, *, has_variables: bool) -> Any:
    if operator.startswith("string"):
        return _text_pattern(text, has_variables=has_variables)
    if operator.startswith("arn"):
        return _compile_resource(text, has_variables=has_variables)
    if operator in {"bool", "null"}:
        return _as_bool(text)
    if operator.startswith("numeric"):
        return _as_number(text)
    if operator.startswith("date"):
        return _as_time(text)
    return _as_network(text) if operator == "ipaddress" else _as_bytes(text)
