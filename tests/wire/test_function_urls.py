"""Requests to function URLs, through a plain HTTP client and through bare sockets."""

import base64
import json
import re
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest
from wire.support import FunctionMaker, wait_for
from wire.urls import ANSWERS, ECHO, Reply, ask, connect, functions, id_of, make_url, returning


@pytest.fixture(scope="module")
def shared(server, runtime):
    """Functions that tests of this module share, by what they do: their URLs."""
    with functions(server, runtime, "url", echo=ECHO, answers=ANSWERS) as urls:
        yield urls


@pytest.fixture(scope="module")
def echo(shared):
    return shared["echo"]


@pytest.fixture(scope="module")
def answers(shared):
    return shared["answers"]


# Events --------------------------------------------------------------------------------------------------------------


def test_ur04_path_query_and_headers_arrive_as_they_were_sent(echo):
    """UR-04-url-path-query: nothing is decoded but the parameters; header names are lower case."""
    reply = ask(
        echo,
        "POST",
        "/pa2%Fth/1?q=a%20b&m=foo&m=%2Fbar",
        b'{"a": 1}',
        [
            ("Extra-Headers", "With WeiRd CapS"),
            ("X-Two", "a"),
            ("X-Two", "b"),
            ("Content-Type", "application/json"),
            ("User-Agent", "test/1"),
            ("Connection", "keep-alive"),
            ("X-Forwarded-For", "192.0.2.1"),
        ],
    )
    assert (reply.status, reply.one("content-type")) == (200, "application/json")
    event = reply.json
    host = urlsplit(echo)
    assert event["version"] == "2.0" and event["routeKey"] == "$default"
    assert (event["rawPath"], event["rawQueryString"]) == ("/pa2%Fth/1", "q=a%20b&m=foo&m=%2Fbar")
    assert event["queryStringParameters"] == {"q": "a b", "m": "foo,/bar"}
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": 1}', False)
    trace = event["headers"].pop("x-amzn-trace-id")
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", trace)
    assert reply.one("x-amzn-trace-id") == trace
    assert event["headers"] == {
        "content-length": "8",
        "content-type": "application/json",
        "extra-headers": "With WeiRd CapS",
        "host": host.netloc,
        "user-agent": "test/1",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-port": str(host.port),
        "x-forwarded-proto": "http",
        "x-two": "a,b",
    }
    context = event["requestContext"]
    assert abs(context.pop("timeEpoch") - time.time() * 1000) < 60_000
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000", context.pop("time"))
    assert context == {
        "accountId": "anonymous",
        "apiId": id_of(echo),
        "domainName": host.hostname,
        "domainPrefix": id_of(echo),
        "http": {
            "method": "POST",
            "path": "/pa2%Fth/1",
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": "test/1",
        },
        "requestId": reply.one("x-amzn-requestid"),
        "routeKey": "$default",
        "stage": "$default",
    }
    assert event.keys().isdisjoint({"cookies", "pathParameters", "stageVariables"})


def test_ur04_what_is_empty_is_absent(echo):
    """UR-04-url-path-query: no query, no cookies, no body: no keys."""
    event = ask(echo).json
    assert event.keys() == {
        "version", "routeKey", "rawPath", "rawQueryString", "headers", "requestContext", "isBase64Encoded",
    }  # fmt: skip
    assert (event["rawPath"], event["rawQueryString"], event["isBase64Encoded"]) == ("/", "", False)
    assert ask(echo, target="/?flag&e=").json["queryStringParameters"] == {"flag": "", "e": ""}


def test_ur01_cookies_both_ways(echo, answers):
    """UR-01-url-cookies: a list in the event and not among the headers; one Set-Cookie for each, in order."""
    event = ask(echo, headers=[("Cookie", "a=1; b=2"), ("Cookie", "c=3")]).json
    assert event["cookies"] == ["a=1", "b=2", "c=3"]
    assert "cookie" not in event["headers"]
    reply = returning(answers, {"statusCode": 200, "cookies": ["x=1; Path=/", "y=2; HttpOnly"], "body": "b"})
    assert (reply.status, reply.body) == (200, b"b")
    assert reply.all("set-cookie") == ["x=1; Path=/", "y=2; HttpOnly"]


