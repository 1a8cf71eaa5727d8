"""Which group a request means."""

from typing import Any

import pytest

ARN = "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/f"


@pytest.mark.parametrize(
    "spelling",
    [
        {"logGroupName": "/aws/lambda/f"},
        {"logGroupIdentifier": "/aws/lambda/f"},
        {"logGroupIdentifier": ARN},
        {"logGroupIdentifier": f"{ARN}:*"},
    ],
)
def test_all_spellings_mean_the_same_group(logs: Any, spelling: dict[str, str]) -> None:
    """A group is named by its name, or by its ARN with or without `:*`, in every reading operation."""
    logs.write("x", group="/aws/lambda/f")
    assert logs.messages("FilterLogEvents", **spelling) == ["x"]
    assert logs.messages("GetLogEvents", **spelling, logStreamName="s") == ["x"]
    assert len(logs.call("DescribeLogStreams", **spelling)["logStreams"]) == 1


def test_name_and_arn_exclude_each_other(refusal: Any) -> None:
    """Both together are refused, here by a ValidationException."""
    assert refusal("FilterLogEvents", logGroupName="g", logGroupIdentifier=ARN) == (
        "ValidationException",
        "LogGroup name and LogGroup ARN are mutually exclusive parameters.",
    )


def test_one_of_them_is_needed(refusal: Any) -> None:
    """Neither is refused."""
    code, _ = refusal("FilterLogEvents")
    assert code == "InvalidParameterException"


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/f",
        "arn:aws:logs:eu-west-1:444455556666:log-group:/aws/lambda/f",
    ],
)
def test_groups_of_others_are_absent(logs: Any, refusal: Any, arn: str) -> None:
    """A group of another account or region does not exist here, even when one of that name does."""
    logs.write("x", group="/aws/lambda/f")
    code, text = refusal("FilterLogEvents", logGroupIdentifier=arn)
    assert (code, text) == ("ResourceNotFoundException", "The specified log group does not exist.")


@pytest.mark.parametrize("identifier", ["", "a:b", "arn:aws:lambda:eu-west-1:111122223333:function:f", f"{ARN}:x"])
def test_what_names_no_group_is_refused(refusal: Any, identifier: str) -> None:
    """An identifier that is neither a name nor an ARN of a group is the caller's mistake."""
    code, _ = refusal("FilterLogEvents", logGroupIdentifier=identifier)
    assert code == "InvalidParameterException"
