"""
Event source mappings: which queue or stream starts which function, and how.

A handler writes down what is wanted, in a state that ends in -ing; the pollers follow the store and settle it. Texts
marked as observed are AWS's answers as localstack/localstack recorded them, in
tests/aws/services/lambda_/event_source_mapping and test_lambda_api.py, unless a line says otherwise.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.destinations.contract import Destinations
from lambent.domain.caller import Caller, Scope
from lambent.domain.event_source_mapping import (
    EventSourceMapping,
    MappingState,
    check_source,
    queue_settings,
    state_after_update,
)
from lambent.domain.function import LATEST, FunctionVersion
from lambent.domain.quotas import Quotas
from lambent.domain.stream_mapping import stream_settings
from lambent.domain.tags import check_tags
from lambent.errors.api.lambda_ import (
    InvalidParameterValueException,
    ResourceConflictException,
    ResourceInUseException,
    ResourceNotFoundException,
)
from lambent.protocol.shapes.lambda_ import (
    CreateEventSourceMappingRequest,
    DeleteEventSourceMappingRequest,
    GetEventSourceMappingRequest,
    ListEventSourceMappingsRequest,
    UpdateEventSourceMappingRequest,
)
from lambent.services.lambda_.markers import decode_marker, encode_marker, page_size
from lambent.services.lambda_.naming import Target, resolve_target
from lambent.services.lambda_.role_checks import TargetRights, role_of
from lambent.services.lambda_.stream_mappings import StreamLooks, check_on_failure, check_stream, view_of_stream
from lambent.services.operation import operation
from lambent.services.sqs.elsewhere import Refused
from lambent.services.sqs.source_queues import NotAllowed, SourceQueues
from lambent.store.contract import FunctionStore, FunctionTransaction, StreamPositions

_PAGE_MAX = 100
"""Documented: Lambda API reference, ListEventSourceMappings: a page holds at most 100."""

_SETTINGS = (
    "batch_size",
    "window_s",
    "filters",
    "kms_key_arn",
    "reports_failures",
    "concurrency_max",
    "provisioned",
    "metrics",
    "stream",
)


class EventSourceMappings:
    """The mappings of one scope. See the Lambda API reference for each operation."""

    def __init__(
        self,
        store: FunctionStore,
        queues: SourceQueues,
        streams: StreamLooks,
        positions: StreamPositions,
        destinations: Destinations,
        rights: TargetRights,
        quotas: Quotas,
        clock: Clock,
    ) -> None:
        self._store = store
        self._queues = queues
        self._streams = streams
        self._positions = positions
        self._destinations = destinations
        self._rights = rights
        self._quotas = quotas
        self._clock = clock

    @operation("CreateEventSourceMapping")
    async def create(self, caller: Caller, request: CreateEventSourceMappingRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"])
        source_arn = check_source(request, self._streams)
        settings = _settings(source_arn, request, {})
        if "Tags" in request:
            check_tags(request["Tags"], self._quotas)
        async with self._store.snapshot(target.scope) as reading:
            version = await _existing_version(reading, target)
        mapping = EventSourceMapping(
            scope=target.scope,
            uuid=self._clock.new_id(),
            source_arn=source_arn,
            function_name=target.name,
            qualifier=target.qualifier,
            state=MappingState.CREATING,
            is_enabled=request.get("Enabled", True),
            last_modified=self._clock.now(),
            tags=dict(request.get("Tags", {})),
            **settings,
        )
        is_elsewhere = await self._check_source(mapping, version, is_elsewhere=None)
        mapping = msgspec.structs.replace(mapping, is_elsewhere=is_elsewhere)
        if mapping.stream is not None:
            await check_on_failure(mapping, version.configuration.role, self._destinations, self._rights)
        async with self._store.transaction(target.scope) as tx:
            await _existing_version(tx, target)
            await _check_new(tx, mapping)
            await tx.event_source_mappings.save(mapping)
        return await self._view(mapping)

    @operation("GetEventSourceMapping")
    async def get(self, caller: Caller, request: GetEventSourceMappingRequest) -> Mapping[str, Any]:
        async with self._store.snapshot(caller.scope) as reading:
            mapping = await _existing(reading, request["UUID"])
        return await self._view(mapping)

    @operation("ListEventSourceMappings")
    async def list(self, caller: Caller, request: ListEventSourceMappingsRequest) -> Mapping[str, Any]:
        limit = page_size(request, _PAGE_MAX)
        after = decode_marker(request.get("Marker"))
        scope, function_arn = caller.scope, None
        if request.get("FunctionName"):
            target = resolve_target(caller, request["FunctionName"])
            # Assumed: of a function's mappings those are meant that are qualified as the request is
            # (test_event_source_mappings).
            function_arn = target.arn
        async with self._store.snapshot(scope) as reading:
            found = await reading.event_source_mappings.list(
                source_arn=request.get("EventSourceArn"), function_arn=function_arn, after=after, limit=limit + 1
            )
        answer: dict[str, Any] = {"EventSourceMappings": await self._views(scope, found[:limit])}
        if len(found) > limit:
            answer["NextMarker"] = encode_marker(found[limit - 1].uuid)
        return answer

    @operation("UpdateEventSourceMapping")
    async def update(self, caller: Caller, request: UpdateEventSourceMappingRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"]) if request.get("FunctionName") else None
        async with self._store.snapshot(caller.scope) as reading:
            before = await _changeable(reading, request["UUID"], "update")
            wanted = self._changed(before, request, target)
            version = None if target is None else await _existing_version(reading, target)
            role = await role_of(reading, wanted.function_name, wanted.qualifier) or ""
        if version is not None:
            await self._check_source(wanted, version, is_elsewhere=wanted.is_elsewhere)
        if wanted.stream is not None and "DestinationConfig" in request:
            await check_on_failure(wanted, role, self._destinations, self._rights)
        async with self._store.transaction(caller.scope) as tx:
            before = await _changeable(tx, request["UUID"], "update")
            mapping = self._changed(before, request, target)
            if target is not None:
                await _existing_version(tx, target)
                await _check_new(tx, mapping)
            await tx.event_source_mappings.save(mapping)
        return await self._view(mapping)

    @operation("DeleteEventSourceMapping")
    async def delete(self, caller: Caller, request: DeleteEventSourceMappingRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope) as tx:
            before = await _changeable(tx, request["UUID"], "delete")
            mapping = msgspec.structs.replace(before, state=MappingState.DELETING)
            await tx.event_source_mappings.save(mapping)
        return await self._view(mapping)

    def _changed(
        self, before: EventSourceMapping, request: UpdateEventSourceMappingRequest, target: Target | None
    ) -> EventSourceMapping:
        """Return a mapping as an update wants it, on its way there. Raises what refuses its settings."""
        settings = {name: getattr(before, name) for name in _SETTINGS}
        settings = _settings(before.source_arn, request, settings)
        if target is not None:
            settings.update(function_name=target.name, qualifier=target.qualifier)
        is_enabled = request.get("Enabled", before.is_enabled)
        return msgspec.structs.replace(
            before,
            state=state_after_update(before, is_enabled=is_enabled),
            is_enabled=is_enabled,
            last_modified=self._clock.now(),
            **settings,
        )

    async def _view(self, mapping: EventSourceMapping) -> dict[str, Any]:
        return (await self._views(mapping.scope, [mapping]))[0]

    async def _views(self, scope: Scope, mappings: Sequence[EventSourceMapping]) -> Sequence[dict[str, Any]]:
        streams = [mapping.uuid for mapping in mappings if mapping.stream is not None]
        results = await self._positions.results(scope, streams) if streams else {}
        return [_view(mapping, results.get(mapping.uuid, "")) for mapping in mappings]

    async def _check_source(
        self, mapping: EventSourceMapping, version: FunctionVersion, *, is_elsewhere: bool | None
    ) -> bool:
        """
        Refuse a source that cannot feed a function; return whether it is a queue of another server.

        Args:
            is_elsewhere: whose queue is meant; None: ours where we have it.

        Raises:
            InvalidParameterValueException: see `_check_queue` and `check_stream`; or the function takes no events
                without a tenant.
        """
        if version.configuration.is_tenant_isolated:
            # Documented: Lambda developer guide, tenant isolation: what invokes such a function has to name a tenant.
            # Assumed: the text (test_event_source_mappings).
            raise InvalidParameterValueException(
                "Functions with tenant isolation cannot be invoked by event source mappings."
            )
        if mapping.stream is None:
            return await self._check_queue(mapping.source_arn, version, is_elsewhere)
        await check_stream(self._streams[mapping.service], mapping, version)
        return False

    async def _check_queue(self, arn: str, version: FunctionVersion, is_elsewhere: bool | None) -> bool:
        """
        Refuse a queue that cannot feed a function; return whether it is another server's.

        Raises:
            InvalidParameterValueException: there is none, the function may not read it, or it would show a message
                again while the function works on it.
        """
        scope, configuration = version.scope, version.configuration
        if arn.split(":")[3] != scope.region:
            # Documented: Lambda developer guide, SQS: of the same region. Assumed: the text
            # (test_event_source_mappings).
            raise InvalidParameterValueException(f"The event source must be in the function's region, {scope.region}.")
        try:
            queue = await self._queues.find(arn, scope, configuration.role, is_elsewhere=is_elsewhere)
        except Refused as error:
            # Assumed: as with a queue that is not there (test_sqs_http).
            raise InvalidParameterValueException(
                f"Error occurred while {error.action}. SQS Error Code: {error.code}. SQS Error Message: {error.text}"
            ) from None
        except NotAllowed as denied:
            # Observed: field reports.
            raise InvalidParameterValueException(
                f"The provided execution role does not have permissions to call {denied} on SQS"
            ) from None
        if queue is None:
            # Observed.
            raise InvalidParameterValueException(
                "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
                "SQS Error Message: The specified queue does not exist."
            )
        if queue.visibility_s < configuration.timeout_s:
            # Observed: field reports.
            raise InvalidParameterValueException(
                f"Queue visibility timeout: {queue.visibility_s} seconds is less than Function timeout: "
                f"{configuration.timeout_s} seconds"
            )
        return queue.is_elsewhere


def _settings(arn: str, request: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping's settings after a request. Raises what refuses them."""
    if arn.split(":")[2] == "sqs":
        return queue_settings(request, before, is_fifo=arn.endswith(".fifo"))
    return stream_settings(request, before, arn)


