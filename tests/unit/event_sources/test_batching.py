"""When records are a batch, and what of them the function gets."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.caller import Scope
from lambent.event_sources.batching import Batch, Lease, Record, payload_of
from lambent.store.contract import QueueKind, QueueName, Receipt

QUEUE = QueueName(Scope("000000000000", "us-east-1"), QueueKind.SQS, "q")


def record(number: int, size: int = 10, expires_at: float = 0.0) -> Record:
    encoded = json.dumps("x" * (size - 2)).encode()
    return Record(str(number), Receipt(QUEUE, number, 1), encoded, Lease(0.0, expires_at), None, "", 1)


@given(st.lists(st.integers(2, 200), min_size=1, max_size=50), st.integers(1, 10), st.integers(30, 400))
def test_no_batch_is_larger_than_it_may_be(sizes: list[int], records_max: int, bytes_max: int) -> None:
    """Neither by number nor by bytes, but for one record that alone is too long; order is kept, and none is lost."""
    batches = [Batch(records_max, bytes_max)]
    for number, size in enumerate(sizes):
        if not batches[-1].takes(record(number, size)):
            batches.append(Batch(records_max, bytes_max))
        batches[-1].add(record(number, size))
    for batch in batches:
        payload = payload_of(batch.records)
        assert len(payload) == batch.payload_bytes
        assert len(json.loads(payload)["Records"]) == len(batch.records) <= records_max
        assert len(payload) <= bytes_max or len(batch.records) == 1
    assert [one.id for batch in batches for one in batch.records] == [str(number) for number in range(len(sizes))]


def test_a_batch_expires_with_its_first_record() -> None:
    """Others may read it again then: whoever begins it later would do so twice."""
    batch = Batch(10, 1000)
    for number, expires_at in enumerate((3.0, 4.0, 5.0)):
        batch.add(record(number, expires_at=expires_at))
    assert batch.lease.expires_at == 3.0


@pytest.mark.parametrize(
    ("visibility_s", "window_s", "timeout_s", "hidden_s", "slack_s"),
    [
        (30, 0, 3, 30, 27),
        (30, 20, 5, 30, 25),
        # What would be over with the window, or just after it.
        (30, 20, 6, 56, 50),
        (30, 20, 10, 60, 50),
        (30, 27, 3, 60, 57),
        (60, 30, 30, 90, 60),
        (30, 20, 11, 61, 50),
        (30, 300, 900, 1230, 330),
        # As long as the function may take, or shorter than that by now.
        (30, 0, 30, 30, 1),
        (2, 0, 30, 2, 1),
        (0, 0, 3, 1, 1),
    ],
)
def test_how_long_messages_stay_hidden(
    visibility_s: int, window_s: int, timeout_s: int, hidden_s: float, slack_s: float
) -> None:
    """
    As long as the queue says, unless a window and the function's timeout take longer; the function is to begin so early
    that it ends before.
    """
    assert Lease.of(100.0, visibility_s, window_s, timeout_s) == Lease(100 + slack_s, 100 + hidden_s)
