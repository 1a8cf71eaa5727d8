"""examples/starlette-app, as its README has it: pip brings a web framework, and its app is asked over HTTP."""

import gzip
import json
import re
import subprocess
from urllib.parse import urlencode

import pytest
from wire.support import LAMBENT, ROOT, wait_for, wait_updated
from wire.urls import ask

NAME = "example-starlette"
KEY = {"SESSION_KEY": "k" * 32}
JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")


@pytest.fixture(scope="module")
def url(server, lambda_client):
    command = [LAMBENT, "deploy", ROOT / "examples" / "starlette-app", "--name", NAME, "--url", "buffered"]
    options = ["--memory", "256", "--env", f"SESSION_KEY={KEY['SESSION_KEY']}", "--endpoint", server.endpoint]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, timeout=120)
    if "connection broken by" in done.stderr:
        pytest.skip("needs:package-index:make test where pip reaches a package index")
    assert done.returncode == 0, done.stderr
    assert "running `pip install -r requirements.txt`" in done.stderr
    yield done.stdout.splitlines()[-1]
    lambda_client.delete_function(FunctionName=NAME)


class Reader:
    """A client that keeps cookies, as a browser does."""

    def __init__(self, url):
        self.url = url
        self.cookies = {}

    def ask(self, method, target, body=None, *headers):
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        reply = ask(self.url, method, target, body, [*headers, *([("Cookie", cookies)] if cookies else [])])
        for cookie in reply.all("set-cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return reply

    def add(self, title, *tags):
        body = json.dumps({"title": title, "tags": tags}).encode()
        return self.ask("POST", "/api/books", body, JSON)

    def titles(self, query=""):
        return [book["title"] for book in self.ask("GET", "/api/books" + query).json]


@pytest.fixture
def reader(url):
    return Reader(url)


@pytest.fixture
def log(logs_client):
    """Wait until the function's log has something, and give what it had to say in that invocation."""

    def read(pattern):
        def found():
            pages = logs_client.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{NAME}")
            text = "".join(event["message"] for page in pages for event in page["events"])
            return next((said for said in text.split("START RequestId: ") if re.search(pattern, said)), None)

        return wait_for(found)

    return read


def test_a_form_a_session_and_pages(url, reader):
    """What is sent by a form is on the page, for whoever has the cookie: a changed one is nobody's."""
    reply = reader.ask("POST", "/books", urlencode([("title", "<Moby> ü"), ("tag", "sea"), ("tag", "")]).encode(), FORM)
    assert (reply.status, reply.one("location")) == (303, "./")
    assert re.fullmatch(r"session=\S+; path=/; Max-Age=1209600; httponly; samesite=lax", reply.one("set-cookie"))
    page = reader.ask("GET", "/")
    assert (page.status, page.one("content-type")) == (200, "text/html; charset=utf-8")
    assert '<li><a href="books/1">&lt;Moby&gt; ü</a> sea</li>' in page.body.decode()
    assert reader.ask("GET", "/books/1").body.decode().endswith('<p>sea</p><p><a href="../">The list</a></p>')
    # Beside other cookies, in whichever header; what is not set again is not sent again.
    reader.cookies["other"] = "1"
    assert reader.titles() == ["<Moby> ü"]
    assert reader.ask("GET", "/").all("set-cookie") == []
    assert Reader(url).titles() == []
    forged = Reader(url)
    forged.cookies["session"] = "f" + reader.cookies["session"][1:]
    assert forged.titles() == []


def test_in_a_browser(url, browser):
    """Its form, its links and its cookie work as a browser takes them: paths are below the URL, wherever that is."""
    browser.open(url)
    browser.type("[name=title]", "Middlemarch")
    browser.click("button")
    assert browser.see("li a") == "Middlemarch"
    browser.click("li a")
    assert browser.see("a[href='../']") == "The list"
    browser.click("a[href='../']")
    assert browser.see("li a") == "Middlemarch"


def test_json_and_repeated_keys(reader):
    """Books are made, selected by ?tag=a&tag=b, read by a number in the path, and deleted."""
    made = reader.add("Ulysses", "sea", "Dublin")
    assert (made.status, made.one("location"), made.one("content-type")) == (201, "/api/books/1", "application/json")
    for title, tag in (("Emma", "love"), ("War and Peace", "war")):
        assert reader.add(title, tag).status == 201
    assert reader.titles("?tag=war&tag=sea") == ["Ulysses", "War and Peace"]
    assert reader.titles("?tag=Dubl%69n") == ["Ulysses"]
    assert reader.ask("GET", "/api/books/2").json == {"title": "Emma", "tags": ["love"]}
    gone = reader.ask("DELETE", "/api/books/2")
    assert (gone.status, gone.body) == (204, b"")
    assert reader.titles() == ["Ulysses", "War and Peace"]


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 9_000, b"[1]", b"{}", b'{"title": " "}', b'{"title": "\\ud800"}'])
def test_what_is_no_book_is_refused(reader, body):
    reply = reader.ask("POST", "/api/books", body, JSON)
    assert (reply.status, reply.json.keys()) == (400, {"error"})
    assert reader.cookies == {}


