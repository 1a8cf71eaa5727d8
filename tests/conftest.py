"""
What all tests share, in both environments: how a test says that this machine cannot run it.

A test that needs something skips itself with the reason `needs:<group>:<remedy>`, for example
`pytest.skip("needs:aws-cli-v2:apt install awscli")`, or by the fixture `leave_out`. `make test` ends with
one line for each group. With LAMBENT_REQUIRE=all a skip is a failure: CI leaves nothing out.
"""

import json
import os
import shutil
import signal
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NoReturn

import pytest

try:
    import hypothesis
except ImportError:  # The clients' environment has none.
    hypothesis = None  # type: ignore[assignment]

CHECKOUT = Path(__file__).resolve().parent.parent

if hypothesis is not None:
    # No deadline: the machine is shared, and a slow example is no wrong one. No database: a run depends on its
    # checkout alone; what it found is to become an @example.
    for name, examples in (("ci", 20), ("deep", 2000)):
        hypothesis.settings.register_profile(
            name,
            max_examples=examples,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=[hypothesis.HealthCheck.too_slow],
        )
    hypothesis.settings.load_profile("ci")


def pytest_sessionstart() -> None:
    """Shells have what they run in the background ignore Ctrl-C, and so would what tests start and interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def leave_out() -> Callable[[str, str], NoReturn]:
    """Give a function that leaves the test out: `leave_out("curl", "apt install curl")`."""

    def skip(group: str, remedy: str) -> NoReturn:
        pytest.skip(f"needs:{group}:{remedy}")

    return skip


@pytest.fixture(scope="session")
def aws_cli_1() -> str:
    """Give the path of an AWS CLI v1; tools/run_tests.py installs one."""
    path = os.environ.get("LAMBENT_TEST_AWS_CLI_1") or str(CHECKOUT / ".cache" / "awscli1" / "bin" / "aws")
    if not os.access(path, os.X_OK):
        pytest.skip("needs:aws-cli-v1:make test where pip reaches a package index")
    return path


@pytest.fixture(scope="session")
def aws_cli_2() -> str:
    """Give the path of an AWS CLI v2; tools/run_tests.py looks for it, and installs it where it may."""
    path = os.environ.get("LAMBENT_TEST_AWS_CLI_2")
    if path is None:
        pytest.skip("needs:aws-cli-v2:apt install awscli, then make test")
    return path


@pytest.fixture(scope="session")
def ansible_playbook() -> str:
    """Give the path of ansible-playbook; tools/run_tests.py installs Ansible with its collections."""
    path = os.environ.get("LAMBENT_TEST_ANSIBLE") or str(CHECKOUT / ".cache" / "ansible" / "bin" / "ansible-playbook")
    if not os.access(path, os.X_OK):
        pytest.skip("needs:ansible:make test where pip reaches a package index")
    return path


@pytest.fixture(scope="session")
def celery_python() -> str:
    """Give the path of a Python that has Celery with its SQS transport; tools/run_tests.py makes it."""
    path = str(CHECKOUT / ".cache" / "celery" / "bin" / "python")
    if not os.access(path, os.X_OK):
        pytest.skip("needs:celery:make test where pip reaches a package index")
    return path


@pytest.fixture(scope="session")
def focus_python() -> str:
    """Give the path of a Python that has the validator of FOCUS; tools/run_tests.py makes it."""
    path = str(CHECKOUT / ".cache" / "focus" / "bin" / "python")
    if not os.access(path, os.X_OK):
        pytest.skip("needs:focus:make test where pip reaches a package index")
    return path


@pytest.fixture(scope="session")
def javascript_sdk() -> Path:
    """Give the folder that holds AWS's SDK for JavaScript; tools/run_tests.py makes it."""
    folder = CHECKOUT / ".cache" / "javascript"
    if not (folder / "node_modules").is_dir() or shutil.which("node") is None:
        pytest.skip("needs:javascript:apt install nodejs npm, then make test where npm reaches a package index")
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not hasattr(report, "wasxfail"):
        _note_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _note_skip(report)
    return report


def _note_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Write down what a skipped report says it needs; turn it into a failure where nothing may be left out."""
    if not report.skipped:
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    kind, _, rest = reason.partition(":")
    group, _, remedy = rest.partition(":") if kind == "needs" else ("other", "", reason)
    noted = os.environ.get("LAMBENT_TEST_LEFT_OUT")
    if noted:
        with Path(noted).open("a") as file:
            file.write(json.dumps({"group": group, "remedy": remedy}) + "\n")
    if os.environ.get("LAMBENT_REQUIRE") == "all":
        report.outcome = "failed"
        report.longrepr = f"left out, and LAMBENT_REQUIRE=all: {reason}"
