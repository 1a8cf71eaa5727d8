"""What batches of all operations have in common: their entries, and entries that fail."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.errors.api.sqs import (
    BatchEntryIdsNotDistinct,
    EmptyBatchRequest,
    InvalidBatchEntryId,
    TooManyEntriesInBatchRequest,
)
from lambent.errors.families import ApiError
from lambent.protocol.query_dialects import DIALECTS

ENTRIES_MAX = 10

_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


def check_entries(operation: str, entries: Sequence[Mapping[str, Any]]) -> None:
    """
    Refuse a batch as a whole.

    Raises:
        ApiError: so it is. Observed: localstack/localstack tests/aws/services/sqs (recorded) for most texts.
    """
    if not entries:
        raise EmptyBatchRequest(f"There should be at least one {operation}RequestEntry in the request.")
    if len(entries) > ENTRIES_MAX:
        raise TooManyEntriesInBatchRequest(
            f"Maximum number of entries per request are {ENTRIES_MAX}. You have sent {len(entries)}."
        )
    seen = set()
    for entry in entries:
        id_ = entry["Id"]
        if _ID.fullmatch(id_) is None:
            raise InvalidBatchEntryId(
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
                "It can be at most 80 letters long."
            )
        if id_ in seen:
            raise BatchEntryIdsNotDistinct(f"Id {id_} repeated.")
        seen.add(id_)


def failed(id_: str, error: ApiError) -> dict[str, Any]:
    """Return what a batch's answer says of an entry that failed: with the code of the query protocol."""
    code, _ = DIALECTS["sqs"].errors.get(error.code, (error.code, 0))
    return {"Id": id_, "SenderFault": error.status < 500, "Code": code, "Message": error.message}
