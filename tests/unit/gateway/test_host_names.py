"""By which names a server on loopback may be called: by none that a stranger may own and point at it."""

import pytest

from lambent.gateway.host_names import HostNames

NAMES = HostNames(("dev.example.com", "proxy.example.net:8443", "lambda.example.org"))


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost",
        "LOCALHOST:4566",
        "localhost.:4566",
        "127.0.0.1:4566",
        "127.1.2.3",
        "0.0.0.0:1",
        "[::1]:4566",
        "[::ffff:127.0.0.1]:4566",
        "192.168.1.5:4566",
        # Services of Compose, the machine's name.
        "lambent:4566",
        "my_machine",
        # Buckets, regions, APIs.
        "bucket.s3.localhost:4566",
        "a.bucket.s3.eu-west-1.localhost:4566",
        "bucket.127.0.0.1:4566",
        "sqs.eu-west-1.localhost",
        "000000000000.localhost:4566",
        # Containers on their way to the machine, and what cannot be owned.
        "host.docker.internal:4566",
        "bucket.s3.host.docker.internal:4566",
        "host.containers.internal",
        "host.lambent.internal:4566",
        "app.test",
        "localhost.localdomain:4566",
        # Sent here by /etc/hosts.
        "lambda.us-east-1.amazonaws.com",
        "bucket.s3.eu-west-1.amazonaws.com",
        "sqs.cn-north-1.amazonaws.com.cn:443",
        "lambda.eu-west-1.api.aws",
        # What the operator said.
        "dev.example.com",
        "Dev.Example.com.:4566",
        "bucket.s3.dev.example.com",
        "proxy.example.net:8443",
        "proxy.example.net",
    ],
)
def test_names_of_this_machine(host: str) -> None:
    assert NAMES.admits(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:4566",
        "evil.com",
        "evil.com.:4566",
        "localhost.evil.com:4566",
        "127.0.0.1.evil.com",
        "127.0.0.1.nip.io:4566",
        "bucket.s3.evil.com",
        "lambda.us-east-1.evil.com",
        "notamazonaws.com.evil.io",
        "evilamazonaws.com",
        "example.com",
        "notdev.example.com",
        "dev.example.com.evil.com",
        "evil.com:localhost",
        "evil.x\u00b2",
        "evil.local",
        ".com",
        "a.b.",
    ],
)
def test_names_that_a_stranger_may_own(host: str) -> None:
    assert not NAMES.admits(host)


def test_what_is_longer_than_names_are_is_none() -> None:
    """A head may be full of one: it is not taken apart label by label, nor remembered."""
    for name in ("localhost", "dev.example.com", "evil.com"):
        assert not NAMES.admits("a." * 60_000 + name)
    assert NAMES.admits("a." * 119 + "dev.example.com.:65535")
