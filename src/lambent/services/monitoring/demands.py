"""What each operation of CloudWatch asks leave for. Documented: service authorization reference, Amazon CloudWatch."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.access.authorize import Demand
from lambent.access.conditions import of_tag_keys, of_tags
from lambent.domain.alarm import alarm_arn
from lambent.domain.caller import Caller
from lambent.domain.policy import Value
from lambent.services.monitoring.dashboards import dashboard_arn
from lambent.services.operation import Demands


def _anywhere(operation: str) -> Demands:
    return lambda _caller, _request: (Demand(f"cloudwatch:{operation}"),)


def _put_data(_: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    return (Demand("cloudwatch:PutMetricData", context={"cloudwatch:namespace": request["Namespace"]}),)


def _on_dashboard(operation: str) -> Demands:
    return lambda caller, request: (
        Demand(f"cloudwatch:{operation}", dashboard_arn(caller.scope.account, request["DashboardName"])),
    )


def _delete_dashboards(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    return [
        Demand("cloudwatch:DeleteDashboards", dashboard_arn(caller.scope.account, name))
        for name in request["DashboardNames"]
    ]


def _on_alarm(operation: str) -> Demands:
    return lambda caller, request: (Demand(f"cloudwatch:{operation}", alarm_arn(caller.scope, request["AlarmName"])),)


def _on_alarms(operation: str) -> Demands:
    return lambda caller, request: [
        Demand(f"cloudwatch:{operation}", alarm_arn(caller.scope, name)) for name in request["AlarmNames"]
    ]


def _on_all_alarms(operation: str) -> Demands:
    return lambda caller, _: (Demand(f"cloudwatch:{operation}", alarm_arn(caller.scope, "*")),)


def _history(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    arn = alarm_arn(caller.scope, request.get("AlarmName", "*"))
    return (Demand("cloudwatch:DescribeAlarmHistory", arn),)


def _put_alarm(operation: str) -> Demands:
    def demands(caller: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
        arn, tags = alarm_arn(caller.scope, request["AlarmName"]), _tags(request)
        putting = Demand(f"cloudwatch:{operation}", arn, context=tags)
        # Documented: CloudWatch API reference, PutMetricAlarm: tags take leave for TagResource as well.
        return (putting, Demand("cloudwatch:TagResource", arn, context=tags)) if tags else (putting,)

    return demands


def _tag(_: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    return (Demand("cloudwatch:TagResource", _resource(request), context=_tags(request)),)


def _untag(_: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    return (Demand("cloudwatch:UntagResource", _resource(request), context=of_tag_keys(request["TagKeys"])),)


def _list_tags(_: Caller, request: Mapping[str, Any]) -> Sequence[Demand]:
    return (Demand("cloudwatch:ListTagsForResource", _resource(request)),)


def _resource(request: Mapping[str, Any]) -> str:
    """Return the ARN that a request names; the operation says what it thinks of what is none."""
    arn: str = request["ResourceARN"]
    return arn if arn.startswith("arn:") else "*"


def _tags(request: Mapping[str, Any]) -> Mapping[str, Value]:
    return of_tags({tag["Key"]: tag["Value"] for tag in request.get("Tags") or ()})


DEMANDS: Mapping[str, Demands] = {
    "DeleteAlarms": _on_alarms("DeleteAlarms"),
    "DeleteDashboards": _delete_dashboards,
    "DescribeAlarmHistory": _history,
    "DescribeAlarms": _on_all_alarms("DescribeAlarms"),
    "DescribeAlarmsForMetric": _on_all_alarms("DescribeAlarmsForMetric"),
    "DisableAlarmActions": _on_alarms("DisableAlarmActions"),
    "EnableAlarmActions": _on_alarms("EnableAlarmActions"),
    "GetDashboard": _on_dashboard("GetDashboard"),
    "GetMetricData": _anywhere("GetMetricData"),
    "GetMetricStatistics": _anywhere("GetMetricStatistics"),
    "ListDashboards": _anywhere("ListDashboards"),
    "ListMetrics": _anywhere("ListMetrics"),
    "ListTagsForResource": _list_tags,
    "PutCompositeAlarm": _put_alarm("PutCompositeAlarm"),
    "PutDashboard": _on_dashboard("PutDashboard"),
    "PutMetricAlarm": _put_alarm("PutMetricAlarm"),
    "PutMetricData": _put_data,
    "SetAlarmState": _on_alarm("SetAlarmState"),
    "TagResource": _tag,
    "UntagResource": _untag,
}
"""What each operation that is offered asks leave for."""
