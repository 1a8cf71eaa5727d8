"""How a command ends early."""


class CommandFailed(Exception):
    """
    A command cannot go on. `main.py` prints the message and ends with the exit code.

    Args:
        line: what is wrong and what to do about it; commands to do it with follow on lines of their own.
        exit_code: 1, or 2 where the server refused the request.
    """

    def __init__(self, line: str, *, exit_code: int = 1) -> None:
        super().__init__(line)
        self.exit_code = exit_code
