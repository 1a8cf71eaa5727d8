"""
What GetTraceSummaries says of a trace.

Documented: X-Ray API reference, TraceSummary and the structures in it.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambent.domain.xray.document import moment_of
from lambent.domain.xray.trace import (
    AnnotationValue,
    Entity,
    Flags,
    ServiceId,
    Trace,
    duration_of,
    exceptions_of,
    flags_of,
    parent_of,
    status_of,
    text_at,
)

_PATH_MAX = 50
"""Services in one root cause. Assumed: nothing real has as many, and a ring of segments has no end (test_summary)."""

_COVERING = 0.5
"""
The share of an entity's time that one inside it takes to be what it waited for. Assumed: AWS does not say how it finds
root causes; what takes most of the time is one (test_summary).
"""

_VALUES = {bool: "BooleanValue", str: "StringValue", float: "NumberValue"}


def summarise(trace: Trace) -> dict[str, Any]:
    """Return an item of TraceSummaries."""
    root = trace.root
    # Documented: HasFault and HasError are the root segment's, HasThrottle any segment's.
    flags = flags_of(root)
    return {
        "Id": trace.id,
        "StartTime": moment_of(trace.start_s),
        "Duration": round(trace.duration_s, 6),
        "ResponseTime": round(duration_of(root), 6),
        "HasFault": flags.fault,
        "HasError": flags.error,
        "HasThrottle": any(flags_of(segment).throttle for segment in trace.segments),
        "IsPartial": trace.is_partial,
        "Http": _http(root),
        "Annotations": {
            key: [
                {"AnnotationValue": {_VALUES[kind]: _value(value)}, "ServiceIds": _shown(services)}
                for (kind, value), services in values.items()
            ]
            for key, values in trace.annotations.items()
        },
        "Users": [
            {"UserName": user, "ServiceIds": _shown(services)} for user, services in trace.users.items()
        ],
        "ServiceIds": _shown(trace.services),
        "ResourceARNs": [{"ARN": arn} for arn in trace.texts("resource_arn")],
        "InstanceIds": [{"Id": id_} for id_ in trace.texts("aws", "ec2", "instance_id")],
        "AvailabilityZones": [{"Name": zone} for zone in trace.texts("aws", "ec2", "availability_zone")],
        "EntryPoint": show_service(trace.service_of(root)),
        "FaultRootCauses": _failed(trace, lambda flags: flags.fault),
        "ErrorRootCauses": _failed(trace, lambda flags: flags.error),
        "ResponseTimeRootCauses": _slow(trace),
        "Revision": trace.revision,
    }  # fmt: skip


def show_service(service: ServiceId) -> dict[str, Any]:
    """Return a ServiceId."""
    shown: dict[str, Any] = {"Name": service.name, "Names": [service.name]}
    if service.account is not None:
        shown["AccountId"] = service.account
    if service.type is not None:
        shown["Type"] = service.type
    return shown


def _shown(services: Sequence[ServiceId]) -> list[dict[str, Any]]:
    return list(map(show_service, services))


def _value(value: AnnotationValue) -> AnnotationValue:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _http(root: Entity) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, key in (
        ("HttpURL", "url"),
        ("HttpMethod", "method"),
        ("UserAgent", "user_agent"),
        ("ClientIp", "client_ip"),
    ):
        text = text_at(root, "http", "request", key)
        if text is not None:
            shown[name] = text
    status = status_of(root)
    if status is not None and 0 <= status < 1_000:
        shown["HttpStatus"] = status
    return shown


def _failed(trace: Trace, has_failed: Callable[[Flags], bool]) -> list[dict[str, Any]]:
    """Return the root cause of a trace that failed: from the first service that did down to the last that did."""
    failed = [segment for segment in trace.segments if has_failed(flags_of(segment))]
    if not failed:
        return []
    is_impacting = trace.root in failed
    callees = _callees(trace)
    services: list[dict[str, Any]] = []
    segment: Entity | None = trace.root if is_impacting else failed[0]
    while segment is not None and len(services) < _PATH_MAX:
        path = _down(segment, lambda _, inner: next((one for one in inner if has_failed(flags_of(one))), None))
        shown = [
            {
                "Name": entity["name"],
                "Exceptions": [{"Name": kind, "Message": message} for kind, message in exceptions_of(entity)],
                "Remote": _is_remote(entity),
            }
            for entity in path
        ]
        services.append(_on_path(trace, segment, shown))
        segment = next(
            (one for entity in path for one in callees[entity["id"].lower()] if has_failed(flags_of(one))), None
        )
    return [{"Services": services, "ClientImpacting": is_impacting}]


def _slow(trace: Trace) -> list[dict[str, Any]]:
    """Return what the root segment waited for: at each step what took at least half of the time."""
    callees = _callees(trace)
    services: list[dict[str, Any]] = []
    segment: Entity | None = trace.root
    while segment is not None and len(services) < _PATH_MAX:
        whole = duration_of(segment)
        path = _down(segment, _longest)
        shown = [
            {
                "Name": entity["name"],
                "Coverage": round(min(1.0, duration_of(entity) / whole), 4) if whole else 1.0,
                "Remote": _is_remote(entity),
            }
            for entity in path
        ]
        services.append(_on_path(trace, segment, shown))
        segment = _longest(path[-1], callees[path[-1]["id"].lower()])
    return [{"Services": services, "ClientImpacting": True}]


def _down(segment: Entity, choose: Callable[[Entity, Sequence[Entity]], Entity | None]) -> list[Entity]:
    """Return a segment, and each time the entity inside the last one that `choose` picks."""
    path = [segment]
    while (chosen := choose(path[-1], path[-1].get("subsegments") or ())) is not None:
        path.append(chosen)
    return path


def _longest(outer: Entity, inner: Sequence[Entity]) -> Entity | None:
    """Return what took at least half of an entity's time."""
    longest = max(inner, key=duration_of, default=None)
    return longest if longest is not None and duration_of(longest) >= _COVERING * duration_of(outer) else None


def _callees(trace: Trace) -> Mapping[str, list[Entity]]:
    callees: defaultdict[str, list[Entity]] = defaultdict(list)
    for segment in trace.segments:
        callees[parent_of(segment) or ""].append(segment)
    return callees


def _is_remote(entity: Entity) -> bool:
    return entity.get("namespace") in ("aws", "remote")


def _on_path(trace: Trace, segment: Entity, path: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    shown = show_service(trace.service_of(segment))
    return {**shown, "EntityPath": path, "Inferred": bool(segment.get("inferred"))}
