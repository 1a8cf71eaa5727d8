"""
Policy documents that somebody may write: what IAM checks before it keeps one, in its order and words. Pure.

What is only evaluated is read by `policy.compile_policy`, which is content with less.

Documented: IAM user guide, grammar of the IAM JSON policy language; quotas. Observed: getmoto/moto, whose authors took
the texts and their order from the service, where no other source is named.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lambent.domain.pattern import compile_pattern
from lambent.domain.policy_condition import MalformedCondition, compile_conditions, is_time

MANAGED_MAX = 6_144
"""Characters of a managed policy, white space not counted, as in `TRUST_MAX`. Documented: IAM quotas."""

TRUST_MAX = 2_048
"""Of a role's trust policy."""

_MEMBERS = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)
_PAIRS = (("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource"))
_PARTITIONS = frozenset({"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"})
_SID = re.compile(r"[0-9A-Za-z]*")
_VENDOR = re.compile(r"[A-Za-z0-9.-]+")
_IAM_PATHS = (
    "user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/", "policy/",
    "sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "access-report/",
)  # fmt: skip
_TRUST_ACTIONS = (
    "sts:assumerole",
    "sts:assumerolewithsaml",
    "sts:assumerolewithwebidentity",
    "sts:setcontext",
    "sts:setsourceidentity",
    "sts:tagsession",
)


class RefusedDocument(Exception):
    """A document that is not kept; the code and the text are those of IAM's error."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def check_identity_policy(text: str) -> None:
    """
    Refuse what is no policy of a user, group or role.

    Raises:
        RefusedDocument: MalformedPolicyDocument.
    """
    document = _read(text)
    statements = _check_syntax(document)
    if document.get("Version") != "2012-10-17":
        raise _malformed("Policy document must be version 2012-10-17 or greater.")
    _check_legacy(statements)
    _check_sids(statements)
    for statement in statements:
        if not _items(statement, "Action", "NotAction"):
            raise _malformed("Policy statement must contain actions.")
    for statement in statements:
        for resource in _items(statement, "Resource", "NotResource"):
            _check_resource(resource)
    for statement in statements:
        _check_vendors(statement)
    for statement in statements:
        if not _items(statement, "Resource", "NotResource"):
            raise _malformed("Policy statement must contain resources.")
    if any("Principal" in statement or "NotPrincipal" in statement for statement in statements):
        # Observed: hashicorp/terraform-provider-aws#10419.
        raise _malformed("Policy document should not specify a principal.")


def check_managed_policy(text: str) -> None:
    """
    Refuse what is no version of a managed policy. Permissions boundaries and session policies are such policies.

    Raises:
        RefusedDocument: MalformedPolicyDocument; LimitExceeded: it is too long.
    """
    check_identity_policy(text)
    _check_size(text, MANAGED_MAX, "PolicySize")


check_boundary = check_managed_policy


def check_trust_policy(text: str) -> None:
    """
    Refuse what is no trust policy of a role. Whether there are the principals that it names is not known here.

    Raises:
        RefusedDocument: MalformedPolicyDocument; LimitExceeded: it is too long.
    """
    try:
        document = _read(text)
    except RefusedDocument:
        # Observed: localstack/localstack tests/aws/services/iam (recorded).
        raise _malformed("This policy contains invalid Json") from None
    statements = _check_syntax(document)
    _check_legacy(statements)
    _check_sids(statements)
    for statement in statements:
        # Documented: IAM user guide, NotPrincipal: not in trust policies. Assumed: NotAction, which would be of other
        # services too (test_policy_document).
        for member in ("Resource", "NotResource", "NotPrincipal", "NotAction"):
            if member in statement:
                raise _malformed(f"Has prohibited field {member}.")
    for statement in statements:
        if not _items(statement, "Action"):
            raise _malformed("Policy statement must contain actions.")
        _check_vendors(statement)
        for action in _items(statement, "Action"):
            if not action.lower().startswith("sts:") or not any(
                map(compile_pattern(action.lower()).matches, _TRUST_ACTIONS)
            ):
                # Observed: hashicorp/terraform-provider-aws#32872.
                raise _malformed("AssumeRole policy may only specify STS AssumeRole actions.")
        if not _has_principal(statement):
            # Observed: field reports of Terraform's users.
            raise _malformed(
                "Invalid principal in policy: com.amazon.balsa.error.InvalidPolicyException: The passed in policy has "
                "a statement with no principals!"
            )
    _check_size(text, TRUST_MAX, "ACLSizePerRole")


def counted_size(text: str) -> int:
    """Return how many characters of a document count. Documented: IAM quotas: white space does not."""
    return len(text) - sum(map(text.count, " \t\r\n"))


def _check_size(text: str, most: int, quota: str) -> None:
    if counted_size(text) > most:
        # Observed: field reports of Terraform's and CDK's users.
        raise RefusedDocument("LimitExceeded", f"Cannot exceed quota for {quota}: {most}")


def _malformed(text: str) -> RefusedDocument:
    return RefusedDocument("MalformedPolicyDocument", text)


def _syntax() -> RefusedDocument:
    return _malformed("Syntax errors in policy.")


def _read(text: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _syntax() from None
    if not isinstance(document, dict):
        raise _syntax()
    return document


def _without_doubles(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    # Documented: IAM user guide, grammar: a key may be there once. Which one counts would be anybody's guess.
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _check_syntax(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the statements of a document whose members are all known and of the right types."""
    found = document.get("Statement")
    statements = [found] if isinstance(found, dict) else found
    # Observed: an Id is taken, though the guide says that identities' policies have none.
    is_sound = (
        document.keys() <= {"Version", "Id", "Statement"}
        and document.get("Version", "2008-10-17") in ("2008-10-17", "2012-10-17")
        and isinstance(document.get("Id", ""), str)
        and isinstance(statements, list)
        and bool(statements)
    )
    if not is_sound:
        raise _syntax()
    assert isinstance(statements, list)
    for statement in statements:
        if not isinstance(statement, dict) or not _is_statement(statement):
            raise _syntax()
        try:
            list(compile_conditions(statement.get("Condition", {}), has_variables=True))
        except MalformedCondition:
            raise _syntax() from None
    return statements


