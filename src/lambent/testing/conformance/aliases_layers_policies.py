"""
What every store must do with aliases, event invoke configs, notifications of buckets, resource policies and layers.

A subclass of each needs a fixture `adapter` that gives a `StoreAdapter` over an empty store.
"""

import contextlib

import msgspec

from lambent.domain.alias import Alias
from lambent.domain.bucket_notification import BucketNotification, Rule
from lambent.domain.caller import Scope
from lambent.domain.event_invoke import EventInvokeConfig
from lambent.domain.function import LATEST, FunctionName
from lambent.domain.layer import LayerName, LayerVersion
from lambent.domain.resource_policy import ResourcePolicy
from lambent.store.contract import FunctionChange, ScopeUsage
from lambent.testing.conformance.store import (
    OTHER_REGION,
    SCOPE,
    create,
    is_refused,
    latest_of,
    published,
    with_stores,
)
from lambent.testing.stores import Stores

F, G = FunctionName("f"), FunctionName("g")
LAYER = LayerName("layer")
POLICY = ResourcePolicy(({"Sid": "ü", "Effect": "Allow", "Condition": {"Bool": {"a": True}}},))
OTHER_POLICY = ResourcePolicy(({"Sid": "b"}, {"Sid": "c"}), version="2008-10-17", id=None)


def alias_of(alias: str, version: str = "1", name: FunctionName = F, scope: Scope = SCOPE) -> Alias:
    return Alias(scope=scope, name=name, alias=alias, version=version, revision_id=f"r-{alias}")


def layer_of(number: int, name: str = LAYER, scope: Scope = SCOPE, size_bytes: int = 10) -> LayerVersion:
    return LayerVersion(
        scope=scope,
        name=LayerName(name),
        number=number,
        sha256=f"{number:064x}",
        size_bytes=size_bytes,
        created=1_795_000_000.25,
    )


