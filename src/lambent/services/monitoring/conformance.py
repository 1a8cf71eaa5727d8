"""
What becomes of each input member and each error of the CloudWatch API's model: the rows of `lambent conformance`.

A member that comes to act moves to `acting`, and a test with a real client is to send it.
"""

from lambent.services.conformance.judgement import Judgements

_ACTIONS = "ActionsEnabled AlarmActions InsufficientDataActions OKActions"
_TAGS = "Tags[].Key Tags[].Value"
_NOT_PLANNED = "anomaly detection, PromQL, warm-up periods and windows are not planned"

JUDGEMENTS = Judgements(
    acting={
        "DeleteAlarms": "AlarmNames",
        "DeleteDashboards": "DashboardNames",
        "DescribeAlarmHistory": (
            "AlarmName AlarmTypes HistoryItemType StartDate EndDate MaxRecords NextToken ScanBy AlarmContributorId"
        ),
        "DescribeAlarms": (
            "AlarmNames AlarmNamePrefix AlarmTypes ChildrenOfAlarmName ParentsOfAlarmName StateValue ActionPrefix "
            "MaxRecords NextToken"
        ),
        "DescribeAlarmsForMetric": (
            "MetricName Namespace Statistic ExtendedStatistic Dimensions[].Name Dimensions[].Value Period Unit"
        ),
        "DisableAlarmActions": "AlarmNames",
        "EnableAlarmActions": "AlarmNames",
        "GetDashboard": "DashboardName",
        "GetMetricData": (
            "MetricDataQueries[].Id MetricDataQueries[].MetricStat MetricDataQueries[].Expression "
            "MetricDataQueries[].Label MetricDataQueries[].ReturnData MetricDataQueries[].Period "
            "MetricDataQueries[].AccountId StartTime EndTime NextToken ScanBy MaxDatapoints LabelOptions.Timezone"
        ),
        "GetMetricStatistics": (
            "Namespace MetricName Dimensions[].Name Dimensions[].Value StartTime EndTime Period Statistics "
            "ExtendedStatistics Unit"
        ),
        "ListDashboards": "DashboardNamePrefix NextToken",
        "ListMetrics": (
            "Namespace MetricName Dimensions[].Name Dimensions[].Value NextToken RecentlyActive IncludeLinkedAccounts "
            "OwningAccount"
        ),
        "ListTagsForResource": "ResourceARN",
        "PutCompositeAlarm": f"AlarmName AlarmRule AlarmDescription {_ACTIONS} {_TAGS}",
        "PutDashboard": "DashboardName DashboardBody",
        "PutMetricAlarm": (
            f"AlarmName AlarmDescription {_ACTIONS} MetricName Namespace Statistic ExtendedStatistic Dimensions[].Name "
            "Dimensions[].Value Period Unit EvaluationPeriods DatapointsToAlarm Threshold ComparisonOperator "
            "TreatMissingData EvaluateLowSampleCountPercentile Metrics[].Id Metrics[].MetricStat Metrics[].Expression "
            f"Metrics[].Label Metrics[].ReturnData Metrics[].Period Metrics[].AccountId {_TAGS}"
        ),
        "PutMetricData": (
            "Namespace MetricData[].MetricName MetricData[].Dimensions MetricData[].Timestamp MetricData[].Value "
            "MetricData[].StatisticValues MetricData[].Values MetricData[].Counts MetricData[].Unit "
            "MetricData[].StorageResolution EntityMetricData[].MetricData"
        ),
        "SetAlarmState": "AlarmName StateValue StateReason StateReasonData",
        "TagResource": f"ResourceARN {_TAGS}",
        "UntagResource": "ResourceARN TagKeys",
    },
    remarks={
        "MetricDataQueries[].Expression": "metric math without anomaly detection and other services' figures; no SQL",
        "AlarmActions": "functions; other actions are refused, or stored with --accept-inert",
        "AlarmContributorId": "alarms have no contributors: naming one lists nothing",
        "InsufficientDataActions": "functions; other actions are refused, or stored with --accept-inert",
        "Metrics[].AccountId": "the caller's own account",
        "OKActions": "functions; other actions are refused, or stored with --accept-inert",
        "PutMetricAlarm:ComparisonOperator": "not the operators of anomaly detection",
        "MetricDataQueries[].AccountId": "the caller's own account",
        "OwningAccount": "no account shares metrics with another",
    },
    echoed={},
    taken={
        "EntityMetricData[].Entity": "metrics are stored, and belong to no entity",
        "StrictEntityValidation": "metrics belong to no entity, so none is wrong",
    },
    refused={
        "ActionConfiguration": "what actions send has no tags",
        "ActionsSuppressor": "actions are not suppressed by other alarms",
        "ActionsSuppressorExtensionPeriod": "actions are not suppressed by other alarms",
        "ActionsSuppressorWaitPeriod": "actions are not suppressed by other alarms",
        "EvaluationCriteria": _NOT_PLANNED,
        "EvaluationInterval": _NOT_PLANNED,
        "EvaluationWindow": _NOT_PLANNED,
        "PutDashboard:Tags": "dashboards have no tags",
        "ThresholdMetricId": _NOT_PLANNED,
        "WarmUpConfiguration": _NOT_PLANNED,
    },
    given=(
        "DashboardInvalidInputError DashboardNotFoundError InvalidFormatFault InvalidNextToken "
        "InvalidParameterCombinationException InvalidParameterValueException LimitExceededFault "
        "MissingRequiredParameterException ResourceConflict ResourceNotFound ResourceNotFoundException "
        "ValidationException"
    ),
    never={
        "no operation that is offered has it": (
            "KmsAccessDeniedException KmsKeyDisabledException KmsKeyNotFoundException LimitExceededException"
        ),
        "changes of one alarm wait for each other": "ConcurrentModificationException ConflictException",
        "our own mistakes are answered as ServiceException of the front door": "InternalServiceFault",
    },
    shown_otherwise={
        "LimitExceededFault": "unit/services/monitoring/test_metric_data.py",
        "ListDashboards:NextToken": "unit/services/monitoring/test_dashboards.py",
    },
)
