"""`lambent invoke`: one invocation, its answer on stdout."""

import base64
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from lambent.cli.client import DEFAULT_ENDPOINT, Endpoint, answers, connect
from lambent.cli.failure import CommandFailed


def invoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Function name, name:qualifier or ARN.")],
    payload: Annotated[
        str | None, typer.Option(help="The event: JSON, @FILE, or - for standard input.", metavar="JSON|@FILE|-")
    ] = None,
    qualifier: Annotated[str | None, typer.Option(help="Version to invoke.", metavar="VERSION")] = None,
    tail: Annotated[
        bool, typer.Option("--tail", metavar="", help="Print the end of the log on stderr, with its REPORT line.")
    ] = False,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
) -> None:
    """
    Invoke a function and print what it answers.

    Exit code 1 says that the function failed: its error is the answer. 2 says that the API refused.
    """
    event = read_payload(payload)
    with answers(endpoint):
        request = {"FunctionName": name, "LogType": "Tail" if tail else "None", "Payload": event}
        if qualifier is not None:
            request["Qualifier"] = qualifier
        response = connect("lambda", endpoint).invoke(**request)
        answer = response["Payload"].read()
    sys.stdout.flush()
    sys.stdout.buffer.write(answer + b"\n")
    sys.stdout.buffer.flush()
    if tail:
        print(base64.b64decode(response.get("LogResult", "")).decode(errors="replace"), end="", file=sys.stderr)
    if "FunctionError" in response:
        raise CommandFailed(f"{name} failed ({response['FunctionError']})")


def read_payload(given: str | None) -> bytes:
    """
    Return the event that `--payload` stands for; nothing given is an empty payload.

    Raises:
        CommandFailed: the file cannot be read.
    """
    if given is None:
        return b""
    if given == "-":
        return sys.stdin.buffer.read()
    if given.startswith("@"):
        try:
            return Path(given[1:]).read_bytes()
        except OSError as error:
            raise CommandFailed(f"--payload: {given[1:]}: {error.strerror}", exit_code=2) from error
    # As the bytes that were given, also where they are no text.
    return os.fsencode(given)
