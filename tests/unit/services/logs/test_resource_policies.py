"""Resource policies: kept and shown, ten of them."""

from typing import Any

import pytest

POLICY = '{"Version": "2012-10-17", "Statement": []}'


def test_policies_are_put_shown_and_deleted(logs: Any, refusal: Any) -> None:
    """By name, in pages; putting again replaces."""
    shown = {
        "policyName": "a",
        "policyDocument": POLICY,
        "lastUpdatedTime": int(logs.now * 1000),
        "policyScope": "ACCOUNT",
    }
    assert logs.call("PutResourcePolicy", policyName="a", policyDocument=POLICY) == {"resourcePolicy": shown}
    for name in ("c", "b"):
        logs.call("PutResourcePolicy", policyName=name, policyDocument=POLICY)
    first = logs.call("DescribeResourcePolicies", limit=2)
    assert [policy["policyName"] for policy in first["resourcePolicies"]] == ["a", "b"]
    second = logs.call("DescribeResourcePolicies", limit=2, nextToken=first["nextToken"])
    assert [policy["policyName"] for policy in second["resourcePolicies"]] == ["c"]
    assert "nextToken" not in second
    assert logs.call("DescribeResourcePolicies", policyScope="RESOURCE") == {"resourcePolicies": []}
    assert logs.call("DeleteResourcePolicy", policyName="a") == {}
    assert refusal("DeleteResourcePolicy", policyName="a")[0] == "ResourceNotFoundException"


def test_there_are_at_most_ten(logs: Any, refusal: Any) -> None:
    """One more is refused; one of those that are there can still be replaced."""
    for number in range(10):
        logs.call("PutResourcePolicy", policyName=f"p{number}", policyDocument=POLICY)
    assert refusal("PutResourcePolicy", policyName="more", policyDocument=POLICY)[0] == "LimitExceededException"
    logs.call("PutResourcePolicy", policyName="p3", policyDocument=POLICY)
    assert len(logs.call("DescribeResourcePolicies")["resourcePolicies"]) == 10


@pytest.mark.parametrize(
    "request_",
    [
        {"policyName": "a", "policyDocument": "no JSON"},
        {"policyName": "a", "policyDocument": "[]"},
        {"policyName": "a", "policyDocument": "{}"},
        {"policyName": "a", "policyDocument": POLICY + " " * 5_120},
        {"policyDocument": POLICY},
        {"policyName": "a", "policyDocument": POLICY, "resourceArn": "arn:aws:logs:eu-west-1:1:log-group:g"},
        {"policyName": "a", "policyDocument": POLICY, "expectedRevisionId": "1"},
    ],
)
def test_what_is_no_policy_of_an_account_is_refused(refusal: Any, request_: Any) -> None:
    """No JSON, no statements, too long, without a name; policies of groups are not offered."""
    assert refusal("PutResourcePolicy", **request_)[0] == "InvalidParameterException"
