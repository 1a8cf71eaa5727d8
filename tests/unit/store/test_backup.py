"""Backups of a data folder that is in use: one state of it, all that this state names, and nothing left behind."""

import asyncio
import contextlib
import hashlib
import io
import logging
import sqlite3
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from lambent.domain.function import Code, Function, FunctionName
from lambent.domain.layer import AttachedLayer, LayerName, LayerVersion
from lambent.errors.families import DependencyError
from lambent.store import backup as module
from lambent.store.backup import FolderBackups
from lambent.store.backup_format import BackupReader, Header
from lambent.store.contract import (
    BODY_INLINE_MAX_BYTES,
    BackupInProgress,
    BackupStream,
    Done,
    LogPosition,
    NewEvent,
)
from lambent.store.data_folder import FORMAT, DataFolder
from lambent.store.database import Database
from lambent.store.logs import LogRepository
from lambent.telemetry.logs import FunctionLogs
from lambent.telemetry.segments import Segments
from lambent.testing.backups import QUEUE, SCOPE, always, running
from lambent.testing.conformance.store import latest_of
from lambent.testing.virtual_clock import VirtualClock

BODY = b"x" * (BODY_INLINE_MAX_BYTES + 1)


async def read(stream: BackupStream) -> tuple[Header, dict[str, bytes]]:
    """Return what a whole backup holds, checked as a restore checks it."""
    body = b"".join([piece async for piece in stream])
    await stream.aclose()
    assert len(body) == stream.size_bytes
    reader = BackupReader(io.BytesIO(body))
    header = reader.header()
    found = {}
    while (member := reader.next()) is not None:
        found[member.name] = b"".join(reader.chunks(member))
    return header, found


