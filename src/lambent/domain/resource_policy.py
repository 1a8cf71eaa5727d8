"""Resource policies: who else may use a function, a version, an alias or a layer version. Pure."""

import enum
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from lambent.errors.api.lambda_ import InvalidParameterValueException, PolicyLengthExceededException

POLICY_MAX_BYTES = 20_480
"""Documented: Lambda quotas, function resource-based policy: 20 KB."""

_ACCOUNT = re.compile(r"\d{12}")
# Most services are below amazonaws.com, Alexa's are below amazon.com. Documented: Alexa Skills Kit, host a custom skill
# as an AWS Lambda function.
_SERVICE = re.compile(r"[a-z0-9.-]+\.(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|amazon\.com)")
_PRINCIPAL_ARN = re.compile(r"arn:aws[a-zA-Z-]*:(?:iam|sts)::\d{12}:.+")

Statement = Mapping[str, Any]
"""One statement as AWS writes it: Sid, Effect, Principal, Action, Resource, Condition."""


class ResourcePolicy(msgspec.Struct, frozen=True):
    """A policy document. One without statements does not exist: `without` returns None instead."""

    statements: tuple[Statement, ...]
    version: str = "2012-10-17"
    id: str | None = "default"

    def text(self) -> str:
        """Return the document as AWS answers it: JSON without blanks."""
        document: dict[str, Any] = {"Version": self.version}
        if self.id is not None:
            document["Id"] = self.id
        document["Statement"] = list(self.statements)
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False)

    def has(self, sid: str) -> bool:
        return any(statement.get("Sid") == sid for statement in self.statements)

    def without(self, sid: str) -> "ResourcePolicy | None":
        """Return what remains when a statement goes; None when nothing does."""
        left = tuple(statement for statement in self.statements if statement.get("Sid") != sid)
        return msgspec.structs.replace(self, statements=left) if left else None


class Requester(msgspec.Struct, frozen=True):
    """Who asks, as conditions see it: a principal of an account, or a service on behalf of a resource."""

    account: str | None = None
    """Twelve digits; None for a service."""
    principal: str | None = None
    """ARN of the principal."""
    service: str | None = None
    """For instance `s3.amazonaws.com`."""
    context: Mapping[str, str] = {}
    """Condition keys in lower case, e.g. `aws:sourcearn`."""


def principal_of(text: str) -> str | dict[str, str]:
    """
    Return AddPermission's Principal as a statement holds it.

    Raises:
        InvalidParameterValueException: it is neither `*`, an account, an ARN nor a service. Observed: localstack
            tests/aws/services/lambda_/test_lambda_api.py (recorded).
    """
    if text == "*":
        return "*"
    if _ACCOUNT.fullmatch(text):
        return {"AWS": f"arn:aws:iam::{text}:root"}
    if _PRINCIPAL_ARN.fullmatch(text):
        return {"AWS": text}
    if _SERVICE.fullmatch(text):
        return {"Service": text}
    raise InvalidParameterValueException(
        "The provided principal was invalid. Please check the principal and try again."
    )


def with_statement(policy: ResourcePolicy | None, statement: Statement) -> ResourcePolicy:
    """
    Return the policy with one statement more.

    Raises:
        PolicyLengthExceededException: it becomes longer than `POLICY_MAX_BYTES`.
    """
    before = ResourcePolicy(()) if policy is None else policy
    after = msgspec.structs.replace(before, statements=(*before.statements, statement))
    size_bytes = len(after.text().encode())
    if size_bytes > POLICY_MAX_BYTES:
        # Observed: field reports of CDK and Terraform users for the text.
        raise PolicyLengthExceededException(f"The final policy size ({size_bytes}) is bigger than the limit (20480).")
    return after


class Decision(enum.Enum):
    """What a policy says of one request."""

    ALLOWED = enum.auto()
    DENIED = enum.auto()
    """A statement denies it."""
    UNMENTIONED = enum.auto()
    """No statement allows it, none denies it."""


def allows(policy: ResourcePolicy | None, requester: Requester, action: str, resource: str) -> bool:
    """Return whether a policy lets someone from outside the account do something. See `decide`."""
    return decide(policy, requester, action, resource) is Decision.ALLOWED


