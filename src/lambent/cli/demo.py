"""`lambent demo`: a server of its own, one function, a cold and some warm invocations."""

import base64
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambent.cli.client import answers, connect
from lambent.cli.failure import CommandFailed
from lambent.cli.runtimes import probe
from lambent.cli.setting_options import settings_from, with_settings

if TYPE_CHECKING:
    from lambent.clock import Clock
    from lambent.runtimes.contract import Availability

FUNCTION_NAME = "hello"
ROLE = "arn:aws:iam::000000000000:role/lambent-demo"
WARM_INVOCATIONS = 20
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 45.0
LOG_LINES_SHOWN = 20


@with_settings("function_user")
def demo(**given: Any) -> None:
    """
    Start a server on a free port, deploy examples/hello, invoke it cold and warm, stop.

    It has a data folder of its own, which is removed afterwards.
    """
    from lambent.clock import SystemClock

    clock = SystemClock()
    # As with Ctrl-C, so that the server and its folder go as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _data_folder() as folder:
        # Without the fallback: the newest Python that is really here, not one that another stands in for.
        settings = settings_from({"data_dir": str(folder / "data"), "runtime_fallback": "none", **given})
        runtime = newest_python(probe(settings))
        _say(f"starting a server, data in {folder}")
        began = clock.monotonic()
        with _server(folder, {"function_user": settings.sandbox.function_user, "tls": "off"}) as endpoint:
            _say(f"ready on {endpoint} after {_milliseconds(clock.monotonic() - began)}")
            with answers(endpoint):
                _show(endpoint, runtime, clock)
        _say("stopped")


def newest_python(found: Sequence["Availability"]) -> str:
    """
    Return the newest Python runtime among those that were probed.

    Raises:
        CommandFailed: none is available here.
    """
    pythons = [entry for entry in found if entry.runtime.startswith("python")]
    available = [entry.runtime for entry in pythons if entry.available]
    if not available:
        why = next((f"{entry.runtime}: {entry.detail}. {entry.remedy}" for entry in reversed(pythons)), "")
        raise CommandFailed(
            f"this machine has no Python that functions can run on; `lambent runtimes` lists why. {why}"
        )
    return max(available, key=lambda runtime: [int(number) for number in re.findall(r"\d+", runtime)])


def _show(endpoint: str, runtime: str, clock: "Clock") -> None:
    from statistics import median

    client = connect("lambda", endpoint)
    source, origin = hello_source()
    _say(f"deploying {origin} as {FUNCTION_NAME!r} on {runtime}; the first function of a runtime installs its client")
    began = clock.monotonic()
    client.create_function(
        FunctionName=FUNCTION_NAME,
        Runtime=runtime,
        Handler="app.handler",
        # One whole processor, as on AWS: with the default of 128 MB the timings would show its share, a fourteenth.
        MemorySize=1769,
        Role=ROLE,
        Code={"ZipFile": package(source)},
    )
    _wait_active(client)
    _say(f"active after {_milliseconds(clock.monotonic() - began)}")

    event = json.dumps({"name": "Lambent"})
    began = clock.monotonic()
    response = client.invoke(FunctionName=FUNCTION_NAME, Payload=event, LogType="Tail")
    answer = response["Payload"].read().decode()
    cold_s = clock.monotonic() - began
    if "FunctionError" in response:
        raise CommandFailed(f"the function failed: {answer}")
    print(json.dumps(json.loads(answer), indent=2, ensure_ascii=False), flush=True)
    tail = base64.b64decode(response["LogResult"]).decode(errors="replace")
    report = next((line for line in tail.splitlines() if line.startswith("REPORT ")), "")
    if not report:
        raise CommandFailed(f"the log has no REPORT line: {tail!r}")
    _say(report.replace("\t", "  ").rstrip())

    warm_s = []
    for _ in range(WARM_INVOCATIONS):
        began = clock.monotonic()
        response = client.invoke(FunctionName=FUNCTION_NAME, Payload=event)
        answer = response["Payload"].read().decode()
        warm_s.append(clock.monotonic() - began)
        if "FunctionError" in response:
            raise CommandFailed(f"the function failed: {answer}")
    _say(
        f"cold {_milliseconds(cold_s)}, warm {_milliseconds(median(warm_s))} "
        f"(median of {WARM_INVOCATIONS}), seen by botocore over HTTP"
    )


def _wait_active(client: Any) -> None:
    from botocore.exceptions import WaiterError

    try:
        client.get_waiter("function_active_v2").wait(
            FunctionName=FUNCTION_NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 300}
        )
    except WaiterError as error:
        function = client.get_function_configuration(FunctionName=FUNCTION_NAME)
        why = function.get("StateReason", "no reason given")
        raise CommandFailed(f"the function did not become active: {function.get('State')}: {why}") from error


def hello_source() -> tuple[str, str]:
    """Return the function's source and where it is from: the checkout, or the copy in an installed package."""
    in_checkout = Path(__file__).resolve().parents[3] / "examples" / "hello" / "app.py"
    if in_checkout.is_file():
        return in_checkout.read_text(), "examples/hello"
    installed = Path(__file__).resolve().parent / "hello" / "app.py"
    return installed.read_text(), "the hello function"


def package(source: str) -> bytes:
    """Return a deployment package with `source` as its app.py."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo("app.py")
        entry.external_attr = 0o100644 << 16
        archive.writestr(entry, source)
    return buffer.getvalue()


@contextmanager
def _data_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="lambent-demo-"))
    try:
        # Functions of a server that is root run as another user, which has to get through this folder to its package.
        folder.chmod(0o711)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _server(folder: Path, options: dict[str, str]) -> Iterator[str]:
    """
    Run a server in its own process while the block runs; yield its endpoint.

    Raises:
        CommandFailed: it did not start, or the block failed: its last log lines have then been printed.
    """
    log_path = folder / "server.log"
    command = [sys.executable, "-m", "lambent", "serve", "--host", "127.0.0.1", "--port", "0"]
    command += ["--data-dir", str(folder / "data")]
    for name, value in options.items():
        command += ["--" + name.replace("_", "-"), value]
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
    try:
        yield _wait_ready(process)
        _stop(process)
    except BaseException:
        process.terminate()
        _print_log(log_path)
        raise
    finally:
        if process.poll() is None:
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _wait_ready(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    # A server that neither gets ready nor ends is ended, and the read below with it.
    timer = threading.Timer(START_TIMEOUT_S, process.kill)
    timer.start()
    try:
        for line in process.stdout:
            word, _, endpoint = line.decode().strip().partition(" ")
            if word == "ready":
                return endpoint
    finally:
        timer.cancel()
    code = process.wait()
    raise CommandFailed(f"the server did not start (exit code {code}, at most {START_TIMEOUT_S:g} s are allowed)")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        code = process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"the server did not stop within {STOP_TIMEOUT_S:g} s") from error
    if code != 0:
        raise CommandFailed(f"the server stopped with exit code {code}")


def _print_log(path: Path) -> None:
    lines = path.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
    if lines:
        print("the server's last log lines:", *("    " + line for line in lines), sep="\n", file=sys.stderr, flush=True)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.1 else f"{seconds * 1000:.1f} ms"


def _say(line: str) -> None:
    print(f"demo: {line}", flush=True)
