"""Who is meant without a name, and what keeps a user from being deleted."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from lambent.domain.identity import User
from lambent.domain.principal import Principal, PrincipalType, Session, session_of_role
from lambent.errors.api.iam import DeleteConflictException
from lambent.services.iam.refusals import ValidationError
from lambent.services.iam.users import check_deletable

ACCOUNT = "111122223333"


def user(**members: Any) -> User:
    return User(account=ACCOUNT, name="u", unique_id="AIDA", created_at=0, **members)


@pytest.mark.parametrize(
    ("members", "has_keys", "text"),
    [
        ({"attached": ("a",), "inline": {"p": "{}"}, "groups": ("g",)}, True, "detach all policies"),
        ({"inline": {"p": "{}"}, "groups": ("g",)}, True, "delete policies"),
        ({"groups": ("g",)}, True, "remove users from group"),
        ({}, True, "delete access keys"),
    ],
)
def test_the_first_thing_in_the_way_is_named(members: Mapping[str, Any], has_keys: bool, text: str) -> None:
    """Attached policies, inline ones, groups, keys."""
    with pytest.raises(DeleteConflictException, match=f"Cannot delete entity, must {text} first."):
        check_deletable(user(**members), has_keys=has_keys)


def test_without_a_name_it_is_the_user_who_calls(tell: Callable[[Any], None]) -> None:
    """By its id, whatever it is called by now; a session of a role has to name one."""

    async def story(bench: Any) -> None:
        made = (await bench.call("CreateUser", UserName="u"))["User"]
        caller = Principal(PrincipalType.USER, ACCOUNT, made["Arn"], made["UserId"], made["Arn"], name="u")
        await bench.call("UpdateUser", UserName="u", NewUserName="v")
        assert (await bench.call("GetUser", caller))["User"]["UserName"] == "v"
        key = (await bench.call("CreateAccessKey", caller))["AccessKey"]
        assert key["UserName"] == "v"
        listed = (await bench.call("ListAccessKeys", caller))["AccessKeyMetadata"]
        assert [one["AccessKeyId"] for one in listed] == [key["AccessKeyId"]]
        session = session_of_role(ACCOUNT, "r", "/", "AROA", Session("s", 0, 1))
        with pytest.raises(ValidationError, match="Must specify userName when calling with non-User credentials"):
            await bench.call("GetUser", session)

    tell(story)
