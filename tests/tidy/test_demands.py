"""Every operation says what it asks leave for: one that is forgotten would be nobody's, or everybody's."""

from collections.abc import Mapping
from importlib import import_module

import pytest

from lambent.protocol.service_model import ServiceModel
from lambent.services.apigatewayv2 import demands as apigatewayv2
from lambent.services.conformance.report import SERVICES
from lambent.services.iam import demands as iam
from lambent.services.sts import demands as sts

BEYOND_THE_MODEL = {"iam": "iam", "sts": "sts"}
"""Services whose tables may hold operations that are not offered yet: they are the model's all the same."""

TABLES: Mapping[str, object] = {"iam": iam.DEMANDS, "sts": sts.DEMANDS}


def _table(service: str) -> Mapping[str, object]:
    module = SERVICES[service][0]
    found: Mapping[str, object] = import_module(f"lambent.services.{module}.demands").DEMANDS
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_every_offered_operation_says_what_it_demands(service: str) -> None:
    """And nothing but operations of the model does."""
    table, offered = _table(service), set(SERVICES[service][1].acting)
    assert sorted(offered - set(table)) == []
    assert sorted(set(table) - set(ServiceModel(service).operations)) == []
    if service not in BEYOND_THE_MODEL:
        assert sorted(set(table) - offered) == []


@pytest.mark.parametrize("service", TABLES)
def test_tables_of_services_to_come_hold_operations_of_their_models(service: str) -> None:
    assert sorted(set(TABLES[service]) - set(ServiceModel(service).operations)) == []  # type: ignore[call-overload]


def test_paths_and_methods_of_apis_are_the_models() -> None:
    """An action of API Gateway is the method of the request, on its path without `/v2`."""
    model = ServiceModel("apigatewayv2")
    for line in apigatewayv2._PATHS.strip().splitlines():
        method, path, name = line.split()
        operation = model.operations[name]
        labels = {
            shape.traits["locationName"]: member
            for member, shape in (operation.input.members.items() if operation.input else ())
            if shape.location == "uri"
        }
        uri = operation.uri.removeprefix("/v2")
        for wire_name, member in labels.items():
            uri = uri.replace("{" + str(wire_name) + "}", "{" + member + "}")
        assert (method, path) == (operation.method, uri), name
