"""What `app` does by itself: what is parked at the start."""

import asyncio
import logging
from typing import Any

import msgspec
import pytest

from lambent import app
from lambent.domain.caller import Scope
from lambent.domain.function import Deployment, FunctionVersion, State
from lambent.testing.conformance.store import latest_of


class BrokenStore:
    """Fails as no contract says: with a bug."""

    async def some(self, limit: int) -> Any:
        raise RuntimeError("a row that nobody can read")


def test_a_start_survives_what_only_makes_it_quicker(caplog: pytest.LogCaptureFixture) -> None:
    """The task stands beside the server in one group: if it raised, the server would end."""
    store: Any = BrokenStore()
    around: Any = None
    with caplog.at_level(logging.ERROR):
        asyncio.run(app._expect_some(store, around))
    assert [record.getMessage() for record in caplog.records] == ["start.parking_failed"]


class Store:
    """Holds these versions."""

    def __init__(self, *versions: FunctionVersion) -> None:
        self.versions = versions

    async def some(self, limit: int) -> Any:
        return self.versions[:limit]


def test_a_start_parks_each_kind_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each owner and runtime, however many functions there are; none for what cannot be invoked."""
    expected: list[Deployment] = []

    async def expect(around: Any, deployment: Deployment) -> None:
        expected.append(deployment)

    monkeypatch.setattr(app, "_expect", expect)
    other = Scope("222222222222", "us-east-1")
    python = latest_of("a")
    settled = [python, latest_of("b"), latest_of("c", other)]
    pending = msgspec.structs.replace(
        latest_of("d"),
        state=State.PENDING,
        configuration=msgspec.structs.replace(python.configuration, runtime="nodejs22.x"),
    )
    store: Any = Store(*settled, pending)
    asyncio.run(app._expect_some(store, None))  # type: ignore[arg-type]
    assert [deployment.name for deployment in expected] == ["a", "c"]
