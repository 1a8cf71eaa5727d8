"""`lambent queue`: what queues hold, and what to do about it."""

import json as json_
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from lambent.cli.client import DEFAULT_ENDPOINT, Endpoint, answers, connect, open_own_path
from lambent.cli.failure import CommandFailed
from lambent.cli.terminal import AsJson, print_json, print_table

_SHOWN_CHARACTERS = 100

KINDS = {"sqs": "SQS", "async": "function", "destination": "to deliver"}
"""Kind of queue to what a table calls it."""

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A queue's name; with --function a function's, whose events wait.")
]
Account = Annotated[str | None, typer.Option(help="The queue's account, where several have the name.", metavar="ID")]
Region = Annotated[str | None, typer.Option(help="The queue's region, likewise.", metavar="REGION")]
OfFunction = Annotated[bool, typer.Option("--function", metavar="", help="NAME is a function's.")]


def depth(json: AsJson = False, endpoint: Endpoint = DEFAULT_ENDPOINT) -> None:
    """Show what every queue holds."""
    queues = _ask(endpoint, "queues")
    if json:
        print_json(queues)
    elif queues:
        headings = ("queue", "kind", "account", "region", "waiting", "delayed", "in flight", "oldest")
        rows = [
            (
                queue["name"],
                KINDS.get(queue["kind"], queue["kind"]),
                queue["account"],
                queue["region"],
                str(queue["waiting"]),
                str(queue["delayed"]),
                str(queue["in_flight"]),
                _age(queue["oldest_age_s"]),
            )
            for queue in queues
        ]
        print_table(headings, rows, right=("waiting", "delayed", "in flight", "oldest"))
    else:
        print("no queues")


def oldest(json: AsJson = False, endpoint: Endpoint = DEFAULT_ENDPOINT) -> None:
    """Show the queues in which something waits, the one that has waited longest first."""
    waiting = [queue for queue in _ask(endpoint, "queues") if queue["oldest_age_s"] is not None]
    waiting.sort(key=lambda queue: -queue["oldest_age_s"])
    if json:
        print_json(waiting)
    elif waiting:
        rows = [
            (queue["name"], KINDS.get(queue["kind"], queue["kind"]), _age(queue["oldest_age_s"]), str(queue["waiting"]))
            for queue in waiting
        ]
        print_table(("queue", "kind", "oldest", "waiting"), rows, right=("oldest", "waiting"))
    else:
        print("nothing waits")


def peek(
    name: Name,
    function: OfFunction = False,
    account: Account = None,
    region: Region = None,
    limit: Annotated[int, typer.Option(help="How many to show.", min=1, max=100)] = 10,
    json: AsJson = False,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
) -> None:
    """
    Show what waits in a queue, without receiving it.

    What can be received soonest comes first, what is in flight last.
    """
    found = _ask(endpoint, "queues/peek", {**_named(endpoint, name, function, account, region), "limit": str(limit)})
    if json:
        print_json(found)
    elif found:
        headings = ("id", "group", "receives", "due", "body")
        rows = [
            (
                message["id"],
                message["group"] or "-",
                str(message["receive_count"]),
                "in flight" if message["is_in_flight"] else "now" if message["due_s"] <= 0 else _age(message["due_s"]),
                message["body"][:_SHOWN_CHARACTERS],
            )
            for message in found
        ]
        print_table(headings, rows, right=("receives", "due"))
    else:
        print("nothing waits")


def redrive(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A dead-letter queue's name.")],
    to: Annotated[str | None, typer.Option(help="Where to, instead of back to the source.", metavar="QUEUE")] = None,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
) -> None:
    """
    Move what a dead-letter queue holds back to where it came from.

    The server does it by itself from here on; `depth` shows how far it is.
    """
    with answers(endpoint):
        sqs = connect("sqs", endpoint)
        request = {"SourceArn": _arn(sqs, name)}
        if to is not None:
            request["DestinationArn"] = _arn(sqs, to)
        sqs.start_message_move_task(**request)
    print(f"{name}: its messages are on their way {f'to {to}' if to else 'back'}")


def purge(
    name: Name,
    function: OfFunction = False,
    account: Account = None,
    region: Region = None,
    yes: Annotated[bool, typer.Option("--yes", metavar="", help="Do not ask.")] = False,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
) -> None:
    """Drop all that a queue holds."""
    named = _named(endpoint, name, function, account, region)
    if not yes:
        typer.confirm(f"Drop everything in {named['queue']}?", abort=True)
    _ask(endpoint, "queues/purge", named, posts=True)
    print(f"{name}: empty")


def _arn(sqs: Any, name: str) -> str:
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    arn: str = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return arn


def _named(endpoint: str, name: str, is_function: bool, account: str | None, region: str | None) -> dict[str, str]:
    """
    Return what names a queue.

    Raises:
        CommandFailed: there is none of this name that holds anything, or there are several.
    """
    kind = "async" if is_function else "sqs"
    found = [
        queue
        for queue in _ask(endpoint, "queues")
        # The events of a function are kept by its name and its id: one that was made anew begins empty.
        if queue["kind"] == kind
        and (queue["name"].rpartition("/")[0] if is_function else queue["name"]) == name
        and account in (None, queue["account"])
        and region in (None, queue["region"])
    ]
    if len(found) > 1:
        raise CommandFailed(
            f"{name}: several accounts or regions have it: say which by --account and --region", exit_code=2
        )
    if not found:
        what = "no events wait for a function" if is_function else "there is no queue"
        raise CommandFailed(f"{what} {name}; `lambent queue depth` lists them", exit_code=2)
    queue = found[0]
    return {"kind": kind, "account": queue["account"], "region": queue["region"], "queue": queue["name"]}


def _ask(endpoint: str, path: str, query: Mapping[str, str] | None = None, *, posts: bool = False) -> Any:
    """
    Ask one of the server's own paths.

    Raises:
        CommandFailed: nobody answers, or the answer is a refusal.
    """
    from http.client import HTTPException

    try:
        with open_own_path(endpoint, path, query, posts=posts) as answer:
            return json_.load(answer)
    except (OSError, HTTPException, ValueError) as error:
        raise CommandFailed(f"{endpoint}: this is no Lambent server") from error


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
