"""Tags of groups: one set behind two families of operations."""

from typing import Any

import pytest

ARN = "arn:aws:logs:eu-west-1:111122223333:log-group:g"
NO_GROUP = ("ResourceNotFoundException", "The specified log group does not exist.")


@pytest.mark.parametrize("arn", [ARN, f"{ARN}:*"])
def test_both_families_see_one_set(logs: Any, arn: str) -> None:
    """What one adds the other shows and takes away; the ARN may end with `:*`."""
    logs.write("x")
    logs.call("TagLogGroup", logGroupName="g", tags={"a": "1", "b": "2"})
    logs.call("TagResource", resourceArn=arn, tags={"b": "3", "c": ""})
    expected = {"tags": {"a": "1", "b": "3", "c": ""}}
    assert logs.call("ListTagsForResource", resourceArn=arn) == expected
    assert logs.call("ListTagsLogGroup", logGroupName="g") == expected
    logs.call("UntagResource", resourceArn=arn, tagKeys=["a", "unknown"])
    logs.call("UntagLogGroup", logGroupName="g", tags=["b"])
    assert logs.call("ListTagsForResource", resourceArn=arn) == {"tags": {"c": ""}}


def test_tags_are_limited(logs: Any, refusal: Any) -> None:
    """Fifty, those that are there included; keys of AWS are refused; a refusal changes nothing."""
    logs.write("x")
    logs.call("TagResource", resourceArn=ARN, tags={f"k{number}": "" for number in range(49)})
    more = {"x": "", "y": ""}
    assert refusal("TagResource", resourceArn=ARN, tags=more)[0] == "TooManyTagsException"
    assert refusal("TagLogGroup", logGroupName="g", tags=more)[0] == "InvalidParameterException"
    assert refusal("TagResource", resourceArn=ARN, tags={"AWS:x": ""})[0] == "InvalidParameterException"
    assert len(logs.call("ListTagsLogGroup", logGroupName="g")["tags"]) == 49
    logs.call("TagResource", resourceArn=ARN, tags={"k0": "new", "x": ""})


def test_absent_groups_have_none(refusal: Any) -> None:
    """Every operation says so; an ARN of another service is no group."""
    for operation, request in (
        ("TagResource", {"resourceArn": ARN, "tags": {"a": ""}}),
        ("UntagResource", {"resourceArn": ARN, "tagKeys": ["a"]}),
        ("ListTagsForResource", {"resourceArn": ARN}),
        ("TagLogGroup", {"logGroupName": "g", "tags": {"a": ""}}),
        ("UntagLogGroup", {"logGroupName": "g", "tags": ["a"]}),
        ("ListTagsLogGroup", {"logGroupName": "g"}),
    ):
        assert refusal(operation, **request) == NO_GROUP
    assert refusal("ListTagsForResource", resourceArn="arn:aws:s3:::b")[0] == "InvalidParameterException"
