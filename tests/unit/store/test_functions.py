"""What the function repository does beyond the store's suite: indexes for its queries, news of a failed commit."""

import asyncio
import sqlite3
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import Select
from sqlalchemy.dialects import postgresql, sqlite

from lambent.domain.caller import Scope
from lambent.domain.function import LATEST, Code, Configuration, Function, FunctionName, FunctionVersion
from lambent.errors.families import DependencyError
from lambent.store import aliases, functions, layers
from lambent.store.connection_thread import ConnectionThread
from lambent.store.database import Database
from lambent.store.functions import FunctionRepository
from lambent.store.tables import aliases as alias_table
from lambent.store.tables import function_versions, layer_versions
from lambent.testing.stores import make_sqlite

SCOPE = Scope("000000000000", "us-east-1")
_LATEST = functions._VERSIONS.where(function_versions.c.number == 0).order_by(function_versions.c.name).limit(50)
_ALIASES_AFTER = aliases._ALIASES.where(alias_table.c.alias > "a").limit(50)
_ALIASES_OF_VERSION = aliases._ALIASES.where(alias_table.c.number == 1).limit(50)
_LAYERS_AFTER = layers._NAMES.where(layer_versions.c.name > "a").limit(50)
_LAYER_BEFORE = layers._VERSIONS.where(layer_versions.c.number < 5).limit(50)
_EVERY = functions._VERSIONS.order_by(function_versions.c.name, function_versions.c.number).limit(50)


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (functions._FUNCTION, "autoindex_functions"),
        (functions._VERSION, "autoindex_function_versions"),
        (functions._UNSETTLED, "function_versions_unsettled"),
        (functions._SNAP_STARTED, "INDEX function_versions_snap_started"),
        (functions._PROVISIONED, "autoindex_provisioned_concurrency"),
        (functions._PROVISIONED_SHARES, "autoindex_provisioned_concurrency"),
        (functions._PROVISIONED_FUNCTIONS, "autoindex_provisioned_concurrency"),
        (functions._USAGE, "COVERING INDEX function_versions_by_number"),
        (_LATEST, "function_versions_by_number"),
        (_EVERY, "autoindex_function_versions"),
        (functions._LAYER_BYTES, "COVERING INDEX layer_versions_bytes"),
        (aliases._ALIAS, "autoindex_aliases"),
        (aliases._ALIASES, "autoindex_aliases"),
        (_ALIASES_AFTER, "autoindex_aliases"),
        (_ALIASES_OF_VERSION, "autoindex_aliases"),
        (aliases._POLICY, "autoindex_function_policies"),
        (layers._LAST_NUMBER, "autoindex_layers"),
        (layers._VERSION, "autoindex_layer_versions"),
        (layers._VERSIONS, "autoindex_layer_versions"),
        (_LAYER_BEFORE, "autoindex_layer_versions"),
        (layers._NAMES, "COVERING INDEX sqlite_autoindex_layer_versions"),
        (_LAYERS_AFTER, "COVERING INDEX sqlite_autoindex_layer_versions"),
    ],
)
def test_queries_are_answered_by_an_index(tmp_path: Path, query: Select[tuple[str]], index: str) -> None:
    """No query reads all functions or sorts them: ten thousand are as quick to page as ten."""
    path = tmp_path / "state.db"
    make_sqlite(path)
    compiled = query.compile(dialect=sqlite.dialect())
    with sqlite3.connect(path) as connection:
        values = [compiled.params[name] for name in compiled.positiontup or ()]
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {compiled}", values))
    connection.close()
    assert index in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (module, name)
        for module in (functions, aliases, layers)
        for name in vars(module)
        if name[:2].isupper() or name[1:3].isupper()
    ],
)
def test_statements_suit_postgresql(module: ModuleType, name: str) -> None:
    """Every statement is one that PostgreSQL has as well."""
    statement = getattr(module, name)
    if hasattr(statement, "compile"):
        statement.compile(dialect=postgresql.dialect())


def test_a_commit_that_fails_is_told_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have come through: whoever remembered nothing meanwhile is to look, and to remember again."""

    name = FunctionName("f")
    configuration = Configuration("python3.13", "app.handler", "role")
    version = FunctionVersion(SCOPE, name, LATEST, "id", configuration, Code("0" * 64, 1), "r", 0.0)

    async def story() -> None:
        make_sqlite(tmp_path / "state.db")
        async with Database(tmp_path / "state.db") as database:
            functions = FunctionRepository(database)
            order: list[str] = []
            functions.on_changing(lambda change: order.append(f"changing {change.name}"))
            functions.on_change(lambda change: order.append(f"changed {change.name}"))

            def fail(_: ConnectionThread) -> None:
                raise DependencyError("the disk is full", retryable=True)

            monkeypatch.setattr(ConnectionThread, "_commit", fail)
            with pytest.raises(DependencyError):
                async with functions.transaction(SCOPE) as tx:
                    await tx.create(Function(SCOPE, name, "id"), version)
            assert order == ["changing f", "changed f"]

    asyncio.run(story())