class AliasStoreConformance:
    """Promises of `AliasRows`."""

    @with_stores
    async def test_what_was_saved_is_read_back(self, stores: Stores) -> None:
        """An alias comes back equal in every field; saving again replaces it; other scopes do not see it."""
        await create(stores, "f", "g")
        await create(stores, "f", scope=OTHER_REGION)
        alias = msgspec.structs.replace(alias_of("a"), description="ü", weights={"2": 0.1})
        turned = msgspec.structs.replace(alias, version="2", weights={}, revision_id="next")
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.aliases.save(alias)
            assert await tx.aliases.get(F, "a") == alias
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.aliases.save(turned)
        async with stores.functions.snapshot(SCOPE) as tx:
            assert await tx.aliases.get(F, "a") == turned
            for name, missing in ((F, "A"), (F, "b"), (F, ""), (G, "a"), (FunctionName("nobody"), "a")):
                assert await tx.aliases.get(name, missing) is None
        async with stores.functions.snapshot(OTHER_REGION) as tx:
            assert await tx.aliases.get(F, "a") is None
            assert await tx.aliases.list(F) == []

    @with_stores
    async def test_an_alias_needs_its_function(self, stores: Stores) -> None:
        """Without the function it is a conflict."""

        async def save() -> None:
            async with stores.functions.transaction(SCOPE) as tx:
                await tx.aliases.save(alias_of("a"))

        assert await is_refused(save())
        await create(stores, "f", scope=OTHER_REGION)
        assert await is_refused(save())

    @with_stores
    async def test_aliases_are_listed_by_name(self, stores: Stores) -> None:
        """In byte order, in pages, and by the version that they point at: weights do not count."""
        await create(stores, "f", "g")
        async with stores.functions.transaction(SCOPE) as tx:
            for name, version in (("b", "1"), ("a_", LATEST), ("a-", "10"), ("B", "1"), ("a1", "2")):
                await tx.aliases.save(alias_of(name, version))
            await tx.aliases.save(msgspec.structs.replace(alias_of("w", "3"), weights={"1": 0.5}))
            await tx.aliases.save(alias_of("other", "1", G))
        async with stores.functions.snapshot(SCOPE) as tx:

            async def names(version: str | None = None, after: str | None = None, limit: int = 100) -> list[str]:
                return [alias.alias for alias in await tx.aliases.list(F, version=version, after=after, limit=limit)]

            assert [alias.alias for alias in await tx.aliases.list(F)] == ["B", "a-", "a1", "a_", "b", "w"]
            assert await names(limit=2) == ["B", "a-"]
            assert await names(after="a-", limit=2) == ["a1", "a_"]
            assert await names(after="w") == []
            assert await names(version="1") == ["B", "b"]
            assert await names(version="1", after="B") == ["b"]
            assert await names(version=LATEST) == ["a_"]
            for version in ("7", "01", "", "9" * 40, "b"):
                assert await names(version=version) == []

    @with_stores
    async def test_deleting_takes_the_policy_along(self, stores: Stores) -> None:
        """An alias goes with its policy and alone; a function goes with all its aliases; it is said what was there."""
        await create(stores, "f", "g")
        async with stores.functions.transaction(SCOPE) as tx:
            for alias in ("a", "b"):
                await tx.aliases.save(alias_of(alias))
                await tx.policies.save(F, alias, POLICY)
            await tx.aliases.save(alias_of("a", name=G))
        async with stores.functions.transaction(SCOPE) as tx:
            assert await tx.aliases.delete(F, "a")
            assert not await tx.aliases.delete(F, "a")
            assert not await tx.aliases.delete(FunctionName("nobody"), "a")
            assert await tx.policies.get(F, "a") is None
            assert await tx.policies.get(F, "b") == POLICY
            await tx.delete_function(F)
        await create(stores, "f")
        async with stores.functions.snapshot(SCOPE) as tx:
            assert await tx.aliases.list(F) == []
            assert await tx.policies.get(F, "b") is None
            assert await tx.aliases.get(G, "a") == alias_of("a", name=G)

    @with_stores
    async def test_writes_are_told(self, stores: Stores) -> None:
        """Whoever caches what an alias leads to is told of each commit that wrote one, before and after it."""
        await create(stores, "f")
        changes: list[FunctionChange] = []
        order: list[str] = []
        stores.functions.on_change(changes.append)
        stores.functions.on_change(lambda _: order.append("changed"))
        stores.functions.on_changing(lambda _: order.append("changing"))
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.aliases.get(F, "a")
            await tx.aliases.list(F)
        assert changes == []
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.aliases.save(alias_of("a"))
            await tx.aliases.save(alias_of("b"))
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.aliases.delete(F, "a")
        assert changes == [FunctionChange(SCOPE, F)] * 2
        with contextlib.suppress(ZeroDivisionError):
            async with stores.functions.transaction(SCOPE) as tx:
                await tx.aliases.save(alias_of("a"))
                raise ZeroDivisionError
        assert order == ["changing", "changed"] * 2


