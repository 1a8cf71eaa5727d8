"""
The commands by name, and what every command's failure looks like: one line on stderr, and an exit code.

    0  done    1  it failed, or the function did    2  wrong arguments or settings, or the API refused

What a command needs is imported when it runs, so that `lambent --help` is quick.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from typer.main import get_command

from lambent import __version__
from lambent.cli import accounts, budgets, keys
from lambent.cli.backup import backup
from lambent.cli.conformance import conformance
from lambent.cli.demo import demo
from lambent.cli.deploy import deploy
from lambent.cli.doctor import doctor
from lambent.cli.failure import exit_code_of, fail
from lambent.cli.invoke import invoke
from lambent.cli.logs import logs
from lambent.cli.ls import ls
from lambent.cli.queue import depth, oldest, peek, purge, redrive
from lambent.cli.restore import restore
from lambent.cli.runtimes import runtimes
from lambent.cli.runtimes_install import install
from lambent.cli.serve import serve
from lambent.cli.top import top
from lambent.cli.trace import trace
from lambent.cli.usage import usage

SERVER_PANEL = "The server"
CLIENT_PANEL = "Clients of a running server"

app = typer.Typer(
    name="lambent",
    help=(
        "AWS Lambda that you run yourself.\n\n"
        "Start with [bold]lambent demo[/bold], or [bold]lambent serve[/bold] and any AWS client."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _help_of(command: Callable[..., object]) -> str:
    """Return a command's docstring with each paragraph on one line: the terminal decides where to break it."""
    paragraphs = inspect.getdoc(command) or ""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs.split("\n\n"))


for command in (serve, demo, doctor):
    app.command(help=_help_of(command), rich_help_panel=SERVER_PANEL)(command)
runtimes_app = typer.Typer(add_completion=False)
runtimes_app.callback(invoke_without_command=True)(runtimes)
runtimes_app.command(help=_help_of(install))(install)
app.add_typer(runtimes_app, name="runtimes", help=_help_of(runtimes), rich_help_panel=SERVER_PANEL)
app.command(help=_help_of(conformance), rich_help_panel=SERVER_PANEL)(conformance)
app.command(help=_help_of(restore), rich_help_panel=SERVER_PANEL)(restore)
for command in (deploy, invoke, logs, trace, ls, top, usage, backup):
    app.command(help=_help_of(command), rich_help_panel=CLIENT_PANEL)(command)
queue_app = typer.Typer(add_completion=False, no_args_is_help=True)
for command in (depth, oldest, peek, redrive, purge):
    queue_app.command(help=_help_of(command))(command)
app.add_typer(
    queue_app,
    name="queue",
    help="Look into queues and empty them: those of SQS, and the events that wait for functions.",
    rich_help_panel=CLIENT_PANEL,
)

for module, name, text in (
    (keys, "keys", "Access keys: who may use the server, and as whom."),
    (accounts, "accounts", "Accounts: clients that see nothing of each other, with limits of their own."),
    (budgets, "budgets", "Budgets: how much may be used, who is told, and what is stopped."),
):
    group = typer.Typer(add_completion=False, no_args_is_help=True)
    for action, command in module.COMMANDS.items():
        group.command(action, help=_help_of(command))(command)
    app.add_typer(group, name=name, help=text, rich_help_panel=CLIENT_PANEL)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        print(f"lambent {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", metavar="", help="Print the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


def run(arguments: Sequence[str]) -> int:
    """
    Run one command line.

    Args:
        arguments: what follows `lambent`.

    Returns: the exit code.
    """
    try:
        return exit_code_of(
            lambda: get_command(app).main(args=list(arguments), prog_name="lambent", standalone_mode=False)
        )
    except typer.Abort:
        return 130
    except typer.TyperException as error:
        return _fail_usage(error)


def _fail_usage(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "lambent"
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    if not message:
        # `lambent` alone: Typer has printed the help as the message of an exception.
        return 2
    return fail(f"{message.rstrip('.')}; see `{path} --help`", getattr(error, "exit_code", 2))
