"""Every runtime that this version offers passes the shared suite; below it, what is Python's or the shell's alone."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from lambent.clock import SystemClock
from lambent.runtimes.contract import Runtimes, RuntimeUnavailable
from lambent.runtimes.registry import HostRuntimes
from lambent.testing.conformance.runtime import FUNCTION_ARN, REQUEST_ID, TRACE_HEADER, RuntimeConformance


class TestProvided(RuntimeConformance):
    """`provided.al2023` with a bootstrap in shell and curl."""

    runtime = "provided.al2023"

    LOOP = """#!/bin/sh
set -e
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
scratch=$(mktemp -d)
while :; do
  curl -sS -D "$scratch/head" -o "$scratch/event" "$api/invocation/next"
  id=$(tr -d '\\r' < "$scratch/head" | sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: //p')
  %s
done
"""
    ECHO = """sed -n 's/.*"say": "\\([^"]*\\)".*/said \\1/p' "$scratch/event" | head -c 100
  curl -sS -o /dev/null --data-binary "@$scratch/event" "$api/invocation/$id/response\""""
    ERROR = """curl -sS -o /dev/null -d '{"errorMessage":"boom","errorType":"E"}' "$api/invocation/$id/error\""""

    packages: ClassVar = {
        "echo": {"bootstrap": LOOP % ECHO},
        "error": {"bootstrap": LOOP % ERROR},
        "init_error": {"bootstrap": "#!/bin/sh\nexit 1\n"},
        "exit": {"bootstrap": LOOP % "exit 3"},
    }

    @pytest.fixture(autouse=True)
    def _needs_curl(self) -> None:
        if shutil.which("curl") is None:
            pytest.skip("needs:curl:apt install curl")

    def make_runtimes(self) -> Runtimes:
        return _host_runtimes("none")

    def test_headers_of_next(self) -> None:
        """RT-04 a: request id, deadline, function and trace are headers; AWS_EXECUTION_ENV is not set."""
        body = """printf '{"head":"%s","env":"%s"}' "$(tr -d '\\r\\"' < "$scratch/head" | tr '\\n' '|')" \\
    "${AWS_EXECUTION_ENV-unset}" | curl -sS -o /dev/null --data-binary @- "$api/invocation/$id/response\""""
        (answer,) = self.run_files({"bootstrap": self.LOOP.replace("%s", body)}, {})
        told = answer.json()
        head = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in told["head"].split("|")}
        assert head["lambda-runtime-aws-request-id"] == REQUEST_ID
        assert head["lambda-runtime-invoked-function-arn"] == FUNCTION_ARN
        assert head["lambda-runtime-trace-id"] == TRACE_HEADER
        assert int(head["lambda-runtime-deadline-ms"]) > SystemClock().now() * 1000
        assert told["env"] == "unset"


_HOME: list[Path] = []


@pytest.fixture(scope="module", autouse=True)
def _runtimes_dir() -> Iterator[None]:
    """Install clients once for all tests of this file, where functions can read them."""
    folder = Path(tempfile.mkdtemp(prefix="lambent-runtimes-"))
    folder.chmod(0o711)
    _HOME.append(folder)
    yield
    shutil.rmtree(folder)
    _HOME.clear()


@pytest.fixture(scope="module")
def _client() -> None:
    """Install the client, or leave the tests out that need it."""
    try:
        asyncio.run(_host_runtimes("nearest").prepare(TestPython.runtime))
    except RuntimeUnavailable as error:
        pytest.skip(f"needs:runtime-client:make test where pip reaches a package index ({error})")


def _host_runtimes(fallback: str) -> HostRuntimes:
    return HostRuntimes(_HOME[0] / "runtimes", "nobody", fallback, SystemClock())


