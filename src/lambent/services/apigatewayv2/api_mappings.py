"""API mappings: which stage answers below which path of a custom domain."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.http_api import ApiDomain, ApiMapping, Stage
from lambent.errors.api.apigatewayv2 import BadRequestException, ConflictException
from lambent.protocol.shapes.apigatewayv2 import (
    CreateApiMappingRequest,
    DeleteApiMappingRequest,
    GetApiMappingRequest,
    GetApiMappingsRequest,
    UpdateApiMappingRequest,
)
from lambent.services.apigatewayv2.domain_names import existing_domain
from lambent.services.apigatewayv2.identifiers import DEPLOYMENT_LENGTH, free_id
from lambent.services.apigatewayv2.limits import MAPPINGS_MAX
from lambent.services.apigatewayv2.paging import requested_page
from lambent.services.apigatewayv2.refusals import existing_api, full, missing_mapping
from lambent.services.apigatewayv2.shown import mapping_view
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore, FunctionTransaction

_KEY = re.compile(r"(?:[A-Za-z0-9$\-_.+!*'(),]+(?:/[A-Za-z0-9$\-_.+!*'(),]+)*)?")
_KEY_MAX = 300
# Documented: API Gateway developer guide, API mappings.


class ApiMappings:
    """API mappings. See the API Gateway v2 API reference for each operation."""

    def __init__(self, store: FunctionStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreateApiMapping")
    async def create(self, caller: Caller, request: CreateApiMappingRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope) as tx:
            domain = await existing_domain(tx, request["DomainName"])
            if len(domain.mappings) >= MAPPINGS_MAX:
                raise full("ApiMappings", "this domain name")
            ids = {mapping.api_mapping_id: mapping for mapping in domain.mappings}

            async def taken(made: str) -> ApiMapping | None:
                return ids.get(made)

            made = ApiMapping(
                api_mapping_id=await free_id(self._clock, DEPLOYMENT_LENGTH, taken),
                api_id=request["ApiId"],
                stage=request["Stage"],
                api_mapping_key=request.get("ApiMappingKey", ""),
            )
            await _save(tx, domain, made)
        return mapping_view(made)

    @operation("GetApiMapping")
    async def get(self, caller: Caller, request: GetApiMappingRequest) -> Mapping[str, Any]:
        async with self._store.snapshot(caller.scope) as reading:
            domain = await existing_domain(reading, request["DomainName"])
        return mapping_view(_existing(domain, request["ApiMappingId"]))

    @operation("GetApiMappings")
    async def list(self, caller: Caller, request: GetApiMappingsRequest) -> Mapping[str, Any]:
        page = requested_page(request)
        async with self._store.snapshot(caller.scope) as reading:
            domain = await existing_domain(reading, request["DomainName"])
        by_id = sorted(domain.mappings, key=lambda one: one.api_mapping_id)
        found = [one for one in by_id if one.api_mapping_id > page.after]
        return page.answer(found, lambda one: one.api_mapping_id, mapping_view)

    @operation("UpdateApiMapping")
    async def update(self, caller: Caller, request: UpdateApiMappingRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope) as tx:
            domain = await existing_domain(tx, request["DomainName"])
            before = _existing(domain, request["ApiMappingId"])
            changed = msgspec.structs.replace(
                before,
                api_id=request["ApiId"],
                stage=request.get("Stage", before.stage),
                api_mapping_key=request.get("ApiMappingKey", before.api_mapping_key),
            )
            await _save(tx, domain, changed)
        return mapping_view(changed)

    @operation("DeleteApiMapping")
    async def delete(self, caller: Caller, request: DeleteApiMappingRequest) -> Mapping[str, Any]:
        async with self._store.transaction(caller.scope) as tx:
            domain = await existing_domain(tx, request["DomainName"])
            gone = _existing(domain, request["ApiMappingId"])
            left = tuple(one for one in domain.mappings if one is not gone)
            await tx.http_apis.save_domain(msgspec.structs.replace(domain, mappings=left))
        return {}


async def _save(tx: FunctionTransaction, domain: ApiDomain, mapping: ApiMapping) -> None:
    """
    Save a mapping in the place of the one of its id, or as a new one.

    Raises:
        BadRequestException: its key is none, or its stage is not there.
        NotFoundException: its API is not there.
        ConflictException: another one has its key.
    """
    if len(mapping.api_mapping_key) > _KEY_MAX or _KEY.fullmatch(mapping.api_mapping_key) is None:
        # Observed: aws/aws-cdk#8983.
        raise BadRequestException("An ApiMapping key may contain only letters, numbers and one of $-_.+!*'(),")
    api = await existing_api(tx, mapping.api_id)
    if await tx.http_apis.part(Stage, api.api_id, mapping.stage) is None:
        # Observed: aws/aws-cdk#8983, the status too.
        raise BadRequestException("Invalid stage identifier specified")
    others = tuple(one for one in domain.mappings if one.api_mapping_id != mapping.api_mapping_id)
    if any(one.api_mapping_key == mapping.api_mapping_key for one in others):
        # Observed: aws-cloudformation/cloudformation-coverage-roadmap#1151.
        raise ConflictException("ApiMapping key already exists for this domain name")
    await tx.http_apis.save_domain(msgspec.structs.replace(domain, mappings=(*others, mapping)))


def _existing(domain: ApiDomain, mapping_id: str) -> ApiMapping:
    found = next((one for one in domain.mappings if one.api_mapping_id == mapping_id), None)
    if found is None:
        raise missing_mapping()
    return found
