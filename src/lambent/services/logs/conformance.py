"""
What becomes of each input member and each error of the Logs API's model: the rows of `lambent conformance`.

A member that comes to act moves to `acting`, and a test with a real client is to send it.
"""

from lambent.services.conformance.judgement import Judgements

_GROUP = "logGroupName logGroupIdentifier"

_TRANSFORMATION = "metricTransformations[]"

JUDGEMENTS = Judgements(
    acting={
        "DeleteLogGroup": "logGroupName",
        "DescribeLogGroups": (
            "accountIdentifiers logGroupNamePrefix logGroupNamePattern nextToken limit logGroupClass "
            "logGroupIdentifiers"
        ),
        "DescribeLogStreams": f"{_GROUP} logStreamNamePrefix orderBy descending nextToken limit",
        "FilterLogEvents": (
            f"{_GROUP} logStreamNames logStreamNamePrefix startTime endTime nextToken limit startFromHead"
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
        "PutRetentionPolicy": "logGroupName retentionInDays",
    },
    remarks={
        "accountIdentifiers": "other accounts' groups are not seen: naming only others lists nothing",
        "logGroupClass": "every group is STANDARD: another class lists nothing",
    },
    echoed={},
    taken={
        "includeLinkedAccounts": "accounts cannot be linked here",
        "interleaved": "events of several streams always are, as on AWS since 2019",
        "distribution": "a function gets events of one stream at a time",
        "unmask": "nothing is masked: data protection policies are not offered",
    },
    refused={
        "FilterLogEvents:filterPattern": "filter patterns come with a later version",
        "applyOnTransformedLogs": "transformers are not planned",
        "emitSystemFieldDimensions": "not planned: a metric says of which account and region it is",
        "emitSystemFields": "not planned: a payload says of which account it is",
        "fieldSelectionCriteria": "events come from here alone, so there is nothing to select",
        "roleArn": "functions need none, and streams come with a later version",
    },
    given=(
        "AccessDeniedException InvalidParameterException LimitExceededException ResourceNotFoundException "
        "ValidationException"
    ),
    never={
        "access control comes with a later version": "UnrecognizedClientException",
        "groups come to be by themselves when functions write": (
            "ResourceAlreadyExistsException ServiceQuotaExceededException"
        ),
        "no operation that is offered has it": (
            "ConflictException DataAlreadyAcceptedException InternalServerException InternalStreamingException "
            "InvalidOperationException InvalidSequenceTokenException MalformedQueryException SessionStreamingException "
            "SessionTimeoutException TooManyTagsException"
        ),
        "changes of one group wait for each other": "OperationAbortedException",
        "a failure of the server is answered as ServiceException, as for every service": "ServiceUnavailableException",
        "a full server answers TooManyRequestsException, as for every service": "ThrottlingException",
    },
    shown_otherwise={},
)
