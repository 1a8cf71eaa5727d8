"""
What became of attempts to deliver records, dead letters and events of buckets, counted for each destination.

In: the outcome of each attempt. Out: counts for metrics. Never: a message.
"""

import enum
from collections.abc import Mapping
from typing import Final

from lambent.domain.caller import Scope

DESTINATIONS_MAX: Final = 1_000
"""Destinations that are counted by name; what goes to further ones is counted under no name."""

_OTHERS: Final = (Scope("", ""), "")


class Delivery(enum.StrEnum):
    """What came of one attempt."""

    DELIVERED = "delivered"
    FAILED = "failed"
    """It will be tried again."""
    GIVEN_UP = "given_up"
    """It will not: the message is gone."""


class DeliveryCounts:
    """Counts since the start of the server."""

    def __init__(self) -> None:
        self._counts: dict[tuple[Scope, str], dict[Delivery, int]] = {}

    def count(self, scope: Scope, arn: str, outcome: Delivery) -> None:
        """
        Count one attempt.

        Args:
            scope: of the function or bucket that the message tells of.
            arn: of the destination.
        """
        key = (scope, arn)
        if key not in self._counts and len(self._counts) >= DESTINATIONS_MAX:
            key = _OTHERS
        counts = self._counts.setdefault(key, dict.fromkeys(Delivery, 0))
        counts[outcome] += 1

    def all(self) -> Mapping[tuple[Scope, str], Mapping[Delivery, int]]:
        """Return the counts by that scope and the destination's ARN; what has no name comes under ""."""
        return self._counts
