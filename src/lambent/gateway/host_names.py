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
        # RFC 6761: never asked of a name server.
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


class HostNames:
    """
    Says by which names a server may be called.

    Any address may be in Host, and any name of one label, as of a service or a machine: browsers reach no stranger by
    them. Names below one that is allowed are as well: of buckets, regions and APIs.

    Args:
        allowed: further names, a port after them or not.
    """

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._allowed = frozenset({*_AWS, *(_name(one) for one in allowed)})
        self._known = functools.lru_cache(maxsize=256)(self._admits)

    def admits(self, host: str) -> bool:
        """Say whether a request may have this Host header; without any it is not a browser's."""
        return self._known(host)

    def _admits(self, host: str) -> bool:
        name = _name(host)
        if "." not in name:
            # Also empty, and IPv6 addresses: they stand in brackets.
            return True
        labels = name.split(".")
        # The last label of an address is a number, and of a name never. Source: URL standard, host parsing.
        if labels[-1] in _OURS or labels[-1].isdecimal() or name.startswith("["):
            return True
        return any(".".join(labels[start:]) in self._allowed for start in range(len(labels)))


def _name(host: str) -> str:
    return _PORT.sub("", host).rstrip(".").lower()
