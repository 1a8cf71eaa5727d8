"""A real server on a free port, in its own process, and real clients that talk to it over HTTP."""

import contextlib
import re
import shutil

import pytest
from wire.iam import fresh_account
from wire.signed import SignedServer
from wire.support import FunctionMaker, Server, newest_python, wait_for


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


@pytest.fixture(scope="module")
def signed():
    """A server that wants signatures, and goes by policies: `--auth required --iam enforce`."""
    made = SignedServer().start()
    yield made
    made.discard()


@pytest.fixture(scope="session")
def server_in_turns():
    """The server that tests of `lone_server` have in turn."""
    made = Server()
    yield made
    made.discard()


_accounts = iter(range(900_000_000_001, 1_000_000_000_000))


@pytest.fixture
def lone_server(server_in_turns):
    """
    A server that a test has for itself while it runs, and may end or kill: no other test's function is on it.

    It is the same one for all of them, since a start is what costs most; each has an account of its own.
    """
    lone = server_in_turns
    lone.account = str(next(_accounts))
    if not lone.is_running:
        lone.restart()
    yield lone
    if lone.is_running:
        client = lone.client("lambda")
        for page in client.get_paginator("list_functions").paginate():
            for function in page["Functions"]:
                client.delete_function(FunctionName=function["FunctionName"])
        wait_for(lambda: lone.health()["environments"]["total"] == 0)


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
def apis(server):
    """A client of HTTP APIs that leaves it to the server what is valid."""
    return server.client("apigatewayv2", parameter_validation=False)


@pytest.fixture
def iam(server):
    """A client of IAM with an account of its own."""
    return server.client("iam", account=fresh_account())


@pytest.fixture
def account(iam):
    """The account of `iam`."""
    return iam.get_user()["User"]["UserId"]


@pytest.fixture
def api(apis):
    """The id of an HTTP API that is there for one test."""
    made = apis.create_api(Name="test", ProtocolType="HTTP")["ApiId"]
    yield made
    apis.delete_api(ApiId=made)


@pytest.fixture(scope="session")
def runtime():
    """The newest Python runtime that this machine can run."""
    return newest_python()


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A real browser, which all tests share: each function's URL is an origin of its own, with cookies of its own."""
    # Most runs of a single test need none.
    from wire.browser import opened

    with opened(tmp_path_factory.mktemp("browser")) as made:
        yield made


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
