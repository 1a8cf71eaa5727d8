"""
The X-Ray trace header that travels with an invocation, the decision in it whether the trace is written down, and the
lineage in it by which endless chains are found.

The lineage names the functions that a chain of invocations has passed, each with how often:
`a87bd80c:1|68fd508a:5`.
"""

import functools
import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

_ROOT_HEX = 24
_HEADER_MAX = 1024
_VALUE_MAX = 64
"""Of all but the lineage. A Root has 35 characters; one of hundreds would push the lineage out of the header."""

_FIELDS = ("Root", "Parent", "Sampled", "Lineage")
"""In the order in which they are written. In a header that was sent, their case says nothing, as in AWS's SDKs."""
_NAMES = {name.lower(): name for name in _FIELDS}

PASSES_MAX = 16
"""
How often one chain may pass one function. Documented: Lambda developer guide, recursive loop detection: about 16 times.
"""

_LINEAGE_MAX = 48
"""Functions that a lineage names at most, so that the header stays short; who was passed longest ago is forgotten."""


SAMPLED_PER_S = 1
SAMPLED_RATE = 0.05
"""
What of the requests that nobody has decided about a function with active tracing writes down: so many of each second,
and this part of the others. Documented: Lambda developer guide, X-Ray; neither can be configured.
"""

_SAMPLED_FUNCTIONS_MAX = 4096
"""Functions whose last second is remembered; the one that was asked least recently begins anew."""

_TRACE_ID = re.compile(r"1-[0-9a-fA-F]{8}-[0-9a-fA-F]{24}")
_SEGMENT_ID = re.compile(r"[0-9a-fA-F]{16}")
_BEGUN_UNSAMPLED = re.compile(r"Root=(1-[0-9a-f]{8}-[0-9a-f]{24});Parent=[0-9a-f]{16};Sampled=0")
"""A header that was made of nothing, and goes on."""


class Sampled(NamedTuple):
    """Under what the segments of one invocation are written down."""

    trace_id: str
    parent_id: str
    """The caller's segment or subsegment; empty where it named none."""


class Trace(NamedTuple):
    """The header of one invocation."""

    header: str
    passes: int
    """How often its chain passes the function, with this invocation."""
    sampled: Sampled | None = None
    """None: nothing of it is written down."""


class Sampler:
    """
    Decides about requests to functions with active tracing that came without a decision.

    Needs no random numbers of its own: the new root that each such request may get is as random as any.
    """

    def __init__(self) -> None:
        self._seconds: OrderedDict[str, list[int]] = OrderedDict()
        """Function to a second, and how many were sampled in it."""

    def samples(self, function_arn: str, now: float, root_hex: str) -> bool:
        """
        Decide about one request.

        Args:
            function_arn: whose share of each second it may be.
            now: seconds since the epoch.
            root_hex: random hexadecimal digits, four at least.
        """
        second = int(now)
        spent = self._seconds.get(function_arn)
        if spent is None:
            spent = self._seconds[function_arn] = [second, 0]
            if len(self._seconds) > _SAMPLED_FUNCTIONS_MAX:
                self._seconds.popitem(last=False)
        else:
            self._seconds.move_to_end(function_arn)
        if spent[0] != second:
            spent[:] = second, 0
        if spent[1] < SAMPLED_PER_S:
            spent[1] += 1
            return True
        return int(root_hex[-4:], 16) < SAMPLED_RATE * 0x10000


def next_trace_header(
    given: str | None,
    now: float,
    root_hex: str,
    parent_hex: str,
    function_arn: str = "",
    sampler: Sampler | None = None,
) -> str:
    """
    Return the header that a request which came with `given` goes on with.

    A given Root, sampling decision and lineage are kept, the parent is new. Without a root, one is made; where nobody
    has decided, the sampler does.

    Args:
        given: the request's `X-Amzn-Trace-Id`, as sent; anything malformed counts as absent.
        now: seconds since the epoch, for a new root.
        root_hex: 24 random hexadecimal digits.
        parent_hex: 16 random hexadecimal digits.
        function_arn: whom the sampler decides for.
        sampler: None: what nobody has decided about is not sampled.

    Documented: Lambda developer guide, tracing; X-Ray developer guide, tracing header.
    """
    if not given and sampler is None:
        # The way of most requests.
        return f"Root=1-{int(now):08x}-{root_hex[:_ROOT_HEX]};Parent={parent_hex};Sampled=0"
    fields = _fields(given)
    root, decision = fields.get("Root"), fields.get("Sampled")
    lineage = fields.get("Lineage") if root else None
    if not root:
        root, decision = f"1-{int(now):08x}-{root_hex[:_ROOT_HEX]}", None
    if decision not in ("0", "1"):
        decision = "1" if sampler is not None and sampler.samples(function_arn, now, root_hex) else "0"
    header = f"Root={root};Parent={parent_hex};Sampled={decision}"
    return f"{header};Lineage={lineage}" if lineage else header


def without_lineage(header: str) -> str:
    """Return of a header that was made here what a client is told: not who its chain of invocations has passed."""
    return header.partition(";Lineage=")[0]


