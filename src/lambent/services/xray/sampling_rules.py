"""Sampling rules: made, changed, shown, and deleted."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.clock import Clock
from lambent.domain.arn import sampling_rule_arn
from lambent.domain.caller import Caller, Scope
from lambent.domain.xray.sampling import (
    DEFAULT,
    RULES_MAX,
    SamplingChange,
    SamplingRule,
    new_rule,
    show_rule,
    updated_rule,
    with_default,
)
from lambent.errors.api.xray import InvalidRequestException, RuleLimitExceededException
from lambent.protocol.shapes.xray import (
    CreateSamplingRuleRequest,
    DeleteSamplingRuleRequest,
    GetSamplingRulesRequest,
    UpdateSamplingRuleRequest,
)
from lambent.services.operation import operation
from lambent.services.xray.tags import checked_tags
from lambent.services.xray.tokens import refuse_token
from lambent.store.traces_contract import TraceSettings


class SamplingRules:
    """The rules of a scope."""

    def __init__(self, settings: TraceSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    @operation("CreateSamplingRule")
    async def create(self, caller: Caller, request: CreateSamplingRuleRequest) -> Mapping[str, Any]:
        now = self._clock.now()
        rule = new_rule(request["SamplingRule"], now, checked_tags(request.get("Tags")))
        async with self._settings.change(caller.scope) as rows:
            stored = await rows.list(SamplingRule)
            if any(one.name == rule.name for one in stored):
                # Assumed: the text (test_xray).
                raise InvalidRequestException("A sampling rule with this name exists already.")
            if sum(one.name != DEFAULT for one in stored) >= RULES_MAX:
                raise RuleLimitExceededException(f"There can be {RULES_MAX} sampling rules.")
            await rows.save(rule)
            await rows.save(SamplingChange(now))
        return {"SamplingRuleRecord": show_rule(caller.scope, rule)}

    @operation("GetSamplingRules")
    async def list(self, caller: Caller, request: GetSamplingRulesRequest) -> Mapping[str, Any]:
        refuse_token(request)
        rules = with_default(await self._settings.list(caller.scope, SamplingRule))
        return {"SamplingRuleRecords": [show_rule(caller.scope, rule) for rule in rules]}

    @operation("UpdateSamplingRule")
    async def update(self, caller: Caller, request: UpdateSamplingRuleRequest) -> Mapping[str, Any]:
        given = request["SamplingRuleUpdate"]
        now = self._clock.now()
        async with self._settings.change(caller.scope) as rows:
            rule = updated_rule(_named(caller.scope, await rows.list(SamplingRule), given), given, now)
            await rows.save(rule)
            await rows.save(SamplingChange(now))
        return {"SamplingRuleRecord": show_rule(caller.scope, rule)}

    @operation("DeleteSamplingRule")
    async def delete(self, caller: Caller, request: DeleteSamplingRuleRequest) -> Mapping[str, Any]:
        async with self._settings.change(caller.scope) as rows:
            rule = _named(caller.scope, await rows.list(SamplingRule), request)
            if rule.name == DEFAULT:
                raise InvalidRequestException("The rule Default cannot be deleted.")
            await rows.delete(SamplingRule, rule.name)
            await rows.save(SamplingChange(self._clock.now()))
        return {"SamplingRuleRecord": show_rule(caller.scope, rule)}


def _named(scope: Scope, stored: Sequence[SamplingRule], given: Mapping[str, Any]) -> SamplingRule:
    """
    Return the rule that a request names, by name or by ARN. Documented: one of them, not both.

    Raises:
        InvalidRequestException: it names none or both, or there is no such rule.
    """
    name, arn = given.get("RuleName"), given.get("RuleARN")
    if (name is None) is (arn is None):
        raise InvalidRequestException("Either RuleName or RuleARN is needed.")
    for rule in with_default(stored):
        if rule.name == name or sampling_rule_arn(scope, rule.name) == arn:
            return rule
    # Assumed: the text (test_xray).
    raise InvalidRequestException("Sampling rule does not exist.")
