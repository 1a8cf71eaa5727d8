"""
Single values: written as text (in paths, query strings, headers and forms), and the ranges that numbers have.

Readers raise SerializationException, the answer to a value of the wrong type.
"""

import binascii
import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from lambent.errors.families import SerializationException
from lambent.protocol.service_model import Shape
from lambent.protocol.timestamps import FORMAT, PARSE

TextReader = Callable[[str], Any]
TextWriter = Callable[[Any], str]

INTEGER_LIMITS = {"integer": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}
"""Shape type to the smallest and largest value that it holds."""

SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""The numbers that JSON cannot write, as the protocols spell them."""

# `int` and `float` also take underscores, spaces and digits of other scripts.
_INTEGER = re.compile(r"[+-]?\d{1,40}", re.ASCII)
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


_DECODED_CHARACTERS_MAX = 256
"""Longer texts are decoded each time, so that what is remembered stays small."""


def percent_decode(text: str) -> str:
    """Decode a part of a path or query string once. What is not UTF-8 becomes a replacement character."""
    if "%" not in text:
        return text
    # The same few ARNs come again and again, and decoding one costs as much as routing the request.
    return _remembered(text) if len(text) <= _DECODED_CHARACTERS_MAX else unquote(text, errors="replace")


@lru_cache(maxsize=1024)
def _remembered(text: str) -> str:
    return unquote(text, errors="replace")


def decode_base64(text: str) -> bytes:
    """Read a blob written as base64."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as malformed:
        raise SerializationException("A blob is not valid base64.") from malformed


def encode_base64(blob: bytes) -> str:
    """Write a blob as base64."""
    return binascii.b2a_base64(blob, newline=False).decode("ascii")


def compile_text_reader(shape: Shape, timestamp_format: str) -> TextReader:
    """
    Build the reader of a single value written as text.

    Args:
        shape: the value's shape; no list, map or structure.
        timestamp_format: how the place writes moments, unless the member says otherwise.
    """
    if shape.type in INTEGER_LIMITS:
        return _integer_reader(shape.type)
    if shape.type == "timestamp":
        return _timestamp_reader(shape.timestamp_format or timestamp_format)
    readers: dict[str, TextReader] = {
        "string": str,
        "character": str,
        "boolean": _read_boolean,
        "float": _read_float,
        "double": _read_float,
        "blob": decode_base64,
    }
    return readers[shape.type]


def _integer_reader(type_name: str) -> TextReader:
    low, high = INTEGER_LIMITS[type_name]

    def read(text: str) -> int:
        if _INTEGER.fullmatch(text) is None or not low <= int(text) <= high:
            raise SerializationException(f"STRING_VALUE can not be converted to {type_name.capitalize()}")
        return int(text)

    return read


def _timestamp_reader(timestamp_format: str) -> TextReader:
    parse = PARSE[timestamp_format]

    def read(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as malformed:
            raise SerializationException("STRING_VALUE can not be converted to a Timestamp") from malformed

    return read


def _read_boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered not in ("true", "false"):
        raise SerializationException("STRING_VALUE can not be converted to a Boolean")
    return lowered == "true"


def _read_float(text: str) -> float:
    if _FLOAT.fullmatch(text) is not None:
        number = float(text)
        if math.isfinite(number):
            return number
    elif text in SPECIAL_FLOATS:
        return SPECIAL_FLOATS[text]
    raise SerializationException("STRING_VALUE can not be converted to a Double")


def compile_text_writer(shape: Shape, timestamp_format: str) -> TextWriter:
    """Build the writer of a single value as text; the mirror of `compile_text_reader`."""
    if shape.type == "timestamp":
        return FORMAT[shape.timestamp_format or timestamp_format]
    writers: dict[str, TextWriter] = {
        "boolean": _write_boolean,
        "float": write_float,
        "double": write_float,
        "blob": encode_base64,
    }
    return writers.get(shape.type, str)


def _write_boolean(value: bool) -> str:
    return "true" if value else "false"


def write_float(value: float) -> str:
    """Write a number as text, with the protocols' names for what is none."""
    if math.isfinite(value):
        return repr(float(value))
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
