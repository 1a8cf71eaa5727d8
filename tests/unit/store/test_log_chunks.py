"""Chunks of log events: what goes in comes out in order, and texts are found where they are."""

import random

import pytest

from lambent.store.log_chunks import CHUNK_BYTES_MAX, CHUNK_EVENTS_MAX, Chunk, Events, Packed, pack, split

Row = tuple[int, int, int, int, str]


def events_of(rows: list[Row]) -> Events:
    return Events(*([row[column] for row in rows] for column in range(5)))


def opened(packed: Packed, base: int = 0) -> Chunk:
    return Chunk(packed.columns, packed.text, base)


def rows_of(packed: Packed, base: int = 0) -> list[Row]:
    chunk = opened(packed, base)
    return [
        (
            chunk.timestamps[place],
            chunk.ingestion_ms(place),
            chunk.sequence(place),
            packed.streams[chunk.streams[place]],
            chunk.message(place),
        )
        for place in range(len(chunk))
    ]


def test_what_is_packed_is_unpacked_in_order() -> None:
    """Any events come back by timestamp, ingestion and arrival, their sequences counted from the base."""
    for seed in range(30):
        chance = random.Random(seed)
        rows = [
            (
                chance.randrange(5) if seed % 2 else place,
                chance.randrange(1 << 41) if seed % 3 else place,
                place * 7,
                chance.randrange(1, 9) << 40,
                "".join(chance.choices("aé\n\x00\U0001f600", k=chance.randrange(8))),
            )
            for place in range(chance.randrange(1, 60))
        ]
        packed = pack(events_of(rows))
        expected = sorted((at, taken, sequence + 1_000, *rest) for at, taken, sequence, *rest in rows)
        assert rows_of(packed, 1_000) == expected
        assert (packed.first_ms, packed.last_ms) == (expected[0][0], expected[-1][0])
        assert packed.event_count == len(rows)
        assert packed.stored_bytes == sum(len(row[4].encode()) + 26 for row in rows)
        assert sum(map(opened(packed).size_bytes, range(len(rows)))) == packed.stored_bytes


def test_texts_are_found_in_single_messages() -> None:
    """A message is found by what it holds itself, not by what it and its neighbour hold together."""
    messages = ["ERR", "OR", "an ERROR", "", "ERROR ERROR", "no", "late ERROR"]
    chunk = opened(pack(events_of([(place, place, place, 1, text) for place, text in enumerate(messages)])))

    def found(*texts: bytes, start: int = 0, stop: int = 7) -> list[int]:
        return list(chunk.candidates(start, stop, texts))

    assert found(b"ERROR") == [2, 4, 6]
    assert found(b"ERROR", stop=6) == [2, 4]
    assert found(b"ERROR", start=3) == [4, 6]
    assert found(b"ERROR", b"late") == [6]
    assert found(b"ERROR", b"nothing") == []
    assert found(b"ERROR", start=5, stop=5) == []
    assert found() == [0, 1, 2, 3, 4, 5, 6]


def test_searching_agrees_with_looking_at_each_message() -> None:
    """For random messages of few letters, a text is found in exactly the messages that hold it."""
    for seed in range(200):
        chance = random.Random(seed)
        messages = ["".join(chance.choices("ab", k=chance.randrange(5))) for _ in range(20)]
        chunk = opened(pack(events_of([(0, 0, place, 1, text) for place, text in enumerate(messages)])))
        text = "".join(chance.choices("ab", k=chance.randrange(1, 4)))
        expected = [place for place, message in enumerate(messages) if text in message]
        assert list(chunk.candidates(0, 20, [text.encode()])) == expected, seed
        other = chance.choice("ab")
        both = {place for place, message in enumerate(messages) if text in message and other in message}
        assert both <= set(chunk.candidates(0, 20, [text.encode(), other.encode()])), seed


def test_times_bound_a_stretch() -> None:
    """The places of some milliseconds, both included."""
    chunk = opened(pack(events_of([(at, at, place, 1, "x") for place, at in enumerate([3, 5, 5, 9])])))
    assert chunk.between(5, 5) == (1, 3)
    assert chunk.between(0, 2) == (0, 0)
    assert chunk.between(4, 100) == (1, 4)


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (["x"] * (CHUNK_EVENTS_MAX + 1), [CHUNK_EVENTS_MAX + 1]),
        (["x"] * (2 * CHUNK_EVENTS_MAX + 1), [CHUNK_EVENTS_MAX, CHUNK_EVENTS_MAX + 1]),
        (["x"] * (2 * CHUNK_EVENTS_MAX - 1), [CHUNK_EVENTS_MAX, CHUNK_EVENTS_MAX - 1]),
        (["x" * 2_000] * (CHUNK_EVENTS_MAX + 1), [2_097, 2_097, 807]),
        (["x" * (CHUNK_BYTES_MAX // 2)] * 3, [2, 1]),
        (["x" * (CHUNK_BYTES_MAX + 1), "y", "x" * (CHUNK_BYTES_MAX + 1)], [1, 1, 1]),
        ([], []),
    ],
)
def test_much_is_split(messages: list[str], expected: list[int]) -> None:
    """
    A chunk holds so many events and bytes at most; only one that is longer has a chunk to itself, and what is left over
    is no chunk of a few.
    """
    parts = list(split(events_of([(place, place, place, 1, text) for place, text in enumerate(messages)])))
    assert [len(part.messages) for part in parts] == expected
    assert [text for part in parts for text in part.messages] == messages
    assert [sequence for part in parts for sequence in part.sequences] == list(range(len(messages)))
