"""What `lambent invoke`, `logs` and `ls` print, where, and with which exit code."""

import json
import os
import signal
import subprocess
import threading

import pytest
from wire.support import LAMBENT, wait_for

SOURCE = """
def handler(e, c):
    print("printed", e)
    if e == "fail":
        raise ValueError("boom")
    return [e, c.function_version]
"""


@pytest.fixture
def lambent(server):
    """Run a command of Lambent's against the server."""

    def run(*arguments, **options):
        environ = {"PATH": os.environ["PATH"], "HOME": str(server.data_dir), "LAMBENT_ENDPOINT": server.endpoint}
        return subprocess.run(
            [LAMBENT, *arguments], capture_output=True, text=True, env=environ, timeout=60, check=False, **options
        )

    return run


def test_invoke_takes_its_event_from_three_places(lambent, make_function, tmp_path):
    """The event is an argument, a file or standard input; the answer alone is on standard output."""
    name = make_function(SOURCE, Publish=True)
    (tmp_path / "event.json").write_text('{"from": "file"}')
    for arguments, options, expected in (
        (("--payload", f"@{tmp_path}/event.json"), {}, [{"from": "file"}, "$LATEST"]),
        (("--payload", "-"), {"input": '"piped"'}, ["piped", "$LATEST"]),
        (("--qualifier", "1"), {}, [{}, "1"]),
    ):
        done = lambent("invoke", name, *arguments, **options)
        assert (done.returncode, json.loads(done.stdout)) == (0, expected), done.stderr


def test_invoke_tells_failure_by_its_exit_code(lambent, make_function):
    """1: the function failed, and its error is the answer; 2: the API refused, in one line; the tail is on stderr."""
    name = make_function(SOURCE)
    failed = lambent("invoke", name, "--payload", '"fail"', "--tail")
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["errorMessage"] == "boom"
    assert "REPORT RequestId: " in failed.stderr
    refused = lambent("invoke", name, "--payload", "{not json")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert len(refused.stderr.strip().splitlines()) == 1


def test_no_server_is_one_line(lambent):
    """An address where nobody listens is named, without a traceback."""
    done = lambent("ls", "--endpoint", "http://127.0.0.1:1")
    assert done.returncode != 0
    assert "http://127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_logs_and_ls_print_data(lambent, lambda_client, make_function):
    """`logs --json` is one object per event, also from a group of the function's own; `ls --json` is a list."""
    name = make_function(SOURCE, LoggingConfig={"LogGroup": "/cli/shared"})
    lambda_client.invoke(FunctionName=name, Payload=b'"x"', LogType="Tail")

    def events():
        lines = [json.loads(line) for line in lambent("logs", name, "--json").stdout.splitlines()]
        return lines if any(event["message"].startswith("REPORT") for event in lines) else None

    found = wait_for(events)
    assert any(event["message"] == "printed x\n" for event in found)
    assert {"timestamp", "message", "logStreamName"} <= set(found[0])
    listed = json.loads(lambent("ls", "--json").stdout)
    assert name in [item["FunctionName"] for item in listed]


LEVELS = """
import logging

def handler(e, c):
    for level in ("debug", "info", "warning", "error"):
        getattr(logging.getLogger(), level)("said %s %s", level, e)
    if e == "fail":
        raise ValueError("boom")
"""


def test_logs_are_narrowed_and_coloured(lambent, lambda_client, make_function):
    """By level, which is ours to tell; by pattern, which the server applies; from a time on."""
    name = make_function(LEVELS)
    for event in ("fail", "well"):
        lambda_client.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail")

    def says(*options):
        done = lambent("logs", name, *options)
        assert done.returncode == 0, done.stderr
        return [line.split(" ", 2)[2] for line in done.stdout.splitlines() if line[:2] == "20"]

    wait_for(lambda: sum(line.startswith("REPORT") for line in says()) == 2)
    grave = says("--level", "warn")
    assert [line.rsplit("\t", 1)[-1] for line in grave if "said" in line] == [
        "said warning fail",
        "said error fail",
        "said warning well",
        "said error well",
    ]
    assert next(line.partition("\t")[0] for line in grave if "said" not in line) == "[ERROR] ValueError: boom"
    assert not any(line.startswith(("START", "END")) for line in grave)
    assert [line.rsplit("\t", 1)[-1] for line in says("--filter", "said -fail", "--level", "error")] == [
        "said error well"
    ]
    assert says("--since", "2100-01-01T00:00Z") == []
    assert says("--filter", "{ $.a = 1 }") == []
    refused = lambent("logs", name, "--filter", "{ $.a")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "InvalidParameterException" in refused.stderr
    coloured = lambent("logs", name, "--color", "always").stdout
    assert "\x1b[31m[ERROR]" in coloured
    assert "\x1b[33m[WARNING]" in coloured
    assert "\x1b[2mSTART RequestId" in coloured
    assert "\x1b" not in lambent("logs", name).stdout


def test_logs_are_followed_through_a_restart(own_server, make_function):
    """A server that went away is told of and waited for, and what was printed before is not printed again."""
    served = own_server().start()
    client = served.client("lambda")
    name = make_function(SOURCE, client=client)
    environ = {"PATH": os.environ["PATH"], "HOME": str(served.data_dir), "LAMBENT_ENDPOINT": served.endpoint}
    lines, said = [], []
    command = [LAMBENT, "logs", name, "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ) as following:
        readers = [
            threading.Thread(target=lambda stream=stream, taken=taken: taken.extend(stream), daemon=True)
            for stream, taken in ((following.stdout, lines), (following.stderr, said))
        ]
        for reader in readers:
            reader.start()
        try:
            client.invoke(FunctionName=name, Payload=b'"first"')
            wait_for(lambda: any("printed first" in line for line in lines))
            port = served.port
            served.stop()
            wait_for(lambda: any("does not answer; waiting for it" in line for line in said))
            served.options = ("--port", str(port))
            served.restart()
            served.client("lambda").invoke(FunctionName=name, Payload=b'"second"')
            wait_for(lambda: any("printed second" in line for line in lines))
        finally:
            following.send_signal(signal.SIGINT)
            following.wait(60)
            for reader in readers:
                reader.join(10)
    assert [sum(f"printed {word}" in line for line in lines) for word in ("first", "second")] == [1, 1]
    assert len(said) == 1, said


def test_logs_follow_until_interrupted(server, lambda_client, make_function):
    """`logs --follow` prints what comes after it began, each event once, and ends cleanly with Ctrl-C."""
    name = make_function(SOURCE)
    environ = {"PATH": os.environ["PATH"], "HOME": str(server.data_dir), "LAMBENT_ENDPOINT": server.endpoint}
    following = subprocess.Popen(
        [LAMBENT, "logs", name, "--follow"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
    )
    lines = []

    def read():
        for line in following.stdout:
            lines.append(line)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        for word in ("first", "second"):
            lambda_client.invoke(FunctionName=name, Payload=json.dumps(word), LogType="Tail")
            wait_for(lambda word=word: any(f"printed {word}" in line for line in lines))
    finally:
        following.send_signal(signal.SIGINT)
        code = following.wait(60)
        reader.join(5)
    assert [sum(f"printed {word}" in line for line in lines) for word in ("first", "second")] == [1, 1]
    assert code in (0, 130)
    assert "Traceback" not in following.stderr.read()
    following.stderr.close()
    following.stdout.close()
