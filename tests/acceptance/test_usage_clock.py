"""The wall clock of a running server jumps: each invocation is counted once, under the time of its start."""

import contextlib
import sqlite3

import pytest
from wire.support import FunctionMaker, invoke, newest_python, wait_for
from wire.wall_clock import WallServer

HOUR_S = 3600
DAY_S = 86_400
SOURCE = """
import json, os, time, urllib.request
def handler(event, context):
    print("BEGUN", event["name"], flush=True)
    tags = f"{os.environ['AWS_ENDPOINT_URL']}/2017-03-31/tags/{context.invoked_function_arn}"
    while event["waits"] and event["name"] not in json.load(urllib.request.urlopen(tags))["Tags"]:
        time.sleep(0.05)
"""


def rows(server, query):
    server.client("logs").describe_log_groups()
    with contextlib.closing(sqlite3.connect(f"file:{server.data_dir / 'state.db'}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def sums_equal_records(server, calls):
    """Compare sums of each length with the records; return the records' starts."""
    found = rows(server, "SELECT started_ms, billed_ms FROM usage_records ORDER BY id")
    if len(found) < calls:
        return None
    assert len(found) == calls
    for period_s in (60, 900, HOUR_S, DAY_S):
        expected = {}
        for started_ms, billed_ms in found:
            at_s = started_ms // 1000 // period_s * period_s
            count, billed = expected.get(at_s, (0, 0))
            expected[at_s] = count + 1, billed + billed_ms
        # Each set of tags has sums of its own.
        of_period = f"FROM usage_totals WHERE period_s = {period_s} AND requests > 0"
        query = f"SELECT at_s, sum(requests), sum(billed_ms) {of_period} GROUP BY at_s"
        assert {at_s: tuple(sums) for at_s, *sums in rows(server, query)} == expected
    return [started_ms for started_ms, _ in found]


@pytest.mark.parametrize("is_killed", [False, True], ids=["running", "killed"])
def test_the_clock_jumps(tmp_path, is_killed):
    """Back by an hour and by a day, and ahead again, in the middle of an invocation, with kill -9 and without."""
    server = WallServer(tmp_path, "--async-time-scale", "0.01").start()
    try:
        make = FunctionMaker(server.client("lambda"), newest_python(), "clock")
        make(SOURCE, name="clock", Timeout=300)
        arn = server.client("lambda").get_function_configuration(FunctionName="clock")["FunctionArn"]
        calls = 0
        before = server.now()
        for jump_s in (-HOUR_S, 2 * HOUR_S, -DAY_S, DAY_S - HOUR_S):
            invoke(server.client("lambda"), "clock", {"name": "quick", "waits": False})
            name = f"during{jump_s}"
            event = {"name": name, "waits": True}
            invoke(server.client("lambda"), "clock", event, InvocationType="Event")
            wait_for(lambda name=name: begun(server, name))
            server.move(jump_s)
            if is_killed:
                server.kill()
                server.restart()
            server.client("lambda").tag_resource(Resource=arn, Tags={name: ""})
            calls += 2
            if not is_killed:
                starts = wait_for(lambda calls=calls: sums_equal_records(server, calls))
                assert abs(starts[-1] / 1000 - (server.now() - jump_s)) < 120
            else:
                # What was cut off is counted up to its last sign of life, then it runs once more, being an event,
                # unless it has become too old: the clock went on.
                calls += jump_s < 0
                wait_for(lambda calls=calls: sums_equal_records(server, calls))
        assert abs(server.now() - before) < 600
    finally:
        server.discard()


def begun(server, name):
    with contextlib.suppress(server.client("logs").exceptions.ResourceNotFoundException):
        pages = server.client("logs").get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/clock")
        return any(event["message"] == f"BEGUN {name}\n" for page in pages for event in page["events"])
    return False
