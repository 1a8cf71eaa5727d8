"""`lambent conformance`: the report, for people and for programs."""

import json
from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]


def test_markdown_without_a_server(lambent: Run) -> None:
    """It prints the page as it is, and asks nobody."""
    finished = lambent("conformance")
    assert (finished.code, finished.err) == (0, "")
    assert finished.out.startswith("# Conformance\n")
    assert "\n#### CreateFunction\n" in finished.out


def test_json_for_programs(lambent: Run) -> None:
    """The same as data: verdicts are words."""
    finished = lambent("conformance", "--json")
    assert finished.code == 0
    services = {service["name"]: service for service in json.loads(finished.out)["services"]}
    operations = {operation["name"]: operation for operation in services["lambda"]["operations"]}
    verdicts = {member["path"]: member["verdict"] for member in operations["UpdateFunctionCode"]["members"]}
    assert (verdicts["ZipFile"], verdicts["ImageUri"]) == ("acts", "refused")
    assert operations["CreateCapacityProvider"]["is_offered"] is False
