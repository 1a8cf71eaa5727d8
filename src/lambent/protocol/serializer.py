"""
From an output or an error to a response: one writer per operation, compiled at its first use.

Members that are None or absent are left out. An output member that the model does not know is our own mistake and
fails an assertion.
"""

from collections.abc import Callable, Mapping
from typing import Any

from lambent.errors.families import AccessError, ApiError
from lambent.protocol.documents import CborWriters, JsonWriters, encode_json
from lambent.protocol.event_stream import CONTENT_TYPE as EVENT_STREAM
from lambent.protocol.event_stream import EventFrames, compile_event_writer, initial_response
from lambent.protocol.scalars import compile_text_writer, encode_base64
from lambent.protocol.service_model import Operation, ServiceModel, Shape
from lambent.protocol.wire import WireResponse
from lambent.protocol.xml import compile_xml_writer, element

Serializer = Callable[[Mapping[str, Any], str], WireResponse]
"""Output and request id to the response."""

ErrorSerializer = Callable[[ApiError, str], WireResponse]
"""Error and request id to the response."""

_Headers = list[tuple[bytes, bytes]]

_REQUEST_ID = b"x-amzn-requestid"
_CONTENT_TYPE = b"content-type"
_JSON = (_CONTENT_TYPE, b"application/json")
_NO_CONTENT = 204


def compile_serializer(model: ServiceModel, operation: Operation) -> Serializer:
    """Build the serializer of one operation's output."""
    assert not operation.has_event_stream or model.protocol in ("rest-json", "json"), f"{operation.name} has events"
    return _SERIALIZERS[model.protocol](model, operation)


def compile_error_serializer(model: ServiceModel) -> ErrorSerializer:
    """Build the serializer of a service's errors, modelled or not."""
    return _ERROR_SERIALIZERS[model.protocol](model)


# --- rest-json -------------------------------------------------------------------------------------------------------


class _RestBindings:
    """
    Where the members of an output or error shape travel in rest-json.

    Args:
        shape: the structure.
    """

    def __init__(self, shape: Shape) -> None:
        self.headers: list[tuple[str, bytes, Callable[[Any], str]]] = []
        self.prefixes: list[tuple[str, str]] = []
        self.status_member: str | None = None
        self.payload = shape.payload
        self.body_names: list[str] = []
        for name, member in shape.members.items():
            if member.location == "header":
                header = member.wire_name(name).lower().encode("ascii")
                self.headers.append((name, header, _header_writer(member)))
            elif member.location == "headers":
                self.prefixes.append((name, member.wire_name(name).lower()))
            elif member.location == "statusCode":
                self.status_member = name
            elif name != self.payload:
                self.body_names.append(name)
        self.outside_body = frozenset(shape.members) - frozenset(self.body_names)

    def write_headers(self, values: Mapping[str, Any], headers: _Headers) -> None:
        """Add the members that are headers."""
        for name, header, write in self.headers:
            value = values.get(name)
            if value is not None:
                headers.append((header, _header_bytes(write(value))))
        for name, prefix in self.prefixes:
            for key, text in (values.get(name) or {}).items():
                headers.append(((prefix + key.lower()).encode("ascii"), _header_bytes(text)))


def _header_writer(shape: Shape) -> Callable[[Any], str]:
    """Build the writer of one header."""
    if shape.type == "list":
        write_item = _header_writer(shape.item)
        return lambda items: ", ".join(map(write_item, items))
    if shape.traits.get("jsonvalue"):
        return lambda value: encode_base64(encode_json(value))
    return compile_text_writer(shape, "rfc822")


def _header_bytes(text: str) -> bytes:
    assert "\r" not in text and "\n" not in text, "a header is one line"
    return text.encode()


