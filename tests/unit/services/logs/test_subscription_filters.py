"""PutSubscriptionFilter, DescribeSubscriptionFilters and DeleteSubscriptionFilter."""

from typing import Any

import pytest

NO_GROUP = ("ResourceNotFoundException", "The specified log group does not exist.")
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:"
STREAM = "arn:aws:kinesis:eu-west-1:111122223333:stream/s"


@pytest.fixture
def known(logs: Any) -> Any:
    """Functions `f` and `g`, which let CloudWatch Logs in, and `closed`, which does not."""
    logs.functions = {f"{FUNCTION}{name}" for name in ("f", "g", "closed")}
    logs.open_functions = {f"{FUNCTION}{name}" for name in ("f", "g")}
    return logs


def request(name: str = "errors", group: str = "orders", target: str = f"{FUNCTION}f", **more: Any) -> dict[str, Any]:
    return {"logGroupName": group, "filterName": name, "filterPattern": "ERROR", "destinationArn": target, **more}


def test_a_filter_is_described_as_it_was_put(known: Any) -> None:
    """And replaced by one of its name."""
    known.write("x", group="orders")
    assert known.call("PutSubscriptionFilter", **request()) == {}
    shown = {
        **request(),
        "distribution": "ByLogStream",
        "applyOnTransformedLogs": False,
        "creationTime": 1_795_000_000_000,
    }
    assert known.call("DescribeSubscriptionFilters", logGroupName="orders") == {"subscriptionFilters": [shown]}
    known.created_ms += 1
    known.call("PutSubscriptionFilter", **request(target=f"{FUNCTION}g", distribution="Random"))
    shown |= {"destinationArn": f"{FUNCTION}g", "distribution": "Random"}
    assert known.call("DescribeSubscriptionFilters", logGroupName="orders") == {"subscriptionFilters": [shown]}


def test_a_group_has_two(known: Any, refusal: Any) -> None:
    """A third is refused; they are shown in pages by name; replacing one needs no room."""
    known.write("x", group="orders")
    for name in ("b", "a"):
        known.call("PutSubscriptionFilter", **request(name))
    assert refusal("PutSubscriptionFilter", **request("c")) == ("LimitExceededException", "Resource limit exceeded.")
    known.call("PutSubscriptionFilter", **request("a"))
    page = known.call("DescribeSubscriptionFilters", logGroupName="orders", limit=1)
    assert [one["filterName"] for one in page["subscriptionFilters"]] == ["a"]
    rest = known.call("DescribeSubscriptionFilters", logGroupName="orders", limit=1, nextToken=page["nextToken"])
    assert [one["filterName"] for one in rest["subscriptionFilters"]] == ["b"]
    assert "nextToken" not in rest
    some = known.call("DescribeSubscriptionFilters", logGroupName="orders", filterNamePrefix="b")
    assert [one["filterName"] for one in some["subscriptionFilters"]] == ["b"]


def test_a_filter_is_deleted(known: Any, refusal: Any) -> None:
    """Once."""
    known.write("x", group="orders")
    known.call("PutSubscriptionFilter", **request())
    assert known.call("DeleteSubscriptionFilter", logGroupName="orders", filterName="errors") == {}
    text = "The specified subscription filter does not exist."
    gone = ("ResourceNotFoundException", text)
    assert refusal("DeleteSubscriptionFilter", logGroupName="orders", filterName="errors") == gone
    assert known.call("DescribeSubscriptionFilters", logGroupName="orders") == {"subscriptionFilters": []}


def test_groups_that_are_not_there(known: Any, refusal: Any) -> None:
    """Each operation says so; a destination that cannot be is told of before."""
    assert refusal("PutSubscriptionFilter", **request()) == NO_GROUP
    assert refusal("DeleteSubscriptionFilter", logGroupName="orders", filterName="x") == NO_GROUP
    assert refusal("DescribeSubscriptionFilters", logGroupName="orders") == NO_GROUP
    assert refusal("PutSubscriptionFilter", **request(target=f"{FUNCTION}nope"))[0] == "AccessDeniedException"


@pytest.mark.parametrize(
    ("asked", "code", "text"),
    [
        (request(target="x"), "InvalidParameterException", "The specified destinationArn is invalid."),
        (
            request(target=STREAM),
            "InvalidParameterException",
            "destinationArn for vendor kinesis cannot be used without roleArn",
        ),
        (
            request(target=STREAM, roleArn="arn:aws:iam::111122223333:role/r"),
            "InvalidParameterException",
            "Destinations of kinesis are not offered by this version of Lambent: functions are",
        ),
        (
            request(roleArn="arn:aws:iam::111122223333:role/r"),
            "InvalidParameterException",
            "destinationArn for vendor lambda cannot be used with roleArn",
        ),
        (
            request(target=f"{FUNCTION}nope"),
            "AccessDeniedException",
            "Cross-account lambda invocation passing is not allowed. You must use DestinationPolicies to create "
            "cross account lambda triggers.",
        ),
        (
            request(target=f"{FUNCTION}closed"),
            "InvalidParameterException",
            "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute "
            "your function.",
        ),
        (
            request(group="/aws/lambda/f"),
            "InvalidParameterException",
            "The log group provided is reserved for the function log group of the destination function.",
        ),
        (
            {**request(target="x"), "filterPattern": "a=b"},
            "InvalidParameterException",
            "Invalid character(s) in term '='",
        ),
        (request(emitSystemFields=["@aws.region"]), "InvalidParameterException", None),
        (request(fieldSelectionCriteria='@aws.region = "x"'), "InvalidParameterException", None),
    ],
)
def test_what_cannot_be_is_refused(
    known: Any, refusal: Any, asked: dict[str, Any], code: str, text: str | None
) -> None:
    """In AWS's words, and in our own for what comes later."""
    known.write("x", group=asked["logGroupName"])
    refused = refusal("PutSubscriptionFilter", **asked)
    assert refused[0] == code
    assert refused[1] == text or (text is None and "is not offered by this version" in refused[1])
