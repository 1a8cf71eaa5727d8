"""
From a request to parameters: one reader per operation, compiled from the model at the operation's first use.

A reader is a tree of closures, so that a request costs only the values it holds. Parameters are plain values: str,
int, float, bool, bytes, aware datetimes, lists and dicts by member name. A JSON null is an absent member; members
that the model does not know are ignored.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from lambent.errors.families import SerializationException, UnknownOperationException, UnsupportedMediaTypeException
from lambent.protocol.documents import CborReaders, JsonReaders, decode_cbor, decode_json
from lambent.protocol.form import FORM_TYPE, compile_form_reader
from lambent.protocol.scalars import TextReader, compile_text_reader, decode_base64, percent_decode
from lambent.protocol.service_model import Operation, ServiceModel, Shape
from lambent.protocol.wire import WireRequest, media_type

Parser = Callable[[Mapping[str, str], WireRequest], dict[str, Any]]
"""Labels of the path and the request to the operation's parameters; raises SerializationException."""


def compile_parser(model: ServiceModel, operation: Operation) -> Parser:
    """Build the parser of one operation."""
    parse = _COMPILERS[model.protocol](operation)
    member = None if model.dialect is None or model.protocol != "query" else model.dialect.path_member
    if member is None or operation.input is None or member not in operation.input.members:
        return parse
    return _with_path(parse, member)


def _with_path(parse: Parser, member: str) -> Parser:
    """Take the path for a member that the request does not give."""

    def parse_with_path(labels: Mapping[str, str], request: WireRequest) -> dict[str, Any]:
        parameters = parse(labels, request)
        if member not in parameters and request.path.strip("/"):
            parameters[member] = percent_decode(request.path)
        return parameters

    return parse_with_path


def _guard_depth(parse: Parser) -> Parser:
    """Answer a body that is nested too deeply for the interpreter's stack like any other that cannot be read."""

    def guarded(labels: Mapping[str, str], request: WireRequest) -> dict[str, Any]:
        try:
            return parse(labels, request)
        except RecursionError as too_deep:
            raise SerializationException("The request body is nested too deeply.") from too_deep

    return guarded


# --- rest-json -------------------------------------------------------------------------------------------------------


def _rest_json(operation: Operation) -> Parser:
    """Gather the parameters from the path, the query string, the headers and the body."""
    shape = operation.input
    if shape is None:
        return lambda _labels, _request: {}
    labels: list[tuple[str, str, TextReader]] = []
    headers: list[tuple[str, str, TextReader]] = []
    prefixes: list[tuple[str, str]] = []
    body_names: list[str] = []
    for name, member in shape.members.items():
        wire_name = member.wire_name(name)
        if member.location == "uri":
            labels.append((name, wire_name, compile_text_reader(member, "iso8601")))
        elif member.location == "header":
            headers.append((name, wire_name.lower(), _header_reader(member)))
        elif member.location == "headers":
            prefixes.append((name, wire_name.lower()))
        elif member.location is None:
            body_names.append(name)
    read_query = _query_string_reader(shape)
    read_body = _rest_body_reader(shape, body_names)

    def parse(found_labels: Mapping[str, str], request: WireRequest) -> dict[str, Any]:
        parameters: dict[str, Any] = {}
        for name, key, read in labels:
            parameters[name] = read(found_labels[key])
        if request.query and read_query is not None:
            read_query(request.query, parameters)
        sent = request.headers
        for name, key, read in headers:
            text = sent.get(key)
            if text is not None:
                parameters[name] = read(text)
        for name, prefix in prefixes:
            parameters[name] = {key[len(prefix) :]: text for key, text in sent.items() if key.startswith(prefix)}
        if request.body and read_body is not None:
            read_body(request, parameters)
        return parameters

    return _guard_depth(parse)


def _header_reader(shape: Shape) -> TextReader:
    """Build the reader of one header."""
    if shape.type == "list":
        read_item = _header_reader(shape.item)
        # A comma inside a date does not part two items.
        parting = re.compile(r"(?<=GMT)\s*,\s*") if shape.item.type == "timestamp" else None
        if parting is not None:
            return lambda text: [read_item(item) for item in parting.split(text.strip())]
        return lambda text: [read_item(item) for item in _split_header(text)]
    if shape.traits.get("jsonvalue"):
        return lambda text: decode_json(decode_base64(text))
    return compile_text_reader(shape, "rfc822")


_HEADER_ITEM = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*?))\s*(?:,|$)')


