"""
What every store must do: `FunctionStoreConformance` and `LogStoreConformance`.

A subclass of each needs a fixture `adapter` that gives a `StoreAdapter` over an empty store.
"""

import asyncio
import functools
import importlib
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.concurrency import ProvisionedConcurrency
from lambent.domain.function import (
    LATEST,
    Code,
    Configuration,
    Function,
    FunctionName,
    FunctionVersion,
    State,
    UpdateStatus,
)
from lambent.store.contract import (
    Conflict,
    EventCursor,
    FunctionChange,
    LogEvent,
    LogGroup,
    LogPosition,
    LogResourcePolicy,
    NewLogEvent,
    OpenInvocation,
    ScopeUsage,
)
from lambent.testing.stores import Stores

SCOPE = Scope(account="111122223333", region="eu-west-1")
OTHER_REGION = Scope(account="111122223333", region="us-east-1")
GROUP = "/aws/lambda/f"
DAY_MS = 86_400_000

_S = TypeVar("_S")


@dataclass(frozen=True)
class StoreAdapter:
    """
    How to open one store, in words that a child process understands as well.

    Args:
        opener: `module:function`; called with `address` it gives an async context manager of `Stores`. Every
            call opens the same store anew.
        address: what the opener needs.
    """

    opener: str
    address: str

    def open(self) -> AbstractAsyncContextManager[Stores]:
        module, _, function = self.opener.partition(":")
        opened: AbstractAsyncContextManager[Stores] = getattr(importlib.import_module(module), function)(self.address)
        return opened


def with_stores(
    story: Callable[[_S, Stores], Coroutine[Any, Any, None]],
) -> Callable[[_S, StoreAdapter], None]:
    """Turn a story about an open store into a test that opens one."""

    @functools.wraps(story)
    def test(self: _S, adapter: StoreAdapter) -> None:
        async def run() -> None:
            async with adapter.open() as stores:
                await story(self, stores)

        asyncio.run(run())

    # Otherwise pytest would look for fixtures by the story's own parameters.
    del test.__dict__["__wrapped__"]
    return test


def latest_of(name: str, scope: Scope = SCOPE, code_bytes: int = 10) -> FunctionVersion:
    """Return an active `$LATEST`."""
    return FunctionVersion(
        scope=scope,
        name=FunctionName(name),
        version=LATEST,
        function_id=f"id-of-{name}",
        configuration=Configuration(
            runtime="python3.13", handler="app.handler", role="arn:aws:iam::111122223333:role/r", environment={"A": "ü"}
        ),
        code=Code(sha256="0" * 64, size_bytes=code_bytes),
        revision_id="r1",
        last_modified=1_795_000_000.25,
        state=State.ACTIVE,
        last_update_status=UpdateStatus.SUCCESSFUL,
        deployment_id="d1",
    )


def function_of(name: str, scope: Scope = SCOPE) -> Function:
    return Function(scope=scope, name=FunctionName(name), function_id=f"id-of-{name}", tags={"team": "a"})


def published(latest: FunctionVersion, number: int) -> FunctionVersion:
    return msgspec.structs.replace(latest, version=str(number), revision_id=f"r-{number}")


async def create(stores: Stores, *names: str, scope: Scope = SCOPE) -> None:
    async with stores.functions.transaction(scope) as tx:
        for name in names:
            await tx.create(function_of(name, scope), latest_of(name, scope))


async def is_refused(action: Awaitable[Any]) -> bool:
    try:
        await action
    except Conflict:
        return True
    return False


