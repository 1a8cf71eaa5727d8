"""
What every store must do with event source mappings.

A subclass needs a fixture `adapter` that gives a `StoreAdapter` over an empty store.
"""

import msgspec
import pytest

from lambent.domain.caller import Scope
from lambent.domain.event_source_mapping import EventSourceMapping, MappingState, ProvisionedPollers
from lambent.domain.function import FunctionName
from lambent.store.contract import Conflict, MappingChange
from lambent.testing.conformance.store import OTHER_REGION, SCOPE, with_stores
from lambent.testing.stores import Stores


def mapping_of(
    uuid: str, source: str = "arn:q", qualifier: str | None = None, scope: Scope = SCOPE
) -> EventSourceMapping:
    return EventSourceMapping(
        scope=scope,
        uuid=uuid,
        source_arn=source,
        function_name=FunctionName("f"),
        qualifier=qualifier,
        state=MappingState.CREATING,
        is_enabled=True,
        last_modified=1_795_000_000.25,
        batch_size=10,
    )


class EventSourceMappingStoreConformance:
    """Promises of `EventSourceMappingRows`."""

    @with_stores
    async def test_what_was_saved_is_read_back(self, stores: Stores) -> None:
        """A mapping comes back equal in every field; saving again replaces it; other scopes do not see it."""
        mapping = msgspec.structs.replace(
            mapping_of("a", qualifier="live"),
            filters=('{"body": ["ü"]}',),
            provisioned=ProvisionedPollers(2, 5),
            metrics=("EventCount",),
            tags={"k": "v"},
        )
        turned = msgspec.structs.replace(mapping, state=MappingState.ENABLED, qualifier=None)
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.event_source_mappings.save(mapping)
            assert await tx.event_source_mappings.get("a") == mapping
            assert await tx.event_source_mappings.find("arn:q", mapping.function_arn) == mapping
            await tx.event_source_mappings.save(turned)
        async with stores.functions.snapshot(SCOPE) as reading:
            assert await reading.event_source_mappings.get("a") == turned
            assert await reading.event_source_mappings.find("arn:q", mapping.function_arn) is None
            assert await reading.event_source_mappings.find("arn:q", turned.function_arn) == turned
            assert await reading.event_source_mappings.get("b") is None
        async with stores.functions.snapshot(OTHER_REGION) as reading:
            assert await reading.event_source_mappings.get("a") is None

    @with_stores
    async def test_a_source_and_a_function_have_one_mapping(self, stores: Stores) -> None:
        """A second one is refused, and another qualifier's is none."""
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.event_source_mappings.save(mapping_of("a"))
            await tx.event_source_mappings.save(mapping_of("b", qualifier="live"))
        with pytest.raises(Conflict):
            async with stores.functions.transaction(SCOPE) as tx:
                await tx.event_source_mappings.save(mapping_of("c"))

    @with_stores
    async def test_lists_go_by_uuid(self, stores: Stores) -> None:
        """In pages, of a source, of a function, of both."""
        async with stores.functions.transaction(SCOPE) as tx:
            for uuid, source, qualifier in (("c", "arn:q", None), ("a", "arn:q", "live"), ("b", "arn:r", None)):
                await tx.event_source_mappings.save(mapping_of(uuid, source, qualifier))
        async with stores.functions.snapshot(SCOPE) as reading:
            rows = reading.event_source_mappings
            plain = mapping_of("x").function_arn
            assert [one.uuid for one in await rows.list(limit=2)] == ["a", "b"]
            assert [one.uuid for one in await rows.list(after="b", limit=2)] == ["c"]
            assert [one.uuid for one in await rows.list(source_arn="arn:q", limit=9)] == ["a", "c"]
            assert [one.uuid for one in await rows.list(function_arn=plain, limit=9)] == ["b", "c"]
            assert [one.uuid for one in await rows.list(source_arn="arn:q", function_arn=plain, limit=9)] == ["c"]
        first = await stores.functions.mappings(after=None, limit=2)
        assert [one.uuid for one in first] == ["a", "b"]
        assert await stores.functions.mappings(after=first[-1], limit=2) == [MappingChange(SCOPE, "c")]

    @with_stores
    async def test_changes_are_told(self, stores: Stores) -> None:
        """After the commit, of each mapping; of a function nothing is told, and of what was rolled back nothing."""
        told: list[MappingChange] = []
        functions: list[object] = []
        stores.functions.on_mapping_change(told.append)
        stores.functions.on_change(functions.append)
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.event_source_mappings.save(mapping_of("a"))
            assert told == []
        async with stores.functions.transaction(SCOPE) as tx:
            assert await tx.event_source_mappings.delete("a")
            assert not await tx.event_source_mappings.delete("a")
        with pytest.raises(RuntimeError):
            async with stores.functions.transaction(SCOPE) as tx:
                await tx.event_source_mappings.save(mapping_of("b"))
                raise RuntimeError
        assert told == [MappingChange(SCOPE, "a")] * 2
        assert functions == []
