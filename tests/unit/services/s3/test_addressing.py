"""Where a request to S3 points, in each of the ways in which clients write it."""

from time import process_time

import pytest

from lambent.services.s3.addressing import Address, address, is_s3_host


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        ("127.0.0.1:4566", "/", Address(None, None, "/")),
        ("127.0.0.1:4566", "/media", Address("media", None, "/media")),
        ("localhost:4566", "/media/", Address("media", None, "/media/")),
        ("localhost:4566", "/media/a/b%20c", Address("media", "a/b c", "/media/a/b%20c")),
        ("s3.localhost:4566", "/media/a", Address("media", "a", "/media/a")),
        ("s3.eu-west-1.localhost:4566", "/media/a", Address("media", "a", "/media/a")),
        ("media.s3.localhost:4566", "/a/b", Address("media", "a/b", "/media/a/b")),
        ("media.s3.localhost:4566", "/", Address("media", None, "/media/")),
        ("media.s3.eu-west-1.localhost:4566", "/a", Address("media", "a", "/media/a")),
        ("media.s3-eu-west-1.amazonaws.com", "/a", Address("media", "a", "/media/a")),
        ("my.media.s3.localhost", "/a", Address("my.media", "a", "/my.media/a")),
        ("MEDIA.S3.localhost:4566", "/a", Address("MEDIA", "a", "/MEDIA/a")),
        ("a.s3.b.s3.localhost", "/a", Address("a.s3.b", "a", "/a.s3.b/a")),
        # No bucket: this machine may be called so.
        ("media.localhost:4566", "/a/b", Address("a", "b", "/a/b")),
        ("lambent.localhost:4566", "/media/k", Address("media", "k", "/media/k")),
        ("a:b.s3.localhost", "/media/k", Address("media", "k", "/media/k")),
        (f"{'a' * 256}.s3.localhost", "/media/k", Address("media", "k", "/media/k")),
        ("media.s3.localhost", "/a//b/", Address("media", "a//b/", "/media/a//b/")),
    ],
)
def test_where_a_request_points(host: str, path: str, expected: Address) -> None:
    """The bucket is in the host or in the path, the key keeps each of its slashes."""
    assert address(host, path) == expected


@pytest.mark.parametrize(
    ("host", "is_it"),
    [
        ("s3.localhost:4566", True),
        ("media.s3.localhost:4566", True),
        ("s3.eu-west-1.amazonaws.com", True),
        ("localhost:4566", False),
        ("media.localhost:4566", False),
        ("sqs.eu-west-1.localhost", False),
        ("abc.lambda-url.us-east-1.localhost", False),
        ("s3.localhost:x", False),
        ("media.s3.localhost:", False),
        ("a:b.s3.localhost", False),
        ("media.s3.", False),
        ("media.s3..", False),
        (".s3.localhost", False),
        ("medias3.localhost", False),
        ("[::1]:4566", False),
        (f"{'a' * 240}.s3.localhost", True),
        (f"{'a' * 245}.s3.localhost", False),
        ("", False),
    ],
)
def test_a_host_that_says_s3(host: str, is_it: bool) -> None:
    """Requests that nobody signed are known by it."""
    assert is_s3_host(host) is is_it


@pytest.mark.parametrize("length", [200, 16_384, 1_000_000])
def test_a_host_is_read_once(length: int) -> None:
    """Whatever somebody sends: it is asked of each request without a signature, on the server's one loop."""
    host = "a" + ".s3.a" * (length // 5) + ":x"
    begun = process_time()
    for _ in range(20):
        assert not is_s3_host(host)
        assert address(host, "/media").bucket == "media"
    assert process_time() - begun < 5