def test_a_list_is_no_larger_than_a_cookie(reader):
    """What is too much is refused, and the list is as it was."""
    refused = next(reply for reply in (reader.add("ü" * 40) for _ in range(20)) if reply.status != 201)
    assert (refused.status, refused.json) == (409, {"error": "the list is full"})
    assert len(reader.cookies["session"]) < 4_000
    assert set(reader.titles()) == {"ü" * 40}


def test_bytes_both_ways(url, reader):
    """A download is an upload for another client, byte by byte; what unpacks to more than it may is not unpacked."""
    reader.add("Emma", "love")
    packed = reader.ask("GET", "/backup")
    assert (packed.status, packed.one("content-type")) == (200, "application/gzip")
    assert packed.one("content-disposition") == 'attachment; filename="books.json.gz"'
    assert int(packed.one("content-length")) == len(packed.body)
    assert json.loads(gzip.decompress(packed.body)) == [{"title": "Emma", "tags": ["love"]}]
    other = Reader(url)
    assert other.ask("PUT", "/backup", packed.body, ("Content-Type", "application/gzip")).status == 204
    assert other.titles() == ["Emma"]
    for wrong in (b"", packed.body[1:], gzip.compress(b"1"), gzip.compress(b"[" + b" " * 10_000_000 + b"]")):
        assert other.ask("PUT", "/backup", wrong, ("Content-Type", "application/gzip")).status == 400
    assert other.titles() == ["Emma"]


def test_other_methods_and_other_paths(reader):
    """HEAD is GET without a body; what is not there is a page for people and JSON for programs."""
    head, get = reader.ask("HEAD", "/"), reader.ask("GET", "/")
    assert (head.status, head.body, head.one("content-type")) == (200, b"", get.one("content-type"))
    options = reader.ask("OPTIONS", "/api/books/1")
    assert (options.status, set(options.one("allow").split(", "))) == (405, {"GET", "HEAD"})
    assert options.json == {"error": "Method Not Allowed"}
    missing = reader.ask("GET", "/nowhere/%3Cb%3E")
    assert (missing.status, missing.one("content-type")) == (404, "text/html; charset=utf-8")
    assert b"<h1>Error 404</h1><p>Not Found</p>" in missing.body
    assert reader.ask("GET", "/api/books/7").json == {"error": "there is no book 7"}


def test_an_error_of_the_app_is_its_own_page(reader, log):
    """500 of the app, no 502 of the server; why is in the log, and the environment goes on."""
    reply = reader.ask("GET", "/fail")
    assert (reply.status, reply.one("content-type")) == (500, "text/html; charset=utf-8")
    assert b"that was our mistake" in reply.body and b"nobody" not in reply.body
    assert "Traceback (most recent call last)" in log(r"RuntimeError: nobody is told this but the log")
    assert reader.ask("GET", "/").status == 200


def test_lifespan_and_a_task_in_the_background(reader, log):
    """Startup comes before a request, then its task, then shutdown: all of it within the invocation."""
    reader.ask("POST", "/books", b"title=Lifespan", FORM)
    assert log(r'(?s)\{"journal": \["added Lifespan"\]\}.*END RequestId: ')


def test_without_its_key_the_app_does_not_begin(reader, lambda_client, log):
    """A key that is made up would be another one in each environment."""
    lambda_client.update_function_configuration(FunctionName=NAME, Environment={"Variables": {}})
    wait_updated(lambda_client, NAME)
    assert reader.ask("GET", "/").status == 502
    assert log(r"set SESSION_KEY in the function's environment")
    lambda_client.update_function_configuration(FunctionName=NAME, Environment={"Variables": KEY})
    wait_updated(lambda_client, NAME)
    assert reader.ask("GET", "/").status == 200
