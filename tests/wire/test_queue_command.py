"""`lambent queue` and /_lambent/metrics: what queues hold, as an operator sees it."""

import http.client
import json
import os
import subprocess
import urllib.request

import pytest
from wire.support import LAMBENT, wait_for


@pytest.fixture
def queue_command(server):
    """Run one command; return its output, or its complaint where it fails."""

    def run(*arguments):
        environ = {**os.environ, "LAMBENT_ENDPOINT": server.endpoint, "AWS_ACCESS_KEY_ID": "test"}
        environ |= {"AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
        done = subprocess.run(
            [LAMBENT, "queue", *arguments], capture_output=True, text=True, env=environ, timeout=60, check=False
        )
        return done.stdout if done.returncode == 0 else done.stderr

    return run


def test_an_operator_looks_and_acts(server, queue_command, unique_name):
    """Depth, oldest, peek, redrive, purge; the same figures as metrics."""
    sqs = server.client("sqs")
    name, dead_name = unique_name, f"{unique_name}-dead"
    dead = sqs.create_queue(QueueName=dead_name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    url = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": redrive, "VisibilityTimeout": "0"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="poison [b]")
    for _ in range(2):
        sqs.receive_message(QueueUrl=url)

    def depth(of):
        (found,) = [queue for queue in json.loads(queue_command("depth", "--json")) if queue["name"] == of]
        return found["waiting"]

    assert (depth(name), depth(dead_name)) == (0, 1)
    assert dead_name in queue_command("oldest")
    assert "poison [b]" in queue_command("peek", dead_name)
    with urllib.request.urlopen(server.endpoint + "/_lambent/metrics", timeout=30) as answer:
        assert f'kind="sqs",queue="{dead_name}",region="us-east-1",state="waiting"}} 1.0' in answer.read().decode()
    assert "on their way back" in queue_command("redrive", dead_name)
    wait_for(lambda: depth(name) == 1)
    assert "empty" in queue_command("purge", name, "--yes")
    assert depth(name) == 0
    assert f"there is no queue {name}x" in queue_command("peek", name + "x")
    assert "no events wait for a function" in queue_command("peek", name, "--function")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "queues/purge?kind=sqs&account=1&region=r&queue=q", 405),
        ("POST", "queues/purge?kind=sqs&account=1&region=r&queue=q", 405),
        ("GET", "queues/peek?kind=sqs&account=1&region=r", 400),
        ("GET", "queues/peek?kind=x&account=1&region=r&queue=q", 400),
        ("GET", "queues/peek?kind=sqs&account=1&region=r&queue=q&limit=x", 400),
    ],
)
def test_what_the_own_paths_refuse(server, method, path, status):
    """A purge that a page of the web could have sent, and queues that are named in half."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request(method, f"/_lambent/{path}")
    answer = connection.getresponse()
    assert (answer.status, "message" in json.load(answer)) == (status, True)
    connection.close()
