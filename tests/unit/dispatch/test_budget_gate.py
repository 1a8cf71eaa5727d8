"""What budgets that are used up keep from running."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from lambent.dispatch.budget_gate import REASON, BudgetGate
from lambent.dispatch.function_tags import FunctionTags
from lambent.domain.budget import Watched
from lambent.domain.caller import Scope
from lambent.domain.function import FunctionName
from lambent.fleet.contract import Throttled

SCOPE = Scope("111122223333", "eu-west-1")
F, G = FunctionName("f"), FunctionName("g")
RED = {"team": "red"}


class Store:
    def __init__(self, tags: Mapping[str, Mapping[str, str]]) -> None:
        self.tags = tags
        self.reads = 0

    def on_change(self, callback: Any) -> None:
        pass

    @asynccontextmanager
    async def snapshot(self, scope: Scope) -> AsyncIterator["Store"]:
        yield self

    async def function(self, name: str) -> Any:
        self.reads += 1
        return SimpleNamespace(tags=self.tags[name]) if name in self.tags else None


def gate_of(**tags: Mapping[str, str]) -> tuple[BudgetGate, Store]:
    store = Store(tags)
    return BudgetGate(FunctionTags(store)), store  # type: ignore[arg-type]


def refusal(gate: BudgetGate, name: FunctionName, scope: Scope = SCOPE) -> str | None:
    stopped = gate.stopped.get(scope.account)
    if stopped is None:
        return None
    try:
        asyncio.run(stopped.check(scope, name))
    except Throttled as throttled:
        assert throttled.reason == REASON
        return throttled.text
    return None


def test_while_nothing_is_used_up_there_is_nothing_to_look_at() -> None:
    gate, _ = gate_of()
    assert not gate.stopped
    gate.stop(SCOPE.account, "b", Watched(), "all")
    gate.free(SCOPE.account, "other")
    assert gate.stopped
    gate.free(SCOPE.account, "b")
    gate.free(SCOPE.account, "b")
    assert not gate.stopped


@pytest.mark.parametrize(
    ("watched", "refused"),
    [(Watched(), {"f", "g"}), (Watched("f", "eu-west-1"), {"f"}), (Watched("f", "us-east-1"), set()),
     (Watched(tag_key="team", tag_value="red"), {"g"}), (Watched(tag_key="team", tag_value="blue"), set())],
)  # fmt: skip
def test_what_it_watches_is_refused(watched: Watched, refused: set[str]) -> None:
    gate, _ = gate_of(f={}, g=RED)
    gate.stop(SCOPE.account, "b", watched, "said")
    assert {name for name in (F, G) if refusal(gate, name) == "said"} == refused
    assert refusal(gate, G, Scope("999999999999", "eu-west-1")) is None


def test_what_two_refuse_one_alone_does_not_free() -> None:
    gate, _ = gate_of()
    gate.stop(SCOPE.account, "a", Watched("f", "eu-west-1"), "a")
    gate.stop(SCOPE.account, "b", Watched(), "b")
    assert (refusal(gate, F), refusal(gate, G)) == ("b", "b")
    gate.free(SCOPE.account, "b")
    assert (refusal(gate, F), refusal(gate, G)) == ("a", None)
    gate.stop(SCOPE.account, "a", Watched("f", "eu-west-1"), "more")
    assert refusal(gate, F) == "more"


def test_tags_are_read_where_a_tag_is_watched_and_once() -> None:
    gate, store = gate_of(f=RED, g={})
    gate.stop(SCOPE.account, "a", Watched("f", "us-east-1"), "a")
    assert refusal(gate, F) is None and store.reads == 0
    gate.stop(SCOPE.account, "b", Watched(tag_key="team", tag_value="red"), "b")
    assert [refusal(gate, name) for name in (F, G, F, G)] == ["b", None, "b", None] and store.reads == 2
