"""`lambent queue`: which queue is meant, and what is said when none is."""

import json
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]
QUEUES = "GET /_lambent/queues"


def queue(name: str, kind: str = "sqs", account: str = "111122223333", region: str = "eu-west-1") -> dict[str, Any]:
    counts = {"waiting": 1, "delayed": 0, "in_flight": 2, "oldest_age_s": 130.0}
    return {"kind": kind, "account": account, "region": region, "name": name, **counts}


def test_depth_and_oldest(lambent: Run, stand_in: Any) -> None:
    """A table for people, JSON for programs, a word where there is nothing."""
    stand_in.json(QUEUES, [queue("orders[/]"), {**queue("empty"), "oldest_age_s": None}, queue("f/1", "async")])
    table = lambent("queue", "depth", "--endpoint", stand_in.endpoint).out
    assert "orders[/]" in table and "function" in table and "2 min" in table
    assert "empty" not in lambent("queue", "oldest", "--endpoint", stand_in.endpoint).out
    shown = json.loads(lambent("queue", "depth", "--json", "--endpoint", stand_in.endpoint).out)
    assert [found["name"] for found in shown] == ["orders[/]", "empty", "f/1"]
    stand_in.json(QUEUES, [])
    assert lambent("queue", "depth", "--endpoint", stand_in.endpoint).out == "no queues\n"
    assert lambent("queue", "oldest", "--endpoint", stand_in.endpoint).out == "nothing waits\n"


def test_a_function_is_named_without_its_id(lambent: Run, stand_in: Any) -> None:
    """--function tells it from a queue of the same name."""
    stand_in.json(QUEUES, [queue("f/1", "async"), queue("f")])
    stand_in.json("GET /_lambent/queues/peek", [])
    assert lambent("queue", "peek", "f", "--function", "--endpoint", stand_in.endpoint).out == "nothing waits\n"
    assert "queue=f%2F1" in stand_in.requests[-1].query
    lambent("queue", "peek", "f", "--endpoint", stand_in.endpoint)
    assert "kind=sqs" in stand_in.requests[-1].query


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("nowhere", "lambent: there is no queue nowhere; `lambent queue depth` lists them\n"),
        ("twice", "lambent: twice: several accounts or regions have it: say which by --account and --region\n"),
    ],
)
def test_a_name_that_is_not_one_queues(lambent: Run, stand_in: Any, name: str, line: str) -> None:
    """Missing, or of several; exit code 2."""
    stand_in.json(QUEUES, [queue("twice"), queue("twice", region="us-east-1")])
    stand_in.json("POST /_lambent/queues/purge", {})
    finished = lambent("queue", "purge", name, "--yes", "--endpoint", stand_in.endpoint)
    assert (finished.code, finished.err) == (2, line)
    chosen = ("--region", "us-east-1", "--account", "111122223333")
    assert lambent("queue", "purge", "twice", "--yes", *chosen, "--endpoint", stand_in.endpoint).code == 0
    assert stand_in.requests[-1].headers["content-type"] == "application/json"


def test_a_refusal_is_one_line(lambent: Run, stand_in: Any) -> None:
    """What the server says; and nobody there is another line."""
    stand_in.json(QUEUES, {"message": "no"}, status=400)
    finished = lambent("queue", "depth", "--endpoint", stand_in.endpoint)
    assert (finished.code, finished.err) == (2, "lambent: no\n")
    finished = lambent("queue", "depth", "--endpoint", "http://127.0.0.1:9")
    assert (finished.code, finished.err) == (
        1,
        "lambent: no server at http://127.0.0.1:9: start one with `lambent serve`\n",
    )
