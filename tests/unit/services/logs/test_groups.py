"""DescribeLogGroups, DeleteLogGroup and PutRetentionPolicy."""

from typing import Any

import pytest

NO_GROUP = ("ResourceNotFoundException", "The specified log group does not exist.")
ARN = "arn:aws:logs:eu-west-1:111122223333:log-group:"


def names(answer: Any) -> list[str]:
    return [group["logGroupName"] for group in answer["logGroups"]]


def test_a_group_is_described_in_full(logs: Any) -> None:
    """A group shows both spellings of its ARN; retention only when it has one."""
    logs.write("12345", 1000, group="/aws/lambda/f")
    group = {
        "logGroupName": "/aws/lambda/f",
        "creationTime": 1005,
        "metricFilterCount": 0,
        "arn": f"{ARN}/aws/lambda/f:*",
        "storedBytes": 31,
        "logGroupClass": "STANDARD",
        "logGroupArn": f"{ARN}/aws/lambda/f",
        "deletionProtectionEnabled": False,
    }
    assert logs.call("DescribeLogGroups") == {"logGroups": [group]}
    assert logs.call("PutRetentionPolicy", logGroupName="/aws/lambda/f", retentionInDays=7) == {}
    assert logs.call("DescribeLogGroups") == {"logGroups": [{**group, "retentionInDays": 7}]}


def test_a_search_by_pattern_shows_less(logs: Any) -> None:
    """With logGroupNamePattern, case counts, and stored bytes and deletion protection are left out."""
    logs.write("x", group="orders")
    logs.write("x", group="ORDERS")
    (group,) = logs.call("DescribeLogGroups", logGroupNamePattern="rder")["logGroups"]
    assert group["logGroupName"] == "orders"
    assert {"storedBytes", "deletionProtectionEnabled"}.isdisjoint(group)


def test_groups_come_in_pages(logs: Any, refusal: Any) -> None:
    """Pages go by name; the last has no token; a foreign token is refused."""
    for name in ("c", "a", "b"):
        logs.write("x", group=name)
    first = logs.call("DescribeLogGroups", limit=2)
    assert names(first) == ["a", "b"]
    second = logs.call("DescribeLogGroups", limit=2, nextToken=first["nextToken"])
    assert names(second) == ["c"]
    assert "nextToken" not in second
    assert refusal("DescribeLogGroups", nextToken="?") == (
        "InvalidParameterException",
        "The specified nextToken is invalid.",
    )


def test_groups_are_narrowed(logs: Any, refusal: Any) -> None:
    """By prefix, by pattern or by identifiers, one at a time; accounts and classes that are not here have none."""
    for name in ("ab", "b", "c"):
        logs.write("x", group=name)
    assert names(logs.call("DescribeLogGroups", logGroupNamePrefix="a")) == ["ab"]
    assert names(logs.call("DescribeLogGroups", logGroupNamePattern="b")) == ["ab", "b"]
    identifiers = [f"{ARN}c", "b", "nobody", "arn:aws:logs:us-east-1:111122223333:log-group:ab"]
    assert names(logs.call("DescribeLogGroups", logGroupIdentifiers=identifiers)) == ["b", "c"]
    assert names(logs.call("DescribeLogGroups", logGroupClass="INFREQUENT_ACCESS")) == []
    assert names(logs.call("DescribeLogGroups", logGroupClass="STANDARD")) == ["ab", "b", "c"]
    assert names(logs.call("DescribeLogGroups", accountIdentifiers=["444455556666"])) == []
    assert refusal("DescribeLogGroups", logGroupNamePrefix="a", logGroupNamePattern="b") == (
        "InvalidParameterException",
        "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
    )
    code, _ = refusal("DescribeLogGroups", logGroupNamePrefix="a", logGroupIdentifiers=["b"])
    assert code == "InvalidParameterException"


def test_deleting_takes_what_was_written_before(logs: Any, refusal: Any) -> None:
    """What is still in the segment files goes with the group and does not bring it back."""
    logs.write("x")
    assert logs.call("DeleteLogGroup", logGroupName="g") == {}
    assert logs.call("DescribeLogGroups") == {"logGroups": []}
    assert refusal("DeleteLogGroup", logGroupName="g") == NO_GROUP


@pytest.mark.parametrize("days", [0, -1, 2, 31, 3654])
def test_only_certain_retentions_exist(logs: Any, refusal: Any, days: int) -> None:
    """Days that AWS does not know are refused with the list of those that it does."""
    logs.write("x")
    code, text = refusal("PutRetentionPolicy", logGroupName="g", retentionInDays=days)
    assert code == "InvalidParameterException"
    assert "3653" in text


def test_retention_needs_a_group(refusal: Any) -> None:
    """An absent group has no retention."""
    assert refusal("PutRetentionPolicy", logGroupName="nobody", retentionInDays=1) == NO_GROUP
