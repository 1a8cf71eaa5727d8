"""
Which names a server may be called by whose only protection is that it listens on loopback.

A page of a stranger's domain that the domain's name server points at this machine once it is loaded (DNS rebinding) has
the browser send requests that are the page's own by all that they say: no Origin with a GET, no Sec-Fetch-Site without
TLS, and any header that the page wants, Authorization too. The Host header alone tells: the browser sets it, and it has
the stranger's name. So names that a stranger may own are refused, unless the operator said that they are the server's.
"""

import functools
import re
from collections.abc import Sequence
from typing import Final

_OURS: Final = frozenset(
    {
        # RFC 6761: never asked of a name server; and nobody's, though it may be asked for.
        "localhost",
        "test",
        # Documented: ICANN, resolution 2024.07.29.06: never delegated. host.docker.internal, host.containers.internal.
        "internal",
        # Assumed: not delegated either (test_host_names). `localhost.localdomain`, of many an /etc/hosts.
        "localdomain",
    }
)
"""Last labels of names that nobody owns."""

_AWS: Final = ("amazonaws.com", "amazonaws.com.cn", "api.aws", "on.aws")
"""What clients call that are sent here by /etc/hosts, or keep AWS's name in Host. Nobody else can point it here."""

_PORT = re.compile(r":[0-9]*\Z")

_LONGEST = 260
"""Letters of a name with its full stop and a port. Source: RFC 1035, section 2.3.4: 253 of the name itself."""


class HostNames:
    """
    Says by which names a server may be called.

    Any address may be in Host, and any name of one label, as of a service or a machine: browsers reach no stranger by
    them. Names below one that is allowed are as well: of buckets, regions and APIs.

    Args:
        allowed: further names, a port after them or not.
    """

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._allowed = tuple(f".{name}" for name in (*_AWS, *map(_name, allowed)))
        self._known = functools.lru_cache(maxsize=256)(self._admits)

    def admits(self, host: str) -> bool:
        """Say whether a request may have this Host header; without any it is not a browser's."""
        # Of a longer one no browser finds the address: it is neither looked at nor remembered.
        return len(host) <= _LONGEST and self._known(host)

    def _admits(self, host: str) -> bool:
        name = _name(host)
        if "." not in name:
            # Also empty, and IPv6 addresses: they stand in brackets.
            return True
        last = name.rpartition(".")[2]
        # The last label of an address is a number, and of a name never. Source: URL standard, host parsing.
        if last in _OURS or last.isdecimal() or name.startswith("["):
            return True
        return f".{name}".endswith(self._allowed)


def _name(host: str) -> str:
    return _PORT.sub("", host).rstrip(".").lower()
