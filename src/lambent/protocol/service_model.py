"""
The service models that botocore ships, as shapes and operations.

The model files are read directly. Importing botocore's own loader and model classes would cost each server some
13 MiB and 150 ms at start, and of all of it only these few attributes are used here.
"""

import gzip
import importlib.util
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from lambent.protocol.query_dialects import DIALECTS, add_errors, speak_query


class UnknownService(LookupError):
    """botocore ships no model of this name."""


class Shape:
    """
    One shape, as seen from the member that refers to it.

    Traits written at the reference win over traits of the shape itself, as in botocore.

    Args:
        model: where the shapes that this one refers to are found.
        name: the shape's name in the model.
        reference: traits of the member that refers to the shape.
    """

    def __init__(self, model: "ServiceModel", name: str, reference: Mapping[str, Any]) -> None:
        self._model = model
        self.name = name
        self.traits: dict[str, Any] = {**model.raw_shapes[name], **reference}
        self.type: str = self.traits["type"]

    @cached_property
    def members(self) -> "Mapping[str, Shape]":
        """The members of a structure, in the model's order."""
        return {name: self._model.refer(reference) for name, reference in self.traits.get("members", {}).items()}

    @property
    def required(self) -> frozenset[str]:
        """The members of a structure that must be there."""
        return frozenset(self.traits.get("required", ()))

    @cached_property
    def item(self) -> "Shape":
        """What a list holds."""
        return self._model.refer(self.traits["member"])

    @cached_property
    def key(self) -> "Shape":
        """The keys of a map."""
        return self._model.refer(self.traits["key"])

    @cached_property
    def value(self) -> "Shape":
        """The values of a map."""
        return self._model.refer(self.traits["value"])

    @property
    def location(self) -> str | None:
        """Where outside the body a member travels: uri, querystring, header, headers, statusCode."""
        return self.traits.get("location")

    @property
    def is_sensitive(self) -> bool:
        """Whether the value may not be repeated in an error text."""
        return bool(self.traits.get("sensitive"))

    @property
    def is_flattened(self) -> bool:
        """Whether a list or map of the query protocol has no wrapping element."""
        return bool(self.traits.get("flattened"))

    @property
    def timestamp_format(self) -> str | None:
        """The member's own timestamp format; None leaves it to the protocol and the place."""
        written = self.traits.get("timestampFormat")
        return None if written is None else str(written).lower()

    @property
    def payload(self) -> str | None:
        """The member that is the whole body, if one is."""
        return self.traits.get("payload")

    def wire_name(self, default: str) -> str:
        """How the member is called on the wire, where the model names it otherwise than `default`."""
        return str(self.traits.get("locationName", default))


class Operation:
    """
    One operation of a service model.

    Args:
        model: the model that holds it.
        name: the operation's name.
        traits: what the model says about it.
    """

    def __init__(self, model: "ServiceModel", name: str, traits: Mapping[str, Any]) -> None:
        http = traits.get("http", {})
        self.name = name
        self.method: str = http.get("method", "POST")
        self.uri: str = http.get("requestUri", "/")
        self.status: int = http.get("responseCode", 200)
        self.input: Shape | None = model.refer(traits["input"]) if "input" in traits else None
        self.output: Shape | None = model.refer(traits["output"]) if "output" in traits else None
        self.error_names: tuple[str, ...] = tuple(error["shape"] for error in traits.get("errors", ()))

    def __repr__(self) -> str:
        return f"Operation({self.name})"

    @property
    def has_event_stream(self) -> bool:
        """Whether input or output holds an event stream."""
        return any(
            member.traits.get("eventstream")
            for shape in (self.input, self.output)
            if shape is not None
            for member in shape.members.values()
        )


class ServiceModel:
    """
    One service: its metadata, operations and error shapes.

    Args:
        name: the model's name in botocore, e.g. `lambda`.
        protocol: which of those that the service speaks, where it is not the one that its model prefers. A service with
            a row in `DIALECTS` speaks `query` as well.

    Raises:
        UnknownService: botocore has no such model.
    """

    def __init__(self, name: str, *, protocol: str | None = None) -> None:
        raw = _read_model(name)
        self.dialect = DIALECTS.get(name)
        if self.dialect is not None:
            add_errors(raw, self.dialect)
            if protocol == "query":
                speak_query(raw, self.dialect)
        metadata = raw["metadata"]
        self.name = name
        self.raw_shapes: Mapping[str, Mapping[str, Any]] = raw["shapes"]
        self.protocols: frozenset[str] = frozenset(metadata.get("protocols", ())) | {metadata["protocol"]}
        """All that the model says the service speaks."""
        self.protocol: str = protocol or metadata["protocol"]
        """The one that is spoken here."""
        self.api_version: str = metadata["apiVersion"]
        self.target_prefix: str = metadata.get("targetPrefix", "")
        self.json_version: str = metadata.get("jsonVersion", "1.0")
        self.xml_namespace: str = metadata.get("xmlNamespace", "")
        self.signing_name: str = metadata.get("signingName", metadata["endpointPrefix"])
        self.is_query_compatible = "awsQueryCompatible" in metadata
        self._raw_operations: Mapping[str, Mapping[str, Any]] = raw["operations"]

    @cached_property
    def operations(self) -> Mapping[str, Operation]:
        """Every operation by name."""
        return {name: Operation(self, name, traits) for name, traits in self._raw_operations.items()}

    @cached_property
    def errors(self) -> Mapping[str, Shape]:
        """Every error shape by name."""
        return {
            name: Shape(self, name, {})
            for name, traits in sorted(self.raw_shapes.items())
            if traits.get("exception") and traits["type"] == "structure"
        }

    def refer(self, reference: Mapping[str, Any]) -> Shape:
        """Follow a reference from a member, a list or an operation to its shape."""
        return Shape(self, reference["shape"], {trait: value for trait, value in reference.items() if trait != "shape"})


def _read_model(name: str) -> dict[str, Any]:
    """
    Read the newest model file of a service, without its documentation, which is most of its size.

    Raises:
        UnknownService: there is none.
    """
    package = importlib.util.find_spec("botocore")
    assert package is not None and package.submodule_search_locations, "botocore is a dependency of this package"
    folder = Path(package.submodule_search_locations[0], "data", name)
    # API versions are dates, so the newest sorts last.
    for version in sorted(folder.iterdir(), reverse=True) if folder.is_dir() else ():
        for file, unpack in ((version / "service-2.json.gz", gzip.decompress), (version / "service-2.json", bytes)):
            if file.is_file():
                raw: dict[str, Any] = msgspec.json.decode(unpack(file.read_bytes()))
                _drop_documentation(raw)
                return raw
    raise UnknownService(name)


def _drop_documentation(raw: dict[str, Any]) -> None:
    """Forget the prose of a model: nothing here reads it, and it would stay in memory."""
    for operation in raw["operations"].values():
        operation.pop("documentation", None)
        for reference in (operation.get("input", {}), operation.get("output", {}), *operation.get("errors", ())):
            reference.pop("documentation", None)
    for shape in raw["shapes"].values():
        shape.pop("documentation", None)
        references = [*shape.get("members", {}).values(), shape.get("member", {})]
        for reference in (*references, shape.get("key", {}), shape.get("value", {})):
            reference.pop("documentation", None)
