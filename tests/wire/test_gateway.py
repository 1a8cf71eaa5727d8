"""The gateway as a client without an SDK sees it: paths, errors, limits, connections and the end."""

import contextlib
import http.client
import json
import re
import socket
import threading
import uuid

import pytest
from botocore.exceptions import ClientError
from wire.support import ROLE, error_of, newest_python, tail_of, wait_for, zip_of
from wire.traces import below, living

LAMBDA = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0"
LOGS = LAMBDA.replace("/lambda/", "/logs/")
ECHO = "def handler(event, context):\n    return event\n"
REQUEST_ID = "def handler(event, context):\n    return context.aws_request_id\n"
# Stays in the call until its function has the tag that the event names. It asks the gateway: every sandbox lets it.
GATED = """
import json, os, time, urllib.parse, urllib.request

def tags(arn):
    url = os.environ["AWS_ENDPOINT_URL"] + "/2017-03-31/tags/" + urllib.parse.quote(arn, safe="")
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["Tags"]

def handler(event, context):
    print("it has begun")
    while event["until"] not in tags(context.invoked_function_arn):
        time.sleep(0.05)
    print("it is over")
    return "finished"
"""
# Takes a while by itself, where there is no way to tell it when to end.
LONG = """
import time

def handler(event, context):
    print("it has begun")
    time.sleep(6)
    return "finished"
"""


class Reply:
    """What came back, read whole."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)


def send(server, method, path, body=None, **headers):
    """Send one request on a connection of its own; `_` in header names stands for `-`."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        fields = {"Authorization": LAMBDA, **{name.replace("_", "-"): value for name, value in headers.items()}}
        connection.request(method, path, body, {name: value for name, value in fields.items() if value is not None})
        return Reply(connection.getresponse())
    finally:
        connection.close()


def health(server):
    return send(server, "GET", "/_lambent/health", Authorization=None).json


def create(client, runtime, name, source, **settings):
    """Create a function on a server of the test's own and wait until it is Active."""
    client.create_function(
        FunctionName=name,
        Code={"ZipFile": zip_of({"app.py": source})},
        Runtime=runtime,
        Handler="app.handler",
        Role=ROLE,
        **settings,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})


# What is asked for ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/2015-03-31/nothing"),
        ("PATCH", "/2015-03-31/functions"),
        ("GET", "/2099-01-01/functions"),
        ("GET", "/2015-03-31/functions/a/b/c/d"),
    ],
)
def test_an_unknown_path_is_an_unknown_operation(server, method, path):
    """No operation of the model has this method and path: 404, in the form that SDKs read."""
    reply = send(server, method, path)
    assert reply.status == 404
    assert reply.headers["x-amzn-errortype"].partition(":")[0] == "UnknownOperationException"


IN_A_QUERY = "X-Amz-Credential=test/20260101/us-east-1/sqs/aws4_request"


@pytest.mark.parametrize(
    "page",
    [
        {"Origin": "http://page.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        # A Blob has no content type: a browser asks for no leave.
        ("POST", "/2015-03-31/functions", b"{}"),
        ("POST", "/2015-03-31/functions/f/invocations", b"{}"),
        ("GET", "/2015-03-31/functions/", None),
        ("GET", f"/?Action=CreateQueue&QueueName=of-a-page&Version=2012-11-05&{IN_A_QUERY}", None),
        ("GET", "/000000000000/of-a-page?Action=DeleteQueue&Version=2012-11-05", None),
    ],
)
def test_no_page_in_a_browser_uses_the_api(server, method, target, body, page):
    """A page that a function serves, or any other one, has its browser send what is not signed: it starts nothing."""
    reply = send(server, method, target, body, Authorization=None, **page)
    assert reply.status == 403 and "AccessDenied" in reply.body.decode() + reply.headers.get("x-amzn-errortype", "")
    # What a user types says so; a signature in a header a page cannot send without leave.
    assert send(server, "GET", "/2015-03-31/functions/", Authorization=None, Sec_Fetch_Site="none").status == 200
    assert send(server, "GET", "/2015-03-31/functions/", **page).status == 200


@pytest.mark.parametrize("target", ["Logs_20140328.NoSuchOperation", "Logs_20140328", "Logs_20140328.", "nonsense"])
def test_an_unknown_target_is_an_unknown_operation(server, target):
    """The JSON protocol names its operation in a header; one that is not in the model is answered as unknown."""
    reply = send(
        server,
        "POST",
        "/",
        b"{}",
        Authorization=LOGS,
        X_Amz_Target=target,
        Content_Type="application/x-amz-json-1.1",
    )
    assert reply.status in {400, 404}
    assert reply.json["__type"].rpartition("#")[2] == "UnknownOperationException"


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("events", "list_rules", {}),
        ("firehose", "list_delivery_streams", {}),
        ("sns", "list_topics", {}),
    ],
)
def test_a_service_that_is_not_offered_says_so(server, service, operation, arguments):
    """Each protocol's client gets an error that it can read: 501, which SDKs do not retry."""
    with pytest.raises(ClientError) as excinfo:
        getattr(server.client(service), operation)(**arguments)
    status, code, message = error_of(excinfo)
    assert (status, code) == (501, "NotImplementedException")
    assert message == (
        f"{service} is not offered by this version of Lambent: this version answers apigatewayv2, cloudtrail, "
        f"iam, lambda, logs, monitoring, sqs, sts, xray; --neighbour {service}=URL passes {service} on to a server"
    )


