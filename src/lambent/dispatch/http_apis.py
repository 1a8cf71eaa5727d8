"""From a host and a path to the stage of an HTTP API that serves them, as it was deployed."""

from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from lambent.dispatch.recent import CACHE_MAX
from lambent.domain.access_log import AccessLogFormat
from lambent.domain.cors import Cors
from lambent.domain.http_api import (
    ApiDomain,
    Authorizer,
    DeployedApi,
    HttpApi,
    Integration,
    Route,
    Stage,
    name_of_host,
)
from lambent.domain.http_routes import RouteTable
from lambent.store.contract import ApiChange, FunctionStore


class ServedRoute(msgspec.Struct, frozen=True):
    """A route with what it leads to."""

    route: Route
    integration: Integration | None
    authorizer: Authorizer | None


class ServedStage(msgspec.Struct, frozen=True):
    """A stage, ready to answer."""

    stage: Stage
    routes: RouteTable[ServedRoute]
    cors: Cors | None
    log_format: AccessLogFormat | None


class ServedApi(msgspec.Struct, frozen=True):
    """An API with its stages, by name."""

    api: HttpApi
    stages: Mapping[str, ServedStage]


class ApiRouter:
    """
    Finds HTTP APIs by id, and custom domains by name. APIs that were asked for lately are remembered, and all domains
    are, so that a warm request never touches the store.

    Args:
        store: whose change notices keep it honest.
        cache_max: how many APIs are kept; the least recently used leaves.
    """

    def __init__(self, store: FunctionStore, cache_max: int = CACHE_MAX) -> None:
        self._store = store
        self._cache_max = cache_max
        self._cache: OrderedDict[str, ServedApi] = OrderedDict()
        self._generation = 0
        self._domains: dict[str, ApiDomain] = {}
        self._domains_as_of = -1
        store.on_api_change(self._forget)

    @property
    def is_current(self) -> bool:
        """Whether `domain_of` knows all domains; else `refresh` has to be awaited first."""
        return self._domains_as_of == self._generation

    async def refresh(self) -> None:
        """Read all domains, as they are now or later."""
        generation = self._generation
        domains = {domain.domain_name: domain for domain in await self._store.api_domains()}
        if generation >= self._domains_as_of:
            self._domains, self._domains_as_of = domains, generation

    def domain_of(self, host: str) -> ApiDomain | None:
        """
        Return the custom domain that a Host header names, which may have a port.

        Documented: API Gateway developer guide, wildcard custom domain names: an exact name comes first.
        """
        if not self._domains:
            return None
        name = name_of_host(host)
        return self._domains.get(name) or self._domains.get(f"*.{name.partition('.')[2]}")

    async def find(self, api_id: str) -> ServedApi | None:
        """Return the API of an id; None: there is none."""
        found = self._cache.get(api_id)
        if found is not None:
            self._cache.move_to_end(api_id)
            return found
        generation = self._generation
        api = await self._store.http_api(api_id)
        if api is None:
            return None
        async with self._store.snapshot(api.scope) as reading:
            deployed: dict[str, DeployedApi] = {}
            stages = await reading.http_apis.parts(Stage, api_id)
            for stage in stages:
                if stage.deployment_id is not None and stage.deployment_id not in deployed:
                    content = await reading.http_apis.part(DeployedApi, api_id, stage.deployment_id)
                    if content is not None:
                        deployed[stage.deployment_id] = content
        served = ServedApi(api, {stage.stage_name: _served(stage, deployed) for stage in stages})
        # A notice that came while we read may have been about this very API: do not keep what might be stale.
        if generation == self._generation:
            self._cache[api_id] = served
            if len(self._cache) > self._cache_max:
                self._cache.popitem(last=False)
        return served

    def _forget(self, change: ApiChange) -> None:
        self._generation += 1
        if change.name in self._cache:
            del self._cache[change.name]
        if "." not in change.name and self._domains_as_of == self._generation - 1:
            # An API's id: the domains are as they were.
            self._domains_as_of = self._generation


def _served(stage: Stage, deployed: Mapping[str, DeployedApi]) -> ServedStage:
    content = deployed.get(stage.deployment_id or "") or DeployedApi("")
    integrations = {integration.integration_id: integration for integration in content.integrations}
    authorizers = {authorizer.authorizer_id: authorizer for authorizer in content.authorizers}
    routes = {
        route.route_key: ServedRoute(
            route,
            integrations.get(route.integration_id or ""),
            authorizers.get(route.authorizer_id or "") if route.authorization_type != "NONE" else None,
        )
        for route in content.routes
    }
    settings = stage.access_log_settings
    return ServedStage(
        stage,
        RouteTable(routes),
        None if content.cors is None else content.cors.rules(),
        None if settings is None else AccessLogFormat(settings.format),
    )