def decide(policy: ResourcePolicy | None, requester: Requester, action: str, resource: str) -> Decision:
    """
    Say what a policy makes of a request from outside the account.

    What is denied is denied; what no statement allows is not allowed. A condition that is not understood is taken to be
    unmet in an Allow and met in a Deny: parsing refuses such conditions, so this is for documents of later versions.

    Args:
        action: for instance `lambda:InvokeFunction`.
        resource: the ARN that is addressed, qualified if the request is.

    Source: IAM user guide, policy evaluation logic.
    """
    decision = Decision.UNMENTIONED
    for statement in () if policy is None else policy.statements:
        if not _matches_any(statement.get("Action"), action, ignore_case=True):
            continue
        if not _matches_any(statement.get("Resource", "*"), resource):
            continue
        if not _is_principal(statement.get("Principal"), requester):
            continue
        is_deny = statement.get("Effect") == "Deny"
        if not _conditions_hold(statement.get("Condition") or {}, requester.context, unknown=is_deny):
            continue
        if is_deny:
            return Decision.DENIED
        decision = Decision.ALLOWED
    return decision


def parse_policy(text: str) -> ResourcePolicy:
    """
    Read a policy document that a caller wrote.

    Raises:
        InvalidParameterValueException: it is not a policy, or holds what cannot be evaluated here.
        PolicyLengthExceededException: it is longer than `POLICY_MAX_BYTES`.

    Source: IAM user guide, grammar of the policy language. Assumed: the texts.
    """
    if len(text.encode()) > POLICY_MAX_BYTES:
        raise PolicyLengthExceededException(
            f"The final policy size ({len(text.encode())}) is bigger than the limit (20480)."
        )
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        raise _malformed("it is not JSON") from None
    if not isinstance(document, dict):
        raise _malformed("it is not a JSON object")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise _malformed("Statement must hold at least one statement")
    version = document.get("Version", "2008-10-17")
    if version not in ("2012-10-17", "2008-10-17"):
        raise _malformed("Version must be 2012-10-17 or 2008-10-17")
    for statement in statements:
        _check_statement(statement)
    sids = [statement["Sid"] for statement in statements if "Sid" in statement]
    if len(set(sids)) < len(sids):
        raise _malformed("every Sid must be unique")
    identifier = document.get("Id")
    if identifier is not None and not isinstance(identifier, str):
        raise _malformed("Id must be a string")
    return ResourcePolicy(tuple(statements), version=version, id=identifier)