def _rest_json(_model: ServiceModel, operation: Operation) -> Serializer:
    shape = operation.output
    modelled_status = operation.status
    if shape is None:
        return lambda _output, request_id: WireResponse(modelled_status, [(_REQUEST_ID, request_id.encode())])
    bindings = _RestBindings(shape)
    if operation.has_event_stream:
        return _rest_event_stream(operation, shape, bindings)
    write_body = _rest_body_writer(shape, bindings)
    status_member = bindings.status_member

    def serialize(output: Mapping[str, Any], request_id: str) -> WireResponse:
        headers: _Headers = [(_REQUEST_ID, request_id.encode())]
        status = modelled_status
        if status_member is not None:
            status = output.get(status_member) or modelled_status
        bindings.write_headers(output, headers)
        if status == _NO_CONTENT:
            return WireResponse(status, headers)
        body = write_body(output)
        if body:
            headers.append(_JSON)
        return WireResponse(status, headers, body)

    return serialize


def _rest_event_stream(operation: Operation, shape: Shape, bindings: _RestBindings) -> Serializer:
    """Build the serializer of an output whose body is a stream of events."""
    assert bindings.payload is not None, f"{operation.name} asks for an event stream"
    stream, status_member = bindings.payload, bindings.status_member
    write_event = compile_event_writer(shape.members[stream])

    def serialize(output: Mapping[str, Any], request_id: str) -> WireResponse:
        headers: _Headers = [(_REQUEST_ID, request_id.encode())]
        status = (output.get(status_member) if status_member is not None else None) or operation.status
        bindings.write_headers(output, headers)
        events = output.get(stream)
        if events is None:
            return WireResponse(status, headers)
        headers.append((_CONTENT_TYPE, EVENT_STREAM))
        return WireResponse(status, headers, EventFrames(events, write_event))

    return serialize


def _rest_body_writer(shape: Shape, bindings: _RestBindings) -> Callable[[Mapping[str, Any]], bytes]:
    """Build the writer of a body: of one member as it is, of one structure, or of all that travels nowhere else."""
    payload = bindings.payload
    if payload is not None and shape.members[payload].type in ("blob", "string"):

        def write_raw(output: Mapping[str, Any]) -> bytes:
            value: str | bytes | None = output.get(payload)
            if value is None:
                return b""
            return value.encode() if isinstance(value, str) else value

        return write_raw
    if payload is not None:
        write_payload = JsonWriters().writer(shape.members[payload])

        def write_one(output: Mapping[str, Any]) -> bytes:
            value = output.get(payload)
            if value is None:
                return b"{}"
            return encode_json(value if write_payload is None else write_payload(value))

        return write_one
    write_members = JsonWriters().members(shape, bindings.body_names)
    outside_body = bindings.outside_body
    if not outside_body:
        return lambda output: encode_json(write_members(output))
    return lambda output: encode_json(
        write_members({name: value for name, value in output.items() if name not in outside_body})
    )


def _rest_json_errors(model: ServiceModel) -> ErrorSerializer:
    bound: dict[str, _RestBindings | None] = {}

    def bindings_of(code: str) -> _RestBindings | None:
        if code not in bound:
            bound[code] = _RestBindings(model.errors[code]) if code in model.errors else None
        return bound[code]

    def serialize(error: ApiError, request_id: str) -> WireResponse:
        headers: _Headers = [
            (_REQUEST_ID, request_id.encode()),
            (b"x-amzn-errortype", error.code.encode()),
            _JSON,
        ]
        fields = error.fields
        bindings = bindings_of(error.code)
        if bindings is not None and fields:
            bindings.write_headers(fields, headers)
            fields = {name: value for name, value in fields.items() if name not in bindings.outside_body}
        _add_headers(error, headers)
        body: dict[str, Any] = {"Type": "User" if error.status < 500 else "Service"} if error.has_type else {}
        body[error.message_key] = error.message
        body.update(_encodable_fields(model, error.code, fields))
        return WireResponse(error.status, headers, encode_json(body))

    return serialize


def _add_headers(error: ApiError, headers: _Headers) -> None:
    """Add the headers that an error brings along beside its members."""
    for name, text in error.headers.items():
        headers.append((name.lower().encode("ascii"), _header_bytes(text)))


