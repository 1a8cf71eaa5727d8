"""Whole stories against real servers: the fixtures are those of the wire tests."""

from wire.conftest import lambda_client, logs_client, make_function, own_server, runtime, server, unique_name

__all__ = ["lambda_client", "logs_client", "make_function", "own_server", "runtime", "server", "unique_name"]
