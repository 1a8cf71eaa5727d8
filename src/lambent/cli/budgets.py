"""`lambent budgets`: how much may be used in a day or a month, what is told of it, and what is stopped by it."""

import json as json_
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from lambent.cli.client import DEFAULT_ENDPOINT, Endpoint, open_own_path
from lambent.cli.failure import CommandFailed
from lambent.cli.terminal import AsJson, print_json, print_table
from lambent.cli.usage_figures import printable

_WHOLE = 2_048
"""Letters of a target, as many as one has: nothing of it is left out."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="The budget's name.")]
Account = Annotated[str | None, typer.Option(help="Whose it is; by default the caller's own.", metavar="ID")]


def list_(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="This budget alone.")] = None,
    account: Annotated[
        str | None, typer.Option(help="Whose they are; by default the caller's own. `all`: of all.", metavar="ID")
    ] = None,
    json: AsJson = False,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
) -> None:
    """Show budgets: what is used of them, and what they have to tell and could not yet."""
    found = ask(endpoint, "ListBudgets", _given(account=account, name=name))["budgets"]
    if name is not None and not found:
        raise CommandFailed(f"there is no budget {name}", exit_code=2)
    if json:
        print_json(found)
        return
    if not found:
        print("no budgets")
        return
    headings: tuple[str, ...] = ("name", "watches", "used", "of", "%", "until", "state", "told")
    rows = [_row(one) for one in found]
    if account == "all":
        headings = ("account", *headings)
        rows = [(one["account"], *row) for one, row in zip(found, rows, strict=True)]
    print_table(headings, rows, right=("used", "of", "%"), whole=("until",))
    notices = [(one["name"], notice) for one in found for notice in one["notices"]]
    if notices:
        print("waits to be told:")
        print_table(
            ("budget", "%", "target", "since", "tries", "next in", "last failure"),
            [
                (
                    budget,
                    str(notice["percent"]),
                    printable(notice["target"], _WHOLE),
                    notice["due_at"],
                    str(notice["tries"]),
                    f"{notice['next_try_s']:g} s",
                    printable(notice["failure"] or "-", _WHOLE),
                )
                for budget, notice in notices
            ],
            right=("%", "tries"),
            whole=("since",),
        )


def put(
    name: Name,
    amount: Annotated[str, typer.Option(help="How much may be used.", metavar="N")],
    measure: Annotated[
        str, typer.Option(help="Of what: requests, gb_seconds, or money in the price list's currency.", metavar="WHAT")
    ],
    period: Annotated[str, typer.Option(help="In a day or a month, of UTC.", metavar="day|month")] = "month",
    function: Annotated[
        str | None, typer.Option(help="Watch a function: its name, or its ARN.", metavar="NAME")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Watch functions with a tag.", metavar="KEY=VALUE")] = None,
    warn: Annotated[
        str, typer.Option(help="Percentages at which to tell, with commas between; empty: never.", metavar="N,N")
    ] = "50,80,100",
    tell: Annotated[
        list[str] | None,
        typer.Option(help="Whom: a URL, or the ARN of a queue or a function; may be repeated.", metavar="TARGET"),
    ] = None,
    throttle: Annotated[
        bool, typer.Option("--throttle", metavar="", help="Refuse invocations once all is used.")
    ] = False,
    account: Account = None,
    json: AsJson = False,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
) -> None:
    """
    Make a budget, or change the one of that name.

    Without --function and --tag it watches the whole account.
    """
    try:
        percentages = [int(one) for one in warn.split(",") if one.strip()]
    except ValueError:
        raise CommandFailed(f"--warn: {warn!r} is not whole numbers with commas between", exit_code=2) from None
    asked = _given(account=account, function=function, tag=tag) | {
        "name": name,
        "measure": measure,
        "amount": amount,
        "period": period,
        "warn": percentages,
        "targets": tell or [],
        "throttle": throttle,
    }
    _show(ask(endpoint, "PutBudget", asked)["budget"], json)


def raise_(
    name: Name,
    to: Annotated[str | None, typer.Option(help="To so much.", metavar="N")] = None,
    by: Annotated[str | None, typer.Option(help="By so much.", metavar="N")] = None,
    for_good: Annotated[
        bool, typer.Option("--for-good", metavar="", help="In the periods that come, too; not in this one alone.")
    ] = False,
    account: Account = None,
    json: AsJson = False,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
) -> None:
    """Let a budget have more, in this period; what it stopped is let in at once where that suffices."""
    if (to is None) == (by is None):
        raise CommandFailed("give one of --to and --by", exit_code=2)
    asked = _given(account=account, to=to, by=by) | {"name": name, "is_for_good": for_good}
    _show(ask(endpoint, "RaiseBudget", asked)["budget"], json)


def reset(name: Name, account: Account = None, json: AsJson = False, endpoint: Endpoint = DEFAULT_ENDPOINT) -> None:
    """Count from now on, until the period ends; what it stopped is let in at once."""
    _show(ask(endpoint, "ResetBudget", _given(account=account) | {"name": name})["budget"], json)


def delete(name: Name, account: Account = None, endpoint: Endpoint = DEFAULT_ENDPOINT) -> None:
    """Delete a budget and what it still has to tell; what it stopped is let in at once."""
    answer = ask(endpoint, "DeleteBudget", _given(account=account) | {"name": name})
    print(f"{name}: {'deleted' if answer['is_deleted'] else 'there is none'}")


COMMANDS: Mapping[str, Callable[..., None]] = {
    "list": list_,
    "put": put,
    "raise": raise_,
    "reset": reset,
    "delete": delete,
}


def ask(endpoint: str, action: str, request: Mapping[str, Any]) -> Any:
    """
    Have the server do something with budgets.

    Raises:
        CommandFailed: nobody answers, or the answer is a refusal.
    """
    from http.client import HTTPException

    body = json_.dumps(request).encode()
    try:
        with open_own_path(endpoint, f"budgets/{action}", posts=True, body=body) as answer:
            return json_.load(answer)
    except (OSError, HTTPException, ValueError) as error:
        raise CommandFailed(f"{endpoint}: this is no Lambent server") from error


def _given(**members: str | None) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _show(budget: Mapping[str, Any], json: bool) -> None:
    if json:
        print_json(budget)
        return
    now = budget["now"]
    state = "; invocations are refused" if now["is_throttled"] else ""
    print(
        f"{budget['name']}: {now['used']} of {now['amount']} {_unit(budget)} used until {now['to']} "
        f"({now['percent']:g} %){state}"
    )


def _row(budget: Mapping[str, Any]) -> tuple[str, ...]:
    now, watches = budget["now"], budget["watches"]
    watched = printable(watches.get("function") or watches.get("tag") or "account", _WHOLE)
    states = [
        text
        for text, holds in (
            ("refuses", now["is_throttled"]),
            ("throttles", budget["throttle"] and not now["is_throttled"]),
            ("raised", now["is_raised"]),
            ("reset", now["not_counted"] != "0"),
        )
        if holds
    ]
    told = ", ".join(f"{percent} %" for percent in now["warned"])
    return (
        budget["name"],
        watched,
        now["used"],
        f"{now['amount']} {_unit(budget)}",
        f"{now['percent']:g}",
        now["to"][:10],
        ", ".join(states) or "-",
        told or "-",
    )


def _unit(budget: Mapping[str, Any]) -> str:
    units = {"requests": "requests", "gb_seconds": "GB-seconds"}
    return str(units.get(budget["measure"]) or budget["currency"])
