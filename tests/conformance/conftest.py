"""What all suites of a run share: a PostgreSQL server, and a folder of runtimes' clients."""

import importlib.util
from collections.abc import Iterator

import pytest
from conformance.machine import RuntimesHome

from lambent.testing.postgres import find_server, running_server


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Give the URL of an empty database."""
    programs = find_server()
    if programs is None:
        pytest.skip("needs:postgresql:apt install postgresql")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("needs:psycopg:pip install 'lambent[postgres]'")
    with running_server(programs) as url:
        yield url


@pytest.fixture(scope="session")
def runtimes_home() -> Iterator[RuntimesHome]:
    """Give a folder in which each client is installed once."""
    home = RuntimesHome()
    yield home
    home.remove()
