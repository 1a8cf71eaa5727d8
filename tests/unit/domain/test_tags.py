"""What tags a resource may have."""

import pytest

from lambent.domain.quotas import Quotas
from lambent.domain.tags import allows_egress, check_tags
from lambent.errors.api.lambda_ import InvalidParameterValueException


def tags(count: int) -> dict[str, str]:
    return {f"k{number}": "v" for number in range(count)}


def test_fifty_tags_are_allowed_and_one_more_is_not() -> None:
    """The limit of the account."""
    check_tags(tags(1), Quotas())
    check_tags(tags(50), Quotas())

    with pytest.raises(InvalidParameterValueException) as refused:
        check_tags(tags(51), Quotas())
    assert refused.value.message == "Number of tags exceeds resource tag limit."


@pytest.mark.parametrize("key", ["aws:x", "aws:", "AWS:x"])
def test_keys_of_aws_are_refused(key: str) -> None:
    """The prefix is reserved, in any case; elsewhere in a key, or without the colon, it is not."""
    with pytest.raises(InvalidParameterValueException) as refused:
        check_tags({"fine": "", key: ""}, Quotas())
    assert refused.value.message == "aws: prefixed tag key names are not allowed for external use."

    check_tags({"awsome": "", "my-aws:x": ""}, Quotas())


def test_no_tags_are_refused() -> None:
    """An empty map gets AWS's least helpful words."""
    with pytest.raises(InvalidParameterValueException) as refused:
        check_tags({}, Quotas())
    assert refused.value.message == "An error occurred and the request cannot be processed."


@pytest.mark.parametrize(("value", "expected"), [("none", False), ("nat", True)])
def test_a_tag_says_whether_the_internet_is_open(value: str, expected: bool) -> None:
    """Ours among the user's tags; open without it."""
    check_tags({"lambent:egress": value, "a": "b"}, Quotas())
    assert allows_egress({"lambent:egress": value, "a": "b"}) is expected
    assert allows_egress({"a": "none"})


@pytest.mark.parametrize("value", ["", "None", "NAT", "vpn"])
def test_a_value_without_a_meaning_is_refused(value: str) -> None:
    """A tag that acts must not be misspelt without a word."""
    with pytest.raises(InvalidParameterValueException) as refused:
        check_tags({"lambent:egress": value}, Quotas())
    assert refused.value.message == (
        f"Value '{value}' of tag 'lambent:egress' has no meaning: it must be 'none' or 'nat'"
    )


def test_a_value_from_before_it_acted_leaves_the_internet_open() -> None:
    """What an earlier version stored unchecked breaks nothing."""
    assert allows_egress({"lambent:egress": "vpn"})
