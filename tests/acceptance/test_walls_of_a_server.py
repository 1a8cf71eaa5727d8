"""The walls as whoever runs a server sees them: what functions do to each other, and what is left on the machine."""

import contextlib
import os
import re
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError
from wire.support import FunctionMaker, invoke, tail_of, wait_for, zip_of
from wire.traces import KINDS, below, command_of, environments_of, living, processes_of_user, spawner_of, traces_of

# A process of its own besides, so that more than the runtime has to end.
SLOW = """
import subprocess
import time

def handler(event, context):
    subprocess.Popen(["sleep", "600"])
    print("it has begun", flush=True)
    time.sleep(event["sleep_s"])
    return context.log_stream_name
"""

COUNTING = """
N = 0
def handler(event, context):
    global N
    N += 1
    return [N, context.log_stream_name]
"""

# Answers with its own token, and with how many environments of processes that it sees hold a text.
PEEKING = """#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
  event=$(mktemp /tmp/event.XXXXXX)
  id=$(curl -sS -D - -o "$event" "$api/next" | tr -d '\\r' | sed -n 's/^lambda-runtime-aws-request-id: //Ip')
  sought=$(sed 's/.*"sought": "\\([^"]*\\)".*/\\1/' "$event")
  own=$(cat /proc/[0-9]*/environ /proc/[0-9]*/task/[0-9]*/environ 2>/dev/null | grep -a -c -F "$AWS_SESSION_TOKEN")
  found=$(cat /proc/[0-9]*/environ /proc/[0-9]*/task/[0-9]*/environ 2>/dev/null | grep -a -c -F "$sought")
  answer="{\\"token\\": \\"$AWS_SESSION_TOKEN\\", \\"own\\": $own, \\"found\\": $found}"
  curl -sS -o /dev/null -d "$answer" "$api/$id/response"
done
"""


@pytest.fixture
def walled(own_server):
    """Makes servers whose functions run behind all walls; the test is left out where there are none."""

    def make(*options):
        server = own_server(None, *options).start()
        if server.sandbox["driver"] != "namespace":
            pytest.skip("needs:root:run the tests as root on Linux")
        return server

    return make


@pytest.fixture(scope="module")
def walls(server):
    """The server that most tests share; the test is left out where its functions see no walls."""
    if server.sandbox["driver"] != "namespace":
        pytest.skip("needs:root:run the tests as root on Linux")
    return server


class Call:
    """An invocation of SLOW that has begun and waits; `outcome` is what its client saw."""

    def __init__(self, server, name, sleep_s=600):
        client = server.client("lambda")
        before = log_of(server, name).count("it has begun")
        self.outcome = None

        def work():
            try:
                self.outcome = invoke(client, name, {"sleep_s": sleep_s})[1]
            except (ClientError, ConnectionError, HTTPClientError) as error:
                self.outcome = error

        self.thread = threading.Thread(target=work)
        self.thread.start()
        wait_for(lambda: log_of(server, name).count("it has begun") > before)

    def end(self):
        self.thread.join(30)
        assert not self.thread.is_alive(), "nobody has answered"
        return self.outcome


def log_of(server, name):
    client = server.client("logs")
    with contextlib.suppress(client.exceptions.ResourceNotFoundException):
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
        return "".join(event["message"] for page in pages for event in page["events"])
    return ""


def busy_and_idle(server, runtime):
    """Leave one environment of SLOW idle and another in a call; return the function's name and the call."""
    client = server.client("lambda")
    name = FunctionMaker(client, runtime, "slow")(SLOW, Timeout=900)
    call = Call(server, name)
    invoke(client, name, {"sleep_s": 0}, LogType="Tail")
    assert {"processes", "control groups"} <= set(traces_of(server.data_dir)), "looked for in the wrong place"
    assert environments_of(traces_of(server.data_dir)) >= 2
    sleeps = [pid for pid in below(server.process.pid) if command_of(pid) == ["sleep", "600"]]
    assert len(sleeps) == 2
    return name, call


# What is left --------------------------------------------------------------------------------------------------------


def test_a_spawner_that_is_killed_costs_its_calls_and_no_more(walled, runtime):
    """
    kill -9 of the spawner: the call in flight is a 500 ServiceException at once, the next call works, nothing that the
    old spawner made lives on.
    """
    server = walled()
    name, call = busy_and_idle(server, runtime)
    spawner = spawner_of(server)
    old = {**below(spawner), **{pid: start for pid, start in below(server.process.pid).items() if pid == spawner}}

    os.kill(spawner, signal.SIGKILL)

    error = call.end()
    assert isinstance(error, ClientError), error
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert error.response["Error"]["Code"] == "ServiceException"
    assert isinstance(invoke(server.client("lambda"), name, {"sleep_s": 0})[1], str)
    wait_for(lambda: not living(old))
    assert spawner_of(server) != spawner
    assert server.stop() == 0
    wait_for(lambda: not traces_of(server.data_dir))


