"""Saved queries, over the real store."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from unit.services.logs.conftest import _caller

from lambent.errors.families import ApiError
from lambent.services.logs import query_definitions as module
from lambent.services.logs.query_definitions import SavedQueries
from lambent.services.operation import collect_handlers
from lambent.store.database import Database
from lambent.store.query_definitions import QueryDefinitionRepository
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

TOKEN = "t" * 36


@pytest.fixture
def call(tmp_path: Path) -> Any:
    """Give a function that calls one operation, each time on a database that is opened anew."""
    path = tmp_path / "state.db"
    make_sqlite(path)
    clock = VirtualClock()

    def call(operation: str, **request: Any) -> Any:
        async def run() -> Any:
            async with Database(path) as database:
                handlers = collect_handlers(SavedQueries(QueryDefinitionRepository(database), clock))
                return await handlers[operation](_caller(), request)

        return asyncio.run(run())

    return call


def test_a_query_is_saved_changed_and_deleted(call: Any) -> None:
    """It survives a restart, with all that it was given."""
    parameters = [{"name": "p", "defaultValue": "1"}]
    saved = call("PutQueryDefinition", name="a", queryString="limit 1", logGroupNames=["g"], parameters=parameters)
    (shown,) = call("DescribeQueryDefinitions")["queryDefinitions"]
    assert shown.pop("lastModified") >= 0
    assert shown == {
        "queryLanguage": "CWLI",
        **saved,
        "name": "a",
        "queryString": "limit 1",
        "logGroupNames": ["g"],
        "parameters": parameters,
    }
    assert call("PutQueryDefinition", name="b", queryString="limit 2", **saved) == saved
    (shown,) = call("DescribeQueryDefinitions")["queryDefinitions"]
    assert (shown["name"], shown["queryString"], shown["logGroupNames"]) == ("b", "limit 2", [])
    assert "parameters" not in shown
    assert call("DeleteQueryDefinition", **saved) == {"success": True}
    assert call("DescribeQueryDefinitions") == {"queryDefinitions": []}
    for operation, more in (("DeleteQueryDefinition", {}), ("PutQueryDefinition", {"name": "x", "queryString": "y"})):
        with pytest.raises(ApiError) as caught:
            call(operation, **saved, **more)
        assert caught.value.code == "ResourceNotFoundException"


def test_what_is_sent_twice_is_saved_once(call: Any) -> None:
    first = call("PutQueryDefinition", name="a", queryString="limit 1", clientToken=TOKEN)
    assert call("PutQueryDefinition", name="a", queryString="limit 1", clientToken=TOKEN) == first
    assert call("PutQueryDefinition", name="a", queryString="limit 1", clientToken=TOKEN[1:] + "u") != first
    assert len(call("DescribeQueryDefinitions")["queryDefinitions"]) == 2


def test_they_are_listed_by_name_in_pages(call: Any) -> None:
    for name in ("team/b", "team/a", "other", "team/a"):
        call("PutQueryDefinition", name=name, queryString="limit 1")
    request: dict[str, Any] = {"queryDefinitionNamePrefix": "team/", "maxResults": 1}
    names, page = [], call("DescribeQueryDefinitions", **request)
    while True:
        names += [definition["name"] for definition in page["queryDefinitions"]]
        if "nextToken" not in page:
            break
        page = call("DescribeQueryDefinitions", **request, nextToken=page["nextToken"])
    assert names == ["team/a", "team/a", "team/b"]
    assert call("DescribeQueryDefinitions", queryLanguage="PPL") == {"queryDefinitions": []}
    with pytest.raises(ApiError, match="nextToken is invalid"):
        call("DescribeQueryDefinitions", nextToken="é")


def test_what_is_refused(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEFINITIONS_MAX", 1)
    call("PutQueryDefinition", name="a", queryString="limit 1")
    for more, code in (
        ({}, "LimitExceededException"),
        ({"queryLanguage": "SQL"}, "InvalidParameterException"),
        ({"logGroupNames": ["g"] * 51}, "InvalidParameterException"),
    ):
        with pytest.raises(ApiError) as caught:
            call("PutQueryDefinition", name="b", queryString="limit 1", **more)
        assert caught.value.code == code
