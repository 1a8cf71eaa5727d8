"""From an id to an API as it is deployed, and from a host to a custom domain: what is remembered, and for how long."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from lambent.dispatch.http_apis import ApiRouter
from lambent.domain.caller import Scope
from lambent.domain.http_api import (
    ApiCors,
    ApiDomain,
    Authorizer,
    DeployedApi,
    HttpApi,
    Integration,
    Part,
    Route,
    Stage,
)
from lambent.store.contract import ApiChange

SCOPE = Scope("000000000000", "us-east-1")


class CountingStore:
    """APIs and domains in memory; counts reads, and lets a test act between a read and its result."""

    def __init__(self, *apis: str) -> None:
        self.apis = {api_id: HttpApi(SCOPE, api_id, "name", 0.0) for api_id in apis}
        self.parts_of: dict[str, list[Part]] = {}
        self.domains: list[ApiDomain] = []
        self.reads = 0
        self.while_reading: Callable[[], None] = lambda: None
        self._tell: Callable[[ApiChange], None] = lambda change: None

    def on_api_change(self, callback: Callable[[ApiChange], None]) -> None:
        self._tell = callback

    def change(self, name: str) -> None:
        self._tell(ApiChange(name))

    async def http_api(self, api_id: str) -> HttpApi | None:
        self.reads += 1
        return self.apis.get(api_id)

    async def api_domains(self) -> list[ApiDomain]:
        self.reads += 1
        found = list(self.domains)
        self.while_reading()
        return found

    @asynccontextmanager
    async def snapshot(self, scope: Scope) -> AsyncIterator["CountingStore"]:
        assert scope == SCOPE
        yield self

    @property
    def http_apis(self) -> "CountingStore":
        return self

    async def parts(self, kind: type[Part], api_id: str) -> list[Part]:
        found = [part for part in self.parts_of.get(api_id, []) if isinstance(part, kind)]
        self.while_reading()
        return found

    async def part(self, kind: type[Part], api_id: str, part_id: str) -> Part | None:
        parts = self.parts_of.get(api_id, [])
        return next((part for part in parts if isinstance(part, kind) and part.part_id == part_id), None)


def router(store: CountingStore, cache_max: int = 10) -> ApiRouter:
    return ApiRouter(store, cache_max)  # type: ignore[arg-type]


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def test_what_a_stage_serves() -> None:
    """What its deployment froze, put together; a stage without one serves nothing."""

    async def story() -> None:
        store = CountingStore("a1")
        store.parts_of["a1"] = [
            Stage("$default", 0.0, 0.0, "d1"),
            Stage("new", 0.0, 0.0),
            Stage("lost", 0.0, 0.0, "d9"),
            DeployedApi(
                "d1",
                (
                    Route("r1", "GET /x", "integrations/i1"),
                    Route("r2", "GET /y", "integrations/gone", "CUSTOM", "z1"),
                    Route("r3", "$default", None, "JWT", "gone"),
                ),
                (Integration("i1", "HTTP_PROXY", "http://x"),),
                (Authorizer("z1", "z", "REQUEST"),),
                ApiCors(allow_origins=("*",)),
            ),
        ]
        served = await router(store).find("a1")
        assert served is not None
        stage = served.stages["$default"]
        one, two, rest = (stage.routes.match("GET", path) for path in ("/x", "/y", "/z"))
        assert one is not None
        assert two is not None
        assert rest is not None
        assert one.route.integration is not None
        assert (two.route.integration, two.route.authorizer) == (None, Authorizer("z1", "z", "REQUEST"))
        # Whoever asks sees that an authorizer was wanted.
        assert (rest.route.authorizer, rest.route.route.authorization_type) == (None, "JWT")
        assert stage.cors is not None
        for name in ("new", "lost"):
            assert served.stages[name].routes.match("GET", "/x") is None
        assert await router(store).find("a2") is None

    run(story())


def test_apis_are_remembered_until_they_change() -> None:
    """One read each, until a notice; the one that was used least recently leaves when there are too many."""

    async def story() -> None:
        store = CountingStore("a", "b", "c")
        routes = router(store, cache_max=2)
        for api_id in ("a", "b", "a", "b", "a"):
            assert await routes.find(api_id)
        assert store.reads == 2
        store.change("a")
        await routes.find("b")
        assert store.reads == 2
        await routes.find("a")
        assert store.reads == 3
        await routes.find("c")
        await routes.find("a")
        assert store.reads == 4
        await routes.find("b")
        assert store.reads == 5

    run(story())


def test_what_changes_while_it_is_read_is_not_kept() -> None:
    async def story() -> None:
        store = CountingStore("a")
        routes = router(store)
        store.while_reading = lambda: store.change("a")
        await routes.find("a")
        store.while_reading = lambda: None
        await routes.find("a")
        await routes.find("a")
        assert store.reads == 2

    run(story())


def test_domains() -> None:
    """All are known after one read; an exact name comes before a wildcard, which stands for one label."""

    async def story() -> None:
        store = CountingStore()
        store.domains = [ApiDomain(SCOPE, name, 0.0) for name in ("api.example.com", "*.example.com")]
        routes = router(store)
        assert not routes.is_current
        await routes.refresh()
        assert routes.is_current
        for host, name in (
            ("api.example.com", "api.example.com"),
            ("API.Example.com:4566", "api.example.com"),
            # As browsers and resolvers have names of the root.
            ("api.example.com.", "api.example.com"),
            ("x.example.com.:4566", "*.example.com"),
            ("x.example.com", "*.example.com"),
            ("example.com", None),
            ("x.y.example.com", None),
            ("localhost:4566", None),
            ("", None),
            ("*.example.com", "*.example.com"),
        ):
            found = routes.domain_of(host)
            assert (None if found is None else found.domain_name) == name, host
        # Of an API's change the domains learn nothing new.
        store.change("a1")
        assert routes.is_current
        store.domains.pop()
        store.change("*.example.com")
        assert not routes.is_current
        await routes.refresh()
        assert routes.domain_of("x.example.com") is None
        assert store.reads == 2

    run(story())


def test_domains_that_change_while_they_are_read_are_read_again() -> None:
    async def story() -> None:
        store = CountingStore()
        routes = router(store)
        store.while_reading = lambda: store.change("api.example.com")
        await routes.refresh()
        assert not routes.is_current
        store.while_reading = lambda: None
        await routes.refresh()
        assert routes.is_current

    run(story())
