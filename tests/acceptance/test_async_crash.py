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
from wire.support import ACCOUNT, REGION, FunctionMaker, Server, newest_python, reachable_folder, wait_for

RUNS = int(os.environ.get("LAMBENT_CRASH_RUNS", "3"))
EVENTS = int(os.environ.get("LAMBENT_CRASH_EVENTS", "2000"))
KILLS_MAX = int(os.environ.get("LAMBENT_CRASH_KILLS_MAX", "2"))
"""
In each run, one at least; a second one may hit a server that is just coming back. The runs share a data folder, so that
a later one begins with what was killed before.
"""
AT_ONCE = 16
SCALE = 0.02
"""Retries after 1.2 and 2.4 seconds, and events are too old after seven minutes, in which a slow machine is through."""

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


def lines(path):
    return path.read_text().split("\n")[:-1] if path.exists() else []


def waiting(server):
    """Return how many events wait to run or to be told of, as the database beside the server has it."""
    with sqlite3.connect(f"file:{server.data_dir / 'state.db'}?mode=ro", uri=True) as connection:
        query = "SELECT coalesce(sum(event_count), 0) FROM event_queues WHERE path NOT LIKE 'sqs/%'"
        return connection.execute(query).fetchone()[0]


def take_records(server):
    """Return the request ids of all records in the failure destination, and empty it."""
    sqs = server.client("sqs")
    url = sqs.get_queue_url(QueueName="told")["QueueUrl"]
    found = set()
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found |= {json.loads(message["Body"])["requestContext"]["requestId"] for message in messages}
        entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)]
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    return found


@pytest.fixture(scope="module")
def ran():
    """A folder in which the function notes what ran."""
    with reachable_folder() as folder:
        # Each environment is a user of its own here.
        (folder / "log").touch()
        (folder / "log").chmod(0o666)
        yield folder


@pytest.fixture(scope="module")
def server(ran):
    """A server with the function and its failure destination: one for all runs, each of which kills it."""
    made = Server(None, "--async-time-scale", str(SCALE), "--file-system", f"{FILE_SYSTEM}={ran}").start()
    try:
        if made.sandbox["driver"] == "process":
            pytest.skip("needs:walls:a sandbox that mounts file systems")
        client = made.client("lambda")
        made.client("sqs").create_queue(QueueName="told")
        FunctionMaker(client, newest_python(), "work")(
            SOURCE,
            FileSystemConfigs=[{"Arn": FILE_SYSTEM, "LocalMountPath": "/mnt/ran"}],
            # A whole processor: what takes the time is to be the server.
            MemorySize=1769,
            # No line for each event: what is to be killed is the queue.
            LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "FATAL", "SystemLogLevel": "WARN"},
        )
        client.put_function_event_invoke_config(
            FunctionName="work",
            DestinationConfig={"OnFailure": {"Destination": f"arn:aws:sqs:{REGION}:{ACCOUNT}:told"}},
        )
        yield made
    finally:
        made.discard()


@pytest.mark.parametrize("run", range(RUNS))
def test_no_accepted_event_is_lost(server, ran, run):
    """
    Two thousand events, one in ten of which always fails, and kills at random moments: every 202 has run, every
    poison event is told of to its destination, and the queues are empty in the end.
    """
    seed = int(os.environ.get("LAMBENT_CRASH_SEED", random.SystemRandom().randrange(1 << 32))) + run
    print(f"seed: {seed}")
    dice = random.Random(seed)
    sender = Sender(server)
    kills = dice.randint(1, KILLS_MAX)
    kill_at = sorted(dice.randrange(EVENTS // 20, EVENTS) for _ in range(kills))
    with ThreadPoolExecutor(AT_ONCE) as threads:
        senders = [threads.submit(sender.work) for _ in range(AT_ONCE)]
        for at in kill_at:
            wait_for(
                lambda at=at: len(sender.accepted) >= at or all(one.done() for one in senders),
                within_s=300,
                every_s=0.005,
            )
            time.sleep(dice.random() * 0.1)
            server.kill()
            server.restart()
        for one in senders:
            one.result(300)
    assert sender.unexpected == []
    assert sorted(sender.accepted.values()) == list(range(EVENTS))

    wait_for(lambda: waiting(server) == 0, within_s=300, every_s=0.1)

    runs = collections.Counter(line.split()[1] for line in lines(ran / "log"))
    lost = set(sender.accepted) - set(runs)
    assert not lost, f"{len(lost)} events were accepted and never ran (seed {seed})"
    poison = {request_id for request_id, number in sender.accepted.items() if number % 10 == 0}
    untold = poison - take_records(server)
    assert not untold, f"{len(untold)} events failed for good and nobody was told (seed {seed})"
    # Duplicates are few: what was under way at a kill, and its retries.
    good = sum(runs[request_id] - 1 for request_id in set(sender.accepted) - poison)
    assert good <= kills * 700, f"{good} runs too many (seed {seed})"
