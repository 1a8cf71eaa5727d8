"""What every store must do with HTTP APIs and custom domains. A subclass needs a fixture `adapter`."""

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.http_api import (
    AccessLogSettings,
    ApiCors,
    ApiDomain,
    ApiMapping,
    Authorizer,
    DeployedApi,
    Deployment,
    HttpApi,
    Integration,
    JwtConfiguration,
    Part,
    Route,
    RouteSettings,
    Stage,
)
from lambent.store.contract import ApiChange
from lambent.testing.conformance.store import OTHER_REGION, SCOPE, is_refused, with_stores
from lambent.testing.stores import Stores


def api_of(api_id: str = "a1", scope: Scope = SCOPE) -> HttpApi:
    return HttpApi(scope, api_id, "an api", 1.5)


def domain_of(name: str = "api.example.com", scope: Scope = SCOPE) -> ApiDomain:
    return ApiDomain(scope, name, 1.5)


def route_of(route_id: str = "r1", key: str = "GET /") -> Route:
    return Route(route_id, key)


_PARTS: tuple[Part, ...] = (
    Route("r1", "GET /a/{b}", "integrations/i1", "JWT", "z1", ("read",), "op", True),
    Integration("i1", "AWS_PROXY", "arn:f", "POST", "2.0", request_parameters={"overwrite:path": "/x"}),
    Authorizer("z1", "who", "JWT", ("$request.header.A",), JwtConfiguration("https://i", ("x",))),
    Stage(
        "$default",
        1.5,
        2.5,
        "d1",
        True,
        stage_variables={"a": "b"},
        route_settings={"GET /": RouteSettings(1, 2.5)},
        access_log_settings=AccessLogSettings("arn:g", "$context.requestId"),
    ),
    Deployment("d1", 1.5, "first", True),
    DeployedApi("d1", (route_of(),), (), (), ApiCors(allow_origins=("*",))),
)


