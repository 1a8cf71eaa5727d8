"""`lambent deploy`: a folder becomes a function."""

import base64
import hashlib
import re
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lambent.cli.client import DEFAULT_ENDPOINT, Endpoint, answers, connect
from lambent.cli.failure import CommandFailed
from lambent.cli.open_url import UrlMode, open_url

if TYPE_CHECKING:
    from lambent.cli.build_tool import Builder
    from lambent.cli.languages.contract import Language

WAIT_DELAY_S = 0.2
WAIT_ATTEMPTS = 1500
"""Five minutes: the first function of a runtime has its client installed."""


def deploy(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that holds the function.")],
    name: Annotated[
        str | None, typer.Option(help=r"The function's name or ARN. \[default: the folder's name]", metavar="NAME")
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(
            help=r"\[default: provided.al2023, Lambent's own Python, or this machine's Node.js or Ruby]",
            metavar="RUNTIME",
            show_default=False,
        ),
    ] = None,
    handler: Annotated[
        str | None,
        typer.Option(help=r"\[default: the `lambda_handler` or `handler` that a module defines]", metavar="HANDLER"),
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(
            help=r"The execution role. \[default: the account's `lambent-basic-execution`, made if it is needed]",
            metavar="ARN",
            show_default=False,
        ),
    ] = None,
    memory: Annotated[int | None, typer.Option(help=r"MemorySize, in MB. \[default: 128]", metavar="MB")] = None,
    timeout: Annotated[int | None, typer.Option(help=r"In seconds. \[default: 3]", metavar="S")] = None,
    env: Annotated[
        list[str] | None,
        typer.Option("--env", help="An environment variable; may be repeated.", metavar="KEY=VALUE"),
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option("--layer", help="A layer's version; may be repeated, up to five times.", metavar="ARN"),
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish", metavar="", help="Publish a version of what has been deployed.")
    ] = False,
    url: Annotated[
        UrlMode | None,
        typer.Option(
            "--url",
            help="Give the function a URL that anybody may use, and print it: one that gathers, or one that streams.",
            metavar="buffered|stream",
        ),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", metavar="", help="Show what the build prints, also when it is fine.")
    ] = False,
    endpoint: Endpoint = DEFAULT_ENDPOINT,
) -> None:
    """
    Build the function in a folder and deploy it, as a new one or onto the one that has its name.

    go.mod: `go build`. Cargo.toml: `cargo build --release`, for musl where that target is installed. An executable
    `bootstrap`: the folder as it is. requirements.txt or a .py file: Python, with `pip install` into the package.
    package.json or a .js, .mjs or .cjs file: Node.js, with `npm ci` into the package. Gemfile or a .rb file: Ruby, with
    `bundle install` into the package. They are looked for in this order; --runtime decides where there are several.

    What is not given stays as the function has it, or as AWS has it for a new one; --env and --layer replace all
    that were there. Prints the ARN and the version once the function is ready to be invoked, and with --url a line with
    that; progress goes to stderr.

    Exit code 1 says that the build or the function failed, 2 that the arguments or the API refused.
    """
    from lambent.cli.build_tool import Builder
    from lambent.cli.languages.table import recognise
    from lambent.clock import SystemClock

    folder = folder.absolute()
    language = recognise(folder, runtime)
    name = function_name(folder) if name is None else name
    wanted: dict[str, Any] = {
        "Runtime": runtime,
        "Handler": handler,
        "Role": role,
        "MemorySize": memory,
        "Timeout": timeout,
        "Environment": None if env is None else {"Variables": parse_variables(env)},
        "Layers": layer,
    }
    wanted = {member: value for member, value in wanted.items() if value is not None}
    with _terminated_as_by_ctrl_c(), answers(endpoint):
        client = connect("lambda", endpoint)
        target = Target(client, name, Builder(SystemClock(), verbose), endpoint)
        before = target.configuration()
        print(*target.deploy(folder, language, before, wanted, is_published=publish), flush=True)
        if url is not None:
            print(open_url(client, name, url), flush=True)


@contextmanager
def _terminated_as_by_ctrl_c() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does: a build that goes on and its folder would be left otherwise."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def function_name(folder: Path) -> str:
    """
    Return the name of the function in a folder.

    Raises:
        CommandFailed: the folder's name is none. Documented: API reference, FunctionName.
    """
    name = folder.resolve().name
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
        raise CommandFailed(f"the folder's name, {name!r}, cannot be a function's: give one with --name", exit_code=2)
    return name


def parse_variables(given: Sequence[str]) -> dict[str, str]:
    """
    Return environment variables by name.

    Args:
        given: each `KEY=VALUE`; of two for one key the later counts.

    Raises:
        CommandFailed: one has no `=`, or nothing before it.
    """
    for text in given:
        if text.find("=") < 1:
            raise CommandFailed(f"--env: {text!r} is not KEY=VALUE", exit_code=2)
    return {text.partition("=")[0]: text.partition("=")[2] for text in given}


