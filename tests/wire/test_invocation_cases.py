"""Behaviour cases of invocations: errors, payloads, context, custom runtimes, concurrency."""

import base64
import json
import re
import threading
import time
import urllib.request

import pytest
from botocore.exceptions import ClientError
from wire.support import error_of, invoke, tail_of, wait_for, wait_updated, zip_of

UNHANDLED = "Unhandled"


def raw(client, name, payload=b"{}", **options):
    answer = client.invoke(FunctionName=name, Payload=payload, **options)
    return answer, answer["Payload"].read()


def events_of(logs, name):
    found = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
    return [event for page in found for event in page["events"]]


def test_er01_timeout(lambda_client, logs_client, make_function):
    """ER-01: answered at the deadline with exactly two keys; the next call runs in a new environment."""
    source = """
import time, uuid
ENVIRONMENT = uuid.uuid4().hex
def handler(e, c):
    print("ran", c.aws_request_id, ENVIRONMENT)
    left = c.get_remaining_time_in_millis()
    time.sleep(e.get("s", 0))
    return [ENVIRONMENT, left]
"""
    name = make_function(source, Timeout=1)
    first = invoke(lambda_client, name, {"s": 0})[1]
    assert 0 < first[1] <= 1000
    began = time.monotonic()
    answer, payload = invoke(lambda_client, name, {"s": 30})
    assert 0.9 <= time.monotonic() - began < 25
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, UNHANDLED)
    assert payload == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request_id} Error: Task timed out after 1.00 seconds",
    }
    after = invoke(lambda_client, name, {"s": 0})[1][0]

    def over():
        found = [event["message"] for event in events_of(logs_client, name)]
        return found if any(line.startswith(f"REPORT RequestId: {request_id}") for line in found) else None

    messages = wait_for(over)
    # Not simply the first call's: on a busy machine that environment may not have been free yet.
    (timed_out,) = [line.split()[2] for line in messages if line.startswith(f"ran {request_id} ")]
    assert after != timed_out
    assert any(re.match(rf"\S+Z {request_id} Task timed out after 1\.00 seconds", line) for line in messages)
    assert any(line.startswith(f"REPORT RequestId: {request_id}") and "Status: timeout" in line for line in messages)


def test_er02_out_of_memory(lambda_client, make_function):
    """ER-02: a function above its memory is ended, others and the next call are not."""
    source = """
import time
def handler(e, c):
    b = bytearray(int(e["mb"]) * 1024 * 1024)
    b[::4096] = b"x" * len(b[::4096])
    time.sleep(e.get("s", 0))
    return len(b)
"""
    name = make_function(source, MemorySize=128, Timeout=30)
    assert invoke(lambda_client, name, {"mb": 16})[1] == 16 * 1024 * 1024
    answer, payload = invoke(lambda_client, name, {"mb": 600, "s": 20}, LogType="Tail")
    assert answer["FunctionError"] == UNHANDLED
    assert payload["errorType"] == "Runtime.ExitError"
    assert payload["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")
    assert int(re.search(r"Max Memory Used: (\d+) MB", tail_of(answer))[1]) <= 128
    assert invoke(lambda_client, name, {"mb": 16})[1] == 16 * 1024 * 1024


@pytest.mark.parametrize("payload", [b"n\x87r\x9e", b"\x99\xeb,", b"{not json"])
def test_er03_bad_payloads_are_refused(lambda_client, logs_client, make_function, payload):
    """ER-03: what is not JSON never reaches the function and leaves no log."""
    name = make_function("def handler(e, c): return 1")
    with pytest.raises(ClientError) as excinfo:
        raw(lambda_client, name, payload)
    status, code, text = error_of(excinfo)
    assert (status, code) == (400, "InvalidRequestContentException")
    assert text.startswith("Could not parse request body into json: Could not parse payload into json: ")
    with pytest.raises(logs_client.exceptions.ResourceNotFoundException):
        events_of(logs_client, name)


