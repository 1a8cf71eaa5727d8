"""Bytes of a pipe become messages."""

import itertools
import json
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambent.telemetry.output import FRAME_BYTES_MAX, MESSAGE_BYTES_MAX, OutputParser


def frame(message: bytes, kind: int = 0x0F, length: int | None = None) -> bytes:
    return struct.pack(">IIQ", 0xA55A0000 | kind, len(message) if length is None else length, 1_732_500_000) + message


def parse(*chunks: bytes) -> list[str]:
    parser = OutputParser()
    messages = [message for chunk in chunks for message in parser.feed(chunk)]
    return messages + parser.flush()


@pytest.mark.parametrize(
    ("data", "messages"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one\n", "two\n"]),
        (b"\n\n", ["\n", "\n"]),
        (b"no newline", ["no newline"]),
        (b"kept\rtogether\x0b\xe2\x80\xa8here\n", ["kept\rtogether\x0b\u2028here\n"]),
        (b"bad \xff byte, cut \xc3\nnext\n", ["bad � byte, cut �\n", "next\n"]),
        (frame(b"many\nlines\nin one"), ["many\nlines\nin one"]),
        (frame(b""), []),
        (b"a\n" + frame(b"b") + b"c\n", ["a\n", "b", "c\n"]),
        (frame(b"b") + frame(b"c", kind=0x02) + frame(b"d", kind=0x03), ["b", "c", "d"]),
        (b"begun " + frame(b"between") + b"ended\n", ["between", "begun ended\n"]),
        (frame(b"holds " + frame(b"x")), [(b"holds " + frame(b"x")).decode("utf-8", "replace")]),
        (frame(b"cut short", length=100), ["cut short"]),
        (b"Yen \xa5", ["Yen �"]),
        (b"Yen \xa5Z", ["Yen �Z"]),
        (b"\xa5Z\x00", ["�Z\x00"]),
        (b"\xa5Z\x00\x07 is no type\n", ["�Z\x00\x07 is no type\n"]),
        (
            frame(b"text\n", length=FRAME_BYTES_MAX + 1),
            [(frame(b"text\n", length=FRAME_BYTES_MAX + 1)).decode("utf-8", "replace")],
        ),
    ],
)
def test_lines_and_frames_are_told_apart(data: bytes, messages: list[str]) -> None:
    """A line is a message with its newline, a frame is one whole, and what only looks like a frame is text."""
    assert parse(data) == messages


def test_a_long_line_of_json_stays_one_message() -> None:
    """PL-04: a line of many kilobytes with multi-byte characters is one message, however the pipe cut it."""
    line = json.dumps({"pad": "é" * 3000, "end": 1}, ensure_ascii=False) + "\n"
    data = line.encode()
    assert parse(*(data[start : start + 1021] for start in range(0, len(data), 1021))) == [line]


def test_the_longest_line_is_whole_and_a_longer_one_is_cut_between_characters() -> None:
    """A line up to an event's limit is one message; beyond it, pieces that each decode."""
    longest = "x" * (MESSAGE_BYTES_MAX - 1) + "\n"
    assert parse(longest.encode()) == [longest]
    text = "€" * (MESSAGE_BYTES_MAX // 3 + 10)
    assert MESSAGE_BYTES_MAX % 3, "the cut must fall inside a character for this to mean anything"
    pieces = parse(text.encode() + b"\nnext\n")
    assert [len(piece.encode()) <= MESSAGE_BYTES_MAX for piece in pieces] == [True] * 3
    assert pieces == ["€" * (MESSAGE_BYTES_MAX // 3), "€" * (10) + "\n", "next\n"]


def test_a_cut_leaves_no_empty_message() -> None:
    """When only the newline remains behind a cut, it is no message of its own."""
    assert parse(b"x" * MESSAGE_BYTES_MAX + b"\n" + b"\n") == ["x" * MESSAGE_BYTES_MAX, "\n"]


def test_a_frame_beyond_the_limit_becomes_several_messages() -> None:
    """A record of megabytes loses nothing."""
    record = b"0123456789" * 300_000
    messages = parse(frame(record) + b"after\n")
    assert "".join(messages[:-1]).encode() == record
    assert [len(message) for message in messages[:2]] == [MESSAGE_BYTES_MAX] * 2
    assert messages[-1] == "after\n"


def test_replacing_bad_bytes_does_not_make_a_message_too_long() -> None:
    """Each bad byte becomes three; the messages keep to the limit all the same."""
    messages = parse(b"\xff" * MESSAGE_BYTES_MAX + b"\n")
    assert "".join(messages) == "�" * MESSAGE_BYTES_MAX
    assert max(len(message.encode()) for message in messages) <= MESSAGE_BYTES_MAX


def test_memory_is_bounded_whatever_comes() -> None:
    """A line or a frame without end is handed on in pieces, not collected."""
    for beginning in (b"", frame(b"", length=FRAME_BYTES_MAX)):
        parser = OutputParser()
        parser.feed(beginning)
        sizes = [sum(map(len, parser.feed(b"x" * 65536))) for _ in range(64)]
        assert 64 * 65536 - sum(sizes) <= MESSAGE_BYTES_MAX


def test_flush_ends_a_line_but_not_a_frame() -> None:
    """Between invocations an unfinished line is a message; what follows of a frame does not become text."""
    parser = OutputParser()
    assert parser.feed(b"prompt> ") == []
    assert parser.flush() == ["prompt> "]
    assert parser.feed(b"rest\n") == ["rest\n"]
    whole = frame(b"first second")
    parser.feed(whole[:7])
    assert parser.flush() == []
    assert parser.feed(whole[7:22]) == []
    assert parser.flush() == ["first "]
    assert parser.feed(whole[22:] + b"line\n") == ["second", "line\n"]


pieces = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([b"\xa5", b"\xa5Z", b"\xa5Z\x00", b"\n", b"\r\n", "é€😀".encode(), frame(b"x", length=1 << 31)]),
    st.text(max_size=20).map(str.encode),
    st.builds(frame, st.binary(max_size=30), st.sampled_from([0x02, 0x03, 0x0E, 0x0F, 0x1B])),
    st.builds(frame, st.binary(max_size=30), length=st.integers(0, 40)),
)


@given(st.lists(pieces, max_size=12).map(b"".join), st.lists(st.integers(0, 400), max_size=12))
@example(frame(b"") * 2 + b"\xa5", [1, 16, 17])
def test_messages_do_not_depend_on_how_the_pipe_was_read(data: bytes, cuts: list[int]) -> None:
    """Any chunking gives the same messages."""
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    chunks = [data[start:end] for start, end in itertools.pairwise(edges)]
    assert parse(*chunks) == parse(data)
    assert parse(*(bytes([byte]) for byte in data)) == parse(data)


@given(st.lists(st.text(max_size=30).map(lambda text: text.replace("\n", "") + "\n")), st.lists(st.text(min_size=1)))
def test_nothing_is_lost_or_changed(lines: list[str], records: list[str]) -> None:
    """Lines and frames come out as they went in, in order."""
    written = [(line, line.encode()) for line in lines] + [(record, frame(record.encode())) for record in records]
    assert parse(b"".join(data for _, data in written)) == [message for message, _ in written]
