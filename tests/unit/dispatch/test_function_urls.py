"""From the id of a URL to the URL: what is remembered, and when it is forgotten."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from lambent.dispatch.function_urls import UrlRouter
from lambent.domain.caller import Scope
from lambent.domain.function import FunctionName
from lambent.domain.function_url import FunctionUrl
from lambent.domain.resource_policy import ResourcePolicy
from lambent.store.contract import FunctionChange

SCOPE = Scope("000000000000", "us-east-1")
OPEN = ResourcePolicy(({"Effect": "Allow", "Principal": "*", "Action": "lambda:*", "Resource": "*"},))


def url_of(name: str, url_id: str) -> FunctionUrl:
    return FunctionUrl(SCOPE, FunctionName(name), "", url_id, 0.0, 0.0)


class CountingStore:
    """URLs and policies in memory; counts reads, and lets a test act between a read and its result."""

    def __init__(self, *urls: FunctionUrl) -> None:
        self.urls = {url.url_id: url for url in urls}
        self.granted: dict[str, ResourcePolicy] = {}
        self.reads = 0
        self.while_reading: Callable[[], None] = lambda: None
        self._tell: Callable[[FunctionChange], None] = lambda change: None

    def on_change(self, callback: Callable[[FunctionChange], None]) -> None:
        self._tell = callback

    def change(self, name: str) -> None:
        self._tell(FunctionChange(SCOPE, FunctionName(name)))

    async def function_url(self, url_id: str) -> FunctionUrl | None:
        self.reads += 1
        return self.urls.get(url_id)

    @asynccontextmanager
    async def snapshot(self, scope: Scope) -> AsyncIterator["CountingStore"]:
        assert scope == SCOPE
        yield self

    @property
    def policies(self) -> "CountingStore":
        return self

    async def get(self, name: str, qualifier: str | None) -> ResourcePolicy | None:
        assert qualifier is None
        found = self.granted.get(name)
        self.while_reading()
        return found


def router(store: CountingStore, cache_max: int = 10) -> UrlRouter:
    return UrlRouter(store, cache_max)  # type: ignore[arg-type]


async def is_open(urls: UrlRouter, url_id: str) -> bool | None:
    route = await urls.find(url_id)
    return None if route is None else route.is_open


def test_a_warm_request_reads_nothing() -> None:
    """One read for as long as nothing of the function changes; then what is so now."""

    async def story() -> None:
        store = CountingStore(url_of("f", "a"), url_of("g", "b"))
        urls = router(store)
        assert [await is_open(urls, "a") for _ in range(3)] == [False] * 3
        assert store.reads == 1
        store.granted["f"] = OPEN
        store.change("g")
        assert await is_open(urls, "a") is False
        store.change("f")
        assert await is_open(urls, "a") is True
        del store.urls["a"]
        store.change("f")
        assert await is_open(urls, "a") is None
        assert await is_open(urls, "b") is False

    asyncio.run(story())


def test_an_unknown_id_is_not_remembered() -> None:
    """Whoever guesses takes no memory; a URL that is made answers at once."""

    async def story() -> None:
        store = CountingStore()
        urls = router(store)
        assert await is_open(urls, "a") is None
        store.urls["a"] = url_of("f", "a")
        assert await is_open(urls, "a") is False

    asyncio.run(story())


def test_what_changed_while_it_was_read_is_not_remembered() -> None:
    """A change between the reads may be about this very URL."""

    async def story() -> None:
        store = CountingStore(url_of("f", "a"))
        urls = router(store)
        store.while_reading = lambda: store.change("f")
        await urls.find("a")
        store.while_reading = lambda: None
        await urls.find("a")
        await urls.find("a")
        assert store.reads == 2

    asyncio.run(story())


def test_the_oldest_leaves() -> None:
    """Memory is bounded; what was asked for lately stays."""

    async def story() -> None:
        store = CountingStore(url_of("f", "a"), url_of("g", "b"), url_of("f", "c"))
        urls = router(store, cache_max=2)
        for url_id in ("a", "b", "a", "c"):
            await urls.find(url_id)
        assert store.reads == 3
        await urls.find("a")
        assert store.reads == 3
        await urls.find("b")
        assert store.reads == 4
        store.change("f")
        store.change("g")
        await urls.find("b")
        assert store.reads == 5

    asyncio.run(story())
