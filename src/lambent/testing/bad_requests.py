"""
Requests that nobody should send, as hypothesis strategies: from values that fit a service's model, over values that
break it in one place, to bytes that no client writes.

`Requests` makes them for one service; `lambent.testing.api` answers them.
"""

import base64
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, quote_plus

from hypothesis import strategies as st

from lambent.protocol.form import FORM_TYPE
from lambent.protocol.service_model import Operation, ServiceModel, Shape
from lambent.protocol.wire import WireRequest
from lambent.testing import junk
from lambent.testing.api import authorization
from lambent.testing.junk import Raw, write_json

_DEPTH_MAX = 3
"""How deep optional members of structures are filled."""


# What an HTTP server lets through to an application: no controls, and each byte a character.
_NO_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NO_TARGET = re.compile(r"[\x00-\x20\x7f#?]")


def _to_text(value: Any) -> str:
    """Write a value where only text can be: in a path, a query string or a header."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return write_json(value)[:10_000]


def _to_header(text: str) -> str:
    return _NO_HEADER.sub("?", text.encode("utf-8", "surrogatepass").decode("latin-1")[:20_000])


def _percent_encoded(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def _plain_label(text: str) -> str:
    """Write a label as careless clients do: as it is."""
    return _NO_TARGET.sub("", text.encode("utf-8", "surrogatepass").decode("latin-1"))


_LABELS: tuple[Callable[[str], str], ...] = (
    *[_percent_encoded] * 9,
    _plain_label,
    lambda text: quote(_percent_encoded(text), safe=""),
    lambda text: "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass")),
    lambda text: _percent_encoded(text) + "%",
)
"""The ways to write a label of a path."""


class Requests:
    """
    Strategies for one service's requests.

    Args:
        service: the model's name in botocore.
        words: name of a shape to values that mean something in the state that requests meet: names that exist, ARNs
            of every form. They are taken more often than values which the model alone suggests, the first most often:
            it should be one that succeeds. A member's own words, as for `CreateAliasRequest.Name`, come before its
            shape's.
        usual: members that are optional in the model, and without which little succeeds, e.g.
            `CreateFunctionRequest.Runtime`.
    """

    def __init__(self, service: str, words: Mapping[str, Sequence[Any]], usual: Collection[str] = ()) -> None:
        self._service = service
        self._model = ServiceModel(service)
        self._words = words
        self._usual = frozenset(usual)
        self._known: dict[tuple[str, int], st.SearchStrategy[Any]] = {}

    def of(self, operation: str) -> st.SearchStrategy[WireRequest]:
        """Make requests that a router takes for the operation, unless their path or method is what is wrong."""
        return _requests(self, self._service, self._model, self._model.operations[operation])

    # --- values ------------------------------------------------------------------------------------------------------

    def values(self, shape: Shape, depth: int = 0, member: str = "") -> st.SearchStrategy[Any]:
        """
        Make values that mostly fit the model's constraints.

        Args:
            member: the structure and the member that the value is for, as in `CreateAliasRequest.Name`.
        """
        words = self._words.get(member) or self._words.get(shape.name)
        key = (member if words else f"{shape.name} {shape.traits}", depth)
        if key not in self._known:
            made = self._of_type(shape, depth)
            if words:
                made = _mostly(list(words), made)
            self._known[key] = made
        return self._known[key]

    def _of_type(self, shape: Shape, depth: int) -> st.SearchStrategy[Any]:
        traits = shape.traits
        match shape.type:
            case "structure":
                return self._structure(shape, depth)
            case "list":
                least = min(int(traits.get("min", 0)), 5)
                return st.lists(self.values(shape.item, depth + 1), min_size=least, max_size=max(least, 3))
            case "map":
                return st.dictionaries(
                    self.values(shape.key, depth + 1), self.values(shape.value, depth + 1), max_size=3
                )
            case "boolean":
                return st.booleans()
            case "integer" | "long":
                least = int(traits.get("min", -5))
                most = int(traits.get("max", 2**31 - 1 if shape.type == "integer" else 2**63 - 1))
                return st.sampled_from([least, least + 1, most]) | st.integers(least, most)
            case "float" | "double":
                low, high = float(traits.get("min", 0.0)), float(traits.get("max", 1.0))
                return st.floats(low, high) | st.sampled_from([low, high])
            case "timestamp":
                return st.integers(0, 2**33)
            case "blob":
                return st.binary(max_size=20)
        return self._text(shape)

    def _text(self, shape: Shape) -> st.SearchStrategy[str]:
        traits = shape.traits
        if traits.get("enum"):
            return st.sampled_from(traits["enum"])
        least, most = int(traits.get("min", 0)), int(traits.get("max", 60))
        pattern = traits.get("pattern")
        if pattern is not None:
            try:
                made = st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True)
            except re.error:
                # Java's classes: \p{L} and its like.
                made = st.text(st.characters(categories=("L", "N", "Zs")), max_size=20)
            return made.filter(lambda text: least <= len(text) <= max(most, 60))
        return st.text(min_size=min(least, 60), max_size=min(most, 60)) | st.sampled_from(
            ["a" * least, "a" * min(most, 9000)]
        )

    def _structure(self, shape: Shape, depth: int) -> st.SearchStrategy[dict[str, Any]]:
        required = {
            name
            for name, member in shape.members.items()
            if name in shape.required or member.location == "uri" or f"{shape.name}.{name}" in self._usual
        }
        members = {name: member for name, member in shape.members.items() if name in required or depth < _DEPTH_MAX}

        @st.composite
        def structures(draw: st.DrawFn) -> dict[str, Any]:
            optional = sorted(members.keys() - required)
            # Few at a time: each further member is one more reason to be refused for something uninteresting.
            chosen = draw(st.lists(st.sampled_from(optional), max_size=3, unique=True)) if optional else []
            return {
                name: draw(self.values(members[name], depth + 1, f"{shape.name}.{name}"))
                for name in (*sorted(required), *chosen)
            }

        return structures()

    def edges(self, shape: Shape) -> st.SearchStrategy[Any]:
        """Make values that lie just beyond the model's constraints, and values of no sense at all."""
        beyond: list[Any] = []
        most, least = shape.traits.get("max"), shape.traits.get("min")
        match shape.type:
            case "integer" | "long" | "float" | "double":
                beyond += [bound + step for bound, step in ((most, 1), (least, -1)) if bound is not None]
            case "string":
                beyond += [*junk.TEXTS, *junk.DOCUMENTS] if shape.name.endswith("Policy") else junk.TEXTS
                beyond += ["a" * int(bound) for bound in (most and most + 1, least and least - 1) if bound is not None]
            case "blob":
                beyond += [
                    Raw(f'"{text}"') for text in ("=", "A", "A===", "AA==AA==", "\\u00e9", "-_-_", " ", "AA=\\n=")
                ]
        return st.sampled_from(junk.JUNK) if not beyond else _mostly(beyond, st.sampled_from(junk.JUNK), first=False)


