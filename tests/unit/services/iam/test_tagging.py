"""Tags of identities: keys without regard to case, fifty at most."""

import pytest

from lambent.errors.api.iam import InvalidInputException, LimitExceededException
from lambent.protocol.shapes.iam import Tag
from lambent.services.iam.tagging import tagged, untagged


def tags(**values: str) -> list[Tag]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def test_a_key_takes_the_place_of_one_that_differs_by_case_alone() -> None:
    """The later spelling stays."""
    assert tagged({"Team": "a", "cost": "1"}, tags(team="b")) == {"cost": "1", "team": "b"}
    assert untagged({"Team": "a", "cost": "1"}, ["TEAM", "other"]) == {"cost": "1"}


@pytest.mark.parametrize(
    "given", [tags(a="1", A="2"), [{"Key": "aws:a", "Value": ""}], [{"Key": "AWS:a", "Value": ""}]]
)
def test_keys_that_may_not_be_given(given: list[Tag]) -> None:
    """Twice, or reserved."""
    with pytest.raises(InvalidInputException):
        tagged({}, given)


def test_fifty_are_enough() -> None:
    """A fifty-first is refused; a new value for one of the fifty is not."""
    fifty = {f"k{number}": "" for number in range(50)}
    assert len(tagged(fifty, tags(K0="new"))) == 50
    with pytest.raises(LimitExceededException):
        tagged(fifty, tags(more=""))
