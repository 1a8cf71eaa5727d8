"""The real store on SQLite, for tests: a fake of a database would lie where it matters."""

import functools
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lambent.store.blobs import FileBlobs
from lambent.store.contract import EventQueue, FunctionStore, IdentityStore, LogStore
from lambent.store.database import Database
from lambent.store.functions import FunctionRepository
from lambent.store.identities import IdentityRepository
from lambent.store.log_filters import LogFilterRepository
from lambent.store.log_filters_contract import LogFilterStore
from lambent.store.logs import LogRepository
from lambent.store.new_database import make_database
from lambent.store.queue import DurableEventQueue, QueueDatabase
from lambent.testing.log_store import MemoryLogStore
from lambent.testing.virtual_clock import VirtualClock


@dataclass(frozen=True)
class Stores:
    """The contracts of one open database, and the clock that it goes by."""

    functions: FunctionStore
    logs: LogStore
    identities: IdentityStore
    log_filters: LogFilterStore
    clock: VirtualClock = field(default_factory=VirtualClock)


def make_sqlite(path: Path) -> None:
    """Write a new, migrated database to `path`. Alembic runs once in a process; the rest are copies."""
    path.write_bytes(_migrated())


@asynccontextmanager
async def open_sqlite(path: str) -> AsyncIterator[Stores]:
    """Open the stores of a database that `make_sqlite` made. Opening one several times at once is fine."""
    clock = VirtualClock()
    async with Database(Path(path)) as database:
        yield _stores(database, LogRepository(database, clock), clock)


@asynccontextmanager
async def open_with_logs_in_memory(path: str) -> AsyncIterator[Stores]:
    """Open the same with the log store that tests of telemetry use; its logs are gone at the end of the block."""
    clock = VirtualClock()
    async with Database(Path(path)) as database:
        yield _stores(database, MemoryLogStore(clock), clock)


def _stores(database: Database, logs: LogStore, clock: VirtualClock) -> Stores:
    return Stores(
        FunctionRepository(database), logs, IdentityRepository(database), LogFilterRepository(database), clock
    )


@dataclass(frozen=True)
class OpenQueue:
    """The event queue of one open database, and what a test of it looks at."""

    queue: EventQueue
    clock: VirtualClock
    payloads: FileBlobs


@asynccontextmanager
async def open_queue(
    database: QueueDatabase, payloads: Path, clock: VirtualClock, events_max: int = 1_000_000
) -> AsyncIterator[OpenQueue]:
    """Open an event queue on a database."""
    blobs = FileBlobs(payloads)
    async with DurableEventQueue(database, blobs, clock, events_max=events_max) as queue:
        yield OpenQueue(queue, clock, blobs)


@functools.cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        path.touch()
        make_database(path)
        return path.read_bytes()
