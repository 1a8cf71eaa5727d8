"""Names, URLs and ARNs of queues."""

import re

from lambent.domain.caller import Caller, Scope
from lambent.errors.api.sqs import InvalidParameterValueException, QueueDoesNotExist
from lambent.store.contract import QueueKind, QueueName

FIFO_SUFFIX = ".fifo"

ID = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")
"""Of a group, of a deduplication, of an attempt to receive. Documented: SQS API reference, ReceiveMessage."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,75}\.fifo")
_ARN = re.compile(r"arn:aws[a-zA-Z-]*:sqs:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):(?P<name>[A-Za-z0-9_.-]{1,80})")
_ACCOUNT = re.compile(r"\d{12}")


def check_new_name(name: str, *, is_fifo: bool) -> None:
    """
    Refuse a name that no new queue may have.

    Raises:
        InvalidParameterValueException: it is none, or that of a queue of the other type.
    """
    if is_fifo:
        if _FIFO_NAME.fullmatch(name) is None:
            # Observed: field reports for the text.
            raise InvalidParameterValueException(
                "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end "
                "with .fifo suffix and be 1 to 80 in length"
            )
    elif _NAME.fullmatch(name) is None:
        # Observed: localstack/localstack tests/aws/services/sqs (recorded), also for `.fifo` without FifoQueue.
        raise InvalidParameterValueException(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )


def queue_of(scope: Scope, name: str) -> QueueName:
    """Return the queue of a name, which must be one that a queue may have."""
    if _NAME.fullmatch(name) is None and _FIFO_NAME.fullmatch(name) is None:
        raise missing()
    return QueueName(scope, QueueKind.SQS, name)


def owner_of_url(url: str) -> str | None:
    """Return the account in a QueueUrl, None for a bare name."""
    parts = url.rstrip("/").rsplit("/", 2)
    return parts[-2] if len(parts) > 1 and _ACCOUNT.fullmatch(parts[-2]) else None


def queue_at_url(caller: Caller, url: str) -> QueueName:
    """
    Return the queue that a QueueUrl names, of the caller's own scope.

    Only account and name count: clients send URLs made on other hosts and ports. Observed: a bare name will do
    (localstack/localstack, recorded).

    Raises:
        QueueDoesNotExist: it names none.
    """
    return queue_of(
        Scope(owner_of_url(url) or caller.scope.account, caller.scope.region), url.rstrip("/").rsplit("/", 1)[-1]
    )


def queue_url(caller: Caller, queue: QueueName) -> str:
    """Return the URL by which this caller reaches a queue: SDKs take it for the endpoint."""
    return f"{caller.endpoint}/{queue.scope.account}/{queue.name}"


def queue_arn(queue: QueueName) -> str:
    """Return a queue's ARN."""
    return f"arn:aws:sqs:{queue.scope.region}:{queue.scope.account}:{queue.name}"


def queue_of_arn(arn: str) -> QueueName | None:
    """Return the queue that an ARN names; None when it is not a queue's."""
    found = _ARN.fullmatch(arn)
    if found is None:
        return None
    return QueueName(Scope(found["account"], found["region"]), QueueKind.SQS, found["name"])


def is_fifo(queue: QueueName) -> bool:
    """Say whether a queue is of the FIFO type, which its name tells."""
    return queue.name.endswith(FIFO_SUFFIX)


def missing() -> QueueDoesNotExist:
    """Return the error for a queue that is not there."""
    # Observed: localstack/localstack tests/aws/services/sqs (recorded).
    return QueueDoesNotExist("The specified queue does not exist.")
