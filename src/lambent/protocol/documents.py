"""
JSON and CBOR documents: the values in them, read and written by the shapes of a model.

Both protocols lay parameters out in the same way and differ in single values only: CBOR has bytes, moments and
every float of its own.
"""

from collections.abc import Callable, Mapping, Sized
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec

from lambent.errors.families import SerializationException
from lambent.protocol.scalars import INTEGER_LIMITS, SPECIAL_FLOATS, decode_base64, encode_base64, write_float
from lambent.protocol.service_model import Shape
from lambent.protocol.timestamps import FORMAT, PARSE, from_epoch, to_epoch

ValueReader = Callable[[Any], Any]
"""A decoded JSON or CBOR value to a parameter; raises SerializationException."""

ValueWriter = Callable[[Any], Any]
"""A member of an output to what JSON or CBOR encodes."""

encode_json = msgspec.json.Encoder().encode

# --- reading ---------------------------------------------------------------------------------------------------------

# Observed: the texts name the token that was found in the way of the JSON reader that AWS services use
# (dynalite's and other recorded SerializationExceptions).
_TOKENS = {bool: "TRUE_VALUE", int: "NUMBER_VALUE", float: "DECIMAL_VALUE", str: "STRING_VALUE"}


def _refuse(value: Any, wanted: str) -> SerializationException:
    """Make the answer to a value of the wrong type."""
    if isinstance(value, dict):
        return SerializationException("Start of structure or map found where not expected")
    if isinstance(value, list):
        return SerializationException("Start of list found where not expected")
    if value is False:
        return SerializationException(f"FALSE_VALUE can not be converted to {wanted}")
    return SerializationException(f"{_TOKENS.get(type(value), 'VALUE')} can not be converted to {wanted}")


_ITEMS_MAX = 100_000
"""
Assumed: more items than any operation takes in one list or map. Each costs some microseconds to read and to check, in
which nobody else is served, and a body of 70 MB holds millions.
"""


def _check_count(value: Sized) -> None:
    """Refuse a list or map that no operation would take."""
    if len(value) > _ITEMS_MAX:
        raise SerializationException(f"A list or map of the request has more than {_ITEMS_MAX} items.")


