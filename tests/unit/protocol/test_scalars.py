"""Single values written as text."""

import math
from typing import Any

import pytest

from lambent.errors.families import SerializationException
from lambent.protocol.scalars import compile_text_reader, compile_text_writer, decode_base64, percent_decode
from lambent.protocol.service_model import Shape


class _Types:
    """Shapes with a type and nothing else."""

    def __init__(self, type_name: str) -> None:
        self.raw_shapes = {"X": {"type": type_name}}


def shape(type_name: str) -> Shape:
    return Shape(_Types(type_name), "X", {})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("type_name", "text", "value"),
    [
        ("string", "", ""),
        ("integer", "-7", -7),
        ("long", str(2**63 - 1), 2**63 - 1),
        ("boolean", "true", True),
        ("boolean", "False", False),
        ("double", "1e3", 1000.0),
        ("double", "-Infinity", -math.inf),
        ("blob", "aGk=", b"hi"),
    ],
)
def test_a_value_is_read(type_name: str, text: str, value: Any) -> None:
    """As its type."""
    read = compile_text_reader(shape(type_name), "iso8601")(text)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("type_name", "text"),
    [
        ("integer", "2147483648"),
        ("integer", "1" * 5000),
        ("long", str(2**63)),
        ("boolean", "yes"),
        ("boolean", ""),
        ("double", "nan"),
        ("double", "1e999"),
        ("double", "1_0"),
        ("blob", "a"),
        ("blob", "é==="),
        ("timestamp", "now"),
    ],
)
def test_another_text_is_refused(type_name: str, text: str) -> None:
    """SerializationException."""
    with pytest.raises(SerializationException):
        compile_text_reader(shape(type_name), "iso8601")(text)


@pytest.mark.parametrize(
    ("type_name", "value", "text"),
    [
        ("boolean", True, "true"),
        ("integer", 5, "5"),
        ("double", 1, "1.0"),
        ("double", math.nan, "NaN"),
        ("double", math.inf, "Infinity"),
        ("blob", b"hi", "aGk="),
    ],
)
def test_a_value_is_written(type_name: str, value: Any, text: str) -> None:
    """The mirror of reading."""
    assert compile_text_writer(shape(type_name), "iso8601")(value) == text


def test_base64_is_strict() -> None:
    """What is no base64 is not skipped over."""
    assert decode_base64("") == b""
    for text in ("a b=", "aGk", "aGk=!", "=aGk"):
        with pytest.raises(SerializationException):
            decode_base64(text)


def test_percent_decoding_happens_once() -> None:
    """Short and long texts alike; what is not UTF-8 shows."""
    assert percent_decode("a%2Fb%252F") == "a/b%2F"
    assert percent_decode("%41" * 500) == "A" * 500
    assert percent_decode("%ff%zz") == "\ufffd%zz"
