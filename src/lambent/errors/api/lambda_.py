"""
One class per error shape of the `lambda` service model.

Written by tools/generate.py from botocore's service model. Do not edit.
"""

from typing import ClassVar, Literal

from lambent.errors.families import ApiError


class AliasLimitExceededException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "AliasLimitExceededException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = True


class CallbackTimeoutException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "CallbackTimeoutException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class CapacityProviderLimitExceededException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "CapacityProviderLimitExceededException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = True


class CodeArtifactUserDeletedException(ApiError):
    """Status 409. No fields."""

    code: ClassVar[str] = "CodeArtifactUserDeletedException"
    status: ClassVar[int] = 409
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = True


class CodeArtifactUserFailedException(ApiError):
    """Status 409. No fields."""

    code: ClassVar[str] = "CodeArtifactUserFailedException"
    status: ClassVar[int] = 409
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = True


class CodeArtifactUserPendingException(ApiError):
    """Status 409. No fields."""

    code: ClassVar[str] = "CodeArtifactUserPendingException"
    status: ClassVar[int] = 409
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = True


class CodeSigningConfigNotFoundException(ApiError):
    """Status 404. No fields."""

    code: ClassVar[str] = "CodeSigningConfigNotFoundException"
    status: ClassVar[int] = 404
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class CodeStorageExceededException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "CodeStorageExceededException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = True


class CodeVerificationFailedException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "CodeVerificationFailedException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class DurableExecutionAlreadyStartedException(ApiError):
    """Status 409. No fields."""

    code: ClassVar[str] = "DurableExecutionAlreadyStartedException"
    status: ClassVar[int] = 409
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class EC2AccessDeniedException(ApiError):
    """Status 502. No fields."""

    code: ClassVar[str] = "EC2AccessDeniedException"
    status: ClassVar[int] = 502
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class EC2ThrottledException(ApiError):
    """Status 502. No fields."""

    code: ClassVar[str] = "EC2ThrottledException"
    status: ClassVar[int] = 502
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class EC2UnexpectedException(ApiError):
    """Status 502. Fields: EC2ErrorCode."""

    code: ClassVar[str] = "EC2UnexpectedException"
    status: ClassVar[int] = 502
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class EFSIOException(ApiError):
    """Status 410. No fields."""

    code: ClassVar[str] = "EFSIOException"
    status: ClassVar[int] = 410
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class EFSMountConnectivityException(ApiError):
    """Status 408. No fields."""

    code: ClassVar[str] = "EFSMountConnectivityException"
    status: ClassVar[int] = 408
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class EFSMountFailureException(ApiError):
    """Status 403. No fields."""

    code: ClassVar[str] = "EFSMountFailureException"
    status: ClassVar[int] = 403
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class EFSMountTimeoutException(ApiError):
    """Status 408. No fields."""

    code: ClassVar[str] = "EFSMountTimeoutException"
    status: ClassVar[int] = 408
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class ENILimitReachedException(ApiError):
    """Status 502. No fields."""

    code: ClassVar[str] = "ENILimitReachedException"
    status: ClassVar[int] = 502
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class ENINotReadyException(ApiError):
    """Status 502. No fields."""

    code: ClassVar[str] = "ENINotReadyException"
    status: ClassVar[int] = 502
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class FunctionVersionsPerCapacityProviderLimitExceededException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "FunctionVersionsPerCapacityProviderLimitExceededException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = True


class InvalidCodeSignatureException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidCodeSignatureException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class InvalidParameterValueException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidParameterValueException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = True


class InvalidRequestContentException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidRequestContentException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = True


class InvalidRuntimeException(ApiError):
    """Status 502. No fields."""

    code: ClassVar[str] = "InvalidRuntimeException"
    status: ClassVar[int] = 502
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class InvalidSecurityGroupIDException(ApiError):
    """Status 502. No fields."""

    code: ClassVar[str] = "InvalidSecurityGroupIDException"
    status: ClassVar[int] = 502
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class InvalidSubnetIDException(ApiError):
    """Status 502. No fields."""

    code: ClassVar[str] = "InvalidSubnetIDException"
    status: ClassVar[int] = 502
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class InvalidZipFileException(ApiError):
    """Status 502. No fields."""

    code: ClassVar[str] = "InvalidZipFileException"
    status: ClassVar[int] = 502
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class KMSAccessDeniedException(ApiError):
    """Status 502. No fields."""

    code: ClassVar[str] = "KMSAccessDeniedException"
    status: ClassVar[int] = 502
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class KMSDisabledException(ApiError):
    """Status 502. No fields."""

    code: ClassVar[str] = "KMSDisabledException"
    status: ClassVar[int] = 502
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class KMSInvalidStateException(ApiError):
    """Status 502. No fields."""

    code: ClassVar[str] = "KMSInvalidStateException"
    status: ClassVar[int] = 502
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class KMSNotFoundException(ApiError):
    """Status 502. No fields."""

    code: ClassVar[str] = "KMSNotFoundException"
    status: ClassVar[int] = 502
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class ModeNotSupportedException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ModeNotSupportedException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = True


