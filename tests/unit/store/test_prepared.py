"""Statements whose text is made once, against what SQLAlchemy makes of them itself."""

import sqlite3
from collections.abc import Iterator

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    create_engine,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, InvalidRequestError

from lambent.store.prepared import Prepared, padded

METADATA = MetaData()
THINGS = Table(
    "things", METADATA, Column("number", Integer, primary_key=True), Column("name", Text), Column("body", LargeBinary)
)
RENAME = update(THINGS).where(THINGS.c.number == bindparam("of_number")).values(name=bindparam("new_name"))
ALL = select(THINGS).order_by(THINGS.c.number)


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.begin() as made:
        METADATA.create_all(made)
        yield made
    engine.dispose()


def test_values_come_back_as_they_were_given(connection: Connection) -> None:
    """One or several, NULL among them; what is not named in an insert is NULL."""
    prepared = Prepared(connection)
    prepared.execute(insert(THINGS), {"number": 1, "name": "é"})
    prepared.execute(insert(THINGS), [{"number": 2, "body": b"\0"}, {"number": 3, "body": None}])
    assert (
        prepared.execute(RENAME, [{"of_number": 1, "new_name": "a"}, {"of_number": 9, "new_name": "b"}]).rowcount == 1
    )
    expected = [(1, "a", None), (2, None, b"\0"), (3, None, None)]
    assert [tuple(row) for row in prepared.execute(ALL)] == expected
    assert [row.name for row in connection.execute(ALL)] == ["a", None, None]


def test_what_a_statement_says_itself_goes_with_what_it_is_given(connection: Connection) -> None:
    """Literals and limits stand where they belong."""
    prepared = Prepared(connection)
    prepared.execute(insert(THINGS), [{"number": number, "name": "a"} for number in range(5)])
    some = select(literal("x"), THINGS.c.number).where(THINGS.c.number > bindparam("after"), THINGS.c.name == "a")
    found = prepared.execute(some.order_by(THINGS.c.number).limit(bindparam("most")), {"most": 2, "after": 1})
    assert [tuple(row) for row in found] == [("x", 2), ("x", 3)]


def test_a_name_that_is_missing_is_no_null(connection: Connection) -> None:
    """What was forgotten is refused, and not written as NULL or left out."""
    prepared = Prepared(connection)
    prepared.execute(insert(THINGS), {"number": 1, "name": "kept"})
    with pytest.raises(InvalidRequestError, match="new_name"):
        prepared.execute(RENAME, {"of_number": 1})
    with pytest.raises(InvalidRequestError):
        prepared.execute(insert(THINGS))
    with pytest.raises(AssertionError):
        prepared.execute(insert(THINGS), [{"number": 2}, {"number": 3, "name": "lost"}])
    assert [tuple(row) for row in prepared.execute(ALL)] == [(1, "kept", None)]


def test_rows_have_the_names_of_their_columns(connection: Connection) -> None:
    """Whatever way they are taken; of nothing there is no first."""
    prepared = Prepared(connection)
    assert prepared.execute(ALL).first() is None
    assert prepared.execute(select(func.max(THINGS.c.number))).scalar() is None
    prepared.execute(insert(THINGS), [{"number": number, "name": f"n{number}"} for number in (1, 2)])
    found = prepared.execute(ALL)
    assert [(row.number, row.name, row.body) for row in found] == [(1, "n1", None), (2, "n2", None)]
    assert found.scalars() == [1, 2]
    assert prepared.execute(select(func.count(), func.max(THINGS.c.number)).select_from(THINGS)).one() == (2, 2)
    with pytest.raises(ValueError, match="unpack"):
        found.one()


def test_the_driver_s_errors_arrive_as_sqlalchemy_s(connection: Connection) -> None:
    """With the driver's own inside, by which the contract's errors are told apart."""
    prepared = Prepared(connection)
    prepared.execute(insert(THINGS), {"number": 1})
    with pytest.raises(IntegrityError) as caught:
        prepared.execute(insert(THINGS), [{"number": 2}, {"number": 1}])
    assert isinstance(caught.value.orig, sqlite3.IntegrityError)


def test_a_transaction_has_begun(connection: Connection) -> None:
    """Else each statement would be a commit of its own."""
    connection.rollback()
    with pytest.raises(AssertionError):
        Prepared(connection)


def test_lists_have_few_lengths() -> None:
    """Powers of two up to the most, filled up with what is there already."""
    assert padded([1], 100) == [1]
    assert padded([1, 2, 3], 100) == [1, 2, 3, 3]
    assert len(padded(list(range(65)), 100)) == 100
    assert len(padded(list(range(100)), 100)) == 100


@pytest.mark.parametrize("count", [1, 7, 8, 9, 63, 64, 65, 64 * 3 + 8 * 2 + 5])
@pytest.mark.parametrize("names", [("number", "name", "body"), ("body", "number", "name")])
def test_many_rows_are_inserted_whole_and_in_order(connection: Connection, count: int, names: tuple[str, ...]) -> None:
    """However many go into one statement, and in whatever order they are named."""
    prepared = Prepared(connection)
    rows = [
        {"number": number, "name": f"name {number}" if number % 3 else None, "body": b"%d" % number}
        for number in range(count)
    ]
    prepared.insert(insert(THINGS), names, (tuple(row[name] for name in names) for row in rows))
    assert [row._asdict() for row in prepared.execute(ALL)] == rows
    again = [row | {"number": row["number"] + 1_000} for row in rows]
    assert prepared.execute(insert(THINGS), again).rowcount == count
    assert [row._asdict() for row in prepared.execute(ALL)] == rows + again


def test_many_rows_take_few_statements(connection: Connection) -> None:
    """Each lets other threads at the interpreter."""
    ran: list[str] = []
    driver = connection.connection.dbapi_connection
    assert driver is not None
    driver.set_trace_callback(ran.append)
    Prepared(connection).insert(insert(THINGS), ("number", "name"), ((number, "name") for number in range(203)))
    driver.set_trace_callback(None)
    assert sum(statement.startswith("INSERT") for statement in ran) == 3 + 1 + 3


def test_a_row_that_is_refused_is_told(connection: Connection) -> None:
    """As SQLAlchemy raises it."""
    with pytest.raises(IntegrityError):
        Prepared(connection).insert(insert(THINGS), ("number", "name"), [(number % 60, "a") for number in range(64)])
