"""A month's bill by AWS's rules, and that its parts add up to it."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.bill import (
    GRAINS,
    PLACES,
    Meter,
    Usage,
    charges,
    cost,
    list_rate,
    month_bill,
    rounded,
    rounded_one,
    summed,
)
from lambent.domain.price_list import GB_IN_BYTES, GB_SECOND, PriceList, What, parse_price_list

PRICES = parse_price_list(
    """
name = "test"
currency = "USD"
date = 2026-09-19
source = "AWS's list for us-east-1"
[free]
requests = 1_000_000
gb_seconds = 400_000
streamed_gb = 100
[[price]]
what = "request"
unit = "1M requests"
amount = 0.20
[[price]]
what = "duration"
architecture = "x86_64"
unit = "GB-second"
tiers = [
    { up_to = 6_000_000_000, amount = 0.0000166667 },
    { up_to = 15_000_000_000, amount = 0.000015 },
    { amount = 0.0000133334 },
]
[[price]]
what = "duration"
architecture = "arm64"
unit = "GB-second"
amount = 0.0000133334
[[price]]
what = "tmp"
unit = "GB-second"
amount = 0.0000000309
[[price]]
what = "provisioned"
unit = "GB-second"
amount = 0.0000041667
[[price]]
what = "provisioned-duration"
unit = "GB-second"
amount = 0.0000097222
[[price]]
what = "streamed"
unit = "GB"
amount = 0.008
[[price]]
what = "snapshot-cached"
unit = "GB-second"
amount = 0.0000015046
except_runtimes = ["java"]
[[price]]
what = "snapshot-restored"
unit = "GB"
amount = 0.0001397998
except_runtimes = ["java"]
"""
)

NOTHING = Usage("us-east-1", "x86_64", "on-demand", "python3.13", 0, 0, 0, 0, 0, 0)
REQUESTS = Meter(What.REQUEST, "", "us-east-1", False)
X86 = Meter(What.DURATION, "x86_64", "us-east-1", False)
ARM = Meter(What.DURATION, "arm64", "eu-west-1", False)


def total(usages: list[Usage], prices: PriceList = PRICES) -> Decimal:
    """Return what a month of one account comes to."""
    bill = month_bill(summed(one for usage in usages for one in charges(usage, prices)), prices)
    return rounded_one(sum(cost(one.quantity, one.rate) for one in bill.values()))


def test_the_example_of_the_pricing_page() -> None:
    """Three million requests of 120 ms with 1,536 MB. Documented: Lambda pricing, food ordering: 2.73 and 0.40."""
    usage = NOTHING._replace(requests=3_000_000, memory_mib_ms=3_000_000 * 120 * 1536)
    # 540,000 GB-seconds, of which 400,000 are free.
    assert total([usage]) == Decimal("0.40") + Decimal("140000") * Decimal("0.0000166667")
    assert round(total([usage]), 2) == Decimal("2.73")


def test_more_of_tmp() -> None:
    """1.5 million requests of 100 ms with 5,120 MB of memory and 10,240 MB of /tmp, of which 512 MB are free."""
    seconds = 150_000
    usage = NOTHING._replace(
        requests=1_500_000, memory_mib_ms=seconds * 1000 * 5120, tmp_mib_ms=seconds * 1000 * (10_240 - 512)
    )
    compute = Decimal(750_000 - 400_000) * Decimal("0.0000166667")
    tmp = Decimal(1_425_000) * Decimal("0.0000000309")
    assert total([usage]) == compute + tmp + Decimal("0.1")


def test_what_is_free_is_free_for_the_account_not_for_each_region() -> None:
    """Two regions and architectures share it by how much each counted."""
    usage = NOTHING._replace(memory_mib_ms=300_000 * GB_SECOND)
    other = usage._replace(region="eu-west-1", architecture="arm64", memory_mib_ms=500_000 * GB_SECOND)
    bill = month_bill(summed([*charges(usage, PRICES), *charges(other, PRICES)]), PRICES)
    assert bill[X86].amount == 150_000 * Fraction("0.0000166667")
    assert bill[ARM].amount == 250_000 * Fraction("0.0000133334")


def test_nothing_is_free_of_what_ran_provisioned() -> None:
    """Documented: Lambda pricing: the free tier does not apply to functions with provisioned concurrency."""
    usage = NOTHING._replace(
        kind="provisioned-concurrency",
        requests=1_000_000,
        memory_mib_ms=100 * GB_SECOND,
        allocated_mib_ms=7200 * GB_SECOND,
    )
    expected = Decimal("0.2") + 100 * Decimal("0.0000097222") + 7200 * Decimal("0.0000041667")
    assert total([usage]) == expected
    assert total([usage, NOTHING._replace(requests=1_000_000)]) == expected


def test_tiers_are_of_a_region_and_an_architecture() -> None:
    """Sixteen billion GB-seconds go through three; two regions with eight go through two each."""
    free = PRICES.free
    whole = NOTHING._replace(memory_mib_ms=(16_000_000_000 + 400_000) * GB_SECOND)
    billions = 10**9
    assert free.gb_seconds == 400_000
    assert total([whole]) == billions * (
        6 * Decimal("0.0000166667") + 9 * Decimal("0.000015") + 1 * Decimal("0.0000133334")
    )
    half = whole._replace(memory_mib_ms=whole.memory_mib_ms // 2)
    assert total([half, half._replace(region="eu-west-1")]) == billions * (
        12 * Decimal("0.0000166667") + 4 * Decimal("0.000015")
    )


def test_streamed_bytes_and_snapshots() -> None:
    """By binary gigabytes, 100 of them free; Java pays for no snapshots."""
    streamed = NOTHING._replace(billable_streamed_bytes=101 * GB_IN_BYTES)
    assert total([streamed]) == Decimal("0.008")
    snapshot = NOTHING._replace(kind="snap-start", allocated_mib_ms=3600 * GB_SECOND, restored_mib=2048)
    assert total([snapshot]) == 3600 * Decimal("0.0000015046") + 2 * Decimal("0.0001397998")
    assert total([snapshot._replace(runtime="java21")]) == 0
    assert total([snapshot._replace(kind="on-demand")]) == 0


def test_a_list_without_anything_free_charges_the_first_request() -> None:
    """Nothing is free unless the list says so."""
    text = PRICES.text.replace("[free]", "").replace("requests = 1_000_000\n", "")
    prices = parse_price_list(text.replace("gb_seconds = 400_000\n", "").replace("streamed_gb = 100\n", ""))
    assert total([NOTHING._replace(requests=1)], prices) == Decimal("0.0000002")
    assert list_rate(REQUESTS, prices) == Fraction(2, 10_000_000)


def test_no_usage_is_no_bill() -> None:
    """And no division by nothing."""
    assert charges(NOTHING, PRICES) == []
    assert month_bill({}, PRICES) == {}
    assert month_bill({X86: 0}, PRICES) == {}
    assert rounded([]) == []


amounts = st.integers(min_value=0, max_value=10**18)
usages = st.builds(
    Usage,
    st.sampled_from(["us-east-1", "eu-west-1", "af-south-1"]),
    st.sampled_from(["x86_64", "arm64"]),
    st.sampled_from(["on-demand", "provisioned-concurrency", "snap-start"]),
    st.sampled_from(["python3.13", "java21", ""]),
    *([amounts] * 6),
)


@given(st.lists(usages, max_size=20))
def test_parts_add_up_to_the_bill(parts: list[Usage]) -> None:
    """Whichever way a month is taken apart, to the last decimal that is shown."""
    together = summed(one for usage in parts for one in charges(usage, PRICES))
    bill = month_bill(together, PRICES)
    exact = sum((one.amount for one in bill.values()), Fraction(0))
    by_part = [sum(cost(amount, bill[meter].rate) for meter, amount in charges(usage, PRICES)) for usage in parts]
    shown = rounded(by_part)
    assert sum(map(Fraction, shown)) == Fraction(rounded_one(sum(by_part)))
    # Off by what the grains of each part lose.
    assert abs(Fraction(rounded_one(sum(by_part))) - exact) <= Fraction(1, 2 * 10**PLACES) + Fraction(200, GRAINS)
    assert all(amount >= 0 for amount in shown)
    assert all(
        abs(Fraction(amount) - Fraction(part, GRAINS)) <= Fraction(1, 10**PLACES)
        for amount, part in zip(shown, by_part, strict=True)
    )


@given(st.lists(usages, max_size=5), usages)
def test_more_usage_never_costs_less(parts: list[Usage], more: Usage) -> None:
    """Tiers fall, and what is free is used up, yet a bill only grows."""

    def exact(of: list[Usage]) -> Fraction:
        bill = month_bill(summed(one for usage in of for one in charges(usage, FALLING)), FALLING)
        return sum((one.amount for one in bill.values()), Fraction(0))

    assert exact([*parts, more]) >= exact(parts)


FALLING = parse_price_list(PRICES.text.replace("gb_seconds = 400_000\n", ""))
"""
Without free GB-seconds: these are shared by quantity, so that more of a cheap architecture takes some from a dear one.
"""
