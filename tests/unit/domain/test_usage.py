"""Sums of usage, however they are made."""

from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.caller import Scope
from lambent.domain.usage import FREE_STREAMED_BYTES, UsageClass, UsageKey, UsageRecord, UsageTotal

KEY = UsageKey(Scope("123456789012", "eu-west-1"), "hello", "1", "live", UsageClass())

records = st.builds(
    UsageRecord,
    st.just(KEY),
    st.just("id"),
    st.integers(0, 10**13),
    st.integers(0, 10**9),
    st.sampled_from([0, 0, 250_000]),
    st.integers(1, 900_000),
    st.integers(0, 10**9),
    st.integers(1, 10_240),
    st.sampled_from([0, 1, FREE_STREAMED_BYTES, FREE_STREAMED_BYTES + 1, 10**9]),
    st.sampled_from(["", "", "error", "timeout"]),
    st.booleans(),
)


@given(st.lists(records, max_size=20))
def test_many_are_summed_as_one_after_the_other(used: list[UsageRecord]) -> None:
    """The quick way and the plain one agree on every field."""
    total = UsageTotal()
    for record in used:
        total.add(record)
    assert UsageTotal.of(used) == total
