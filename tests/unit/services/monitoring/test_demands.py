"""What operations of CloudWatch ask leave for."""

from typing import Any

import pytest

from lambent.access.authorize import Demand
from lambent.domain.caller import Caller, Scope
from lambent.domain.principal import root_of
from lambent.services.monitoring.demands import DEMANDS

CALLER = Caller(Scope("111122223333", "eu-west-1"), root_of("111122223333"), "none", "id", "http://x")
DASHBOARD = "arn:aws:cloudwatch::111122223333:dashboard/"


@pytest.mark.parametrize(
    ("operation", "request_", "expected"),
    [
        (
            "PutMetricData",
            {"Namespace": "Shop"},
            [Demand("cloudwatch:PutMetricData", context={"cloudwatch:namespace": "Shop"})],
        ),
        ("GetMetricData", {}, [Demand("cloudwatch:GetMetricData")]),
        ("GetMetricStatistics", {}, [Demand("cloudwatch:GetMetricStatistics")]),
        ("ListMetrics", {}, [Demand("cloudwatch:ListMetrics")]),
        ("ListDashboards", {}, [Demand("cloudwatch:ListDashboards")]),
        ("PutDashboard", {"DashboardName": "d"}, [Demand("cloudwatch:PutDashboard", f"{DASHBOARD}d")]),
        ("GetDashboard", {"DashboardName": "d"}, [Demand("cloudwatch:GetDashboard", f"{DASHBOARD}d")]),
        (
            "DeleteDashboards",
            {"DashboardNames": ["a", "b"]},
            [Demand("cloudwatch:DeleteDashboards", DASHBOARD + name) for name in "ab"],
        ),
    ],
)
def test_actions_resources_and_conditions(operation: str, request_: dict[str, Any], expected: list[Demand]) -> None:
    """Dashboards are named by ARN, without a region; metrics are not, and policies may ask for the namespace."""
    assert list(DEMANDS[operation](CALLER, request_)) == expected


ALARM = "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:"
TAGS = [{"Key": "team", "Value": "shop"}]
TAGGED = {"aws:requesttag/team": "shop", "aws:tagkeys": ("team",)}


@pytest.mark.parametrize(
    ("operation", "request_", "expected"),
    [
        ("PutMetricAlarm", {"AlarmName": "a"}, [("PutMetricAlarm", "a", {})]),
        (
            "PutCompositeAlarm",
            {"AlarmName": "a", "Tags": TAGS},
            [("PutCompositeAlarm", "a", TAGGED), ("TagResource", "a", TAGGED)],
        ),
        ("DescribeAlarms", {"AlarmNames": ["a"]}, [("DescribeAlarms", "*", {})]),
        ("DescribeAlarmsForMetric", {}, [("DescribeAlarmsForMetric", "*", {})]),
        ("DescribeAlarmHistory", {}, [("DescribeAlarmHistory", "*", {})]),
        ("DescribeAlarmHistory", {"AlarmName": "a"}, [("DescribeAlarmHistory", "a", {})]),
        ("SetAlarmState", {"AlarmName": "a"}, [("SetAlarmState", "a", {})]),
        *(
            (operation, {"AlarmNames": ["a", "b"]}, [(operation, "a", {}), (operation, "b", {})])
            for operation in ("DeleteAlarms", "EnableAlarmActions", "DisableAlarmActions")
        ),
        ("TagResource", {"ResourceARN": f"{ALARM}a", "Tags": TAGS}, [("TagResource", "a", TAGGED)]),
        (
            "UntagResource",
            {"ResourceARN": f"{ALARM}a", "TagKeys": ["team"]},
            [("UntagResource", "a", {"aws:tagkeys": ("team",)})],
        ),
        ("ListTagsForResource", {"ResourceARN": f"{ALARM}a"}, [("ListTagsForResource", "a", {})]),
    ],
)
def test_alarms_are_named_by_arn(
    operation: str, request_: dict[str, Any], expected: list[tuple[str, str, dict[str, Any]]]
) -> None:
    """With a region; policies may ask for the tags that a request brings."""
    found = [(one.action, one.resource, dict(one.context)) for one in DEMANDS[operation](CALLER, request_)]
    assert found == [(f"cloudwatch:{action}", ALARM + name, context) for action, name, context in expected]
