"""A request to an HTTP API, as tests of what is done with one need it."""

from typing import Any

import msgspec

from lambent.domain.api_request import ApiRequest, query_pairs
from lambent.domain.caller import Scope
from lambent.domain.http_api import Route, Stage
from lambent.domain.http_event import HttpRequest

SCOPE = Scope("111122223333", "eu-west-1")
STAGE = Stage("prod", 0.0, 0.0, stage_variables={"v": "1"})
HTTP = HttpRequest(
    "GET",
    "/prod/items/7",
    "q=a&q=b&r=%20",
    "HTTP/1.1",
    {"host": "a1.execute-api.eu-west-1.localhost", "x": "y", "user-agent": 'say "hi"\\\n'},
    ["s=1", "t=2"],
    b"",
    "192.0.2.9",
)


def request_of(route_key: str = "GET /items/{id}", stage: Stage = STAGE, **changes: Any) -> ApiRequest:
    http = msgspec.structs.replace(HTTP, **changes)
    return ApiRequest(
        scope=SCOPE,
        api_id="a1",
        stage=stage,
        route=Route("r1", route_key),
        http=http,
        route_path="/items/7",
        sent_path="/items/7",
        parameters={"id": "7"},
        request_id="Kf2LcqRTjoEEPqw=",
        domain_name="a1.execute-api.eu-west-1.localhost",
        now=1_795_000_000.1239,
        query=query_pairs(http.query),
    )
