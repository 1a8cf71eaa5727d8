"""Payloads and tails at their exact limits."""

import json

import pytest
from botocore.exceptions import ClientError
from wire.support import error_of, invoke, tail_of, wait_for, zip_of

REQUEST_BYTES_MAX = 6_291_456
RESPONSE_BYTES_MAX = 6_291_556

BYTES = """
def handler(e, c):
    if "n" in e:
        return "x" * e["n"]
    if "accents" in e:
        return "é" * e["accents"]
    return len(e["p"])
"""


def test_pl01_a_request_may_be_exactly_six_megabytes(lambda_client, make_function):
    """PL-01: 6,291,456 bytes are accepted, one more is a 413 that says so."""
    name = make_function(BYTES, Timeout=30, MemorySize=512)
    padding = "x" * (REQUEST_BYTES_MAX - len('{"p":""}'))
    payload = json.dumps({"p": padding}, separators=(",", ":")).encode()
    assert len(payload) == REQUEST_BYTES_MAX
    answer = lambda_client.invoke(FunctionName=name, Payload=payload)
    assert int(answer["Payload"].read()) == len(padding)
    with pytest.raises(ClientError) as excinfo:
        lambda_client.invoke(FunctionName=name, Payload=payload + b" ")
    assert error_of(excinfo) == (
        413,
        "RequestTooLargeException",
        "6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)",
    )


def test_pl01_a_response_may_be_a_hundred_bytes_more(lambda_client, make_function, runtime):
    """PL-01: 6,291,556 encoded bytes are delivered, one more is the function's error; the environment lives on."""
    name = make_function(BYTES, Timeout=30, MemorySize=512)
    answer = lambda_client.invoke(FunctionName=name, Payload=json.dumps({"n": RESPONSE_BYTES_MAX - 2}), LogType="Tail")
    assert len(answer["Payload"].read()) == RESPONSE_BYTES_MAX
    answer, payload = invoke(lambda_client, name, {"n": RESPONSE_BYTES_MAX - 1}, LogType="Tail")
    assert (answer["FunctionError"], payload["errorType"]) == ("Unhandled", "Function.ResponseSizeTooLarge")
    # What counts is bytes as the runtime writes them: two each as UTF-8, six each as \\u escapes.
    width = 2 if int(runtime.split(".")[1]) >= 12 else 6
    answer, payload = invoke(lambda_client, name, {"accents": RESPONSE_BYTES_MAX // width + 1}, LogType="Tail")
    assert payload["errorType"] == "Function.ResponseSizeTooLarge"
    assert invoke(lambda_client, name, {"n": 3})[1] == "xxx"


def test_pl02_what_is_no_json_is_passed_through(lambda_client, make_function):
    """PL-02: bytes that a custom runtime posts are delivered as they are; its event arrives byte for byte."""
    bootstrap = r"""#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
  work=$(mktemp -d)
  curl -sS -D "$work/head" -o "$work/event" "$api/next"
  id=$(grep -i '^lambda-runtime-aws-request-id:' "$work/head" | cut -d: -f2 | tr -d '[:space:]')
  { printf '\377\000<'; cat "$work/event"; printf '>'; } > "$work/answer"
  curl -sS -o /dev/null -H 'Content-Type: application/octet-stream' --data-binary "@$work/answer" "$api/$id/response"
done
"""
    archive = zip_of({"bootstrap": bootstrap}, modes={"bootstrap": 0o755})
    name = make_function(archive=archive, Runtime="provided.al2023", Handler="unused")
    event = '{ "t" : "愛😀\\u0000",\n"n": 1.50 }'.encode()
    answer = lambda_client.invoke(FunctionName=name, Payload=event)
    assert answer["Payload"].read() == b"\xff\x00<" + event + b">"
    assert "FunctionError" not in answer


def test_pl03_a_tail_is_the_last_four_kilobytes(lambda_client, make_function):
    """PL-03: LogResult ends with REPORT and holds at most 4 KB, from START on where it is shorter."""
    name = make_function("def handler(e, c):\n    for n in range(e['lines']): print(f'{n:099d}')")
    short = tail_of(invoke(lambda_client, name, {"lines": 2}, LogType="Tail")[0])
    assert short.startswith("START RequestId: ")
    assert "INIT_START" not in short
    answer, _ = invoke(lambda_client, name, {"lines": 200}, LogType="Tail")
    tail = tail_of(answer)
    assert 3_900 < len(tail.encode()) <= 4096
    assert f"{199:099d}\nEND RequestId: {answer['ResponseMetadata']['RequestId']}\nREPORT " in tail
    assert "LogResult" not in invoke(lambda_client, name, {"lines": 1})[0]


def test_pl03_the_stream_names_the_version(lambda_client, logs_client, make_function):
    """PL-03: a published version writes streams of its own, marked with its number."""
    name = make_function("def handler(e, c): return c.log_stream_name", Publish=True)
    published = invoke(lambda_client, name, Qualifier="1")[1]
    latest = invoke(lambda_client, name)[1]
    assert "/[1]" in published
    assert "/[$LATEST]" in latest
    group = f"/aws/lambda/{name}"
    prefix = published[: len("2026/11/25/[1]")]

    def report():
        found = logs_client.filter_log_events(logGroupName=group, logStreamNamePrefix=prefix)["events"]
        return [event["message"] for event in found if event["message"].startswith("START")]

    assert wait_for(report)[0].endswith(" Version: 1\n")


def test_pl04_carriage_returns_and_blank_lines(lambda_client, logs_client, make_function):
    r"""PL-04: a `\r` stays inside its event, and a line without its newline is written when the call ends."""
    source = "import sys\ndef handler(e, c):\n    sys.stdout.write('one\\rstill one\\nlast without newline')"
    name = make_function(source)
    invoke(lambda_client, name, LogType="Tail")

    def own_lines():
        events = logs_client.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        return [
            event["message"].rstrip("\n") for event in events if "one" in event["message"] or "last" in event["message"]
        ]

    wait_for(lambda: own_lines() == ["one\rstill one", "last without newline"])