class NoPublishedVersionException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "NoPublishedVersionException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class PolicyLengthExceededException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "PolicyLengthExceededException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = True


class PreconditionFailedException(ApiError):
    """Status 412. No fields."""

    code: ClassVar[str] = "PreconditionFailedException"
    status: ClassVar[int] = 412
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = True


class ProvisionedConcurrencyConfigNotFoundException(ApiError):
    """Status 404. No fields."""

    code: ClassVar[str] = "ProvisionedConcurrencyConfigNotFoundException"
    status: ClassVar[int] = 404
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = True


class PublicPolicyException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "PublicPolicyException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class RecursiveInvocationException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "RecursiveInvocationException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class RequestTooLargeException(ApiError):
    """Status 413. No fields."""

    code: ClassVar[str] = "RequestTooLargeException"
    status: ClassVar[int] = 413
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = True


class ResourceConflictException(ApiError):
    """Status 409. No fields."""

    code: ClassVar[str] = "ResourceConflictException"
    status: ClassVar[int] = 409
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = True


class ResourceInUseException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ResourceInUseException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class ResourceNotFoundException(ApiError):
    """Status 404. No fields."""

    code: ClassVar[str] = "ResourceNotFoundException"
    status: ClassVar[int] = 404
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class ResourceNotReadyException(ApiError):
    """Status 502. No fields."""

    code: ClassVar[str] = "ResourceNotReadyException"
    status: ClassVar[int] = 502
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = True


class S3FilesMountConnectivityException(ApiError):
    """Status 408. No fields."""

    code: ClassVar[str] = "S3FilesMountConnectivityException"
    status: ClassVar[int] = 408
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class S3FilesMountFailureException(ApiError):
    """Status 403. No fields."""

    code: ClassVar[str] = "S3FilesMountFailureException"
    status: ClassVar[int] = 403
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class S3FilesMountTimeoutException(ApiError):
    """Status 408. No fields."""

    code: ClassVar[str] = "S3FilesMountTimeoutException"
    status: ClassVar[int] = 408
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class SerializedRequestEntityTooLargeException(ApiError):
    """Status 413. No fields."""

    code: ClassVar[str] = "SerializedRequestEntityTooLargeException"
    status: ClassVar[int] = 413
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = True


class ServiceException(ApiError):
    """Status 500. No fields."""

    code: ClassVar[str] = "ServiceException"
    status: ClassVar[int] = 500
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class ServiceQuotaExceededException(ApiError):
    """Status 402. No fields."""

    code: ClassVar[str] = "ServiceQuotaExceededException"
    status: ClassVar[int] = 402
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class SnapStartException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "SnapStartException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class SnapStartNotReadyException(ApiError):
    """Status 409. No fields."""

    code: ClassVar[str] = "SnapStartNotReadyException"
    status: ClassVar[int] = 409
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class SnapStartRegenerationFailureException(ApiError):
    """Status 409. No fields."""

    code: ClassVar[str] = "SnapStartRegenerationFailureException"
    status: ClassVar[int] = 409
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class SnapStartTimeoutException(ApiError):
    """Status 408. No fields."""

    code: ClassVar[str] = "SnapStartTimeoutException"
    status: ClassVar[int] = 408
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class SubnetIPAddressLimitReachedException(ApiError):
    """Status 502. No fields."""

    code: ClassVar[str] = "SubnetIPAddressLimitReachedException"
    status: ClassVar[int] = 502
    message_key: ClassVar[Literal["message", "Message"]] = "Message"
    has_type: ClassVar[bool] = True


class TooManyRequestsException(ApiError):
    """Status 429. Fields: retryAfterSeconds, Reason."""

    code: ClassVar[str] = "TooManyRequestsException"
    status: ClassVar[int] = 429
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = True


class UnsupportedMediaTypeException(ApiError):
    """Status 415. No fields."""

    code: ClassVar[str] = "UnsupportedMediaTypeException"
    status: ClassVar[int] = 415
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = True
