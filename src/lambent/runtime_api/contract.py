"""The interface that the Runtime API asks for, and what it offers in return."""

import enum
from typing import Protocol

import msgspec

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

    def response_too_large(self, request_id: str) -> Verdict:
        """A response body went past the limit; the rest of it was thrown away. TOO_LARGE or a refusal."""
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