def test_an_unsigned_request_that_names_no_service_says_what_to_do(server):
    """Nothing tells which API is meant: the answer does."""
    reply = send(server, "GET", "/somewhere", Authorization=None)
    assert reply.status == 501
    assert "sign it, or send X-Amz-Target" in reply.json["message"]


def test_an_unsigned_request_reaches_lambda_by_its_path(server):
    """curl without credentials works."""
    assert "Functions" in send(server, "GET", "/2015-03-31/functions/", Authorization=None).json


def test_an_operation_that_is_not_offered_says_why(lambda_client, logs_client):
    """The model knows it, this version does not answer it: 501 with the reason."""
    with pytest.raises(ClientError) as excinfo:
        lambda_client.get_capacity_provider(CapacityProviderName="p")
    assert error_of(excinfo) == (
        501,
        "NotImplementedException",
        "GetCapacityProvider is not offered by this version of Lambent: managed instances are not planned yet",
    )
    with pytest.raises(ClientError) as excinfo:
        logs_client.describe_export_tasks()
    assert error_of(excinfo)[:2] == (501, "NotImplementedException")


# Bodies --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"{", b"nonsense", b'{"FunctionName": }', b"\xff\xfe", b"[1]", b'"text"'])
def test_malformed_json_is_a_serialization_error(server, body):
    """A body that is no JSON object is refused before anything is looked at."""
    reply = send(server, "POST", "/2015-03-31/functions", body, Content_Type="application/json")
    assert reply.status == 400
    assert reply.headers["x-amzn-errortype"].partition(":")[0] == "SerializationException"


def test_deeply_nested_json_costs_nothing(server):
    """A bomb of brackets is an ordinary refusal."""
    body = b'{"Tags": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    reply = send(server, "POST", "/2015-03-31/functions", body, Content_Type="application/json")
    assert reply.status == 400
    wait_for(lambda: health(server)["requests_in_flight"] == 1)


def test_a_wrong_content_type_is_refused(server):
    """rest-json answers 415; the JSON protocols say that they know no such operation."""
    reply = send(server, "POST", "/2015-03-31/functions", b"<a/>", Content_Type="application/xml")
    assert reply.status == 415
    assert reply.headers["x-amzn-errortype"].partition(":")[0] == "UnsupportedMediaTypeException"

    reply = send(
        server,
        "POST",
        "/",
        b"{}",
        Authorization=LOGS,
        X_Amz_Target="Logs_20140328.DescribeLogGroups",
        Content_Type="text/xml",
    )
    assert reply.json["__type"].rpartition("#")[2] == "UnknownOperationException"


def upload(server, path, size, *, declare):
    """Send `size` bytes, declared or chunked, without reading before the end; return the reply."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.putrequest("POST", path)
        connection.putheader("Authorization", LAMBDA)
        connection.putheader("Content-Type", "application/json")
        connection.putheader(*(("Content-Length", str(size)) if declare else ("Transfer-Encoding", "chunked")))
        connection.endheaders()
        block = b"x" * 1_048_576
        left = size
        while left:
            part = block[: min(left, len(block))]
            connection.send(part if declare else b"%x\r\n%b\r\n" % (len(part), part))
            left -= len(part)
        if not declare:
            connection.send(b"0\r\n\r\n")
        return Reply(connection.getresponse())
    finally:
        connection.close()


@pytest.mark.parametrize("declare", [True, False], ids=["declared", "chunked"])
def test_an_oversize_create_is_answered_although_the_client_still_sends(server, declare):
    """The client is not cut off in the middle: it sends all, then reads 413 with AWS's text."""
    reply = upload(server, "/2015-03-31/functions", 70_167_212, declare=declare)
    assert reply.status == 413
    assert reply.headers["x-amzn-errortype"].partition(":")[0] == "RequestEntityTooLargeException"
    assert reply.json["message"] == "Request must be smaller than 70167211 bytes for the CreateFunction operation"