class JsonReaders:
    """
    Builds readers of decoded JSON values.

    One instance serves one operation: it remembers the readers of structures, because a structure may hold itself.
    """

    absent: object = None
    """A second value that means an absent member, beside None."""

    def __init__(self) -> None:
        self._structures: dict[str, ValueReader] = {}

    def reader(self, shape: Shape) -> ValueReader:
        """Build the reader of one shape."""
        if shape.type == "structure":
            return self._structure(shape)
        if shape.type == "list":
            return self._list(shape)
        if shape.type == "map":
            return self._map(shape)
        if shape.type in INTEGER_LIMITS:
            return self._integer(shape)
        if shape.type == "timestamp":
            return self.timestamp(shape)
        return {
            "string": _read_string,
            "character": _read_string,
            "boolean": _read_boolean,
            "float": self.read_float,
            "double": self.read_float,
            "blob": self.read_blob,
        }[shape.type]

    def _structure(self, shape: Shape) -> ValueReader:
        known = self._structures.get(shape.name)
        if known is not None:
            return known
        return self.members(shape, list(shape.members), remember=True)

    def members(self, shape: Shape, names: list[str], *, remember: bool = False) -> ValueReader:
        """Build the reader of a structure, or of those of its members that `names` lists."""
        members: dict[str, tuple[str, ValueReader]] = {}
        absent = self.absent

        def read(value: Any) -> dict[str, Any]:
            if type(value) is not dict:
                raise _refuse(value, "a structure")
            out = {}
            for wire_name, raw in value.items():
                member = members.get(wire_name)
                if member is not None and raw is not None and raw is not absent:
                    out[member[0]] = member[1](raw)
            return out

        if remember:
            self._structures[shape.name] = read
        for name in names:
            members[shape.members[name].wire_name(name)] = (name, self.reader(shape.members[name]))
        return read

    def _list(self, shape: Shape) -> ValueReader:
        read_item = self.reader(shape.item)
        absent = self.absent

        def read(value: Any) -> list[Any]:
            if type(value) is not list:
                raise _refuse(value, "a list")
            _check_count(value)
            # A null item stays, for the validator to name it.
            return [None if raw is None or raw is absent else read_item(raw) for raw in value]

        return read

    def _map(self, shape: Shape) -> ValueReader:
        read_value = self.reader(shape.value)
        absent = self.absent

        def read(value: Any) -> dict[str, Any]:
            if type(value) is not dict:
                raise _refuse(value, "a map")
            _check_count(value)
            return {
                _read_string(key): None if raw is None or raw is absent else read_value(raw)
                for key, raw in value.items()
            }

        return read

    def _integer(self, shape: Shape) -> ValueReader:
        low, high = INTEGER_LIMITS[shape.type]
        wanted = "an Integer" if shape.type == "integer" else "a Long"

        def read(value: Any) -> int:
            if type(value) is not int:
                # Assumed: 3.0 is 3, as for readers that have one type of number.
                if type(value) is not float or not value.is_integer():
                    raise _refuse(value, wanted)
                value = int(value)
            if not low <= value <= high:
                raise _refuse(value, wanted)
            return int(value)

        return read

    def timestamp(self, shape: Shape) -> ValueReader:
        """Build the reader of a moment."""
        written = shape.timestamp_format or "unixtimestamp"
        parse = PARSE[written]

        def read(value: Any) -> datetime:
            try:
                if written == "unixtimestamp" and type(value) in (int, float):
                    return from_epoch(value)
                if written != "unixtimestamp" and type(value) is str:
                    return parse(value)
            except (ValueError, OverflowError) as malformed:
                raise _refuse(value, "a Timestamp") from malformed
            raise _refuse(value, "a Timestamp")

        return read

    @staticmethod
    def read_float(value: Any) -> float:
        """Read a number that may have a fraction."""
        kind = type(value)
        if kind is float:
            return float(value)
        if kind is int:
            try:
                return float(value)
            except OverflowError as overflow:
                raise _refuse(value, "a Double") from overflow
        if kind is str and value in SPECIAL_FLOATS:
            return SPECIAL_FLOATS[value]
        raise _refuse(value, "a Double")

    @staticmethod
    def read_blob(value: Any) -> bytes:
        """Read bytes."""
        if type(value) is not str:
            raise _refuse(value, "a Blob")
        return decode_base64(value)


def _read_string(value: Any) -> str:
    if type(value) is not str:
        raise _refuse(value, "a String")
    return value


def _read_boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise _refuse(value, "a Boolean")
    return value


class CborReaders(JsonReaders):
    """The same tree of closures over decoded CBOR, which has bytes, moments and all floats of its own."""

    def __init__(self) -> None:
        super().__init__()
        from cbor2 import undefined

        # Documented: Smithy RPC v2 CBOR reads `undefined` as null.
        self.absent = undefined

    def timestamp(self, shape: Shape) -> ValueReader:
        """Build the reader of a moment: tag 1 whatever the member's format says."""

        def read(value: Any) -> datetime:
            if not isinstance(value, datetime):
                raise _refuse(value, "a Timestamp")
            return value

        return read

    @staticmethod
    def read_float(value: Any) -> float:
        """Read a number: a float of any width, an integer or a decimal fraction."""
        if type(value) not in (float, int, Decimal):
            raise _refuse(value, "a Double")
        try:
            return float(value)
        except OverflowError as overflow:
            raise _refuse(value, "a Double") from overflow

    @staticmethod
    def read_blob(value: Any) -> bytes:
        """Read bytes."""
        if type(value) is not bytes:
            raise _refuse(value, "a Blob")
        return value


