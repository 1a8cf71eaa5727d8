"""
Run every test that this machine can run, and say which it could not, and what would change that.

Two environments: the project's own, and one that holds the official clients and no Lambent, so that the
tests over HTTP cannot take a short cut. With LAMBENT_REQUIRE=all whatever is left out is a failure.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import setup as environments

ROOT = Path(__file__).resolve().parent.parent

NO_TESTS_RAN = 5
"""The exit status by which pytest says that it found no test."""


@dataclass(frozen=True)
class Suite:
    """Folders of tests that run together in one environment."""

    title: str
    python: Path
    folders: tuple[str, ...]


@dataclass(frozen=True)
class LeftOut:
    """A group of tests that did not run, and what would make it run."""

    group: str
    remedy: str


OWN = Suite(
    "the project's own environment",
    ROOT / ".venv" / "bin" / "python",
    ("tests/unit", "tests/conformance", "tests/tidy", "tests/simulation"),
)
CLIENTS = Suite(
    "the official clients against a server",
    ROOT / ".cache" / "clients" / "bin" / "python",
    ("tests/wire", "tests/iac", "tests/acceptance"),
)


def main(arguments: Sequence[str]) -> int:
    failed: list[str] = []
    left_out: list[LeftOut] = []
    environ = dict(os.environ)

    environments.main(["system"])
    cli_2 = environments.aws_cli_2()
    if cli_2 is not None:
        environ["LAMBENT_TEST_AWS_CLI_2"] = cli_2
    if environments.main(["awscli1"]) == 0:
        environ["LAMBENT_TEST_AWS_CLI_1"] = str(ROOT / ".cache" / "awscli1" / "bin" / "aws")
    if environments.main(["ansible"]) == 0:
        environ["LAMBENT_TEST_ANSIBLE"] = str(ROOT / ".cache" / "ansible" / "bin" / "ansible-playbook")

    with tempfile.TemporaryDirectory(prefix="lambent-tests-") as scratch:
        environ["LAMBENT_TEST_LEFT_OUT"] = str(Path(scratch) / "left-out.jsonl")
        for suite in (OWN, CLIENTS):
            if suite is CLIENTS and environments.main(["clients"]) != 0:
                left_out.append(LeftOut("clients", "make test where pip reaches a package index"))
                continue
            if not run(suite, arguments, environ):
                failed.append(suite.title)
        left_out += read_left_out(Path(environ["LAMBENT_TEST_LEFT_OUT"]))

    print()
    for group in sorted(set(left_out), key=lambda entry: (entry.group, entry.remedy)):
        print(f"left out: {group.group}: {group.remedy}")
    if not left_out:
        print("left out: nothing")
    if left_out and os.environ.get("LAMBENT_REQUIRE") == "all":
        failed.append("LAMBENT_REQUIRE=all, and something was left out")
    for title in failed:
        print(f"failed: {title}")
    return 1 if failed else 0


def run(suite: Suite, arguments: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Run one suite; return whether it passed."""
    folders = [folder for folder in suite.folders if (ROOT / folder).is_dir()]
    print(f"\ntest: {', '.join(folders)} in {suite.title}", flush=True)
    command = [str(suite.python), "-m", "pytest", *arguments, *([] if _names_a_file(arguments) else folders)]
    status = subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode
    # A selection by ARGS may well leave one of the suites empty; the whole suite never is.
    return status == 0 or (status == NO_TESTS_RAN and bool(arguments))


def _names_a_file(arguments: Sequence[str]) -> bool:
    return any((ROOT / argument.partition("::")[0]).exists() for argument in arguments if not argument.startswith("-"))


def read_left_out(path: Path) -> list[LeftOut]:
    """Read what tests/conftest.py wrote down, one JSON object a line."""
    if not path.exists():
        return []
    return [LeftOut(**json.loads(line)) for line in path.read_text().splitlines()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
