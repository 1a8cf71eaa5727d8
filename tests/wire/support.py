"""What wire tests are written with: a real server in its own process, real zips, real clients."""

import atexit
import base64
import contextlib
import functools
import io
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
from botocore.config import Config
from wire.observing import observed

ROOT = Path(__file__).resolve().parents[2]
LAMBENT = os.environ.get("LAMBENT_BIN", str(ROOT / ".venv" / "bin" / "lambent"))
ROLE = "arn:aws:iam::000000000000:role/lambda-role"
ACCOUNT = "000000000000"
REGION = "us-east-1"


def _runtimes_dir():
    """Return a folder for the runtimes' clients that outlives a run, where the functions' user can reach it."""
    kept = ROOT / ".cache" / "runtimes"
    if os.geteuid() != 0 or all(folder.stat().st_mode & 0o001 for folder in (ROOT, *ROOT.parents)):
        return kept
    # A checkout below a private home: nobody but root gets to it.
    made = Path(tempfile.mkdtemp(prefix="lambent-test-runtimes-"))
    made.chmod(0o755)
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


RUNTIMES_DIR = _runtimes_dir()


def new_data_dir():
    """Make an empty folder for a server's data."""
    folder = Path(tempfile.mkdtemp(prefix="lambent-test-"))
    # Functions run as another user when the server is root: the way to their code must be open.
    folder.chmod(0o711)
    return folder


