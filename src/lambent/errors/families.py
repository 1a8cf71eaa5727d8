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


class AccessError(FrameworkError):
    """
    It is not known who calls, or they may not do this. Each protocol has a code and a status of its own for each case:
    `code` and `status` are those of rest-json.

    Documented: AWS General Reference and Amazon S3 API reference, error codes. Observed: statuses by protocol in field
    reports of SDKs' users.
    """

    json_status: ClassVar[int] = 400
    """Of JSON and CBOR."""
    query_code: ClassVar[str]
    query_status: ClassVar[int] = 403
    query_text: ClassVar[str | None] = None
    """Where it differs."""
    s3_code: ClassVar[str]
    s3_status: ClassVar[int] = 403


class AccessDeniedException(AccessError):
    """The caller may not do this."""

    code = "AccessDeniedException"
    status = 403
    message_key = "Message"
    query_code = "AccessDenied"
    s3_code = "AccessDenied"


class MissingAuthenticationToken(AccessError):
    """Nobody signed a request that somebody has to sign."""

    code = "MissingAuthenticationTokenException"
    status = 403
    query_code = "MissingAuthenticationToken"
    query_text = "Request is missing Authentication Token"
    s3_code = "AccessDenied"


class IncompleteSignature(AccessError):
    """A signature that cannot be read, or of a kind that is not verified."""

    code = "IncompleteSignatureException"
    status = 403
    query_code = "IncompleteSignature"
    query_status = 400
    s3_code = "AuthorizationHeaderMalformed"
    s3_status = 400


class UnrecognizedClient(AccessError):
    """A key that there is not, or that does not count any more."""

    code = "UnrecognizedClientException"
    status = 403
    query_code = "InvalidClientTokenId"
    s3_code = "InvalidAccessKeyId"


class InvalidSessionToken(UnrecognizedClient):
    """A session token that was not made here, or for another key."""

    s3_code = "InvalidToken"
    s3_status = 400


class ExpiredToken(AccessError):
    """A session that is over."""

    code = "ExpiredTokenException"
    status = 403
    query_code = "ExpiredToken"
    s3_code = "ExpiredToken"
    s3_status = 400


class InvalidSignature(AccessError):
    """The request is not what was signed, or not with this key."""

    code = "InvalidSignatureException"
    status = 403
    query_code = "SignatureDoesNotMatch"
    s3_code = "SignatureDoesNotMatch"


class OutOfScope(InvalidSignature):
    """It was signed for another service, or for none."""

    s3_code = "AuthorizationHeaderMalformed"
    s3_status = 400


class OutOfTime(InvalidSignature):
    """It was signed too long ago, or will be."""

    s3_code = "RequestTimeTooSkewed"


class UrlExpired(InvalidSignature):
    """A presigned URL whose time is over."""

    s3_code = "AccessDenied"


class BodyNotAsSigned(InvalidSignature):
    """The body is not the one whose hash was signed."""

    s3_code = "XAmzContentSHA256Mismatch"
    s3_status = 400


class HeadersNotSigned(InvalidSignature):
    """Headers that change what a request means, and that the signature leaves out."""

    s3_code = "AccessDenied"


class InvalidPresignedUrl(IncompleteSignature):
    """The parameters of a presigned URL make no sense."""

    s3_code = "AuthorizationQueryParametersError"


class UnsupportedSignature(IncompleteSignature):
    """Signed in a way that is not verified here."""

    s3_code = "InvalidRequest"


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
