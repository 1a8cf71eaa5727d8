"""Resource policies of functions, versions and aliases: statement by statement, and as whole documents."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.function import LATEST
from lambent.domain.resource_policy import ResourcePolicy, parse_policy, principal_of, with_statement
from lambent.errors.api.lambda_ import (
    InvalidParameterValueException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from lambent.protocol.shapes.lambda_ import (
    AddPermissionRequest,
    DeleteResourcePolicyRequest,
    GetPolicyRequest,
    GetResourcePolicyRequest,
    PutResourcePolicyRequest,
    RemovePermissionRequest,
)
from lambent.services.lambda_.aliases import alias_not_found
from lambent.services.lambda_.functions import check_stale
from lambent.services.lambda_.naming import Target, resolve_target
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore, FunctionTransaction

_CONDITIONS = {
    "SourceArn": ("ArnLike", "AWS:SourceArn"),
    "SourceAccount": ("StringEquals", "AWS:SourceAccount"),
    "EventSourceToken": ("StringEquals", "lambda:EventSourceToken"),
    "FunctionUrlAuthType": ("StringEquals", "lambda:FunctionUrlAuthType"),
    "PrincipalOrgID": ("StringEquals", "aws:PrincipalOrgID"),
}
"""Parameter to the operator and the key of its condition. Observed: recorded answers (2025-11)."""

_NOT_FOUND = "The resource you requested does not exist."


class Permissions:
    """The policy of a function as a whole, and those of its versions and aliases, each by itself."""

    def __init__(self, store: FunctionStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("AddPermission")
    async def add(self, caller: Caller, request: AddPermissionRequest) -> Mapping[str, Any]:
        target = _changeable(resolve_target(caller, request["FunctionName"], request.get("Qualifier")))
        sid = request["StatementId"]
        async with self._store.transaction(target.scope) as tx:
            revision_id = await _revision_id(tx, target)
            policy = await tx.policies.get(target.name, target.qualifier)
            check_stale(revision_id, request.get("RevisionId"), "GetPolicy")
            if policy is not None and policy.has(sid):
                raise statement_exists(sid)
            statement = _statement(target, request)
            await self._save(tx, target, with_statement(policy, statement))
        return {"Statement": json.dumps(statement, separators=(",", ":"))}

    @operation("RemovePermission")
    async def remove(self, caller: Caller, request: RemovePermissionRequest) -> Mapping[str, Any]:
        target = _changeable(resolve_target(caller, request["FunctionName"], request.get("Qualifier")))
        sid = request["StatementId"]
        async with self._store.transaction(target.scope) as tx:
            if await tx.function(target.name) is None:
                # Observed: localstack tests/aws/services/lambda_/test_lambda_api.py (recorded), this and the next two.
                raise ResourceNotFoundException(f"No policy found for: {target.unqualified_arn}")
            revision_id = await _revision_id(tx, target)
            policy = await tx.policies.get(target.name, target.qualifier)
            if policy is None:
                raise ResourceNotFoundException("No policy is associated with the given resource.")
            if not policy.has(sid):
                raise ResourceNotFoundException(f"Statement {sid} is not found in resource policy.")
            # Observed: unlike AddPermission's, the text names GetFunction/GetAlias.
            check_stale(revision_id, request.get("RevisionId"))
            await self._save(tx, target, policy.without(sid))
        return {}

    @operation("GetPolicy")
    async def get(self, caller: Caller, request: GetPolicyRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"], request.get("Qualifier"))
        return await self._read(target)

    @operation("GetResourcePolicy")
    async def get_document(self, caller: Caller, request: GetResourcePolicyRequest) -> Mapping[str, Any]:
        return await self._read(_resource(caller, request["ResourceArn"]))

    @operation("PutResourcePolicy")
    async def put_document(self, caller: Caller, request: PutResourcePolicyRequest) -> Mapping[str, Any]:
        target = _changeable(_resource(caller, request["ResourceArn"]))
        async with self._store.transaction(target.scope) as tx:
            check_stale(await _revision_id(tx, target), request.get("RevisionId"), "GetResourcePolicy")
            policy = parse_policy(request["Policy"])
            revision_id = await self._save(tx, target, policy)
        return {"Policy": policy.text(), "RevisionId": revision_id}

    @operation("DeleteResourcePolicy")
    async def delete_document(self, caller: Caller, request: DeleteResourcePolicyRequest) -> Mapping[str, Any]:
        target = _changeable(_resource(caller, request["ResourceArn"]))
        async with self._store.transaction(target.scope) as tx:
            revision_id = await _revision_id(tx, target)
            if await tx.policies.get(target.name, target.qualifier) is None:
                raise ResourceNotFoundException(_NOT_FOUND)
            check_stale(revision_id, request.get("RevisionId"), "GetResourcePolicy")
            await self._save(tx, target, None)
        return {}

    async def _read(self, target: Target) -> dict[str, Any]:
        qualifier = None if target.qualifier == LATEST else target.qualifier
        async with self._store.snapshot(target.scope) as reading:
            policy = await reading.policies.get(target.name, qualifier)
            if policy is None:
                # Observed: the same text whether the policy or the function is missing (recorded 2025-11).
                raise ResourceNotFoundException(_NOT_FOUND)
            revision_id = await _revision_id(reading, target)
        return {"Policy": policy.text(), "RevisionId": revision_id}

    async def _save(self, tx: FunctionTransaction, target: Target, policy: ResourcePolicy | None) -> str:
        """Store a policy and give what it belongs to a new revision, which is the policy's own; return that."""
        await tx.policies.save(target.name, target.qualifier, policy)
        revision_id = self._clock.new_id()
        if target.qualifier is not None and not target.qualifier.isdigit():
            alias = await tx.aliases.get(target.name, target.qualifier)
            assert alias is not None
            await tx.aliases.save(msgspec.structs.replace(alias, revision_id=revision_id))
        else:
            version = await tx.version(target.name, target.qualifier or LATEST)
            assert version is not None
            await tx.save_version(msgspec.structs.replace(version, revision_id=revision_id))
        return revision_id