def next_trace(
    given: str | None,
    now: float,
    root_hex: str,
    parent_hex: str,
    function_arn: str,
    sampler: Sampler | None = None,
) -> Trace:
    """
    Return the header that the runtime sees, with one more pass of the function in its lineage.

    Args:
        function_arn: unqualified: a chain that changes between versions is one, too.

    The others are those of `next_trace_header`.
    """
    if given is None:
        # The way of most requests.
        root = f"1-{int(now):08x}-{root_hex[:_ROOT_HEX]}"
        is_sampled = sampler is not None and sampler.samples(function_arn, now, root_hex)
        header = f"Root={root};Parent={parent_hex};Sampled={is_sampled:d};Lineage={_hash(function_arn)}:1"
        return Trace(header, 1, Sampled(root, "") if is_sampled else None)
    if (unsampled := _BEGUN_UNSAMPLED.fullmatch(given)) is not None:
        # The way of most events: what `next_trace_header` gave them.
        return Trace(f"Root={unsampled[1]};Parent={parent_hex};Sampled=0;Lineage={_hash(function_arn)}:1", 1)
    header = next_trace_header(given, now, root_hex, parent_hex, function_arn, sampler)
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
    sampled = sampled_under(head, given) if head.endswith("1") else None
    return Trace(f"{head};Lineage={lineage}", passes, sampled)


def sampled_under(header: str, given: str | None) -> Sampled | None:
    """
    Return under what a request is written down; None where it is not sampled, or its root is no trace's.

    Args:
        header: what `next_trace_header` has made of `given`.
    """
    if ";Sampled=1" not in header:
        return None
    root, _, rest = header.partition(";")
    trace_id = root.removeprefix("Root=")
    if ";Sampled=1" not in rest or _TRACE_ID.fullmatch(trace_id) is None:
        return None
    fields = _fields(given)
    parent = fields.get("Parent", "") if fields.get("Root") else ""
    return Sampled(trace_id.lower(), parent.lower() if _SEGMENT_ID.fullmatch(parent) else "")


def sampled_in(header: str | None) -> Sampled | None:
    """Return under what a header's own segments are written down; None where it is not sampled, or names no trace."""
    if not header:
        return None
    fields = _fields(header)
    trace_id, parent = fields.get("Root", ""), fields.get("Parent", "")
    if fields.get("Sampled") != "1" or _TRACE_ID.fullmatch(trace_id) is None:
        return None
    return Sampled(trace_id.lower(), parent.lower() if _SEGMENT_ID.fullmatch(parent) else "")


def below(header: str, parent_id: str) -> str:
    """Return a header that names another segment as the parent of what follows."""
    fields = {**_fields(header), "Parent": parent_id}
    return ";".join(f"{name}={fields[name]}" for name in _FIELDS if name in fields)


def linked_trace(given: str, now: float, root_hex: str, *, is_sampled: bool) -> str:
    """
    Return what the consumer of a message goes on with: a trace of its own, with the lineage of the message.

    Documented: X-Ray developer guide, SQS: a batch has many producers, so traces are linked and not continued.

    Args:
        given: what the message came with.
        now, root_hex: as of `next_trace_header`.
        is_sampled: whether a producer was; else nobody has decided.
    """
    lineage = _fields(given).get("Lineage")
    header = f"Root=1-{int(now):08x}-{root_hex[:_ROOT_HEX]}"
    if is_sampled:
        header += ";Sampled=1"
    return f"{header};Lineage={lineage}" if lineage else header


def rooted(given: str | None, now: float, root_hex: str) -> str:
    """
    Return a request's header as a front door passes it on: with a new root where it names none.

    The arguments are those of `next_trace_header`. Documented: X-Ray developer guide, tracing header.
    """
    return given if given and _fields(given).get("Root") else f"Root=1-{int(now):08x}-{root_hex[:_ROOT_HEX]}"


def with_lineage_of(given: str | None, running: str) -> str:
    """
    Return a request's header with the lineage of the invocation that it was sent from. One without a root goes on in
    that invocation's, undecided.

    Args:
        given: as sent: what a function says of its own past counts for nothing.
        running: the header of that invocation.
    """
    lineage = _fields(running).get("Lineage", "")
    fields = _fields(given)
    if not fields.get("Root"):
        fields = {"Root": _fields(running).get("Root", "")}
    head = ";".join(f"{name}={fields[name]}" for name in ("Root", "Parent", "Sampled") if name in fields)
    return f"{head};Lineage={lineage}"


def _fields(header: str | None) -> Mapping[str, str]:
    fields: dict[str, str] = {}
    if header and len(header) <= _HEADER_MAX and header.isascii() and header.isprintable():
        for part in header.split(";"):
            key, separator, value = part.strip().partition("=")
            name = _NAMES.get(key.lower())
            if separator and name and (name == "Lineage" or len(value) <= _VALUE_MAX):
                fields[name] = value
    return fields


@functools.lru_cache(maxsize=4096)
def _hash(function_arn: str) -> str:
    return hashlib.sha256(function_arn.encode()).hexdigest()[:8]