def test_er03_any_json_value_is_an_event(lambda_client, make_function):
    """ER-03: an empty body is `{}`; numbers, null and strings are valid events."""
    name = make_function("def handler(e, c): return [type(e).__name__, e]")
    for payload, expected in (
        (b"", ["dict", {}]),
        (b"3", ["int", 3]),
        (b"null", ["NoneType", None]),
        (b'"t"', ["str", "t"]),
    ):
        assert json.loads(raw(lambda_client, name, payload)[1]) == expected


def test_er04_return_values_and_exceptions(lambda_client, make_function):
    """ER-04: null is four bytes, a string keeps its quotes, exceptions have the client's own shape."""
    name = make_function("def handler(e, c): pass")
    answer, body = raw(lambda_client, name)
    assert (answer["StatusCode"], body, answer["ExecutedVersion"]) == (200, b"null", "$LATEST")
    dry = lambda_client.invoke(FunctionName=name, InvocationType="DryRun")
    assert (dry["StatusCode"], dry["Payload"].read()) == (204, b"")
    event = lambda_client.invoke(FunctionName=name, InvocationType="Event")
    assert (event["StatusCode"], event["Payload"].read()) == (202, b"")
    assert "ExecutedVersion" not in event

    assert raw(lambda_client, make_function("def handler(e, c): return 'hello'"))[1] == b'"hello"'
    raising = make_function("def handler(e, c): raise ValueError('boom')")
    answer, payload = invoke(lambda_client, raising)
    assert answer["FunctionError"] == UNHANDLED
    assert list(payload) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    assert (payload["errorMessage"], payload["errorType"]) == ("boom", "ValueError")
    assert payload["stackTrace"][0].startswith('  File "')
    answer, payload = invoke(lambda_client, make_function("def handler(e, c): return {1, 2}"))
    assert (payload["errorType"], payload["stackTrace"]) == ("Runtime.MarshalError", [])
    assert payload["errorMessage"] == "Unable to marshal response: Object of type set is not JSON serializable"


def test_er04_init_errors_repeat(lambda_client, make_function):
    """ER-04: an error at import is every call's answer, with an empty request id."""
    name = make_function("raise Exception('x')")
    for _ in range(2):
        answer, payload = invoke(lambda_client, name)
        assert answer["FunctionError"] == UNHANDLED
        assert (payload["errorMessage"], payload["errorType"], payload["requestId"]) == ("x", "Exception", "")


def test_errors_before_the_handler(lambda_client, make_function):
    """A missing module and a missing handler have the client's error types; exits have the platform's."""
    missing = make_function("import nowhere")
    assert invoke(lambda_client, missing)[1]["errorType"] == "Runtime.ImportModuleError"
    unnamed = make_function("def other(e, c): pass")
    assert invoke(lambda_client, unnamed)[1]["errorType"] == "Runtime.HandlerNotFound"
    leaving = make_function("import os\ndef handler(e, c): os._exit(e['code'])")
    for code, text in (
        (0, "Runtime exited without providing a reason"),
        (3, "Runtime exited with error: exit status 3"),
    ):
        answer, payload = invoke(lambda_client, leaving, {"code": code})
        assert (answer["FunctionError"], payload["errorType"]) == (UNHANDLED, "Runtime.ExitError")
        assert payload["errorMessage"] == f"RequestId: {answer['ResponseMetadata']['RequestId']} Error: {text}"


def test_pl01_payload_sizes(lambda_client, make_function):
    """PL-01: six megabytes pass, more is the function's error on the way back and a 413 on the way in."""
    name = make_function("def handler(e, c): return 'x' * e['n'] if 'n' in e else len(e['p'])", Timeout=30)
    assert len(raw(lambda_client, name, b'{"n": 6000000}')[1]) == 6_000_002
    answer, payload = invoke(lambda_client, name, {"n": 7_000_000})
    assert answer["FunctionError"] == UNHANDLED
    assert payload == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }
    assert len(raw(lambda_client, name, b'{"n": 10}')[1]) == 12
    assert invoke(lambda_client, name, {"p": "x" * 6_000_000})[1] == 6_000_000
    with pytest.raises(ClientError) as excinfo:
        invoke(lambda_client, name, {"p": "x" * 6_400_000})
    assert error_of(excinfo)[:2] == (413, "RequestTooLargeException")