def test_an_oversize_payload_is_answered_by_its_operation(server):
    """Far beyond the limit the body is not kept; the text is that of Invoke."""
    reply = upload(server, "/2015-03-31/functions/f/invocations", 9_000_000, declare=True)
    assert reply.status == 413
    assert reply.headers["x-amzn-errortype"].partition(":")[0] == "RequestTooLargeException"
    assert "for the InvokeFunction operation" in reply.body.decode()


# Paths ---------------------------------------------------------------------------------------------------------------


def test_names_in_paths_may_be_encoded_arns(server, make_function):
    """Clients differ in what they encode: `:` plain or %3A, `$` plain or %24, with a trailing slash or without."""
    name = make_function(ECHO)
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    for label in (name, arn, arn.replace(":", "%3A"), f"function%3A{name}", f"{name}%3A%24LATEST", f"{name}:$LATEST"):
        for slash in ("", "/"):
            reply = send(server, "GET", f"/2015-03-31/functions/{label}{slash}")
            assert (reply.status, reply.json.get("Configuration", {}).get("FunctionName")) == (200, name), label
    assert send(server, "POST", f"/2015-03-31/functions/{arn.replace(':', '%3A')}/invocations/", b"7").body == b"7"


def test_an_encoded_slash_stays_inside_its_label(server):
    """%2F is part of the value, so it cannot reach another operation; the value is then refused by its pattern."""
    reply = send(server, "GET", "/2015-03-31/functions/a%2Finvocations")
    assert reply.status == 400
    assert reply.headers["x-amzn-errortype"].partition(":")[0] == "ValidationException"
    assert "'functionName' failed to satisfy constraint" in reply.json["message"]


# Ids -----------------------------------------------------------------------------------------------------------------


def test_the_request_id_is_the_invocations(lambda_client, make_function):
    """x-amzn-RequestId is a UUID, and of an invocation it is the id that the function and its log know."""
    name = make_function(REQUEST_ID)
    answer = lambda_client.invoke(FunctionName=name, LogType="Tail")
    request_id = answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]
    assert str(uuid.UUID(request_id)) == request_id
    assert json.loads(answer["Payload"].read()) == request_id
    assert f"REPORT RequestId: {request_id}" in tail_of(answer)


@pytest.mark.parametrize("path", ["/2015-03-31/functions", "/2015-03-31/nothing", "/2015-03-31/functions/absent"])
def test_every_answer_has_an_id_of_its_own(server, path):
    """Errors, too."""
    ids = {send(server, "GET", path).headers["x-amzn-requestid"] for _ in range(2)}
    assert len(ids) == 2
    assert all(uuid.UUID(request_id) for request_id in ids)


# Own paths -----------------------------------------------------------------------------------------------------------


def path_of(url):
    return "/" + url.split("/", 3)[3]


def test_a_package_is_downloaded_by_its_link_alone(server, lambda_client, make_function):
    """Code.Location needs no credentials; HEAD shows the same without the body."""
    archive = zip_of({"app.py": ECHO, "data.bin": bytes(range(256)) * 5000})
    name = make_function(archive=archive)
    link = lambda_client.get_function(FunctionName=name)["Code"]["Location"]
    assert link.startswith(server.endpoint)

    got = send(server, "GET", path_of(link), Authorization=None)
    assert (got.status, got.body) == (200, archive)
    assert got.headers["content-type"] == "application/zip"

    head = send(server, "HEAD", path_of(link), Authorization=None)
    assert (head.status, head.body, head.headers["content-type"]) == (200, b"", "application/zip")


