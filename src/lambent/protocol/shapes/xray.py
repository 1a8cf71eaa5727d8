"""
Structures of the `xray` service model that this version reads or answers.

Members that an input must have are `Required`: the validator has seen them before a handler does.
For who checks types: while the server runs each name stands for `dict`, which saves it some MiB.
Written by tools/generate.py from botocore's service model. Do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Required, TypedDict

    class Alias(TypedDict, total=False):
        Name: str
        Names: list[str]
        Type: str

    class AnnotationValue(TypedDict, total=False):
        NumberValue: float
        BooleanValue: bool
        StringValue: str

    class AnomalousService(TypedDict, total=False):
        ServiceId: ServiceId

    class AvailabilityZoneDetail(TypedDict, total=False):
        Name: str

    class BackendConnectionErrors(TypedDict, total=False):
        TimeoutCount: int
        ConnectionRefusedCount: int
        HTTPCode4XXCount: int
        HTTPCode5XXCount: int
        UnknownHostCount: int
        OtherCount: int

    class BatchGetTracesRequest(TypedDict, total=False):
        TraceIds: Required[list[str]]
        NextToken: str

    class BatchGetTracesResult(TypedDict, total=False):
        Traces: list[Trace]
        UnprocessedTraceIds: list[str]
        NextToken: str

    class CreateGroupRequest(TypedDict, total=False):
        GroupName: Required[str]
        FilterExpression: str
        InsightsConfiguration: InsightsConfiguration
        Tags: list[Tag]

    class CreateGroupResult(TypedDict, total=False):
        Group: Group

    class CreateSamplingRuleRequest(TypedDict, total=False):
        SamplingRule: Required[SamplingRule]
        Tags: list[Tag]

    class CreateSamplingRuleResult(TypedDict, total=False):
        SamplingRuleRecord: SamplingRuleRecord

    class DeleteGroupRequest(TypedDict, total=False):
        GroupName: str
        GroupARN: str

    class DeleteGroupResult(TypedDict, total=False):
        pass

    class DeleteSamplingRuleRequest(TypedDict, total=False):
        RuleName: str
        RuleARN: str

    class DeleteSamplingRuleResult(TypedDict, total=False):
        SamplingRuleRecord: SamplingRuleRecord

    class Edge(TypedDict, total=False):
        ReferenceId: int
        StartTime: datetime
        EndTime: datetime
        SummaryStatistics: EdgeStatistics
        ResponseTimeHistogram: list[HistogramEntry]
        Aliases: list[Alias]
        EdgeType: str
        ReceivedEventAgeHistogram: list[HistogramEntry]

    class EdgeStatistics(TypedDict, total=False):
        OkCount: int
        ErrorStatistics: ErrorStatistics
        FaultStatistics: FaultStatistics
        TotalCount: int
        TotalResponseTime: float

    class EncryptionConfig(TypedDict, total=False):
        KeyId: str
        Status: str
        Type: str

    class ErrorRootCause(TypedDict, total=False):
        Services: list[ErrorRootCauseService]
        ClientImpacting: bool

    class ErrorRootCauseEntity(TypedDict, total=False):
        Name: str
        Exceptions: list[RootCauseException]
        Remote: bool

    class ErrorRootCauseService(TypedDict, total=False):
        Name: str
        Names: list[str]
        Type: str
        AccountId: str
        EntityPath: list[ErrorRootCauseEntity]
        Inferred: bool

    class ErrorStatistics(TypedDict, total=False):
        ThrottleCount: int
        OtherCount: int
        TotalCount: int

    class FaultRootCause(TypedDict, total=False):
        Services: list[FaultRootCauseService]
        ClientImpacting: bool

    class FaultRootCauseEntity(TypedDict, total=False):
        Name: str
        Exceptions: list[RootCauseException]
        Remote: bool

    class FaultRootCauseService(TypedDict, total=False):
        Name: str
        Names: list[str]
        Type: str
        AccountId: str
        EntityPath: list[FaultRootCauseEntity]
        Inferred: bool

    class FaultStatistics(TypedDict, total=False):
        OtherCount: int
        TotalCount: int

    class ForecastStatistics(TypedDict, total=False):
        FaultCountHigh: int
        FaultCountLow: int

    class GetEncryptionConfigRequest(TypedDict, total=False):
        pass

    class GetEncryptionConfigResult(TypedDict, total=False):
        EncryptionConfig: EncryptionConfig

    class GetGroupRequest(TypedDict, total=False):
        GroupName: str
        GroupARN: str

    class GetGroupResult(TypedDict, total=False):
        Group: Group

    class GetGroupsRequest(TypedDict, total=False):
        NextToken: str

    class GetGroupsResult(TypedDict, total=False):
        Groups: list[GroupSummary]
        NextToken: str

    class GetInsightSummariesRequest(TypedDict, total=False):
        States: list[str]
        GroupARN: str
        GroupName: str
        StartTime: Required[datetime]
        EndTime: Required[datetime]
        MaxResults: int
        NextToken: str

    class GetInsightSummariesResult(TypedDict, total=False):
        InsightSummaries: list[InsightSummary]
        NextToken: str

    class GetSamplingRulesRequest(TypedDict, total=False):
        NextToken: str

    class GetSamplingRulesResult(TypedDict, total=False):
        SamplingRuleRecords: list[SamplingRuleRecord]
        NextToken: str

    class GetSamplingStatisticSummariesRequest(TypedDict, total=False):
        NextToken: str

    class GetSamplingStatisticSummariesResult(TypedDict, total=False):
        SamplingStatisticSummaries: list[SamplingStatisticSummary]
        NextToken: str

    class GetSamplingTargetsRequest(TypedDict, total=False):
        SamplingStatisticsDocuments: Required[list[SamplingStatisticsDocument]]
        SamplingBoostStatisticsDocuments: list[SamplingBoostStatisticsDocument]

    class GetSamplingTargetsResult(TypedDict, total=False):
        SamplingTargetDocuments: list[SamplingTargetDocument]
        LastRuleModification: datetime
        UnprocessedStatistics: list[UnprocessedStatistics]
        UnprocessedBoostStatistics: list[UnprocessedStatistics]

    class GetServiceGraphRequest(TypedDict, total=False):
        StartTime: Required[datetime]
        EndTime: Required[datetime]
        GroupName: str
        GroupARN: str
        NextToken: str

    class GetServiceGraphResult(TypedDict, total=False):
        StartTime: datetime
        EndTime: datetime
        Services: list[Service]
        ContainsOldGroupVersions: bool
        NextToken: str

    class GetTimeSeriesServiceStatisticsRequest(TypedDict, total=False):
        StartTime: Required[datetime]
        EndTime: Required[datetime]
        GroupName: str
        GroupARN: str
        EntitySelectorExpression: str
        Period: int
        ForecastStatistics: bool
        NextToken: str

    class GetTimeSeriesServiceStatisticsResult(TypedDict, total=False):
        TimeSeriesServiceStatistics: list[TimeSeriesServiceStatistics]
        ContainsOldGroupVersions: bool
        NextToken: str

    class GetTraceGraphRequest(TypedDict, total=False):
        TraceIds: Required[list[str]]
        NextToken: str

    class GetTraceGraphResult(TypedDict, total=False):
        Services: list[Service]
        NextToken: str

    class GetTraceSegmentDestinationRequest(TypedDict, total=False):
        pass

    class GetTraceSegmentDestinationResult(TypedDict, total=False):
        Destination: str
        Status: str

    class GetTraceSummariesRequest(TypedDict, total=False):
        StartTime: Required[datetime]
        EndTime: Required[datetime]
        TimeRangeType: str
        Sampling: bool
        SamplingStrategy: SamplingStrategy
        FilterExpression: str
        NextToken: str

    class GetTraceSummariesResult(TypedDict, total=False):
        TraceSummaries: list[TraceSummary]
        ApproximateTime: datetime
        TracesProcessedCount: int
        NextToken: str

    class Group(TypedDict, total=False):
        GroupName: str
        GroupARN: str
        FilterExpression: str
        InsightsConfiguration: InsightsConfiguration

    class GroupSummary(TypedDict, total=False):
        GroupName: str
        GroupARN: str
        FilterExpression: str
        InsightsConfiguration: InsightsConfiguration

    class HistogramEntry(TypedDict, total=False):
        Value: float
        Count: int

    class Http(TypedDict, total=False):
        HttpURL: str
        HttpStatus: int
        HttpMethod: str
        UserAgent: str
        ClientIp: str

    class InsightSummary(TypedDict, total=False):
        InsightId: str
        GroupARN: str
        GroupName: str
        RootCauseServiceId: ServiceId
        Categories: list[str]
        State: str
        StartTime: datetime
        EndTime: datetime
        Summary: str
        ClientRequestImpactStatistics: RequestImpactStatistics
        RootCauseServiceRequestImpactStatistics: RequestImpactStatistics
        TopAnomalousServices: list[AnomalousService]
        LastUpdateTime: datetime

    class InsightsConfiguration(TypedDict, total=False):
        InsightsEnabled: bool
        NotificationsEnabled: bool

    class InstanceIdDetail(TypedDict, total=False):
        Id: str

    class ListTagsForResourceRequest(TypedDict, total=False):
        ResourceARN: Required[str]
        NextToken: str

    class ListTagsForResourceResponse(TypedDict, total=False):
        Tags: list[Tag]
        NextToken: str

    class PutEncryptionConfigRequest(TypedDict, total=False):
        KeyId: str
        Type: Required[str]

    class PutEncryptionConfigResult(TypedDict, total=False):
        EncryptionConfig: EncryptionConfig

    class PutTelemetryRecordsRequest(TypedDict, total=False):
        TelemetryRecords: Required[list[TelemetryRecord]]
        EC2InstanceId: str
        Hostname: str
        ResourceARN: str

    class PutTelemetryRecordsResult(TypedDict, total=False):
        pass

    class PutTraceSegmentsRequest(TypedDict, total=False):
        TraceSegmentDocuments: Required[list[str]]

    class PutTraceSegmentsResult(TypedDict, total=False):
        UnprocessedTraceSegments: list[UnprocessedTraceSegment]

    class RequestImpactStatistics(TypedDict, total=False):
        FaultCount: int
        OkCount: int
        TotalCount: int

    class ResourceARNDetail(TypedDict, total=False):
        ARN: str

    class ResponseTimeRootCause(TypedDict, total=False):
        Services: list[ResponseTimeRootCauseService]
        ClientImpacting: bool

    class ResponseTimeRootCauseEntity(TypedDict, total=False):
        Name: str
        Coverage: float
        Remote: bool

    class ResponseTimeRootCauseService(TypedDict, total=False):
        Name: str
        Names: list[str]
        Type: str
        AccountId: str
        EntityPath: list[ResponseTimeRootCauseEntity]
        Inferred: bool

    class RootCauseException(TypedDict, total=False):
        Name: str
        Message: str

    class SamplingBoost(TypedDict, total=False):
        BoostRate: float
        BoostRateTTL: datetime

    class SamplingBoostStatisticsDocument(TypedDict, total=False):
        RuleName: Required[str]
        ServiceName: Required[str]
        Timestamp: Required[datetime]
        AnomalyCount: Required[int]
        TotalCount: Required[int]
        SampledAnomalyCount: Required[int]

    class SamplingRateBoost(TypedDict, total=False):
        MaxRate: Required[float]
        CooldownWindowMinutes: Required[int]

    class SamplingRule(TypedDict, total=False):
        RuleName: str
        RuleARN: str
        ResourceARN: Required[str]
        Priority: Required[int]
        FixedRate: Required[float]
        ReservoirSize: Required[int]
        ServiceName: Required[str]
        ServiceType: Required[str]
        Host: Required[str]
        HTTPMethod: Required[str]
        URLPath: Required[str]
        Version: Required[int]
        Attributes: dict[str, str]
        SamplingRateBoost: SamplingRateBoost

    class SamplingRuleRecord(TypedDict, total=False):
        SamplingRule: SamplingRule
        CreatedAt: datetime
        ModifiedAt: datetime

    class SamplingRuleUpdate(TypedDict, total=False):
        RuleName: str
        RuleARN: str
        ResourceARN: str
        Priority: int
        FixedRate: float
        ReservoirSize: int
        Host: str
        ServiceName: str
        ServiceType: str
        HTTPMethod: str
        URLPath: str
        Attributes: dict[str, str]
        SamplingRateBoost: SamplingRateBoost

    class SamplingStatisticSummary(TypedDict, total=False):
        RuleName: str
        Timestamp: datetime
        RequestCount: int
        BorrowCount: int
        SampledCount: int

    class SamplingStatisticsDocument(TypedDict, total=False):
        RuleName: Required[str]
        ClientID: Required[str]
        Timestamp: Required[datetime]
        RequestCount: Required[int]
        SampledCount: Required[int]
        BorrowCount: int

    class SamplingStrategy(TypedDict, total=False):
        Name: str
        Value: float

    class SamplingTargetDocument(TypedDict, total=False):
        RuleName: str
        FixedRate: float
        ReservoirQuota: int
        ReservoirQuotaTTL: datetime
        Interval: int
        SamplingBoost: SamplingBoost

    class Segment(TypedDict, total=False):
        Id: str
        Document: str

    class Service(TypedDict, total=False):
        ReferenceId: int
        Name: str
        Names: list[str]
        Root: bool
        AccountId: str
        Type: str
        State: str
        StartTime: datetime
        EndTime: datetime
        Edges: list[Edge]
        SummaryStatistics: ServiceStatistics
        DurationHistogram: list[HistogramEntry]
        ResponseTimeHistogram: list[HistogramEntry]

    class ServiceId(TypedDict, total=False):
        Name: str
        Names: list[str]
        AccountId: str
        Type: str

    class ServiceStatistics(TypedDict, total=False):
        OkCount: int
        ErrorStatistics: ErrorStatistics
        FaultStatistics: FaultStatistics
        TotalCount: int
        TotalResponseTime: float

    class Tag(TypedDict, total=False):
        Key: Required[str]
        Value: Required[str]

    class TagResourceRequest(TypedDict, total=False):
        ResourceARN: Required[str]
        Tags: Required[list[Tag]]

    class TagResourceResponse(TypedDict, total=False):
        pass

    class TelemetryRecord(TypedDict, total=False):
        Timestamp: Required[datetime]
        SegmentsReceivedCount: int
        SegmentsSentCount: int
        SegmentsSpilloverCount: int
        SegmentsRejectedCount: int
        BackendConnectionErrors: BackendConnectionErrors

    class TimeSeriesServiceStatistics(TypedDict, total=False):
        Timestamp: datetime
        EdgeSummaryStatistics: EdgeStatistics
        ServiceSummaryStatistics: ServiceStatistics
        ServiceForecastStatistics: ForecastStatistics
        ResponseTimeHistogram: list[HistogramEntry]

    class Trace(TypedDict, total=False):
        Id: str
        Duration: float
        LimitExceeded: bool
        Segments: list[Segment]

    class TraceSummary(TypedDict, total=False):
        Id: str
        StartTime: datetime
        Duration: float
        ResponseTime: float
        HasFault: bool
        HasError: bool
        HasThrottle: bool
        IsPartial: bool
        Http: Http
        Annotations: dict[str, list[ValueWithServiceIds]]
        Users: list[TraceUser]
        ServiceIds: list[ServiceId]
        ResourceARNs: list[ResourceARNDetail]
        InstanceIds: list[InstanceIdDetail]
        AvailabilityZones: list[AvailabilityZoneDetail]
        EntryPoint: ServiceId
        FaultRootCauses: list[FaultRootCause]
        ErrorRootCauses: list[ErrorRootCause]
        ResponseTimeRootCauses: list[ResponseTimeRootCause]
        Revision: int
        MatchedEventTime: datetime

    class TraceUser(TypedDict, total=False):
        UserName: str
        ServiceIds: list[ServiceId]

    class UnprocessedStatistics(TypedDict, total=False):
        RuleName: str
        ErrorCode: str
        Message: str

    class UnprocessedTraceSegment(TypedDict, total=False):
        Id: str
        ErrorCode: str
        Message: str

    class UntagResourceRequest(TypedDict, total=False):
        ResourceARN: Required[str]
        TagKeys: Required[list[str]]

    class UntagResourceResponse(TypedDict, total=False):
        pass

    class UpdateGroupRequest(TypedDict, total=False):
        GroupName: str
        GroupARN: str
        FilterExpression: str
        InsightsConfiguration: InsightsConfiguration

    class UpdateGroupResult(TypedDict, total=False):
        Group: Group

    class UpdateSamplingRuleRequest(TypedDict, total=False):
        SamplingRuleUpdate: Required[SamplingRuleUpdate]

    class UpdateSamplingRuleResult(TypedDict, total=False):
        SamplingRuleRecord: SamplingRuleRecord

    class ValueWithServiceIds(TypedDict, total=False):
        AnnotationValue: AnnotationValue
        ServiceIds: list[ServiceId]

else:

    def __getattr__(name):
        if name.startswith("__"):
            raise AttributeError(name)
        return dict
