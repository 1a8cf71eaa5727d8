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
