"""Functions: create, read, list, update, delete."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.access.links import CodeLinks
from lambent.clock import Clock
from lambent.destinations.contract import Destinations
from lambent.domain.caller import Caller
from lambent.domain.function import (
    LATEST,
    Code,
    Configuration,
    Function,
    FunctionName,
    FunctionVersion,
    State,
    UpdateStatus,
)
from lambent.domain.function_limits import check_new_name
from lambent.domain.layer import AttachedLayer
from lambent.domain.quotas import AccountQuotas
from lambent.domain.tags import allows_egress, check_tags
from lambent.errors.api.lambda_ import (
    InvalidParameterValueException,
    PreconditionFailedException,
    ResourceConflictException,
)
from lambent.protocol.shapes.lambda_ import (
    CreateFunctionRequest,
    DeleteFunctionRequest,
    GetFunctionCodeSigningConfigRequest,
    GetFunctionConfigurationRequest,
    GetFunctionRequest,
    ListFunctionsRequest,
    UpdateFunctionCodeRequest,
    UpdateFunctionConfigurationRequest,
)
from lambent.services.lambda_.activation import Activation
from lambent.services.lambda_.attaching import attach_layers, check_unzipped
from lambent.services.lambda_.code import PackageIntake, check_storage
from lambent.services.lambda_.concurrency import reservation_view
from lambent.services.lambda_.configuration import ConfigurationRules
from lambent.services.lambda_.dead_letters import check_dead_letters
from lambent.services.lambda_.execution_roles import ExecutionRoles
from lambent.services.lambda_.markers import decode_marker, encode_marker, page_size, version_number
from lambent.services.lambda_.naming import Target, resolve_target
from lambent.services.lambda_.publishing import CREATING, publish
from lambent.services.lambda_.role_checks import TargetRights
from lambent.services.lambda_.view import function_configuration, list_item
from lambent.services.operation import operation
from lambent.store.contract import Conflict, FunctionStore, FunctionTransaction, Packages


class Functions:
    """The function resource. See the Lambda API reference for each operation."""

    def __init__(
        self,
        store: FunctionStore,
        packages: Packages,
        intake: PackageIntake,
        rules: ConfigurationRules,
        activation: Activation,
        destinations: Destinations,
        rights: TargetRights,
        roles: ExecutionRoles,
        links: CodeLinks,
        quotas: AccountQuotas,
        clock: Clock,
    ) -> None:
        self._store = store
        self._packages = packages
        self._intake = intake
        self._rules = rules
        self._activation = activation
        self._destinations = destinations
        self._rights = rights
        self._roles = roles
        self._links = links
        self._quotas = quotas
        self._clock = clock

    @operation("CreateFunction")
    async def create(self, caller: Caller, request: CreateFunctionRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"])
        check_new_name(target.name)
        if target.qualifier is not None:
            raise InvalidParameterValueException(
                # Assumed: no recorded text; this one says what to do.
                f"CreateFunction takes an unqualified name; remove ':{target.qualifier}' from FunctionName"
            )
        async with self._store.snapshot(target.scope) as reading:
            if await reading.function(target.name) is not None:
                raise _exists(target)
        quotas = await self._quotas.of(target.scope.account)
        await self._roles.check(target.scope, request)
        await self._check_dead_letters(target, request, request["Role"])
        await self._check_tracing(request, request["Role"], is_active=False)
        layers = await self._attach(caller, request)
        configuration = self._rules.create(target.name, request, layers)
        tags = dict(request.get("Tags") or {})
        if tags:
            check_tags(tags, quotas)
        package = await self._intake.add(target.scope, request["Code"])
        await check_unzipped(self._packages, package.sha256, configuration.layers, quotas)
        function = Function(scope=target.scope, name=target.name, function_id=self._clock.new_id(), tags=tags)
        latest = FunctionVersion(
            scope=target.scope,
            name=target.name,
            version=LATEST,
            function_id=function.function_id,
            configuration=configuration,
            code=Code(package.sha256, package.size_bytes),
            revision_id=self._clock.new_id(),
            last_modified=self._clock.now(),
            state=State.PENDING,
            state_reason=CREATING[0],
            state_reason_code=CREATING[1],
            deployment_id=self._clock.new_id(),
            egress=allows_egress(tags),
        )
        try:
            async with self._store.transaction(target.scope) as tx:
                await check_storage(tx, latest.code.size_bytes, quotas)
                await tx.create(function, latest)
                shown = latest
                if request.get("Publish"):
                    published = await publish(tx, function, latest, self._clock, quotas, description=None)
                    shown = published
        except Conflict:
            raise _exists(target) from None
        self._activation.settle_soon(target.scope, target.name)
        # Observed: with Publish the answer is version 1 under the unqualified ARN (recorded 2025-11).
        return function_configuration(shown, None)

    @operation("GetFunction")
    async def get(self, caller: Caller, request: GetFunctionRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"], request.get("Qualifier"))
        async with self._store.snapshot(target.scope) as reading:
            version = await _existing(reading, target)
            function = await reading.function(target.name)
        sha256 = version.code.sha256
        answer: dict[str, Any] = {
            "Configuration": function_configuration(version, target.qualifier),
            "Code": {
                "RepositoryType": "S3",
                "Location": f"{caller.endpoint}/_lambent/code/{sha256}?{self._links.sign(sha256)}",
            },
        }
        if function is not None and function.tags:
            answer["Tags"] = dict(function.tags)
        # Observed: in the answer for the function as a whole, and only when set (recorded 2025-11).
        if function is not None and function.reserved_executions is not None and target.qualifier is None:
            answer["Concurrency"] = reservation_view(function)
        return answer

    @operation("GetFunctionCodeSigningConfig")
    async def get_code_signing(self, caller: Caller, request: GetFunctionCodeSigningConfigRequest) -> Mapping[str, Any]:
        """Say that a function has none, as none can: Terraform asks after every read."""
        target = resolve_target(caller, request["FunctionName"])
        async with self._store.snapshot(target.scope) as reading:
            await _existing(reading, target)
        # Observed: an empty object, although the model asks for both members (recorded 2025-11).
        return {}

    @operation("GetFunctionConfiguration")
    async def get_configuration(self, caller: Caller, request: GetFunctionConfigurationRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"], request.get("Qualifier"))
        async with self._store.snapshot(target.scope) as reading:
            version = await _existing(reading, target)
        return function_configuration(version, target.qualifier)

    @operation("ListFunctions")
    async def list(self, caller: Caller, request: ListFunctionsRequest) -> Mapping[str, Any]:
        master_region = request.get("MasterRegion")
        all_versions = request.get("FunctionVersion") == "ALL"
        if master_region is not None and master_region != "ALL":
            # Only replicas of Lambda@Edge functions have a master region, and there are none here.
            return {"Functions": []}
        limit = page_size(request)
        marker = decode_marker(request.get("Marker"))
        async with self._store.snapshot(caller.scope) as reading:
            if all_versions:
                after = None
                if marker is not None:
                    name, _, number = marker.rpartition(":")
                    after = (FunctionName(name), version_number(number))
                versions = await reading.list_all_versions(after=after, limit=limit + 1)
            else:
                versions = await reading.list_latest(
                    after=None if marker is None else FunctionName(marker), limit=limit + 1
                )
        page = versions[:limit]
        answer: dict[str, Any] = {
            "Functions": [list_item(version, version.version if all_versions else None) for version in page]
        }
        if len(versions) > limit:
            last = page[-1]
            position = 0 if last.version == LATEST else int(last.version)
            answer["NextMarker"] = encode_marker(f"{last.name}:{position}" if all_versions else last.name)
        return answer

    @operation("UpdateFunctionCode")
    async def update_code(self, caller: Caller, request: UpdateFunctionCodeRequest) -> Mapping[str, Any]:
        target = _updatable(resolve_target(caller, request["FunctionName"]))
        async with self._store.snapshot(target.scope) as reading:
            before = await _existing(reading, target)
        _check_update(before, target, request.get("RevisionId"))
        if request.get("PublishTo") is not None:
            raise InvalidParameterValueException("PublishTo is not offered by this version of Lambent")
        architectures = self._rules.architectures(request.get("Architectures"))
        is_dry_run = bool(request.get("DryRun"))
        quotas = await self._quotas.of(target.scope.account)
        package = await (self._intake.check if is_dry_run else self._intake.add)(target.scope, request)
        code = Code(package.sha256, package.size_bytes)
        if not is_dry_run:
            await check_unzipped(self._packages, code.sha256, before.configuration.layers, quotas)
        async with self._store.transaction(target.scope) as tx:
            function = await tx.function(target.name)
            latest = await _existing(tx, target)
            assert function is not None
            _check_update(latest, target, request.get("RevisionId"))
            _check_same(latest.configuration.layers == before.configuration.layers, target)
            configuration = latest.configuration
            if architectures is not None:
                configuration = msgspec.structs.replace(configuration, architectures=architectures)
            if is_dry_run:
                would_be = msgspec.structs.replace(
                    latest,
                    configuration=configuration,
                    code=code,
                    last_update_status=None,
                    last_update_status_reason=None,
                    last_update_status_reason_code=None,
                )
                return function_configuration(would_be, None)
            await check_storage(tx, code.size_bytes - latest.code.size_bytes, quotas)
            latest = self._begin_update(latest, configuration, code)
            await tx.save_version(latest)
            answer = function_configuration(latest, None)
            if request.get("Publish"):
                published = await publish(tx, function, latest, self._clock, quotas, description=None)
                # Observed: here, unlike in CreateFunction, the version's own ARN is answered (recorded 2025-11).
                answer = function_configuration(published, published.version)
        self._activation.settle_soon(target.scope, target.name)
        return answer

    @operation("UpdateFunctionConfiguration")
    async def update_configuration(
        self, caller: Caller, request: UpdateFunctionConfigurationRequest
    ) -> Mapping[str, Any]:
        target = _updatable(resolve_target(caller, request["FunctionName"]))
        async with self._store.snapshot(target.scope) as reading:
            before = await _existing(reading, target)
        _check_update(before, target, request.get("RevisionId"))
        await self._roles.check(target.scope, request)
        role = request.get("Role") or before.configuration.role
        await self._check_dead_letters(target, request, role)
        await self._check_tracing(request, role, is_active=before.configuration.is_traced)
        layers = await self._attach(caller, request)
        if layers:
            quotas = await self._quotas.of(target.scope.account)
            await check_unzipped(self._packages, before.code.sha256, layers, quotas)
        async with self._store.transaction(target.scope) as tx:
            latest = await _existing(tx, target)
            _check_update(latest, target, request.get("RevisionId"))
            _check_same(not layers or latest.code == before.code, target)
            configuration = self._rules.update(target.name, latest.configuration, request, layers)
            latest = self._begin_update(latest, configuration, latest.code)
            await tx.save_version(latest)
        self._activation.settle_soon(target.scope, target.name)
        return function_configuration(latest, None)

    @operation("DeleteFunction")
    async def delete(self, caller: Caller, request: DeleteFunctionRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"], request.get("Qualifier"))
        if target.qualifier == LATEST:
            raise InvalidParameterValueException("$LATEST version cannot be deleted without deleting the function.")
        if target.qualifier is not None and not target.qualifier.isdigit():
            raise InvalidParameterValueException("Deletion of aliases is not currently supported.")
        async with self._store.transaction(target.scope) as tx:
            if await tx.function(target.name) is None:
                # Observed: the unqualified ARN even when a qualifier was given.
                raise Target(target.scope, target.name, None).not_found()
            if target.qualifier is None:
                await tx.delete_function(target.name)
            else:
                await _check_unaliased(tx, target)
                await tx.delete_version(target.name, target.qualifier)
        # Observed: 204 with an empty body, although the newest model says 200.
        return {"StatusCode": 204}

    async def _attach(self, caller: Caller, request: Mapping[str, Any]) -> tuple[AttachedLayer, ...] | None:
        """Return the layers that a request names, None when it says nothing of layers."""
        if "Layers" not in request:
            return None
        return await attach_layers(self._store, caller, request["Layers"])

    async def _check_dead_letters(self, target: Target, request: Mapping[str, Any], role: str) -> None:
        await check_dead_letters(
            target.scope, request, role, self._destinations, self._rights, accept_inert=self._rules.accept_inert
        )

    async def _check_tracing(self, request: Mapping[str, Any], role: str, *, is_active: bool) -> None:
        """
        Refuse active tracing with a role that may write no traces.

        Args:
            role: that the function is to have.
            is_active: whether it is traced now.

        Raises:
            InvalidParameterValueException: so it is.
        """
        if "TracingConfig" in request:
            is_active = request["TracingConfig"].get("Mode") == "Active"
        elif "Role" not in request:
            return
        if is_active and (lacking := await self._rights.lacking_for_traces(role)):
            # Observed: field reports of the text.
            raise InvalidParameterValueException(
                f"The provided execution role does not have permissions to call {lacking}"
            )

    def _begin_update(self, latest: FunctionVersion, configuration: Configuration, code: Code) -> FunctionVersion:
        changed = msgspec.structs.replace(
            latest,
            configuration=configuration,
            code=code,
            deployment_id=self._clock.new_id(),
            revision_id=self._clock.new_id(),
            last_modified=self._clock.now(),
        )
        if latest.state is State.FAILED:
            # Nothing serves yet: the function starts over.
            return msgspec.structs.replace(
                changed,
                state=State.PENDING,
                state_reason=CREATING[0],
                state_reason_code=CREATING[1],
                last_update_status=None,
                last_update_status_reason=None,
                last_update_status_reason_code=None,
            )
        return msgspec.structs.replace(
            changed,
            last_update_status=UpdateStatus.IN_PROGRESS,
            last_update_status_reason=CREATING[0],
            last_update_status_reason_code=CREATING[1],
            serving=latest.deployment(),
        )


def _exists(target: Target) -> ResourceConflictException:
    # Observed: the service's own grammar.
    return ResourceConflictException(f"Function already exist: {target.name}")


def _updatable(target: Target) -> Target:
    if target.qualifier not in {None, LATEST}:
        # Assumed: no recorded text.
        raise InvalidParameterValueException(f"Only $LATEST can be updated; '{target.qualifier}' cannot.")
    return Target(target.scope, target.name, None)


async def _check_unaliased(tx: FunctionTransaction, target: Target) -> None:
    """Refuse to delete a version that an alias leads to."""
    attached = [alias.alias for alias in await tx.aliases.list(target.name) if target.qualifier in alias.versions]
    if attached:
        # Assumed: no recorded text; documented that it is refused.
        raise ResourceConflictException(
            f"Version {target.qualifier} has aliases attached: {', '.join(attached)}. "
            "Delete them or point them at another version first."
        )


async def _existing(reading: FunctionTransaction, target: Target) -> FunctionVersion:
    qualifier = target.qualifier or LATEST
    if qualifier != LATEST and not qualifier.isdigit():
        alias = await reading.aliases.get(target.name, qualifier)
        if alias is not None:
            qualifier = alias.version
    version = await reading.version(target.name, qualifier)
    if version is None:
        raise target.not_found()
    return version


def _check_update(latest: FunctionVersion, target: Target, revision_id: str | None) -> None:
    """Refuse an update while another is under way, or with a stale revision."""
    check_settled(latest, target.unqualified_arn)
    check_revision(latest, revision_id)


def _check_same(is_same: bool, target: Target) -> None:
    """Refuse an update whose checks were made of what another update has changed meanwhile."""
    if not is_same:
        raise _in_progress(target.unqualified_arn)


def check_settled(latest: FunctionVersion, unqualified_arn: str) -> None:
    """
    Refuse to touch a version whose preparation is under way.

    Raises:
        ResourceConflictException: it is Pending, or an update is in progress.
    """
    if latest.state is State.PENDING:
        raise ResourceConflictException(
            "The operation cannot be performed at this time. "
            f"The function is currently in the following state: {latest.state.value}"
        )
    if latest.last_update_status is UpdateStatus.IN_PROGRESS:
        raise _in_progress(unqualified_arn)


def _in_progress(unqualified_arn: str) -> ResourceConflictException:
    return ResourceConflictException(
        f"The operation cannot be performed at this time. An update is in progress for resource: {unqualified_arn}"
    )


def check_revision(latest: FunctionVersion, revision_id: str | None) -> None:
    """
    Refuse a stale RevisionId.

    Raises:
        PreconditionFailedException: it is not the latest.
    """
    check_stale(latest.revision_id, revision_id)


def check_stale(current: str, given: str | None, operations: str = "GetFunction/GetAlias") -> None:
    """
    Refuse a RevisionId that is not the current one.

    Args:
        operations: what the text tells to call.

    Raises:
        PreconditionFailedException: it is another. Observed: localstack
            tests/aws/services/lambda_/test_lambda_api.py (recorded).
    """
    if given is not None and given != current:
        raise PreconditionFailedException(
            "The Revision Id provided does not match the latest Revision Id. "
            f"Call the {operations} API to retrieve the latest Revision Id"
        )
