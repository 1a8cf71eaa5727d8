"""kill -9 of the server: what it answered for is still there, and nothing of it runs on."""

import contextlib
import itertools
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError
from wire.support import ROLE, invoke, newest_python, wait_for, zip_of
from wire.traces import below, command_of, living

CREATES = int(os.environ.get("LAMBENT_CRASH_CREATES", "400"))
"""Enough for all of them to be busy at any moment; `make soak` makes a thousand."""
KILL_AFTER = CREATES // 2
AT_ONCE = 8

QUICK = """
def handler(event, context):
    return "{name}"
"""

SLOW = """
import subprocess
import time

def handler(event, context):
    child = subprocess.Popen(["sleep", "600"])
    print("the child is", child.pid)
    time.sleep(event["sleep_s"])
"""


class Creates:
    """Creates functions from several threads until all are made or the server is gone."""

    def __init__(self, client, runtime):
        self.client = client
        self.runtime = runtime
        self.numbers = iter(range(CREATES))
        self.answered = []
        self.enough = threading.Event()
        self.unexpected = []

    def work(self):
        for number in self.numbers:
            name = f"crash-{number:04d}"
            # Each has a package of its own: blobs and folders are being written whenever the end comes.
            archive = zip_of({"app.py": QUICK.format(name=name), "data.txt": name * 2000})
            try:
                answer = self.client.create_function(
                    FunctionName=name,
                    Code={"ZipFile": archive},
                    Runtime=self.runtime,
                    Handler="app.handler",
                    Role=ROLE,
                )
            except (ConnectionError, HTTPClientError):
                return
            except ClientError as error:
                self.unexpected.append(error)
                return
            if answer["ResponseMetadata"]["HTTPStatusCode"] == 201:
                self.answered.append(name)
            if len(self.answered) >= KILL_AFTER:
                self.enough.set()


def listed(client):
    """Return every function's name and the hash of its code, page by page."""
    pages = client.get_paginator("list_functions").paginate()
    return {item["FunctionName"]: item["CodeSha256"] for page in pages for item in page["Functions"]}


def test_every_answered_create_survives_kill_9(own_server, runtime):
    """kill -9 in the middle of hundreds of creates: each 201 stands, each function is whole and becomes Active."""
    server = own_server().start()
    creates = Creates(server.client("lambda"), runtime)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for _ in range(AT_ONCE):
            threads.submit(creates.work)
        assert creates.enough.wait(180), f"only {len(creates.answered)} creates were answered"
        server.kill()
    assert creates.unexpected == []
    assert KILL_AFTER <= len(creates.answered) < CREATES

    server.restart()
    client = server.client("lambda")
    there = listed(client)

    assert set(creates.answered) <= set(there), "a function that was answered 201 is gone"
    unanswered = set(there) - set(creates.answered)
    assert len(unanswered) <= AT_ONCE, "more functions than were asked for"
    for name in there:
        wait_for(lambda name=name: client.get_function_configuration(FunctionName=name)["State"] == "Active")
    # What is there is whole: its archive, and the folder that it unpacked to.
    for name in {*sorted(there)[::10], *unanswered}:
        assert invoke(client, name)[1] == name
    # `.boot` says since when the folders here can be trusted.
    folders = [path for path in (server.data_dir / "packages").iterdir() if path.name != ".boot"]
    assert len(folders) >= len(there)
    for folder in folders:
        assert len(folder.name) == 64, f"{folder} is no finished package"
        assert {path.name: path.stat().st_size > 0 for path in folder.iterdir()} == {"app.py": True, "data.txt": True}
        assert (folder / "data.txt").stat().st_size == len("crash-0000") * 2000

    # The names in flight can be used again: nothing half-made is in their way.
    lost = next(name for name in map("crash-{:04d}".format, itertools.count()) if name not in there)
    client.create_function(
        FunctionName=lost,
        Code={"ZipFile": zip_of({"app.py": QUICK.format(name=lost), "data.txt": lost * 2000})},
        Runtime=runtime,
        Handler="app.handler",
        Role=ROLE,
    )


@pytest.mark.parametrize("sandbox", ["auto", "process"])
def test_no_environment_outlives_the_next_start(own_server, sandbox):
    """
    A killed server leaves processes behind, busy and frozen ones with their children; they are ended, by the next start
    at the latest, which closes the invocations that were running with END and REPORT.
    """
    server = own_server(None, "--sandbox", sandbox).start()
    client = server.client("lambda")
    client.create_function(
        FunctionName="slow",
        Code={"ZipFile": zip_of({"app.py": SLOW})},
        Runtime=newest_python(sandbox),
        Handler="app.handler",
        Role=ROLE,
        Timeout=300,
    )
    client.get_waiter("function_active_v2").wait(FunctionName="slow", WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
    invoke(client, "slow", {"sleep_s": 0})

    def invoke_until_the_end():
        with contextlib.suppress(ConnectionError, HTTPClientError):
            invoke(client, "slow", {"sleep_s": 600})

    # One takes the idle environment, the other a new one; a short one then leaves an environment idle.
    callers = [threading.Thread(target=invoke_until_the_end) for _ in range(2)]
    for caller in callers:
        caller.start()
    wait_for(lambda: server_log(server).count("START RequestId") == 3)
    invoke(client, "slow", {"sleep_s": 0})

    def running_children():
        return [pid for pid in below(server.process.pid) if command_of(pid) == ["sleep", "600"]]

    # Three environments, and a child for each of the four invocations.
    children = wait_for(lambda: len(found := running_children()) == 4 and found)
    wait_for(lambda: server_log(server).count("REPORT RequestId") == 2)

    started = below(server.process.pid)
    server.kill()
    for caller in callers:
        caller.join(30)
        assert not caller.is_alive()
    if sandbox == "process":
        assert set(children) <= living(started), "nothing was left behind, so this test shows nothing"

    server.restart()

    assert not living(started)
    text = wait_for(lambda: (text := server_log(server)).count("REPORT RequestId") == 4 and text)
    begun = {line.split()[2] for line in text.splitlines() if line.startswith("START RequestId")}
    for kind in ("END", "REPORT"):
        lines = [line for line in text.splitlines() if line.startswith(f"{kind} RequestId")]
        assert {line.split()[2] for line in lines} == begun, f"each invocation has one {kind}"
    assert text.count("Status: error") == 2
    assert invoke(server.client("lambda"), "slow", {"sleep_s": 0})[0]["StatusCode"] == 200


def server_log(server):
    """Return the log of the function `slow` as text."""
    client = server.client("logs")
    with contextlib.suppress(client.exceptions.ResourceNotFoundException):
        pages = client.get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/slow")
        return "".join(event["message"] for page in pages for event in page["events"])
    return ""


def test_a_start_that_was_killed_is_no_hindrance(own_server):
    """kill -9 right after each start: the data folder opens again, as often as it takes."""
    server = own_server().start()
    for _ in range(3):
        server.kill()
        server.restart()
    assert server.client("lambda").list_functions()["Functions"] == []
    assert not list(Path(server.data_dir).glob("*.new"))
