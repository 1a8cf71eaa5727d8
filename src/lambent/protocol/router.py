"""
Which operation a request asks for, in each protocol.

rest-json matches method, path and fixed query parameters against the URIs of the model; the others carry the
operation's name in a header, a form field or the path. All routes come from the model.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import parse_qsl, unquote

import msgspec

from lambent.errors.families import UnknownOperationException
from lambent.protocol.form import FORM_TYPE, form_field
from lambent.protocol.scalars import percent_decode
from lambent.protocol.service_model import Operation, ServiceModel
from lambent.protocol.wire import WireRequest, media_type


class OperationMatch(msgspec.Struct, frozen=True):
    """The operation that a request asks for. One is made for each request, hence the cheap kind of class."""

    operation: Operation
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    """The path's labels by their name in the URI, decoded once."""


class UnknownTarget(UnknownOperationException):
    """The `X-Amz-Target` of a JSON request names no operation. The JSON protocols answer 400 where REST has 404."""

    status: ClassVar[int] = 400


class InvalidAction(UnknownOperationException):
    """The `Action` of a query request names no operation."""

    code: ClassVar[str] = "InvalidAction"
    status: ClassVar[int] = 400


Router = Callable[[WireRequest], OperationMatch]


def compile_router(model: ServiceModel) -> Router:
    """Build the router of a service's protocol."""
    return _ROUTERS[model.protocol](model)


@dataclass(slots=True)
class _Node:
    """One place in the tree of paths: below it, the next segment is a literal, a label or the rest of the path."""

    literals: "dict[str, _Node]" = field(default_factory=dict)
    label: "_Node | None" = None
    rest: "_Node | None" = None
    routes: "dict[str, list[_Route]]" = field(default_factory=dict)
    """The routes that end here by HTTP method, those with the most fixed query parameters first."""


@dataclass(frozen=True, slots=True)
class _Route:
    operation: Operation
    label_names: tuple[str, ...]
    fixed_query: tuple[tuple[str, str], ...]
    """Parameters that must be in the query, e.g. `List=ALL`."""


def _rest_router(model: ServiceModel) -> Router:
    root = _Node()
    for operation in model.operations.values():
        _plant(root, operation)

    def match(request: WireRequest) -> OperationMatch:
        # The raw path is split and only its labels are decoded, once: an ARN in a label may hold an encoded slash.
        # Documented: older SDKs end some paths with a slash that the model does not have.
        found = _walk(root, request.path.strip("/").split("/"), 0, request)
        if found is None:
            raise UnknownOperationException(f"No operation answers {request.method} {request.path}.")
        route, raw = found
        return OperationMatch(
            route.operation,
            {name: percent_decode(text) for name, text in zip(route.label_names, raw, strict=True)},
        )

    return match


def _plant(root: _Node, operation: Operation) -> None:
    """Add the URI of `operation` to the tree."""
    path, _, query = operation.uri.partition("?")
    node = root
    names = []
    for segment in path.strip("/").split("/"):
        if segment.startswith("{") and segment.endswith("+}"):
            names.append(segment[1:-2])
            node.rest = node.rest or _Node()
            node = node.rest
        elif segment.startswith("{"):
            names.append(segment[1:-1])
            node.label = node.label or _Node()
            node = node.label
        else:
            node = node.literals.setdefault(segment, _Node())
    route = _Route(operation, tuple(names), tuple(parse_qsl(query, keep_blank_values=True)))
    routes = node.routes.setdefault(operation.method, [])
    routes.append(route)
    routes.sort(key=lambda known: -len(known.fixed_query))


def _walk(node: _Node, segments: list[str], depth: int, request: WireRequest) -> tuple[_Route, list[str]] | None:
    """
    Follow the path down the tree; a literal is preferred to a label, a label to the rest.

    Returns:
        the route and the raw labels, or None.
    """
    if depth == len(segments):
        route = _pick(node, request)
        return None if route is None else (route, [])
    segment = segments[depth]
    literal = node.literals.get(segment)
    if literal is not None:
        found = _walk(literal, segments, depth + 1, request)
        if found is not None:
            return found
    if node.label is not None and segment:
        found = _walk(node.label, segments, depth + 1, request)
        if found is not None:
            found[1].insert(0, segment)
            return found
    if node.rest is not None:
        # From short to long, so that a URI with more after its greedy label is preferred to one that ends there.
        for end in range(depth + 1, len(segments) + 1):
            found = _walk(node.rest, segments, end, request)
            if found is not None:
                found[1].insert(0, "/".join(segments[depth:end]))
                return found
    return None


def _pick(node: _Node, request: WireRequest) -> _Route | None:
    """Choose among the routes of one path by method and fixed query parameters."""
    for route in node.routes.get(request.method, ()):
        if not route.fixed_query:
            return route
        given = parse_qsl(request.query, keep_blank_values=True)
        if all(pair in given for pair in route.fixed_query):
            return route
    return None


def _target_router(model: ServiceModel) -> Router:
    prefix = model.target_prefix + "."
    matches = {prefix + name: OperationMatch(operation) for name, operation in model.operations.items()}

    def match(request: WireRequest) -> OperationMatch:
        # The path is not looked at. Observed: SQS takes JSON posted to a queue's URL (aws/aws-sdk-php).
        target = request.headers.get("x-amz-target", "")
        found = matches.get(target)
        if found is None or request.method != "POST":
            raise UnknownTarget(f"No operation answers the target {target!r}.")
        return found

    return match


def _action_router(model: ServiceModel) -> Router:
    matches = {name: OperationMatch(operation) for name, operation in model.operations.items()}
    only_at_root = frozenset() if model.dialect is None else model.dialect.only_at_root

    def match(request: WireRequest) -> OperationMatch:
        is_form = request.method == "POST" and media_type(request) == FORM_TYPE
        action = (form_field(request.body, b"Action") if is_form else None) or form_field(
            request.query.encode(), b"Action"
        )
        if action is None:
            # Observed: a query service answers a request without an Action with 404 and this name as the XML root.
            raise UnknownOperationException("The request names no Action.")
        found = matches.get(action)
        if found is None or (action in only_at_root and request.path.strip("/")):
            # Observed: a queue's URL takes neither CreateQueue nor ListQueues (localstack/localstack, recorded).
            raise InvalidAction(f"The action {action} is not valid for this endpoint.")
        return found

    return match


def _cbor_router(model: ServiceModel) -> Router:
    matches = {name: OperationMatch(operation) for name, operation in model.operations.items()}

    def match(request: WireRequest) -> OperationMatch:
        # Documented: Smithy RPC v2 CBOR; only the last four segments count, the service may be an absolute shape
        # id, and a request that also carries a JSON target is refused.
        segments = request.path.rstrip("/").split("/")[-4:]
        if len(segments) == 4 and segments[0] == "service" and segments[2] == "operation":
            service = unquote(segments[1]).replace("#", ".").rpartition(".")[2]
            found = matches.get(segments[3])
            if (
                found is not None
                and service == model.target_prefix
                and request.method == "POST"
                and request.headers.get("smithy-protocol") == "rpc-v2-cbor"
                and "x-amz-target" not in request.headers
            ):
                return found
        raise UnknownOperationException(f"No operation answers {request.method} {request.path}.")

    return match


_ROUTERS: dict[str, Callable[[ServiceModel], Router]] = {
    "rest-json": _rest_router,
    "json": _target_router,
    "query": _action_router,
    "smithy-rpc-v2-cbor": _cbor_router,
}