@st.composite
def _mostly(draw: st.DrawFn, words: list[Any], others: st.SearchStrategy[Any], *, first: bool = True) -> Any:
    """Draw the first of some words, seldom another, now and then something else. `one_of` knows no weights."""
    kind = draw(st.sampled_from([0, 0, 0, 0, 0, 0, 0, 1, 1, 2] if first else [1, 1, 1, 2]))
    return words[0] if kind == 0 else draw(st.sampled_from(words) if kind == 1 else others)


def _places(shape: Shape, value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Shape]]:
    """Yield every place in a value, with the shape that belongs there."""
    if place:
        yield place, shape
    if isinstance(value, Raw):
        return
    if shape.type == "structure" and isinstance(value, dict):
        for name, item in value.items():
            if name in shape.members:
                yield from _places(shape.members[name], item, (*place, name))
    elif shape.type == "map" and isinstance(value, dict):
        for key, item in value.items():
            yield from _places(shape.value, item, (*place, key))
    elif shape.type == "list" and isinstance(value, list):
        for number, item in enumerate(value):
            yield from _places(shape.item, item, (*place, number))


def _replaced(value: Any, place: tuple[Any, ...], wanted: Any) -> Any:
    """Return a copy of a value with something else in one place."""
    if not place:
        return wanted
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = _replaced(copy[place[0]], place[1:], wanted)
    return copy


