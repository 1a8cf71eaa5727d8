"""
Provisioned concurrency: environments of a published version that are kept initialised.

Texts marked as observed are AWS's answers as localstack/localstack recorded them, in
tests/aws/services/lambda_/test_lambda_api.snapshot.json; the test that each stands under is named.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from lambent.clock import Clock
from lambent.domain.arn import function_arn
from lambent.domain.caller import Caller, Scope
from lambent.domain.concurrency import ProvisionedConcurrency, ProvisionedState, ProvisionedStatus, check_provisioned
from lambent.domain.function import LATEST, FunctionName, FunctionVersion, State
from lambent.domain.quotas import AccountQuotas
from lambent.errors.api.lambda_ import (
    InvalidParameterValueException,
    ProvisionedConcurrencyConfigNotFoundException,
    ResourceConflictException,
)
from lambent.protocol.shapes.lambda_ import (
    DeleteProvisionedConcurrencyConfigRequest,
    GetProvisionedConcurrencyConfigRequest,
    ListProvisionedConcurrencyConfigsRequest,
    PutProvisionedConcurrencyConfigRequest,
)
from lambent.services.lambda_.aliases import alias_not_found, check_not_snap_started, unpublished
from lambent.services.lambda_.markers import decode_version_marker, page_size, version_marker
from lambent.services.lambda_.naming import Target, resolve_target
from lambent.services.lambda_.view import format_date
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore, FunctionTransaction

_NOT_A_VERSION = "The function resource provided must be an alias or a published version."


class ProvisionedStates(Protocol):
    """Who keeps environments initialised, and tells how far that is."""

    def state(self, scope: Scope, name: FunctionName, version: str, requested: int) -> ProvisionedState:
        """Return what has come of a version's provisioned concurrency."""
        ...