def _check_statement(statement: Any) -> None:
    if not isinstance(statement, dict):
        raise _malformed("a statement must be an object")
    unknown = statement.keys() - {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
    if unknown:
        raise _malformed(f"{min(unknown)} in a statement is not offered by this version of Lambent")
    if not isinstance(statement.get("Sid", ""), str):
        raise _malformed("Sid must be a string")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise _malformed("Effect must be Allow or Deny")
    for member in ("Action", "Resource"):
        if member in statement and not all(isinstance(item, str) for item in _items(statement[member])):
            raise _malformed(f"{member} must be a string or a list of strings")
    if not _items(statement.get("Action")):
        raise _malformed("a statement must have an Action")
    principal = statement.get("Principal")
    if principal != "*" and not (
        isinstance(principal, dict)
        and principal
        and principal.keys() <= {"AWS", "Service"}
        and all(isinstance(item, str) for value in principal.values() for item in _items(value))
    ):
        raise _malformed('Principal must be "*" or hold AWS or Service')
    conditions = statement.get("Condition", {})
    if not isinstance(conditions, dict):
        raise _malformed("Condition must be an object")
    for operator, keys in conditions.items():
        if operator.removesuffix("IfExists") not in _OPERATORS:
            raise _malformed(f"the condition operator {operator} is not offered by this version of Lambent")
        if not isinstance(keys, dict) or not all(
            isinstance(item, str | bool) for values in keys.values() for item in _items(values)
        ):
            raise _malformed(f"{operator} must map condition keys to strings")
    # Taken literally they would match nothing, and a Deny with one would deny nobody.
    if "${" in json.dumps([statement.get("Resource"), conditions]):
        raise _malformed("policy variables are not offered by this version of Lambent")


def _malformed(detail: str) -> InvalidParameterValueException:
    return InvalidParameterValueException(f"The policy document is malformed: {detail}.")


def _items(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    return value if isinstance(value, list | tuple) else (value,)


def _is_principal(principal: Any, requester: Requester) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, Mapping):
        return False
    if requester.service is not None:
        return requester.service in _items(principal.get("Service"))
    wanted = (requester.account, f"arn:aws:iam::{requester.account}:root", requester.principal, "*")
    return any(item in wanted for item in _items(principal.get("AWS")))


def _matches_any(patterns: Any, text: str, *, ignore_case: bool = False) -> bool:
    return any(_matches(item, text, ignore_case=ignore_case) for item in _items(patterns))


def _matches(pattern: str, text: str, *, ignore_case: bool = False) -> bool:
    """
    Match `*` and `?`; nothing else is special in a policy.

    What is between two stars is looked for from the left, and never again: a policy may be what a stranger's function
    answers, full of them. Made into an expression, one of 64 KB took most of a second, and 30,000 were kept.
    """
    if ignore_case:
        pattern, text = pattern.lower(), text.lower()
    if "*" not in pattern:
        return len(pattern) == len(text) and _fits(pattern, text, 0)
    first, *between, last = pattern.split("*")
    at, end = len(first), len(text) - len(last)
    if at > end or not _fits(first, text, 0) or not _fits(last, text, end):
        return False
    for piece in between:
        found = _find(piece, text, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def _fits(piece: str, text: str, at: int) -> bool:
    if "?" not in piece:
        return text.startswith(piece, at)
    return all(wanted in ("?", given) for wanted, given in zip(piece, text[at : at + len(piece)], strict=True))


def _find(piece: str, text: str, at: int, end: int) -> int:
    """Return where a piece begins first; less than 0: nowhere."""
    if "?" not in piece:
        return text.find(piece, at, end)
    if len(piece) > end - at:
        return -1
    found = re.compile(re.escape(piece).replace(r"\?", "."), re.DOTALL).search(text, at, end)
    return -1 if found is None else found.start()


def _arn_matches(pattern: str, text: str) -> bool:
    """Match ARNs part by part: a `*` does not reach over a colon."""
    patterns, parts = pattern.split(":", 5), text.split(":", 5)
    return len(patterns) == len(parts) and all(map(_matches, patterns, parts))


def _conditions_hold(conditions: Mapping[str, Any], context: Mapping[str, str], *, unknown: bool) -> bool:
    return all(
        _holds(operator, key, values, context, unknown=unknown)
        for operator, keys in conditions.items()
        for key, values in _pairs(keys)
    )


def _pairs(keys: Any) -> Iterator[tuple[str, Any]]:
    return iter(keys.items()) if isinstance(keys, Mapping) else iter(())


def _holds(operator: str, key: str, values: Any, context: Mapping[str, str], *, unknown: bool) -> bool:
    test = _OPERATORS.get(operator.removesuffix("IfExists"))
    if test is None:
        return unknown
    is_given, is_negated = test
    given = context.get(key.lower())
    if given is None:
        return is_negated or operator.endswith("IfExists")
    found = any(is_given(str(item).lower() if isinstance(item, bool) else item, given) for item in _items(values))
    return found is not is_negated


def _equals(wanted: str, given: str) -> bool:
    return wanted == given


def _equals_in_any_case(wanted: str, given: str) -> bool:
    return wanted.lower() == given.lower()


_OPERATORS: Mapping[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (_equals, False),
    "StringNotEquals": (_equals, True),
    "StringEqualsIgnoreCase": (_equals_in_any_case, False),
    "StringLike": (_matches, False),
    "StringNotLike": (_matches, True),
    "ArnEquals": (_arn_matches, False),
    "ArnLike": (_arn_matches, False),
    "ArnNotEquals": (_arn_matches, True),
    "ArnNotLike": (_arn_matches, True),
    "Bool": (_equals_in_any_case, False),
}
"""Condition operator to its test (what the policy wants, what the request has), and whether it is negated."""
