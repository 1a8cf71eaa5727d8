"""The examples with URLs, as their READMEs have them: one command each."""

import subprocess

import pytest
from wire.support import LAMBENT, ROOT
from wire.test_nodejs import newest_with_callbacks
from wire.urls import ask, begin


@pytest.fixture
def deploy(server, lambda_client):
    """Deploy an example with a URL by the command line, and return the URL."""
    deployed = []

    def run(name, *options):
        command = [LAMBENT, "deploy", ROOT / "examples" / name, "--name", f"example-{name}", *options]
        done = subprocess.run(
            [*command, "--endpoint", server.endpoint], capture_output=True, text=True, check=True, timeout=120
        )
        deployed.append(f"example-{name}")
        arn, url = done.stdout.splitlines()
        assert arn.endswith(f":example-{name} $LATEST")
        return url

    yield run
    for name in set(deployed):
        lambda_client.delete_function(FunctionName=name)


def test_json_api(lambda_client, deploy):
    """examples/json-api: routes, errors and a cookie; deployed again, it has the URL that it had."""
    url = deploy("json-api", "--url", "buffered")
    first = ask(url)
    assert (first.status, first.json) == (200, {"visits": 1})
    cookie = first.one("set-cookie").partition(";")[0]
    assert ask(url, headers=[("Cookie", cookie)]).json == {"visits": 2}
    assert ask(url, target="/greetings/Ada?language=fr").json == {"greeting": "Bonjour, Ada!"}
    assert ask(url, target="/greetings/Ada?language=xx").status == 400
    for content_type in ("application/json", "application/x-www-form-urlencoded"):
        reply = ask(url, "POST", "/sums", b"[1, 2.5]", [("Content-Type", content_type)])
        assert (reply.status, reply.json, reply.one("cache-control")) == (201, {"sum": 3.5}, "no-store")
    assert ask(url, "POST", "/sums", b"{").status == 400
    assert ask(url, target="/elsewhere").status == 404
    assert deploy("json-api", "--url", "stream") == url
    assert lambda_client.get_function_url_config(FunctionName="example-json-api")["InvokeMode"] == "RESPONSE_STREAM"
    assert ask(url).json == {"visits": 1}


def test_node_stream(deploy):
    """examples/node-stream: the page begins before its last line is written."""
    url = deploy("node-stream", "--url", "stream", "--runtime", newest_with_callbacks(), "--memory", "256")
    response = begin(url, "/?pause_ms=300")
    assert (response.status, response.getheader("content-type")) == (200, "text/html; charset=utf-8")
    assert response.readline().startswith(b"<!doctype html>")
    assert response.readline() == b'<p id="line-1">The head left before the first word.</p>\n'
    rest = response.read()
    assert rest.endswith(b'<p id="line-3">That was all.</p>\n</html>\n')