def rows(database: bytes, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(":memory:")
    with contextlib.closing(connection):
        # As deserialised, a database cannot be in WAL mode.
        connection.deserialize(database[:18] + b"\1\1" + database[20:])
        return connection.execute(query).fetchall()


def blob_name(folder: str, body: bytes) -> str:
    sha256 = hashlib.sha256(body).hexdigest()
    return f"{folder}/{sha256[:2]}/{sha256}"


def leftovers(folder: DataFolder) -> list[Path]:
    return list(folder.backup.iterdir())


def test_it_holds_what_the_state_names_and_no_more(tmp_path: Path) -> None:
    """
    Functions' packages, the older code that still serves, layers, also of functions whose layer was deleted, long
    bodies of events; not what nobody names.
    """

    async def run() -> None:
        async with running(tmp_path / "data") as server:
            put = {name: await server.blobs.put(name.encode()) for name in ("new", "old", "layer", "attached", "spare")}
            latest = latest_of("f", SCOPE)
            attached = AttachedLayer("arn", put["attached"].sha256, 8)
            updating = msgspec.structs.replace(
                latest,
                code=Code(put["new"].sha256, 3),
                serving=msgspec.structs.replace(
                    latest.deployment(),
                    code=Code(put["old"].sha256, 3),
                    configuration=msgspec.structs.replace(latest.configuration, layers=(attached,)),
                ),
            )
            async with server.store.transaction(SCOPE) as tx:
                await tx.create(Function(SCOPE, FunctionName("f"), "id"), updating)
                await tx.layers.save(LayerVersion(SCOPE, LayerName("l"), 1, put["layer"].sha256, 5, 0.0))
            await server.queue.put([NewEvent(QUEUE, "short", b"short"), NewEvent(QUEUE, "long", BODY)])
            header, found = await read(await server.backups.begin(always))

            assert header == Header(1, "1.2.3", FORMAT, "2026-11-18T11:06:40+00:00")
            assert set(found) == {
                "state.db",
                "secret",
                *(blob_name("blobs", name) for name in (b"new", b"old", b"layer", b"attached")),
                blob_name("payloads", BODY),
            }
            assert found["secret"] == (tmp_path / "data" / "secret").read_bytes()
            assert rows(found["state.db"], "SELECT id FROM queued_events ORDER BY id") == [("long",), ("short",)]
            assert leftovers(server.folder) == []

    asyncio.run(run())


def test_the_copy_is_one_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written while the database is copied is not in the copy, and never makes it begin anew."""
    monkeypatch.setattr(module, "_PAGES_AT_ONCE", 1)
    writes = 0

    async def run() -> None:
        nonlocal writes
        async with running(tmp_path / "data") as server:
            writer = sqlite3.connect(server.folder.database, check_same_thread=False, isolation_level=None)
            writer.execute("INSERT INTO layers VALUES ('a', 'r', 'before', 0)")

            def write() -> bool:
                nonlocal writes
                writes += 1
                writer.execute("INSERT INTO layers VALUES ('a', 'r', ?, 0)", (f"during-{writes}",))
                return True

            stream = await server.backups.begin(write)
            copied = writes
            _, found = await read(stream)
            writer.close()
            assert rows(found["state.db"], "SELECT name FROM layers") == [("before",)]
            assert rows(found["state.db"], "PRAGMA integrity_check") == [("ok",)]
            # One look a page, and one while files are listed.
            assert copied <= len(found["state.db"]) // 4096 + 2

    asyncio.run(run())


@pytest.mark.parametrize("when", ["folded", "unfolded", "folded meanwhile"])
def test_each_log_line_comes_back_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """
    Whether it was in the database before the copy, still in a segment, or went from there to the database while the
    copy was made; so do lines that were folded long before.
    """

    async def run() -> None:
        async with running(tmp_path / "data") as server:
            stream = server.logs.open_stream(SCOPE, "/aws/lambda/f", "s")
            stream.output(["old"])
            await server.logs.fold()
            stream.output(["a", "b"])
            fold, copy_unfolded = server.logs.fold, server.logs.copy_unfolded

            async def never() -> None:
                raise DependencyError("not now", retryable=True)

            async def fold_first(position: LogPosition, folder: Path) -> None:
                await fold()
                await copy_unfolded(position, folder)

            if when != "folded":
                monkeypatch.setattr(server.logs, "fold", never)
            if when == "folded meanwhile":
                monkeypatch.setattr(server.logs, "copy_unfolded", fold_first)
            _, found = await read(await server.backups.begin(always))
            monkeypatch.undo()
            stream.output(["later"])
        messages = [row[0] for row in rows(found["state.db"], "SELECT message FROM log_events ORDER BY sequence")]
        assert messages == (["old", "a", "b"] if when == "folded" else ["old"])
        segments = {name for name in found if name.startswith("segments/")}
        assert len(segments) == (0 if when == "folded" else 1)

        for name in ("state.db", *segments):
            path = tmp_path / "restored" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(found[name])
        clock = VirtualClock()
        async with Database(tmp_path / "restored" / "state.db") as database:
            store = LogRepository(database, clock)
            logs = FunctionLogs(Segments(tmp_path / "restored" / "segments", clock), store, clock)
            for _ in range(2):
                await logs.recover()
                events = await store.events(SCOPE, "/aws/lambda/f", limit=10)
                assert [event.message for event in events] == ["old", "a", "b"]
            logs.open_stream(SCOPE, "/aws/lambda/f", "s").output(["new"])
            await logs.close()
            events = await store.events(SCOPE, "/aws/lambda/f", limit=10)
            assert [event.message for event in events] == ["old", "a", "b", "new"]

    asyncio.run(run())


def test_bodies_stay_until_it_is_over(tmp_path: Path) -> None:
    """An event that is done while the backup is read is in it with its body; afterwards the body goes."""

    async def run() -> None:
        async with running(tmp_path / "data") as server:
            await server.queue.put([NewEvent(QUEUE, "a", BODY)])
            stream = await server.backups.begin(always)
            (claim,) = (await server.queue.claim({QUEUE: 1}, 30)).claims
            await server.queue.settle([Done(claim.receipt)])
            await server.queue.sweep()
            _, found = await read(stream)
            assert found[blob_name("payloads", BODY)] == BODY
            await server.queue.sweep()
            assert list(server.folder.payloads.glob("*/*")) == []

    asyncio.run(run())


def test_one_at_a_time(tmp_path: Path) -> None:
    """A second one is refused by name until the first is closed, read or not."""

    async def run() -> None:
        async with running(tmp_path / "data") as server:
            first = await server.backups.begin(always)
            with pytest.raises(BackupInProgress):
                await server.backups.begin(always)
            await first.aclose()
            await first.aclose()
            assert leftovers(server.folder) == []
            await read(await server.backups.begin(always))

    asyncio.run(run())


@pytest.mark.parametrize("looks", [1, 3])
def test_nobody_waits_for_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
    """A client that leaves while the database is copied ends that, and leaves no file."""
    monkeypatch.setattr(module, "_PAGES_AT_ONCE", 1)
    answers = iter([True] * (looks - 1) + [False])

    async def run() -> None:
        async with running(tmp_path / "data") as server:
            with pytest.raises(DependencyError, match="nobody waits"):
                await server.backups.begin(lambda: next(answers))
            assert leftovers(server.folder) == []
            assert next(answers, None) is None
            await read(await server.backups.begin(always))

    asyncio.run(run())


def test_nobody_reads_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A client that leaves in the middle ends the stream, and leaves no file and a line in the log."""
    caplog.set_level(logging.INFO, "lambent.store.backup")

    async def run() -> None:
        async with running(tmp_path / "data") as server:
            for number in range(3):
                await server.create(f"f{number}", bytes([number]) * (2 << 20))
            is_wanted = True
            stream = await server.backups.begin(lambda: is_wanted)
            pieces = 0
            async for _ in stream:
                pieces += 1
                is_wanted = False
            assert pieces == 1
            assert leftovers(server.folder) != []
            await stream.aclose()
            assert leftovers(server.folder) == []

    asyncio.run(run())
    assert [record.message.split()[0] for record in caplog.records] == ["backup.begun", "backup.broken_off"]


def test_who_has_all_may_leave(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A client that knows the length and is gone before the stream says that it is over has a whole backup."""
    caplog.set_level(logging.INFO, "lambent.store.backup")

    async def run() -> None:
        async with running(tmp_path / "data") as server:
            left = 1
            stream = await server.backups.begin(lambda: left > 0)
            left = stream.size_bytes
            async for piece in stream:
                left -= len(piece)
            await stream.aclose()

    asyncio.run(run())
    assert [record.message.split()[0] for record in caplog.records] == ["backup.begun", "backup.done"]


def test_cancelled_it_leaves_nothing(tmp_path: Path) -> None:
    """Whoever is cancelled while the database is copied leaves no file and no claim."""

    async def run() -> None:
        async with running(tmp_path / "data") as server:
            loop = asyncio.get_running_loop()

            def cancel() -> bool:
                loop.call_soon_threadsafe(beginning.cancel)
                return True

            beginning = asyncio.create_task(server.backups.begin(cancel))
            with pytest.raises(asyncio.CancelledError):
                await beginning
            assert leftovers(server.folder) == []
            await read(await server.backups.begin(always))

    asyncio.run(run())


def test_a_copy_that_would_fill_the_disk_is_not_begun(small_disk: Path) -> None:
    """The server has to go on writing: a copy leaves it room, or is refused before its first page."""
    looks = 0

    def look() -> bool:
        nonlocal looks
        looks += 1
        return True

    async def run() -> None:
        async with running(small_disk / "data") as server:
            with pytest.raises(
                DependencyError, match=r"needs 67\.[0-9] MB free, [0-9]\.[0-9] MB is free in /.*backup$"
            ):
                await server.backups.begin(look)
            assert leftovers(server.folder) == []

    asyncio.run(run())
    assert looks == 0


def test_a_full_disk(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up all the same ends it; it leaves nothing, and works again when there is room."""
    monkeypatch.setattr(module, "_check_room", lambda *_: None)

    async def run() -> None:
        async with running(small_disk / "data") as server:
            filler = small_disk / "filler"
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(16_384))
            with pytest.raises(DependencyError, match=r"full|No space"):
                await server.backups.begin(always)
            assert leftovers(server.folder) == []
            filler.unlink()
            await read(await server.backups.begin(always))

    asyncio.run(run())


def test_what_a_killed_server_left_goes(tmp_path: Path) -> None:
    """The next start empties the folder."""

    async def run() -> None:
        async with running(tmp_path / "data") as server:
            stream = await server.backups.begin(always)
            assert {path.name: path.stat().st_mode & 0o777 for path in leftovers(server.folder)} == {
                "state.db": 0o600,
                "names.db": 0o600,
                "segments": 0o700,
            }
            FolderBackups(server.folder, "1", VirtualClock(), logs=server.logs, hold_bodies=server.queue.hold_bodies)
            assert leftovers(server.folder) == []
            await stream.aclose()

    asyncio.run(run())


def test_what_cannot_be_removed_keeps_no_server_from_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged; a backup, which finds it in its way, says so."""

    def refuse(_: Path) -> None:
        raise PermissionError(1, "not yours")

    async def run() -> None:
        async with running(tmp_path / "data") as server:
            (server.folder.backup / "left").touch()
            monkeypatch.setattr(Path, "unlink", refuse)
            FolderBackups(server.folder, "1", VirtualClock(), logs=server.logs, hold_bodies=server.queue.hold_bodies)
            assert [record.message.split()[0] for record in caplog.records] == ["backup.left_files"]
            with pytest.raises(DependencyError, match="not yours"):
                await server.backups.begin(always)
            monkeypatch.undo()

    asyncio.run(run())


def test_a_fold_that_the_disk_refuses_stops_no_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It only makes the copy of segments short."""

    async def refuse() -> None:
        raise OSError(5, "Input/output error")

    async def run() -> None:
        async with running(tmp_path / "data") as server:
            server.logs.open_stream(SCOPE, "/aws/lambda/f", "s").output(["a line"])
            monkeypatch.setattr(server.logs, "fold", refuse)
            _, found = await read(await server.backups.begin(always))
            assert [name for name in found if name.startswith("segments/")] != []
            monkeypatch.undo()

    asyncio.run(run())


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _flip(path: Path) -> None:
    path.write_bytes(b"X" + path.read_bytes()[1:])


@pytest.mark.parametrize(("harm", "text"), [(_cut, "lacks 1 bytes"), (_flip, "not those of its name")])
def test_a_damaged_package_breaks_it_off(tmp_path: Path, harm: Callable[[Path], None], text: str) -> None:
    """What is not what was stored ends the stream with its name."""

    async def run() -> None:
        async with running(tmp_path / "data") as server:
            await server.create("f", b"a package")
            stream = await server.backups.begin(always)
            harm(server.folder.path / blob_name("blobs", b"a package"))
            with pytest.raises(DependencyError, match=text):
                await read(stream)
            await stream.aclose()
            assert leftovers(server.folder) == []

    asyncio.run(run())


def test_a_lost_package_is_named(tmp_path: Path) -> None:
    """A backup that could not be restored is not begun."""

    async def run() -> None:
        async with running(tmp_path / "data") as server:
            await server.create("f", b"a package")
            (server.folder.path / blob_name("blobs", b"a package")).unlink()
            with pytest.raises(DependencyError, match="of function f, is lost"):
                await server.backups.begin(always)
            assert leftovers(server.folder) == []

    asyncio.run(run())


def test_memory_stays_flat(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Sixty-four megabytes pass through a few."""
    caplog.set_level(logging.INFO, "lambent.store.backup")

    async def run() -> None:
        async with running(tmp_path / "data") as server:
            for number in range(4):
                await server.create(f"f{number}", bytes([number]) * (16 << 20))
            tracemalloc.start()
            try:
                stream = await server.backups.begin(always)
                size = sum([len(piece) async for piece in stream])
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            await stream.aclose()
            assert size == stream.size_bytes > 64 << 20
            assert peak < 8 << 20

    asyncio.run(run())
    assert [record.message.split()[0] for record in caplog.records] == ["backup.begun", "backup.done"]
