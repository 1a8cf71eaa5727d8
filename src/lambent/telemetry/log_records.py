"""
The records of the functions' log, as they lie in segment files.

Each is an array: a word that says which it is, then its fields in order. Fields may be added at the end, with a
default: segments that an older version wrote are read all the same.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from lambent.domain.usage import UsageClass


class Usage(msgspec.Struct, frozen=True, gc=False):
    """What one invocation used and is billed for, as its REPORT says it."""

    duration_ms: float = 0.0
    """From START to the runtime's next Next."""
    init_ms: float = 0.0
    """Of the init phase on a cold start, else 0."""
    billed_ms: int = 0
    cpu_us: int = 0
    """Processor time, init included on a cold start; 0 where the sandbox cannot tell."""
    memory_peak_mib: int = 0
    """The most that the environment has used so far."""
    streamed_bytes: int = 0
    """Of a streamed response; 0 of one that was buffered."""
    is_restored: bool = False
    """Whether a snapshot was restored for it."""


NOTHING_USED: Final = Usage()
NO_CLASS: Final = UsageClass()


class Output(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="output"):
    """Messages of the function, or of the platform outside any invocation."""

    account: str
    region: str
    group: str
    stream: str
    at_ms: int
    messages: Sequence[str]


class Started(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="started"):
    """An invocation starts. Precedes its response, so that no crash makes it unheard of."""

    account: str
    region: str
    group: str
    stream: str
    at_ms: int
    messages: Sequence[str]
    request_id: str
    version: str
    memory_mib: int
    timeout_s: int
    system_level: str = ""
    """Empty with the text format, and in segments that older versions wrote."""
    function: str = ""
    qualifier: str = ""
    of: UsageClass = NO_CLASS


class Ended(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="ended"):
    """
    An invocation has ended and been reported. A bill is folded from this and its `Started`.

    What has a default is missing in segments that older versions wrote.
    """

    account: str
    region: str
    group: str
    stream: str
    at_ms: int
    messages: Sequence[str]
    request_id: str
    duration_ms: float = 0.0
    init_ms: float = 0.0
    billed_ms: int = 0
    cpu_us: int = 0
    memory_peak_mib: int = 0
    function: str = ""
    """Empty in segments that older versions wrote: no figures follow from those."""
    qualifier: str = ""
    version: str = ""
    started_ms: int = 0
    status: str = ""
    is_weighted: bool = False
    streamed_bytes: int = 0
    is_restored: bool = False
    of: UsageClass = NO_CLASS


class Put(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="put"):
    """Events that a caller of the API wrote."""

    account: str
    region: str
    group: str
    stream: str
    at_ms: int
    """When they were taken in."""
    messages: Sequence[str]
    timestamps: Sequence[int]
    """Of each message, as its writer says."""


class Allocated(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="allocated"):
    """Environments are kept initialised for a version, until then at least: that is counted, whatever comes."""

    account: str
    region: str
    function: str
    version: str
    of: UsageClass
    from_ms: int
    until_ms: int
    environments: int


Written = Output | Started | Ended | Put
AnyRecord = Written | Allocated

encode: Final[Callable[[AnyRecord], bytes]] = msgspec.msgpack.Encoder().encode
decode: Final[Callable[[bytes], AnyRecord]] = msgspec.msgpack.Decoder[AnyRecord](AnyRecord).decode
decode_all: Final[Callable[[bytes], list[AnyRecord]]] = msgspec.msgpack.Decoder[list[AnyRecord]](list[AnyRecord]).decode
"""Of an array of records."""
