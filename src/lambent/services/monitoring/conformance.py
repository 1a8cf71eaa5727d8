"""
What becomes of each input member and each error of the CloudWatch API's model: the rows of `lambent conformance`.

A member that comes to act moves to `acting`, and a test with a real client is to send it.
"""

from lambent.services.conformance.judgement import Judgements

JUDGEMENTS = Judgements(
    acting={
        "DeleteDashboards": "DashboardNames",
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
        "PutDashboard": "DashboardName DashboardBody",
        "PutMetricData": (
            "Namespace MetricData[].MetricName MetricData[].Dimensions MetricData[].Timestamp MetricData[].Value "
            "MetricData[].StatisticValues MetricData[].Values MetricData[].Counts MetricData[].Unit "
            "MetricData[].StorageResolution EntityMetricData[].MetricData"
        ),
    },
    remarks={
        "MetricDataQueries[].Expression": "metric math without anomaly detection and other services' figures; no SQL",
        "MetricDataQueries[].AccountId": "the caller's own account",
        "OwningAccount": "no account shares metrics with another",
    },
    echoed={},
    taken={
        "EntityMetricData[].Entity": "metrics are stored, and belong to no entity",
        "StrictEntityValidation": "metrics belong to no entity, so none is wrong",
    },
    refused={
        "PutDashboard:Tags": "dashboards have no tags",
    },
    given=(
        "DashboardInvalidInputError DashboardNotFoundError InvalidNextToken InvalidParameterCombinationException "
        "InvalidParameterValueException LimitExceededFault MissingRequiredParameterException ResourceNotFound "
        "ValidationException"
    ),
    never={
        "no operation that is offered has it": (
            "ConcurrentModificationException ConflictException InvalidFormatFault KmsAccessDeniedException "
            "KmsKeyDisabledException KmsKeyNotFoundException LimitExceededException ResourceConflict "
            "ResourceNotFoundException"
        ),
        "our own mistakes are answered as ServiceException of the front door": "InternalServiceFault",
    },
    shown_otherwise={
        "LimitExceededFault": "unit/services/monitoring/test_metric_data.py",
        "ListDashboards:NextToken": "unit/services/monitoring/test_dashboards.py",
    },
)
