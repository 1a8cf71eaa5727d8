"""
Statements of the hot path, with their text made once and given to the driver itself.

SQLAlchemy keeps what it compiled, but weighs each execution anew: types, defaults, lists of parameters, the shape of
the result. That took several times as long as the database did. Here a statement's text and the order of its parameters
are looked up, and the driver's cursor gets them. It is for numbers, texts and bytes, which drivers take and return as
they are, and for tables without defaults.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, islice
from operator import itemgetter
from typing import Any, Final, cast

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement

_KEPT = 1024
"""Texts: of each statement, for each set of parameters that it was given, on each engine."""

ROWS_AT_ONCE: Final = (64, 8)
"""
Of one INSERT, the more the better. With each statement the driver lets other threads at the interpreter, and has to get
it back from them: a statement for each row took four times the processor time beside a busy event loop, and had that
wait (test_prepared counts them).
"""

_PARAMETERS_MAX: Final = 999
"""Of one statement. Documented: SQLite, limits: so many before 3.32, many more since."""

Parameters = Mapping[str, Any]


class Found:
    """What a statement returned, whole: rows that have the names of their columns, in their order."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: list[Any], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount
        """How many rows a statement that writes has touched, over all its parameters."""

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> list[Any]:
        """Return all rows."""
        return self._rows

    def first(self) -> Any:
        """Return the first row, None where there is none."""
        return self._rows[0] if self._rows else None

    def one(self) -> Any:
        """Return the only row."""
        (row,) = self._rows
        return row

    def scalar(self) -> Any:
        """Return the first column of the first row, None where there is none."""
        return self._rows[0][0] if self._rows else None

    def scalar_one(self) -> Any:
        """Return the first column of the only row."""
        return self.one()[0]

    def scalars(self) -> list[Any]:
        """Return the first column of all rows."""
        return [row[0] for row in self._rows]


class Prepared:
    """Runs statements on a connection, in its transaction, which has begun."""

    def __init__(self, connection: Connection) -> None:
        assert connection.in_transaction(), "the driver would commit each statement by itself"
        self._connection = connection
        self._dialect = connection.dialect
        self._cursor = connection.connection.cursor()

    def execute(self, statement: ClauseElement, parameters: Parameters | Sequence[Parameters] | None = None) -> Found:
        """
        Run a statement, once for each of several parameters.

        Args:
            statement: one of few, kept by whoever calls. Its lists have a fixed length, see `padded`.
            parameters: several of them have the same names.

        Raises:
            DBAPIError: as SQLAlchemy raises it.
        """
        several = None if parameters is None or isinstance(parameters, Mapping) else parameters
        one = cast(Parameters, parameters or {}) if several is None else several[0]
        text, bind = _prepare(statement, tuple(one), self._dialect)
        cursor = self._cursor
        try:
            if several is None:
                cursor.execute(text, bind(one))
            else:
                # A name that the first one lacks is not in the text: its values would be lost.
                assert all(len(other) == len(one) for other in several), "several parameters of different names"
                return Found([], _run_many(cursor, text, len(one), map(bind, several)))
            if not cursor.description:
                return Found([], cursor.rowcount)
            make = _row_type(tuple([column[0] for column in cursor.description]))
            return Found(list(map(make, cursor.fetchall())), cursor.rowcount)
        except self._dialect.loaded_dbapi.Error as error:
            raise self._translated(text, cast(Exception, error)) from error

    def insert(self, statement: ClauseElement, names: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
        """
        Run a statement for each of many rows, at least one: of some thousands the names would cost as much as the rest.

        Args:
            statement: as of `execute`.
            names: of the rows' values, in order.
        """
        text, bind = _prepare_rows(statement, names, self._dialect)
        try:
            _run_many(self._cursor, text, len(names), iter(rows) if bind is None else map(bind, rows))
        except self._dialect.loaded_dbapi.Error as error:
            raise self._translated(text, cast(Exception, error)) from error

    def _translated(self, text: str, error: Exception) -> BaseException:
        """Return a driver's error as SQLAlchemy raises it."""
        is_gone = self._dialect.is_disconnect(cast(Any, error), self._connection.connection, self._cursor)
        return DBAPIError.instance(
            text,
            None,
            error,
            self._dialect.loaded_dbapi.Error,
            hide_parameters=True,
            connection_invalidated=is_gone,
            dialect=self._dialect,
        )


def _run_many(cursor: Any, text: str, width: int, rows: Iterator[Any]) -> int:
    """
    Run a statement for each of many rows; return how many it has touched.

    Args:
        width: how many parameters each row has.
    """
    values = f"({', '.join('?' * width)})"
    touched = 0
    if text.endswith(f" VALUES {values}"):
        left: Sequence[Any] = ()
        for most in ROWS_AT_ONCE:
            size = min(most, max(_PARAMETERS_MAX // width, 1))
            several = text + f", {values}" * (size - 1)
            rows = chain(left, rows)
            while len(left := list(islice(rows, size))) == size:
                cursor.execute(several, tuple(chain.from_iterable(left)))
                touched += cursor.rowcount
        if not left:
            return touched
        rows = iter(left)
    cursor.executemany(text, rows)
    return touched + int(cursor.rowcount)


@lru_cache(maxsize=_KEPT)
def _row_type(names: tuple[str, ...]) -> Callable[[Sequence[Any]], Any]:
    """Return what makes a row with these names of the driver's tuple."""
    # The names are the statement's, not known here, hence no class with types.
    row_type: Any = namedtuple("Row", names, rename=True)  # type: ignore[misc]
    return cast("Callable[[Sequence[Any]], Any]", row_type._make)


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
