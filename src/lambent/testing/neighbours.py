"""Tables of neighbours for tests."""

from pathlib import Path

from lambent.clock import Clock
from lambent.neighbours.client import Neighbours
from lambent.neighbours.embedded import EmbeddedServer
from lambent.neighbours.endpoints import EMBEDDED, Endpoints


def no_neighbours(folder: Path, clock: Clock) -> Neighbours:
    """Return a table in which no other service is offered."""
    table = Endpoints(dict.fromkeys(EMBEDDED, "none"))
    return Neighbours(table, EmbeddedServer(folder, folder, [], clock))