@pytest.mark.parametrize(
    ("content_type", "body", "is_text"),
    [
        ("text/plain; charset=utf-8", "ü".encode(), True),
        ("application/json", b"{}", True),
        ("application/problem+json", b"{}", True),
        ("image/svg+xml", b"<svg/>", True),
        ("application/xml", b"<a/>", True),
        ("application/javascript", b"1", True),
        ("application/x-www-form-urlencoded", b"a=1", False),
        ("multipart/form-data; boundary=b", b"--b--", False),
        ("image/png", b"\x89PNG", False),
        ("text/plain", b"\xff\xfe", False),
        (None, b"plain", True),
        (None, b"\x00\xff", False),
    ],
)
def test_a_body_is_text_or_base64(echo, content_type, body, is_text):
    """By its content type, and where that would not do."""
    event = ask(echo, "PUT", "/", body, [("Content-Type", content_type)] if content_type else ()).json
    assert event["isBase64Encoded"] is not is_text
    assert (event["body"].encode() if is_text else base64.b64decode(event["body"])) == body


def test_by_path_for_clients_that_resolve_no_such_names(server, echo):
    """The id selects, what follows it is the path; a page that is shown so has no rights on the server's origin."""
    path = f"{server.endpoint}/_lambent/url/{id_of(echo)}"
    for target, raw_path in ((f"/_lambent/url/{id_of(echo)}/a%2Fb?x=1", "/a%2Fb"), (urlsplit(path).path, "/")):
        reply = ask(path, target=target)
        assert reply.json["rawPath"] == raw_path
        assert reply.json["requestContext"]["domainPrefix"] == id_of(echo)
        assert reply.one("content-security-policy").startswith("sandbox ")
        assert "allow-same-origin" not in reply.one("content-security-policy")
    # Below a function's own host name, every path is the function's.
    assert ask(echo, target="/_lambent/health").json["rawPath"] == "/_lambent/health"
    assert ask(echo, target="/_lambent/health").all("content-security-policy") == []


def test_lf02_the_trace_of_a_request_goes_on(lambda_client, make_function):
    """LF-02: a valid X-Amzn-Trace-Id reaches event and environment with its sampling decision, as does the id."""
    name = make_function(
        "import os\ndef handler(e, c):\n"
        "  return [os.environ['_X_AMZN_TRACE_ID'], e['headers']['x-amzn-trace-id'], c.aws_request_id]"
    )
    url = make_url(lambda_client, name)
    given = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    reply = ask(url, headers=[("X-Amzn-Trace-Id", given)])
    inside, header, request_id = reply.json
    assert inside.startswith("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=") and ";Sampled=1" in inside
    assert (header, request_id) == (given, reply.one("x-amzn-requestid"))


def test_a_function_reaches_a_url_by_its_path(lambda_client, make_function):
    """From inside, where no name below localhost leads here; a chain that never ends is stopped, as by Invoke."""
    name = make_function(
        "import os, urllib.error, urllib.request\n"
        "def handler(e, c):\n"
        "  own = f\"{os.environ['AWS_ENDPOINT_URL']}/_lambent/url/{e['requestContext']['apiId']}/\"\n"
        "  try:\n"
        "    return 1 + int(urllib.request.urlopen(own, timeout=25).read())\n"
        "  except urllib.error.HTTPError as error:\n"
        "    return 1 if error.code == 502 else -1000",
        Timeout=30,
    )
    # Documented: about 16 times; the function drops the header by which others know a chain.
    assert ask(make_url(lambda_client, name)).body == b"16"


# Answers -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("returned", "status", "body"),
    [
        ({"hello": "world"}, 200, b'{"hello":"world"}'),
        ("hello", 200, b"hello"),
        ([1, True], 200, b"[1,true]"),
        (3, 200, b"3"),
        (3.1, 200, b"3.1"),
        (True, 200, b"true"),
        (None, 200, b"null"),
        ({"statusCode": "418", "body": "t"}, 418, b"t"),
        ({"statusCode": 201, "body": {"a": 1}}, 201, b'{"a": 1}'),
        ({"statusCode": 200, "isBase64Encoded": True, "body": "AP8="}, 200, b"\x00\xff"),
        ({"statusCode": 404}, 404, b""),
        ({"statusCode": 204, "body": "none"}, 204, b""),
        ({"statusCode": 304, "body": "none"}, 304, b""),
    ],
)
def test_ur02_what_follows_from_a_value(answers, returned, status, body):
    """UR-02-url-error-502: inference, with the length that fits; a status may be a string."""
    reply = returning(answers, returned)
    assert (reply.status, reply.body) == (status, body)
    assert reply.one("content-type") == "application/json"
    assert reply.all("content-length") == ([] if status in (204, 304) else [str(len(body))])
    assert re.fullmatch(r"[0-9a-f-]{36}", reply.one("x-amzn-requestid"))