def _is_statement(statement: Mapping[str, Any]) -> bool:
    effect = statement.get("Effect")
    return (
        statement.keys() <= _MEMBERS
        and isinstance(effect, str)
        and effect.lower() in {"allow", "deny"}
        and isinstance(statement.get("Sid", ""), str)
        and statement.get("Condition", {}) is not None
        and not any(one in statement and other in statement for one, other in _PAIRS)
        and all(_is_texts(statement.get(name, [])) for pair in _PAIRS[1:] for name in pair)
        and all(_is_principal(statement.get(name, "*")) for name in _PAIRS[0])
    )


def _is_principal(principal: Any) -> bool:
    return principal == "*" or (
        isinstance(principal, dict)
        and principal.keys() <= {"AWS", "Service", "Federated", "CanonicalUser"}
        and all(map(_is_texts, principal.values()))
    )


def _is_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))


def _items(found: Mapping[str, Any], *names: str) -> list[str]:
    """Return the texts of the one of some members that is there."""
    value: Any = next((found[name] for name in names if name in found), [])
    return [value] if isinstance(value, str) else value


def _has_principal(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal", {})
    return principal == "*" or any(_items(principal, kind) for kind in principal)


def _check_legacy(statements: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what the grammar allows, and the service's older parser does not."""
    for statement in statements:
        is_sound = (
            statement["Effect"] in {"Allow", "Deny"}
            and all(map(_is_whole, _items(statement, "Resource", "NotResource")))
            and all(map(is_time, _dates(statement)))
        )
        if not is_sound:
            raise _malformed("The policy failed legacy parsing")


def _is_whole(resource: str) -> bool:
    """Say whether an ARN has all its parts, or ends with a star for those that are missing."""
    return not resource.startswith("arn:") or resource.count(":") >= 5 or resource.endswith("*")


def _dates(statement: Mapping[str, Any]) -> Iterator[str]:
    for operator, keys in statement.get("Condition", {}).items():
        if operator.lower().rpartition(":")[2].startswith("date"):
            for values in keys.values():
                yield from map(str, values if isinstance(values, list) else [values])


def _check_sids(statements: Sequence[Mapping[str, Any]]) -> None:
    sids = [statement["Sid"] for statement in statements if statement.get("Sid")]
    if not all(map(_SID.fullmatch, sids)):
        # Observed: aws-cloudformation/cfn-lint#1376.
        raise _malformed(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression "
            "[0-9A-Za-z]*"
        )
    if len(set(sids)) < len(sids):
        raise _malformed("Statement IDs (SID) in a single policy must be unique.")


def _check_resource(resource: str) -> None:
    if resource == "*":
        return
    scheme, *parts = resource.split(":", 5)
    if scheme != "arn" or not parts:
        raise _malformed(f'Resource {resource} must be in ARN format or "*".')
    partition, vendor, region, account, path = (*parts, *[""] * (5 - len(parts)))
    if len(parts) == 1 and partition == "*":
        return
    if partition not in _PARTITIONS and partition != "*":
        raise _malformed(f'Partition "{partition}" is not valid for resource "{resource}".')
    if len(parts) == 2 and vendor == "*":
        return
    if not _VENDOR.fullmatch(vendor):
        raise _malformed("Resource vendor must be fully qualified and cannot contain regexes.")
    if len(parts) < 5:
        return
    if vendor == "iam" and region:
        raise _malformed(f"IAM resource {resource} cannot contain region information.")
    if vendor == "s3" and region and not account:
        # Access points have both. Assumed: only what is a bucket's or an object's is refused (test_policy_document).
        raise _malformed(f"Resource {resource} can not contain region information.")
    if vendor == "iam" and path != "*" and not path.startswith(_IAM_PATHS):
        raise _malformed(f'IAM resource path must either be "*" or start with {", ".join(_IAM_PATHS)}.')


def _check_vendors(statement: Mapping[str, Any]) -> None:
    """Refuse actions without a service, or with none that can be; and condition keys without one."""
    for action in _items(statement, "Action", "NotAction"):
        if action == "*":
            continue
        vendor, colon, name = action.partition(":")
        if not colon:
            raise _no_vendor()
        if ":" in name:
            raise _malformed("Actions/Condition can contain only one colon.")
        if not _VENDOR.fullmatch(vendor):
            raise _malformed(f"Vendor {vendor} is not valid")
    for keys in statement.get("Condition", {}).values():
        if not all(":" in key for key in keys):
            raise _no_vendor()


def _no_vendor() -> RefusedDocument:
    return _malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