def test_pl02_unicode_round_trip(lambda_client, logs_client, make_function, runtime):
    """PL-02: every character survives in both directions and in the log."""
    source = """
import sys, os
def handler(e, c):
    print(e["t"])
    return {"t": e["t"], "encoding": sys.stdout.encoding.lower(), "lang": os.environ["LANG"]}
"""
    text = "愛 😀 é ’ \u0000 \U0001f600"
    name = make_function(source)
    body = raw(lambda_client, name, json.dumps({"t": text}).encode())[1]
    assert json.loads(body) == {"t": text, "encoding": "utf-8", "lang": "en_US.UTF-8"}
    assert body.isascii() == (int(runtime.split(".")[1]) < 12)
    wait_for(lambda: any(event["message"].rstrip("\n") == text for event in events_of(logs_client, name)))


def test_pl03_log_lines(lambda_client, logs_client, make_function):
    """PL-03: START, prints, END and REPORT are events of one stream; INIT_START once; the answer is untouched."""
    source = """
import sys
def handler(e, c):
    print('{"looks": "like a response"}')
    print("to stderr", file=sys.stderr)
    return c.log_stream_name
"""
    name = make_function(source)
    answers = [invoke(lambda_client, name, LogType="Tail") for _ in range(2)]
    stream = answers[0][1]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)
    assert answers[1][1] == stream
    events = wait_for(lambda: (found := events_of(logs_client, name)) and len(found) >= 11 and found)
    assert {event["logStreamName"] for event in events} == {stream}
    expected = [r"INIT_START Runtime Version: python:3.*\n"]
    for number, (answer, _) in enumerate(answers):
        request_id = answer["ResponseMetadata"]["RequestId"]
        init = r"Init Duration: [\d.]+ ms\t" if number == 0 else ""
        expected += [
            rf"START RequestId: {request_id} Version: \$LATEST\n",
            r'\{"looks": "like a response"\}\n',
            r"to stderr\n",
            rf"END RequestId: {request_id}\n",
            rf"REPORT RequestId: {request_id}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\t"
            rf"Max Memory Used: \d+ MB\t{init}\n",
        ]
    assert len(events) == len(expected)
    for event, pattern in zip(events, expected, strict=True):
        assert re.fullmatch(pattern, event["message"]), (event["message"], pattern)
    tail = tail_of(answers[0][0])
    assert tail.startswith("START RequestId: ")
    assert "\nREPORT RequestId: " in tail


def test_pl03_a_log_group_of_ones_own(lambda_client, logs_client, make_function, unique_name):
    """PL-03: LoggingConfig's LogGroup moves the logs; the JSON format is refused until it is offered."""
    group = f"/custom/{unique_name}"
    name = make_function("def handler(e, c): return c.log_stream_name", LoggingConfig={"LogGroup": group})
    stream = invoke(lambda_client, name)[1]
    assert re.fullmatch(rf"\d{{4}}/\d\d/\d\d/{name}\[\$LATEST\][0-9a-f]{{32}}", stream)
    streams = wait_for(lambda: logs_client.describe_log_streams(logGroupName=group)["logStreams"])
    assert [item["logStreamName"] for item in streams] == [stream]


