"""What each operation of CloudWatch asks leave for. Documented: service authorization reference, Amazon CloudWatch."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.access.authorize import Demand
from lambent.domain.caller import Caller
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


DEMANDS: Mapping[str, Demands] = {
    "DeleteDashboards": _delete_dashboards,
    "GetDashboard": _on_dashboard("GetDashboard"),
    "GetMetricData": _anywhere("GetMetricData"),
    "GetMetricStatistics": _anywhere("GetMetricStatistics"),
    "ListDashboards": _anywhere("ListDashboards"),
    "ListMetrics": _anywhere("ListMetrics"),
    "PutDashboard": _on_dashboard("PutDashboard"),
    "PutMetricData": _put_data,
}
"""What each operation that is offered asks leave for."""
