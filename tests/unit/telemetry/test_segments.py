"""Records survive in segment files, and what is torn or damaged ends its segment only."""

import asyncio
import errno
import os
import tempfile
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.store.contract import LogPosition
from lambent.telemetry import segments as segments_module
from lambent.telemetry.segments import SYNC_AFTER_S, Segments
from lambent.testing.virtual_clock import VirtualClock

START = LogPosition(0, 0)


def payloads(segments: Segments, position: LogPosition = START) -> list[bytes]:
    return [record.payload for record in segments.read(position, segments.end())]


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def told() -> None:
        await asyncio.wait_for(story(), 120)

    asyncio.run(told())


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_appended_is_read_again(tmp_path: Path) -> None:
    """Records come back in order, from the beginning or from behind any of them, also by a later process."""

    async def story() -> None:
        segments = Segments(tmp_path, VirtualClock())
        for number in range(5):
            assert segments.append(b"record %d" % number)
        records = list(segments.read(START, segments.end()))
        assert [record.payload for record in records] == [b"record %d" % number for number in range(5)]
        assert payloads(segments, records[2].end) == [b"record 3", b"record 4"]
        assert records[-1].end == segments.end()
        await segments.close()
        assert payloads(Segments(tmp_path, VirtualClock()), records[2].end) == [b"record 3", b"record 4"]

    run(story)


def test_one_append_is_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record reaches the kernel in one piece, so that the end of this process cannot tear it."""

    async def story() -> None:
        segments = Segments(tmp_path, VirtualClock())
        written: list[bytes] = []
        write = os.write
        monkeypatch.setattr(os, "write", lambda descriptor, data: written.append(data) or write(descriptor, data))
        segments.append(b"one")
        segments.append(b"two")
        assert written == [
            length + zlib.crc32(payload).to_bytes(4, "little") + payload
            for length, payload in ((b"\x03\0\0\0", b"one"), (b"\x03\0\0\0", b"two"))
        ]
        monkeypatch.undo()
        await segments.close()

    run(story)


def test_a_full_segment_gives_way_to_the_next(tmp_path: Path) -> None:
    """Segments keep to their size; a record that is larger has one of its own."""

    async def story() -> None:
        segments = Segments(tmp_path, VirtualClock(), segment_bytes_max=100)
        sent = [b"a" * 40, b"b" * 40, b"c" * 40, b"d" * 300, b"e"]
        for payload in sent:
            segments.append(payload)
        assert files(tmp_path) == [f"{number:016d}.segment" for number in (1, 2, 3, 4)]
        assert payloads(segments) == sent
        await segments.close()

    run(story)


def test_folded_segments_are_deleted_but_not_the_one_in_use(tmp_path: Path) -> None:
    """A segment goes once everything in it is folded; its number never comes back."""

    async def story() -> None:
        segments = Segments(tmp_path, VirtualClock(), segment_bytes_max=100)
        for _ in range(3):
            segments.append(b"x" * 90)
        segments.drop_folded(LogPosition(2, 10))
        assert files(tmp_path) == ["0000000000000002.segment", "0000000000000003.segment"]
        end = segments.end()
        segments.drop_folded(end)
        assert files(tmp_path) == ["0000000000000003.segment"]
        assert payloads(segments, LogPosition(1, 5)) == [b"x" * 90]
        await segments.close()
        later = Segments(tmp_path, VirtualClock())
        assert later.end() == end
        later.drop_folded(end)
        assert files(tmp_path) == []
        later.begin_after(end.segment)
        later.append(b"new")
        assert payloads(later, end) == [b"new"]
        await later.close()
        with_files_gone = Segments(tmp_path / "other", VirtualClock())
        with_files_gone.begin_after(7)
        with_files_gone.append(b"new")
        assert files(tmp_path / "other") == ["0000000000000008.segment"]
        await with_files_gone.close()

    run(story)


@given(
    st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=5),
    st.integers(0, 200),
    st.binary(max_size=12),
)
def test_a_tail_torn_at_any_byte_ends_its_segment_only(sent: list[bytes], cut: int, garbage: bytes) -> None:
    """After a power cut whole records are read, nothing is made up, and the next segment is read as ever."""

    async def story() -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            first = Segments(folder, VirtualClock())
            for payload in sent:
                first.append(payload)
            ends = [record.end.offset for record in first.read(START, first.end())]
            await first.close()
            path = folder / "0000000000000001.segment"
            data = path.read_bytes()
            kept = min(cut, len(data))
            # Garbage that continues the file as it was would not be garbage.
            tail = garbage if not data[kept:].startswith(garbage[:1]) else b""
            path.write_bytes(data[:kept] + tail)
            second = Segments(folder, VirtualClock())
            second.append(b"after the crash")
            whole = [payload for payload, end in zip(sent, ends, strict=True) if end <= kept]
            assert payloads(second) == [*whole, b"after the crash"]
            await second.close()

    run(story)


def test_zeros_are_no_records(tmp_path: Path) -> None:
    """A file that a power cut left longer than its data ends where the data does."""

    async def story() -> None:
        segments = Segments(tmp_path, VirtualClock())
        segments.append(b"one")
        await segments.close()
        with (tmp_path / "0000000000000001.segment").open("ab") as file:
            file.write(bytes(4096))
        assert payloads(Segments(tmp_path, VirtualClock())) == [b"one"]

    run(story)


def test_a_full_disk_drops_records_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A failed or half-done write is counted and told once; what is written later is read as ever."""

    async def story() -> None:
        segments = Segments(tmp_path, VirtualClock())
        segments.append(b"before")
        write = os.write

        def full(descriptor: int, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        assert not segments.append(b"lost")
        monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:9]))
        assert not segments.append(b"lost as well")
        monkeypatch.undo()
        assert segments.append(b"after")
        assert payloads(segments) == [b"before", b"after"]
        assert segments.dropped_records == 2
        await segments.close()

    run(story)
    assert [record.getMessage().split(" ")[0] for record in caplog.records] == [
        "segments.write_failed",
        "segments.write_recovered",
    ]


