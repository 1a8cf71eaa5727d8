"""Policy documents on their way in and out: refused in IAM's errors, and written as its answers have them."""

from collections.abc import Callable, Mapping
from urllib.parse import quote

from lambent.domain.policy_document import RefusedDocument
from lambent.errors.api.iam import LimitExceededException, MalformedPolicyDocumentException
from lambent.errors.families import ApiError

_ERRORS: Mapping[str, type[ApiError]] = {
    "LimitExceeded": LimitExceededException,
    "MalformedPolicyDocument": MalformedPolicyDocumentException,
}


def shown_document(text: str) -> str:
    """
    Return a document as answers hold it.

    Documented: IAM API reference: URL-encoded by RFC 3986. Observed: the text as it was sent, which is encoded as a
    whole (localstack/localstack, recorded).
    """
    return quote(text, safe="")


def check(document: str, accept: Callable[[str], None]) -> None:
    """
    Refuse a document.

    Args:
        accept: a check of `domain.policy_document`.

    Raises:
        MalformedPolicyDocumentException
        LimitExceededException: it is too large.
    """
    try:
        accept(document)
    except RefusedDocument as refused:
        raise _ERRORS[refused.code](refused.text) from None
