"""Requests to HTTP APIs with functions behind them, through a plain HTTP client and through bare sockets."""

import base64
import json
import re
import time
from urllib.parse import urlsplit

import pytest
from wire.http_api_stage import ANSWERS, ECHO, Api, arn_of, let_in
from wire.support import ACCOUNT, REGION, FunctionMaker, wait_for, wait_updated, zip_of
from wire.urls import ask, connect, raw

NOT_FOUND = (404, b'{"message":"Not Found"}')
INTERNAL = (500, b'{"message":"Internal Server Error"}')


@pytest.fixture(scope="module")
def names(server, runtime):
    """Functions that tests of this module share, by what they do: their names."""
    client = server.client("lambda")
    maker = FunctionMaker(client, runtime, "api")
    made = {
        kind: maker(source, name=f"api-{kind}", MemorySize=256, Timeout=30)
        for kind, source in (("echo", ECHO), ("answers", ANSWERS))
    }
    for name in made.values():
        let_in(client, name)
    yield made
    for name in made.values():
        client.delete_function(FunctionName=name)


@pytest.fixture
def api(apis):
    made = Api(apis)
    yield made
    made.delete()


@pytest.fixture(scope="module")
def echo(apis, names):
    """An API whose routes all lead to a function that answers with its event."""
    made = Api(apis, Target=arn_of(names["echo"]))
    yield made
    made.delete()


def said(reply):
    return reply.status, reply.body


def returning(api, value, target="/", method="GET", headers=()):
    text = base64.b64encode(json.dumps(value).encode()).decode()
    return api.ask(target, method, headers=[("x-return", text), *headers])


# Events --------------------------------------------------------------------------------------------------------------


def test_payload_2(api, names):
    """Every member of the format, as AWS has them; the answer bears the request's id."""
    api.stage(StageVariables={"v": "x"})
    api.route("POST /items/{id}", api.function(arn_of(names["echo"])))
    reply = api.ask(
        "/items/7?q=a&q=%20b",
        "POST",
        b'{"a":1}',
        [
            ("Content-Type", "application/json"),
            ("User-Agent", "test/1"),
            ("Cookie", "s=1; t=2"),
            ("X-Two", "a"),
            ("X-Two", "b"),
            ("X-Forwarded-For", "192.0.2.1"),
        ],
    )
    event, host = reply.json, urlsplit(api.endpoint)
    context = event.pop("requestContext")
    assert reply.one("apigw-requestid") == context["requestId"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{15}=", context["requestId"])
    trace = event["headers"].pop("x-amzn-trace-id")
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", trace)
    assert event == {
        "version": "2.0",
        "routeKey": "POST /items/{id}",
        "rawPath": "/items/7",
        "rawQueryString": "q=a&q=%20b",
        "cookies": ["s=1", "t=2"],
        "headers": {
            "content-length": "7",
            "content-type": "application/json",
            "host": host.netloc,
            "user-agent": "test/1",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-port": str(host.port),
            "x-forwarded-proto": "http",
            "x-two": "a,b",
        },
        "queryStringParameters": {"q": "a, b"},
        "pathParameters": {"id": "7"},
        "stageVariables": {"v": "x"},
        "body": '{"a":1}',
        "isBase64Encoded": False,
    }
    assert abs(context.pop("timeEpoch") - time.time() * 1000) < 60_000
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000", context.pop("time"))
    del context["requestId"]
    assert context == {
        "accountId": ACCOUNT,
        "apiId": api.id,
        "domainName": host.hostname,
        "domainPrefix": api.id,
        "http": {
            "method": "POST",
            "path": "/items/7",
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": "test/1",
        },
        "routeKey": "POST /items/{id}",
        "stage": "$default",
    }


def test_payload_1(api, names):
    """Every member of the format, null where there is nothing."""
    api.route("ANY /items/{id+}", api.function(arn_of(names["echo"]), PayloadFormatVersion="1.0"))
    target = "/items/7/8?q=a&q=b"
    event = api.event(
        target, "PUT", b"\xff", [("Content-Type", "image/png"), ("x", "1"), ("x", "2"), ("Cookie", "s=1")]
    )
    context = event.pop("requestContext")
    headers = event.pop("headers")
    assert (headers["x"], headers["cookie"], event.pop("multiValueHeaders")["x"]) == ("2", "s=1", ["1", "2"])
    assert event == {
        "version": "1.0",
        "resource": "/items/{id+}",
        "path": "/items/7/8",
        "httpMethod": "PUT",
        "queryStringParameters": {"q": "b"},
        "multiValueQueryStringParameters": {"q": ["a", "b"]},
        "pathParameters": {"id": "7/8"},
        "stageVariables": None,
        "body": base64.b64encode(b"\xff").decode(),
        "isBase64Encoded": True,
    }
    assert (context["resourcePath"], context["path"], context["resourceId"]) == ("/items/{id+}", "/items/7/8", None)
    assert context["extendedRequestId"] == context["requestId"]
    assert context["authorizer"] == {"claims": None, "scopes": None}
    assert context["identity"]["sourceIp"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a%20b/%C3%BC", "/a b/ü"),
        ("/a%2Fb", "/a/b"),
        ("/a//b/", "/a//b/"),
        ("/a%3Fb?c=d", "/a"),
        ("/%ff", "/\ufffd"),
        ("/+%2B", "/++"),
    ],
)
def test_paths_are_decoded(echo, target, path):
    """Unlike those of function URLs, once, and up to a question mark that was encoded; the query stays as it is."""
    event = echo.event(target)
    assert (event["rawPath"], event["requestContext"]["http"]["path"]) == (path, path)


