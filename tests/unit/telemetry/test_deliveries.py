"""Counts of deliveries: by destination, up to a bound."""

import pytest

from lambent.domain.caller import Scope
from lambent.telemetry import deliveries
from lambent.telemetry.deliveries import Delivery, DeliveryCounts

SCOPE = Scope("111122223333", "eu-west-1")


def test_each_destination_has_its_own_counts() -> None:
    """Each outcome for itself."""
    counts = DeliveryCounts()
    counts.count(SCOPE, "a", Delivery.FAILED)
    counts.count(SCOPE, "a", Delivery.FAILED)
    counts.count(SCOPE, "b", Delivery.FAILED)
    counts.count(SCOPE, "b", Delivery.GIVEN_UP)
    assert counts.all()[SCOPE, "a"] == {Delivery.DELIVERED: 0, Delivery.FAILED: 2, Delivery.GIVEN_UP: 0}
    assert counts.all()[SCOPE, "b"] == {Delivery.DELIVERED: 0, Delivery.FAILED: 1, Delivery.GIVEN_UP: 1}


def test_further_destinations_have_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound they are counted together; those that have a name keep it."""
    monkeypatch.setattr(deliveries, "DESTINATIONS_MAX", 2)
    counts = DeliveryCounts()
    for arn in ("a", "b", "c", "d", "a"):
        counts.count(SCOPE, arn, Delivery.DELIVERED)
    assert {arn: found[Delivery.DELIVERED] for (_, arn), found in counts.all().items()} == {"a": 2, "b": 1, "": 2}
