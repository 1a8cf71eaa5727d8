"""
Rows by the rules of FOCUS 1.2 that can be looked at from outside, written down here.

Source: FinOps Open Cost and Usage Specification 1.2, dataset "Cost and Usage": columns with their feature levels,
whether they may be null, their types and allowed values. The validator of its authors knows 1.0 alone
(tests/wire/test_usage_focus.py).
"""

import csv
import io
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest

from lambent.assembly.billing import read_prices
from lambent.domain.bill import Charge, Meter, Rounding, cost, list_rate, price_of, rounded_one
from lambent.domain.focus import COLUMNS, Day, header, rows
from lambent.domain.price_list import What

PRICES = read_prices(None)
DAY = int(datetime(2026, 12, 31, tzinfo=UTC).timestamp())

NEVER_NULL = {
    "BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory",
    "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost",
    "ProviderName", "PublisherName", "ServiceCategory", "ServiceName", "ServiceSubcategory", "ChargeFrequency",
}  # fmt: skip
"""Mandatory, or recommended and there, and not to be null."""

MANDATORY_AND_NULLABLE = {"BillingAccountName", "ChargeClass", "ChargeDescription", "PricingQuantity", "PricingUnit"}

NOT_NULL_OF_USAGE = {
    "ConsumedQuantity", "ConsumedUnit", "ContractedUnitPrice", "ListUnitPrice", "PricingCategory", "PricingQuantity",
    "PricingUnit", "SkuId", "SkuPriceId", "SkuMeter",
}  # fmt: skip
"""Where ChargeCategory is Usage, ChargeClass is null and no commitment is used."""

CONDITIONAL_OF_1_0 = {
    "AvailabilityZone", "CommitmentDiscountCategory", "CommitmentDiscountId", "CommitmentDiscountName",
    "CommitmentDiscountStatus", "CommitmentDiscountType", "RegionId", "RegionName", "ResourceId", "ResourceName",
    "ResourceType", "SubAccountId", "SubAccountName", "Tags",
}  # fmt: skip
"""That 1.0 had as well."""

DECIMALS = [name for name in COLUMNS if name.endswith(("Cost", "Quantity", "UnitPrice"))]
TIMES = [name for name in COLUMNS if name.endswith(("PeriodStart", "PeriodEnd"))]


def made() -> list[dict[str, str]]:
    """Return a row of each charge, with odd quantities, in the first tier and at a rate below it."""
    days = []
    for number, what in enumerate(What):
        for architecture in ("x86_64", "arm64"):
            price = PRICES.find(what, architecture, "eu-west-1")
            meter = Meter(what, price.architecture, "eu-west-1", False)
            charge = Charge(meter, 1_234_567 * (number + 1))
            grains = cost(charge.quantity, list_rate(meter, PRICES) / 3)
            days.append(Day(DAY, "111122223333", "eu-west-1", f"f-{number}", {"team": 'a,"b'}, charge, grains))
    table = header() + rows(days, PRICES, Rounding())
    lines = list(csv.reader(io.StringIO(table.decode())))
    assert len(lines) == 17
    total = sum(day.grains for day in days)
    assert sum(Decimal(line[0]) for line in lines[1:]) == rounded_one(total)
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


ROWS = made()


def test_columns_that_have_to_be_there_are() -> None:
    """Each once, in Pascal case; there are none of ours."""
    assert set(COLUMNS) >= NEVER_NULL | MANDATORY_AND_NULLABLE | NOT_NULL_OF_USAGE | CONDITIONAL_OF_1_0
    assert len(set(COLUMNS)) == len(COLUMNS)
    assert all(re.fullmatch(r"[A-Z][A-Za-z]+", name) for name in COLUMNS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["SkuPriceId"])
def test_what_may_not_be_null_is_not(row: dict[str, str]) -> None:
    """And what has to be null is: nothing is a correction, nor covered by a commitment."""
    for name in NEVER_NULL | NOT_NULL_OF_USAGE:
        assert row[name], name
    for name in COLUMNS:
        if name.startswith(("CommitmentDiscount", "Availability", "Invoice")) and name != "InvoiceIssuerName":
            assert row[name] == "", name
    assert row["ChargeClass"] == ""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["SkuPriceId"])
def test_values_are_of_their_types(row: dict[str, str]) -> None:
    """Decimals with a point and without exponents, times in UTC, JSON objects, and the words that are allowed."""
    for name in DECIMALS:
        assert re.fullmatch(r"\d+\.\d+", row[name]), (name, row[name])
    for name in TIMES:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row[name]), (name, row[name])
    assert json.loads(row["Tags"]) == {"team": 'a,"b'}
    assert all(key.startswith("x_") for key in json.loads(row["SkuPriceDetails"]))
    assert (row["ChargeCategory"], row["ChargeFrequency"]) == ("Usage", "Usage-Based")
    assert (row["ServiceCategory"], row["ServiceSubcategory"]) == ("Compute", "Serverless Compute")
    assert row["PricingCategory"] == "Standard"
    assert row["BillingCurrency"] == "USD"
    assert row["ResourceId"] == f"arn:aws:lambda:eu-west-1:111122223333:function:{row['ResourceName']}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["SkuPriceId"])
def test_a_day_lies_in_its_month(row: dict[str, str]) -> None:
    """Ends are exclusive: the last day of a year ends with the year."""
    assert (row["ChargePeriodStart"], row["ChargePeriodEnd"]) == ("2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z")
    assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == ("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["SkuPriceId"])
def test_costs_are_prices_times_quantities(row: dict[str, str]) -> None:
    """List and contracted ones, to the last decimal that is shown; billed and effective ones are the same, and less."""
    for name in ("List", "Contracted"):
        exact = Fraction(row[f"{name}UnitPrice"]) * Fraction(row["PricingQuantity"])
        assert abs(Fraction(row[f"{name}Cost"]) - exact) <= Fraction(1, 10**12), name
    assert row["BilledCost"] == row["EffectiveCost"]
    assert Decimal(row["BilledCost"]) <= Decimal(row["ListCost"])


def test_a_price_has_one_identifier() -> None:
    """By what, architecture, region and the list's date; its SKU is the same in all regions."""
    assert {row["SkuId"] for row in ROWS} == {
        "request", "duration-x86_64", "duration-arm64", "tmp", "provisioned-x86_64", "provisioned-arm64",
        "provisioned-duration-x86_64", "provisioned-duration-arm64", "streamed", "snapshot-cached", "snapshot-restored",
    }  # fmt: skip
    prices: dict[str, set[str]] = {}
    for row in ROWS:
        prices.setdefault(row["SkuPriceId"], set()).add(row["ListUnitPrice"])
    assert all(len(found) == 1 for found in prices.values())


def test_what_found_no_room_of_its_own_is_no_resource() -> None:
    """Usage beyond what is told apart has no function: its columns are null, its cost is there."""
    meter = Meter(What.REQUEST, "", "eu-west-1", False)
    table = rows([Day(DAY, "111122223333", "eu-west-1", "*", {}, Charge(meter, 5), 10**24)], PRICES, Rounding())
    row = dict(zip(COLUMNS, next(csv.reader(io.StringIO(table.decode()))), strict=True))
    assert (row["ResourceId"], row["ResourceName"], row["ResourceType"]) == ("", "", "")
    assert Decimal(row["BilledCost"]) == Decimal("0.000001")
    assert price_of(meter, PRICES).unit == "1M requests" and row["PricingUnit"] == "1000000 Requests"