async def _cancel_at_every_step(story: Callable[[int], Coroutine[Any, Any, None]]) -> AsyncIterator[int]:
    """
    Run a story whole, then again and again, each time cancelled a little later; yield its number after each.

    Time is counted in turns of the event loop, so that a slow machine is cancelled at the same places.
    """
    turns_whole = 0
    # Twice, since the first of its kind opens connections and compiles statements.
    for number in (0, 1):
        turns_whole = 0
        task = asyncio.create_task(story(number))
        while not task.done():
            await asyncio.sleep(0)
            turns_whole += 1
        await task
        yield number
    for number in range(2, 52):
        task = asyncio.create_task(story(number))
        for _ in range(turns_whole * (number - 2) // 45):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        yield number


class FunctionStoreConformance:
    """Promises of `FunctionStore`."""

    @with_stores
    async def test_some_functions_are_of_any_scope(self, stores: Stores) -> None:
        """Only `$LATEST`, and not more than asked for."""
        other = Scope("222222222222", "eu-west-1")
        await create(stores, "f", "g")
        await create(stores, "h", scope=other)
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.save_version(published(latest_of("f"), 1))
        found = await stores.functions.some(10)
        assert sorted((version.scope, version.name, version.version) for version in found) == [
            (SCOPE, "f", LATEST),
            (SCOPE, "g", LATEST),
            (other, "h", LATEST),
        ]
        assert len(await stores.functions.some(2)) == 2

    @with_stores
    async def test_what_was_created_is_read_back(self, stores: Stores) -> None:
        """A function and its versions come back equal in every field."""
        update = msgspec.structs.replace(
            latest_of("f"),
            state=State.PENDING,
            state_reason="why",
            state_reason_code="Creating",
            last_update_status=UpdateStatus.IN_PROGRESS,
            last_update_status_reason="because",
            serving=latest_of("f").deployment(),
        )
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.create(function_of("f"), update)
        async with stores.functions.snapshot(SCOPE) as tx:
            assert await tx.function(FunctionName("f")) == function_of("f")
            assert await tx.version(FunctionName("f"), LATEST) == update

    @with_stores
    async def test_what_is_absent_is_none(self, stores: Stores) -> None:
        """Unknown functions, versions and things that no version can be called are None, not errors."""
        await create(stores, "f")
        async with stores.functions.snapshot(SCOPE) as tx:
            assert await tx.function(FunctionName("g")) is None
            for version in ("1", "0", "01", "", "-1", "live", "9" * 40, "²"):
                assert await tx.version(FunctionName("f"), version) is None
        async with stores.functions.snapshot(OTHER_REGION) as tx:
            assert await tx.function(FunctionName("f")) is None

    @with_stores
    async def test_a_name_is_taken_once_per_scope(self, stores: Stores) -> None:
        """Creating a function again is a conflict and changes nothing; another region has its own names."""
        await create(stores, "f")
        again = msgspec.structs.replace(latest_of("f"), revision_id="other")

        async def recreate() -> None:
            async with stores.functions.transaction(SCOPE) as tx:
                await tx.create(function_of("f"), again)

        assert await is_refused(recreate())
        await create(stores, "f", scope=OTHER_REGION)
        async with stores.functions.snapshot(SCOPE) as tx:
            assert await tx.version(FunctionName("f"), LATEST) == latest_of("f")
        assert await stores.functions.function_count() == 2

    @with_stores
    async def test_a_block_that_raises_leaves_nothing(self, stores: Stores) -> None:
        """A transaction whose block raises is undone as a whole, and notifies nobody."""
        changes: list[FunctionChange] = []
        stores.functions.on_change(changes.append)
        try:
            async with stores.functions.transaction(SCOPE) as tx:
                await tx.create(function_of("f"), latest_of("f"))
                raise LookupError("the block's own failure")
        except LookupError:
            pass
        assert await stores.functions.function_count() == 0
        assert changes == []
        await create(stores, "f")

    @with_stores
    async def test_a_cancelled_block_leaves_nothing(self, stores: Stores) -> None:
        """A transaction that is cancelled in its block is undone, and the next one is not held up."""
        inside = asyncio.Event()

        async def wait_inside() -> None:
            async with stores.functions.transaction(SCOPE) as tx:
                await tx.create(function_of("f"), latest_of("f"))
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(wait_inside())
        await inside.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert await stores.functions.function_count() == 0
        await create(stores, "f")

    @with_stores
    async def test_a_cancelled_call_happens_whole_or_not_at_all(self, stores: Stores) -> None:
        """Cancelled at any step, a create is there, has its version and was told of; or none of the three."""
        changes: list[FunctionChange] = []
        stores.functions.on_change(changes.append)

        async def story(number: int) -> None:
            await create(stores, f"f{number}")

        async for number in _cancel_at_every_step(story):
            name = FunctionName(f"f{number}")
            async with stores.functions.snapshot(SCOPE) as tx:
                function = await tx.function(name)
                latest = await tx.version(name, LATEST)
            assert (function is None) == (latest is None) == (FunctionChange(SCOPE, name) not in changes)

    @with_stores
    async def test_a_transaction_reads_its_own_writes(self, stores: Stores) -> None:
        """What a transaction wrote it sees, and nobody else before its commit."""
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.create(function_of("f"), latest_of("f"))
            await tx.save_version(published(latest_of("f"), 1))
            assert await tx.function(FunctionName("f")) == function_of("f")
            assert await tx.version(FunctionName("f"), "1") == published(latest_of("f"), 1)
            assert (await tx.usage()).function_count == 1
            async with stores.functions.snapshot(SCOPE) as outside:
                assert await outside.function(FunctionName("f")) is None

    @with_stores
    async def test_a_snapshot_stays_as_it_was(self, stores: Stores) -> None:
        """What others commit while a snapshot is open does not show in it."""
        await create(stores, "f")
        async with stores.functions.snapshot(SCOPE) as tx:
            assert await tx.function(FunctionName("g")) is None
            await create(stores, "g")
            assert await tx.function(FunctionName("g")) is None
        async with stores.functions.snapshot(SCOPE) as tx:
            assert await tx.function(FunctionName("g")) is not None

    def test_writers_take_turns(self, adapter: StoreAdapter) -> None:
        """Of many transactions that read and write back, through two openings of the store, none is lost."""

        async def run() -> None:
            async with adapter.open() as one, adapter.open() as two:
                await create(one, "f")

                async def publish(stores: Stores) -> None:
                    async with stores.functions.transaction(SCOPE) as tx:
                        function = await tx.function(FunctionName("f"))
                        assert function is not None
                        await tx.save_version(published(latest_of("f"), function.next_version))
                        await tx.save_function(
                            msgspec.structs.replace(function, next_version=function.next_version + 1)
                        )

                await asyncio.gather(*(publish(stores) for stores in (one, two) * 10))
                async with one.functions.snapshot(SCOPE) as tx:
                    versions = await tx.list_versions(FunctionName("f"), after=0, limit=100)
                assert [version.version for version in versions] == [str(number) for number in range(1, 21)]

        asyncio.run(run())

    @with_stores
    async def test_saving_needs_the_function(self, stores: Stores) -> None:
        """Neither a function that is gone nor a version of it can be saved."""

        async def save_function() -> None:
            async with stores.functions.transaction(SCOPE) as tx:
                await tx.save_function(function_of("f"))

        async def save_version() -> None:
            async with stores.functions.transaction(SCOPE) as tx:
                await tx.save_version(latest_of("f"))

        assert await is_refused(save_function())
        assert await is_refused(save_version())

    @with_stores
    async def test_saving_replaces(self, stores: Stores) -> None:
        """A saved function or version takes the place of the one before."""
        await create(stores, "f")
        function = msgspec.structs.replace(function_of("f"), tags={}, next_version=7)
        latest = msgspec.structs.replace(latest_of("f", code_bytes=99), state=State.FAILED)
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.save_function(function)
            await tx.save_version(latest)
        async with stores.functions.snapshot(SCOPE) as tx:
            assert await tx.function(FunctionName("f")) == function
            assert await tx.version(FunctionName("f"), LATEST) == latest
            assert await tx.usage() == ScopeUsage(function_count=1, code_bytes=99)

    @with_stores
    async def test_functions_are_listed_by_name(self, stores: Stores) -> None:
        """Pages go by name in byte order, without gaps or repeats, and see one scope only."""
        await create(stores, "b", "a_", "a-", "B", "a1")
        await create(stores, "c", scope=OTHER_REGION)
        seen: list[str] = []
        async with stores.functions.snapshot(SCOPE) as tx:
            while page := await tx.list_latest(after=FunctionName(seen[-1]) if seen else None, limit=2):
                assert len(page) <= 2
                seen += [version.name for version in page]
        assert seen == ["B", "a-", "a1", "a_", "b"]

    @with_stores
    async def test_versions_are_listed_by_number(self, stores: Stores) -> None:
        """`$LATEST` comes first, then numbers as numbers: 10 after 9."""
        await create(stores, "f", "g")
        async with stores.functions.transaction(SCOPE) as tx:
            for number in (10, 9, 1):
                await tx.save_version(published(latest_of("f"), number))
            await tx.save_version(published(latest_of("g"), 2))
        async with stores.functions.snapshot(SCOPE) as tx:
            name = FunctionName("f")
            assert [v.version for v in await tx.list_versions(name, after=None, limit=3)] == [LATEST, "1", "9"]
            assert [v.version for v in await tx.list_versions(name, after=9, limit=3)] == ["10"]
            every = await tx.list_all_versions(after=None, limit=4)
            assert [(v.name, v.version) for v in every] == [("f", LATEST), ("f", "1"), ("f", "9"), ("f", "10")]
            rest = await tx.list_all_versions(after=(name, 10), limit=4)
            assert [(v.name, v.version) for v in rest] == [("g", LATEST), ("g", "2")]

    @with_stores
    async def test_deleting_takes_what_belongs(self, stores: Stores) -> None:
        """A version goes alone, a function with all of them; deleting what is absent is fine."""
        await create(stores, "f", "g")
        async with stores.functions.transaction(SCOPE) as tx:
            for number in (1, 2):
                await tx.save_version(published(latest_of("f"), number))
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.delete_version(FunctionName("f"), "1")
            await tx.delete_version(FunctionName("f"), "77")
            left = await tx.list_versions(FunctionName("f"), after=None, limit=10)
            assert [version.version for version in left] == [LATEST, "2"]
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.delete_function(FunctionName("f"))
            await tx.delete_function(FunctionName("nobody"))
        async with stores.functions.snapshot(SCOPE) as tx:
            assert await tx.function(FunctionName("f")) is None
            assert [(v.name, v.version) for v in await tx.list_all_versions(after=None, limit=10)] == [("g", LATEST)]

    @with_stores
    async def test_usage_counts_every_version(self, stores: Stores) -> None:
        """Every version counts its own copy of the package; functions count once; other scopes do not."""
        async with stores.functions.snapshot(SCOPE) as tx:
            assert await tx.usage() == ScopeUsage(function_count=0, code_bytes=0)
        await create(stores, "f", "g")
        await create(stores, "f", scope=OTHER_REGION)
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.save_version(published(latest_of("f", code_bytes=5), 1))
            assert await tx.usage() == ScopeUsage(function_count=2, code_bytes=25)

    @with_stores
    async def test_reservations_are_read_together(self, stores: Stores) -> None:
        """What a scope's functions reserve, 0 included, as the last write left it; none of what has gone."""
        async with stores.functions.snapshot(SCOPE) as tx:
            assert (await tx.claims()).reserved == {}
        await create(stores, "f", "g", "h", "none")
        await create(stores, "f", scope=OTHER_REGION)
        wanted = {FunctionName("f"): 7, FunctionName("g"): 0, FunctionName("h"): 3}
        async with stores.functions.transaction(SCOPE) as tx:
            for name, count in wanted.items():
                await tx.save_function(msgspec.structs.replace(function_of(name), reserved_executions=count))
            assert (await tx.claims()).reserved == wanted
            assert (await tx.function(FunctionName("g"))) == msgspec.structs.replace(
                function_of("g"), reserved_executions=0
            )
        async with stores.functions.transaction(OTHER_REGION) as tx:
            assert (await tx.claims()).reserved == {}
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.save_function(function_of("f"))
            await tx.delete_function(FunctionName("h"))
            await tx.create(msgspec.structs.replace(function_of("new"), reserved_executions=1), latest_of("new"))
        async with stores.functions.snapshot(SCOPE) as tx:
            assert (await tx.claims()).reserved == {"g": 0, "new": 1}

    @with_stores
    async def test_changes_are_told_in_order(self, stores: Stores) -> None:
        """Each commit that wrote is told once per function, after it can be read; reading tells nothing."""
        changes: list[FunctionChange] = []
        stores.functions.on_change(changes.append)
        await create(stores, "f", "g")
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.function(FunctionName("f"))
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.save_version(latest_of("f"))
            await tx.save_function(function_of("f"))
            assert len(changes) == 2
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.delete_function(FunctionName("g"))
        assert [change.name for change in changes] == ["f", "g", "f", "g"]
        assert {change.scope for change in changes} == {SCOPE}

    @with_stores
    async def test_unsettled_versions_are_found(self, stores: Stores) -> None:
        """What is Pending or being updated is found in every scope, published versions too; the rest is not."""
        await create(stores, "settled", "pending", "updating")
        await create(stores, "pending", scope=OTHER_REGION)
        pending = msgspec.structs.replace(latest_of("pending"), state=State.PENDING, last_update_status=None)
        elsewhere = msgspec.structs.replace(pending, scope=OTHER_REGION)
        updating = msgspec.structs.replace(latest_of("updating"), last_update_status=UpdateStatus.IN_PROGRESS)
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.save_version(pending)
            await tx.save_version(updating)
            await tx.save_version(msgspec.structs.replace(published(latest_of("settled"), 1), state=State.PENDING))
            await tx.save_version(published(latest_of("settled"), 2))
        async with stores.functions.transaction(OTHER_REGION) as tx:
            await tx.save_version(elsewhere)
        first = msgspec.structs.replace(published(latest_of("settled"), 1), state=State.PENDING)
        assert list(await stores.functions.unsettled()) == [pending, first, updating, elsewhere]

    @with_stores
    async def test_provisioned_concurrency_lives_and_dies_with_its_version(self, stores: Stores) -> None:
        """It is replaced, counted and listed by function; deleting it, its version or its function ends it."""
        await create(stores, "f", "g")
        await create(stores, "f", scope=OTHER_REGION)

        def of(name: str, number: int, requested: int) -> ProvisionedConcurrency:
            return ProvisionedConcurrency(SCOPE, FunctionName(name), str(number), requested, 1_795_000_000.25)

        async with stores.functions.transaction(SCOPE) as tx:
            for name, number in (("f", 1), ("f", 2), ("f", 10), ("g", 1)):
                await tx.save_version(published(latest_of(name), number))
                await tx.save_provisioned(of(name, number, number))
            await tx.save_provisioned(of("f", 2, 5))
            assert list(await tx.list_provisioned(FunctionName("f"))) == [of("f", 1, 1), of("f", 2, 5), of("f", 10, 10)]
            assert (await tx.claims()).provisioned == {"f": {"1": 1, "2": 5, "10": 10}, "g": {"1": 1}}
        async with stores.functions.snapshot(OTHER_REGION) as tx:
            assert (await tx.claims()).provisioned == {}
        assert list(await stores.functions.kept()) == [
            FunctionChange(SCOPE, FunctionName("f")),
            FunctionChange(SCOPE, FunctionName("g")),
        ]
        async with stores.functions.transaction(SCOPE) as tx:
            assert await tx.delete_provisioned(FunctionName("f"), "1")
            assert not await tx.delete_provisioned(FunctionName("f"), "1")
            assert not await tx.delete_provisioned(FunctionName("f"), "live")
            await tx.delete_version(FunctionName("f"), "2")
            await tx.delete_function(FunctionName("g"))
        async with stores.functions.snapshot(SCOPE) as tx:
            assert (await tx.claims()).provisioned == {"f": {"10": 10}}

    @with_stores
    async def test_provisioned_concurrency_needs_a_published_version(self, stores: Stores) -> None:
        """`$LATEST` and a version that does not exist have none."""
        await create(stores, "f")
        for version in (LATEST, "1"):
            refused = False
            try:
                async with stores.functions.transaction(SCOPE) as tx:
                    await tx.save_provisioned(ProvisionedConcurrency(SCOPE, FunctionName("f"), version, 1, 0.0))
            except Conflict:
                refused = True
            assert refused

    @with_stores
    async def test_published_versions_with_snap_start_are_found(self, stores: Stores) -> None:
        """A function is named for its published versions with SnapStart, not for the wish of its `$LATEST`."""
        await create(stores, "f", "g")
        for name in ("f", "g"):
            latest = latest_of(name)
            wish = msgspec.structs.replace(
                latest, configuration=msgspec.structs.replace(latest.configuration, snap_start=True)
            )
            async with stores.functions.transaction(SCOPE) as tx:
                await tx.save_version(wish)
                if name == "g":
                    await tx.save_version(published(wish, 1))
                    await tx.save_version(published(wish, 2))
        assert list(await stores.functions.kept()) == [FunctionChange(SCOPE, FunctionName("g"))]

    def test_what_was_committed_survives_a_kill(self, adapter: StoreAdapter) -> None:
        """Every function whose create returned before kill -9 is there afterwards, with its version."""
        command = [sys.executable, "-m", "lambent.testing.conformance.store", adapter.opener, adapter.address]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            acknowledged = [child.stdout.readline().strip() for _ in range(20)]
            child.kill()
        assert acknowledged[-1] == "f19"

        async def run() -> None:
            async with adapter.open() as stores, stores.functions.snapshot(SCOPE) as tx:
                for name in acknowledged:
                    assert await tx.function(FunctionName(name)) == function_of(name)
                    assert await tx.version(FunctionName(name), LATEST) == latest_of(name)

        asyncio.run(run())


class LogStoreConformance:
    """Promises of `LogStore`."""

    @with_stores
    async def test_an_empty_store_stands_at_the_start(self, stores: Stores) -> None:
        """Nothing is folded, open or there."""
        assert await stores.logs.position() == LogPosition(segment=0, offset=0)
        assert await stores.logs.open_invocations() == []
        assert await stores.logs.group(SCOPE, GROUP) is None
        assert await stores.logs.stream(SCOPE, GROUP, "s") is None
        assert await stores.logs.events(SCOPE, GROUP, limit=10) == []

    @with_stores
    async def test_folding_makes_group_stream_and_events(self, stores: Stores) -> None:
        """A fold stores its events, makes what they need, and moves the position, together."""
        await fold(stores, _event(5, "five\n"), _event(3, "drei ü"), _event(4, "else", stream="t"))
        assert await stores.logs.position() == LogPosition(segment=1, offset=1)
        group = await stores.logs.group(SCOPE, GROUP)
        assert group is not None
        assert (group.scope, group.name, group.retention_days) == (SCOPE, GROUP, None)
        assert group.created_ms == 1_000_005
        assert group.stored_bytes == len("five\ndrei ü".encode()) + len("else") + 3 * 26
        stream = await stores.logs.stream(SCOPE, GROUP, "s")
        assert stream is not None
        assert (stream.first_event_ms, stream.last_event_ms, stream.last_ingestion_ms) == (3, 5, 1_000_005)
        assert await _messages(stores) == ["drei ü", "else", "five\n"]
        await fold(stores, _event(1, "one"), _event(9, "nine"), offset=2)
        stream = await stores.logs.stream(SCOPE, GROUP, "s")
        assert stream is not None
        assert (stream.first_event_ms, stream.last_event_ms, stream.last_ingestion_ms) == (1, 9, 1_000_009)

    @with_stores
    async def test_nothing_is_folded_twice(self, stores: Stores) -> None:
        """A fold up to a position that the store has reached is refused and stores nothing."""
        await fold(stores, _event(1, "a"), offset=10)
        for position in (LogPosition(1, 10), LogPosition(1, 9), LogPosition(0, 99)):
            assert await is_refused(stores.logs.fold([_event(2, "b")], [], [], position))
        assert await _messages(stores) == ["a"]
        await stores.logs.fold([], [], [], LogPosition(1, 10))
        await stores.logs.fold([_event(2, "b")], [], [], LogPosition(2, 0))
        assert await _messages(stores) == ["a", "b"]
        assert await stores.logs.position() == LogPosition(2, 0)

    @with_stores
    async def test_a_cancelled_fold_happens_whole_or_not_at_all(self, stores: Stores) -> None:
        """Cancelled at any step, a fold's events are there exactly when the position says so."""

        async def story(number: int) -> None:
            await fold(stores, _event(number, str(number)), offset=number + 1)

        async for number in _cancel_at_every_step(story):
            is_moved = (await stores.logs.position()).offset == number + 1
            assert (str(number) in await _messages(stores)) is is_moved

    @with_stores
    async def test_open_invocations_are_remembered(self, stores: Stores) -> None:
        """What opened is open until it closes; one that does both in one fold is closed; a retry replaces."""
        await stores.logs.fold([], [_open("b"), _open("a"), _open("c")], ["c"], LogPosition(1, 1))
        assert await stores.logs.open_invocations() == [_open("a"), _open("b")]
        again = msgspec.structs.replace(_open("b"), started_ms=99)
        await stores.logs.fold([], [again], ["a", "unknown"], LogPosition(1, 2))
        assert await stores.logs.open_invocations() == [again]

    @with_stores
    async def test_events_come_in_order_of_time_then_arrival(self, stores: Stores) -> None:
        """Order is timestamp, then ingestion, then arrival, over all streams; reversed on request."""
        late = msgspec.structs.replace(_event(2, "2, taken in late"), ingestion_ms=2_000_000)
        await fold(stores, late, _event(2, "2, first"), _event(2, "2, second", stream="t"), _event(1, "1"))
        expected = ["1", "2, first", "2, second", "2, taken in late"]
        assert await _messages(stores) == expected
        assert await _messages(stores, newest_first=True) == expected[::-1]
        ids = [event.event_id for event in await stores.logs.events(SCOPE, GROUP, limit=10)]
        assert ids == sorted(set(ids))
        assert {len(event_id) for event_id in ids} == {56}

    @with_stores
    async def test_events_are_narrowed(self, stores: Stores) -> None:
        """Times, streams and prefixes narrow: the first millisecond is included, the last is not."""
        await fold(
            stores,
            *(_event(at, f"{stream}{at}", stream=stream) for at in (1, 2, 3) for stream in ("a", "ab", "Ab", "b_")),
        )
        assert await _messages(stores, from_ms=2, before_ms=3, streams=["a"]) == ["a2"]
        assert await _messages(stores, from_ms=3, streams=["a", "Ab"]) == ["a3", "Ab3"]
        assert await _messages(stores, before_ms=2, stream_prefix="a") == ["a1", "ab1"]
        assert await _messages(stores, before_ms=2, stream_prefix="b%") == []
        assert await _messages(stores, before_ms=2, stream_prefix="b_") == ["b_1"]
        assert await _messages(stores, streams=["nobody"]) == []
        assert await _messages(stores, streams=[]) == []
        assert await stores.logs.events(OTHER_REGION, GROUP, limit=10) == []

    @with_stores
    async def test_cursors_leave_nothing_out_and_repeat_nothing(self, stores: Stores) -> None:
        """Reading in pages, either way, sees every event once, equal timestamps included."""
        await fold(stores, *(_event(at // 3, str(at), stream="st"[at % 2]) for at in range(20)))
        expected = [str(at) for at in range(20)]
        forward: list[LogEvent] = []
        while page := await stores.logs.events(SCOPE, GROUP, after=_cursor(forward[-1]) if forward else None, limit=3):
            forward += page
        assert [event.message for event in forward] == expected
        backward: list[LogEvent] = []
        while page := await stores.logs.events(
            SCOPE, GROUP, before=_cursor(backward[-1]) if backward else None, newest_first=True, limit=3
        ):
            backward += page
        assert [event.message for event in backward] == expected[::-1]

    @with_stores
    async def test_pages_stop_at_a_size(self, stores: Stores) -> None:
        """Messages of a page stay within the bytes asked for, 26 more counted for each; one always comes."""
        await fold(stores, *(_event(at, "ü" * 50) for at in range(5)))
        sizes = {1: 1, 125: 1, 126: 1, 251: 1, 252: 2, 10_000: 5}
        for bytes_max, expected in sizes.items():
            assert len(await stores.logs.events(SCOPE, GROUP, limit=10, bytes_max=bytes_max)) == expected
        assert len(await stores.logs.events(SCOPE, GROUP, limit=3, bytes_max=10_000)) == 3

    @with_stores
    async def test_groups_are_listed_by_name(self, stores: Stores) -> None:
        """Groups come in byte order by pages; prefix and pattern are taken literally and with regard to case."""
        names = ["/aws/lambda/b", "/aws/lambda/a_b", "/aws/lambda/aXb", "/aws/lambda/B", "/AWS/x", "other"]
        await fold(stores, *(msgspec.structs.replace(_event(1, "x"), group=name) for name in names))

        async def listed(prefix: str = "", pattern: str = "", after: str | None = None, limit: int = 50) -> list[str]:
            groups = await stores.logs.list_groups(SCOPE, prefix=prefix, pattern=pattern, after=after, limit=limit)
            return [group.name for group in groups]

        assert await listed() == sorted(names)
        assert await listed(limit=2) == sorted(names)[:2]
        assert await listed(after=sorted(names)[1]) == sorted(names)[2:]
        assert await listed(prefix="/aws/lambda/a_") == ["/aws/lambda/a_b"]
        assert await listed(prefix="/aws/lambda/b") == ["/aws/lambda/b"]
        assert await listed(pattern="a_b") == ["/aws/lambda/a_b"]
        assert await listed(pattern="AWS") == ["/AWS/x"]
        assert await listed(prefix="/aws/", after="/aws/lambda/a_b") == ["/aws/lambda/b"]
        assert await stores.logs.list_groups(OTHER_REGION, after=None, limit=50) == []

    @with_stores
    async def test_streams_are_listed_by_name_or_newest_event(self, stores: Stores) -> None:
        """Streams come by name or by their newest event, either way, in pages by offset."""
        await fold(stores, _event(3, "x", stream="a"), _event(1, "x", stream="b"), _event(2, "x", stream="c"))

        async def listed(**options: Any) -> list[str]:
            wanted = {"by_last_event": False, "descending": False, "offset": 0, "limit": 50, **options}
            return [stream.name for stream in await stores.logs.list_streams(SCOPE, GROUP, **wanted)]

        assert await listed() == ["a", "b", "c"]
        assert await listed(descending=True) == ["c", "b", "a"]
        assert await listed(by_last_event=True) == ["b", "c", "a"]
        assert await listed(by_last_event=True, descending=True, limit=1) == ["a"]
        assert await listed(offset=1, limit=1) == ["b"]
        assert await listed(prefix="b") == ["b"]

    @with_stores
    async def test_expired_events_are_hidden_at_once(self, stores: Stores) -> None:
        """Events beyond the retention are not returned from the moment it says so, and deleted by the sweep."""
        now_ms = int(stores.clock.now() * 1000)
        await fold(stores, _event(now_ms - 2 * DAY_MS, "old"), _event(now_ms, "new"))
        assert await stores.logs.set_retention(SCOPE, GROUP, 1)
        assert await _messages(stores) == ["new"]
        assert await stores.logs.set_retention(SCOPE, GROUP, None)
        assert await _messages(stores) == ["old", "new"]
        assert await stores.logs.drop_expired(now_ms) == 0
        assert await stores.logs.set_retention(SCOPE, GROUP, 1)
        stores.clock.advance(DAY_MS / 1000 + 1)
        assert await _messages(stores) == []
        assert await stores.logs.drop_expired(now_ms) == 1
        assert await stores.logs.set_retention(SCOPE, GROUP, None)
        assert await _messages(stores) == ["new"]
        group = await stores.logs.group(SCOPE, GROUP)
        assert group is not None and group.stored_bytes == len("new") + 26
        assert not await stores.logs.set_retention(SCOPE, "nobody", 1)

    @with_stores
    async def test_a_deleted_group_is_gone_for_good(self, stores: Stores) -> None:
        """Deleting takes streams, events and retention along; a group of the same name begins empty."""
        await fold(stores, _event(1, "a"), msgspec.structs.replace(_event(1, "kept"), group="other"))
        await stores.logs.set_retention(SCOPE, GROUP, 1)
        assert await stores.logs.delete_group(SCOPE, GROUP)
        assert not await stores.logs.delete_group(SCOPE, GROUP)
        assert await stores.logs.group(SCOPE, GROUP) is None
        assert await stores.logs.stream(SCOPE, GROUP, "s") is None
        now_ms = int(stores.clock.now() * 1000)
        await fold(stores, _event(now_ms, "b"), offset=2)
        group = await stores.logs.group(SCOPE, GROUP)
        assert group is not None and (group.retention_days, group.stored_bytes) == (None, 27)
        assert await _messages(stores) == ["b"]
        assert [event.message for event in await stores.logs.events(SCOPE, "other", limit=10)] == ["kept"]

    @with_stores
    async def test_groups_are_made_and_set(self, stores: Stores) -> None:
        """A group keeps what it was made with; a change is whole or, where it raises, nothing."""
        made = LogGroup(
            SCOPE, GROUP, 7, retention_days=3, log_class="DELIVERY", is_protected=True, kms_key="k", tags={"a": "b"}
        )
        assert await stores.logs.create_group(made)
        assert not await stores.logs.create_group(made)
        assert await stores.logs.group(SCOPE, GROUP) == made
        assert await stores.logs.group(OTHER_REGION, GROUP) is None
        changed = await stores.logs.update_group(
            SCOPE, GROUP, lambda group: msgspec.structs.replace(group, retention_days=None, tags={}, kms_key="")
        )
        assert changed == msgspec.structs.replace(made, retention_days=None, tags={}, kms_key="")

        def refuse(group: LogGroup) -> LogGroup:
            raise Conflict("no")

        assert await is_refused(stores.logs.update_group(SCOPE, GROUP, refuse))
        assert await stores.logs.group(SCOPE, GROUP) == changed
        assert await stores.logs.update_group(SCOPE, "nobody", refuse) is None
        await fold(stores, _event(1, "x"))
        group = await stores.logs.group(SCOPE, GROUP)
        assert group == msgspec.structs.replace(changed, stored_bytes=27)
        listed = [
            [found.name for found in await stores.logs.list_groups(SCOPE, log_class=wanted, after=None, limit=9)]
            for wanted in ("DELIVERY", "STANDARD")
        ]
        assert listed == [[GROUP], []]

    @with_stores
    async def test_streams_are_made_and_deleted(self, stores: Stores) -> None:
        """An empty stream has no times; one that is deleted takes its events along, and no others."""
        assert await stores.logs.create_stream(SCOPE, GROUP, "s") is None
        await fold(stores, _event(1, "a"), _event(2, "b", stream="t"))
        assert await stores.logs.create_stream(SCOPE, GROUP, "s") is False
        assert await stores.logs.create_stream(SCOPE, GROUP, "empty") is True
        empty = await stores.logs.stream(SCOPE, GROUP, "empty")
        assert empty is not None and empty.first_event_ms is empty.last_event_ms is None
        assert await stores.logs.delete_stream(SCOPE, GROUP, "s")
        assert not await stores.logs.delete_stream(SCOPE, GROUP, "s")
        assert not await stores.logs.delete_stream(SCOPE, "nobody", "s")
        assert await _messages(stores) == ["b"]
        await fold(stores, _event(3, "c"), offset=2)
        assert await _messages(stores) == ["b", "c"]
        assert await _messages(stores, streams=["s"]) == ["c"]
        group = await stores.logs.group(SCOPE, GROUP)
        assert group is not None and group.stored_bytes == 2 * 27

    @with_stores
    async def test_much_at_once_is_read_like_little(self, stores: Stores) -> None:
        """Thousands of events of one fold, between those of others: order, cursors, streams and ids are the same."""
        await fold(stores, _event(2_500, "before"), _event(0, "first", stream="t"))
        await fold(stores, *(_event(at, f"{at} {at % 7}", stream="st"[at % 2]) for at in range(5_000)), offset=2)
        await fold(stores, _event(2_500, "after"), offset=3)
        found: list[LogEvent] = []
        while page := await stores.logs.events(
            SCOPE, GROUP, after=_cursor(found[-1]) if found else None, limit=1_700, bytes_max=40_000
        ):
            found += page
        assert len(found) == len({event.event_id for event in found}) == 5_003
        assert [event.event_id for event in found] == sorted(event.event_id for event in found)
        assert [event.message for event in found if event.timestamp_ms == 2_500] == ["before", "2500 1", "after"]
        assert [event.message for event in found[:2]] == ["first", "0 0"]
        backward = await stores.logs.events(SCOPE, GROUP, newest_first=True, limit=10_000)
        assert list(backward) == found[::-1]
        assert await _messages(stores, streams=["t"], from_ms=11, before_ms=15) == ["11 4", "13 6"]
        for event in found[::1_000]:
            assert await stores.logs.event(SCOPE, GROUP, _cursor(event)) == event
        assert await stores.logs.event(SCOPE, GROUP, EventCursor(1, 1, 1)) is None

    @with_stores
    async def test_patterns_and_pages_that_say_where_to_go_on(self, stores: Stores) -> None:
        """Only matches come; there is a place to go on exactly as long as there are more of them."""
        await fold(stores, *(_event(at, f"n{at % 5}") for at in range(2_000)), _event(3_000, "no"))
        for newest_first in (False, True):
            place: EventCursor | None = None
            sizes, found = [], []
            while True:
                page = await stores.logs.page(
                    SCOPE,
                    GROUP,
                    pattern=_Holding("n3"),
                    newest_first=newest_first,
                    after=None if newest_first else place,
                    before=place if newest_first else None,
                    limit=150,
                )
                sizes.append(len(page.events))
                found += [event.timestamp_ms for event in page.events]
                if (place := page.next) is None:
                    break
            assert sizes == [150, 150, 100]
            assert found == sorted(range(3, 2_000, 5), reverse=newest_first)

    @with_stores
    async def test_a_scan_gives_everything_once(self, stores: Stores) -> None:
        """Of all the groups, within the times, what matches."""
        await fold(stores, *(_event(at, f"n{at % 5}") for at in range(2_000)), _event(5, "n1 once more"))
        await fold(stores, msgspec.structs.replace(_event(5, "n1 elsewhere"), group="other"), offset=2)
        found: list[tuple[str, int]] = []
        batches = stores.logs.scan(
            SCOPE, [GROUP, "nobody", "other"], from_ms=5, before_ms=1_000, pattern=_Holding("n1")
        )
        async for batch in batches:
            found += [(batch.group, event.timestamp_ms) for event in batch.events]
        assert sorted(found) == [(GROUP, at) for at in sorted([5, *range(6, 1_000, 5)])] + [("other", 5)]

    @with_stores
    async def test_resource_policies_are_kept(self, stores: Stores) -> None:
        """By name, of one scope; one that is there can always be replaced."""
        for name in ("b", "a"):
            assert await stores.logs.put_resource_policy(SCOPE, LogResourcePolicy(name, "{}", 1), most=2)
        assert not await stores.logs.put_resource_policy(SCOPE, LogResourcePolicy("c", "{}", 1), most=2)
        replaced = LogResourcePolicy("a", "{ }", 2)
        assert await stores.logs.put_resource_policy(SCOPE, replaced, most=2)
        assert list(await stores.logs.resource_policies(SCOPE)) == [replaced, LogResourcePolicy("b", "{}", 1)]
        assert list(await stores.logs.resource_policies(OTHER_REGION)) == []
        assert await stores.logs.delete_resource_policy(SCOPE, "a")
        assert not await stores.logs.delete_resource_policy(SCOPE, "a")


class _Holding:
    """A pattern for messages that hold a text."""

    def __init__(self, text: str) -> None:
        self.literals = self.plain_literals = [text]

    def matches(self, message: str) -> bool:
        return self.literals[0] in message


async def fold(stores: Stores, *events: NewLogEvent, offset: int = 1) -> None:
    await stores.logs.fold(events, [], [], LogPosition(segment=1, offset=offset))


def _event(timestamp_ms: int, message: str, stream: str = "s") -> NewLogEvent:
    return NewLogEvent(
        scope=SCOPE,
        group=GROUP,
        stream=stream,
        timestamp_ms=timestamp_ms,
        ingestion_ms=1_000_000 + timestamp_ms,
        message=message,
    )


def _open(request_id: str) -> OpenInvocation:
    return OpenInvocation(
        request_id=request_id,
        scope=SCOPE,
        group=GROUP,
        stream="s",
        version=LATEST,
        started_ms=5,
        memory_mib=128,
        timeout_s=3,
    )


async def _messages(stores: Stores, **narrowing: Any) -> list[str]:
    return [event.message for event in await stores.logs.events(SCOPE, GROUP, limit=1000, **narrowing)]


def _cursor(event: LogEvent) -> EventCursor:
    return EventCursor(event.timestamp_ms, event.ingestion_ms, event.sequence)


async def _create_until_killed(adapter: StoreAdapter) -> None:
    """Create f0, f1, ... and name each on stdout once its create has returned."""
    async with adapter.open() as stores:
        for number in range(10_000):
            await create(stores, f"f{number}")
            print(f"f{number}", flush=True)


if __name__ == "__main__":
    asyncio.run(_create_until_killed(StoreAdapter(opener=sys.argv[1], address=sys.argv[2])))
