"""
Run every test that this machine can run, and say which it could not, and what would change that.

Two environments: the project's own, and one that holds the official clients and no Lambent, so that the
tests over HTTP cannot take a short cut. With LAMBENT_REQUIRE=all whatever is left out is a failure.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


def halves(suite: Suite) -> list[Suite]:
    """Part a suite in two that take about as long: every other file of its first folder, and the rest."""
    files = sorted(f"{suite.folders[0]}/{path.name}" for path in (ROOT / suite.folders[0]).glob("test_*.py"))
    return [
        Suite(f"{suite.title}, one half", suite.python, tuple(files[::2])),
        Suite(f"{suite.title}, the other half", suite.python, (*files[1::2], *suite.folders[1:])),
    ]


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
    for name in ("celery", "javascript", "versitygw"):
        environments.main([name])

    dotnet.main(["client", "functions"])

    with tempfile.TemporaryDirectory(prefix="lambent-tests-") as scratch:
        environ["LAMBENT_TEST_LEFT_OUT"] = str(Path(scratch) / "left-out.jsonl")
        observed = environ["LAMBENT_TEST_OBSERVED"] = str(Path(scratch) / "observed.jsonl")
        suites = [OWN]
        if environments.main(["clients"]) == 0:
            suites += [CLIENTS] if arguments else halves(CLIENTS)
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

    Whole suites run beside each other, since each mostly waits: the first shows its progress, the output of the others
    follows in one piece. A selection by ARGS runs one after the other, so that a debugger has the terminal.
    """
    if arguments:
        return [suite.title for suite in suites if _start(suite, arguments, environ, None).wait() not in _FINE]
    failed = []
    with contextlib.ExitStack() as stack:
        started = []
        for number, suite in enumerate(suites):
            output = stack.enter_context(tempfile.TemporaryFile("w+", errors="replace")) if number else None
            started.append((suite, _start(suite, arguments, environ, output), output))
        for suite, process, output in started:
            if process.wait() != 0:
                failed.append(suite.title)
            if output is not None:
                output.seek(0)
                print(f"\ntest: {suite.title}: what it said\n{output.read()}", flush=True)
    return failed


def _start(
    suite: Suite, arguments: Sequence[str], environ: Mapping[str, str], output: IO[str] | None
) -> subprocess.Popen[bytes]:
    folders = [folder for folder in suite.folders if (ROOT / folder).exists()]
    print(f"\ntest: {', '.join(sorted({part.partition('/test_')[0] for part in folders}))}: {suite.title}", flush=True)
    command = [str(suite.python), "-m", "pytest", *arguments, *([] if _names_a_file(arguments) else folders)]
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=output, stderr=output)


def _names_a_file(arguments: Sequence[str]) -> bool:
    return any((ROOT / argument.partition("::")[0]).exists() for argument in arguments if not argument.startswith("-"))


def read_left_out(path: Path) -> list[LeftOut]:
    """Read what tests/conftest.py wrote down, one JSON object a line."""
    if not path.exists():
        return []
    return [LeftOut(**json.loads(line)) for line in path.read_text().splitlines()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
