"""
Structures of the `logs` service model that this version reads or answers.

Members that an input must have are `Required`: the validator has seen them before a handler does.
For who checks types: while the server runs each name stands for `dict`, which saves it some MiB.
Written by tools/generate.py from botocore's service model. Do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Required, TypedDict

    class AssociateKmsKeyRequest(TypedDict, total=False):
        logGroupName: str
        kmsKeyId: Required[str]
        resourceIdentifier: str

    class CreateLogGroupRequest(TypedDict, total=False):
        logGroupName: Required[str]
        kmsKeyId: str
        tags: dict[str, str]
        logGroupClass: str
        deletionProtectionEnabled: bool

    class CreateLogStreamRequest(TypedDict, total=False):
        logGroupName: Required[str]
        logStreamName: Required[str]

    class DataSourceFilter(TypedDict, total=False):
        name: Required[str]
        type: str

    class DeleteLogGroupRequest(TypedDict, total=False):
        logGroupName: Required[str]

    class DeleteLogStreamRequest(TypedDict, total=False):
        logGroupName: Required[str]
        logStreamName: Required[str]

    class DeleteMetricFilterRequest(TypedDict, total=False):
        logGroupName: Required[str]
        filterName: Required[str]

    class DeleteQueryDefinitionRequest(TypedDict, total=False):
        queryDefinitionId: Required[str]

    class DeleteQueryDefinitionResponse(TypedDict, total=False):
        success: bool

    class DeleteResourcePolicyRequest(TypedDict, total=False):
        policyName: str
        resourceArn: str
        expectedRevisionId: str

    class DeleteRetentionPolicyRequest(TypedDict, total=False):
        logGroupName: Required[str]

    class DeleteSubscriptionFilterRequest(TypedDict, total=False):
        logGroupName: Required[str]
        filterName: Required[str]

    class DescribeLogGroupsRequest(TypedDict, total=False):
        accountIdentifiers: list[str]
        logGroupNamePrefix: str
        logGroupNamePattern: str
        nextToken: str
        limit: int
        includeLinkedAccounts: bool
        logGroupClass: str
        logGroupIdentifiers: list[str]

    class DescribeLogGroupsResponse(TypedDict, total=False):
        logGroups: list[LogGroup]
        nextToken: str

    class DescribeLogStreamsRequest(TypedDict, total=False):
        logGroupName: str
        logGroupIdentifier: str
        logStreamNamePrefix: str
        orderBy: str
        descending: bool
        nextToken: str
        limit: int

    class DescribeLogStreamsResponse(TypedDict, total=False):
        logStreams: list[LogStream]
        nextToken: str

    class DescribeMetricFiltersRequest(TypedDict, total=False):
        logGroupName: str
        filterNamePrefix: str
        nextToken: str
        limit: int
        metricName: str
        metricNamespace: str

    class DescribeMetricFiltersResponse(TypedDict, total=False):
        metricFilters: list[MetricFilter]
        nextToken: str

    class DescribeQueriesRequest(TypedDict, total=False):
        logGroupName: str
        status: str
        maxResults: int
        nextToken: str
        queryLanguage: str

    class DescribeQueriesResponse(TypedDict, total=False):
        queries: list[QueryInfo]
        nextToken: str

    class DescribeQueryDefinitionsRequest(TypedDict, total=False):
        queryLanguage: str
        queryDefinitionNamePrefix: str
        maxResults: int
        nextToken: str

    class DescribeQueryDefinitionsResponse(TypedDict, total=False):
        queryDefinitions: list[QueryDefinition]
        nextToken: str

    class DescribeResourcePoliciesRequest(TypedDict, total=False):
        nextToken: str
        limit: int
        resourceArn: str
        policyScope: str

    class DescribeResourcePoliciesResponse(TypedDict, total=False):
        resourcePolicies: list[ResourcePolicy]
        nextToken: str

    class DescribeSubscriptionFiltersRequest(TypedDict, total=False):
        logGroupName: Required[str]
        filterNamePrefix: str
        nextToken: str
        limit: int

    class DescribeSubscriptionFiltersResponse(TypedDict, total=False):
        subscriptionFilters: list[SubscriptionFilter]
        nextToken: str

    class DisassociateKmsKeyRequest(TypedDict, total=False):
        logGroupName: str
        resourceIdentifier: str

    class Entity(TypedDict, total=False):
        keyAttributes: dict[str, str]
        attributes: dict[str, str]

    class FilterLogEventsRequest(TypedDict, total=False):
        logGroupName: str
        logGroupIdentifier: str
        logStreamNames: list[str]
        logStreamNamePrefix: str
        startTime: int
        endTime: int
        filterPattern: str
        nextToken: str
        limit: int
        startFromHead: bool
        interleaved: bool
        unmask: bool

    class FilterLogEventsResponse(TypedDict, total=False):
        events: list[FilteredLogEvent]
        searchedLogStreams: list[SearchedLogStream]
        nextToken: str

    class FilteredLogEvent(TypedDict, total=False):
        logStreamName: str
        timestamp: int
        message: str
        ingestionTime: int
        eventId: str

    class GetLogEventsRequest(TypedDict, total=False):
        logGroupName: str
        logGroupIdentifier: str
        logStreamName: Required[str]
        startTime: int
        endTime: int
        nextToken: str
        limit: int
        startFromHead: bool
        unmask: bool

    class GetLogEventsResponse(TypedDict, total=False):
        events: list[OutputLogEvent]
        nextForwardToken: str
        nextBackwardToken: str

    class GetLogGroupFieldsRequest(TypedDict, total=False):
        logGroupName: str
        time: int
        logGroupIdentifier: str

    class GetLogGroupFieldsResponse(TypedDict, total=False):
        logGroupFields: list[LogGroupField]

    class GetLogRecordRequest(TypedDict, total=False):
        logRecordPointer: Required[str]
        unmask: bool

    class GetLogRecordResponse(TypedDict, total=False):
        logRecord: dict[str, str]

    class GetQueryResultsRequest(TypedDict, total=False):
        queryId: Required[str]
        nextToken: str
        maxItems: int

    class GetQueryResultsResponse(TypedDict, total=False):
        queryLanguage: str
        results: list[list[ResultField]]
        statistics: QueryStatistics
        status: str
        encryptionKey: str
        nextToken: str

    class InputLogEvent(TypedDict, total=False):
        timestamp: Required[int]
        message: Required[str]

    class ListLogGroupsRequest(TypedDict, total=False):
        logGroupNamePattern: str
        logGroupClass: str
        includeLinkedAccounts: bool
        accountIdentifiers: list[str]
        nextToken: str
        limit: int
        dataSources: list[DataSourceFilter]
        fieldIndexNames: list[str]
        logGroupTags: list[TagFilter]

    class ListLogGroupsResponse(TypedDict, total=False):
        logGroups: list[LogGroupSummary]
        nextToken: str

    class ListTagsForResourceRequest(TypedDict, total=False):
        resourceArn: Required[str]

    class ListTagsForResourceResponse(TypedDict, total=False):
        tags: dict[str, str]

    class ListTagsLogGroupRequest(TypedDict, total=False):
        logGroupName: Required[str]

    class ListTagsLogGroupResponse(TypedDict, total=False):
        tags: dict[str, str]

    class LiveTailSessionLogEvent(TypedDict, total=False):
        logStreamName: str
        logGroupIdentifier: str
        message: str
        timestamp: int
        ingestionTime: int

    class LiveTailSessionMetadata(TypedDict, total=False):
        sampled: bool

    class LiveTailSessionStart(TypedDict, total=False):
        requestId: str
        sessionId: str
        logGroupIdentifiers: list[str]
        logStreamNames: list[str]
        logStreamNamePrefixes: list[str]
        logEventFilterPattern: str

    class LiveTailSessionUpdate(TypedDict, total=False):
        sessionMetadata: LiveTailSessionMetadata
        sessionResults: list[LiveTailSessionLogEvent]

    class LogGroup(TypedDict, total=False):
        logGroupName: str
        creationTime: int
        retentionInDays: int
        metricFilterCount: int
        arn: str
        storedBytes: int
        kmsKeyId: str
        dataProtectionStatus: str
        inheritedProperties: list[str]
        logGroupClass: str
        logGroupArn: str
        deletionProtectionEnabled: bool
        bearerTokenAuthenticationEnabled: bool

    class LogGroupField(TypedDict, total=False):
        name: str
        percent: int

    class LogGroupSummary(TypedDict, total=False):
        logGroupName: str
        logGroupArn: str
        logGroupClass: str

    class LogStream(TypedDict, total=False):
        logStreamName: str
        creationTime: int
        firstEventTimestamp: int
        lastEventTimestamp: int
        lastIngestionTime: int
        uploadSequenceToken: str
        arn: str
        storedBytes: int

    class MetricFilter(TypedDict, total=False):
        filterName: str
        filterPattern: str
        metricTransformations: list[MetricTransformation]
        creationTime: int
        logGroupName: str
        applyOnTransformedLogs: bool
        fieldSelectionCriteria: str
        emitSystemFieldDimensions: list[str]

    class MetricFilterMatchRecord(TypedDict, total=False):
        eventNumber: int
        eventMessage: str
        extractedValues: dict[str, str]

    class MetricTransformation(TypedDict, total=False):
        metricName: Required[str]
        metricNamespace: Required[str]
        metricValue: Required[str]
        defaultValue: float
        dimensions: dict[str, str]
        unit: str

    class OutputLogEvent(TypedDict, total=False):
        timestamp: int
        message: str
        ingestionTime: int

    class PutLogEventsRequest(TypedDict, total=False):
        logGroupName: Required[str]
        logStreamName: Required[str]
        logEvents: Required[list[InputLogEvent]]
        sequenceToken: str
        entity: Entity

    class PutLogEventsResponse(TypedDict, total=False):
        nextSequenceToken: str
        rejectedLogEventsInfo: RejectedLogEventsInfo
        rejectedEntityInfo: RejectedEntityInfo

    class PutLogGroupDeletionProtectionRequest(TypedDict, total=False):
        logGroupIdentifier: Required[str]
        deletionProtectionEnabled: Required[bool]

    class PutMetricFilterRequest(TypedDict, total=False):
        logGroupName: Required[str]
        filterName: Required[str]
        filterPattern: Required[str]
        metricTransformations: Required[list[MetricTransformation]]
        applyOnTransformedLogs: bool
        fieldSelectionCriteria: str
        emitSystemFieldDimensions: list[str]

    class PutQueryDefinitionRequest(TypedDict, total=False):
        queryLanguage: str
        name: Required[str]
        queryDefinitionId: str
        logGroupNames: list[str]
        queryString: Required[str]
        clientToken: str
        parameters: list[QueryParameter]

    class PutQueryDefinitionResponse(TypedDict, total=False):
        queryDefinitionId: str

    class PutResourcePolicyRequest(TypedDict, total=False):
        policyName: str
        policyDocument: str
        resourceArn: str
        expectedRevisionId: str

    class PutResourcePolicyResponse(TypedDict, total=False):
        resourcePolicy: ResourcePolicy
        revisionId: str

    class PutRetentionPolicyRequest(TypedDict, total=False):
        logGroupName: Required[str]
        retentionInDays: Required[int]

    class PutSubscriptionFilterRequest(TypedDict, total=False):
        logGroupName: Required[str]
        filterName: Required[str]
        filterPattern: Required[str]
        destinationArn: Required[str]
        roleArn: str
        distribution: str
        applyOnTransformedLogs: bool
        fieldSelectionCriteria: str
        emitSystemFields: list[str]

    class QueryDefinition(TypedDict, total=False):
        queryLanguage: str
        queryDefinitionId: str
        name: str
        queryString: str
        lastModified: int
        logGroupNames: list[str]
        parameters: list[QueryParameter]

    class QueryInfo(TypedDict, total=False):
        queryLanguage: str
        queryId: str
        queryString: str
        status: str
        createTime: int
        logGroupName: str
        queryDuration: int
        bytesScanned: float
        userIdentity: str

    class QueryParameter(TypedDict, total=False):
        name: Required[str]
        defaultValue: str
        description: str

    class QueryStatistics(TypedDict, total=False):
        recordsMatched: float
        recordsScanned: float
        estimatedRecordsSkipped: float
        bytesScanned: float
        estimatedBytesSkipped: float
        logGroupsScanned: float
        resultCount: float

    class RejectedEntityInfo(TypedDict, total=False):
        errorType: str

    class RejectedLogEventsInfo(TypedDict, total=False):
        tooNewLogEventStartIndex: int
        tooOldLogEventEndIndex: int
        expiredLogEventEndIndex: int

    class ResourcePolicy(TypedDict, total=False):
        policyName: str
        policyDocument: str
        lastUpdatedTime: int
        policyScope: str
        resourceArn: str
        revisionId: str

    class ResultField(TypedDict, total=False):
        field: str
        value: str

    class SearchedLogStream(TypedDict, total=False):
        logStreamName: str
        searchedCompletely: bool

    class SessionStreamingException(TypedDict, total=False):
        message: str

    class SessionTimeoutException(TypedDict, total=False):
        message: str

    class StartLiveTailRequest(TypedDict, total=False):
        logGroupIdentifiers: Required[list[str]]
        logStreamNames: list[str]
        logStreamNamePrefixes: list[str]
        logEventFilterPattern: str

    class StartLiveTailResponse(TypedDict, total=False):
        responseStream: AsyncIterator[StartLiveTailResponseStream]

    class StartLiveTailResponseStream(TypedDict, total=False):
        sessionStart: LiveTailSessionStart
        sessionUpdate: LiveTailSessionUpdate
        SessionTimeoutException: SessionTimeoutException
        SessionStreamingException: SessionStreamingException

    class StartQueryRequest(TypedDict, total=False):
        queryLanguage: str
        logGroupName: str
        logGroupNames: list[str]
        logGroupIdentifiers: list[str]
        startTime: Required[int]
        endTime: Required[int]
        queryString: Required[str]
        limit: int

    class StartQueryResponse(TypedDict, total=False):
        queryId: str

    class StopQueryRequest(TypedDict, total=False):
        queryId: Required[str]

    class StopQueryResponse(TypedDict, total=False):
        success: bool

    class SubscriptionFilter(TypedDict, total=False):
        filterName: str
        logGroupName: str
        filterPattern: str
        destinationArn: str
        roleArn: str
        distribution: str
        applyOnTransformedLogs: bool
        creationTime: int
        fieldSelectionCriteria: str
        emitSystemFields: list[str]

    class TagFilter(TypedDict, total=False):
        key: Required[str]
        values: list[str]

    class TagLogGroupRequest(TypedDict, total=False):
        logGroupName: Required[str]
        tags: Required[dict[str, str]]

    class TagResourceRequest(TypedDict, total=False):
        resourceArn: Required[str]
        tags: Required[dict[str, str]]

    class TestMetricFilterRequest(TypedDict, total=False):
        filterPattern: Required[str]
        logEventMessages: Required[list[str]]

    class TestMetricFilterResponse(TypedDict, total=False):
        matches: list[MetricFilterMatchRecord]

    class UntagLogGroupRequest(TypedDict, total=False):
        logGroupName: Required[str]
        tags: Required[list[str]]

    class UntagResourceRequest(TypedDict, total=False):
        resourceArn: Required[str]
        tagKeys: Required[list[str]]

else:

    def __getattr__(name):
        if name.startswith("__"):
            raise AttributeError(name)
        return dict
