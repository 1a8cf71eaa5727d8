"""
What a function says of the single records of its batch, with ReportBatchItemFailures. Pure.

Observed: localstack/localstack tests/aws/services/lambda_/event_source_mapping (recorded), unless a line says
otherwise; documented: Lambda developer guide, reporting batch item failures.
"""

from collections.abc import Set

import msgspec


def failed_items(payload: bytes, items: Set[str]) -> Set[str]:
    """
    Return the records that failed; all of them where the response is malformed.

    Args:
        payload: the function's response.
        items: the identifiers of its batch.
    """
    try:
        response = msgspec.json.decode(payload) if payload.strip() else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return items
    if response is None or response in ("", {}):
        return frozenset()
    if not isinstance(response, dict):
        return items
    # Assumed: an object without the list says as little as an empty one (test_batch_response).
    failures = response.get("batchItemFailures")
    if failures is None:
        return frozenset()
    if not isinstance(failures, list):
        return items
    failed = set()
    for failure in failures:
        item = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        if not isinstance(item, str) or item not in items:
            return items
        failed.add(item)
    return failed
