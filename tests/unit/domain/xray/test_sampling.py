"""Sampling rules: what can be, what changes, and how a reservoir is shared."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.caller import Scope
from lambent.domain.xray.document import moment_of
from lambent.domain.xray.sampling import (
    CLIENT_GONE_S,
    CLIENTS_MAX,
    INTERVAL_S,
    WINDOWS_MAX,
    Reports,
    SamplingRule,
    default_rule,
    new_rule,
    show_rule,
    updated_rule,
    with_default,
)
from lambent.errors.api.xray import InvalidRequestException

SCOPE = Scope("111122223333", "eu-west-1")
GIVEN = {
    "RuleName": "r",
    "Priority": 5,
    "FixedRate": 0.1,
    "ReservoirSize": 10,
    "ServiceName": "shop",
    "ServiceType": "*",
    "Host": "h*",
    "HTTPMethod": "GET",
    "URLPath": "/a/?",
    "ResourceARN": "*",
    "Version": 1,
    "Attributes": {"a": "b"},
}


def test_a_rule_comes_back_as_it_was_given() -> None:
    rule = new_rule(GIVEN, 1000.0, {"t": "v"})
    assert show_rule(SCOPE, rule) == {
        "SamplingRule": {**GIVEN, "RuleARN": "arn:aws:xray:eu-west-1:111122223333:sampling-rule/r"},
        "CreatedAt": moment_of(1000),
        "ModifiedAt": moment_of(1000),
    }
    boost = {"MaxRate": 0.5, "CooldownWindowMinutes": 1}
    shown = show_rule(SCOPE, new_rule({**GIVEN, "SamplingRateBoost": boost}, 1.0, {}))
    assert shown["SamplingRule"]["SamplingRateBoost"] == boost


def test_the_rule_that_is_always_there() -> None:
    """Asked last; one request a second and five per cent; a stored one takes its place."""
    rules = [new_rule({**GIVEN, "RuleName": name, "Priority": 7}, 1.0, {}) for name in "ba"]
    assert [rule.name for rule in with_default(rules)] == ["a", "b", "Default"]
    (default,) = with_default([])
    assert (default.priority, default.fixed_rate, default.reservoir_size) == (10_000, 0.05, 1)
    changed = updated_rule(default, {"RuleName": "Default", "FixedRate": 1.0, "ReservoirSize": 0}, 9.0)
    assert with_default([changed]) == [changed]
    assert (changed.fixed_rate, changed.reservoir_size, changed.priority, changed.modified_s) == (1.0, 0, 10_000, 9.0)


@pytest.mark.parametrize(
    "changes",
    [{"RuleName": None}, {"RuleARN": "arn"}, {"RuleName": "Default"}, {"Version": 2}, {"ReservoirSize": 1 << 31}],
)
def test_rules_that_cannot_be(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestException):
        new_rule({**GIVEN, **changes}, 1.0, {})


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        (new_rule(GIVEN, 1.0, {}), {"Priority": 0}),
        (new_rule(GIVEN, 1.0, {}), {"Priority": 10_000}),
        (new_rule(GIVEN, 1.0, {}), {"FixedRate": 1.1}),
        (new_rule(GIVEN, 1.0, {}), {"ReservoirSize": -1}),
        (default_rule(), {"Priority": 1}),
        (default_rule(), {"Host": "x"}),
    ],
)
def test_updates_that_cannot_be(rule: SamplingRule, changes: dict[str, Any]) -> None:
    """The model lets them through: it says nothing of the ranges in an update."""
    with pytest.raises(InvalidRequestException):
        updated_rule(rule, changes, 2.0)


def test_an_update_changes_what_it_gives() -> None:
    rule = updated_rule(new_rule(GIVEN, 1.0, {"t": "v"}), {"RuleName": "r", "Host": "x", "Priority": 9}, 2.0)
    assert (rule.host, rule.priority, rule.fixed_rate, rule.created_s, rule.modified_s, rule.tags) == (
        "x", 9, 0.1, 1.0, 2.0, {"t": "v"},
    )  # fmt: skip


@given(st.integers(0, 50), st.integers(1, 20))
def test_a_reservoir_is_shared_and_never_overdrawn(size: int, count: int) -> None:
    """All of it is given away, evenly, whoever asks."""
    reports, rule = Reports(), SamplingRule("r", 1, 0.0, size)
    clients = [f"{number:024x}" for number in range(count)]
    for client in clients:
        reports.note(rule, client, 1, 0, 0, 0.0)
    quotas = [reports.quota(rule, client, 1.0) for client in clients]
    assert sum(quotas) == size
    assert max(quotas) - min(quotas) <= 1


def test_who_is_not_heard_of_is_gone() -> None:
    """What a client had goes to the others; and only so many clients are told apart."""
    reports, rule = Reports(), SamplingRule("r", 1, 0.0, 10)
    reports.note(rule, "a", 1, 0, 0, 0.0)
    reports.note(rule, "b", 1, 0, 0, CLIENT_GONE_S - 1)
    assert reports.quota(rule, "b", CLIENT_GONE_S - 1) == 5
    assert reports.quota(rule, "b", CLIENT_GONE_S) == 10
    for number in range(CLIENTS_MAX):
        reports.note(rule, str(number), 1, 0, 0, CLIENT_GONE_S)
    assert sum(reports.quota(rule, str(number), CLIENT_GONE_S) for number in range(CLIENTS_MAX)) == 10


def test_statistics_of_the_last_minutes() -> None:
    """Summed over clients, ten seconds together; what is old, or of rules that are gone, is not there."""
    reports, rule, other = Reports(), SamplingRule("r", 1, 0.0, 10), SamplingRule("s", 1, 0.0, 10)
    reports.note(rule, "a", 10, 2, 1, 1_001.0)
    reports.note(rule, "b", 5, 1, 0, 1_009.9)
    reports.note(rule, "a", 1, 0, 0, 1_010.0)
    reports.note(other, "a", 7, 0, 0, 1_010.0)
    found = [(name, w.at_s, w.requests, w.sampled, w.borrowed) for name, w in reports.summaries(1_015.0)]
    assert found == [("r", 1_000.0, 15, 3, 1), ("r", 1_010.0, 1, 0, 0), ("s", 1_010.0, 7, 0, 0)]
    reports.forget(["s"])
    assert [name for name, _ in reports.summaries(1_015.0)] == ["s"]
    assert reports.summaries(1_015.0 + WINDOWS_MAX * INTERVAL_S) == []
    for number in range(2 * WINDOWS_MAX):
        reports.note(other, "a", 1, 0, 0, 2_000.0 + number * INTERVAL_S)
    assert len(reports.summaries(0.0)) == WINDOWS_MAX
