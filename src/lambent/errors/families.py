"""
The families of failure. Ask who is at fault; the answer picks the family.

    caller's fault        ApiError             raised; that shape and status on the wire
    customer's code       FunctionError        a value in InvocationOutcome; 200 + X-Amz-Function-Error
    the environment       EnvironmentFailure   a closed enum, an event of the environment's state machine
    store, child, host    DependencyError      raised by a contract; ServiceException at the gateway
    the operator          SettingsError        raised at start; exit code 2 and one line
    us                    assert               one task ends, its supervisor logs it, the process lives

`FunctionError` and `EnvironmentFailure` live in `domain/invocation.py`: they are values, not exceptions.
"""

from typing import Any, ClassVar, Literal


class ApiError(Exception):
    """
    A refusal that travels to the caller in the protocol's own error form.

    One generated subclass per error shape (errors/api/<service>.py), plus the
    framework errors below, which no service model holds.

    Args:
        message: the text for the caller.
        fields: further members of the error shape, by wire name.
        headers: further response headers, e.g. `Retry-After`.
    """

    code: ClassVar[str] = "ServiceException"
    status: ClassVar[int] = 500
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = True
    """Whether rest-json bodies carry `Type` (User or Service)."""

    def __init__(
        self, message: str = "", *, fields: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ):
        super().__init__(message)
        self.message = message
        self.fields = fields or {}
        self.headers = headers or {}


class FrameworkError(ApiError):
    """An error of the front door, outside every service model. Bodies carry no `Type`."""

    has_type = False


class ValidationException(FrameworkError):
    """A request violates the shape constraints of the model (most services' name for it)."""

    code = "ValidationException"
    status = 400


class SerializationException(FrameworkError):
    """A body cannot be read in its protocol: malformed JSON, CBOR or a value of the wrong type."""

    code = "SerializationException"
    status = 400
    message_key = "Message"


class UnsupportedMediaTypeException(FrameworkError):
    """The content type of the request is not one that its protocol reads."""

    code = "UnsupportedMediaTypeException"
    status = 415


class UnknownOperationException(FrameworkError):
    """No operation of the service model answers this method and path, or this target."""

    code = "UnknownOperationException"
    status = 404


class NotImplementedException(FrameworkError):
    """The model knows the operation; this version of Lambent does not offer it. SDKs do not retry 501."""

    code = "NotImplementedException"
    status = 501


class RequestEntityTooLargeException(FrameworkError):
    """The request body is larger than this operation takes."""

    code = "RequestEntityTooLargeException"
    status = 413


class AccessDeniedException(FrameworkError):
    """The caller may not do this."""

    code = "AccessDeniedException"
    status = 403
    message_key = "Message"


class MissingAuthenticationToken(FrameworkError):
    """Nobody signed a request that somebody has to sign."""

    code = "MissingAuthenticationTokenException"
    status = 403


class InternalServerError(FrameworkError):
    """Our fault; the log has the details under the request id."""

    code = "ServiceException"
    status = 500
    message_key = "Message"
    has_type = True


class DependencyError(Exception):
    """
    Something we rely on failed: the store, a child process, the host.

    Args:
        message: what failed, for the log.
        retryable: whether the same call may succeed later.
    """

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class SettingsError(Exception):
    """A setting that cannot be obeyed. The message names the setting; the start ends with exit code 2."""