async def _existing_version(reading: FunctionTransaction, target: Target) -> FunctionVersion:
    """Return the version that a mapping invokes. Raises InvalidParameterValueException where there is none."""
    qualifier = target.qualifier or LATEST
    if qualifier != LATEST and not qualifier.isdigit():
        alias = await reading.aliases.get(target.name, qualifier)
        qualifier = "" if alias is None else alias.version
    version = await reading.version(target.name, qualifier) if qualifier else None
    if version is None:
        # Observed.
        raise InvalidParameterValueException("Function does not exist")
    return version


async def _check_new(tx: FunctionTransaction, mapping: EventSourceMapping) -> None:
    """Refuse a mapping whose queue and function have another one. Raises ResourceConflictException."""
    there = await tx.event_source_mappings.find(mapping.source_arn, mapping.function_arn)
    if there is not None and there.uuid != mapping.uuid and mapping.stream is not None:
        # Observed, with the blanks.
        raise ResourceConflictException(
            f'The event source arn (" {mapping.source_arn} ") and function (" {mapping.function_name} ") provided '
            f"mapping already exists. Please update or delete the existing mapping with UUID {there.uuid}"
        )
    if there is not None and there.uuid != mapping.uuid:
        # Observed, with the blanks.
        raise ResourceConflictException(
            f'An event source mapping with SQS arn (" {mapping.source_arn} ") and function '
            f'(" {mapping.function_name} ") already exists. Please update or delete the existing mapping with UUID '
            f"{there.uuid}"
        )


