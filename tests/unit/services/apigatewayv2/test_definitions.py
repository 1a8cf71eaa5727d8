"""Roles that a definition names are passed on by whoever imports it, however they are written there."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from lambent.access.authorize import Demand, Everything, ResourceFacts
from lambent.domain.caller import Caller
from lambent.domain.function_url import UrlDomain
from lambent.domain.principal import root_of
from lambent.errors.families import AccessDeniedException
from lambent.services import apigatewayv2
from lambent.testing.api import SCOPE, open_api

ROLE = f"arn:aws:iam::{SCOPE.account}:role/r"
CALLER = Caller(SCOPE, root_of(SCOPE.account), "signature", "id", "https://x")
FUNCTION = f"arn:aws:lambda:{SCOPE.region}:{SCOPE.account}:function:f"
DEFINITION = {
    "openapi": "3.0.1",
    "info": {"title": "a", "version": "1"},
    "paths": {
        "/x": {
            "get": {
                "x-amazon-apigateway-integration": {
                    "type": "AWS_PROXY",
                    "httpMethod": "POST",
                    "payloadFormatVersion": "2.0",
                    "uri": f"arn:aws:apigateway:{SCOPE.region}:lambda:path/2015-03-31/functions/{FUNCTION}/invocations",
                    "credentials": "arn:aws:iam::${AWS::AccountId}:role/r",
                }
            }
        }
    },
}


class Asked(Everything):
    """An authorizer that keeps what is demanded, and denies it."""

    is_on = True

    def __init__(self) -> None:
        self.demands: list[Demand] = []

    async def authorize(self, caller: Caller, demands: Sequence[Demand], facts: ResourceFacts | None = None) -> None:
        self.demands += demands
        raise AccessDeniedException("no")


@pytest.mark.parametrize("escaped", [False, True])
def test_roles_in_a_definition_need_leave(tmp_path: Path, escaped: bool) -> None:
    """Nothing is stored without it."""
    text = json.dumps(DEFINITION)
    if escaped:
        text = text.replace("arn:aws:iam", "arn\\u003aaws\\u003aiam")

    async def story() -> None:
        async with open_api(tmp_path) as api:
            asked = Asked()
            service = apigatewayv2.service(
                store=api._store,
                domain=UrlDomain("http", "localhost", ":4566"),
                forget_verdicts=lambda _api, _stage: None,
                clock=api.clock,
                authorizer=asked,
            )
            with pytest.raises(AccessDeniedException):
                await service.handlers["ImportApi"](CALLER, {"Body": text})
            (demand,) = asked.demands
            assert (demand.action, demand.resource) == ("iam:PassRole", ROLE)
            assert demand.context == {"iam:passedtoservice": "apigateway.amazonaws.com"}
            assert (await service.handlers["GetApis"](CALLER, {}))["Items"] == []

    asyncio.run(story())
