"""XML with flattened lists and maps, which the models at hand use little of."""

from typing import Any, ClassVar

import pytest

from lambent.protocol.service_model import Shape
from lambent.protocol.xml import compile_xml_writer, element


class _Model:
    """Shapes of the query protocol's corners."""

    raw_shapes: ClassVar[dict[str, dict[str, Any]]] = {
        "Output": {
            "type": "structure",
            "members": {
                "Plain": {"shape": "Texts", "locationName": "List"},
                "Flat": {"shape": "FlatTexts"},
                "Map": {"shape": "Map"},
                "FlatMap": {"shape": "Map", "flattened": True},
                "Self": {"shape": "Output"},
            },
        },
        "Text": {"type": "string"},
        "Texts": {"type": "list", "member": {"shape": "Text"}},
        "FlatTexts": {"type": "list", "flattened": True, "member": {"shape": "Text", "locationName": "Item"}},
        "Map": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Text", "locationName": "Value"}},
    }

    def refer(self, reference: dict[str, Any]) -> Shape:
        traits = {trait: value for trait, value in reference.items() if trait != "shape"}
        return Shape(self, reference["shape"], traits)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("output", "written"),
    [
        ({}, ""),
        ({"Plain": None}, ""),
        ({"Plain": []}, "<List></List>"),
        ({"Plain": ["a", ""]}, "<List><member>a</member><member></member></List>"),
        ({"Flat": ["a", "b"]}, "<Item>a</Item><Item>b</Item>"),
        ({"Map": {"k": "v"}}, "<Map><entry><key>k</key><Value>v</Value></entry></Map>"),
        ({"FlatMap": {"k": "v"}}, "<FlatMap><key>k</key><Value>v</Value></FlatMap>"),
        ({"Self": {"Self": {}}}, "<Self><Self></Self></Self>"),
    ],
)
def test_an_output_is_written(output: dict[str, Any], written: str) -> None:
    """Names, wrappers and entries as the model says."""
    assert compile_xml_writer(Shape(_Model(), "Output", {}))(output) == written  # type: ignore[arg-type]


def test_text_is_escaped() -> None:
    """Markup, carriage returns and characters that XML cannot write at all."""
    assert element("a", "<&>\r\n\x00\ud800é") == "<a>&lt;&amp;&gt;&#13;\n\ufffd\ufffdé</a>"
