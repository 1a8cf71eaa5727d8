"""
Bad input to an HTTP API: some hundreds of requests that no client should send, the same ones in every run.

No request makes the server fail: what it refuses has a status below 500, what a function gets is an event, and
what is logged is one line of JSON.
"""

import http.client
import json
import random

import pytest
from wire.http_api_stage import ECHO, Api, arn_of, let_in
from wire.support import ACCOUNT, REGION, FunctionMaker
from wire.urls import connect

METHODS = [b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"HEAD", b"OPTIONS", b"PURGE", b"get", b"M-SEARCH"]

PARTS = [
    *[
        b"",
        b"/",
        b"//",
        b"/.",
        b"/..",
        b"/../..",
        b"/%2e%2e/",
        b"/%2F",
        b"/%00",
        b"/%0d%0aX:%20y",
        b"/%",
        b"/%zz",
        b"/%f",
    ],
    *[
        b"/\xff\xfe",
        b"/%ED%A0%80",
        b"/%C0%AF",
        b"/$default",
        b"/%24default",
        b"/prod",
        b"/prod/",
        b"/Prod",
        b"/v1",
        b"/v1/",
    ],
    *[
        b"/map/%25",
        b"/map/a%3Fb",
        b"/{p+}",
        b"/;a=b",
        b"/'\"<>",
        b"/" + b"a/" * 500,
        b"/" + b"%41" * 900,
        b"/*",
        b"/+%2B",
    ],
    *[b"/map/\\", b"/a:b@c", b"/map/%F0%9F%92%A5"],
]

QUERIES = [
    *[
        b"",
        b"?",
        b"?&",
        b"?=",
        b"?a",
        b"?a=&a=",
        b"?%",
        b"?%zz=%zz",
        b"?a=%00",
        b"?a=%ED%A0%80",
        b"?\xff=\xff",
        b"?a=b?c=d",
    ],
    *[
        b"?" + b"&" * 2000,
        b"?" + b"&".join(b"k%d=" % number for number in range(900)),
        b"?a[]=1&a[]=2",
        b"?a=1;b=2",
        b"?+=+",
    ],
    *[b"?x=" + b"y" * 9000],
]

HEADERS = [
    *[
        b"Cookie: ",
        b"Cookie: ;;=;",
        b"Cookie: a=\xff; b",
        b"Cookie: a=1\r\nCookie: b=2",
        b"Content-Type: ",
        b"Content-Type: /",
    ],
    *[
        b"Content-Type: text/plain; charset=utf-16",
        b"Content-Type: application/json",
        b"X-Amzn-Trace-Id: \xff",
        b"Origin: null",
    ],
    *[
        b"X-Amzn-Trace-Id: Root=" + b"a" * 500,
        b"X-Forwarded-For: \xff, 1",
        b"Forwarded: for=x",
        b"X: \t",
        b"X: a\tb",
        b"_: 1",
    ],
    *[
        b"Authorization: Bearer ",
        b"Authorization: AWS4-HMAC-SHA256 Credential=////",
        b"Authorization: \xff",
        b'User-Agent: "\\',
    ],
    *[
        b"Origin: https://a.example\r\nAccess-Control-Request-Method: GET",
        b"Origin: \xff",
        b"Expect: nothing",
        b"Te: trailers",
    ],
    *[
        b"X-Http-Method-Override: DELETE",
        b"Accept-Encoding: \xff",
        b"Connection: X-A",
        b"Upgrade: websocket",
        b"Range: bytes=0-",
    ],
]

BODIES = [b"", b"{", b"\x00", b"\xff\xfe", b"x" * 70_000, b"a=b&c=d", b'{"a": "\xff"}', b"[" * 50_000]

REQUESTS = 400


@pytest.fixture(scope="module")
def fuzzed(server, runtime, apis):
    """An API with something of everything that looks at a request."""
    client = server.client("lambda")
    name = FunctionMaker(client, runtime, "api")(ECHO, name="api-fuzzed", MemorySize=256)
    let_in(client, name)
    api = Api(apis, CorsConfiguration={"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"]})
    arn = arn_of(name)
    api.route("$default", api.function(arn))
    api.route("ANY /v1/{p+}", api.function(arn, PayloadFormatVersion="1.0"))
    mapping = {
        "overwrite:header.x-path": "$request.path",
        "append:querystring.q": "${request.path.x}-${request.querystring.a}-${request.body.a}",
        "overwrite:path": "/mapped/${request.path.x}",
    }
    api.route("ANY /map/{x}", api.function(arn, RequestParameters=mapping))
    api.apis.create_stage(ApiId=api.id, StageName="prod", AutoDeploy=True)
    fields = ("requestId", "status", "path", "routeKey", "identity.userAgent", "error.message", "httpMethod")
    settings = {
        "DestinationArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/apis/fuzzed",
        "Format": json.dumps({field: f"$context.{field}" for field in fields}),
    }
    for stage in ("$default", "prod"):
        apis.update_stage(ApiId=api.id, StageName=stage, AccessLogSettings=settings)
    yield api
    api.delete()
    client.delete_function(FunctionName=name)


def requests(host, seed):
    """Yield requests, each with its method; a seed decides everything."""
    dice = random.Random(seed)
    for _ in range(REQUESTS):
        method = dice.choice(METHODS)
        target = b"".join(dice.choice(PARTS) for _ in range(dice.choice([1, 1, 2, 3]))) + dice.choice(QUERIES)
        body = dice.choice(BODIES) if dice.random() < 0.4 else b""
        lines = [
            b"%s %s HTTP/1.1" % (method, target if target.startswith(b"/") else b"/" + target),
            b"Host: " + host.encode(),
            *dice.sample(HEADERS, dice.choice([0, 1, 2, 4])),
            *([b"Content-Length: %d" % len(body)] if body or dice.random() < 0.3 else []),
        ]
        yield method, b"\r\n".join(lines) + b"\r\n\r\n" + body


def test_whatever_comes(fuzzed, server, logs_client):
    """Each has an answer that is none of a failure, and is logged as one line; the server is as well as before."""
    host = fuzzed.endpoint.removeprefix("http://")
    seen = len(server.log)
    connection, statuses = None, {}
    for method, request in requests(host, 8):
        if connection is None:
            connection = connect(fuzzed.endpoint)
            connection.connect()
        connection.sock.sendall(request)
        response = http.client.HTTPResponse(connection.sock, method=method.decode())
        response.begin()
        body = response.read()
        statuses[response.status] = statuses.get(response.status, 0) + 1
        assert response.status < 500, (request[:500], response.status, body[:200])
        if response.status == 200 and method != b"HEAD" and body:
            event = json.loads(body)
            assert event["version"] in ("1.0", "2.0"), request[:500]
        if response.will_close:
            connection.close()
            connection = None
    if connection is not None:
        connection.close()
    assert statuses[200] > REQUESTS / 4, statuses
    assert {204, 400} <= statuses.keys(), statuses
    assert not [line for line in server.log[seen:] if "request.failed" in line or "Traceback" in line]
    assert fuzzed.event("/v1/x")["pathParameters"] == {"p": "x"}
    pages = logs_client.get_paginator("filter_log_events").paginate(logGroupName="/apis/fuzzed")
    lines = [json.loads(event["message"]) for page in pages for event in page["events"]]
    assert len(lines) > statuses[200] and {line["status"] for line in lines} >= {"200", "204"}
