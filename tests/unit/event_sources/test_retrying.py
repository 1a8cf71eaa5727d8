"""What follows an attempt at a batch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.event_sources.retrying import Piece, Step, pause_after_refusals, step_after, too_old

BATCH = Piece(2, 6, 1)


@pytest.mark.parametrize(
    ("failed_at", "bisects", "retries_max", "expected"),
    [
        (None, False, 0, Step(6)),
        # All of it again, one attempt more, after a while.
        (0, False, -1, Step(0, [Piece(2, 6, 2)], pause_s=0.2)),
        (0, False, 2, Step(0, [Piece(2, 6, 2)], pause_s=0.2)),
        (0, False, 1, Step(0, given_up=Piece(2, 6, 2))),
        # What stands before the failure is done.
        (4, False, -1, Step(4, [Piece(6, 2, 2)], pause_s=0.2)),
        (4, False, 1, Step(4, given_up=Piece(6, 2, 2))),
        # Splitting counts as no attempt, whatever was used up.
        (0, True, 1, Step(0, [Piece(2, 3, 1), Piece(5, 3, 1)])),
        (4, True, 1, Step(4, [Piece(6, 2, 1)])),
    ],
)
def test_what_follows(failed_at: int | None, bisects: bool, retries_max: int, expected: Step) -> None:
    assert step_after(BATCH, failed_at, bisects=bisects, retries_max=retries_max) == expected


def test_one_record_cannot_be_split() -> None:
    """It is tried as often as any batch."""
    assert step_after(Piece(7, 1), 0, bisects=True, retries_max=1).pieces == [Piece(7, 1, 1)]
    assert step_after(Piece(7, 1, 1), 0, bisects=True, retries_max=1).given_up == Piece(7, 1, 2)


@given(
    count=st.integers(1, 40),
    poison=st.sets(st.integers(0, 39)),
    bisects=st.booleans(),
    reports=st.booleans(),
    retries_max=st.integers(0, 3),
)
def test_each_record_ends_once_and_in_order(
    count: int, poison: set[int], bisects: bool, reports: bool, retries_max: int
) -> None:
    """Done or given up; with bisecting none but the bad ones is given up."""
    ended: list[int] = []
    lost: list[int] = []
    pieces = [Piece(0, count)]
    for _ in range(100_000):
        if not pieces:
            break
        piece = pieces.pop(0)
        bad = [number for number in range(piece.count) if piece.first + number in poison]
        failed_at = None if not bad else bad[0] if reports else 0
        step = step_after(piece, failed_at, bisects=bisects, retries_max=retries_max)
        ended += range(piece.first, piece.first + step.done)
        if step.given_up is not None:
            gone = range(step.given_up.first, step.given_up.first + step.given_up.count)
            ended += gone
            lost += gone
        pieces[:0] = step.pieces
    assert ended == list(range(count))
    if bisects:
        assert set(lost) == poison & set(range(count))


def test_pauses_grow_up_to_a_limit() -> None:
    pauses = [step_after(Piece(0, 1, n), 0, bisects=False, retries_max=-1).pause_s for n in range(12)]
    assert pauses[:3] == [0.1, 0.2, 0.4] and pauses[-1] == 30.0
    assert [pause_after_refusals(times) for times in (1, 2, 10, 10_000)] == [0.1, 0.2, 5.0, 5.0]


def test_too_old() -> None:
    """From the front, since what is behind an old record may be younger."""
    assert too_old([0.0, 0.0], 10_000.0, -1) == 0
    assert too_old([39.0, 39.5, 40.0, 39.0], 100.0, 60) == 2
    assert too_old([1.0, 2.0], 100.0, 60) == 2
    assert too_old([], 100.0, 60) == 0
