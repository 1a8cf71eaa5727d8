"""
Requests that a browser sends for a page of the web: no runtime sends them.

Without walls the Runtime API of an environment has a port on the machine's loopback, which every page may have a
browser ask, whatever it may read of the answer: one Next takes an event away from its function. A page whose own domain
is pointed here once it is loaded (DNS rebinding) reads it, too, and is told by its name in Host alone.
"""

from collections.abc import Mapping
from typing import Final

ORIGIN: Final = b"origin"
SITE: Final = b"sec-fetch-site"
HOST: Final = b"host"

_OTHER_SITES: Final = frozenset({b"cross-site", b"same-site"})
_OURS: Final = frozenset({b"localhost", b"localdomain"})
"""Last labels of names that nobody owns. `sandbox.localdomain` is in the /etc/hosts of functions at AWS."""


def is_sent_by_a_page(fields: Mapping[bytes, bytes]) -> bool:
    """
    Say whether a browser sends a request for a page.

    Clients have the address of AWS_LAMBDA_RUNTIME_API in Host, nothing, or one label of their own.

    Args:
        fields: headers by lower-case name; all but `ORIGIN`, `SITE` and `HOST` count for nothing.

    Source: Fetch standard, Origin header; W3C, Fetch Metadata, Sec-Fetch-Site; URL standard, host parsing: the last
    label of an address is a number, and of a name never.
    """
    if ORIGIN in fields or fields.get(SITE) in _OTHER_SITES:
        return True
    _, dot, last = fields.get(HOST, b"").partition(b":")[0].rstrip(b".").lower().rpartition(b".")
    return bool(dot) and not last.isdigit() and last not in _OURS
