"""
What follows an attempt at a batch of a stream: what is dealt with, what is tried again and how, when it is given up.
Pure.

Documented: Lambda developer guide, Kinesis and DynamoDB: retries block the shard, splitting a batch does not count as
one, a reported record is where the batch is split.
"""

from collections.abc import Sequence

import msgspec

_AGAIN_MIN_S, _AGAIN_MAX_S = 0.1, 30.0
"""Between attempts at a batch, doubled from one to the next. Assumed: AWS says that it backs off, not how."""

_REFUSED_MIN_S, _REFUSED_MAX_S = 0.1, 5.0
"""The same where the function could not run. Assumed. A change of the function ends the wait."""

_DOUBLINGS_MAX = 16


class Piece(msgspec.Struct, frozen=True):
    """A part of a batch that is tried as one: its records from `first` on, as many as `count`."""

    first: int
    count: int
    attempts: int = 0
    """How often it failed, splits not counted."""


class Step(msgspec.Struct, frozen=True):
    """What follows an attempt at a piece."""

    done: int
    """So many records from its front are dealt with."""
    pieces: Sequence[Piece] = ()
    """What is tried next, in order."""
    given_up: Piece | None = None
    """What is not tried again."""
    pause_s: float = 0.0


def step_after(piece: Piece, failed_at: int | None, *, bisects: bool, retries_max: int) -> Step:
    """
    Say what follows an attempt.

    Args:
        failed_at: the first of its records that failed; 0 where all did; None where none did.
        retries_max: -1: there is no limit.
    """
    if failed_at is None:
        return Step(done=piece.count)
    rest = Piece(piece.first + failed_at, piece.count - failed_at, piece.attempts)
    if bisects and failed_at:
        return Step(done=failed_at, pieces=[rest])
    if bisects and piece.count > 1:
        # Also where the first record is the one that was reported: nothing stands before it to be split off.
        half = (piece.count + 1) // 2
        return Step(
            done=0,
            pieces=[
                Piece(piece.first, half, piece.attempts),
                Piece(piece.first + half, piece.count - half, piece.attempts),
            ],
        )
    again = msgspec.structs.replace(rest, attempts=rest.attempts + 1)
    if retries_max != -1 and again.attempts > retries_max:
        return Step(done=failed_at, given_up=again)
    return Step(done=failed_at, pieces=[again], pause_s=_doubled(_AGAIN_MIN_S, again.attempts, _AGAIN_MAX_S))


def pause_after_refusals(refusals: int) -> float:
    """Return how long to wait after a function could not be run so many times in a row."""
    return _doubled(_REFUSED_MIN_S, refusals, _REFUSED_MAX_S)


def too_old(arrivals: Sequence[float], now: float, age_max_s: int) -> int:
    """
    Return how many records from the front are older than a mapping has them; the others are tried.

    Args:
        arrivals: seconds since the epoch, in the order of the stream.
        age_max_s: -1: there is no limit.
    """
    if age_max_s == -1:
        return 0
    return next((number for number, at in enumerate(arrivals) if now - at <= age_max_s), len(arrivals))


def _doubled(first_s: float, times: int, most_s: float) -> float:
    return min(first_s * 2.0 ** min(times - 1, _DOUBLINGS_MAX), most_s)