class EventInvokeConfigStoreConformance:
    """Promises of `EventInvokeConfigRows`."""

    @with_stores
    async def test_what_was_saved_is_read_back(self, stores: Stores) -> None:
        """A config comes back equal in every field; saving again replaces it; others see nothing."""
        await create(stores, "f", "g")
        await create(stores, "f", scope=OTHER_REGION)
        config = EventInvokeConfig(SCOPE, F, "live", 1.5, 0, 60, "arn:success", "arn:failure")
        changed = msgspec.structs.replace(config, retries_max=None, on_success="", last_modified=2.5)
        for saved in (config, changed):
            async with stores.functions.transaction(SCOPE) as tx:
                await tx.event_invoke_configs.save(saved)
                assert await tx.event_invoke_configs.get(F, "live") == saved
        async with stores.functions.snapshot(SCOPE) as tx:
            assert await tx.event_invoke_configs.get(F, "live") == changed
            for name, qualifier in ((F, LATEST), (F, "Live"), (G, "live"), (FunctionName("nobody"), "live")):
                assert await tx.event_invoke_configs.get(name, qualifier) is None
        async with stores.functions.snapshot(OTHER_REGION) as tx:
            assert await tx.event_invoke_configs.list(F) == []

    @with_stores
    async def test_a_config_needs_its_function(self, stores: Stores) -> None:
        """Without the function it is a conflict."""

        async def save() -> None:
            async with stores.functions.transaction(SCOPE) as tx:
                await tx.event_invoke_configs.save(EventInvokeConfig(SCOPE, F, LATEST, 0.0))

        assert await is_refused(save())

    @with_stores
    async def test_configs_are_listed_by_qualifier(self, stores: Stores) -> None:
        """In byte order and in pages; a write tells of the function."""
        await create(stores, "f")
        told: list[FunctionChange] = []
        stores.functions.on_change(told.append)
        async with stores.functions.transaction(SCOPE) as tx:
            for qualifier in ("b", "1", LATEST, "a"):
                await tx.event_invoke_configs.save(EventInvokeConfig(SCOPE, F, qualifier, 0.0))
        assert told == [FunctionChange(SCOPE, F)]
        async with stores.functions.snapshot(SCOPE) as tx:

            async def names(after: str | None = None, limit: int = 100) -> list[str]:
                return [one.qualifier for one in await tx.event_invoke_configs.list(F, after=after, limit=limit)]

            assert await names() == [LATEST, "1", "a", "b"]
            assert await names(limit=2) == [LATEST, "1"]
            assert await names(after="1", limit=1) == ["a"]
            assert await names(after="b") == []

    @with_stores
    async def test_a_config_goes_with_what_it_is_of(self, stores: Stores) -> None:
        """With its version, its alias or its function, and alone; it is said what was there."""
        await create(stores, "f", "g")
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.save_version(published(latest_of("f"), 1))
            await tx.aliases.save(alias_of("live"))
            for qualifier in (LATEST, "1", "live", "other"):
                await tx.event_invoke_configs.save(EventInvokeConfig(SCOPE, F, qualifier, 0.0))
            await tx.event_invoke_configs.save(EventInvokeConfig(SCOPE, G, LATEST, 0.0))
        async with stores.functions.transaction(SCOPE) as tx:
            assert await tx.event_invoke_configs.delete(F, "other")
            assert not await tx.event_invoke_configs.delete(F, "other")
            await tx.aliases.delete(F, "live")
            await tx.delete_version(F, "1")
            assert [one.qualifier for one in await tx.event_invoke_configs.list(F)] == [LATEST]
            await tx.delete_function(F)
            assert await tx.event_invoke_configs.list(F) == []
            assert len(await tx.event_invoke_configs.list(G)) == 1


class BucketNotificationStoreConformance:
    """Promises of `BucketNotificationRows`."""

    @with_stores
    async def test_a_bucket_has_one_under_its_name_alone(self, stores: Stores) -> None:
        """Whichever scope the transaction is of; saved again it is replaced, deleted it is gone."""
        rules = (Rule("a", "arn", ("s3:ObjectCreated:*",), "in/", None), Rule("b", "other", ("s3:ObjectAcl:Put",)))
        first = BucketNotification("media", SCOPE, rules)
        async with stores.functions.transaction(SCOPE) as tx:
            assert await tx.bucket_notifications.get("media") is None
            await tx.bucket_notifications.save(first)
            assert await tx.bucket_notifications.get("media") == first
        second = BucketNotification("media", OTHER_REGION, rules[1:])
        async with stores.functions.transaction(OTHER_REGION) as tx:
            assert await tx.bucket_notifications.get("media") == first
            await tx.bucket_notifications.save(second)
        async with stores.functions.snapshot(SCOPE) as reading:
            assert await reading.bucket_notifications.get("media") == second
            assert await reading.bucket_notifications.get("Media") is None
        async with stores.functions.transaction(SCOPE) as tx:
            assert await tx.bucket_notifications.delete("media")
            assert not await tx.bucket_notifications.delete("media")
            assert await tx.bucket_notifications.get("media") is None


