"""kill -9 of the server while events run: what was accepted runs, and is done, waiting or told of; nothing is lost."""

import collections
import contextlib
import http.client
import json
import os
import random
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from wire.support import ACCOUNT, REGION, ROLE, newest_python, wait_for, zip_of

RUNS = int(os.environ.get("LAMBENT_CRASH_RUNS", "1"))
EVENTS = int(os.environ.get("LAMBENT_CRASH_EVENTS", "2000"))
KILLS = 3
AT_ONCE = 8
SCALE = 0.002

# Appends to a file that outlives every server: what ran is known by itself, not by what the server says.
SOURCE = """
import os
def handler(event, context):
    descriptor = os.open("/mnt/ran/log", os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, b"%d %s\\n" % (event["number"], context.aws_request_id.encode()))
    os.close(descriptor)
    if event["number"] % 10 == 0:
        raise ValueError("a poison event")
"""
TELL = """
import os
def handler(event, context):
    descriptor = os.open("/mnt/ran/told", os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, (event["requestContext"]["requestId"] + "\\n").encode())
    os.close(descriptor)
"""
FILE_SYSTEM = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:access-point/fsap-0123456789abcdef0"


class Sender:
    """Sends numbered events from several threads, over however many lives of the server that takes."""

    def __init__(self, server):
        self.server = server
        self.numbers = iter(range(EVENTS))
        self.taking = threading.Lock()
        self.accepted = {}
        """Request id to number, of what was answered 202."""
        self.unexpected = []

    def work(self):
        with contextlib.ExitStack() as opened:
            endpoint, connection = None, None
            while (number := self.take()) is not None:
                while True:
                    if self.server.endpoint is None:
                        time.sleep(0.02)
                        continue
                    if endpoint != self.server.endpoint:
                        endpoint = self.server.endpoint
                        connection = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=60)
                        opened.callback(connection.close)
                    try:
                        self.send(connection, number)
                        break
                    except (OSError, http.client.HTTPException):
                        # Whether it was accepted nobody knows; sending it again is what clients do.
                        connection.close()
                        time.sleep(0.02)

    def take(self):
        with self.taking:
            return next(self.numbers, None)

    def send(self, connection, number):
        path = "/2015-03-31/functions/work/invocations"
        connection.request("POST", path, json.dumps({"number": number}), {"X-Amz-Invocation-Type": "Event"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status == 202:
            self.accepted[answer.headers["x-amzn-RequestId"]] = number
        else:
            self.unexpected.append((answer.status, text))


def create(client, runtime, name, source):
    client.create_function(
        FunctionName=name,
        Code={"ZipFile": zip_of({"app.py": source})},
        Runtime=runtime,
        Handler="app.handler",
        Role=ROLE,
        FileSystemConfigs=[{"Arn": FILE_SYSTEM, "LocalMountPath": "/mnt/ran"}],
        # A whole processor: what takes the time is to be the server.
        MemorySize=1769,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})


def lines(path):
    return path.read_text().split("\n")[:-1] if path.exists() else []


def waiting(server):
    """Return how many events the queues hold, as the database beside the server has it."""
    with sqlite3.connect(f"file:{server.data_dir / 'state.db'}?mode=ro", uri=True) as connection:
        return connection.execute("SELECT coalesce(sum(event_count), 0) FROM event_queues").fetchone()[0]


@pytest.mark.parametrize("run", range(RUNS))
def test_no_accepted_event_is_lost(own_server, tmp_path_factory, run):
    """
    Two thousand events, one in ten of which always fails, and three kills at random moments: every 202 has run, every
    poison event is told of to its destination, and the queues are empty in the end.
    """
    seed = int(os.environ.get("LAMBENT_CRASH_SEED", random.SystemRandom().randrange(1 << 32))) + run
    print(f"seed: {seed}")
    dice = random.Random(seed)
    folder = tmp_path_factory.mktemp("ran")
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)
    # Each environment is a user of its own here.
    for name in ("log", "told"):
        (folder / name).touch()
        (folder / name).chmod(0o666)
    options = ("--async-time-scale", str(SCALE), "--file-system", f"{FILE_SYSTEM}={folder}")
    server = own_server(None, *options).start()
    if server.sandbox["driver"] == "process":
        pytest.skip("needs:walls:a sandbox that mounts file systems")
    runtime = newest_python()
    client = server.client("lambda")
    create(client, runtime, "work", SOURCE)
    create(client, runtime, "tell", TELL)
    client.put_function_event_invoke_config(
        FunctionName="work",
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:tell"}},
    )
    sender = Sender(server)
    kill_at = sorted(dice.randrange(EVENTS // 20, EVENTS) for _ in range(KILLS))
    with ThreadPoolExecutor(AT_ONCE) as threads:
        senders = [threads.submit(sender.work) for _ in range(AT_ONCE)]
        for at in kill_at:
            wait_for(lambda at=at: len(sender.accepted) >= at or all(one.done() for one in senders), within_s=300)
            time.sleep(dice.random() * 0.1)
            server.kill()
            server.restart()
        for one in senders:
            one.result(300)
    assert sender.unexpected == []
    assert sorted(sender.accepted.values()) == list(range(EVENTS))

    # What the dead servers held comes back when its leases run out.
    wait_for(lambda: waiting(server) == 0, within_s=120, every_s=0.2)

    ran = collections.Counter(line.split()[1] for line in lines(folder / "log"))
    lost = set(sender.accepted) - set(ran)
    assert not lost, f"{len(lost)} events were accepted and never ran (seed {seed})"
    poison = {request_id for request_id, number in sender.accepted.items() if number % 10 == 0}
    untold = poison - set(lines(folder / "told"))
    assert not untold, f"{len(untold)} events failed for good and nobody was told (seed {seed})"
    # Duplicates are few: what was under way at a kill, and its retries.
    good = sum(count - 1 for request_id, count in ran.items() if request_id in set(sender.accepted) - poison)
    assert good <= KILLS * 700, f"{good} runs too many (seed {seed})"
