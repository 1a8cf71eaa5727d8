"""What a real invocation used is in the store, as REPORT says it, with all that its price goes by."""

import contextlib
import http.client
import json
import sqlite3

import pytest
from wire.support import invoke, tail_of, wait_for
from wire.test_nodejs import newest_with_callbacks

SOURCE = """
import os, time
def handler(event, context):
    if event and event.get("fail"):
        raise ValueError("as asked")
    time.sleep(event.get("sleep_s", 0) if event else 0)
    return "done"
"""
STREAM = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  const piece = Buffer.alloc(1 << 20);
  for (let n = 0; n < event.pieces; n++)
    if (!stream.write(piece)) await new Promise(resolve => stream.once('drain', resolve));
  stream.end();
});
"""
FREE_BYTES = 6 * 1024 * 1024


def rows(server, query, *values):
    """Return rows of the server's store, in which everything is that was written before the call."""
    with contextlib.suppress(Exception):
        server.client("logs").describe_log_groups()
    with contextlib.closing(sqlite3.connect(f"file:{server.data_dir / 'state.db'}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query, values)]


def records(server, name, count=1):
    """Return the records of a function, once there are so many."""
    query = (
        "SELECT * FROM usage_records JOIN usage_series ON usage_series.id = series_id WHERE function = ? "
        "ORDER BY usage_records.id"
    )

    def there():
        found = rows(server, query, name)
        assert len(found) <= count, found
        return len(found) == count and found

    return wait_for(there)


def report(answer):
    """Return what REPORT says, by the names of its fields."""
    (line,) = (line for line in tail_of(answer).splitlines() if line.startswith("REPORT"))
    fields = (part.split(": ", 1) for part in line.strip().split("\t")[1:])
    return {name: value.split()[0] for name, value in fields}


def test_a_record_says_what_report_says(server, lambda_client, make_function):
    """To the hundredth of a millisecond, cold and warm; with memory, /tmp, runtime, version and alias."""
    name = make_function(SOURCE, MemorySize=256, EphemeralStorage={"Size": 1024})
    version = lambda_client.publish_version(FunctionName=name)["Version"]
    lambda_client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    answers = [invoke(lambda_client, name, {}, LogType="Tail", Qualifier="live")[0] for _ in range(2)]
    answers.append(invoke(lambda_client, name, {"sleep_s": 0.1}, LogType="Tail")[0])
    found = records(server, name, 3)
    for answer, record in zip(answers, found, strict=True):
        said = report(answer)
        assert record["request_id"].hex() == answer["ResponseMetadata"]["RequestId"].replace("-", "")
        assert abs(record["duration_us"] - float(said["Duration"]) * 1000) <= 5
        assert abs(record["init_us"] - float(said.get("Init Duration", 0)) * 1000) <= 5
        assert record["billed_ms"] == int(said["Billed Duration"])
        assert record["memory_peak_mib"] == int(said["Max Memory Used"])
        assert (record["memory_mib"], record["tmp_mib"]) == (256, 1024)
        assert (record["architecture"], record["kind"]) == ("x86_64", "on-demand")
        assert record["runtime"].startswith("python3.")
        assert (record["flags"], record["streamed_bytes"], record["tenant"]) == (0, 0, "")
    assert [(one["version"], one["qualifier"]) for one in found] == [(version, "live")] * 2 + [("$LATEST", "")]
    assert [one["init_us"] > 0 for one in found] == [True, False, True]


def test_what_fails_is_billed(server, lambda_client, make_function):
    """An error as well as the full time of a timeout; a call that is refused is none."""
    name = make_function(SOURCE, Timeout=1)
    invoke(lambda_client, name, {"fail": True})
    invoke(lambda_client, name, {"sleep_s": 60})
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(lambda_client.exceptions.TooManyRequestsException):
        invoke(lambda_client, name, {})
    error, timeout = records(server, name, 2)
    assert (error["flags"], timeout["flags"]) == (1, 2)
    assert timeout["billed_ms"] >= 1_000


def test_usage_of_tenants(server, lambda_client, make_function):
    """Each invocation is the tenant's for whom it ran."""
    name = make_function(SOURCE, TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    for tenant in ("blue", "red", "blue"):
        invoke(lambda_client, name, {}, TenantId=tenant)
    assert sorted(one["tenant"] for one in records(server, name, 3)) == ["blue", "blue", "red"]


@pytest.fixture
def streaming(make_function):
    node = newest_with_callbacks()
    return lambda: make_function(entries={"app.js": STREAM}, Runtime=node, Timeout=60, MemorySize=512)


def test_streamed_bytes_are_counted(server, lambda_client, streaming):
    """All that the function sent; what is beyond the free part of each response is summed beside."""
    name = streaming()
    sizes = []
    for pieces in (7, 1, 9):
        answer = lambda_client.invoke_with_response_stream(
            FunctionName=name, Payload=json.dumps({"pieces": pieces}).encode()
        )
        sizes.append(sum(len(one["PayloadChunk"]["Payload"]) for one in answer["EventStream"] if "PayloadChunk" in one))
    assert sizes == [7 << 20, 1 << 20, 9 << 20]
    assert [one["streamed_bytes"] for one in records(server, name, 3)] == sizes
    query = (
        "SELECT sum(billable_streamed_bytes) AS billable, sum(streamed_bytes) AS streamed FROM usage_totals "
        "JOIN usage_series ON usage_series.id = series_id WHERE function = ? AND period_s = ?"
    )
    for period_s in (60, 900, 3_600, 86_400):
        (total,) = rows(server, query, name, period_s)
        assert total == {"streamed": sum(sizes), "billable": sum(max(0, size - FREE_BYTES) for size in sizes)}


def test_a_client_that_leaves_changes_nothing(server, streaming):
    """The function streams on, and is billed for all of it."""
    name = streaming()
    connection = http.client.HTTPConnection(server.endpoint.removeprefix("http://"), timeout=60)
    with contextlib.closing(connection):
        path = f"/2021-11-15/functions/{name}/response-streaming-invocations"
        connection.request("POST", path, json.dumps({"pieces": 12}))
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.read(1)
    (record,) = records(server, name)
    assert (record["streamed_bytes"], record["flags"]) == (12 << 20, 0)


def test_provisioned_concurrency_is_counted_ahead(server, lambda_client, make_function):
    """From the first environment on, for five minutes of each; invocations in them go by their own price."""
    name = make_function(SOURCE, MemorySize=256)
    version = lambda_client.publish_version(FunctionName=name)["Version"]
    lambda_client.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier=version, ProvisionedConcurrentExecutions=2
    )

    def ready():
        answer = lambda_client.get_provisioned_concurrency_config(FunctionName=name, Qualifier=version)
        return answer["Status"] == "READY"

    wait_for(ready)
    invoke(lambda_client, name, {}, Qualifier=version)
    (record,) = records(server, name)
    assert record["kind"] == "provisioned-concurrency"
    query = (
        "SELECT kind, memory_mib, sum(allocated_ms) AS allocated_ms FROM usage_totals "
        "JOIN usage_series ON usage_series.id = series_id WHERE function = ? AND period_s = 86400 GROUP BY 1, 2"
    )
    (total,) = wait_for(lambda: (found := rows(server, query, name)) and found[0]["allocated_ms"] > 300_000 and found)
    # The second one may have come a moment after the first, and is counted for the rest of its step.
    assert 300_000 < total.pop("allocated_ms") <= 600_000
    assert total == {"kind": "provisioned-concurrency", "memory_mib": 256}


def test_snapshots_are_counted(server, lambda_client, make_function):
    """What is kept for SnapStart, and each restore."""
    name = make_function(SOURCE, SnapStart={"ApplyOn": "PublishedVersions"})
    version = lambda_client.publish_version(FunctionName=name)["Version"]
    found = wait_for(
        lambda: (
            (found := lambda_client.get_function_configuration(FunctionName=name, Qualifier=version))["State"]
            != "Pending"
            and found
        )
    )
    assert found["State"] == "Active", found.get("StateReason")
    answers = [invoke(lambda_client, name, {}, Qualifier=version, LogType="Tail")[0] for _ in range(2)]
    first, second = records(server, name, 2)
    restored = ["Restore Duration" in report(answer) for answer in answers]
    assert [bool(one["flags"] & 4) for one in (first, second)] == restored
    assert restored[0]
    assert first["kind"] == second["kind"] == "snap-start"
    query = (
        "SELECT sum(allocated_ms) AS allocated_ms, sum(restores) AS restores FROM usage_totals "
        "JOIN usage_series ON usage_series.id = series_id WHERE function = ? AND period_s = 86400"
    )
    wait_for(lambda: rows(server, query, name) == [{"allocated_ms": 300_000, "restores": sum(restored)}])