def test_ur02_headers_of_the_handler_are_kept(answers):
    """UR-02-url-error-502: in lower case, numbers as text; what belongs to the connection is renamed."""
    headers = {
        "Content-Type": "text/html",
        "X-Number": 1,
        "Connection": "close",
        "Content-Length": "1",
        "Transfer-Encoding": "chunked",
        "Date": "yesterday",
    }
    reply = returning(answers, {"statusCode": 200, "headers": headers, "body": "<p>ü"})
    assert (reply.one("content-type"), reply.one("x-number"), reply.body) == ("text/html", "1", "<p>ü".encode())
    assert reply.one("content-length") == "5"
    assert reply.all("transfer-encoding") == reply.all("connection") == []
    assert reply.one("date") != "yesterday"
    for name in ("Connection", "Content-Length", "Transfer-Encoding", "Date"):
        assert reply.one(f"x-amzn-remapped-{name.lower()}") == headers[name]


@pytest.mark.parametrize(
    "returned",
    [
        {"statusCode": "two hundred"},
        {"statusCode": 2.5},
        {"statusCode": None},
        {"statusCode": True},
        {"statusCode": 100},
        {"statusCode": 101},
        {"statusCode": 999},
        {"statusCode": 200, "headers": {"X": ["a"]}},
        {"statusCode": 200, "headers": {"X": "a\r\nSet-Cookie: stolen=1"}},
        {"statusCode": 200, "headers": {"X": "a\nb"}},
        {"statusCode": 200, "headers": {"X": "a\x00"}},
        {"statusCode": 200, "headers": {"X: y\r\nZ": "a"}},
        {"statusCode": 200, "headers": {"": "a"}},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "cookies": ["a=1\r\nX: y"]},
        {"statusCode": 200, "cookies": "a=1"},
        {"statusCode": 200, "isBase64Encoded": True, "body": "%"},
    ],
)
def test_ur02_a_malformed_answer_is_502(answers, returned):
    """UR-02-url-error-502: and nothing of it is sent, least of all a header that nobody meant."""
    reply = returning(answers, returned)
    assert (reply.status, reply.body) == (502, b"Internal Server Error")
    assert reply.all("x") == reply.all("set-cookie") == []


def test_ur02_a_failing_function_is_502(answers, lambda_client, make_function):
    """UR-02-url-error-502: raised, ended or timed out, without a word of why; the log has that."""
    for path in ("/raise", "/exit"):
        reply = ask(answers, target=path)
        assert (reply.status, reply.body, reply.one("content-length")) == (502, b"Internal Server Error", "21")
    slow = make_function("import time\ndef handler(e, c): time.sleep(9)", Timeout=1)
    assert ask(make_url(lambda_client, slow)).status == 502


def test_head_and_options(answers, echo):
    """HEAD runs the function, and its answer has no body; OPTIONS does, without a CORS configuration."""
    connection = connect(answers)
    for method, body in (("HEAD", b""), ("OPTIONS", b"text")):
        value = base64.b64encode(b'{"statusCode": 202, "body": "text"}').decode()
        connection.request(method, "/", headers={"Host": urlsplit(answers).netloc, "X-Return": value})
        response = connection.getresponse()
        assert (response.status, response.read(), response.getheader("content-length")) == (202, body, "4")
    connection.close()
    assert ask(echo, "PATCH").json["requestContext"]["http"]["method"] == "PATCH"


# Who may, and how much -----------------------------------------------------------------------------------------------


