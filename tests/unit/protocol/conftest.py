"""
botocore as the oracle: its serializers write the requests that we read, its parsers read the answers that we write.

`oracles("lambda")` gives both sides for one service; the strategies make values from botocore's shapes.
"""

import io
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import botocore.loaders
import botocore.model
import pytest
from botocore.awsrequest import HeadersDict, create_request_object, prepare_request_dict
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from lambent.errors.families import ValidationException
from lambent.protocol.service import ServiceProtocol
from lambent.protocol.service_model import ServiceModel
from lambent.protocol.wire import WireRequest, WireResponse

ENDPOINT = "http://127.0.0.1:4566"
REQUEST_ID = "5c8a1fc0-3f22-4c0b-9f3a-6f0c1c1b7d11"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DEPTH_MAX = 3

_ANY_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=6)
# XML cannot write control characters; a header cannot carry them, nor spaces at its ends.
_XML_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), max_size=6)
_HEADER_TEXT = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=6)
_LABEL = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=6) | st.sampled_from(
    ["arn:aws:lambda:eu-west-1:111122223333:function:f:live", "a/b", "%2F", "a b+c", "é"]
)


class Oracle:
    """
    One service, seen by botocore and by us.

    Args:
        service: the model's name.
    """

    def __init__(self, service: str) -> None:
        raw = botocore.loaders.Loader().load_service_model(service, "service-2")
        self.model = botocore.model.ServiceModel(raw, service)
        self.wire = self.model.metadata["protocol"]
        self.protocol = ServiceProtocol(service, ValidationException)
        self.operations = ServiceModel(service).operations
        self._serializer = create_serializer(self.wire, include_validation=False)
        self._parser = create_parser(self.wire)

    def request(self, operation: str, parameters: Mapping[str, Any]) -> WireRequest:
        """Let botocore write a request, down to what its HTTP client would send."""
        model = self.model.operation_model(operation)
        parts = self._serializer.serialize_to_request(parameters, model)
        prepare_request_dict(parts, endpoint_url=ENDPOINT)
        prepared = create_request_object(parts).prepare()
        path, _, query = prepared.url.removeprefix(ENDPOINT).partition("?")
        body = prepared.body or b""
        return WireRequest(
            prepared.method,
            path,
            query,
            {name.lower(): _text(value) for name, value in prepared.headers.items()},
            body.encode() if isinstance(body, str) else bytes(body),
        )

    def read(self, request: WireRequest) -> tuple[str, dict[str, Any]]:
        """Read a request ourselves: the operation's name and its parameters."""
        match = self.protocol.match(request)
        return match.operation.name, self.protocol.parse(match, request)

    def answer(self, operation: str, output: Mapping[str, Any]) -> dict[str, Any]:
        """Write an answer ourselves and let botocore read it."""
        response = self.protocol.serialize(self.operations[operation], output, REQUEST_ID)
        model = self.model.operation_model(operation)
        parsed: dict[str, Any] = self._parse(response, model.output_shape, is_stream=model.has_streaming_output)
        metadata = parsed.pop("ResponseMetadata", {})
        # An operation without an output is not parsed by CBOR; its id is in the header, as on every answer.
        assert metadata.get("RequestId", REQUEST_ID) == REQUEST_ID
        assert dict(response.headers)[b"x-amzn-requestid"] == REQUEST_ID.encode()
        return parsed

    def error(self, operation: str, response: WireResponse) -> dict[str, Any]:
        """Let botocore read an error as its client does: the general form, then the members of the shape."""
        parsed: dict[str, Any] = self._parse(response, self.model.operation_model(operation).output_shape)
        # Where a service kept the codes of the query protocol, the shape has another name, which not all models tell.
        error = parsed["Error"]
        named = self.model.shape_for_error_code(error.get("QueryErrorCode", error["Code"]))
        shape = named or self.model.shape_for_error_code(error["Code"])
        if shape is not None:
            parsed["Modelled"] = self._parse(response, shape)
        return parsed

    def _parse(self, response: WireResponse, shape: Any, *, is_stream: bool = False) -> Any:
        headers = HeadersDict({name.decode(): value.decode() for name, value in response.headers})
        assert isinstance(response.body, bytes)
        body = io.BytesIO(response.body) if is_stream else response.body
        return self._parser.parse({"status_code": response.status, "headers": headers, "body": body}, shape)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


