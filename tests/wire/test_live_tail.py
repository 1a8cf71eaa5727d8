"""Live tails: boto3's, and the AWS CLI's two ways to follow a log."""

import json
import os
import re
import signal
import subprocess
import threading
import time

import pytest
from botocore.exceptions import ClientError
from wire.support import error_of, invoke, wait_for

SAYING = "def handler(e, c):\n    print(e['say'])\n"
ARN = "arn:aws:logs:us-east-1:000000000000:log-group:"


@pytest.fixture
def tailing(server):
    """A client that does not put a prefix before the host, which the address of a test server would not survive."""
    return server.client("logs", inject_host_prefix=False)


class Tail:
    """Reads a session on a thread of its own."""

    def __init__(self, client, **request):
        self.events = []
        self.stream = client.start_live_tail(**request)["responseStream"]
        self.started = threading.Event()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        assert self.started.wait(30)

    def _read(self):
        try:
            for event in self.stream:
                self.events.append((time.monotonic(), event))
                self.started.set()
        except Exception as error:  # What a stream that is closed from another thread raises differs.
            self.events.append((time.monotonic(), {"error": error}))
            self.started.set()

    @property
    def updates(self):
        return [(at, event["sessionUpdate"]) for at, event in self.events if "sessionUpdate" in event]

    @property
    def results(self):
        return [result for _, update in self.updates for result in update["sessionResults"]]

    def messages(self):
        return [result["message"].rstrip("\n") for result in self.results]

    def close(self):
        self.stream.close()
        self.thread.join(30)


def test_a_live_tail_shows_what_comes(tailing, lambda_client, make_function):
    """A start, then an update each second, empty or not; each event once, with where it is from."""
    name = make_function(SAYING)
    invoke(lambda_client, name, {"say": "before"}, LogType="Tail")
    group = f"/aws/lambda/{name}"
    wait_for(lambda: tailing.filter_log_events(logGroupName=group, filterPattern="REPORT")["events"])
    began = time.monotonic()
    tail = Tail(tailing, logGroupIdentifiers=[ARN + group])
    start = tail.events[0][1]["sessionStart"]
    assert start["logGroupIdentifiers"] == [ARN + group]
    assert len(start["sessionId"]) == 36
    wait_for(lambda: len(tail.updates) >= 2)
    assert tail.results == []
    invoke(lambda_client, name, {"say": "hello"}, LogType="Tail")
    wait_for(lambda: any(message.startswith("REPORT") for message in tail.messages()))
    assert tail.messages().count("hello") == 1
    assert "before" not in tail.messages()
    (result,) = [result for result in tail.results if result["message"] == "hello\n"]
    assert result["logGroupIdentifier"] == f"000000000000:{group}"
    assert "[$LATEST]" in result["logStreamName"]
    assert 0 <= result["ingestionTime"] - result["timestamp"] < 60_000
    # However late they were read: in so many seconds no more were sent.
    assert len(tail.updates) <= time.monotonic() - began + 1
    assert tail.updates[0][1]["sessionMetadata"] == {"sampled": False}
    tail.close()


def test_it_is_narrowed_by_stream_and_by_pattern(tailing, lambda_client, make_function):
    name = make_function(SAYING)
    invoke(lambda_client, name, {"say": "first"}, LogType="Tail")
    group = f"/aws/lambda/{name}"
    found = wait_for(lambda: tailing.filter_log_events(logGroupName=group)["events"])
    stream = found[0]["logStreamName"]
    request = {"logGroupIdentifiers": [ARN + group]}
    tails = {
        "ERROR": Tail(tailing, **request, logStreamNames=[stream], logEventFilterPattern="ERROR"),
        "%[0-9]{3}%": Tail(tailing, **request, logStreamNamePrefixes=[stream[:5]], logEventFilterPattern="%^[0-9]{3}%"),
        "other": Tail(tailing, **request, logStreamNamePrefixes=["nothing"]),
    }
    for say in ("ERROR one", "123", "say 1234", "ERROR two"):
        invoke(lambda_client, name, {"say": say}, LogType="Tail")
    wait_for(lambda: tails["ERROR"].messages() == ["ERROR one", "ERROR two"])
    wait_for(lambda: tails["%[0-9]{3}%"].messages() == ["123"])
    assert tails["other"].messages() == []
    # The same pattern finds the same in what was stored.
    past = tailing.filter_log_events(logGroupName=group, filterPattern="ERROR")["events"]
    assert [event["message"].rstrip("\n") for event in past] == ["ERROR one", "ERROR two"]
    for tail in tails.values():
        tail.close()