def test_who_may_use_a_url(lambda_client, make_function):
    """Both actions have to be granted to anybody, with conditions that hold; a Deny closes it again."""
    name = make_function("def handler(e, c): return 'in'")
    url = lambda_client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]

    def status():
        return ask(url).status

    def grant(sid, action, principal="*", **conditions):
        lambda_client.add_permission(
            FunctionName=name, StatementId=sid, Action=f"lambda:{action}", Principal=principal, **conditions
        )

    refused = ask(url)
    assert (refused.status, refused.one("x-amzn-errortype"), refused.one("content-type")) == (
        403, "AccessDeniedException", "application/json",
    )  # fmt: skip
    assert refused.json == {
        "Message": "Forbidden. For troubleshooting Function URL authorization issues, see: "
        "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
    }
    grant("iam", "InvokeFunctionUrl", FunctionUrlAuthType="AWS_IAM")
    grant("somebody", "InvokeFunction", principal="111122223333", InvokedViaFunctionUrl=True)
    assert status() == 403
    grant("url", "InvokeFunctionUrl", FunctionUrlAuthType="NONE")
    assert status() == 403
    grant("not-via-url", "InvokeFunction", InvokedViaFunctionUrl=False)
    assert status() == 403
    grant("invoke", "InvokeFunction", InvokedViaFunctionUrl=True)
    assert status() == 200
    lambda_client.remove_permission(FunctionName=name, StatementId="invoke")
    assert status() == 403
    arn = lambda_client.get_function_configuration(FunctionName=name)["FunctionArn"]
    allow = {"Effect": "Allow", "Principal": "*", "Action": "lambda:*", "Resource": arn}
    deny = {**allow, "Effect": "Deny", "Action": "lambda:InvokeFunctionUrl"}
    for statements, expected in (([allow], 200), ([allow, deny], 403)):
        document = {"Version": "2012-10-17", "Statement": statements}
        lambda_client.put_resource_policy(ResourceArn=arn, Policy=json.dumps(document))
        assert status() == expected


def test_ids_that_nobody_has(server, echo):
    """403 without a message, by host and by path; another region's name is not the URL's."""
    host = urlsplit(echo)
    elsewhere = echo.replace(".us-east-1.", ".eu-west-1.")
    for url, target in (
        (f"http://{'a' * 32}.{host.netloc.partition('.')[2]}/", "/"),
        (f"http://short.{host.netloc.partition('.')[2]}/", "/"),
        (elsewhere, "/"),
        (server.endpoint, f"/_lambent/url/{'a' * 32}/"),
        (server.endpoint, "/_lambent/url/"),
    ):
        reply = ask(url, target=target)
        assert (reply.status, reply.json, reply.one("x-amzn-errortype")) == (
            403, {"Message": None}, "AccessDeniedException",
        ), url  # fmt: skip


def test_six_megabytes_each_way(lambda_client, make_function):
    """What fits in an invocation's payload passes; more is 413, a larger answer 502."""
    name = make_function(
        "def handler(e, c):\n"
        "  if e['rawPath'] == '/': return len(e['body'])\n"
        "  return {'statusCode': 200, 'body': 'x' * int(e['rawPath'][1:])}",
        MemorySize=256,
    )
    url = make_url(lambda_client, name)
    text = [("Content-Type", "text/plain")]
    assert ask(url, "POST", "/", b"x" * 6_280_000, text).json == 6_280_000
    octets = [("Content-Type", "application/octet-stream")]
    for body, headers in ((b"x" * 6_291_456, text), (b"x" * 7_000_000, text), (b"x" * 5_000_000, octets)):
        reply = ask(url, "POST", "/", body, headers)
        assert (reply.status, reply.json) == (413, {"Message": "Request Entity Too Large"})
    assert len(ask(url, target="/6290000").body) == 6_290_000
    assert ask(url, target="/6292000").status == 502
    assert ask(url, target="/" + "p" * 40_000).status == 414


def test_a_reservation_of_nothing_is_429(lambda_client, make_function):
    """So is one that others use up; the body says which limit it was."""
    name = make_function(ECHO)
    url = make_url(lambda_client, name)
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    reply = ask(url)
    assert (reply.status, reply.one("retry-after")) == (429, "1")
    assert reply.json == {
        "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User", "message": "Rate Exceeded.",
    }  # fmt: skip
    lambda_client.delete_function_concurrency(FunctionName=name)
    assert ask(url).status == 200


