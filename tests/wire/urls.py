"""Function URLs as a client meets them: how tests open one, and how they ask it."""

import base64
import http.client
import json
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from wire.support import FunctionMaker

ECHO = "def handler(e, c): return e"

ANSWERS = """
import base64, json
def handler(event, context):
    path = event["rawPath"]
    if path == "/raise":
        raise RuntimeError("secret")
    if path == "/exit":
        import os
        os._exit(3)
    return json.loads(base64.b64decode(event["headers"]["x-return"]))
"""
"""Returns what a request asks it to."""


def open_to_all(client, name, **qualifier):
    """Grant what anybody needs to use a function's URL. Documented: two actions, since October 2025."""
    client.add_permission(
        FunctionName=name, StatementId="url", Action="lambda:InvokeFunctionUrl", Principal="*",
        FunctionUrlAuthType="NONE", **qualifier,
    )  # fmt: skip
    client.add_permission(
        FunctionName=name, StatementId="invoke", Action="lambda:InvokeFunction", Principal="*",
        InvokedViaFunctionUrl=True, **qualifier,
    )  # fmt: skip


def make_url(client, name, **settings):
    """Make a function's URL, open to all, and return it."""
    qualifier = {key: settings[key] for key in ("Qualifier",) if key in settings}
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE", **settings)["FunctionUrl"]
    open_to_all(client, name, **qualifier)
    return url


@contextmanager
def functions(server, runtime, prefix, **sources):
    """Make functions from their sources, each with a URL; give the URLs by the sources' names."""
    client = server.client("lambda")
    maker = FunctionMaker(client, runtime, prefix)
    yield {
        kind: make_url(client, maker(source, name=f"{prefix}-{kind}", MemorySize=256))
        for kind, source in sources.items()
    }
    for _, name in maker.made:
        client.delete_function(FunctionName=name)


def id_of(url):
    return urlsplit(url).hostname.partition(".")[0]


@dataclass
class Reply:
    status: int
    headers: list
    body: bytes

    def all(self, name):
        """Return every value of a header, in order: clients that make a dict of them lose some."""
        return [value for key, value in self.headers if key.lower() == name]

    def one(self, name):
        (value,) = self.all(name)
        return value

    @property
    def json(self):
        return json.loads(self.body)


def connect(url):
    """Connect to the server, whatever this machine's resolver makes of names below localhost."""
    return http.client.HTTPConnection("127.0.0.1", urlsplit(url).port, timeout=30)


def ask(url, method="GET", target="/", body=None, headers=()):
    """Send one request, its target and headers as they are given, names and values in pairs."""
    connection = connect(url)
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", urlsplit(url).netloc)
    for name, value in headers:
        connection.putheader(name, value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    response = connection.getresponse()
    reply = Reply(response.status, response.getheaders(), response.read())
    connection.close()
    return reply


def begin(url, target="/"):
    """Send a request and return its response, of which nothing but the head has been read."""
    connection = connect(url)
    connection.request("GET", target, headers={"Host": urlsplit(url).netloc, "Connection": "close"})
    return connection.getresponse()


def raw(url, request):
    """Send bytes as they are and return all that comes back until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=30) as connection:
        connection.sendall(request.replace(b"{host}", urlsplit(url).netloc.encode()))
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def returning(url, value, method="GET"):
    """Ask for what follows from a value that a function returns."""
    return ask(url, method, headers=[("X-Return", base64.b64encode(json.dumps(value).encode()).decode())])
