"""Conditions: each operator, met and not, without the key, of the wrong form, for sets; and what is none."""

import base64
from typing import Any

import pytest

from lambent.domain.policy_condition import OPERATORS, MalformedCondition, compile_conditions

B64 = base64.b64encode(b"\xff\x00").decode()
OTHER_B64 = base64.b64encode(b"x").decode()
BOB = "arn:aws:iam::111122223333:user/bob"


def holds(operator: str, wanted: Any, given: Any = None, **context: Any) -> bool:
    """Say whether a condition on `t:Key` holds where the request has `given`; None: it has no such key."""
    found = compile_conditions({operator: {"t:Key": wanted}}, has_variables=True)
    context = {name.replace("_", ":"): value for name, value in context.items()}
    if given is not None:
        context["t:key"] = given
    return all(one.holds(context) for one in found)


# Operator, what is wanted, values that are so, values that are not, what is of the wrong form.
POSITIVE: list[tuple[str, Any, list[str], list[str], str | None]] = [
    ("StringEquals", ["a", "b*"], ["a", "b*"], ["A", "bc", ""], None),
    ("StringEqualsIgnoreCase", ["Ab", "É"], ["aB", "é"], ["abc", ""], None),
    ("StringLike", ["a*c", "?x"], ["ac", "a:/bc", "yx"], ["Ac", "x", ""], None),
    ("ArnEquals", "arn:aws:iam::*:user/b*", [BOB], [BOB.replace("bob", "ann")], "bob"),
    ("ArnLike", ["arn:aws:iam::*:user/b*"], [BOB], [BOB.replace("iam", "sts")], "arn:aws:iam"),
    ("Bool", "true", ["true", "True"], ["false"], "yes"),
    ("BinaryEquals", B64, [B64], [OTHER_B64], "!"),
    ("IpAddress", ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"],
     ["10.1.2.3", "192.0.2.1", "2001:db8::1", "::ffff:10.1.2.3"], ["11.0.0.1", "192.0.2.2", "::1"], "ten"),
    ("NumericEquals", [7, "8.50"], ["7", "7.0", "8.5"], ["8", "-7"], "seven"),
    ("NumericLessThan", "7", ["6.9", "-1"], ["7", "8"], ""),
    ("NumericLessThanEquals", 7, ["6", "7"], ["7.1"], "1e1"),
    ("NumericGreaterThan", "7", ["7.1", "10"], ["7", "6"], "x"),
    ("NumericGreaterThanEquals", 7.5, ["7.5", "8"], ["7"], "x"),
    ("DateEquals", "2026-01-02T03:04:05Z", ["2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00", "1767323045"],
     ["2026-01-02T03:04:06Z"], "today"),
    ("DateLessThan", "2026-01-02", ["2026-01-01T23:59:59Z", "2026-01", "2026"], ["2026-01-02T00:00:00Z"], "2026-13"),
    ("DateLessThanEquals", "2026-01-02", ["2026-01-02T00:00:00Z"], ["2026-01-02T00:00:01Z"], "0000"),
    ("DateGreaterThan", 1_767_323_045, ["2026-01-02T03:04:05.5Z"], ["2026-01-02T03:04:05Z"], "x"),
    ("DateGreaterThanEquals", "1767323045.5", ["2026-01-02T03:04:05.5Z"], ["2026-01-02T03:04:05Z"], "x"),
]  # fmt: skip
NEGATIONS = {
    "StringEquals": "StringNotEquals",
    "StringEqualsIgnoreCase": "StringNotEqualsIgnoreCase",
    "StringLike": "StringNotLike",
    "ArnEquals": "ArnNotEquals",
    "ArnLike": "ArnNotLike",
    "IpAddress": "NotIpAddress",
    "NumericEquals": "NumericNotEquals",
    "DateEquals": "DateNotEquals",
}
CASES = [
    (name, is_negated, wanted, matching, others, wrong)
    for operator, wanted, matching, others, wrong in POSITIVE
    for name, is_negated in [(operator, False), *([(NEGATIONS[operator], True)] if operator in NEGATIONS else [])]
]


