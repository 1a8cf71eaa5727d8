"""What a trace says of itself: root, services, flags, annotations; whatever its writers put where."""

from typing import Any

import pytest
from unit.domain.xray.segments import alone, nested, segment, trace

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


def test_entities_come_before_those_inside_them() -> None:
    found = entities(segment(1, subsegments=[nested(2, subsegments=[nested(3)]), nested(4)]))
    assert [int(one["id"], 16) for one in found] == [1, 2, 3, 4]
