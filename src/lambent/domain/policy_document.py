"""
Policy documents that somebody may write: what IAM checks before it keeps one, in its order and words. Pure.

What is only evaluated is read by `policy.compile_policy`, which is content with less.

Documented: IAM user guide, grammar of the IAM JSON policy language; quotas. Observed: localstack/localstack
tests/aws/services/iam (recorded 2026-02) for the texts and their order, where no other source is named.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lambent.domain.policy_condition import MalformedCondition, compile_conditions

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
_TRUST_ACTIONS = frozenset(
    {
        "sts:assumerole",
        "sts:assumerolewithsaml",
        "sts:assumerolewithwebidentity",
        "sts:setcontext",
        "sts:setsourceidentity",
        "sts:tagsession",
    }
)
_NUMBER = re.compile(r"-?[0-9]{1,19}(?:\.[0-9]{1,9})?")
_DATE = re.compile(
    r"-?[0-9]{1,9}(?:-(?:0?[1-9]|1[0-2])(?:-[0-9]{1,2})?)?"
    r"(?:[Tt](?:[0-9]{1,2}(?::[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)?)?(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
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
        if not _items(statement, "Resource", "NotResource"):
            raise _malformed("Policy statement must contain resources.")
    for statement in statements:
        _check_vendors(statement)
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
        for member, refusal in _PROHIBITED.items():
            if member in statement:
                raise _malformed(refusal)
    for statement in statements:
        actions = _items(statement, "Action")
        if not actions:
            # Assumed: the text, as other servers have it (test_policy_document).
            raise _malformed("Missing required field Action")
        if not all(action.lower() in _TRUST_ACTIONS for action in actions):
            raise _malformed("AssumeRole policy may only specify STS AssumeRole actions.")
        if not _has_principal(statement):
            # Observed: field reports of Terraform's users.
            raise _malformed(
                "Invalid principal in policy: com.amazon.balsa.error.InvalidPolicyException: The passed in policy has "
                "a statement with no principals!"
            )
    _check_size(text, TRUST_MAX, "ACLSizePerRole")


_PROHIBITED: Mapping[str, str] = {
    "Resource": "Has prohibited field Resource",
    # Assumed: these texts, as other servers have them (test_policy_document).
    "NotResource": "AssumeRole policy must not contain resources.",
    "NotPrincipal": "AssumeRole policy must not contain NotPrincipal field.",
    "NotAction": "AssumeRole policy may only specify STS AssumeRole actions.",
}
"""What a trust policy does not have, and how it is said."""


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
            and all(map(_is_date, _dates(statement)))
        )
        if not is_sound:
            raise _malformed("The policy failed legacy parsing")


def _is_whole(resource: str) -> bool:
    """Say whether the older parser reads an ARN: one that is too short has no empty part; none is without vendor."""
    parts = resource.split(":")
    if parts[0] != "arn" or parts[1:2] == [] or not _is_partition(parts[1]):
        # It is refused, with more to say.
        return True
    return parts[2:3] != [""] and (len(parts) >= 6 or "" not in parts)


def _is_partition(text: str) -> bool:
    return text in _PARTITIONS or text == "*"


def _is_date(text: str) -> bool:
    """Say whether the service keeps a date. It takes more than its operators can read: parts that are missing."""
    if _NUMBER.fullmatch(text):
        return -(2**63) <= float(text) < 2**63
    return _DATE.fullmatch(text) is not None


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
    if not parts:
        raise _malformed(f'Resource {resource} must be in ARN format or "*".')
    # Observed: what is missing counts as a star, and what begins like no ARN is first of all of no partition.
    partition, vendor, region, account, path = (*parts, *["*"] * (5 - len(parts)))
    if not _is_partition(partition):
        whole = ":".join(("arn", partition, vendor, region, account, path))
        raise _malformed(f'Partition "{partition}" is not valid for resource "{whole}".')
    if scheme != "arn":
        raise _malformed(f'Resource {resource} must be in ARN format or "*".')
    if resource.endswith("*") and len(parts) <= 2:
        # Documented: a star at the end is for all that is missing.
        return
    if not _VENDOR.fullmatch(vendor):
        raise _malformed("Resource vendor must be fully qualified and cannot contain regexes.")
    if len(parts) < 5:
        return
    if vendor == "iam" and region:
        raise _malformed(f"IAM resource {resource} cannot contain region information.")
    if vendor == "s3" and region and not account:
        # Observed: access points have both. Assumed: only what is a bucket's is refused (test_policy_document).
        raise _malformed(f"Resource {resource} can not contain region information.")
    if vendor == "iam" and path not in {"*", "root"} and not path.startswith(_IAM_PATHS):
        raise _malformed(f'IAM resource path must either be "*" or start with {", ".join(_IAM_PATHS)}.')


def _check_vendors(statement: Mapping[str, Any]) -> None:
    """Refuse actions without a service, or with none that can be. Observed: keys of conditions may be without."""
    for action in _items(statement, "Action", "NotAction"):
        if action == "*":
            continue
        vendor, colon, name = action.partition(":")
        if not colon:
            raise _malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
        if ":" in name:
            raise _malformed("Actions/Condition can contain only one colon.")
        if not _VENDOR.fullmatch(vendor):
            raise _malformed(f"Vendor {vendor} is not valid")
