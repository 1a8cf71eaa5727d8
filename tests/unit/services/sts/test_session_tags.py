"""Tags of sessions, and what of them rides along."""

import pytest

from lambent.domain.principal import Session
from lambent.services.sts.errors import InvalidParameterValue
from lambent.services.sts.session_tags import session_tags


def tags(**given: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in given.items()]


BEFORE = Session("s", 0, 1, tags={"Team": "a", "own": "b"}, transitive_tag_keys=("Team",))


def test_what_was_asked_for_is_there() -> None:
    """Keys of tags that are to be inherited are found in any case, and kept as the tags spell them."""
    assert session_tags(tags(Team="a", cost="b"), ["team"], None) == ({"Team": "a", "cost": "b"}, ("Team",))
    assert session_tags([], [], None) == ({}, ())


def test_transitive_tags_ride_along() -> None:
    """A session of a session has its transitive tags, and hands them on; the others end with theirs."""
    assert session_tags(tags(cost="c"), [], BEFORE) == ({"Team": "a", "cost": "c"}, ("Team",))


@pytest.mark.parametrize(
    ("given", "transitive", "text"),
    [
        (tags(a="1", A="2"), [], "Duplicate tag keys found. Please note that Tag keys are case insensitive."),
        (tags(a="1"), ["b"], "The specified transitive tag key must be included in the requested tags."),
        (
            tags(team="c"),
            [],
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from "
            "the calling session.",
        ),
        (
            [{"Key": f"k{n}", "Value": ""} for n in range(50)],
            [],
            "A session may have 50 tags, those that it inherits included.",
        ),
    ],
    ids=["twice", "missing", "conflict", "too many"],
)
def test_what_does_not_go_together(given: list[dict[str, str]], transitive: list[str], text: str) -> None:
    """Refused with the texts that were recorded."""
    with pytest.raises(InvalidParameterValue) as caught:
        session_tags(given, transitive, BEFORE)
    assert caught.value.message == text
