"""The driver without walls, the only one on many machines: one test for each thing that a server has to do."""

import os
import re
from pathlib import Path

import pytest
from wire.support import FunctionMaker, Server, invoke, newest_python, tail_of, wait_for
from wire.traces import below, living

SOURCE = """
import os
import subprocess
import time
N = 0
def handler(event, context):
    global N
    N += 1
    print("called with", event)
    if "child" in event:
        return subprocess.Popen(["sleep", "600"]).pid
    if "exit" in event:
        os._exit(event["exit"])
    if "raise" in event:
        raise ValueError(event["raise"])
    if "mb" in event:
        block = b"x" * (event["mb"] << 20)
        time.sleep(20)
    time.sleep(event.get("sleep_s", 0))
    return {"n": N, "uid": os.getuid(), "root": os.environ["LAMBDA_TASK_ROOT"], "env": os.environ.get("KEY")}
"""


@pytest.fixture(scope="module")
def bare():
    server = Server(None, "--sandbox", "process").start()
    yield server
    server.discard()


@pytest.fixture(scope="module")
def runtime():
    return newest_python("process")


@pytest.fixture
def client(bare):
    return bare.client("lambda")


@pytest.fixture
def function(client, runtime, unique_name):
    return FunctionMaker(client, runtime, unique_name)(SOURCE, Timeout=2, Environment={"Variables": {"KEY": "v"}})


def test_a_call_is_answered_and_the_next_one_is_warm(bare, client, function):
    """Functions see the host's paths, their variables, and keep their process; as root they run as somebody else."""
    seen = [invoke(client, function, {}, LogType="Tail")[1] for _ in range(2)]
    assert [one["n"] for one in seen] == [1, 2]
    assert bare.sandbox["driver"] == "process"
    before, after = bare.sandbox["task_root"].split("{code_sha256}")
    assert re.fullmatch(re.escape(before) + "[0-9a-f]{64}" + re.escape(after), seen[0]["root"])
    assert Path(seen[0]["root"], "app.py").is_file()
    assert seen[0]["env"] == "v"
    own = os.geteuid()
    assert seen[0]["uid"] != own if own == 0 else seen[0]["uid"] == own


def test_errors_are_the_functions_own(client, function):
    """An exception, an exit and a timeout have AWS's forms; each next call runs."""
    assert invoke(client, function, {"raise": "boom"})[1]["errorType"] == "ValueError"
    payload = invoke(client, function, {"exit": 3})[1]
    assert (payload["errorType"], payload["errorMessage"][-13:]) == ("Runtime.ExitError", "exit status 3")
    payload = invoke(client, function, {"sleep_s": 30})[1]
    assert payload["errorType"] == "Sandbox.Timedout"
    assert payload["errorMessage"].endswith("Task timed out after 2.00 seconds")
    assert invoke(client, function, {})[1]["n"] == 1


def test_memory_is_watched(client, runtime, unique_name):
    """Without control groups a function that takes more than it was given is found and ended."""
    name = FunctionMaker(client, runtime, unique_name)(SOURCE, Timeout=30)
    answer, payload = invoke(client, name, {"mb": 300}, LogType="Tail")
    assert (payload["errorType"], payload["errorMessage"][-14:]) == ("Runtime.ExitError", "signal: killed")
    assert int(re.search(r"Max Memory Used: (\d+) MB", tail_of(answer))[1]) <= 128
    assert invoke(client, name, {})[1]["n"] == 1


def test_what_is_printed_is_logged(bare, client, function):
    """Lines of the function stand between START and END of its call."""
    invoke(client, function, {"sleep_s": 0}, LogType="Tail")
    group = f"/aws/lambda/{function}"
    logs = bare.client("logs")
    events = wait_for(lambda: len(found := logs.filter_log_events(logGroupName=group)["events"]) == 5 and found)
    words = [event["message"].split()[0] for event in events]
    assert words == ["INIT_START", "START", "called", "END", "REPORT"]


def test_a_function_that_is_deleted_leaves_no_process(bare, client, function):
    """Its environment ends with its children."""
    invoke(client, function, {"child": True}, LogType="Tail")
    started = below(bare.process.pid)
    assert started
    for name in [one["FunctionName"] for one in client.list_functions()["Functions"]]:
        client.delete_function(FunctionName=name)
    wait_for(lambda: not living(started))
