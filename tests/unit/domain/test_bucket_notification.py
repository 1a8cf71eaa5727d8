"""Which rule an event is for, and which rules cannot stand side by side."""

import pytest

from lambent.domain.bucket_notification import AMBIGUOUS, OVERLAP, BucketNotification, Rule, find_conflict
from lambent.domain.caller import Scope

SCOPE = Scope("000000000000", "us-east-1")


def rule(*events: str, prefix: str | None = None, suffix: str | None = None) -> Rule:
    return Rule("id", "arn", events, prefix, suffix)


@pytest.mark.parametrize(
    ("wanted", "event", "is_for_it"),
    [
        ("s3:ObjectCreated:*", "s3:ObjectCreated:Put", True),
        ("s3:ObjectCreated:Put", "s3:ObjectCreated:Put", True),
        ("s3:ObjectCreated:Put", "s3:ObjectCreated:Post", False),
        ("s3:ObjectCreated:*", "s3:ObjectRemoved:Delete", False),
        ("s3:ObjectAcl:Put", "s3:ObjectAcl:Put", True),
    ],
)
def test_types(wanted: str, event: str, is_for_it: bool) -> None:
    """A star stands for all of a family, and for nothing beyond."""
    assert rule(wanted).wants(event, "key") is is_for_it
    assert BucketNotification("b", SCOPE, (rule(wanted),)).may_want((event,)) is is_for_it


@pytest.mark.parametrize(
    ("prefix", "suffix", "key", "is_for_it"),
    [
        (None, None, "anything", True),
        ("in/", None, "in/a", True),
        ("in/", None, "out/in/", False),
        (None, ".png", "a.png", True),
        (None, ".png", "a.PNG", False),
        ("in/", ".png", "in/a.png", True),
        ("in/", ".png", "in/a.jpg", False),
        ("a b", None, "a b c", True),
        ("a+b", None, "a b c", False),
    ],
)
def test_filters(prefix: str | None, suffix: str | None, key: str, is_for_it: bool) -> None:
    """Both have to fit the key as it is."""
    assert rule("s3:ObjectCreated:*", prefix=prefix, suffix=suffix).wants("s3:ObjectCreated:Put", key) is is_for_it


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        (rule("s3:ObjectCreated:*"), rule("s3:ObjectCreated:Put"), OVERLAP),
        (rule("s3:ObjectCreated:Put"), rule("s3:ObjectCreated:Put"), OVERLAP),
        (rule("s3:ObjectCreated:Put"), rule("s3:ObjectCreated:Post"), None),
        (rule("s3:ObjectCreated:*"), rule("s3:ObjectRemoved:*"), None),
        (rule("s3:ObjectCreated:*", prefix="a/"), rule("s3:ObjectCreated:*", prefix="b/"), None),
        (rule("s3:ObjectCreated:*", prefix="a/"), rule("s3:ObjectCreated:*", prefix="a/b"), AMBIGUOUS),
        (rule("s3:ObjectCreated:*", prefix="a/"), rule("s3:ObjectCreated:*"), AMBIGUOUS),
        (rule("s3:ObjectCreated:*", suffix=".png"), rule("s3:ObjectCreated:*", suffix=".jpg"), None),
        (rule("s3:ObjectCreated:*", suffix=".png"), rule("s3:ObjectCreated:*", suffix="g"), AMBIGUOUS),
        (
            rule("s3:ObjectCreated:*", prefix="a/", suffix=".png"),
            rule("s3:ObjectCreated:*", prefix="a/", suffix=".jpg"),
            None,
        ),
        (
            rule("s3:ObjectCreated:*", prefix="a/", suffix=".png"),
            rule("s3:ObjectCreated:*", prefix="b/", suffix=".png"),
            None,
        ),
    ],
)
def test_rules_side_by_side(one: Rule, other: Rule, text: str | None) -> None:
    """Two that would take one event are refused, whichever comes first."""
    for rules in ((one, other), (other, one)):
        conflict = find_conflict(rules)
        assert (conflict and conflict.text) == text


def test_a_conflict_names_both_types() -> None:
    """As S3's error does."""
    conflict = find_conflict((rule("s3:ObjectRemoved:*", "s3:ObjectCreated:*"), rule("s3:ObjectCreated:Put")))
    assert conflict is not None
    assert conflict.events == ("s3:ObjectCreated:*", "s3:ObjectCreated:Put")
