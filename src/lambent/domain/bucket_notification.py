"""Which events of a bucket go where: a bucket's notification configuration, and its rules. Pure."""

from collections.abc import Iterator

import msgspec

from lambent.domain.caller import Scope

_MEMBERS = {
    "s3:ObjectCreated": ("Put", "Post", "Copy", "CompleteMultipartUpload"),
    "s3:ObjectRemoved": ("Delete", "DeleteMarkerCreated"),
    "s3:ObjectRestore": ("Post", "Completed", "Delete"),
    "s3:Replication": (
        "OperationFailedReplication",
        "OperationMissedThreshold",
        "OperationNotTracked",
        "OperationReplicatedAfterThreshold",
    ),
    "s3:LifecycleExpiration": ("Delete", "DeleteMarkerCreated"),
    "s3:ObjectTagging": ("Put", "Delete"),
}

EVENT_TYPES = frozenset(
    {
        "s3:IntelligentTiering",
        "s3:LifecycleTransition",
        "s3:ObjectAcl:Put",
        "s3:ReducedRedundancyLostObject",
        *(f"{family}:{member}" for family, members in _MEMBERS.items() for member in ("*", *members)),
    }
)
"""
What a rule may ask for. Those that no request makes come from the S3 server's own events, by the door for these.

Documented: Amazon S3 user guide, Event notification types and destinations.
"""

OVERLAP = "Configurations overlap. Configurations on the same bucket cannot share a common event type."
AMBIGUOUS = (
    "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are "
    "overlapping for the same event type."
)
"""Observed: widely reported texts of PutBucketNotificationConfiguration."""


class Rule(msgspec.Struct, frozen=True):
    """Events of some types, of keys with a prefix and a suffix, go to one target."""

    id: str
    target_arn: str
    events: tuple[str, ...]
    """With `s3:`, at least one."""
    prefix: str | None = None
    suffix: str | None = None
    """None where the configuration has no such filter, which is shown as it was given."""

    def wants(self, event: str, key: str) -> bool:
        """
        Say whether an event is for this rule.

        Args:
            event: with `s3:`, never a `*`.
            key: decoded.
        """
        is_filtered_out = not key.startswith(self.prefix or "") or not key.endswith(self.suffix or "")
        return not is_filtered_out and any(_covers(wanted, event) for wanted in self.events)


class BucketNotification(msgspec.Struct, frozen=True):
    """The configuration of one bucket. One without rules does not exist."""

    bucket: str
    scope: Scope
    """Of who configured it, in the bucket's region."""
    rules: tuple[Rule, ...]

    def wanting(self, event: str, key: str) -> list[Rule]:
        """Return the rules that an event is for."""
        return [rule for rule in self.rules if rule.wants(event, key)]

    def may_want(self, events: tuple[str, ...]) -> bool:
        """Say whether there is a rule for one of some events, whatever the key."""
        return any(_covers(wanted, event) for rule in self.rules for wanted in rule.events for event in events)


class Conflict(msgspec.Struct, frozen=True):
    """Two rules that would both take one event."""

    text: str
    events: tuple[str, str]


def find_conflict(rules: tuple[Rule, ...]) -> Conflict | None:
    """
    Return the first two rules that S3 refuses side by side, whatever their kinds of target; None where there are none.

    Documented: Amazon S3 user guide, Configuring event notifications using object key name filtering.
    """
    for number, one in enumerate(rules):
        for other in rules[number + 1 :]:
            for first, second in _shared(one, other):
                if not _both_begin(one.prefix or "", other.prefix or ""):
                    continue
                if not _both_end(one.suffix or "", other.suffix or ""):
                    continue
                is_bare = not (one.prefix or one.suffix or other.prefix or other.suffix)
                return Conflict(OVERLAP if is_bare else AMBIGUOUS, (first, second))
    return None


def _shared(one: Rule, other: Rule) -> Iterator[tuple[str, str]]:
    for first in one.events:
        for second in other.events:
            if _covers(first, second) or _covers(second, first):
                yield first, second


def _covers(wanted: str, event: str) -> bool:
    return wanted == event or (wanted.endswith(":*") and event.startswith(wanted[:-1]))


def _both_begin(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _both_end(one: str, other: str) -> bool:
    return one.endswith(other) or other.endswith(one)
