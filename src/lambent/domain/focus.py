"""
Rows of the FinOps Open Cost and Usage Specification, version 1.2. Pure.

A row is one charge of one function on one day of UTC. Columns are all that the specification has and that can be told
of functions; readers of 1.0 and 1.1 find theirs among them. Source: the specification, dataset "Cost and Usage".

List and contracted costs are those of the first tier, without anything free; billed and effective costs are what is
left at the month's rate. Nobody is asked to pay: an invoice, commitments and reservations do not exist.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

import msgspec

from lambent.domain.arn import function_arn
from lambent.domain.bill import Charge, Rounding, list_rate, price_of
from lambent.domain.caller import Scope
from lambent.domain.months import DAY_S, month_of
from lambent.domain.price_list import PriceList, What
from lambent.domain.usage import ELSEWHERE

COLUMNS: Final = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingAccountType", "BillingCurrency",
    "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription",
    "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart", "CommitmentDiscountCategory", "CommitmentDiscountId",
    "CommitmentDiscountName", "CommitmentDiscountStatus", "CommitmentDiscountType", "ConsumedQuantity",
    "ConsumedUnit", "ContractedCost", "ContractedUnitPrice", "EffectiveCost", "InvoiceId", "InvoiceIssuerName",
    "ListCost", "ListUnitPrice", "PricingCategory", "PricingCurrency", "PricingQuantity", "PricingUnit",
    "ProviderName", "PublisherName", "AvailabilityZone", "RegionId", "RegionName", "ResourceId", "ResourceName",
    "ResourceType", "ServiceCategory", "ServiceName", "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails",
    "SkuPriceId", "SubAccountId", "SubAccountName", "SubAccountType", "Tags",
)  # fmt: skip

ISSUER: Final = "Lambent"

_DESCRIPTIONS: Final[Mapping[What, str]] = {
    What.REQUEST: "Requests",
    What.DURATION: "Duration, by memory",
    What.TMP: "Duration, by /tmp beyond 512 MB",
    What.PROVISIONED: "Provisioned concurrency, by memory and time that it was kept",
    What.PROVISIONED_DURATION: "Duration in provisioned environments, by memory",
    What.STREAMED: "Streamed bytes beyond 6 MB of each response",
    What.SNAPSHOT_CACHED: "Snapshots, by memory and time that they were kept",
    What.SNAPSHOT_RESTORED: "Snapshots restored, by memory",
}

_CONSUMED: Final[Mapping[What, str]] = {What.REQUEST: "Requests", What.STREAMED: "GB", What.SNAPSHOT_RESTORED: "GB"}
_PRICED: Final = {"request": "Requests", "1M requests": "1000000 Requests", "GB": "GB", "GB-second": "GB-Seconds"}
"""The specification writes units like this: a number before, capital letters, plural."""


class Day(NamedTuple):
    """What one function was charged for on one day."""

    at_s: int
    """Its begin."""
    account: str
    region: str
    function: str
    tags: Mapping[str, str]
    charge: Charge
    grains: int
    """What it comes to at the month's rate."""


def header() -> bytes:
    """Return the first line."""
    return _csv([COLUMNS])


def rows(days: Iterable[Day], prices: PriceList, rounding: Rounding) -> bytes:
    """
    Return lines of a table.

    Args:
        rounding: of the whole table: its billed costs add up.
    """
    return _csv(_row(day, prices, rounding) for day in days)


def _row(day: Day, prices: PriceList, rounding: Rounding) -> Sequence[str]:
    meter = day.charge.meter
    price = price_of(meter, prices)
    quantity = Fraction(day.charge.quantity, price.unit_size)
    consumed = day.charge.quantity if meter.what == What.REQUEST else quantity
    list_cost = _number(day.charge.quantity * list_rate(meter, prices), 12)
    list_price = _number(Fraction(price.tiers[0].amount), 20)
    cost = format(rounding.next(day.grains), "f")
    month = month_of(day.at_s)
    sku = "-".join(filter(None, (meter.what.value, meter.architecture)))
    is_known = day.function != ELSEWHERE
    found = {
        "BilledCost": cost,
        "BillingAccountId": day.account,
        "BillingAccountType": "Account",
        "BillingCurrency": prices.currency,
        "BillingPeriodStart": _time(month[0]),
        "BillingPeriodEnd": _time(month[1]),
        "ChargeCategory": "Usage",
        "ChargeDescription": _DESCRIPTIONS[meter.what],
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": _time(day.at_s),
        "ChargePeriodEnd": _time(day.at_s + DAY_S),
        "ConsumedQuantity": _number(Fraction(consumed), 30),
        "ConsumedUnit": _CONSUMED.get(meter.what, "GB-Seconds"),
        "ContractedCost": list_cost,
        "ContractedUnitPrice": list_price,
        "EffectiveCost": cost,
        "InvoiceIssuerName": ISSUER,
        "ListCost": list_cost,
        "ListUnitPrice": list_price,
        "PricingCategory": "Standard",
        "PricingCurrency": prices.currency,
        "PricingQuantity": _number(quantity, 30),
        "PricingUnit": _PRICED[price.unit],
        "ProviderName": ISSUER,
        "PublisherName": ISSUER,
        "RegionId": day.region,
        "RegionName": day.region,
        "ServiceCategory": "Compute",
        "ServiceName": "Lambda",
        "ServiceSubcategory": "Serverless Compute",
        "SkuId": sku,
        "SkuMeter": _DESCRIPTIONS[meter.what],
        "SkuPriceDetails": _json({"x_Architecture": meter.architecture} if meter.architecture else {}),
        "SkuPriceId": f"{sku}-{day.region}-{prices.date.isoformat()}",
        "SubAccountId": day.account,
        "SubAccountName": day.account,
        "SubAccountType": "Account",
        "Tags": _json(day.tags),
    }
    if is_known:
        found["ResourceId"] = str(function_arn(Scope(day.account, day.region), day.function))
        found["ResourceName"] = day.function
        found["ResourceType"] = "Function"
    return [found.get(column, "") for column in COLUMNS]


def _csv(lines: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue().encode()


def _number(value: Fraction, places: int) -> str:
    """Write a number with a point in it, which readers tell by that it has decimals."""
    scaled = round(value * 10**places)
    written = format(Decimal((0, tuple(map(int, str(scaled))), -places)), "f").rstrip("0")
    return written + "0" if written.endswith(".") else written


def _time(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(value: Mapping[str, str]) -> str:
    return msgspec.json.encode(value, order="sorted").decode()
