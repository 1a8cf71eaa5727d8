"""
Traces as readers see them: subsegments where they belong, and segments for what was called and wrote none.

What comes out does not depend on the order in which documents arrived, but for documents of one id, of which the caller
says which is the last.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from lambent.domain.xray.document import has_ended, is_sent_alone

NESTED_MAX = 100
"""
How deep subsegments that were sent alone are nested into each other; what is deeper is shown by itself. Assumed: real
ones have a handful of levels, and a chain of thousands could not be written as JSON (test_merge).
"""

_OF_SENT_ALONE = frozenset({"type", "trace_id", "parent_id", "subsegments"})
"""Fields that a subsegment has only while it is apart from its parent, and what is nested in it, which moves along."""

_INFERRED = (
    "start_time", "end_time", "in_progress", "http", "aws", "sql", "error", "fault", "throttle", "cause"
)  # fmt: skip
"""
What a segment that is inferred has from the subsegment of its call. Documented: X-Ray developer guide, inferred
segments. Assumed: the flags and the cause, without which nobody could ask for a service that failed (test_merge).
"""

_ORIGINS = {
    # Documented: X-Ray developer guide, AWS SDK calls. Assumed: the spellings but that of DynamoDB (test_merge).
    "dynamodb": "AWS::DynamoDB::Table",
    "sqs": "AWS::SQS::Queue",
    "s3": "AWS::S3",
    "sns": "AWS::SNS",
    "lambda": "AWS::Lambda",
    "kinesis": "AWS::Kinesis::Stream",
    "sfn": "AWS::StepFunctions::StateMachine",
    "stepfunctions": "AWS::StepFunctions::StateMachine",
}


class _Node(NamedTuple):
    """A segment or subsegment, and where it belongs."""

    fields: Mapping[str, Any]
    parent: str | None
    """In small letters, as all ids here."""
    is_segment: bool
    is_document: bool
    """Whether it was sent as a document of its own."""
    trace_id: str


def merge(documents: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """
    Return the segments of one trace: those that were sent, orphans, and inferred ones, by start and id.

    Args:
        documents: checked ones of one trace; of those with one id the last complete one counts, or else the last.
    """
    counting: dict[str, Mapping[str, Any]] = {}
    for document in documents:
        id_ = document["id"].lower()
        if id_ not in counting or has_ended(document) or not has_ended(counting[id_]):
            counting[id_] = document
    nodes: dict[str, _Node] = {}
    for _, document in sorted(counting.items()):
        _gather(document, nodes)
    return sorted([*_trees(nodes), *_inferred(nodes)], key=_by_time)


def _gather(document: Mapping[str, Any], nodes: dict[str, _Node]) -> None:
    """
    Take a document apart: what is nested in it may have been sent alone as well, and may be the parent of what was.

    Of two with one id the one that is complete counts, or else the one that was sent alone.
    """
    outer = document.get("parent_id")
    waiting: list[tuple[Mapping[str, Any], str | None, bool]] = [
        (document, outer.lower() if outer else None, not is_sent_alone(document))
    ]
    while waiting:
        fields, parent, is_segment = waiting.pop()
        id_ = fields["id"].lower()
        known, is_document = nodes.get(id_), fields is document
        if known is None or (has_ended(fields), is_document) > (has_ended(known.fields), known.is_document):
            nodes[id_] = _Node(fields, parent, is_segment, is_document, document["trace_id"])
        waiting += [(inner, id_, False) for inner in fields.get("subsegments") or ()]


def _trees(nodes: Mapping[str, _Node]) -> list[dict[str, Any]]:
    children: defaultdict[str, list[str]] = defaultdict(list)
    for id_, node in nodes.items():
        if not node.is_segment and node.parent is not None:
            children[node.parent].append(id_)
    placed: set[str] = set()
    heads = [id_ for id_, node in nodes.items() if node.is_segment or node.parent not in nodes]
    trees: list[dict[str, Any]] = []
    while True:
        trees += [_tree(id_, nodes, children, placed) for id_ in heads if id_ not in placed]
        # What is in no tree yet: the rest of a chain that was too long, which goes on by itself, or a ring.
        rest = [id_ for id_ in sorted(nodes) if id_ not in placed]
        if not rest:
            return trees
        heads = [id_ for id_ in rest if nodes[id_].parent in placed] or rest


def _tree(id_: str, nodes: Mapping[str, _Node], children: Mapping[str, list[str]], placed: set[str]) -> dict[str, Any]:
    """Return a segment, or an orphan as if it were one, with what belongs into it; note in `placed` what that is."""
    node = nodes[id_]
    root = {name: value for name, value in node.fields.items() if name != "subsegments"}
    if not node.is_segment:
        root |= {"type": "subsegment", "trace_id": node.trace_id, "parent_id": node.parent}
    placed.add(id_)
    waiting = [(id_, root, 0)]
    while waiting:
        outer_id, outer, depth = waiting.pop()
        inside = []
        for inner_id in children.get(outer_id, ()) if depth < NESTED_MAX else ():
            if inner_id not in placed:
                placed.add(inner_id)
                given = nodes[inner_id].fields
                inner = {name: value for name, value in given.items() if name not in _OF_SENT_ALONE}
                inside.append(inner)
                waiting.append((inner_id, inner, depth + 1))
        if inside:
            outer["subsegments"] = sorted(inside, key=_by_time)
    return root


def _inferred(nodes: Mapping[str, _Node]) -> Iterator[dict[str, Any]]:
    """Yield a segment for each call whose callee wrote none."""
    answered = {node.parent for node in nodes.values() if node.is_segment}
    for id_, node in nodes.items():
        call = node.fields
        namespace = call.get("namespace")
        if node.is_segment or id_ in answered or namespace not in ("aws", "remote"):
            continue
        segment = {
            # The same at each reading, for readers ask more than once.
            "id": hashlib.sha256(f"{node.trace_id.lower()}:{id_}".encode()).hexdigest()[:16],
            "name": call["name"],
            "trace_id": node.trace_id,
            "parent_id": call["id"],
            "inferred": True,
            **{name: call[name] for name in _INFERRED if name in call},
        }
        if namespace == "aws":
            segment["origin"] = _ORIGINS.get(call["name"].lower(), f"AWS::{call['name']}")
        yield segment


def _by_time(segment: Mapping[str, Any]) -> tuple[float, str]:
    return segment["start_time"], segment["id"]
