"""
Structures of the `logs` service model that this version reads or answers.

Members that an input must have are `Required`: the validator has seen them before a handler does.
For who checks types: while the server runs each name stands for `dict`, which saves it some MiB.
Written by tools/generate.py from botocore's service model. Do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Required, TypedDict

    class DeleteLogGroupRequest(TypedDict, total=False):
        logGroupName: Required[str]

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

    class LogStream(TypedDict, total=False):
        logStreamName: str
        creationTime: int
        firstEventTimestamp: int
        lastEventTimestamp: int
        lastIngestionTime: int
        uploadSequenceToken: str
        arn: str
        storedBytes: int

    class OutputLogEvent(TypedDict, total=False):
        timestamp: int
        message: str
        ingestionTime: int

    class PutRetentionPolicyRequest(TypedDict, total=False):
        logGroupName: Required[str]
        retentionInDays: Required[int]

    class SearchedLogStream(TypedDict, total=False):
        logStreamName: str
        searchedCompletely: bool

else:

    def __getattr__(name):
        if name.startswith("__"):
            raise AttributeError(name)
        return dict
