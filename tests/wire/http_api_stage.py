"""HTTP APIs as their clients meet them: how tests make one, and how they ask it. tests/wire/urls.py has the rest."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from wire.support import ACCOUNT, REGION
from wire.urls import ask

SERVICE = "apigateway.amazonaws.com"

ECHO = """
def handler(event, context):
    import json
    seen = [context.function_version, context.invoked_function_arn]
    return {"statusCode": 200, "headers": {"content-type": "application/json", "x-seen": json.dumps(seen)},
            "body": json.dumps(event)}
"""
"""Answers with the event that it got."""

ANSWERS = """
import base64, json, time
def handler(event, context):
    if "sleep" in event["headers"]:
        time.sleep(float(event["headers"]["sleep"]))
    if "raise" in event["headers"]:
        raise RuntimeError("secret")
    return json.loads(base64.b64decode(event["headers"]["x-return"]))
"""
"""Returns what a request asks it to."""


def arn_of(name):
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def let_in(client, name, api="*", **qualifier):
    """Let API Gateway invoke a function."""
    client.add_permission(
        FunctionName=name,
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal=SERVICE,
        SourceArn=f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api}/*",
        **qualifier,
    )


class Api:
    """One HTTP API with the stage `$default`, which serves each change at once."""

    def __init__(self, apis, **settings):
        self.apis = apis
        self.made = apis.create_api(Name="test", ProtocolType="HTTP", **settings)
        self.id = self.made["ApiId"]
        self.endpoint = self.made["ApiEndpoint"]
        if "Target" not in settings:
            apis.create_stage(ApiId=self.id, StageName="$default", AutoDeploy=True)

    def function(self, arn, **settings):
        """Make an integration of a function; return its id."""
        wanted = {"PayloadFormatVersion": "2.0", "IntegrationType": "AWS_PROXY", "IntegrationUri": arn, **settings}
        return self.apis.create_integration(ApiId=self.id, **wanted)["IntegrationId"]

    def server(self, url, **settings):
        """Make an integration of an HTTP server; return its id."""
        wanted = {"IntegrationMethod": "ANY", "PayloadFormatVersion": "1.0", **settings}
        return self.apis.create_integration(ApiId=self.id, IntegrationType="HTTP_PROXY", IntegrationUri=url, **wanted)[
            "IntegrationId"
        ]

    def route(self, key, integration, **settings):
        return self.apis.create_route(ApiId=self.id, RouteKey=key, Target=f"integrations/{integration}", **settings)[
            "RouteId"
        ]

    def stage(self, **settings):
        self.apis.update_stage(ApiId=self.id, StageName="$default", **settings)

    def ask(self, target="/", method="GET", body=None, headers=()):
        return ask(self.endpoint, method, target, body, list(headers))

    def event(self, target="/", method="GET", body=None, headers=()):
        """Ask ECHO, and return the event that it got."""
        reply = self.ask(target, method, body, headers)
        assert reply.status == 200, reply
        return json.loads(reply.body)

    def delete(self):
        self.apis.delete_api(ApiId=self.id)


class Upstream:
    """A real HTTP server, which keeps what it was asked and answers as the test has said for a path."""

    def __init__(self, server):
        self.port = server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.asked = []
        self.answers = {}

    def answer(self, path, status=200, headers=(), body=b"ok"):
        self.answers[path] = (status, headers, body)


@contextmanager
def upstream():
    """Run such a server in a thread."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def _handle(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            made.asked.append((self.command, self.path, self.headers.items(), body))
            status, headers, answer = made.answers.get(urlsplit(self.path).path, (200, (), b"ok"))
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            if callable(answer):
                answer(self)
                return
            if status != 204:
                self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _handle

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Upstream(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
