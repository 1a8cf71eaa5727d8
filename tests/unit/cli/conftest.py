"""A stand-in for a server, and a way to run the command line against it."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from lambent.cli.main import run


@dataclass
class Request:
    """One request as it arrived."""

    method: str
    path: str
    query: str
    operation: str
    """What X-Amz-Target names after the dot, for the logs API."""
    headers: Any
    body: bytes


@dataclass
class Answer:
    """What the stand-in answers."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class StandIn:
    """An HTTP server that answers by rules, and remembers what it was asked."""

    endpoint: str
    requests: list[Request] = field(default_factory=list)
    rules: dict[str, Callable[[Request], Answer]] = field(default_factory=dict)
    """By `METHOD path` for the lambda API, by operation for the logs API."""

    def json(self, key: str, *documents: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Answer `key` with one document after the other, the last one for ever."""
        left = list(documents)

        def rule(_request: Request) -> Answer:
            document = left.pop(0) if len(left) > 1 else left[0]
            return Answer(json.dumps(document).encode(), status, headers or {})

        self.rules[key] = rule

    def refuse(self, key: str, code: str, message: str, status: int = 400) -> None:
        """Answer `key` with an error, in the form of both APIs."""
        document = {"__type": code, "message": message, "Type": "User"}
        self.json(key, document, status=status, headers={"x-amzn-ErrorType": code})


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    """Run the stand-in on a free port while the test runs."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            parts = urlsplit(self.path)
            operation = (self.headers.get("X-Amz-Target") or "").rpartition(".")[2]
            request = Request(self.command, parts.path, parts.query, operation, self.headers, self.rfile.read(length))
            found.requests.append(request)
            rule = found.rules.get(operation or f"{request.method} {request.path}")
            answer = rule(request) if rule else Answer(b"{}", 500)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = _answer

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = StandIn(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True)
class Finished:
    """How a command line ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def lambent(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> Callable[..., Finished]:
    """Run one command line, as if there were no AWS configuration and no lambent.toml on this machine."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "LAMBENT_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)

    def run_one(*arguments: str) -> Finished:
        code = run(arguments)
        captured = capfd.readouterr()
        return Finished(code, captured.out, captured.err)

    return run_one
