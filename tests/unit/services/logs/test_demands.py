"""What each operation of CloudWatch Logs asks leave for."""

from collections.abc import Mapping

import pytest

from lambent.domain.caller import Caller, Scope
from lambent.domain.pattern import compile_pattern
from lambent.domain.principal import root_of
from lambent.services.logs.demands import DEMANDS

A = "111122223333"
CALLER = Caller(Scope(A, "eu-west-1"), root_of(A), "signature", "id", "https://x")
BASE = f"arn:aws:logs:eu-west-1:{A}:log-group:"
GROUP = "/aws/lambda/f"


@pytest.mark.parametrize(
    ("operation", "request_", "resource"),
    [
        ("DescribeLogGroups", {}, f"{BASE}:log-stream:"),
        ("DescribeLogStreams", {"logGroupName": GROUP}, f"{BASE}{GROUP}:log-stream:"),
        ("DescribeLogStreams", {"logGroupIdentifier": f"{BASE}{GROUP}:*"}, f"{BASE}{GROUP}:log-stream:"),
        (
            "FilterLogEvents",
            {"logGroupIdentifier": f"{BASE}{GROUP}".replace(A, "444455556666")},
            f"{BASE}{GROUP}:log-stream:".replace(A, "444455556666"),
        ),
        ("FilterLogEvents", {"logGroupIdentifier": "?"}, f"{BASE}:log-stream:"),
        ("PutRetentionPolicy", {"logGroupName": GROUP}, f"{BASE}{GROUP}:log-stream:"),
        ("DeleteLogGroup", {"logGroupName": GROUP}, f"{BASE}{GROUP}:log-stream:"),
        ("GetLogGroupFields", {"logGroupName": GROUP}, f"{BASE}{GROUP}:log-stream:"),
        ("StartQuery", {"logGroupName": GROUP}, f"{BASE}{GROUP}:log-stream:"),
        ("StartQuery", {}, f"{BASE}:log-stream:"),
        ("GetQueryResults", {"queryId": "q"}, "*"),
        ("DescribeMetricFilters", {}, f"{BASE}:log-stream:"),
        ("DescribeMetricFilters", {"logGroupName": GROUP}, f"{BASE}{GROUP}:log-stream:"),
        ("PutSubscriptionFilter", {"logGroupName": GROUP}, f"{BASE}{GROUP}:log-stream:"),
        ("TestMetricFilter", {}, "*"),
        ("GetLogEvents", {"logGroupName": GROUP, "logStreamName": "s"}, f"{BASE}{GROUP}:log-stream:s"),
        ("PutLogEvents", {"logGroupName": GROUP, "logStreamName": "s"}, f"{BASE}{GROUP}:log-stream:s"),
        ("CreateLogStream", {"logGroupName": GROUP, "logStreamName": "s"}, f"{BASE}{GROUP}:log-stream:"),
        ("CreateLogGroup", {"logGroupName": GROUP}, f"{BASE}{GROUP}:log-stream:"),
        ("ListTagsForResource", {"resourceArn": f"{BASE}{GROUP}"}, f"{BASE}{GROUP}:log-stream:"),
        ("AssociateKmsKey", {"resourceIdentifier": f"{BASE}{GROUP}"}, f"{BASE}{GROUP}:log-stream:"),
        ("ListLogGroups", {}, f"{BASE}:log-stream:"),
        ("PutResourcePolicy", {"policyName": "p"}, "*"),
    ],
)
def test_demands(operation: str, request_: Mapping[str, str], resource: str) -> None:
    (demand,) = DEMANDS[operation](CALLER, request_)
    assert (demand.action, demand.resource) == (f"logs:{operation}", resource)


def test_each_of_several_groups_is_demanded() -> None:
    """By name or by ARN, for a query and for a live tail."""
    other = f"{BASE}g".replace(A, "444455556666")
    for operation, member in (("StartQuery", "logGroupIdentifiers"), ("StartLiveTail", "logGroupIdentifiers")):
        demands = DEMANDS[operation](CALLER, {member: [f"{BASE}{GROUP}", other]})
        assert [demand.resource for demand in demands] == [f"{BASE}{GROUP}:log-stream:", f"{other}:log-stream:"]
        assert {demand.action for demand in demands} == {f"logs:{operation}"}
    demands = DEMANDS["StartQuery"](CALLER, {"logGroupNames": ["a", "b"]})
    assert [demand.resource for demand in demands] == [f"{BASE}a:log-stream:", f"{BASE}b:log-stream:"]


def test_policies_name_groups_with_a_star_behind() -> None:
    """As everybody writes them; without it they allow nothing of a group."""
    (demand,) = DEMANDS["FilterLogEvents"](CALLER, {"logGroupName": GROUP})
    assert compile_pattern(f"{BASE}{GROUP}:*").matches(demand.resource)
    assert not compile_pattern(f"{BASE}{GROUP}").matches(demand.resource)


def test_a_group_with_tags_asks_for_tagging_too() -> None:
    """Leave to make groups is not leave to tag them."""
    demands = DEMANDS["CreateLogGroup"](CALLER, {"logGroupName": GROUP, "tags": {"a": "b"}})
    assert [demand.action for demand in demands] == ["logs:CreateLogGroup", "logs:TagResource"]
