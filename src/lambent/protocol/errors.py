"""An error's form when no service model is at hand: the request itself shows which protocol it speaks."""

import cbor2
import msgspec

from lambent.errors.families import AccessError, ApiError
from lambent.protocol.wire import WireRequest, WireResponse
from lambent.protocol.xml import escape


def error_response_without_model(
    request: WireRequest, signing_name: str, error: ApiError, request_id: str
) -> WireResponse:
    """
    Render an error for a service that we hold no model of, or before one was chosen.

    Args:
        request: its headers tell the protocol.
        signing_name: of the service, where known; S3 has an error form of its own.
    """
    headers = [
        (b"x-amzn-requestid", request_id.encode()),
        *((name.encode(), value.encode()) for name, value in error.headers.items()),
    ]
    content_type = request.headers.get("content-type", "")
    if request.headers.get("smithy-protocol") == "rpc-v2-cbor":
        headers += [(b"smithy-protocol", b"rpc-v2-cbor"), (b"content-type", b"application/cbor")]
        return WireResponse(_json_status(error), headers, cbor2.dumps({"__type": error.code, "message": error.message}))
    if "x-amz-target" in request.headers or content_type.startswith("application/x-amz-json"):
        headers.append((b"content-type", b"application/x-amz-json-1.1"))
        return WireResponse(
            _json_status(error), headers, msgspec.json.encode({"__type": error.code, "message": error.message})
        )
    code, message, status = escape(error.code), escape(error.message), error.status
    if signing_name in {"s3", "s3express", "s3control"}:
        if isinstance(error, AccessError):
            code, status = error.s3_code, error.s3_status
        headers.append((b"content-type", b"application/xml"))
        fields = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in error.fields.items())
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message>{fields}'
            f"<RequestId>{request_id}</RequestId></Error>"
        )
        return WireResponse(status, headers, b"" if request.method == "HEAD" else body.encode())
    if content_type.startswith("application/x-www-form-urlencoded"):
        headers.append((b"content-type", b"text/xml"))
        if isinstance(error, AccessError):
            code, status, message = error.query_code, error.query_status, escape(error.query_text or error.message)
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return WireResponse(status, headers, body.encode())
    headers += [(b"content-type", b"application/json"), (b"x-amzn-errortype", error.code.encode())]
    key = error.message_key if isinstance(error, AccessError) else "message"
    return WireResponse(error.status, headers, msgspec.json.encode({key: error.message}))


def _json_status(error: ApiError) -> int:
    return error.json_status if isinstance(error, AccessError) else error.status