class ProvisionedConcurrencyConfigs:
    """The provisioned concurrency of versions. See the Lambda API reference for each operation."""

    def __init__(self, store: FunctionStore, states: ProvisionedStates, quotas: AccountQuotas, clock: Clock) -> None:
        self._store = store
        self._states = states
        self._quotas = quotas
        self._clock = clock

    @operation("PutProvisionedConcurrencyConfig")
    async def put(self, caller: Caller, request: PutProvisionedConcurrencyConfigRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"], request["Qualifier"])
        if target.qualifier == LATEST:
            raise unpublished()
        wanted = request["ProvisionedConcurrentExecutions"]
        quotas = await self._quotas.of(target.scope.account)
        async with self._store.transaction(target.scope) as tx:
            version, alias = await _version(tx, target)
            if version.version == LATEST:
                raise unpublished()
            _check_version(version)
            await _check_owner(tx, version, alias)
            check_provisioned(wanted, version.name, version.version, await tx.claims(), quotas)
            stored = ProvisionedConcurrency(
                target.scope, version.name, version.version, wanted, self._clock.now(), alias
            )
            await tx.save_provisioned(stored)
        # Observed: test_lambda_provisioned_lifecycle, for a new one. Assumed: another number is answered likewise
        # (test_provisioned_concurrency).
        return _view(stored, ProvisionedState(0, ProvisionedStatus.IN_PROGRESS))

    @operation("GetProvisionedConcurrencyConfig")
    async def get(self, caller: Caller, request: GetProvisionedConcurrencyConfigRequest) -> Mapping[str, Any]:
        target = _published(resolve_target(caller, request["FunctionName"], request["Qualifier"]))
        async with self._store.snapshot(target.scope) as reading:
            version, alias = await _version(reading, target)
            found = await reading.list_provisioned(target.name)
        for stored in found:
            if stored.version == version.version and stored.alias == alias:
                return _view(stored, self._state(stored))
        # Observed: test_provisioned_concurrency_exceptions.
        raise ProvisionedConcurrencyConfigNotFoundException("No Provisioned Concurrency Config found for this function")

    @operation("ListProvisionedConcurrencyConfigs")
    async def list(self, caller: Caller, request: ListProvisionedConcurrencyConfigsRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"])
        limit = page_size(request)
        after = decode_version_marker(request.get("Marker"))
        async with self._store.snapshot(target.scope) as reading:
            if await reading.function(target.name) is None:
                raise Target(target.scope, target.name, None).not_found()
            found = await reading.list_provisioned(target.name)
        # A function has few of them: the account's limit bounds their sum.
        rest = [stored for stored in found if after is None or int(stored.version) > after]
        page = rest[:limit]
        answer: dict[str, Any] = {
            "ProvisionedConcurrencyConfigs": [
                {
                    "FunctionArn": function_arn(stored.scope, stored.name, stored.alias or stored.version),
                    **_view(stored, self._state(stored)),
                }
                for stored in page
            ]
        }
        if len(rest) > limit:
            answer["NextMarker"] = version_marker(page[-1].version)
        return answer

    @operation("DeleteProvisionedConcurrencyConfig")
    async def delete(self, caller: Caller, request: DeleteProvisionedConcurrencyConfigRequest) -> Mapping[str, Any]:
        target = _published(resolve_target(caller, request["FunctionName"], request["Qualifier"]))
        async with self._store.transaction(target.scope) as tx:
            version, alias = await _version(tx, target)
            # Observed: test_provisioned_concurrency_exceptions: nothing is wrong with deleting what is not there.
            if any(
                stored.version == version.version and stored.alias == alias
                for stored in await tx.list_provisioned(target.name)
            ):
                await tx.delete_provisioned(version.name, version.version)
        return {}

    def _state(self, stored: ProvisionedConcurrency) -> ProvisionedState:
        return self._states.state(stored.scope, stored.name, stored.version, stored.requested)


def _published(target: Target) -> Target:
    if target.qualifier == LATEST:
        # Observed: test_provisioned_concurrency_exceptions, for both operations.
        raise InvalidParameterValueException(_NOT_A_VERSION)
    return target


async def _version(reading: FunctionTransaction, target: Target) -> tuple[FunctionVersion, str | None]:
    """Return the version that a request names, and the alias if it names it by one."""
    assert target.qualifier is not None
    if target.qualifier.isdigit():
        version = await reading.version(target.name, target.qualifier)
        if version is None:
            raise target.not_found()
        return version, None
    alias = await reading.aliases.get(target.name, target.qualifier)
    if alias is None:
        # Observed: test_provisioned_concurrency_exceptions, where there is no such function, too.
        raise alias_not_found(target)
    version = await reading.version(target.name, alias.version)
    assert version is not None, "a version with an alias is never deleted"
    return version, alias.alias


async def _check_owner(tx: FunctionTransaction, version: FunctionVersion, alias: str | None) -> None:
    """
    Refuse to provision by version and by alias, or by two aliases, at once.

    Observed: localstack tests/aws/services/lambda_/test_lambda_api.py (recorded).
    """
    for stored in await tx.list_provisioned(version.name):
        if stored.version != version.version or stored.alias == alias:
            continue
        if alias is None:
            raise ResourceConflictException("Version is pointed by a Provisioned Concurrency alias")
        raise ResourceConflictException(
            "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
        )


def _check_version(version: FunctionVersion) -> None:
    """Refuse to provision for a version that does not run, or that keeps environments of its own."""
    if version.state is not State.ACTIVE:
        # Assumed: the words of the other operations that wait for it (test_provisioned_concurrency).
        raise ResourceConflictException(
            "The operation cannot be performed at this time. "
            f"The function is currently in the following state: {version.state.value}"
        )
    check_not_snap_started(version)
    if version.configuration.is_tenant_isolated:
        # Documented: Lambda developer guide, tenant isolation, considerations. Assumed: the text.
        raise InvalidParameterValueException(
            "Provisioned Concurrency is not supported for functions with tenant isolation."
        )


def _view(stored: ProvisionedConcurrency, state: ProvisionedState) -> dict[str, Any]:
    view: dict[str, Any] = {
        "RequestedProvisionedConcurrentExecutions": stored.requested,
        "AvailableProvisionedConcurrentExecutions": state.available,
        "AllocatedProvisionedConcurrentExecutions": state.available,
        "Status": state.status.value,
        "LastModified": format_date(stored.last_modified),
    }
    if state.reason is not None:
        view["StatusReason"] = state.reason
    return view
