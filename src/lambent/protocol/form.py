"""
Form bodies of the query protocol: flat fields with dotted names (`Tags.member.1.Key`) in, parameters out.

The fields are first laid out as a tree by the parts of their names; then the input shape reads the tree.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from lambent.errors.families import SerializationException
from lambent.protocol.scalars import compile_text_reader
from lambent.protocol.service_model import Shape

FORM_TYPE = "application/x-www-form-urlencoded"

_DEPTH_MAX = 64
"""Parts of a field's name. Assumed: no model nests deeper; the limit only bounds the memory of a hostile name."""
_FIELDS_MAX = 100_000
"""Fields of one form. Assumed: far above any real request; a bound for hostile ones."""


class _Field:
    """A part of a field's name: its own text, where a name ends here, and what goes on below it."""

    __slots__ = ("below", "text")

    def __init__(self) -> None:
        self.text: str | None = None
        self.below: dict[str, _Field] = {}


_Reader = Callable[[_Field], Any]


def form_field(form: bytes, name: bytes) -> str | None:
    """Return one field of a form without reading the others, or None."""
    for pair in form.split(b"&"):
        key, _, value = pair.partition(b"=")
        if key == name:
            return unquote_plus(value.decode("ascii", "replace"))
    return None


def compile_form_reader(shape: Shape | None) -> Callable[[str], dict[str, Any]]:
    """
    Build the reader of an operation's form.

    Raises:
        SerializationException: by the reader, for a form that cannot be read as the shape.
    """
    if shape is None:
        return lambda _form: {}
    read = _Forms().structure(shape)

    def read_form(form: str) -> dict[str, Any]:
        parameters: dict[str, Any] = read(_grow(form))
        return parameters

    return read_form


def _grow(form: str) -> _Field:
    """Lay the fields of a form out as a tree."""
    try:
        pairs = parse_qsl(form, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
    except ValueError as malformed:
        raise SerializationException("The form cannot be read.") from malformed
    root = _Field()
    for name, text in pairs:
        parts = name.split(".", _DEPTH_MAX)
        if len(parts) > _DEPTH_MAX:
            raise SerializationException("A field of the form is nested too deeply.")
        node = root
        for part in parts:
            below = node.below.get(part)
            if below is None:
                below = node.below[part] = _Field()
            node = below
        node.text = text
    return root


class _Forms:
    """Builds readers; remembers those of structures, which may hold themselves."""

    def __init__(self) -> None:
        self._structures: dict[str, _Reader] = {}

    def _reader(self, shape: Shape) -> _Reader:
        if shape.type == "structure":
            return self.structure(shape)
        if shape.type == "list":
            return self._list(shape)
        if shape.type == "map":
            return self._map(shape)
        return _scalar(shape)

    def structure(self, shape: Shape) -> _Reader:
        known = self._structures.get(shape.name)
        if known is not None:
            return known
        members: list[tuple[str, str, _Reader]] = []

        def read(field: _Field) -> dict[str, Any]:
            out = {}
            for name, field_name, read_member in members:
                below = field.below.get(field_name)
                if below is not None:
                    out[name] = read_member(below)
            return out

        self._structures[shape.name] = read
        for name, member in shape.members.items():
            field_name = member.wire_name(name)
            if member.type == "list" and member.is_flattened:
                # The items of a flattened list carry the item's name in place of the list's.
                field_name = member.item.wire_name(field_name)
            members.append((name, field_name, self._reader(member)))
        return read

    def _list(self, shape: Shape) -> _Reader:
        read_item = self._reader(shape.item)
        wrapper = None if shape.is_flattened else shape.item.wire_name("member")

        def read(field: _Field) -> list[Any]:
            # Observed: old clients leave the number of an only item out: AttributeName=All (boto/boto).
            if wrapper is None and field.text is not None and not field.below:
                return [read_item(field)]
            items = field if wrapper is None else field.below.get(wrapper, _EMPTY)
            return [read_item(item) for item in _in_order(items)]

        return read

    def _map(self, shape: Shape) -> _Reader:
        read_key = self._reader(shape.key)
        read_value = self._reader(shape.value)
        key_name = shape.key.wire_name("key")
        value_name = shape.value.wire_name("value")
        is_flattened = shape.is_flattened

        def read(field: _Field) -> dict[str, Any]:
            entries = field if is_flattened else field.below.get("entry", _EMPTY)
            out = {}
            # Observed: old clients leave the number of an only entry out (boto/boto).
            is_alone = is_flattened and key_name in field.below
            for entry in [field] if is_alone else _in_order(entries):
                key = entry.below.get(key_name)
                if key is None:
                    raise SerializationException("An entry of a map has no key.")
                value = entry.below.get(value_name)
                out[read_key(key)] = None if value is None else read_value(value)
            return out

        return read


_EMPTY = _Field()


def _in_order(field: _Field) -> list[_Field]:
    """Return what is below a list or map by its numbers, which need not begin at 1 or be complete."""
    try:
        return [item for _, item in sorted((int(number), item) for number, item in field.below.items())]
    except (ValueError, TypeError) as malformed:
        raise SerializationException("An item of a list or map has no number of its own.") from malformed


def _scalar(shape: Shape) -> _Reader:
    read_text = compile_text_reader(shape, "iso8601")

    def read(field: _Field) -> Any:
        if field.text is None:
            raise SerializationException("A structure or list was found where a single value is expected.")
        return read_text(field.text)

    return read