@pytest.mark.parametrize("killed", ["server", "server and spawner"])
def test_a_crash_leaves_nothing_once_the_next_server_is_there(walled, runtime, killed):
    """kill -9 of the server, or of server and spawner: what they made is gone after the next start; functions run."""
    # Nothing is made ahead: what there is after the start was there before it.
    server = walled("--parked-memory-mib", "0")
    name, call = busy_and_idle(server, runtime)
    old = below(server.process.pid)
    if killed == "server and spawner":
        # A server that still ran would answer that the sandbox failed.
        os.kill(server.process.pid, signal.SIGSTOP)
        os.kill(spawner_of(server), signal.SIGKILL)
    server.kill()
    assert isinstance(call.end(), (ConnectionError, HTTPClientError))

    server.restart()

    assert not living(old)
    traces = traces_of(server.data_dir)
    assert environments_of(traces) == 0
    # The new server's own table and its empty groups.
    assert not set(traces) - {"tables", "control groups"}, traces
    assert isinstance(invoke(server.client("lambda"), name, {"sleep_s": 0})[1], str)
    assert server.stop() == 0
    wait_for(lambda: not traces_of(server.data_dir))


def test_a_stop_takes_everything_back(walled, runtime):
    """SIGTERM: idle, parked and busy environments, and all that was made for them, are gone when the server is."""
    server = walled("--shutdown-grace-s", "1")
    _, call = busy_and_idle(server, runtime)
    old = below(server.process.pid)
    seen = traces_of(server.data_dir)
    assert set(seen) <= set(KINDS)

    assert server.stop() == 0

    assert not living(old)
    # The kernel takes interfaces and loop devices away in its own time.
    wait_for(lambda: not traces_of(server.data_dir))
    assert call.end() is not None


# What a function does to others --------------------------------------------------------------------------------------

FORKS = """
import os
def handler(event, context):
    print("the user is", os.getuid(), flush=True)
    while True:
        try:
            os.fork()
        except OSError:
            pass
"""

FILLS_TMP = """
import errno
import os
def handler(event, context):
    block, written = bytes(1 << 20), 0
    with open("/tmp/full", "wb", buffering=0) as file:
        try:
            while True:
                written += file.write(block)
        except OSError as error:
            reason = errno.errorcode[error.errno]
    os.unlink("/tmp/full")
    return [written >> 20, reason]
"""

FILLS_MEMORY = """
def handler(event, context):
    blocks = []
    while True:
        blocks.append(b"x" * (1 << 20))
"""


class Neighbour:
    """Calls a harmless function again and again, as long as it is entered."""

    def __init__(self, client, name):
        self.client = client
        self.name = name
        self.answers = []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        while not self.is_over.is_set():
            self.answers.append(invoke(self.client, self.name, LogType="Tail")[1])

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *raised):
        self.is_over.set()
        self.thread.join(60)
        if raised == (None, None, None):
            assert len(self.answers) > 1
            assert [number for number, _ in self.answers] == list(range(1, len(self.answers) + 1))
            assert len({stream for _, stream in self.answers}) == 1, "the neighbour lost its environment"


@pytest.fixture
def neighbour(walls, lambda_client, make_function):
    return Neighbour(lambda_client, make_function(COUNTING, Timeout=30))


def test_a_function_that_forks_without_end_ends_alone(walls, lambda_client, make_function, neighbour):
    """A fork bomb meets its limits and its timeout; all of its processes end, a neighbour's calls go on."""
    name = make_function(FORKS, Timeout=2, MemorySize=1024)
    with neighbour:
        payload = invoke(lambda_client, name)[1]
        assert payload["errorType"] in {"Sandbox.Timedout", "Runtime.ExitError"}
        uid = int(wait_for(lambda: re.search(r"the user is (\d+)", log_of(walls, name)))[1])
        wait_for(lambda: not processes_of_user(uid))


@pytest.mark.parametrize("size", [512, 1024])
def test_a_function_that_fills_tmp_is_told_so(lambda_client, make_function, neighbour, size):
    """/tmp ends with ENOSPC at EphemeralStorage, and takes none of the function's memory."""
    settings = {} if size == 512 else {"EphemeralStorage": {"Size": size}}
    name = make_function(FILLS_TMP, Timeout=60, MemorySize=256, **settings)
    with neighbour:
        written_mib, reason = invoke(lambda_client, name)[1]
    assert reason == "ENOSPC"
    assert size <= written_mib <= size * 1.03


def test_a_function_that_fills_memory_is_killed_alone(lambda_client, make_function, neighbour):
    """Memory ends at MemorySize, REPORT says so, and the next call has a new environment."""
    name = make_function(FILLS_MEMORY, Timeout=30, MemorySize=256)
    with neighbour:
        answer, payload = invoke(lambda_client, name, LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert answer["FunctionError"] == "Unhandled"
    assert payload == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request_id} Error: Runtime exited with error: signal: killed",
    }
    assert re.search(r"Memory Size: (\d+) MB\tMax Memory Used: (\d+) MB", tail_of(answer)).groups() == ("256", "256")


