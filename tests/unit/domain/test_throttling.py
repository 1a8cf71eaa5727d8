"""Token buckets."""

from lambent.domain.throttling import TokenBucket


def test_a_burst_and_then_the_rate() -> None:
    """So many at once, then one whenever a token has come; a pause never saves more than a burst."""
    bucket = TokenBucket(2.0, 3.0, 10.0)
    assert [bucket.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(at) for at in (10.4, 10.5, 10.6, 11.0)] == [False, True, False, True]
    assert [bucket.take(99.0) for _ in range(4)] == [True, True, True, False]


def test_nothing_passes_where_nothing_may() -> None:
    for bucket in (TokenBucket(0.0, 0.0, 0.0), TokenBucket(5.0, 0.0, 0.0)):
        assert not any(bucket.take(float(at)) for at in range(5))


def test_a_refusal_costs_nothing() -> None:
    """Whoever asks too often is not kept waiting longer for it."""
    bucket = TokenBucket(1.0, 1.0, 0.0)
    assert bucket.take(0.0)
    assert [bucket.take(at / 10) for at in range(1, 10)] == [False] * 9
    assert bucket.take(1.0)
