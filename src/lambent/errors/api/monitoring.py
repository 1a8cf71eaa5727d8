"""
One class per error shape of the `cloudwatch` service model.

Written by tools/generate.py from botocore's service model. Do not edit.
"""

from typing import ClassVar, Literal

from lambent.errors.families import ApiError


class ConcurrentModificationException(ApiError):
    """Status 429. No fields."""

    code: ClassVar[str] = "ConcurrentModificationException"
    status: ClassVar[int] = 429
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ConflictException(ApiError):
    """Status 409. No fields."""

    code: ClassVar[str] = "ConflictException"
    status: ClassVar[int] = 409
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = False


class DashboardInvalidInputError(ApiError):
    """Status 400. Fields: dashboardValidationMessages."""

    code: ClassVar[str] = "DashboardInvalidInputError"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class DashboardNotFoundError(ApiError):
    """Status 404. No fields."""

    code: ClassVar[str] = "DashboardNotFoundError"
    status: ClassVar[int] = 404
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InternalServiceFault(ApiError):
    """Status 500. No fields."""

    code: ClassVar[str] = "InternalServiceFault"
    status: ClassVar[int] = 500
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = False


class InvalidFormatFault(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidFormatFault"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidNextToken(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidNextToken"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidParameterCombinationException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidParameterCombinationException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidParameterValueException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidParameterValueException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class KmsAccessDeniedException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "KmsAccessDeniedException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = False


class KmsKeyDisabledException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "KmsKeyDisabledException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = False


class KmsKeyNotFoundException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "KmsKeyNotFoundException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = False


class LimitExceededException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "LimitExceededException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class LimitExceededFault(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "LimitExceededFault"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class MissingRequiredParameterException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "MissingRequiredParameterException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ResourceConflict(ApiError):
    """Status 409. No fields."""

    code: ClassVar[str] = "ResourceConflict"
    status: ClassVar[int] = 409
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ResourceNotFound(ApiError):
    """Status 404. No fields."""

    code: ClassVar[str] = "ResourceNotFound"
    status: ClassVar[int] = 404
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ResourceNotFoundException(ApiError):
    """Status 404. Fields: ResourceType, ResourceId."""

    code: ClassVar[str] = "ResourceNotFoundException"
    status: ClassVar[int] = 404
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ValidationException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ValidationException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False
