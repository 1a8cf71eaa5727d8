"""Traces as readers see them: pieces put together, whatever order they came in, and segments that nobody sent."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.domain.xray.segments import TRACE_ID, alone, nested, segment

from lambent.domain.xray.merge import NESTED_MAX, merge

ONGOING = nested(2, end_time=None, in_progress=True)


def tree(entity: dict[str, Any]) -> Any:
    """Return the shape of an entity: its number, and those inside."""
    number = int(entity["id"], 16)
    inside = [tree(one) for one in entity.get("subsegments", ())]
    return (number, inside) if inside else number


def shape(*documents: dict[str, Any]) -> list[Any]:
    return [tree(one) for one in merge(documents) if not one.get("inferred")]


def test_subsegments_find_their_parents() -> None:
    """A segment's, one's that is nested in it, and one's that came alone as well; without what they had only alone."""
    documents = [
        alone(6, 5),
        alone(5, 3),
        segment(1, subsegments=[nested(3)]),
        alone(4, 1, annotations={"a": 1}),
        segment(9),
    ]
    assert shape(*documents) == [(1, [(3, [(5, [6])]), 4]), 9]
    merged = merge(documents)
    assert merged[0]["subsegments"][1] == nested(4, annotations={"a": 1})


def test_orphans_are_shown_by_themselves() -> None:
    """Until their parent comes, with what belongs to them."""
    assert shape(alone(2, 1), alone(3, 2)) == [(2, [3])]
    assert merge([alone(2, 1)]) == [alone(2, 1)]
    assert shape(alone(2, 1), alone(3, 2), segment(1)) == [(1, [(2, [3])])]


@pytest.mark.parametrize(
    "documents",
    [
        [segment(1, end_time=None, in_progress=True), segment(1)],
        # What was nested in it and went on is not there any more.
        [segment(1, end_time=None, in_progress=True, subsegments=[ONGOING]), segment(1)],
        [segment(1), alone(1, 7, end_time=None, in_progress=True)],
    ],
)  # fmt: skip
def test_complete_takes_the_place_of_in_progress(documents: list[dict[str, Any]]) -> None:
    """Whichever came first."""
    assert merge(documents) == merge(documents[::-1]) == [segment(1)]


def test_a_nested_one_that_ended_elsewhere() -> None:
    """Of one that is nested in progress and was sent alone when it ended, the latter counts."""
    assert merge([segment(1, subsegments=[ONGOING]), alone(2, 1)]) == [segment(1, subsegments=[nested(2)])]


def test_the_last_of_two_complete_ones_counts() -> None:
    assert merge([segment(1, user="a"), segment(1, user="b")]) == [segment(1, user="b")]


def test_ids_are_compared_in_small_letters() -> None:
    parent = segment(1, id="ABCDEF0123456789")
    child = alone(2, 0xABCDEF0123456789)
    assert merge([parent, child])[0]["subsegments"] == [nested(2)]


def test_rings_and_endless_chains_end() -> None:
    """Everything is shown once, and nothing is nested too deep."""
    assert sorted(map(str, shape(alone(1, 2), alone(2, 1), alone(3, 3)))) == ["(1, [2])", "3"]
    count = 5 * NESTED_MAX
    merged = merge([segment(0), *(alone(n, n - 1) for n in range(1, count))])
    assert 4 < len(merged) < 7
    found, deepest = 0, 0
    waiting = [(one, 0) for one in merged]
    while waiting:
        entity, depth = waiting.pop()
        found, deepest = found + 1, max(deepest, depth)
        waiting += [(one, depth + 1) for one in entity.get("subsegments", ())]
    assert (found, deepest) == (count, NESTED_MAX)


