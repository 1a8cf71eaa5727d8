"""What each condition key is worth, and for whom it is not there."""

from collections.abc import Mapping
from typing import Any

import pytest
from unit.access.people import A, as_session, as_user, calling, role, user

from lambent.access.conditions import Conditions, of_tag_keys, of_tags
from lambent.domain.caller import Caller, Scope
from lambent.domain.policy import Value
from lambent.domain.principal import ANONYMOUS, Principal, root_of, service_principal

NOW = 1_767_225_600.5
USER, ROOT = as_user(user()), root_of(A)
SESSION = as_session(role(path="/p/"), source_identity="ann", function_arn="arn:f")


def conditions(
    principal: Principal = USER, action: str = "lambda:InvokeFunction", caller: Caller | None = None, **more: Any
) -> Conditions:
    given: dict[str, Any] = {"tags": {}, "own": {}, "account": A, "resource_tags": {}, "now": NOW, **more}
    return Conditions(
        principal, given["tags"], action, given["own"], caller, *map(given.get, ("account", "resource_tags", "now"))
    )


@pytest.mark.parametrize(
    ("key", "expected"),
    {
        "aws:principalarn": (
            f"arn:aws:iam::{A}:user/u",
            f"arn:aws:iam::{A}:role/p/r",
            f"arn:aws:iam::{A}:root",
            None,
            None,
        ),
        "aws:principalaccount": (A, A, A, None, None),
        "aws:principaltype": ("User", "AssumedRole", "Account", None, "Anonymous"),
        "aws:userid": (USER.unique_id, SESSION.unique_id, A, None, None),
        "aws:username": ("u", None, None, None, None),
        "aws:principalisawsservice": ("false", "false", "false", "true", None),
        "aws:principalservicename": (None, None, None, "s3.amazonaws.com", None),
        "aws:tokenissuetime": (None, "1970-01-01T00:00:01Z", None, None, None),
        "aws:multifactorauthpresent": (None, "false", None, None, None),
        "aws:sourceidentity": (None, "ann", None, None, None),
        "lambda:sourcefunctionarn": (None, "arn:f", None, None, None),
        "aws:principalorgid": (None, None, None, None, None),
    }.items(),
)
def test_keys_of_principals(key: str, expected: tuple[str | None, ...]) -> None:
    """Of a user, a session, root, a service and nobody."""
    principals = (USER, SESSION, ROOT, service_principal("s3.amazonaws.com"), ANONYMOUS)
    assert tuple(conditions(principal).get(key) for principal in principals) == expected


def test_keys_of_the_connection() -> None:
    """They are there with every request, and not where the server itself acts in a role's name."""
    caller = Caller(
        Scope(A, "eu-west-1"),
        USER,
        "signature",
        "id",
        "https://x",
        client="203.0.113.9",
        user_agent="cli",
        is_secure=True,
    )
    keys = ("aws:sourceip", "aws:securetransport", "aws:useragent", "aws:requestedregion")
    assert [conditions(caller=caller).get(key) for key in keys] == ["203.0.113.9", "true", "cli", "eu-west-1"]
    assert [conditions().get(key) for key in keys] == [None] * 4
    assert conditions(action="iam:GetRole", caller=caller)["aws:requestedregion"] == "us-east-1"


def test_time_is_that_of_the_request() -> None:
    assert conditions()["aws:currenttime"] == "2026-01-01T00:00:00Z"
    assert conditions()["aws:epochtime"] == "1767225600"


def test_tags_are_found_whatever_the_case() -> None:
    """Of the principal, of the resource, and of the request."""
    found = conditions(tags={"Team": "Red"}, resource_tags={"Cost": "1"}, own=of_tags({"New": "x"}))
    expected: Mapping[str, Value] = {
        "aws:principaltag/team": "Red",
        "aws:resourcetag/cost": "1",
        "iam:resourcetag/cost": "1",
        "aws:requesttag/new": "x",
        "aws:tagkeys": ("New",),
    }
    assert {key: found.get(key) for key in expected} == expected
    assert found.get("aws:principaltag/cost") is None


def test_a_request_without_tags_has_no_tag_keys() -> None:
    """So that `Null` and `ForAnyValue` see that there are none."""
    assert of_tags({}) == of_tag_keys(()) == {}


def test_it_is_a_mapping() -> None:
    """All that there is can be listed, e.g. for a simulation; what is not there is absent."""
    found = conditions(tags={"Team": "Red"}, caller=calling(USER))
    assert set(found) >= {"aws:username", "aws:principaltag/team", "aws:sourceip", "aws:resourceaccount"}
    assert "aws:tokenissuetime" not in found and len(found) == len(list(found))
    with pytest.raises(KeyError):
        found["aws:tokenissuetime"]
