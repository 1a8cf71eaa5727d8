"""Where records of asynchronous invocations, and dead letters, may go: ARNs of functions, of queues and of buckets."""

import re
from datetime import UTC, datetime

import msgspec

from lambent.domain.caller import Scope

_ARN = re.compile(r"arn:aws[a-zA-Z-]*:(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>\d{12})?:(?P<rest>.+)")

_COMING = {"sns": "SNS topics", "events": "EventBridge"}
"""By the service in the ARN: what AWS delivers to and this version does not yet."""


class Target(msgspec.Struct, frozen=True):
    """A destination's ARN, taken apart."""

    arn: str
    service: str
    scope: Scope
    """Of the resource; the account is empty in an ARN without one."""
    resource: str
    """What the service calls it: `function:f:live`, a queue's name, a bucket's."""

    @property
    def is_bucket(self) -> bool:
        return self.service == "s3"

    def seen_from(self, scope: Scope) -> "Target":
        """Return it as something of a scope means it: a bucket's ARN names neither account nor region."""
        return msgspec.structs.replace(self, scope=scope) if self.is_bucket and self.scope == _NOWHERE else self


_NOWHERE = Scope("", "")


def parse_target(arn: str) -> Target | None:
    """Take a destination's ARN apart; None for what is no ARN."""
    match = _ARN.fullmatch(arn)
    if match is None:
        return None
    return Target(arn, match["service"], Scope(match["account"] or "", match["region"]), match["rest"])


def object_key(origin: str, at: float, identifier: str) -> str:
    """
    Return the key of an object that holds a record.

    Args:
        origin: `async/<function name>`, or `<UUID of an event source mapping>/<shard>`.
        at: seconds since the epoch; the record's own time.
        identifier: unique, and the record's own too: one that is written again makes no second object.

    Documented: Lambda developer guide, capturing records of asynchronous invocations, and of streams, in S3: ends in
    a random UUID. Assumed: the layout of its date, of asynchronous invocations (test_destination).
    """
    return f"aws/lambda/{origin}/{datetime.fromtimestamp(at, UTC):%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{identifier}"


def why_not_offered(arn: str, offered: tuple[str, ...]) -> str | None:
    """
    Say why records cannot go to an ARN although AWS would send them there; None where that is not the reason.

    Args:
        offered: the services that this server delivers to.
    """
    service = "kafka" if arn.startswith("kafka://") else getattr(parse_target(arn), "service", None)
    what = "Kafka" if service == "kafka" else _COMING.get(service or "")
    if what is None or service in offered:
        return None
    return (
        f"{arn} is not offered by this version of Lambent: {what} come with a later version; use a function or an SQS "
        "queue"
    )
