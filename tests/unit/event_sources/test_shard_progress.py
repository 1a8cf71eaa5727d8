"""How far a poller has come in a shard."""

from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.stream_position import ShardPosition, Window
from lambent.event_sources.shard_progress import ShardProgress
from lambent.event_sources.stream_reader import StreamRecord


def record(number: int, key: str = "k") -> StreamRecord:
    return StreamRecord(str(number), key, 0.0, {"n": number})


def test_the_position_moves_past_what_is_dealt_with() -> None:
    """And past what filters dropped; no further than the first record that is not."""
    progress = ShardProgress(ShardPosition("s", "LATEST", 5.0), 1)
    first, second = (progress.enter(record(number), b"xx", 0.0) for number in (1, 3))
    assert progress.enter(record(2), b"xx", 0.0) is None, "read twice"
    assert progress.enter(record(4), b"", 0.0) is None, "dropped"
    assert first is not None and second is not None
    assert (progress.position().sequence, progress.waiting, progress.held_bytes) == ("", 2, 4)
    progress.done([first])
    assert progress.position() == ShardPosition("s", "LATEST", 5.0, "1")
    progress.done([second])
    window = Window(1.0, 2.0)
    assert progress.position(is_done=True, window=window) == ShardPosition(
        "s", "LATEST", 5.0, "4", is_done=True, window=window
    )
    assert (progress.waiting, progress.behind, progress.held_bytes) == (0, 0, 0)


def test_what_was_read_ahead_is_forgotten() -> None:
    """As if it had not been read, with what filters dropped of it."""
    progress = ShardProgress(ShardPosition("s"), 1)
    items = [progress.enter(record(number), b"" if number == 3 else b"x", 0.0) for number in range(1, 6)]
    kept = [item for item in items if item is not None]
    progress.forget(kept[1:])
    assert (progress.last_read, progress.waiting, progress.held_bytes) == ("1", 1, 1)
    assert progress.enter(record(2), b"x", 0.0) is not None
    progress.forget(kept[:1])
    assert progress.last_read == "2", "it is behind one that stays"


@given(
    keys=st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40),
    lanes=st.integers(1, 10),
    other_lanes=st.integers(1, 10),
    data=st.data(),
)
def test_killed_anywhere_nothing_is_lost_or_repeated(
    keys: list[str], lanes: int, other_lanes: int, data: st.DataObject
) -> None:
    """From any position that was written down just what was not dealt with is read, for any number of lanes then."""
    records = [record(number, key) for number, key in enumerate(keys, 1)]
    progress = ShardProgress(ShardPosition("s"), lanes)
    items = [item for one in records if (item := progress.enter(one, b"x", 0.0)) is not None]
    done: set[str] = set()
    for _ in range(data.draw(st.integers(0, len(items)))):
        heads = {item.lane: item for item in reversed(items) if not item.is_done}
        item = heads[data.draw(st.sampled_from(sorted(heads)))]
        progress.done([item])
        done.add(item.record.sequence)
    again = ShardProgress(progress.position(), other_lanes)
    entered = [item for one in records if (item := again.enter(one, b"x", 0.0)) is not None]
    assert [item.record.sequence for item in entered] == [one.sequence for one in records if one.sequence not in done]


def test_content_is_not_kept() -> None:
    """Filters may drop thousands of long records behind one that is not dealt with: nobody counts those bytes."""
    progress = ShardProgress(ShardPosition("s"), 1)
    item = progress.enter(record(1), b"xx", 0.0)
    progress.enter(record(2), b"", 0.0)
    assert item is not None and item.record.content == {}
    assert [one.record.content for one in progress._open] == [{}, {}]
