"""LoggingConfig acts: format and level of the platform's records, and what the function's own client filters."""

import contextlib
import json
import threading

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from wire.support import FunctionMaker, error_of, invoke, tail_of, wait_for, wait_updated

SOURCE = """
import logging, os, time
log = logging.getLogger()
def handler(event, context):
    log.debug("a debug record")
    log.info("an info record")
    log.warning("a warning")
    print("a plain line")
    time.sleep(event.get("sleep", 0))
    if event.get("exit"):
        os._exit(1)
    return {name: os.environ.get(name) for name in ("AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL")}
"""


def messages_of(logs_client, group, done):
    """Return a group's messages once one of them satisfies `done`."""

    def read():
        try:
            found = logs_client.filter_log_events(logGroupName=group)["events"]
        except logs_client.exceptions.ResourceNotFoundException:
            return None
        lines = [event["message"] for event in found]
        return lines if any(done(line) for line in lines) else None

    return wait_for(read)


def records_of(lines):
    """Return the JSON objects among lines."""
    return [json.loads(line) for line in lines if line.startswith("{")]


def kinds_of(lines):
    return [record["type"] for record in records_of(lines) if "type" in record]


def test_pl03_records_of_every_level(lambda_client, logs_client, make_function):
    """PL-03: with DEBUG all records of an invocation are there, as JSON, and none of the text format."""
    name = make_function(SOURCE, LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "DEBUG"})
    answer, payload = invoke(lambda_client, name, {}, LogType="Tail")
    assert payload == {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
    request_id = answer["ResponseMetadata"]["RequestId"]
    tail = tail_of(answer).splitlines()
    assert kinds_of(tail) == ["platform.start", "platform.runtimeDone", "platform.report"]
    lines = messages_of(logs_client, f"/aws/lambda/{name}", lambda line: "platform.report" in line)
    assert kinds_of(lines) == [
        "platform.initStart",
        "platform.initRuntimeDone",
        "platform.initReport",
        "platform.start",
        "platform.runtimeDone",
        "platform.report",
    ]
    assert not any(line.startswith(("START", "END", "REPORT", "INIT_START")) for line in lines)
    by_kind = {record["type"]: record["record"] for record in records_of(lines) if "type" in record}
    assert by_kind["platform.start"] == {"requestId": request_id, "version": "$LATEST"}
    metrics = by_kind["platform.report"]["metrics"]
    assert metrics["memorySizeMB"] == 128
    assert metrics["billedDurationMs"] >= metrics["durationMs"]
    assert metrics["initDurationMs"] > 0
    assert by_kind["platform.initStart"]["functionName"] == name
    own = [record for record in records_of(lines) if "level" in record]
    assert [(record["level"], record["message"], record["requestId"]) for record in own] == [
        ("INFO", "an info record", request_id),
        ("WARNING", "a warning", request_id),
    ]
    assert "a plain line\n" in lines


def test_levels_filter(lambda_client, logs_client, make_function):
    """WARN leaves nothing of the platform while all goes well, and what went wrong; ERROR nothing of the function."""
    config = {"LogFormat": "JSON", "SystemLogLevel": "WARN", "ApplicationLogLevel": "ERROR", "LogGroup": "/own/levels"}
    name = make_function(SOURCE, Timeout=1, LoggingConfig=config)
    answer, payload = invoke(lambda_client, name, {}, LogType="Tail")
    assert payload["AWS_LAMBDA_LOG_LEVEL"] == "ERROR"
    assert tail_of(answer) == "a plain line\n"
    invoke(lambda_client, name, {"sleep": 3})
    invoke(lambda_client, name, {"exit": True})
    lines = messages_of(logs_client, "/own/levels", lambda line: "platform.fault" in line)
    lines = wait_for(
        lambda: (found := messages_of(logs_client, "/own/levels", bool)) and len(kinds_of(found)) == 5 and found
    )
    assert kinds_of(lines) == [
        "platform.runtimeDone",
        "platform.report",
        "platform.fault",
        "platform.runtimeDone",
        "platform.report",
    ]
    reports = [record["record"] for record in records_of(lines) if record.get("type") == "platform.report"]
    assert [report["status"] for report in reports] == ["timeout", "error"]
    assert reports[1]["errorType"] == "Runtime.ExitError"


def test_the_setting_is_merged_and_shown(lambda_client, make_function):
    """Text shows no levels; JSON has INFO for both by default; going back drops them; a level with Text is refused."""
    name = make_function(SOURCE)

    def config():
        return lambda_client.get_function_configuration(FunctionName=name)["LoggingConfig"]

    def update(**wanted):
        lambda_client.update_function_configuration(FunctionName=name, LoggingConfig=wanted)
        wait_updated(lambda_client, name)
        return config()

    group = f"/aws/lambda/{name}"
    assert config() == {"LogFormat": "Text", "LogGroup": group}
    both = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", "LogGroup": group}
    assert update(LogFormat="JSON") == both
    assert update(SystemLogLevel="WARN") == {**both, "SystemLogLevel": "WARN"}
    assert invoke(lambda_client, name, {})[1]["AWS_LAMBDA_LOG_FORMAT"] == "JSON"
    assert update(LogFormat="Text") == {"LogFormat": "Text", "LogGroup": group}
    assert invoke(lambda_client, name, {})[1]["AWS_LAMBDA_LOG_FORMAT"] is None
    with pytest.raises(ClientError) as refused:
        update(ApplicationLogLevel="DEBUG")
    assert error_of(refused) == (
        400,
        "InvalidParameterValueException",
        'LogLevel is not supported when LogFormat is set to "Text". '
        'Remove LogLevel from your request or change the LogFormat to "JSON" and try again.',
    )


def test_a_lost_invocation_is_reported_in_its_format(lone_server, runtime):
    """The REPORT that the next server writes for an invocation that the killed one did not finish is a record, too."""
    client = lone_server.client("lambda")
    maker = FunctionMaker(client, runtime, "lost")
    name = maker(SOURCE, Timeout=60, LoggingConfig={"LogFormat": "JSON"})
    logs = lone_server.client("logs")
    caller = threading.Thread(target=lambda: _call_and_lose(client, name), daemon=True)
    caller.start()
    messages_of(logs, f"/aws/lambda/{name}", lambda line: "a plain line" in line)
    lone_server.kill()
    caller.join(30)
    lone_server.restart()
    lines = messages_of(lone_server.client("logs"), f"/aws/lambda/{name}", lambda line: "platform.report" in line)
    (report,) = [record["record"] for record in records_of(lines) if record.get("type") == "platform.report"]
    assert (report["status"], report["errorType"]) == ("error", "Sandbox.Failure")
    assert not any(line.startswith("REPORT") for line in lines)


def _call_and_lose(client, name):
    with contextlib.suppress(BotoCoreError):
        invoke(client, name, {"sleep": 50})
