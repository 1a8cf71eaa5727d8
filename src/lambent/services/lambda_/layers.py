"""Layers: published, read, listed, deleted."""

import base64
from collections.abc import Mapping
from typing import Any

from lambent.access.links import CodeLinks
from lambent.clock import Clock
from lambent.domain.caller import Caller, Scope
from lambent.domain.layer import LayerName, LayerReference, LayerVersion, layer_arn, parse_layer_reference
from lambent.domain.quotas import AccountQuotas
from lambent.domain.resource_policy import Requester, allows
from lambent.errors.api.lambda_ import InvalidParameterValueException, ResourceNotFoundException
from lambent.protocol.shapes.lambda_ import (
    DeleteLayerVersionRequest,
    GetLayerVersionByArnRequest,
    GetLayerVersionRequest,
    ListLayersRequest,
    ListLayerVersionsRequest,
    PublishLayerVersionRequest,
)
from lambent.services.lambda_.code import PackageIntake, check_storage
from lambent.services.lambda_.cross_account import access_denied
from lambent.services.lambda_.markers import decode_marker, decode_version_marker, encode_marker, page_size
from lambent.services.lambda_.view import format_date
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore, FunctionTransaction

_NOT_FOUND = "The resource you requested does not exist."
_GET = "lambda:GetLayerVersion"
_SCAN = 200
"""Layers, or versions of one, that are looked at in one step of a search."""


class Layers:
    """The layer resource. See the Lambda API reference for each operation."""

    def __init__(
        self, store: FunctionStore, packages: PackageIntake, links: CodeLinks, quotas: AccountQuotas, clock: Clock
    ) -> None:
        self._store = store
        self._packages = packages
        self._links = links
        self._quotas = quotas
        self._clock = clock

    @operation("PublishLayerVersion")
    async def publish(self, caller: Caller, request: PublishLayerVersionRequest) -> Mapping[str, Any]:
        scope, name = own_layer(caller, request["LayerName"], "lambda:PublishLayerVersion")
        package = await self._packages.add(scope, request["Content"])
        quotas = await self._quotas.of(scope.account)
        runtimes = request.get("CompatibleRuntimes")
        architectures = request.get("CompatibleArchitectures")
        async with self._store.transaction(scope) as tx:
            await check_storage(tx, package.size_bytes, quotas)
            version = LayerVersion(
                scope=scope,
                name=name,
                number=await tx.layers.next_number(name),
                sha256=package.sha256,
                size_bytes=package.size_bytes,
                created=self._clock.now(),
                description=request.get("Description", ""),
                runtimes=None if runtimes is None else tuple(runtimes),
                architectures=None if architectures is None else tuple(architectures),
                license=request.get("LicenseInfo"),
            )
            await tx.layers.save(version)
        return self._view(caller, version)

    @operation("GetLayerVersion")
    async def get(self, caller: Caller, request: GetLayerVersionRequest) -> Mapping[str, Any]:
        scope, name, _ = resolve_layer(caller, request["LayerName"], _GET)
        return self._view(caller, await self._read(caller, scope, name, request["VersionNumber"]))

    @operation("GetLayerVersionByArn")
    async def get_by_arn(self, caller: Caller, request: GetLayerVersionByArnRequest) -> Mapping[str, Any]:
        scope, name, number = resolve_layer(caller, request["Arn"], _GET)
        assert number is not None, "the model's pattern asks for a version"
        return self._view(caller, await self._read(caller, scope, name, number))

    @operation("ListLayers")
    async def list(self, caller: Caller, request: ListLayersRequest) -> Mapping[str, Any]:
        limit = page_size(request)
        marker = decode_marker(request.get("Marker"))
        after = None if marker is None else LayerName(marker)
        runtime, architecture = request.get("CompatibleRuntime"), request.get("CompatibleArchitecture")
        found: list[LayerVersion] = []
        async with self._store.snapshot(caller.scope) as reading:
            while len(found) <= limit:
                names = await reading.layers.names(after=after, limit=_SCAN)
                for name in names:
                    version = await _latest_that_suits(reading, name, runtime, architecture)
                    if version is not None:
                        found.append(version)
                    if len(found) > limit:
                        break
                if len(names) < _SCAN:
                    break
                after = names[-1]
        page = found[:limit]
        answer: dict[str, Any] = {
            "Layers": [
                {
                    "LayerName": version.name,
                    "LayerArn": layer_arn(version.scope, version.name),
                    "LatestMatchingVersion": _list_item(version),
                }
                for version in page
            ]
        }
        if len(found) > limit:
            answer["NextMarker"] = encode_marker(page[-1].name)
        return answer

    @operation("ListLayerVersions")
    async def list_versions(self, caller: Caller, request: ListLayerVersionsRequest) -> Mapping[str, Any]:
        scope, name = own_layer(caller, request["LayerName"], "lambda:ListLayerVersions")
        limit = page_size(request)
        before = decode_version_marker(request.get("Marker"))
        runtime, architecture = request.get("CompatibleRuntime"), request.get("CompatibleArchitecture")
        found: list[LayerVersion] = []
        async with self._store.snapshot(scope) as reading:
            while len(found) <= limit:
                versions = await reading.layers.list(name, before=before, limit=_SCAN)
                found += [version for version in versions if version.suits(runtime, architecture)]
                if len(versions) < _SCAN:
                    break
                before = versions[-1].number
        page = found[:limit]
        answer: dict[str, Any] = {"LayerVersions": [_list_item(version) for version in page]}
        if len(found) > limit:
            answer["NextMarker"] = encode_marker(str(page[-1].number))
        return answer

    @operation("DeleteLayerVersion")
    async def delete(self, caller: Caller, request: DeleteLayerVersionRequest) -> Mapping[str, Any]:
        number = request["VersionNumber"]
        scope, name = own_layer(caller, request["LayerName"], "lambda:DeleteLayerVersion", number)
        check_number(number)
        async with self._store.transaction(scope) as tx:
            # Observed: one that is not there is no error. Functions that have it keep it: its package stays.
            await tx.layers.delete(name, number)
        return {}

    async def _read(self, caller: Caller, scope: Scope, name: LayerName, number: int) -> LayerVersion:
        check_number(number)
        async with self._store.snapshot(scope) as reading:
            version = await reading.layers.get(name, number)
        check_may_use(caller, scope, f"{layer_arn(scope, name)}:{number}", version)
        if version is None:
            raise ResourceNotFoundException(_NOT_FOUND)
        return version

    def _view(self, caller: Caller, version: LayerVersion) -> dict[str, Any]:
        sha256 = version.sha256
        return {
            "Content": {
                "Location": f"{caller.endpoint}/_lambent/code/{sha256}?{self._links.sign(sha256)}",
                "CodeSha256": base64.b64encode(bytes.fromhex(sha256)).decode(),
                "CodeSize": version.size_bytes,
            },
            "LayerArn": layer_arn(version.scope, version.name),
            **_list_item(version),
        }


