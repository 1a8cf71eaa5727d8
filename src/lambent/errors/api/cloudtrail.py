"""
One class per error shape of the `cloudtrail` service model.

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


class AccountHasOngoingImportException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "AccountHasOngoingImportException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class AccountNotFoundException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "AccountNotFoundException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class AccountNotRegisteredException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "AccountNotRegisteredException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class AccountRegisteredException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "AccountRegisteredException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class CannotDelegateManagementAccountException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "CannotDelegateManagementAccountException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ChannelARNInvalidException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ChannelARNInvalidException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ChannelAlreadyExistsException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ChannelAlreadyExistsException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ChannelExistsForEDSException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ChannelExistsForEDSException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ChannelMaxLimitExceededException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ChannelMaxLimitExceededException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ChannelNotFoundException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ChannelNotFoundException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class CloudTrailARNInvalidException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "CloudTrailARNInvalidException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class CloudTrailAccessNotEnabledException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "CloudTrailAccessNotEnabledException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class CloudTrailInvalidClientTokenIdException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "CloudTrailInvalidClientTokenIdException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class CloudWatchLogsDeliveryUnavailableException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "CloudWatchLogsDeliveryUnavailableException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ConcurrentModificationException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ConcurrentModificationException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ConflictException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ConflictException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class DelegatedAdminAccountLimitExceededException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "DelegatedAdminAccountLimitExceededException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class EventDataStoreARNInvalidException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "EventDataStoreARNInvalidException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class EventDataStoreAlreadyExistsException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "EventDataStoreAlreadyExistsException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class EventDataStoreFederationEnabledException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "EventDataStoreFederationEnabledException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class EventDataStoreHasOngoingImportException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "EventDataStoreHasOngoingImportException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class EventDataStoreMaxLimitExceededException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "EventDataStoreMaxLimitExceededException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class EventDataStoreNotFoundException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "EventDataStoreNotFoundException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class EventDataStoreTerminationProtectedException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "EventDataStoreTerminationProtectedException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class GenerateResponseException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "GenerateResponseException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ImportNotFoundException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ImportNotFoundException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InactiveEventDataStoreException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InactiveEventDataStoreException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InactiveQueryException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InactiveQueryException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InsightNotEnabledException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InsightNotEnabledException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InsufficientDependencyServiceAccessPermissionException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InsufficientDependencyServiceAccessPermissionException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InsufficientEncryptionPolicyException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InsufficientEncryptionPolicyException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InsufficientIAMAccessPermissionException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InsufficientIAMAccessPermissionException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InsufficientS3BucketPolicyException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InsufficientS3BucketPolicyException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InsufficientSnsTopicPolicyException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InsufficientSnsTopicPolicyException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidCloudWatchLogsLogGroupArnException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidCloudWatchLogsLogGroupArnException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidCloudWatchLogsRoleArnException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidCloudWatchLogsRoleArnException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidDateRangeException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidDateRangeException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidEventCategoryException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidEventCategoryException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidEventDataStoreCategoryException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidEventDataStoreCategoryException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidEventDataStoreStatusException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidEventDataStoreStatusException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidEventSelectorsException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidEventSelectorsException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidHomeRegionException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidHomeRegionException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidImportSourceException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidImportSourceException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidInsightSelectorsException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidInsightSelectorsException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidKmsKeyIdException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidKmsKeyIdException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidLookupAttributesException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidLookupAttributesException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidMaxResultsException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidMaxResultsException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidNextTokenException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidNextTokenException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidParameterCombinationException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidParameterCombinationException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidParameterException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidParameterException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidQueryStatementException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidQueryStatementException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidQueryStatusException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidQueryStatusException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidS3BucketNameException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidS3BucketNameException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidS3PrefixException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidS3PrefixException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidSnsTopicNameException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidSnsTopicNameException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidSourceException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidSourceException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidTagParameterException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidTagParameterException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidTimeRangeException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidTimeRangeException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidTokenException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidTokenException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidTrailNameException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidTrailNameException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class KmsException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "KmsException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class KmsKeyDisabledException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "KmsKeyDisabledException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class KmsKeyNotFoundException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "KmsKeyNotFoundException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class MaxConcurrentQueriesException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "MaxConcurrentQueriesException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class MaximumNumberOfTrailsExceededException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "MaximumNumberOfTrailsExceededException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class NoManagementAccountSLRExistsException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "NoManagementAccountSLRExistsException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class NotOrganizationManagementAccountException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "NotOrganizationManagementAccountException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class NotOrganizationMasterAccountException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "NotOrganizationMasterAccountException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class OperationNotPermittedException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "OperationNotPermittedException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class OrganizationNotInAllFeaturesModeException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "OrganizationNotInAllFeaturesModeException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class OrganizationsNotInUseException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "OrganizationsNotInUseException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class QueryIdNotFoundException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "QueryIdNotFoundException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ResourceARNNotValidException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ResourceARNNotValidException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ResourceNotFoundException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ResourceNotFoundException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ResourcePolicyNotFoundException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ResourcePolicyNotFoundException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ResourcePolicyNotValidException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ResourcePolicyNotValidException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ResourceTypeNotSupportedException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ResourceTypeNotSupportedException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class S3BucketDoesNotExistException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "S3BucketDoesNotExistException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ServiceQuotaExceededException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ServiceQuotaExceededException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class TagsLimitExceededException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "TagsLimitExceededException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ThrottlingException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ThrottlingException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class TrailAlreadyExistsException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "TrailAlreadyExistsException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class TrailNotFoundException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "TrailNotFoundException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class TrailNotProvidedException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "TrailNotProvidedException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class UnsupportedOperationException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "UnsupportedOperationException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False
