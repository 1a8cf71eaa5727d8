"""Session policies: what is taken for one."""

import pytest

from lambent.errors.api.sts import MalformedPolicyDocumentException
from lambent.services.sts.errors import ValidationError
from lambent.services.sts.session_policies import check_policy, check_sizes

STATEMENT = '{"Effect": "Allow", "Action": "*", "Resource": "*"%s}'
NAMED = ', "Principal": "*"'
VERSION = '"Version": "2012-10-17"'


def test_a_policy_is_taken() -> None:
    """As an identity could have it."""
    check_policy(f'{{{VERSION}, "Statement": [{STATEMENT % ""}]}}')


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("{", "Syntax errors in policy."),
        (f'{{{VERSION}, "Statement": []}}', "Syntax errors in policy."),
        (
            f'{{{VERSION}, "Statement": [{STATEMENT % NAMED}]}}',
            "Policy document should not specify a principal.",
        ),
        (
            f'{{{VERSION}, "Statement": [{{"Effect": "Allow", "Action": "*"}}]}}',
            "Policy statement must contain resources.",
        ),
    ],
    ids=["no JSON", "no statement", "principal", "no resource"],
)
def test_what_is_none(document: str, text: str) -> None:
    """One without resources would be taken for all of them, and one with a principal is a resource's."""
    with pytest.raises(MalformedPolicyDocumentException) as caught:
        check_policy(document)
    assert caught.value.message == text


def test_sizes() -> None:
    """The policy and the ARNs have 2048 characters together, and there are ten ARNs at most."""
    check_sizes("x" * 2_000, ["y" * 48])
    check_sizes("", ["arn"] * 10)
    for policy, arns, member in (("x" * 2_000, ["y" * 49], "policy"), ("", ["arn"] * 11, "policyArns")):
        with pytest.raises(ValidationError, match=f"'{member}' failed to satisfy constraint"):
            check_sizes(policy, arns)
