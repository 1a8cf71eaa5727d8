"""From a name and a qualifier to a version: what is remembered, and when it is forgotten."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lambent.dispatch.resolve import VersionResolver
from lambent.domain.alias import Alias
from lambent.domain.caller import Scope
from lambent.domain.function import LATEST, Code, Configuration, Function, FunctionName, FunctionVersion
from lambent.store.connection_thread import ConnectionThread
from lambent.store.contract import FunctionChange
from lambent.store.database import Database
from lambent.store.functions import FunctionRepository
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("000000000000", "us-east-1")
OTHER = Scope("000000000000", "eu-west-1")
F = FunctionName("f")


def version_of(name: str, revision: str = "r1", number: str = LATEST) -> FunctionVersion:
    return FunctionVersion(
        scope=SCOPE,
        name=FunctionName(name),
        version=number,
        function_id="id",
        configuration=Configuration("python3.11", "app.handler", "role"),
        code=Code("0" * 64, 1),
        revision_id=revision,
        last_modified=0.0,
    )


class Reading:
    def __init__(self, store: "CountingStore", scope: Scope) -> None:
        self.store = store
        self.scope = scope

    @property
    def aliases(self) -> "Reading":
        return self

    async def get(self, name: str, alias: str) -> Alias | None:
        return self.store.aliases.get((self.scope, name, alias))

    async def version(self, name: str, version: str) -> FunctionVersion | None:
        found = self.store.versions.get((self.scope, name, version))
        self.store.reads += 1
        self.store.while_reading()
        return found


class CountingStore:
    """Versions in memory; counts reads, and lets a test act between a read and its result."""

    def __init__(self, *versions: FunctionVersion) -> None:
        self.versions = {(one.scope, str(one.name), one.version): one for one in versions}
        self.aliases: dict[tuple[Scope, str, str], Alias] = {}
        self.reads = 0
        self.while_reading: Callable[[], None] = lambda: None
        self.callbacks: list[Callable[[FunctionChange], None]] = []

    def on_change(self, callback: Callable[[FunctionChange], None]) -> None:
        self.callbacks.append(callback)

    def on_changing(self, callback: Callable[[FunctionChange], None]) -> None:
        self.tell_changing = callback

    @asynccontextmanager
    async def snapshot(self, scope: Scope) -> AsyncIterator[Reading]:
        yield Reading(self, scope)

    def save(self, version: FunctionVersion) -> None:
        self.versions[(version.scope, str(version.name), version.version)] = version
        self.notify(version.scope, version.name)

    def point(self, alias: str, version: str, **weights: float) -> None:
        """Save an alias of `f`: `point("a", "1", v2=0.5)`."""
        by_version = {number[1:]: weight for number, weight in weights.items()}
        self.aliases[(SCOPE, "f", alias)] = Alias(SCOPE, F, alias, version, "r", weights=by_version)
        self.notify(SCOPE, F)

    def notify(self, scope: Scope, name: FunctionName) -> None:
        for callback in self.callbacks:
            callback(FunctionChange(scope, name))


def resolver(store: CountingStore, **options: int) -> Callable[..., FunctionVersion | None]:
    """Return a function that resolves, each call on a loop of its own."""
    made = VersionResolver(store, VirtualClock(), **options)  # type: ignore[arg-type]

    def resolve(name: str, qualifier: str | None = None, scope: Scope = SCOPE) -> FunctionVersion | None:
        return asyncio.run(made.resolve(scope, FunctionName(name), qualifier))

    return resolve


def test_a_warm_invocation_reads_nothing() -> None:
    """The second look at a version comes from memory; no qualifier and $LATEST are the same."""
    store = CountingStore(version_of("f"))
    resolve = resolver(store)
    assert resolve("f") == resolve("f", LATEST) == resolve("f") == version_of("f")
    assert store.reads == 1


def test_versions_and_scopes_are_kept_apart() -> None:
    """The same name in another region, or another version of it, is another entry."""
    store = CountingStore(version_of("f"), version_of("f", number="1"))
    resolve = resolver(store)
    assert [resolve("f"), resolve("f", "1"), resolve("f", scope=OTHER)] == [
        version_of("f"),
        version_of("f", number="1"),
        None,
    ]


def test_what_is_absent_is_asked_for_again() -> None:
    """A missing function is not remembered: it may be created, and names of strangers must not fill the memory."""
    store = CountingStore()
    resolve = resolver(store)
    assert resolve("f") is None
    store.versions[(SCOPE, "f", LATEST)] = version_of("f")
    assert resolve("f") == version_of("f")


def test_a_change_is_seen_by_the_next_invocation() -> None:
    """A change notice drops every version of the function, and no other function's."""
    store = CountingStore(version_of("f"), version_of("f", number="1"), version_of("g"))
    resolve = resolver(store)
    for arguments in (("f",), ("f", "1"), ("g",)):
        resolve(*arguments)
    store.save(version_of("f", "r2"))
    assert resolve("f") == version_of("f", "r2")
    resolve("f", "1")
    assert store.reads == 5
    resolve("g")
    assert store.reads == 5


