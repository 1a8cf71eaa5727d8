"""How a handler says which operation it is, and how a service gathers its handlers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from lambent.access.authorize import Demand, ResourceFacts
from lambent.domain.caller import Caller
from lambent.errors.families import ApiError

Handler = Callable[[Caller, Any], Awaitable[Mapping[str, Any]]]
Demands = Callable[[Caller, Any], Sequence[Demand]]
"""Returns what a caller needs leave for, by validated parameters; looks nothing up."""
_F = TypeVar("_F", bound=Callable[..., Any])


def operation(name: str) -> Callable[[_F], _F]:
    """Mark a method as the handler of the operation `name` of its service's model."""

    def mark(function: _F) -> _F:
        function.__operation__ = name  # type: ignore[attr-defined]
        return function

    return mark


class BodyLimit(msgspec.Struct, frozen=True):
    """How large a request body may be, and how the refusal reads."""

    max_bytes: int
    """What the refusal names."""
    read_max_bytes: int
    """What is read; more than `max_bytes` where the handler words a narrow miss itself."""
    error: type[ApiError] | None = None
    """None means RequestEntityTooLargeException."""
    shown_as: str | None = None
    """The operation's name in the text, where it differs."""


DEFAULT_BODY_LIMIT = BodyLimit(6_291_456, 6_291_456)
"""Assumed: AWS's general limit of request bodies, as seen for Invoke."""


class Service(msgspec.Struct, frozen=True):
    """One service: its handlers, what it does not offer, and how it words a shape violation."""

    name: str
    """As botocore names the model, e.g. `lambda`."""
    handlers: Mapping[str, Handler]
    not_offered: Mapping[str, str]
    """Operation to the reason, for the 501 answer."""
    shape_violation: Callable[[str], ApiError]
    """Makes of a text the error that a request violating the model's constraints gets."""
    body_limits: Mapping[str, BodyLimit] = {}
    """By operation, where the limit is not `default_body_limit`."""
    default_body_limit: BodyLimit = DEFAULT_BODY_LIMIT
    unpacked_max_bytes: int = 0
    """What a body that is sent compressed by gzip may unpack to; 0: none is unpacked."""
    demands: Mapping[str, Demands] = {}
    """By operation, where it is not the action of its own name on `*`."""
    facts: ResourceFacts | None = None
    """What is known of its resources."""
    unsigned: frozenset[str] = frozenset()
    """Operations that take requests which nobody signed."""

    def demanded(self, operation: str, caller: Caller, parameters: Any) -> Sequence[Demand]:
        """Return what a request needs leave for."""
        demands = self.demands.get(operation)
        return (Demand(f"{self.name}:{operation}"),) if demands is None else demands(caller, parameters)


def collect_handlers(*resources: object) -> dict[str, Handler]:
    """Gather the marked methods of `resources` by operation name."""
    handlers: dict[str, Handler] = {}
    for resource in resources:
        for attribute in dir(type(resource)):
            name = getattr(getattr(type(resource), attribute), "__operation__", None)
            if name is not None:
                assert name not in handlers, f"two handlers for {name}"
                handlers[name] = getattr(resource, attribute)
    return handlers
