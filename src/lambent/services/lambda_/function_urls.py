"""
Function URLs: the HTTP addresses of functions and aliases.

Texts marked as observed are AWS's answers as localstack/localstack recorded them, in
tests/aws/services/lambda_/test_lambda_api.snapshot.json, test_url_config_exceptions and test_url_config_lifecycle.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.cors import Cors
from lambent.domain.function import LATEST
from lambent.domain.function_url import BUFFERED, FunctionUrl, UrlDomain
from lambent.errors.api.lambda_ import (
    InvalidParameterValueException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from lambent.protocol.shapes.lambda_ import (
    CreateFunctionUrlConfigRequest,
    DeleteFunctionUrlConfigRequest,
    GetFunctionUrlConfigRequest,
    ListFunctionUrlConfigsRequest,
    UpdateFunctionUrlConfigRequest,
)
from lambent.services.lambda_.markers import decode_marker, encode_marker, page_size
from lambent.services.lambda_.naming import resolve_target
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore


class FunctionUrlConfigs:
    """The URLs of functions and aliases. See the Lambda API reference for each operation."""

    def __init__(self, store: FunctionStore, domain: UrlDomain, clock: Clock) -> None:
        self._store = store
        self._domain = domain
        self._clock = clock

    @operation("CreateFunctionUrlConfig")
    async def create(self, caller: Caller, request: CreateFunctionUrlConfigRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"], request.get("Qualifier"))
        qualifier = target.qualifier or ""
        async with self._store.transaction(target.scope) as tx:
            latest = await tx.version(target.name, LATEST)
            if latest is None or (qualifier and await tx.aliases.get(target.name, qualifier) is None):
                raise _no_function()
            if latest.configuration.is_tenant_isolated:
                # Documented: Lambda developer guide, tenant isolation: there are no URLs. Assumed: the text.
                raise InvalidParameterValueException(
                    "Function URLs are not supported for functions with tenancy configuration."
                )
            if await tx.function_urls.get(target.name, qualifier) is not None:
                # Observed, with its two blanks.
                raise ResourceConflictException(
                    f"Failed to create function url config for [functionArn = {target.arn}]. "
                    "Error message:  FunctionUrlConfig exists for this Lambda function"
                )
            now = self._clock.now()
            url = FunctionUrl(
                scope=target.scope,
                name=target.name,
                qualifier=qualifier,
                url_id=self._clock.token_hex(16),
                created=now,
                last_modified=now,
                invoke_mode=request.get("InvokeMode"),
                cors=_cors(request.get("Cors")),
                auth_type=request["AuthType"],
            )
            await tx.function_urls.save(url)
        view = self._view(url)
        # Observed.
        del view["LastModifiedTime"]
        return view

    @operation("GetFunctionUrlConfig")
    async def get(self, caller: Caller, request: GetFunctionUrlConfigRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"], request.get("Qualifier"))
        async with self._store.snapshot(target.scope) as reading:
            url = await reading.function_urls.get(target.name, target.qualifier or "")
        if url is None:
            raise _no_config()
        return self._full_view(url)

    @operation("UpdateFunctionUrlConfig")
    async def update(self, caller: Caller, request: UpdateFunctionUrlConfigRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"], request.get("Qualifier"))
        async with self._store.transaction(target.scope) as tx:
            url = await tx.function_urls.get(target.name, target.qualifier or "")
            if url is None:
                raise _no_config()
            changes: dict[str, Any] = {"last_modified": self._clock.now()}
            if "AuthType" in request:
                changes["auth_type"] = request["AuthType"]
            if "InvokeMode" in request:
                changes["invoke_mode"] = request["InvokeMode"]
            # Assumed: it is replaced as a whole, so that an empty one ends it (test_function_url_configs).
            if "Cors" in request:
                changes["cors"] = _cors(request["Cors"])
            url = msgspec.structs.replace(url, **changes)
            await tx.function_urls.save(url)
        return self._view(url)

    @operation("DeleteFunctionUrlConfig")
    async def delete(self, caller: Caller, request: DeleteFunctionUrlConfigRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"], request.get("Qualifier"))
        async with self._store.transaction(target.scope) as tx:
            if not await tx.function_urls.delete(target.name, target.qualifier or ""):
                raise _no_config()
        return {}

    @operation("ListFunctionUrlConfigs")
    async def list(self, caller: Caller, request: ListFunctionUrlConfigsRequest) -> Mapping[str, Any]:
        target = resolve_target(caller, request["FunctionName"])
        limit = page_size(request)
        marker = decode_marker(request.get("Marker"))
        # A blank goes before it: the marker of the function's own, whose qualifier is empty, has to be one.
        after = None if marker is None else marker[1:]
        async with self._store.snapshot(target.scope) as reading:
            if await reading.function(target.name) is None:
                raise _no_function()
            found = await reading.function_urls.list(target.name, after=after, limit=limit + 1)
        answer: dict[str, Any] = {"FunctionUrlConfigs": [self._full_view(url) for url in found[:limit]]}
        if len(found) > limit:
            answer["NextMarker"] = encode_marker(" " + found[limit - 1].qualifier)
        return answer

    def _view(self, url: FunctionUrl) -> dict[str, Any]:
        """Return a URL as it is answered when it is made or changed. Observed: an InvokeMode that was set only."""
        view: dict[str, Any] = {
            "FunctionUrl": self._domain.url(url),
            "FunctionArn": url.arn,
            "AuthType": url.auth_type,
            "CreationTime": _time(url.created),
            "LastModifiedTime": _time(url.last_modified),
        }
        if url.cors is not None:
            view["Cors"] = _cors_view(url.cors)
        if url.invoke_mode is not None:
            view["InvokeMode"] = url.invoke_mode
        return view

    def _full_view(self, url: FunctionUrl) -> dict[str, Any]:
        return {"InvokeMode": BUFFERED, **self._view(url)}


def _cors(given: Mapping[str, Any] | None) -> Cors | None:
    if not given:
        return None
    for member in ("AllowHeaders", "AllowMethods", "AllowOrigins", "ExposeHeaders"):
        if not all(item.isascii() and item.isprintable() for item in given.get(member, ())):
            # Assumed: the text. The model lets through what no header can hold, and no answer would leave with it
            # (test_function_url_configs).
            raise InvalidParameterValueException(f"{member} must be characters that a header can hold")
    return Cors(
        allow_credentials=given.get("AllowCredentials"),
        allow_headers=tuple(given.get("AllowHeaders", ())),
        allow_methods=tuple(given.get("AllowMethods", ())),
        allow_origins=tuple(given.get("AllowOrigins", ())),
        expose_headers=tuple(given.get("ExposeHeaders", ())),
        max_age_s=given.get("MaxAge"),
    )


def _cors_view(cors: Cors) -> dict[str, Any]:
    view: dict[str, Any] = {
        "AllowCredentials": cors.allow_credentials,
        "AllowHeaders": list(cors.allow_headers) or None,
        "AllowMethods": list(cors.allow_methods) or None,
        "AllowOrigins": list(cors.allow_origins) or None,
        "ExposeHeaders": list(cors.expose_headers) or None,
        "MaxAge": cors.max_age_s,
    }
    return {member: value for member, value in view.items() if value is not None}


def _time(at: float) -> str:
    # Assumed: the form that users show; the model says that it is a string (test_function_url_configs).
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _no_function() -> ResourceNotFoundException:
    # Observed: for a missing alias as well.
    return ResourceNotFoundException("Function does not exist")


def _no_config() -> ResourceNotFoundException:
    # Observed.
    return ResourceNotFoundException("The resource you requested does not exist.")
