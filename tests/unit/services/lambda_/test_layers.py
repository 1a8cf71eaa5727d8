"""Lists of layers that search: pages are full and whole however many versions have to be looked at."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from lambent.access.links import CodeLinks
from lambent.domain.caller import Caller, Scope
from lambent.domain.layer import LayerName, LayerVersion
from lambent.domain.principal import root_of
from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import CodeStorageExceededException
from lambent.services.lambda_ import layers
from lambent.services.lambda_.layers import Layers
from lambent.store.contract import Blob, FunctionStore
from lambent.testing.stores import make_sqlite, open_sqlite
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("1" * 12, "us-east-1")
CALLER = Caller(
    scope=SCOPE, principal=root_of("000000000000"), authenticated_by="none", request_id="id", endpoint="http://x"
)
SCAN = 4

Story = Callable[[Callable[[Layers, FunctionStore], Awaitable[None]]], None]


class Intake:
    """Takes in everything, as ten bytes."""

    async def add(self, scope: Scope, content: Any) -> Blob:
        return Blob("0" * 64, 10)


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    """Give a function that tells a story with the resource, which looks at few rows in one step, and its store."""
    monkeypatch.setattr(layers, "_SCAN", SCAN)
    make_sqlite(tmp_path / "state.db")

    def run(tell: Callable[[Layers, FunctionStore], Awaitable[None]]) -> None:
        async def open_and_tell() -> None:
            async with open_sqlite(str(tmp_path / "state.db")) as stores:
                clock = VirtualClock()
                quotas = Quotas(code_total_max_bytes=30)
                resource = Layers(stores.functions, Intake(), CodeLinks(b"k" * 32, clock), quotas, clock)  # type: ignore[arg-type]
                await tell(resource, stores.functions)

        asyncio.run(open_and_tell())

    return run


async def save(store: FunctionStore, *wanted: tuple[str, int, str | None]) -> None:
    """Store versions by layer, number and the runtime that they name."""
    async with store.transaction(SCOPE) as tx:
        for name, number, runtime in wanted:
            runtimes = None if runtime is None else (runtime,)
            await tx.layers.save(LayerVersion(SCOPE, LayerName(name), number, "0" * 64, 1, 0.0, runtimes=runtimes))


@pytest.mark.parametrize("count", range(1, 3 * SCAN + 2))
def test_versions_that_suit_are_all_found(story: Story, count: int) -> None:
    """Every third suits; pages of two show each of them once, newest first, and the last has no marker."""

    async def tell(resource: Layers, store: FunctionStore) -> None:
        await save(store, *(("l", number, "r" if number % 3 == 1 else None) for number in range(1, count + 1)))
        seen: list[int] = []
        marker: dict[str, str] = {}
        while True:
            answer = await resource.list_versions(
                CALLER,
                {"LayerName": "l", "CompatibleRuntime": "r", "MaxItems": 2, **marker},  # type: ignore[typeddict-item]
            )
            seen += [item["Version"] for item in answer["LayerVersions"]]
            if "NextMarker" not in answer:
                break
            assert len(answer["LayerVersions"]) == 2
            marker = {"Marker": answer["NextMarker"]}
        assert seen == [number for number in range(count, 0, -1) if number % 3 == 1]

    story(tell)


@pytest.mark.parametrize("count", range(1, 3 * SCAN + 2))
def test_layers_that_suit_are_all_found(story: Story, count: int) -> None:
    """Of each layer its newest version that suits, however far back; layers without one are left out."""

    async def tell(resource: Layers, store: FunctionStore) -> None:
        for number in range(count):
            # The suiting version lies further back the later the layer; every second layer has none.
            old = [(f"l{number:02d}", 1, "r" if number % 2 == 0 else None)]
            newer = [(f"l{number:02d}", version, None) for version in range(2, number + 2)]
            await save(store, *old, *newer)
        seen: list[tuple[str, int]] = []
        marker: dict[str, str] = {}
        while True:
            answer = await resource.list(CALLER, {"CompatibleRuntime": "r", "MaxItems": 2, **marker})  # type: ignore[typeddict-item]
            seen += [(item["LayerName"], item["LatestMatchingVersion"]["Version"]) for item in answer["Layers"]]
            if "NextMarker" not in answer:
                break
            assert len(answer["Layers"]) == 2
            marker = {"Marker": answer["NextMarker"]}
        assert seen == [(f"l{number:02d}", 1) for number in range(0, count, 2)]

    story(tell)


def test_an_account_has_so_much_storage(story: Story) -> None:
    """A version that would take more is refused and takes no number; one that is deleted makes room."""

    async def tell(resource: Layers, store: FunctionStore) -> None:
        async def publish() -> int:
            answer = await resource.publish(CALLER, {"LayerName": "l", "Content": {"ZipFile": b"x"}})
            return int(answer["Version"])

        assert [await publish() for _ in range(3)] == [1, 2, 3]
        with pytest.raises(CodeStorageExceededException):
            await publish()
        await resource.delete(CALLER, {"LayerName": "l", "VersionNumber": 2})
        assert await publish() == 4

    story(tell)
