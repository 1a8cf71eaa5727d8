"""How far a mapping has come in one shard of a stream. Pure."""

import msgspec


class Window(msgspec.Struct, frozen=True):
    """A tumbling window that has begun and not ended."""

    start_s: float
    end_s: float
    state: msgspec.Raw = msgspec.Raw(b"{}")
    """What the function returned last."""


class ShardPosition(msgspec.Struct, frozen=True, omit_defaults=True):
    """A place in a shard, and what beyond it is dealt with already."""

    shard_id: str
    start: str = "TRIM_HORIZON"
    """Where reading begins while `sequence` is empty: a StartingPosition."""
    at: float = 0.0
    """Of AT_TIMESTAMP: from when on, in seconds since the epoch. Of LATEST: when reading began."""
    sequence: str = ""
    """Of the record up to which all are dealt with; empty before one is."""
    lanes: tuple[str, ...] = ()
    """By lane: the sequence up to which its records are dealt with, beyond `sequence`; empty where none is."""
    is_done: bool = False
    """Whether the shard was closed, and all of it is dealt with."""
    window: Window | None = None


def lane_of(key: str, lanes: int) -> int:
    """Return the lane that the records of a key are in. Not to change: lanes of stored positions follow from it."""
    if lanes == 1:
        return 0
    # FNV-1a: the same in every process, unlike `hash`.
    number = 0xCBF29CE484222325
    for byte in key.encode(errors="surrogatepass"):
        number = ((number ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return (number ^ (number >> 32)) % lanes


def order_of(sequence: str) -> int:
    """
    Return what sequence numbers are compared by.

    Raises:
        ValueError: it is none.
    """
    if not (sequence.isascii() and sequence.isdigit() and len(sequence) <= 200):
        raise ValueError(f"{sequence[:40]!r} is no sequence number")
    return int(sequence)


def is_dealt_with(position: ShardPosition, sequence: str, key: str) -> bool:
    """Say whether a record that is read again has been dealt with before."""
    if position.sequence and order_of(sequence) <= order_of(position.sequence):
        return True
    if not position.lanes:
        return False
    last = position.lanes[lane_of(key, len(position.lanes))]
    return bool(last) and order_of(sequence) <= order_of(last)
