"""Simulations: what is decided, by which statements, where these stand; and the smallest policy that allows."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.policy import (
    AccessRequest,
    MalformedPolicy,
    Policies,
    PolicyKind,
    PolicySet,
    compile_policy,
    decide,
)
from lambent.domain.policy_simulation import (
    NamedPolicy,
    Position,
    SimulatedPolicies,
    Simulation,
    smallest_policy,
    statement_positions,
)
from lambent.domain.principal import Principal, PrincipalType

A = "111122223333"
ARN = f"arn:aws:iam::{A}:user/u"
U = Principal(PrincipalType.USER, A, ARN, "AIDAUUUUUUUUUUUUUUUUU", ARN, name="u")
BUCKET = "arn:aws:s3:::b"


def named(name: str, *statements: Any) -> NamedPolicy:
    return NamedPolicy(name, json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


def allow(action: Any = "*", resource: Any = "*", **members: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **members}


def simulated(policies: SimulatedPolicies, action: str = "s3:GetObject", **context: Any) -> Simulation:
    named_context = {name.replace("_", ":"): value for name, value in context.items()}
    return policies.simulate(AccessRequest(U, action, BUCKET, A, named_context))


def test_who_decided() -> None:
    """Each statement that allows, with its policy; of a denial only those that deny, of whatever kind."""
    reading = named("reading", allow("sqs:*"), allow("s3:Get*"))
    everything = named("everything", allow())
    found = simulated(SimulatedPolicies([reading, everything]))
    assert found.decision == "allowed"
    assert [(one.policy, one.kind, one.begin.column) for one in found.matched] == [
        ("reading", PolicyKind.IDENTITY, 41 + len(json.dumps(allow("sqs:*"))) + 1),
        ("everything", PolicyKind.IDENTITY, 41),
    ]
    denying = named("denying", allow(), {**allow("s3:GetObject"), "Effect": "Deny"})
    found = simulated(SimulatedPolicies([everything], boundary=[denying]))
    assert (found.decision, [(one.policy, one.kind) for one in found.matched]) == (
        "explicitDeny", [("denying", PolicyKind.BOUNDARY)],
    )  # fmt: skip
    found = simulated(SimulatedPolicies([reading]), "s3:PutObject")
    assert (found.decision, found.matched) == ("implicitDeny", ())
    # What would allow is told also where a boundary does not; a boundary's own statements are not.
    found = simulated(SimulatedPolicies([everything], boundary=[named("bound", allow("sqs:*"))]))
    assert (found.decision, [one.policy for one in found.matched]) == ("implicitDeny", ["everything"])
    found = simulated(SimulatedPolicies([everything], boundary=[everything], session=[everything]))
    assert (found.decision, len(found.matched)) == ("allowed", 1)


def test_resource_policies_are_asked_for_whom_they_name() -> None:
    """Where they grant, their statements are told."""
    for principal, decision, count in ((U.arn, "allowed", 1), (ARN + "2", "implicitDeny", 0)):
        policy = named("own", {**allow(), "Principal": {"AWS": principal}})
        found = simulated(SimulatedPolicies([], resource=[policy]))
        assert (found.decision, len(found.matched)) == (decision, count)


def test_keys_that_are_missing() -> None:
    """All that the policies look at and the request has not, as they are written, each once."""
    first = named("a", allow(Condition={"StringLike": {"aws:PrincipalTag/Team": "x", "AWS:SourceIp": "1"}}))
    second = named("b", allow(resource="arn:aws:s3:::${aws:username}", Condition={"Null": {"aws:sourceip": "true"}}))
    policies = SimulatedPolicies([first, second], boundary=[named("c", allow(Condition={"Bool": {"aws:X": "true"}}))])
    assert simulated(policies).missing == ("AWS:SourceIp", "aws:PrincipalTag/Team", "aws:X", "aws:username")
    assert simulated(policies, aws_username="u", aws_x="true").missing == ("AWS:SourceIp", "aws:PrincipalTag/Team")
    escaped = NamedPolicy("d", named("", allow(Condition={"Bool": {"aws:Y": "true"}})).document.replace("Y", "\\u0059"))
    assert simulated(SimulatedPolicies([escaped])).missing == ("aws:y",)


def test_what_is_no_policy_is_not_simulated() -> None:
    """It is said at once."""
    with pytest.raises(MalformedPolicy):
        SimulatedPolicies([NamedPolicy("x", "{}")])


def test_positions_as_they_were_seen() -> None:
    """Compact, and as the CLI's examples have it: behind the bracket, to behind the brace."""
    compact = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*"}]})
    assert statement_positions(compact)[0][0] == Position(1, 41)
    spread = json.dumps({"Version": "2012-10-17", "Statement": [allow(["a:b"])]}, indent=4)
    assert statement_positions(spread) == [(Position(3, 19), Position(10, 10))]


