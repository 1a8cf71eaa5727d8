"""A list of prices that cannot be used is refused, with the row and in one line."""

from decimal import Decimal

import pytest

from lambent.domain.price_list import ARCHITECTURES, InvalidPriceList, What, parse_price_list

HEAD = 'name = "n"\ncurrency = "USD"\ndate = 2026-09-19\nsource = "s"\n'
UNITS = {What.REQUEST: "1M requests", What.STREAMED: "GB", What.SNAPSHOT_RESTORED: "GB"}


def row(what: str, rest: str = "amount = 0.5", unit: str | None = None) -> str:
    """Return a row of a list."""
    unit = unit or UNITS.get(What(what), "GB-second")
    return f'[[price]]\nwhat = "{what}"\nunit = "{unit}"\n{rest}\n'


ROWS = [row(what) for what in What]
COMPLETE = HEAD + "".join(ROWS)
"""Its second row is of durations."""


def test_a_complete_list_is_read() -> None:
    """Numbers are decimal from the text on, however small."""
    prices = parse_price_list(COMPLETE.replace("amount = 0.5", "amount = 0.0000000309", 1))
    assert (prices.name, prices.currency, prices.date.isoformat(), prices.source) == ("n", "USD", "2026-09-19", "s")
    found = prices.find(What.REQUEST, "arm64", "eu-west-1")
    assert found.tiers[0].amount == Decimal("0.0000000309")
    assert found.unit_size == 1_000_000
    assert prices.free.requests == 0


def test_the_row_that_says_more_goes_before() -> None:
    """The region first, then the architecture; what is named nowhere has the row without regions."""
    prices = parse_price_list(
        COMPLETE
        + row("duration", 'architecture = "arm64"\namount = 2')
        + row("duration", 'regions = ["eu-north-9"]\namount = 3')
        + row("duration", 'architecture = "x86_64"\nregions = ["eu-north-9", "eu-north-8"]\namount = 4')
    )
    found = {
        (architecture, region): prices.find(What.DURATION, architecture, region).tiers[0].amount
        for architecture in (*ARCHITECTURES, "riscv")
        for region in ("us-east-1", "eu-north-9", "eu-north-8")
    }
    assert found == {
        ("x86_64", "us-east-1"): Decimal("0.5"),
        ("x86_64", "eu-north-9"): 4,
        ("x86_64", "eu-north-8"): 4,
        ("arm64", "us-east-1"): 2,
        ("arm64", "eu-north-9"): 3,
        ("arm64", "eu-north-8"): 2,
        ("riscv", "us-east-1"): Decimal("0.5"),
        ("riscv", "eu-north-9"): 3,
        ("riscv", "eu-north-8"): Decimal("0.5"),
    }


TIERED = "tiers = [{ up_to = 10, amount = 3 }, { up_to = %s, amount = 2 }, { amount = 1 }]"

