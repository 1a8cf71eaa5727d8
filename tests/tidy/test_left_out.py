"""Tests that are left out are counted, and where nothing may be left out they fail."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"

TESTS = """
import pytest

def test_runs():
    pass

def test_needs(leave_out):
    leave_out("gcc", "apt install gcc")

@pytest.mark.skip(reason="not on this machine")
def test_other():
    pass

@pytest.mark.xfail(strict=True)
def test_known_failure():
    assert False
"""


def run(folder: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    shutil.copy(CONFTEST, folder / "conftest.py")
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_some.py").write_text(TESTS)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAMBENT_", "PYTEST_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**kept, **environ}, check=False)


def test_groups_and_remedies_are_written_down(tmp_path: Path) -> None:
    """Each skip leaves a line; one without the form `needs:` is listed as other."""
    noted = tmp_path / "left-out.jsonl"
    done = run(tmp_path, LAMBENT_TEST_LEFT_OUT=str(noted))
    assert done.returncode == 0, done.stdout
    assert [json.loads(line) for line in noted.read_text().splitlines()] == [
        {"group": "gcc", "remedy": "apt install gcc"},
        {"group": "other", "remedy": "not on this machine"},
    ]


def test_where_all_is_required_a_skip_fails(tmp_path: Path) -> None:
    """LAMBENT_REQUIRE=all turns both into failures; a failure that is expected stays what it is."""
    done = run(tmp_path, LAMBENT_REQUIRE="all")
    assert done.returncode == 1
    # pytest calls a failure before the test's own code an error.
    assert "1 failed, 1 passed, 1 xfailed, 1 error" in done.stdout
    assert "left out, and LAMBENT_REQUIRE=all: needs:gcc:apt install gcc" in done.stdout


@pytest.mark.parametrize("require", ["", "some"])
def test_elsewhere_a_skip_is_a_skip(tmp_path: Path, require: str) -> None:
    """Only the word `all` requires all."""
    assert run(tmp_path, LAMBENT_REQUIRE=require).returncode == 0
