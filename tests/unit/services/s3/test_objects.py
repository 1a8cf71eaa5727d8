"""Objects that the server reads: how many at once, and where they are written."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from lambent.domain.caller import Scope
from lambent.neighbours.client import Neighbours
from lambent.neighbours.endpoints import Neighbour
from lambent.neighbours.message import Incoming, NeighbourUnavailable, Outgoing
from lambent.services.s3 import objects
from lambent.services.s3.objects import ObjectTooLarge, S3Objects

SCOPE = Scope("000000000000", "us-east-1")


class Answer:
    """Implements `Incoming`: an object in pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.status = 200
        self.headers: list[tuple[bytes, bytes]] = []
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece

    async def read(self, most_bytes: int) -> bytes:
        return b"".join(self._pieces)

    async def aclose(self) -> None:
        pass


class OneObject:
    """A table of neighbours with an S3 that holds one object."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces
        self.asked = 0

    def of(self, service: str) -> Neighbour:
        return Neighbour(service, "http://s3")

    async def send(self, neighbour: Neighbour, request: Outgoing, scope: Scope) -> Incoming:
        self.asked += 1
        return Answer(list(self._pieces))


def objects_of(neighbours: OneObject, folder: Path) -> S3Objects:
    return S3Objects(cast("Neighbours", neighbours), folder)


def test_few_are_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more waits for its turn, and is sent away when that does not come."""

    async def story() -> None:
        s3 = OneObject(b"code")
        made = objects_of(s3, tmp_path)
        may_end, held = asyncio.Event(), asyncio.Semaphore(0)

        async def hold() -> bytes:
            async with made.open(SCOPE, "b", "k", None, 100) as archive:
                held.release()
                await may_end.wait()
                return archive[:]

        holding = [asyncio.create_task(hold()) for _ in range(objects._OBJECTS_MAX)]
        for _ in holding:
            await held.acquire()
        monkeypatch.setattr(objects, "_WAIT_S", 0)
        with pytest.raises(NeighbourUnavailable, match="try again"):
            async with made.open(SCOPE, "b", "k", None, 100):
                pass
        assert s3.asked == len(holding), "S3 was not asked for it"
        monkeypatch.undo()
        waiting = asyncio.create_task(hold())
        await asyncio.sleep(0)
        may_end.set()
        assert await asyncio.gather(*holding, waiting) == [b"code"] * (len(holding) + 1)

    asyncio.run(story())


def test_a_turn_ends_however_it_ends(tmp_path: Path) -> None:
    """More failures than turns leave turns."""

    async def story() -> None:
        made = objects_of(OneObject(b"code"), tmp_path)
        for _ in range(objects._OBJECTS_MAX + 1):
            with pytest.raises(ObjectTooLarge):
                async with made.open(SCOPE, "b", "k", None, 3):
                    pass

    asyncio.run(story())


def test_a_slow_disk_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written is written beside the loop, in order."""
    threads: set[int] = set()
    make = objects.tempfile.TemporaryFile

    class Watched:
        def __init__(self, file: Any) -> None:
            self._file = file

        def __enter__(self) -> "Watched":
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

        def write(self, piece: bytes) -> int:
            threads.add(threading.get_ident())
            return int(self._file.write(piece))

    monkeypatch.setattr(objects.tempfile, "TemporaryFile", lambda **given: Watched(make(**given)))

    async def story() -> None:
        async with objects_of(OneObject(b"co", b"de"), tmp_path).open(SCOPE, "b", "k", None, 4) as archive:
            assert archive[:] == b"code"

    asyncio.run(story())
    assert threads and threading.get_ident() not in threads
