"""
Requests as botocore writes them come back as what went in, for every operation of the models.

What botocore itself leaves out of the wire is listed once, in LEFT_OUT_BY_BOTOCORE; an entry that is no longer
needed fails a test.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given

from lambent.protocol.service_model import ServiceModel

SERVICES = ("lambda", "logs", "sqs", "sns", "cloudwatch", "apigatewayv2")
"""What this version answers, and one model of each further protocol."""

OPERATIONS = [(service, name) for service in SERVICES for name in ServiceModel(service).operations]


def without_empty_payload(shape: Any, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """An empty body says nothing; a structure that is not there travels as one without members."""
    payload = shape.serialization.get("payload")
    left = dict(parameters)
    if payload is not None:
        if shape.members[payload].type_name == "structure":
            left.setdefault(payload, {})
        elif not left.get(payload, b""):
            left.pop(payload, None)
    return left


def without_empty_collections(shape: Any, parameters: Mapping[str, Any], wire: str) -> dict[str, Any]:
    """A list in a query string, and a map in a form, travels as its items alone."""
    if wire == "query":
        pruned: dict[str, Any] = _without_empty_maps(parameters)
        return pruned
    return {
        name: value
        for name, value in parameters.items()
        if value not in ([], {}) or shape.members[name].serialization.get("location") != "querystring"
    }


def _without_empty_maps(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _without_empty_maps(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item != {}}
    if isinstance(value, list):
        return [item for item in map(_without_empty_maps, value) if item != {}]
    return value


@dataclass(frozen=True)
class LeftOut:
    """One kind of value that botocore does not write, and a request that shows it."""

    kind: str
    service: str
    operation: str
    parameters: Mapping[str, Any]
    left: Callable[[Any, Mapping[str, Any], str], dict[str, Any]]


LEFT_OUT_BY_BOTOCORE = [
    LeftOut(
        "an absent or empty payload",
        "lambda",
        "Invoke",
        {"FunctionName": "f", "Payload": b""},
        lambda shape, parameters, _wire: without_empty_payload(shape, parameters),
    ),
    LeftOut(
        "an absent or empty payload",
        "lambda",
        "StopDurableExecution",
        {"DurableExecutionArn": "arn"},
        lambda shape, parameters, _wire: without_empty_payload(shape, parameters),
    ),
    LeftOut(
        "an empty list or map in a query string or form",
        "lambda",
        "UntagResource",
        {"Resource": "arn", "TagKeys": []},
        without_empty_collections,
    ),
    LeftOut(
        "an empty list or map in a query string or form",
        "sns",
        "CreateTopic",
        {"Name": "t", "Attributes": {}},
        without_empty_collections,
    ),
]


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_a_request_comes_back_as_what_went_in(
    service: str, operation: str, oracles: Any, input_values: Any, examples: Any
) -> None:
    """Each request is routed to its operation and read back to the very parameters that botocore was given."""
    oracle = oracles(service)
    shape = oracle.model.operation_model(operation).input_shape

    @examples
    @given(parameters=input_values(service, operation))
    def check(parameters: dict[str, Any]) -> None:
        expected = parameters
        if shape is not None:
            for entry in LEFT_OUT_BY_BOTOCORE:
                expected = entry.left(shape, expected, oracle.wire)
        assert oracle.read(oracle.request(operation, parameters)) == (operation, expected)

    check()


@pytest.mark.parametrize("entry", LEFT_OUT_BY_BOTOCORE, ids=lambda entry: f"{entry.kind}: {entry.operation}")
def test_the_list_holds_only_what_botocore_leaves_out(entry: LeftOut, oracles: Any) -> None:
    """An entry stays for as long as its request comes back changed, and explains the whole change."""
    oracle = oracles(entry.service)
    shape = oracle.model.operation_model(entry.operation).input_shape
    _, read = oracle.read(oracle.request(entry.operation, entry.parameters))
    assert read != entry.parameters, "botocore writes this now: remove the entry"
    assert read == entry.left(shape, entry.parameters, oracle.wire)


@pytest.mark.parametrize("service", SERVICES)
def test_no_operation_of_a_model_is_forgotten(service: str, oracles: Any) -> None:
    """The engine and botocore know the same operations."""
    assert oracles(service).protocol.operations == set(oracles(service).model.operation_names)
