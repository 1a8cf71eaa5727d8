"""What is said around a table of usage: the time, what it came to, and what the month will."""

from collections.abc import Mapping
from typing import Any

from lambent.cli.usage_figures import (
    amounts_of,
    moment_text,
    money,
    money_text,
    places_of,
    printable,
    quantity_text,
    seconds_text,
)
from lambent.cli.usage_picture import Page

Answer = Mapping[str, Any]


def title_of(answer: Answer) -> str:
    """Return what an answer is of: `Usage by function, 2026-11-01 00:00 to 2026-11-30 12:35 UTC`."""
    begin, end = moment_text(answer["from"]), moment_text(answer["to"])
    return f"Usage by {printable(answer['by'])}, {begin} to {end} {answer['timezone']}"


def summary_of(answer: Answer) -> list[str]:
    """Return the lines below a table."""
    currency, prices = answer["currency"], answer["prices"]
    cost = money(answer["total"]["aws_cost"])
    is_free = not cost and answer["total"]["requests"]
    lines = [
        f"AWS would have charged {_amount(cost)} {currency} ({printable(prices['name'])}, {printable(prices['date'])})"
        + (": less was used than is free each month" if is_free else "")
    ]
    machine, here = answer["machine"], answer["total"]["here_cost"]
    if machine is not None:
        lines.append(
            f"here it cost {_amount(here or 0)} {currency}, of {_amount(machine['cost'])} {currency} for "
            f"{quantity_text(machine['hours'])} h of the machine; the rest was idle or others'"
        )
    forecast = answer["forecast"]
    if forecast is not None:
        lines.append(
            f"forecast for {forecast['month']}: {_amount(forecast['expected'])} {currency} at AWS, "
            f"{_amount(forecast['so_far'])} so far ({_method(forecast)})"
        )
    return lines


def page_of(answer: Answer, most: int) -> Page:
    """
    Return what a page shows of an answer.

    Args:
        most: how many groups its table has.
    """
    currency, total, prices = answer["currency"], answer["total"], answer["prices"]
    facts = [
        ("AWS would have charged", f"{_amount(total['aws_cost'])} {currency}", f"{prices['name']}, {prices['date']}"),
        ("Requests", f"{total['requests']:,}", f"{total['errors']:,} failed, {total['cold_starts']:,} cold"),
        ("Billed", seconds_text(total["billed_ms"] / 1000), f"{quantity_text(total['gb_seconds'])} GB-s"),
    ]
    machine, forecast = answer["machine"], answer["forecast"]
    if machine is not None:
        said = f"of {_amount(machine['cost'])} {currency} for the machine"
        facts.insert(1, ("It cost here", f"{_amount(total['here_cost'] or 0)} {currency}", said))
    if forecast is not None:
        expected = f"{_amount(forecast['expected'])} {currency}"
        facts.append((f"Forecast for {forecast['month']}", expected, f"at AWS; {_method(forecast)}"))
    amounts = amounts_of(answer["rows"], by=answer["by"], by_stretch=False, most=most)
    has_accounts = answer["by"] != "account" and len({one.account for one in amounts if one.account}) > 1
    has_here = total["here_cost"] is not None
    places = {
        name: places_of([money(total[name] or 0), *(money(one.figures[name] or 0) for one in amounts)])
        for name in ("aws_cost", "here_cost")
    }

    def cells(name: str, figures: Mapping[str, Any]) -> list[str]:
        return [
            name,
            f"{figures['requests']:,}",
            f"{figures['errors']:,}",
            seconds_text(figures["billed_ms"] / 1000),
            quantity_text(figures["gb_seconds"]),
            *(
                money_text(money(figures[cost] or 0), places[cost])
                for cost in ("aws_cost", *(("here_cost",) if has_here else ()))
            ),
        ]

    here = (f"Here ({currency})",) if has_here else ()
    return Page(
        title_of(answer),
        facts,
        (answer["by"], "Requests", "Errors", "Billed", "GB-s", f"AWS ({currency})", *here),
        [
            cells(f"{one.group} ({one.account})" if has_accounts and one.account else one.group, one.figures)
            for one in amounts
        ],
        cells("Total", total),
        [f"Prices: {prices['name']}, {prices['date']}, {prices['source']}"],
    )


def _amount(value: Any) -> str:
    amount = money(value)
    return money_text(amount, places_of([amount]))


def _method(forecast: Mapping[str, Any]) -> str:
    how = "weekdays apart" if forecast["method"] == "weekday" else "as they went"
    return f"from {quantity_text(forecast['days'])} days, {how}"
