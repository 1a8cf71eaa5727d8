"""Rows about HTTP APIs: what a request costs, and whether it matters how many routes there are."""

import json
import statistics
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bench.load import build_request, invoke_request, run_load
from bench.processes import shown
from bench.table import Bound, Line
from bench.targets import EVENT, FUNCTIONS_PATH, Target, lambent, task_folder
from bench.yardsticks import interleave, start_floor

if TYPE_CHECKING:
    from bench.rows import Plan

_WARM_UP = 200
_ROUTES = 1_000
_FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:bench-api"


def measure_api(plan: "Plan") -> list[Line]:
    """GET a hello through an API, in turn with the floor relay; then through one of a thousand routes."""
    with (
        lambent(plan.runtime) as target,
        task_folder() as folder,
        start_floor(
            interpreter=plan.facts.interpreter,
            client=plan.facts.client,
            task_root=str(folder),
            handler="app.hello",
            runtimes=1,
        ) as floor,
    ):
        plan.say(f"  yardstick: {shown(floor.command)}")
        target.create(["bench-api"])
        grant = {"Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com", "StatementId": "api"}
        _post(target, f"{FUNCTIONS_PATH}/bench-api/policy", grant)
        one = [_get(_make_api(target, ["GET /items/{id}"]), "/items/7")]
        plan.say(f"  making an API of {_ROUTES} routes")
        keys = [f"GET /part{number // 50}/kind{number % 50}/{{id}}" for number in range(_ROUTES)]
        endpoint = _make_api(target, keys)
        many = [_get(endpoint, f"/part{number // 50}/kind{number % 50}/7") for number in range(0, _ROUTES, 7)]
        hello = [invoke_request(floor.url, "bench-hello", EVENT)]

        def latency(url: str, requests: list[bytes]) -> Callable[[], float]:
            run_load(url, requests, concurrency=1, count=_WARM_UP)
            return lambda: run_load(url, requests, concurrency=1, count=200).p50_s

        times = interleave(
            latency(target.url, many), latency(target.url, one), latency(floor.url, hello), rounds=plan.rounds
        )
    by_many, by_one, by_floor = (statistics.median(sample) for sample in times)
    return [
        Line.of_times("HTTP API, GET hello, p50", by_one, by_floor, "floor relay"),
        Line.of_times(f"HTTP API, one of {_ROUTES} routes, p50", by_many, by_one, "one route", required=Bound(1.2)),
    ]


def _make_api(target: Target, keys: list[str]) -> str:
    """Make an API with these routes to the function; return its endpoint."""
    api = _post(target, "/v2/apis", {"name": "bench", "protocolType": "HTTP"})
    path = f"/v2/apis/{api['apiId']}"
    integration = _post(
        target,
        f"{path}/integrations",
        {"integrationType": "AWS_PROXY", "integrationUri": _FUNCTION, "payloadFormatVersion": "2.0"},
    )
    goes = f"integrations/{integration['integrationId']}"
    for key in keys:
        _post(target, f"{path}/routes", {"routeKey": key, "target": goes})
    # Last, so that what answers is deployed once.
    _post(target, f"{path}/stages", {"stageName": "$default", "autoDeploy": True})
    return str(api["apiEndpoint"])


def _post(target: Target, path: str, body: Mapping[str, object]) -> dict[str, Any]:
    service = "apigateway" if path.startswith("/v2/") else "lambda"
    request = build_request(target.url, "POST", path, json.dumps(body).encode(), service)
    made: dict[str, Any] = json.loads(
        run_load(target.url, [request], concurrency=1, count=1, keep_answers=True).answers[0]
    )
    return made


def _get(url: str, path: str) -> bytes:
    """Return the bytes of a request as a browser would send it, without much of what it says of itself."""
    return f"GET {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n".encode()
