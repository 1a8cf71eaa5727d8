"""Deployment tools against a real server: the fixtures are those of the wire tests."""

from wire.conftest import lambda_client, make_function, own_server, runtime, server, unique_name

__all__ = ["lambda_client", "make_function", "own_server", "runtime", "server", "unique_name"]
