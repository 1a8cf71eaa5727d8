"""
The ways by which HTTP reaches a function, each as a `Door`, and what is sent there byte by byte.

Another way is one more entry of `DOORS`.
"""

import json
import socket
import ssl
import time
from urllib.parse import urlsplit

from wire.support import FunctionMaker, wait_for
from wire.urls import id_of, make_url

# What came stands in the log, so that a test knows what reached the function, in whichever environment.
REMEMBERS = """
import json
def handler(event, context):
    is_http = isinstance(event, dict) and "requestContext" in event
    got = json.loads(event.get("body") or "null") if is_http else event
    print("got " + json.dumps(got))
    return {"got": got}
"""


class Door:
    """
    One way to a function that remembers what it got.

    Args:
        server: where it is, with a function of that name.
        host: for the Host header.
        target: for the request line.
        context: what TLS is spoken with; None: none is.
        takes_long_heads: whether a head may be as long as the server reads.
    """

    def __init__(self, server, name, host, target, context=None, takes_long_heads=True):
        self.port = server.port
        self.host = host
        self.target = target
        self._server = server
        self._name = name
        self._context = context
        self.takes_long_heads = takes_long_heads

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is None:
            return connection
        return self._context.wrap_socket(connection, server_hostname="127.0.0.1")

    def filled(self, text):
        """Return the bytes of a request of which `{host}` and `{target}` are this door's."""
        return text.replace(b"{host}", self.host.encode()).replace(b"{target}", self.target.encode())

    def request(self, payload, *headers):
        """Return the bytes of a request that hands the function a payload."""
        body = json.dumps(payload).encode()
        lines = [b"POST {target} HTTP/1.1", b"Host: {host}", *headers, b"Content-Length: %d" % len(body)]
        return self.filled(b"\r\n".join(lines) + b"\r\n\r\n") + body

    def raw(self, sent):
        """Send bytes and return all that comes back until the server ends the connection."""
        with self.connect() as connection:
            connection.sendall(self.filled(sent))
            return read_all(connection)

    def seen_since(self, before):
        """Return the payloads that reached the function since a moment that `now` gave, sorted."""
        wait_for(lambda: self._server.health()["environments"]["busy"] == 0)
        client = self._server.client("logs")
        pages = client.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{self._name}", startTime=before
        )
        lines = [event["message"] for page in pages for event in page["events"]]
        payloads = [json.loads(line.removeprefix("got ")) for line in lines if line.startswith("got ")]
        return sorted(payloads, key=lambda payload: (str(type(payload)), payload))

    @staticmethod
    def now():
        """Return a moment that nothing before it is counted in: times of the log are whole milliseconds."""
        time.sleep(0.002)
        return int(time.time() * 1000)