def test_pl04_long_lines_stay_whole(lambda_client, logs_client, make_function):
    """PL-04: a line of 6 KB, and one of 250 KB, is one event that parses."""
    source = """
import json
def handler(e, c):
    print(json.dumps({"pad": "é" * 3000, "end": 1}, ensure_ascii=False))
    print(json.dumps({"pad": "x" * 250000, "end": 2}))
"""
    name = make_function(source)
    invoke(lambda_client, name)
    lines = wait_for(
        lambda: (
            (found := [e["message"] for e in events_of(logs_client, name) if '"pad"' in e["message"]])
            and len(found) == 2
            and found
        )
    )
    assert [json.loads(line)["end"] for line in lines] == [1, 2]


def test_rt03_context(lambda_client, make_function):
    """RT-03: the context's fields have AWS's types and name what was addressed."""
    source = """
def handler(e, c):
    left = c.get_remaining_time_in_millis()
    return {
        "memory": c.memory_limit_in_mb, "version": c.function_version, "arn": c.invoked_function_arn,
        "id": c.aws_request_id, "group": c.log_group_name, "stream": c.log_stream_name,
        "identity": c.identity is not None, "falls": c.get_remaining_time_in_millis() <= left,
        "custom": c.client_context.custom if c.client_context else None,
    }
"""
    name = make_function(source)
    lambda_client.publish_version(FunctionName=name)
    base = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    context = base64.b64encode(b'{"custom": {"foo": "bar"}, "client": {"app_title": "t"}}').decode()
    for qualifier, arn, version in (
        (None, base, "$LATEST"),
        ("$LATEST", f"{base}:$LATEST", "$LATEST"),
        ("1", f"{base}:1", "1"),
    ):
        options = {} if qualifier is None else {"Qualifier": qualifier}
        answer, seen = invoke(lambda_client, name, ClientContext=context, **options)
        assert (seen["memory"], seen["version"], seen["arn"]) == ("128", version, arn)
        assert seen["id"] == answer["ResponseMetadata"]["RequestId"]
        assert (seen["group"], seen["custom"]) == (f"/aws/lambda/{name}", {"foo": "bar"})
        assert seen["identity"]
        assert seen["falls"]
    assert invoke(lambda_client, name)[1]["custom"] is None


BOOTSTRAP = """#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
  headers=$(mktemp)
  curl -sS -D "$headers" "$api/next" -o /dev/null
  id=$(grep -i lambda-runtime-aws-request-id "$headers" | tr -d '[:space:]' | cut -d: -f2)
  names=$(grep -io '^lambda-runtime-[a-z-]*' "$headers" | tr '[:upper:]' '[:lower:]' | sort | tr '\\n' ' ')
  answer="{\\"names\\": \\"$names\\", \\"env\\": \\"${AWS_EXECUTION_ENV:-unset}\\"}"
  curl -sS "$api/$id/response" -d "$answer" -o /dev/null
  rm -f "$headers"
done
"""


def custom(make_function, archive):
    return make_function(archive=archive, Runtime="provided.al2023", Handler="any", Timeout=10)


def test_rt04_a_shell_bootstrap(lambda_client, make_function):
    """RT-04 a, e and RT-05: a bootstrap, also behind a symlink, serves several calls and sees every header."""
    plain = zip_of({"bootstrap": BOOTSTRAP}, modes={"bootstrap": 0o755})
    linked = zip_of({"bin/app": BOOTSTRAP}, modes={"bin/app": 0o755}, links={"bootstrap": "bin/app"})
    for archive in (plain, linked):
        name = custom(make_function, archive)
        for _ in range(3):
            assert invoke(lambda_client, name)[1] == {
                "names": "lambda-runtime-aws-request-id lambda-runtime-deadline-ms "
                "lambda-runtime-invoked-function-arn lambda-runtime-trace-id ",
                "env": "unset",
            }


