"""
Structures of the `cloudwatch` service model that this version reads or answers.

Members that an input must have are `Required`: the validator has seen them before a handler does.
For who checks types: while the server runs each name stands for `dict`, which saves it some MiB.
Written by tools/generate.py from botocore's service model. Do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Required, TypedDict

    class ActionConfiguration(TypedDict, total=False):
        AlarmTagsPropagation: AlarmTagsPropagation

    class AlarmHistoryItem(TypedDict, total=False):
        AlarmName: str
        AlarmContributorId: str
        AlarmType: str
        Timestamp: datetime
        HistoryItemType: str
        HistorySummary: str
        HistoryData: str
        AlarmContributorAttributes: dict[str, str]

    class AlarmPromQLCriteria(TypedDict, total=False):
        Query: Required[str]
        PendingPeriod: int
        RecoveryPeriod: int

    class AlarmTagsPropagation(TypedDict, total=False):
        Enabled: Required[bool]
        IncludedTagKeys: list[str]
        ExcludedTagKeys: list[str]

    class CompositeAlarm(TypedDict, total=False):
        ActionsEnabled: bool
        AlarmActions: list[str]
        AlarmArn: str
        AlarmConfigurationUpdatedTimestamp: datetime
        AlarmDescription: str
        AlarmName: str
        AlarmRule: str
        InsufficientDataActions: list[str]
        OKActions: list[str]
        StateReason: str
        StateReasonData: str
        StateUpdatedTimestamp: datetime
        StateValue: str
        StateTransitionedTimestamp: datetime
        ActionsSuppressedBy: str
        ActionsSuppressedReason: str
        ActionsSuppressor: str
        ActionsSuppressorWaitPeriod: int
        ActionsSuppressorExtensionPeriod: int
        ActionConfiguration: ActionConfiguration

    class DashboardEntry(TypedDict, total=False):
        DashboardName: str
        DashboardArn: str
        LastModified: datetime
        Size: int

    class DashboardValidationMessage(TypedDict, total=False):
        DataPath: str
        Message: str

    class Datapoint(TypedDict, total=False):
        Timestamp: datetime
        SampleCount: float
        Average: float
        Sum: float
        Minimum: float
        Maximum: float
        Unit: str
        ExtendedStatistics: dict[str, float]

    class DeleteAlarmsInput(TypedDict, total=False):
        AlarmNames: Required[list[str]]

    class DeleteDashboardsInput(TypedDict, total=False):
        DashboardNames: Required[list[str]]

    class DeleteDashboardsOutput(TypedDict, total=False):
        pass

    class DescribeAlarmHistoryInput(TypedDict, total=False):
        AlarmName: str
        AlarmContributorId: str
        AlarmTypes: list[str]
        HistoryItemType: str
        StartDate: datetime
        EndDate: datetime
        MaxRecords: int
        NextToken: str
        ScanBy: str

    class DescribeAlarmHistoryOutput(TypedDict, total=False):
        AlarmHistoryItems: list[AlarmHistoryItem]
        NextToken: str

    class DescribeAlarmsForMetricInput(TypedDict, total=False):
        MetricName: Required[str]
        Namespace: Required[str]
        Statistic: str
        ExtendedStatistic: str
        Dimensions: list[Dimension]
        Period: int
        Unit: str

    class DescribeAlarmsForMetricOutput(TypedDict, total=False):
        MetricAlarms: list[MetricAlarm]

    class DescribeAlarmsInput(TypedDict, total=False):
        AlarmNames: list[str]
        AlarmNamePrefix: str
        AlarmTypes: list[str]
        ChildrenOfAlarmName: str
        ParentsOfAlarmName: str
        StateValue: str
        ActionPrefix: str
        MaxRecords: int
        NextToken: str

    class DescribeAlarmsOutput(TypedDict, total=False):
        CompositeAlarms: list[CompositeAlarm]
        MetricAlarms: list[MetricAlarm]
        LogAlarms: list[LogAlarm]
        NextToken: str

    class Dimension(TypedDict, total=False):
        Name: Required[str]
        Value: Required[str]

    class DimensionFilter(TypedDict, total=False):
        Name: Required[str]
        Value: str

    class DisableAlarmActionsInput(TypedDict, total=False):
        AlarmNames: Required[list[str]]

    class EnableAlarmActionsInput(TypedDict, total=False):
        AlarmNames: Required[list[str]]

    class Entity(TypedDict, total=False):
        KeyAttributes: dict[str, str]
        Attributes: dict[str, str]

    class EntityMetricData(TypedDict, total=False):
        Entity: Entity
        MetricData: list[MetricDatum]

    class EvaluationCriteria(TypedDict, total=False):
        PromQLCriteria: AlarmPromQLCriteria

    class EvaluationWindow(TypedDict, total=False):
        WallClockWindow: WallClockWindow
        SlidingWindow: SlidingWindow

    class GetDashboardInput(TypedDict, total=False):
        DashboardName: Required[str]

    class GetDashboardOutput(TypedDict, total=False):
        DashboardArn: str
        DashboardBody: str
        DashboardName: str

    class GetMetricDataInput(TypedDict, total=False):
        MetricDataQueries: Required[list[MetricDataQuery]]
        StartTime: Required[datetime]
        EndTime: Required[datetime]
        NextToken: str
        ScanBy: str
        MaxDatapoints: int
        LabelOptions: LabelOptions

    class GetMetricDataOutput(TypedDict, total=False):
        MetricDataResults: list[MetricDataResult]
        NextToken: str
        Messages: list[MessageData]

    class GetMetricStatisticsInput(TypedDict, total=False):
        Namespace: Required[str]
        MetricName: Required[str]
        Dimensions: list[Dimension]
        StartTime: Required[datetime]
        EndTime: Required[datetime]
        Period: Required[int]
        Statistics: list[str]
        ExtendedStatistics: list[str]
        Unit: str

    class GetMetricStatisticsOutput(TypedDict, total=False):
        Label: str
        Datapoints: list[Datapoint]

    class LabelOptions(TypedDict, total=False):
        Timezone: str

    class ListDashboardsInput(TypedDict, total=False):
        DashboardNamePrefix: str
        NextToken: str

    class ListDashboardsOutput(TypedDict, total=False):
        DashboardEntries: list[DashboardEntry]
        NextToken: str

    class ListMetricsInput(TypedDict, total=False):
        Namespace: str
        MetricName: str
        Dimensions: list[DimensionFilter]
        NextToken: str
        RecentlyActive: str
        IncludeLinkedAccounts: bool
        OwningAccount: str

    class ListMetricsOutput(TypedDict, total=False):
        Metrics: list[Metric]
        NextToken: str
        OwningAccounts: list[str]

    class ListTagsForResourceInput(TypedDict, total=False):
        ResourceARN: Required[str]

    class ListTagsForResourceOutput(TypedDict, total=False):
        Tags: list[Tag]

    class LogAlarm(TypedDict, total=False):
        AlarmName: str
        AlarmArn: str
        AlarmDescription: str
        AlarmConfigurationUpdatedTimestamp: datetime
        ActionsEnabled: bool
        OKActions: list[str]
        AlarmActions: list[str]
        InsufficientDataActions: list[str]
        StateValue: str
        StateReason: str
        StateReasonData: str
        StateUpdatedTimestamp: datetime
        ScheduledQueryConfiguration: ScheduledQueryConfiguration
        QueryResultsToEvaluate: int
        QueryResultsToAlarm: int
        Threshold: float
        ComparisonOperator: str
        TreatMissingData: str
        StateTransitionedTimestamp: datetime
        EvaluationState: str
        ActionLogLineCount: int
        ActionLogLineRoleArn: str
        WarmUpConfiguration: WarmUpConfiguration
        ActionConfiguration: ActionConfiguration

    class MessageData(TypedDict, total=False):
        Code: str
        Value: str

    class Metric(TypedDict, total=False):
        Namespace: str
        MetricName: str
        Dimensions: list[Dimension]

    class MetricAlarm(TypedDict, total=False):
        AlarmName: str
        AlarmArn: str
        AlarmDescription: str
        AlarmConfigurationUpdatedTimestamp: datetime
        ActionsEnabled: bool
        OKActions: list[str]
        AlarmActions: list[str]
        InsufficientDataActions: list[str]
        StateValue: str
        StateReason: str
        StateReasonData: str
        StateUpdatedTimestamp: datetime
        MetricName: str
        Namespace: str
        Statistic: str
        ExtendedStatistic: str
        Dimensions: list[Dimension]
        Period: int
        Unit: str
        EvaluationPeriods: int
        DatapointsToAlarm: int
        Threshold: float
        ComparisonOperator: str
        TreatMissingData: str
        EvaluateLowSampleCountPercentile: str
        Metrics: list[MetricDataQuery]
        ThresholdMetricId: str
        EvaluationState: str
        StateTransitionedTimestamp: datetime
        EvaluationWindow: EvaluationWindow
        WarmUpConfiguration: WarmUpConfiguration
        EvaluationCriteria: EvaluationCriteria
        EvaluationInterval: int
        ActionConfiguration: ActionConfiguration

    class MetricDataQuery(TypedDict, total=False):
        Id: Required[str]
        MetricStat: MetricStat
        Expression: str
        Label: str
        ReturnData: bool
        Period: int
        AccountId: str

    class MetricDataResult(TypedDict, total=False):
        Id: str
        Label: str
        Timestamps: list[datetime]
        Values: list[float]
        StatusCode: str
        Messages: list[MessageData]

    class MetricDatum(TypedDict, total=False):
        MetricName: Required[str]
        Dimensions: list[Dimension]
        Timestamp: datetime
        Value: float
        StatisticValues: StatisticSet
        Values: list[float]
        Counts: list[float]
        Unit: str
        StorageResolution: int

    class MetricStat(TypedDict, total=False):
        Metric: Required[Metric]
        Period: Required[int]
        Stat: Required[str]
        Unit: str

    class PutCompositeAlarmInput(TypedDict, total=False):
        ActionsEnabled: bool
        AlarmActions: list[str]
        AlarmDescription: str
        AlarmName: Required[str]
        AlarmRule: Required[str]
        InsufficientDataActions: list[str]
        OKActions: list[str]
        Tags: list[Tag]
        ActionsSuppressor: str
        ActionsSuppressorWaitPeriod: int
        ActionsSuppressorExtensionPeriod: int
        ActionConfiguration: ActionConfiguration

    class PutDashboardInput(TypedDict, total=False):
        DashboardName: Required[str]
        DashboardBody: Required[str]
        Tags: list[Tag]

    class PutDashboardOutput(TypedDict, total=False):
        DashboardValidationMessages: list[DashboardValidationMessage]

    class PutMetricAlarmInput(TypedDict, total=False):
        AlarmName: Required[str]
        AlarmDescription: str
        ActionsEnabled: bool
        OKActions: list[str]
        AlarmActions: list[str]
        InsufficientDataActions: list[str]
        MetricName: str
        Namespace: str
        Statistic: str
        ExtendedStatistic: str
        Dimensions: list[Dimension]
        Period: int
        Unit: str
        EvaluationPeriods: int
        DatapointsToAlarm: int
        Threshold: float
        ComparisonOperator: str
        TreatMissingData: str
        EvaluateLowSampleCountPercentile: str
        Metrics: list[MetricDataQuery]
        Tags: list[Tag]
        ThresholdMetricId: str
        EvaluationWindow: EvaluationWindow
        WarmUpConfiguration: WarmUpConfiguration
        EvaluationCriteria: EvaluationCriteria
        EvaluationInterval: int
        ActionConfiguration: ActionConfiguration

    class PutMetricDataInput(TypedDict, total=False):
        Namespace: Required[str]
        MetricData: list[MetricDatum]
        EntityMetricData: list[EntityMetricData]
        StrictEntityValidation: bool

    class ScheduleConfiguration(TypedDict, total=False):
        ScheduleExpression: str
        StartTimeOffset: int
        EndTimeOffset: int

    class ScheduledQueryConfiguration(TypedDict, total=False):
        QueryString: str
        LogGroupIdentifiers: list[str]
        QueryARN: str
        ScheduledQueryRoleARN: str
        ScheduleConfiguration: ScheduleConfiguration
        AggregationExpression: str
        Tags: list[Tag]

    class SetAlarmStateInput(TypedDict, total=False):
        AlarmName: Required[str]
        StateValue: Required[str]
        StateReason: Required[str]
        StateReasonData: str

    class SlidingWindow(TypedDict, total=False):
        pass

    class StatisticSet(TypedDict, total=False):
        SampleCount: Required[float]
        Sum: Required[float]
        Minimum: Required[float]
        Maximum: Required[float]

    class Tag(TypedDict, total=False):
        Key: Required[str]
        Value: Required[str]

    class TagResourceInput(TypedDict, total=False):
        ResourceARN: Required[str]
        Tags: Required[list[Tag]]

    class TagResourceOutput(TypedDict, total=False):
        pass

    class UntagResourceInput(TypedDict, total=False):
        ResourceARN: Required[str]
        TagKeys: Required[list[str]]

    class UntagResourceOutput(TypedDict, total=False):
        pass

    class WallClockWindow(TypedDict, total=False):
        Timezone: str

    class WarmUpConfiguration(TypedDict, total=False):
        WarmUpPeriodDurationInMinutes: Required[int]
        OnlyStartEvaluatingAfterWarmUpPeriodEnds: bool

else:

    def __getattr__(name):
        if name.startswith("__"):
            raise AttributeError(name)
        return dict
