"""Session policies: what of a role's rights a session is to have."""

from collections.abc import Sequence

from lambent.domain.identity import ManagedPolicy
from lambent.domain.policy_document import RefusedDocument, check_identity_policy
from lambent.errors.api.sts import MalformedPolicyDocumentException
from lambent.services.sts.errors import ValidationError
from lambent.store.contract import IdentityStore

_CHARACTERS_MAX = 2_048
"""Documented: STS API reference, AssumeRole: of the policy and the ARNs together."""
_ARNS_MAX = 10
"""Documented: STS API reference, AssumeRole."""


def check_sizes(policy: str, arns: Sequence[str]) -> None:
    """
    Refuse what is too long.

    Raises:
        ValidationError: more characters or ARNs than may be.
    """
    # Assumed: the texts, which models before 2025 had (test_session_policies).
    if len(arns) > _ARNS_MAX:
        raise _too_long("policyArns", _ARNS_MAX)
    if len(policy) + sum(map(len, arns)) > _CHARACTERS_MAX:
        raise _too_long("policy", _CHARACTERS_MAX)


def check_policy(document: str) -> None:
    """
    Refuse a document that is no session policy: it has to be one that an identity could have.

    Raises:
        MalformedPolicyDocumentException: it is none.
    """
    # Assumed: in IAM's words for policies of identities (test_session_policies).
    try:
        check_identity_policy(document)
    except RefusedDocument as error:
        raise MalformedPolicyDocumentException(str(error)) from None


async def check_arns(arns: Sequence[str], account: str, identities: IdentityStore) -> None:
    """
    Refuse managed policies that a role's account does not have. AWS's own are everybody's.

    Raises:
        ValidationError: an ARN is none of a policy, or of one that is not there.
    """
    own = [arn for arn in arns if not arn.startswith("arn:aws:iam::aws:policy/")]
    if not own:
        return
    async with identities.snapshot(account) as rows:
        for arn in own:
            policy = await rows.get(ManagedPolicy, arn.rpartition("/")[2])
            if policy is None or policy.arn != arn:
                # Assumed: as IAM words it of attaching; that it must exist is documented (test_assume_role).
                raise ValidationError(f"Policy {arn} does not exist or is not attachable.")


def _too_long(member: str, most: int) -> ValidationError:
    return ValidationError(
        f"1 validation error detected: Value at '{member}' failed to satisfy constraint: "
        f"Member must have length less than or equal to {most}"
    )