def test_what_is_refused(tailing, lambda_client, make_function):
    name = make_function(SAYING)
    invoke(lambda_client, name, {"say": "x"}, LogType="Tail")
    arn = f"{ARN}/aws/lambda/{name}"
    wait_for(lambda: tailing.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"])
    for request, code in (
        ({"logGroupIdentifiers": [f"{ARN}/none"]}, "ResourceNotFoundException"),
        ({"logGroupIdentifiers": [f"/aws/lambda/{name}"]}, "InvalidParameterException"),
        ({"logGroupIdentifiers": [f"{arn}:*"]}, "InvalidParameterException"),
        ({"logGroupIdentifiers": [arn], "logEventFilterPattern": "{ $.a"}, "InvalidParameterException"),
    ):
        with pytest.raises(ClientError) as excinfo:
            tailing.start_live_tail(**request)
        assert error_of(excinfo)[:2] == (400, code)


def test_sessions_are_limited_and_end_with_their_clients(server, lambda_client, make_function):
    """One more than an account may have is refused by name; once somebody has left there is room."""
    name = make_function(SAYING)
    invoke(lambda_client, name, {"say": "x"}, LogType="Tail")
    client = server.client("logs", inject_host_prefix=False)
    wait_for(lambda: client.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"])
    request = {"logGroupIdentifiers": [f"{ARN}/aws/lambda/{name}"]}

    def start():
        try:
            return client.start_live_tail(**request)["responseStream"]
        except ClientError as error:
            assert error.response["Error"]["Code"] == "LimitExceededException"
            return None

    open_ones = []
    while (opened := start()) is not None:
        open_ones.append(opened)
        assert len(open_ones) <= 15
    assert len(open_ones) >= 10
    open_ones[0].close()
    open_ones[0] = wait_for(start)
    for opened in open_ones:
        opened.close()


def test_a_prefix_before_the_host_is_accepted(server, lambda_client, make_function):
    """As SDKs send it when the endpoint is a name below localhost."""
    name = make_function(SAYING)
    invoke(lambda_client, name, {"say": "x"}, LogType="Tail")
    plain = server.client("logs")
    wait_for(lambda: plain.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"])
    import http.client

    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    for prefix in ("stream-", "streaming-"):
        host = f"{prefix}x.localhost:{server.port}"
        body = json.dumps({"logGroupIdentifiers": [f"{ARN}/aws/lambda/{name}"]}).encode()
        headers = {
            "X-Amz-Target": "Logs_20140328.StartLiveTail",
            "Content-Type": "application/x-amz-json-1.1",
            "Host": host,
        }
        request = AWSRequest("POST", f"http://{host}/", headers=headers, data=body)
        SigV4Auth(Credentials("000000000000", "test"), "logs", "us-east-1").add_auth(request)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("POST", "/", body, dict(request.headers.items()))
        response = connection.getresponse()
        assert (response.status, response.getheader("content-type")) == (200, "application/vnd.amazon.eventstream")
        assert b"initial-response" in response.read(100)
        connection.close()


def test_a_server_that_stops_ends_its_sessions(lone_server, runtime, unique_name):
    """It does not wait for them: three hours are long."""
    from wire.support import FunctionMaker

    client = lone_server.client("logs", inject_host_prefix=False)
    lambda_ = lone_server.client("lambda")
    name = FunctionMaker(lambda_, runtime, unique_name)(SAYING)
    invoke(lambda_, name, {"say": "x"}, LogType="Tail")
    wait_for(lambda: client.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"])
    arn = f"arn:aws:logs:us-east-1:{lone_server.account}:log-group:/aws/lambda/{name}"
    tail = Tail(client, logGroupIdentifiers=[arn])
    began = time.monotonic()
    assert lone_server.stop() == 0
    # Whatever the machine: they are not waited for as long as a function is that runs, which is thirty seconds.
    assert time.monotonic() - began < 25
    tail.thread.join(10)
    assert not tail.thread.is_alive()
    lone_server.restart()


@pytest.fixture
def follow(server):
    """Start a program that follows a log; return what it has printed so far, by a call."""
    started = []

    def start(*command):
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(server.data_dir),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_PAGER": "",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "PYTHONUNBUFFERED": "1",
        }
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")), daemon=True)
        reader.start()
        started.append((process, reader))
        return lambda: list(lines)

    yield start
    for process, reader in started:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        reader.join(10)
        process.stdout.close()
        process.stderr.close()


def test_the_aws_cli_follows_a_log(aws_cli_2, server, follow, lambda_client, make_function):
    """`aws logs tail --follow` shows each line once, and what comes later too."""
    name = make_function(SAYING)
    invoke(lambda_client, name, {"say": "one"}, LogType="Tail")
    group = f"/aws/lambda/{name}"
    printed = follow(
        aws_cli_2, "--endpoint-url", server.endpoint, "logs", "tail", group, "--follow", "--format", "short"
    )
    wait_for(lambda: any(" one" in line for line in printed()))
    invoke(lambda_client, name, {"say": "two"}, LogType="Tail")
    wait_for(lambda: any(" two" in line for line in printed()) and sum("REPORT" in line for line in printed()) == 2)
    said = [re.sub(r"^\S+ ", "", line).strip() for line in printed()]
    assert (said.count("one"), said.count("two")) == (1, 1)


def test_the_aws_cli_tails_live(aws_cli_1, server, follow, lambda_client, make_function):
    """`aws logs start-live-tail`, told not to put a prefix before the host."""
    name = make_function(SAYING)
    invoke(lambda_client, name, {"say": "one"}, LogType="Tail")
    arn = f"{ARN}/aws/lambda/{name}"
    command = (aws_cli_1, "--endpoint-url", server.endpoint, "logs", "start-live-tail", "--log-group-identifiers", arn)
    printed = follow(*command)

    def says():
        invoke(lambda_client, name, {"say": "again"}, LogType="Tail")
        return any("again" in line for line in printed())

    wait_for(says)
