"""DescribeLogGroups and ListLogGroups."""

from typing import Any

import pytest

from lambent.services.logs import groups

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


def test_groups_are_listed_by_the_small_pattern_and_by_tags(logs: Any, refusal: Any) -> None:
    """ListLogGroups: parts of names, beginnings after ^, any of them; tags with their values; classes; pages."""
    for name, tags in (("/aws/lambda/orders", {"team": "a"}), ("/aws/lambda/users", {"team": "b"}), ("orders", {})):
        logs.call("CreateLogGroup", logGroupName=name, **({"tags": tags} if tags else {}))
    logs.call("CreateLogGroup", logGroupName="rare", logGroupClass="INFREQUENT_ACCESS")

    def listed(**request: Any) -> list[str]:
        return names(logs.call("ListLogGroups", **request))

    assert logs.call("ListLogGroups", limit=1)["logGroups"] == [
        {
            "logGroupName": "/aws/lambda/orders",
            "logGroupArn": f"{ARN}/aws/lambda/orders",
            "logGroupClass": "STANDARD",
        }
    ]
    assert listed(logGroupNamePattern="orders") == ["/aws/lambda/orders", "orders"]
    assert listed(logGroupNamePattern="^orders|users") == ["/aws/lambda/users", "orders"]
    assert listed(logGroupNamePattern="^nobody") == []
    assert listed(logGroupTags=[{"key": "team"}]) == ["/aws/lambda/orders", "/aws/lambda/users"]
    assert listed(logGroupTags=[{"key": "team", "values": ["b", "c"]}]) == ["/aws/lambda/users"]
    assert listed(logGroupClass="INFREQUENT_ACCESS") == ["rare"]
    assert listed(accountIdentifiers=["444455556666"]) == []
    found, token = [], {}
    while True:
        page = logs.call("ListLogGroups", limit=2, **token)
        found += names(page)
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert found == ["/aws/lambda/orders", "/aws/lambda/users", "orders", "rare"]
    assert refusal("ListLogGroups", fieldIndexNames=["x"])[0] == "InvalidParameterException"


def test_a_long_search_for_groups_answers_in_between(logs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many groups so many are looked at in one call; the token goes on behind them."""
    monkeypatch.setattr(groups, "_LOOK_AT_ONCE", 2)
    monkeypatch.setattr(groups, "_LOOK_AT_MAX", 4)
    for number in range(9):
        logs.write("x", group=f"group-{number}")
    first = logs.call("ListLogGroups", logGroupNamePattern="group-8")
    assert first["logGroups"] == []
    second = logs.call("ListLogGroups", logGroupNamePattern="group-8", nextToken=first["nextToken"])
    third = logs.call("ListLogGroups", logGroupNamePattern="group-8", nextToken=second["nextToken"])
    assert names(third) == ["group-8"]
    assert "nextToken" not in third
