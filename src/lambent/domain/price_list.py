"""
A list of prices, as data: what a provider asks for each thing that usage consists of. Pure.

It is TOML, with a row for each price; the built-in one is `services/billing/aws_lambda_prices.toml`. Numbers are
decimal from the text on: a price is never a float.
"""

import datetime
import enum
import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final, NamedTuple

ARCHITECTURES: Final = ("x86_64", "arm64")

PRICES_MAX: Final = 10_000
"""Rows. Assumed: ten for each of forty regions, and room."""

AMOUNT_MAX: Final = Decimal(1_000_000)
"""Of a price, by its unit: more is a slip of the keyboard."""

UNITS_MAX: Final = Decimal(10) ** 18
"""Of a tier's end and of what is free."""


_PLACES_MAX: Final = 20
"""Decimals of a number. Assumed: the smallest price of AWS's has ten (test_price_list)."""


class What(enum.StrEnum):
    """What has a price."""

    REQUEST = "request"
    DURATION = "duration"
    TMP = "tmp"
    PROVISIONED = "provisioned"
    """Environments that are kept, for the time that they are kept."""
    PROVISIONED_DURATION = "provisioned-duration"
    """What they run."""
    STREAMED = "streamed"
    SNAPSHOT_CACHED = "snapshot-cached"
    SNAPSHOT_RESTORED = "snapshot-restored"


GB_SECOND: Final = 1024 * 1000
"""MiB times milliseconds. Documented: Lambda pricing computes 1,536 MB as 1.5 GB."""
GB_IN_MIB: Final = 1024
GB_IN_BYTES: Final = 1 << 30
"""Assumed: as the free 100 GiB are (test_bill)."""

_UNITS: Final[Mapping[What, Mapping[str, int]]] = {
    What.REQUEST: {"request": 1, "1M requests": 1_000_000},
    What.STREAMED: {"GB": GB_IN_BYTES},
    What.SNAPSHOT_RESTORED: {"GB": GB_IN_MIB},
}
_GB_SECONDS: Final = {"GB-second": GB_SECOND}


class InvalidPriceList(ValueError):
    """It cannot be used; the message names the row, in one line."""


class Tier(NamedTuple):
    """A price up to some amount of a month."""

    up_to: Decimal | None
    """In the price's unit; None: without end."""
    amount: Decimal


class Price(NamedTuple):
    """What one thing costs."""

    what: What
    architecture: str
    """Empty: of both."""
    regions: tuple[str, ...]
    """Empty: of all that no other row names."""
    unit: str
    tiers: tuple[Tier, ...]
    """Ascending; the last has no end."""
    except_runtimes: tuple[str, ...] = ()
    """What identifiers of runtimes begin with that do not pay."""

    @property
    def unit_size(self) -> int:
        """How many of what is counted make a unit: requests, MiB times milliseconds, bytes, or restored MiB."""
        return _UNITS.get(self.what, _GB_SECONDS)[self.unit]


class Free(NamedTuple):
    """What is free each month for an account: of what is on demand."""

    requests: Decimal = Decimal(0)
    gb_seconds: Decimal = Decimal(0)
    streamed_gb: Decimal = Decimal(0)


class PriceList:
    """
    Prices, found by what, architecture and region.

    Attributes:
        text: the TOML that it was read from.
    """

    def __init__(
        self,
        *,
        name: str,
        currency: str,
        date: datetime.date,
        source: str,
        prices: Sequence[Price],
        free: Free,
        text: str,
    ) -> None:
        self.name = name
        self.currency = currency
        self.date = date
        self.source = source
        self.prices = prices
        self.free = free
        self.text = text
        self._rows = {place: price for price in prices for place in _places(price)}

    def find(self, what: What, architecture: str, region: str) -> Price:
        """Return the price; the row that names the region goes before, then the one that names the architecture."""
        for place in (
            (what, architecture, region),
            (what, "", region),
            (what, architecture, ""),
            (what, "", ""),
        ):
            price = self._rows.get(place)
            if price is not None:
                return price
        # A list has a row for both architectures of AWS. What else may be named is not known by then.
        return self.find(what, ARCHITECTURES[0], region)