@pytest.mark.parametrize(
    ("target", "path", "parameter"),
    [
        ("/a%20b/%C3%BC", "/a%20b/%C3%BC", "a b/ü"),
        ("/a%2Fb/", "/a%2Fb/", "a/b/"),
        ("/prod/a%20b?c=%20", "/a%20b", "a b"),
        ("/%70rod%2Fa%2Bb", "/a%2Bb", "a+b"),
        ("/prod/x%2Fy/z", "/x%2Fy/z", "x/y/z"),
    ],
)
def test_the_path_of_payload_1_is_as_it_was_sent(api, names, target, path, parameter):
    """Unlike path parameters, and without the stage."""
    api.route("ANY /{p+}", api.function(arn_of(names["echo"]), PayloadFormatVersion="1.0"))
    api.apis.create_stage(ApiId=api.id, StageName="prod", AutoDeploy=True)
    event = api.event(target)
    assert (event["path"], event["pathParameters"]) == (path, {"p": parameter})


def test_a_route_cannot_be_gone_round(api, names):
    """What a function sees as a path is what was matched: another spelling of it takes the same route."""
    api.route("GET /admin/{x}", api.function(arn_of(names["answers"])))
    api.route("ANY /{p+}", api.function(arn_of(names["echo"])))
    for target in ("/admin/1", "/%61dmin/1", "/admin%2F1"):
        assert returning(api, {"statusCode": 418}, target).status == 418, target


# Which API, stage and route ------------------------------------------------------------------------------------------


def test_stages(api, names):
    """A stage named in the path is selected, and stays in what functions see; else `$default` answers, if there."""
    apis = api.apis
    api.route("GET /x", api.function(arn_of(names["echo"])))
    apis.create_stage(ApiId=api.id, StageName="prod", AutoDeploy=True, StageVariables={"s": "prod"})
    assert api.event("/x")["rawPath"] == "/x"
    event = api.event("/prod/x")
    assert (event["rawPath"], event["requestContext"]["stage"], event["stageVariables"]) == (
        "/prod/x",
        "prod",
        {"s": "prod"},
    )
    assert said(api.ask("/$default/x")) == NOT_FOUND
    apis.delete_stage(ApiId=api.id, StageName="$default")
    assert said(api.ask("/x")) == NOT_FOUND
    assert api.event("/prod/x")["rawPath"] == "/prod/x"


