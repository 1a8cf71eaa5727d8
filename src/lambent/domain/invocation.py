"""One request to run a function, and what came of it."""

import enum

import msgspec


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
    SANDBOX_FAILED = "Sandbox.Failure"
    """Lambent could not provide the environment."""


class FunctionError(msgspec.Struct, frozen=True):
    """The customer's code failed. A value, not an exception: an ordinary outcome."""

    kind: str = "Unhandled"
    """What `X-Amz-Function-Error` says."""
    error_type: str = ""
    """`errorType` of the payload, for the REPORT line and retries."""


class RestoreFailure(enum.Enum):
    """How an environment of a version with SnapStart can fail to be restored: the handler did not run."""

    HOOK_FAILED = enum.auto()
    """A hook after the restore failed, or the runtime ended meanwhile."""
    TIMED_OUT = enum.auto()
    """The hooks took longer than they may."""


class InvocationOutcome(msgspec.Struct, frozen=True):
    """What an invocation came to. `payload` is passed through untouched."""

    payload: bytes
    executed_version: str
    error: FunctionError | None = None
    content_type: str = "application/json"
    log_tail: bytes | None = None
    """The last 4 KB of the invocation's log, when it was asked for."""
    restore_failure: RestoreFailure | None = None
    """Set when there is no payload because the environment could not be restored."""
