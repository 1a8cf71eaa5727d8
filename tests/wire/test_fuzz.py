"""
Bad input over HTTP: some hundreds of requests that no client should send, the same ones in every run.

What is refused changes nothing, nothing gets a 5xx but the 501 of what is not offered, and the server is as well
afterwards as it was before. `tests/unit/services/test_fuzz.py` sends many more in one process.
"""

import base64
import contextlib
import http.client
import json
import random
import re
import shutil
import socket
from urllib.parse import quote

import botocore.session
import pytest
from wire.support import REGION, ROLE, FunctionMaker, Server, invoke, wait_for, zip_of

SIGNED = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"
ECHO = "def handler(event, context):\n    return event\n"
ARN = f"arn:aws:lambda:{REGION}:000000000000:function:f"
LAYER = f"arn:aws:lambda:{REGION}:000000000000:layer:l"
CODE = zip_of({"app.py": ECHO})

OPERATIONS = {
    "lambda": 5,
    "logs": 3,
}
"""Service to how often each of its operations is asked for, one that is not offered once."""

# Values that mean something, so that a request gets past the first check: by a part of the shape's name.
WORDS = {
    "FunctionName": ["f", "f", "f", "f", "f", ARN, "f:live", f"{ARN}:1", "missing", "f:9"],
    "TaggableResource": [ARN, ARN, ARN, f"{ARN}:live", LAYER],
    "PolicyResourceArn": [ARN, f"{ARN}:live"],
    "LayerVersionNumber": [1, 1, 9, 0, -1, 2**63 - 1],
    "LayerVersionArn": [f"{LAYER}:1", f"{LAYER}:9"],
    "LayerName": ["l", "l", LAYER, "missing"],
    "LayerPermissionAllowedPrincipal": ["*"],
    "LayerPermissionAllowedAction": ["lambda:GetLayerVersion"],
    "Alias": ["live", "live", "other"],
    "Qualifier": ["1", "live", "$LATEST", "9"],
    "Version": ["1", "$LATEST", "9", "9" * 19],
    "StatementId": ["s", "t"],
    "Principal": ["s3.amazonaws.com", "*"],
    "Action": ["lambda:InvokeFunction"],
    "RoleArn": [ROLE],
    "Handler": ["app.handler"],
    "LogGroup": ["/aws/lambda/f", "missing"],
    "LogStream": ["s"],
}

TEXTS = [
    *["", " ", "\x00", "a\x00b", "\r\n", "\ud800", "\udc00\ud800", "\u202eevil", "e" + "\u0301" * 200, "\U0001f4a5"],
    *["\u0661\u0662", "\u2028\u0085", "\uffff", "..", "../../etc/passwd", "%00", "%", "a/b", "a?b#c", "*?[a]%_", "{}"],
    *["-0", "1e400", "9223372036854775808", "9" * 5000, "NaN", "====", "7aCA", "arn:aws:lambda", "$LATEST.PUBLISHED"],
    *["'; DROP TABLE functions; --", "a" * 257, "\u00e4" * 30_000, "a:" * 64, f"{ARN}:1:2", '{"Version":[]}'],
]


class Raw(str):
    """JSON text that is written as it stands."""


JUNK = [
    *[
        None,
        True,
        False,
        0,
        -1,
        1.5,
        2**31,
        2**63,
        -(2**63) - 1,
        10**400,
        [],
        {},
        [None],
        [[]],
        {"": None},
        {"a": {"a": []}},
    ],
    *map(Raw, ["1e400", "-0", "01", "NaN", "Infinity", '"\\ud800"', '"\\u00"', "undefined", '{"a":1,"a":2}']),
    *(
        Raw(opening * depth + closing * depth)
        for depth in (20, 900, 50_000)
        for opening, closing in ("[]", ('{"a":', "}"))
    ),
    ["a"] * 3000,
    {f"k{number}": "v" for number in range(1000)},
]