@pytest.mark.parametrize(("name", "is_negated", "wanted", "matching", "others", "wrong"), CASES)
def test_operators(
    name: str, is_negated: bool, wanted: Any, matching: list[str], others: list[str], wrong: str | None
) -> None:
    """Each operator for what matches, what does not, no key at all, and what it cannot read."""
    for value in matching:
        assert holds(name, wanted, value) is not is_negated, value
    for value in others:
        assert holds(name, wanted, value) is is_negated, value
    assert holds(name, wanted) is is_negated
    if wrong is not None:
        # Of an ARN the negation holds for what is none; of numbers, times, addresses neither does.
        assert holds(name, wanted, wrong) is (is_negated and name.startswith("Arn"))
        assert holds(f"{name}IfExists", wanted, wrong) is (is_negated and name.startswith("Arn"))
    # Names in any case.
    assert holds(name.lower(), wanted, matching[0]) is not is_negated


@pytest.mark.parametrize(("name", "is_negated", "wanted", "matching", "others", "wrong"), CASES)
def test_if_exists(
    name: str, is_negated: bool, wanted: Any, matching: list[str], others: list[str], wrong: str | None
) -> None:
    """Without the key it holds, with it as without the suffix; for sets too."""
    for prefix in ("", "ForAllValues:", "ForAnyValue:"):
        assert holds(f"{prefix}{name}IfExists", wanted)
        assert holds(f"{prefix}{name}IfExists", wanted, matching[0]) is not is_negated
        assert holds(f"{prefix}{name}IfExists", wanted, others[0]) is is_negated


@pytest.mark.parametrize(("name", "is_negated", "wanted", "matching", "others", "wrong"), CASES)
def test_sets(
    name: str, is_negated: bool, wanted: Any, matching: list[str], others: list[str], wrong: str | None
) -> None:
    """All values, or any; none meet the first and not the second, negated or not. One value is a set of one."""
    good, bad = (others[0], matching[0]) if is_negated else (matching[0], others[0])
    for operator, values, expected in (
        ("ForAllValues", (good, good), True),
        ("ForAllValues", (good, bad), False),
        ("ForAllValues", (), True),
        ("ForAllValues", None, True),
        ("ForAllValues", good, True),
        ("ForAllValues", bad, False),
        ("ForAnyValue", (bad, good), True),
        ("ForAnyValue", (bad, bad), False),
        ("ForAnyValue", (), False),
        ("ForAnyValue", None, False),
        ("ForAnyValue", good, True),
        ("ForAnyValue", bad, False),
    ):
        assert holds(f"{operator}:{name}", wanted, values) is expected, (operator, values)
    # A key with several values under an operator for one meets nothing, negated or not.
    assert not holds(name, wanted, (matching[0],))
    assert not holds(name, wanted, (others[0], others[0]))


def test_every_operator_is_tried() -> None:
    """The tables above have all that there are."""
    assert {name.lower() for name, *_ in CASES} | {"null"} == OPERATORS


@pytest.mark.parametrize("wanted", ["true", True, "True", ["true"]])
def test_null(wanted: Any) -> None:
    """It asks whether there is a key. An empty value is none."""
    assert holds("Null", wanted)
    assert holds("Null", wanted, "")
    assert holds("Null", wanted, ())
    assert not holds("Null", wanted, "x")
    assert not holds("Null", wanted, ("x",))
    assert not holds("Null", "false")
    assert holds("Null", "false", "x")
    assert holds("ForAnyValue:Null", "false", ("x",))
    assert not holds("Null", "perhaps")
    assert not holds("Null", "perhaps", "x")


def test_what_a_policy_has_of_the_wrong_form_is_never_met() -> None:
    """Nor is its negation, but that of ARNs."""
    for operator in ("NumericEquals", "NumericNotEquals", "NumericLessThan"):
        assert not holds(operator, "x", "7")
    for operator in ("IpAddress", "NotIpAddress"):
        assert not holds(operator, "10.0.0.0/99", "10.0.0.1")
    for operator in ("DateEquals", "DateNotEquals"):
        assert not holds(operator, "soon", "2026-01-01")
    for operator in ("BinaryEquals", "Bool"):
        assert not holds(operator, "!", B64)
    assert not holds("ArnLike", "*", BOB)
    assert holds("ArnNotLike", "*", BOB)
    # A sound one beside it still counts.
    assert holds("NumericEquals", ["x", "7"], "7")
    assert not holds("NumericNotEquals", ["x", "8"], "7")


def test_values_are_joined_by_or_and_negated_ones_by_nor() -> None:
    """None of the values of a negated operator may match; without any value nothing does."""
    assert not holds("StringNotEquals", ["a", "b"], "b")
    assert holds("StringNotEquals", ["a", "b"], "c")
    assert not holds("StringEquals", [], "a")
    assert holds("StringNotEquals", [], "a")
    assert not holds("ForAllValues:StringEquals", [], ("a",))


