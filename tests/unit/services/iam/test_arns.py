"""ARNs that requests give."""

import pytest

from lambent.services.iam.arns import parse_identity_arn, parse_policy_arn
from lambent.services.iam.refusals import ValidationError

ACCOUNT = "111122223333"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"arn:aws:iam::{ACCOUNT}:policy/p", (ACCOUNT, "/", "p")),
        (f"arn:aws:iam::{ACCOUNT}:policy/a/b/p", (ACCOUNT, "/a/b/", "p")),
        ("arn:aws-cn:iam::aws:policy/service-role/P", ("aws", "/service-role/", "P")),
        (f"arn:aws:iam::{ACCOUNT}:role/r", None),
        ("arn:aws:s3:::bucket/policy/p", None),
        ("arn:aws:iam::1234:policy/p", None),
        ("arn:aws:iam:eu-west-1:aws:policy/p", None),
        (f"arn:aws:iam::{ACCOUNT}:policy//p", None),
        (f"arn:aws:iam::{ACCOUNT}:policy/*", None),
    ],
)
def test_policies(text: str, found: tuple[str, str, str] | None) -> None:
    """Of the account or AWS's, in any partition; what is an ARN of something else is none."""
    assert parse_policy_arn(text) == found


def test_other_partitions_have_the_same_policies_of_aws() -> None:
    """They are found by the ARN of the one partition that is here."""
    parsed = parse_policy_arn("arn:aws-us-gov:iam::aws:policy/service-role/P")
    assert parsed is not None and parsed.canonical == "arn:aws:iam::aws:policy/service-role/P"


@pytest.mark.parametrize("text", ["a policy that is no ARN", "arn:aws:iam", "arn:AWS:iam::aws:policy/p", ""])
def test_what_is_no_arn(text: str) -> None:
    """It cannot be parsed, in the service's own words."""
    with pytest.raises(ValidationError, match="Invalid ARN:  Could not be parsed!"):
        parse_policy_arn(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"arn:aws:iam::{ACCOUNT}:user/a/u", (ACCOUNT, "user", "/a/", "u")),
        (f"arn:aws:iam::{ACCOUNT}:role/r", (ACCOUNT, "role", "/", "r")),
        (f"arn:aws:iam::{ACCOUNT}:group/g", (ACCOUNT, "group", "/", "g")),
        (f"arn:aws:iam::{ACCOUNT}:role/*", None),
        (f"arn:aws:iam::{ACCOUNT}:root", None),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s", None),
        ("arn:aws:iam::aws:user/u", None),
        ("nobody", None),
    ],
)
def test_identities(text: str, found: tuple[str, str, str, str] | None) -> None:
    """Users, roles and groups of an account, to the letter."""
    assert parse_identity_arn(text) == found
