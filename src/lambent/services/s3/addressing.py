"""Which bucket and key a request is for, in whichever of its ways a client writes them. Pure."""

import re
from urllib.parse import unquote

import msgspec

_REGION = r"[a-z]{2,4}(?:-[a-z]+)+-\d"
_VIRTUAL_HOST = re.compile(rf"(?P<bucket>.+)\.s3(?:[.-]{_REGION})?\.[^:]+(?::\d+)?", re.IGNORECASE)
_SERVICE_HOST = re.compile(rf"s3(?:[.-]{_REGION})?\.[^:]+(?::\d+)?", re.IGNORECASE)
_LOCAL_HOST = re.compile(r"(?P<bucket>[^:]+)\.localhost(?::\d+)?", re.IGNORECASE)


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
    return _SERVICE_HOST.fullmatch(host) is not None or _VIRTUAL_HOST.fullmatch(host) is not None


def address(host: str, path: str) -> Address:
    """
    Return what a request to S3 is for.

    Args:
        host: as the client sent it; it holds the bucket in the virtual-hosted style. `media.localhost`, which clients
            make of an endpoint `localhost`, is one of these too.
        path: raw.

    Source: Amazon S3 user guide, Virtual hosting of buckets.
    """
    if _SERVICE_HOST.fullmatch(host) is None:
        found = _VIRTUAL_HOST.fullmatch(host) or _LOCAL_HOST.fullmatch(host)
        if found is not None:
            path = f"/{found['bucket']}{path}"
    bucket, _, key = path.lstrip("/").partition("/")
    return Address(unquote(bucket) or None, unquote(key) or None, path)