def statement_exists(sid: str) -> ResourceConflictException:
    """Return the error for a statement id that is taken. Observed: recorded (2025-11); Terraform looks for the text."""
    return ResourceConflictException(
        f"The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the existing "
        "statement."
    )


def _statement(target: Target, request: Mapping[str, Any]) -> dict[str, Any]:
    conditions: dict[str, dict[str, str]] = {}
    for member, (operator, key) in _CONDITIONS.items():
        if request.get(member):
            conditions.setdefault(operator, {})[key] = request[member]
    if request.get("InvokedViaFunctionUrl") is not None:
        # A string, as policies have it: Terraform reads conditions as maps of strings.
        conditions["Bool"] = {"lambda:InvokedViaFunctionUrl": str(request["InvokedViaFunctionUrl"]).lower()}
    statement: dict[str, Any] = {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": principal_of(request["Principal"]),
        "Action": request["Action"],
        "Resource": target.arn,
    }
    if conditions:
        statement["Condition"] = conditions
    return statement


def _changeable(target: Target) -> Target:
    if target.qualifier == LATEST:
        # Observed: localstack tests/aws/services/lambda_/test_lambda_api.py (recorded).
        raise InvalidParameterValueException("We currently do not support adding policies for $LATEST.")
    return target


def _resource(caller: Caller, arn: str) -> Target:
    if ":function:" not in arn:
        raise InvalidParameterValueException("Policies of runtimes are not offered by this version of Lambent")
    try:
        return resolve_target(caller, arn)
    except ValueError:
        # This operation's pattern lets through what the one for function names does not, e.g. `:1$LATEST`.
        raise InvalidParameterValueException(f"{arn} is not the ARN of a function") from None


async def _revision_id(reading: FunctionTransaction, target: Target) -> str:
    """Return the revision of what a policy belongs to: it is the policy's own as well. Observed: recorded (2025-11)."""
    if target.qualifier is not None and not target.qualifier.isdigit() and target.qualifier != LATEST:
        if await reading.function(target.name) is None:
            raise Target(target.scope, target.name, None).not_found()
        alias = await reading.aliases.get(target.name, target.qualifier)
        if alias is None:
            raise alias_not_found(target)
        return alias.revision_id
    version = await reading.version(target.name, target.qualifier or LATEST)
    if version is None:
        raise target.not_found()
    return version.revision_id
