"""A real server on a free port, in its own process, and real clients that talk to it over HTTP."""

import contextlib
import re
import shutil

import pytest
from wire.support import FunctionMaker, Server, newest_python


@pytest.fixture(scope="session")
def server():
    """The server that most tests share."""
    shared = Server().start()
    yield shared
    code = shared.stop()
    shutil.rmtree(shared.data_dir, ignore_errors=True)
    assert code == 0, "the server did not stop cleanly:\n" + "".join(shared.log[-50:])


@pytest.fixture
def own_server():
    """Makes servers for one test; what the test leaves running is ended."""
    servers = []

    def make(data_dir=None, *options, env=None):
        made = Server(data_dir, *options, env=env)
        servers.append(made)
        return made

    yield make
    for made in servers:
        with contextlib.suppress(ProcessLookupError):
            made.discard()


@pytest.fixture(scope="session")
def sandbox(server):
    """The driver of the server that most tests share, `namespace` as root on Linux."""
    return server.sandbox["driver"]


@pytest.fixture(scope="session")
def lambda_client(server):
    return server.client("lambda")


@pytest.fixture(scope="session")
def logs_client(server):
    return server.client("logs")


@pytest.fixture(scope="session")
def runtime():
    """The newest Python runtime that this machine can run."""
    return newest_python()


_counter = iter(range(1, 1_000_000))


@pytest.fixture
def unique_name(request):
    """A function name that no other test uses."""
    stem = re.sub(r"[^a-zA-Z0-9-]", "-", request.node.name)[:40]
    return f"{stem}-{next(_counter)}"


@pytest.fixture
def make_function(lambda_client, runtime, unique_name):
    maker = FunctionMaker(lambda_client, runtime, unique_name)
    yield maker
    for client, name in maker.made:
        with contextlib.suppress(client.exceptions.ResourceNotFoundException):
            client.delete_function(FunctionName=name)
