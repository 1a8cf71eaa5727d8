"""
The server in this process, and the short way to it.

Typer, with what it imports, and the other commands are 9 MiB, of which a server needs nothing once the line is read.
Where `lambent serve` is called as it nearly always is, this module reads the line itself. Whatever it does not know for
certain, a line that asks for help or is wrong among it, is Typer's.
"""

import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from lambent.cli.failure import exit_code_of
from lambent.settings import Settings, load_settings, options

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from lambent.clock import Clock

_OPEN_FILES_MAX: Final = 1_048_576
"""What most Linux distributions allow at most: far beyond the environments that a machine's memory holds."""

_INTERRUPTED: Final = 130
"""Exit code of a program that SIGINT ended."""


def serve_at_once(arguments: Sequence[str]) -> int | None:
    """
    Run `lambent serve` as the arguments say that follow it.

    Returns: the exit code; None where nothing was done: Typer is to read the line.
    """
    given = given_in(arguments)
    return None if given is None else exit_code_of(lambda: run_server(load_settings(given)))


def given_in(arguments: Sequence[str]) -> dict[str, Any] | None:
    """
    Return the options of a plain command line by name, as `load_settings` takes them; None where it is not plain.

    Plain are `--option VALUE`, `--option=VALUE`, `--flag` and `--no-flag`, each once, those that make a list as often
    as they are wanted.
    """
    known = {option.flag: option for option in options()}
    given: dict[str, Any] = {}
    left = list(arguments)
    while left:
        flag, is_joined, value = left.pop(0).partition("=")
        is_off = flag.startswith("--no-") and flag not in known
        option = known.get(flag.replace("--no-", "--", 1) if is_off else flag)
        if option is None or (is_off and option.type is not bool):
            return None
        found: Any = not is_off
        if option.type is bool:
            if is_joined:
                return None
        else:
            if not is_joined:
                value = left.pop(0) if left else "-"
            if value.startswith("-") or not _is_text(value):
                return None
            found = value
        if option.type == tuple[str, ...]:
            given.setdefault(option.name, []).append(found)
        elif option.name in given:
            return None
        else:
            given[option.name] = found
    return given


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def run_server(settings: Settings, clock: "Clock | None" = None) -> int:
    """
    Be a server until SIGINT or SIGTERM.

    Args:
        clock: the machine's when absent; for tests (lambent.testing.wall_server).

    Returns: the exit code.

    Raises:
        SettingsError: a setting cannot be obeyed on this machine.
    """
    import asyncio

    from lambent import app

    def ready(endpoint: str) -> None:
        # The last line is what programs wait for: by then they have read what to trust.
        for about in (app.about_tls(settings), app.about_access(settings), app.about_neighbours(settings)):
            if about:
                print(about, flush=True)
        print(f"ready {endpoint}", flush=True)

    raise_open_files()

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            runner.run(
                app.run(
                    settings, ready=ready, first_key=lambda key: print(describe_first(key), flush=True), clock=clock
                )
            )
        except KeyboardInterrupt:
            # One that came before the server had its own handler in place: there is nothing to finish yet.
            return _INTERRUPTED
    return 0


def describe_first(key: Any) -> str:
    """Return what a server prints of the key that it made at its first start."""
    return "\n".join(
        (
            f"first access key, of the administrator {key.user} of account {key.account}; it is not shown again:",
            f"  AWS_ACCESS_KEY_ID={key.access_key}",
            f"  AWS_SECRET_ACCESS_KEY={key.secret_key}",
            "`lambent keys` makes more; if it is lost: `lambent keys create --admin --offline`, the server stopped",
        )
    )


def raise_open_files() -> None:
    """
    Raise this process's limit of open files as far as it may be.

    An environment takes a dozen descriptors, and the limit that a shell gives is often 1,024: eighty environments.
    Functions get Lambda's own limit, whatever this one is.
    """
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # macOS refuses what is beyond a limit of its own.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _loop_factory() -> Callable[[], "AbstractEventLoop"] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
