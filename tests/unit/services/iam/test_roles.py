"""What keeps a role from being deleted, and how many there may be."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from lambent.domain.identity import Role
from lambent.errors.api.iam import DeleteConflictException, LimitExceededException
from lambent.services.iam import limits
from lambent.services.iam.roles import check_deletable

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def role(**members: Any) -> Role:
    return Role(account="111122223333", name="r", unique_id="AROA", created_at=0, trust_policy=TRUST, **members)


@pytest.mark.parametrize(
    ("members", "is_in_profile", "text"),
    [
        ({"attached": ("a",), "inline": {"p": "{}"}}, True, "remove roles from instance profile"),
        ({"attached": ("a",), "inline": {"p": "{}"}}, False, "detach all policies"),
        ({"inline": {"p": "{}"}}, False, "delete policies"),
    ],
)
def test_the_first_thing_in_the_way_is_named(members: Mapping[str, Any], is_in_profile: bool, text: str) -> None:
    """Profiles, attached policies, inline ones."""
    with pytest.raises(DeleteConflictException, match=f"Cannot delete entity, must {text} first."):
        check_deletable(role(**members), is_in_profile=is_in_profile)


def test_a_role_with_nothing_may_go() -> None:
    """Its boundary and tags go with it."""
    check_deletable(role(boundary="arn", tags={"a": "b"}), is_in_profile=False)


def test_an_account_has_only_so_many(tell: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is refused by the name of the quota; one that is deleted makes room."""
    monkeypatch.setitem(limits.PER_ACCOUNT, Role, ("RolesPerAccount", 2))  # type: ignore[arg-type]

    async def story(bench: Any) -> None:
        for name in ("a", "b"):
            await bench.call("CreateRole", RoleName=name, AssumeRolePolicyDocument=TRUST)
        with pytest.raises(LimitExceededException, match="Cannot exceed quota for RolesPerAccount: 2"):
            await bench.call("CreateRole", RoleName="c", AssumeRolePolicyDocument=TRUST)
        await bench.call("DeleteRole", RoleName="a")
        await bench.call("CreateRole", RoleName="c", AssumeRolePolicyDocument=TRUST)

    tell(story)
