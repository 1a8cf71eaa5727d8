"""Which bucket and key a request is for, in whichever of its ways a client writes them. Pure."""

import re
from urllib.parse import unquote

import msgspec

_HOST_MAX_CHARACTERS = 255
"""Documented: RFC 1035, Size limits. What is longer is nobody's name, and is not looked at."""

_SERVICE = re.compile(r"(?:^|\.)s3(?:-[a-z]{2,4}(?:-[a-z]+)+-\d)?(?=\.[^.])", re.IGNORECASE)
"""Where the service's own name is in a host name: at its beginning, or after the bucket. The last one counts."""


class Address(msgspec.Struct, frozen=True):
    """A bucket, or an object in it."""

    bucket: str | None
    """None: the request is for the service, as ListBuckets is."""
    key: str | None
    """Decoded; None: the request is for the bucket."""
    path: str
    """Raw, with the bucket in it."""


def is_s3_host(host: str) -> bool:
    """Say whether a host name alone says that a request is for S3: `s3.localhost`, `media.s3.eu-west-1.localhost`."""
    return _bucket_of(host) is not None


def address(host: str, path: str) -> Address:
    """
    Return what a request to S3 is for.

    Args:
        host: as the client sent it; it holds the bucket in the virtual-hosted style, before `.s3.`. What stands before
            another name, as in `media.localhost`, is no bucket: it may as well be this machine's name.
        path: raw.

    Source: Amazon S3 user guide, Virtual hosting of buckets.
    """
    if in_host := _bucket_of(host):
        path = f"/{in_host}{path}"
    bucket, _, key = path.lstrip("/").partition("/")
    return Address(unquote(bucket) or None, unquote(key) or None, path)


def _bucket_of(host: str) -> str | None:
    """Return the bucket in a host name of S3; empty where it names the service alone, None where it is another's."""
    if len(host) > _HOST_MAX_CHARACTERS:
        return None
    name, colon, port = host.partition(":")
    if colon and not (port.isascii() and port.isdigit()):
        return None
    found = [match.start() for match in _SERVICE.finditer(name)]
    if not found or name.startswith("."):
        return None
    # `s3.media.s3.localhost` is the service's: no bucket's name has the service's own for its first part.
    return name[: found[-1]] if found[0] > 0 else ""
