"""What policies may ask of APIs, stages and custom domains: their tags. None has a policy of its own."""

from collections.abc import Mapping
from urllib.parse import unquote

from lambent.access.authorize import Demand
from lambent.domain.http_api import Stage
from lambent.domain.policy import Policies
from lambent.store.contract import FunctionStore


class ApiFacts:
    """Implements `ResourceFacts` for API Gateway. An id or a domain's name is one of the whole server."""

    revision = 0
    """Nothing that a lasting verdict rests on."""

    def __init__(self, store: FunctionStore) -> None:
        self._store = store

    async def completed(self, demand: Demand) -> Demand:
        return demand

    async def policy(self, demand: Demand) -> Policies | None:
        return None

    async def tags(self, demand: Demand) -> Mapping[str, str]:
        """Return the tags of what a demand's path begins with: an API, or a stage of it, or a domain."""
        parts = [unquote(part) for part in demand.resource.partition("::/")[2].split("/")]
        if parts[0] == "tags" and len(parts) > 1:
            parts = parts[1].partition("::/")[2].split("/")
        if len(parts) < 2:
            return {}
        if parts[0] == "domainnames":
            domains = await self._store.api_domains()
            named = next((domain for domain in domains if domain.domain_name == parts[1]), None)
            return {} if named is None or named.scope.account != demand.account else named.tags
        api = await self._store.http_api(parts[1]) if parts[0] == "apis" else None
        if api is None or api.scope.account != demand.account:
            return {}
        if len(parts) < 4 or parts[2] != "stages":
            return api.tags
        async with self._store.snapshot(api.scope) as reading:
            stage = await reading.http_apis.part(Stage, api.api_id, parts[3])
        return {} if stage is None else stage.tags
