"""One request to run a function, and what came of it."""

import enum
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import msgspec

from lambent.domain.traced import Tracing


class Invocation(msgspec.Struct, frozen=True):
    """One invocation, ready to run: everything that the runtime will be told."""

    request_id: str
    invoked_arn: str
    """As the caller addressed it: the qualifier only if one was given."""
    payload: bytes
    """JSON, checked to be so but never decoded on the way."""
    trace_header: str
    client_context: str | None = None
    """Decoded JSON text, not base64."""
    wants_tail: bool = False
    """Whether the answer waits for REPORT and carries the end of the log."""
    tenant: str | None = None
    """For whom it is, where the function tells tenants apart."""
    wants_stream: bool = False
    """Whether the caller takes the response piece by piece; else one that the runtime streams is gathered first."""
    tracing: Tracing | None = None
    """None: it is not sampled, as nearly all are."""
    is_weighted: bool = False
    """Whether an alias's weights chose the version."""


class EnvironmentFailure(enum.Enum):
    """
    How an execution environment can fail an invocation. The value is the `errorType` on the wire.

    Source: Lambda developer guide; recorded answers of the service.
    """

    TIMED_OUT = "Sandbox.Timedout"
    """The function did not finish within its timeout."""
    EXITED = "Runtime.ExitError"
    """The runtime's process ended while an invocation was pending; out of memory shows as `signal: killed`."""
    INVALID_ENTRYPOINT = "Runtime.InvalidEntrypoint"
    """The runtime could not be started: no bootstrap, or not executable."""
    RESPONSE_TOO_LARGE = "Function.ResponseSizeTooLarge"
    """The response is beyond the payload limit."""
    RESPONSE_TRUNCATED = "Runtime.TruncatedResponse"
    """The runtime broke off a response that it was streaming."""
    SANDBOX_FAILED = "Sandbox.Failure"
    """Lambent could not provide the environment."""


class FunctionError(msgspec.Struct, frozen=True):
    """The customer's code failed. A value, not an exception: an ordinary outcome."""

    kind: str = "Unhandled"
    """What `X-Amz-Function-Error` says."""
    error_type: str = ""
    """`errorType` of the payload, for the REPORT line and retries."""


class StreamEnd(msgspec.Struct, frozen=True):
    """How a streamed response ended."""

    error: FunctionError | None = None
    error_payload: bytes = b""
    """What tells of the error, as a buffered response's payload would; empty without one."""
    log_tail: bytes | None = None
    """The last 4 KB of the invocation's log, when it was asked for."""


class ResponseStream(Protocol):
    """
    A response that comes in pieces while the handler runs. One reader, which iterates over the pieces and then looks at
    `end`, or calls `close`. A reader that is slow slows the function down; one that goes changes nothing else.
    """

    @property
    def end(self) -> StreamEnd | None:
        """How it ended; None until the runtime is done."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the pieces, none of them empty; their boundaries mean nothing."""
        ...

    async def take(self) -> list[bytes | bytearray]:
        """Return the pieces that have come, once there are any, not joined; an empty list at the end."""
        ...

    def when_ended(self, call: Callable[[], None]) -> None:
        """Have `call` called when the runtime is done, at once if it is. It must not raise."""
        ...

    def close(self) -> None:
        """Say that nobody reads any more: what is there and what comes is thrown away. Idempotent."""
        ...


class RestoreFailure(enum.Enum):
    """How an environment of a version with SnapStart can fail to be restored: the handler did not run."""

    HOOK_FAILED = enum.auto()
    """A hook after the restore failed, or the runtime ended meanwhile."""
    TIMED_OUT = enum.auto()
    """The hooks took longer than they may."""


class InvocationOutcome(msgspec.Struct, frozen=True):
    """What an invocation came to, or is coming to where `stream` is set. `payload` is passed through untouched."""

    payload: bytes
    executed_version: str
    error: FunctionError | None = None
    content_type: str = "application/json"
    log_tail: bytes | None = None
    """The last 4 KB of the invocation's log, when it was asked for."""
    is_cold: bool = False
    """Whether its environment was started for it: that it took long says nothing of the next one."""
    restore_failure: RestoreFailure | None = None
    """Set when there is no payload because the environment could not be restored."""
    stream: ResponseStream | None = None
    """
    The response, instead of `payload`, `error` and `log_tail`: the caller wanted it so and the runtime streams. Whoever
    gets it reads or closes it.
    """
