"""The interface that the Runtime API asks for, and what it offers in return."""

import enum
from typing import Protocol

import msgspec

from lambent.access.secrets import Credentials
from lambent.domain.invocation import Invocation


class Verdict(enum.Enum):
    """What became of a runtime's post. Each maps to one answer of reference 'Runtime API'."""

    ACCEPTED = enum.auto()
    """202 `{"status":"OK"}`."""
    INVALID_REQUEST_ID = enum.auto()
    """400 InvalidRequestID: unknown, finished, or another invocation's id."""
    INVALID_STATE = enum.auto()
    """403 InvalidStateTransition: not the time for it."""
    TOO_LARGE = enum.auto()
    """413 RequestEntityTooLarge."""


class Post(msgspec.Struct, frozen=True):
    """A response or an error that a runtime posted."""

    body: bytes
    content_type: str
    error_type: str = ""
    """Header Lambda-Runtime-Function-Error-Type, when sent."""
    cause: str = ""
    """Header Lambda-Runtime-Function-XRay-Error-Cause, likewise: JSON, for traces alone."""


class NextCall(Protocol):
    """One pending GET .../invocation/next."""

    def deliver(self, invocation: Invocation, deadline_ms: int) -> None:
        """Answer the call with an invocation. Called at most once. On a connection that died, does nothing."""
        ...


class RestoreCall(Protocol):
    """One pending GET .../restore/next."""

    def restored(self) -> None:
        """Answer the call. Called at most once. On a connection that died, does nothing."""
        ...


class Inflow(Protocol):
    """The connection that a streamed response comes in on."""

    def pause(self) -> None:
        """Read no more of it. What has been read already is still handed on."""
        ...

    def resume(self) -> None:
        """Read on. On a connection that died, or whose response is over, does nothing."""
        ...


class RuntimeEvents(Protocol):
    """
    What happens at one environment's Runtime API. Plain methods, called on the event loop.

    All are called from the connection's data callback: they must not block.
    """

    def next_requested(self, call: NextCall) -> Verdict:
        """
        The runtime asks for work: init, or the invocation before, is over. ACCEPTED keeps the call open until
        `deliver`; INVALID_STATE refuses it. A repeated Next before an answer was posted re-delivers the same event.
        """
        ...

    def response_posted(self, request_id: str, post: Post) -> Verdict: ...

    def response_too_large(self, request_id: str, limit_bytes: int) -> Verdict:
        """
        A response body went past the limit; the rest of it is thrown away. TOO_LARGE or a refusal. Also in the midst of
        a streamed response, which it ends.
        """
        ...

    def response_begun(self, request_id: str, content_type: str, inflow: Inflow) -> bool:
        """
        The runtime has begun to stream a response. Whether its pieces are wanted: `response_piece` follows for each,
        then one of `response_ended`, `error_posted`, `response_too_large` and `response_broken`. Else the whole is
        gathered and posted like any other.
        """
        ...

    def response_piece(self, request_id: str, piece: bytes) -> None:
        """A piece of the streamed response has come. Thrown away when the invocation is over."""
        ...

    def response_ended(self, request_id: str) -> Verdict:
        """The streamed response has come to its end."""
        ...

    def response_broken(self, request_id: str) -> None:
        """
        A response, streamed or not, or an error was cut off. The runtime is about to end, posts it once more, or goes
        on with something else.
        """
        ...

    def error_posted(self, request_id: str, post: Post) -> Verdict: ...

    def init_error_posted(self, post: Post) -> Verdict: ...

    def restore_requested(self, call: RestoreCall) -> Verdict:
        """
        The runtime of an environment for SnapStart has run its hooks before the snapshot. ACCEPTED keeps the call open
        until `restored`; INVALID_STATE refuses it.
        """
        ...

    def restore_error_posted(self, post: Post) -> Verdict: ...

    def credentials_requested(self, token: str) -> Credentials | None:
        """Return fresh credentials of the function; None: the token is not this environment's."""
        ...