def test_keys_and_operators_are_joined_by_and() -> None:
    """Keys are without regard to case, what follows the slash of a tag as well."""
    found = {"StringEquals": {"AWS:A": "1", "aws:PrincipalTag/Team": "red"}, "StringLike": {"aws:b": "2*"}}
    conditions = list(compile_conditions(found, has_variables=True))
    met = {"aws:a": "1", "aws:principaltag/team": "red", "aws:b": "22"}
    assert all(one.holds(met) for one in conditions)
    for key in met:
        assert not all(one.holds({**met, key: "x"}) for one in conditions)
        assert not all(one.holds({name: value for name, value in met.items() if name != key}) for one in conditions)


def test_arns_and_texts_differ() -> None:
    """A star of `ArnLike` stays in its part. Documented: IAM user guide, ARN condition operators."""
    pattern = "arn:aws:x:*:111122223333:finance/*"
    value = "arn:aws:x:us-east-2:999999999999:store/abc:111122223333:finance/d"
    assert holds("StringLike", pattern, value)
    assert not holds("ArnLike", pattern, value)
    assert not holds("ArnLike", "arn:aws:x:*", value)


@pytest.mark.parametrize(
    ("operator", "wanted", "given"),
    [
        ("StringEquals", "${aws:username}", "ann"),
        ("StringEquals", "${aws:none, 'ann'}", "ann"),
        ("StringEquals", "${*}", "*"),
        ("StringEqualsIgnoreCase", "x${aws:username}", "XANN"),
        ("StringLike", "${aws:username}*", "anna"),
        ("ArnLike", "arn:aws:iam::*:user/${aws:username}", "arn:aws:iam::1:user/ann"),
        ("Bool", "${aws:flag}", "true"),
    ],
)
def test_variables(operator: str, wanted: str, given: str) -> None:
    """Filled in with what the request has; without a value nothing matches, and the negation does."""
    assert holds(operator, wanted, given, aws_username="ann", aws_flag="true")
    assert holds(operator, wanted, given, aws_username="bob", aws_flag="false") is (
        "aws:" not in wanted or "," in wanted
    )
    if operator in NEGATIONS and "," not in wanted and "aws:" in wanted:
        assert holds(NEGATIONS[operator], wanted, given)
        assert not holds(operator, wanted, given)


def test_variables_are_unknown_where_they_are_not_known() -> None:
    """Numbers, times, addresses and bytes are no texts; nor is a variable anything in the old version."""
    for operator in ("NumericEquals", "DateEquals", "IpAddress", "BinaryEquals"):
        assert not holds(operator, "${aws:x}", "7", aws_x="7")
    old = list(compile_conditions({"StringEquals": {"k": "${aws:x}"}}, has_variables=False))
    assert old[0].holds({"k": "${aws:x}", "aws:x": "7"})
    assert not old[0].holds({"k": "7", "aws:x": "7"})
    assert list(old[0].keys) == ["k"]


def test_the_keys_of_a_condition() -> None:
    """Its own, and those of its variables; characters are no keys."""
    found = {"StringLike": {"aws:A": ["${aws:B}${*}", "x"]}, "ArnLike": {"c": "arn:aws:iam::1:user/${d}"}}
    assert [list(one.keys) for one in compile_conditions(found, has_variables=True)] == [["aws:a", "aws:b"], ["c", "d"]]


@pytest.mark.parametrize(
    "found",
    [
        [],
        "x",
        7,
        {"StringEquals": "x"},
        {"StringEquals": ["x"]},
        {"StringEquals": {"k": None}},
        {"StringEquals": {"k": {}}},
        {"StringEquals": {"k": [["x"]]}},
        {"StringMatches": {"k": "x"}},
        {"NullIfExists": {"k": "true"}},
        {"ForSomeValues:StringEquals": {"k": "x"}},
        {"ForAllValues:ForAnyValue:StringEquals": {"k": "x"}},
        {"": {"k": "x"}},
        {"IfExists": {"k": "x"}},
        {"ForAnyValue::StringEquals": {"k": "x"}},
    ],
)
def test_what_is_no_condition(found: Any) -> None:
    """It is said, and nothing else is raised."""
    with pytest.raises(MalformedCondition):
        list(compile_conditions(found, has_variables=True))


def test_nothing_under_condition_is_met() -> None:
    """No condition, no operator, no key."""
    for found in (None, {}, {"StringEquals": {}}, {"Whatever": {}}):
        assert list(compile_conditions(found, has_variables=True)) == []
