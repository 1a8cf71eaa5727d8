"""Versions of a managed policy."""

import pytest

from lambent.domain.identity import ManagedPolicy, PolicyVersion
from lambent.errors.api.iam import LimitExceededException
from lambent.services.iam.policy_versions import with_version


def policy(*numbers: int, next_number: int) -> ManagedPolicy:
    return ManagedPolicy(
        account="111122223333",
        name="p",
        unique_id="ANPA",
        created_at=0,
        versions=tuple(PolicyVersion(number, "{}", 0) for number in numbers),
        default_number=numbers[0],
        next_number=next_number,
        updated_at=0,
    )


def test_a_number_is_never_given_again() -> None:
    """Also not that of the newest one, deleted."""
    after = with_version(policy(1, next_number=6), "[]", 7.0, is_default=False)
    assert (after.versions[-1], after.default_number, after.next_number) == (PolicyVersion(6, "[]", 7.0), 1, 7)
    assert after.updated_at == 7.0
    assert with_version(after, "[]", 8.0, is_default=True).default_number == 7


def test_five_are_enough() -> None:
    """A sixth is refused, and nothing is deleted for it."""
    with pytest.raises(LimitExceededException, match="up to 5 versions"):
        with_version(policy(1, 2, 3, 4, 5, next_number=6), "[]", 7.0, is_default=True)
