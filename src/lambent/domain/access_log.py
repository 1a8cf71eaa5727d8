"""
Lines of access logs, as a stage's format has them. Pure.

Documented: API Gateway developer guide, logging variables for HTTP APIs.
"""

import re
from collections.abc import Callable

import msgspec

_VARIABLE = re.compile(r"\$context\.([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class AccessLogFormat:
    """
    A format, taken apart.

    Args:
        text: for instance `{"id": "$context.requestId", "status": "$context.status"}`.
    """

    def __init__(self, text: str) -> None:
        self._parts = _VARIABLE.split(_CONTROLS.sub(" ", text.strip()))
        # A quote in what a client says of itself would end the text that it stands in.
        self._escape = _in_json if text.lstrip().startswith(("{", "[")) else on_one_line

    def line(self, value_of: Callable[[str], str | None]) -> str:
        """
        Return one line. Documented: a variable without a value is `-`.

        Args:
            value_of: returns a variable's value by its name below `$context.`
        """
        pieces = list(self._parts)
        for number in range(1, len(pieces), 2):
            name = pieces[number]
            value = value_of(name)
            if value is None:
                pieces[number] = "-"
            else:
                # Documented: of this one the quotes are part of the value.
                pieces[number] = value if name == "error.messageString" else self._escape(value)
        return "".join(pieces)


def names_request(text: str) -> bool:
    """Say whether a format tells requests apart. Documented: it has to."""
    return any(name in ("requestId", "extendedRequestId") for name in _VARIABLE.split(text)[1::2])


def _in_json(value: str) -> str:
    return msgspec.json.encode(value).decode()[1:-1]


def on_one_line(value: str) -> str:
    """Return a text that ends no line of a log, nor says anything to a terminal."""
    return _CONTROLS.sub(" ", value)
