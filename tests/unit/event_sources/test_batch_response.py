"""What a function says of the records of its batch."""

import json

import pytest

from lambent.event_sources.batch_response import failed_items

ITEMS = frozenset({"good", "bad"})


@pytest.mark.parametrize(
    "payload",
    [b'{"batchItemFailures": []}', b'{"batchItemFailures": null}', b"{}", b"null", b'""', b"", b'{"other": 1}'],
)
def test_nothing_failed(payload: bytes) -> None:
    """SQ-01-partial-batch: an empty answer in whichever form means success."""
    assert failed_items(payload, ITEMS) == set()


@pytest.mark.parametrize(
    "payload",
    [
        b'{"batchItemFailures": [{"itemIdentifier": ""}]}',
        b'{"batchItemFailures": [{"itemIdentifier": null}]}',
        b'{"batchItemFailures": [{"foo": "x"}]}',
        b'{"batchItemFailures": [{"itemIdentifier": "unknown"}]}',
        b'{"batchItemFailures": [{"itemIdentifier": "bad"}, {"itemIdentifier": "unknown"}]}',
        b'{"batchItemFailures": [{"itemIdentifier": 5}]}',
        b'{"batchItemFailures": [{"itemIdentifier": {"partition": "t-0", "offset": 1}}]}',
        b'{"batchItemFailures": ["bad"]}',
        b'{"batchItemFailures": "bad"}',
        b'{"batchItemFailures": {"itemIdentifier": "bad"}}',
        b'"not json"',
        b"not json",
        b"[]",
        b"5",
        b"true",
        b"[" * 100_000,
        b"\xff",
        b'{"batchItemFailures": [{"itemIdentifier": "\xff"}]}',
    ],
)
def test_all_failed(payload: bytes) -> None:
    """SQ-01-partial-batch: what cannot be understood fails the whole batch, so that no message is lost."""
    assert failed_items(payload, ITEMS) == ITEMS


def test_some_failed() -> None:
    """SQ-01-partial-batch: known identifiers are those that failed, however often they are named."""
    failures = [{"itemIdentifier": "bad"}, {"itemIdentifier": "bad", "more": 1}]
    assert failed_items(json.dumps({"batchItemFailures": failures}).encode(), ITEMS) == {"bad"}
