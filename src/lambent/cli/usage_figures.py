"""The figures of an answer about usage: who comes first, what the rest comes to, and how they are written. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

Row = Mapping[str, Any]
"""As the server answers it: `at`, `group`, `account`, and figures."""

NOWHERE = "(none)"
"""Stands for what has no tag, or no tenant."""

_OTHERS = "(others)"
_NAME_MAX = 120
_PEAK = "memory_peak_mib"
_MONEY = ("aws_cost", "here_cost")


class Measure(NamedTuple):
    """What a plot is of."""

    figure: str
    title: str
    unit: str
    """Empty: a count. `{}` stands for the currency."""


MEASURES: Mapping[str, Measure] = {
    "cost": Measure("aws_cost", "What AWS would have charged", "{}"),
    "here": Measure("here_cost", "What it cost here", "{}"),
    "requests": Measure("requests", "Requests", ""),
    "errors": Measure("errors", "Errors", ""),
    "cold-starts": Measure("cold_starts", "Cold starts", ""),
    "gb-seconds": Measure("gb_seconds", "Billed time times memory", "GB-s"),
    "cpu": Measure("cpu_seconds", "Processor time", "s"),
    "streamed": Measure("streamed_bytes", "Streamed", "B"),
}


class Amount(NamedTuple):
    """What a group used."""

    at: str
    """Begin of the stretch, empty for all of the time."""
    group: str
    """As it is shown."""
    account: str
    figures: Mapping[str, Any]
    is_rest: bool = False


def amounts_of(
    rows: Iterable[Row], *, by: str, by_stretch: bool, most: int, ranked_by: str = "aws_cost"
) -> list[Amount]:
    """
    Return what groups used, the most expensive first; by stretch, in the order of time.

    Args:
        by: what they are groups of, as the answer has it.
        by_stretch: whether stretches are told apart.
        most: how many groups are told apart, those that come to most; the others are one.
        ranked_by: the figure that says what is most.
    """
    rows = list(rows)

    def rank(figures: Mapping[str, Any]) -> tuple[Any, ...]:
        return -money(figures[ranked_by] or 0), *_rank(figures)

    all_time: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        _merge(all_time.setdefault((row["group"], row["account"]), {}), row)
    ranked = sorted(all_time, key=lambda place: (*rank(all_time[place]), *place))
    # One left over is told by its name.
    shown = set(ranked if len(ranked) <= most + 1 else ranked[:most])
    rest = f"({len(ranked) - len(shown)} others)"
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in (
        rows if by_stretch else ({**all_time[place], "group": place[0], "account": place[1]} for place in ranked)
    ):
        place = (row["group"], row["account"])
        at = row["at"] if by_stretch else ""
        _merge(found.setdefault((at, *place) if place in shown else (at, rest, ""), {}), row)
    amounts = [
        Amount(at, group, account, figures, is_rest=True)
        if group == rest and not account
        else Amount(at, name_of(group, by), account, figures)
        for (at, group, account), figures in found.items()
    ]
    return sorted(amounts, key=lambda one: (one.at, one.is_rest, *rank(one.figures), one.group, one.account))


def _rank(figures: Mapping[str, Any]) -> tuple[Any, ...]:
    return -money(figures["aws_cost"]), -figures["gb_seconds"], -figures["requests"]


def _merge(into: dict[str, Any], row: Row) -> None:
    """Add a row's figures to others."""
    for name, value in row.items():
        if name in {"at", "group", "account"}:
            continue
        if name in _MONEY:
            known = into.get(name)
            into[name] = known if value is None else money(value) + (known or 0)
        elif name == _PEAK:
            into[name] = max(into.get(name, 0), value)
        else:
            into[name] = into.get(name, 0) + value


def name_of(group: str, by: str) -> str:
    """Return a group's name as it is shown: on one line, and without orders to a terminal."""
    if not group:
        return NOWHERE
    if group == "*" and by == "tenant":
        return _OTHERS
    return printable(group)


def printable(text: str, most: int = _NAME_MAX) -> str:
    """Return user data on one line, and without what a terminal, or XML, would not take for a letter."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def money(value: Any) -> Decimal:
    """Return an amount as the server writes it."""
    return Decimal(str(value))


def places_of(amounts: Iterable[Decimal]) -> int:
    """Return with how many decimal places money is written, so that the largest has four figures."""
    largest = max(amounts, default=Decimal(0))
    if not largest:
        return 2
    return next(
        (places for least, places in ((10, 2), (Decimal("0.1"), 4), (Decimal("0.001"), 6)) if largest >= least), 8
    )


def money_text(value: Decimal | None, places: int) -> str:
    """Write an amount; what is not nothing does not look like it."""
    if value is None:
        return "-"
    least = Decimal(1).scaleb(-places)
    if 0 < value < least / 2:
        return f"<{least:f}"
    return f"{value:,.{places}f}"


def seconds_text(seconds: float) -> str:
    """Write a duration: `0.5 s`, `12 min`, `3.4 h`."""
    for least, unit in ((2 * 3600.0, "h"), (2 * 60.0, "min")):
        if seconds >= least:
            return f"{quantity_text(seconds / (3600.0 if unit == 'h' else 60.0))} {unit}"
    return f"{quantity_text(seconds)} s"


def quantity_text(value: float) -> str:
    """Write a quantity with about three figures; one that is not nothing does not look like it."""
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}".removesuffix(".0")
    if value == 0 or value >= 0.005:
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return "<0.01"


def plain_text(value: float) -> str:
    """Write a value as people do, without a power of ten: `2,500`, `0.000002`."""
    return f"{Decimal(f'{value:.6g}'):,f}"


def bytes_text(size: float) -> str:
    """Write a size: `512 B`, `3.4 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def measured_text(measure: Measure, currency: str, places: int) -> Callable[[float], str]:
    """Return what writes values of a measure, with their unit."""
    if measure.unit == "{}":
        return lambda value: f"{money_text(money(value), places)} {currency}"
    if measure.unit == "B":
        return bytes_text
    if not measure.unit:
        return lambda value: f"{value:,.0f}"
    return lambda value: f"{quantity_text(value)} {measure.unit}"


def moment_text(at: str) -> str:
    """Return a moment without its seconds and offset."""
    return at[:16].replace("T", " ")


def stretch_labels(stretches: Sequence[str], step: str) -> list[str]:
    """Return a short name of each stretch."""
    moments = [datetime.fromisoformat(at) for at in stretches]
    is_one_day = len({moment.date() for moment in moments}) == 1
    is_one_year = len({moment.year for moment in moments}) == 1
    if step in {"hour", "minute"}:
        form = "%H:%M" if is_one_day else "%m-%d %H:%M" if is_one_year else "%Y-%m-%d %H:%M"
    elif step == "day":
        form = "%m-%d %a" if is_one_year else "%Y-%m-%d %a"
    else:
        form = "%Y-%m" if step == "month" else "%Y-%m-%d %H:%M"
    return [moment.strftime(form) for moment in moments]
