"""What a request says of who signed it, read as far as it goes: where any key is taken, so is a broken signature."""

import re
from functools import lru_cache
from urllib.parse import parse_qs

import msgspec

_NAME = re.compile(r"[a-z0-9-]{1,40}")


class Credential(msgspec.Struct, frozen=True):
    """What a signature says about its maker; nothing of it is verified yet."""

    access_key: str
    region: str
    service: str
    """Signing name, e.g. `lambda`."""


def read_credential(authorization: str, query: str) -> Credential | None:
    """
    Read the credential scope of a SigV4 request, header or presigned; None when there is none that can be read.

    Documented: SigV4, `Credential=<access key>/<date>/<region>/<service>/aws4_request`.
    """
    start = authorization.find("Credential=")
    if start >= 0:
        end = authorization.find(",", start)
        text = authorization[start + 11 : end if end >= 0 else None]
    elif "X-Amz-Credential=" in query:
        text = parse_qs(query).get("X-Amz-Credential", [""])[0]
    else:
        return None
    return _remembered(text) if len(text) <= _REMEMBERED_CHARACTERS_MAX else _parse(text)


def _parse(text: str) -> Credential | None:
    parts = text.strip().rsplit("/", 4)
    if len(parts) != 5:
        return None
    access_key, _, region, service, _ = parts
    if _NAME.fullmatch(region) is None or _NAME.fullmatch(service) is None:
        return None
    return Credential(access_key, region, service)


_REMEMBERED_CHARACTERS_MAX = 256
_remembered = lru_cache(maxsize=1024)(_parse)
"""One key's scope is that of all its requests of a day."""
