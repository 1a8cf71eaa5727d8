"""
What becomes of each input member and each error of the Logs API's model: the rows of `lambent conformance`.

A member that comes to act moves to `acting`, and a test with a real client is to send it.
"""

from lambent.services.conformance.judgement import Judgements

_GROUP = "logGroupName logGroupIdentifier"
_OF_AN_ACCOUNT = "resource policies are of an account, not of a group"

_TRANSFORMATION = "metricTransformations[]"

JUDGEMENTS = Judgements(
    acting={
        "AssociateKmsKey": "logGroupName resourceIdentifier",
        "CreateLogGroup": "logGroupName tags logGroupClass deletionProtectionEnabled",
        "CreateLogStream": "logGroupName logStreamName",
        "DeleteLogGroup": "logGroupName",
        "DeleteLogStream": "logGroupName logStreamName",
        "DeleteResourcePolicy": "policyName",
        "DeleteRetentionPolicy": "logGroupName",
        "DescribeLogGroups": (
            "accountIdentifiers logGroupNamePrefix logGroupNamePattern nextToken limit logGroupClass "
            "logGroupIdentifiers"
        ),
        "DeleteQueryDefinition": "queryDefinitionId",
        "DescribeQueries": "logGroupName status maxResults nextToken queryLanguage",
        "DescribeQueryDefinitions": "queryDefinitionNamePrefix maxResults nextToken queryLanguage",
        "DescribeLogStreams": f"{_GROUP} logStreamNamePrefix orderBy descending nextToken limit",
        "DescribeResourcePolicies": "nextToken limit policyScope",
        "DisassociateKmsKey": "logGroupName resourceIdentifier",
        "FilterLogEvents": (
            f"{_GROUP} logStreamNames logStreamNamePrefix startTime endTime filterPattern nextToken limit startFromHead"
        ),
        "DeleteMetricFilter": "logGroupName filterName",
        "DeleteSubscriptionFilter": "logGroupName filterName",
        "DescribeMetricFilters": "logGroupName filterNamePrefix nextToken limit metricName metricNamespace",
        "DescribeSubscriptionFilters": "logGroupName filterNamePrefix nextToken limit",
        "PutMetricFilter": (
            f"logGroupName filterName filterPattern metricTransformations {_TRANSFORMATION}.metricName "
            f"{_TRANSFORMATION}.metricNamespace {_TRANSFORMATION}.metricValue {_TRANSFORMATION}.defaultValue "
            f"{_TRANSFORMATION}.dimensions {_TRANSFORMATION}.unit"
        ),
        "PutSubscriptionFilter": "logGroupName filterName filterPattern destinationArn",
        "TestMetricFilter": "filterPattern logEventMessages",
        "GetLogEvents": f"{_GROUP} logStreamName startTime endTime nextToken limit startFromHead",
        "GetLogGroupFields": f"{_GROUP} time",
        "GetLogRecord": "logRecordPointer",
        "GetQueryResults": "queryId nextToken maxItems",
        "PutQueryDefinition": "name queryDefinitionId logGroupNames queryString clientToken",
        "StartLiveTail": "logGroupIdentifiers logStreamNames logStreamNamePrefixes logEventFilterPattern",
        "StartQuery": "logGroupName logGroupNames logGroupIdentifiers startTime endTime queryString limit",
        "StopQuery": "queryId",
        "ListLogGroups": (
            "logGroupNamePattern logGroupClass accountIdentifiers nextToken limit logGroupTags[].key "
            "logGroupTags[].values"
        ),
        "ListTagsForResource": "resourceArn",
        "ListTagsLogGroup": "logGroupName",
        "PutLogEvents": "logGroupName logStreamName logEvents[].timestamp logEvents[].message",
        "PutLogGroupDeletionProtection": "logGroupIdentifier deletionProtectionEnabled",
        "PutResourcePolicy": "policyName",
        "PutRetentionPolicy": "logGroupName retentionInDays",
        "TagLogGroup": "logGroupName tags",
        "TagResource": "resourceArn tags",
        "UntagLogGroup": "logGroupName tags",
        "UntagResource": "resourceArn tagKeys",
    },
    remarks={
        "accountIdentifiers": "other accounts' groups are not seen: naming only others lists nothing",
        "queryLanguage": "every query is in CWLI: another language lists nothing",
        "logGroupClass": "kept and shown, and narrows lists; events of every class are read alike",
    },
    echoed={
        "parameters": "the queries that they are put into are the console's",
        "kmsKeyId": "nothing is encrypted with it",
        "policyDocument": "no other service writes to logs here",
    },
    taken={
        "includeLinkedAccounts": "accounts cannot be linked here",
        "interleaved": "events of several streams always are, as on AWS since 2019",
        "distribution": "a function gets events of one stream at a time",
        "unmask": "nothing is masked: data protection policies are not offered",
        "sequenceToken": "ignored, as on AWS since 2023",
        "entity": "nothing here relates telemetry to entities",
    },
    refused={
        "StartQuery:queryLanguage": "queries are in the language of Logs Insights, CWLI",
        "PutQueryDefinition:queryLanguage": "queries are in the language of Logs Insights, CWLI",
        "applyOnTransformedLogs": "transformers are not planned",
        "emitSystemFieldDimensions": "not planned: a metric says of which account and region it is",
        "emitSystemFields": "not planned: a payload says of which account it is",
        "fieldSelectionCriteria": "events come from here alone, so there is nothing to select",
        "roleArn": "functions need none, and streams come with a later version",
        "dataSources": "groups have no data sources",
        "fieldIndexNames": "there are no field indexes",
        "DeleteResourcePolicy:resourceArn": _OF_AN_ACCOUNT,
        "DescribeResourcePolicies:resourceArn": _OF_AN_ACCOUNT,
        "PutResourcePolicy:resourceArn": _OF_AN_ACCOUNT,
        "expectedRevisionId": _OF_AN_ACCOUNT,
    },
    given=(
        "AccessDeniedException InvalidParameterException LimitExceededException MalformedQueryException "
        "ResourceAlreadyExistsException ResourceNotFoundException SessionTimeoutException TooManyTagsException "
        "ValidationException"
    ),
    never={
        "access control comes with a later version": "UnrecognizedClientException",
        "no operation that is offered has it": (
            "ConflictException DataAlreadyAcceptedException InternalServerException InternalStreamingException "
            "InvalidOperationException InvalidSequenceTokenException ServiceQuotaExceededException "
            "SessionStreamingException"
        ),
        "changes of one group wait for each other": "OperationAbortedException",
        "a failure of the server is answered as ServiceException, as for every service": "ServiceUnavailableException",
        "a full server answers TooManyRequestsException, as for every service": "ThrottlingException",
    },
    # Nobody's test waits for three hours.
    shown_otherwise={"SessionTimeoutException": "unit/services/logs/test_live_tail.py"},
)
