"""What keeps a managed policy from being deleted."""

import pytest

from lambent.domain.identity import ManagedPolicy, PolicyVersion
from lambent.errors.api.iam import DeleteConflictException
from lambent.services.iam.known_policies import Uses
from lambent.services.iam.managed_policies import MANAGED
from lambent.services.iam.policies import aws_policy_id, check_deletable


def policy(count: int = 1) -> ManagedPolicy:
    return ManagedPolicy(
        account="111122223333",
        name="p",
        unique_id="ANPA",
        created_at=0,
        versions=tuple(PolicyVersion(number, "{}", 0) for number in range(1, count + 1)),
        default_number=1,
        next_number=count + 1,
        updated_at=0,
    )


@pytest.mark.parametrize("uses", [Uses(1, 0), Uses(0, 1)])
def test_one_that_is_used(uses: Uses) -> None:
    """Attached, or a boundary: without it nothing would be bounded."""
    with pytest.raises(DeleteConflictException, match="Cannot delete a policy attached to entities"):
        check_deletable(policy(2), uses)


def test_one_with_versions() -> None:
    """All but the default one go first."""
    with pytest.raises(DeleteConflictException, match="more than one version"):
        check_deletable(policy(2), Uses())
    check_deletable(policy(), Uses())


def test_ids_of_aws_policies_differ() -> None:
    """And are the same ones at each start."""
    ids = {aws_policy_id(arn) for arn in MANAGED}
    assert len(ids) == len(MANAGED)
    assert all(len(one) == 21 and one.startswith("ANPA") for one in ids)