async def _existing(reading: FunctionTransaction, uuid: str) -> EventSourceMapping:
    mapping = await reading.event_source_mappings.get(uuid)
    if mapping is None:
        # Observed.
        raise ResourceNotFoundException("The resource you requested does not exist.")
    return mapping


async def _changeable(reading: FunctionTransaction, uuid: str, verb: str) -> EventSourceMapping:
    """Return a mapping that may be changed now. Raises ResourceInUseException where its poller has yet to follow."""
    mapping = await _existing(reading, uuid)
    if not mapping.state.is_settled:
        # Documented: Lambda API reference, ResourceInUseException. Assumed: the text (test_event_source_mappings).
        raise ResourceInUseException(f"Cannot {verb} the event source mapping because it is in use.")
    return mapping


def _view(mapping: EventSourceMapping, result: str) -> dict[str, Any]:
    view: dict[str, Any] = {
        "UUID": mapping.uuid,
        "EventSourceMappingArn": mapping.arn,
        "EventSourceArn": mapping.source_arn,
        "FunctionArn": mapping.function_arn,
        "BatchSize": mapping.batch_size,
        "MaximumBatchingWindowInSeconds": mapping.window_s,
        "FunctionResponseTypes": ["ReportBatchItemFailures"] if mapping.reports_failures else [],
        "LastModified": datetime.fromtimestamp(mapping.last_modified, UTC),
        "State": mapping.state.value,
        # Observed: for a queue no LastProcessingResult, whatever was processed.
        "StateTransitionReason": "USER_INITIATED",
    }
    if mapping.stream is not None:
        view.update(view_of_stream(mapping, result))
    if mapping.filters:
        view["FilterCriteria"] = {"Filters": [{"Pattern": pattern} for pattern in mapping.filters]}
    if mapping.kms_key_arn:
        view["KMSKeyArn"] = mapping.kms_key_arn
    if mapping.concurrency_max is not None:
        view["ScalingConfig"] = {"MaximumConcurrency": mapping.concurrency_max}
    if mapping.provisioned is not None:
        view["ProvisionedPollerConfig"] = {
            "MinimumPollers": mapping.provisioned.minimum,
            "MaximumPollers": mapping.provisioned.maximum,
        }
    if mapping.metrics:
        view["MetricsConfig"] = {"Metrics": list(mapping.metrics)}
    return view
