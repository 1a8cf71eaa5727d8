"""The functions that are invoked, named `app.py` in the deployment package. handler.js has some of them for Node.js."""

import base64
import time
from pathlib import Path
from typing import Any


def hello(event: Any, context: Any) -> Any:
    """Answer a constant: what remains is the cost of the road."""
    return {"statusCode": 200, "body": "hello"}


def print_line(event: Any, context: Any) -> Any:
    """Write a line of log and answer like `hello`."""
    print("hello from the function")
    return {"statusCode": 200, "body": "hello"}


def echo(event: Any, context: Any) -> Any:
    """Answer what came in."""
    return event


def probe(event: Any, context: Any) -> Any:
    """Tell which interpreter and which runtime client run this, so that yardsticks use the very same."""
    # Imported here, since only a runtime has it: the other functions also run where another client stands in.
    import awslambdaric

    return {
        "interpreter": str(Path("/proc/self/exe").readlink()),
        "client": str(Path(awslambdaric.__file__).parent.parent),
    }


def sleep(event: Any, context: Any) -> None:
    """Keep its environment busy."""
    time.sleep(45)


def stamp(event: Any, context: Any) -> None:
    """Write when it began."""
    print("STAMP", event["number"], time.time())


def number_records(event: Any, context: Any) -> None:
    """Write which numbered records of which shard came in a batch, in their order."""
    shard = event["Records"][0]["eventID"].partition(":")[0]
    numbers = [base64.b64decode(record["kinesis"]["data"]).decode().strip() for record in event["Records"]]
    print("BATCH", time.time_ns(), shard, *numbers)


def stamp_records(event: Any, context: Any) -> None:
    """Write when it began, for each message of a queue."""
    now = time.time()
    for record in event["Records"]:
        print("STAMP", record["body"], now)
