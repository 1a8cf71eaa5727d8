"""tools/observed.py: from what clients' tests wrote down to evidence, and whether a run still bears it out."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lambent.services.conformance.evidence import Evidence, OperationEvidence

TOOL = Path(__file__).resolve().parents[2] / "tools" / "observed.py"


@pytest.fixture(scope="module")
def tool() -> Iterator[ModuleType]:
    """The script as a module; it puts the sources first in sys.path."""
    before = list(sys.path)
    spec = importlib.util.spec_from_file_location("observed", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = before


def call(operation: str, *members: str, status: int = 200, error: str | None = None, **other: Any) -> dict[str, Any]:
    return {
        "service": "lambda",
        "operation": operation,
        "members": members,
        "status": status,
        "error": error,
        "test": "wire/test_a.py",
        **other,
    }


def test_what_counts(tool: ModuleType) -> None:
    """Members of answers with 2xx, codes of the others; of operations and members that this version knows."""
    calls = [
        call("GetAlias", "FunctionName", "Name"),
        call("GetAlias", "FunctionName", status=404, error="ResourceNotFoundException"),
        call("ListFunctions", "MaxItems", "NewerThanOurModel", test="wire/test_b.py"),
        call("ListFunctions", "Marker", status=400, error="InvalidParameterValueException"),
        call("CreateCapacityProvider", "CapacityProviderName", status=501, error="NotImplementedException"),
        call("DescribeLogGroups", "limit", service="logs"),
        call("GetAccountSettings"),
        call("GetFunction", "FunctionName", test=""),
        call("GetFunction", "FunctionName", test="wire/test_conformance.py"),
    ]
    assert tool.gather(calls, "lambda", {}) == {
        "GetAlias": OperationEvidence(
            {"FunctionName": "wire/test_a.py", "Name": "wire/test_a.py"},
            {"ResourceNotFoundException": "wire/test_a.py"},
        ),
        "ListFunctions": OperationEvidence(
            {"MaxItems": "wire/test_b.py"}, {"InvalidParameterValueException": "wire/test_a.py"}
        ),
        "GetAccountSettings": OperationEvidence({}, {}),
    }


def test_evidence_changes_only_where_tests_did(tool: ModuleType) -> None:
    """Of several tests the one that is named already stays; else it is the first by name."""
    calls = [call("GetAlias", "Name", test=f"wire/test_{letter}.py") for letter in "cba"]
    before = {"GetAlias": OperationEvidence({"Name": "wire/test_b.py"})}
    assert tool.gather(calls, "lambda", before)["GetAlias"].members == {"Name": "wire/test_b.py"}
    assert tool.gather(calls, "lambda", {})["GetAlias"].members == {"Name": "wire/test_a.py"}


def test_a_part_of_the_tests_joins_what_is_there(tool: ModuleType) -> None:
    """Nothing is lost when only some of the tests ran."""
    before = {"GetAlias": OperationEvidence({"Name": "a"}, {"X": "a"}), "GetPolicy": OperationEvidence({"Q": "a"})}
    found = {"GetAlias": OperationEvidence({"Name": "b", "FunctionName": "b"}), "Invoke": OperationEvidence({"P": "b"})}
    assert tool.join(before, found) == {
        "GetAlias": OperationEvidence({"Name": "a", "FunctionName": "b"}, {"X": "a"}),
        "GetPolicy": OperationEvidence({"Q": "a"}),
        "Invoke": OperationEvidence({"P": "b"}),
    }


def test_what_a_run_bears_out_no_more(tool: ModuleType) -> None:
    """A claim that lost its test is named, with the test that it had; errors of timing come and go."""
    claimed: Evidence = {
        "GetAlias": OperationEvidence({"Name": "wire/test_a.py"}, {"X": "wire/test_a.py"}),
        "GetPolicy": OperationEvidence(),
        "Invoke": OperationEvidence({}, {"TooManyRequestsException": "wire/test_a.py"}),
    }
    found = {"GetAlias": OperationEvidence({"FunctionName": "b"}), "Invoke": OperationEvidence()}
    assert list(tool.missing(claimed, found)) == [
        "GetAlias: Name was in no request that was answered 2xx; it was in wire/test_a.py",
        "GetAlias: X was not answered; it was in wire/test_a.py",
        "GetPolicy was not called",
    ]
    assert list(tool.missing(claimed, claimed)) == []


def test_check_reads_what_tests_wrote(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`check` ends with 1 and a line for each claim that an almost empty run leaves without a test."""
    observed = tmp_path / "observed.jsonl"
    observed.write_text(json.dumps(call("GetAccountSettings")) + "\n")
    assert tool.main(["check", str(observed)]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert "lambda: CreateFunction was not called" in printed
    assert "lambda: GetAccountSettings was not called" not in printed
    assert tool.main(["nonsense"]) == 2
