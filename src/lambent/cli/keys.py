"""`lambent keys`: access keys of every account, as the operator makes and ends them."""

import json as json_
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from lambent.cli.client import DEFAULT_ENDPOINT, Endpoint, open_own_path
from lambent.cli.failure import CommandFailed
from lambent.cli.setting_options import settings_from, with_settings
from lambent.cli.terminal import AsJson, print_json, print_table

Profile = Annotated[
    str | None, typer.Option(help="Print lines for ~/.aws/credentials, for a profile of this name.", metavar="NAME")
]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `lambent keys list` shows it.")]


@with_settings("data_dir")
def create(
    account: Annotated[
        str | None, typer.Option(help="Account, made if it is not there; by default the operator's own.", metavar="ID")
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="User, made if it is not there; by default `admin`.", metavar="NAME")
    ] = None,
    admin: Annotated[bool, typer.Option("--admin", metavar="", help="Attach AdministratorAccess to the user.")] = False,
    root: Annotated[
        bool, typer.Option("--root", metavar="", help="A key of the account itself, which may do everything in it.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", metavar="", help="Write to --data-dir, while no server uses it.")
    ] = False,
    profile: Profile = None,
    json: AsJson = False,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
    **given: Any,
) -> None:
    """
    Make an access key. Its secret is shown once.

    A user that is new has no policy: it may do nothing until one is attached, unless --admin is given.

    --offline is for whoever has no key left: it needs the data folder instead of one.
    """
    asked = {"account": account, "user": user, "is_root": root, "is_admin": admin}
    if offline:
        from lambent.cli.keys_offline import create_key

        settings = settings_from(given)
        made = create_key(settings.data.data_dir, settings.api.account, asked)
    else:
        made = ask(endpoint, "CreateKey", asked)
    _show(made, profile, json)


def rotate(key: KeyId, profile: Profile = None, json: AsJson = False, endpoint: Endpoint = DEFAULT_ENDPOINT) -> None:
    """
    Make another key for whoever has one.

    The old one goes on to work: give the new one to all that use it, see in `lambent keys list` when the old one was
    last used, and revoke it.
    """
    made = ask(endpoint, "RotateKey", {"access_key": key})
    _show(made, profile, json)
    if not json:
        print(f"# {key} still works; end it with: lambent keys revoke {key}")


def revoke(
    key: KeyId,
    keep: Annotated[bool, typer.Option("--keep", metavar="", help="Deactivate it instead of deleting it.")] = False,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
) -> None:
    """End a key: requests that it signs from now on are refused."""
    ask(endpoint, "RevokeKey", {"access_key": key, "is_kept": keep})
    print(f"{key}: {'inactive' if keep else 'deleted'}")


def list_(
    account: Annotated[str | None, typer.Option(help="Of this account alone.", metavar="ID")] = None,
    json: AsJson = False,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
) -> None:
    """Show the keys that there are, never their secrets."""
    answer = ask(endpoint, "ListKeys", {"account": account})
    keys = answer["keys"]
    if json:
        print_json(keys)
    elif keys:
        rows = [
            (
                key["access_key"],
                key["account"],
                key["user"] or "(root)",
                "yes" if key["is_active"] else "no",
                time_of(key["created_at"]),
                time_of(key["last_used_at"]),
            )
            for key in keys
        ]
        print_table(("id", "account", "user", "active", "created", "last used"), rows)
    else:
        print("no keys")
    if not answer["is_complete"]:
        raise CommandFailed("there are more: name an account with --account")


COMMANDS: Mapping[str, Callable[..., None]] = {"create": create, "list": list_, "rotate": rotate, "revoke": revoke}


def ask(endpoint: str, action: str, request: Mapping[str, Any]) -> Any:
    """
    Have the server do something with accounts or keys.

    Raises:
        CommandFailed: nobody answers, or the answer is a refusal.
    """
    from http.client import HTTPException

    body = json_.dumps(request).encode()
    try:
        with open_own_path(endpoint, f"access/{action}", posts=True, body=body) as answer:
            return json_.load(answer)
    except (OSError, HTTPException, ValueError) as error:
        raise CommandFailed(f"{endpoint}: this is no Lambent server") from error


def time_of(moment: float | None) -> str:
    """Return a day as tables show it; --json has the moment."""
    return "-" if not moment else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")


def _show(made: Mapping[str, Any], profile: str | None, json: bool) -> None:
    if json:
        print_json(made)
        return
    whose = f"user {made['user']}" if made["user"] else "root"
    print(f"# key of {whose} of account {made['account']}; its secret is not shown again")
    if profile is not None:
        print(f"[{profile}]")
        print(f"aws_access_key_id = {made['access_key']}")
        print(f"aws_secret_access_key = {made['secret_key']}")
    else:
        print(f"AWS_ACCESS_KEY_ID={made['access_key']}")
        print(f"AWS_SECRET_ACCESS_KEY={made['secret_key']}")
    if not made["has_policies"]:
        print(
            f"# {made['user']} has no policy yet and may do nothing where --iam is enforce; for instance:\n"
            f"#   aws iam attach-user-policy --user-name {made['user']} --policy-arn "
            "arn:aws:iam::aws:policy/AWSLambda_FullAccess\n"
            "# signed by an administrator of that account"
        )
