"""OpenAPI definitions: APIs made of them, and they of APIs."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from lambent.access import authorize
from lambent.clock import Clock
from lambent.domain.caller import Caller, Scope
from lambent.domain.function_url import UrlDomain
from lambent.domain.http_api import AWS_IAM, Authorizer, DeployedApi, HttpApi, Integration, Part, Route
from lambent.errors.api.apigatewayv2 import BadRequestException, ConflictException
from lambent.protocol.shapes.apigatewayv2 import ExportApiRequest, ImportApiRequest, ReimportApiRequest
from lambent.services.apigatewayv2.apis import new_api_id
from lambent.services.apigatewayv2.authorizers import authorizer_of
from lambent.services.apigatewayv2.cors import parse_cors
from lambent.services.apigatewayv2.demands import pass_role
from lambent.services.apigatewayv2.deploying import redeploy
from lambent.services.apigatewayv2.identifiers import PART_LENGTH, new_id
from lambent.services.apigatewayv2.integrations import integration_of
from lambent.services.apigatewayv2.openapi_export import write_api
from lambent.services.apigatewayv2.openapi_import import Imported, read_api
from lambent.services.apigatewayv2.openapi_text import read_definition, write_yaml
from lambent.services.apigatewayv2.refusals import check_one_of, existing_api, missing
from lambent.services.apigatewayv2.routes import RouteKeys, route_of
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
        may: says who may pass roles on.
    """

    def __init__(self, store: FunctionStore, domain: UrlDomain, may: authorize.Authorizer, clock: Clock) -> None:
        self._store = store
        self._domain = domain
        self._may = may
        self._clock = clock
        # A large definition takes many times its size while it is read.
        self._reading = asyncio.Semaphore(1)

    @operation("ImportApi")
    async def import_api(self, caller: Caller, request: ImportApiRequest) -> Mapping[str, Any]:
        imported, parts = await self._read(caller, request)
        await self._check_roles(caller, parts)
        async with self._store.transaction(caller.scope) as tx:
            new = HttpApi(
                scope=caller.scope,
                api_id=await new_api_id(tx, self._clock),
                name=imported.name,
                created=self._clock.now(),
            )
            api = await self._fill(tx, new, imported, parts)
        return api_view(api, self._domain)

    @operation("ReimportApi")
    async def reimport(self, caller: Caller, request: ReimportApiRequest) -> Mapping[str, Any]:
        imported, parts = await self._read(caller, request)
        await self._check_roles(caller, parts)
        async with self._store.transaction(caller.scope) as tx:
            before = await existing_api(tx, request["ApiId"])
            api = await self._fill(tx, before, imported, parts)
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

    async def _read(self, caller: Caller, request: Mapping[str, Any]) -> tuple[Imported, list[Part]]:
        """
        Return what the definition in a request says, and the parts that it describes.

        Raises:
            BadRequestException: nothing that could be an API, or with warnings where they are to be errors.
            ConflictException: two routes take the same requests.
        """
        base_path = request.get("Basepath", "ignore")
        check_one_of("basepath", base_path, ("ignore", "prepend", "split"))
        async with self._reading:
            # Of two thousand routes this takes long enough for others to notice.
            return await asyncio.to_thread(
                self._read_now, request["Body"], caller.scope, base_path, is_strict=request.get("FailOnWarnings", False)
            )

    def _read_now(self, text: str, scope: Scope, base_path: str, *, is_strict: bool) -> tuple[Imported, list[Part]]:
        imported = read_api(read_definition(text, scope), base_path)
        if is_strict and imported.warnings:
            # Observed: the first words, hashicorp/terraform-provider-aws#18399.
            raise BadRequestException("Warnings found during import:" + "".join(f"\n\t{w}" for w in imported.warnings))
        return imported, parts_of(scope, imported, self._clock)

    async def _check_roles(self, caller: Caller, parts: Sequence[Part]) -> None:
        """
        Refuse roles that the caller may not pass on. Which ones a definition names is not known before it is read.

        Raises:
            ApiError: there is one, as the authorizer says.
        """
        if not self._may.is_on:
            return
        roles = [part.credentials_arn for part in parts if isinstance(part, Integration)]
        roles += [part.authorizer_credentials_arn for part in parts if isinstance(part, Authorizer)]
        demands = [pass_role(role) for role in dict.fromkeys(roles) if role]
        await self._may.authorize(caller, demands)

    async def _fill(self, tx: FunctionTransaction, api: HttpApi, imported: Imported, parts: list[Part]) -> HttpApi:
        """
        Save an API as a definition has it, whose parts take the place of all that were there; return it.

        Raises:
            BadRequestException: what it says of CORS or of tags cannot be.
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
        await tx.http_apis.save(api)
        # Documented: what is there is replaced as a whole.
        await tx.http_apis.replace_parts(api.api_id, _REPLACED, parts)
        return api


def parts_of(scope: Scope, imported: Imported, clock: Clock) -> list[Part]:
    """
    Return the parts that a definition describes.

    Raises:
        BadRequestException: one is none.
        ConflictException: two routes take the same requests.
    """
    ids = _fresh_ids(clock)
    integrations: dict[str, Integration] = {}
    for place, members in imported.integrations.items():
        with _located(place):
            integrations[place] = integration_of(scope, next(ids), members)
    authorizers: dict[str, Authorizer] = {}
    for name, members in imported.authorizers.items():
        with _located(f"securitySchemes.{name}"):
            authorizers[name] = authorizer_of(scope, next(ids), members)
    routes: list[Route] = []
    keys = RouteKeys(())
    for imported_route in imported.routes:
        integration = integrations.get(imported_route.integration or "")
        authorizer = authorizers.get(imported_route.authorizer or "")
        members = {"RouteKey": imported_route.key, "OperationName": imported_route.operation_name}
        if integration is not None:
            members["Target"] = f"integrations/{integration.integration_id}"
        if authorizer is not None:
            members |= {
                "AuthorizationType": "JWT" if authorizer.authorizer_type == "JWT" else "CUSTOM",
                "AuthorizerId": authorizer.authorizer_id,
                "AuthorizationScopes": list(imported_route.scopes),
            }
        if imported_route.is_signed:
            members["AuthorizationType"] = AWS_IAM
        with _located(imported_route.key):
            route = route_of(next(ids), members)
            keys.check(route.route_key)
        keys.add(route.route_key)
        routes.append(route)
    return [*integrations.values(), *authorizers.values(), *routes]


def _fresh_ids(clock: Clock) -> Iterator[str]:
    """Yield ids of parts, each once."""
    given: set[str] = set()
    while True:
        made = new_id(clock, PART_LENGTH)
        if made not in given:
            given.add(made)
            yield made


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
