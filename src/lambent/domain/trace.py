"""
The X-Ray trace header that travels with an invocation, and the lineage in it by which endless chains are found.

The lineage names the functions that a chain of invocations has passed, each with how often:
`a87bd80c:1|68fd508a:5`.
"""

import functools
import hashlib
from collections.abc import Mapping
from typing import NamedTuple

_ROOT_HEX = 24
_HEADER_MAX = 1024
_VALUE_MAX = 64
"""Of all but the lineage. A Root has 35 characters; one of hundreds would push the lineage out of the header."""

PASSES_MAX = 16
"""
How often one chain may pass one function. Documented: Lambda developer guide, recursive loop detection: about 16 times.
"""

_LINEAGE_MAX = 48
"""Functions that a lineage names at most, so that the header stays short; who was passed longest ago is forgotten."""


class Trace(NamedTuple):
    """The header of one invocation."""

    header: str
    passes: int
    """How often its chain passes the function, with this invocation."""


def next_trace_header(given: str | None, now: float, root_hex: str, parent_hex: str) -> str:
    """
    Return the header that a request which came with `given` goes on with.

    A given Root, sampling decision and lineage are kept, the parent is new. Without one, a root is made, not sampled.

    Args:
        given: the request's `X-Amzn-Trace-Id`, as sent; anything malformed counts as absent.
        now: seconds since the epoch, for a new root.
        root_hex: 24 random hexadecimal digits.
        parent_hex: 16 random hexadecimal digits.

    Documented: Lambda developer guide, tracing; X-Ray developer guide, tracing header.
    """
    fields = _fields(given)
    root = fields.get("Root")
    if not root:
        return f"Root=1-{int(now):08x}-{root_hex[:_ROOT_HEX]};Parent={parent_hex};Sampled=0"
    header = f"Root={root};Parent={parent_hex};Sampled={fields.get('Sampled', '0')}"
    lineage = fields.get("Lineage")
    return f"{header};Lineage={lineage}" if lineage else header


def next_trace(given: str | None, now: float, root_hex: str, parent_hex: str, function_arn: str) -> Trace:
    """
    Return the header that the runtime sees, with one more pass of the function in its lineage.

    Args:
        function_arn: unqualified: a chain that changes between versions is one, too.

    The others are those of `next_trace_header`.
    """
    header = next_trace_header(given, now, root_hex, parent_hex)
    head, _, lineage = header.partition(";Lineage=")
    own = _hash(function_arn)
    passes = 1
    kept = []
    for item in lineage.split("|") if lineage else ():
        name, _, count = item.rpartition(":")
        # Documented: X-Ray developer guide: `hash:count`. Reported: a newer form leads with one more number.
        if name.rpartition(":")[2] == own and count.isascii() and count.isdigit():
            passes = max(passes, int(count[:9]) + 1)
        else:
            kept.append(item)
    lineage = "|".join([*kept[-(_LINEAGE_MAX - 1) :], f"{own}:{passes}"])
    return Trace(f"{head};Lineage={lineage}", passes)


def rooted(given: str | None, now: float, root_hex: str) -> str:
    """
    Return a request's header as a front door passes it on: with a new root where it names none.

    The arguments are those of `next_trace_header`. Documented: X-Ray developer guide, tracing header.
    """
    return given if given and _fields(given).get("Root") else f"Root=1-{int(now):08x}-{root_hex[:_ROOT_HEX]}"


def with_lineage_of(given: str | None, running: str) -> str:
    """
    Return a request's header with the lineage of the invocation that it was sent from.

    Args:
        given: as sent: what a function says of its own past counts for nothing.
        running: the header of that invocation.
    """
    lineage = _fields(running).get("Lineage", "")
    fields = _fields(given)
    root = fields.get("Root") or _fields(running).get("Root", "")
    return f"Root={root};Sampled={fields.get('Sampled', '0')};Lineage={lineage}"


def _fields(header: str | None) -> Mapping[str, str]:
    fields: dict[str, str] = {}
    if header and len(header) <= _HEADER_MAX and header.isascii() and header.isprintable():
        for part in header.split(";"):
            key, separator, value = part.strip().partition("=")
            if separator and (key == "Lineage" or len(value) <= _VALUE_MAX):
                fields[key] = value
    return fields


@functools.lru_cache(maxsize=4096)
def _hash(function_arn: str) -> str:
    return hashlib.sha256(function_arn.encode()).hexdigest()[:8]