class Target:
    """
    One function of a server, which may not be there yet.

    Args:
        client: botocore's client of Lambda.
        name: the function's.
        builder: builds, and says how far it is.
        endpoint: the server's, where a role for the function is found or made.
    """

    def __init__(self, client: Any, name: str, builder: "Builder", endpoint: str) -> None:
        self._client = client
        self._name = name
        self._builder = builder
        self._endpoint = endpoint

    def configuration(self) -> Mapping[str, Any] | None:
        """Return the function's configuration, None where there is no such function."""
        try:
            configuration: Mapping[str, Any] = self._client.get_function_configuration(FunctionName=self._name)
        except self._client.exceptions.ResourceNotFoundException:
            return None
        return configuration

    def deploy(
        self,
        folder: Path,
        language: "Language",
        before: Mapping[str, Any] | None,
        wanted: Mapping[str, Any],
        *,
        is_published: bool,
    ) -> tuple[str, str]:
        """
        Build a folder, bring the function to it, wait until it can be invoked.

        Args:
            folder: the function's.
            language: how it is built.
            before: its configuration, None where it is new.
            wanted: the members of CreateFunction that are to have these values.
            is_published: whether a version is made of it.

        Returns: (ARN, version).
        """
        from lambent.cli.deployment_package import pack
        from lambent.cli.languages.contract import Order

        wanted = complete(folder, language, self._builder, before, wanted)
        runtime = wanted.get("Runtime") or (before or {})["Runtime"]
        self._builder.say(f"{language.title} function {self._name} on {runtime}")
        with tempfile.TemporaryDirectory(prefix="lambent-deploy-") as scratch:
            made = pack(
                language.build(Order(folder, Path(scratch), runtime, self._name.rpartition(":")[2]), self._builder)
            )
        entries = "1 file" if made.entries == 1 else f"{made.entries} files"
        self._builder.say(f"package of {entries}, {len(made.archive) / 1024:.1f} KiB")
        if before is None:
            self._create(wanted, made.archive)
        else:
            self._update(before, wanted, made.archive)
        if not is_published:
            after = self._client.get_function_configuration(FunctionName=self._name)
            return after["FunctionArn"], after["Version"]
        published = self._client.publish_version(FunctionName=self._name)
        self._wait("function_active_v2", Qualifier=published["Version"])
        return published["FunctionArn"], published["Version"]

    def _create(self, wanted: Mapping[str, Any], archive: bytes) -> None:
        from lambent.cli.default_role import default_role, is_about_role, make_default_role

        self._builder.say("creating the function")
        began = self._builder.clock.monotonic()
        is_role_named = "Role" in wanted
        role = wanted["Role"] if is_role_named else default_role(self._endpoint)
        request = {"FunctionName": self._name, "Code": {"ZipFile": archive}, **wanted, "Role": role}
        try:
            self._client.create_function(**request)
        except self._client.exceptions.InvalidParameterValueException as error:
            if is_role_named or not is_about_role(error):
                raise
            make_default_role(self._endpoint)
            self._builder.say(f"made the role {role}, which may write logs")
            self._client.create_function(**request)
        self._wait("function_active_v2")
        self._builder.say(f"active after {self._builder.clock.monotonic() - began:.1f} s")

    def _update(self, before: Mapping[str, Any], wanted: Mapping[str, Any], archive: bytes) -> None:
        """Change what is different."""
        began = self._builder.clock.monotonic()
        changes = differences(before, wanted)
        has_new_code = base64.b64encode(hashlib.sha256(archive).digest()).decode() != before["CodeSha256"]
        if (has_new_code or changes) and before.get("LastUpdateStatus") == "InProgress":
            # Somebody else's: another one would be refused. One that failed, on the other hand, is there to be mended.
            self._wait("function_updated_v2")
        if has_new_code:
            self._builder.say("updating the code")
            self._client.update_function_code(FunctionName=self._name, ZipFile=archive)
            self._wait("function_updated_v2")
        if changes:
            self._builder.say(f"updating {', '.join(changes)}")
            self._client.update_function_configuration(FunctionName=self._name, **changes)
        if has_new_code or changes:
            self._wait("function_updated_v2")
        else:
            self._builder.say("code and configuration are as they were")
        self._wait("function_active_v2")
        self._builder.say(f"ready after {self._builder.clock.monotonic() - began:.1f} s")

    def _wait(self, condition: str, **which: str) -> None:
        """
        Wait for a state of the function.

        Raises:
            CommandFailed: it became another one, for the reason that the function gives.
        """
        from botocore.exceptions import WaiterError

        try:
            self._client.get_waiter(condition).wait(
                FunctionName=self._name,
                WaiterConfig={"Delay": WAIT_DELAY_S, "MaxAttempts": WAIT_ATTEMPTS},
                **which,
            )
        except WaiterError as error:
            # A refusal ends the wait as well, and its own text says more than the waiter's.
            configuration = self._client.get_function_configuration(FunctionName=self._name, **which)
            why = configuration.get("StateReason") or configuration.get("LastUpdateStatusReason") or "no reason given"
            state = f"{configuration.get('State')}, its last update {configuration.get('LastUpdateStatus')}"
            raise CommandFailed(f"the function {self._name} did not get ready: it is {state}: {why}") from error


def complete(
    folder: Path,
    language: "Language",
    builder: "Builder",
    before: Mapping[str, Any] | None,
    wanted: Mapping[str, Any],
) -> dict[str, Any]:
    """
    Return the members to set: those that are wanted, and what a function of this language cannot do without.

    A function that has been there keeps its runtime and handler, unless they are of another language.
    """
    completed = dict(wanted)
    is_same_language = before is not None and re.fullmatch(language.runtimes, before.get("Runtime", "")) is not None
    if not is_same_language:
        completed.setdefault("Runtime", language.default_runtime(builder))
        if "Handler" not in completed:
            completed["Handler"] = language.find_handler(folder)
    return completed


def differences(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the wanted members that a configuration has not already."""
    shown = {
        **before,
        "Environment": {"Variables": before.get("Environment", {}).get("Variables", {})},
        "Layers": [layer["Arn"] for layer in before.get("Layers", [])],
    }
    return {member: value for member, value in wanted.items() if shown.get(member) != value}
