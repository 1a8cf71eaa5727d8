"""Log groups made by hand, and what is set of one: retention, protection, key. Functions make theirs by writing."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.log_retention import RETENTION_DAYS
from lambent.errors.api.logs import (
    InvalidParameterException,
    ResourceAlreadyExistsException,
    ValidationException,
)
from lambent.protocol.shapes.logs import (
    AssociateKmsKeyRequest,
    CreateLogGroupRequest,
    DeleteLogGroupRequest,
    DeleteRetentionPolicyRequest,
    DisassociateKmsKeyRequest,
    PutLogGroupDeletionProtectionRequest,
    PutRetentionPolicyRequest,
)
from lambent.services.logs.naming import group_missing, named_group
from lambent.services.logs.tags import check_tags
from lambent.services.operation import operation
from lambent.store.contract import LogGroup, LogStore

_KEY_MEMBERS = ("logGroupName", "resourceIdentifier")
_NAME_MAX = 512


class LogGroupSettings:
    """
    Groups come to be here, or when a function first writes.

    Args:
        retention_days: of groups that are made; None for ever.
    """

    def __init__(
        self, store: LogStore, fold: Callable[[], Awaitable[None]], clock: Clock, retention_days: int | None
    ) -> None:
        self._store = store
        self._fold = fold
        self._clock = clock
        self._retention_days = retention_days

    @operation("CreateLogGroup")
    async def create(self, caller: Caller, request: CreateLogGroupRequest) -> Mapping[str, Any]:
        name = request["logGroupName"]
        if len(name) > _NAME_MAX:
            # Observed: recordings of the service, in which it is not in the words of the model.
            raise InvalidParameterException(
                f"Invalid LogGroup or LogStream, both must have length less than or equal to {_NAME_MAX}."
            )
        if name.startswith("aws/"):
            # Documented: CreateLogGroup, such names are AWS's. Assumed: the text. Revisit: test_group_settings.
            raise InvalidParameterException("Log groups starting with AWS/ are reserved for AWS.")
        tags = request.get("tags", {})
        check_tags(tags, InvalidParameterException)
        group = LogGroup(
            scope=caller.scope,
            name=name,
            created_ms=int(self._clock.now() * 1000),
            retention_days=self._retention_days,
            log_class=request.get("logGroupClass", "STANDARD"),
            is_protected=request.get("deletionProtectionEnabled", False),
            kms_key=request.get("kmsKeyId", ""),
            tags=tags,
        )
        # A function may have made it with what it wrote a moment ago.
        await self._fold()
        if not await self._store.create_group(group):
            # Observed: recordings of the service, without a full stop.
            raise ResourceAlreadyExistsException("The specified log group already exists")
        return {}

    @operation("DeleteLogGroup")
    async def delete(self, caller: Caller, request: DeleteLogGroupRequest) -> Mapping[str, Any]:
        # What was written before belongs to the group that goes; folded later it would bring the group back.
        await self._fold()
        group = await self._store.group(caller.scope, request["logGroupName"])
        if group is not None and group.is_protected:
            # Documented: DeleteLogGroup, the code. Assumed: the text. Revisit: test_group_settings.
            raise ValidationException(
                "The specified log group has deletion protection enabled. Disable it to delete the log group."
            )
        if not await self._store.delete_group(caller.scope, request["logGroupName"]):
            raise group_missing()
        return {}

    @operation("PutRetentionPolicy")
    async def put_retention(self, caller: Caller, request: PutRetentionPolicyRequest) -> Mapping[str, Any]:
        days = request["retentionInDays"]
        if days not in RETENTION_DAYS:
            # Assumed: the text; the code is documented. Revisit: test_group_settings.
            known = ", ".join(str(known) for known in sorted(RETENTION_DAYS))
            raise InvalidParameterException(f"Invalid retention value. Retention must be one of: [{known}]")
        await self._change(caller, request["logGroupName"], retention_days=days)
        return {}

    @operation("DeleteRetentionPolicy")
    async def delete_retention(self, caller: Caller, request: DeleteRetentionPolicyRequest) -> Mapping[str, Any]:
        await self._change(caller, request["logGroupName"], retention_days=None)
        return {}

    @operation("PutLogGroupDeletionProtection")
    async def put_protection(self, caller: Caller, request: PutLogGroupDeletionProtectionRequest) -> Mapping[str, Any]:
        group = named_group(caller, request["logGroupIdentifier"])
        await self._change(caller, group, is_protected=request["deletionProtectionEnabled"])
        return {}

    @operation("AssociateKmsKey")
    async def associate_key(self, caller: Caller, request: AssociateKmsKeyRequest) -> Mapping[str, Any]:
        await self._change(caller, _keyed_group(caller, request), kms_key=request["kmsKeyId"])
        return {}

    @operation("DisassociateKmsKey")
    async def disassociate_key(self, caller: Caller, request: DisassociateKmsKeyRequest) -> Mapping[str, Any]:
        await self._change(caller, _keyed_group(caller, request), kms_key="")
        return {}

    async def _change(self, caller: Caller, name: str, **new: Any) -> None:
        await self._fold()
        changed = await self._store.update_group(
            caller.scope, name, lambda group: msgspec.structs.replace(group, **new)
        )
        if changed is None:
            raise group_missing()


def _keyed_group(caller: Caller, request: Mapping[str, Any]) -> str:
    """
    Return the group whose key is meant.

    Raises:
        InvalidParameterException: none or both ways of naming it, or the key of query results.
    """
    named = [request[member] for member in _KEY_MEMBERS if member in request]
    if len(named) != 1:
        # Documented: AssociateKmsKey, one of the two. Assumed: the text. Revisit: test_group_settings.
        raise InvalidParameterException("Specify either logGroupName or resourceIdentifier, and not both.")
    if ":query-result:" in named[0]:
        raise InvalidParameterException("Keys of query results are not offered: results are kept in memory only")
    return named_group(caller, named[0])