def test_by_path(api, names):
    """Without a name that resolves: the API's id and the stage are in the path. Pages have no rights there."""
    api.route("GET /x", api.function(arn_of(names["echo"])))
    connection = connect(api.endpoint)
    connection.request("GET", f"/_lambent/api/{api.id}/$default/x?a=b")
    response = connection.getresponse()
    event = json.load(response)
    connection.close()
    assert (event["rawPath"], event["rawQueryString"]) == ("/x", "a=b")
    assert event["requestContext"]["domainName"] == urlsplit(api.endpoint).hostname
    assert response.headers["content-security-policy"].startswith("sandbox")
    assert not api.ask("/x").all("content-security-policy")


@pytest.mark.parametrize(
    "host",
    [
        "nobody1234.execute-api.us-east-1.localhost",
        "{id}.execute-api.eu-west-1.localhost",
        "{id}.execute-api.us-east-1.",
        "{id}.execute-api.us-east-1.localhost:x",
    ],
)
def test_hosts_that_nobody_has(echo, host):
    """Another id, another region, and what is no host: 404, and nothing runs."""
    request = f"GET / HTTP/1.1\r\nHost: {host.format(id=echo.id)}\r\nConnection: close\r\n\r\n"
    answer = raw(echo.endpoint, request.encode())
    assert answer.startswith(b"HTTP/1.1 404") and answer.endswith(NOT_FOUND[1])


def test_aws_own_host(echo):
    """The host that AWS would give leads here, too, for clients that connect to an address."""
    host = f"{echo.id}.execute-api.{REGION}.amazonaws.com"
    answer = raw(echo.endpoint, f"GET /x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 200")


def test_no_route(api, names):
    """404 for a path and for a method that no route takes; never 405."""
    api.route("GET /x", api.function(arn_of(names["echo"])))
    for target, method in (("/y", "GET"), ("/x", "POST"), ("/x/", "GET"), ("/", "GET"), ("/x", "HEAD")):
        reply = api.ask(target, method)
        assert reply.status == 404, (target, method)
        assert len(reply.all("apigw-requestid")) == 1


def test_a_deployment_is_what_answers(apis, names):
    """Without auto deploy a change is not seen until it is deployed."""
    made = Api(apis)
    apis.delete_stage(ApiId=made.id, StageName="$default")
    apis.create_stage(ApiId=made.id, StageName="$default")
    made.route("GET /x", made.function(arn_of(names["echo"])))
    assert said(made.ask("/x")) == NOT_FOUND
    first = apis.create_deployment(ApiId=made.id, StageName="$default")["DeploymentId"]
    assert made.ask("/x").status == 200
    made.route("GET /y", made.function(arn_of(names["echo"])))
    assert said(made.ask("/y")) == NOT_FOUND
    apis.create_deployment(ApiId=made.id, StageName="$default")
    assert made.ask("/y").status == 200
    apis.update_stage(ApiId=made.id, StageName="$default", DeploymentId=first)
    assert (made.ask("/x").status, made.ask("/y").status) == (200, 404)
    made.delete()
    assert said(made.ask("/x")) == NOT_FOUND


