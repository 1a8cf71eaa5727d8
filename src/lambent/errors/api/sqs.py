"""
One class per error shape of the `sqs` service model.

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


class BatchEntryIdsNotDistinct(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "BatchEntryIdsNotDistinct"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class BatchRequestTooLong(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "BatchRequestTooLong"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class EmptyBatchRequest(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "EmptyBatchRequest"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidAddress(ApiError):
    """Status 404. No fields."""

    code: ClassVar[str] = "InvalidAddress"
    status: ClassVar[int] = 404
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidAttributeName(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidAttributeName"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidAttributeValue(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidAttributeValue"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidBatchEntryId(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidBatchEntryId"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidIdFormat(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidIdFormat"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidMessageContents(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidMessageContents"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidParameterValueException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidParameterValueException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidSecurity(ApiError):
    """Status 403. No fields."""

    code: ClassVar[str] = "InvalidSecurity"
    status: ClassVar[int] = 403
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class KmsAccessDenied(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "KmsAccessDenied"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class KmsDisabled(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "KmsDisabled"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class KmsInvalidKeyUsage(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "KmsInvalidKeyUsage"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class KmsInvalidState(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "KmsInvalidState"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class KmsNotFound(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "KmsNotFound"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class KmsOptInRequired(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "KmsOptInRequired"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class KmsThrottled(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "KmsThrottled"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class MessageNotInflight(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "MessageNotInflight"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class MissingRequiredParameterException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "MissingRequiredParameterException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class OverLimit(ApiError):
    """Status 403. No fields."""

    code: ClassVar[str] = "OverLimit"
    status: ClassVar[int] = 403
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class PurgeQueueInProgress(ApiError):
    """Status 403. No fields."""

    code: ClassVar[str] = "PurgeQueueInProgress"
    status: ClassVar[int] = 403
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class QueueDeletedRecently(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "QueueDeletedRecently"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class QueueDoesNotExist(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "QueueDoesNotExist"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class QueueNameExists(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "QueueNameExists"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ReceiptHandleIsInvalid(ApiError):
    """Status 404. No fields."""

    code: ClassVar[str] = "ReceiptHandleIsInvalid"
    status: ClassVar[int] = 404
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class RequestThrottled(ApiError):
    """Status 403. No fields."""

    code: ClassVar[str] = "RequestThrottled"
    status: ClassVar[int] = 403
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ResourceNotFoundException(ApiError):
    """Status 404. No fields."""

    code: ClassVar[str] = "ResourceNotFoundException"
    status: ClassVar[int] = 404
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class TooManyEntriesInBatchRequest(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "TooManyEntriesInBatchRequest"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class UnsupportedOperation(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "UnsupportedOperation"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False
