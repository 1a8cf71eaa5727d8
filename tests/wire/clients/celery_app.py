"""A Celery application on the SQS transport, run by a worker of its own and by the program below."""

import os
import sys
from pathlib import Path

from celery import Celery

NAME = os.environ["QUEUE"]
host = os.environ["ENDPOINT"].removeprefix("http://")
app = Celery("lambent", broker=f"sqs://111122223333:test@{host}//")
app.conf.update(
    task_default_queue=NAME,
    worker_enable_remote_control=False,
    broker_connection_retry_on_startup=True,
    task_acks_late=True,
    task_ignore_result=True,
    broker_transport_options={
        "is_secure": False,
        "region": "eu-west-1",
        "visibility_timeout": 60,
        "wait_time_seconds": 5,
    },
)


@app.task(name="write")
def write(number):
    with Path(os.environ["OUTPUT"]).open("a") as file:
        file.write(f"{number}\n")


@app.task(name="second_time", bind=True, max_retries=2)
def second_time(self, number):
    if self.request.retries == 0:
        raise self.retry(countdown=0)
    write(number)


if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        write.delay(number)
    second_time.delay(-1)
    write.apply_async((-2,), countdown=1)