def parse_price_list(text: str) -> PriceList:
    """
    Read a list of prices.

    Raises:
        InvalidPriceList: it is no TOML, or something in it is missing, unknown, twice there or of the wrong type.
    """
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError, ArithmeticError, ValueError) as exc:
        raise InvalidPriceList(f"no TOML: {' '.join(str(exc).split())}") from exc
    _check_keys(document, {"name", "currency", "date", "source", "price", "free"}, "")
    date = document.get("date")
    if not isinstance(date, datetime.date) or isinstance(date, datetime.datetime):
        raise InvalidPriceList("date: a date as 2026-01-31, without quotation marks, is wanted")
    rows = document.get("price", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidPriceList("price: rows that begin with [[price]] are wanted")
    if len(rows) > PRICES_MAX:
        raise InvalidPriceList(f"price: {len(rows)} rows are more than {PRICES_MAX}")
    prices = [_price(row, number) for number, row in enumerate(rows, 1)]
    _check_complete(prices)
    return PriceList(
        name=_text(document, "name", ""),
        currency=_currency(document),
        date=date,
        source=_text(document, "source", ""),
        prices=prices,
        free=_free(document.get("free", {})),
        text=text,
    )


def _price(row: Mapping[str, Any], number: int) -> Price:
    at = f"price {number}: "
    _check_keys(row, {"what", "architecture", "regions", "unit", "amount", "tiers", "except_runtimes"}, at)
    try:
        what = What(str(row.get("what")))
    except ValueError:
        raise InvalidPriceList(f"{at}what: none of {', '.join(What)}") from None
    architecture = row.get("architecture", "")
    if architecture != "" and architecture not in ARCHITECTURES:
        raise InvalidPriceList(f"{at}architecture: none of {', '.join(ARCHITECTURES)}")
    at = f"price {number} ({_title(what, architecture)}): "
    units = _UNITS.get(what, _GB_SECONDS)
    unit = str(row.get("unit"))
    if unit not in units:
        raise InvalidPriceList(f"{at}unit: {' or '.join(units)} is wanted")
    if ("amount" in row) == ("tiers" in row):
        raise InvalidPriceList(f"{at}either amount or tiers is wanted")
    tiers = (Tier(None, _number(row, "amount", AMOUNT_MAX, at)),) if "amount" in row else _tiers(row["tiers"], at)
    return Price(
        what, architecture, _texts(row, "regions", at), unit, tiers, _texts(row, "except_runtimes", at)
    )  # fmt: skip


def _tiers(given: Any, at: str) -> tuple[Tier, ...]:
    if not isinstance(given, list) or not given or not all(isinstance(tier, dict) for tier in given):
        raise InvalidPriceList(f"{at}tiers: a list of {{up_to = ..., amount = ...}} is wanted")
    tiers = []
    for number, tier in enumerate(given, 1):
        of_tier = f"{at}tier {number}: "
        _check_keys(tier, {"up_to", "amount"}, of_tier)
        is_last = number == len(given)
        if is_last == ("up_to" in tier):
            raise InvalidPriceList(f"{of_tier}up_to: every tier but the last has one")
        up_to = None if is_last else _number(tier, "up_to", UNITS_MAX, of_tier)
        tiers.append(Tier(up_to, _number(tier, "amount", AMOUNT_MAX, of_tier)))
    ends = [Decimal(0), *(tier.up_to for tier in tiers if tier.up_to is not None)]
    for number, (begin, end) in enumerate(pairwise(ends), 1):
        if begin >= end:
            raise InvalidPriceList(f"{at}tier {number}: up_to: {end} is not more than {begin}: tiers ascend")
    return tuple(tiers)


def _free(given: Any) -> Free:
    at = "free: "
    if not isinstance(given, dict):
        raise InvalidPriceList(f"{at}a table is wanted")
    _check_keys(given, set(Free._fields), at)
    return Free(**{name: _number(given, name, UNITS_MAX, at) for name in given})


def _check_complete(prices: Sequence[Price]) -> None:
    seen: dict[tuple[What, str, str], int] = {}
    for number, price in enumerate(prices, 1):
        for place in _places(price):
            if place in seen:
                where = f" in {place[2]}" if place[2] else ""
                raise InvalidPriceList(
                    f"price {number} ({_title(price.what, price.architecture)}): price {seen[place]} says that already"
                    f"{where}"
                )
            seen[place] = number
    for what in What:
        for architecture in ARCHITECTURES:
            if (what, architecture, "") not in seen and (what, "", "") not in seen:
                raise InvalidPriceList(f"price ({_title(what, architecture)}): a row without regions is missing")


def _places(price: Price) -> list[tuple[What, str, str]]:
    return [(price.what, price.architecture, region) for region in price.regions or ("",)]


def _title(what: What, architecture: str) -> str:
    return f"{what}, {architecture}" if architecture else what.value


def _check_keys(given: Mapping[str, Any], known: set[str], at: str) -> None:
    for key in given:
        if key not in known:
            # As Python writes it: whatever is in there, it stays one line.
            raise InvalidPriceList(f"{at}{ascii(key)[1:-1]}: unknown; there are {', '.join(sorted(known))}")


def _text(given: Mapping[str, Any], key: str, at: str) -> str:
    value = given.get(key)
    if not isinstance(value, str) or not value.isprintable() or not value.strip() or len(value) > 500:
        raise InvalidPriceList(f"{at}{key}: a line of text is wanted")
    return value


def _texts(given: Mapping[str, Any], key: str, at: str) -> tuple[str, ...]:
    values = given.get(key)
    if values is None:
        return ()
    if not isinstance(values, list) or not values or not all(isinstance(value, str) and value for value in values):
        raise InvalidPriceList(f"{at}{key}: a list of texts is wanted")
    if len(set(values)) != len(values):
        raise InvalidPriceList(f"{at}{key}: one is there twice")
    return tuple(values)


def _currency(document: Mapping[str, Any]) -> str:
    value = document.get("currency")
    if not isinstance(value, str) or len(value) != 3 or not (value.isascii() and value.isalpha() and value.isupper()):
        raise InvalidPriceList("currency: three capital letters, as USD, are wanted")
    return value


def _number(given: Mapping[str, Any], key: str, most: Decimal, at: str) -> Decimal:
    value = given.get(key)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise InvalidPriceList(f"{at}{key}: a number is wanted")
    number = Decimal(value)
    if not number.is_finite() or not 0 <= number <= most:
        raise InvalidPriceList(f"{at}{key}: {number} is not from 0 to {most}")
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_PLACES_MAX:
        # As a fraction, 1e-999999 has a million digits.
        raise InvalidPriceList(f"{at}{key}: there are more than {_PLACES_MAX} decimals")
    return number