@pytest.mark.parametrize(
    ("entries", "mode", "text"),
    [
        ({"bootstrap": BOOTSTRAP}, 0o644, r"fork/exec \S+/bootstrap: permission denied"),
        ({"other": ""}, 0o755, r"Couldn't find valid bootstrap\(s\): \[\S+/bootstrap /opt/bootstrap\]"),
        ({"bootstrap": "#!/no/such/interpreter\n"}, 0o755, r"fork/exec \S+/bootstrap: no such file or directory"),
    ],
)
def test_rt04_bootstraps_that_cannot_start(lambda_client, make_function, entries, mode, text):
    """RT-04 b, c, d: Runtime.InvalidEntrypoint with the operating system's word."""
    archive = zip_of(entries, modes=dict.fromkeys(entries, mode))
    answer, payload = invoke(lambda_client, custom(make_function, archive))
    assert (answer["FunctionError"], payload["errorType"]) == (UNHANDLED, "Runtime.InvalidEntrypoint")
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert re.fullmatch(rf"RequestId: {request_id} Error: {text}", payload["errorMessage"])


def test_beyond_the_environments_there_are_is_a_429(own_server, runtime):
    """More simultaneous invocations than --environments-max: TooManyRequestsException with AWS's reason."""
    server = own_server(None, "--environments-max", "1").start()
    client = server.client("lambda")
    source = "import time\ndef handler(e, c): time.sleep(e['s'])"
    client.create_function(
        FunctionName="f",
        Runtime=runtime,
        Handler="app.handler",
        Role="arn:aws:iam::000000000000:role/r",
        Code={"ZipFile": zip_of({"app.py": source})},
        Timeout=30,
    )
    client.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
    thread = threading.Thread(target=invoke, args=(client, "f", {"s": 8}))
    thread.start()

    def busy():
        with urllib.request.urlopen(f"{server.endpoint}/_lambent/health", timeout=30) as answer:
            return json.load(answer)["environments"]["busy"]

    wait_for(busy)
    with pytest.raises(client.exceptions.TooManyRequestsException) as excinfo:
        invoke(client, "f", {"s": 0})
    response = excinfo.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert response["Reason"] == "ConcurrentInvocationLimitExceeded"
    thread.join()
    assert invoke(client, "f", {"s": 0})[1] is None


def test_logs_survive_a_crash_and_obey_retention(lone_server, runtime):
    """Log lines are there after kill -9; groups can be listed, given a retention and deleted."""
    client = lone_server.client("lambda")
    client.create_function(
        FunctionName="f",
        Runtime=runtime,
        Handler="app.handler",
        Role="arn:aws:iam::000000000000:role/r",
        Code={"ZipFile": zip_of({"app.py": "def handler(e, c): print('kept')"})},
    )
    client.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
    invoke(client, "f", LogType="Tail")
    lone_server.kill()
    lone_server.restart()
    logs = lone_server.client("logs")
    events = events_of(logs, "f")
    assert [event["message"].split(" ")[0].rstrip("\n") for event in events] == [
        "INIT_START",
        "START",
        "kept",
        "END",
        "REPORT",
    ]
    assert all(re.fullmatch(r"\d{56}", event["eventId"]) for event in events)
    group = "/aws/lambda/f"
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    assert [item.get("retentionInDays") for item in logs.describe_log_groups()["logGroups"]] == [7]
    page = logs.get_log_events(logGroupName=group, logStreamName=events[0]["logStreamName"], startFromHead=True)
    again = logs.get_log_events(
        logGroupName=group, logStreamName=events[0]["logStreamName"], nextToken=page["nextForwardToken"]
    )
    assert (len(page["events"]), again["events"]) == (5, [])
    assert again["nextForwardToken"] == page["nextForwardToken"]
    logs.delete_log_group(logGroupName=group)
    assert logs.describe_log_groups()["logGroups"] == []


def test_an_update_retires_warm_environments(lambda_client, make_function):
    """The next call after an update runs the new code, in a new environment."""
    name = make_function("def handler(e, c): return c.log_stream_name")
    before = invoke(lambda_client, name)[1]
    lambda_client.update_function_configuration(FunctionName=name, Description="new")
    wait_updated(lambda_client, name)
    assert invoke(lambda_client, name)[1] != before
