"""Resource policies of an account: kept and shown. No other service writes to logs here, so none asks for leave."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.errors.api.logs import InvalidParameterException, LimitExceededException, ResourceNotFoundException
from lambent.protocol.shapes.logs import (
    DeleteResourcePolicyRequest,
    DescribeResourcePoliciesRequest,
    PutResourcePolicyRequest,
)
from lambent.services.logs.tokens import name_token, parse_name_token
from lambent.services.operation import operation
from lambent.store.contract import LogResourcePolicy, LogStore

POLICIES_MAX = 10
"""Documented: PutResourcePolicy, of one account in one region."""

_ACCOUNT_BYTES_MAX = 5_120
"""Documented: PutResourcePolicy, a policy of an account; the model's limit is that of other policies."""


class LogResourcePolicies:
    """The resource policies of an account."""

    def __init__(self, store: LogStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("PutResourcePolicy")
    async def put(self, caller: Caller, request: PutResourcePolicyRequest) -> Mapping[str, Any]:
        _refuse_newer(request)
        name, document = _name(request), request.get("policyDocument", "")
        if not _is_policy(document):
            # Assumed: the text; the code is documented. Revisit: test_resource_policies.
            raise InvalidParameterException(
                f"policyDocument must be a policy in JSON with statements, of at most {_ACCOUNT_BYTES_MAX} bytes."
            )
        policy = LogResourcePolicy(name, document, int(self._clock.now() * 1000))
        if not await self._store.put_resource_policy(caller.scope, policy, most=POLICIES_MAX):
            raise LimitExceededException("Resource limit exceeded.")
        return {"resourcePolicy": _described(policy)}

    @operation("DescribeResourcePolicies")
    async def describe(self, caller: Caller, request: DescribeResourcePoliciesRequest) -> Mapping[str, Any]:
        _refuse_newer(request)
        policies = await self._store.resource_policies(caller.scope)
        if "nextToken" in request:
            after = parse_name_token(request["nextToken"])
            policies = [policy for policy in policies if policy.name > after]
        if request.get("policyScope", "ACCOUNT") != "ACCOUNT":
            # None has a policy of its own.
            policies = []
        limit = request.get("limit", 50)
        answer: dict[str, Any] = {"resourcePolicies": [_described(policy) for policy in policies[:limit]]}
        if len(policies) > limit:
            answer["nextToken"] = name_token(policies[limit - 1].name)
        return answer

    @operation("DeleteResourcePolicy")
    async def delete(self, caller: Caller, request: DeleteResourcePolicyRequest) -> Mapping[str, Any]:
        _refuse_newer(request)
        name = _name(request)
        if not await self._store.delete_resource_policy(caller.scope, name):
            # Assumed: the text; the code is documented. Revisit: test_resource_policies.
            raise ResourceNotFoundException(f"Policy with name [{name}] does not exist")
        return {}


def _refuse_newer(request: Mapping[str, Any]) -> None:
    for member in ("resourceArn", "expectedRevisionId"):
        if request.get(member):
            raise InvalidParameterException(f"{member} is not offered: policies are of an account, not of a group")


def _name(request: Mapping[str, Any]) -> str:
    name: str = request.get("policyName", "")
    if not name:
        # Assumed: the text. The model leaves it open, for policies of groups. Revisit: test_resource_policies.
        raise InvalidParameterException("policyName must be specified.")
    return name


def _is_policy(document: str) -> bool:
    try:
        policy = msgspec.json.decode(document)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
    is_short = len(document.encode()) <= _ACCOUNT_BYTES_MAX
    return is_short and isinstance(policy, dict) and isinstance(policy.get("Statement"), list | dict)


def _described(policy: LogResourcePolicy) -> dict[str, Any]:
    return {
        "policyName": policy.name,
        "policyDocument": policy.document,
        "lastUpdatedTime": policy.updated_ms,
        "policyScope": "ACCOUNT",
    }