BODIES = [
    *[b"", b" ", b"{", b"[]", b'""', b"null", b"0", b"{}{}", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf{}", b'{"a": "\xff"}'],
    *["{}".encode("utf-16"), b"[" * 100_000, b'{"a":' * 50_000, b"<xml/>", b"Action=ListFunctions", b"\xa1aa\xff"],
]

QUERIES = [
    *[
        "&",
        "=",
        "&&==&",
        "%",
        "%zz=%zz",
        "Qualifier",
        "Qualifier=%00",
        "Qualifier=%ED%A0%80",
        "Qualifier=1&Qualifier=2",
    ],
    *["MaxItems=", "MaxItems=-0", "MaxItems=1e3", "MaxItems=" + "9" * 5000, "Marker=", "Marker=AAAA", "Marker=%2F"],
    *["Marker=" + base64.urlsafe_b64encode(text).decode() for text in (b"f:" + b"9" * 20, b"f:-1", b"\xff", b"a\x00")],
    *[
        "a=" + "b" * 40_000,
        "&".join(f"k{number}" for number in range(5000)),
        "X-Amz-Credential=%ff/2/us-east-1/lambda/x",
    ],
]

PATHS = [
    "",
    "/",
    "//",
    "/%",
    "/%00",
    "/..",
    "/%2e%2e",
    "/%2F",
    "/" + "a/" * 1000,
    "/" + "%41" * 5000,
    "/%ED%A0%80",
    "/;a=b",
]

HEADERS = [
    *[("Content-Type", kind) for kind in ("", "text/xml", "application/json; charset=utf-16", "/", "a" * 5000)],
    *[
        ("Content-Encoding", "gzip"),
        ("X-Amz-Target", "Logs_20140328.DescribeLogGroups"),
        ("X-Amz-Target", "\xff." * 99),
    ],
    *[("X-Amz-Client-Context", text) for text in ("====", "\xe9\xe9", "e30=")],
    *[("X-Amz-Invocation-Type", "event"), ("X-Amzn-Trace-Id", "\xff" + "a" * 5000), ("X-Amz-Log-Type", "tail")],
    *[("Authorization", text) for text in ("", "AWS4-HMAC-SHA256 Credential=////", "Bearer " + "a" * 20_000, "\xff")],
]


def write_json(value):
    """Write a value as JSON in ASCII, each Raw in it as it stands."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{write_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write_json, value)) + "]"
    return json.dumps(base64.b64encode(value).decode() if isinstance(value, bytes) else value)


def as_text(value):
    """Write a value where only text can be."""
    # Servers take no more than 64 KiB of a target, and the encoding triples it.
    return (value if isinstance(value, str) else write_json(value))[:10_000]


class Generator:
    """Requests out of botocore's shapes; a seed decides everything."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.models = {name: botocore.session.get_session().get_service_model(name) for name in OPERATIONS}

    def value(self, shape, depth=0):
        """Return a value that more or less fits a shape."""
        dice = self.random
        for part, words in WORDS.items():
            if part in shape.name and shape.type_name in {"string", "long"}:
                return dice.choice(words)
        if shape.type_name == "structure":
            optional = [name for name in shape.members if name not in shape.required_members]
            names = [*shape.required_members, *dice.sample(optional, min(len(optional), dice.choice([0, 1, 2])))]
            return {name: self.value(shape.members[name], depth + 1) for name in names} if depth < 5 else {}
        if shape.type_name == "list":
            return [self.value(shape.member, depth + 1) for _ in range(dice.choice([0, 1, 1, 2]))]
        if shape.type_name == "map":
            return {
                str(self.value(shape.key, depth + 1)): self.value(shape.value, depth + 1)
                for _ in range(dice.choice([0, 1]))
            }
        if shape.type_name == "blob":
            return dice.choice([CODE, CODE[:-1], b"", b"{}"])
        if shape.type_name == "boolean":
            return dice.choice([True, False])
        if shape.type_name in {"integer", "long", "float", "double", "timestamp"}:
            low = shape.metadata.get("min", 0)
            return dice.choice([low, low + 1, shape.metadata.get("max", 2**31 - 1)])
        return (
            dice.choice(shape.enum)
            if shape.enum
            else dice.choice(["a", "x" * int(shape.metadata.get("min", 1)), "b-1"])
        )

    def bent(self, value):
        """Return a value with junk in one place."""
        dice = self.random
        if isinstance(value, dict) and value and dice.random() < 0.85:
            key = dice.choice(sorted(value))
            return {**value, key: self.bent(value[key])}
        if isinstance(value, list) and value and dice.random() < 0.5:
            return [self.bent(value[0]), *value[1:]]
        return dice.choice(TEXTS) if isinstance(value, str) and dice.random() < 0.6 else dice.choice(JUNK)

    def request(self, service, name):
        """Return method, target, headers and body of one bad request."""
        dice = self.random
        operation = self.models[service].operation_model(name)
        shape = operation.input_shape
        parameters = self.value(shape) if shape is not None else {}
        if dice.random() < 0.6:
            bent = self.bent(parameters)
            parameters = bent if isinstance(bent, dict) else parameters
        method, path, headers, body, query = self.written(service, operation, parameters)
        spoiled = dice.choice([*[""] * 6, "body", "path", "query", "header", "method"])
        if spoiled == "body":
            body = dice.choice([*BODIES, body[: len(body) // 2], body + body])
        elif spoiled == "path":
            path = dice.choice([path + dice.choice(PATHS), path[: len(path) // 2] + dice.choice(PATHS)]) or "/"
        elif spoiled == "query":
            query = "&".join(filter(None, [query, dice.choice(QUERIES)]))
        elif spoiled == "header":
            headers.update([dice.choice(HEADERS)])
        elif spoiled == "method":
            method = dice.choice(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
        return method, path + ("?" + query if query else ""), headers, body

    def written(self, service, operation, parameters):
        headers = {"Authorization": SIGNED.format(service), "Content-Type": "application/json"}
        if service == "logs":
            headers["Content-Type"] = "application/x-amz-json-1.1"
            headers["X-Amz-Target"] = f"Logs_20140328.{operation.name}"
            return "POST", "/", headers, write_json(parameters).encode(), ""
        path, _, query = operation.http["requestUri"].partition("?")
        queries, in_body, body = [query] if query else [], {}, b""
        members = operation.input_shape.members if operation.input_shape is not None else {}
        for name, value in parameters.items():
            rules = members[name].serialization if name in members else {}
            wire_name, place = rules.get("name", name), rules.get("location")
            if place == "uri":
                label = quote(as_text(value).encode("utf-8", "surrogatepass"), safe="")
                path = re.sub(r"\{" + wire_name + r"\+?\}", lambda _, label=label: label, path)
            elif place == "querystring":
                queries.append(f"{wire_name}={quote(as_text(value).encode('utf-8', 'surrogatepass'), safe='')}")
            elif place in {"header", "headers"}:
                text = as_text(value).encode("utf-8", "surrogatepass").decode("latin-1")[:5000]
                headers[wire_name] = re.sub(r"[\x00-\x1f\x7f]", "?", text)
            elif operation.input_shape.serialization.get("payload") == name:
                body = value if isinstance(value, bytes) else write_json(value).encode()
            else:
                in_body[wire_name] = value
        if in_body or (not body and operation.http["method"] in {"POST", "PUT"}):
            body = write_json(in_body).encode()
        return operation.http["method"], re.sub(r"\{[^}]*\}", "x", path), headers, body, "&".join(queries)


class Connection:
    """A connection that is made anew when the server has closed it."""

    def __init__(self, port):
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def send(self, method, target, headers, body):
        """Send one request as it stands; return status, headers and body."""
        self.http.putrequest(method, target, skip_accept_encoding=True)
        for name, text in headers.items():
            self.http.putheader(name, text.encode("latin-1"))
        self.http.putheader("Content-Length", str(len(body)))
        self.http.endheaders()
        if body:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.http.send(body)
        answer = self.http.getresponse()
        found = answer.status, answer.headers, answer.read()
        if answer.will_close:
            self.http.close()
        return found

    def json(self, target):
        status, _, body = self.send("GET", target, {"Authorization": SIGNED.format("lambda")}, b"")
        return [status, json.loads(body)]


# What a fetch may show anew each time: links that expire, and what is kept initialised in the background.
FLEETING = {
    "Location",
    "Status",
    "AllocatedProvisionedConcurrentExecutions",
    "AvailableProvisionedConcurrentExecutions",
}


def lasting(value):
    """Return an answer without what changes by itself."""
    if isinstance(value, dict):
        return {key: lasting(item) for key, item in value.items() if key not in FLEETING}
    return [lasting(item) for item in value] if isinstance(value, list) else value


def state_of(connection):
    """Return all that the API shows of the stage, once nothing is under way."""
    functions = "/2015-03-31/functions"

    def settled():
        status, listed = connection.json(f"{functions}?FunctionVersion=ALL")
        assert status == 200, listed
        states = [
            connection.json(f"{functions}/{quote(item['FunctionArn'], safe='')}/configuration")
            for item in listed["Functions"]
        ]
        busy = [found for _, found in states if "Pending" in found.values() or "InProgress" in found.values()]
        # One that settled in between is in the list as it was before.
        passed = [
            found
            for item, (_, found) in zip(listed["Functions"], states, strict=True)
            if item["RevisionId"] != found.get("RevisionId")
        ]
        return None if busy or passed else [listed, states]

    shown = wait_for(settled, every_s=0.02)
    paths = [
        f"{functions}/f",
        f"{functions}/f/aliases",
        f"{functions}/f/policy",
        f"{functions}/f/policy?Qualifier=live",
        "/2019-09-30/functions/f/concurrency",
        "/2019-09-30/functions/f/provisioned-concurrency?List=ALL",
        f"/2017-03-31/tags/{quote(ARN, safe='')}",
        "/2018-10-31/layers",
        "/2018-10-31/layers/l/versions",
        "/2018-10-31/layers/l/versions/1/policy",
        "/2016-08-19/account-settings",
    ]
    return lasting([shown, *(connection.json(path) for path in paths)])


@pytest.fixture(scope="module")
def fuzzed(runtime):
    """A server of this file's own; what it writes to its log is held against it at the end."""
    made = Server().start()
    # Nothing below names it, so what becomes of the others does not matter to it.
    FunctionMaker(made.client("lambda"), runtime, "well")(ECHO)
    yield made
    code = made.stop()
    shutil.rmtree(made.data_dir, ignore_errors=True)
    assert code == 0, "the server did not stop cleanly:\n" + "".join(made.log[-50:])
    # Whole, which it is not before: a line may come behind the answer that it is about.
    assert failures_in(made.log) == []


@pytest.fixture
def set_up(fuzzed, runtime):
    """Give a function that makes what requests are about, as far as it is missing."""
    client = fuzzed.client("lambda")

    def make():
        with contextlib.suppress(client.exceptions.ResourceConflictException):
            FunctionMaker(client, runtime, "f")(ECHO, Publish=True, Tags={"k": "v"})
            client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
            for qualifier in ({}, {"Qualifier": "live"}):
                client.add_permission(
                    FunctionName="f",
                    StatementId="s",
                    Action="lambda:InvokeFunction",
                    Principal="s3.amazonaws.com",
                    **qualifier,
                )
            client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=5)
        if not client.list_layer_versions(LayerName="l")["LayerVersions"]:
            client.publish_layer_version(LayerName="l", Content={"ZipFile": CODE})

    make()
    return make


def assert_well(server):
    """The server answers, runs functions, and has not logged a failure of its own."""
    # Its own and nobody else's: what left without an end is given up.
    wait_for(lambda: server.health()["requests_in_flight"] == 1)
    answer, value = invoke(server.client("lambda"), "well", {"still": "here"})
    assert (answer["StatusCode"], value) == (200, {"still": "here"})
    assert failures_in(server.log) == []


def failures_in(log):
    return [line for line in log if "request.failed" in line or "Traceback" in line]


def test_bad_requests_change_nothing(fuzzed, set_up, request):
    """Each operation of both models, bent in one place or more: an answer below 500, and unchanged if it is a 4xx."""
    generator = Generator(seed=20260704)
    connection = Connection(fuzzed.port)
    request.addfinalizer(connection.http.close)
    state = state_of(connection)
    seen = {}
    for service, times in OPERATIONS.items():
        for name in sorted(generator.models[service].operation_names):
            for _ in range(times):
                method, target, headers, body = generator.request(service, name)
                status, answered, answer = connection.send(method, target, headers, body)
                story = f"{name}: {method} {target[:500]} {headers} {body[:500]!r}\n-> {status} {answer[:500]!r}"
                seen[status // 100] = seen.get(status // 100, 0) + 1
                assert status < 500 or status == 501, story
                assert "x-amzn-requestid" in answered or answer == b"Invalid HTTP request received.", story
                if status == 501:
                    break
                before, state = state, state_of(connection)
                if status >= 400:
                    changed = [pair for pair in zip(before, state, strict=True) if pair[0] != pair[1]]
                    assert changed == [], f"refused, and yet changed: {story}"
                elif "live" not in json.dumps(state) or '"f"' not in json.dumps(state):
                    set_up()
                    state = state_of(connection)
    # A generator whose requests all fail for the same reason would prove nothing.
    assert seen[2] >= 15 and seen[4] >= 150, seen
    assert_well(fuzzed)


GET = b"GET /2015-03-31/functions/f HTTP/1.1\r\n"
POST = b"POST /2015-03-31/functions HTTP/1.1\r\nHost: a\r\n"

RAW = {
    "nothing": b"",
    "blank lines": b"\r\n" * 100,
    "nonsense": b"\x00\x01\x02\xff\xfe nonsense\r\n\r\n",
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "HTTP/2 by force": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /2015-03-31/functions\r\n\r\n",
    "HTTP/1.0": b"GET /2015-03-31/functions HTTP/1.0\r\n\r\n",
    "HTTP/9.9": b"GET / HTTP/9.9\r\n\r\n",
    "no host": GET + b"\r\n",
    "two hosts": GET + b"Host: a\r\nHost: b\r\n\r\n",
    "a host of junk": GET + b"Host: \xff\xfe<>\"'\r\n\r\n",
    "an absolute target": b"GET http://elsewhere/2015-03-31/functions HTTP/1.1\r\nHost: a\r\n\r\n",
    "a broken absolute target": b"GET http://[::1/x HTTP/1.1\r\nHost: a\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "a tunnel": b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: a\r\n\r\n",
    "no slash": b"GET 2015-03-31/functions HTTP/1.1\r\nHost: a\r\n\r\n",
    "many slashes": b"GET /////////2015-03-31//functions//// HTTP/1.1\r\nHost: a\r\n\r\n",
    "bytes above ASCII in the path": b"GET /2015-03-31/functions/\xe9\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "bytes above ASCII in the query": b"GET /2015-03-31/functions?Marker=\xe9\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "a NUL in the path": b"GET /2015-03-31/functions/\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a fragment": b"GET /2015-03-31/functions/f#g HTTP/1.1\r\nHost: a\r\n\r\n",
    "a space in the path": b"GET /2015-03-31/functions/a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "broken percents": b"GET /2015-03-31/functions/%/%z/%2 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a path of 200 KB": b"GET /2015-03-31/functions/" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "a header of 200 KB": GET + b"Host: a\r\nX-Long: " + b"a" * 200_000 + b"\r\n\r\n",
    "five thousand headers": GET + b"Host: a\r\n" + b"X-A: b\r\n" * 5000 + b"\r\n",
    "a header without a name": GET + b"Host: a\r\n: value\r\n\r\n",
    "a header without a colon": GET + b"Host: a\r\nnonsense\r\n\r\n",
    "a header with a NUL": GET + b"Host: a\r\nX-A: a\x00b\r\n\r\n",
    "a folded header": GET + b"Host: a\r\nX-A: b\r\n c\r\n\r\n",
    "bare line feeds": GET.replace(b"\r", b"") + b"Host: a\n\n",
    "an unknown method": b"BREW /2015-03-31/functions HTTP/1.1\r\nHost: a\r\n\r\n",
    "a method of no letters": b"\xff\xff / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n{}",
    "a length of no digits": POST + b"Content-Length: \xc2\xb2\r\n\r\n{}",
    "a length beyond 64 bits": POST + b"Content-Length: 99999999999999999999\r\n\r\n{}",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "a length and chunks": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunks": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a chunk of no size": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a chunk beyond 64 bits": POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}",
    "an unknown encoding": POST + b"Transfer-Encoding: brotli\r\n\r\n{}",
    "a body that never comes": POST + b"Content-Length: 1000\r\n\r\n{",
    "a body on GET": GET + b"Host: a\r\nContent-Length: 3\r\n\r\n{}x",
    "more than was declared": POST + b"Content-Length: 2\r\n\r\n{}garbage garbage\r\n\r\n",
    "an upgrade": GET + b"Host: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n",
    "a web socket": GET
    + b"Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n\r\n",
    "an expectation": POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    "an unknown expectation": POST + b"Expect: tea\r\nContent-Length: 2\r\n\r\n{}",
    "our own paths": b"GET /_lambent/code/%00?Expires=\xff&Signature= HTTP/1.1\r\nHost: a\r\n\r\n",
    "our own paths, climbing": b"GET /_lambent/../../../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
    "a pipeline": GET + b"Host: a\r\n\r\n" + b"BREW" + GET + b"Host: a\r\n\r\n",
    "an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
}
"""Bytes that are no request, or one that only a raw socket sends."""


def statuses_of(port, sent):
    """Send bytes, close our side, and return the statuses of all that comes back before the server closes its own."""
    with socket.create_connection(("127.0.0.1", port), timeout=15) as connection:
        received = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                received += part
        return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})", received)]


@pytest.mark.parametrize("name", RAW)
def test_bytes_that_are_no_request(fuzzed, set_up, name):
    """Answered with a 4xx or with the end of the connection, soon, and the next client notices nothing."""
    statuses = statuses_of(fuzzed.port, RAW[name])
    assert [status for status in statuses if status >= 500 and status != 501] == [], name
    assert_well(fuzzed)
