"""Celery: a real worker on its SQS transport."""

import os
import signal
import subprocess
from pathlib import Path

from wire.support import wait_for

APP = Path(__file__).parent / "clients" / "celery_app.py"
TASKS = 20


def test_a_worker_does_every_task_once(server, celery_python, unique_name, tmp_path):
    """Tasks, one that retries itself, and one for later; the queue is empty at the end."""
    name, output = unique_name.replace("_", "-"), tmp_path / "done"
    environ = {
        **os.environ,
        "QUEUE": name,
        "ENDPOINT": server.endpoint,
        "OUTPUT": str(output),
        "PYTHONPATH": str(APP.parent),
        # kombu asks boto3 for credentials where the URL's are not enough.
        "AWS_ACCESS_KEY_ID": "111122223333",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    log = (tmp_path / "worker.log").open("w")
    worker = subprocess.Popen(
        [celery_python, "-m", "celery", "-A", "celery_app", "worker", "--pool=solo", "--loglevel=INFO"],
        env=environ,
        stdout=log,
        stderr=log,
        cwd=tmp_path,
    )
    try:
        subprocess.run([celery_python, str(APP), str(TASKS)], env=environ, check=True, timeout=60, cwd=tmp_path)
        expected = sorted([*range(TASKS), -1, -2])

        def done():
            lines = output.read_text().split() if output.exists() else []
            return len(lines) >= len(expected) and sorted(map(int, lines))

        try:
            assert wait_for(done, within_s=120) == expected
        except AssertionError as failure:
            raise AssertionError((tmp_path / "worker.log").read_text()[-4000:]) from failure
        sqs = server.client("sqs", account="111122223333", region="eu-west-1")
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        counted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        empty = dict.fromkeys(counted, "0")
        wait_for(lambda: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counted)["Attributes"] == empty)
    finally:
        worker.send_signal(signal.SIGTERM)
        try:
            worker.wait(30)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
        log.close()
