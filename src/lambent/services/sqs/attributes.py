"""
The attributes of queues: what may be set, what they are by default, how they are shown. Pure.

A queue keeps its attributes as they are shown; the few that the event queue acts on are its `QueueRules`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from lambent.domain.resource_policy import ResourcePolicy, parse_policy
from lambent.errors.api.sqs import InvalidAttributeName, InvalidAttributeValue, OverLimit
from lambent.errors.families import ApiError
from lambent.services.sqs.dead_letters import RedrivePolicy, check_allow_policy, parse_redrive_policy
from lambent.store.contract import QueueName, QueueRules

MESSAGE_MAX_BYTES = 1_048_576
"""Observed: localstack/localstack tests/aws/services/sqs (recorded 2025-08) of the larger limit."""

IN_FLIGHT_MAX = 120_000
"""Documented: SQS quotas, messages in flight; the same for FIFO queues since 2025."""

POLICY_MAX_BYTES = 8_192
"""Documented: SQS quotas, policies."""

_NUMBERS: Mapping[str, tuple[int, int, int]] = {
    "VisibilityTimeout": (0, 43_200, 30),
    "MaximumMessageSize": (1_024, MESSAGE_MAX_BYTES, MESSAGE_MAX_BYTES),
    "MessageRetentionPeriod": (60, 1_209_600, 345_600),
    "DelaySeconds": (0, 900, 0),
    "ReceiveMessageWaitTimeSeconds": (0, 20, 0),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400, 300),
}
"""Attribute to its least and largest value, and its default. Documented: SQS API reference, SetQueueAttributes."""

_BOOLEANS = frozenset({"SqsManagedSseEnabled", "FifoQueue", "ContentBasedDeduplication"})

_WORDS: Mapping[str, tuple[str, str]] = {
    "DeduplicationScope": ("queue", "messageGroup"),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
}
"""Attribute to its two values, the default first."""

_ALWAYS = (
    "VisibilityTimeout",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "DelaySeconds",
    "ReceiveMessageWaitTimeSeconds",
)
COUNTED = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
_READ_ONLY = ("QueueArn", "CreatedTimestamp", "LastModifiedTimestamp", *COUNTED)
_TEXTS = ("Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId")
_ONLY_FIFO = ("FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit")

SETTABLE = frozenset({*_NUMBERS, *_BOOLEANS, *_WORDS, *_TEXTS})
KNOWN = SETTABLE | set(_READ_ONLY) | {"All"}


def unknown(name: str) -> InvalidAttributeName:
    """Return the error for an attribute that there is not. Observed: localstack (recorded)."""
    return InvalidAttributeName(f"Unknown Attribute {name}.")


def invalid(name: str, reason: str = "") -> InvalidAttributeValue:
    """Return the error for a value that an attribute may not have. Observed: field reports for the text."""
    more = f" Reason: {reason}" if reason else ""
    return InvalidAttributeValue(f"Invalid value for the parameter {name}.{more}")


def normalise(given: Mapping[str, str], *, is_fifo: bool, is_new: bool) -> dict[str, str]:
    """
    Return attributes as they are kept; empty where one is to be removed.

    Args:
        is_fifo: of a FIFO queue.
        is_new: at the queue's creation.

    Raises:
        InvalidAttributeName: there is no such attribute, or not for this type of queue.
        InvalidAttributeValue: a value does not fit.
    """
    found = {}
    for name, value in given.items():
        if name not in SETTABLE:
            raise unknown(name)
        if not is_fifo and name in _ONLY_FIFO:
            # Observed: localstack/localstack tests/aws/services/sqs (recorded): FifoQueue=false too is an error.
            if name in ("FifoQueue", "ContentBasedDeduplication"):
                raise unknown(name)
            raise InvalidAttributeName(f"You can specify the {name} only when FifoQueue is set to true.")
        found[name] = _value(name, value)
    if is_fifo and found.get("FifoQueue") == "false":
        # Observed: the same recordings.
        reason = "" if is_new else "Modifying queue type is not supported."
        raise invalid("FifoQueue", reason)
    if "KmsMasterKeyId" in found and found["KmsMasterKeyId"] and found.get("SqsManagedSseEnabled") == "true":
        raise InvalidAttributeName(
            "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS "
            "SSE."
        )
    return found


def _value(name: str, value: str) -> str:
    if name in _NUMBERS:
        least, most, _ = _NUMBERS[name]
        if not (value.isascii() and value.isdigit() and len(value) <= 9 and least <= int(value) <= most):
            raise invalid(name)
        return str(int(value))
    if name in _BOOLEANS:
        if value.lower() not in ("true", "false"):
            raise invalid(name)
        return value.lower()
    if name in _WORDS and value not in _WORDS[name]:
        raise invalid(name)
    if name == "Policy" and value:
        read_policy(value)
    return value


def read_policy(text: str) -> ResourcePolicy:
    """
    Return the policy that an attribute holds.

    Raises:
        InvalidAttributeValue: it is none, or holds what cannot be evaluated here.
        OverLimit: it is too long.
    """
    if len(text.encode()) > POLICY_MAX_BYTES:
        raise OverLimit(f"The policy of a queue has at most {POLICY_MAX_BYTES} bytes.")
    try:
        return parse_policy(text)
    except ApiError as error:
        raise invalid("Policy", error.message) from None


def merged(before: Mapping[str, str], change: Mapping[str, str]) -> dict[str, str]:
    """
    Return a queue's attributes after a change.

    Raises:
        InvalidAttributeValue: they do not fit together.
    """
    after = {**before, **change}
    # Observed: localstack/localstack tests/aws/services/sqs (recorded): one kind of encryption ends the other.
    if change.get("KmsMasterKeyId"):
        after["SqsManagedSseEnabled"] = "false"
    elif "KmsMasterKeyId" in change:
        after.setdefault("SqsManagedSseEnabled", "false")
        after.pop("KmsDataKeyReusePeriodSeconds", None)
    elif change.get("SqsManagedSseEnabled") == "true":
        after.pop("KmsMasterKeyId", None)
        after.pop("KmsDataKeyReusePeriodSeconds", None)
    after = {name: value for name, value in after.items() if value}
    if after.get("FifoThroughputLimit") == "perMessageGroupId" and after.get("DeduplicationScope") != "messageGroup":
        # Documented: SQS developer guide, high throughput for FIFO queues. Assumed: the error (test_attributes).
        raise invalid("FifoThroughputLimit", "perMessageGroupId needs the DeduplicationScope messageGroup.")
    return after


def number(attributes: Mapping[str, str], name: str) -> int:
    """Return the value of an attribute that is a number."""
    return int(attributes.get(name, _NUMBERS[name][2]))


def is_on(attributes: Mapping[str, str], name: str) -> bool:
    """Say whether an attribute that is off by default is on."""
    return attributes.get(name) == "true"


def redrive_of(queue: QueueName, attributes: Mapping[str, str]) -> RedrivePolicy | None:
    """Return a queue's redrive policy. Raises what `parse_redrive_policy` raises."""
    text = attributes.get("RedrivePolicy")
    return None if not text else parse_redrive_policy(queue, text)


