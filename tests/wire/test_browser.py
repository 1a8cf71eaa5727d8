"""Function URLs in a real browser, which finds them by their host names and holds pages to its own rules."""

import base64
import json
import subprocess

import pytest
from wire.support import LAMBENT, ROLE, ROOT, wait_for, zip_of
from wire.test_nodejs import newest_with_callbacks
from wire.test_streaming import NODE
from wire.urls import ask, functions, id_of, make_url

PAGE = """
def handler(event, context):
    cookies = ["plain=1; SameSite=Lax", "hidden=2; HttpOnly; SameSite=Strict"] if event["rawPath"] == "/set" else []
    body = "<!doctype html><title>A page</title>Cookies: %s" % "; ".join(sorted(event.get("cookies", [])))
    return {"statusCode": 200, "headers": {"content-type": "text/html"}, "cookies": cookies, "body": body}
"""

API = """
import json
runs = []
def handler(event, context):
    runs.append(event["requestContext"]["http"]["method"])
    told = {"runs": runs, "custom": event["headers"].get("x-custom"), "cookies": event.get("cookies", [])}
    return {"statusCode": 200, "headers": {"x-shown": "yes", "x-kept": "yes"},
            "cookies": ["api=1; HttpOnly; SameSite=Lax"], "body": json.dumps(told)}
"""


@pytest.fixture(scope="module")
def urls(browser, server, runtime):
    with functions(server, runtime, "browser", page=PAGE, api=API) as made:
        yield made


def origin_of(url):
    return url.rstrip("/")


def wait_free(server):
    """Wait until what has answered is free: the next call runs where the one before did."""
    wait_for(lambda: server.health()["environments"]["busy"] == 0)


def test_a_stream_is_on_the_page_before_its_end_is_sent(browser, lambda_client, make_function):
    """The function sends its last piece after the test has seen the first one on the page."""
    body = (
        # Browsers ask for an icon, too. That is nobody's business here, and would wait for what is deleted by then.
        "if (event.rawPath !== '/') { stream.end(); return; }"
        "stream = awslambda.HttpResponseStream.from(stream,"
        " {statusCode: 200, headers: {'Content-Type': 'text/html; charset=utf-8'}});"
        "stream.write('<!doctype html><title>A stream</title><p id=first>first</p>'); await told(context, 'go');"
        "stream.end('<p id=last>last</p>');"
    )
    node = newest_with_callbacks()
    name = make_function(
        entries={"index.js": NODE % body}, Runtime=node, Handler="index.handler", Timeout=60, MemorySize=256
    )
    browser.open(make_url(lambda_client, name, InvokeMode="RESPONSE_STREAM"))
    assert browser.see("#first") == "first"
    assert browser.run("return [document.readyState, document.querySelector('#last')]") == ["loading", None]
    arn = lambda_client.get_function_configuration(FunctionName=name)["FunctionArn"]
    lambda_client.tag_resource(Resource=arn, Tags={"go": "now"})
    assert browser.see("#last") == "last"


def test_the_streaming_example(browser, server, lambda_client, unique_name):
    """examples/node-stream, as its README has it: the page is there while its lines are not."""
    command = [LAMBENT, "deploy", ROOT / "examples" / "node-stream", "--name", unique_name, "--url", "stream"]
    options = ["--timeout", "30", "--runtime", newest_with_callbacks(), "--endpoint", server.endpoint]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=True, timeout=120)
    # The function takes three pauses from the first piece to the last.
    browser.open(done.stdout.splitlines()[-1] + "?pause_ms=3000")
    assert browser.see("h1") == "A stream"
    assert browser.run("return [document.readyState, document.querySelector('#line-3')]") == ["loading", None]
    assert browser.see("#line-3") == "That was all."
    lambda_client.delete_function(FunctionName=unique_name)


def test_cookies_come_back_to_the_function_that_set_them(browser, urls):
    """Those that scripts may not see, too; no other function's URL gets them."""
    assert browser.read(urls["page"] + "set") == "Cookies:"
    assert browser.read(urls["page"]) == "Cookies: hidden=2; plain=1"
    assert browser.run("return document.cookie") == "plain=1"


def test_another_origin_asks_first(browser, server, urls, lambda_client):
    """
    A request that needs leave is sent where the configuration gives it, to the page that it names, and nowhere else.

    Without a configuration the function is asked itself, and has no answer that a browser takes for leave.
    """
    api, name = urls["api"], "browser-api"
    wanted = {"method": "PUT", "headers": {"X-Custom": "from a page"}, "body": "text", "credentials": "include"}
    browser.read(urls["page"] + "set")
    assert browser.fetch(api, **wanted) == {"error": "TypeError"}
    wait_free(server)
    assert ask(api).json["runs"] == ["OPTIONS", "GET"]

    cors = {
        "AllowOrigins": ["http://elsewhere.localhost"], "AllowMethods": ["PUT"], "AllowHeaders": ["x-custom"],
        "AllowCredentials": True, "ExposeHeaders": ["x-shown"],
    }  # fmt: skip
    lambda_client.update_function_url_config(FunctionName=name, Cors=cors)
    assert browser.fetch(api, **wanted) == {"error": "TypeError"}

    cors["AllowOrigins"] = [origin_of(urls["page"])]
    lambda_client.update_function_url_config(FunctionName=name, Cors=cors)
    wait_free(server)
    answer = browser.fetch(api, **wanted)
    assert (answer["status"], answer["type"]) == (200, "cors")
    assert answer["headers"]["x-shown"] == "yes" and "x-kept" not in answer["headers"]
    # The server answered both preflights, and the refused request was never sent.
    told = json.loads(answer["text"])
    assert told == {"runs": ["OPTIONS", "GET", "PUT"], "custom": "from a page", "cookies": []}
    # Its own cookie comes back to it; the page's stays with the page.
    assert json.loads(browser.fetch(api, **wanted)["text"])["cookies"] == ["api=1"]
    assert browser.fetch(api, **{**wanted, "headers": {"X-Other": "1"}}) == {"error": "TypeError"}


def test_no_page_uses_the_api(browser, server, lambda_client, runtime, urls, unique_name):
    """
    A page by path has no rights on the server's origin, which has no rights on the page; nor has one by host name.

    What a browser sends without leave is refused by the server, though the same is done for a client that is none.
    """
    code = {"ZipFile": base64.b64encode(zip_of({"app.py": "def handler(e, c): return 1"})).decode()}
    named = {"FunctionName": unique_name, "Runtime": runtime, "Handler": "app.handler", "Role": ROLE}
    create = json.dumps({**named, "Code": code})
    target = "/2015-03-31/functions"
    by_path = f"{server.endpoint}/_lambent/url/{id_of(urls['page'])}/"
    for place, origin in ((by_path, "null"), (urls["page"], origin_of(urls["page"]))):
        assert browser.read(place).startswith("Cookies:")
        assert browser.run("return self.origin") == origin
        assert browser.fetch(server.endpoint + target) == {"error": "TypeError"}
        simple = {"method": "POST", "mode": "no-cors", "untyped": create}
        assert browser.fetch(server.endpoint + target, **simple)["type"] == "opaque"
        with pytest.raises(lambda_client.exceptions.ResourceNotFoundException):
            lambda_client.get_function(FunctionName=unique_name)
    browser.read(by_path)
    denied = "try { return document.cookie } catch (error) { return error.name }"
    assert browser.run(denied) == "SecurityError"
    assert ask(server.endpoint, "POST", target, create.encode()).status == 201
    lambda_client.delete_function(FunctionName=unique_name)
