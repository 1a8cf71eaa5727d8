"""
Dashboards: documents that consoles draw. Kept and shown, not drawn.

Documented: CloudWatch API reference, PutDashboard and its neighbours; user guide, dashboard body structure.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.errors.api.monitoring import (
    DashboardInvalidInputError,
    DashboardNotFoundError,
    InvalidParameterValueException,
)
from lambent.protocol.shapes.monitoring import (
    DeleteDashboardsInput,
    GetDashboardInput,
    ListDashboardsInput,
    PutDashboardInput,
)
from lambent.services.monitoring.refusals import invalid_token
from lambent.services.operation import operation
from lambent.store.metrics_contract import Dashboard, DashboardStore

DASHBOARDS_MAX = 500
"""Of one account. Assumed: AWS has no limit for them any more, and a disk has one (test_dashboards)."""
_BODY_MAX_BYTES = 1_000_000
"""Assumed: a hundred times what consoles write (test_dashboards)."""
_PAGE = 1_000
"""Documented: CloudWatch API reference, ListDashboards."""
_DELETED_MAX = 100
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_WIDGETS_MAX = 500
"""Documented: CloudWatch user guide, quotas."""


class Dashboards:
    """The dashboards of an account."""

    def __init__(self, store: DashboardStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("PutDashboard")
    async def put(self, caller: Caller, request: PutDashboardInput) -> Mapping[str, Any]:
        name, body = request["DashboardName"], request["DashboardBody"]
        if request.get("Tags"):
            raise InvalidParameterValueException("Tags of dashboards are not offered by this version of Lambent.")
        _check_name(name)
        _check_body(body)
        kept = await self._store.put(
            caller.scope.account, Dashboard(name, body, self._clock.now()), most=DASHBOARDS_MAX
        )
        if not kept:
            raise DashboardInvalidInputError(f"The account has {DASHBOARDS_MAX} dashboards already.")
        return {"DashboardValidationMessages": []}

    @operation("GetDashboard")
    async def get(self, caller: Caller, request: GetDashboardInput) -> Mapping[str, Any]:
        name = request["DashboardName"]
        dashboard = await self._store.get(caller.scope.account, name)
        if dashboard is None:
            raise _not_found(name)
        return {
            "DashboardArn": dashboard_arn(caller.scope.account, name),
            "DashboardBody": dashboard.body,
            "DashboardName": name,
        }

    @operation("ListDashboards")
    async def list(self, caller: Caller, request: ListDashboardsInput) -> Mapping[str, Any]:
        account = caller.scope.account
        dashboards = await self._store.list(
            account,
            prefix=request.get("DashboardNamePrefix") or "",
            after=_name_in(request.get("NextToken")),
            limit=_PAGE + 1,
        )
        page = dashboards[:_PAGE]
        entries = [
            {
                "DashboardName": one.name,
                "DashboardArn": dashboard_arn(account, one.name),
                "LastModified": datetime.fromtimestamp(one.modified_s, UTC),
                "Size": len(one.body.encode()),
            }
            for one in page
        ]
        token = base64.urlsafe_b64encode(page[-1].name.encode()).decode() if len(dashboards) > _PAGE else None
        return {"DashboardEntries": entries, "NextToken": token}

    @operation("DeleteDashboards")
    async def delete(self, caller: Caller, request: DeleteDashboardsInput) -> Mapping[str, Any]:
        names = request["DashboardNames"]
        if not 0 < len(names) <= _DELETED_MAX:
            raise InvalidParameterValueException(f"DashboardNames takes from 1 to {_DELETED_MAX} names.")
        # Documented: as many as can be are deleted.
        missing = await self._store.delete(caller.scope.account, names)
        if missing:
            raise _not_found(", ".join(missing))
        return {}


def dashboard_arn(account: str, name: str) -> str:
    """Return a dashboard's ARN, which has no region."""
    return f"arn:aws:cloudwatch::{account}:dashboard/{name}"


def _not_found(name: str) -> DashboardNotFoundError:
    """Observed: field reports of the text."""
    return DashboardNotFoundError(f"Dashboard {name} does not exist")


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None:
        # Observed: recordings of the service, the line's end included.
        raise DashboardInvalidInputError(
            "The value for field DashboardName contains invalid characters. It can only contain alphanumerics, dash "
            "(-) and underscore (_).\n"
        )


def _check_body(body: str) -> None:
    """Refuse what no console could draw. Assumed: texts (test_dashboards)."""
    if len(body) > _BODY_MAX_BYTES:
        raise DashboardInvalidInputError(f"The dashboard body is longer than {_BODY_MAX_BYTES} characters")
    problem = None
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        problem = ("/", "The field DashboardBody must be a valid JSON object")
    else:
        widgets = document.get("widgets") if isinstance(document, dict) else None
        if not isinstance(widgets, list):
            problem = ("/", "Should have required property 'widgets', which is an array")
        elif len(widgets) > _WIDGETS_MAX:
            problem = ("/widgets", f"Should have no more than {_WIDGETS_MAX} items")
        else:
            for number, widget in enumerate(widgets):
                if not isinstance(widget, dict) or not isinstance(widget.get("type"), str):
                    problem = (f"/widgets/{number}", "Should have required property 'type'")
                    break
    if problem is not None:
        path, text = problem
        raise DashboardInvalidInputError(
            "The dashboard body is invalid",
            fields={"dashboardValidationMessages": [{"DataPath": path, "Message": text}]},
        )


def _name_in(token: str | None) -> str:
    if token is None:
        return ""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        raise invalid_token() from None
