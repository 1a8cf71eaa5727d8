"""What keeps a group from being deleted."""

from collections.abc import Mapping
from typing import Any

import pytest

from lambent.domain.identity import Group
from lambent.errors.api.iam import DeleteConflictException
from lambent.services.iam.groups import check_deletable


@pytest.mark.parametrize(
    ("members", "has_users", "text"),
    [
        ({"attached": ("a",), "inline": {"p": "{}"}}, True, "remove users from group"),
        ({"attached": ("a",), "inline": {"p": "{}"}}, False, "detach all policies"),
        ({"inline": {"p": "{}"}}, False, "delete policies"),
    ],
)
def test_the_first_thing_in_the_way_is_named(members: Mapping[str, Any], has_users: bool, text: str) -> None:
    """Users, attached policies, inline ones."""
    group = Group(account="111122223333", name="g", unique_id="AGPA", created_at=0, **members)
    with pytest.raises(DeleteConflictException, match=f"Cannot delete entity, must {text} first."):
        check_deletable(group, has_users=has_users)
