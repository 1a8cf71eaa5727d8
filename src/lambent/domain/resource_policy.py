"""Resource policies: who else may use a function, a version, an alias or a layer version. Pure."""

import enum
import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.domain.policy import AccessRequest, MalformedPolicy, Policies, Value, compile_policy, say
from lambent.domain.principal import Principal, service_principal
from lambent.errors.api.lambda_ import InvalidParameterValueException, PolicyLengthExceededException

POLICY_MAX_BYTES = 20_480
"""Documented: Lambda quotas, function resource-based policy: 20 KB."""

_ACCOUNT = re.compile(r"\d{12}")
# Most services are below amazonaws.com, Alexa's are below amazon.com. Documented: Alexa Skills Kit, host a custom skill
# as an AWS Lambda function.
_SERVICE = re.compile(r"[a-z0-9.-]+\.(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|amazon\.com)")
_PRINCIPAL_ARN = re.compile(r"arn:aws[a-zA-Z-]*:(?:iam|sts)::\d{12}:.+")

_MEMBERS = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)

_DENIES_ALL = Policies(
    [compile_policy({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}})]
)

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

    def compiled(self) -> Policies:
        """
        Return it for evaluation.

        What cannot be understood was written by a later version, and denies everything. Documented: IAM user guide,
        policy evaluation logic: so does what fails while it is evaluated.
        """
        try:
            return Policies([compile_policy({"Version": self.version, "Statement": self.statements})])
        except MalformedPolicy:
            return _DENIES_ALL

    def has(self, sid: str) -> bool:
        return any(statement.get("Sid") == sid for statement in self.statements)

    def without(self, sid: str) -> "ResourcePolicy | None":
        """Return what remains when a statement goes; None when nothing does."""
        left = tuple(statement for statement in self.statements if statement.get("Sid") != sid)
        return msgspec.structs.replace(self, statements=left) if left else None


class Requester(msgspec.Struct, frozen=True):
    """Who asks, and in which circumstances."""

    principal: Principal
    context: Mapping[str, Value] = {}
    """Condition keys in small letters, e.g. `aws:sourcearn`."""


def service_for(service: str, source_arn: str, source_account: str) -> Requester:
    """
    Return a service that acts for a resource.

    Documented: IAM user guide, global condition keys: with these one account's resource has no use of another's grant.

    Args:
        service: e.g. `s3.amazonaws.com`.
        source_account: whose the resource is.
    """
    return Requester(
        service_principal(service),
        {
            "aws:principalisawsservice": "true",
            "aws:principalservicename": service,
            "aws:sourceaccount": source_account,
            "aws:sourcearn": source_arn,
        },
    )


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


def allows(policy: ResourcePolicy | Policies | None, requester: Requester, action: str, resource: str) -> bool:
    """Return whether a policy by itself lets someone do something. See `decide`."""
    return decide(policy, requester, action, resource) is Decision.ALLOWED


def decide(policy: ResourcePolicy | Policies | None, requester: Requester, action: str, resource: str) -> Decision:
    """
    Say what a policy makes of a request by itself: nobody is asked what the requester's own policies allow.

    What is denied is denied; what no statement allows is not allowed.

    Args:
        policy: that is asked often is compiled once: `ResourcePolicy.compiled`.
        action: for instance `lambda:InvokeFunction`.
        resource: the ARN that is addressed, qualified if the request is.
    """
    compiled = policy.compiled() if isinstance(policy, ResourcePolicy) else policy
    request = AccessRequest(requester.principal, action, resource, "", requester.context)
    said = say(request, compiled, names_principals=True)
    if said.is_denied:
        return Decision.DENIED
    return Decision.ALLOWED if said.grant else Decision.UNMENTIONED


def parse_policy(text: str) -> ResourcePolicy:
    """
    Read a policy document that a caller wrote.

    Raises:
        InvalidParameterValueException: it is not a policy.
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
    try:
        compile_policy(document)
    except MalformedPolicy as error:
        raise _malformed(str(error)) from None
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
    unknown = statement.keys() - _MEMBERS
    if unknown:
        raise _malformed(f"a statement has no {min(unknown)[:100]}")
    if not isinstance(statement.get("Sid", ""), str):
        raise _malformed("Sid must be a string")
    for names in (("Action", "NotAction"), ("Principal", "NotPrincipal")):
        if not any(statement.get(name) for name in names):
            raise _malformed(f"a statement must have {' or '.join(names)}")
    principal = statement.get("NotPrincipal", statement.get("Principal"))
    if principal != "*" and not (isinstance(principal, dict) and principal.keys() <= {"AWS", "Service"}):
        raise _malformed('Principal must be "*" or hold AWS or Service')


def _malformed(detail: str) -> InvalidParameterValueException:
    return InvalidParameterValueException(f"The policy document is malformed: {detail}.")