def test_a_change_elsewhere_leaves_the_function_of_the_same_name() -> None:
    """Another region's function of the same name is another function."""
    store = CountingStore(version_of("f"))
    resolve = resolver(store)
    resolve("f")
    store.notify(OTHER, F)
    resolve("f")
    assert store.reads == 1


def test_a_read_that_a_change_overtook_is_not_kept() -> None:
    """What was read before a commit and arrives after its notice would be stale for ever if it were remembered."""
    store = CountingStore(version_of("f"))
    resolve = resolver(store)

    def overtake() -> None:
        store.while_reading = lambda: None
        store.save(version_of("f", "r2"))

    store.while_reading = overtake
    assert resolve("f") == version_of("f", "r1"), "this invocation came before the change"
    assert resolve("f") == version_of("f", "r2")


def test_while_a_change_is_on_its_way_each_invocation_reads() -> None:
    """Who has seen it on the disk is not to get what was there before; others' functions are remembered on."""
    store = CountingStore(version_of("f"), version_of("g"))
    resolve = resolver(store)
    resolve("f"), resolve("g")
    store.tell_changing(FunctionChange(SCOPE, F))
    assert resolve("f") == version_of("f", "r1")
    # As it is on the disk from one moment to the next.
    store.versions[(SCOPE, "f", LATEST)] = version_of("f", "r2")
    assert resolve("f") == version_of("f", "r2")
    assert store.reads == 4
    store.notify(SCOPE, F)
    assert resolve("f") == resolve("f") == version_of("f", "r2")
    assert store.reads == 5
    resolve("g")
    assert store.reads == 5