def rules_of(queue: QueueName, attributes: Mapping[str, str]) -> QueueRules:
    """Return what the event queue is to do for a queue with these attributes."""
    redrive = redrive_of(queue, attributes)
    if attributes.get("RedriveAllowPolicy"):
        check_allow_policy(attributes["RedriveAllowPolicy"])
    return QueueRules(
        is_fifo=is_on(attributes, "FifoQueue"),
        deduplicates_by_group=attributes.get("DeduplicationScope") == "messageGroup",
        retention_s=number(attributes, "MessageRetentionPeriod"),
        in_flight_max=IN_FLIGHT_MAX,
        redrive_to=None if redrive is None else redrive.target,
        redrive_after=0 if redrive is None else redrive.after,
    )


def shown(attributes: Mapping[str, str]) -> dict[str, str]:
    """Return what GetQueueAttributes shows of the attributes that can be set."""
    is_fifo = is_on(attributes, "FifoQueue")
    found = {name: str(number(attributes, name)) for name in _ALWAYS}
    found["SqsManagedSseEnabled"] = attributes.get("SqsManagedSseEnabled", "true")
    found.update({name: attributes[name] for name in _TEXTS if name in attributes})
    if "RedrivePolicy" in found:
        # Observed: localstack/localstack tests/aws/services/sqs (recorded): without blanks, numbers as they were sent.
        found["RedrivePolicy"] = msgspec.json.format(found["RedrivePolicy"], indent=-1)
    reuse = attributes.get("KmsDataKeyReusePeriodSeconds", "300")
    if "KmsMasterKeyId" in attributes and reuse != "300":
        found["KmsDataKeyReusePeriodSeconds"] = reuse
    if is_fifo:
        found["FifoQueue"] = "true"
        found["ContentBasedDeduplication"] = attributes.get("ContentBasedDeduplication", "false")
        found.update({name: attributes.get(name, values[0]) for name, values in _WORDS.items()})
    return found


def conflicting(current: Mapping[str, str], wanted: Mapping[str, str]) -> str | None:
    """Return the first attribute that CreateQueue is given and an existing queue has otherwise; None: none."""
    has = shown(current)
    # An absent key period is the default one; an absent text is an empty one.
    has.setdefault("KmsDataKeyReusePeriodSeconds", current.get("KmsDataKeyReusePeriodSeconds", "300"))
    for name, value in wanted.items():
        same: Callable[[str], Any] = _meaning if name in ("Policy", "RedrivePolicy", "RedriveAllowPolicy") else str
        if same(has.get(name, "")) != same(value):
            return name
    return None


def _meaning(text: str) -> Any:
    """Return JSON by its meaning: Terraform sends policies written anew. Assumed: AWS compares so as well."""
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    if isinstance(found, dict) and str(found.get("maxReceiveCount", "")).isdigit():
        found["maxReceiveCount"] = int(found["maxReceiveCount"])
    return found