class Values:
    """
    Strategies for the values of botocore shapes; small, since there are hundreds of operations.

    Args:
        wire: the protocol they travel in.
        is_answer: answers carry milliseconds, requests what botocore writes.
    """

    def __init__(self, wire: str, *, is_answer: bool) -> None:
        self._wire = wire
        self._is_answer = is_answer
        self._known: dict[tuple[str, int, str], st.SearchStrategy[Any]] = {}

    def of(self, shape: Any, depth: int = 0) -> st.SearchStrategy[Any]:
        """Make values of a shape."""
        location = shape.serialization.get("location", "")
        # Which timestamps and texts travel well depends on the place, so it is part of the key.
        key = (shape.name, depth, location + shape.serialization.get("timestampFormat", ""))
        if key not in self._known:
            self._known[key] = getattr(self, f"_{shape.type_name}", self._text)(shape, depth)
        return self._known[key]

    def _structure(self, shape: Any, depth: int) -> st.SearchStrategy[Any]:
        members = {
            name: self.of(member, depth + 1)
            for name, member in shape.members.items()
            if not member.serialization.get("eventstream") and (depth < DEPTH_MAX or name in shape.required_members)
        }
        if shape.is_tagged_union:
            names = list(members) or list(shape.members)[:1]
            return st.one_of([st.fixed_dictionaries({name: self.of(shape.members[name], depth + 1)}) for name in names])
        bound = {
            name
            for name, member in shape.members.items()
            if member.serialization.get("location") == "uri" or name in shape.required_members
        }
        required = {name: value for name, value in members.items() if name in bound}
        optional = {name: value for name, value in members.items() if name not in bound}
        return st.fixed_dictionaries(required, optional=optional)

    def _list(self, shape: Any, depth: int) -> st.SearchStrategy[Any]:
        return st.lists(self.of(shape.member, depth + 1), max_size=2 if depth < DEPTH_MAX else 0)

    def _map(self, shape: Any, depth: int) -> st.SearchStrategy[Any]:
        size = 2 if depth < DEPTH_MAX else 0
        return st.dictionaries(self.of(shape.key, depth + 1), self.of(shape.value, depth + 1), max_size=size)

    def _text(self, shape: Any, depth: int) -> st.SearchStrategy[Any]:
        if shape.enum:
            return st.sampled_from(shape.enum)
        location = shape.serialization.get("location")
        if location == "uri":
            return _LABEL
        if location == "header":
            return _HEADER_TEXT
        return _XML_TEXT if self._wire == "query" else _ANY_TEXT

    def _integer(self, shape: Any, depth: int) -> st.SearchStrategy[Any]:
        if shape.serialization.get("location") == "statusCode":
            return st.sampled_from([200, 202])
        return st.integers(-(2**31), 2**31 - 1)

    def _long(self, shape: Any, depth: int) -> st.SearchStrategy[Any]:
        return st.integers(-(2**63), 2**63 - 1)

    def _double(self, shape: Any, depth: int) -> st.SearchStrategy[Any]:
        return st.floats(allow_nan=False, allow_infinity=False) | st.integers(-1000, 1000).map(float)

    def _float(self, shape: Any, depth: int) -> st.SearchStrategy[Any]:
        return st.floats(allow_nan=False, allow_infinity=False, width=32)

    def _boolean(self, shape: Any, depth: int) -> st.SearchStrategy[Any]:
        return st.booleans()

    def _blob(self, shape: Any, depth: int) -> st.SearchStrategy[Any]:
        return st.binary(max_size=8)

    def _timestamp(self, shape: Any, depth: int) -> st.SearchStrategy[Any]:
        if self._is_answer:
            return st.integers(0, 4_000_000_000_000).map(lambda ms: EPOCH + timedelta(milliseconds=ms))
        return st.integers(0, 4_000_000_000_000_000).map(lambda us: EPOCH + timedelta(microseconds=us))


@cache
def _oracle(service: str) -> Oracle:
    return Oracle(service)


@pytest.fixture
def oracles() -> Callable[[str], Oracle]:
    """Give the oracle of a service, made once."""
    return _oracle


@cache
def _values(service: str, is_answer: bool) -> Values:
    # One for each service: shapes of one name differ between them.
    return Values(_oracle(service).wire, is_answer=is_answer)


@pytest.fixture
def input_values(oracles: Callable[[str], Oracle]) -> Callable[[str, str], st.SearchStrategy[dict[str, Any]]]:
    """Give the strategy for the parameters of a service's operation."""

    def strategy(service: str, operation: str) -> st.SearchStrategy[dict[str, Any]]:
        shape = oracles(service).model.operation_model(operation).input_shape
        return st.just({}) if shape is None else _values(service, False).of(shape)

    return strategy


@pytest.fixture
def output_values(oracles: Callable[[str], Oracle]) -> Callable[[str, Any], st.SearchStrategy[dict[str, Any]]]:
    """Give the strategy for the values of an output or error shape of a service."""

    def strategy(service: str, shape: Any) -> st.SearchStrategy[dict[str, Any]]:
        return st.just({}) if shape is None else _values(service, True).of(shape)

    return strategy


@pytest.fixture
def examples() -> Callable[[Any], Any]:
    """Give the settings of a property: the profile's examples; the same ones in every run, unless it is `deep`."""
    is_deep = settings.get_current_profile_name() == "deep"
    return settings(
        derandomize=not is_deep,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
