"""
One class per error shape of the `xray` service model.

Written by tools/generate.py from botocore's service model. Do not edit.
"""

from typing import ClassVar, Literal

from lambent.errors.families import ApiError


class InvalidPolicyRevisionIdException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidPolicyRevisionIdException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = False


class InvalidRequestException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidRequestException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = False


class LockoutPreventionException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "LockoutPreventionException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = False


class MalformedPolicyDocumentException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "MalformedPolicyDocumentException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = False


class PolicyCountLimitExceededException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "PolicyCountLimitExceededException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = False


class PolicySizeLimitExceededException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "PolicySizeLimitExceededException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = False


class ResourceNotFoundException(ApiError):
    """Status 404. Fields: ResourceName."""

    code: ClassVar[str] = "ResourceNotFoundException"
    status: ClassVar[int] = 404
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = False


class RuleLimitExceededException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "RuleLimitExceededException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = False


class ThrottledException(ApiError):
    """Status 429. No fields."""

    code: ClassVar[str] = "ThrottledException"
    status: ClassVar[int] = 429
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = False


class TooManyTagsException(ApiError):
    """Status 400. Fields: ResourceName."""

    code: ClassVar[str] = "TooManyTagsException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = False