@st.composite
def _requests(
    draw: st.DrawFn, requests: Requests, service: str, model: ServiceModel, operation: Operation
) -> WireRequest:
    parameters: dict[str, Any] = {}
    shape = operation.input
    if shape is not None:
        parameters = draw(requests.values(shape))
        for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
            parameters = draw(_bent(requests, shape, parameters))
    write = {"rest-json": _write_rest_json, "query": _write_query}.get(model.protocol, _write_json_rpc)
    request = draw(write(service, model, operation, parameters))
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 0, 1, 2]))):
        draw(st.sampled_from(_SPOILERS))(draw, request)
    return request


@st.composite
def _bent(draw: st.DrawFn, requests: Requests, shape: Shape, parameters: dict[str, Any]) -> dict[str, Any]:
    """Break parameters in one place, or take one away, or add one that nobody knows."""
    places = list(_places(shape, parameters))
    kind = draw(st.sampled_from(["break", "break", "break", "fill", "drop", "add"]))
    if kind == "break" and places:
        place, broken_shape = draw(st.sampled_from(places))
        bent: dict[str, Any] = _replaced(parameters, place, draw(requests.edges(broken_shape)))
        return bent
    if kind == "fill":
        name = draw(st.sampled_from(sorted(shape.members))) if shape.members else ""
        if name:
            return {**parameters, name: draw(requests.edges(shape.members[name]))}
    if kind == "drop" and parameters:
        dropped = draw(st.sampled_from(sorted(parameters)))
        # A label that is missing is another path.
        if dropped in shape.members and shape.members[dropped].location == "uri":
            return {**parameters, dropped: ""}
        return {name: value for name, value in parameters.items() if name != dropped}
    return {
        **parameters,
        draw(st.sampled_from(["", "unknown", "functionName", "__type"])): draw(st.sampled_from(junk.JUNK)),
    }


@st.composite
def _write_rest_json(
    draw: st.DrawFn, service: str, model: ServiceModel, operation: Operation, parameters: dict[str, Any]
) -> WireRequest:
    members = operation.input.members if operation.input is not None else {}
    payload = operation.input.payload if operation.input is not None else None
    path, _, fixed_query = operation.uri.partition("?")
    query = [fixed_query] if fixed_query else []
    headers = {"authorization": authorization(service), "host": "127.0.0.1:4566"}
    in_body: dict[str, Any] = {}
    body: bytes | None = None
    for name, value in parameters.items():
        member = members.get(name)
        if member is None:
            in_body[name] = value
            continue
        wire_name = member.wire_name(name)
        match member.location:
            case "uri":
                label = draw(st.sampled_from(_LABELS))(_to_text(value))
                path = path.replace("{" + wire_name + "}", label).replace("{" + wire_name + "+}", label)
            case "querystring":
                for item in value if isinstance(value, list) else [value]:
                    query.append(f"{quote_plus(wire_name)}={_percent_encoded(_to_text(item))}")
            case "header":
                headers[wire_name.lower()] = _to_header(_to_text(value))
            case _ if name == payload and member.type == "blob":
                body = value if isinstance(value, bytes) else write_json(value).encode()
            case _ if name == payload:
                body = write_json(value).encode()
            case _:
                in_body[wire_name] = value
    if body is None:
        body = draw(_body(in_body)) if in_body or operation.method in {"POST", "PUT"} else b""
    if body:
        headers["content-type"] = "application/json"
    return WireRequest(operation.method, path, "&".join(query), headers, body)


@st.composite
def _write_json_rpc(
    draw: st.DrawFn, service: str, model: ServiceModel, operation: Operation, parameters: dict[str, Any]
) -> WireRequest:
    headers = {
        "authorization": authorization(model.signing_name),
        "host": "127.0.0.1:4566",
        "x-amz-target": f"{model.target_prefix}.{operation.name}",
        "content-type": f"application/x-amz-json-{model.json_version}",
    }
    return WireRequest("POST", "/", "", headers, draw(_body(parameters)))