class PolicyStoreConformance:
    """Promises of `PolicyRows`."""

    @with_stores
    async def test_each_qualifier_has_its_own(self, stores: Stores) -> None:
        """The function as a whole, a version and an alias: read back equal, replaced and removed apart."""
        await create(stores, "f", "g")
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.policies.save(F, None, POLICY)
            await tx.policies.save(F, "1", OTHER_POLICY)
            await tx.policies.save(F, "live", POLICY)
            assert await tx.policies.get(F, "1") == OTHER_POLICY
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.policies.save(F, None, OTHER_POLICY)
            await tx.policies.save(F, "live", None)
            await tx.policies.save(F, "never", None)
        async with stores.functions.snapshot(SCOPE) as tx:
            assert await tx.policies.get(F, None) == OTHER_POLICY
            assert await tx.policies.get(F, "1") == OTHER_POLICY
            for name, qualifier in ((F, "live"), (F, "Live"), (G, None), (FunctionName("nobody"), None)):
                assert await tx.policies.get(name, qualifier) is None
        async with stores.functions.snapshot(OTHER_REGION) as tx:
            assert await tx.policies.get(F, None) is None

    @with_stores
    async def test_a_policy_needs_its_function(self, stores: Stores) -> None:
        """Without the function it is a conflict."""

        async def save() -> None:
            async with stores.functions.transaction(SCOPE) as tx:
                await tx.policies.save(F, None, POLICY)

        assert await is_refused(save())

    @with_stores
    async def test_policies_go_with_what_they_belong_to(self, stores: Stores) -> None:
        """A version takes its own along, a function all of them: what is made anew has none."""
        await create(stores, "f", "g")
        async with stores.functions.transaction(SCOPE) as tx:
            for number in (1, 2):
                await tx.save_version(published(latest_of("f"), number))
            for qualifier in (None, "1", "2"):
                await tx.policies.save(F, qualifier, POLICY)
            await tx.policies.save(G, None, POLICY)
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.delete_version(F, "1")
            assert [await tx.policies.get(F, qualifier) for qualifier in (None, "1", "2")] == [POLICY, None, POLICY]
            await tx.delete_function(F)
        await create(stores, "f")
        async with stores.functions.snapshot(SCOPE) as tx:
            assert [await tx.policies.get(F, qualifier) for qualifier in (None, "1", "2")] == [None] * 3
            assert await tx.policies.get(G, None) == POLICY


