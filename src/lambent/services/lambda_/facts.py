"""What policies may ask of functions, layers and event source mappings."""

from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from lambent.access.authorize import Demand
from lambent.access.identities import compile_or_deny
from lambent.domain.arn import FunctionReference, function_arn, parse_function_reference
from lambent.domain.caller import Scope
from lambent.domain.function import LATEST, FunctionName
from lambent.domain.policy import Policies, Policy, Statement
from lambent.domain.resource_policy import ResourcePolicy
from lambent.store.contract import FunctionChange, FunctionStore

_FUNCTIONS_MAX = 5_000
_QUALIFIERS_MAX = 100
"""Functions, and qualifiers of each, whose policies are kept compiled. That there is none is kept as well."""

_Function = tuple[Scope, FunctionName]


class FunctionFacts:
    """
    Implements `ResourceFacts` for Lambda.

    Of functions, the policy of what is addressed counts: that of a version or an alias where the request is qualified,
    else the function's. Those of layers let other accounts in alone.
    """

    def __init__(self, store: FunctionStore) -> None:
        self._store = store
        self._policies: OrderedDict[_Function, dict[str | None, Policies | None]] = OrderedDict()
        self.revision = 0
        store.on_change(self._forget)

    async def completed(self, demand: Demand) -> Demand:
        """Return a demand with what is known of the mapping or the URL that it is about."""
        if ":event-source-mapping:" in demand.resource and "lambda:functionarn" not in demand.context:
            scope, uuid = _mapping_of(demand.resource)
            async with self._store.snapshot(scope) as reading:
                mapping = await reading.event_source_mappings.get(uuid)
            return demand if mapping is None else _with(demand, "lambda:functionarn", mapping.function_arn)
        if demand.action.endswith("FunctionUrlConfig") and "lambda:functionurlauthtype" not in demand.context:
            reference = _function_of(demand.resource)
            if reference is None:
                return demand
            async with self._store.snapshot(_scope_of(demand.resource)) as reading:
                url = await reading.function_urls.get(reference.name, reference.qualifier or "")
            return demand if url is None else _with(demand, "lambda:functionurlauthtype", url.auth_type)
        return demand

    async def policy(self, demand: Demand) -> Policies | None:
        """Return the policy of the function, version or alias that a demand names."""
        reference = _function_of(demand.resource)
        if reference is None:
            return None
        function = (_scope_of(demand.resource), reference.name)
        kept = self._policies.get(function)
        if kept is None:
            kept = {}
        else:
            self._policies.move_to_end(function)
            if reference.qualifier in kept:
                return kept[reference.qualifier]
        revision = self.revision
        found = await self._read(function, reference.qualifier)
        # A notice that came while we read may have been about this very policy: do not keep what might be stale.
        if revision == self.revision and len(kept) < _QUALIFIERS_MAX:
            kept[reference.qualifier] = found
            self._policies[function] = kept
            if len(self._policies) > _FUNCTIONS_MAX:
                self._policies.popitem(last=False)
        return found

    async def tags(self, demand: Demand) -> Mapping[str, str]:
        """Return the tags of the function or mapping that a demand names."""
        if ":event-source-mapping:" in demand.resource:
            scope, uuid = _mapping_of(demand.resource)
            async with self._store.snapshot(scope) as reading:
                mapping = await reading.event_source_mappings.get(uuid)
            return {} if mapping is None else mapping.tags
        reference = _function_of(demand.resource)
        if reference is None:
            return {}
        async with self._store.snapshot(_scope_of(demand.resource)) as reading:
            function = await reading.function(reference.name)
        return {} if function is None else function.tags

    async def _read(self, function: _Function, qualifier: str | None) -> Policies | None:
        scope, name = function
        # `$LATEST` takes no policy of its own: the function's speaks for it.
        async with self._store.snapshot(scope) as reading:
            policy = await reading.policies.get(name, None if qualifier == LATEST else qualifier)
        if policy is None:
            return None
        compiled = compile_resource_policy(policy, function_arn(scope, name, qualifier))
        if qualifier == LATEST:
            compiled = _as_of_latest(compiled, function_arn(scope, name))
        return Policies((compiled,))

    def _forget(self, change: FunctionChange) -> None:
        self.revision += 1
        self._policies.pop((change.scope, change.name), None)


def compile_resource_policy(policy: ResourcePolicy, arn: str) -> Policy:
    """Compile a stored resource policy."""
    return compile_or_deny({"Version": policy.version, "Statement": list(policy.statements)}, arn)


def _as_of_latest(policy: Policy, arn: str) -> Policy:
    """Return a function's policy as it is for `$LATEST`, which its statements call by the function's own ARN."""

    def meant(statement: Statement) -> Statement:
        if not statement.is_about_resource(arn, {}):
            return statement
        return msgspec.structs.replace(statement, resources=None)

    return msgspec.structs.replace(policy, statements=tuple(map(meant, policy.statements)))


def _function_of(arn: str) -> FunctionReference | None:
    if ":function:" not in arn:
        return None
    try:
        return parse_function_reference(arn)
    except ValueError:
        return None


def _scope_of(arn: str) -> Scope:
    parts = arn.split(":", 5)
    return Scope(parts[4], parts[3])


def _mapping_of(arn: str) -> tuple[Scope, str]:
    return _scope_of(arn), arn.rpartition(":")[2]


def _with(demand: Demand, key: str, value: str) -> Demand:
    return msgspec.structs.replace(demand, context={**demand.context, key: value})