@st.composite
def _write_query(
    draw: st.DrawFn, service: str, model: ServiceModel, operation: Operation, parameters: dict[str, Any]
) -> WireRequest:
    headers = {"authorization": authorization(service), "host": "127.0.0.1:4566", "content-type": FORM_TYPE}
    fields = [("Action", operation.name), ("Version", model.api_version), *_fields(operation.input, parameters, "")]
    if len(fields) > 2 and draw(st.integers(0, 9)) == 0:
        fields.append((draw(st.sampled_from(fields))[0], _to_text(draw(st.sampled_from(junk.JUNK)))))
    form = "&".join(f"{_percent_encoded(name)}={_percent_encoded(text)}" for name, text in fields)
    if draw(st.integers(0, 9)) == 0 and len(form) < 10_000:
        return WireRequest("GET", "/", form, headers)
    return WireRequest("POST", "/", "", headers, form.encode())


def _fields(shape: Shape | None, value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Write parameters as flat fields; what does not fit its shape becomes the text that it is in JSON."""
    if isinstance(value, Mapping) and (shape is None or shape.type == "structure"):
        members = {} if shape is None else shape.members
        for key, item in value.items():
            member = members.get(key)
            yield from _fields(member, item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and shape is not None and shape.type == "list":
        for number, item in enumerate(value, 1):
            yield from _fields(shape.item, item, f"{name}.member.{number}")
    elif isinstance(value, bool):
        yield name, str(value).lower()
    elif value is not None:
        yield name, _to_text(value)


@st.composite
def _body(draw: st.DrawFn, members: Mapping[str, Any]) -> bytes:
    """Write members as JSON, now and then one of them twice."""
    pairs = list(members.items())
    if pairs and draw(st.integers(0, 9)) == 0:
        pairs.append((draw(st.sampled_from(pairs))[0], draw(st.sampled_from(junk.JUNK))))
    return ("{" + ",".join(f"{write_json(name)}:{write_json(value)}" for name, value in pairs) + "}").encode()


# --- what happens to a request on its way ----------------------------------------------------------------------------


def _spoil_body(draw: st.DrawFn, request: WireRequest) -> None:
    request.body = draw(st.sampled_from(junk.BODIES))


def _cut_body(draw: st.DrawFn, request: WireRequest) -> None:
    request.body = request.body[: draw(st.integers(0, max(len(request.body), 1)))]


def _flip_body(draw: st.DrawFn, request: WireRequest) -> None:
    if request.body:
        at = draw(st.integers(0, len(request.body) - 1))
        request.body = request.body[:at] + draw(st.binary(min_size=1, max_size=3)) + request.body[at + 1 :]


def _spoil_content_type(draw: st.DrawFn, request: WireRequest) -> None:
    wanted = draw(st.sampled_from(junk.CONTENT_TYPES))
    request.headers = {name: text for name, text in request.headers.items() if name != "content-type"}
    if wanted is not None:
        request.headers["content-type"] = wanted


def _spoil_query(draw: st.DrawFn, request: WireRequest) -> None:
    wanted = draw(st.sampled_from(junk.QUERIES))
    request.query = draw(st.sampled_from([wanted, f"{request.query}&{wanted}", f"{wanted}&{request.query}"]))


def _spoil_path(draw: st.DrawFn, request: WireRequest) -> None:
    end = draw(st.sampled_from(junk.PATHS))
    at = draw(st.integers(0, len(request.path)))
    request.path = draw(st.sampled_from([request.path + end, request.path[:at] + end, "/" + request.path + end]))
    request.path = request.path if request.path.startswith("/") else "/" + request.path


def _spoil_header(draw: st.DrawFn, request: WireRequest) -> None:
    name, text = draw(st.sampled_from(junk.HEADERS))
    request.headers = {**request.headers, name: text}


def _spoil_authorization(draw: st.DrawFn, request: WireRequest) -> None:
    request.headers = {**request.headers, "authorization": draw(st.sampled_from(junk.AUTHORIZATIONS))}


def _spoil_method(draw: st.DrawFn, request: WireRequest) -> None:
    request.method = draw(st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"]))


_SPOILERS: tuple[Callable[[st.DrawFn, WireRequest], None], ...] = (
    _spoil_body,
    _cut_body,
    _flip_body,
    _spoil_content_type,
    _spoil_query,
    _spoil_path,
    _spoil_header,
    _spoil_authorization,
    _spoil_method,
)
