"""Tags of functions as they are now."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from lambent.dispatch import function_tags as module
from lambent.dispatch.function_tags import FunctionTags
from lambent.domain.caller import Scope
from lambent.domain.function import FunctionName
from lambent.store.contract import FunctionChange

SCOPE = Scope("111122223333", "eu-west-1")
F = FunctionName("f")


class Store:
    def __init__(self) -> None:
        self.tags: dict[str, dict[str, str]] = {"f": {"a": "1"}}
        self.reads = 0
        self.tell: Callable[[FunctionChange], None]
        self.while_reading: Callable[[], None] = lambda: None

    def on_change(self, callback: Callable[[FunctionChange], None]) -> None:
        self.tell = callback

    @asynccontextmanager
    async def snapshot(self, scope: Scope) -> AsyncIterator["Store"]:
        yield self

    async def function(self, name: str) -> Any:
        self.reads += 1
        found = self.tags.get(name)
        self.while_reading()
        return None if found is None else SimpleNamespace(tags=found)


def made() -> tuple[FunctionTags, Store]:
    store = Store()
    return FunctionTags(store), store  # type: ignore[arg-type]


def test_they_are_read_once_and_again_after_a_change() -> None:
    tags, store = made()
    assert tags.known(SCOPE, F) is None
    assert [asyncio.run(tags.of(SCOPE, F)) for _ in range(2)] == [{"a": "1"}] * 2 and store.reads == 1
    store.tags["f"] = {"a": "2"}
    store.tell(FunctionChange(SCOPE, FunctionName("g")))
    assert tags.known(SCOPE, F) == {"a": "1"}
    store.tell(FunctionChange(SCOPE, F))
    assert tags.known(SCOPE, F) is None and asyncio.run(tags.of(SCOPE, F)) == {"a": "2"}


def test_what_changes_while_it_is_read_is_not_kept() -> None:
    tags, store = made()
    store.while_reading = lambda: store.tell(FunctionChange(SCOPE, F))
    asyncio.run(tags.of(SCOPE, F))
    assert tags.known(SCOPE, F) is None


def test_a_function_that_is_not_there_is_not_kept() -> None:
    tags, store = made()
    assert [asyncio.run(tags.of(SCOPE, FunctionName("none"))) for _ in range(2)] == [{}, {}] and store.reads == 2


def test_they_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KNOWN_MAX", 2)
    tags, store = made()
    store.tags |= {"g": {}, "h": {}}
    for name in "fgh":
        asyncio.run(tags.of(SCOPE, FunctionName(name)))
    assert len(tags._known) <= 2
