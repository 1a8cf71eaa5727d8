"""
One service's protocol, as the gateway sees it: match, parse, validate, serialize.

Nothing is read from disk and no third-party protocol library is imported before the first `Protocols.get`; what an
operation needs is compiled at its first request.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from lambent.errors.families import ApiError, SerializationException
from lambent.protocol.parser import Parser, compile_parser
from lambent.protocol.router import OperationMatch, compile_router
from lambent.protocol.serializer import Serializer, compile_error_serializer, compile_serializer
from lambent.protocol.service_model import Operation, ServiceModel
from lambent.protocol.validator import Validator, compile_validator
from lambent.protocol.wire import OutputWithHeaders, WireRequest, WireResponse

__all__ = ["Operation", "OperationMatch", "Protocols", "ServiceProtocol"]

_Plan = TypeVar("_Plan")


class ServiceProtocol:
    """
    Bytes to parameters and back for one service, in the protocol that its model prefers.

    Methods neither wait nor keep anything of a request, so one instance serves all requests of a process.

    Args:
        name: the model's name in botocore, e.g. `lambda`.
        shape_violation: the error that a request breaking the model's constraints gets.
        protocol: one that the service speaks beside the one that its model prefers.

    Raises:
        UnknownService: botocore has no such model.
    """

    def __init__(self, name: str, shape_violation: Callable[[str], ApiError], *, protocol: str | None = None) -> None:
        self._model = ServiceModel(name, protocol=protocol)
        self._shape_violation = shape_violation
        self._route = compile_router(self._model)
        self._write_error = compile_error_serializer(self._model)
        self._parsers: dict[str, Parser] = {}
        self._validators: dict[str, Validator] = {}
        self._serializers: dict[str, Serializer] = {}
        self.name = name
        self.signing_name = self._model.signing_name
        self.operations = frozenset(self._model.operations)
        self.needs_body_to_match = self._model.protocol == "query"
        """Whether the operation's name is in the body, so that its size limit is not known before it is read."""
        self.has_query_dialect = self._model.dialect is not None
        """Whether requests may speak the query protocol instead."""
        self._protocols = self._model.protocols

    def spoken_by(self, request: WireRequest) -> str | None:
        """Return the protocol of a request, None where it is the one that the model prefers."""
        if not self.has_query_dialect:
            return None
        if "smithy-protocol" in request.headers and "smithy-rpc-v2-cbor" in self._protocols:
            spoken = "smithy-rpc-v2-cbor"
        else:
            spoken = "json" if "x-amz-target" in request.headers else "query"
        return None if spoken == self._model.protocol else spoken

    def match(self, request: WireRequest) -> OperationMatch:
        """
        Find the operation that a request asks for.

        The body is looked at by the query protocol alone.

        Raises:
            UnknownOperationException: there is none.
        """
        return self._route(request)

    def parse(self, match: OperationMatch, request: WireRequest) -> dict[str, Any]:
        """
        Read the parameters of a matched request, by member name.

        Raises:
            SerializationException: malformed JSON, CBOR or form, or a value of the wrong type.
            UnsupportedMediaTypeException: the content type is not one of the protocol (rest-json, CBOR).
            UnknownOperationException: the same in the JSON protocols, as AWS answers it.
        """
        parser = self._parsers.get(match.operation.name)
        if parser is None:
            parser = self._compile(self._parsers, compile_parser, match.operation)
        return parser(match.labels, request)

    def validate(self, operation: Operation, params: Mapping[str, Any]) -> None:
        """
        Check parameters against the constraints of the model.

        Raises:
            ApiError: the service's shape violation, with every broken constraint in one text.
            SerializationException: nested too deeply to check.
        """
        validator = self._validators.get(operation.name)
        if validator is None:
            validator = self._compile(self._validators, compile_validator, operation)
        try:
            broken = validator(params)
        except RecursionError as too_deep:
            raise SerializationException("The request body is nested too deeply.") from too_deep
        if broken is not None:
            raise self._shape_violation(broken)

    def serialize(self, operation: Operation, output: Mapping[str, Any], request_id: str) -> WireResponse:
        """Write the output of an operation. Members that are None are left out."""
        serializer = self._serializers.get(operation.name)
        if serializer is None:
            serializer = self._compile(self._serializers, compile_serializer, operation)
        response = serializer(output, request_id)
        if isinstance(output, OutputWithHeaders):
            response.headers.extend(output.headers)
        return response

    def serialize_error(self, error: ApiError, request_id: str, request: WireRequest | None = None) -> WireResponse:
        """Write an error in the protocol's form, whether or not the model holds it; `request` is what it answers."""
        response = self._write_error(error, request_id)
        if (
            self.has_query_dialect
            and not self.needs_body_to_match
            and response.status < 500
            and request is not None
            and request.headers.get("x-amzn-query-mode") != "true"
        ):
            # Observed: statuses of the query protocol are for clients that ask for them (CloudWatch, recorded 2025).
            response.status = 400
        return response

    def _compile(
        self, plans: dict[str, _Plan], compile_plan: Callable[[ServiceModel, Operation], _Plan], operation: Operation
    ) -> _Plan:
        """Build what an operation needs and keep it for its next request."""
        plan = plans[operation.name] = compile_plan(self._model, operation)
        return plan


class Protocols:
    """
    The protocols of all services that are offered, each read at its first use.

    Args:
        shape_violations: name of a service to the error that a request breaking its model's constraints gets.
    """

    def __init__(self, shape_violations: Mapping[str, Callable[[str], ApiError]]) -> None:
        self._shape_violations = dict(shape_violations)
        self._known: dict[str, ServiceProtocol] = {}
        self._others: dict[tuple[str, str], ServiceProtocol] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._shape_violations

    def get(self, name: str) -> ServiceProtocol:
        """
        Return the protocol of a service.

        Raises:
            KeyError: no such service was given.
        """
        protocol = self._known.get(name)
        if protocol is None:
            protocol = self._known[name] = ServiceProtocol(name, self._shape_violations[name])
        return protocol

    def of(self, name: str, request: WireRequest) -> ServiceProtocol:
        """
        Return the protocol of a service that a request speaks.

        Raises:
            KeyError: no such service was given.
        """
        preferred = self.get(name)
        spoken = preferred.spoken_by(request)
        if spoken is None:
            return preferred
        other = self._others.get((name, spoken))
        if other is None:
            other = ServiceProtocol(name, self._shape_violations[name], protocol=spoken)
            self._others[name, spoken] = other
        return other