def test_ag02_alias_uri(api, make_function, lambda_client):
    """AG-02-v2-alias-uri: every form of an integration's URI invokes the function, version or alias that it names."""
    name = make_function(ECHO)
    version = lambda_client.publish_version(FunctionName=name)["Version"]
    lambda_client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    for qualifier in ({}, {"Qualifier": "live"}):
        let_in(lambda_client, name, **qualifier)
    arn = arn_of(name)
    wrapped = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/%s/invocations"
    api.stage(StageVariables={"alias": "live", "name": name})
    for number, (uri, expected) in enumerate(
        [
            (arn, ["$LATEST", arn]),
            (f"{arn}:live", [version, f"{arn}:live"]),
            (wrapped % arn, ["$LATEST", arn]),
            (wrapped % f"{arn}:live", [version, f"{arn}:live"]),
            (wrapped % f"{arn}:${{stageVariables.alias}}", [version, f"{arn}:live"]),
            (arn_of("${stageVariables.name}"), ["$LATEST", arn]),
        ]
    ):
        api.route(f"GET /{number}", api.function(uri))
        reply = api.ask(f"/{number}")
        assert json.loads(reply.one("x-seen")) == expected, uri
        assert reply.json["rawPath"] == f"/{number}"
    api.route("GET /latest", api.function(f"{arn}:$LATEST"))
    # Its policy has nothing for that qualifier.
    assert said(api.ask("/latest")) == INTERNAL


