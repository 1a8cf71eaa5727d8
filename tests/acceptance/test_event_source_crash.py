"""kill -9 of the server in the middle of batches: every message reaches its function, and few reach it twice."""

import collections
import os
import random

import pytest
from wire.support import ACCOUNT, REGION, ROLE, newest_python, wait_for, zip_of

RUNS = int(os.environ.get("LAMBENT_CRASH_RUNS", "1"))
MESSAGES = int(os.environ.get("LAMBENT_CRASH_MESSAGES", "300"))
GROUPS = 6
KILLS = 2

# Appends to a file that outlives every server: what ran is known by itself, not by what the server says.
SOURCE = """
import os
def handler(event, context):
    bodies = [record["body"] for record in event["Records"]]
    descriptor = os.open("/mnt/ran/log", os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, "".join(body + "\\n" for body in bodies).encode())
    os.close(descriptor)
"""
FILE_SYSTEM = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:access-point/fsap-0123456789abcdef0"


def send(sqs, url, bodies):
    for start in range(0, len(bodies), 10):
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies[start : start + 10])]
        if url.endswith(".fifo"):
            for entry in entries:
                entry.update(
                    MessageGroupId=entry["MessageBody"].split("-")[1], MessageDeduplicationId=entry["MessageBody"]
                )
        assert "Failed" not in sqs.send_message_batch(QueueUrl=url, Entries=entries)


@pytest.mark.parametrize("run", range(RUNS))
def test_no_message_is_lost(own_server, folder, run):
    """
    A standard and a FIFO queue, and two kills while they are worked through: each message ran, those of a group in
    their order, and none twice but what was in a batch that a kill interrupted.
    """
    seed = int(os.environ.get("LAMBENT_CRASH_SEED", random.SystemRandom().randrange(1 << 32))) + run
    print(f"seed: {seed}")
    dice = random.Random(seed)
    log = folder / "log"
    log.touch()
    # Each environment is a user of its own here.
    log.chmod(0o666)
    server = own_server(None, "--file-system", f"{FILE_SYSTEM}={folder}").start()
    if server.sandbox["driver"] == "process":
        pytest.skip("needs:walls:a sandbox that mounts file systems")
    client, sqs = server.client("lambda"), server.client("sqs")
    client.create_function(
        FunctionName="work",
        Code={"ZipFile": zip_of({"app.py": SOURCE})},
        Runtime=newest_python(),
        Handler="app.handler",
        Role=ROLE,
        Timeout=1,
        FileSystemConfigs=[{"Arn": FILE_SYSTEM, "LocalMountPath": "/mnt/ran"}],
        MemorySize=1769,
    )
    client.get_waiter("function_active_v2").wait(FunctionName="work", WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
    sent = []
    for name, attributes in (("plain", {}), ("groups.fifo", {"FifoQueue": "true"})):
        # What a dead server held is visible again after so long.
        url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "2", **attributes})["QueueUrl"]
        bodies = [f"{name[0]}-{number % GROUPS}-{number // GROUPS:05d}" for number in range(MESSAGES // 2)]
        send(sqs, url, bodies)
        sent += bodies
        client.create_event_source_mapping(
            FunctionName="work", EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", BatchSize=2
        )

    def ran():
        return log.read_text().split("\n")[:-1]

    for part in sorted(dice.random() for _ in range(KILLS)):
        wait_for(lambda part=part: len(set(ran())) >= part * MESSAGES, within_s=120, every_s=0.005)
        server.kill()
        server.restart()
    sqs = server.client("sqs")

    def left():
        names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
        count = 0
        for name in ("plain", "groups.fifo"):
            asked = sqs.get_queue_attributes(QueueUrl=name, AttributeNames=names)["Attributes"]
            count += sum(int(asked[key]) for key in names)
        return count

    wait_for(lambda: left() == 0, within_s=120, every_s=0.1)
    seen = ran()
    counts = collections.Counter(seen)
    assert set(counts) == set(sent), f"{len(set(sent) - set(counts))} messages were lost (seed {seed})"
    # What was in flight at a kill: no more than may run at once, and is read ahead, of each mapping.
    repeats = sum(count - 1 for count in counts.values())
    assert repeats <= KILLS * 200, f"{repeats} messages ran again (seed {seed})"
    firsts = list(dict.fromkeys(body for body in seen if body.startswith("g-")))
    for group in range(GROUPS):
        of_group = [body for body in firsts if body.startswith(f"g-{group}-")]
        assert of_group == sorted(of_group), f"group {group} ran out of order (seed {seed})"
