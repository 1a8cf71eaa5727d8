"""Errors of STS that its model does not hold, by the codes that the query protocol has them under."""

from lambent.errors.families import FrameworkError


class AccessDenied(FrameworkError):
    """The caller may not have these credentials. Observed: field reports, status 403."""

    code = "AccessDenied"
    status = 403
    message_key = "Message"


class ValidationError(FrameworkError):
    """A parameter that the model or the operation does not take."""

    code = "ValidationError"
    status = 400
    message_key = "Message"


class InvalidParameterValue(FrameworkError):
    """Session tags that do not go together. Observed: recordings of the service."""

    code = "InvalidParameterValue"
    status = 400
    message_key = "Message"


def no_mfa() -> AccessDenied:
    """
    Return the answer to an MFA code: nobody here has a device.

    Observed: aws/aws-cli#6325, two blanks included.
    """
    return AccessDenied(
        "MultiFactorAuthentication failed, unable to validate MFA code.  "
        "Please verify your MFA serial number is valid and associated with this user."
    )
