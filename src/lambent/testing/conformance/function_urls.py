"""What every store must do with function URLs. A subclass needs a fixture `adapter`, as the other suites do."""

import msgspec

from lambent.domain.cors import Cors
from lambent.domain.function import FunctionName
from lambent.domain.function_url import FunctionUrl
from lambent.store.contract import FunctionChange
from lambent.testing.conformance.aliases_layers_policies import F, G, alias_of
from lambent.testing.conformance.store import OTHER_REGION, SCOPE, create, is_refused, with_stores
from lambent.testing.stores import Stores


def url_of(qualifier: str = "", url_id: str = "id", name: FunctionName = F) -> FunctionUrl:
    return FunctionUrl(SCOPE, name, qualifier, url_id, 1.5, 2.5)


class FunctionUrlStoreConformance:
    """Promises of `FunctionUrlRows`, and of `function_url`, which finds one by its id."""

    @with_stores
    async def test_what_was_saved_is_read_back(self, stores: Stores) -> None:
        """A URL comes back equal in every field, by its function and by its id; saving again replaces it."""
        await create(stores, "f", "g")
        url = msgspec.structs.replace(
            url_of(), invoke_mode="RESPONSE_STREAM", cors=Cors(True, ("x",), ("GET",), ("https://a",), ("y",), 60)
        )
        changed = msgspec.structs.replace(url, cors=None, invoke_mode=None, last_modified=3.5)
        for saved in (url, changed):
            async with stores.functions.transaction(SCOPE) as tx:
                await tx.function_urls.save(saved)
                assert await tx.function_urls.get(F, "") == saved
            assert await stores.functions.function_url("id") == saved
        async with stores.functions.snapshot(SCOPE) as tx:
            for name, qualifier in ((F, "live"), (G, ""), (FunctionName("nobody"), "")):
                assert await tx.function_urls.get(name, qualifier) is None
        async with stores.functions.snapshot(OTHER_REGION) as tx:
            assert await tx.function_urls.get(F, "") is None
        for missing in ("", "ID", "i"):
            assert await stores.functions.function_url(missing) is None

    @with_stores
    async def test_a_url_needs_its_function_and_an_id_of_its_own(self, stores: Stores) -> None:
        """Else it is a conflict."""

        async def save(url: FunctionUrl) -> None:
            async with stores.functions.transaction(SCOPE) as tx:
                await tx.function_urls.save(url)

        assert await is_refused(save(url_of()))
        await create(stores, "f", "g")
        await save(url_of())
        assert await is_refused(save(url_of(name=G)))

    @with_stores
    async def test_urls_are_listed_by_qualifier(self, stores: Stores) -> None:
        """The function's own first, in pages; a write tells of the function."""
        await create(stores, "f")
        told: list[FunctionChange] = []
        stores.functions.on_change(told.append)
        async with stores.functions.transaction(SCOPE) as tx:
            for qualifier in ("b", "", "B"):
                await tx.function_urls.save(url_of(qualifier, f"id-{qualifier}"))
        assert told == [FunctionChange(SCOPE, F)]
        async with stores.functions.snapshot(SCOPE) as tx:

            async def names(after: str | None = None, limit: int = 100) -> list[str]:
                return [one.qualifier for one in await tx.function_urls.list(F, after=after, limit=limit)]

            assert await names() == ["", "B", "b"]
            assert await names(limit=1) == [""]
            assert await names(after="", limit=1) == ["B"]
            assert await names(after="b") == []

    @with_stores
    async def test_a_url_goes_with_what_it_is_of(self, stores: Stores) -> None:
        """Alone and with its function its id is unknown; with its alias the last one is known to be lost."""
        await create(stores, "f", "g")
        find = stores.functions.function_url
        async with stores.functions.transaction(SCOPE) as tx:
            for alias in ("a", "b", "c"):
                await tx.aliases.save(alias_of(alias))
                await tx.function_urls.save(url_of(alias, alias))
            await tx.function_urls.save(url_of("", "own"))
            await tx.function_urls.save(url_of("", "other", G))
        async with stores.functions.transaction(SCOPE) as tx:
            assert await tx.function_urls.delete(F, "a")
            assert not await tx.function_urls.delete(F, "a")
            await tx.aliases.delete(F, "b")
            await tx.aliases.delete(F, "c")
            assert [one.qualifier for one in await tx.function_urls.list(F)] == [""]
            for gone in ("a", "b", "c"):
                assert await tx.function_urls.get(F, gone) is None
                assert not await tx.function_urls.delete(F, gone)
        assert [await find(gone) for gone in ("a", "b")] == [None, None]
        assert await find("c") == msgspec.structs.replace(url_of("c", "c"), is_lost=True)
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.aliases.save(alias_of("c"))
            await tx.function_urls.save(url_of("c", "new"))
        assert await find("c") is None
        assert await find("new") == url_of("c", "new")
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.delete_function(F)
        assert [await find(gone) for gone in ("own", "new")] == [None, None]
        assert await find("other") == url_of("", "other", G)