def test_what_runs_on_after_the_answer_stands_still(walls, lambda_client, make_function):
    """A thread that counts goes on during calls and not between them: an idle environment is frozen."""
    source = """
import threading
import time
N = 0
def count():
    global N
    while True:
        N += 1
        time.sleep(0.002)
threading.Thread(target=count, daemon=True).start()
def handler(event, context):
    before, began = N, time.monotonic()
    while N < before + event["counts"]:
        time.sleep(0.01)
    return [before, N, time.monotonic() - began]
"""
    name = make_function(source, MemorySize=1769, Timeout=30)
    # Asked for the tail of the log, a call is answered when its environment is idle.
    before, after, took_s = invoke(lambda_client, name, {"counts": 200}, LogType="Tail")[1]
    # The time is what is tested: four times as long, in which nothing may move. How long a machine with much to do
    # takes to freeze and to thaw is not.
    time.sleep(4 * took_s)
    later = invoke(lambda_client, name, {"counts": 0})[1][0]
    assert later - after < after - before


# What a function sees ------------------------------------------------------------------------------------------------


def test_the_gateway_is_near_without_a_route(walls, lambda_client, make_function):
    """AWS_ENDPOINT_URL is 127.0.0.1:4566 inside; boto3 needs no more, not even where there is no way out."""
    source = """
import os
import boto3
def handler(event, context):
    names = [one["FunctionName"] for page in boto3.client("lambda").get_paginator("list_functions").paginate()
             for one in page["Functions"]]
    return [os.environ["AWS_ENDPOINT_URL"], names, open("/proc/net/route").read().splitlines()[1:]]
"""
    name = make_function(source, Timeout=30, MemorySize=1769, Tags={"lambent:egress": "none"})
    endpoint, names, routes = invoke(lambda_client, name)[1]
    assert endpoint == "http://127.0.0.1:4566"
    assert name in names
    assert routes == []


def test_variables_reach_warm_functions_and_versions_keep_theirs(walls, lambda_client, make_function):
    """EV-02 behind walls, where environments are made ahead: an update is seen at once, a version keeps what it has."""
    client = lambda_client
    source = """
import os
def handler(event, context):
    return [os.environ.get(key) for key in ("KEY", "GONE", "AWS_ENDPOINT_URL")]
"""
    name = make_function(source, Environment={"Variables": {"KEY": "1", "GONE": "x"}}, Publish=True)
    inside = "http://127.0.0.1:4566"
    assert invoke(client, name)[1] == ["1", "x", inside]

    def update(**variables):
        client.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05})

    update(KEY="2", AWS_ENDPOINT_URL="http://elsewhere")
    assert invoke(client, name)[1] == ["2", None, "http://elsewhere"]
    assert invoke(client, name, Qualifier="1")[1] == ["1", "x", inside]
    update()
    assert invoke(client, name)[1] == [None, None, inside]


def test_proc_tells_nothing_of_the_machine_or_of_others(walls, lambda_client, make_function):
    """Mounts name neither the data folder nor the function; process 1 tells nothing; no descriptor leaks in."""
    source = """
import os
# Before the client has opened a connection: what is there was given. The folder that is being listed is not counted.
LISTED = [number for number in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + number)]
MOUNTS = open("/proc/self/mountinfo").read()
FIRST = open("/proc/1/cmdline", "rb").read().strip(b"\\0").decode()
PIDS = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
def handler(event, context):
    return {"descriptors": sorted(map(int, LISTED)), "mounts": MOUNTS, "first": FIRST, "pids": PIDS}
"""
    name = make_function(source)
    seen = invoke(lambda_client, name)[1]
    assert seen["descriptors"] == [0, 1, 2, 3]
    assert seen["first"] == ""
    assert len(seen["pids"]) == 2
    assert str(walls.data_dir) not in seen["mounts"]
    assert walls.data_dir.name not in seen["mounts"]
    assert name not in seen["mounts"]
    assert " /var/task " in seen["mounts"]


def test_a_function_does_not_see_anothers_credentials(walls, unique_name):
    """
    They are in the environment of a process, which /proc shows its own user; behind the walls each function sees its
    own processes alone. That it looks where credentials stand, it shows by finding its own; that the other's stand
    there, the host does.
    """
    if shutil.which("curl") is None:
        pytest.skip("needs:curl:apt install curl")
    make = FunctionMaker(walls.client("lambda"), "provided.al2023", unique_name)
    archive = zip_of({"bootstrap": PEEKING}, modes={"bootstrap": 0o755})
    peeking, other = (make(archive=archive, Handler="any", Timeout=30) for _ in range(2))
    try:
        _, theirs = invoke(make.client, other, {"sought": "nothing"})
        _, found = invoke(make.client, peeking, {"sought": theirs["token"]})
        # Not over yet: the other's process is still there to be seen.
        assert any(theirs["token"] in environment for environment in environments_of_processes())
    finally:
        for _, name in make.made:
            make.client.delete_function(FunctionName=name)
    assert theirs["token"] != found["token"]
    assert found["own"] > 0
    assert found["found"] == 0


def environments_of_processes():
    """Yield what each process of the host started with, as root sees it."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            yield path.read_bytes().decode("latin-1")
