"""Whole stories against real servers: the fixtures are those of the wire tests."""

import pytest
from wire.conftest import lambda_client, logs_client, make_function, own_server, runtime, server, unique_name
from wire.support import reachable_folder

__all__ = ["lambda_client", "logs_client", "make_function", "own_server", "runtime", "server", "unique_name"]


@pytest.fixture
def folder():
    """A folder that functions of another user reach."""
    with reachable_folder() as made:
        yield made
