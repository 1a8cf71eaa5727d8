"""
Sampling rules, and how much of each rule's reservoir a client may use.

Clients decide by themselves which requests to trace: they read the rules, and say every ten seconds what they did.
Documented: X-Ray developer guide, sampling rules; X-Ray API reference, GetSamplingTargets.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from lambent.domain.arn import sampling_rule_arn
from lambent.domain.caller import Scope
from lambent.domain.xray.document import moment_of
from lambent.errors.api.xray import InvalidRequestException

DEFAULT = "Default"
"""The rule that is always there, and is asked last."""

RULES_MAX = 25
"""Assumed: quotas of X-Ray name 25 custom rules in a region (test_sampling)."""

INTERVAL_S = 10
"""How often clients report. Documented: GetSamplingTargets."""

QUOTA_S = 300
"""For how long a quota is good. Assumed: some minutes, as in published answers (test_sampling)."""

CLIENT_GONE_S = 2 * INTERVAL_S
"""A client that has not reported for so long is gone. Assumed: AWS does not say (test_sampling)."""

CLIENTS_MAX = 1_000
"""Clients of one rule that are told apart; beyond that the one longest not heard of is forgotten."""

WINDOWS_MAX = 30
"""Stretches of `INTERVAL_S` whose statistics are kept for one rule: five minutes."""


class SamplingRule(msgspec.Struct, frozen=True, omit_defaults=True):
    """A rule. Its texts are patterns with `*` and `?`."""

    name: str
    priority: int
    fixed_rate: float
    reservoir_size: int
    service_name: str = "*"
    service_type: str = "*"
    host: str = "*"
    http_method: str = "*"
    url_path: str = "*"
    resource_arn: str = "*"
    attributes: dict[str, str] = {}
    boost: dict[str, Any] | None = None
    """SamplingRateBoost, which clients that know it act on."""
    created_s: float = 0.0
    modified_s: float = 0.0
    tags: dict[str, str] = {}


class SamplingChange(msgspec.Struct, frozen=True):
    """When the rules of a scope changed last: of a rule that was deleted nothing else would tell."""

    at_s: float
    name: str = "rules"


def default_rule() -> SamplingRule:
    """Return the rule that is always there, as it is at first. Documented: one request a second, 5 % of the rest."""
    return SamplingRule(DEFAULT, 10_000, 0.05, 1)


def with_default(stored: Iterable[SamplingRule]) -> list[SamplingRule]:
    """Return the rules of a scope in the order in which they are asked, the one that is always there among them."""
    rules = {rule.name: rule for rule in (default_rule(), *stored)}
    return sorted(rules.values(), key=lambda rule: (rule.priority, rule.name))


# Wire name to field.
_FIELDS = {
    "Priority": "priority",
    "FixedRate": "fixed_rate",
    "ReservoirSize": "reservoir_size",
    "ServiceName": "service_name",
    "ServiceType": "service_type",
    "Host": "host",
    "HTTPMethod": "http_method",
    "URLPath": "url_path",
    "ResourceARN": "resource_arn",
    "Attributes": "attributes",
    "SamplingRateBoost": "boost",
}

_OF_DEFAULT = frozenset({"FixedRate", "ReservoirSize"})
"""Documented: UpdateSamplingRule: what of the rule that is always there can be changed."""


def new_rule(given: Mapping[str, Any], now: float, tags: Mapping[str, str]) -> SamplingRule:
    """
    Return the rule that a request describes.

    Args:
        given: a SamplingRule, whose ranges the model has checked.

    Raises:
        InvalidRequestException: it has no name, or it cannot be.
    """
    name = given.get("RuleName")
    # Documented: a rule is named by its name or its ARN, and nothing has an ARN before it is there.
    if name is None or given.get("RuleARN") is not None:
        raise InvalidRequestException("A new sampling rule has a RuleName, and no RuleARN yet.")
    if name == DEFAULT:
        raise InvalidRequestException("The rule Default is there already.")
    if given["Version"] != 1:
        raise InvalidRequestException("Version has to be 1.")
    rule = SamplingRule(name, 1, 0.0, 0, created_s=now, modified_s=now, tags=dict(tags))
    return _changed(rule, given)


def updated_rule(rule: SamplingRule, given: Mapping[str, Any], now: float) -> SamplingRule:
    """
    Return a rule with what an update gives.

    Raises:
        InvalidRequestException: it cannot be, or is not to be changed.
    """
    fixed = sorted(name for name in given.keys() & _FIELDS.keys() if rule.name == DEFAULT and name not in _OF_DEFAULT)
    if fixed:
        raise InvalidRequestException(f"Of the rule Default {fixed[0]} cannot be changed.")
    return msgspec.structs.replace(_changed(rule, given), modified_s=now)


def _changed(rule: SamplingRule, given: Mapping[str, Any]) -> SamplingRule:
    changed: SamplingRule = msgspec.structs.replace(
        rule, **{field: given[name] for name, field in _FIELDS.items() if given.get(name) is not None}
    )
    # The model says so of a new rule only.
    if rule.name != DEFAULT and not 1 <= changed.priority <= 9_999:
        raise InvalidRequestException("Priority has to be from 1 to 9999.")
    if not 0 <= changed.fixed_rate <= 1:
        raise InvalidRequestException("FixedRate has to be from 0 to 1.")
    if not 0 <= changed.reservoir_size < 1 << 31:
        raise InvalidRequestException("ReservoirSize has to be 0 or more.")
    return changed


def show_rule(scope: Scope, rule: SamplingRule) -> dict[str, Any]:
    """Return a SamplingRuleRecord."""
    shown = {name: getattr(rule, field) for name, field in _FIELDS.items()}
    if rule.boost is None:
        del shown["SamplingRateBoost"]
    shown |= {"RuleName": rule.name, "RuleARN": sampling_rule_arn(scope, rule.name), "Version": 1}
    return {"SamplingRule": shown, "CreatedAt": moment_of(rule.created_s), "ModifiedAt": moment_of(rule.modified_s)}


class Statistics(msgspec.Struct):
    """What clients said of one rule within one stretch of time."""

    at_s: float
    requests: int = 0
    sampled: int = 0
    borrowed: int = 0


class Reports:
    """What clients report of the rules of one scope. Kept in memory: a restart costs clients ten seconds of quota."""

    def __init__(self) -> None:
        self._clients: dict[str, dict[str, float]] = {}
        """Rule to client to when it was heard of, the latest last."""
        self._windows: dict[str, list[Statistics]] = {}

    def note(self, rule: SamplingRule, client: str, requests: int, sampled: int, borrowed: int, now: float) -> None:
        """Note what a client did by a rule since its last report."""
        clients = self._clients.setdefault(rule.name, {})
        clients.pop(client, None)
        clients[client] = now
        while len(clients) > CLIENTS_MAX:
            del clients[next(iter(clients))]
        windows = self._windows.setdefault(rule.name, [])
        at_s = now // INTERVAL_S * INTERVAL_S
        if not windows or windows[-1].at_s < at_s:
            windows.append(Statistics(at_s))
            del windows[:-WINDOWS_MAX]
        windows[-1].requests += requests
        windows[-1].sampled += sampled
        windows[-1].borrowed += borrowed

    def quota(self, rule: SamplingRule, client: str, now: float) -> int:
        """
        Return how many requests a second a client may take from a rule's reservoir.

        Assumed: AWS does not say how it divides one; here clients that were heard of lately share it evenly, and the
        first of them have what is left over (test_sampling).
        """
        heard = self._clients.get(rule.name, {})
        live = sorted(one for one, at_s in heard.items() if now - at_s < CLIENT_GONE_S)
        share, left = divmod(rule.reservoir_size, len(live) or 1)
        return share + (client in live[:left])

    def forget(self, names: Iterable[str]) -> None:
        """Forget all rules but these."""
        kept = set(names)
        for table in (self._clients, self._windows):
            for name in table.keys() - kept:
                del table[name]

    def summaries(self, now: float) -> Sequence[tuple[str, Statistics]]:
        """Return the rules' statistics of the last minutes, by rule and time."""
        since = now - WINDOWS_MAX * INTERVAL_S
        return [
            (name, window)
            for name, windows in sorted(self._windows.items())
            for window in windows
            if window.at_s >= since
        ]
