"""`lambent accounts`: accounts beside the operator's own, and what each may use."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from lambent.cli.client import DEFAULT_ENDPOINT, Endpoint
from lambent.cli.failure import CommandFailed
from lambent.cli.keys import ask, time_of
from lambent.cli.terminal import AsJson, print_json, print_table

Number = Annotated[str, typer.Argument(metavar="ID", help="The account's number, twelve digits.")]
Executions = Annotated[
    str | None,
    typer.Option(
        "--concurrent-executions", help="Invocations at once in a region; `default`: as the server has it.", metavar="N"
    ),
]
CodeBytes = Annotated[
    str | None,
    typer.Option(
        "--code-total-max-bytes",
        help="Bytes of deployment packages in a region; `default`: as the server has it.",
        metavar="N",
    ),
]


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the account is called.")],
    number: Annotated[
        str | None, typer.Option("--id", help="Its number; by default a fresh one.", metavar="ID")
    ] = None,
    concurrent_executions: Executions = None,
    code_total_max_bytes: CodeBytes = None,
    json: AsJson = False,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
) -> None:
    """Make an account. `lambent keys create --account ID` makes a key for it."""
    asked = {"name": name, "account": number, **_limits(concurrent_executions, code_total_max_bytes)}
    _show(ask(endpoint, "CreateAccount", asked), json)


def update(
    number: Number,
    name: Annotated[str | None, typer.Option(help="Another name.", metavar="NAME")] = None,
    concurrent_executions: Executions = None,
    code_total_max_bytes: CodeBytes = None,
    reopen: Annotated[bool, typer.Option("--open", metavar="", help="Open an account that was closed.")] = False,
    json: AsJson = False,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
) -> None:
    """Change what an account is called, or what it may use."""
    asked: dict[str, Any] = {"account": number, **_limits(concurrent_executions, code_total_max_bytes)}
    if name is not None:
        asked["name"] = name
    if reopen:
        asked["is_open"] = True
    _show(ask(endpoint, "UpdateAccount", asked), json)


def close(number: Number, endpoint: Endpoint = DEFAULT_ENDPOINT) -> None:
    """
    Close an account: its keys are refused and its functions do not run.

    Nothing of it is deleted; `lambent accounts update ID --open` opens it again.
    """
    ask(endpoint, "UpdateAccount", {"account": number, "is_open": False})
    print(f"{number}: closed")


def list_(json: AsJson = False, endpoint: Endpoint = DEFAULT_ENDPOINT) -> None:
    """Show the operator's own account, and those that were made."""
    accounts = ask(endpoint, "ListAccounts", {})["accounts"]
    if json:
        print_json(accounts)
        return
    rows = [
        (
            account["account"],
            account["name"],
            "yes" if account["is_open"] else "no",
            time_of(account["created_at"]),
            str(account["concurrent_executions"]),
            str(account["code_total_max_bytes"]),
        )
        for account in accounts
    ]
    headings = ("id", "name", "open", "created", "executions", "code bytes")
    print_table(headings, rows, right=("executions", "code bytes"))


COMMANDS: Mapping[str, Callable[..., None]] = {"create": create, "list": list_, "update": update, "close": close}


def _limits(executions: str | None, code_bytes: str | None) -> dict[str, int | None]:
    given = {"concurrent_executions": executions, "code_total_max_bytes": code_bytes}
    return {name: _limit(name, text) for name, text in given.items() if text is not None}


def _limit(name: str, text: str) -> int | None:
    if text == "default":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise CommandFailed(
            f"--{name.replace('_', '-')}: {text!r} is neither a whole number nor `default`", exit_code=2
        )
    return int(text)


def _show(account: Mapping[str, Any], json: bool) -> None:
    if json:
        print_json(account)
    else:
        print(f"{account['account']}: {account['name']}, {account['concurrent_executions']} executions at once")
