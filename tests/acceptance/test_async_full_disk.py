"""The disk under the data folder gets full while events come: refused by name, and all is well when there is room."""

import json
import os
import subprocess
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from wire.support import ACCOUNT, REGION, FunctionMaker, Server, invoke, newest_python, wait_for

DISK_MIB = 48
REFUSALS = 25
"""Of each kind, before there is room again."""
FILE_SYSTEM = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:access-point/fsap-0123456789abcdef0"

# What ran is written where there is room: known by itself, not by what the server says.
SOURCE = """
import os
def handler(event, context):
    if "number" in event:
        descriptor = os.open("/mnt/ran/log", os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, b"%d\\n" % event["number"])
        os.close(descriptor)
    return "ran"
"""


class Disk:
    """A file system of its own for a data folder."""

    def __init__(self, folder):
        self.image, self.path = folder / "image", folder / "disk"
        self.filler = self.path / "filler"
        self.path.mkdir()
        with self.image.open("wb") as image:
            image.truncate(DISK_MIB << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", str(self.image)], check=True)

    def mount(self):
        mounted = subprocess.run(["mount", "-o", "loop", str(self.image), str(self.path)], check=False)
        self.data_dir = self.path / "data"
        self.data_dir.mkdir(mode=0o711)
        return mounted.returncode == 0

    def fill(self):
        """Take what room is left, to the last block."""
        with self.filler.open("ab", buffering=0) as filler:
            for size in (1 << 20, 1 << 12):
                try:
                    while True:
                        filler.write(bytes(size))
                        os.fsync(filler.fileno())
                except OSError:
                    pass

    def make_room(self):
        self.filler.unlink()

    def unmount(self):
        # What a server leaves behind lets go of it a moment later.
        subprocess.run(["umount", "--lazy", str(self.path)], check=True)


@pytest.fixture
def disk(folder):
    """A small ext4, mounted where functions may go."""
    try:
        made = Disk(folder)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("needs:mkfs.ext4:install e2fsprogs")
    if os.geteuid() != 0 or not made.mount():
        pytest.skip("needs:loop:run the tests as root where files can be mounted")
    yield made
    made.unmount()


class Traffic:
    """Sends one kind of thing until it is told to stop; keeps what was accepted and what was refused."""

    def __init__(self, send):
        self.send = send
        self.accepted, self.refused, self.other = set(), [], []
        self.is_over = threading.Event()

    def work(self):
        number = 0
        while not self.is_over.is_set():
            number += 1
            try:
                self.send(number)
                self.accepted.add(number)
            except ClientError as error:
                self.refused.append(error.response)
                # Others are to get on as well.
                time.sleep(0.01)
            except Exception as error:
                self.other.append(repr(error))
                return


def test_a_full_disk(disk, folder):
    """
    Events and messages are refused with 500 ServiceException and the reason, or accepted and not lost; warm invocations
    and health are answered. With room again the same server goes on: all that was accepted runs, or is received.
    """
    ran = folder / "ran"
    ran.mkdir(mode=0o755)
    (ran / "log").touch()
    (ran / "log").chmod(0o666)
    server = Server(disk.data_dir, "--async-time-scale", "0.01", "--file-system", f"{FILE_SYSTEM}={ran}").start()
    try:
        tell(server, disk, ran / "log")
        assert server.stop() == 0, "the server did not stop cleanly:\n" + "".join(server.log[-50:])
    except BaseException:
        print("".join(server.log))
        raise
    finally:
        if server.process.poll() is None:
            server.kill()


def queues_of(server):
    with urllib.request.urlopen(server.endpoint + "/_lambent/queues", timeout=30) as answer:
        return json.load(answer)


def tell(server, disk, log):
    if server.sandbox["driver"] == "process":
        pytest.skip("needs:walls:a sandbox that mounts file systems")
    client, sqs = server.client("lambda"), server.client("sqs")
    mounted = [{"Arn": FILE_SYSTEM, "LocalMountPath": "/mnt/ran"}]
    make = FunctionMaker(client, newest_python(), "work")
    make(SOURCE, FileSystemConfigs=mounted)
    make("def handler(event, context): return 'warm'", name="warm")
    invoke(client, "warm")
    url = sqs.create_queue(QueueName="messages")["QueueUrl"]

    def event(size):
        return lambda number: client.invoke(
            FunctionName="work", InvocationType="Event", Payload=json.dumps({"number": number, "size": "x" * size})
        )

    def message(number):
        sqs.send_message(QueueUrl=url, MessageBody=f"{number} ".ljust(8_000, "x"))

    # Bodies of 40 kB are files beside the database.
    events, messages, long = Traffic(event(8_000)), Traffic(message), Traffic(lambda n: event(40_000)(1_000_000 + n))
    with ThreadPoolExecutor(3) as threads:
        try:
            working = [threads.submit(one.work) for one in (events, messages, long)]
            wait_for(lambda: all(len(one.accepted) > 10 for one in (events, messages, long)))
            disk.fill()
            wait_for(lambda: all(len(one.refused) >= REFUSALS for one in (events, messages, long)), within_s=120)
            # None of these needs the disk.
            assert server.health()["functions"] == 2
            assert invoke(client, "warm")[1] == "warm"
            disk.make_room()
            before = [len(one.accepted) for one in (events, messages, long)]
            wait_for(
                lambda: all(len(one.accepted) > n for one, n in zip((events, messages, long), before, strict=True)),
            )
        finally:
            for one in (events, messages, long):
                one.is_over.set()
        for one in working:
            one.result()

    for one in (events, messages, long):
        assert one.other == []
        answers = {(answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) for answer in one.refused}
        assert answers == {(500, "ServiceException")}, one.refused[:3]
    accepted = events.accepted | {1_000_000 + number for number in long.accepted}
    wait_for(lambda: accepted <= {int(line) for line in log.read_text().split()}, every_s=0.2)
    # What came of them is written down, too.
    wait_for(lambda: not [queue for queue in queues_of(server) if queue["kind"] != "sqs"], every_s=0.2)
    received = set()
    while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=600).get("Messages"):
        received |= {int(one["Body"].split()[0]) for one in found}
    assert messages.accepted <= received
