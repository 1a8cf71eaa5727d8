"""The rules of composite alarms."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.alarm import ALARM, INSUFFICIENT_DATA, OK
from lambent.domain.alarm_rule import CHILDREN_MAX, ELEMENTS_MAX, InvalidRule, find_cycle, parse_rule, upwards
from lambent.domain.caller import Scope

HERE = Scope("111122223333", "eu-west-1")
STATES = {"a": ALARM, "b": OK, "c d": INSUFFICIENT_DATA}


def holds(rule: str) -> bool:
    return parse_rule(rule, HERE).holds(STATES)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("ALARM(a)", True),
        ("OK(a)", False),
        ('ALARM("a")', True),
        ("  ALARM ( a )  ", True),
        ("ALARM(arn:aws:cloudwatch:eu-west-1:111122223333:alarm:a)", True),
        ('INSUFFICIENT_DATA("c d")', True),
        ("ALARM(nobody)", False),
        ("TRUE", True),
        ("FALSE", False),
        ("NOT FALSE", True),
        ("NOT NOT ALARM(a)", True),
        ("ALARM(a) AND ALARM(b)", False),
        ("ALARM(a) OR ALARM(b)", True),
        ("TRUE OR TRUE AND FALSE", True),
        ("(TRUE OR TRUE) AND FALSE", False),
        ("NOT FALSE AND FALSE", False),
        ("NOT (FALSE AND FALSE)", True),
        ("ALARM(a)AND(OK(b))AND NOT(ALARM(b))", True),
        ("ALARM(a)\n AND\tOK(b)", True),
    ],
)
def test_rules(rule: str, expected: bool) -> None:
    """NOT binds most, then AND, then OR."""
    assert holds(rule) is expected


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("", "it ends too early"),
        ("ALARM(a) AND", "it ends too early"),
        ("ALARM(a) OK(b)", "OK(b) is not expected there"),
        ("AND TRUE", "AND is not expected there"),
        ("(TRUE", "a parenthesis is not closed"),
        ("TRUE)", ") is not expected there"),
        ("ALARM()", "it cannot be understood from 'ALARM()' on"),
        ("alarm(a)", "it cannot be understood from 'alarm(a)' on"),
        ("TRUEISH", "it cannot be understood from 'TRUEISH' on"),
        (
            "ALARM(arn:aws:sns:eu-west-1:111122223333:t)",
            "arn:aws:sns:eu-west-1:111122223333:t is not the ARN of an alarm",
        ),
        (
            "ALARM(arn:aws:cloudwatch:eu-west-1:444455556666:alarm:a)",
            "arn:aws:cloudwatch:eu-west-1:444455556666:alarm:a is an alarm of another account or region",
        ),
        ("(" * 101 + "TRUE" + ")" * 101, "it is nested too deeply"),
        ("NOT " * 400 + "TRUE", "it is nested too deeply"),
    ],
)
def test_what_is_no_rule(rule: str, reason: str) -> None:
    """Says where, or why."""
    with pytest.raises(InvalidRule) as refused:
        parse_rule(rule, HERE)
    assert refused.value.args[0] == reason


def test_limits_of_a_rule() -> None:
    """A hundred alarms and five hundred elements; an alarm that is named again is no other one."""
    most = " OR ".join(f"OK(a{number % CHILDREN_MAX})" for number in range(ELEMENTS_MAX // 2))
    assert len(parse_rule(most, HERE).children) == CHILDREN_MAX

    with pytest.raises(InvalidRule, match="more than 100 alarms"):
        parse_rule(f"{most[:3_000].rpartition(' OR ')[0]} OR OK(b)", HERE)
    with pytest.raises(InvalidRule, match="more than 500 elements"):
        parse_rule(f"{most} OR TRUE", HERE)


def test_children_are_named_in_their_order() -> None:
    """Each once, by name."""
    rule = 'OK(b) AND (ALARM("c d") OR OK(arn:aws:cloudwatch:eu-west-1:111122223333:alarm:x:y) OR ALARM(b))'

    assert parse_rule(rule, HERE).children == ("b", "c d", "x:y")


def test_cycles() -> None:
    """An alarm that depends on itself, by others or not."""
    depends = {"a": ["b", "c"], "b": ["d"], "c": ["d", "a"], "d": [], "e": ["f"], "f": ["g"], "g": ["f"]}

    assert [name for name in depends if find_cycle(name, depends.__getitem__)] == ["a", "c", "f", "g"]


@pytest.mark.parametrize(
    ("parents_of", "order"),
    [
        ({"a": []}, []),
        ({"a": ["p"], "p": ["q"], "q": []}, ["p", "q"]),
        ({"a": ["r", "p"], "p": ["q"], "q": ["r"], "r": []}, ["p", "q", "r"]),
        ({"a": ["p", "q"], "p": ["q", "x"], "q": ["p"], "x": []}, []),
        ({"a": ["p", "x"], "p": ["a"], "x": []}, ["x"]),
        ({"a": ["a", "x"], "x": []}, ["x"]),
    ],
)
def test_alarms_above_another(parents_of: dict[str, list[str]], order: list[str]) -> None:
    """Each behind those that it goes by; none that is in a circle, or above one."""
    assert upwards("a", parents_of) == order


@given(st.text(alphabet='ALRMOKNTDFUSE()"ab _:', max_size=80) | st.text(max_size=80))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    """Nothing else can be raised."""
    try:
        parse_rule(text, HERE).holds({})
    except InvalidRule as refused:
        assert refused.args[0]


def test_layers_of_alarms_are_put_in_order_in_time() -> None:
    """As many as one change may be followed through, each of which goes by all of the layer below it."""
    layers = [["a"], *([f"{layer}x{number}" for number in range(100)] for layer in range(10))]
    parents_of = {name: above for layer, above in pairwise([*layers, []]) for name in layer}
    start = time.process_time()
    order = upwards("a", parents_of)
    assert time.process_time() - start < 2
    assert len(order) == 1_000
    assert {*order[:100]} == {*layers[1]}
