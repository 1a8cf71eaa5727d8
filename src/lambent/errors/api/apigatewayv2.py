"""
One class per error shape of the `apigatewayv2` service model.

Written by tools/generate.py from botocore's service model. Do not edit.
"""

from typing import ClassVar, Literal

from lambent.errors.families import ApiError


class AccessDeniedException(ApiError):
    """Status 403. No fields."""

    code: ClassVar[str] = "AccessDeniedException"
    status: ClassVar[int] = 403
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class BadRequestException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "BadRequestException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ConflictException(ApiError):
    """Status 409. No fields."""

    code: ClassVar[str] = "ConflictException"
    status: ClassVar[int] = 409
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class NotFoundException(ApiError):
    """Status 404. Fields: ResourceType."""

    code: ClassVar[str] = "NotFoundException"
    status: ClassVar[int] = 404
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class TooManyRequestsException(ApiError):
    """Status 429. Fields: LimitType."""

    code: ClassVar[str] = "TooManyRequestsException"
    status: ClassVar[int] = 429
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False
