"""
What the Runtime API answers, byte for byte. All but the event are made once.

Source: Lambda developer guide, runtime API; the official runtime clients for what they read.
"""

from datetime import UTC, datetime

import msgspec

from lambent.access.secrets import Credentials
from lambent.domain.invocation import Invocation


def _answer(status: str, body: bytes, content_type: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode("ascii") + body


def _error(status: str, error_type: str, message: str) -> bytes:
    return _answer(status, msgspec.json.encode({"errorMessage": message, "errorType": error_type}) + b"\n")


# Documented: Lambda developer guide, runtime API, for status codes and `{"status":"OK"}`. The error types and texts are
# Observed: aws/aws-lambda-runtime-interface-emulator, package rendering.
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
ACCEPTED = _answer("202 Accepted", b'{"status":"OK"}\n')
RESTORED = _answer("200 OK", b"")
PONG = _answer("200 OK", b"pong", "text/plain")
INVALID_REQUEST_ID = _error("400 Bad Request", "InvalidRequestID", "Invalid request ID")
INVALID_RESPONSE_MODE = _error("400 Bad Request", "InvalidFunctionResponseMode", "Invalid function response mode")
TRUNCATED = _error("400 Bad Request", "TruncatedHTTPRequest", "HTTP request detected as truncated")
# Observed: the same, handler for credentials.
NO_CREDENTIALS = _answer(
    "404 Not Found", b"cannot get credentials for the provided token\n", "text/plain; charset=utf-8"
)
# Assumed: AWS names both states in this text; no client reads them, and the connection does not know them.
INVALID_STATE = _error(
    "403 Forbidden", "InvalidStateTransition", "State transition failed for runtime. Error: not allowed now"
)
INTERNAL = _error("500 Internal Server Error", "InternalServerError", "Internal Server Error")
# Assumed: what a path or a request that is not HTTP gets is nowhere published; clients only look at the status.
NOT_FOUND = _error("404 Not Found", "NotFound", "No such path in the runtime API")
OF_A_PAGE = _error("403 Forbidden", "AccessDenied", "The runtime API answers to runtimes, and to no page of the web")
NOT_HTTP = _error("400 Bad Request", "InvalidRequestFormat", "Not a well-formed HTTP/1.1 request")
HEAD_TOO_LARGE = _error("431 Request Header Fields Too Large", "RequestHeaderTooLarge", "Headers exceed the limit")
TOO_MANY_CONNECTIONS = _error(
    "503 Service Unavailable", "TooManyConnections", "Too many connections to the runtime API"
)


def credentials(found: Credentials) -> bytes:
    """
    Return the answer that holds credentials, as AWS SDKs read it.

    Documented: AWS SDKs and tools reference guide, container credential provider.
    """
    body = {
        "AccessKeyId": found.access_key,
        "SecretAccessKey": found.secret_key,
        "Token": found.session_token,
        "Expiration": datetime.fromtimestamp(found.expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return _answer("200 OK", msgspec.json.encode(body))


def too_large(limit_bytes: int) -> bytes:
    """Return the answer to a body beyond the limit."""
    text = f"Exceeded maximum allowed payload size ({limit_bytes} bytes)."
    return _error("413 Request Entity Too Large", "RequestEntityTooLarge", text)


def _header_value(text: str) -> str:
    """
    Return `text` fit for a header: printable ASCII.

    Callers choose what stands here (ARN, trace header, client context), so a line break must not pass. Other characters
    are written as JSON escapes: in the client context, the one value that may hold them, they then read as what was
    sent in every client, whether it takes headers for Latin-1 or for UTF-8.
    """
    if text.isascii() and text.isprintable():
        return text
    # A control character stands outside JSON's strings, where it is white space.
    plain = "".join(character if character >= " " and character != "\x7f" else " " for character in text)
    if plain.isascii():
        return plain
    units = plain.encode("utf-16-be", "surrogatepass")
    pairs = (int.from_bytes(units[index : index + 2], "big") for index in range(0, len(units), 2))
    return "".join(chr(unit) if unit < 0x80 else f"\\u{unit:04x}" for unit in pairs)


def event_head(invocation: Invocation, deadline_ms: int) -> bytes:
    """Return the head of the answer to Next. A header without a value is left out."""
    # The official Python client ends with SIGSEGV when Content-Type is absent.
    # Observed: aws/aws-lambda-python-runtime-interface-client 4.2.2.
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        f"Lambda-Runtime-Aws-Request-Id: {_header_value(invocation.request_id)}\r\n"
        f"Lambda-Runtime-Deadline-Ms: {deadline_ms}\r\n"
        f"Lambda-Runtime-Invoked-Function-Arn: {_header_value(invocation.invoked_arn)}\r\n"
    )
    if invocation.trace_header:
        head += f"Lambda-Runtime-Trace-Id: {_header_value(invocation.trace_header)}\r\n"
    if invocation.client_context:
        head += f"Lambda-Runtime-Client-Context: {_header_value(invocation.client_context)}\r\n"
    if invocation.tenant is not None:
        head += f"Lambda-Runtime-Aws-Tenant-Id: {_header_value(invocation.tenant)}\r\n"
    return f"{head}Content-Length: {len(invocation.payload)}\r\n\r\n".encode("ascii")
