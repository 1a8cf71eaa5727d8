"""Policy documents on their way in and out: checked, measured, and written as IAM answers them."""

from urllib.parse import quote

from lambent.domain.policy import MalformedPolicy, compile_policy
from lambent.errors.api.iam import MalformedPolicyDocumentException
from lambent.services.iam.limits import POLICY_MAX, TRUST_POLICY_MAX, counted_size
from lambent.services.iam.refusals import beyond


def shown_document(text: str) -> str:
    """
    Return a document as answers hold it.

    Documented: IAM API reference: URL-encoded by RFC 3986. Observed: the text as it was sent, which is encoded as a
    whole (localstack/localstack, recorded).
    """
    return quote(text, safe="")


def check_identity_document(text: str) -> None:
    """
    Refuse what is no identity policy.

    Raises:
        MalformedPolicyDocumentException
    """
    try:
        compile_policy(text)
    except MalformedPolicy as error:
        raise MalformedPolicyDocumentException(f"Syntax errors in policy. ({error})") from None


def check_managed_document(text: str) -> None:
    """
    Refuse what cannot be a version of a managed policy.

    Raises:
        MalformedPolicyDocumentException
        LimitExceededException: it is too large.
    """
    check_identity_document(text)
    if counted_size(text) > POLICY_MAX:
        raise beyond("PolicySize", POLICY_MAX)


def check_trust_document(text: str) -> None:
    """
    Refuse what cannot be a trust policy; whether its principals exist is not looked at.

    Raises:
        MalformedPolicyDocumentException
        LimitExceededException: it is too large.
    """
    try:
        compile_policy(text)
    except MalformedPolicy:
        # Observed: localstack/localstack tests/aws/services/iam (recorded).
        raise MalformedPolicyDocumentException("This policy contains invalid Json") from None
    if counted_size(text) > TRUST_POLICY_MAX:
        raise beyond("ACLSizePerRole", TRUST_POLICY_MAX)
