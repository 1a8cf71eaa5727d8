"""Published versions of a function."""

import base64
from collections.abc import Mapping
from typing import Any

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.function import LATEST, State
from lambent.domain.quotas import AccountQuotas
from lambent.errors.api.lambda_ import InvalidParameterValueException
from lambent.protocol.shapes.lambda_ import ListVersionsByFunctionRequest, PublishVersionRequest
from lambent.services.lambda_.activation import Activation
from lambent.services.lambda_.functions import check_revision, check_settled
from lambent.services.lambda_.markers import decode_version_marker, page_size, version_marker
from lambent.services.lambda_.naming import resolve_target
from lambent.services.lambda_.publishing import publish
from lambent.services.lambda_.view import function_configuration, list_item
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore


class Versions:
    """The version resource."""

    def __init__(self, store: FunctionStore, activation: Activation, quotas: AccountQuotas, clock: Clock) -> None:
        self._store = store
        self._activation = activation
        self._quotas = quotas
        self._clock = clock

    @operation("PublishVersion")
    async def publish(self, caller: Caller, request: PublishVersionRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"])
        if request.get("PublishTo") is not None:
            raise InvalidParameterValueException("PublishTo is not offered by this version of Lambent")
        quotas = await self._quotas.of(target.scope.account)
        async with self._store.transaction(target.scope) as tx:
            function = await tx.function(target.name)
            latest = await tx.version(target.name, LATEST)
            if function is None or latest is None:
                raise target.not_found()
            check_settled(latest, target.unqualified_arn)
            check_revision(latest, request.get("RevisionId"))
            wanted = request.get("CodeSha256")
            current = base64.b64encode(bytes.fromhex(latest.code.sha256)).decode()
            if wanted and wanted != current:
                raise InvalidParameterValueException(
                    f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({current}). "
                    "Please try again with the CodeSHA256 in $LATEST."
                )
            version = await publish(tx, function, latest, self._clock, quotas, description=request.get("Description"))
        if version.state is State.PENDING:
            self._activation.settle_soon(target.scope, target.name)
        return function_configuration(version, version.version)

    @operation("ListVersionsByFunction")
    async def list(self, caller: Caller, request: ListVersionsByFunctionRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"])
        limit = page_size(request)
        after = decode_version_marker(request.get("Marker"))
        async with self._store.snapshot(target.scope) as reading:
            if await reading.function(target.name) is None:
                raise target.not_found()
            versions = await reading.list_versions(target.name, after=after, limit=limit + 1)
        page = versions[:limit]
        # Observed: always qualified, `$LATEST` included (recorded 2025-11).
        answer: dict[str, Any] = {"Versions": [list_item(version, version.version) for version in page]}
        if len(versions) > limit:
            answer["NextMarker"] = version_marker(page[-1].version)
        return answer