BROKEN = {
    "no TOML": (HEAD + "[[price]\n", "no TOML: "),
    "the line": (HEAD + "[[price]\n", "line 5"),
    "a key twice": (HEAD + 'name = "m"\n', "no TOML: "),
    "unknown on top": ("colour = 1\n" + COMPLETE, "colour: unknown; there are "),
    "unknown with a line break": ('"a\\nb" = 1\n' + COMPLETE, "a\\nb: unknown; there are "),
    "unknown in a row": (HEAD + ROWS[0] + row("duration", "amount = 1\ncost = 2"), "price 2: cost: unknown"),
    "unknown in a tier": (
        HEAD + row("duration", "tiers = [{ upto = 1, amount = 2 }, { amount = 1 }]"),
        "price 1 (duration): tier 1: upto: unknown",
    ),
    "unknown of free": (COMPLETE + "[free]\nmoney = 1\n", "free: money: unknown"),
    "no such thing": (HEAD + ROWS[0].replace("request", "pizza", 1), "price 1: what: none of request, duration"),
    "no thing": (HEAD + ROWS[0].replace('what = "request"', ""), "price 1: what: none of "),
    "architecture": (HEAD + row("tmp", 'architecture = "x86"\namount = 1'), "price 1: architecture: none of x86_64, "),
    "unit": (HEAD + row("tmp", unit="GB"), "price 1 (tmp): unit: GB-second is wanted"),
    "neither": (HEAD + row("tmp", ""), "price 1 (tmp): either amount or tiers is wanted"),
    "both": (HEAD + row("tmp", "amount = 1\ntiers = [{ amount = 1 }]"), "price 1 (tmp): either amount or tiers"),
    "text": (HEAD + row("tmp", 'amount = "1"'), "price 1 (tmp): amount: a number is wanted"),
    "true": (HEAD + row("tmp", "amount = true"), "price 1 (tmp): amount: a number is wanted"),
    "negative": (HEAD + row("tmp", "amount = -0.1"), "price 1 (tmp): amount: -0.1 is not from 0 to 1000000"),
    "not a number": (HEAD + row("tmp", "amount = nan"), "price 1 (tmp): amount: NaN is not from 0 to 1000000"),
    "infinite": (HEAD + row("tmp", "amount = inf"), "price 1 (tmp): amount: Infinity is not from 0 to 1000000"),
    "too much": (HEAD + row("tmp", "amount = 1e400"), "price 1 (tmp): amount: 1E+400 is not from 0 to 1000000"),
    "far too small": (
        HEAD + row("tmp", "amount = 1e-999999"),
        "price 1 (tmp): amount: there are more than 20 decimals",
    ),
    "no tiers": (HEAD + row("tmp", "tiers = []"), "price 1 (tmp): tiers: a list of "),
    "tiers of numbers": (HEAD + row("tmp", "tiers = [1, 2]"), "price 1 (tmp): tiers: a list of "),
    "tiers fall": (
        HEAD + row("duration", 'architecture = "arm64"\n' + TIERED % 10),
        "price 1 (duration, arm64): tier 2: up_to: 10 is not more than 10: tiers ascend",
    ),
    "an empty tier": (
        HEAD + row("tmp", "tiers = [{ up_to = 0, amount = 1 }, { amount = 1 }]"),
        "price 1 (tmp): tier 1: up_to: 0 is not more than 0",
    ),
    "the last tier ends": (HEAD + row("tmp", "tiers = [{ up_to = 1, amount = 1 }]"), "price 1 (tmp): tier 1: up_to: "),
    "another has no end": (
        HEAD + row("tmp", "tiers = [{ amount = 1 }, { amount = 1 }]"),
        "price 1 (tmp): tier 1: up_to: every tier but the last has one",
    ),
    "regions": (HEAD + row("tmp", 'regions = "us-east-1"\namount = 1'), "price 1 (tmp): regions: a list of texts"),
    "no regions": (HEAD + row("tmp", "regions = []\namount = 1"), "price 1 (tmp): regions: a list of texts"),
    "a region twice": (
        HEAD + row("tmp", 'regions = ["a", "a"]\namount = 1'),
        "price 1 (tmp): regions: one is there twi",
    ),
    "a row twice": (COMPLETE + row("duration"), "price 9 (duration): price 2 says that already"),
    "a region's row twice": (
        COMPLETE + row("tmp", 'regions = ["a", "b"]\namount = 1') + row("tmp", 'regions = ["b"]\namount = 1'),
        "price 10 (tmp): price 9 says that already in b",
    ),
    "a row is missing": (
        HEAD + "".join(ROWS[:1] + ROWS[2:]) + row("duration", 'architecture = "x86_64"\namount = 1'),
        "price (duration, arm64): a row without regions is missing",
    ),
    "only of regions": (
        HEAD + "".join(ROWS[1:]) + row("request", 'regions = ["a"]\namount = 1'),
        "price (request, x86_64): a row without regions is missing",
    ),
    "no rows": (HEAD, "price (request, x86_64): a row without regions is missing"),
    "no list of rows": (HEAD + "price = 3\n", "price: rows that begin with [[price]] are wanted"),
    "rows of numbers": (HEAD + "price = [3]\n", "price: rows that begin with [[price]] are wanted"),
    "no such day": (COMPLETE.replace("2026-09-19", "2026-02-30"), "no TOML: "),
    "a date in words": (COMPLETE.replace("2026-09-19", '"today"'), "date: a date as 2026-01-31, without quotation"),
    "a date with a time": (COMPLETE.replace("2026-09-19", "2026-09-19T10:00:00Z"), "date: a date as 2026-01-31"),
    "no date": (COMPLETE.replace("date = 2026-09-19\n", ""), "date: a date as 2026-01-31"),
    "no name": (COMPLETE.replace('name = "n"\n', ""), "name: a line of text is wanted"),
    "a name of lines": (COMPLETE.replace('"n"', '"a\\nb"'), "name: a line of text is wanted"),
    "no source": (COMPLETE.replace('"s"', '" "'), "source: a line of text is wanted"),
    "no currency": (COMPLETE.replace('"USD"', '"dollars"'), "currency: three capital letters"),
    "free of a number": ("free = 3\n" + COMPLETE, "free: a table is wanted"),
    "free is negative": (COMPLETE + "[free]\nrequests = -1\n", "free: requests: -1 is not from 0"),
    "nested too deep": (HEAD + "a = " + "[" * 100_000, "no TOML: "),
    "digits without end": (HEAD + "a = " + "1" * 10_000, "no TOML: "),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_is_named_in_one_line(case: str) -> None:
    """The operator finds the place without counting."""
    text, said = BROKEN[case]
    with pytest.raises(InvalidPriceList) as refused:
        parse_price_list(text)
    message = str(refused.value)
    assert said in message
    assert "\n" not in message
    assert len(message) < 400
