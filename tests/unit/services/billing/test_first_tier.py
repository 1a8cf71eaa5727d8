"""Money as budgets count it."""

from decimal import Decimal

from lambent.assembly.billing import read_prices
from lambent.domain.budget import PriceClass, Quantities
from lambent.services.billing.first_tier import FirstTier

GB_S = 1_024 * 1_000


def cost(kind: str = "on-demand", runtime: str = "python3.12", architecture: str = "x86_64", **used: int) -> Decimal:
    of = PriceClass("us-east-1", architecture, kind, runtime)
    return FirstTier(read_prices(None)).first_tier_cost(of, Quantities(**used))


def test_each_quantity_has_the_price_of_its_first_tier() -> None:
    """None of it is free, and however much it is, it is the first tier."""
    assert cost() == 0
    assert cost(requests=1_000_000) == Decimal("0.2")
    assert cost(memory_mib_ms=GB_S) == Decimal("0.0000166667")
    assert cost(memory_mib_ms=GB_S * 10**11) == Decimal("1666670")
    assert cost(memory_mib_ms=GB_S, architecture="arm64") == Decimal("0.0000133334")
    assert cost(tmp_mib_ms=GB_S) == Decimal("0.0000000309")
    assert cost(requests=5, memory_mib_ms=GB_S) == Decimal("0.0000176667")


def test_provisioned_and_snapshots_have_their_own() -> None:
    assert cost("provisioned-concurrency", memory_mib_ms=GB_S) == Decimal("0.0000097222")
    assert cost("provisioned-concurrency", allocated_mib_ms=GB_S) == Decimal("0.0000041667")
    assert cost(allocated_mib_ms=GB_S) == 0
    assert cost("snap-start", "java21", restored_mib=1_024) == 0 < cost("snap-start", restored_mib=1_024)


def test_parts_add_up() -> None:
    """Piece by piece is the same as at once."""
    prices = FirstTier(read_prices(None))
    of = PriceClass("eu-west-1", "x86_64", "on-demand", "")
    whole = Quantities()
    for number in range(1, 1_000):
        whole.add(Quantities(1, number * 128, number))
    assert prices.first_tier_cost(of, whole) == prices.first_tier_cost(of, Quantities(999, 499_500 * 128, 499_500))
