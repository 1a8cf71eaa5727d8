"""
One class per error shape of the `sts` service model.

Written by tools/generate.py from botocore's service model. Do not edit.
"""

from typing import ClassVar, Literal

from lambent.errors.families import ApiError


class ExpiredTokenException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ExpiredTokenException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ExpiredTradeInTokenException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ExpiredTradeInTokenException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class IDPCommunicationErrorException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "IDPCommunicationErrorException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class IDPRejectedClaimException(ApiError):
    """Status 403. No fields."""

    code: ClassVar[str] = "IDPRejectedClaimException"
    status: ClassVar[int] = 403
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidAuthorizationMessageException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidAuthorizationMessageException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidIdentityTokenException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidIdentityTokenException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class JWTPayloadSizeExceededException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "JWTPayloadSizeExceededException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class MalformedPolicyDocumentException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "MalformedPolicyDocumentException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class OutboundWebIdentityFederationDisabledException(ApiError):
    """Status 403. No fields."""

    code: ClassVar[str] = "OutboundWebIdentityFederationDisabledException"
    status: ClassVar[int] = 403
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class PackedPolicyTooLargeException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "PackedPolicyTooLargeException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class RegionDisabledException(ApiError):
    """Status 403. No fields."""

    code: ClassVar[str] = "RegionDisabledException"
    status: ClassVar[int] = 403
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class SessionDurationEscalationException(ApiError):
    """Status 403. No fields."""

    code: ClassVar[str] = "SessionDurationEscalationException"
    status: ClassVar[int] = 403
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False