class HttpApiStoreConformance:
    """Promises of `HttpApiRows`, and of what finds an API or a domain whatever its scope."""

    @with_stores
    async def test_an_api_is_read_back(self, stores: Stores) -> None:
        """It comes back equal in every field, in its scope and by its id alone; saving again replaces it."""
        api = msgspec.structs.replace(
            api_of(), description="d", version="v", cors=ApiCors(True, ("x",), None, ("https://a",), None, 5)
        )
        changed = msgspec.structs.replace(api, name="other", cors=None, tags={"k": "v"})
        for saved in (api, changed):
            async with stores.functions.transaction(SCOPE) as tx:
                await tx.http_apis.save(saved)
                assert await tx.http_apis.get("a1") == saved
            assert await stores.functions.http_api("a1") == saved
        async with stores.functions.snapshot(OTHER_REGION) as tx:
            assert await tx.http_apis.get("a1") is None
            assert not await tx.http_apis.list()
        assert await stores.functions.http_api("A1") is None

    @with_stores
    async def test_ids_and_names_belong_to_one_scope(self, stores: Stores) -> None:
        """What another scope has is a conflict to save, and is not there to change or delete."""
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.http_apis.save(api_of())
            await tx.http_apis.save_domain(domain_of())

        async def save_api() -> None:
            async with stores.functions.transaction(OTHER_REGION) as tx:
                await tx.http_apis.save(api_of(scope=OTHER_REGION))

        async def save_domain() -> None:
            async with stores.functions.transaction(OTHER_REGION) as tx:
                await tx.http_apis.save_domain(domain_of(scope=OTHER_REGION))

        async def save_part() -> None:
            async with stores.functions.transaction(OTHER_REGION) as tx:
                await tx.http_apis.save_part("a1", route_of())

        for saving in (save_api(), save_domain(), save_part()):
            assert await is_refused(saving)
        async with stores.functions.transaction(OTHER_REGION) as tx:
            assert not await tx.http_apis.delete("a1")
            assert not await tx.http_apis.delete_domain("api.example.com")
            assert not await tx.http_apis.delete_part(Route, "a1", "r1")
        assert await stores.functions.http_api("a1") == api_of()
        assert await stores.functions.api_domains() == [domain_of()]

    @with_stores
    async def test_parts_are_read_back(self, stores: Stores) -> None:
        """Each kind comes back equal by its id and its key, and no kind is taken for another."""
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.http_apis.save(api_of())
            for part in _PARTS:
                await tx.http_apis.save_part("a1", part)
        async with stores.functions.transaction(SCOPE) as tx:
            for part in _PARTS:
                assert await tx.http_apis.part(type(part), "a1", part.part_id) == part
                assert await tx.http_apis.part_by_key(type(part), "a1", part.key) == part
                assert await tx.http_apis.parts(type(part), "a1") == [part]
                assert await tx.http_apis.part(type(part), "a2", part.part_id) is None
            assert await tx.http_apis.part(Integration, "a1", "r1") is None
            moved = Route("r1", "GET /other")
            await tx.http_apis.save_part("a1", moved)
            assert await tx.http_apis.part_by_key(Route, "a1", "GET /a/{b}") is None
            assert await tx.http_apis.part_by_key(Route, "a1", "GET /other") == moved
            assert await tx.http_apis.delete_part(Route, "a1", "r1")
            assert not await tx.http_apis.delete_part(Route, "a1", "r1")

    @with_stores
    async def test_parts_take_the_place_of_others(self, stores: Stores) -> None:
        """Of the kinds that are named, in this API alone; with nothing they are gone."""
        async with stores.functions.transaction(SCOPE) as tx:
            for api_id in ("a1", "a2"):
                await tx.http_apis.save(api_of(api_id))
                for part in _PARTS:
                    await tx.http_apis.save_part(api_id, part)
        new = [Route("r1", "GET /new"), Route("r2", "GET /a/{b}"), Integration("i2", "HTTP_PROXY", "https://a")]
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.http_apis.replace_parts("a1", (Route, Integration), new)
        async with stores.functions.transaction(SCOPE) as tx:
            assert [*await tx.http_apis.parts(Route, "a1"), *await tx.http_apis.parts(Integration, "a1")] == new
            assert await tx.http_apis.part_by_key(Route, "a1", "GET /new") == new[0]
            assert await tx.http_apis.parts(Authorizer, "a1") == [_PARTS[2]]
            assert await tx.http_apis.parts(Route, "a2") == [_PARTS[0]]
            await tx.http_apis.replace_parts("a1", (Route, Authorizer), ())
            assert [*await tx.http_apis.parts(Route, "a1"), *await tx.http_apis.parts(Authorizer, "a1")] == []

        async def replace(api_id: str, *parts: Part) -> None:
            async with stores.functions.transaction(SCOPE) as tx:
                await tx.http_apis.replace_parts(api_id, (Route,), parts)

        assert await is_refused(replace("a3"))
        assert await is_refused(replace("a2", route_of("r1"), route_of("r2")))
        async with stores.functions.snapshot(SCOPE) as tx:
            assert await tx.http_apis.parts(Route, "a2") == [_PARTS[0]]

    @with_stores
    async def test_a_key_is_there_once(self, stores: Stores) -> None:
        """Two routes of an API with one key are a conflict; those of two APIs are none. A part needs its API."""
        async with stores.functions.transaction(SCOPE) as tx:
            for api_id in ("a1", "a2"):
                await tx.http_apis.save(api_of(api_id))
                await tx.http_apis.save_part(api_id, route_of())

        async def save(api_id: str, route: Route) -> None:
            async with stores.functions.transaction(SCOPE) as tx:
                await tx.http_apis.save_part(api_id, route)

        assert await is_refused(save("a1", route_of("r2")))
        assert await is_refused(save("a3", route_of()))
        await save("a1", route_of("r2", "GET /2"))

    @with_stores
    async def test_lists_are_in_pages(self, stores: Stores) -> None:
        """By id, by name, in byte order."""
        async with stores.functions.transaction(SCOPE) as tx:
            for name in ("b", "a", "c"):
                await tx.http_apis.save(api_of(name))
                await tx.http_apis.save_domain(domain_of(name))
            for name in ("c", "a"):
                await tx.http_apis.save_part("a", Route(name, f"GET /{name}"))
        async with stores.functions.snapshot(SCOPE) as tx:
            assert [api.api_id for api in await tx.http_apis.list()] == ["a", "b", "c"]
            assert [api.api_id for api in await tx.http_apis.list(after="a", limit=1)] == ["b"]
            assert [domain.domain_name for domain in await tx.http_apis.domains(after="b")] == ["c"]
            assert [domain.domain_name for domain in await tx.http_apis.domains(limit=2)] == ["a", "b"]
            assert [route.route_id for route in await tx.http_apis.parts(Route, "a")] == ["a", "c"]
            assert [route.route_id for route in await tx.http_apis.parts(Route, "a", after="a", limit=5)] == ["c"]

    @with_stores
    async def test_parts_go_with_their_api(self, stores: Stores) -> None:
        """An API that is made again with the same id has none of them."""
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.http_apis.save(api_of())
            await tx.http_apis.save_part("a1", route_of())
            assert await tx.http_apis.delete("a1")
            assert not await tx.http_apis.delete("a1")
            await tx.http_apis.save(api_of())
            assert not await tx.http_apis.parts(Route, "a1")

    @with_stores
    async def test_a_domain_is_read_back(self, stores: Stores) -> None:
        """With its mappings and configurations; saving again replaces it, deleting removes it."""
        domain = msgspec.structs.replace(
            domain_of(),
            configurations=({"endpointType": "REGIONAL"},),
            mappings=(ApiMapping("m1", "a1", "$default"), ApiMapping("m2", "a1", "prod", "v1/x")),
        )
        for saved in (domain, domain_of()):
            async with stores.functions.transaction(SCOPE) as tx:
                await tx.http_apis.save_domain(saved)
                assert await tx.http_apis.domain(saved.domain_name) == saved
            assert await stores.functions.api_domains() == [saved]
        async with stores.functions.transaction(SCOPE) as tx:
            assert await tx.http_apis.delete_domain("api.example.com")
            assert not await tx.http_apis.delete_domain("api.example.com")
        assert not await stores.functions.api_domains()

    @with_stores
    async def test_writes_are_told(self, stores: Stores) -> None:
        """After a commit, once for each API and each domain; reading and what was rolled back tell nothing."""
        told: list[ApiChange] = []
        stores.functions.on_api_change(told.append)
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.http_apis.save(api_of())
            await tx.http_apis.save_part("a1", route_of())
            await tx.http_apis.save_domain(domain_of())
            assert not told
        assert told == [ApiChange("a1"), ApiChange("api.example.com")]
        async with stores.functions.snapshot(SCOPE) as tx:
            await tx.http_apis.parts(Route, "a1")
        assert len(told) == 2
        async with stores.functions.transaction(SCOPE) as tx:
            await tx.http_apis.delete_part(Route, "a1", "r1")
        assert told[2:] == [ApiChange("a1")]
