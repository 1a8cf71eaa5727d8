"""Groups: filter expressions with a name. Documented: X-Ray developer guide, groups."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from lambent.domain.arn import trace_group_arn
from lambent.domain.caller import Scope

DEFAULT = "Default"
"""The group that is always there, of every trace."""

GROUPS_MAX = 25
"""Assumed: quotas of X-Ray name 25 groups in a region (test_xray)."""


class TraceGroup(msgspec.Struct, frozen=True, omit_defaults=True):
    """A group."""

    name: str
    suffix: str
    """What its ARN ends with."""
    filter_expression: str = ""
    insights_enabled: bool = False
    """Kept and shown: nothing here looks for insights. So is the next one."""
    notifications_enabled: bool = False
    tags: dict[str, str] = {}

    def arn(self, scope: Scope) -> str:
        return trace_group_arn(scope, self.name, self.suffix)


def with_default(stored: Iterable[TraceGroup]) -> list[TraceGroup]:
    """Return the groups of a scope by name, the one that is always there first."""
    groups = {group.name: group for group in stored}
    default = groups.pop(DEFAULT, TraceGroup(DEFAULT, "default"))
    return [default, *(group for _, group in sorted(groups.items()))]


def show_group(scope: Scope, group: TraceGroup) -> Mapping[str, Any]:
    """Return a Group."""
    shown: dict[str, Any] = {"GroupName": group.name, "GroupARN": group.arn(scope)}
    if group.filter_expression:
        shown["FilterExpression"] = group.filter_expression
    shown["InsightsConfiguration"] = {
        "InsightsEnabled": group.insights_enabled,
        "NotificationsEnabled": group.notifications_enabled,
    }
    return shown
