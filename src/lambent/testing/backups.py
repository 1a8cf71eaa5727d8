"""For tests of backups: a data folder in use, and backup files as nobody writes them."""

import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.function import Code, Function, FunctionName
from lambent.store import backup_format as form
from lambent.store.backup import FolderBackups
from lambent.store.backup_format import Member
from lambent.store.blobs import FileBlobs
from lambent.store.contract import QueueKind, QueueName, QueueRules
from lambent.store.data_folder import FORMAT, DataFolder
from lambent.store.database import Database
from lambent.store.functions import FunctionRepository
from lambent.store.logs import LogRepository
from lambent.store.queue import DurableEventQueue
from lambent.telemetry.logs import FunctionLogs
from lambent.telemetry.segments import Segments
from lambent.testing.conformance.store import latest_of
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("111122223333", "eu-west-1")
QUEUE = QueueName(SCOPE, QueueKind.SQS, "q")


@dataclass
class Running:
    """A data folder in use."""

    folder: DataFolder
    store: FunctionRepository
    blobs: FileBlobs
    queue: DurableEventQueue
    backups: FolderBackups
    logs: FunctionLogs

    async def create(self, name: str, archive: bytes) -> None:
        blob = await self.blobs.put(archive)
        latest = msgspec.structs.replace(latest_of(name, SCOPE), code=Code(blob.sha256, blob.size_bytes))
        async with self.store.transaction(SCOPE) as tx:
            await tx.create(Function(SCOPE, FunctionName(name), f"id-of-{name}"), latest)


def _prepare(path: Path) -> None:
    path.mkdir(exist_ok=True)
    make_sqlite(path / "state.db")
    (path / "FORMAT").write_text(f"lambent {FORMAT}\n")


@contextlib.asynccontextmanager
async def running(path: Path) -> AsyncIterator[Running]:
    """Open a new data folder, and what of a server a backup needs."""
    _prepare(path)
    clock = VirtualClock()
    with DataFolder.open(path, clock) as folder:
        async with (
            Database(folder.database) as database,
            DurableEventQueue(database, FileBlobs(folder.payloads), clock) as queue,
        ):
            await queue.define(QUEUE, QueueRules())
            logs = FunctionLogs(Segments(folder.segments, clock), LogRepository(database, clock), clock)
            backups = FolderBackups(folder, "1.2.3", clock, logs=logs, hold_bodies=queue.hold_bodies)
            yield Running(folder, FunctionRepository(database), FileBlobs(folder.blobs), queue, backups, logs)
            await logs.close()


def always() -> bool:
    """Say that a backup is wanted, to its end."""
    return True


def pack(members: Sequence[tuple[str, bytes]], *, block: Callable[[Member], bytes] | None = None) -> bytes:
    """Return a backup of these members, with the manifest that fits them."""
    lines = b"".join(
        form.manifest_line(Member(name, len(body)), hashlib.sha256(body).hexdigest()) for name, body in members
    )
    parts = []
    for name, body in (*members, (form.MANIFEST_NAME, lines)):
        member = Member(name, len(body))
        before = block(member) if block is not None else form.block_before(member, 0)
        parts += [before, body, form.padding_after(len(body))]
    return b"".join((*parts, form.END))