def _split_header(text: str) -> list[str]:
    """Split a header at its commas, those in double quotes excepted."""
    items = []
    position = 0
    while position < len(text):
        found = _HEADER_ITEM.match(text, position)
        if found is None:
            raise SerializationException("A list in a header cannot be read.")
        quoted, plain = found.groups()
        items.append(plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        position = found.end()
    return items


def _query_string_reader(shape: Shape) -> Callable[[str, dict[str, Any]], None] | None:
    """Build what adds the members of the query string to the parameters, or None where there are none."""
    singles: dict[str, tuple[str, TextReader]] = {}
    lists: dict[str, tuple[str, TextReader]] = {}
    rest: tuple[str, bool] | None = None
    for name, member in shape.members.items():
        if member.location == "querystring":
            if member.type == "list":
                lists[member.wire_name(name)] = (name, compile_text_reader(member.item, "iso8601"))
            elif member.type == "map":
                rest = (name, member.value.type == "list")
            else:
                singles[member.wire_name(name)] = (name, compile_text_reader(member, "iso8601"))
    if not (singles or lists or rest):
        return None

    def read_query(query: str, parameters: dict[str, Any]) -> None:
        for pair in query.split("&"):
            raw_key, _, raw_text = pair.partition("=")
            key = percent_decode(raw_key.replace("+", " "))
            text = percent_decode(raw_text.replace("+", " "))
            single = singles.get(key)
            if single is not None:
                # Assumed: of a repeated parameter the first counts, as in the servlet containers of the service.
                if single[0] not in parameters:
                    parameters[single[0]] = single[1](text)
            elif key in lists:
                name, read = lists[key]
                parameters.setdefault(name, []).append(read(text))
            elif rest is not None and key:
                others = parameters.setdefault(rest[0], {})
                if rest[1]:
                    others.setdefault(key, []).append(text)
                else:
                    others.setdefault(key, text)

    return read_query


def _rest_body_reader(shape: Shape, body_names: list[str]) -> Callable[[WireRequest, dict[str, Any]], None] | None:
    """Build what adds the members of the body to the parameters, or None where the body is not looked at."""
    payload = shape.payload
    if payload is not None and shape.members[payload].type in ("blob", "string"):
        is_text = shape.members[payload].type == "string"

        def read_raw(request: WireRequest, parameters: dict[str, Any]) -> None:
            # Assumed: any content type is taken for a raw payload, since clients send several.
            if not is_text:
                parameters[payload] = request.body
                return
            try:
                parameters[payload] = request.body.decode()
            except UnicodeDecodeError as malformed:
                raise SerializationException("The request body is not UTF-8.") from malformed

        return read_raw
    if payload is not None:
        read_payload = JsonReaders().reader(shape.members[payload])

        def read_one(request: WireRequest, parameters: dict[str, Any]) -> None:
            _require_json(request)
            decoded = decode_json(request.body)
            if decoded is not None:
                parameters[payload] = read_payload(decoded)

        return read_one
    if not body_names:
        return None
    read_members = JsonReaders().members(shape, body_names)

    def read_all(request: WireRequest, parameters: dict[str, Any]) -> None:
        _require_json(request)
        parameters.update(read_members(decode_json(request.body)))

    return read_all


def _require_json(request: WireRequest) -> None:
    """
    Refuse a body that says it is something else than JSON.

    Raises:
        UnsupportedMediaTypeException: it does. A body that says nothing is taken for JSON.
    """
    # Assumed: the code that Smithy's REST JSON protocol names for this; recorded answers are not public.
    if request.headers.get("content-type") == "application/json":
        return
    named = media_type(request)
    if named not in ("", "application/json") and not named.endswith("+json") and "x-amz-json" not in named:
        raise UnsupportedMediaTypeException(f"The content type {named} is not supported.")


# --- json, query, cbor -----------------------------------------------------------------------------------------------


def _json(operation: Operation) -> Parser:
    read = JsonReaders().reader(operation.input) if operation.input is not None else None

    def parse(_labels: Mapping[str, str], request: WireRequest) -> dict[str, Any]:
        # Observed: a JSON service that gets another content type does not know the operation (mhart/dynalite).
        if media_type(request) not in ("application/x-amz-json-1.1", "application/x-amz-json-1.0", "application/json"):
            raise UnknownOperationException("The content type of the request is not one of this protocol.")
        if read is None or not request.body:
            return {}
        parameters: dict[str, Any] = read(decode_json(request.body))
        return parameters

    return _guard_depth(parse)


def _query(operation: Operation) -> Parser:
    read = compile_form_reader(operation.input)

    def parse(_labels: Mapping[str, str], request: WireRequest) -> dict[str, Any]:
        form = request.query
        if request.method == "POST" and media_type(request) == FORM_TYPE:
            try:
                posted = request.body.decode("ascii")
            except UnicodeDecodeError as malformed:
                raise SerializationException("The form cannot be read.") from malformed
            form = f"{form}&{posted}" if form else posted
        return read(form)

    return _guard_depth(parse)


def _cbor(operation: Operation) -> Parser:
    read = CborReaders().reader(operation.input) if operation.input is not None else None

    def parse(_labels: Mapping[str, str], request: WireRequest) -> dict[str, Any]:
        if read is None or not request.body:
            return {}
        if media_type(request) != "application/cbor":
            # Documented: Smithy RPC v2 CBOR.
            raise UnsupportedMediaTypeException("The content type of the request is not application/cbor.")
        parameters: dict[str, Any] = read(decode_cbor(request.body))
        return parameters

    return _guard_depth(parse)


_COMPILERS: dict[str, Callable[[Operation], Parser]] = {
    "rest-json": _rest_json,
    "json": _json,
    "query": _query,
    "smithy-rpc-v2-cbor": _cbor,
}