def decode_json(body: bytes) -> Any:
    """
    Decode a JSON body.

    Raises:
        SerializationException: not JSON; NaN and numbers out of range included.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as malformed:
        raise SerializationException(f"Could not parse request body into json: {malformed}") from malformed


def decode_cbor(body: bytes) -> Any:
    """
    Decode a CBOR body.

    Raises:
        SerializationException: not CBOR, or it uses tags that no AWS protocol has.
    """
    import cbor2

    try:
        return cbor2.loads(body, semantic_decoders=_refused_tags(), strict_hashable_types=True)
    except (cbor2.CBORError, ValueError, OverflowError) as malformed:
        raise SerializationException("Could not parse request body into cbor.") from malformed


@cache
def _refused_tags() -> Any:
    """
    Return decoders that refuse the tags which this library would act on and the protocol does not have.

    Shared references make values that hold themselves; regular expressions and mail messages run parsers of
    their own on the caller's bytes.
    """

    def refuse(_decoder: Any) -> Any:
        raise ValueError("a tag that the protocol does not have")

    # Documented: Smithy RPC v2 CBOR has the tags 1 (moment), 2, 3 (big integers) and 4 (decimal fraction).
    return dict.fromkeys((5, 25, 28, 29, 30, 35, 36, 37, 100, 256, 258, 260, 261, 1004, 43000), refuse)


# --- writing ---------------------------------------------------------------------------------------------------------


class JsonWriters:
    """
    Builds writers of JSON values.

    One instance serves one operation: it remembers the writers of structures, because a structure may hold itself.
    """

    def __init__(self) -> None:
        self._structures: dict[str, ValueWriter] = {}

    def writer(self, shape: Shape) -> ValueWriter | None:
        """Build the writer of one shape, or None where values travel as they are."""
        if shape.type == "structure":
            return self._structure(shape)
        if shape.type == "list":
            return _list_writer(self.writer(shape.item))
        if shape.type == "map":
            return _map_writer(self.writer(shape.value))
        return self.scalar(shape)

    def scalar(self, shape: Shape) -> ValueWriter | None:
        """Build the writer of a single value."""
        if shape.type == "timestamp":
            written = shape.timestamp_format or "unixtimestamp"
            return to_epoch if written == "unixtimestamp" else FORMAT[written]
        writers: dict[str, ValueWriter] = {
            "blob": encode_base64,
            "float": _write_json_float,
            "double": _write_json_float,
        }
        return writers.get(shape.type)

    def wire_name(self, shape: Shape, name: str) -> str:
        """Return a member's name on the wire."""
        return shape.wire_name(name)

    def _structure(self, shape: Shape) -> ValueWriter:
        known = self._structures.get(shape.name)
        return self.members(shape, list(shape.members), remember=True) if known is None else known

    def members(self, shape: Shape, names: list[str], *, remember: bool = False) -> ValueWriter:
        """Build the writer of a structure, or of those of its members that `names` lists."""
        members: dict[str, tuple[str, ValueWriter | None]] = {}

        def write(value: Mapping[str, Any]) -> dict[str, Any]:
            out = {}
            for name, item in value.items():
                if item is not None:
                    member = members.get(name)
                    assert member is not None, f"{shape.name} has no member {name} in its body"
                    out[member[0]] = item if member[1] is None else member[1](item)
            return out

        if remember:
            self._structures[shape.name] = write
        for name in names:
            member = shape.members[name]
            members[name] = (self.wire_name(member, name), self.writer(member))
        return write


def _list_writer(write_item: ValueWriter | None) -> ValueWriter | None:
    if write_item is None:
        return None
    return lambda items: [write_item(item) for item in items]


def _map_writer(write_value: ValueWriter | None) -> ValueWriter | None:
    if write_value is None:
        return None
    return lambda entries: {key: write_value(value) for key, value in entries.items()}


def _write_json_float(value: float) -> float | str:
    # JSON has no word for what is not finite.
    return value if value - value == 0 else write_float(value)


class CborWriters(JsonWriters):
    """The same over CBOR, which has bytes and floats of its own."""

    def scalar(self, shape: Shape) -> ValueWriter | None:
        """Build the writer of a single value."""
        if shape.type == "timestamp":
            from cbor2 import CBORTag

            return lambda moment: CBORTag(1, to_epoch(moment))
        return float if shape.type in ("float", "double") else None

    def wire_name(self, shape: Shape, name: str) -> str:
        """Return a member's name on the wire: always the model's own, as clients expect it."""
        return name
