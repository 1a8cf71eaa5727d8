"""OpenAPI definitions: APIs made of them, and they of APIs."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.function_url import UrlDomain
from lambent.domain.http_api import Authorizer, DeployedApi, HttpApi, Integration, Part, Route
from lambent.errors.api.apigatewayv2 import BadRequestException, ConflictException
from lambent.protocol.shapes.apigatewayv2 import ExportApiRequest, ImportApiRequest, ReimportApiRequest
from lambent.services.apigatewayv2.apis import new_api_id
from lambent.services.apigatewayv2.authorizers import authorizer_of, new_authorizer_id
from lambent.services.apigatewayv2.cors import parse_cors
from lambent.services.apigatewayv2.deploying import redeploy
from lambent.services.apigatewayv2.integrations import integration_of, new_integration_id
from lambent.services.apigatewayv2.openapi_export import write_api
from lambent.services.apigatewayv2.openapi_import import Imported, read_api
from lambent.services.apigatewayv2.openapi_text import read_definition, write_yaml
from lambent.services.apigatewayv2.refusals import check_one_of, existing_api, missing
from lambent.services.apigatewayv2.routes import RouteKeys, check_authorizer, new_route_id, route_of
from lambent.services.apigatewayv2.shown import api_view
from lambent.services.apigatewayv2.stages import existing_stage
from lambent.services.apigatewayv2.tags import check_tags
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore, FunctionTransaction

_REPLACED: tuple[type[Part], ...] = (Route, Integration, Authorizer)


class Definitions:
    """
    Import and export. See the API Gateway v2 API reference for each operation.

    Args:
        domain: below which APIs answer.
    """

    def __init__(self, store: FunctionStore, domain: UrlDomain, clock: Clock) -> None:
        self._store = store
        self._domain = domain
        self._clock = clock
        # A large definition takes many times its size while it is read.
        self._reading = asyncio.Semaphore(1)

    @operation("ImportApi")
    async def import_api(self, caller: Caller, request: ImportApiRequest) -> Mapping[str, Any]:
        imported = await self._read(caller, request)
        async with self._store.transaction(caller.scope) as tx:
            new = HttpApi(
                scope=caller.scope,
                api_id=await new_api_id(tx, self._clock),
                name=imported.name,
                created=self._clock.now(),
            )
            api = await self._fill(tx, new, imported)
        return api_view(api, self._domain)

    @operation("ReimportApi")
    async def reimport(self, caller: Caller, request: ReimportApiRequest) -> Mapping[str, Any]:
        imported = await self._read(caller, request)
        async with self._store.transaction(caller.scope) as tx:
            before = await existing_api(tx, request["ApiId"])
            # Documented: what is there is replaced as a whole.
            for kind in _REPLACED:
                for part in await tx.http_apis.parts(kind, before.api_id):
                    await tx.http_apis.delete_part(kind, before.api_id, part.part_id)
            api = await self._fill(tx, before, imported)
            await redeploy(tx, api, self._clock)
        return api_view(api, self._domain)

    @operation("ExportApi")
    async def export(self, caller: Caller, request: ExportApiRequest) -> Mapping[str, Any]:
        # Assumed: the texts (test_http_api_config_openapi). Documented: what each may be.
        check_one_of("specification", request["Specification"], ("OAS30",))
        check_one_of("outputType", request["OutputType"], ("JSON", "YAML"))
        check_one_of("exportVersion", request.get("ExportVersion", "1.0"), ("1.0",))
        async with self._store.snapshot(caller.scope) as reading:
            api = await existing_api(reading, request["ApiId"])
            stage_name = request.get("StageName")
            content = await _content(reading, api, stage_name)
        definition = write_api(
            api,
            content,
            api.endpoint(self._domain),
            stage_name,
            with_extensions=request.get("IncludeExtensions", True),
        )
        if request["OutputType"] == "YAML":
            async with self._reading:
                return {"body": await asyncio.to_thread(write_yaml, definition)}
        return {"body": msgspec.json.format(msgspec.json.encode(definition), indent=2)}

    async def _read(self, caller: Caller, request: Mapping[str, Any]) -> Imported:
        """
        Return what the definition in a request says.

        Raises:
            BadRequestException: nothing that could be an API, or with warnings where they are to be errors.
        """
        base_path = request.get("Basepath", "ignore")
        check_one_of("basepath", base_path, ("ignore", "prepend", "split"))
        async with self._reading:
            definition = await asyncio.to_thread(read_definition, request["Body"], caller.scope)
        imported = read_api(definition, base_path)
        if request.get("FailOnWarnings") and imported.warnings:
            # Observed: the first words, hashicorp/terraform-provider-aws#18399.
            raise BadRequestException("Warnings found during import:" + "".join(f"\n\t{w}" for w in imported.warnings))
        return imported

    async def _fill(self, tx: FunctionTransaction, api: HttpApi, imported: Imported) -> HttpApi:
        """
        Save an API as a definition has it, and its parts, of which there are none; return it.

        Raises:
            BadRequestException: a part is none.
            ConflictException: two routes take the same requests.
        """
        api = msgspec.structs.replace(
            api,
            name=imported.name,
            description=imported.description,
            version=imported.version,
            cors=parse_cors(imported.cors or {}),
            disable_execute_api_endpoint=imported.disable_execute_api_endpoint,
            # Assumed: those that the definition does not name stay. Terraform's provider gives them to the API before
            # it imports, and looks for them afterwards (test_http_api_config_openapi).
            tags={**api.tags, **imported.tags},
            import_info=tuple(imported.infos),
            warnings=tuple(imported.warnings),
        )
        check_tags(api.tags)
        rows = tx.http_apis
        await rows.save(api)
        integrations: dict[str, str] = {}
        for place, members in imported.integrations.items():
            integration_id = await new_integration_id(tx, api.api_id, self._clock)
            with _located(place):
                await rows.save_part(api.api_id, integration_of(api.scope, integration_id, members))
            integrations[place] = integration_id
        authorizers: dict[str, Authorizer] = {}
        for name, members in imported.authorizers.items():
            with _located(f"securitySchemes.{name}"):
                made = authorizer_of(api.scope, await new_authorizer_id(tx, api.api_id, self._clock), members)
            await rows.save_part(api.api_id, made)
            authorizers[name] = made
        keys = RouteKeys(())
        for route in imported.routes:
            members = {"RouteKey": route.key, "OperationName": route.operation_name}
            if route.integration is not None:
                members["Target"] = f"integrations/{integrations[route.integration]}"
            if route.authorizer is not None:
                authorizer = authorizers[route.authorizer]
                members |= {
                    "AuthorizationType": "JWT" if authorizer.authorizer_type == "JWT" else "CUSTOM",
                    "AuthorizerId": authorizer.authorizer_id,
                    "AuthorizationScopes": list(route.scopes),
                }
            with _located(route.key):
                saved = route_of(await new_route_id(tx, api.api_id, self._clock), members)
                keys.check(saved.route_key)
                if saved.authorizer_id is not None:
                    check_authorizer(saved, authorizers[route.authorizer or ""])
            keys.add(saved.route_key)
            await rows.save_part(api.api_id, saved)
        return api


async def _content(reading: FunctionTransaction, api: HttpApi, stage_name: str | None) -> DeployedApi:
    """
    Return an API as it is, or as a stage serves it.

    Raises:
        NotFoundException: there is no such stage, or it serves nothing yet.
    """
    rows = reading.http_apis
    if stage_name:
        stage = await existing_stage(reading, api.api_id, stage_name)
        content = await rows.part(DeployedApi, api.api_id, stage.deployment_id or "")
        if content is None:
            raise missing("Deployment", stage.deployment_id or "")
        return content
    return DeployedApi(
        deployment_id="",
        routes=tuple(await rows.parts(Route, api.api_id)),
        integrations=tuple(await rows.parts(Integration, api.api_id)),
        authorizers=tuple(await rows.parts(Authorizer, api.api_id)),
        cors=api.cors,
    )


@contextlib.contextmanager
def _located(where: str) -> Iterator[None]:
    """
    Say of an error where in the definition it comes from.

    Assumed, and not as AWS does it: there such a part is left out with a warning, so that a route whose authorizer
    could not be made is open to all (test_http_api_config_openapi).
    """
    try:
        yield
    except (BadRequestException, ConflictException) as error:
        # Assumed: the first words (test_http_api_config_openapi).
        raise type(error)(f"Errors found during import:\n\t{where[:300]}: {error.message}") from None
