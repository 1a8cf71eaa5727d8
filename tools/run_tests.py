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
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import dotnet
import setup as environments

ROOT = Path(__file__).resolve().parent.parent

_FINE = (0, 5)
"""Exit statuses of pytest for a selection: passed, and found no test, since ARGS may well leave a suite empty."""


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
_AT_ONCE = (os.cpu_count() or 1) + 1
"""How many parts of the suites run beside each other: each waits for a while now and then."""


def parts_of(suites: Sequence[Suite]) -> list[Suite]:
    """
    Part suites so that what runs beside each other ends together, those that take longest first.

    Each part of the clients' suite starts the servers that its tests share: many small ones would cost more.
    """
    parts = [_part(OWN, "tests/conformance"), _part(CLIENTS, "tests/iac", "tests/acceptance"), _part(OWN, "tests/unit")]
    files = sorted(f"tests/wire/{path.name}" for path in (ROOT / "tests" / "wire").glob("test_*.py"))
    parts += [_part(CLIENTS, *files[first::3]) for first in range(3)]
    parts.append(_part(OWN, "tests/tidy", "tests/simulation"))
    covered = {name.partition("/test_")[0] for part in parts for name in part.folders}
    assert covered == {*OWN.folders, *CLIENTS.folders}, "each folder is in a part"
    return [part for part in parts if part.title in {suite.title for suite in suites}]


def _part(suite: Suite, *folders: str) -> Suite:
    return replace(suite, folders=folders)


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
    # Their tests look for them, and say so where they are not.
    for name in ("celery", "elasticmq", "focus", "javascript", "kinesis-local", "versitygw"):
        environments.main([name])

    dotnet.main(["client", "functions"])

    with tempfile.TemporaryDirectory(prefix="lambent-tests-") as scratch:
        environ["LAMBENT_TEST_LEFT_OUT"] = str(Path(scratch) / "left-out.jsonl")
        observed = environ["LAMBENT_TEST_OBSERVED"] = str(Path(scratch) / "observed.jsonl")
        suites = [OWN]
        if environments.main(["clients"]) == 0:
            suites.append(CLIENTS)
        else:
            left_out.append(LeftOut("clients", "make test where pip reaches a package index"))
        failed += run(suites, arguments, environ)
        left_out += read_left_out(Path(environ["LAMBENT_TEST_LEFT_OUT"]))
        if not (failed or left_out or arguments):
            command = [str(OWN.python), str(ROOT / "tools" / "observed.py"), "check", observed]
            if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
                failed.append("evidence of lambent conformance: see above; `make conformance` writes it anew")

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


def run(suites: Sequence[Suite], arguments: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """
    Run suites; return the titles of those that failed.

    Whole suites run in parts, some beside each other, and the output of a part follows in one piece when it ends. A
    selection by ARGS runs one after the other, so that a debugger has the terminal.
    """
    if arguments:
        return [suite.title for suite in suites if _run(suite, arguments, environ, None) not in _FINE]
    failed = []
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        try:
            for part in [threads.submit(_run_apart, part, environ) for part in parts_of(suites)]:
                failed += part.result()
        except KeyboardInterrupt:
            # What runs has been told by the terminal; what has not begun is not to begin.
            threads.shutdown(cancel_futures=True)
            raise
    return failed


def _run_apart(part: Suite, environ: Mapping[str, str]) -> list[str]:
    """Run a part, print what it says when it has ended, and return its title if it failed."""
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        began = time.monotonic()
        status = _run(part, (), environ, output)
        took_s = time.monotonic() - began
        output.seek(0)
        print(f"\ntest: {_shown(part)}: what it said, after {took_s:.0f} s\n{output.read()}", flush=True)
    return [] if status == 0 else [f"{_shown(part)}: {part.title}"]


def _run(suite: Suite, arguments: Sequence[str], environ: Mapping[str, str], output: IO[str] | None) -> int:
    """Run pytest and return its exit status."""
    folders = [folder for folder in suite.folders if (ROOT / folder).exists()]
    print(f"\ntest: {_shown(suite)}: {suite.title}", flush=True)
    command = [str(suite.python), "-m", "pytest", *arguments, *([] if _names_a_file(arguments) else folders)]
    return subprocess.run(command, cwd=ROOT, env=environ, stdout=output, stderr=output, check=False).returncode


def _shown(suite: Suite) -> str:
    """Return folders, and of files in a folder the first and how many there are."""
    first, *others = suite.folders
    return first + f" and {len(others)} more files" if first.endswith(".py") and others else ", ".join(suite.folders)


def _names_a_file(arguments: Sequence[str]) -> bool:
    return any((ROOT / argument.partition("::")[0]).exists() for argument in arguments if not argument.startswith("-"))


def read_left_out(path: Path) -> list[LeftOut]:
    """Read what tests/conftest.py wrote down, one JSON object a line."""
    if not path.exists():
        return []
    return [LeftOut(**json.loads(line)) for line in path.read_text().splitlines()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
