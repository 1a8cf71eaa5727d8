"""XML bodies of the query protocol: an output or error shape in, elements out."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from lambent.protocol.scalars import compile_text_writer
from lambent.protocol.service_model import Shape

_Writer = Callable[[Any, str], str]
"""A value and the name of its element to XML."""

# XML 1.0 has no way to write these at all; a reader would refuse the whole answer for one of them.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REPLACEMENT = "\ufffd"
# A bare carriage return would be read back as a line feed. Not the standard library's own function: its module imports
# a web client, which servers would hold all their life.
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})


def element(name: str, text: str) -> str:
    """Write one element that holds text."""
    return f"<{name}>{escape(text)}</{name}>"


def escape(text: str) -> str:
    """Write text so that it reads back as what it is; characters that XML cannot hold are replaced."""
    return _UNWRITABLE.sub(_REPLACEMENT, text).translate(_ENTITIES)


def compile_xml_writer(shape: Shape) -> Callable[[Mapping[str, Any]], str]:
    """Build the writer of the members of a structure, without an element around them."""
    return _Elements().members(shape)


class _Elements:
    """Builds writers; remembers those of structures, which may hold themselves."""

    def __init__(self) -> None:
        self._structures: dict[str, Callable[[Mapping[str, Any]], str]] = {}

    def members(self, shape: Shape) -> Callable[[Mapping[str, Any]], str]:
        known = self._structures.get(shape.name)
        if known is not None:
            return known
        members: dict[str, tuple[str, _Writer]] = {}

        def write(value: Mapping[str, Any]) -> str:
            parts = []
            for name, item in value.items():
                if item is not None:
                    assert name in members, f"{shape.name} has no member {name}"
                    element_name, write_member = members[name]
                    parts.append(write_member(item, element_name))
            return "".join(parts)

        self._structures[shape.name] = write
        for name, member in shape.members.items():
            element_name = member.wire_name(name)
            if member.type == "list" and member.is_flattened:
                # The items of a flattened list carry the item's name in place of the list's.
                element_name = member.item.wire_name(element_name)
            members[name] = (element_name, self._writer(member))
        return write

    def _writer(self, shape: Shape) -> _Writer:
        if shape.type == "structure":
            write_members = self.members(shape)
            return lambda value, name: f"<{name}>{write_members(value)}</{name}>"
        if shape.type == "list":
            return self._list(shape)
        if shape.type == "map":
            return self._map(shape)
        write_text = compile_text_writer(shape, "iso8601")
        return lambda value, name: element(name, write_text(value))

    def _list(self, shape: Shape) -> _Writer:
        write_item = self._writer(shape.item)
        if shape.is_flattened:
            return lambda items, name: "".join([write_item(item, name) for item in items])
        item_name = shape.item.wire_name("member")
        return lambda items, name: f"<{name}>{''.join([write_item(item, item_name) for item in items])}</{name}>"

    def _map(self, shape: Shape) -> _Writer:
        write_key, key_name = self._writer(shape.key), shape.key.wire_name("key")
        write_value, value_name = self._writer(shape.value), shape.value.wire_name("value")
        is_flattened = shape.is_flattened

        def write(entries: Mapping[str, Any], name: str) -> str:
            outer = name if is_flattened else "entry"
            written = "".join(
                [
                    f"<{outer}>{write_key(key, key_name)}{write_value(value, value_name)}</{outer}>"
                    for key, value in entries.items()
                ]
            )
            return written if is_flattened else f"<{name}>{written}</{name}>"

        return write