def test_what_a_reader_saw_is_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the real store: a commit is on the disk before the event loop hears of it."""

    async def story() -> None:
        is_on_disk, let_go = threading.Event(), threading.Event()
        make_sqlite(tmp_path / "state.db")
        async with Database(tmp_path / "state.db") as database:
            functions = FunctionRepository(database)
            made = VersionResolver(functions, VirtualClock())
            async with functions.transaction(SCOPE) as tx:
                await tx.create(Function(SCOPE, F, "id"), version_of("f", "r1"))
            assert await made.resolve(SCOPE, F, None) == version_of("f", "r1")
            commit = ConnectionThread._commit

            def commit_and_wait(thread: ConnectionThread) -> None:
                commit(thread)
                is_on_disk.set()
                let_go.wait()

            monkeypatch.setattr(ConnectionThread, "_commit", commit_and_wait)

            async def change() -> None:
                async with functions.transaction(SCOPE) as tx:
                    await tx.save_version(version_of("f", "r2"))

            changing = asyncio.create_task(change())
            try:
                await asyncio.to_thread(is_on_disk.wait)
                async with functions.snapshot(SCOPE) as reading:
                    assert await reading.version(F, LATEST) == version_of("f", "r2")
                assert await made.resolve(SCOPE, F, None) == version_of("f", "r2")
            finally:
                let_go.set()
                await changing
            assert await made.resolve(SCOPE, F, None) == version_of("f", "r2")

    asyncio.run(story())


@pytest.mark.parametrize("most", [1, 2, 5])
def test_memory_is_bounded(most: int) -> None:
    """Beyond the bound the least recently used leaves, with all that was kept for it."""
    store = CountingStore(*(version_of(f"f{number}") for number in range(10)))
    made = VersionResolver(store, VirtualClock(), cache_max=most)  # type: ignore[arg-type]

    async def resolve_all() -> None:
        for number in range(10):
            await made.resolve(SCOPE, FunctionName(f"f{number}"), None)
            await made.resolve(SCOPE, FunctionName("f0"), None)

    asyncio.run(resolve_all())
    assert len(made._recent._cache) == len(made._recent._keys) == most
    # The one that was used last is among them.
    assert (SCOPE.account, SCOPE.region, "f0", LATEST) in made._recent._cache


def test_what_is_used_stays() -> None:
    """A version that is used between others is not the one to leave."""
    store = CountingStore(*(version_of(name) for name in "abc"))
    resolve = resolver(store, cache_max=2)
    for name in "abaca":
        resolve(name)
    assert store.reads == 3, "a was read once"
    resolve("b")
    assert store.reads == 4


def aliased() -> CountingStore:
    return CountingStore(*(version_of("f", number=number) for number in (LATEST, "1", "2")))


def test_an_alias_leads_to_its_version() -> None:
    """Read once, then from memory; one of `$LATEST` as well; one that does not exist leads nowhere."""
    store = aliased()
    store.point("a", "1")
    store.point("latest", LATEST)
    resolve = resolver(store)
    assert [resolve("f", "a") for _ in range(3)] == [version_of("f", number="1")] * 3
    assert store.reads == 1
    assert resolve("f", "latest") == version_of("f")
    assert resolve("f", "nobody") is None
    assert resolve("f", "a", scope=OTHER) is None


def test_an_alias_follows_at_once() -> None:
    """Pointed elsewhere, or gone, the next call knows."""
    store = aliased()
    store.point("a", "1")
    resolve = resolver(store)
    resolve("f", "a")
    store.point("a", "2")
    assert resolve("f", "a") == version_of("f", number="2")
    store.save(version_of("f", "r2", "2"))
    assert resolve("f", "a") == version_of("f", "r2", "2")
    del store.aliases[(SCOPE, "f", "a")]
    store.notify(SCOPE, F)
    assert resolve("f", "a") is None


@pytest.mark.parametrize("weight", [0.0, 0.2, 1.0])
def test_fn04_chance_decides_each_call(weight: float) -> None:
    """FN-04: behind weights every call is drawn anew, from memory, in the shares that they say."""
    store = aliased()
    store.point("a", "1", v2=weight)
    made = VersionResolver(store, VirtualClock())  # type: ignore[arg-type]

    async def draw() -> list[str]:
        found = [await made.resolve(SCOPE, F, "a") for _ in range(2000)]
        return [version.version for version in found if version is not None]

    drawn = asyncio.run(draw())
    assert len(drawn) == 2000
    # The clock's dice are seeded; 90 is five standard deviations at 0.2.
    assert abs(drawn.count("2") - 2000 * weight) <= (90 if 0 < weight < 1 else 0)
    assert drawn.count("1") == 2000 - drawn.count("2")
    assert store.reads == 2, "each version was read once"


def test_the_highest_dice_are_below_one() -> None:
    """With a weight of 1 the alias's own version never answers, whatever is thrown."""

    class HighestDice(VirtualClock):
        def token_hex(self, size_bytes: int) -> str:
            return "ff" * size_bytes

    store = aliased()
    store.point("a", "1", v2=1.0)
    made = VersionResolver(store, HighestDice())  # type: ignore[arg-type]
    found = asyncio.run(made.resolve(SCOPE, F, "a"))
    assert found is not None
    assert (found.version, found.is_weighted) == ("2", True)


def test_a_version_that_is_gone_is_answered_for() -> None:
    """Where weights lead to nothing, the alias's own version answers every call."""
    store = aliased()
    store.point("a", "1", v9=1.0)
    resolve = resolver(store)
    assert [resolve("f", "a") for _ in range(5)] == [version_of("f", number="1")] * 5
