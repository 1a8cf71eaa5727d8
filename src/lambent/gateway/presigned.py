"""Presigned URLs of S3: how long they are good. Pure."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl

from lambent.errors.families import FrameworkError

_EXPIRES_MAX_S = 604_800
"""Documented: Amazon S3 user guide, Authenticating requests: using query parameters: seven days."""


class AccessDenied(FrameworkError):
    """The URL is not good any more."""

    code = "AccessDenied"
    status = 403


class AuthorizationQueryParametersError(FrameworkError):
    """The parameters of a presigned URL make no sense."""

    code = "AuthorizationQueryParametersError"
    status = 400


def check_expiry(query: str, now: float) -> None:
    """
    Refuse a presigned URL whose time is over. Others, and requests without one, pass.

    Asked here and not of the neighbour alone, since a signature that is made anew has a time of its own.

    Raises:
        AccessDenied: it is over.
        AuthorizationQueryParametersError: it names no time that can be read, or too long a one.
    """
    if "Expires=" not in query:
        return
    parameters = dict(parse_qsl(query))
    if "X-Amz-Signature" in parameters:
        try:
            signed = datetime.strptime(parameters["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            expires_s = int(parameters["X-Amz-Expires"])
        except (KeyError, ValueError):
            raise AuthorizationQueryParametersError(
                "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\" and X-Amz-Expires a number"
            ) from None
        if not 0 <= expires_s <= _EXPIRES_MAX_S:
            raise AuthorizationQueryParametersError("X-Amz-Expires must be less than a week (in seconds)")
        end = signed.timestamp() + expires_s
    elif "Signature" in parameters and "AWSAccessKeyId" in parameters:
        try:
            end = float(parameters["Expires"])
        except ValueError:
            raise AuthorizationQueryParametersError("Expires must be a number") from None
    else:
        return
    if now > end:
        # Observed: widely reported text of expired URLs.
        raise AccessDenied("Request has expired")
