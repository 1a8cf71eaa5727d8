"""kill -9 in the middle of invocations: each that the log reports is counted once, with what its REPORT says."""

import contextlib
import itertools
import json
import os
import random
import re
import sqlite3
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ConnectionError, HTTPClientError
from wire.support import FunctionMaker, invoke, wait_for

CALLS = int(os.environ.get("LAMBENT_USAGE_CALLS", "300"))
"""Calls in all; `make soak` makes ten thousand."""
KILLS = int(os.environ.get("LAMBENT_USAGE_KILLS", "3"))
SEED = int(os.environ.get("LAMBENT_USAGE_SEED", "11"))
AT_ONCE = 8

WORK = """
import os, time

def handler(event, context):
    kind = event["kind"]
    print(f"BEGUN {context.aws_request_id}", flush=True)
    if kind == "raise":
        raise RuntimeError("as asked")
    if kind == "exit":
        os._exit(3)
    if kind == "sleep":
        time.sleep(60)
    return kind
"""
KINDS = ("ok",) * 30 + ("raise",) * 6 + ("exit", "sleep")
REPORT = re.compile(r"REPORT RequestId: (\S+)\t.*Billed Duration: (\d+) ms\tMemory Size: (\d+) MB")
SUMMED = ("requests", "errors", "cold_starts", "duration_us", "init_us", "billed_ms", "cpu_us")
SUM_OF_KEPT = "SELECT sum(allocated_ms) FROM usage_totals WHERE period_s = 60"


class Calls:
    """Calls from several threads, over however many lives of the server that takes."""

    def __init__(self, chance):
        self.client = None
        self.kinds = iter([chance.choice(KINDS) for _ in range(CALLS)])
        self.lock = threading.Lock()
        self.done = 0
        self.answered = {}
        """Request id to whether the function failed, of what was answered."""
        self.unexpected = []

    def work(self):
        while True:
            with self.lock:
                kind = next(self.kinds, None)
            if kind is None:
                return
            while (client := self.client) is None:
                time.sleep(0.02)
            try:
                answer, _ = invoke(client, "billed", {"kind": kind}, Qualifier="live")
                with self.lock:
                    self.answered[answer["ResponseMetadata"]["RequestId"]] = "FunctionError" in answer
            except (ConnectionError, HTTPClientError):
                pass
            except Exception as error:
                self.unexpected.append(error)
            with self.lock:
                self.done += 1


def reports(server):
    """Return what REPORT says of each invocation, by its id: billed milliseconds, memory size, status."""
    found = {}
    pages = server.client("logs").get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/billed")
    for event in itertools.chain.from_iterable(page["events"] for page in pages):
        if line := REPORT.match(event["message"]):
            assert line[1] not in found, f"two REPORTs of {line[1]}"
            status = re.search(r"Status: (\w+)", event["message"])
            found[line[1]] = (int(line[2]), int(line[3]), status[1] if status else "")
    return found


def rows(server, query):
    with contextlib.closing(sqlite3.connect(f"file:{server.data_dir / 'state.db'}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def test_each_invocation_is_counted_once(own_server, runtime):
    """
    Records are those of the REPORTs, one of each, and each answer has one; sums of each length equal the
    records, over all lives of the server.
    """
    chance = random.Random(SEED)
    print(f"LAMBENT_USAGE_SEED={SEED}")
    server = own_server().start()
    make = FunctionMaker(server.client("lambda"), runtime, "billed")
    name = make(WORK, name="billed", Timeout=1, MemorySize=256)
    client = server.client("lambda")
    version = client.publish_version(FunctionName=name)["Version"]
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    client.tag_resource(Resource=client.get_function(FunctionName=name)["Configuration"]["FunctionArn"],
                        Tags={"team": "red"})  # fmt: skip

    calls = Calls(chance)
    calls.client = client
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for _ in range(AT_ONCE):
            threads.submit(calls.work)
        for number in range(KILLS):
            mark = CALLS * (number + 1) // (KILLS + 2) + chance.randrange(AT_ONCE)
            wait_for(lambda mark=mark: calls.done >= mark, within_s=600)
            if chance.random() < 0.5:
                # In the middle of a fold, or just after one.
                with contextlib.suppress(Exception):
                    server.client("logs").describe_log_groups()
            calls.client = None
            server.kill()
            server.restart()
            calls.client = server.client("lambda")
    assert calls.unexpected == []
    assert len(calls.answered) > CALLS // 2, "hardly anything was answered, so this test shows little"

    server.client("logs").describe_log_groups()
    wait_for(lambda: calls.answered.keys() <= reports(server).keys())
    said = reports(server)
    found = rows(
        server,
        "SELECT request_id, billed_ms, memory_mib, flags, function, version, qualifier, tags, kind FROM usage_records "
        "JOIN usage_series ON usage_series.id = series_id",
    )
    ids = [str(uuid.UUID(bytes=row[0])) for row in found]
    assert sorted(ids) == sorted(said), "an invocation that is reported and not counted once"
    for request_id, row in zip(ids, found, strict=True):
        billed_ms, memory_mib, status = said[request_id]
        assert row[1:3] == (billed_ms, memory_mib) and memory_mib == 256
        assert row[4:7] == ("billed", version, "live")
        assert (json.loads(row[7]), row[8]) == ({"team": "red"}, "on-demand")
        # REPORT says nothing of a handler that raises and whose runtime lives on.
        assert {"": (0, 1), "error": (1,), "timeout": (2,)}[status].count(row[3]) == 1
        if calls.answered.get(request_id):
            assert row[3] != 0
    # Those whose answer had left, and whose end had not been written when the server was killed.
    lost = [one for one, has_failed in calls.answered.items() if said[one][2] and not has_failed]
    assert len(lost) <= AT_ONCE * KILLS
    sums = "count(*), sum(flags > 0), sum(init_us > 0), sum(duration_us), sum(init_us), sum(billed_ms), sum(cpu_us)"
    (of_records,) = rows(server, f"SELECT {sums} FROM usage_records")
    columns = ", ".join(f"sum({column})" for column in SUMMED)
    for period_s in (60, 900, 3_600, 86_400):
        assert rows(server, f"SELECT {columns} FROM usage_totals WHERE period_s = {period_s}") == [of_records]


def test_what_is_kept_is_paid_once(own_server, runtime):
    """Provisioned concurrency over kills within one step: five minutes of each, however often they are made anew."""
    server = own_server().start()
    make = FunctionMaker(server.client("lambda"), runtime, "kept")
    name = make(WORK, name="kept")
    client = server.client("lambda")
    version = client.publish_version(FunctionName=name)["Version"]
    client.put_provisioned_concurrency_config(FunctionName=name, Qualifier=version, ProvisionedConcurrentExecutions=2)

    def is_ready():
        answer = server.client("lambda").get_provisioned_concurrency_config(FunctionName=name, Qualifier=version)
        return answer["Status"] == "READY"

    def paid():
        server.client("logs").describe_log_groups()
        found = rows(server, "SELECT from_ms, until_ms, environments FROM usage_allocations")
        return found and found[0][2] == 2 and found[0]

    wait_for(is_ready)
    before = wait_for(paid)
    (total,) = rows(server, SUM_OF_KEPT)[0]
    for _ in range(KILLS):
        server.kill()
        server.restart()
        wait_for(is_ready)
    after = wait_for(paid)
    if time.time() * 1000 < before[1]:
        assert after == before
        assert rows(server, SUM_OF_KEPT) == [(total,)]
    # Else the machine was so slow that the step ended meanwhile, and whatever was kept then began another.
