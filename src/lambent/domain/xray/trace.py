"""
One trace as it is asked about: its segments, merged, and what they say of the services that took part.

Documents hold whatever their writers put there: a field that is not what it should be counts as absent.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from lambent.domain.xray.document import has_ended, is_sent_alone

Entity: TypeAlias = Mapping[str, Any]
"""A segment or a subsegment."""

AnnotationValue: TypeAlias = str | bool | float


class ServiceId(NamedTuple):
    """A node of graphs: segments of one service have the same."""

    name: str
    type: str | None
    """Its origin, such as `AWS::Lambda`; `remote` for one that wrote no segment; None where a program says nothing."""
    account: str | None


class Flags(NamedTuple):
    """How an entity ended."""

    fault: bool
    error: bool
    throttle: bool

    @property
    def is_ok(self) -> bool:
        return not (self.fault or self.error or self.throttle)


class Trace:
    """
    A trace, merged.

    Args:
        trace_id: in small letters.
        segments: as `merge` returns them; at least one.
        account: of the scope that it is stored in.
        revision: rises with each change of the trace.
        updated_s: when it changed last, since the epoch.
    """

    def __init__(
        self,
        trace_id: str,
        segments: Sequence[Entity],
        account: str,
        *,
        revision: int = 1,
        updated_s: float = 0.0,
        is_cut: bool = False,
    ) -> None:
        assert segments, "a trace has a segment"
        self.id = trace_id
        self.segments = segments
        self.revision = revision
        self.updated_s = updated_s
        self.is_cut = is_cut
        """Whether segments of it were refused, because it has grown too large."""
        self._account = account

    @cached_property
    def start_s(self) -> float:
        return float(min(segment["start_time"] for segment in self.segments))

    @cached_property
    def end_s(self) -> float:
        return max(self.start_s, *(end_of(segment) for segment in self.segments))

    @property
    def duration_s(self) -> float:
        """Documented: X-Ray API reference, TraceSummary: from the first start to the last end."""
        return self.end_s - self.start_s

    @property
    def is_partial(self) -> bool:
        return any(not has_ended(segment) for segment in self.segments)

    @cached_property
    def root(self) -> Entity:
        """
        The segment that the others follow from.

        Assumed: where none is without a parent, the first whose parent is not here, as that of a caller who sent no
        segment of its own (test_trace).
        """
        known = self._owners
        heads = [segment for segment in self.segments if parent_of(segment) not in known] or self.segments
        return min(heads, key=lambda one: (is_sent_alone(one), bool(parent_of(one)), one["start_time"], one["id"]))

    @cached_property
    def _owners(self) -> Mapping[str, Entity]:
        """Each segment by its id, and by those of the subsegments in it."""
        return {entity["id"].lower(): segment for segment in self.segments for entity in entities(segment)}

    def caller_of(self, segment: Entity) -> Entity | None:
        """Return the segment that a segment was called from."""
        found = self._owners.get(parent_of(segment) or "")
        return None if found is segment else found

    def service_of(self, segment: Entity) -> ServiceId:
        """Return which service a segment is of."""
        origin = text_at(segment, "origin")
        account = text_at(segment, "aws", "account_id")
        if segment.get("inferred"):
            # Documented: X-Ray developer guide, service map: what is behind a call and known no better is remote.
            return ServiceId(segment["name"], origin or "remote", account or (self._account if origin else None))
        return ServiceId(segment["name"], origin, account or self._account)

    @cached_property
    def services(self) -> Sequence[ServiceId]:
        """The services that took part, each once, in order of time."""
        return list(dict.fromkeys(map(self.service_of, self.segments)))

    @cached_property
    def annotations(self) -> Mapping[str, Mapping[tuple[type, AnnotationValue], Sequence[ServiceId]]]:
        """Key to value to the services that set it. A value goes with its type, for to Python True equals 1."""
        found: dict[str, dict[tuple[type, AnnotationValue], list[ServiceId]]] = {}
        for segment in self.segments:
            service = self.service_of(segment)
            for key, value in annotations_of(segment):
                services = found.setdefault(key, {}).setdefault((kind_of(value), value), [])
                if service not in services:
                    services.append(service)
        return found

    @cached_property
    def users(self) -> Mapping[str, Sequence[ServiceId]]:
        """User to the services that named them."""
        found: dict[str, list[ServiceId]] = {}
        for segment in self.segments:
            user = text_at(segment, "user")
            if user is not None:
                services = found.setdefault(user, [])
                if (service := self.service_of(segment)) not in services:
                    services.append(service)
        return found

    def texts(self, *path: str) -> Sequence[str]:
        """Return the texts that segments have at a place, each once."""
        found = (text_at(segment, *path) for segment in self.segments)
        return list(dict.fromkeys(text for text in found if text is not None))


def kind_of(value: AnnotationValue) -> type:
    """Return the type of an annotation: whole numbers and others are one."""
    return bool if isinstance(value, bool) else str if isinstance(value, str) else float


def entities(segment: Entity) -> Iterator[Entity]:
    """Yield a segment and all subsegments in it, each before those inside it."""
    waiting = [segment]
    while waiting:
        entity = waiting.pop()
        yield entity
        waiting += reversed(entity.get("subsegments") or ())


def annotations_of(segment: Entity) -> Iterator[tuple[str, AnnotationValue]]:
    """Yield the annotations of a segment and the subsegments in it."""
    for entity in entities(segment):
        annotations = entity.get("annotations")
        if isinstance(annotations, dict):
            for key, value in annotations.items():
                # What no double holds is no number for anybody who searches.
                if isinstance(value, str) or (isinstance(value, int | float) and abs(value) <= sys.float_info.max):
                    yield key, value


def parent_of(segment: Entity) -> str | None:
    """Return the id of what a segment was called from."""
    parent = segment.get("parent_id")
    return parent.lower() if parent else None


def end_of(entity: Entity) -> float:
    """Return when an entity ended; of one that goes on, when it began."""
    start = float(entity["start_time"])
    return max(start, float(entity["end_time"])) if has_ended(entity) else start


def duration_of(entity: Entity) -> float:
    """Return how long an entity took, in seconds."""
    return end_of(entity) - float(entity["start_time"])


def status_of(entity: Entity) -> int | None:
    """Return the HTTP status that an entity answered, or was answered."""
    status = value_at(entity, "http", "response", "status")
    return status if isinstance(status, int) and not isinstance(status, bool) else None


def flags_of(entity: Entity) -> Flags:
    """
    Return how an entity ended.

    Documented: X-Ray developer guide, segment documents: flags for 4xx, 429 and 5xx. Assumed: a status speaks for a
    writer that sets none of them (test_trace).
    """
    fault, error, throttle = (entity.get(name) is True for name in ("fault", "error", "throttle"))
    status = status_of(entity)
    if status is not None and not (fault or error or throttle):
        return Flags(status >= 500, 400 <= status < 500, status == 429)
    return Flags(fault, error, throttle)


def exceptions_of(entity: Entity) -> Iterator[tuple[str, str]]:
    """Yield type and message of the exceptions that an entity ended with."""
    exceptions = value_at(entity, "cause", "exceptions")
    for exception in exceptions if isinstance(exceptions, list) else ():
        yield text_at(exception, "type") or "", text_at(exception, "message") or ""


def value_at(entity: Any, *path: str) -> Any:
    """Return what stands at a place, None where that is not there."""
    for name in path:
        if not isinstance(entity, Mapping):
            return None
        entity = entity.get(name)
    return entity


def text_at(entity: Any, *path: str) -> str | None:
    """Return the text that stands at a place."""
    found = value_at(entity, *path)
    return found if isinstance(found, str) and found else None
