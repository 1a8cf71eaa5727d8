"""`lambent invoke`: what is sent, what is printed, which exit code."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
PATH = "POST /2015-03-31/functions/hello/invocations"


def test_the_answer_is_all_that_stdout_gets(lambent: Run, stand_in: Any) -> None:
    """The payload goes out as it came, so that it can be piped."""
    stand_in.json(PATH, {"greeting": "hi"})
    finished = lambent("invoke", "hello", "--payload", '{"name": "Ada"}', "--endpoint", stand_in.endpoint)
    assert (finished.code, finished.out, finished.err) == (0, '{"greeting": "hi"}\n', "")
    request = stand_in.requests[0]
    assert request.body == b'{"name": "Ada"}'
    assert "Credential=test/" in request.headers["Authorization"]
    assert "/us-east-1/lambda/" in request.headers["Authorization"]


def test_a_payload_need_not_be_utf_8(lambent: Run, stand_in: Any) -> None:
    """Bytes of the command line go out as they came: what they are worth is the API's to say."""
    stand_in.json(PATH, {})
    lambent("invoke", "hello", "--payload", "\udcff", "--endpoint", stand_in.endpoint)
    assert stand_in.requests[0].body == b"\xff"


def test_tail_prints_the_log_on_stderr(lambent: Run, stand_in: Any) -> None:
    """With --tail the end of the log goes where it disturbs no pipe."""
    log = base64.b64encode(b"START\nREPORT RequestId: 1\n").decode()
    stand_in.json(PATH, 7, headers={"X-Amz-Log-Result": log})
    finished = lambent("invoke", "hello", "--tail", "--endpoint", stand_in.endpoint)
    assert (finished.out, finished.err) == ("7\n", "START\nREPORT RequestId: 1\n")
    assert stand_in.requests[0].headers["X-Amz-Log-Type"] == "Tail"


def test_a_function_that_fails_is_exit_code_1(lambent: Run, stand_in: Any) -> None:
    """The function's error is its answer, and the exit code says that it is one."""
    stand_in.json(PATH, {"errorMessage": "no"}, headers={"X-Amz-Function-Error": "Unhandled"})
    finished = lambent("invoke", "hello", "--endpoint", stand_in.endpoint)
    assert (finished.code, finished.out) == (1, '{"errorMessage": "no"}\n')
    assert finished.err == "lambent: hello failed (Unhandled)\n"


def test_a_refusal_of_the_api_is_exit_code_2(lambent: Run, stand_in: Any) -> None:
    """What the API refuses is told apart from what the function did."""
    stand_in.refuse(PATH, "ResourceNotFoundException", "Function not found: x", 404)
    finished = lambent("invoke", "hello", "--endpoint", stand_in.endpoint)
    assert (finished.code, finished.out) == (2, "")
    assert finished.err == "lambent: ResourceNotFoundException: Function not found: x\n"


def test_the_qualifier_is_sent(lambent: Run, stand_in: Any) -> None:
    """--qualifier picks the version."""
    stand_in.json(PATH, {})
    lambent("invoke", "hello", "--qualifier", "3", "--endpoint", stand_in.endpoint)
    assert stand_in.requests[0].query == "Qualifier=3"


def test_a_payload_from_a_file_and_from_standard_input(
    lambent: Run, stand_in: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """@FILE and - are read as bytes, whatever is in them."""
    stand_in.json(PATH, {})
    (tmp_path / "event.json").write_bytes(b'{"a": 1}')
    lambent("invoke", "hello", "--payload", "@event.json", "--endpoint", stand_in.endpoint)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"b": 2}')))
    lambent("invoke", "hello", "--payload", "-", "--endpoint", stand_in.endpoint)
    assert [request.body for request in stand_in.requests] == [b'{"a": 1}', b'{"b": 2}']


def test_a_payload_file_that_is_missing_is_named(lambent: Run) -> None:
    """Nothing is sent where the event cannot be read."""
    finished = lambent("invoke", "hello", "--payload", "@nowhere.json")
    assert finished.code == 2
    assert finished.err == "lambent: --payload: nowhere.json: No such file or directory\n"


def test_credentials_and_region_of_the_environment_are_used(
    lambent: Run, stand_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Account and region decide which functions are seen, so the caller's own ones win."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "123456789012")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("LAMBENT_ENDPOINT", stand_in.endpoint)
    stand_in.json(PATH, {})
    assert lambent("invoke", "hello").code == 0
    authorization = stand_in.requests[0].headers["Authorization"]
    assert "Credential=123456789012/" in authorization
    assert "/eu-west-1/lambda/" in authorization


def test_a_proxy_of_the_environment_does_not_get_between(
    lambent: Run, stand_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loopback is asked directly: a proxy has another loopback."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    stand_in.json(PATH, {})
    assert lambent("invoke", "hello", "--endpoint", stand_in.endpoint).code == 0
