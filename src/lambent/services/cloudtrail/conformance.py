"""
What becomes of each input member and each error of the CloudTrail API's model: the rows of `lambent conformance`.

A member that comes to act moves to `acting`, and a test with a real client is to send it.
"""

from lambent.services.conformance.judgement import Judgements

JUDGEMENTS = Judgements(
    acting={
        "LookupEvents": (
            "LookupAttributes LookupAttributes[].AttributeKey LookupAttributes[].AttributeValue StartTime EndTime "
            "MaxResults NextToken"
        ),
    },
    remarks={},
    echoed={},
    taken={},
    refused={"EventCategory": "there are no Insights events"},
    given=(
        "InvalidEventCategoryException InvalidLookupAttributesException InvalidMaxResultsException "
        "InvalidNextTokenException InvalidTimeRangeException UnsupportedOperationException"
    ),
    never={
        "refusals of access control are answered as AccessDeniedException of the front door": (
            "AccessDeniedException OperationNotPermittedException"
        ),
        "more than two look-ups at once wait for each other": "ThrottlingException",
        "no operation that is offered has it": (
            "AccountHasOngoingImportException AccountNotFoundException AccountNotRegisteredException "
            "AccountRegisteredException CannotDelegateManagementAccountException ChannelARNInvalidException "
            "ChannelAlreadyExistsException ChannelExistsForEDSException ChannelMaxLimitExceededException "
            "ChannelNotFoundException CloudTrailARNInvalidException CloudTrailAccessNotEnabledException "
            "CloudTrailInvalidClientTokenIdException CloudWatchLogsDeliveryUnavailableException "
            "ConcurrentModificationException ConflictException DelegatedAdminAccountLimitExceededException "
            "EventDataStoreARNInvalidException EventDataStoreAlreadyExistsException "
            "EventDataStoreFederationEnabledException EventDataStoreHasOngoingImportException "
            "EventDataStoreMaxLimitExceededException EventDataStoreNotFoundException "
            "EventDataStoreTerminationProtectedException GenerateResponseException ImportNotFoundException "
            "InactiveEventDataStoreException InactiveQueryException InsightNotEnabledException "
            "InsufficientDependencyServiceAccessPermissionException InsufficientEncryptionPolicyException "
            "InsufficientIAMAccessPermissionException InsufficientS3BucketPolicyException "
            "InsufficientSnsTopicPolicyException InvalidCloudWatchLogsLogGroupArnException "
            "InvalidCloudWatchLogsRoleArnException InvalidDateRangeException "
            "InvalidEventDataStoreCategoryException InvalidEventDataStoreStatusException "
            "InvalidEventSelectorsException InvalidHomeRegionException InvalidImportSourceException "
            "InvalidInsightSelectorsException InvalidKmsKeyIdException InvalidParameterCombinationException "
            "InvalidParameterException InvalidQueryStatementException InvalidQueryStatusException "
            "InvalidS3BucketNameException InvalidS3PrefixException InvalidSnsTopicNameException "
            "InvalidSourceException InvalidTagParameterException InvalidTokenException InvalidTrailNameException "
            "KmsException KmsKeyDisabledException KmsKeyNotFoundException MaxConcurrentQueriesException "
            "MaximumNumberOfTrailsExceededException NoManagementAccountSLRExistsException "
            "NotOrganizationManagementAccountException NotOrganizationMasterAccountException "
            "OrganizationNotInAllFeaturesModeException OrganizationsNotInUseException QueryIdNotFoundException "
            "ResourceARNNotValidException ResourceNotFoundException ResourcePolicyNotFoundException "
            "ResourcePolicyNotValidException ResourceTypeNotSupportedException S3BucketDoesNotExistException "
            "ServiceQuotaExceededException TagsLimitExceededException TrailAlreadyExistsException "
            "TrailNotFoundException TrailNotProvidedException"
        ),
    },
    shown_otherwise={},
)