@pytest.mark.parametrize(
    ("document", "texts"),
    [
        ('{"Statement":[{"a":1},{"b":[{}]}]}', ['{"a":1}', '{"b":[{}]}']),
        ('{"Statement": {"a": {"Statement": [{}]}}}', [' {"a": {"Statement": [{}]}}']),
        ('{"Id":"\\"Statement\\":[{}]", "Statement":[ {} , {"x":"}],{"} ]}', [" {}", ' {"x":"}],{"}']),
        ('{"Stat\\u0065ment":[{}],"Version":"x"}', ["{}"]),
        ('{"Statement":[{"a":1}],"Statement":[{},{}]}', ["{}", "{}"]),
        ('{"Id":["Statement",[{}]],"Statement":[]}', []),
        ('{"Statement":[\n{"a":[\n1]},\n\n{}]\n}', ['\n{"a":[\n1]}', "\n\n{}"]),
    ],
)
def test_positions_are_those_of_statements(document: str, texts: list[str]) -> None:
    """Whatever else the document holds: strings with braces, objects inside, keys that are there twice."""
    lines = document.split("\n")

    def offset(position: Position) -> int:
        return sum(len(line) + 1 for line in lines[: position.line - 1]) + position.column - 1

    found = [document[offset(begin) : offset(end)] for begin, end in statement_positions(document)]
    assert found == texts


@given(
    st.recursive(
        st.none() | st.text(max_size=4) | st.integers(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["Statement", "a"]), inner),
        max_leaves=8,
    ).map(lambda inside: {"Id": inside, "Statement": [{"a": inside}, {"Statement": [inside]}], "Z": inside}),
    st.sampled_from([None, 1, 4]),
)
def test_there_are_as_many_positions_as_statements(document: dict[str, Any], indent: int | None) -> None:
    """In order, whatever they hold."""
    positions = statement_positions(json.dumps(document, indent=indent))
    assert len(positions) == 2
    flat = [position for pair in positions for position in pair]
    assert flat == sorted(flat)


_ACTIONS = ["lambda:InvokeFunction", "lambda:GetFunction", "sqs:SendMessage"]
_RESOURCES = [
    "*",
    "arn:aws:sqs:eu-west-1:1:q",
    "arn:aws:s3:::b/a*?",
    "arn:aws:s3:::b/a${aws:username}",
    "arn:aws:s3:::b/$a{",
]


@given(st.lists(st.tuples(st.sampled_from(_ACTIONS), st.sampled_from(_RESOURCES)), min_size=1))
def test_the_smallest_policy_allows_what_is_needed_and_nothing_else(needs: list[tuple[str, str]]) -> None:
    """Also for names that hold signs of patterns; it does not depend on the order."""
    document = smallest_policy(needs)
    assert smallest_policy(reversed(needs)) == document
    policies = PolicySet(Policies([compile_policy(document)]))
    others = ["arn:aws:s3:::b/ab", "arn:aws:s3:::b/au", "arn:aws:s3:::b/a*?x"]
    for action, resource in itertools.product(_ACTIONS, [*_RESOURCES, *others]):
        is_needed = (action, resource) in needs or (action, "*") in needs
        request = AccessRequest(U, action, resource, A, {"aws:username": "u"})
        assert decide(request, policies).is_allowed is is_needed, (action, resource)


def test_the_smallest_policy_shares_statements() -> None:
    """By resources or by actions, whichever is shorter; what everything is allowed for is not said again."""
    queue, other = "arn:aws:sqs:eu-west-1:1:q", "arn:aws:sqs:eu-west-1:1:other"
    pairs = [("sqs:A", queue), ("sqs:B", queue), ("sqs:A", other), ("sqs:B", other), ("sqs:B", other)]
    assert smallest_policy(pairs) == {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["sqs:A", "sqs:B"], "Resource": [other, queue]}],
    }
    assert smallest_policy([("sqs:A", queue), ("sqs:A", "*")])["Statement"] == [
        {"Effect": "Allow", "Action": "sqs:A", "Resource": "*"}
    ]
    # Three resources share one action, and two have one more each: by action that is shorter.
    chain = [("a:x", f"arn:aws:a:::{n}") for n in "123"] + [("a:y", "arn:aws:a:::1"), ("a:z", "arn:aws:a:::2")]
    assert len(smallest_policy(chain)["Statement"]) == 3