@pytest.mark.usefixtures("_client")
class TestPython(RuntimeConformance):
    """Some Python of this machine with AWS's client: the version is asked for as one that may not be here."""

    runtime = "python3.13"
    packages: ClassVar = {
        "echo": {
            "app.py": "def handler(event, context):\n"
            "    if 'say' in event:\n"
            "        print('said', event['say'])\n"
            "    return event\n"
        },
        "error": {"app.py": "def handler(event, context):\n    raise ValueError('boom')\n"},
        "init_error": {"app.py": "raise ValueError('boom')\n"},
        "exit": {"app.py": "import os\ndef handler(event, context):\n    os._exit(3)\n"},
    }

    def make_runtimes(self) -> Runtimes:
        return _host_runtimes("nearest")

    def handle(self, body: str, event: object = None, **given: dict[str, str]) -> object:
        """Return what a handler with this body returns."""
        indented = "".join(f"    {line}\n" for line in body.splitlines())
        files = {"app.py": f"import json, os, sys\ndef handler(event, context):\n{indented}"}
        (answer,) = self.run_files(files, event, **given)
        assert answer.kind == "response", answer
        return answer.json()

    def test_the_path_is_lambdas(self) -> None:
        """The package comes first, then layers, then the runtime; this machine's own packages are nowhere."""
        path = self.handle("return [os.environ['LAMBDA_TASK_ROOT'], os.environ['LAMBDA_RUNTIME_DIR'], sys.path]")
        assert isinstance(path, list)
        root, runtime_dir, entries = path
        assert entries[0] == root
        assert entries[1].startswith("/opt/python/lib/python3.")
        assert entries[2:4] == ["/opt/python", runtime_dir]
        assert not [entry for entry in entries[4:] if entry.endswith("-packages")]

    def test_pythonpath_of_the_user_counts(self) -> None:
        """A folder in PYTHONPATH is searched, and the client is still found."""
        assert "/some/folder" in str(self.handle("return sys.path", variables={"PYTHONPATH": "/some/folder"}))

    def test_the_sdk_is_there(self) -> None:
        """boto3 can be imported, as on AWS."""
        assert self.handle("import boto3; return boto3.client('s3').meta.region_name") == "us-east-1"

    def test_a_package_cannot_replace_the_client(self) -> None:
        """A package that brings its own awslambdaric or simplejson runs on the runtime's."""
        files = {
            "app.py": "def handler(event, context):\n    return 'fine'\n",
            "awslambdaric/__init__.py": "raise SystemExit(9)\n",
            "simplejson.py": "raise SystemExit(9)\n",
        }
        (answer,) = self.run_files(files, {})
        assert answer.json() == "fine"

    def test_text_is_utf_8(self) -> None:
        """PL-02: stdout is UTF-8 although the machine may not have the locale; characters pass unharmed."""
        seen = self.handle("print(event); return [sys.stdout.encoding, os.environ['LANG'], event]", "愛 😀 é ’ \u0000")
        assert seen == ["utf-8", "en_US.UTF-8", "愛 😀 é ’ \u0000"]

    def test_answers_hold_the_characters_themselves(self) -> None:
        """PL-02: UTF-8 from python3.12 on, by the version that was asked for."""
        (answer,) = self.run("echo", {"t": "愛 😀"})
        assert answer.body == json.dumps({"t": "愛 😀"}, ensure_ascii=False).encode()

    def test_the_environment_names_what_was_asked_for(self) -> None:
        """AWS_EXECUTION_ENV is python3.13 whatever stands in for it."""
        assert self.handle("return os.environ['AWS_EXECUTION_ENV']") == "AWS_Lambda_python3.13"

    def test_log_records_stand_among_prints(self) -> None:
        """The client's framed records and what is printed share one pipe, in order."""
        body = "import logging\nprint('first')\nlogging.warning('second')\nprint('third')"
        (answer,) = self.run_files(
            {"app.py": f"def handler(event, context):\n    {body.replace(chr(10), chr(10) + '    ')}"}, {}
        )
        assert answer.output.index("first") < answer.output.index("second") < answer.output.index("third")

    def test_the_client_context_arrives(self) -> None:
        """What the caller sent in X-Amz-Client-Context is the context's."""
        files = {"app.py": "def handler(event, context):\n    return context.client_context.custom\n"}
        (answer,) = self.run_files(files, {}, client_context='{"custom":{"a":"b"}}')
        assert answer.json() == {"a": "b"}

    def test_a_wrapper_starts_the_interpreter(self) -> None:
        """AWS_LAMBDA_EXEC_WRAPPER gets interpreter and bootstrap as arguments and ends with exec."""
        files = {**self.packages["echo"], "bootstrap": '#!/bin/sh\necho "wrapping $1"\nexport WRAPPED=yes\nexec "$@"\n'}
        files["app.py"] = "import os\ndef handler(event, context):\n    return os.environ['WRAPPED']\n"
        (answer,) = self.run_files(files, {}, variables={"AWS_LAMBDA_EXEC_WRAPPER": "./bootstrap"})
        assert answer.json() == "yes"
        assert "wrapping /" in answer.output

    def test_a_missing_wrapper_is_an_exit(self) -> None:
        """The runtime exits with 127."""
        (answer,) = self.run("echo", {}, variables={"AWS_LAMBDA_EXEC_WRAPPER": "/no/wrapper"})
        assert answer.how is not None
        assert answer.how.status == 127