@pytest.mark.parametrize(
    "forge",
    [
        lambda path: path.partition("?")[0],
        lambda path: path[:-1] + ("0" if path[-1] != "0" else "1"),
        lambda path: re.sub(r"Expires=\d+", "Expires=99999999999", path),
        lambda path: re.sub(r"Expires=\d+", "Expires=1", path),
        lambda path: re.sub(r"code/[0-9a-f]{64}", "code/" + "0" * 64, path),
        lambda path: path + "&more=1",
    ],
    ids=["no signature", "another signature", "later", "expired", "another package", "more"],
)
def test_a_forged_link_is_refused(server, lambda_client, make_function, forge):
    """A link is good for one package until one moment."""
    link = lambda_client.get_function(FunctionName=make_function(ECHO))["Code"]["Location"]
    reply = send(server, "GET", forge(path_of(link)), Authorization=None)
    assert reply.status == 403
    assert reply.json == {"message": "this link is not valid or has expired: ask GetFunction for a new one"}


@pytest.mark.parametrize("path", ["/_lambent/code/../secret", "/_lambent/code/%2e%2e%2fsecret", "/_lambent/code/"])
def test_a_link_is_no_way_into_the_data_folder(server, path):
    """Paths that are no hash are refused like any other forged link."""
    assert send(server, "GET", path, Authorization=None).status == 403


def test_health_says_what_runs(server):
    """One look tells version, sandbox and why it is this one, functions and environments."""
    reply = send(server, "GET", "/_lambent/health", Authorization=None)
    assert reply.status == 200
    found = reply.json
    assert set(found) == {"version", "uptime_s", "sandbox", "functions", "environments", "requests_in_flight"}
    assert set(found["sandbox"]) == {"driver", "why", "task_root"}
    assert found["sandbox"]["driver"] in {"namespace", "rootless", "process"}
    has_own_root = found["sandbox"]["driver"] != "process"
    assert (found["sandbox"]["task_root"] == "/var/task") == has_own_root
    assert set(found["environments"]) == {"busy", "total"}
    # The request itself, once those before it are over: who has an answer knows so before the server has tidied up.
    wait_for(lambda: health(server)["requests_in_flight"] == 1)


def test_other_own_paths_do_not_exist(server):
    """Below /_lambent/ nothing is ever taken for an AWS request."""
    assert send(server, "GET", "/_lambent/nothing").status == 404
    assert send(server, "POST", "/_lambent/health", b"{}").status == 405


# Limits --------------------------------------------------------------------------------------------------------------


def test_too_many_requests_are_refused_and_can_be_repeated(own_server, runtime):
    """With room for one request the second gets 429 and Retry-After; later it is answered."""
    server = own_server(None, "--requests-max", "1").start()
    client = server.client("lambda")
    create(client, runtime, "long", LONG, Timeout=60)
    results = []

    def invoke_until_admitted():
        while (reply := invoke_raw(server, "long", b"{}")).status == 429:
            pass
        results.append(reply)

    first = threading.Thread(target=invoke_until_admitted)
    first.start()

    def refused():
        reply = send(server, "GET", "/2015-03-31/functions")
        return reply if reply.status == 429 else None

    reply = wait_for(refused)
    assert reply.headers["x-amzn-errortype"].partition(":")[0] == "TooManyRequestsException"
    assert reply.headers["retry-after"] == "1"
    with pytest.raises(ClientError) as excinfo:
        client.list_functions()
    assert error_of(excinfo)[:2] == (429, "TooManyRequestsException")

    first.join(60)
    assert results[0].body == b'"finished"'
    assert client.list_functions()["Functions"]


def test_the_bytes_of_bodies_are_bounded(own_server):
    """A body that does not fit beside what is in memory already gets 429, and is answered once there is room."""
    server = own_server(None, "--body-bytes-max", "70167211").start()
    with socket.create_connection(("127.0.0.1", server.port)) as held:
        head = f"POST /2015-03-31/functions HTTP/1.1\r\nHost: x\r\nAuthorization: {LAMBDA}\r\n"
        held.sendall(f"{head}Content-Length: 70000000\r\n\r\n".encode() + b"x" * 69_000_000)
        wait_for(lambda: upload(server, "/2015-03-31/functions", 3_000_000, declare=True).status == 429)
    wait_for(lambda: upload(server, "/2015-03-31/functions", 3_000_000, declare=True).status == 400)


# Connections ---------------------------------------------------------------------------------------------------------


def invoke_raw(server, name, payload):
    return send(server, "POST", f"/2015-03-31/functions/{name}/invocations", payload)