def test_an_invocation_by_url_is_one_like_any_other(lambda_client, logs_client, make_function):
    """Its REPORT is in the log, under the id that its client was told."""
    name = make_function("def handler(e, c): return c.log_group_name")
    reply = ask(make_url(lambda_client, name))

    def lines():
        events = logs_client.filter_log_events(logGroupName=reply.body.decode())["events"]
        return "".join(event["message"] for event in events)

    wait_for(lambda: f"REPORT RequestId: {reply.one('x-amzn-requestid')}\t" in lines())


# CORS ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_cors(server, runtime):
    """A function that counts its runs and sets a header of CORS itself, its URL, and its configuration."""
    client = server.client("lambda")
    maker = FunctionMaker(client, runtime, "url-cors")
    source = (
        "runs = 0\ndef handler(e, c):\n  global runs; runs += 1\n"
        "  return {'statusCode': 200, 'headers': {'access-control-allow-origin': 'own'}, 'body': str(runs)}"
    )
    cors = {
        "AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"], "AllowHeaders": ["x-k"], "MaxAge": 60,
        "AllowCredentials": True, "ExposeHeaders": ["x-e", "x-f"],
    }  # fmt: skip
    name = maker(source)
    url = make_url(client, name, Cors=cors)
    assert client.get_function_url_config(FunctionName=name)["Cors"] == cors
    yield client, name, url
    client.delete_function(FunctionName=name)


def preflight(url, origin):
    return ask(url, "OPTIONS", headers=[("Origin", origin), ("Access-Control-Request-Method", "GET")])


def cors_of(reply):
    return {name.lower(): value for name, value in reply.headers if name.lower().startswith("access-control-")}


def test_ur03_cors(with_cors):
    """UR-03-url-cors-preflight: the service answers it; else its headers come beside the function's own."""
    client, name, url = with_cors
    runs = int(ask(url).body)
    reply = preflight(url, "https://a.example")
    assert (reply.status, reply.body) == (200, b"")
    assert cors_of(reply) == {
        "access-control-allow-origin": "https://a.example",
        "access-control-allow-methods": "GET",
        "access-control-allow-headers": "x-k",
        "access-control-max-age": "60",
        "access-control-allow-credentials": "true",
    }
    assert reply.one("vary") == "Origin"
    assert cors_of(preflight(url, "https://b.example")) == {}
    reply = ask(url, headers=[("Origin", "https://a.example")])
    assert int(reply.body) == runs + 1, "a preflight ran the function"
    assert sorted(reply.all("access-control-allow-origin")) == ["https://a.example", "own"]
    assert reply.one("access-control-expose-headers") == "x-e,x-f"
    assert reply.one("access-control-allow-credentials") == "true"
    # What is kept between must not be given to another origin.
    assert reply.one("vary") == ask(url).one("vary") == "Origin"
    assert ask(url, headers=[("Origin", "https://b.example")]).all("access-control-allow-origin") == ["own"]
    client.update_function_url_config(FunctionName=name, Cors={"AllowOrigins": ["*"]})
    assert cors_of(preflight(url, "https://b.example")) == {"access-control-allow-origin": "*"}
    client.update_function_url_config(FunctionName=name, Cors={})
    assert int(preflight(url, "https://a.example").body) == runs + 4


def test_a_client_that_leaves_changes_nothing(lambda_client, make_function):
    """The function runs to its end, and its environment serves the next request."""
    name = make_function("n = 0\ndef handler(e, c):\n  global n; n += 1\n  return n")
    url = make_url(lambda_client, name)
    place = urlsplit(url)
    with socket.create_connection(("127.0.0.1", place.port)) as gone:
        gone.sendall(f"GET / HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode())
    wait_for(lambda: int(ask(url).body) >= 2)


def test_many_at_once(echo):
    """Eight clients, each with its own requests, get their own answers."""
    wrong = []

    def run(number):
        for turn in range(20):
            path = f"/{number}/{turn}"
            reply = ask(echo, target=path)
            if reply.status != 200 or reply.json["rawPath"] != path:
                wrong.append(Reply(reply.status, [], reply.body))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
