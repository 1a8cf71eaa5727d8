"""How a command ends early."""

import errno
import sys
from collections.abc import Callable

from lambent.errors.families import SettingsError

_FULL = (errno.ENOSPC, errno.EDQUOT)


class CommandFailed(Exception):
    """
    A command cannot go on. `exit_code_of` prints the message and returns the exit code.

    Args:
        line: what is wrong and what to do about it; commands to do it with follow on lines of their own.
        exit_code: 1, or 2 where the server refused the request.
    """

    def __init__(self, line: str, *, exit_code: int = 1) -> None:
        super().__init__(line)
        self.exit_code = exit_code


def exit_code_of(act: Callable[[], object]) -> int:
    """Do what a command does; say in a line on stderr what fails, and return the exit code."""
    try:
        code = act()
        if sys.stdout is not None:
            # What is still to be written fails here, where it can be said, and not at Python's end.
            sys.stdout.flush()
    except SettingsError as error:
        return fail(str(error), 2)
    except CommandFailed as error:
        return fail(str(error), error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has gone, e.g. `lambent logs NAME | head`. Python would complain once more at its end.
        sys.stdout = None
        return 0
    except OSError as error:
        if error.errno not in _FULL:
            raise
        sys.stdout = None
        return fail(f"there is no room to write to: {error.strerror}", 1)
    return code if isinstance(code, int) else 0


def fail(line: str, exit_code: int) -> int:
    """Say what is wrong, and return the exit code."""
    print(f"lambent: {line}", file=sys.stderr)
    return exit_code