def raw_invoke(name, payload):
    """Return the bytes of an Invoke request."""
    body = json.dumps(payload).encode()
    head = (
        f"POST /2015-03-31/functions/{name}/invocations HTTP/1.1\r\nHost: x\r\nAuthorization: {LAMBDA}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def log_text(client, name):
    with contextlib.suppress(client.exceptions.ResourceNotFoundException):
        events = client.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        return "".join(event["message"] for event in events)
    return ""


def test_an_invocation_outlives_the_client_that_asked_for_it(server, lambda_client, logs_client, make_function):
    """A client that disconnects mid-invoke changes nothing: it finishes, REPORT is there, no slot is lost."""
    name = make_function(GATED, Timeout=60)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(raw_invoke(name, {"until": "told"}))
        wait_for(lambda: "it has begun" in log_text(logs_client, name))
    assert health(server)["environments"]["busy"] >= 1

    arn = lambda_client.get_function_configuration(FunctionName=name)["FunctionArn"]
    lambda_client.tag_resource(Resource=arn, Tags={"told": ""})

    text = wait_for(lambda: (text := log_text(logs_client, name)) and "REPORT" in text and text)
    assert "it is over" in text
    assert "Status:" not in text
    wait_for(lambda: health(server)["environments"]["busy"] == 0)
    wait_for(lambda: health(server)["requests_in_flight"] == 1)


def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing(server):
    """The request is forgotten."""
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(raw_invoke("f", {})[:-2] + b"{")
        wait_for(lambda: health(server)["requests_in_flight"] == 2)
    wait_for(lambda: health(server)["requests_in_flight"] == 1)


def test_a_connection_serves_many_requests(server):
    """Keep-alive: one connection, several requests, errors among them."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    statuses, ports = [], set()
    for path in ("/2015-03-31/functions", "/nothing", "/2015-03-31/functions/absent", "/_lambent/health"):
        connection.request("GET", path, headers={"Authorization": LAMBDA})
        statuses.append(Reply(connection.getresponse()).status)
        ports.add(connection.sock.getsockname()[1])
    connection.close()
    assert statuses == [200, 404, 404, 200]
    assert len(ports) == 1


def test_pipelined_requests_are_answered_in_order(server, make_function):
    """Three requests in one packet, three answers in their order."""
    name = make_function(ECHO)
    requests = b"".join(raw_invoke(name, number) for number in range(3))
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        client.sendall(requests)
        with client.makefile("rb") as stream:
            bodies = []
            for _ in range(3):
                assert stream.readline().split()[1] == b"200"
                length = 0
                while (line := stream.readline()) != b"\r\n":
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                bodies.append(stream.read(length))
    assert bodies == [b"0", b"1", b"2"]


def test_what_is_no_http_is_refused(server):
    """Bytes of another protocol get 400 or a closed connection, and the server lives."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        client.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100 + b"\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            answer = client.recv(1000)
            assert answer == b"" or b" 400 " in answer
    wait_for(lambda: health(server)["requests_in_flight"] == 1)


# The end -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sandbox", ["auto", "process"])
def test_a_clean_stop_lets_the_running_invocation_finish(own_server, sandbox):
    """SIGTERM: nothing new is accepted, the answer in flight arrives, exit code 0, no process is left."""
    server = own_server(None, "--sandbox", sandbox).start()
    client = server.client("lambda")
    create(client, newest_python(sandbox), "long", LONG, Timeout=60)
    results = []
    caller = threading.Thread(target=lambda: results.append(invoke_raw(server, "long", b"{}")))
    caller.start()
    # Once: to make a client takes longer than to ask.
    logs = server.client("logs")
    wait_for(lambda: "it has begun" in log_text(logs, "long"))
    started = below(server.process.pid)
    assert started

    server.process.terminate()
    wait_for(lambda: not accepts(server.port))
    assert server.process.poll() is None, "it waits for the invocation"
    caller.join(120)

    assert [(reply.status, reply.body) for reply in results] == [(200, b'"finished"')]
    assert server.process.wait(30) == 0
    assert not living(started)

    server.restart()
    assert "REPORT" in log_text(server.client("logs"), "long")


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    except ConnectionResetError:
        # It lay in the backlog of a listener that was just closed: the next one will be refused.
        return True
    return True


def test_an_idle_server_stops_at_once_with_open_connections(own_server):
    """A keep-alive connection that nobody uses does not hold up the end."""
    server = own_server(None, "--shutdown-grace-s", "60").start()
    with socket.create_connection(("127.0.0.1", server.port)) as idle:
        idle.sendall(b"GET /_lambent/health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(100).startswith(b"HTTP/1.1 200")
        server.process.terminate()
        assert server.process.wait(15) == 0
