"""Policy documents that somebody may write: what IAM checks before it keeps one. Pure."""

from lambent.domain.policy import MalformedPolicy, compile_policy

MANAGED_MAX = 6_144
"""Characters of a managed policy, white space not counted, as in `TRUST_MAX`. Documented: IAM quotas."""

TRUST_MAX = 2_048
"""Of a role's trust policy."""


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
    try:
        compile_policy(text)
    except MalformedPolicy:
        raise RefusedDocument("MalformedPolicyDocument", "Syntax errors in policy.") from None


def check_managed_policy(text: str) -> None:
    """
    Refuse what is no version of a managed policy.

    Raises:
        RefusedDocument: MalformedPolicyDocument; LimitExceeded: it is too long.
    """
    check_identity_policy(text)
    _check_size(text, MANAGED_MAX, "PolicySize")


def check_trust_policy(text: str) -> None:
    """
    Refuse what is no trust policy of a role. Whether there are the principals that it names is not known here.

    Raises:
        RefusedDocument: MalformedPolicyDocument; LimitExceeded: it is too long.
    """
    try:
        compile_policy(text)
    except MalformedPolicy:
        # Observed: localstack/localstack tests/aws/services/iam (recorded).
        raise RefusedDocument("MalformedPolicyDocument", "This policy contains invalid Json") from None
    _check_size(text, TRUST_MAX, "ACLSizePerRole")


def counted_size(text: str) -> int:
    """Return how many characters of a document count. Documented: IAM quotas: white space does not."""
    return len(text) - sum(map(text.count, " \t\r\n"))


def _check_size(text: str, most: int, quota: str) -> None:
    if counted_size(text) > most:
        raise RefusedDocument("LimitExceeded", f"Cannot exceed quota for {quota}: {most}")
