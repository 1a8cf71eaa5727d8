"""What policies get to know of APIs: the tags of what a path begins with, in the caller's own account."""

import asyncio
from pathlib import Path

from lambent.access.authorize import Demand
from lambent.services.apigatewayv2.facts import ApiFacts
from lambent.testing.api import SCOPE, open_api

BASE = f"arn:aws:apigateway:{SCOPE.region}::"


def test_tags_are_those_of_the_api_the_stage_or_the_domain(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_api(tmp_path) as api:
            facts = ApiFacts(api._store)
            made = await api.call("CreateApi", "apigatewayv2", Name="a", ProtocolType="HTTP", Tags={"of": "api"})
            path = f"{BASE}/apis/{made['ApiId']}"
            await api.call(
                "CreateStage", "apigatewayv2", ApiId=made["ApiId"], StageName="$default", Tags={"of": "stage"}
            )

            async def of(resource: str, account: str = SCOPE.account) -> object:
                return (await facts.tags(Demand("apigateway:GET", resource, account))).get("of")

            assert await of(f"{path}/routes/r") == "api"
            assert await of(f"{path}/stages/$default") == "stage"
            assert await of(f"{BASE}/tags/{path.replace('/', '%2F').replace(':', '%3A')}") == "api"
            assert await of(path, "444455556666") is None
            for nothing in (
                f"{BASE}/apis",
                f"{BASE}/apis/gone",
                f"{BASE}/domainnames/gone",
                f"{path}/stages/gone",
                "*",
            ):
                assert await of(nothing) is None
            assert await facts.policy(Demand("apigateway:GET", path)) is None

    asyncio.run(story())
