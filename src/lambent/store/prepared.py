"""
Statements of the hot path, with their text made once.

SQLAlchemy keeps what it compiled, but weighs each execution anew: types, defaults, lists of parameters. That took more
time than the database did. Here a statement's text and the order of its parameters are looked up, and the driver gets
them. It is for numbers, texts and bytes, which drivers take as they are, and for tables without defaults.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, CursorResult, Dialect
from sqlalchemy.sql import ClauseElement

_KEPT = 1024
"""Texts: of each statement, for each set of parameters that it was given, on each engine."""

Parameters = Mapping[str, Any]


class Prepared:
    """Runs statements on a connection, in its transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(
        self, statement: ClauseElement, parameters: Parameters | Sequence[Parameters] | None = None
    ) -> "CursorResult[*tuple[Any, ...]]":
        """
        Run a statement, once for each of several parameters; rows have the names of their columns.

        Args:
            statement: one of few, kept by whoever calls. Its lists have a fixed length, see `padded`.
            parameters: several of them have the same names.
        """
        if parameters is None:
            parameters = {}
        first = parameters if isinstance(parameters, Mapping) else parameters[0]
        text, bind = _prepare(statement, tuple(first), self._connection.dialect)
        if isinstance(parameters, Mapping):
            return self._connection.exec_driver_sql(text, bind(parameters))
        # A name that the first one lacks is not in the text: its values would be lost.
        assert all(len(one) == len(first) for one in parameters), "several parameters of different names"
        return self._connection.exec_driver_sql(text, [bind(one) for one in parameters])

    def insert(self, statement: ClauseElement, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
        """
        Run a statement for each of many rows, at least one: of some thousands the names would cost as much as the rest.

        Args:
            statement: as of `execute`.
            names: of the rows' values, in order.
        """
        text, bind = _prepare_rows(statement, names, self._connection.dialect)
        self._connection.exec_driver_sql(text, rows if bind is None else [bind(row) for row in rows])


def padded(values: Sequence[Any], most: int) -> list[Any]:
    """Return values for a list of a fixed length: the next power of two, or `most`; the last one is repeated."""
    length = min(1 << (len(values) - 1).bit_length(), most)
    return [*values, *[values[-1]] * (length - len(values))]


@lru_cache(maxsize=_KEPT)
def _prepare(
    statement: ClauseElement, names: tuple[str, ...], dialect: Dialect
) -> tuple[str, Callable[[Parameters], Any]]:
    """
    Return a statement's text, and what makes of its parameters what the driver takes.

    Raises:
        InvalidRequestError: a name is missing.
    """
    compiled = statement.compile(dialect=dialect, column_keys=list(names) or None)
    order = getattr(compiled, "positiontup", None)
    # What the statement itself has a value for. Not `params`, which has NULL for what nobody gave.
    values = compiled.construct_params(dict.fromkeys(names)) or {}
    given = {name: value for name, value in values.items() if name not in names}
    if order is None:
        return str(compiled), lambda parameters: {**given, **parameters}
    if given:
        return str(compiled), lambda parameters: tuple([(given | parameters)[name] for name in order])
    if len(order) == 1:
        (only,) = order
        return str(compiled), lambda parameters: (parameters[only],)
    return str(compiled), itemgetter(*order) if order else lambda parameters: ()


@lru_cache(maxsize=_KEPT)
def _prepare_rows(
    statement: ClauseElement, names: tuple[str, ...], dialect: Dialect
) -> tuple[str, Callable[[tuple[Any, ...]], Any] | None]:
    """Return a statement's text, and what makes of a row what the driver takes; None where that is the row itself."""
    text, bind = _prepare(statement, names, dialect)
    if bind(dict(zip(names, names, strict=True))) == names:
        return text, None
    return text, lambda row: bind(dict(zip(names, row, strict=True)))
