"""How requests name metrics: dimensions, and tokens that go on behind one."""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.metric import Metric
from lambent.services.monitoring.refusals import invalid_token


def dimensions_in(given: Iterable[Mapping[str, Any]] | None) -> tuple[tuple[str, str], ...]:
    """Return dimensions of a request as a `Metric` has them."""
    return tuple(sorted((one["Name"], one["Value"]) for one in given or ()))


def shown(metric: Metric) -> dict[str, Any]:
    """Return a metric as answers have it."""
    return {
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
    }


class _Place(msgspec.Struct, array_like=True):
    namespace: str
    name: str
    dimensions: Sequence[tuple[str, str]]
    unit: str


def token_behind(metric: Metric) -> str:
    """Return the token that goes on behind a metric."""
    place = _Place(metric.namespace, metric.name, metric.dimensions, metric.unit)
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode()


def place_of(scope: Scope, token: str | None) -> Metric | None:
    """
    Return the metric that a listing goes on behind.

    Raises:
        InvalidParameterValueException: the token is none.
    """
    if token is None:
        return None
    try:
        place = msgspec.json.decode(base64.b64decode(token, altchars=b"-_", validate=True), type=_Place)
    except (binascii.Error, msgspec.DecodeError, UnicodeError, ValueError, RecursionError):
        raise invalid_token() from None
    return Metric(scope, place.namespace, place.name, tuple(place.dimensions), place.unit)
