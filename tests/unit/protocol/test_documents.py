"""Values in JSON and CBOR that differ from Python's own."""

import math
from typing import Any

import pytest

from lambent.errors.families import SerializationException
from lambent.protocol.documents import CborReaders, CborWriters, JsonReaders, JsonWriters
from lambent.protocol.service_model import ServiceModel, Shape

DATUM = ServiceModel("cloudwatch").refer({"shape": "MetricDatum"})


def json_value(member: str, raw: Any) -> Any:
    return JsonReaders().reader(DATUM)({member: raw})[member]


@pytest.mark.parametrize(("raw", "value"), [(1, 1.0), (0.5, 0.5), ("Infinity", math.inf), ("-Infinity", -math.inf)])
def test_json_has_words_for_what_is_no_number(raw: Any, value: float) -> None:
    """Infinity and NaN travel as text."""
    assert json_value("Value", raw) == value
    assert math.isnan(json_value("Value", "NaN"))
    assert JsonWriters().members(DATUM, ["Value"])({"Value": value}) == {"Value": value if raw in (1, 0.5) else raw}


@pytest.mark.parametrize("raw", ["1", "nan", True, [], {}, 10**400])
def test_json_refuses_what_is_no_number(raw: Any) -> None:
    """Text that spells a number is none."""
    with pytest.raises(SerializationException):
        json_value("Value", raw)


@pytest.mark.parametrize("raw", ["2025-11-25T02:10:19Z", True, math.inf, 1e300, []])
def test_json_refuses_what_is_no_moment(raw: Any) -> None:
    """A member without a format of its own is a number of seconds."""
    with pytest.raises(SerializationException):
        json_value("Timestamp", raw)


def test_cbor_writes_every_number_with_a_fraction_as_a_float() -> None:
    """Also where Python holds an integer."""
    written = CborWriters().members(DATUM, ["Value"])({"Value": 1})["Value"]
    assert (written, type(written)) == (1.0, float)


class _Node:
    """A structure that holds itself in a list and in a map."""

    def __init__(self) -> None:
        members = {"Next": {"shape": "Node"}, "List": {"shape": "List"}, "Map": {"shape": "Map"}, "N": {"shape": "N"}}
        self.raw_shapes: dict[str, dict[str, Any]] = {
            "Node": {"type": "structure", "members": members},
            "List": {"type": "list", "member": {"shape": "Node"}},
            "Map": {"type": "map", "key": {"shape": "S"}, "value": {"shape": "Node"}},
            "N": {"type": "integer"},
            "S": {"type": "string"},
        }

    def refer(self, reference: dict[str, Any]) -> Shape:
        return Shape(self, reference["shape"], {})  # type: ignore[arg-type]


@pytest.mark.parametrize("readers", [JsonReaders, CborReaders])
def test_a_structure_may_hold_itself(readers: type[JsonReaders]) -> None:
    """To any depth that the body has."""
    shape = _Node().refer({"shape": "Node"})
    value = {"Next": {"List": [{"Map": {"k": {"N": 1}}}]}}
    assert readers().reader(shape)(value) == value
    assert JsonWriters().writer(shape)(value) == value  # type: ignore[misc]