@contextlib.contextmanager
def reachable_folder():
    """
    Give a folder that functions, and servers, of another user reach.

    None of pytest's own is one for long: it closes the folder above them whenever another run on this machine begins.
    """
    made = Path(tempfile.mkdtemp(prefix="lambent-test-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def zip_of(entries, modes=None, links=None):
    """Return a zip of name -> text or bytes; `modes` gives unix modes (0644 otherwise), `links` symlinks."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name)
            info.filename = name
            info.create_system = 3
            info.external_attr = (0o100000 | (modes or {}).get(name, 0o644)) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            info.external_attr = 0o120777 << 16
            archive.writestr(info, target)
    return stream.getvalue()


class Server:
    """One `lambent serve` process on a data folder of its own."""

    command = (LAMBENT, "serve")

    def __init__(self, data_dir=None, *options, env=None):
        self.data_dir = new_data_dir() if data_dir is None else data_dir
        self.options = options
        self.env = env or {}
        self.process = None
        self.endpoint = None
        self.account = "test"
        """Whose clients are, where nothing else is said."""
        self.log = []

    def start(self):
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("LAMBENT_", "AWS_"))}
        environ.update(self.env)
        command = [
            *self.command, "--port", "0", "--data-dir", str(self.data_dir),
            "--runtimes-dir", str(RUNTIMES_DIR), *self.options,
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ, cwd=self.data_dir
        )
        ready, output = threading.Event(), self.process.stdout

        def read():
            with output:
                for line in output:
                    self.log.append(line)
                    found = re.search(r"ready\b.*?(https?://\S+)", line)
                    if found and self.endpoint is None:
                        self.endpoint = found[1].rstrip("/.,")
                        ready.set()
            ready.set()

        self.reader = threading.Thread(target=read, daemon=True)
        self.reader.start()
        assert ready.wait(120) and self.endpoint, "the server did not get ready:\n" + "".join(self.log)
        return self

    @property
    def port(self):
        return int(self.endpoint.rsplit(":", 1)[1])

    def stop(self):
        """Stop as an operator would; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(120)
        self.reader.join(10)
        return code

    def kill(self):
        """End the server at once, as a crash does."""
        self.process.kill()
        self.process.wait(30)
        self.reader.join(10)
        self.endpoint = None

    def restart(self):
        self.endpoint = None
        return self.start()

    def health(self):
        """Return what the server says of itself."""
        with urllib.request.urlopen(self.endpoint + "/_lambent/health", timeout=30) as answer:
            return json.load(answer)

    @property
    def sandbox(self):
        """What the server says of its sandbox driver: `driver`, `why`, and `task_root` as functions see it."""
        return self.health()["sandbox"]

    def client(self, service, *, account=None, region=REGION, retries=1, **config):
        """Return an unmodified boto3 client without hidden retries."""
        client = boto3.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id=account or self.account,
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": retries}, read_timeout=120, max_pool_connections=50, **config),
        )
        return observed(client)

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def discard(self):
        if self.is_running:
            self.stop()
        shutil.rmtree(self.data_dir, ignore_errors=True)


def around_today():
    """Return bounds, as usage is asked for, between which all lies that a test does, whenever it runs."""
    today = datetime.now(UTC).date()
    return {"from": str(today - timedelta(days=2)), "to": str(today + timedelta(days=2))}


def child_of(server):
    """Return the process of the embedded server, None where there is none."""
    listing = subprocess.run(
        ["ps", "-eww", "-o", "pid=", "-o", "ppid=", "-o", "user=", "-o", "args="],
        capture_output=True,
        text=True,
        check=True,
    )
    for line in listing.stdout.splitlines():
        pid, parent, user, arguments = line.split(None, 3)
        if int(parent) == server.process.pid and "lambent.neighbours.embedded_process" in arguments:
            return int(pid), user
    return None


@functools.cache
def listed_runtimes(sandbox="auto"):
    """Return what `lambent runtimes` says with a driver, by identifier: asked once, since nothing of it changes."""
    environ = {**os.environ, "LAMBENT_SANDBOX": sandbox, "LAMBENT_RUNTIMES_DIR": str(RUNTIMES_DIR)}
    listing = subprocess.run([LAMBENT, "runtimes", "--json"], capture_output=True, check=True, env=environ)
    return {row["runtime"]: row for row in json.loads(listing.stdout)}


def newest_python(sandbox="auto"):
    """Return the newest Python runtime that a driver can run here: without walls a private home is out of reach."""
    listed = listed_runtimes(sandbox)
    found = [name for name, row in listed.items() if row["available"] and name.startswith("python3.")]
    assert found, f"no Python runtime is available on this machine: {listed}"
    return max(found, key=lambda name: int(name.split(".")[1]))


class FunctionMaker:
    """Creates functions from source text and removes them afterwards."""

    def __init__(self, client, runtime, name):
        self.client = client
        self.runtime = runtime
        self.base_name = name
        self.made = []

    def __call__(self, source=None, *, name=None, entries=None, archive=None, wait=True, client=None, **settings):
        client = client or self.client
        name = name or (self.base_name if not self.made else f"{self.base_name}-{len(self.made)}")
        if archive is None:
            archive = zip_of(entries or {"app.py": source})
        wanted = {"Runtime": self.runtime, "Handler": "app.handler", "Role": ROLE, **settings}
        client.create_function(FunctionName=name, Code={"ZipFile": archive}, **wanted)
        self.made.append((client, name))
        if wait:
            client.get_waiter("function_active_v2").wait(
                FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200}
            )
        return name


def wait_updated(client, name):
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 2400})


def invoke(client, name, event=None, **options):
    """Invoke and return (answer, decoded payload)."""
    payload = b"" if event is None else json.dumps(event).encode()
    answer = client.invoke(FunctionName=name, Payload=payload, **options)
    body = answer["Payload"].read()
    return answer, json.loads(body) if body else None


def tail_of(answer):
    """Return the text of LogResult."""
    return base64.b64decode(answer["LogResult"]).decode()


def wait_for(condition, *, within_s=120.0, every_s=0.05):
    """
    Return the first true value of `condition()`; fail when it stays false for `within_s`.

    So long because a machine may be slow, and busy with other things: a test that passes waits for none of it.
    """
    end = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"the condition did not come true within {within_s} s"
        time.sleep(every_s)


def error_of(excinfo):
    """Return (status, code, message) of a botocore ClientError."""
    response = excinfo.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]
