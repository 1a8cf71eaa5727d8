"""Places in shards."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.stream_position import ShardPosition, is_dealt_with, lane_of, order_of


@given(key=st.text(max_size=256), lanes=st.integers(1, 10))
def test_a_key_has_one_lane(key: str, lanes: int) -> None:
    assert 0 <= lane_of(key, lanes) < lanes
    assert lane_of(key, lanes) == lane_of(key, lanes)


def test_lanes_stay_what_they_are() -> None:
    """Positions that are stored speak of them."""
    assert [lane_of(f"user-{number}", 10) for number in range(8)] == LANES
    assert {lane_of(f"user-{number}", 10) for number in range(200)} == set(range(10))


LANES = [1, 6, 1, 8, 3, 4, 5, 8]


def test_numbers_are_compared_as_numbers() -> None:
    assert order_of("9") < order_of("10")
    for text in ("", "-1", "x", "1.5", "²", "1" * 201):
        with pytest.raises(ValueError, match="is no sequence number"):
            order_of(text)


def test_what_is_dealt_with() -> None:
    """Up to the position, and beyond it up to where each lane stands."""
    position = ShardPosition("s", sequence="10", lanes=("", "15"))
    keys = {lane_of(key, 2): key for key in "abcdefgh"}
    assert is_dealt_with(position, "9", keys[0]) and is_dealt_with(position, "10", keys[1])
    assert not is_dealt_with(position, "11", keys[0])
    assert is_dealt_with(position, "15", keys[1]) and not is_dealt_with(position, "16", keys[1])
    assert not is_dealt_with(ShardPosition("s"), "1", "k")


def test_a_position_is_short_where_it_says_little() -> None:
    assert msgspec.json.encode(ShardPosition("s")) == b'{"shard_id":"s"}'