def _encodable_fields(model: ServiceModel, code: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Turn the further members of an error into what JSON encodes; a rare path, so nothing is compiled ahead."""
    if not fields or code not in model.errors:
        return fields
    shape = model.errors[code]
    written: Mapping[str, Any] = JsonWriters().members(shape, list(shape.members))(fields)
    return written


# --- json ------------------------------------------------------------------------------------------------------------


def _json(model: ServiceModel, operation: Operation) -> Serializer:
    content_type = (_CONTENT_TYPE, f"application/x-amz-json-{model.json_version}".encode())
    status = operation.status
    if operation.output is None:
        return lambda _output, request_id: WireResponse(status, [(_REQUEST_ID, request_id.encode())])
    if operation.has_event_stream:
        return _json_event_stream(model, operation, operation.output)
    write = JsonWriters().members(operation.output, list(operation.output.members))

    def serialize(output: Mapping[str, Any], request_id: str) -> WireResponse:
        return WireResponse(status, [(_REQUEST_ID, request_id.encode()), content_type], encode_json(write(output)))

    return serialize


def _json_event_stream(model: ServiceModel, operation: Operation, shape: Shape) -> Serializer:
    """Build the serializer of an output with a stream of events; its other members are in an event before these."""
    (stream,) = (name for name, member in shape.members.items() if member.traits.get("eventstream"))
    content_type = f"application/x-amz-json-{model.json_version}"
    write_members = JsonWriters().members(shape, [name for name in shape.members if name != stream])
    write_event = compile_event_writer(shape.members[stream])

    def serialize(output: Mapping[str, Any], request_id: str) -> WireResponse:
        members = {name: value for name, value in output.items() if name != stream}
        first = initial_response(content_type, encode_json(write_members(members)))
        headers = [(_REQUEST_ID, request_id.encode()), (_CONTENT_TYPE, EVENT_STREAM)]
        # Such a stream has no end of its own that anybody would wait for.
        return WireResponse(
            operation.status, headers, EventFrames(output[stream], write_event, first), ends_with_client=True
        )

    return serialize


def _json_errors(model: ServiceModel) -> ErrorSerializer:
    content_type = (_CONTENT_TYPE, f"application/x-amz-json-{model.json_version}".encode())

    def serialize(error: ApiError, request_id: str) -> WireResponse:
        headers: _Headers = [(_REQUEST_ID, request_id.encode()), content_type]
        _add_query_error(model, error, headers)
        _add_headers(error, headers)
        body = _error_body(model, error)
        body.update(_encodable_fields(model, error.code, error.fields))
        return WireResponse(_status(model, error), headers, encode_json(body))

    return serialize


def _error_body(model: ServiceModel, error: ApiError) -> dict[str, Any]:
    """Return the members of an error that are not its shape's own."""
    if model.dialect is None:
        return {"__type": error.code, error.message_key: error.message}
    named = {"__type": model.dialect.type_of(error.code)}
    # Observed: some errors of CloudWatch have no text, and no member for it.
    return named | {error.message_key: error.message} if error.message else named


def _status(model: ServiceModel, error: ApiError) -> int:
    """Return the status of an error in JSON and CBOR."""
    if not isinstance(error, AccessError):
        return error.status
    # A service that had the query protocol before has its statuses still.
    return error.json_status if model.dialect is None else error.query_status


def _add_query_error(model: ServiceModel, error: ApiError, headers: _Headers) -> None:
    """Name the code that the service had when it spoke the query protocol, which SDKs show instead of the shape."""
    if model.is_query_compatible:
        party = "Sender" if error.status < 500 else "Receiver"
        headers.append((b"x-amzn-query-error", f"{_query_code(model, error)};{party}".encode()))


def _query_code(model: ServiceModel, error: ApiError) -> str:
    """Return the code of an error in the query protocol, which may differ from the shape's name."""
    if isinstance(error, AccessError):
        return error.query_code
    code = error.code
    shape = model.errors.get(code)
    return code if shape is None else str(shape.traits.get("error", {}).get("code", code))


# --- query -----------------------------------------------------------------------------------------------------------

_XML = (_CONTENT_TYPE, b"text/xml")


def _query(model: ServiceModel, operation: Operation) -> Serializer:
    name = operation.name
    shape = operation.output
    write = None if shape is None else compile_xml_writer(shape)
    wrapper = None if shape is None else shape.traits.get("resultWrapper")

    def serialize(output: Mapping[str, Any], request_id: str) -> WireResponse:
        result = "" if write is None else write(output)
        if wrapper is not None:
            result = f"<{wrapper}>{result}</{wrapper}>" if result else f"<{wrapper}/>"
        metadata = f"<ResponseMetadata>{element('RequestId', request_id)}</ResponseMetadata>"
        body = f'<{name}Response xmlns="{model.xml_namespace}">{result}{metadata}</{name}Response>'
        return WireResponse(operation.status, [(_REQUEST_ID, request_id.encode()), _XML], body.encode())

    return serialize


def _query_errors(model: ServiceModel) -> ErrorSerializer:
    texts = {} if model.dialect is None else model.dialect.texts
    detail = "<Detail/>" if model.dialect is not None and model.dialect.has_detail else ""

    def serialize(error: ApiError, request_id: str) -> WireResponse:
        headers: _Headers = [(_REQUEST_ID, request_id.encode()), _XML]
        _add_headers(error, headers)
        if error.code == "UnknownOperationException":
            # Observed: the answer to a request that names no action has the code as its root and nothing else.
            return WireResponse(error.status, headers, b"<UnknownOperationException/>")
        party = "Sender" if error.status < 500 else "Receiver"
        shape = model.errors.get(error.code)
        fields = compile_xml_writer(shape)(error.fields) if shape is not None and error.fields else ""
        text, status = texts.get(error.code, error.message), error.status
        if isinstance(error, AccessError):
            text, status = error.query_text or text, error.query_status
        # The text stands in `Message` for clients and once more where the shape spells its member otherwise.
        is_twice = error.message_key != "Message" and model.dialect is None and not isinstance(error, AccessError)
        own_text = element(error.message_key, text) if is_twice else ""
        body = (
            f'<ErrorResponse xmlns="{model.xml_namespace}"><Error>{element("Type", party)}'
            f"{element('Code', _query_code(model, error))}{element('Message', text)}"
            f"{own_text}{fields}{detail}</Error>{element('RequestId', request_id)}</ErrorResponse>"
        )
        return WireResponse(status, headers, body.encode())

    return serialize


# --- smithy-rpc-v2-cbor ----------------------------------------------------------------------------------------------

_RPC_V2 = (b"smithy-protocol", b"rpc-v2-cbor")
_CBOR = (_CONTENT_TYPE, b"application/cbor")


def _cbor(_model: ServiceModel, operation: Operation) -> Serializer:
    import cbor2

    status = operation.status
    if operation.output is None:
        return lambda _output, request_id: WireResponse(status, [(_REQUEST_ID, request_id.encode()), _RPC_V2])
    write = CborWriters().members(operation.output, list(operation.output.members))

    def serialize(output: Mapping[str, Any], request_id: str) -> WireResponse:
        return WireResponse(status, [(_REQUEST_ID, request_id.encode()), _RPC_V2, _CBOR], cbor2.dumps(write(output)))

    return serialize


def _cbor_errors(model: ServiceModel) -> ErrorSerializer:
    def serialize(error: ApiError, request_id: str) -> WireResponse:
        import cbor2

        headers: _Headers = [(_REQUEST_ID, request_id.encode()), _RPC_V2, _CBOR]
        _add_query_error(model, error, headers)
        _add_headers(error, headers)
        body = _error_body(model, error)
        shape = model.errors.get(error.code)
        if shape is not None and error.fields:
            body.update(CborWriters().members(shape, list(shape.members))(error.fields))
        return WireResponse(_status(model, error), headers, cbor2.dumps(body))

    return serialize


_SERIALIZERS: dict[str, Callable[[ServiceModel, Operation], Serializer]] = {
    "rest-json": _rest_json,
    "json": _json,
    "query": _query,
    "smithy-rpc-v2-cbor": _cbor,
}

_ERROR_SERIALIZERS: dict[str, Callable[[ServiceModel], ErrorSerializer]] = {
    "rest-json": _rest_json_errors,
    "json": _json_errors,
    "query": _query_errors,
    "smithy-rpc-v2-cbor": _cbor_errors,
}
