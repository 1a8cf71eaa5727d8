"""Backups of a busy server, restored: what was answered before is there, and what is there is whole."""

import base64
import hashlib
import json
import os
import subprocess
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from wire.support import LAMBENT, ROLE, invoke, newest_python, wait_for, zip_of

BACKUPS = 3
BETWEEN_S = float(os.environ.get("LAMBENT_BACKUP_BETWEEN_S", "0.5"))

SOURCE = "def handler(event, context):\n    print(f'ran {event[\"number\"]}')\n    return event\n"
LONG_BODY = "x" * 100_000


class Clients:
    """Change a server from several threads until told to stop, and remember what was answered."""

    def __init__(self, server, runtime):
        self.server = server
        self.runtime = runtime
        self.is_over = False
        self.remembering = threading.Lock()
        self.functions = {}
        """Name to the hashes of its packages that were asked for, the last of them answered or under way."""
        self.answered = {}
        """Name to how many of these were answered."""
        self.deleting = set()
        """Names of functions whose deletion has begun."""
        self.sent = {}
        """Body to message id, of what was answered."""
        self.receiving = set()
        """Bodies that may have been deleted."""
        self.events = set()
        """Numbers of what was answered 202."""
        self.failures = []

    def run(self, work):
        numbers = iter(range(1_000_000))
        while not self.is_over:
            try:
                work(next(numbers))
            except Exception as error:
                self.failures.append(repr(error))
                return

    def seen(self):
        """Return a copy of what has been answered by now."""
        with self.remembering:
            return dict(self.answered), dict(self.sent), set(self.events)

    def remember(self, what):
        with self.remembering:
            what()

    def deploy(self, client, number):
        name = f"made-{number // 3}"
        if number % 3 == 2:
            if number % 2:
                self.deleting.add(name)
                client.delete_function(FunctionName=name)
            return
        archive = zip_of({"app.py": SOURCE, "number": str(number)})
        self.functions.setdefault(name, []).append(base64.b64encode(hashlib.sha256(archive).digest()).decode())
        if number % 3 == 0:
            settings = {"Runtime": self.runtime, "Handler": "app.handler", "Role": ROLE}
            client.create_function(FunctionName=name, Code={"ZipFile": archive}, **settings)
            client.get_waiter("function_active_v2").wait(
                FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 3000}
            )
        else:
            client.update_function_code(FunctionName=name, ZipFile=archive)
        self.remember(lambda: self.answered.update({name: len(self.functions[name])}))

    def send(self, sqs, url, number):
        body = f"{number} {LONG_BODY if number % 2 else ''}"
        message_id = sqs.send_message(QueueUrl=url, MessageBody=body)["MessageId"]
        self.remember(lambda: self.sent.update({body: message_id}))

    def receive(self, sqs, url, number):
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", ()):
            # Before it is asked for: whether a backup has it is then anybody's guess.
            self.receiving.add(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def invoke(self, client, number):
        client.invoke(FunctionName="work", InvocationType="Event", Payload=json.dumps({"number": number}))
        self.remember(lambda: self.events.add(number))


def create(client, runtime, name):
    settings = {"Runtime": runtime, "Handler": "app.handler", "Role": ROLE, "MemorySize": 1769}
    client.create_function(FunctionName=name, Code={"ZipFile": zip_of({"app.py": SOURCE})}, **settings)
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})


def command(*arguments):
    done = subprocess.run([LAMBENT, *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_busy_server_comes_back(own_server, folder):
    """
    Clients deploy, update and delete functions, send and receive messages and invoke asynchronously while backups are
    made. A server that starts with one has every function with a package that is whole, every message with its body,
    and every event has run or runs: of all that was answered before that backup was asked for.
    """
    first = own_server().start()
    runtime = newest_python()
    client, sqs = first.client("lambda"), first.client("sqs")
    create(client, runtime, "work")
    client.publish_version(FunctionName="work")
    client.create_alias(FunctionName="work", Name="live", FunctionVersion="1")
    invoke(client, "work", {"number": "by hand"})
    urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("kept", "received")]

    clients = Clients(first, runtime)
    work = [
        lambda number: clients.deploy(client, number),
        lambda number: clients.send(sqs, urls[0], number),
        lambda number: clients.invoke(client, number),
        lambda number: sqs.send_message(QueueUrl=urls[1], MessageBody=LONG_BODY),
        lambda number: clients.receive(sqs, urls[1], number),
    ]
    taken = []
    with ThreadPoolExecutor(len(work)) as threads:
        running = [threads.submit(clients.run, one) for one in work]
        try:
            for number in range(BACKUPS):
                time.sleep(BETWEEN_S)
                seen = clients.seen()
                command("backup", str(folder / f"{number}.backup"), "--endpoint", first.endpoint)
                taken.append((folder / f"{number}.backup", seen, set(clients.deleting)))
        finally:
            clients.is_over = True
        for one in running:
            one.result(60)
    assert clients.failures == []
    assert first.stop() == 0

    # One before and after which clients were at work.
    file, seen, deleting = taken[BACKUPS // 2]
    restored = folder / "restored"
    command("restore", str(file), "--data-dir", str(restored))
    server = own_server(restored).start()
    check_functions(server, clients, seen[0], deleting)
    check_messages(server, seen[1])
    check_events(server, seen[2])
    assert server.stop() == 0
    assert not [line for line in server.log if "lost" in line or "damaged" in line], server.log


def check_functions(server, clients, answered, deleting):
    client = server.client("lambda")
    listed = {
        function["FunctionName"]: function
        for page in client.get_paginator("list_functions").paginate()
        for function in page["Functions"]
    }
    expected = set(answered) - deleting
    assert expected <= set(listed)
    for name in set(listed) - {"work"}:
        # What was answered, or a later one; and its package, byte for byte.
        wanted = clients.functions[name][max(answered.get(name, 1) - 1, 0) :]
        found = client.get_function(FunctionName=name)
        assert found["Configuration"]["CodeSha256"] in wanted
        with urllib.request.urlopen(found["Code"]["Location"], timeout=30) as package:
            digest = hashlib.sha256(package.read()).digest()
        assert base64.b64encode(digest).decode() == found["Configuration"]["CodeSha256"]
    for name in sorted(expected)[-2:]:
        client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
        assert invoke(client, name, {"number": "again"})[1] == {"number": "again"}
    assert invoke(client, "work", {"number": "by alias"}, Qualifier="live")[1] == {"number": "by alias"}


def check_messages(server, sent):
    sqs = server.client("sqs")
    found = {}
    for name in ("kept", "received"):
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        while messages := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=600, WaitTimeSeconds=0
        ).get("Messages"):
            for message in messages:
                assert message["MD5OfBody"] == hashlib.md5(message["Body"].encode()).hexdigest()
                if name == "kept":
                    found[message["Body"]] = message["MessageId"]
    assert {body: found.get(body) for body in sent} == sent


def check_events(server, events):
    logs = server.client("logs")

    def ran():
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/work")
        lines = [event["message"].split() for page in pages for event in page["events"]]
        return [line[1] for line in lines if line[0] == "ran"]

    wait_for(lambda: {str(number) for number in events} <= set(ran()), within_s=120, every_s=0.3)
    # The log of before is there, once.
    assert [line for line in ran() if line == "by"] == ["by"] * 2
