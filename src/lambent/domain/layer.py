"""Layers: packages that functions share, by name and number."""

import re
from collections.abc import Sequence
from typing import NewType

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.resource_policy import ResourcePolicy

LayerName = NewType("LayerName", str)
"""A bare layer name: 1 to 140 characters of `[a-zA-Z0-9-_]`. Made by `parse_layer_reference`."""

LAYERS_MAX = 5
"""Documented: Lambda quotas, layers of a function."""

_REFERENCE = re.compile(
    r"(?:arn:(?:aws[a-zA-Z-]*)?:lambda:(?P<region>(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):(?P<account>\d{12}):layer:)?"
    r"(?P<name>[a-zA-Z0-9-_]+)"
    r"(?::(?P<number>[0-9]+))?"
)
"""The model's pattern for layers, with its groups named. Source: Lambda service model, LayerName, LayerVersionArn."""


class LayerVersion(msgspec.Struct, frozen=True):
    """One version of a layer. Immutable but for its policy."""

    scope: Scope
    name: LayerName
    number: int
    """From 1; never reused, even when all versions of the layer are gone."""
    sha256: str
    """64 hexadecimal digits of the zip exactly as uploaded; the key of the blob."""
    size_bytes: int
    created: float
    """Seconds since the epoch."""
    description: str = ""
    runtimes: tuple[str, ...] | None = None
    """Compatible runtimes, for whoever lists; None when not given. They bind nobody."""
    architectures: tuple[str, ...] | None = None
    license: str | None = None
    policy: ResourcePolicy | None = None
    """Who beyond the account may use it."""
    policy_revision_id: str = ""
    """UUID, new at every change of the policy; empty without one."""

    @property
    def arn(self) -> str:
        return f"{layer_arn(self.scope, self.name)}:{self.number}"

    def suits(self, runtime: str | None, architecture: str | None) -> bool:
        """Return whether it says of itself that it fits. None asks for nothing."""
        return (runtime is None or runtime in (self.runtimes or ())) and (
            architecture is None or architecture in (self.architectures or ())
        )


class AttachedLayer(msgspec.Struct, frozen=True):
    """A layer version as a function's configuration holds it: it goes on working when the layer is deleted."""

    arn: str
    sha256: str
    size_bytes: int


class LayerReference(msgspec.Struct, frozen=True):
    """A layer, or one version of it, as a caller named it."""

    name: LayerName
    number: int | None
    account: str | None
    region: str | None


def layer_arn(scope: Scope, name: str) -> str:
    """Return a layer's ARN, without a version."""
    return f"arn:aws:lambda:{scope.region}:{scope.account}:layer:{name}"


def parse_layer_reference(text: str) -> LayerReference:
    """
    Take a layer's name, ARN or version ARN apart.

    Raises:
        ValueError: the text is none of these. Requests that passed shape validation hardly ever are.

    Source: Lambda API reference, LayerName and LayerVersionArn; service model patterns.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a layer name or ARN: {text!r}")
    number = match["number"]
    return LayerReference(
        name=LayerName(match["name"]),
        number=None if number is None else int(number),
        account=match["account"],
        region=match["region"],
    )


def layers_key(layers: Sequence[AttachedLayer]) -> tuple[str, ...]:
    """Return what the merged content of layers depends on: their packages, in the order of merging."""
    return tuple(layer.sha256 for layer in layers)
