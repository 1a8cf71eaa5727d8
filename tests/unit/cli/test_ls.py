"""`lambent ls`: all pages, as a table or as JSON."""

import json
from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]
PATH = "GET /2015-03-31/functions"


def function(name: str) -> dict[str, Any]:
    return {
        "FunctionName": name,
        "Runtime": "python3.11",
        "Handler": "app.handler",
        "MemorySize": 128,
        "Timeout": 3,
        "CodeSize": 2048,
        "LastModified": "2026-01-02T03:04:05.678+0000",
    }


def test_every_page_is_listed(lambent: Run, stand_in: Any) -> None:
    """The list goes on until the API names no next page."""
    stand_in.json(PATH, {"Functions": [function("one")], "NextMarker": "m"}, {"Functions": [function("two[/]")]})
    finished = lambent("ls", "--endpoint", stand_in.endpoint)
    assert finished.code == 0
    lines = finished.out.split("\n")
    assert any("one" in line and "python3.11" in line and "2.0" in line for line in lines)
    assert any("two[/]" in line for line in lines), "names are text and no markup"


def test_json_is_what_the_api_said(lambent: Run, stand_in: Any) -> None:
    """--json prints the configurations and nothing else."""
    stand_in.json(PATH, {"Functions": [function("one")]})
    finished = lambent("ls", "--json", "--endpoint", stand_in.endpoint)
    assert json.loads(finished.out) == [function("one")]


def test_an_empty_list_says_so(lambent: Run, stand_in: Any) -> None:
    """No functions is an answer for people; for programs it is an empty list."""
    stand_in.json(PATH, {"Functions": []})
    assert lambent("ls", "--endpoint", stand_in.endpoint).out == "no functions\n"
    assert lambent("ls", "--json", "--endpoint", stand_in.endpoint).out == "[]\n"