class LayerStoreConformance:
    """Promises of `LayerRows`."""

    @with_stores
    async def test_what_was_saved_is_read_back(self, stores: Stores) -> None:
        """A version comes back equal in every field; saving again replaces it; other scopes do not see it."""
        full = msgspec.structs.replace(
            layer_of(1), description="ü", runtimes=("python3.13",), architectures=(), license="MIT"
        )
        shared = msgspec.structs.replace(full, policy=POLICY, policy_revision_id="r1")
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.layers.save(full)
            assert await tx.layers.get(LAYER, 1) == full
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.layers.save(shared)
        async with stores.functions.snapshot(SCOPE) as tx:
            assert await tx.layers.get(LAYER, 1) == shared
            for name, number in ((LAYER, 2), (LAYER, 0), (LAYER, -1), (LAYER, 10**60), (LayerName("Layer"), 1)):
                assert await tx.layers.get(name, number) is None
        async with stores.functions.snapshot(OTHER_REGION) as tx:
            assert await tx.layers.get(LAYER, 1) is None
            assert await tx.layers.names(after=None, limit=10) == []

    @with_stores
    async def test_numbers_count_for_ever(self, stores: Stores) -> None:
        """From 1, each once, over deletions; each layer and scope by itself; a block that raises takes none."""

        async def next_of(name: str, scope: Scope = SCOPE) -> int:
            async with stores.functions.transaction(scope) as tx:
                number = await tx.layers.next_number(LayerName(name))
                await tx.layers.save(layer_of(number, name, scope))
                return number

        assert [await next_of("a") for _ in range(3)] == [1, 2, 3]
        async with stores.functions.transaction(SCOPE) as tx:
            for number in (1, 2, 3):
                assert await tx.layers.delete(LayerName("a"), number)
        assert [await next_of("a"), await next_of("b"), await next_of("a", OTHER_REGION)] == [4, 1, 1]
        try:
            async with stores.functions.transaction(SCOPE) as tx:
                assert await tx.layers.next_number(LayerName("a")) == 5
                raise LookupError("the block's own failure")
        except LookupError:
            pass
        assert await next_of("a") == 5

    @with_stores
    async def test_deleting_says_what_was_there(self, stores: Stores) -> None:
        """One version goes; what is absent, or can be no version, is False."""
        async with stores.functions.transaction(SCOPE) as tx:
            for number in (1, 2):
                await tx.layers.save(layer_of(number))
        async with stores.functions.transaction(SCOPE) as tx:
            assert await tx.layers.delete(LAYER, 1)
            for name, number in ((LAYER, 1), (LAYER, 0), (LAYER, 10**60), (LayerName("nobody"), 1)):
                assert not await tx.layers.delete(name, number)
            assert await tx.layers.get(LAYER, 2) == layer_of(2)

    @with_stores
    async def test_versions_are_listed_newest_first(self, stores: Stores) -> None:
        """By number as a number, downwards, in pages, of one layer."""
        async with stores.functions.transaction(SCOPE) as tx:
            for number in (9, 10, 1):
                await tx.layers.save(layer_of(number))
            await tx.layers.save(layer_of(11, "other"))
        async with stores.functions.snapshot(SCOPE) as tx:

            async def numbers(before: int | None, limit: int) -> list[int]:
                return [version.number for version in await tx.layers.list(LAYER, before=before, limit=limit)]

            assert await numbers(None, 2) == [10, 9]
            assert await numbers(9, 2) == [1]
            assert await numbers(1, 2) == []
            assert await tx.layers.list(LayerName("nobody"), before=None, limit=2) == []

    @with_stores
    async def test_layers_are_named_once(self, stores: Stores) -> None:
        """In byte order, in pages, each that has a version; one whose versions are all gone is not named."""
        async with stores.functions.transaction(SCOPE) as tx:
            for name in ("b", "a_", "a-", "B", "gone"):
                for number in (1, 2):
                    await tx.layers.save(layer_of(number, name))
            for number in (1, 2):
                await tx.layers.delete(LayerName("gone"), number)
            await tx.layers.next_number(LayerName("never-saved"))
        async with stores.functions.snapshot(SCOPE) as tx:
            assert await tx.layers.names(after=None, limit=3) == ["B", "a-", "a_"]
            assert await tx.layers.names(after=LayerName("a_"), limit=3) == ["b"]

    @with_stores
    async def test_layers_count_as_code(self, stores: Stores) -> None:
        """Every version's zip counts beside those of functions, in its scope alone."""
        await create(stores, "f")
        async with stores.functions.transaction(SCOPE) as tx:
            for number in (1, 2):
                await tx.layers.save(layer_of(number, size_bytes=100))
            await tx.layers.save(layer_of(1, "other", size_bytes=1000))
            await tx.layers.save(layer_of(2, size_bytes=50))
            assert await tx.usage() == ScopeUsage(function_count=1, code_bytes=10 + 100 + 50 + 1000)
            await tx.layers.delete(LayerName("other"), 1)
        async with stores.functions.snapshot(SCOPE) as tx:
            assert await tx.usage() == ScopeUsage(function_count=1, code_bytes=160)
        async with stores.functions.snapshot(OTHER_REGION) as tx:
            assert await tx.usage() == ScopeUsage(function_count=0, code_bytes=0)
