"""Conditions on names, against SQLite."""

import sqlite3

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import column, select
from sqlalchemy.dialects import sqlite

from lambent.store.names import starts_with


@given(prefix=st.text(min_size=1, max_size=3), name=st.text(max_size=5), grown=st.booleans())
def test_a_prefix_is_a_range(prefix: str, name: str, grown: bool) -> None:
    """The range that stands for a prefix holds the names that start with it and no other."""
    name = prefix + name if grown else name
    query = select(column("name")).where(*starts_with(column("name"), prefix))
    compiled = query.compile(dialect=sqlite.dialect())
    sql = str(compiled).replace("SELECT name", "SELECT count(*)") + " AND name = ?"
    values = [compiled.params[key] for key in compiled.positiontup or ()]
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE names (name TEXT)")
        connection.execute("INSERT INTO names VALUES (?)", (name,))
        ((count,),) = connection.execute(sql.replace("WHERE", "FROM names WHERE"), [*values, name])
    connection.close()
    assert count == name.startswith(prefix)