def test_a_function_decides_who_may_call_it(api, make_function, lambda_client):
    """Without a statement for the route's ARN the answer is 500, and the function does not run."""
    name = make_function(ECHO)
    api.route("GET /a/{b}", api.function(arn_of(name)))
    api.route("GET /c", api.function(arn_of(name)))
    assert said(api.ask("/a/1")) == INTERNAL
    lambda_client.add_permission(
        FunctionName=name,
        StatementId="a",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api.id}/*/GET/a/{{b}}",
    )
    assert api.ask("/a/1").status == 200
    assert said(api.ask("/c")) == INTERNAL
    lambda_client.remove_permission(FunctionName=name, StatementId="a")
    assert said(api.ask("/a/1")) == INTERNAL


def test_what_cannot_be_invoked(api):
    """A function that is not there, and a route without an integration: 500."""
    api.route("GET /gone", api.function(arn_of("nobody")))
    api.apis.create_route(ApiId=api.id, RouteKey="GET /nothing")
    for target in ("/gone", "/nothing"):
        assert said(api.ask(target, "GET", b"body that is read away")) == INTERNAL


# Answers -------------------------------------------------------------------------------------------------------------


def test_answers(api, names):
    """Status, headers, cookies and bytes; what has no statusCode is a body of its own."""
    api.route("$default", api.function(arn_of(names["answers"])))
    reply = returning(
        api,
        {
            "statusCode": 201,
            "headers": {"X-A": "b", "Content-Type": "image/png"},
            "cookies": ["a=1; Secure", "b=2"],
            "body": base64.b64encode(b"\x00\xff").decode(),
            "isBase64Encoded": True,
        },
    )
    assert (reply.status, reply.body, reply.one("x-a"), reply.one("content-type")) == (
        201,
        b"\x00\xff",
        "b",
        "image/png",
    )
    assert reply.all("set-cookie") == ["a=1; Secure", "b=2"]
    forged = returning(api, {"statusCode": 200, "headers": {"Apigw-Requestid": "mine"}}, "/x")
    assert forged.one("x-amzn-remapped-apigw-requestid") == "mine" != forged.one("apigw-requestid")
    reply = returning(api, {"a": [1]})
    assert (reply.status, reply.body, reply.one("content-type")) == (200, b'{"a":[1]}', "application/json")
    assert returning(api, {"statusCode": 200, "body": "{}"}).one("content-type") == "text/plain; charset=utf-8"
    reply = returning(api, {"statusCode": 200, "headers": {"Connection": "close", "Content-Length": "9", "Date": "x"}})
    assert (reply.one("x-amzn-remapped-connection"), reply.one("x-amzn-remapped-content-length")) == ("close", "9")
    assert (reply.one("x-amzn-remapped-date"), reply.one("content-length")) == ("x", "0")


@pytest.mark.parametrize(
    "value",
    [
        {"statusCode": "none"},
        {"statusCode": 99},
        {"statusCode": 200, "headers": {"a": "b\r\nc: d"}},
        {"statusCode": 200, "headers": {"a b": "c"}},
        {"statusCode": 200, "body": "%", "isBase64Encoded": True},
    ],
)
def test_answers_that_are_none(api, names, value):
    """500, as for a function that fails; the connection goes on."""
    api.route("$default", api.function(arn_of(names["answers"])))
    assert said(returning(api, value)) == INTERNAL


def test_failures(api, names):
    """What failed is not told; a function that takes longer than the integration gets 503 and goes on."""
    api.route("GET /", api.function(arn_of(names["answers"])))
    api.route("GET /soon", api.function(arn_of(names["answers"]), TimeoutInMillis=200))
    assert said(api.ask("/", headers=[("raise", "1")])) == INTERNAL
    began = time.monotonic()
    reply = returning(api, {"statusCode": 200}, "/soon", headers=[("sleep", "9")])
    assert said(reply) == (503, b'{"message":"Service Unavailable"}')
    assert time.monotonic() - began < 9
    # Not within so short a time: the environment is busy still, and another one has to start.
    assert returning(api, {"statusCode": 204}).status == 204


def test_format_1_infers_nothing(api, names):
    """statusCode has to be there; a name may have several values."""
    api.route("$default", api.function(arn_of(names["answers"]), PayloadFormatVersion="1.0"))
    assert said(returning(api, {"a": 1})) == INTERNAL
    assert said(returning(api, "text")) == INTERNAL
    reply = returning(api, {"statusCode": 200, "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}, "body": "x"})
    assert (reply.all("set-cookie"), reply.body) == (["a=1", "b=2"], b"x")


def test_a_function_at_its_limit(api, make_function, lambda_client):
    """503, and the function does not run."""
    name = make_function(ECHO)
    let_in(lambda_client, name)
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    api.route("$default", api.function(arn_of(name)))
    assert said(api.ask()) == (503, b'{"message":"Service Unavailable"}')


# Limits --------------------------------------------------------------------------------------------------------------


def test_requests_that_are_too_large(echo):
    """A body beyond 10 MB, an event beyond 6 MB, a head beyond 10 KiB: each has its answer, and nothing runs."""
    too_large = (413, b'{"message":"Request Entity Too Large"}')
    assert said(echo.ask("/", "POST", bytes(10 * 1024 * 1024 + 1))) == too_large
    assert said(echo.ask("/", "POST", bytes(5 * 1024 * 1024))) == too_large
    assert echo.ask("/", "POST", b"x" * 2 * 1024 * 1024, [("Content-Type", "text/plain")]).status == 200
    for target, headers in (("/", [("x", "y" * 10_241)]), (f"/{'x' * 10_240}", [])):
        reply = echo.ask(target, headers=headers)
        assert said(reply) == (431, b'{"message":"Request Header Fields Too Large"}')


def test_two_hosts(echo):
    """Refused, and the connection closed: whoever stands before us may have read another one."""
    answer = raw(
        echo.endpoint, b"GET / HTTP/1.1\r\nHost: {host}\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: {host}\r\n\r\n"
    )
    assert answer.count(b"HTTP/1.1 400") == 1 and answer.count(b"HTTP/1.1") == 1


def test_throttling(api, names):
    """A route's own burst, and the stage's for the others; each route is counted by itself."""
    integration = api.function(arn_of(names["echo"]))
    for key in ("GET /a", "GET /b", "GET /c"):
        api.route(key, integration)
    # So slow a rate that no token comes back while the test runs.
    api.stage(
        DefaultRouteSettings={"ThrottlingBurstLimit": 2, "ThrottlingRateLimit": 0.001},
        RouteSettings={"GET /a": {"ThrottlingBurstLimit": 1, "ThrottlingRateLimit": 0.001}},
    )
    assert [api.ask("/a").status for _ in range(3)] == [200, 429, 429]
    assert [api.ask("/b").status for _ in range(3)] == [200, 200, 429]
    reply = api.ask("/b")
    assert said(reply) == (429, b'{"message":"Too Many Requests"}')
    assert api.ask("/c").status == 200
    api.stage(DefaultRouteSettings={"ThrottlingBurstLimit": 1000, "ThrottlingRateLimit": 1000})
    assert api.ask("/b").status == 200


# CORS, mapping, logs -------------------------------------------------------------------------------------------------

ORIGIN = ("Origin", "https://page.example")
PREFLIGHT = [ORIGIN, ("Access-Control-Request-Method", "PUT")]


def test_cors(apis, names):
    """The API answers preflights by itself, and says what is allowed; what the function says of it is dropped."""
    api = Api(
        apis,
        CorsConfiguration={
            "AllowOrigins": ["https://page.example"],
            "AllowMethods": ["GET", "PUT"],
            "AllowHeaders": ["x-a"],
            "ExposeHeaders": ["x-b"],
            "AllowCredentials": True,
            "MaxAge": 60,
        },
    )
    api.route("GET /x", api.function(arn_of(names["answers"])))
    own = {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*", "x-b": "1"}}
    for target in ("/x", "/no/route"):
        reply = api.ask(target, "OPTIONS", headers=PREFLIGHT)
        assert (reply.status, reply.body) == (204, b"")
        assert {name: reply.one(name) for name in ("access-control-allow-origin", "access-control-allow-methods")} == {
            "access-control-allow-origin": "https://page.example",
            "access-control-allow-methods": "GET,PUT",
        }
        assert (reply.one("access-control-allow-headers"), reply.one("access-control-max-age")) == ("x-a", "60")
        assert reply.one("access-control-allow-credentials") == "true"
    reply = returning(api, own, "/x", headers=[ORIGIN])
    assert reply.all("access-control-allow-origin") == ["https://page.example"]
    assert reply.one("access-control-expose-headers") == "x-b"
    for origin in ("https://evil.example", "https://page.example.evil", "null"):
        assert not returning(api, own, "/x", headers=[("Origin", origin)]).all("access-control-allow-origin")
        assert not api.ask("/x", "OPTIONS", headers=[("Origin", origin), PREFLIGHT[1]]).all(
            "access-control-allow-origin"
        )
    assert not returning(api, own, "/x").all("access-control-allow-origin")
    # Errors of the gateway are to be readable, too.
    assert api.ask("/nowhere", headers=[ORIGIN]).one("access-control-allow-origin") == "https://page.example"
    assert said(api.ask("/x", "OPTIONS")) == NOT_FOUND
    apis.delete_cors_configuration(ApiId=api.id)
    assert returning(api, own, "/x", headers=[ORIGIN]).all("access-control-allow-origin") == ["*"]
    assert api.ask("/x", "OPTIONS", headers=PREFLIGHT).status == 404
    api.delete()


def test_mapping(api, names):
    """What an integration changes of the request, and of the response by its status."""
    integration = api.function(
        arn_of(names["echo"]),
        RequestParameters={
            "append:header.x-a": "$context.requestId",
            "overwrite:querystring.q": "${request.path.id}-${stageVariables.v}",
            "overwrite:path": "/other/$request.path.id",
            "remove:header.x-gone": "''",
        },
        ResponseParameters={
            "200": {"overwrite:statuscode": "202", "append:header.x-b": "$response.header.content-type"},
        },
    )
    api.stage(StageVariables={"v": "1"})
    api.route("GET /{id}", integration)
    reply = api.ask("/7?q=a&r=b", headers=[("x-a", "1"), ("x-gone", "1")])
    assert (reply.status, reply.one("x-b")) == (202, "application/json")
    event = reply.json
    assert event["headers"]["x-a"] == f"1,{event['requestContext']['requestId']}"
    assert "x-gone" not in event["headers"]
    assert event["queryStringParameters"] == {"r": "b", "q": "7-1"}


def test_access_logs(api, names, logs_client, unique_name):
    """A line for each request, also for what was refused, in the stage's log group."""
    group = f"/apis/{unique_name}"
    api.route("GET /items/{id}", api.function(arn_of(names["echo"])))
    fields = {
        "id": "$context.requestId", "route": "$context.routeKey", "status": "$context.status",
        "path": "$context.path", "agent": "$context.identity.userAgent", "integration": "$context.integrationStatus",
        "length": "$context.responseLength", "error": "$context.error.message",
    }  # fmt: skip
    api.stage(
        AccessLogSettings={
            "DestinationArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}",
            "Format": json.dumps(fields),
        }
    )
    first = api.ask("/items/7", headers=[("User-Agent", 'say "hi"\\')])
    second = api.ask("/nowhere")

    def written():
        found = logs_client.filter_log_events(logGroupName=group)["events"]
        return len(found) >= 2 and [json.loads(event["message"]) for event in found]

    # The client may have its answer first.
    assert wait_for(written) == [
        {
            "id": first.one("apigw-requestid"), "route": "GET /items/{id}", "status": "200", "path": "/items/7",
            "agent": 'say "hi"\\', "integration": "200", "length": first.one("content-length"), "error": "-",
        },
        {
            "id": second.one("apigw-requestid"), "route": "-", "status": "404", "path": "/nowhere", "agent": "-",
            "integration": "-", "length": second.one("content-length"), "error": "Not Found",
        },
    ]  # fmt: skip


# Custom domains ------------------------------------------------------------------------------------------------------


@pytest.fixture
def domain(apis, unique_name):
    """A custom domain's name."""
    name = f"{unique_name[-40:].strip('-').lower()}.example.com"
    configuration = {"CertificateArn": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/1", "EndpointType": "REGIONAL"}
    apis.create_domain_name(DomainName=name, DomainNameConfigurations=[configuration])
    yield name
    apis.delete_domain_name(DomainName=name)


def test_custom_domains(api, names, domain):
    """The longest key that the path is below picks API and stage; of it payload 1.0 alone tells functions."""
    apis = api.apis
    api.route("GET /x", api.function(arn_of(names["echo"])))
    apis.create_stage(ApiId=api.id, StageName="prod", AutoDeploy=True)
    at = f"http://{domain}:{urlsplit(api.endpoint).port}"
    assert said(ask(at, target="/x")) == (403, b'{"message":"Forbidden"}')
    apis.create_api_mapping(DomainName=domain, ApiId=api.id, Stage="prod", ApiMappingKey="v1")
    apis.create_api_mapping(DomainName=domain, ApiId=api.id, Stage="$default", ApiMappingKey="v1/new")
    event = ask(at, target="/v1/x").json
    assert (event["rawPath"], event["requestContext"]["stage"], event["requestContext"]["domainName"]) == (
        "/prod/x",
        "prod",
        domain,
    )
    assert event["requestContext"]["http"]["path"] == "/prod/x"
    event = ask(at, target="/v1/new/x").json
    assert (event["rawPath"], event["requestContext"]["stage"]) == ("/x", "$default")
    api.route("GET /1/{y}", api.function(arn_of(names["echo"]), PayloadFormatVersion="1.0"))
    event = ask(at, target="/v1/1/a%20b").json
    assert (event["path"], event["requestContext"]["path"]) == ("/v1/1/a%20b", "/v1/1/a%20b")
    assert event["pathParameters"] == {"y": "a b"}
    assert said(ask(at, target="/v1")) == NOT_FOUND
    for target in ("/x", "/v10/x", "/V1/x", "/"):
        assert ask(at, target=target).status == 403, target
    mapping = apis.create_api_mapping(DomainName=domain, ApiId=api.id, Stage="$default")["ApiMappingId"]
    assert ask(at, target="/x").json["rawPath"] == "/x"
    # By a custom domain no stage is looked for in the path.
    assert said(ask(at, target="/prod/x")) == NOT_FOUND
    api.apis.update_api(ApiId=api.id, DisableExecuteApiEndpoint=True)
    assert said(api.ask("/x")) == NOT_FOUND
    assert ask(at, target="/x").status == 200
    for found in apis.get_api_mappings(DomainName=domain)["Items"]:
        apis.delete_api_mapping(DomainName=domain, ApiMappingId=found["ApiMappingId"])
    assert mapping and ask(at, target="/x").status == 403


def test_a_custom_domain_takes_no_call_of_a_service(api, names, domain, server):
    """Nobody proves that a name is theirs: what is signed for a service goes there, whatever the name."""
    api.route("$default", api.function(arn_of(names["echo"])))
    api.apis.create_api_mapping(DomainName=domain, ApiId=api.id, Stage="$default")
    at = f"http://{domain}:{server.port}"
    assert ask(at).json["rawPath"] == "/"

    def signed_for(service):
        scope = f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/20261130/us-east-1/{service}/aws4_request, Signature=0"
        return ask(at, target="/2015-03-31/functions/", headers=[("Authorization", scope)]).json

    assert "Functions" in signed_for("lambda")
    assert signed_for("execute-api")["rawPath"] == "/2015-03-31/functions/"
    for found in api.apis.get_api_mappings(DomainName=domain)["Items"]:
        api.apis.delete_api_mapping(DomainName=domain, ApiMappingId=found["ApiMappingId"])


def test_wildcard_domains(api, names, apis):
    """One label stands for the star; a name of its own comes first."""
    api.route("$default", api.function(arn_of(names["echo"])))
    configuration = {"CertificateArn": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/1", "EndpointType": "REGIONAL"}
    apis.create_domain_name(DomainName="*.wild.example.com", DomainNameConfigurations=[configuration])
    try:
        apis.create_api_mapping(DomainName="*.wild.example.com", ApiId=api.id, Stage="$default")
        port = urlsplit(api.endpoint).port
        context = ask(f"http://a.wild.example.com:{port}").json["requestContext"]
        assert (context["domainName"], context["domainPrefix"]) == ("a.wild.example.com", "a")
        for host in ("wild.example.com", "a.b.wild.example.com"):
            # Nobody's: the server's own API answers.
            assert "apigw-requestid" not in dict(ask(f"http://{host}:{port}").headers)
    finally:
        for found in apis.get_api_mappings(DomainName="*.wild.example.com")["Items"]:
            apis.delete_api_mapping(DomainName="*.wild.example.com", ApiMappingId=found["ApiMappingId"])
        apis.delete_domain_name(DomainName="*.wild.example.com")


def test_apis_outlive_the_server(lone_server, runtime):
    """What was answered 2xx is there after a kill, and serves."""
    client, apis = lone_server.client("lambda"), lone_server.client("apigatewayv2")
    name = FunctionMaker(client, runtime, "api")(ECHO, name="api-survivor")
    client.add_permission(
        FunctionName=name, StatementId="a", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    arn = client.get_function_configuration(FunctionName=name)["FunctionArn"]
    made = apis.create_api(Name="x", ProtocolType="HTTP", Target=arn)
    lone_server.kill()
    lone_server.restart()
    endpoint = lone_server.client("apigatewayv2").get_api(ApiId=made["ApiId"])["ApiEndpoint"]
    assert ask(endpoint, target="/x").json["rawPath"] == "/x"


def test_an_update_is_seen_at_once(api, make_function, lambda_client):
    """The next request runs the new code, and a stage variable that was changed counts."""
    name = make_function(ECHO)
    let_in(lambda_client, name)
    api.route("$default", api.function(arn_of(name)))
    assert api.ask().status == 200
    source = "def handler(e, c): return {'statusCode': 203}"
    lambda_client.update_function_code(FunctionName=name, ZipFile=zip_of({"app.py": source}))
    wait_updated(lambda_client, name)
    assert api.ask().status == 203
