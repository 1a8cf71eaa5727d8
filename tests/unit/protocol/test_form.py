"""Forms with flattened lists, renamed items and maps, which the models at hand use little of."""

from typing import Any, ClassVar

import pytest

from lambent.errors.families import SerializationException
from lambent.protocol.form import compile_form_reader, form_field
from lambent.protocol.service_model import Shape


class _Model:
    """Shapes of the query protocol's corners."""

    raw_shapes: ClassVar[dict[str, dict[str, Any]]] = {
        "Input": {
            "type": "structure",
            "members": {
                "Plain": {"shape": "Texts"},
                "Flat": {"shape": "FlatTexts"},
                "Map": {"shape": "FlatMap", "locationName": "Attribute"},
                "Self": {"shape": "Input"},
            },
        },
        "Text": {"type": "string"},
        "Texts": {"type": "list", "member": {"shape": "Text"}},
        "FlatTexts": {"type": "list", "flattened": True, "member": {"shape": "Text", "locationName": "Item"}},
        "FlatMap": {
            "type": "map",
            "flattened": True,
            "key": {"shape": "Text", "locationName": "Name"},
            "value": {"shape": "Text", "locationName": "Value"},
        },
    }

    def refer(self, reference: dict[str, Any]) -> Shape:
        traits = {trait: value for trait, value in reference.items() if trait != "shape"}
        return Shape(self, reference["shape"], traits)  # type: ignore[arg-type]


def read(form: str) -> dict[str, Any]:
    return compile_form_reader(Shape(_Model(), "Input", {}))(form)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("", {}),
        ("Plain.member.2=b&Plain.member.1=a", {"Plain": ["a", "b"]}),
        ("Plain=", {"Plain": []}),
        ("Item.1=a&Item.3=c", {"Flat": ["a", "c"]}),
        ("Item=a", {"Flat": ["a"]}),
        ("Attribute.1.Name=k&Attribute.1.Value=v+w", {"Map": {"k": "v w"}}),
        ("Attribute.1.Name=k", {"Map": {"k": None}}),
        ("Self.Self.Plain.member.1=x", {"Self": {"Self": {"Plain": ["x"]}}}),
        ("Unknown.member.1=x&Version=1", {}),
    ],
)
def test_a_form_is_read(form: str, expected: dict[str, Any]) -> None:
    """Lists and maps by their numbers, which an only item may lack; unknown fields are ignored."""
    assert read(form) == expected


@pytest.mark.parametrize(
    "form", ["Plain.member.x=a", "Plain.member.1.deeper=a", "Attribute.1.Value=v", "Self." * 100 + "Plain=", "%ff=1"]
)
def test_a_malformed_form_is_refused(form: str) -> None:
    """SerializationException."""
    with pytest.raises(SerializationException):
        read(form)


def test_one_field_is_found_without_reading_the_others() -> None:
    """The router needs the action alone."""
    assert form_field(b"a=%ff&Action=List%20It&b", b"Action") == "List It"
    assert form_field(b"ActionX=1", b"Action") is None
