"""kill -9 of the server in the middle of a stream's batches: every record reaches its function, few reach it twice."""

import collections
import os
import random

import pytest
from wire.kinesis_server import KinesisServer
from wire.support import ACCOUNT, REGION, ROLE, newest_python, wait_for, zip_of

RUNS = int(os.environ.get("LAMBENT_CRASH_RUNS", "1"))
RECORDS = int(os.environ.get("LAMBENT_CRASH_MESSAGES", "300"))
KEYS = 8
SHARDS, LANES, BATCH = 2, 2, 3
KILLS = 3

# Appends to a file that outlives every server: what ran is known by itself, not by what the server says.
SOURCE = """
import base64, os
def handler(event, context):
    bodies = [base64.b64decode(record["kinesis"]["data"]).decode() for record in event["Records"]]
    descriptor = os.open("/mnt/ran/log", os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, "".join(body + "\\n" for body in bodies).encode())
    os.close(descriptor)
"""
FILE_SYSTEM = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:access-point/fsap-0123456789abcdef0"


@pytest.mark.parametrize("run", range(RUNS))
def test_no_record_is_lost(own_server, folder, run):
    """
    Two shards of two lanes each, and kills while they are read: each record ran, those of a key in their order, and
    none twice but what was in a batch that a kill interrupted.
    """
    seed = int(os.environ.get("LAMBENT_CRASH_SEED", random.SystemRandom().randrange(1 << 32))) + run
    print(f"seed: {seed}")
    dice = random.Random(seed)
    kinesis = KinesisServer().start()
    try:
        check(own_server, folder, kinesis, dice, seed)
    finally:
        kinesis.stop()


def check(own_server, folder, kinesis, dice, seed):
    log = folder / "log"
    log.touch()
    # Each environment is a user of its own here.
    log.chmod(0o666)
    options = ("--file-system", f"{FILE_SYSTEM}={folder}", "--neighbour", f"kinesis={kinesis.url}")
    server = own_server(None, *options).start()
    if server.sandbox["driver"] == "process":
        pytest.skip("needs:walls:a sandbox that mounts file systems")
    client, stream = server.client("lambda"), server.client("kinesis")
    client.create_function(
        FunctionName="work",
        Code={"ZipFile": zip_of({"app.py": SOURCE})},
        Runtime=newest_python(),
        Handler="app.handler",
        Role=ROLE,
        FileSystemConfigs=[{"Arn": FILE_SYSTEM, "LocalMountPath": "/mnt/ran"}],
        MemorySize=1769,
    )
    client.get_waiter("function_active_v2").wait(FunctionName="work", WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
    stream.create_stream(StreamName="s", ShardCount=SHARDS)
    wait_for(lambda: stream.describe_stream(StreamName="s")["StreamDescription"]["StreamStatus"] == "ACTIVE")
    put = [f"{number % KEYS}-{number // KEYS:05d}" for number in range(RECORDS)]
    for start in range(0, RECORDS, 100):
        records = [{"Data": body.encode(), "PartitionKey": body.partition("-")[0]} for body in put[start : start + 100]]
        assert stream.put_records(StreamName="s", Records=records)["FailedRecordCount"] == 0
    client.create_event_source_mapping(
        FunctionName="work",
        EventSourceArn=f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s",
        StartingPosition="TRIM_HORIZON",
        ParallelizationFactor=LANES,
        BatchSize=BATCH,
    )

    def ran():
        return log.read_text().split("\n")[:-1]

    for part in sorted(dice.random() for _ in range(KILLS)):
        wait_for(lambda part=part: len(set(ran())) >= part * RECORDS, within_s=120, every_s=0.005)
        server.kill()
        server.restart()
    wait_for(lambda: set(ran()) == set(put), within_s=120, every_s=0.05)
    seen = ran()
    repeats = sum(count - 1 for count in collections.Counter(seen).values())
    # A batch of each lane, and one whose end was being written down.
    assert repeats <= KILLS * SHARDS * LANES * BATCH * 2, f"{repeats} records ran again (seed {seed})"
    firsts = list(dict.fromkeys(seen))
    for key in range(KEYS):
        of_key = [body for body in firsts if body.startswith(f"{key}-")]
        assert of_key == sorted(of_key), f"key {key} ran out of order (seed {seed})"