def test_a_call_whose_callee_wrote_nothing_is_inferred() -> None:
    """A segment is made of the call: name, times, http and aws, behind it; the same at each reading."""
    call = nested(
        2,
        name="DynamoDB",
        namespace="aws",
        http={"response": {"status": 200}},
        aws={"operation": "PutItem", "table_name": "t", "resource_names": ["t"]},
    )
    sent, made = sorted(merge([segment(1, subsegments=[call])]), key=lambda one: "inferred" in one)
    assert sent == segment(1, subsegments=[call])
    assert len(made.pop("id")) == 16
    assert made == {
        "name": "DynamoDB",
        "start_time": 102.0,
        "end_time": 112.0,
        "trace_id": TRACE_ID,
        "parent_id": "0000000000000002",
        "inferred": True,
        "http": {"response": {"status": 200}},
        "aws": {"operation": "PutItem", "table_name": "t", "resource_names": ["t"]},
        "origin": "AWS::DynamoDB::Table",
    }
    assert merge([segment(1, subsegments=[call])]) == merge([segment(1, subsegments=[call])])


@pytest.mark.parametrize(
    ("call", "origin"),
    [
        ({"name": "SQS", "namespace": "aws"}, "AWS::SQS::Queue"),
        ({"name": "dynamodb", "namespace": "aws"}, "AWS::DynamoDB::Table"),
        ({"name": "SecretsManager", "namespace": "aws"}, "AWS::SecretsManager"),
        ({"name": "example.com", "namespace": "remote"}, None),
    ],
)
def test_origins(call: dict[str, Any], origin: str | None) -> None:
    """Of services of AWS; a host elsewhere has none."""
    (made,) = (one for one in merge([segment(1, subsegments=[nested(2, **call)])]) if one.get("inferred"))
    assert made.get("origin") == origin


def test_nothing_is_inferred_of_what_spoke_for_itself() -> None:
    """A callee that wrote a segment, and work that calls nobody."""
    caller = segment(1, subsegments=[nested(2, name="Lambda", namespace="aws"), nested(3)])
    assert len(merge([caller, segment(4, parent_id="0000000000000002")])) == 2
    assert len(merge([caller])) == 2


def test_what_failed_is_inferred_as_failed() -> None:
    """So that a search for a service that fails finds it; and one that goes on goes on."""
    failed = nested(2, namespace="remote", fault=True, cause={"exceptions": []})
    ongoing = nested(3, namespace="remote", end_time=None, in_progress=True)
    made = {one["name"]: one for one in merge([segment(1, subsegments=[failed, ongoing])]) if one.get("inferred")}
    assert made["s2"]["fault"] is True and made["s2"]["cause"] == {"exceptions": []}
    assert made["s3"]["in_progress"] is True and "end_time" not in made["s3"]


@st.composite
def _documents(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw documents of distinct ids, with any parents, and with subsegments whose ids may stand elsewhere as well."""
    made = []
    for number in draw(st.lists(st.integers(1, 12), unique=True, min_size=1)):
        fields: dict[str, Any] = {"namespace": draw(st.sampled_from([None, "aws", "remote"]))}
        if draw(st.booleans()):
            fields |= {"end_time": None, "in_progress": True}
        inside = [
            nested(one, **draw(st.sampled_from([{}, {"end_time": None, "in_progress": True}])))
            for one in draw(st.lists(st.integers(1, 16), max_size=3))
        ]
        if inside:
            fields["subsegments"] = inside
        parent = draw(st.integers(1, 14))
        made.append(alone(number, parent, **fields) if draw(st.booleans()) else segment(number, **fields))
    return made


@given(_documents(), st.randoms())
def test_the_order_of_arrival_does_not_matter(documents: list[dict[str, Any]], random: Any) -> None:
    """Whatever pieces there are, a reader sees the same of them, and each id once."""
    shuffled = list(documents)
    random.shuffle(shuffled)
    merged = merge(documents)
    assert merge(shuffled) == merged
    ids: list[str] = []
    waiting = list(merged)
    while waiting:
        entity = waiting.pop()
        ids.append(entity["id"])
        waiting += entity.get("subsegments", ())
    assert len(ids) == len(set(ids))
    wanted = {one["id"] for one in documents} | {
        inner["id"] for one in documents for inner in one.get("subsegments", ())
    }
    assert wanted <= set(ids)
