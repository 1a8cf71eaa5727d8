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

    class DeleteDashboardsInput(TypedDict, total=False):
        DashboardNames: Required[list[str]]

    class DeleteDashboardsOutput(TypedDict, total=False):
        pass

    class Dimension(TypedDict, total=False):
        Name: Required[str]
        Value: Required[str]

    class DimensionFilter(TypedDict, total=False):
        Name: Required[str]
        Value: str

    class Entity(TypedDict, total=False):
        KeyAttributes: dict[str, str]
        Attributes: dict[str, str]

    class EntityMetricData(TypedDict, total=False):
        Entity: Entity
        MetricData: list[MetricDatum]

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

    class MessageData(TypedDict, total=False):
        Code: str
        Value: str

    class Metric(TypedDict, total=False):
        Namespace: str
        MetricName: str
        Dimensions: list[Dimension]

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

    class PutDashboardInput(TypedDict, total=False):
        DashboardName: Required[str]
        DashboardBody: Required[str]
        Tags: list[Tag]

    class PutDashboardOutput(TypedDict, total=False):
        DashboardValidationMessages: list[DashboardValidationMessage]

    class PutMetricDataInput(TypedDict, total=False):
        Namespace: Required[str]
        MetricData: list[MetricDatum]
        EntityMetricData: list[EntityMetricData]
        StrictEntityValidation: bool

    class StatisticSet(TypedDict, total=False):
        SampleCount: Required[float]
        Sum: Required[float]
        Minimum: Required[float]
        Maximum: Required[float]

    class Tag(TypedDict, total=False):
        Key: Required[str]
        Value: Required[str]

else:

    def __getattr__(name):
        if name.startswith("__"):
            raise AttributeError(name)
        return dict