def resolve_layer(caller: Caller, text: str, action: str) -> tuple[Scope, LayerName, int | None]:
    """
    Return which layer a request means, and the version if its ARN holds one.

    Args:
        action: for instance `lambda:GetLayerVersion`.

    Raises:
        InvalidParameterValueException: it is none at all.
        ResourceNotFoundException: it is the caller's own, of another region. Assumed: the text of functions.
        AccessDeniedException: it is of another account and another region: nothing there can be granted here.
            Observed: ShivamJoker/Canvas-Lambda-Layer#2, open-telemetry/opentelemetry-lambda#12.
    """
    reference = layer_reference(text)
    region = caller.scope.region
    if reference.region not in {None, region}:
        if reference.account != caller.scope.account:
            raise access_denied(caller, action, text)
        raise ResourceNotFoundException(
            f"Layers from '{reference.region}' are not reachable in this region ('{region}')"
        )
    return Scope(reference.account or caller.scope.account, region), reference.name, reference.number


def own_layer(caller: Caller, text: str, action: str, number: int | None = None) -> tuple[Scope, LayerName]:
    """
    Return which layer a request means that only its owner may make.

    Args:
        number: of the version that the request is about, for the refusal.

    Raises:
        InvalidParameterValueException, ResourceNotFoundException, AccessDeniedException: as `resolve_layer`.
        AccessDeniedException: it is of another account.
    """
    scope, name, _ = resolve_layer(caller, text, action)
    if scope != caller.scope:
        arn = layer_arn(scope, name)
        raise access_denied(caller, action, arn if number is None else f"{arn}:{number}")
    return scope, name


def layer_reference(text: str) -> LayerReference:
    """
    Take a layer's name or ARN apart.

    Raises:
        InvalidParameterValueException: it is neither: the model's pattern also has layers of no account.
    """
    try:
        return parse_layer_reference(text)
    except ValueError:
        raise InvalidParameterValueException(f"Layer {text} is not offered by this version of Lambent") from None


def check_number(number: int) -> None:
    """
    Refuse a version number that none can have.

    Raises:
        InvalidParameterValueException: it is below 1. Observed: recorded (2025-11).
    """
    if number < 1:
        raise InvalidParameterValueException("Layer Version Cannot be less than 1")


def check_may_use(caller: Caller, scope: Scope, arn: str, version: LayerVersion | None) -> None:
    """
    Refuse a layer version of another account whose policy does not let the caller use it.

    Raises:
        AccessDeniedException: there is no grant, or no such layer version: a stranger is not told which. Observed:
            jetbridge/psycopg2-lambda-layer#8 and #46.
    """
    if scope == caller.scope:
        return
    policy = None if version is None else version.policy
    # Documented: AddLayerVersionPermission: such a policy asks for nothing but accounts and organizations.
    if not allows(policy, Requester(caller.principal), _GET, arn):
        raise access_denied(caller, _GET, arn)


async def _latest_that_suits(
    reading: FunctionTransaction, name: LayerName, runtime: str | None, architecture: str | None
) -> LayerVersion | None:
    before: int | None = None
    # Nearly always the newest suits: one row first, more only where it does not.
    step = 1
    while True:
        versions = await reading.layers.list(name, before=before, limit=step)
        for version in versions:
            if version.suits(runtime, architecture):
                return version
        if len(versions) < step:
            return None
        before, step = versions[-1].number, _SCAN


def _list_item(version: LayerVersion) -> dict[str, Any]:
    return {
        "LayerVersionArn": version.arn,
        "Version": version.number,
        "Description": version.description,
        "CreatedDate": format_date(version.created),
        "CompatibleRuntimes": None if version.runtimes is None else list(version.runtimes),
        "CompatibleArchitectures": None if version.architectures is None else list(version.architectures),
        "LicenseInfo": version.license,
    }
