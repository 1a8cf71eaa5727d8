"""What load is sent to: a server that speaks Lambda's API, started here with functions of `handler.py`."""

import base64
import http.client
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.load import BadAnswer, build_request, invoke_request, run_load
from bench.processes import ROOT, Server, environments, quiet_environ

ROLE = "arn:aws:iam::000000000000:role/bench"
FUNCTIONS_PATH = "/2015-03-31/functions"
EVENT = b'{"key":"value"}'

_SOURCES = {"app.py": "handler.py", "app.js": "handler.js", "stream.mjs": "stream.mjs"}
"""The usual package: its files, and what they are called here."""

_SETTLE_TIMEOUT_S = 240.0
"""The first function of a runtime waits for pip to install the runtime's client."""
_POLL_S = 0.02
_CREATES_AT_ONCE = 4
"""Requests that create or delete functions in parallel; they are preparation, no figure."""


class TargetFailed(Exception):
    """A function could not be made ready on a target."""


@dataclass(frozen=True)
class RuntimeFacts:
    """Which programs run the functions of a target."""

    interpreter: str
    """The binary, symbolic links resolved."""
    client: str
    """Folder that holds the runtime's client."""


class Target:
    """A running server and the functions that were made on it."""

    def __init__(self, server: Server, runtime: str) -> None:
        self.server = server
        self.url = server.url
        self._runtime = runtime
        self.package = package_of({name: (ROOT / "bench" / source).read_bytes() for name, source in _SOURCES.items()})
        """What functions are made of from now on."""

    def invoke(self, name: str, event: bytes = EVENT) -> bytes:
        """Return the bytes of one Invoke, for the load client."""
        return invoke_request(self.url, name, event)

    def create_request(
        self, name: str, handler: str, runtime: str = "", variables: Mapping[str, str] | None = None
    ) -> bytes:
        """Return the bytes of one CreateFunction; of the target's own runtime unless another is named."""
        wanted = {
            "FunctionName": name,
            "Runtime": runtime or self._runtime,
            "Role": ROLE,
            "Handler": handler,
            "Timeout": 60,
            # One whole processor: with less a quota would stop it in each period, and the yardsticks have none.
            "MemorySize": 1769,
            "Code": {"ZipFile": base64.b64encode(self.package).decode()},
            "Environment": {"Variables": dict(variables or {})},
        }
        return build_request(self.url, "POST", FUNCTIONS_PATH, json.dumps(wanted).encode())

    def create(
        self,
        names: Sequence[str],
        handler: str = "app.hello",
        runtime: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Create functions and wait until all can be invoked."""
        self._send_all(self.create_request(name, handler, runtime, variables) for name in names)
        for name in names:
            self._wait_active(name)

    def delete(self, names: Sequence[str]) -> None:
        """Delete functions and wait until their environments are gone."""
        self._send_all(build_request(self.url, "DELETE", f"{FUNCTIONS_PATH}/{name}", b"") for name in names)
        wait_for(lambda: not environments(self.server.pid), "the deleted functions' environments to end")

    def facts(self) -> RuntimeFacts:
        """Ask a function which programs run it."""
        self.create(["bench-probe"], "app.probe")
        answer = run_load(self.url, [self.invoke("bench-probe")], concurrency=1, count=1, keep_answers=True).answers[0]
        self.delete(["bench-probe"])
        return RuntimeFacts(**json.loads(answer))

    def call(self, method: str, path: str) -> Any:
        """Send one request without a body; return the JSON that came back."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        try:
            scope = (
                "Credential=000000000000/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature="
                + "0" * 64
            )
            connection.request(method, path, headers={"Authorization": f"AWS4-HMAC-SHA256 {scope}"})
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status >= 300:
            raise TargetFailed(f"{method} {path}: {response.status} {body[:500].decode('utf-8', 'replace')}")
        return json.loads(body or b"null")

    def _send_all(self, requests: Iterable[bytes]) -> None:
        batch = list(requests)
        run_load(self.url, batch, concurrency=_CREATES_AT_ONCE, count=len(batch), seconds=_SETTLE_TIMEOUT_S)

    def _wait_active(self, name: str) -> None:
        def is_settled() -> bool:
            configuration = self.call("GET", f"{FUNCTIONS_PATH}/{name}/configuration")
            if configuration["State"] == "Failed":
                raise TargetFailed(f"{name}: {configuration.get('StateReason')}")
            return bool(configuration["State"] == "Active" and configuration["LastUpdateStatus"] == "Successful")

        wait_for(is_settled, f"{name} to become Active")


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """
    Wait until `condition` holds.

    Raises:
        TargetFailed: it does not within four minutes.
    """
    give_up_at = time.monotonic() + _SETTLE_TIMEOUT_S
    while not condition():
        if time.monotonic() > give_up_at:
            raise TargetFailed(f"waited {_SETTLE_TIMEOUT_S:.0f} s for {what}")
        time.sleep(_POLL_S)


def package_of(files: Mapping[str, bytes]) -> bytes:
    """Return a deployment package."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        for name, content in files.items():
            # A fixed date makes the package the same bytes in every run.
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.external_attr = (0o755 if name == "bootstrap" else 0o644) << 16
            package.writestr(entry, content)
    return archive.getvalue()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a new folder that other users may pass through (functions run as another user when the server is root)."""
    folder = Path(tempfile.mkdtemp(prefix="lambent-bench-"))
    try:
        folder.chmod(0o711)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def task_folder() -> Iterator[Path]:
    """Yield a folder that holds the unpacked package, for the floor relay."""
    with scratch_folder() as folder:
        shutil.copy(ROOT / "bench" / "handler.py", folder / "app.py")
        yield folder


RUNTIMES_DIR = ROOT / ".cache" / "runtimes"
"""The runtimes' clients outlive a run, so that only the first one waits for pip."""

_SCRIPT = Path(sys.executable).with_name("lambent")
"""Absent where the package was never installed; its sources then do."""


def _program() -> list[str]:
    return [str(_SCRIPT)] if _SCRIPT.exists() else [sys.executable, "-m", "lambent"]


def _environ() -> dict[str, str]:
    environ = quiet_environ()
    if not _SCRIPT.exists():
        environ["PYTHONPATH"] = str(ROOT / "src")
    return environ


def lambent_command(data_dir: str, environments_max: int = 512) -> list[str]:
    """Return the command line that serves `data_dir`."""
    return [
        *_program(),
        *("serve", "--port", "0", "--data-dir", data_dir, "--runtimes-dir", str(RUNTIMES_DIR)),
        *("--environments-max", str(environments_max)),
    ]


def start_lambent(data_dir: Path, *options: str) -> Server:
    """Start Lambent on `data_dir`; the caller stops it."""
    RUNTIMES_DIR.mkdir(parents=True, exist_ok=True)
    # The working directory is the scratch folder, so that no lambent.toml of the checkout has a say.
    return Server([*lambent_command(str(data_dir)), *options], environ=_environ(), cwd=data_dir.parent)


@contextmanager
def lambent(runtime: str, *options: str) -> Iterator[Target]:
    """Yield Lambent on a new data folder, and stop it in the end."""
    with scratch_folder() as folder:
        data_dir = folder / "data"
        data_dir.mkdir(mode=0o711)
        with start_lambent(data_dir, *options) as server:
            try:
                yield Target(server, runtime)
            except (BadAnswer, TargetFailed) as error:
                said = "\n".join(server.last_lines)
                raise TargetFailed(f"{error}\nthe server's last lines:\n{said}") from error


@contextmanager
def start_elasticmq() -> Iterator[Server]:
    """
    Yield an SQS server that is not ours, with queues in memory, and stop it in the end.

    Raises:
        TargetFailed: it is not here.
    """
    jars, java = ROOT / ".cache" / "elasticmq" / "jars", shutil.which("java")
    if not (jars.parent / ".complete").is_file() or java is None:
        raise TargetFailed("ElasticMQ is not here: tools/setup.py elasticmq, which needs Maven")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with scratch_folder() as folder:
        (folder / "server.conf").write_text(
            'include classpath("application.conf")\n'
            f'node-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}\n'
            f'rest-sqs {{ enabled = true, bind-port = {port}, bind-hostname = "127.0.0.1" }}\n'
            "rest-stats { enabled = false }\n"
        )
        command = [java, f"-Dconfig.file={folder}/server.conf", "-cp", f"{jars}/*", "org.elasticmq.server.Main"]
        with Server(command, environ=quiet_environ(), cwd=folder) as server:
            yield server


def newest_runtime(family: str) -> str:
    """
    Return the newest identifier of a family that this machine runs, e.g. `nodejs22.x`.

    Raises:
        TargetFailed: there is none.
    """
    environ = {**_environ(), "LAMBENT_RUNTIMES_DIR": str(RUNTIMES_DIR)}
    told = subprocess.run([*_program(), "runtimes", "--json"], env=environ, capture_output=True, check=True)
    rows = json.loads(told.stdout)
    found: list[str] = [row["runtime"] for row in rows if row["available"] and row["runtime"].startswith(family)]
    if not found:
        raise TargetFailed(f"this machine has no {family}: see `lambent runtimes`")
    return max(found)


def runtime_facts(runtime: str, *options: str) -> RuntimeFacts:
    """Return which programs of this machine run the functions of a runtime."""
    # Without walls functions see the machine's own paths; root finds the same interpreters as the walls mount.
    bare = ("--sandbox", "process", *(("--function-user", "root") if os.geteuid() == 0 else ()))
    with lambent(runtime, *options, *bare) as target:
        return target.facts()
