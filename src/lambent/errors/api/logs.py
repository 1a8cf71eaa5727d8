"""
One class per error shape of the `logs` service model.

Written by tools/generate.py from botocore's service model. Do not edit.
"""

from typing import ClassVar, Literal

from lambent.errors.families import ApiError


class AccessDeniedException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "AccessDeniedException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ConflictException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ConflictException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class DataAlreadyAcceptedException(ApiError):
    """Status 400. Fields: expectedSequenceToken."""

    code: ClassVar[str] = "DataAlreadyAcceptedException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InternalServerException(ApiError):
    """Status 500. No fields."""

    code: ClassVar[str] = "InternalServerException"
    status: ClassVar[int] = 500
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InternalStreamingException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InternalStreamingException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidOperationException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidOperationException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidParameterException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidParameterException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidSequenceTokenException(ApiError):
    """Status 400. Fields: expectedSequenceToken."""

    code: ClassVar[str] = "InvalidSequenceTokenException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class LimitExceededException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "LimitExceededException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class MalformedQueryException(ApiError):
    """Status 400. Fields: queryCompileError."""

    code: ClassVar[str] = "MalformedQueryException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class OperationAbortedException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "OperationAbortedException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ResourceAlreadyExistsException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ResourceAlreadyExistsException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ResourceNotFoundException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ResourceNotFoundException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ServiceQuotaExceededException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ServiceQuotaExceededException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ServiceUnavailableException(ApiError):
    """Status 503. No fields."""

    code: ClassVar[str] = "ServiceUnavailableException"
    status: ClassVar[int] = 503
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class SessionStreamingException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "SessionStreamingException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class SessionTimeoutException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "SessionTimeoutException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ThrottlingException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ThrottlingException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class TooManyTagsException(ApiError):
    """Status 400. Fields: resourceName."""

    code: ClassVar[str] = "TooManyTagsException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class UnrecognizedClientException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "UnrecognizedClientException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ValidationException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ValidationException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False
