"""The embedded server's keeper: what it makes of a process that does not start, hangs, or ends; nothing of moto."""

import asyncio
import errno
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from lambent.neighbours import embedded
from lambent.neighbours.embedded import USER_NUMBER, EmbeddedServer, give
from lambent.neighbours.message import NeighbourUnavailable
from lambent.testing.virtual_clock import VirtualClock


def server_of(folder: Path) -> EmbeddedServer:
    (folder / "state").mkdir()
    return EmbeddedServer(folder / "state", folder, [], VirtualClock())


def test_a_machine_without_processes_is_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request hears that nobody is there, and the server stops as it should, amid such a start too."""

    async def story() -> None:
        made = server_of(tmp_path)
        is_asked, may_fail = asyncio.Event(), asyncio.Event()

        async def fail(*_: Any, **__: Any) -> NoReturn:
            is_asked.set()
            await may_fail.wait()
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(asyncio, "create_subprocess_exec", fail)
        asking = asyncio.create_task(made.ensure_running())
        await is_asked.wait()
        closing = asyncio.create_task(made.close())
        await asyncio.sleep(0)
        may_fail.set()
        with pytest.raises(NeighbourUnavailable, match="Too many open files"):
            await asking
        await closing
        assert not (tmp_path / "neighbours.sock").exists()

    asyncio.run(story())


def test_a_process_that_ends_while_it_owes_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one may start at once: nobody waits for that answer."""
    monkeypatch.setattr(embedded, "_PING_EVERY_S", 0.001)

    async def story() -> None:
        made = server_of(tmp_path)
        is_asked, is_left = asyncio.Event(), asyncio.Event()

        async def never() -> bool:
            is_asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                is_left.set()
            return True

        monkeypatch.setattr(made, "_answers", never)
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE)
        watching = asyncio.create_task(made._watch(process))
        await is_asked.wait()
        process.kill()
        # Only a test that fails waits so long.
        await asyncio.wait_for(watching, 60)
        await is_left.wait()
        assert made.pid is None

    asyncio.run(story())


def test_what_is_installed_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request asks."""
    asked: list[str] = []

    def find(name: str) -> None:
        asked.append(name)

    before = EmbeddedServer.is_installed()
    monkeypatch.setattr(importlib.util, "find_spec", find)
    assert (EmbeddedServer.is_installed(), asked) == (before, [])


@pytest.fixture
def fchown(monkeypatch: pytest.MonkeyPatch) -> Callable[[], set[int]]:
    """Has nothing given away, and returns the inodes of what would have been."""
    given: set[int] = set()

    def note(descriptor: int, uid: int, gid: int) -> None:
        assert uid == gid == USER_NUMBER
        given.add(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fchown", note)
    return lambda: given


def test_a_folder_is_given_with_its_own_files_alone(tmp_path: Path, fchown: Callable[[], set[int]]) -> None:
    """No other file's second name, no link, no pipe, and no file of a third user."""
    folder, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.write_bytes(b"somebody else's")
    (folder / "state").write_bytes(b"")
    (folder / "link").symlink_to(elsewhere)
    (folder / "name").hardlink_to(elsewhere)
    os.mkfifo(folder / "pipe")
    expected = {folder.stat().st_ino, (folder / "state").stat().st_ino}
    if os.geteuid() == 0:
        (folder / "third").write_bytes(b"")
        os.chown(folder / "third", 4711, 4711)
    give(folder, USER_NUMBER, USER_NUMBER)
    assert fchown() == expected
