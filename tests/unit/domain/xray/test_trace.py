"""What a trace says of itself: root, services, flags, annotations; whatever its writers put where."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from unit.domain.xray.segments import alone, nested, segment, trace

from lambent.domain.xray.document import parse
from lambent.domain.xray.filter_expression import compile_expression
from lambent.domain.xray.service_graph import ServiceGraph
from lambent.domain.xray.summary import summarise
from lambent.domain.xray.trace import Flags, ServiceId, annotations_of, entities, flags_of


@pytest.mark.parametrize(
    ("documents", "root"),
    [
        ([segment(2), segment(1)], 1),
        # Without a parent, also where it began later.
        ([segment(1, parent_id="00000000000000ff"), segment(2)], 2),
        # Whose caller sent no segment.
        ([segment(1, parent_id="00000000000000ff"), segment(2, parent_id=f"{1:016x}")], 1),
        ([segment(2, parent_id=f"{3:016x}"), segment(4, subsegments=[nested(3)])], 4),
        # Pieces are no segments.
        ([alone(1, 9), segment(2)], 2),
        ([alone(1, 9)], 1),
        # Nobody began.
        ([segment(1, parent_id=f"{2:016x}"), segment(2, parent_id=f"{1:016x}")], 1),
    ],
)
def test_the_root(documents: list[dict[str, Any]], root: int) -> None:
    """The segment that others follow from."""
    assert trace(*documents).root["id"] == f"{root:016x}"


def test_times() -> None:
    """From the first start to the last end; what goes on is as long as is known."""
    found = trace(
        segment(1), segment(2, start_time=103.5, end_time=120.25), segment(3, end_time=None, in_progress=True)
    )
    assert (found.start_s, found.end_s, found.duration_s, found.is_partial) == (101.0, 120.25, 19.25, True)
    assert not trace(segment(1, end_time=5)).is_partial
    assert trace(segment(1, end_time=5)).duration_s == 0.0


def test_services() -> None:
    """By name, origin and account; what was inferred and has no origin is remote."""
    found = trace(
        segment(1, name="f", origin="AWS::Lambda"),
        segment(2, name="f", origin="AWS::Lambda::Function", aws={"account_id": "999988887777"}),
        segment(3, name="app", subsegments=[nested(4, name="example.com", namespace="remote")]),
        segment(5, name="f", origin="AWS::Lambda"),
    )
    assert found.services == [
        ServiceId("f", "AWS::Lambda", "111122223333"),
        ServiceId("f", "AWS::Lambda::Function", "999988887777"),
        ServiceId("app", None, "111122223333"),
        ServiceId("example.com", "remote", None),
    ]


@pytest.mark.parametrize(
    ("fields", "flags"),
    [
        ({}, Flags(False, False, False)),
        ({"fault": True}, Flags(True, False, False)),
        ({"error": True, "throttle": True}, Flags(False, True, True)),
        ({"fault": "yes", "error": 1}, Flags(False, False, False)),
        ({"http": {"response": {"status": 200}}}, Flags(False, False, False)),
        ({"http": {"response": {"status": 502}}}, Flags(True, False, False)),
        ({"http": {"response": {"status": 429}}}, Flags(False, True, True)),
        # Whoever sets a flag knows better.
        ({"fault": True, "http": {"response": {"status": 404}}}, Flags(True, False, False)),
        ({"http": {"response": {"status": "502"}}}, Flags(False, False, False)),
        ({"http": []}, Flags(False, False, False)),
    ],
)
def test_flags(fields: dict[str, Any], flags: Flags) -> None:
    assert flags_of(segment(1, **fields)) == flags


def test_annotations_are_gathered_from_everywhere() -> None:
    """Of segments and subsegments; by value and type; with the services that set them."""
    found = trace(
        segment(
            1, annotations={"a": 1, "b": [1], "c": "x"}, subsegments=[nested(2, annotations={"a": True, "c": "x"})]
        ),
        segment(3, annotations={"a": 1.0}),
        segment(4, annotations=["x"]),
    )
    one, three = ServiceId("s1", None, "111122223333"), ServiceId("s3", None, "111122223333")
    assert {key: list(values.items()) for key, values in found.annotations.items()} == {
        "a": [((float, 1), [one, three]), ((bool, True), [one])],
        "c": [((str, "x"), [one])],
    }
    assert list(annotations_of(segment(1))) == []
    # What no double holds is no number for anybody who searches.
    assert list(annotations_of(segment(1, annotations={"a": 10**320, "b": -(10**320), "c": 10**300}))) == [
        ("c", 10**300)
    ]


def test_entities_come_before_those_inside_them() -> None:
    found = entities(segment(1, subsegments=[nested(2, subsegments=[nested(3)]), nested(4)]))
    assert [int(one["id"], 16) for one in found] == [1, 2, 3, 4]


_VALUES = st.none() | st.booleans() | st.integers() | st.just(10**320) | st.floats(-1e308, 1e308) | st.text(max_size=5)
_JUNK = st.recursive(
    _VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_PLACES = (
    "http http.request http.request.url http.response http.response.status annotations annotations.k aws "
    "aws.account_id aws.ec2 aws.ec2.instance_id cause cause.exceptions user origin resource_arn namespace fault "
    "error throttle links inferred in_progress type service metadata"
)


@st.composite
def _spoilt(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a segment with anything in places that are looked at, and in those of a subsegment in it."""
    number = draw(st.integers(1, 3))
    made = segment(number, parent_id=f"{draw(st.integers(1, 30)):016x}", subsegments=[nested(10 * number)])
    for entity in (made, made["subsegments"][0]):
        for place in draw(st.lists(st.sampled_from(_PLACES.split()), max_size=4)):
            at = entity
            *outer, last = place.split(".")
            for name in outer:
                at = at.setdefault(name, {}) if isinstance(at, dict) else {}
            if isinstance(at, dict):
                at[last] = draw(_JUNK)
    return made


@given(st.lists(_spoilt(), min_size=1, max_size=3))
def test_whatever_a_writer_put_where_can_be_read(documents: list[dict[str, Any]]) -> None:
    """What was taken is merged, summed up, drawn and searched, and can be written as JSON; nothing raises."""
    segments = [one for document in documents for one in parse(json.dumps(document)).segments]
    assume(segments)
    found = trace(*(msgspec.json.decode(one.text) for one in segments))
    msgspec.json.encode([found.segments, summarise(found)])
    graph = ServiceGraph()
    graph.add(found)
    msgspec.json.encode(graph.shown())
    everything = (
        'fault OR error OR throttle OR ok OR inferred OR remote OR duration > 5 OR http.status = 1 OR http.url = "x" '
        'OR user = "x" OR message = "x" OR instance.id = "x" OR annotation.k > 5 OR annotation.k = "x" OR annotation.k '
        'OR service("x") { name = "x" } OR edge("x", "y") OR resource.arn ENDSWITH "x" OR type = "x"'
    )
    compile_expression(f"!({everything})").matches(found)