def doors(server, runtime, name, context=None):
    """
    Yield every way to one function of a server, by name.

    Args:
        context: what TLS is spoken with; None: none is.
    """
    client = server.client("lambda")
    maker = FunctionMaker(client, runtime, name)
    maker(REMEMBERS)
    url = make_url(client, name)
    at, local = urlsplit(url).netloc, f"127.0.0.1:{server.port}"
    apis = server.client("apigatewayv2")
    arn = client.get_function_configuration(FunctionName=name)["FunctionArn"]
    api = apis.create_api(Name=name, ProtocolType="HTTP", Target=arn)
    client.add_permission(
        FunctionName=name, StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    # Its log is there once it has run.
    client.invoke(FunctionName=name)
    yield {
        "api": Door(server, name, local, f"/2015-03-31/functions/{name}/invocations", context),
        "url": Door(server, name, at, "/", context),
        "url-by-path": Door(server, name, local, f"/_lambent/url/{id_of(url)}/", context),
        "http-api": Door(server, name, urlsplit(api["ApiEndpoint"]).netloc, "/", context, takes_long_heads=False),
    }
    apis.delete_api(ApiId=api["ApiId"])
    client.delete_function(FunctionName=name)


DOORS = ("api", "url", "url-by-path", "http-api")


def read_all(connection):
    """Return what comes until the server ends the connection, by whichever end."""
    got = []
    try:
        while piece := connection.recv(65_536):
            got.append(piece)
    except (ConnectionError, ssl.SSLEOFError):
        pass
    return b"".join(got)


def answers_of(got):
    """Take bytes apart into answers: status, headers in lower case, body. Interim ones are among them."""
    found = []
    while got:
        head, end, got = got.partition(b"\r\n\r\n")
        assert end, head
        line, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = line.split(" ", 2)
        assert version == "HTTP/1.1", line
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = b""
        if "transfer-encoding" in headers:
            while size := int(got.partition(b"\r\n")[0], 16):
                got = got.partition(b"\r\n")[2]
                body, got = body + got[:size], got[size + 2 :]
            got = got.partition(b"\r\n\r\n")[2]
        elif int(status) >= 200:
            length = int(headers.get("content-length", 0)) if int(status) not in (204, 304) else 0
            body, got = got[:length], got[length:]
        found.append((int(status), headers, body))
    return found


BEHIND = b'POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\n\r\n"smuggled"'
"""What must not be taken for a request behind one that two servers could read in two ways."""

_START = b"POST {target} HTTP/1.1\r\nHost: {host}\r\n"
_CHUNKED = _START + b"Transfer-Encoding: chunked\r\n\r\n"

MALFORMED = {
    "both lengths": _START + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both lengths, turned": _START + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": _START + b"Content-Length: 0\r\nContent-Length: 91\r\n\r\n",
    "two equal lengths": _START + b'Content-Length: 3\r\nContent-Length: 3\r\n\r\n"a"',
    "a list of lengths": _START + b'Content-Length: 3, 3\r\n\r\n"a"',
    "a signed length": _START + b'Content-Length: +3\r\n\r\n"a"',
    "a negative length": _START + b"Content-Length: -1\r\n\r\n",
    "a length in hexadecimal": _START + b'Content-Length: 0x3\r\n\r\n"a"',
    "an endless length": _START + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "an empty length": _START + b"Content-Length: \r\n\r\n",
    "space before the colon": _START + b'Content-Length : 3\r\n\r\n"a"',
    "chunked and identity": _START + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a coding nobody knows": _START + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a coding before chunked": _START + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "two codings": _START + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": _START + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a tab before chunked": _START + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "chunks of HTTP/1.0": _CHUNKED.replace(b"/1.1", b"/1.0") + b'3\r\n"a"\r\n0\r\n\r\n',
    "a fold": _START + b"X-A: a\r\n Content-Length: 3\r\n\r\n",
    "a fold at once": b"POST {target} HTTP/1.1\r\n Host: {host}\r\n\r\n",
    "line feeds alone": b"POST {target} HTTP/1.1\nHost: {host}\nContent-Length: 3\n\n",
    "one line feed alone": _START + b"X-A: a\nContent-Length: 3\r\n\r\n",
    "a carriage return alone": _START + b"X-A: a\rContent-Length: 3\r\n\r\n",
    "NUL in a value": _START + b"X-A: a\x00b\r\n\r\n",
    "NUL in a name": _START + b"X-\x00A: b\r\n\r\n",
    "a control in a value": _START + b"X-A: a\x07b\r\n\r\n",
    "a name with a space": _START + b"X A: b\r\n\r\n",
    "no name": _START + b": b\r\n\r\n",
    "no colon": _START + b"no colon\r\n\r\n",
    "a chunk longer than it says": _CHUNKED + b'3\r\n"abc"\r\n0\r\n\r\n',
    "a chunk shorter than it says": _CHUNKED + b'9\r\n"a"\r\n0\r\n\r\n\r\n\r\n',
    "a chunk of no size": _CHUNKED + b"\r\n\r\n0\r\n\r\n",
    "a chunk of letters": _CHUNKED + b"zz\r\n\r\n0\r\n\r\n",
    "a chunk in 0x": _CHUNKED + b'0x3\r\n"a"\r\n0\r\n\r\n',
    "a signed chunk": _CHUNKED + b'+3\r\n"a"\r\n0\r\n\r\n',
    "a chunk with an underscore": _CHUNKED + b'0_3\r\n"a"\r\n0\r\n\r\n',
    "a chunk beyond 64 bits": _CHUNKED + b'10000000000000003\r\n"a"\r\n0\r\n\r\n',
    "a line feed in an extension": _CHUNKED + b'3;a\nb\r\n"a"\r\n0\r\n\r\n',
    "a line feed behind a size": _CHUNKED + b'3\n"a"\n0\n\n',
    "a trailer with a NUL": _CHUNKED + b'3\r\n"a"\r\n0\r\nX-A: \x00\r\n\r\n',
    "no host": b'POST {target} HTTP/1.1\r\nContent-Length: 3\r\n\r\n"a"',
    "two hosts": _START + b'Host: other.example\r\nContent-Length: 3\r\n\r\n"a"',
    "two equal hosts": _START + b'Host: {host}\r\nContent-Length: 3\r\n\r\n"a"',
    "another host in the target": _START.replace(b"{target}", b"http://other.example{target}") + b"\r\n",
    "a fragment": b'POST {target}#a HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\n\r\n"a"',
    "a space in the target": b"POST {target} a HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "NUL in the target": b"POST {target}\x00 HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "bytes in the target": b"POST {target}\xff HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "no target": b"POST HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "HTTP/0.9": b"GET {target}\r\n\r\n",
    "HTTP/1.2": b'POST {target} HTTP/1.2\r\nHost: {host}\r\nContent-Length: 3\r\n\r\n"a"',
    "HTTP/2.0": b'POST {target} HTTP/2.0\r\nHost: {host}\r\nContent-Length: 3\r\n\r\n"a"',
    "HTTP/2 that is known before": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "no HTTP": b"POST {target} HTTQ/1.1\r\nHost: {host}\r\n\r\n",
    "CONNECT": b"CONNECT other.example:443 HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(80),
}  # fmt: skip
"""What two servers could read in two ways, or what is no HTTP at all."""
