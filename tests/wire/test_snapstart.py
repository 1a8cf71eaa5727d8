"""SnapStart: versions whose init runs when they are published, and is kept for the first call."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from wire.support import FunctionMaker, error_of, invoke, tail_of, wait_for, zip_of

PUBLISHED = {"ApplyOn": "PublishedVersions"}
ON, OFF = {**PUBLISHED, "OptimizationStatus": "On"}, {**PUBLISHED, "OptimizationStatus": "Off"}

# Says when its module and its hooks ran, and how it was initialised.
SOURCE = """
import os, time
from snapshot_restore_py import register_after_restore, register_before_snapshot
RAN = {"loaded": time.time()}
register_before_snapshot(lambda: RAN.update(snapshot=time.time()))
register_after_restore(lambda: RAN.update(restored=time.time()))
def handler(e, c):
    time.sleep(e.get("sleep_s", 0))
    return {**RAN, "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], "stream": c.log_stream_name}
"""
HOOK_FAILS = """
from snapshot_restore_py import register_{0}
def hook():
    raise ValueError("no {0}")
register_{0}(hook)
def handler(e, c):
    return "ran"
"""
PLAIN = "def handler(e, c): return 'hello'"

# A runtime of its own: asks for its restore, writes down that it came, then serves.
BOOTSTRAP = """#!/bin/sh
base=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime
restored=$(curl -s -w '%{http_code}' $base/restore/next)
echo "restored with $restored"
while true; do
  id=$(curl -sD - -o /dev/null $base/invocation/next | tr -d '\\r' | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //p')
  curl -s -o /dev/null -d "\\"$restored\\"" $base/invocation/$id/response
done
"""


def publish(client, name, state="Active"):
    """Publish, wait for the end of Pending, return the version's configuration."""
    answer = client.publish_version(FunctionName=name)
    assert (answer["State"], answer["SnapStart"]) == ("Pending", OFF)

    def settled():
        found = client.get_function_configuration(FunctionName=name, Qualifier=answer["Version"])
        return found if found["State"] != "Pending" else None

    found = wait_for(settled)
    assert found["State"] == state, found.get("StateReason")
    return found


def messages(logs, name, **narrower):
    events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", **narrower)["events"]
    return [event["message"] for event in events]


def test_lf03_life_of_a_version(lambda_client, make_function):
    """LF-03-snapstart-version: Off for `$LATEST`; a version is Pending, then Active with On; init ran at publish."""
    name = make_function(SOURCE, SnapStart=PUBLISHED)
    assert lambda_client.get_function_configuration(FunctionName=name)["SnapStart"] == OFF
    active = publish(lambda_client, name)
    assert active["SnapStart"] == ON
    assert lambda_client.get_function_configuration(FunctionName=name)["SnapStart"] == OFF
    time.sleep(0.3)
    called = time.time()
    answer, ran = invoke(lambda_client, f"{name}:1", {}, LogType="Tail")
    assert ran["type"] == "snap-start"
    assert ran["loaded"] <= ran["snapshot"] < called - 0.2
    assert called <= ran["restored"]
    report = tail_of(answer).splitlines()[-1]
    duration, billed, restore, billed_restore = re.search(
        r"\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms\t.*"
        r"\tRestore Duration: ([\d.]+) ms\tBilled Restore Duration: (\d+) ms\t$", report,
    ).groups()  # fmt: skip
    assert 0 <= int(billed_restore) - float(restore) < 1
    assert 0 <= int(billed) - int(billed_restore) - float(duration) < 1
    assert "Init Duration" not in report
    # The next call finds an environment like any other.
    again = invoke(lambda_client, f"{name}:1", {}, LogType="Tail")[0]
    assert "Restore Duration" not in tail_of(again)


def test_lf03_publish_on_create(lambda_client, make_function):
    """LF-03-snapstart-version: a version published by CreateFunction or UpdateFunctionCode goes the same way."""
    name = make_function(SOURCE, SnapStart=PUBLISHED, Publish=True)
    wait_for(
        lambda: lambda_client.get_function_configuration(FunctionName=name, Qualifier="1")["SnapStart"] == ON,
    )
    assert invoke(lambda_client, f"{name}:1", {})[1]["type"] == "snap-start"


def test_lf03_latest_runs_on_demand(lambda_client, make_function):
    """LF-03-snapstart-version: `$LATEST` has no snapshot and runs no hooks."""
    name = make_function(SOURCE, SnapStart=PUBLISHED)
    ran = invoke(lambda_client, name, {})[1]
    assert ran["type"] == "on-demand"
    assert "snapshot" not in ran and "restored" not in ran


def test_lf03_values(lambda_client, make_function):
    """LF-03-snapstart-version: the default is None and Off; an unknown value is refused with the member's name."""
    name = make_function(PLAIN)
    assert lambda_client.get_function_configuration(FunctionName=name)["SnapStart"] == {
        "ApplyOn": "None", "OptimizationStatus": "Off",
    }  # fmt: skip
    with pytest.raises(ClientError) as excinfo:
        make_function(PLAIN, SnapStart={"ApplyOn": "bad"})
    status, code, message = error_of(excinfo)
    assert (status, code) == (400, "ValidationException")
    assert "'snapStart.applyOn'" in message
    lambda_client.update_function_configuration(FunctionName=name, SnapStart=PUBLISHED)
    wait_for(lambda: lambda_client.get_function_configuration(FunctionName=name)["LastUpdateStatus"] == "Successful")
    assert publish(lambda_client, name)["SnapStart"] == ON
    lambda_client.update_function_configuration(FunctionName=name, SnapStart={"ApplyOn": "None"})
    assert lambda_client.get_function_configuration(FunctionName=name)["SnapStart"]["ApplyOn"] == "None"
    assert lambda_client.get_function_configuration(FunctionName=name, Qualifier="1")["SnapStart"] == ON


def test_what_is_taken_is_made_again(server, lambda_client, logs_client, make_function):
    """After one was taken another waits: the next cold call is restored as well."""
    tells = "register_before_snapshot(lambda: print('about to be kept'))"
    name = make_function(f"{SOURCE}{tells}\n", SnapStart=PUBLISHED, Timeout=30)
    publish(lambda_client, name)
    first = invoke(lambda_client, f"{name}:1", {})[1]
    wait_for(lambda: messages(logs_client, name).count("about to be kept\n") == 2)
    # One that is being made is busy until it is kept.
    wait_for(lambda: server.health()["environments"]["busy"] == 0)
    called = time.time()
    with ThreadPoolExecutor(2) as threads:
        calls = [threads.submit(invoke, lambda_client, f"{name}:1", {"sleep_s": 2}) for _ in range(2)]
        ran = [call.result()[1] for call in calls]
    assert {one["type"] for one in ran} == {"snap-start"}
    (other,) = (one for one in ran if one["stream"] != first["stream"])
    assert first["loaded"] < other["loaded"] < called <= other["restored"]


def test_a_burst_beyond_what_is_kept(lambda_client, make_function):
    """Further environments run their init, and the hooks on both sides of it, with the call."""
    name = make_function(SOURCE, SnapStart=PUBLISHED, Timeout=30)
    publish(lambda_client, name)
    called = time.time()
    with ThreadPoolExecutor(3) as threads:
        calls = [threads.submit(invoke, lambda_client, f"{name}:1", {"sleep_s": 2}, LogType="Tail") for _ in range(3)]
        answers = [call.result() for call in calls]
    assert {ran["type"] for _, ran in answers} == {"snap-start"}
    assert all(called <= ran["restored"] for _, ran in answers)
    tails = [tail_of(answer) for answer, _ in answers]
    assert sum("Restore Duration" in tail for tail in tails) >= 1
    assert sum("Init Duration" in tail for tail in tails) == 3 - sum("Restore Duration" in tail for tail in tails)


def test_the_log_tells_of_the_restore(lambda_client, logs_client, make_function):
    """INIT_START when it is published; RESTORE_START and RESTORE_REPORT before START when it is taken."""
    name = make_function(SOURCE, SnapStart=PUBLISHED)
    publish(lambda_client, name)
    stream = invoke(lambda_client, f"{name}:1", {})[1]["stream"]

    def told():
        found = messages(logs_client, name, logStreamNames=[stream])
        return found if found[-1].startswith("REPORT ") else None

    kinds = [message.split()[0] for message in wait_for(told)]
    assert kinds == ["INIT_START", "RESTORE_START", "RESTORE_REPORT", "START", "END", "REPORT"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [("raise ValueError('not today')", "not today"), (HOOK_FAILS.format("before_snapshot"), "no before_snapshot")],
)
def test_a_failing_init_fails_the_version(lambda_client, make_function, source, reason):
    """The module or a hook before the snapshot: the version is Failed with the code of the model, and refuses calls."""
    name = make_function(source, SnapStart=PUBLISHED)
    failed = publish(lambda_client, name, "Failed")
    assert failed["StateReasonCode"] == "FunctionError.RuntimeInitError"
    assert reason in failed["StateReason"]
    assert failed["SnapStart"] == OFF
    with pytest.raises(lambda_client.exceptions.ResourceConflictException):
        invoke(lambda_client, f"{name}:1", {})


def test_a_failing_hook_after_the_restore(lambda_client, make_function):
    """The handler does not run: SnapStartException, 400."""
    name = make_function(HOOK_FAILS.format("after_restore"), SnapStart=PUBLISHED)
    publish(lambda_client, name)
    with pytest.raises(lambda_client.exceptions.SnapStartException) as excinfo:
        invoke(lambda_client, f"{name}:1", {})
    status, code, message = error_of(excinfo)
    assert (status, code) == (400, "SnapStartException")
    assert message.startswith("The afterRestore() runtime hook encountered an error")


def test_a_runtime_of_ones_own(lambda_client, make_function, logs_client):
    """GET restore/next is held until the environment is taken, and answered 200 without a body."""
    archive = zip_of({"bootstrap": BOOTSTRAP}, modes={"bootstrap": 0o755})
    name = make_function(archive=archive, Runtime="provided.al2023", SnapStart=PUBLISHED)
    publish(lambda_client, name)
    assert not any("restored with" in message for message in messages(logs_client, name))
    answer, told = invoke(lambda_client, f"{name}:1", {}, LogType="Tail")
    assert told == "200"
    assert "Restore Duration" in tail_of(answer)


def test_provisioned_concurrency_is_refused(lambda_client, make_function):
    """AWS has one or the other."""
    name = make_function(SOURCE, SnapStart=PUBLISHED)
    publish(lambda_client, name)
    with pytest.raises(ClientError) as excinfo:
        lambda_client.put_provisioned_concurrency_config(
            FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1
        )
    assert error_of(excinfo)[:2] == (400, "InvalidParameterValueException")


def test_lf04_a_restart_initialises_again(lone_server, runtime):
    """LF-04: what a restart ended is made again, without a call; deleting the version ends it."""
    client = lone_server.client("lambda")
    name = FunctionMaker(client, runtime, "f")(SOURCE, SnapStart=PUBLISHED)
    before = publish(client, name)
    lone_server.kill()
    lone_server.restart()
    client = lone_server.client("lambda")
    wait_for(lambda: lone_server.health()["environments"]["total"] == 1)
    after = client.get_function_configuration(FunctionName=name, Qualifier="1")
    for answer in (before, after):
        del answer["ResponseMetadata"]
    assert after == before
    client.delete_function(FunctionName=name, Qualifier="1")
    wait_for(lambda: lone_server.health()["environments"]["total"] == 0)