def test_a_torn_write_that_cannot_be_undone_ends_the_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the half-written record stays, the next record goes to a new file, and is found there."""

    async def story() -> None:
        segments = Segments(tmp_path, VirtualClock())
        segments.append(b"before")
        write = os.write

        def refuse(descriptor: int, size: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:9]))
        monkeypatch.setattr(os, "ftruncate", refuse)
        assert not segments.append(b"lost as well")
        monkeypatch.undo()
        segments.append(b"after")
        assert payloads(segments) == [b"before", b"after"]
        await segments.close()

    run(story)


def test_records_are_synced_within_a_second_and_a_segment_at_rest_sets_no_timer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first record sets one timer; it syncs everything so far, file and folder, and sets no other."""

    async def story() -> None:
        synced: list[int] = []
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def watched(descriptor: int) -> None:
            synced.append(os.fstat(descriptor).st_ino)
            loop.call_soon_threadsafe(done.set)

        monkeypatch.setattr(segments_module, "_sync_data", watched)
        clock = VirtualClock()
        segments = Segments(tmp_path, clock)
        assert clock.timer_count == 0
        segments.append(b"one")
        segments.append(b"two")
        assert clock.timer_count == 1
        clock.advance(SYNC_AFTER_S)
        await done.wait()
        assert synced == [(tmp_path / "0000000000000001.segment").stat().st_ino]
        while segments.is_syncing:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.001)
        assert clock.timer_count == 0
        segments.append(b"three")
        assert clock.timer_count == 1
        await segments.close()
        assert len(synced) == 2
        assert clock.timer_count == 0

    run(story)


def test_files_are_private(tmp_path: Path) -> None:
    """Logs are their owner's: nobody else reads folder or files."""

    async def story() -> None:
        segments = Segments(tmp_path / "segments", VirtualClock())
        segments.append(b"one")
        assert (tmp_path / "segments").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "segments" / "0000000000000001.segment").stat().st_mode & 0o777 == 0o600
        await segments.close()

    run(story)


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=12),
    read=st.integers(0, 12),
    copied=st.integers(0, 12),
    is_dropped=st.booleans(),
)
def test_a_copy_holds_what_lies_between(sizes: list[int], read: int, copied: int, is_dropped: bool) -> None:
    """
    Whoever had read up to a record reads in the copy what came after it, once; also where all has been folded since,
    as long as the files are held.
    """

    async def story() -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            segments = Segments(folder / "from", VirtualClock(), segment_bytes_max=60)
            written = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
            places = [START]
            for payload in written:
                assert segments.append(payload)
                places.append(segments.end())
            start, stop = min(read, len(sizes)), min(copied, len(sizes))
            with segments.hold():
                if is_dropped:
                    segments.drop_folded(segments.end())
                (folder / "to").mkdir()
                segments.copy(places[start], places[stop], folder / "to")
            assert payloads(Segments(folder / "to", VirtualClock()), places[start]) == written[start:stop]
            segments.drop_folded(segments.end())
            assert len(files(folder / "from")) == 1
            await segments.close()

    run(story)
